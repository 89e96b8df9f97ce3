//! A machine that is played: the core that runs on machines, and around it an agent, a ledger, a disk and
//! containers made of nothing, in virtual time.
//!
//! One simulator serves three: the table tests of the core (`src/supervisor/tests/`), random histories
//! (`tests/supervisor.rs`), and people who want to know what their own configuration would do. It draws
//! from seeds only: the same seed is the same history. There is no other clock than the time since boot, so
//! that there is none that could jump.
//!
//! * `machine.rs` plays the agent: tells the core what happens and does what it asks for, turn by turn.
//!   `live.rs` is one generation of a container, `play.rs` how it behaves, `disk.rs` where records are kept.
//!   Each effect can fail, be slow, or never be answered; a supervisor can die between any two of them.
//! * `watch/` holds the core to what it promises (`promise.rs`) after every event.
//! * `scenario/` plays a person's configuration with what they say goes wrong.
//! * `history/` draws histories, lives through them, and shortens those that break a promise.

mod core;
mod disk;
mod history;
mod live;
mod looks;
mod lot;
mod machine;
mod play;
mod promise;
mod reload;
mod scenario;
mod watch;

#[cfg(test)]
mod tests;

pub use self::core::Core;
pub use disk::{Disk, Saves};
pub use history::{Broken, History, first_broken, first_broken_hour};
pub use live::Live;
pub use lot::Lot;
pub use machine::{Entry, Machine, Safe};
pub use play::{Delivery, NEVER, Play, failure};
pub use promise::{Breach, Promise};
pub use scenario::{
    Connect, Fail, Fate, Happening, Is, MOST_NEWS, News, Run, Scenario, Turn, Unplayable, What, When,
    simulate,
};
