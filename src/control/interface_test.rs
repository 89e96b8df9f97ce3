//! The interface file and the types say the same: methods, parameters, enum words, errors.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json, to_value};

use super::*;

/// Member ("type State", "method List", …) → its names in order: fields, words, or for a method
/// its parameters, `->`, and those of its reply.
fn members() -> BTreeMap<String, Vec<String>> {
    let text: String =
        INTERFACE.lines().map(|line| line.split('#').next().unwrap().to_owned() + "\n").collect();
    let (name, rest) = text.split_once("interface ").unwrap().1.split_once('\n').unwrap();
    assert_eq!(name, INTERFACE_NAME);
    let mut members = BTreeMap::new();
    for member in rest
        .replace("\ntype ", "\0type ")
        .replace("\nmethod ", "\0method ")
        .replace("\nerror ", "\0error ")
        .split('\0')
        .skip(1)
    {
        let (head, body) = member.split_once('(').unwrap();
        let body = body.replace("->", ",->,").replace(['(', ')', '\n'], " ");
        let names = body
            .split(',')
            .map(|field| field.split(':').next().unwrap().trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        assert!(members.insert(head.trim().to_owned(), names).is_none(), "{head} twice");
    }
    members
}

fn keys(value: &impl Serialize) -> Vec<String> {
    match to_value(value).unwrap() {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Null => Vec::new(),
        other => panic!("{other}"),
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

fn container() -> Container {
    Container {
        name: "web".into(),
        group: None,
        wanted: Wanted::Up,
        state: State::Running,
        ready: true,
        health: Health::None,
        pid: None,
        restarts: 0,
        cause: None,
        image: None,
        started_at: None,
        next_start: None,
        exit_code: None,
        uptime_ms: None,
        paused: false,
        listens: false,
    }
}

/// One of each kind of request, with the reply that belongs to it.
fn requests() -> Vec<(Request, Vec<String>)> {
    let name = || String::from("web");
    let empty = || keys(&Empty {});
    let status = StatusReply { container: container(), details: Details::default() };
    let version = VersionReply {
        version: String::new(),
        interface: None,
        commit: None,
        protocol: 1,
        uptime_ms: 0,
        supervisor_starts: 1,
        orphans: 0,
        safe: false,
        kernel: String::new(),
        upgrade: None,
    };
    let logs = Logs {
        all: true,
        since: Some("1h".into()),
        until: Some("boot".into()),
        boot: Some("0".into()),
        ..Logs::default()
    };
    let why = WhyReply {
        text: vec![],
        standings: vec![],
        asked: None,
        ends: vec![],
        boot_before: None,
        log: vec![],
    };
    let why_shutdown = WhyShutdownReply {
        text: vec![],
        action: None,
        within_ms: None,
        asked: None,
        remaining: vec![],
        before: vec![],
        before_at: None,
        unannounced: false,
    };
    let why_boot = WhyBootReply {
        text: vec![],
        complete: true,
        safe: false,
        supervisor_starts: 1,
        phases: vec![],
        missing: vec![],
        crashes: vec![],
    };
    let exec = Request::Exec(Exec::default());
    let begin = Request::UpgradeBegin { size: 1, sha256: String::new() };
    let plan = PlanReply { number: 0, containers: vec![], host: vec![], mistakes: vec![] };
    let drift = DriftReply {
        number: 0,
        files: vec![],
        containers: vec![],
        host: vec![],
        mistakes: vec![],
        kernel: vec![],
        notice: None,
    };
    let reload = ReloadReply { number: 0, problems: vec![], righted: vec![], lasts: false };
    let config = ConfigReply { number: 0, previous: None, confirm_ms: None, files: vec![] };
    vec![
        (Request::List, keys(&ListReply { containers: vec![] })),
        (Request::Status { name: name() }, keys(&status)),
        (Request::Logs(logs), keys(&LogsReply { entries: vec![] })),
        (Request::Boots, keys(&BootsReply { boots: vec![] })),
        (Request::Events(Events::default()), keys(&EventsReply { events: vec![], dropped: 0 })),
        (Request::Start { name: name() }, empty()),
        (Request::Stop { name: name() }, empty()),
        (Request::Restart { name: name() }, empty()),
        (Request::Replace { name: name() }, empty()),
        (Request::Kill { name: name(), signal: 9 }, empty()),
        (Request::Stats { names: vec![] }, keys(&StatsReply { boot_us: 0, containers: vec![] })),
        (Request::Top { name: name() }, keys(&TopReply { processes: vec![], left_out: 0 })),
        (Request::Spec { name: name(), bundle: None }, keys(&SpecReply { spec: Value::Null })),
        (Request::Pause { name: name() }, empty()),
        (Request::Unpause { name: name() }, empty()),
        (exec, empty()),
        (Request::Attach { name: name(), stdin: false }, empty()),
        (Request::CopyFrom { name: name(), path: name(), follow: false }, empty()),
        (Request::CopyTo { name: name(), path: name(), within: false }, empty()),
        (Request::Update { name: name(), limits: BTreeMap::new() }, empty()),
        (Request::ConfigBegin { size: 1 }, empty()),
        (Request::ConfigChunk { data: vec![] }, keys(&UploadReply { received: 0 })),
        (Request::Plan { sent: true }, keys(&plan)),
        (Request::Reload { sent: true, confirm_ms: None, base: None }, keys(&reload)),
        (Request::ConfirmReload, empty()),
        (Request::Rollback { number: None, built_in: None }, keys(&reload)),
        (Request::ConfigHistory, keys(&HistoryReply { versions: vec![], on_disk: None, notice: None })),
        (Request::ConfigDrift, keys(&drift)),
        (Request::Config, keys(&config)),
        (Request::Boot, keys(&BootReply { phases: vec![], complete: true, containers: vec![] })),
        (Request::Why { name: name() }, keys(&why)),
        (Request::WhyBoot, keys(&why_boot)),
        (Request::WhyShutdown, keys(&why_shutdown)),
        (Request::Version, keys(&version)),
        (Request::Shutdown, keys(&ShutdownReply { shutdown: None })),
        (Request::Power { action: PowerAction::Poweroff }, empty()),
        (Request::Resume, empty()),
        (Request::LogLevel { level: None }, keys(&LogLevelReply { level: LogLevel::Info })),
        (Request::DebugCrash { process: Process::Log, signal: 11, starts: 0, steps: 0 }, empty()),
        (Request::DebugOrphans { count: 1 }, empty()),
        (begin, empty()),
        (Request::UpgradeChunk { data: vec![] }, keys(&UploadReply { received: 0 })),
        (Request::UpgradeCommit, keys(&CommitReply { number: 1 })),
    ]
}

#[test]
fn every_method_is_a_request_with_the_same_parameters_and_reply() {
    let members = members();
    let mut found = Vec::new();
    for (request, reply) in requests() {
        let wire = to_value(&request).unwrap();
        let method = wire["method"].as_str().unwrap();
        let member = format!("method {}", method.strip_prefix("org.orlop.Control.").unwrap());
        let names = &members[&member];
        let arrow = names.iter().position(|name| name == "->").unwrap();
        assert_eq!(sorted(&names[..arrow]), keys(&wire["parameters"]), "{member}");
        assert_eq!(sorted(&names[arrow + 1..]), reply, "{member}");
        found.push(member);
    }
    found.sort();
    let declared: Vec<_> = members.keys().filter(|name| name.starts_with("method ")).collect();
    assert_eq!(declared, found.iter().collect::<Vec<_>>());
}

#[test]
fn every_type_has_the_same_fields_or_words() {
    macro_rules! words {
        ($($name:ident),*) => { vec![$((stringify!($name), {
            let words: Vec<String> = $name::ALL.iter().map(|word| word.as_str().into()).collect();
            let wire: Vec<String> = $name::ALL.iter().map(|word| to_value(word).unwrap().as_str().unwrap().into()).collect();
            assert_eq!(words, wire);
            sorted(&words)
        })),*] };
    }
    let dropped = Dropped { reason: DropReason::Refused, bytes: 0, reads: 0 };
    let phase = Phase { name: "a".into(), start_us: 0, duration_us: None, ok: None, error: None };
    let upgrade = Upgrade { number: 1, sha256: String::new(), ok: true, error: None };
    let edge = Edge { name: "a".into(), condition: "started".into(), restart: false, required: true };
    let rise = Rise {
        name: "a".into(),
        state: State::Running,
        cause: None,
        wanted_us: 0,
        starting_us: None,
        running_us: None,
        ready_us: None,
        next_us: None,
        depends_on: vec![],
    };
    let mut found = words!(
        Wanted,
        State,
        Health,
        CauseKind,
        EventKind,
        Stream,
        DropReason,
        LogLevel,
        PowerAction,
        Process
    );
    let leaving = Leaving {
        name: String::new(),
        stage: LeavingStage::Up,
        left_ms: None,
        waits_for: vec![],
        asked_ms: None,
        killed_ms: None,
        gone_ms: None,
        cause: None,
    };
    let shutdown = Shutdown {
        action: PowerAction::Reboot,
        by: String::new(),
        began: String::new(),
        within_ms: 0,
        left_ms: 0,
        done_ms: None,
        containers: vec![],
    };
    let kept = KeptBoot { before: 0, id: String::new(), began: None, last: None, bytes: 0, logs: 0 };
    found.extend([("KeptBoot", keys(&kept))]);
    found.extend([("Leaving", keys(&leaving)), ("Shutdown", keys(&shutdown))]);
    found.extend(words!(PlanAction, ReloadClass, LeavingStage, NextStep, OomScope, FileDrift));
    let remaining =
        Remaining { pid: 1, command: String::new(), state: String::new(), waits_in: None, stack: vec![] };
    let standing = Standing {
        name: String::new(),
        wanted: Wanted::Up,
        state: State::Running,
        since: String::new(),
        for_ms: 0,
        ready: true,
        health: Health::None,
        health_report: None,
        cause: None,
        waits_for: vec![],
        next: NextStep::Nothing,
        next_at: None,
        next_in_ms: None,
        restart: None,
        restarts: 0,
        restarts_asked: 0,
        failures: 0,
        budget_spent: false,
        remains: vec![],
    };
    let key = PlanKey { key: String::new(), class: ReloadClass::Live };
    let planned = PlanContainer {
        name: String::new(),
        action: PlanAction::Start,
        declared_at: None,
        keys: vec![],
        follows: None,
    };
    let mistake = ConfigMistake {
        severity: String::new(),
        file: None,
        line: None,
        column: None,
        key: String::new(),
        message: String::new(),
        container: None,
        text: String::new(),
    };
    let version = ConfigVersion { number: 0, since: String::new(), by: String::new(), changes: vec![] };
    let drifting = DriftingFile { path: String::new(), drift: FileDrift::Added };
    let kernel = KernelDrift {
        container: None,
        key: String::new(),
        declared: String::new(),
        found: String::new(),
        file: None,
        updated: false,
        text: String::new(),
    };
    found.extend([("ConfigVersion", keys(&version)), ("DriftingFile", keys(&drifting))]);
    found.extend([("KernelDrift", keys(&kernel))]);
    found.extend([
        ("Crash", keys(&Crash { name: String::new(), lines: vec![] })),
        ("ExitRecord", keys(&ExitRecord::default())),
        ("Remaining", keys(&remaining)),
        ("Standing", keys(&standing)),
        ("ConfigFile", keys(&ConfigFile { path: String::new(), text: String::new() })),
        ("ConfigMistake", keys(&mistake)),
        ("PlanContainer", keys(&planned)),
        ("PlanKey", keys(&key)),
    ]);
    found.extend([
        ("Cause", keys(&Cause::new(CauseKind::Oom, String::new()))),
        ("Container", keys(&container())),
        ("Details", keys(&Details::default())),
        ("Dropped", keys(&dropped)),
        ("Edge", keys(&edge)),
        ("Rise", keys(&rise)),
        ("Entry", keys(&Entry::gap("a", 0, String::new(), dropped))),
        ("Asker", keys(&Asker::default())),
        ("Event", keys(&Event::of(Happening::Other, 1, 0, String::new()))),
        ("Figures", keys(&Figures::default())),
        ("Phase", keys(&phase)),
        ("Pressure", keys(&Pressure::default())),
        ("Stall", keys(&Stall::default())),
        ("Task", keys(&Task::default())),
        ("Upgrade", keys(&upgrade)),
    ]);
    let found: BTreeMap<String, Vec<String>> =
        found.into_iter().map(|(name, names)| (format!("type {name}"), names)).collect();
    let declared: BTreeMap<_, _> = members()
        .into_iter()
        .filter(|(name, _)| name.starts_with("type "))
        .map(|(name, names)| (name, sorted(&names)))
        .collect();
    assert_eq!(declared, found);
}

#[test]
fn every_error_of_the_interface_is_one_of_ours() {
    for (member, names) in members() {
        let Some(name) = member.strip_prefix("error ") else {
            continue;
        };
        // Any value of the right type will do: text, a number, a list or a state.
        let parameters: Value = names
            .iter()
            .map(|name| {
                let value = match name.as_str() {
                    "limit" => json!(1),
                    "problems" => json!([]),
                    "state" => json!("failed"),
                    _ => json!("x"),
                };
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let wire = json!({ "error": format!("{INTERFACE_NAME}.{name}"), "parameters": parameters });
        let error: Error = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(to_value(&error).unwrap(), wire);
    }
}

#[test]
fn the_methods_that_the_interface_calls_looking_are_those_that_readers_may() {
    let reads: Vec<String> = requests()
        .into_iter()
        .filter(|(request, _)| request.access() == Access::Read)
        .map(|(request, _)| {
            to_value(&request).unwrap()["method"].as_str().unwrap().rsplit_once('.').unwrap().1.into()
        })
        .collect();
    let text = INTERFACE.replace("\n# ", " ");
    let named = text.split_once("for the rest: ").unwrap().1.split_once('.').unwrap().0;
    assert_eq!(named.split(", ").collect::<Vec<_>>(), reads);
}

#[test]
fn the_bounds_that_the_interface_names_are_the_ones_in_force() {
    assert!(INTERFACE.contains(&format!("at most {} KiB, its terminating NUL", MAX_REQUEST / 1024)));
    assert!(INTERFACE.contains(&format!("base64, at most {} KiB of bytes", MAX_CHUNK / 1024)));
}
