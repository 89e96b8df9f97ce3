//! Shutdown: in order, in parallel, within the deadline.

use super::declared::{config, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

fn chain() -> Config {
    config(&[("app", &["db"]), ("db", &["net"]), ("net", &[]), ("other", &[])])
}

fn deaf() -> Play {
    Play { obeys: None, ..Play::default() }
}

fn shut_down(world: &mut World, within: Duration) {
    world.run_until(s(10));
    let deadline = world.now + within;
    assert_eq!(world.tell(Event::Shutdown { deadline }), Outcome::Done);
    world.run_for(s(1000));
}

fn from_shutdown(world: &World) -> Vec<String> {
    let story = world.story().into_iter();
    story.skip_while(|line| line.contains("start")).collect()
}

fn only(story: &[String], word: &str) -> Vec<String> {
    story.iter().filter(|line| line.contains(word)).cloned().collect()
}

#[test]
fn stops_in_the_reverse_order_and_what_is_independent_at_once() {
    let mut world = World::new(chain()).booted();
    shut_down(&mut world, s(60));
    let story = from_shutdown(&world);
    let signals = ["10.0 signal 15 other", "10.0 signal 15 app", "10.1 signal 15 db", "10.2 signal 15 net"];
    let mut expected = signals.map(String::from);
    let mut found = only(&story, "signal");
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(only(&story, "done"), ["10.3 done"]);
    assert_eq!(world.cause("app"), "was stopped by the shutdown and was killed by SIGTERM");
    assert!(world.core.statuses().all(|it| (it.state, it.wanted) == (StateKind::Exited, Wanted::Down)));
}

#[test]
fn a_machine_with_nothing_up_is_done_at_once() {
    let mut world = World::new(Config::default()).booted();
    world.tell(Event::Shutdown { deadline: s(60) });
    assert_eq!(world.story(), ["1.0 done"]);
}

#[test]
fn whole_grace_periods_when_there_is_time_for_them() {
    let mut world = World::new(chain()).play("app", &[deaf()]).play("db", &[deaf()]).booted();
    shut_down(&mut world, s(60));
    let story = from_shutdown(&world);
    assert_eq!(
        only(&story, "signal 15 db"),
        ["20.0 signal 15 db"],
        "ten seconds after its dependent: {story:#?}"
    );
    assert_eq!(only(&story, "done"), ["30.1 done"]);
}

#[test]
fn a_slow_leaf_does_not_eat_the_time_of_what_it_depends_on() {
    let mut config = chain();
    config.containers.get_mut("app").unwrap().stop_grace_period = s(600);
    let slow = Play { obeys: Some(s(9)), ..Play::default() };
    let mut world = World::new(config)
        .play("app", &[deaf()])
        .play("db", std::slice::from_ref(&slow))
        .play("net", &[slow])
        .booted();
    shut_down(&mut world, s(60));
    let kills = only(&from_shutdown(&world), "kill app");
    // 58 s, less 10 + 5 s for each of the two below, less its own kill.
    assert!(kills[0].starts_with("37.8"), "{kills:?}");
    for name in ["db", "net"] {
        let expected = "was stopped by the shutdown and was killed by SIGTERM";
        assert_eq!(world.cause(name), expected, "{name} had its nine seconds");
    }
}

#[test]
fn neither_does_one_that_a_person_stopped_before() {
    let mut config = chain();
    config.containers.get_mut("app").unwrap().stop_grace_period = s(600);
    let slow = Play { obeys: Some(s(9)), ..Play::default() };
    let mut world = World::new(config).play("app", &[deaf()]).play("db", &[slow]).booted();
    world.run_until(s(10));
    world.tell(Event::Stop { name: "app".into() });
    shut_down(&mut world, s(60));
    let expected = "was stopped by the shutdown and was killed by SIGTERM";
    assert_eq!(world.cause("db"), expected, "{:#?}", world.story());
}

#[test]
fn a_short_time_is_shared_along_the_chain() {
    let mut world =
        World::new(chain()).play("app", &[deaf()]).play("db", &[deaf()]).play("net", &[deaf()]).booted();
    shut_down(&mut world, s(10));
    let story = from_shutdown(&world);
    assert_eq!(
        only(&story, "signal"),
        ["10.0 signal 15 app", "10.0 signal 15 other", "12.0 signal 15 db", "14.3 signal 15 net",],
    );
    assert_eq!(only(&story, "done"), ["17.4 done"]);
}

#[test]
fn what_does_not_die_is_left_behind_at_the_deadline() {
    let undead = Play { obeys: None, dies: None, ..Play::default() };
    let mut world = World::new(chain()).play("db", &[undead]).booted();
    shut_down(&mut world, s(60));
    let story = from_shutdown(&world);
    assert_eq!(only(&story, "done"), ["70.0 done"]);
    assert_eq!(world.state("db"), StateKind::Stuck);
    assert_eq!(world.state("net"), StateKind::Exited, "it was not held back");
}

#[test]
fn powers_off_within_the_deadline_from_every_state() {
    let names = ["waiting", "starting", "running", "held", "backoff", "kill", "clean", "stuck", "finished"];
    let mut all: Vec<(&str, &[&str])> = names.iter().map(|name| (*name, &[][..])).collect();
    all[0].1 = &["starting"];
    all.push(("leaf", &["held"]));
    let mut config = config(&all);
    config.invalid.insert("invalid".into(), vec!["wrong".into()]);
    config.containers.get_mut("backoff").unwrap().restart = Restart::Always;
    config.containers.get_mut("leaf").unwrap().stop_grace_period = s(3600);
    let undead = Play { dies: None, ..deaf() };
    let mut world = World::new(config)
        .play("starting", &[Play { start: s(20), ..Play::default() }])
        .play("running", &[deaf()])
        .play("leaf", &[deaf()])
        .play("backoff", &[Play::exits(ms(10), 1)])
        .play("kill", std::slice::from_ref(&undead))
        .play("clean", &[Play { empties: Some(s(30)), ..Play::exits(s(8), 0) }])
        .play("stuck", &[Play { empties: None, ..Play::exits(s(1), 1) }])
        .play("finished", &[Play::exits(s(1), 0)])
        .booted();
    world.run_until(s(9));
    for name in ["leaf", "held"] {
        world.tell(Event::Stop { name: name.into() });
    }
    world.config.containers.clear();
    shut_down(&mut world, s(20));
    let story = world.story();
    assert_eq!(only(&story, "done "), [""; 0]);
    assert_eq!(story.iter().filter(|line| line.ends_with(" done")).count(), 1);
    assert!(story.contains(&"30.0 done".into()), "{story:#?}");
    let up: Vec<String> = world.core.statuses().filter(|it| !it.state.is_down()).map(|it| it.name).collect();
    assert_eq!(up, ["kill", "stuck"]);
}

#[test]
fn asked_again_the_deadline_only_shrinks() {
    let mut world = World::new(chain()).play("app", &[deaf()]).booted();
    world.run_until(s(10));
    assert_eq!(world.tell(Event::Shutdown { deadline: s(70) }), Outcome::Done);
    let later = world.tell(Event::Shutdown { deadline: s(700) });
    let expected = "the machine is shutting down already, by an earlier deadline";
    assert_eq!(later, Outcome::Ignored(expected));
    world.run_until(s(11));
    assert_eq!(world.tell(Event::Shutdown { deadline: s(13) }), Outcome::Done);
    world.run_until(s(100));
    let story = from_shutdown(&world);
    let done = only(&story, "done");
    assert!(done.len() == 1 && done[0].as_str() < "13.1", "{story:#?}");
    assert_eq!(only(&story, "signal 15 app").len(), 1, "it is not asked twice");
}

#[test]
fn a_deadline_in_the_past_kills_everything_at_once() {
    let mut world = World::new(chain()).play("app", &[deaf()]).booted();
    world.run_until(s(10));
    world.tell(Event::Shutdown { deadline: s(5) });
    let story = from_shutdown(&world);
    assert_eq!(only(&story, "kill").len(), 4);
    assert_eq!(only(&story, "done"), ["10.0 done"]);
}

#[test]
fn what_is_not_adopted_in_time_is_killed_with_the_rest() {
    let mut world = World::new(chain()).booted();
    world.run_until(s(10));
    let running = world.disk.records["app"].clone();
    let mut stopping = running.clone();
    stopping.state = "stopping".into();
    (stopping.phase, stopping.why) = (Some("term".into()), Some("stop".into()));
    stopping.until_us = Some(700_000_000);
    for record in [running, stopping] {
        let mut sup = Supervisor::new(s(10), &chain(), 7);
        sup.handle(s(10), Event::Shutdown { deadline: s(20) });
        let found = Some(Found::Alive { pid: 9, pidfd_inode: 9 });
        sup.handle(s(10), Event::Adopted { record: Box::new(record), found });
        assert_eq!(sup.poll_timeout(), Some(s(19)), "a tenth is left for the kill");
        sup.handle(s(19), Event::Tick);
        let effects: Vec<Effect> = core::iter::from_fn(|| sup.poll_effect()).collect();
        let kill = Effect::KillCgroup { name: "app".into(), generation: 1 };
        assert!(effects.contains(&kill), "{effects:?}");
        sup.handle(s(20), Event::Tick);
        let effects: Vec<Effect> = core::iter::from_fn(|| sup.poll_effect()).collect();
        assert_eq!(effects.last(), Some(&Effect::ShutdownDone));
    }
}

#[test]
fn what_crashed_just_before_keeps_its_own_cause() {
    let mut config = chain();
    config.containers.get_mut("app").unwrap().restart = Restart::Always;
    let slow = Play { empties: Some(s(1)), ..Play::exits(s(8), 1) };
    let mut world = World::new(config).play("app", &[slow]).booted();
    world.run_until(s(9) + ms(500));
    world.tell(Event::Shutdown { deadline: s(60) });
    world.run_until(s(60));
    assert_eq!(world.state("app"), StateKind::Failed);
    assert_eq!(world.cause("app"), "exited with code 1");
    assert_eq!(world.starts("app").len(), 1);
}

#[test]
fn nothing_starts_any_more() {
    let mut config = chain();
    for container in config.containers.values_mut() {
        container.restart = Restart::Always;
    }
    let mut world = World::new(config).play("other", &[Play::exits(ms(50), 1)]).booted();
    world.run_until(s(10));
    world.tell(Event::Restart { name: "db".into() });
    let starts = |world: &World| world.asked().filter(|(_, it)| matches!(it, Effect::Start { .. })).count();
    let before = starts(&world);
    shut_down(&mut world, s(60));
    assert_eq!(starts(&world), before);
    assert_eq!(world.cause("other"), "was stopped by the shutdown");
}

#[test]
fn waits_for_adoption_before_it_says_done() {
    let mut world = World::new(chain());
    world.tell(Event::Shutdown { deadline: s(60) });
    assert_eq!(world.story(), [""; 0]);
    world.tell(Event::Booted);
    assert_eq!(world.story(), ["1.0 done"]);
}
