//! The promises of supervision, in simulated time.

mod adoption;
mod closing;
mod connections;
pub(super) mod declared;
mod dependencies;
mod endings;
mod gates;
mod governor;
mod groups;
mod health;
mod invalid;
mod jobs;
mod persons;
mod reload;
mod reload_times;
mod restarts;
mod shutdown;
mod texts;
mod timetables;
mod world;

use crate::config::{
    Condition, Config, Container, Dependency, Exhausted, Restart, RestartPolicy, Source, read,
};

use super::*;
