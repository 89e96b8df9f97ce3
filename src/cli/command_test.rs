//! Commands from their arguments to what is on the screen, against a machine of canned answers.

use std::io::Write;

use orlop::control::{
    Cause, CauseKind, Container, Details, Dropped, Entry, Error, Health, ListReply, LogsReply, Phase, State,
    StatusReply, Stream, Upgrade, VersionReply, Wanted, encode_continued, encode_error, encode_reply,
};

use super::screen::Progress;
use super::testing::{Machine, TIME, check, container, done, oci, reply, run_alone};
use super::*;

fn failed(name: &str, state: State) -> Container {
    let cause = Cause { code: Some(3), ..Cause::new(CauseKind::Exit, "exited with code 3".into()) };
    Container { cause: Some(cause), exit_code: Some(3), ..container(name, state) }
}

fn list(containers: &[Container]) -> Vec<u8> {
    reply(&ListReply { containers: containers.to_vec() })
}

#[test]
fn ps_is_a_table() {
    let answer = list(&[failed("db", State::Backoff), container("web", State::Running)]);
    let expected = "\
NAME  STATE    READY  RESTARTS  UPTIME  IMAGE                       CAUSE
db    backoff  no     2         -       oci-archive:images/web.tar  exited with code 3
web   running  yes    2         3m 12s  oci-archive:images/web.tar
";
    check("ps", vec![answer], 0, expected, "");
    check("ps", vec![list(&[])], 0, "no containers are declared\n", "");
}

#[test]
fn ps_on_a_narrow_terminal_has_colours_and_makes_room_for_what_explains() {
    let mut sick = failed("web", State::Running);
    sick.health = Health::Unhealthy;
    let machine = Machine::new(vec![list(&[sick])]);
    let outcome = machine.run_on("ps", Colours::On, Some(84));
    let bold = |text: &str| format!("\x1b[1m{text}\x1b[0m");
    let head = format!(
        "{}  {}                {}  {}  {}  {}             {}\n",
        bold("NAME"),
        bold("STATE"),
        bold("READY"),
        bold("RESTARTS"),
        bold("UPTIME"),
        bold("IMAGE"),
        bold("CAUSE")
    );
    let row = "web   \x1b[31mrunning (unhealthy)\x1b[0m  yes    2         3m 12s  …:images/web.tar  exited with c…\n";
    assert_eq!(outcome.out, head + row);
}

#[test]
fn ps_as_json_is_a_list_with_every_field_also_those_of_later_versions() {
    let answer = list(&[container("web", State::Running)]);
    let machine = Machine::new(vec![answer]);
    let found: serde_json::Value = serde_json::from_str(&machine.run("ps --json").out).unwrap();
    let expected = serde_json::json!([{
        "name": "web", "wanted": "up", "state": "running", "ready": true, "health": "none", "pid": 77,
        "restarts": 2, "cause": null, "image": "oci-archive:images/web.tar", "started_at": TIME,
        "next_start": null, "exit_code": null, "uptime_ms": 192_000, "paused": false, "listens": false, "group": null
    }]);
    assert_eq!(found, expected);
    let later = reply(&serde_json::json!({ "containers": [{ "state": "paused", "mood": 1 }] }));
    check("ps --json", vec![later], 0, "[\n  {\n    \"mood\": 1,\n    \"state\": \"paused\"\n  }\n]\n", "");
}

#[test]
fn status_says_all_that_is_known_and_json_is_one_flat_object() {
    let details = Details {
        declared_at: Some("web.toml:3".into()),
        depends_on: vec!["db".into()],
        command: vec!["/app".into(), "--x".into()],
        labels: [("role", "front"), ("team", "deck")].map(|(key, it)| (key.into(), it.into())).into(),
        memory_bytes: Some(12 << 20),
        memory_peak_bytes: Some(30 << 20),
        memory_limit_bytes: Some(64 << 20),
        cpu_us: Some(1_200_000),
        processes: Some(5),
        ..Details::default()
    };
    let status = StatusReply { container: failed("web", State::Running), details };
    let expected = "\
web: running
  wanted      up
  ready       yes
  cause       exited with code 3
  pid         77
  uptime      3m 12s
  started     2026-11-21T22:46:01.000000Z
  restarts    2
  exit code   3
  memory      12.0 MiB of 64.0 MiB, 30.0 MiB at its peak
  cpu time    1s
  processes   5
  image       oci-archive:images/web.tar
  command     /app --x
  labels      role=front, team=deck
  depends on  db
  declared    web.toml:3
";
    let machine = check("status web", vec![reply(&status)], 0, expected, "");
    assert_eq!(machine.calls(), [r#"Status {"name":"web"}"#]);
    let outcome = Machine::new(vec![reply(&status)]).run("status --json web");
    let found: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(found["state"], "running");
    assert_eq!(found["processes"], 5);
    assert_eq!(found["cause"]["code"], 3);
}

#[test]
fn a_name_that_is_not_known_fails_with_one_line() {
    let error = Error::UnknownContainer { name: "wbe".into(), nearest: Some("web".into()) };
    let expected = "error: there is no container `wbe`; did you mean `web`?\n";
    for line in ["status wbe", "start wbe", "stop wbe", "kill wbe", "logs wbe"] {
        // It could have been a family's.
        let others = list(&[container("web", State::Running)]);
        let machine = check(line, vec![encode_error(&error), others], 1, "", expected);
        assert_eq!(machine.calls().len(), 2);
    }
}

#[test]
fn start_waits_until_the_container_runs() {
    let looks =
        [State::Waiting, State::Starting, State::Running].map(|state| list(&[container("web", state)]));
    let answers = [vec![done()], looks.to_vec()].concat();
    let machine = check("start web", answers, 0, "web: running (pid 77)\n", "");
    assert_eq!(machine.calls(), [r#"Start {"name":"web"}"#, "List", "List", "List"]);
    check("start --no-wait web", vec![done()], 0, "", "");
}

#[test]
fn start_fails_when_the_container_does_not_stay_up() {
    let answers = vec![done(), list(&[failed("web", State::Backoff)])];
    let expected = "error: container `web` does not stay up, and will be tried again: exited with code 3\n";
    check("start web", answers, 1, "", expected);
}

#[test]
fn several_containers_are_asked_at_once_and_each_is_told() {
    let unknown = encode_error(&Error::UnknownContainer { name: "x".into(), nearest: None });
    let invalid =
        encode_error(&Error::InvalidContainer { name: "y".into(), problems: vec!["no image".into()] });
    let mut stopped = container("web", State::Exited);
    stopped.wanted = Wanted::Down;
    let expected = "error: there is no container `x`; container `y` is invalid: no image\n";
    let answers = vec![unknown, list(&[]), done(), invalid, list(&[stopped])];
    let machine = check("stop x web y", answers, 1, "web: exited\n", expected);
    assert_eq!(machine.calls()[4], "List");
}

#[test]
fn waiting_outlives_a_supervisor_that_is_replaced() {
    let answers = vec![done(), vec![], list(&[container("web", State::Running)])];
    check("start web", answers, 0, "web: running (pid 77)\n", "");
    // The same through a virtio port.
    let closed = orlop::control::session::closed_notice();
    let answers = vec![done(), closed, list(&[container("web", State::Running)])];
    check("start web", answers, 0, "web: running (pid 77)\n", "");
}

#[test]
fn waiting_ends_with_its_time() {
    let answers = vec![done(), list(&[container("web", State::Waiting)])];
    let expected = "error: container `web` is still waiting after 0 s\n";
    check("start --timeout 0 web", answers, 1, "", expected);
}

#[test]
fn restart_waits_for_another_start() {
    let old = || list(&[container("web", State::Running)]);
    let mut again = container("web", State::Running);
    again.started_at = Some("2026-11-21T22:46:02.000000Z".into());
    let stopping = list(&[container("web", State::Stopping)]);
    let answers = vec![old(), done(), old(), stopping, list(&[again])];
    let machine = check("restart web", answers, 0, "web: running (pid 77)\n", "");
    assert_eq!(machine.calls()[1], r#"Restart {"name":"web"}"#);
}

#[test]
fn kill_sends_the_signal_that_was_meant() {
    let machine =
        check("kill -s hup web db", vec![done(), done()], 0, "web: SIGHUP sent\ndb: SIGHUP sent\n", "");
    assert_eq!(machine.calls()[0], r#"Kill {"name":"web","signal":"SIGHUP"}"#);
    let machine = check("kill web", vec![done()], 0, "web: SIGKILL sent\n", "");
    assert_eq!(machine.calls(), [r#"Kill {"name":"web","signal":"SIGKILL"}"#]);
}

fn entry(name: &str, bytes: &[u8]) -> Entry {
    Entry::output(name, Stream::Stdout, 1, TIME.into(), bytes)
}

fn logs(replies: Vec<Vec<Entry>>) -> Vec<u8> {
    let more = replies.into_iter().flat_map(|entries| encode_continued(&LogsReply { entries }));
    more.chain(encode_reply(&LogsReply { entries: vec![] })).collect()
}

#[test]
fn logs_of_one_container_are_its_bytes_and_nothing_else() {
    let answer =
        logs(vec![vec![entry("web", b"one\ntw"), entry("web", b"o\x1b[2J\0")], vec![entry("web", b"!")]]);
    let machine = check("logs -n 5 web", vec![answer], 0, "one\ntwo\x1b[2J\0!", "");
    assert_eq!(machine.calls(), [r#"Logs {"follow":false,"lines":5,"names":["web"]}"#]);
    let machine = Machine::new(vec![logs(vec![vec![entry("web", b"\xff\xfe")]])]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen {
        out: &mut out,
        err: &mut err,
        colours: Colours::Off,
        width: None,
        progress: Progress::Hidden,
    };
    let host = format!("--host=unix:{}", machine.path.display());
    run_on(&mut screen, ["orlop", &host, "logs", "web"].map(OsString::from), oci);
    assert_eq!(out, b"\xff\xfe");
}

#[test]
fn logs_of_several_have_a_name_before_each_line() {
    let first = vec![entry("web", b"one\ntw"), entry("database", b"ready\n")];
    let second = vec![entry("web", b"o\nend"), entry("database", b"x\n")];
    let expected = "\
web      | one
database | ready
web      | two
database | x
web      | end
";
    check("logs web database", vec![logs(vec![first, second])], 0, expected, "");
    let machine = check("logs", vec![logs(vec![vec![entry("web", b"a\n")]])], 0, "web | a\n", "");
    assert_eq!(machine.calls(), [r#"Logs {"follow":false,"lines":null,"names":[]}"#]);
}

#[test]
fn logs_have_times_json_and_marks_for_what_is_gone() {
    let dropped = Dropped { reason: orlop::control::DropReason::Overwritten, bytes: 2048, reads: 3 };
    let gap = Entry::gap("web", 1, TIME.into(), dropped);
    let answer = || logs(vec![vec![gap.clone(), entry("web", b"a\nb\n")]]);
    let told = "orlop: 2.0 KiB of output of `web` are gone: newer output took its place\n";
    check("logs -t web", vec![answer()], 0, &format!("{TIME} a\n{TIME} b\n"), told);
    let outcome = Machine::new(vec![answer()]).run("logs --json web");
    let lines: Vec<Entry> = outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [gap, entry("web", b"a\nb\n")]);
}

#[test]
fn logs_of_a_time_are_asked_for_in_the_words_that_were_typed() {
    let line = "logs --since 10m --until boot+5s --tail 3 web";
    let machine = check(line, vec![logs(vec![vec![entry("web", b"a\n")]])], 0, "a\n", "");
    let asked = r#"{"follow":false,"lines":3,"names":["web"],"since":"10m","until":"boot+5s"}"#;
    assert_eq!(machine.calls(), [format!("Logs {asked}")]);
    let outcome = run_alone("logs --since yesterday web");
    assert!(outcome.err.contains("write 10m (before now), boot+90s"), "{}", outcome.err);
}

#[test]
fn logs_shows_what_it_has_when_the_machine_leaves() {
    let mut cut = encode_continued(&LogsReply { entries: vec![entry("a", b"one\ntwo")] });
    cut.extend_from_slice(b"{\"param");
    let expected = "error: the machine closed the connection before it answered\n";
    check("logs -f a b", vec![cut.clone()], 1, "a | one\na | two\n", expected);
    check("logs -f a", vec![cut], 1, "one\ntwo", expected);
}

#[test]
fn the_log_level_is_shown_and_changed() {
    let level = |level: &str| reply(&serde_json::json!({ "level": level }));
    let machine = check("log-level", vec![level("info")], 0, "info\n", "");
    assert_eq!(machine.calls(), [r#"LogLevel {"level":null}"#]);
    let machine =
        check("log-level debug --json", vec![level("debug")], 0, "{\n  \"level\": \"debug\"\n}\n", "");
    assert_eq!(machine.calls(), [r#"LogLevel {"level":"debug"}"#]);
}

#[test]
fn boot_is_a_table_of_phases() {
    let phase = |name: &str, start_us, duration_us, ok, error: Option<&str>| Phase {
        name: name.into(),
        start_us,
        duration_us,
        ok,
        error: error.map(Into::into),
    };
    let phases = vec![
        phase("mounts", 1500, Some(250), Some(true), None),
        phase("network", 1750, Some(1_000_000), Some(false), Some("eth0: no such link")),
    ];
    let expected = "\
PHASE    BEGAN     TOOK         RESULT
mounts   1.500 ms  0.250 ms     ok
network  1.750 ms  1000.000 ms  eth0: no such link
boot complete after 1001.750 ms, one phase failed
";
    let boot = orlop::control::BootReply { phases, complete: true, containers: vec![] };
    check("boot", vec![reply(&boot)], 0, expected, "");
    let phases = vec![phase("images", 9, None, None, None)];
    let boot = orlop::control::BootReply { phases, complete: false, containers: vec![] };
    let expected = "PHASE   BEGAN     TOOK  RESULT\nimages  0.009 ms  -     goes on\nthe boot goes on\n";
    check("boot", vec![reply(&boot)], 0, expected, "");
}

fn version() -> VersionReply {
    VersionReply {
        version: "0.1.0".into(),
        interface: None,
        commit: Some("abc123".into()),
        protocol: 1,
        uptime_ms: 61_000,
        supervisor_starts: 1,
        orphans: 20_000,
        safe: false,
        kernel: "6.12.117".into(),
        upgrade: None,
    }
}

#[test]
fn version_says_what_runs_and_whether_it_is_safe_mode() {
    let expected = "\
orlop       0.1.0 (abc123)
kernel      6.12.117
uptime      1m 1s
supervisor  started once
orphans     20000 reaped
";
    check("version", vec![reply(&version())], 0, expected, "");
    let upgrade = Upgrade { number: 1, sha256: String::new(), ok: false, error: Some("it hung".into()) };
    let safe = VersionReply { safe: true, supervisor_starts: 4, upgrade: Some(upgrade), ..version() };
    let outcome = Machine::new(vec![reply(&safe)]).run("version");
    assert!(outcome.out.contains("\nupgrade     failed: it hung\nsafe mode:"), "{}", outcome.out);
}

#[test]
fn the_machine_is_asked_to_end_to_resume_and_to_crash() {
    let machine = check("poweroff", vec![done()], 0, "the machine stops everything and powers off\n", "");
    assert_eq!(machine.calls(), [r#"Power {"action":"poweroff"}"#]);
    let machine = check("reboot", vec![done()], 0, "the machine stops everything and boots again\n", "");
    assert_eq!(machine.calls(), [r#"Power {"action":"reboot"}"#]);
    let safe = reply(&VersionReply { safe: true, ..version() });
    check("resume", vec![safe, done()], 0, "the machine starts what is wanted\n", "");
    let not = "the machine was not in safe mode: nothing changes\n";
    check("resume", vec![reply(&version()), done()], 0, not, "");
    let machine = check("debug crash log --signal KILL", vec![done()], 0, "the logger dies of SIGKILL\n", "");
    assert_eq!(machine.calls(), [r#"DebugCrash {"process":"log","signal":"SIGKILL","starts":0,"steps":0}"#]);
    let dies = "the supervisor dies of SIGSEGV\n";
    let machine = check("debug crash supervisor --starts 3", vec![done()], 0, dies, "");
    assert_eq!(
        machine.calls(),
        [r#"DebugCrash {"process":"supervisor","signal":"SIGSEGV","starts":3,"steps":0}"#]
    );
    let machine = check("debug orphans 9", vec![done()], 0, "9 orphans are being made\n", "");
    assert_eq!(machine.calls(), [r#"DebugOrphans {"count":9}"#]);
    let off = encode_error(&Error::FaultInjectionOff {});
    let expected = "error: fault injection is off; `[host] fault_injection = true` allows it\n";
    check("debug crash supervisor", vec![off], 1, "", expected);
}

#[test]
fn upgrade_sends_the_file_in_chunks_and_waits_for_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orlop");
    std::fs::write(&file, vec![7; 200_000]).unwrap();
    let line = format!("upgrade-self {}", file.display());
    let received = |received: u64| reply(&serde_json::json!({ "received": received }));
    let committed = reply(&serde_json::json!({ "number": 2 }));
    let verdict = |ok, error: Option<&str>| {
        let (sha256, error) = (String::new(), error.map(Into::into));
        reply(&VersionReply { upgrade: Some(Upgrade { number: 2, sha256, ok, error }), ..version() })
    };
    let sent = || vec![done(), received(131_072), received(200_000), committed.clone()];
    let old = Upgrade { number: 1, sha256: String::new(), ok: true, error: None };
    let not_yet = reply(&VersionReply { upgrade: Some(old), ..version() });
    let tries = "the machine tries the new supervisor\n";
    let good = [sent(), vec![not_yet, vec![], verdict(true, None)]].concat();
    let machine = check(&line, good, 0, &format!("{tries}the machine runs orlop 0.1.0 (abc123)\n"), "");
    let sha256 = "8cfcba83dcfc81a193bb4e52fd3161efb513906f52cbbe2328fac5f1a79c2b6e";
    assert_eq!(machine.calls()[0], format!(r#"UpgradeBegin {{"sha256":"{sha256}","size":200000}}"#));
    let bad = [sent(), vec![verdict(false, Some("it did not serve"))]].concat();
    check(&line, bad, 1, tries, "error: the old supervisor is back: it did not serve\n");
    let refused = encode_error(&Error::UpgradeRefused { reason: "it is not for this architecture".into() });
    let expected = "error: the binary is refused: it is not for this architecture\n";
    check(&line, [sent()[..3].to_vec(), vec![refused]].concat(), 1, "", expected);
}

#[test]
fn a_machine_that_cannot_be_understood_is_told_in_one_line() {
    let cases: [(&[u8], &str); 3] = [
        (b"", "the machine closed the connection before it answered"),
        (
            b"HTTP/1.1 400\r\n\0",
            "the machine's answer is not understood (another version?): no Varlink call: expected value at line 1 column 1",
        ),
        (
            b"{\"parameters\":{\"containers\":[{}]}}\0",
            "the machine's answer is not understood (another version?): no Varlink call: missing field `name`",
        ),
    ];
    for (answer, expected) in cases {
        check("ps", vec![answer.to_vec()], 1, "", &format!("error: {expected}\n"));
    }
}

#[test]
fn a_question_is_asked_again_when_the_supervisor_dies_over_it_and_a_command_is_not() {
    check("ps", vec![vec![], list(&[])], 0, "no containers are declared\n", "");
    let expected = "error: the machine closed the connection before it answered\n";
    let machine = check("poweroff", vec![vec![], done()], 1, "", expected);
    assert_eq!(machine.calls().len(), 1);
}

#[test]
fn without_a_machine_the_line_says_where_it_was_looked_for() {
    let outcome = run_alone("--host unix:/nonexistent/control.sock ps");
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.err,
        "error: cannot reach the machine at /nonexistent/control.sock: there is no such socket\n"
    );
}

#[test]
fn wrong_usage_is_two_and_help_is_none() {
    let wrong = [
        "",
        "frobnicate",
        "status",
        "ps web",
        "logs -n x",
        "kill -s FOO web",
        "--host tcp:1 ps",
        "--host unix: ps",
        "debug",
        "debug crash kernel",
        "start --timeout 1 --no-wait a",
        "logs -t --json a",
        "logs --since yesterday a",
        "log-level loud",
        "logs -f --until 10m a",
        "start",
    ];
    for line in wrong {
        let outcome = run_alone(line);
        assert_eq!(outcome.code, 2, "{line}");
        assert!(outcome.out.is_empty() && !outcome.err.is_empty(), "{line}");
    }
    for line in ["--help", "ps --help", "debug --help", "debug crash --help", "help logs", "--version"] {
        let outcome = run_alone(line);
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn every_command_has_examples_in_its_help() {
    fn look(command: &clap::Command) {
        for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let examples = one.get_after_help().is_some_and(|help| help.to_string().contains("Examples:"));
            assert!(examples || one.has_subcommands(), "{}", one.get_name());
            look(one);
        }
    }
    let command = Arguments::command();
    command.clone().debug_assert();
    look(&command);
}

#[test]
fn completions_and_manual_pages_are_written() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = run_alone(&format!("completions {shell}"));
        assert!(outcome.code == 0 && outcome.out.contains("upgrade-self"), "{shell}");
    }
    assert!(run_alone("man").out.contains(".TH orlop 1"));
    assert!(run_alone("man debug crash").out.contains("\\-\\-signal"));
    let outcome = run_alone("man fly");
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "error: there is no command `fly`\n"));
}

/// A pipe whose reader has left.
struct Left;

impl Write for Left {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_who_left_is_no_failure() {
    let machine = Machine::new(vec![list(&[container("web", State::Running)])]);
    let mut err = Vec::new();
    let mut screen = Screen {
        out: &mut Left,
        err: &mut err,
        colours: Colours::Off,
        width: None,
        progress: Progress::Hidden,
    };
    let host = format!("--host=unix:{}", machine.path.display());
    assert_eq!(run_on(&mut screen, ["orlop", &host, "ps"].map(OsString::from), oci), 0);
    assert!(err.is_empty());
}
