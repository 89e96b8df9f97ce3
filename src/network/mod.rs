//! Wanted, found → changes.
//!
//! Decides what to tell the kernel about the machine's own links, and speaks rtnetlink as bytes.
//! Refuses to guess: what matches no link, or two, is a [`Problem`] with a name, and the rest goes on.

mod change;
mod found;
pub mod netlink;
mod plan;
mod resolv;

pub use change::{Change, LinkRef, Target};
pub use found::{Address, Found, FoundRoute, Link, Scope};
pub use plan::{Plan, Problem, plan};
pub use resolv::resolv_conf;
