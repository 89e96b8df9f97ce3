//! The supervisor's core under random histories: containers that behave in every way, people who ask
//! for anything at any time, reports that come late, supervisors that die in between.
//!
//! `HISTORIES` says how many (the default takes some seconds), `SEED` which. What must hold is in
//! `supervisor/model.rs`; a history that breaks it is shrunk and printed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, also outside of its own function"
)]

#[path = "../src/supervisor/tests/declared.rs"]
#[allow(dead_code, reason = "shared with the table tests, which use all of it")]
mod declared;
#[path = "supervisor/history.rs"]
mod history;
#[path = "../src/supervisor/tests/live.rs"]
#[allow(dead_code, reason = "shared with the table tests, which use all of it")]
mod live;
#[path = "supervisor/model.rs"]
mod model;
#[path = "../src/supervisor/tests/world.rs"]
#[allow(dead_code, reason = "shared with the table tests, which use all of it")]
mod world;

use orlop::config::{
    Condition, Config, Container, Dependency, Exhausted, HealthCheck, Restart, RestartPolicy, Source, read,
};
use orlop::supervisor::*;
use proptest::test_runner::{Config as Histories, RngAlgorithm, TestRng, TestRunner};

/// Ten seconds of an unoptimised build.
const DEFAULT_HISTORIES: u32 = 10_000;

#[test]
fn keeps_its_promises_in_random_histories() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let cases = number("HISTORIES").unwrap_or(DEFAULT_HISTORIES);
    let mut seed = [1; 16];
    seed[..4].copy_from_slice(&number("SEED").unwrap_or(1).to_le_bytes());
    let config = Histories { cases, failure_persistence: None, ..Histories::default() };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed);
    let result = TestRunner::new_with_rng(config, rng).run(&history::histories(), |history| {
        history.live();
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
