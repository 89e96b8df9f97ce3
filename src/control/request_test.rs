//! Requests and the bytes of their calls.

use super::*;
use crate::control::encode_call;

/// A request ↔ the bytes of its call.
#[track_caller]
fn check(request: &Request, wire: &str) {
    let bytes = encode_call(request);
    assert_eq!(String::from_utf8_lossy(&bytes), format!("{wire}\0"));
    let call = Call::parse(wire.as_bytes()).unwrap();
    assert_eq!(Request::from_call(call).as_ref(), Ok(request));
}

#[test]
fn requests_have_these_bytes() {
    let name = || String::from("web");
    check(&Request::List, r#"{"method":"org.orlop.Control.List"}"#);
    check(
        &Request::Status { name: name() },
        r#"{"method":"org.orlop.Control.Status","parameters":{"name":"web"}}"#,
    );
    check(
        &Request::Logs(Logs { names: vec![name()], lines: Some(3), follow: true, ..Logs::default() }),
        r#"{"method":"org.orlop.Control.Logs","parameters":{"names":["web"],"lines":3,"follow":true},"more":true}"#,
    );
    check(
        &Request::Events(Events { names: vec![name()], since: Some("10m".into()), follow: true }),
        r#"{"method":"org.orlop.Control.Events","parameters":{"names":["web"],"since":"10m","follow":true},"more":true}"#,
    );
    check(
        &Request::Start { name: name() },
        r#"{"method":"org.orlop.Control.Start","parameters":{"name":"web"}}"#,
    );
    check(
        &Request::Stop { name: name() },
        r#"{"method":"org.orlop.Control.Stop","parameters":{"name":"web"}}"#,
    );
    check(
        &Request::Restart { name: name() },
        r#"{"method":"org.orlop.Control.Restart","parameters":{"name":"web"}}"#,
    );
    check(
        &Request::Replace { name: name() },
        r#"{"method":"org.orlop.Control.Replace","parameters":{"name":"web"}}"#,
    );
    check(
        &Request::Kill { name: name(), signal: 37 },
        r#"{"method":"org.orlop.Control.Kill","parameters":{"name":"web","signal":"SIGRTMIN+3"}}"#,
    );
    let exec = Request::Exec(Exec {
        name: name(),
        command: vec!["/bin/sh".into()],
        stdin: true,
        terminal: true,
        rows: Some(24),
        columns: Some(80),
        ..Exec::default()
    });
    check(
        &exec,
        r#"{"method":"org.orlop.Control.Exec","parameters":{"name":"web","command":["/bin/sh"],"stdin":true,"terminal":true,"user":null,"working_dir":null,"environment":[],"rows":24,"columns":80},"upgrade":true}"#,
    );
    let short = r#"{"name":"web","command":["/bin/true"]}"#;
    let wire = format!(r#"{{"method":"org.orlop.Control.Exec","parameters":{short},"upgrade":true}}"#);
    let read = Request::from_call(Call::parse(wire.as_bytes()).unwrap());
    let command = vec!["/bin/true".into()];
    assert_eq!(read, Ok(Request::Exec(Exec { name: name(), command, ..Exec::default() })));
    let limits = [("memory", "128M"), ("pids", "64")].map(|(key, value)| (key.into(), value.into()));
    check(
        &Request::Update { name: name(), limits: limits.into() },
        r#"{"method":"org.orlop.Control.Update","parameters":{"name":"web","limits":{"memory":"128M","pids":"64"}}}"#,
    );
    check(&Request::Boot, r#"{"method":"org.orlop.Control.Boot"}"#);
    check(&Request::Version, r#"{"method":"org.orlop.Control.Version"}"#);
    check(
        &Request::Power { action: PowerAction::Reboot },
        r#"{"method":"org.orlop.Control.Power","parameters":{"action":"reboot"}}"#,
    );
    check(
        &Request::LogLevel { level: Some(LogLevel::Debug) },
        r#"{"method":"org.orlop.Control.LogLevel","parameters":{"level":"debug"}}"#,
    );
    check(&Request::Resume, r#"{"method":"org.orlop.Control.Resume"}"#);
    check(
        &Request::DebugCrash { process: Process::Log, signal: 11, starts: 0, steps: 0 },
        r#"{"method":"org.orlop.Control.DebugCrash","parameters":{"process":"log","signal":"SIGSEGV","starts":0,"steps":0}}"#,
    );
    check(
        &Request::DebugOrphans { count: 9 },
        r#"{"method":"org.orlop.Control.DebugOrphans","parameters":{"count":9}}"#,
    );
    let sha256 = "0123456789abcdef".repeat(4);
    check(
        &Request::UpgradeBegin { size: 5, sha256: sha256.clone() },
        &format!(
            r#"{{"method":"org.orlop.Control.UpgradeBegin","parameters":{{"size":5,"sha256":"{sha256}"}}}}"#
        ),
    );
    check(
        &Request::UpgradeChunk { data: vec![0xff] },
        r#"{"method":"org.orlop.Control.UpgradeChunk","parameters":{"data":"/w=="}}"#,
    );
    check(&Request::UpgradeCommit, r#"{"method":"org.orlop.Control.UpgradeCommit"}"#);
}

#[track_caller]
fn answer(method: &str, parameters: &str) -> Result<Request, Error> {
    let wire = format!(r#"{{"method":"{method}","parameters":{parameters},"more":true}}"#);
    Request::from_call(Call::parse(wire.as_bytes()).unwrap())
}

#[test]
fn what_may_be_left_out_has_its_default() {
    for parameters in [r#"{"name":"web"}"#, r#"{"name":"web","signal":null}"#] {
        assert_eq!(
            answer("org.orlop.Control.Kill", parameters),
            Ok(Request::Kill { name: "web".into(), signal: 9 })
        );
    }
    assert_eq!(
        answer("org.orlop.Control.DebugCrash", r#"{"process":"supervisor"}"#),
        Ok(Request::DebugCrash { process: Process::Supervisor, signal: 11, starts: 0, steps: 0 })
    );
    assert_eq!(answer("org.orlop.Control.Logs", r#"{"names":[]}"#), Ok(Request::Logs(Logs::default())));
    assert_eq!(answer("org.orlop.Control.List", "null"), Ok(Request::List));
}

#[test]
fn refuses_a_wrong_parameter_by_name() {
    let cases = [
        ("Status", "{}", "name"),
        ("Status", r#"{"name":7}"#, "name"),
        ("Status", r#"{"name":null}"#, "name"),
        ("Status", r#"{"name":"web","nam":1}"#, "nam"),
        ("List", r#"{"all":true}"#, "all"),
        ("Logs", r#"{"names":"web"}"#, "names"),
        ("Logs", r#"{"names":[],"lines":-1}"#, "lines"),
        ("Logs", r#"{"names":[],"lines":1.5}"#, "lines"),
        ("Logs", r#"{"names":[],"follow":1}"#, "follow"),
        ("Events", r#"{"names":[],"since":"yesterday"}"#, "since"),
        ("Events", "{}", "names"),
        ("Kill", r#"{"name":"web","signal":"FOO"}"#, "signal"),
        ("Kill", r#"{"name":"web","signal":9}"#, "signal"),
        ("Power", r#"{"action":"halt"}"#, "action"),
        ("DebugCrash", r#"{"process":"kernel"}"#, "process"),
        ("DebugCrash", r#"{"process":"log","starts":-1}"#, "starts"),
        ("DebugOrphans", "{}", "count"),
        ("UpgradeBegin", r#"{"size":1,"sha256":"00"}"#, "sha256"),
        ("UpgradeChunk", r#"{"data":"?"}"#, "data"),
        ("UpgradeChunk", r#"{"data":""}"#, "data"),
    ];
    for (method, parameters, wrong) in cases {
        assert_eq!(
            answer(&format!("org.orlop.Control.{method}"), parameters),
            Err(Error::InvalidParameter { parameter: wrong.into() }),
            "{method} {parameters}"
        );
    }
    let large = base64::encode(&vec![0; MAX_CHUNK + 1]);
    let large = answer("org.orlop.Control.UpgradeChunk", &format!(r#"{{"data":"{large}"}}"#));
    assert_eq!(large, Err(invalid("data")));
}

#[test]
fn refuses_a_method_that_is_not_there() {
    let found = |method: &str| answer(method, "{}").unwrap_err().to_string();
    assert_eq!(found("org.orlop.Control.Explode"), "the machine does not know `org.orlop.Control.Explode`");
    assert_eq!(found("org.example.List"), "the machine has no interface `org.example`");
    assert_eq!(found("List"), "the machine has no interface `List`");
    assert_eq!(found(""), "the machine has no interface ``");
}

#[test]
fn a_stream_must_be_asked_for_and_a_connection_given_only_where_it_is_wanted() {
    let parse = |wire: &str| Request::from_call(Call::parse(wire.as_bytes()).unwrap());
    assert_eq!(
        parse(r#"{"method":"org.orlop.Control.Logs","parameters":{"names":[]}}"#),
        Err(Error::ExpectedMore {})
    );
    assert_eq!(
        parse(r#"{"method":"org.orlop.Control.Exec","parameters":{"name":"web","command":["/bin/sh"]}}"#),
        Err(Error::ExpectedUpgrade {})
    );
    assert_eq!(
        parse(r#"{"method":"org.orlop.Control.List","upgrade":true}"#),
        Err(Error::MethodNotImplemented { method: "org.orlop.Control.List".into() })
    );
}
