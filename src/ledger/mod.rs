//! The frames between PID 1 and the supervisor, and the table that PID 1 keeps.
//!
//! Fixed size, versioned, no allocation: both sides can read any frame of any release, and skip
//! one they do not know. The table is what no crash may lose: which children there are, the file
//! descriptors that must outlive the supervisor, and how each child ended.

mod frame;
mod respawn;
mod table;

pub use frame::{
    Action, Child, Ended, FRAME_BYTES, Frame, Kind, LABEL_BYTES, Label, MAX_FDS, Malformed, Phase, VERSION,
};
pub use respawn::{Mode, Respawn};
pub use table::{Entry, Full, State, TABLE_ENTRIES, Table};
