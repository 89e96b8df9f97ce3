//! What a person says goes wrong: how it is read, and what comes of it.

use super::*;

fn shop() -> Config {
    let mut config = declared(
        "[container.web]\ndepends_on = ['db']\n[container.db]\nrestart = 'no'\n[container.cache]\nrestart = 'always'\n",
    );
    config.invalid.insert("broken".into(), vec!["no image".into()]);
    config
}

#[test]
fn a_failure_is_read_or_the_error_says_what_can_be_written() {
    let read = |text: &str| Fail::parse(text, &shop()).map(|fail| (fail.what, fail.when));
    let good = |text: &str, what, when| assert_eq!(read(text), Ok((what, when)), "{text}");
    good("db=oom@boot", What::Oom, When::Boot);
    good("web=exit:1@30s", What::Exit(1), When::At(s(30)));
    good("web=signal:segv@run:1m30s", What::Signal(11), When::Run(s(90)));
    good("web=hang@stop", What::Hang, When::Stop);
    good("web=slow:5s@start", What::Slow(s(5)), When::Start);
    good("web=unkillable@stop", What::Unkillable, When::Stop);
    let bad = |text: &str, expected: &str| {
        assert_eq!(read(text).unwrap_err().to_string(), format!("`{text}`: {expected}"));
    };
    let form = "it is not NAME=WHAT@WHEN; for example db=oom@boot";
    bad("", form);
    bad("web", form);
    bad("web=oom", form);
    bad("wbe=oom@boot", "no container is named `wbe`; did you mean `web`?");
    bad("x=oom@boot", "no container is named `x`; there are cache, db, web");
    bad("broken=oom@boot", "`broken` is not valid, and never starts; `orlop check` says why");
    bad("web=exit@boot", "`exit` needs a value; write a code from 0 to 255, as in exit:1");
    bad(
        "web=exit:256@boot",
        "`256` is nothing that `exit` can be of; write a code from 0 to 255, as in exit:1",
    );
    bad(
        "web=signal:FOO@boot",
        "`FOO` is nothing that `signal` can be of; write a name or a number, as in signal:SEGV",
    );
    bad("web=slow:5@boot", "`5` is nothing that `slow` can be of; write a time, as in slow:5s");
    bad("web=oom:1@boot", "`oom` takes no value; write oom");
    let whats = "exit:CODE, signal:NAME, oom, fail, image, hang, slow:TIME, unready, unkillable";
    bad("web=boom@boot", &format!("nothing is called `boom`; what can happen: {whats}"));
    let whens = "boot, start, stop, TIME, run:TIME";
    bad("web=oom@soon", &format!("`soon` is no moment; write one of {whens}"));
    bad("web=oom@run:5", &format!("`run:5` is no moment; write one of {whens}"));
    bad("web=oom@stop", "`oom` cannot happen at `stop`; it can at boot, start, TIME, run:TIME");
    bad("web=unready@30s", "`unready` cannot happen at `30s`; it can at boot, start");
}

/// A minute in which nothing goes wrong.
fn scenario(config: &Config) -> Scenario<'_> {
    Scenario {
        config,
        fails: &[],
        connects: &[],
        turns: &[],
        seed: 1,
        time: s(60),
        at_boot: Duration::ZERO,
        shutdown: None,
    }
}

/// At the end: each container's state, how often it was started again, and why it is so.
fn fates(fails: &[&str], shutdown: Option<Duration>) -> Vec<String> {
    let config = shop();
    let fails: Vec<Fail> = fails.iter().map(|text| Fail::parse(text, &config).unwrap()).collect();
    let run = simulate(&Scenario { fails: &fails, shutdown, ..scenario(&config) });
    assert_eq!(run.breach, None);
    let fate = |fate: &Fate| {
        let status = &fate.status;
        let cause = status.cause.as_ref().map_or("", |cause| &cause.text);
        format!("{} {} {}: {cause}", status.name, status.state.word(), status.restarts)
    };
    run.fates.iter().map(fate).filter(|it| !it.starts_with("broken")).collect()
}

#[test]
fn what_goes_wrong_goes_wrong() {
    let check = |fails: &[&str], expected: [&str; 3]| assert_eq!(fates(fails, None), expected, "{fails:?}");
    let well @ [cache, db, web] = ["cache running 0: ", "db running 0: ", "web running 0: "];
    check(&[], well);
    let oom = "db failed 0: ran out of memory and was killed";
    // It ran, if only for a moment: who depends on its start goes on.
    check(&["db=oom@boot"], [cache, oom, web]);
    let exec = "could not be started: exec /app: No such file or directory";
    let waits = format!("web waiting 0: waits for db, which {exec}");
    check(&["db=fail@boot"], [cache, &format!("db failed 0: {exec}"), &waits]);
    check(&["db=oom@30s"], [cache, oom, web]);
    check(&["cache=exit:0@boot"], ["cache running 1: exited with code 0", db, web]);
    check(&["cache=signal:SEGV@run:20s"], ["cache running 2: was killed by SIGSEGV", db, web]);
    check(&["web=fail@start"], [cache, db, &format!("web failed 0: {exec}")]);
    check(
        &["web=image@boot"],
        [cache, db, "web invalid 0: cannot run, its image is unusable: its manifest is torn"],
    );
    let late = "web failed 0: could not be started: start the container: it took longer than 30 s";
    check(&["web=hang@start"], [cache, db, late]);
    check(&["web=slow:45s@start"], [cache, db, late]);
    check(&["web=slow:20s@start"], well);
}

#[test]
fn what_is_declared_of_health_and_readiness_is_played() {
    let config = declared(
        "[container.job]\ntype = 'oneshot'\n[container.db]\nrestart = 'always'\nready = 'notify'\nwatchdog = '10s'\n\
         [container.web]\nrestart = 'always'\nhealthcheck = { tcp = 80, interval = '10s', retries = 1 }\n\
         depends_on = { db = 'started', job = 'completed' }\n[container.app]\ndepends_on = { web = 'healthy' }\n",
    );
    let check = |fails: &[&str], expected: [&str; 4]| {
        let fails: Vec<Fail> = fails.iter().map(|text| Fail::parse(text, &config).unwrap()).collect();
        let run = simulate(&Scenario { fails: &fails, time: s(100), ..scenario(&config) });
        assert_eq!(run.breach, None);
        let fate =
            |it: &Fate| format!("{} {} {}", it.status.name, it.status.state.word(), it.status.restarts);
        assert_eq!(run.fates.iter().map(fate).collect::<Vec<_>>(), expected, "{fails:?}: {:#?}", run.news);
    };
    check(&[], ["app running 0", "db running 0", "job exited 0", "web running 0"]);
    check(&["job=exit:1@start"], ["app waiting 0", "db running 0", "job failed 0", "web waiting 0"]);
    check(&["db=hang@50s"], ["app running 0", "db running 1", "job exited 0", "web running 0"]);
    check(&["web=hang@run:55s"], ["app running 0", "db running 0", "job exited 0", "web running 1"]);
    check(&["db=unready@boot"], ["app running 0", "db running 1", "job exited 0", "web running 0"]);
}

fn door() -> Config {
    declared(
        "[container.web]\nsockets = ['tcp://0.0.0.0:80', { listen = 'unix:/run/web.sock', name = 'admin' }]\n\
         start = 'on-connection'\nrestart = 'on-failure'\n\
         [container.'api@']\nreplicas = 1\nsockets = ['tcp://0.0.0.0:81']\nrestart = 'always'\n\
         [container.db]\nrestart = 'always'\ngates = ['network-online', 'path:/run/a=b@c', 'boot-complete']\n",
    )
}

#[test]
fn who_connects_and_what_gates_do_is_read_or_the_error_says_what_can_be_written() {
    let config = door();
    let connect = |text: &str| Connect::parse(text, &config);
    let good = |text: &str, name: &str, socket: &str, at| {
        let found = connect(text).unwrap();
        assert_eq!((found.name.as_str(), found.socket.to_string().as_str(), found.at), (name, socket, at));
    };
    good("web@30s", "web", "tcp://0.0.0.0:80", s(30));
    good("web=80@30s", "web", "tcp://0.0.0.0:80", s(30));
    good("web=admin@1m", "web", "unix:/run/web.sock", s(60));
    good("web=unix:/run/web.sock@0s", "web", "unix:/run/web.sock", s(0));
    good("api@1@5s", "api@1", "tcp://0.0.0.0:81", s(5));
    let bad = |text: &str, expected: &str| {
        assert_eq!(connect(text).unwrap_err().to_string(), format!("`{text}`: {expected}"));
    };
    let form = "it is not NAME@TIME or NAME=SOCKET@TIME; for example web@30s";
    bad("web", form);
    bad("api@1", form);
    bad("wbe@30s", "no container is named `wbe`; did you mean `web`?");
    bad("db@30s", "`db` has no sockets; there are those of api@1, web");
    bad("web=admni@30s", "`web` has no socket `admni`; did you mean `admin`?");
    bad("web=x@30s", "`web` has no socket `x`; it has 80, admin");
    bad("web@boot", "`boot` is no moment; write a time since boot, as in 30s");
    let turn = |text: &str| Turn::parse(text, &config);
    let path = Gate::Path("/run/a=b@c".into());
    let turns = |gate, is, at| Ok(Turn { gate, is, at });
    assert_eq!(turn("network-online=shut"), turns(Gate::NetworkOnline, Is::Shut, s(0)));
    assert_eq!(turn("path:/run/a=b@c=open@20s"), turns(path, Is::Open, s(20)));
    let bad = |text: &str, expected: &str| {
        assert_eq!(turn(text).unwrap_err().to_string(), format!("`{text}`: {expected}"));
    };
    let form = "it is not GATE=open@TIME, GATE=shut or GATE=shut@TIME; for example network-online=open@20s";
    bad("network-online", form);
    bad("network-online=ajar", form);
    bad("network-onlin=shut", "\"network-onlin\" is no gate; did you mean \"network-online\"?");
    bad("time-synced=shut", "no container waits for time-synced; there are network-online, path:/run/a=b@c");
    bad("network-online=shut@x", "`x` is no moment; write a time since boot, as in 30s");
    bad(
        "boot-complete=shut",
        "boot-complete opens when all others have come up or shown that they do not; it cannot be said",
    );
}

/// What is told of somebody who connects, and when what ran first; `None`: never.
#[track_caller]
fn connections(fails: &[&str], connects: &[&str]) -> (Vec<(u64, String)>, usize) {
    let config = door();
    let fails: Vec<Fail> = fails.iter().map(|text| Fail::parse(text, &config).unwrap()).collect();
    let connects: Vec<Connect> = connects.iter().map(|text| Connect::parse(text, &config).unwrap()).collect();
    let run = simulate(&Scenario { fails: &fails, connects: &connects, ..scenario(&config) });
    assert_eq!(run.breach, None);
    let news = run.news.iter().filter_map(|news| match &news.what {
        Happening::Changed { name, to: StateKind::Running, .. } if name == "web" => {
            Some((news.at, "runs".into()))
        }
        Happening::Connected { taken: true, .. } => Some((news.at, "taken".into())),
        Happening::Connected { taken: false, .. } => Some((news.at, "waits".into())),
        Happening::Took { people, .. } => Some((news.at, format!("took {people}"))),
        _ => None,
    });
    let news = news.map(|(at, text)| (at.as_secs(), text)).collect();
    (news, run.fates.iter().map(|fate| fate.queue).sum())
}

#[test]
fn who_connects_starts_it_or_waits_until_it_runs() {
    let check = |fails: &[&str], connects: &[&str], expected: &[(u64, &str)], queue| {
        let (news, left) = connections(fails, connects);
        let news: Vec<(u64, &str)> = news.iter().map(|(at, text)| (*at, text.as_str())).collect();
        assert_eq!((news.as_slice(), left), (expected, queue), "{fails:?} {connects:?}");
    };
    check(&[], &[], &[], 0);
    check(&[], &["web@9s", "web=admin@20s"], &[(9, "waits"), (9, "runs"), (9, "took 1"), (20, "taken")], 0);
    // A good end: the next one starts it again.
    let ends = ["web=exit:0@run:5s"];
    let twice = [(9, "waits"), (9, "runs"), (9, "took 1"), (20, "waits"), (20, "runs"), (20, "took 1")];
    check(&ends, &["web@9s", "web@20s"], &twice, 0);
    check(&[], &["api@1@20s"], &[(20, "taken")], 0);
    // Who cannot be started takes nobody, and neither does who stands still.
    check(
        &["web=slow:5s@boot"],
        &["web@9s", "web@10s"],
        &[(9, "waits"), (10, "waits"), (14, "runs"), (14, "took 2")],
        0,
    );
    check(
        &["web=hang@30s"],
        &["web@9s", "web@40s"],
        &[(9, "waits"), (9, "runs"), (9, "took 1"), (40, "waits")],
        1,
    );
    let (news, left) = connections(&["web=image@boot"], &["web@9s"]);
    assert_eq!((news, left), (vec![(9, "waits".into())], 1));
}

#[test]
fn who_takes_nobody_is_started_for_him_again() {
    let (news, left) = connections(&["web=exit:0@start"], &["web@50s"]);
    let starts = news.iter().filter(|(_, text)| text == "runs").count();
    // Four times a second at most.
    assert!((5..=41).contains(&starts) && left == 1, "{starts} {left}");
    assert!(!news.iter().any(|(_, text)| text.starts_with("took")));
}

#[test]
fn a_container_waits_until_its_gates_are_open() {
    let config = door();
    let check = |turns: &[&str], expected: Option<u64>| {
        let turns: Vec<Turn> = turns.iter().map(|text| Turn::parse(text, &config).unwrap()).collect();
        let run = simulate(&Scenario { turns: &turns, ..scenario(&config) });
        assert_eq!(run.breach, None);
        let db = run.fates.iter().find(|fate| fate.status.name == "db").unwrap();
        assert_eq!(db.came_up.map(|at| at.as_secs()), expected, "{turns:?}");
        let cause = db.status.cause.as_ref().map(|cause| cause.text.clone()).unwrap_or_default();
        assert_eq!(cause.contains("network-online"), expected.is_none(), "{cause}");
    };
    check(&[], Some(0));
    check(&["network-online=shut"], None);
    check(&["network-online=open@20s"], Some(20));
    check(&["network-online=open@20s", "path:/run/a=b@c=open@30s"], Some(30));
    let both = ["network-online=open@20s", "network-online=shut@25s", "path:/run/a=b@c=open@30s"];
    check(&both, None);
    check(&[&both[..], &["network-online=open@40s"]].concat(), Some(40));
    // Who runs needs no gate.
    check(&["network-online=shut@10s"], Some(0));
    check(&["network-online=shut", "network-online=open@0s"], Some(0));
    // Of the same moment the last counts, and says what was before.
    check(&["network-online=open@20s", "network-online=shut@20s"], Some(0));
    check(&["network-online=shut@20s", "network-online=open@20s"], Some(20));
}

#[test]
fn a_shutdown_shows_who_does_not_stop() {
    let stopped = |name: &str, how: &str| {
        format!("{name} exited 0: was stopped by the shutdown and was killed by {how}")
    };
    let found = fates(&["web=hang@stop"], Some(s(10)));
    assert_eq!(found, [stopped("cache", "SIGTERM"), stopped("db", "SIGTERM"), stopped("web", "SIGKILL")]);
    let found = fates(&["web=unkillable@stop"], Some(s(10)));
    assert_eq!(found[2], "web stuck 0: was killed and is not gone: its processes do not go away");
    assert_eq!(found[1], stopped("db", "SIGTERM"), "and holds nobody up");
}

#[test]
fn a_blow_at_what_does_not_run_is_told() {
    let config = shop();
    let fails = [Fail::parse("db=exit:0@5s", &config).unwrap(), Fail::parse("db=oom@6s", &config).unwrap()];
    let run = simulate(&Scenario { fails: &fails, ..scenario(&config) });
    let missed = News { at: s(6), what: Happening::Missed { name: "db".into(), fail: "db=oom@6s".into() } };
    assert!(run.news.contains(&missed), "{:#?}", run.news);
}

#[test]
fn a_loop_that_nobody_would_read_is_cut_off() {
    let mut config = shop();
    let policy = &mut config.containers.get_mut("cache").unwrap().restart_policy;
    (policy.delay, policy.max_delay) = (ms(0), ms(0));
    let fails = [Fail::parse("cache=exit:1@start", &config).unwrap()];
    let time = s(31 * 86_400);
    let run = simulate(&Scenario { fails: &fails, time, ..scenario(&config) });
    assert!(run.cut && run.end < time);
    assert!((MOST_NEWS..MOST_NEWS + 10).contains(&run.news.len()));
}

#[test]
fn every_example_keeps_its_promises_for_a_day() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let config = read(&[Source { path: path.display().to_string(), text }]).config;
        let scenario = Scenario { time: s(86_400), ..scenario(&config) };
        assert_eq!(simulate(&scenario).breach, None, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn a_machine_ends_once_and_nothing_is_played_after_it() {
    let config =
        declared("[container.a]\nrestart = 'always'\nrestart_rules = [{ on = 3, then = 'reboot' }]\n");
    let fails = ["a=exit:3@650s", "a=exit:3@800s"].map(|text| Fail::parse(text, &config).unwrap());
    let run = |shutdown, fails: &[Fail]| {
        let run = simulate(&Scenario { fails, time: s(900), shutdown, ..scenario(&config) });
        assert_eq!(run.breach, None);
        let ends = run.news.iter().filter_map(|news| match &news.what {
            Happening::ShutdownAsked { by, .. } => Some((news.at.as_secs(), by.clone())),
            _ => None,
        });
        assert_eq!(
            run.news.last().map(|news| (&news.what, news.at)),
            Some((&Happening::ShutdownDone, run.end))
        );
        (ends.collect::<Vec<_>>(), run.end.as_secs())
    };
    let for_a = |at| vec![(at, Some("a".to_string()))];
    assert_eq!(run(Some(s(700)), &fails), (for_a(650), 650));
    assert_eq!(run(None, &fails[1..]), (for_a(800), 800));
    assert_eq!(run(Some(s(10)), &fails), (vec![(10, None)], 10));
}

#[test]
fn of_failures_that_contradict_each_other_the_last_counts() {
    let check = |fails: &[&str], expected: &str| {
        let all = fates(fails, None);
        let found = all.iter().find(|fate| fate.starts_with("db")).unwrap();
        assert!(found.contains(expected), "{fails:?}: {found}");
    };
    check(&["db=fail@start", "db=exit:3@start"], "code 3");
    check(&["db=exit:3@start", "db=fail@start"], "exec");
    check(&["db=image@start", "db=exit:3@start"], "code 3");
    check(&["db=hang@start", "db=exit:3@start"], "code 3");
    check(&["db=fail@start", "db=hang@start"], "longer than 30 s");
    check(&["db=hang@start", "db=slow:1s@start", "db=exit:3@run:1s"], "code 3");
    check(&["db=fail@start", "db=slow:1s@start"], "exec");
}

#[test]
fn times_of_a_clock_are_those_from_the_boot_on() {
    let config = declared("[container.job]\nschedule = '30 2 * * *'\n");
    let check = |at_boot, expected: Option<u64>| {
        let run = simulate(&Scenario { time: s(3600), at_boot, ..scenario(&config) });
        assert_eq!(run.fates[0].came_up.map(|at| at.as_secs()), expected);
    };
    check(s(0), None);
    check(s(2 * 3600), Some(1800));
    check(s(1_795_305_600 + 2 * 3600 + 25 * 60), Some(300));
}

#[test]
fn the_end_of_the_boot_is_a_gate_that_opens_by_itself() {
    let config = declared("[container.a]\n[container.b]\ngates = ['boot-complete']\n");
    let run = simulate(&scenario(&config));
    assert_eq!((run.breach, run.fates[1].came_up.is_some()), (None, true));
}
