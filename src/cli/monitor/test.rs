//! The live table on a terminal, against a machine of canned answers.

use std::io::Write;
use std::os::unix::net::UnixStream;

use orlop::control::{Entry, State, Stream, encode_continued};

use super::model::tests::figures;
use super::*;
use crate::cli::screen::{Colours, Progress};
use crate::cli::testing::{Machine, check, container, reply};
use crate::linux::pty;

fn list() -> Vec<u8> {
    reply(&ListReply { containers: vec![container("web", State::Running)] })
}

fn stats(boot_us: u64, cpu_us: u64) -> Vec<u8> {
    reply(&StatsReply { boot_us, containers: vec![figures("web", cpu_us, 5 << 20)] })
}

/// Somebody at a terminal: types when this stands on it.
struct Person {
    keyboard: UnixStream,
    shown: String,
    plan: Vec<(&'static str, &'static [u8])>,
}

impl Write for Person {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.shown += &String::from_utf8_lossy(bytes);
        if let Some((wanted, keys)) = self.plan.first()
            && self.shown.contains(wanted)
        {
            self.keyboard.write_all(keys)?;
            self.plan.remove(0);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Both ends of a terminal; a thread types on one what comes over a socket.
#[expect(clippy::disallowed_methods, reason = "the person is somebody else")]
fn terminal() -> (UnixStream, OwnedFd) {
    let ptmx = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
    let (engine, terminal) = pty::open(ptmx.into()).unwrap();
    let (keyboard, mut typed) = UnixStream::pair().unwrap();
    std::thread::spawn(move || std::io::copy(&mut typed, &mut std::fs::File::from(engine)));
    (keyboard, terminal)
}

#[test]
fn a_person_looks_at_all_at_one_log_and_leaves() {
    let entry = Entry::output("web", Stream::Stdout, 1, String::new(), b"hello from web\n");
    let log = encode_continued(&LogsReply { entries: vec![entry] });
    // The first look, and the log in its pane. A second connection is heard once the first has ended.
    let questions = Machine::new(vec![list(), list(), stats(1_000_000, 0)]);
    let logs = Machine::new(vec![log]);
    let (keyboard, terminal) = terminal();
    let plan: Vec<(&str, &[u8])> = vec![("5.0 MiB", b"\r"), ("hello from web", b"q")];
    let mut person = Person { keyboard, shown: String::new(), plan };
    let mut err = Vec::new();
    let mut screen = Screen {
        out: &mut person,
        err: &mut err,
        colours: Colours::Off,
        width: Some(80),
        progress: Progress::Hidden,
    };
    let opened = std::cell::Cell::new(0);
    let connect = |_| {
        opened.set(opened.get() + 1);
        Client::connect(if opened.get() == 1 { &questions.path } else { &logs.path })
    };
    Live::new(connect, Sort::Cpu).unwrap().run(&mut screen, terminal.as_fd(), &|| (24, 80)).unwrap();
    assert!(person.plan.is_empty() && person.shown.starts_with(ENTER) && person.shown.ends_with(LEAVE));
    assert_eq!(logs.calls(), [r#"Logs {"follow":true,"lines":200,"names":["web"]}"#]);
}

#[test]
fn a_machine_that_goes_away_is_told_of_and_can_be_left() {
    // No answer at all to the second question: the connection is closed.
    let machine = Machine::new(vec![list()]);
    let (keyboard, terminal) = terminal();
    let mut person = Person { keyboard, shown: String::new(), plan: vec![("the machine is away", b"\x03")] };
    let mut err = Vec::new();
    let mut screen = Screen {
        out: &mut person,
        err: &mut err,
        colours: Colours::Off,
        width: Some(80),
        progress: Progress::Hidden,
    };
    let connect = |_| Client::connect(&machine.path);
    Live::new(connect, Sort::Cpu).unwrap().run(&mut screen, terminal.as_fd(), &|| (10, 80)).unwrap();
    assert!(person.shown.ends_with(LEAVE));
}

#[test]
fn a_pipe_gets_one_table_and_json_the_machines_words() {
    let answers = vec![list(), stats(1_000_000, 0), list(), stats(2_000_000, 500_000)];
    let expected = "\
NAME  STATE    READY  RESTARTS  UPTIME    CPU   MEMORY  LIMIT  TASKS  WAITS CPU  MEM IO
web   running  yes           2  3m 12s  50.0%  5.0 MiB      -   5242          -     - -
";
    let machine = check("top", answers, 0, expected, "");
    assert_eq!(machine.calls(), ["List", r#"Stats {"names":[]}"#, "List", r#"Stats {"names":[]}"#]);
    let outcome = Machine::new(vec![list(), stats(1, 2)]).run("top --json");
    let found: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!((&found[0]["name"], &found[0]["figures"]["cpu_us"]), (&"web".into(), &2.into()));
    let outcome = crate::cli::testing::run_alone("top --sort size");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("write one of: name, state, cpu"), "{}", outcome.err);
}

#[test]
fn a_machine_that_takes_no_connection_does_not_hold_up_the_keys() {
    let machine = Machine::new(vec![list()]);
    let (keyboard, terminal) = terminal();
    let mut person = Person { keyboard, shown: String::new(), plan: vec![("no place", b"q")] };
    let mut err = Vec::new();
    let mut screen = Screen {
        out: &mut person,
        err: &mut err,
        colours: Colours::Off,
        width: Some(80),
        progress: Progress::Hidden,
    };
    let times = std::cell::RefCell::new(Vec::new());
    let connect = |time| {
        times.borrow_mut().push(time);
        let is_first = times.borrow().len() == 1;
        if is_first { Client::connect(&machine.path) } else { Err(Failure::Disconnected("no place".into())) }
    };
    Live::new(connect, Sort::Cpu).unwrap().run(&mut screen, terminal.as_fd(), &|| (10, 80)).unwrap();
    // Before the terminal is ours a person can interrupt it.
    let (first, others) =
        times.borrow().split_first().map(|(first, others)| (*first, others.to_vec())).unwrap();
    assert!(
        first == client::PATIENCE && !others.is_empty() && others.iter().all(|time| *time == CONNECT),
        "{others:?}"
    );
}
