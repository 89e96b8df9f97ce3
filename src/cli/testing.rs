//! What tests of commands stand on: a machine of canned answers, and a screen that is looked at.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use orlop::control::{Call, Container, Decoder, Frame, Health, State, Wanted, encode_reply};
use serde::Serialize;

use super::screen::Progress;
use super::*;

pub(super) const TIME: &str = "2026-11-21T22:46:01.000000Z";

/// A machine that gives these answers, one after the other; one without its NUL closes the connection.
pub(super) struct Machine {
    pub(super) path: PathBuf,
    calls: Arc<Mutex<Vec<Call>>>,
    _folder: tempfile::TempDir,
}

pub(super) struct Outcome {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl Machine {
    #[expect(clippy::disallowed_methods, reason = "the machine is another process")]
    pub(super) fn new(answers: Vec<Vec<u8>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&calls);
        let mut answers = VecDeque::from(answers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut answers, &heard);
            }
        });
        Self { path, calls, _folder: folder }
    }

    /// Methods that were called, without their interface, and their parameters.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let text = |call: &Call| {
            let parameters = call.parameters.clone().map(|map| serde_json::Value::from(map).to_string());
            format!("{} {}", call.method.rsplit_once('.').unwrap().1, parameters.unwrap_or_default())
        };
        calls.iter().map(|call| text(call).trim_end().to_owned()).collect()
    }

    pub(super) fn run(&self, line: &str) -> Outcome {
        self.run_on(line, Colours::Off, None)
    }

    pub(super) fn run_on(&self, line: &str, colours: Colours, width: Option<usize>) -> Outcome {
        let host = format!("--host=unix:{}", self.path.display());
        let words = ["orlop", &host].into_iter().chain(line.split_whitespace());
        run_words(words, colours, width)
    }
}

fn serve(
    mut stream: std::os::unix::net::UnixStream,
    answers: &mut VecDeque<Vec<u8>>,
    heard: &Mutex<Vec<Call>>,
) {
    let mut decoder = Decoder::new(1 << 20);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        decoder.push(&buffer[..count]);
        while let Some(Frame::Message(message)) = decoder.next_frame() {
            heard.lock().unwrap().push(Call::parse(&message).unwrap());
            let Some(answer) = answers.pop_front() else { return };
            if stream.write_all(&answer).is_err() || !answer.ends_with(b"\0") {
                return;
            }
        }
    }
}

pub(super) fn run_words<'a>(
    words: impl Iterator<Item = &'a str>,
    colours: Colours,
    width: Option<usize>,
) -> Outcome {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen { out: &mut out, err: &mut err, colours, width, progress: Progress::Hidden };
    let code = run_on(&mut screen, words.map(OsString::from), oci);
    Outcome { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

pub(super) fn run_alone(line: &str) -> Outcome {
    run_words(["orlop"].into_iter().chain(line.split_whitespace()), Colours::Off, None)
}

/// Answers, and all that a command makes of them.
#[track_caller]
pub(super) fn check(line: &str, answers: Vec<Vec<u8>>, code: u8, out: &str, err: &str) -> Machine {
    let machine = Machine::new(answers);
    let outcome = machine.run(line);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), (out, err), "{line}");
    assert_eq!(outcome.code, code, "{line}");
    machine
}

pub(super) fn reply<T: Serialize>(parameters: &T) -> Vec<u8> {
    encode_reply(parameters)
}

pub(super) fn done() -> Vec<u8> {
    reply(&serde_json::json!({}))
}

pub(super) fn container(name: &str, state: State) -> Container {
    let runs = state == State::Running;
    Container {
        name: name.into(),
        group: None,
        wanted: Wanted::Up,
        state,
        ready: runs,
        health: Health::None,
        pid: runs.then_some(77),
        restarts: 2,
        cause: None,
        image: Some("oci-archive:images/web.tar".into()),
        started_at: Some(TIME.into()),
        next_start: None,
        exit_code: None,
        uptime_ms: runs.then_some(192_000),
        paused: false,
        listens: false,
    }
}

/// In the place of the other room's.
pub(super) fn oci() -> clap::Command {
    clap::Command::new("oci")
}
