//! Promises about /dev/log: each message once, whole, whoever is killed; a flood is the flooder's affair.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use orlop::log::{FromLogger, Stream};

use super::RingFile;
use super::test_world::{SOON, World, key};
use crate::linux::Errno;
use crate::linux::forked::Forked;

/// A process that sends numbered messages of changing size, each when there is room for it.
fn sender(path: &Path, count: u64) -> Forked {
    let path = path.to_owned();
    Forked::run(move || {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(&path).unwrap();
        for number in 0..count {
            socket.send(message(number).as_bytes()).unwrap();
        }
        0
    })
}

/// Some are longer than what is read at once, some are empty, and none is another.
fn message(number: u64) -> String {
    let length = match number % 100 {
        7 => 40_000,
        8 => 0,
        _ => (number.wrapping_mul(0x9e37_79b9) % 300) as usize,
    };
    if length == 0 { String::new() } else { format!("<30>{number:06} {}", "x".repeat(length)) }
}

/// The numbers of the messages that were read, and of how many bytes each was.
fn numbers(read: &[(Stream, Vec<u8>)]) -> Vec<(u64, usize)> {
    let text: Vec<u8> = read.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let text = String::from_utf8(text).unwrap();
    text.split("<30>")
        .skip(1)
        .map(|message| (message[..6].parse().unwrap(), message.len() + "<30>".len()))
        .collect()
}

#[test]
fn a_logger_killed_at_any_instant_enters_each_message_once() {
    let kills = std::env::var("ORLOP_N").ok().and_then(|text| text.parse().ok()).unwrap_or(40_u64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut world = World::new(8 << 20, None);
    world.messages(&path);
    let count = 20 * kills;
    let sender = sender(&path, count);
    let mut read = Vec::new();
    for kill in 0..kills {
        let begun = Instant::now();
        let before = read.len();
        // Most have entered something when they are killed; every fourth may just have begun.
        while kill % 4 != 0 && read.len() == before && numbers(&read).len() < count as usize / 2 {
            assert!(begun.elapsed() < SOON);
            read.extend(world.read());
        }
        let until = Instant::now() + Duration::from_micros(kill.wrapping_mul(0x9e37_79b9) % 1_000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        world.kill_logger();
        world.new_logger();
    }
    assert_eq!(sender.wait(), 0);
    world.link.drain(key(Stream::Syslog));
    world.hear(FromLogger::PipeClosed(key(Stream::Syslog)));
    read.extend(world.read());
    let sent = (0..count).map(|number| (number, message(number).len())).filter(|(_, length)| *length > 0);
    assert_eq!(numbers(&read), sent.collect::<Vec<_>>());
    assert!(read.iter().all(|(stream, _)| *stream == Stream::Syslog));
    assert_eq!((world.told.overwritten, world.told.refused), (0, 0));
}

#[test]
fn messages_above_the_rate_are_refused_whole_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut world = World::new(256 << 10, Some(1000));
    world.messages(&path);
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(&path).unwrap();
    let text = [b'x'; 300];
    for _ in 0..20 {
        socket.send(&text).unwrap();
    }
    world.link.drain(key(Stream::Syslog));
    world.hear(FromLogger::PipeClosed(key(Stream::Syslog)));
    let kept: Vec<usize> = world.read().into_iter().map(|(_, bytes)| bytes.len()).collect();
    // A second's worth, and no part of a message.
    assert!(kept.iter().sum::<usize>() >= 900 && kept.iter().all(|bytes| bytes % 300 == 0), "{kept:?}");
    assert_eq!(kept.iter().sum::<usize>() as u64 + world.told.refused, 20 * 300);
    assert!(world.told.refused > 0);
}

#[test]
fn a_flood_of_messages_leaves_others_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut world = World::new(256 << 10, None);
    world.messages(&path);
    let flood = Forked::run(|| {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(&path).unwrap();
        while socket.send(b"<30>and one more").is_ok() {}
        0
    });
    while world.read().is_empty() {}
    let output = world.pipe(Stream::Stdout);
    nix::unistd::write(&output, b"heard").unwrap();
    drop(output);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    flood.kill();
}

#[test]
fn a_socket_of_messages_that_is_over_is_read_to_its_end_by_the_next_logger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut world = World::new(256 << 10, None);
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    world.logger.as_ref().unwrap().stop();
    world.messages(&path);
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(&path).unwrap();
    socket.send(b"<30>last words").unwrap();
    world.link.drain(key(Stream::Syslog));
    world.kill_logger();
    world.new_logger();
    world.hear(FromLogger::PipeClosed(key(Stream::Syslog)));
    assert_eq!(world.read(), [(Stream::Syslog, b"<30>last words".to_vec())]);
    // An idle one does not wake, an empty message changes nothing.
    assert!(!world.link.has_pipes(super::test_world::ID, 1));
}

#[test]
fn a_socket_that_is_over_is_closed_also_when_it_held_what_is_read_at_once() {
    // Where a socket may hold so many: a network of this thread's own.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    std::fs::write("/proc/sys/net/unix/max_dgram_qlen", "100").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut world = World::new(256 << 10, None);
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    world.logger.as_ref().unwrap().stop();
    world.messages(&path);
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(&path).unwrap();
    for _ in 0..32 {
        socket.send(b"<30>one").unwrap();
    }
    world.link.drain(key(Stream::Syslog));
    world.logger.as_ref().unwrap().go_on();
    world.hear(FromLogger::PipeClosed(key(Stream::Syslog)));
    assert_eq!(world.read().iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), 32 * 7);
}

#[test]
fn a_socket_that_is_over_while_its_ring_cannot_be_written_is_closed_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(256 << 10, None);
    world.link.add_ring(super::test_world::ID, unwritable(), None);
    world.messages(&folder.path().join("log"));
    let output = world.pipe(Stream::Stdout);
    nix::unistd::write(&output, b"waits").unwrap();
    let id = super::test_world::ID;
    world.hear(FromLogger::Trouble { id, errno: Errno::EPERM as i32 });
    world.link.drain(key(Stream::Syslog));
    world.link.add_ring(id, RingFile::create(256 << 10).unwrap(), None);
    world.hear(FromLogger::PipeClosed(key(Stream::Syslog)));
}

fn unwritable() -> RingFile {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = memfd_create(c"sealed", flags).unwrap();
    nix::unistd::ftruncate(&file, 256 << 10).unwrap();
    let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    RingFile::adopt(file).unwrap()
}
