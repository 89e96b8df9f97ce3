//! A relay between a client and a process, both played by the test.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use orlop::control::session::Opening;
use orlop::control::stream::{FromMachine, MAX_DATA, MAX_FRAME, ToMachine, WINDOW};
use orlop::control::{Decoder, Frame};

use super::*;
use crate::linux::forked::Forked;
use crate::linux::{pty, seqpacket};

/// The reply to the call, which comes before all frames.
const ANSWER: &[u8] = b"{\"parameters\":{}}\0";

/// What the test holds: the client's socket, the process's ends, the supervisor's.
struct World {
    client: UnixStream,
    decoder: Decoder,
    link: OwnedFd,
    stdin: Option<std::fs::File>,
    stdout: Option<std::fs::File>,
    stderr: Option<std::fs::File>,
    relay: Forked,
}

fn world(kind: &str) -> World {
    let ((stdin, input), (output, stdout)) = (fd::pipe().unwrap(), fd::pipe().unwrap());
    let (error_output, stderr) = fd::pipe().unwrap();
    let mut process = Process::default();
    process.set_input(input);
    process.set_output(output);
    process.set_error_output(error_output);
    let ours = [stdin, stdout, stderr];
    let mut world = start(kind, process, &ours);
    let [stdin, stdout, stderr] = ours.map(|end| Some(std::fs::File::from(end)));
    (world.stdin, world.stdout, world.stderr) = (stdin, stdout, stderr);
    world
}

/// `ours`: what the relay has no copy of.
fn start(kind: &str, process: Process, ours: &[OwnedFd]) -> World {
    let (client, theirs) = UnixStream::pair().unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (link, relay_link) = seqpacket::pair().unwrap();
    let numbers: Vec<i32> = {
        use std::os::fd::AsRawFd;
        let of_the_test = [client.as_raw_fd(), link.as_raw_fd()];
        ours.iter().map(AsRawFd::as_raw_fd).chain(of_the_test).collect()
    };
    let relay = Forked::run(move || {
        for number in numbers {
            let _ = nix::unistd::close(number);
        }
        Session::new(relay_link, Client::new(theirs.into(), kind).unwrap(), process).unwrap().run()
    });
    let mut world = World {
        client,
        decoder: Decoder::new(MAX_FRAME),
        link,
        stdin: None,
        stdout: None,
        stderr: None,
        relay,
    };
    let mut answer = [0; ANSWER.len()];
    world.client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER);
    world
}

impl World {
    fn say(&mut self, frame: &ToMachine) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.client.write_all(&bytes).unwrap();
    }

    /// The next frame; `None`: the relay has closed the connection.
    #[track_caller]
    fn hear(&mut self) -> Option<FromMachine> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(Frame::Message(message)) = self.decoder.next_frame() {
                return Some(FromMachine::decode(&message).unwrap());
            }
            match self.client.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn end(&self, end: End) {
        send_end(self.link.as_fd(), end).unwrap();
    }

    /// All output until the last frame, which is returned; credit is left out.
    #[track_caller]
    fn hear_all(&mut self) -> (Vec<u8>, Vec<u8>, FromMachine) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.hear().expect("a last frame") {
                FromMachine::Output(data) => out.extend(data),
                FromMachine::ErrorOutput(data) => err.extend(data),
                FromMachine::Credit(_) => {}
                last => {
                    assert_eq!(self.hear(), None, "it was not the last");
                    return (out, err, last);
                }
            }
        }
    }

    /// What the supervisor hears next.
    #[track_caller]
    fn word(&self) -> Word {
        use nix::poll::{PollFd, PollFlags, poll};
        let mut fds = [PollFd::new(self.link.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, 30_000u16), Ok(1));
        match receive(self.link.as_fd()) {
            // Said once, of what it had not read.
            Err(Errno::ECONNRESET) => Word::Over,
            word => word.unwrap(),
        }
    }
}

#[test]
fn all_output_comes_before_the_end() {
    let mut world = world("socket");
    world.stdout.as_mut().unwrap().write_all(&[0; 100]).unwrap();
    world.stderr.as_mut().unwrap().write_all(b"oh").unwrap();
    let most: Vec<u8> = (0..60_000u32).map(|number| (number % 251) as u8).collect();
    world.stdout.as_mut().unwrap().write_all(&most).unwrap();
    world.end(End::Exited(7));
    let (out, err, last) = world.hear_all();
    assert!(out == [vec![0; 100], most].concat() && err == b"oh");
    assert_eq!(last, FromMachine::Exited(7));
    assert_eq!(world.word(), Word::Over);
    assert_eq!(world.relay.wait(), 0);
}

#[test]
fn a_child_that_keeps_the_output_open_and_writes_on_does_not_hold_up_the_end() {
    let mut world = world("socket");
    let mut held = world.stdout.take().unwrap();
    // As much as fits, and when it does more: the pipe is never empty.
    let flood = Forked::run(move || {
        while held.write(&[b'x'; 4096]).is_ok() {}
        0
    });
    assert!(matches!(world.hear(), Some(FromMachine::Output(_))));
    world.end(End::Killed(9));
    let (_, _, last) = world.hear_all();
    assert_eq!(last, FromMachine::Killed(9));
    drop(flood);
}

#[test]
fn input_reaches_the_process_with_its_end_and_is_credited() {
    let mut world = world("socket");
    let sent: Vec<u8> = (0..3 * WINDOW).map(|number| (number % 256) as u8).collect();
    let mut stdin = world.stdin.take().unwrap();
    let reader = Forked::run(move || {
        let mut found = Vec::new();
        stdin.read_to_end(&mut found).unwrap();
        let expected: Vec<u8> = (0..3 * WINDOW).map(|number| (number % 256) as u8).collect();
        i32::from(found != expected)
    });
    let mut window = WINDOW;
    for piece in sent.chunks(MAX_DATA) {
        while window < piece.len() {
            match world.hear() {
                Some(FromMachine::Credit(more)) => window += more as usize,
                other => panic!("{other:?}"),
            }
        }
        window -= piece.len();
        world.say(&ToMachine::Input(piece.to_vec()));
    }
    world.say(&ToMachine::EndOfInput);
    assert_eq!(reader.wait(), 0);
    while window < WINDOW {
        match world.hear() {
            Some(FromMachine::Credit(more)) => window += more as usize,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(window, WINDOW);
    world.end(End::Exited(0));
    assert_eq!(world.hear_all().2, FromMachine::Exited(0));
}

#[test]
fn input_that_nobody_reads_holds_up_nothing_else() {
    let mut world = world("socket");
    for _ in 0..WINDOW / MAX_DATA {
        world.say(&ToMachine::Input(vec![7; MAX_DATA]));
    }
    world.say(&ToMachine::Signal(15));
    assert_eq!(world.word(), Word::Signal(15));
    world.stdout.as_mut().unwrap().write_all(b"still here").unwrap();
    // What found its place in the pipe is credited before.
    let output = loop {
        match world.hear() {
            Some(FromMachine::Credit(_)) => {}
            other => break other,
        }
    };
    assert_eq!(output, Some(FromMachine::Output(b"still here".to_vec())));
    // Its reader leaves: what is left needs no place any more.
    drop(world.stdin.take());
    assert!(matches!(world.hear(), Some(FromMachine::Credit(_))));
    world.end(End::Exited(0));
    assert_eq!(world.hear_all().2, FromMachine::Exited(0));
}

#[test]
fn who_sends_more_than_was_credited_or_no_frame_is_cut_off() {
    let too_much = |world: &mut World| {
        let mut bytes = Vec::new();
        for _ in 0..=2 * WINDOW / MAX_DATA {
            ToMachine::Input(vec![7; MAX_DATA]).encode(&mut bytes);
        }
        // The relay may leave in the middle of it.
        let _ = world.client.write_all(&bytes);
    };
    let nonsense: [&dyn Fn(&mut World); 4] = [
        &too_much,
        &|world| world.client.write_all(b"GET / HTTP/1.1\r\n\0").unwrap(),
        &|world| drop(world.client.write_all(&[&[b'i'; 2 * MAX_FRAME][..], b"\0"].concat())),
        &|world| world.client.shutdown(std::net::Shutdown::Both).unwrap(),
    ];
    for wrong in nonsense {
        let mut world = world("socket");
        wrong(&mut world);
        assert_eq!(world.word(), Word::Over);
        assert_eq!(world.relay.wait(), 0);
    }
}

#[test]
fn a_client_that_does_not_read_stops_the_process_and_costs_a_few_buffers() {
    let mut world = world("socket");
    let stdout = world.stdout.take().unwrap();
    fd::nonblocking(stdout.as_fd()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    while refused < 20 {
        match (&stdout).write(&[b'x'; 4096]) {
            Ok(count) => (taken, refused) = (taken + count, 0),
            // Either the relay has not come to it, or it never will.
            Err(_) => {
                refused += 1;
                nix::poll::poll(&mut [], 10u16).unwrap();
            }
        }
    }
    assert!(taken < 1 << 20, "{taken} bytes");
    // Once it reads, all of it comes.
    world.end(End::Exited(0));
    assert_eq!(world.hear_all().0.len(), taken);
}

#[test]
fn a_terminal_has_a_size_and_ends_its_input_with_a_key() {
    let ptmx = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
    let (engine, terminal) = pty::open(ptmx.into()).unwrap();
    let mut process = Process::default();
    process.set_terminal(engine).unwrap();
    let ours = [terminal];
    let mut world = start("socket", process, &ours);
    let [terminal] = ours.map(std::fs::File::from);
    world.say(&ToMachine::Resize { rows: 33, columns: 77 });
    world.say(&ToMachine::Input(b"one\ntwo".to_vec()));
    world.say(&ToMachine::EndOfInput);
    let mut terminal_in = terminal.try_clone().unwrap();
    let mut buffer = [0; 64];
    let mut line = || {
        let count = terminal_in.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!((line(), line()), ("one\n".into(), "two".into()));
    assert_eq!(crate::linux::terminal::columns(&terminal), Some(77));
    (&terminal).write_all(b"bye").unwrap();
    // Held open by others: the end is told nevertheless.
    world.end(End::Exited(3));
    let (out, _, last) = world.hear_all();
    // The terminal's own echo comes first.
    assert!(out.ends_with(b"bye"), "{:?}", String::from_utf8_lossy(&out));
    assert_eq!(last, FromMachine::Exited(3));
}

#[test]
fn the_next_client_of_a_port_ends_the_session_of_the_last() {
    for kind in ["port", "port-early"] {
        let mut world = world(kind);
        world.say(&ToMachine::Signal(1));
        assert_eq!(world.word(), Word::Signal(1));
        // Half a frame, as a client leaves it that is cut off.
        world.client.write_all(b"i\x20abc").unwrap();
        world.client.write_all(&Opening::new(1).hello()).unwrap();
        assert_eq!(world.word(), Word::Over);
        assert_eq!(world.relay.wait(), 0);
    }
}

#[test]
fn without_anybody_to_tell_the_end_the_client_is_told_that() {
    let mut world = world("socket");
    let (other, _) = seqpacket::pair().unwrap();
    drop(std::mem::replace(&mut world.link, other));
    assert!(matches!(world.hear_all().2, FromMachine::Failed(_)));
}
