//! What was sent and may not have arrived: for each ring the place to keep once it has.
//!
//! Of a stream the other side's kernel says what it has. Of datagrams nobody does: those have arrived that nobody has
//! refused for a while after they were sent, since a refusal (ICMP) comes a round trip later. Places are kept in batches,
//! of a stream by bytes, of datagrams by time: so there are few, however many messages there are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orlop::config::Transport;
use orlop::log::Place;

/// A refusal comes within it: a round trip, and what a gateway takes to find that nobody is there (RFC 4861 §7.3.3).
pub(super) const REFUSED_WITHIN: Duration = Duration::from_secs(3);

/// Of a batch, which also bounds what is sent again beyond need.
const BATCH_TIME: Duration = Duration::from_millis(250);
const BATCH_BYTES: u64 = 16 << 10;

#[derive(Debug)]
pub(super) struct OnItsWay {
    transport: Transport,
    batches: VecDeque<Batch>,
}

#[derive(Debug)]
struct Batch {
    /// When the first of it was sent, and the last.
    times: [Duration; 2],
    /// Bytes sent before it, and with it.
    bytes: [u64; 2],
    places: BTreeMap<u64, Place>,
}

impl Batch {
    fn takes_more(&self, transport: Transport, now: Duration) -> bool {
        let ([first, _], [begin, end]) = (self.times, self.bytes);
        match transport {
            Transport::Udp => now.saturating_sub(first) < BATCH_TIME,
            Transport::Tcp => end.saturating_sub(begin) < BATCH_BYTES,
        }
    }
}

impl OnItsWay {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, batches: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// A message of this ring, of those bytes of all that are sent.
    pub(super) fn add(&mut self, ring: u64, place: Place, bytes: [u64; 2], now: Duration) {
        match self.batches.back_mut().filter(|batch| batch.takes_more(self.transport, now)) {
            Some(batch) => {
                ([_, batch.times[1]], [_, batch.bytes[1]]) = ([now; 2], bytes);
                batch.places.insert(ring, place);
            }
            None => {
                let places = BTreeMap::from([(ring, place)]);
                self.batches.push_back(Batch { times: [now; 2], bytes, places });
            }
        }
    }

    /// The newest places of a stream of which the other side has so many bytes.
    pub(super) fn acknowledged(&mut self, bytes: u64) -> BTreeMap<u64, Place> {
        self.take(|batch| batch.bytes[1] <= bytes)
    }

    /// The newest places of datagrams that nobody has refused by now.
    pub(super) fn unrefused(&mut self, now: Duration) -> BTreeMap<u64, Place> {
        self.take(|batch| batch.times[1].saturating_add(REFUSED_WITHIN) <= now)
    }

    fn take(&mut self, has_arrived: impl Fn(&Batch) -> bool) -> BTreeMap<u64, Place> {
        let mut newest = BTreeMap::new();
        while let Some(batch) = self.batches.pop_front_if(|batch| has_arrived(batch)) {
            newest.extend(batch.places);
        }
        newest
    }

    /// All of it is sent again.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }
}
