//! Words on the control socket.
//!
//! The protocol is Varlink: JSON objects, each ended by a NUL. The interface file beside this one is
//! what clients read, and the authority: its names are those of the types here, and a test holds the
//! two together. Everything works on bytes and values; who sends and receives them is not known here.

mod access;
pub mod base64;
mod call;
mod closing;
pub mod cobs;
mod deed;
mod error;
mod event;
mod exec;
mod exit_record;
mod explain;
mod explain_machine;
mod figures;
mod frame;
mod happening;
mod logs;
mod parameters;
mod reload;
mod reply;
mod request;
pub mod service;
pub mod session;
pub mod stream;
mod time;
mod when;
mod why;
mod words;

#[cfg(test)]
mod compatible_test;
#[cfg(test)]
mod interface_test;

pub use access::{Access, access, socket_mode};
pub use call::{Call, encode_call};
pub use closing::{Leaving, Shutdown, ShutdownReply};
pub use deed::{Deed, changes_state, one_line};
pub use error::Error;
pub use event::{Event, EventKind, Events};
pub use exec::Exec;
pub use exit_record::{EXIT_RECORD_VERSION, ExitRecord};
pub use explain::{hang, why};
pub use explain_machine::{why_boot, why_shutdown};
pub use figures::{Figures, Pressure, Stall, Task};
pub use frame::{Decoder, Frame};
pub use happening::{Asker, HAPPENING_VERSION, Happening};
pub use logs::{Logs, WhichBoot};
pub use reload::{
    ConfigFile, ConfigMistake, ConfigReply, ConfigVersion, DriftReply, DriftingFile, HistoryReply,
    KernelDrift, MAX_CONFIGURATION, PlanContainer, PlanKey, PlanReply, ReloadReply,
};
pub use reply::{
    BootReply, BootsReply, CommitReply, Empty, EventsReply, ListReply, LogLevelReply, LogsReply, Reply,
    SpecReply, StatsReply, StatusReply, TopReply, UploadReply, VersionReply, encode_continued, encode_error,
    encode_reply, read,
};
pub use request::Request;
pub use time::rfc3339;
pub use when::{Moment, WHEN_HELP, When};
pub use why::{Crash, Remaining, Standing, WhyBootReply, WhyReply, WhyShutdownReply};
pub use words::{
    Cause, CauseKind, Container, Details, DropReason, Dropped, Edge, Entry, FileDrift, Health, KeptBoot,
    LeavingStage, LogLevel, NextStep, OomScope, Phase, PlanAction, PowerAction, Process, ReloadClass, Rise,
    State, Stream, Upgrade, Wanted,
};

/// The interface, as `GetInterfaceDescription` returns it.
pub const INTERFACE: &str = include_str!("org.orlop.Control.varlink");

/// Its name, which begins the name of each of its methods and errors.
pub const INTERFACE_NAME: &str = "org.orlop.Control";

/// Its version: the first number is another interface's name, the second grows with what is added.
pub const INTERFACE_VERSION: &str = "1.1";

/// Bytes of a request, its NUL left out: an upload's chunk with room to spare, and small enough for
/// every client to have one at once on a machine with 96 MiB.
pub const MAX_REQUEST: usize = 256 * 1024;

/// Bytes of one `UpgradeChunk` before base64, which makes 171 KiB of them.
pub const MAX_CHUNK: usize = 128 * 1024;
