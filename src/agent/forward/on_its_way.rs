//! What was sent and may not have arrived: for each ring the place to keep once it has.
//!
//! Of a stream the other side's kernel says what it has. Of datagrams nobody does: those have arrived that nobody has
//! refused for a while after they were sent, since a refusal (ICMP) comes a round trip later. Places are kept in batches,
//! of a stream by bytes, of datagrams by time: so there are few, however many messages there are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orlop::log::Place;

/// A refusal comes within it: in a neighbourhood that answers no question, it takes three (RFC 4861 §7.3.3, arp(7)).
pub(super) const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// Of a batch. What is sent again beyond need is no more than that.
const BATCH_TIME: Duration = Duration::from_millis(250);
const BATCH_BYTES: u64 = 16 << 10;

/// Of rings by their number: which ring that is, and how far it was sent.
pub(super) type Spots = BTreeMap<u64, (u64, Place)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Datagrams,
    Stream,
}

#[derive(Debug)]
pub(super) struct OnItsWay {
    transport: Transport,
    batches: VecDeque<Batch>,
}

#[derive(Debug)]
struct Batch {
    /// When the first of it was sent, and the last.
    first: Duration,
    last: Duration,
    /// Bytes sent before it, and with it.
    begin: u64,
    end: u64,
    spots: Spots,
}

impl Batch {
    fn takes_more(&self, transport: Transport, now: Duration) -> bool {
        match transport {
            Transport::Datagrams => now.saturating_sub(self.first) < BATCH_TIME,
            Transport::Stream => self.end.saturating_sub(self.begin) < BATCH_BYTES,
        }
    }
}

impl OnItsWay {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, batches: VecDeque::new() }
    }

    /// A message of this ring, which is those bytes of all that are sent.
    pub(super) fn add(&mut self, id: u64, spot: (u64, Place), (begin, end): (u64, u64), now: Duration) {
        match self.batches.back_mut().filter(|batch| batch.takes_more(self.transport, now)) {
            Some(batch) => {
                (batch.last, batch.end) = (now, end);
                batch.spots.insert(id, spot);
            }
            None => {
                let spots = BTreeMap::from([(id, spot)]);
                self.batches.push_back(Batch { first: now, last: now, begin, end, spots });
            }
        }
    }

    /// The newest places of a stream of which the other side has so many bytes.
    pub(super) fn acknowledged(&mut self, bytes: u64) -> Spots {
        self.take(|batch| batch.end <= bytes)
    }

    /// When the next ones are [`Self::unrefused`]; `None`: nothing is on its way.
    pub(super) fn due(&self) -> Option<Duration> {
        self.batches.front().map(|batch| batch.last.saturating_add(REFUSED_WITHIN))
    }

    /// The newest places of datagrams that nobody has refused by now.
    pub(super) fn unrefused(&mut self, now: Duration) -> Spots {
        self.take(|batch| batch.last.saturating_add(REFUSED_WITHIN) <= now)
    }

    fn take(&mut self, has_arrived: impl Fn(&Batch) -> bool) -> Spots {
        let mut newest = BTreeMap::new();
        while self.batches.front().is_some_and(&has_arrived) {
            newest.extend(self.batches.pop_front().into_iter().flat_map(|batch| batch.spots));
        }
        newest
    }

    /// All of it is sent again.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }
}

#[cfg(test)]
mod tests {
    use orlop::log::Cursor;

    use super::*;

    fn spot(byte: u64) -> (u64, Place) {
        (1, Place { from: Cursor::of_words([0, byte, 0, 0]), sent: [0; 3] })
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn datagrams_have_arrived_once_nobody_has_refused_them_for_long_enough() {
        let mut sent = OnItsWay::new(Transport::Datagrams);
        for (number, time) in (1..).zip([0, 100, 249, 250, 6000]) {
            sent.add(7, spot(number), (0, 0), ms(time));
        }
        assert_eq!(sent.unrefused(ms(5248)), BTreeMap::new());
        assert_eq!(sent.due(), Some(ms(5249)));
        assert_eq!(sent.unrefused(ms(5249)), BTreeMap::from([(7, spot(3))]));
        assert_eq!(sent.unrefused(ms(9000)), BTreeMap::from([(7, spot(4))]));
        sent.clear();
        assert_eq!((sent.due(), sent.unrefused(ms(99_000))), (None, BTreeMap::new()));
    }

    #[test]
    fn of_a_stream_what_was_acknowledged_has_arrived_and_batches_are_few() {
        let mut sent = OnItsWay::new(Transport::Stream);
        for number in 0..10_000 {
            sent.add(number % 3, spot(number), (number * 100, (number + 1) * 100), ms(0));
        }
        assert!(sent.batches.len() <= 64, "{}", sent.batches.len());
        assert_eq!(sent.acknowledged(100), BTreeMap::new());
        let some = sent.acknowledged(500_000);
        assert!(some.values().all(|(_, place)| (4800..5000).contains(&place.from.byte())), "{some:?}");
        let all = sent.acknowledged(1_000_000);
        assert_eq!(all, BTreeMap::from([(0, spot(9999)), (1, spot(9997)), (2, spot(9998))]));
        assert_eq!(sent.due(), None);
    }
}
