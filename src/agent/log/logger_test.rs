//! Promises of the logger as a process: killed, stopped, replaced, idle.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::unistd::write;
use orlop::log::{FromLogger, Stream};

use super::test_world::{ID, Pump, SOON, World, key, readable, status};

/// Kills in one test run; `ORLOP_N=` asks for more.
fn kills() -> u64 {
    std::env::var("ORLOP_N").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Kills the logger at any instant while a container writes, and reads beside it.
fn check_kills(rate: Option<u64>, largest: u64) -> World {
    let mut world = World::new(256 << 10, rate);
    let output = world.pipe(Stream::Stdout);
    check_kills_of(world, output, largest)
}

fn check_kills_of(mut world: World, output: OwnedFd, largest: u64) -> World {
    let pump = Pump::start(output, largest);
    for kill in 0..kills() {
        // Most loggers have read something when they are killed; every fourth may just have begun.
        let (before, begun) = (world.told.at, Instant::now());
        while kill % 4 != 0 && world.told.at == before {
            assert!(begun.elapsed() < SOON, "{:?}", world.told);
            world.check();
        }
        // Up to 2 ms more, on a path through all of them that repeats in no pattern.
        let until = Instant::now() + Duration::from_micros(kill.wrapping_mul(0x9e37_79b9) % 2_000);
        while Instant::now() < until {
            world.check();
        }
        world.kill_logger();
        world.check();
        world.new_logger();
    }
    let total = pump.stop();
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    world.check();
    assert_eq!(world.told.at, total, "{:?}", world.told);
    world
}

#[test]
fn a_logger_killed_at_any_instant_loses_nothing() {
    let world = check_kills(None, 70_000);
    assert_eq!(world.told.refused, 0);
}

#[test]
fn a_logger_killed_among_many_small_reads_loses_nothing() {
    check_kills(None, 200);
}

#[test]
fn a_logger_killed_while_it_refuses_counts_every_byte() {
    let world = check_kills(Some(16 << 10), 70_000);
    assert!(world.told.refused > 0, "{:?}", world.told);
}

#[test]
fn a_logger_killed_while_it_reads_a_terminal_loses_nothing() {
    let mut world = World::new(256 << 10, None);
    let terminal = world.terminal();
    let world = check_kills_of(world, terminal, 5000);
    assert_eq!(world.told.refused, 0);
}

#[test]
fn a_stopped_logger_takes_nothing_with_it_when_it_is_replaced() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    world.logger.as_ref().unwrap().stop();
    // As much as the pipe holds goes in without anybody reading.
    let text = [b'x'; 65_536];
    assert_eq!(write(&output, &text), Ok(text.len()));
    world.link.ping(2);
    assert!(!readable(world.link.socket(), Duration::from_millis(1)));
    world.kill_logger();
    world.new_logger();
    drop(output);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    assert_eq!(world.read(), [(Stream::Stdout, text.to_vec())]);
}

#[test]
fn a_logger_that_was_stopped_goes_on() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stderr);
    let logger = world.logger.take().unwrap();
    logger.stop();
    write(&output, b"while it stood").unwrap();
    drop(output);
    logger.go_on();
    world.hear(FromLogger::PipeClosed(key(Stream::Stderr)));
    assert_eq!(world.read(), [(Stream::Stderr, b"while it stood".to_vec())]);
}

#[test]
fn both_streams_keep_their_bytes_and_the_last_line_needs_no_newline() {
    let mut world = World::new(256 << 10, None);
    let (out, err) = (world.pipe(Stream::Stdout), world.pipe(Stream::Stderr));
    write(&out, b"one\n\xff\0two\n").unwrap();
    drop(out);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    write(&err, b"three\nfour").unwrap();
    drop(err);
    world.hear(FromLogger::PipeClosed(key(Stream::Stderr)));
    let expected =
        [(Stream::Stdout, b"one\n\xff\0two\n".to_vec()), (Stream::Stderr, b"three\nfour".to_vec())];
    assert_eq!(world.read(), expected);
    assert_eq!(world.tail(1), b"four");
    assert_eq!(world.tail(3), b"\xff\0two\nthree\nfour");
}

#[test]
fn output_is_read_once_however_often_the_logger_is_told() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    let text = vec![b'y'; 30_000];
    for _ in 0..5 {
        let file = world.link.ring(ID).unwrap();
        let again = super::RingFile::adopt(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        world.link.add_ring(ID, again, None);
        write(&output, &text).unwrap();
        world.new_logger();
        // The one before is dead by now: `World` holds one at a time.
    }
    drop(output);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    let read: Vec<u8> = world.read().into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(read.len(), 5 * text.len());
}

#[test]
fn an_idle_logger_never_wakes() {
    let mut world = World::new(256 << 10, Some(1000));
    let _output = world.pipe(Stream::Stdout);
    world.link.follow(ID, 0);
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    world.stays_asleep(Duration::from_millis(1_500));
}

#[test]
fn a_log_takes_no_memory_until_there_is_output() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    let blocks = |world: &World| nix::sys::stat::fstat(world.link.ring(ID).unwrap()).unwrap().st_blocks;
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    assert_eq!(blocks(&world), 0);
    write(&output, b"x").unwrap();
    drop(output);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    // In blocks of 512 bytes: a page each of header, index and text.
    assert_eq!(blocks(&world), 24);
}

#[test]
fn a_logger_has_no_power_and_no_descriptors_but_its_own() {
    let mut world = World::new(256 << 10, None);
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    let logger = world.logger.as_ref().unwrap();
    for (field, value) in
        [("CapEff:", "0000000000000000"), ("CapBnd:", "0000000000000000"), ("NoNewPrivs:", "1")]
    {
        assert_eq!(status(logger, field), value, "{field}");
    }
    let fds = std::fs::read_dir(format!("/proc/{}/fd", logger.pid())).unwrap().count();
    // Standard ones, the socket, epoll, the ring.
    assert_eq!(fds, 6);
}
