//! The supervisor's core in random histories, under the eyes of the simulator's watch.
//!
//! `HISTORIES` says how many (the default takes some seconds), `HOURS` how many of a whole hour, `SEED` from which
//! seed on; all processors are used. A history that breaks a promise is printed as short as it gets, with the seed that
//! it came from: `SEED=… HISTORIES=1 HOURS=1` has it again.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, also outside of its own function"
)]

use std::num::NonZeroU64;
use std::thread;

use orlop::config::{Container, Source, read};
use orlop::simulation::{Broken, first_broken, first_broken_hour};
use orlop::supervisor::Supervisor;

/// Some seconds of an unoptimised build.
const DEFAULT_HISTORIES: u64 = 10_000;
/// Some seconds, too.
const DEFAULT_HOURS: u64 = 40;

/// Histories in which a promise was broken once, found among millions; and such an hour.
const BROKEN_ONCE: [u64; 8] =
    [20690745, 21012751, 30996860, 31162524, 31383412, 52061393, 70907489, 72511363];
const HOUR_BROKEN_ONCE: u64 = 993;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

fn blank() -> Container {
    let text = "[container.blank]\nimage = 'dir:rootfs'\n".into();
    let mut read = read(&[Source { path: "test.toml".into(), text }]);
    *read.config.containers.remove("blank").unwrap()
}

/// All processors live through so many from the seed on.
fn no_promise_is_broken(
    count: u64,
    broken_of: impl Fn(&Container, &mut dyn Iterator<Item = u64>) -> Option<Broken> + Sync,
) {
    let first = number("SEED").unwrap_or(1);
    let processors = thread::available_parallelism().map_or(1, |it| NonZeroU64::try_from(it).unwrap().get());
    let blank = blank();
    let lives = |nth: u64| {
        let mut seeds = (nth..count).step_by(processors as usize).map(|n| first.wrapping_add(n));
        broken_of(&blank, &mut seeds)
    };
    let lives = &lives;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|nth| scope.spawn(move || lives(nth))).collect();
        for thread in threads {
            let broken = thread.join().unwrap();
            assert!(broken.is_none(), "{}", broken.unwrap());
        }
    });
}

#[test]
fn keeps_its_promises_in_random_histories() {
    let histories = number("HISTORIES").unwrap_or(DEFAULT_HISTORIES);
    no_promise_is_broken(histories, |blank, seeds| first_broken::<Supervisor>(blank, seeds));
}

#[test]
fn keeps_its_promises_for_hours() {
    let hours = number("HOURS").unwrap_or(DEFAULT_HOURS);
    no_promise_is_broken(hours, |blank, seeds| first_broken_hour::<Supervisor>(blank, seeds));
}

#[test]
fn keeps_its_promises_where_they_were_broken_once() {
    let broken = first_broken::<Supervisor>(&blank(), BROKEN_ONCE.into_iter());
    assert!(broken.is_none(), "{}", broken.unwrap());
    let broken = first_broken_hour::<Supervisor>(&blank(), [HOUR_BROKEN_ONCE].into_iter());
    assert!(broken.is_none(), "{}", broken.unwrap());
}
