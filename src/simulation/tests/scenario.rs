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

/// At the end: each container's state, how often it was started again, and why it is so.
fn fates(fails: &[&str], shutdown: Option<Duration>) -> Vec<String> {
    let config = shop();
    let fails: Vec<Fail> = fails.iter().map(|text| Fail::parse(text, &config).unwrap()).collect();
    let run = simulate(&Scenario { config: &config, fails: &fails, seed: 1, time: s(60), shutdown });
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
        let run =
            simulate(&Scenario { config: &config, fails: &fails, seed: 1, time: s(100), shutdown: None });
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
    let run = simulate(&Scenario { config: &config, fails: &fails, seed: 1, time: s(60), shutdown: None });
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
    let run = simulate(&Scenario { config: &config, fails: &fails, seed: 1, time, shutdown: None });
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
        let scenario = Scenario { config: &config, fails: &[], seed: 1, time: s(86_400), shutdown: None };
        assert_eq!(simulate(&scenario).breach, None, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}
