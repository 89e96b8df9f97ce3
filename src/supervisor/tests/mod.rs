//! The promises of supervision, in simulated time.

mod adoption;
mod declared;
mod dependencies;
mod governor;
mod invalid;
mod live;
mod persons;
mod restarts;
mod shutdown;
mod texts;
mod world;

use crate::config::{
    Condition, Config, Container, ContainerLog, Dependency, Exhausted, ImageSource, NetworkMode, Restart,
    RestartPolicy,
};

use super::*;
