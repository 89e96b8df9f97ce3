//! What `plan`, `reload` and `config` send, and what they show.

use orlop::control::{
    ConfigFile, ConfigMistake, ConfigReply, ConfigVersion, DriftReply, DriftingFile, FileDrift, HistoryReply,
    KernelDrift, PlanAction, PlanContainer, PlanKey, PlanReply, ReloadClass, ReloadReply, UploadReply,
};

use super::testing::{Machine, check, done, reply, run_alone};

fn key(key: &str, class: ReloadClass) -> PlanKey {
    PlanKey { key: key.into(), class }
}

fn planned(name: &str, action: PlanAction, keys: Vec<PlanKey>) -> PlanContainer {
    let declared_at = (action != PlanAction::Stop).then(|| "test.toml:3".into());
    PlanContainer { name: name.into(), action, declared_at, keys, follows: None }
}

fn nothing() -> PlanReply {
    PlanReply { number: 0, containers: vec![], host: vec![], mistakes: vec![] }
}

fn something() -> PlanReply {
    let restarted = vec![key("command", ReloadClass::Restart), key("labels", ReloadClass::None)];
    let follows = Some("web".into());
    PlanReply {
        containers: vec![
            planned("old", PlanAction::Stop, vec![]),
            planned("web", PlanAction::Restart, restarted),
            PlanContainer { follows, ..planned("proxy", PlanAction::Restart, vec![]) },
            planned(
                "db",
                PlanAction::Change,
                vec![key("limits.memory", ReloadClass::Live), key("log.memory", ReloadClass::Reboot)],
            ),
            planned(
                "job",
                PlanAction::Change,
                vec![key("every", ReloadClass::Restart), key("run_timeout", ReloadClass::Live)],
            ),
            planned("new", PlanAction::Start, vec![]),
        ],
        host: vec![key("host.hostname", ReloadClass::Live), key("host.modules", ReloadClass::Reboot)],
        ..nothing()
    }
}

const SHOWN: &str = "\
stop     old
restart  web    command (test.toml:3)
restart  proxy  follows web (test.toml:3)
change   db     limits.memory, log.memory needs a reboot (test.toml:3)
change   job    every (from its next time on), run_timeout (test.toml:3)
start    new    (test.toml:3)
machine  host.hostname
machine  host.modules needs a reboot
";

fn wrong() -> PlanReply {
    let mistake = ConfigMistake {
        severity: "error".into(),
        file: Some("test.toml".into()),
        line: Some(2),
        column: Some(1),
        key: "container.web.imgae".into(),
        message: "a container has no key `imgae`".into(),
        container: Some("web".into()),
        text: "error: a container has no key `imgae`\n --> test.toml:2:1\x1b[2J".into(),
    };
    PlanReply { mistakes: vec![mistake], ..nothing() }
}

#[test]
fn a_plan_is_told_line_by_line_and_by_its_exit_code() {
    let machine = check("plan", vec![reply(&something())], 3, SHOWN, "");
    assert_eq!(machine.calls(), [r#"Plan {"sent":false}"#]);
    check("plan", vec![reply(&nothing())], 0, "nothing changes\n", "");
    let out = "error: a container has no key `imgae`\n --> test.toml:2:1\u{fffd}[2J\n\n";
    let err = "error: the configuration has a mistake; nothing was changed\n";
    check("plan", vec![reply(&wrong())], 1, out, err);
}

#[test]
fn a_folder_is_sent_by_the_names_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.toml"), "# b").unwrap();
    std::fs::write(folder.path().join("a.toml"), "# a").unwrap();
    let received = UploadReply { received: 55 };
    let machine = Machine::new(vec![done(), reply(&received), reply(&nothing())]);
    let outcome = machine.run(&format!("plan {}", folder.path().display()));
    assert_eq!((outcome.code, outcome.out.as_str()), (0, "nothing changes\n"), "{}", outcome.err);
    let calls = machine.calls();
    assert_eq!(calls[0], r#"ConfigBegin {"size":63}"#);
    let files = r##"[{"path":"a.toml","text":"# a"},{"path":"b.toml","text":"# b"}]"##;
    let data = orlop::control::base64::encode(files.as_bytes());
    assert_eq!(calls[1], format!(r#"ConfigChunk {{"data":"{data}"}}"#));
    assert_eq!(calls[2], r#"Plan {"sent":true}"#);
}

#[test]
fn a_reload_is_planned_done_and_told() {
    let in_force = ReloadReply { number: 4, problems: vec![], righted: vec![], lasts: false };
    let told = format!("{SHOWN}configuration 4 is in force, until the next boot\n");
    let machine = check("reload", vec![reply(&something()), reply(&in_force)], 0, &told, "");
    assert_eq!(machine.calls()[1], r#"Reload {"base":null,"confirm_ms":null,"sent":false}"#);
    let told = told + "the one before comes back in 120 s; to keep this one: orlop reload --confirmed\n";
    let machine = check("reload --confirm 2m", vec![reply(&something()), reply(&in_force)], 0, &told, "");
    assert_eq!(machine.calls()[1], r#"Reload {"base":null,"confirm_ms":120000,"sent":false}"#);
    let lasts = ReloadReply { lasts: true, ..in_force.clone() };
    let answers = vec![reply(&something()), reply(&lasts)];
    let outcome = Machine::new(answers).run("reload --confirm 2m");
    assert!(outcome.out.contains("is in force; the disk keeps it for the next boot once it is confirmed\n"));
    check("reload --confirmed", vec![done()], 0, "confirmed: it stays\n", "");
    let machine = check(
        "reload",
        vec![reply(&wrong())],
        1,
        "error: a container has no key `imgae`\n --> test.toml:2:1\u{fffd}[2J\n\n",
        "error: the configuration has a mistake; nothing was changed\n",
    );
    assert_eq!(machine.calls().len(), 1, "it is not asked for");
    let problems = vec!["container.db.limits: cpuset: no".into()];
    let outcome = Machine::new(vec![
        reply(&something()),
        reply(&ReloadReply { number: 4, problems, righted: vec![], lasts: false }),
    ])
    .run("reload");
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.err, "error: in force, but for: container.db.limits: cpuset: no\n");
}

#[test]
fn what_is_in_force_is_printed() {
    let files = vec![ConfigFile { path: "a.toml".into(), text: "[host] # yes\n".into() }];
    let config = ConfigReply { number: 2, previous: Some(1), confirm_ms: None, files };
    check("config get", vec![reply(&config)], 0, "# a.toml\n[host] # yes\n", "");
    let back = ReloadReply { number: 3, problems: vec![], righted: vec![], lasts: false };
    check("config rollback", vec![reply(&back)], 0, "configuration 3 is in force, until the next boot\n", "");
    let told = "configuration 3 is in force, until the next boot\n";
    let machine = check("config rollback 1", vec![reply(&back)], 0, told, "");
    assert_eq!(machine.calls(), [r#"Rollback {"built_in":null,"number":1}"#]);
    let lasts = ReloadReply { lasts: true, ..back };
    let told = "configuration 3 is in force; the disk keeps it for the next boot\n";
    let machine = check("config rollback --built-in", vec![reply(&lasts)], 0, told, "");
    assert_eq!(machine.calls(), [r#"Rollback {"built_in":true,"number":null}"#]);
    assert_eq!(run_alone("config rollback --built-in 1").code, 2);
}

#[test]
fn what_was_in_force_is_listed() {
    let version = |number, by: &str, changes: &[&str]| ConfigVersion {
        number,
        since: "2026-01-01T00:00:00Z".into(),
        by: by.into(),
        changes: changes.iter().map(|it| (*it).to_owned()).collect(),
    };
    let versions = vec![
        version(0, "boot", &[]),
        version(1, "reload", &["stop old", "change web: limits.memory"]),
        version(2, "rollback, to 0", &["start \u{1b}old"]),
    ];
    let told = "NUMBER  SINCE                 BY              CHANGES\n\
                0       2026-01-01T00:00:00Z  boot            -\n\
                1       2026-01-01T00:00:00Z  reload          stop old; change web: limits.memory\n\
                2       2026-01-01T00:00:00Z  rollback, to 0  start \u{fffd}old\n";
    check(
        "config history",
        vec![reply(&HistoryReply { versions: versions.clone(), on_disk: None, notice: None })],
        0,
        told,
        "",
    );
    let notice = Some("the built-in configuration is in force: \u{1b}so".to_owned());
    let told = format!("note: the built-in configuration is in force: \u{fffd}so\n{told}");
    check("config history", vec![reply(&HistoryReply { versions, on_disk: Some(1), notice })], 0, &told, "");
}

#[test]
fn files_that_drift_are_told_and_what_they_would_do() {
    let drift = |files: &[(&str, FileDrift)], plan: PlanReply| {
        let file = |(path, drift): &(&str, FileDrift)| DriftingFile { path: (*path).into(), drift: *drift };
        let PlanReply { number, containers, host, mistakes } = plan;
        reply(&DriftReply {
            number,
            files: files.iter().map(file).collect(),
            containers,
            host,
            mistakes,
            kernel: vec![],
            notice: None,
        })
    };
    let nothing = || PlanReply { containers: vec![], host: vec![], mistakes: vec![], ..something() };
    let same = drift(&[], nothing());
    check("config drift", vec![same], 0, "nothing changes\n", "");
    let comment = drift(&[("a.toml", FileDrift::Changed)], nothing());
    check("config drift", vec![comment], 3, "changed  a.toml\nnothing changes\n", "");
    let told = format!("removed  a.toml\nadded    b.toml\n{SHOWN}");
    let files = [("a.toml", FileDrift::Removed), ("b.toml", FileDrift::Added)];
    check("config drift", vec![drift(&files, something())], 3, &told, "");
}

#[test]
fn what_the_kernel_has_is_told_and_what_was_put_right() {
    let nothing = || PlanReply { containers: vec![], host: vec![], mistakes: vec![], ..something() };
    let of = |container: Option<&str>, text: &str| KernelDrift {
        container: container.map(str::to_owned),
        key: "limits.memory".into(),
        declared: "64 MiB".into(),
        found: "128 MiB".into(),
        file: Some("memory.max".into()),
        updated: false,
        text: text.into(),
    };
    let kernel = vec![of(Some("web"), "web: limits.memory is\u{1b}"), of(None, "host.hostname is a")];
    let drift = |files| {
        let PlanReply { number, containers, host, mistakes } = nothing();
        reply(&DriftReply { number, files, containers, host, mistakes, kernel: kernel.clone(), notice: None })
    };
    let lines = "kernel   web: limits.memory is\u{fffd}\nkernel   host.hostname is a\n";
    check("config drift", vec![drift(vec![])], 3, lines, "");
    let file = DriftingFile { path: "a.toml".into(), drift: FileDrift::Changed };
    let told = format!("changed  a.toml\n{lines}nothing changes\n");
    check("config drift", vec![drift(vec![file])], 3, &told, "");

    let righted = vec!["web: limits.memory is 64 MiB again, the kernel had 128 MiB".to_owned()];
    let told = format!("nothing changes\nkernel   {}\n", righted[0]);
    let done = |problems| reply(&ReloadReply { number: 4, problems, righted: righted.clone(), lasts: false });
    check("reload", vec![reply(&nothing()), done(vec![])], 0, &told, "");
    let err = "error: in force, but for: web: no\n";
    check("reload", vec![reply(&nothing()), done(vec!["web: no".into()])], 1, &told, err);
}

#[test]
fn a_key_is_set_in_what_is_in_force_and_only_there() {
    let files = vec![ConfigFile { path: "a.toml".into(), text: "[host] # yes\n".into() }];
    let config = || ConfigReply { number: 2, previous: Some(1), confirm_ms: None, files: files.clone() };
    let received = reply(&UploadReply { received: 1 });
    let in_force = ReloadReply { number: 3, problems: vec![], righted: vec![], lasts: false };
    let answers = vec![reply(&config()), done(), received, reply(&something()), reply(&in_force)];
    let told = format!("{SHOWN}configuration 3 is in force, until the next boot\n");
    let machine = check("config set host.hostname=deck", answers, 0, &told, "");
    let files = r##"[{"path":"a.toml","text":"[host] # yes\nhostname = \"deck\"\n"}]"##;
    let data = orlop::control::base64::encode(files.as_bytes());
    assert_eq!(machine.calls()[2], format!(r#"ConfigChunk {{"data":"{data}"}}"#));
    assert_eq!(machine.calls()[4], r#"Reload {"base":2,"confirm_ms":null,"sent":true}"#);
    let err = "error: host is a table; name one of its keys\n";
    let machine = check("config set host=1", vec![reply(&config())], 1, "", err);
    assert_eq!(machine.calls().len(), 1, "nothing is sent");
}

#[test]
fn a_time_has_its_unit() {
    for wrong in ["60", "0s", "-1s", "1.5s", "s", "9d"] {
        let outcome = run_alone(&format!("reload --confirm={wrong}"));
        assert!(outcome.code == 2 && outcome.err.contains("60s"), "{wrong}: {}", outcome.err);
    }
}
