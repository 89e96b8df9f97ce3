//! Health checks, readiness and watchdogs.

use super::declared::{declared, ms, s};
use super::world::{Entry, World};
use super::*;
use crate::config::{HealthCheck, Probe, Test};
use crate::simulation::{Play, Safe};

fn failed(text: &str) -> Option<Probed> {
    Some(Probed::Failed { text: text.into() })
}

fn not_made() -> Option<Probed> {
    Some(Probed::NotMade { text: "no memory".into() })
}

const PASSED: Option<Probed> = Some(Probed::Passed);

fn probing(probes: &[Option<Probed>]) -> Play {
    Play { probes: probes.to_vec(), ..Play::default() }
}

/// When `name` was asked how it is, since the boot.
fn probes(world: &World, name: &str) -> Vec<Duration> {
    let asked = world.asked().filter_map(|(at, effect)| match effect {
        Effect::Probe { name: of, .. } if of == name => Some(at - s(1)),
        _ => None,
    });
    asked.collect()
}

const CHECKED: &str = "
    [container.db]
    restart = 'always'
    healthcheck = { tcp = 5432, interval = '10s', start_period = '20s', retries = 2 }
";

#[test]
fn is_asked_often_until_it_is_healthy_and_then_at_the_interval() {
    let plays = probing(&[failed("a"), failed("b"), failed("c"), PASSED]);
    let mut world = World::new(declared(CHECKED)).play("db", &[plays]).booted();
    world.run_for(s(60));
    let asked = probes(&world, "db");
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, about) in pauses.iter().zip([200, 400, 800, 10_000, 10_000, 10_000]) {
        let near = about * 9 / 10..=about * 11 / 10 + 5;
        assert!(near.contains(&(pause.as_millis() as u64)), "{pauses:?}");
    }
    assert!(pauses.len() > 5 && asked[0] < ms(200), "{asked:?}");
    assert_eq!(world.news("db"), ["waiting -> starting: ", "starting -> running: ", "healthy: "]);
    assert_eq!(world.status("db").health, Health::Healthy);
}

#[test]
fn failures_in_a_row_after_the_start_period_make_it_unhealthy_and_it_is_restarted() {
    let sick = probing(&[PASSED, failed("x"), PASSED, failed("y"), failed("connection refused")]);
    let mut world = World::new(declared(CHECKED)).play("db", &[sick, Play::default()]).booted();
    world.run_for(s(35));
    assert_eq!(world.status("db").health, Health::Healthy, "one failure in a row");
    world.run_for(s(30));
    let cause = "was unhealthy (connection refused) and was killed by SIGTERM";
    assert!(world.news("db").contains(&format!("stopping -> backoff: {cause}")), "{:#?}", world.news("db"));
    let status = world.status("db");
    assert_eq!((status.state, status.generation, status.health), (StateKind::Running, 2, Health::Healthy));
}

#[test]
fn what_never_was_healthy_has_its_start_period_first() {
    let mut world = World::new(declared(CHECKED)).play("db", &[probing(&[failed("x")])]).booted();
    world.run_until(s(20));
    assert_eq!(world.status("db").health, Health::Starting);
    assert_eq!(world.status("db").generation, 1);
    world.run_until(s(33));
    assert_eq!(world.status("db").generation, 2);
}

#[test]
fn a_probe_that_could_not_be_made_says_nothing() {
    let plays = probing(&[PASSED, failed("x"), not_made(), not_made(), PASSED]);
    let mut world = World::new(declared(CHECKED)).play("db", &[plays]).booted();
    world.run_for(s(300));
    assert_eq!(world.status("db").generation, 1);
    // Nobody answers: it is asked again, and again.
    let mut world = World::new(declared(CHECKED)).play("db", &[probing(&[None])]).booted();
    world.run_for(s(300));
    let status = world.status("db");
    assert_eq!((status.generation, status.health), (1, Health::Starting));
    assert!((3..10).contains(&probes(&world, "db").len()));
}

#[test]
fn what_follows_a_failure_is_declared() {
    let check = |on_failure: &str, image: bool| {
        let test = if image { "" } else { "tcp = 80, " };
        let text = format!(
            "[container.a]\nhealthcheck = {{ {test}interval = '1s', retries = 1, start_period = '0s'{on_failure} }}"
        );
        let test = Test::Probe(Probe::Shell("true".into()));
        let image = image.then(|| HealthCheck { test: Some(test), ..HealthCheck::default() });
        let stubborn = Play { obeys: None, check: image, ..probing(&[PASSED, failed("x")]) };
        let mut world = World::new(declared(&text)).play("a", &[stubborn]).booted();
        world.run_for(s(30));
        let story = world.story();
        let deeds: Vec<&str> =
            story.iter().filter_map(|deed| deed.split_once(' ')).map(|(_, deed)| deed).collect();
        let deeds =
            deeds.into_iter().filter(|deed| !deed.starts_with("probe")).collect::<Vec<_>>().join(", ");
        (deeds, world.state("a"))
    };
    let restarted = "start a, signal 15 a, kill a, clean a";
    assert_eq!(check("", false), (restarted.into(), StateKind::Failed), "there is no restart policy");
    assert_eq!(check(", on_failure = 'kill'", false), ("start a, kill a, clean a".into(), StateKind::Failed));
    assert_eq!(check(", on_failure = 'none'", false), ("start a".into(), StateKind::Running));
    assert_eq!(check("", true), ("start a".into(), StateKind::Running), "an image's own check only shows");
    assert_eq!(check(", on_failure = 'restart'", true), (restarted.into(), StateKind::Failed));
}

#[test]
fn no_more_than_eight_are_asked_at_once() {
    let names: Vec<String> = (0..30).map(|n| format!("c{n}")).collect();
    let text: String =
        names.iter().map(|name| format!("[container.{name}]\nhealthcheck = {{ tcp = 1 }}\n")).collect();
    let mut world = World::new(declared(&text));
    for name in &names {
        world = world.play(name, &[Play { answers_in: s(1), ..Play::default() }]);
    }
    world.tell(Event::Booted);
    world.run_for(s(600));
    let (mut open, mut most) = (0, 0);
    for (_, entry) in &world.log {
        match entry {
            Entry::Asked(Effect::Probe { .. }) => open += 1,
            Entry::Told(Event::Probed { .. }, _) => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert_eq!(most, MAX_PROBES);
    assert!(
        names
            .iter()
            .all(|name| world.status(name).health == Health::Healthy && probes(&world, name).len() > 15)
    );
}

const NOTIFIES: &str = "
    [container.db]
    restart = 'always'
    ready = 'notify'
    ready_timeout = '30s'
    [container.web]
    depends_on = ['db']
";

#[test]
fn dependents_wait_until_it_says_that_it_is_ready() {
    let ready = Play { says: vec![(s(5), Notice::Ready)], ..Play::default() };
    let mut world = World::new(declared(NOTIFIES)).play("db", &[ready]).booted();
    world.run_for(s(3));
    assert_eq!(world.cause("web"), "waits for db, which is not ready yet");
    assert!(!world.status("db").ready);
    world.run_for(s(3));
    assert_eq!(world.story(), ["1.0 start db", "6.0 start web"]);
    assert!(world.status("db").ready && world.news("db").contains(&"ready".into()));
    world.run_for(s(100));
    assert_eq!(world.status("db").generation, 1);
}

#[test]
fn what_does_not_say_in_time_that_it_is_ready_has_failed() {
    let extends = Play { says: vec![(s(20), Notice::Extend(s(3600)))], ..Play::default() };
    let mut world = World::new(declared(NOTIFIES)).play("db", &[Play::default(), extends]).booted();
    world.run_for(s(32));
    let cause = "did not say within 30 s that it is ready and was killed by SIGTERM";
    assert!(world.news("db").contains(&format!("stopping -> backoff: {cause}")), "{:#?}", world.news("db"));
    // One that asks for time gets it, but not for ever.
    world.run_for(s(290));
    assert_eq!(world.status("db").generation, 2);
    world.run_for(s(20));
    assert_eq!(world.status("db").generation, 3);
    assert_eq!(world.state("web"), StateKind::Waiting);
}

#[test]
fn its_word_may_come_before_the_news_that_it_runs_and_outlives_a_supervisor() {
    let mut world = World::new(declared(NOTIFIES)).booted();
    world.tell(Event::Notified { name: "db".into(), generation: 1, notice: Notice::Ready });
    world.run_for(s(1));
    assert!(world.status("db").ready);
    world.crash();
    assert!(world.status("db").ready);
    world.run_for(s(100));
    assert_eq!((world.status("db").generation, world.state("web")), (1, StateKind::Running));
}

#[test]
fn ready_by_its_health_it_is_ready_while_it_is_healthy() {
    let text = "
        [container.db]
        ready = 'healthy'
        healthcheck = { tcp = 1, interval = '10s', retries = 1, on_failure = 'none', start_period = '1m' }
        [container.web]
        depends_on = ['db']
    ";
    let plays = probing(&[failed("no"), PASSED, failed("no"), PASSED]);
    let mut world = World::new(declared(text)).play("db", &[plays]).booted();
    world.run_for(ms(150));
    assert!(!world.status("db").ready && world.state("web") == StateKind::Waiting);
    world.run_for(s(5));
    assert!(world.status("db").ready && world.state("web") == StateKind::Running);
    world.run_for(s(8));
    assert!(!world.status("db").ready && world.state("web") == StateKind::Running);
    world.run_for(s(12));
    assert!(world.status("db").ready);
    let news: Vec<String> = world.news("db").into_iter().skip(2).collect();
    assert_eq!(news, ["healthy: ", "ready", "unhealthy: no", "not ready", "healthy: ", "ready"]);
}

#[test]
fn a_watchdog_bites_who_gives_no_sign_of_life() {
    let text = "[container.a]\nrestart = 'always'\nwatchdog = '10s'";
    let alive = (1..5).map(|n| (s(8 * n), Notice::Alive)).collect();
    let plays = [
        Play { says: alive, ..Play::default() },
        Play { says: vec![(s(1), Notice::Trigger)], ..Play::default() },
    ];
    let mut world = World::new(declared(text)).play("a", &plays).booted();
    world.run_for(s(43));
    let cause = "gave no sign of life for 10 s and was killed by SIGABRT";
    assert_eq!(world.story()[1], "43.0 signal 6 a");
    world.run_for(s(2));
    assert!(world.news("a").contains(&format!("stopping -> backoff: {cause}")), "{:#?}", world.news("a"));
    // It can say itself that it is lost.
    assert!(
        world
            .asked()
            .any(|(at, effect)| at < s(47) && matches!(effect, Effect::Signal { generation: 2, .. }))
    );
}

#[test]
fn who_is_paused_is_not_asked_and_need_not_give_signs_of_life() {
    let text = "[container.a]\nwatchdog = '10s'\nhealthcheck = { tcp = 1, interval = '5s', retries = 1 }";
    let alive = (1..50).map(|n| (s(8 * n), Notice::Alive)).collect();
    let mut world = World::new(declared(text)).play("a", &[Play { says: alive, ..Play::default() }]).booted();
    world.run_for(s(1));
    assert!(!world.status("a").paused);
    world.tell(Event::Paused { name: "a".into(), paused: true });
    assert!(world.status("a").paused);
    let asked = probes(&world, "a").len();
    world.later_is_lost_until(s(200));
    world.run_until(s(200));
    assert_eq!((probes(&world, "a").len(), world.status("a").state), (asked, StateKind::Running));
    world.tell(Event::Paused { name: "a".into(), paused: false });
    assert!(!world.status("a").paused);
    world.run_for(s(60));
    assert!(probes(&world, "a").len() > asked + 8);
    assert_eq!(world.status("a").state, StateKind::Running);
}

#[test]
fn health_is_remembered_over_supervisors_and_asked_again_at_once() {
    let mut world = World::new(declared(CHECKED)).booted();
    world.run_for(s(35));
    let asked = probes(&world, "db").len();
    world.crash();
    assert_eq!(world.status("db").health, Health::Healthy);
    world.run_for(ms(100));
    assert_eq!(probes(&world, "db").len(), asked + 1);
    world.run_for(s(100));
    assert_eq!(world.status("db").generation, 1);
}

#[test]
fn who_was_not_heard_while_there_was_no_supervisor_has_all_its_time_again() {
    let text = "[container.a]\nwatchdog = '10s'\n[container.b]\nready = 'fd'\nready_timeout = '10s'";
    let alive = (1..50).map(|n| (s(8 * n), Notice::Alive)).collect();
    let extends = vec![(s(5), Notice::Extend(s(60))), (s(30), Notice::Ready)];
    let (a, b) = (Play { says: alive, ..Play::default() }, Play { says: extends, ..Play::default() });
    let mut world = World::new(declared(text)).play("a", &[a]).play("b", &[b]).booted();
    world.run_for(s(25));
    world.crash();
    world.run_for(s(60));
    let found = |name: &str| (world.status(name).state, world.status(name).generation);
    assert_eq!((found("a"), found("b")), ((StateKind::Running, 1), (StateKind::Running, 1)));
}

#[test]
fn in_safe_mode_nothing_follows_from_what_is_running() {
    let text = "[container.a]\nwatchdog = '10s'\nhealthcheck = { tcp = 1 }\n[container.b]\nready = 'fd'";
    let mut world = World::new(declared(text)).booted();
    world.run_for(s(5));
    world.crash_into(Safe::Yes);
    world.tell(Event::Notified { name: "a".into(), generation: 1, notice: Notice::Trigger });
    let asked = probes(&world, "a").len();
    world.run_for(s(500));
    assert_eq!((world.state("a"), world.state("b")), (StateKind::Running, StateKind::Running));
    assert_eq!(probes(&world, "a").len(), asked);
    world.tell(Event::Resume);
    world.run_for(s(1));
    assert_ne!((world.state("a"), world.state("b")), (StateKind::Running, StateKind::Running));
}

#[test]
fn old_failures_are_forgotten_after_a_time_of_health_not_of_running() {
    let text = "
        [container.a]
        restart = 'always'
        restart_policy = { healthy_after = '1m', delay = '1s' }
        healthcheck = { tcp = 1, interval = '10s', start_period = '0s', retries = 2, on_failure = 'none' }
    ";
    let pause_after = |probes: &[Option<Probed>]| {
        let (quick, long) =
            (Play::exits(s(1), 1), Play { ends: Some((s(150), Exit::Code(1))), ..probing(probes) });
        let mut world =
            World::new(declared(text)).play("a", &[quick.clone(), quick, long, Play::default()]).booted();
        world.run_for(s(300));
        let mut ends = world.log.iter().filter_map(|(at, entry)| match entry {
            Entry::Told(Event::Ended { .. }, _) => Some(*at),
            _ => None,
        });
        (world.starts("a")[3] - ends.next_back().unwrap()).as_secs_f64()
    };
    assert!((0.8..1.3).contains(&pause_after(&[PASSED])), "it was well for more than a minute");
    let sick = [PASSED, failed("x"), failed("x")];
    assert!((3.5..4.5).contains(&pause_after(&sick)), "it was well for 20 s");
}
