//! The end of the machine: what is to be on the disk is written when all have ended, in time of its own.

use std::time::Duration;

use orlop::keep::ToKeeper;
use orlop::ledger::Frame;

use super::Keeping;
use crate::agent::{Agent, say};
use crate::linux::kmsg::Level;

/// For what is still on its way to the rings.
const GATHER: Duration = Duration::from_secs(2);
/// And then for what is still to be written.
const FLUSH: Duration = Duration::from_secs(5);

/// What is written at the end of the machine.
pub(super) enum Flush {
    No,
    /// Of whoever has ended, not everything is in the rings yet.
    Gathering {
        until: Duration,
    },
    Asked {
        until: Duration,
    },
    Done,
}

impl Keeping {
    /// What is kept for it of the time that the machine's end may take: a quarter of that at most.
    pub fn at_end(&self, within: Duration) -> Duration {
        if self.disk.is_some() { GATHER.saturating_add(FLUSH).min(within / 4) } else { Duration::ZERO }
    }
}

impl Agent {
    /// Every container has ended: what is in the rings is written before the machine ends, for as long as that may take.
    pub fn flush_disk(&mut self, now: Duration) {
        if matches!(self.keeping.flush, Flush::No) && self.keeping.reader.helper.is_up() {
            self.keeping.flush = Flush::Gathering { until: now.saturating_add(GATHER) };
            return self.go_on_flushing(now);
        }
        self.ledger.send(Frame::PowerDone);
    }

    pub(super) fn go_on_flushing(&mut self, now: Duration) {
        match self.keeping.flush {
            Flush::Gathering { until } if self.logs.are_gathered() || until <= now => {
                self.keeping.flush = Flush::Asked { until: now.saturating_add(FLUSH) };
                let changed = self.lasting.all().into_iter().map(ToKeeper::Mirror);
                self.keeping.reader.tell(changed.chain([ToKeeper::Flush]));
                self.keeping.send(&self.logs);
            }
            Flush::Asked { until } if until <= now => {
                say(Level::Error, "disk: no answer; its newest logs may be lost");
                self.flushed();
            }
            Flush::No | Flush::Gathering { .. } | Flush::Asked { .. } | Flush::Done => {}
        }
    }

    pub(super) fn flushed(&mut self) {
        if let Flush::Asked { .. } = self.keeping.flush {
            self.keeping.flush = Flush::Done;
            self.ledger.send(Frame::PowerDone);
        }
    }
}

#[cfg(test)]
mod tests {
    use orlop::config::{Source, read};

    use super::*;

    #[test]
    fn a_disk_has_seven_seconds_of_the_end_or_a_quarter_and_without_one_there_is_nothing_to_wait_for() {
        let mut keeping = Keeping::new().unwrap();
        let seconds = Duration::from_secs;
        assert_eq!(keeping.at_end(seconds(60)), seconds(0));
        let text = "[host.disk]\ndevice = \"LABEL=orlop\"".to_owned();
        keeping.disk = read(&[Source { path: "a.toml".into(), text }]).config.host.disk;
        assert_eq!([60, 28, 8, 0].map(|within| keeping.at_end(seconds(within))), [7, 7, 2, 0].map(seconds));
    }
}
