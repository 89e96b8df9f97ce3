//! The death of a supervisor, and what the next one finds.

use alloc::boxed::Box;
use core::time::Duration;

use super::{Core, Entry, Event, Live, Looks, Machine, Safe};

impl<C: Core> Machine<C> {
    /// The supervisor dies, and is gone for so long; the next one adopts what the ledger and the disk have.
    pub fn crash(&mut self, gone: Duration, safe: Safe) {
        self.log.push((self.now, Entry::Crashed));
        if let Some(watch) = &mut self.watch {
            watch.crashed();
        }
        self.events.clear();
        self.effects.clear();
        // Probes end with who asked for them; what containers say waits for the next one.
        self.later.retain(|(_, event)| !matches!(event, Event::Probed { .. }));
        self.disk.forget();
        self.live.values_mut().for_each(Live::orphaned);
        self.pass_unseen(gone);
        self.core = C::reloaded(self.now, &self.config, self.seed, &self.numbers);
        self.looks = Looks::default();
        if safe == Safe::Yes {
            self.tell_and_do(Event::SafeMode, usize::MAX);
        }
        if let Some(deadline) = self.shutdown {
            self.tell_and_do(Event::Shutdown { deadline }, usize::MAX);
        }
        for record in self.disk.records.clone().into_values() {
            let left = || self.ended.get(&record.name).copied();
            let found = self.live.get(&record.name).map_or_else(left, Live::found);
            self.tell_and_do(Event::Adopted { record: Box::new(record), found }, usize::MAX);
        }
        if let Some(at_boot) = self.clock {
            self.tell_and_do(Event::Clock { at_boot }, usize::MAX);
        }
        self.tell(Event::Booted);
    }

    /// What happens meanwhile only the ledger knows.
    fn pass_unseen(&mut self, time: Duration) {
        let end = self.now.saturating_add(time);
        while let Some(at) = self.live.values().filter_map(Live::next).min().filter(|at| *at <= end) {
            for live in self.live.values_mut().filter(|live| live.next() == Some(at)) {
                live.happen(at);
            }
        }
        self.now = end;
    }
}
