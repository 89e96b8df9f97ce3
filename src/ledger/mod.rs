//! What PID 1 and the supervisor share, and all that PID 1 decides.
//!
//! Frames of fixed size, versioned, without allocation: both sides can read any frame of any
//! release, and skip one they do not know. The table is what no crash may lose: which children
//! there are, the descriptors that must outlive the supervisor, and how each child ended.

mod frame;
mod keeper;
mod label;
mod mounts;
mod power;
mod respawn;
mod table;
mod telling;
mod watchdog;

pub use frame::{Action, Child, Ended, FRAME_BYTES, Frame, Kind, MAX_FDS, Malformed, Phase, VERSION};
pub use keeper::{After, Keeper};
pub use label::{LABEL_BYTES, Label};
pub use mounts::{EARLY, Early, LINKS, Openness};
pub use power::{Due, GOING, Power, UNMOUNTING, WRITING};
pub use respawn::{Life, Mode, Respawn};
pub use table::{Entry, Full, State, TABLE_ENTRIES, Table};
pub use telling::{Next, Telling, Wants};
pub use watchdog::{Turn, Watchdog};
