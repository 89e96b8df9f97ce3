//! What the supervisor and the logger say to one another.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::unistd::write;
use orlop::log::{FromLogger, PipeKey, Stream, ToLogger};

use super::test_world::{ID, World, key, readable};
use super::{Link, RingFile};
use crate::linux::{Errno, fd, memfd, seqpacket};

#[test]
fn wakes_once_and_only_who_asked() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    write(&output, b"nobody asked").unwrap();
    world.link.ping(1);
    world.hear(FromLogger::Pong { token: 1 });
    assert!(!readable(world.link.socket(), Duration::from_millis(1)));
    world.link.follow(ID, world.seen());
    world.hear(FromLogger::Wake { id: ID });
    assert_eq!(world.read(), [(Stream::Stdout, b"nobody asked".to_vec())]);
    world.link.follow(ID, world.seen());
    world.link.ping(2);
    world.hear(FromLogger::Pong { token: 2 });
    assert!(!readable(world.link.socket(), Duration::from_millis(1)));
    write(&output, b" more").unwrap();
    world.hear(FromLogger::Wake { id: ID });
    write(&output, b" and more").unwrap();
    // Once the second is answered, the output that came before the first is in the ring.
    for token in [3, 4] {
        world.link.ping(token);
        assert_eq!(world.hear(FromLogger::Pong { token }), []);
    }
    assert!(!readable(world.link.socket(), Duration::from_millis(1)));
    assert_eq!(world.read(), [(Stream::Stdout, b" more and more".to_vec())]);
}

#[test]
fn who_has_seen_more_than_there_is_knows_a_ring_of_another_time() {
    let mut world = World::new(256 << 10, None);
    world.link.follow(ID, 1_000);
    world.hear(FromLogger::Wake { id: ID });
}

#[test]
fn a_new_logger_knows_who_follows() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    world.logger.as_ref().unwrap().stop();
    // One has seen nothing yet, another more than there will be.
    world.link.follow(ID, world.seen());
    world.link.follow(ID, 1_000);
    world.kill_logger();
    world.new_logger();
    write(&output, b"x").unwrap();
    world.hear(FromLogger::Wake { id: ID });
}

#[test]
fn says_what_it_cannot_take() {
    let (ours, theirs) = seqpacket::pair().unwrap();
    let logger = super::test_world::start_logger(&theirs);
    let ours = &ours;
    let send = |frame: ToLogger, fds: &[_]| seqpacket::send(ours.as_fd(), &frame.encode(), fds).unwrap();
    let pipe = PipeKey { id: 1, generation: 1, stream: Stream::Stdout };
    let (read, _write) = fd::pipe().unwrap();
    let small = memfd::create_of_size(c"small", 4096).unwrap();
    let null = fd::null().unwrap();
    let good = RingFile::create(1 << 20).unwrap();
    send(ToLogger::Pipe(pipe), &[read.as_fd()]);
    send(ToLogger::Ring { id: 2, rate: None }, &[small.as_fd()]);
    send(ToLogger::Ring { id: 3, rate: None }, &[null.as_fd()]);
    send(ToLogger::Ring { id: 4, rate: None }, &[]);
    seqpacket::send(ours.as_fd(), b"of another release", &[null.as_fd()]).unwrap();
    send(ToLogger::Ring { id: 5, rate: None }, &[good.as_fd()]);
    send(ToLogger::Pipe(PipeKey { id: 5, ..pipe }), &[null.as_fd()]);
    let mut link = Link::new(ours.try_clone().unwrap());
    for (id, errno) in
        [(1, Errno::ENOENT), (2, Errno::EINVAL), (3, Errno::EINVAL), (4, Errno::EBADF), (5, Errno::ENOTTY)]
    {
        assert!(readable(link.socket(), Duration::from_secs(20)));
        assert_eq!(link.receive(), Ok(Some(FromLogger::Trouble { id, errno: errno as i32 })));
    }
    logger.kill();
}

#[test]
fn a_full_socket_keeps_nobody_waiting_and_loses_no_frame() {
    let mut world = World::new(256 << 10, None);
    world.logger.as_ref().unwrap().stop();
    for _ in 0..10_000 {
        world.link.ping(1);
    }
    assert!(world.link.is_behind());
    let output = world.pipe(Stream::Stdout);
    write(&output, b"late but there").unwrap();
    drop(output);
    world.logger.as_ref().unwrap().go_on();
    while world.link.is_behind() {
        assert!(readable(world.link.socket(), Duration::from_secs(20)));
        while world.link.receive().unwrap().is_some() {}
        world.link.flush();
    }
    while world.link.has_pipes(ID, 1) {
        assert!(readable(world.link.socket(), Duration::from_secs(20)));
        world.link.receive().unwrap();
    }
    assert_eq!(world.read(), [(Stream::Stdout, b"late but there".to_vec())]);
}

#[test]
fn another_supervisor_takes_over_a_logger_that_runs() {
    let mut world = World::new(256 << 10, None);
    let output = world.pipe(Stream::Stdout);
    write(&output, b"before, ").unwrap();
    // As PID 1 would hand them over: the socket and the ring, in copies.
    let socket = world.link.socket().try_clone_to_owned().unwrap();
    let ring = world.link.ring(ID).unwrap().as_fd().try_clone_to_owned().unwrap();
    world.link = Link::new(socket.try_clone().unwrap());
    world.link.add_ring(ID, RingFile::adopt(ring).unwrap(), None);
    world.link.restart(socket);
    write(&output, b"after").unwrap();
    drop(output);
    world.hear(FromLogger::PipeClosed(key(Stream::Stdout)));
    assert_eq!(world.read(), [(Stream::Stdout, b"before, after".to_vec())]);
}
