//! The simulator itself: wrong cores are found out, failures happen as they were asked for.

mod failures;
mod wrong;

use std::time::Duration;

use super::*;
use crate::config::{Config, Container, Source, read};
use crate::supervisor::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// An image is added to each container.
fn declared(text: &str) -> Config {
    let text = text.replace("]\n", "]\nimage = 'dir:rootfs'\n");
    let read = read(&[Source { path: "test.toml".into(), text }]);
    assert!(!read.has_errors(), "{:#?}", read.diagnostics);
    read.config
}

fn blank() -> Container {
    declared("[container.blank]\n").containers.remove("blank").unwrap()
}
