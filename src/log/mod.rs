//! Output of containers → bounded rings with marks for what is gone.
//!
//! A ring is one file of fixed size (`layout`): two copies of its state (`state`), an index with one
//! entry a read (`entry`), and the bytes. One process writes it (`ring`), moving bytes into it at the
//! file position, so that a kill at any instant leaves a ring that `Ring::recover` completes. Others
//! read it at the same time without a lock (`reader`, `tail`). Nothing here reads a clock or a file:
//! a ring stands in a [`Store`].
//!
//! What happens seldom has a simpler ring of records (`slots`). What the supervisor says to readers is a `packet`.
//!
//! Every byte of a container is either kept, or counted as overwritten by newer ones, or counted as
//! refused (above its rate, or no memory); never in two of these, never in none.

mod entry;
mod forward;
mod frames;
mod kmsg;
mod layout;
mod outgoing;
pub(crate) mod packet;
mod pump;
mod range;
mod rate;
mod reader;
mod rfc5424;
mod ring;
mod share;
mod slots;
mod state;
mod tail;
mod text;

#[cfg(test)]
mod model_test;

pub use entry::{Stamp, Stream};
pub use forward::{FORWARD_FRAME_MAX, Follow, FromForwarder, ToForwarder};
pub use frames::{FRAME_LEN, FromLogger, KERNEL, OWN, PipeKey, ToLogger};
pub use kmsg::{LONGEST_RECORD, Record, Speaker};
pub use layout::{Layout, MESSAGE_MAX, MIN_MEMORY, READ_MAX};
pub use outgoing::{Kind, Outgoing, Place, Sender, UNFINISHED};
pub use pump::{FromPump, Nonsense, PUMP_CA, PUMP_CERT, PUMP_KEY, PUMP_LINK, PumpWords, pump_arguments};
pub use range::{Bound, Range};
pub use rate::Bucket;
pub use reader::{Cursor, Gone, Item, ReadError, Reader};
pub use rfc5424::{Log, framed, message, next_sequence, split_priority};
pub use ring::{Recovered, Ring, Target};
pub use share::share;
pub use slots::{RECORD_MAX, SLOT, Slots, Slotted};
pub use tail::{Step, Tail};
pub use text::{LINE_MAX, clean_line};

/// Reads at an offset. Exact: fewer bytes than asked for is an error.
pub trait Source {
    type Error;
    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), Self::Error>;
}

/// What the one writer of a ring needs besides.
pub trait Store: Source {
    fn write_at(&self, at: u64, from: &[u8]) -> Result<(), Self::Error>;
    /// The file position, shared by all who hold this open file description.
    fn position(&self) -> Result<u64, Self::Error>;
    fn seek(&self, position: u64) -> Result<(), Self::Error>;
}
