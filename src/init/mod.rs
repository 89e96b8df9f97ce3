//! PID 1: reaps, keeps the supervisor alive, keeps what must outlive it, and ends the machine.
//!
//! It reads no configuration, parses nothing, and allocates nothing after its start. Everything
//! else may crash. What it decides is in `orlop::ledger`, pure; here it waits, in one place, reads
//! one clock a wake-up, and does a bounded portion of each kind of work. Nothing here can block.

mod mounts;
mod power;
mod supervisor;
mod talk;
mod watchdog;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Ended, Keeper, Phase, Power, TABLE_ENTRIES, Table, Telling, Watchdog};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::kmsg::{self, Level};
use crate::linux::{Errno, Result, fd, insist, power as machine, process, seqpacket, signal, time, wait};

use supervisor::Executable;

/// What wakes PID 1.
const SIGNALS: u64 = 0;
const LEDGER: u64 = 1;
const SUPERVISOR: u64 = 2;

/// Reaped in one wake-up: a burst of orphans must not keep the ledger waiting for long.
const REAPS_PER_WAKE: usize = 256;

/// A whole table of entries with all their descriptors, and our own; the kernel gives an init 1,024.
const DESCRIPTORS: u64 = (TABLE_ENTRIES * seqpacket::MAX_FDS + 64) as u64;

type Fds = seqpacket::Fds;

/// Whether this is the machine's init or stands in for one inside another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Machine,
    Guest,
}

struct Init {
    place: Place,
    epoll: Epoll,
    signals: OwnedFd,
    /// Our end and the supervisor's: with both here, no message dies with a supervisor.
    ours: OwnedFd,
    theirs: OwnedFd,
    table: Table<Fds>,
    phases: Vec<Phase>,
    keeper: Keeper,
    /// Of the supervisor, while there is one.
    pidfd: Option<OwnedFd>,
    executable: Executable,
    telling: Telling,
    orphans: u64,
    power: Option<Power>,
    watchdog: Option<Watchdog<OwnedFd>>,
}

/// Runs the role for ever.
pub fn run() -> ! {
    fd::ensure_standard();
    let place = if nix::unistd::getpid().as_raw() == 1 { Place::Machine } else { Place::Guest };
    match Init::start(place) {
        Ok(mut init) => init.live(),
        Err(errno) => {
            // Nothing can be done without a descriptor to wait on. PID 1 must not end.
            kmsg::write_args(Level::Error, format_args!("init cannot start: {}", errno.desc()));
            loop {
                process::pause();
            }
        }
    }
}

impl Init {
    fn start(place: Place) -> Result<Self> {
        let mut phases = Vec::with_capacity(mounts::PHASES);
        match place {
            Place::Machine => mounts::all(&mut phases),
            Place::Guest => process::become_subreaper()?,
        }
        kmsg::quiet_console();
        kmsg::open_log();
        // Refused in a container, where nobody presses those keys.
        let _ = machine::catch_ctrl_alt_del();
        // A machine without /dev/null keeps what stands there since the first line.
        if let Ok(null) = fd::null() {
            (0..=2).try_for_each(|number| fd::install(null.as_fd(), number))?;
        }
        let _ = process::set_oom_score(-1000);
        let _ = process::set_limit(0, process::NOFILE, DESCRIPTORS, DESCRIPTORS);
        let signals = insist(|| signal::block_all_and_read(&power::SIGNALS))?;
        let (ours, theirs) = insist(seqpacket::pair)?;
        let epoll = insist(Epoll::new)?;
        insist(|| epoll.add(signals.as_fd(), Interest::EPOLLIN, SIGNALS))?;
        insist(|| epoll.add(ours.as_fd(), Interest::EPOLLIN, LEDGER))?;
        Ok(Self {
            place,
            epoll,
            signals,
            ours,
            theirs,
            table: Table::new(),
            phases,
            keeper: Keeper::default(),
            pidfd: None,
            executable: insist(Executable::own)?,
            telling: Telling::default(),
            orphans: 0,
            power: None,
            watchdog: None,
        })
    }

    fn live(&mut self) -> ! {
        loop {
            let now = time::since_boot();
            self.keep_supervisor(now);
            self.end_machine(now);
            self.keep_watch(now);
            let again = self.talk().map(|pause| now.saturating_add(pause));
            let power = self.power.as_ref().map(|power| power.until);
            let watch = self.watchdog.as_ref().map(Watchdog::deadline);
            let next = [self.keeper.deadline(), power, watch, again].into_iter().flatten().min();
            let Ok(ready) = self.epoll.wait(next.map(|at| at.saturating_sub(now))) else { continue };
            let now = time::since_boot();
            for (token, _) in ready.iter() {
                match token {
                    SIGNALS => self.read_signals(now),
                    LEDGER => self.hear(now),
                    // Before all others: it must not wait behind a burst of orphans.
                    _ => self.reap_supervisor(now),
                }
            }
            self.reap(now);
        }
    }

    fn read_signals(&mut self, now: Duration) {
        for (number, from) in signal::read(&self.signals) {
            if let Some(action) = power::action_of(number) {
                kmsg::write_args(Level::Info, format_args!("signal {number} from pid {from}"));
                self.ask_for_power(action, now);
            }
        }
    }

    fn reap_supervisor(&mut self, now: Duration) {
        if let Some(Ok(Some(dead))) = self.pidfd.as_ref().map(|pidfd| wait::reap_one(pidfd.as_fd())) {
            self.supervisor_died(dead.code, dead.status, now);
        }
    }

    fn reap(&mut self, now: Duration) {
        for _ in 0..REAPS_PER_WAKE {
            match wait::reap_any() {
                Ok(Some(reaped)) => self.reaped(reaped, now),
                Ok(None) | Err(Errno::ECHILD) => return,
                Err(_) => {}
            }
        }
        signal::wake_for_children();
    }

    fn reaped(&mut self, reaped: wait::Reaped, now: Duration) {
        if self.keeper.is_supervisor(reaped.pid) {
            return self.supervisor_died(reaped.code, reaped.status, now);
        }
        if self.power.as_mut().is_some_and(|power| power.child_ended(reaped.pid, now)) {
            return;
        }
        let wait::Reaped { pid, code, status, user_us, system_us, max_rss } = reaped;
        let ended = Ended { code, status, user_us, system_us, max_rss, at_us: now.as_micros() as u64 };
        if self.table.ended(pid, ended).is_none() {
            self.orphans = self.orphans.saturating_add(1);
        }
    }
}
