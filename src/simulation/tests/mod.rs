//! The simulator itself: wrong cores are found out, failures happen as they were asked for.

mod failures;
mod scenario;
mod wrong;

use std::time::Duration;

use super::*;
use crate::config::{Config, Container, Gate, Source, read};
use crate::supervisor::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// An image is added to each container.
fn declared(text: &str) -> Config {
    let line = |line: &str| match line.starts_with("[container.") {
        true => format!("{line}\nimage = 'dir:rootfs'\n"),
        false => format!("{line}\n"),
    };
    let text = text.lines().map(line).collect();
    let read = read(&[Source { path: "test.toml".into(), text }]);
    assert!(!read.has_errors(), "{:#?}", read.diagnostics);
    read.config
}

fn blank() -> Container {
    *declared("[container.blank]\n").containers.remove("blank").unwrap()
}
