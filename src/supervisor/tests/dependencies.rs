//! `depends_on`: who waits for whom, at a start and at a stop.

use super::declared::{config, declared, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

fn chain() -> Config {
    config(&[("app", &["db"]), ("db", &["net"]), ("net", &[])])
}

fn event(make: fn(String) -> Event, name: &str) -> Event {
    make(name.into())
}

fn stop(name: &str) -> Event {
    event(|name| Event::Stop { name }, name)
}

fn start(name: &str) -> Event {
    event(|name| Event::Start { name }, name)
}

#[test]
fn a_dependent_starts_when_its_dependency_runs() {
    let slow = Play { start: s(2), ..Play::default() };
    let mut world = World::new(chain()).play("net", &[slow]).booted();
    assert_eq!(world.status("app").waits_for, ["db"]);
    assert_eq!(world.cause("app"), "waits for db, which has not started yet");
    world.run_until(s(10));
    assert_eq!(world.story(), ["1.0 start net", "3.0 start db", "3.0 start app"]);
    assert_eq!(world.status("app").waits_for, [""; 0]);
    assert_eq!(world.status("app").cause, None);
}

#[test]
fn a_job_that_finished_has_started() {
    let mut config = config(&[("app", &["job"]), ("job", &[])]);
    config.containers.get_mut("app").unwrap().restart = Restart::Always;
    let mut world = World::new(config)
        .play("job", &[Play::exits(ms(5), 0)])
        .play("app", &[Play::exits(s(1), 1), Play::default()])
        .booted();
    world.run_until(s(5));
    assert_eq!((world.state("app"), world.state("job")), (StateKind::Running, StateKind::Exited));
    assert_eq!(world.starts("app").len(), 2, "also when it starts again");
}

#[test]
fn waits_for_a_failed_dependency_and_starts_when_it_heals() {
    let fails = Play { fails: Some(Fault::Permanent), ..Play::default() };
    let mut world = World::new(chain()).play("db", &[fails, Play::default()]).booted();
    world.run_until(s(100));
    assert_eq!((world.state("db"), world.state("app")), (StateKind::Failed, StateKind::Waiting));
    let expected = "waits for db, which could not be started: exec /app: No such file or directory";
    assert_eq!(world.cause("app"), expected);
    let kind = world.status("app").cause.map(|cause| cause.kind);
    assert_eq!(kind, Some(CauseKind::Dependency { name: "db".into() }));
    world.tell(start("db"));
    world.run_for(s(1));
    assert_eq!(world.state("app"), StateKind::Running);
    assert_eq!(
        world.news("app"),
        [
            "waiting -> waiting: waits for db, which has not started yet",
            &format!("waiting -> waiting: {expected}"),
            "waiting -> waiting: waits for db, which has not started yet",
            "waiting -> starting: ",
            "starting -> running: ",
        ]
    );
}

#[test]
fn one_that_failed_has_to_run_again() {
    let mut config = config(&[("app", &["db"]), ("db", &[])]);
    config.containers.get_mut("app").unwrap().restart = Restart::Always;
    let again = Play { start: s(3), ..Play::default() };
    let mut world = World::new(config)
        .play("db", &[Play::exits(s(1), 1), again])
        .play("app", &[Play::exits(s(2), 1), Play::default()])
        .booted();
    world.run_until(s(10));
    assert_eq!(world.cause("app"), "waits for db, which exited with code 1");
    world.tell(start("db"));
    world.run_until(s(12));
    assert_eq!(world.cause("app"), "waits for db, which has not started yet");
    world.run_until(s(14));
    assert_eq!(world.starts("app")[1..], [s(13)]);
}

#[test]
fn waits_for_an_invalid_dependency_with_its_reason() {
    let mut config = config(&[("app", &["db"])]);
    config.invalid.insert("db".into(), vec!["unknown key \"imgae\"".into()]);
    let mut world = World::new(config).booted();
    world.run_until(s(100));
    assert_eq!(world.state("app"), StateKind::Waiting);
    assert_eq!(world.cause("app"), "waits for db, which cannot run: unknown key \"imgae\"");
    assert_eq!(world.starts("app"), []);
}

#[test]
fn waits_for_one_that_a_person_stopped_before_it_ever_ran() {
    let slow = Play { start: s(3), ..Play::default() };
    let mut world =
        World::new(config(&[("app", &["db"]), ("db", &[])])).play("db", &[slow, Play::default()]).booted();
    world.tell(stop("db"));
    world.run_until(s(5));
    assert_eq!(world.cause("app"), "waits for db, which is stopped and never ran");
    world.tell(start("db"));
    world.run_for(s(1));
    assert_eq!(world.state("app"), StateKind::Running);
}

#[test]
fn a_crash_of_a_dependency_touches_no_dependent() {
    let mut config = chain();
    config.containers.get_mut("net").unwrap().restart = Restart::Always;
    let mut world = World::new(config).play("net", &[Play::exits(s(5), 1), Play::default()]).booted();
    world.run_until(s(20));
    assert_eq!(world.starts("net").len(), 2);
    assert_eq!((world.starts("db").len(), world.starts("app").len()), (1, 1));
}

#[test]
fn a_stop_by_a_person_leaves_the_dependents_up() {
    let mut world = World::new(chain()).booted();
    world.run_until(s(2));
    world.tell(stop("net"));
    world.run_until(s(5));
    assert_eq!((world.state("net"), world.state("db")), (StateKind::Exited, StateKind::Running));
}

#[test]
fn stops_asked_for_together_go_in_the_reverse_order() {
    let slow = Play { obeys: Some(s(3)), ..Play::default() };
    let mut world = World::new(chain()).play("app", &[slow]).booted();
    world.run_until(s(2));
    // The middle one stays up: the order goes through it all the same.
    world.tell(stop("app"));
    world.tell(stop("net"));
    assert_eq!(world.status("net").waits_for, ["app"]);
    world.run_until(s(20));
    let story = world.story();
    let signals: Vec<_> = story.iter().filter(|line| line.contains("signal")).collect();
    assert_eq!(signals, ["2.0 signal 15 app", "5.0 signal 15 net"]);
}

#[test]
fn a_stuck_dependent_holds_back_nobody() {
    let undead = Play { obeys: None, dies: None, ..Play::default() };
    let mut world = World::new(chain()).play("app", &[undead]).booted();
    world.run_until(s(2));
    world.tell(stop("app"));
    world.tell(stop("db"));
    world.run_until(s(30));
    assert_eq!((world.state("app"), world.state("db")), (StateKind::Stuck, StateKind::Exited));
    assert!(world.story().contains(&"17.0 signal 15 db".into()), "{:#?}", world.story());
}

#[test]
fn a_circle_is_invalid_and_the_others_run() {
    let circle = config(&[("a", &["b"]), ("b", &["a"]), ("c", &[]), ("d", &["nowhere"])]);
    let mut world = World::new(circle).booted();
    world.run_until(s(5));
    assert_eq!(world.cause("a"), "cannot run: it depends on a circle of dependencies");
    assert_eq!(world.cause("d"), "cannot run: it depends on nowhere, which is not declared");
    let states = ["a", "b", "c", "d"].map(|name| world.state(name).word());
    assert_eq!(states, ["invalid", "invalid", "running", "invalid"]);
}

fn went_down_with(name: &str, world: &World) -> bool {
    world.news(name).contains(&"stopping -> waiting: waits for db, which has not started yet".into())
}

#[test]
fn in_a_row_of_those_that_follow_the_last_goes_down_first() {
    let text = "
        [container.a]
        run_timeout = '10s'
        [container.b]
        depends_on = { a = { condition = 'started', restart = true } }
        [container.c]
        depends_on = { b = { condition = 'started', restart = true } }
    ";
    let mut world = World::new(declared(text)).booted();
    world.run_for(s(15));
    let signals = world.asked().filter_map(|(at, effect)| match effect {
        Effect::Signal { name, .. } => Some((at, name.as_str())),
        _ => None,
    });
    let signals: Vec<(Duration, &str)> = signals.collect();
    let [(third, "c"), (second, "b"), (first, "a")] = signals[..] else { panic!("{signals:?}") };
    assert!(third < second && second < first, "each when the one before is gone: {signals:?}");
}

const FOLLOWS: &str = "
    [container.db]
    restart = 'always'
    restart_policy = { delay = '2s' }
    [container.web]
    depends_on = { db = { condition = 'started', restart = true } }
    [container.stays]
    depends_on = ['db']
";

#[test]
fn a_dependent_that_follows_goes_down_with_its_dependency_and_comes_back_after_it() {
    let mut world =
        World::new(declared(FOLLOWS)).play("db", &[Play::exits(s(10), 1), Play::default()]).booted();
    world.run_for(s(30));
    assert!(went_down_with("web", &world), "{:#?}", world.news("web"));
    let stopped = "running -> stopping: was stopped, because db went down";
    assert!(world.news("web").contains(&stopped.into()), "{:#?}", world.news("web"));
    let db = world.starts("db");
    assert!(world.starts("web")[1] > db[1] && world.starts("web").len() == 2, "{:#?}", world.story());
    assert_eq!(world.starts("stays").len(), 1);
    assert_eq!(world.status("web").restarts, 1);
    // No failure of its own: the next real one has the shortest pause.
    assert_eq!(world.core.record("web").map(|record| (record.streak, record.failures)), Some((0, 0)));

    // A person's stop and start as well: it goes first, and comes after.
    world.tell(stop("db"));
    world.run_for(s(5));
    let story = world.story();
    let asked: Vec<&String> = story.iter().filter(|deed| deed.contains("signal")).collect();
    assert!(asked[1].ends_with("web") && asked[2].ends_with("db"), "{story:#?}");
    assert_eq!(
        (world.state("web"), world.cause("web")),
        (StateKind::Waiting, "waits for db, which is stopped".into())
    );
    world.tell(start("db"));
    world.run_for(s(5));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Running, 3));
}

#[test]
fn a_follower_that_a_person_stops_stays_down_and_a_shutdown_ends_it() {
    let mut world =
        World::new(declared(FOLLOWS)).play("web", &[Play { obeys: Some(s(5)), ..Play::default() }]);
    world.tell(Event::Booted);
    world.run_for(s(1));
    world.tell(stop("db"));
    world.run_for(s(1));
    world.tell(stop("web"));
    world.run_for(s(10));
    world.tell(start("db"));
    world.run_for(s(10));
    assert_eq!((world.state("web"), world.state("db")), (StateKind::Exited, StateKind::Running));
    world.tell(start("web"));
    world.run_for(s(1));
    world.tell(stop("db"));
    world.run_for(s(1));
    let deadline = world.now + s(60);
    world.tell(Event::Shutdown { deadline });
    world.run_for(s(30));
    assert_eq!((world.state("web"), world.state("db")), (StateKind::Exited, StateKind::Exited));
}

#[test]
fn a_follower_follows_over_a_supervisor_that_dies() {
    let mut world =
        World::new(declared(FOLLOWS)).play("db", &[Play::exits(s(10), 1), Play::default()]).booted();
    world.run_for(ms(10_010));
    world.crash();
    world.run_for(s(20));
    assert_eq!((world.starts("web").len(), world.state("web")), (2, StateKind::Running));
}

#[test]
fn healthy_is_waited_for_and_who_is_unhealthy_lets_nobody_start() {
    let text = "
        [container.db]
        healthcheck = { tcp = 1, interval = '10s', retries = 1, on_failure = 'none', start_period = '0s' }
        [container.web]
        depends_on = { db = 'healthy' }
        [container.plain]
        depends_on = ['db']
        [container.never]
        depends_on = { plain = 'healthy' }
    ";
    let failed = || Some(Probed::Failed { text: "no".into() });
    let plays = Play { probes: vec![failed(), failed(), Some(Probed::Passed)], ..Play::default() };
    let mut world = World::new(declared(text)).play("db", &[plays]).booted();
    world.run_for(ms(50));
    assert_eq!(world.cause("web"), "waits for db, which is not healthy yet");
    world.run_for(s(5));
    assert_eq!(world.cause("web"), "waits for db, which is unhealthy");
    assert_eq!(world.state("plain"), StateKind::Running);
    assert_eq!(world.cause("never"), "waits for plain, which has no health check");
    world.run_for(s(20));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn completed_is_waited_for_and_a_bad_end_is_none() {
    let text = "
        [container.migrate]
        type = 'oneshot'
        restart = 'on-failure'
        [container.web]
        depends_on = { migrate = 'completed' }
    ";
    let plays = [Play::exits(s(2), 3), Play::exits(s(2), 0)];
    let mut world = World::new(declared(text)).play("migrate", &plays).booted();
    world.run_for(s(1));
    assert_eq!(world.cause("web"), "waits for migrate, which has not completed yet");
    world.run_for(s(10));
    let (migrate, web) = (world.starts("migrate"), world.starts("web"));
    assert!(migrate.len() == 2 && web[0] >= migrate[1] + s(2), "{:#?}", world.story());
    // It is remembered.
    world.crash();
    world.tell(Event::Restart { name: "web".into() });
    world.run_for(s(5));
    assert_eq!((world.starts("web").len(), world.starts("migrate").len()), (2, 2));
}

#[test]
fn oneshots_come_before_services_whatever_comes_of_them() {
    let text = "
        [container.disk]
        type = 'oneshot'
        [container.broken]
        type = 'oneshot'
        [container.web]
        [container.last]
        type = 'oneshot'
        depends_on = ['web']
    ";
    let mut world = World::new(declared(text))
        .play("disk", &[Play::exits(s(5), 0)])
        .play("broken", &[Play::exits(s(3), 1)])
        .play("last", &[Play::exits(s(1), 0)])
        .booted();
    world.run_for(s(1));
    assert_eq!(world.status("web").waits_for, ["broken", "disk"]);
    world.run_for(s(30));
    let starts: Vec<String> = world.story().into_iter().filter(|deed| deed.contains("start")).collect();
    assert_eq!(starts, ["1.0 start disk", "1.0 start broken", "6.0 start web", "6.0 start last"]);
    // Later they are not waited for again.
    world.tell(start("disk"));
    world.tell(Event::Restart { name: "web".into() });
    world.run_for(s(1));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn oneshots_that_cannot_start_hold_up_no_service() {
    let text = "
        [container.check]
        type = 'oneshot'
        [container.mount]
        type = 'oneshot'
        depends_on = { check = 'completed' }
        [container.fill]
        type = 'oneshot'
        depends_on = { mount = 'completed' }
        [container.web]
        [container.reads]
        depends_on = { fill = 'completed' }
    ";
    let mut world = World::new(declared(text))
        .play("check", &[Play::exits(s(3), 1), Play::exits(s(3), 0)])
        .play("mount", &[Play::exits(s(1), 0)])
        .play("fill", &[Play::exits(s(1), 0)])
        .booted();
    world.run_for(s(3));
    assert_eq!(world.status("web").waits_for, ["check", "fill", "mount"]);
    world.run_for(s(30));
    let starts: Vec<String> = world.story().into_iter().filter(|deed| deed.contains("start")).collect();
    assert_eq!(starts, ["1.0 start check", "4.0 start web"]);
    assert_eq!(world.status("mount").waits_for, ["check"]);
    assert_eq!(world.status("reads").waits_for, ["fill"]);
    // A person mends it, and the others follow.
    world.tell(start("check"));
    world.run_for(s(30));
    assert_eq!(world.state("mount"), StateKind::Exited);
    assert_eq!(world.state("reads"), StateKind::Running);
}

#[test]
fn oneshots_that_wait_for_one_with_gates_or_times_hold_up_no_service() {
    let text = "
        [container.disk]
        type = 'oneshot'
        gates = ['device:/dev/sdb']
        [container.nightly]
        every = '1d'
        [container.fill]
        type = 'oneshot'
        depends_on = { disk = 'completed' }
        [container.sums]
        type = 'oneshot'
        depends_on = { nightly = 'completed' }
        [container.web]
    ";
    let mut world = World::new(declared(text)).booted();
    world.run_for(s(1));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn oneshots_that_depend_on_services_hold_up_no_others() {
    let text = "
        [container.db]
        [container.web]
        [container.migrate-db]
        type = 'oneshot'
        depends_on = ['db']
        [container.migrate-web]
        type = 'oneshot'
        depends_on = ['web']
        [container.after]
        type = 'oneshot'
        depends_on = { migrate-web = 'completed' }
    ";
    let ends = [Play::exits(s(5), 0)];
    let mut world = World::new(declared(text));
    for name in ["migrate-db", "migrate-web", "after"] {
        world = world.play(name, &ends);
    }
    let mut world = world.booted();
    world.run_for(s(30));
    let starts: Vec<String> = world.story().into_iter().filter(|deed| deed.contains("start")).collect();
    assert_eq!(
        starts,
        ["1.0 start web", "1.0 start db", "1.0 start migrate-db", "1.0 start migrate-web", "6.0 start after"]
    );
}

#[test]
fn what_is_not_required_is_waited_for_once() {
    let text = "
        [container.cache]
        restart = 'always'
        [container.web]
        depends_on = { cache = { condition = 'healthy', required = false }, gone = { condition = 'started', required = false } }
    ";
    let fails = Play { fails: Some(Fault::Permanent), start: s(3), ..Play::default() };
    let mut world = World::new(declared(text)).play("cache", &[fails]).booted();
    world.run_for(s(2));
    assert_eq!(world.status("web").waits_for, ["cache"]);
    world.run_for(s(2));
    assert_eq!(world.state("web"), StateKind::Running);
    assert!(world.starts("web")[0] >= s(4) && world.status("cache").health == Health::None);
}

#[test]
fn who_follows_one_that_follows_goes_first() {
    let text = "[container.a]\nrestart = 'no'\n\
                [container.b]\ndepends_on = { a = { condition = 'started', restart = true } }\n\
                [container.c]\ndepends_on = { b = { condition = 'started', restart = true } }\n";
    let a = Play { ends: Some((s(3), Exit::Code(1))), ..Play::default() };
    let mut world = World::new(declared(text)).play("a", &[a]).booted();
    world.run_until(s(10));
    let story = world.story();
    let at = |deed: &str| story.iter().position(|done| done.ends_with(deed)).unwrap();
    assert!(at("clean c") < at("signal 15 b"), "{story:?}");
}
