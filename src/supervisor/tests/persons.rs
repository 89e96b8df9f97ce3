//! What a person asks for: start, stop, restart, kill; and what cannot be.

use super::declared::{config, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

fn world(plays: &[Play]) -> World {
    let mut config = config(&[("web", &[])]);
    config.containers.get_mut("web").unwrap().restart = Restart::Always;
    World::new(config).play("web", plays).booted()
}

fn web() -> String {
    "web".into()
}

fn running(plays: &[Play]) -> World {
    let mut world = world(plays);
    world.run_until(s(2));
    world
}

#[test]
fn stop_signals_waits_and_cleans_up() {
    let mut world = running(&[]);
    assert_eq!(world.tell(Event::Stop { name: web() }), Outcome::Done);
    world.run_until(s(60));
    let story = world.story();
    assert_eq!(story, ["1.0 start web", "2.0 signal 15 web", "2.1 kill web", "2.1 clean web"]);
    let status = world.status("web");
    assert_eq!((status.state, status.wanted), (StateKind::Exited, Wanted::Down));
    assert_eq!(status.exit_code, Some(128 + 15));
    assert_eq!(world.cause("web"), "was stopped by a person and was killed by SIGTERM");
}

#[test]
fn the_stop_signal_is_the_declarations_else_the_images_else_term() {
    let check = |declared, image, expected| {
        let mut config = config(&[("web", &[])]);
        config.containers.get_mut("web").unwrap().stop_signal = declared;
        let mut world = World::new(config).booted();
        let (name, stop_signal) = (web(), image);
        world.tell(Event::Started { name, generation: 1, pid: 5, pidfd_inode: 5, stop_signal, check: None });
        world.tell(Event::Stop { name: web() });
        let signals: Vec<i32> = world
            .asked()
            .filter_map(|(_, effect)| match effect {
                Effect::Signal { signal, .. } => Some(*signal),
                _ => None,
            })
            .collect();
        assert_eq!(signals, [expected]);
    };
    check(None, None, 15);
    check(None, Some(3), 3);
    check(Some(2), Some(3), 2);
}

#[test]
fn one_that_ignores_its_stop_signal_is_killed_after_its_grace_period() {
    let deaf = Play { obeys: None, ..Play::default() };
    let mut world = running(&[deaf]);
    world.tell(Event::Stop { name: web() });
    world.run_until(s(60));
    let story = world.story();
    assert_eq!(story[1..], ["2.0 signal 15 web", "12.0 kill web", "12.0 clean web"]);
    assert_eq!(world.cause("web"), "was stopped by a person and was killed by SIGKILL");
}

#[test]
fn one_that_survives_the_kill_is_stuck_and_still_awaited() {
    let undead = Play { obeys: None, dies: None, ..Play::default() };
    let mut world = running(&[undead]);
    world.tell(Event::Stop { name: web() });
    world.run_until(s(60));
    assert_eq!(world.state("web"), StateKind::Stuck);
    let (name, exit) = (web(), Exit::Signal(9));
    world.tell(Event::Ended { name, generation: 1, exit, oom: None, at: s(60) });
    world.run_until(s(61));
    assert_eq!(world.state("web"), StateKind::Exited);
}

#[test]
fn one_that_cannot_be_signalled_is_killed_at_once() {
    let mut world = running(&[Play { obeys: None, ..Play::default() }]);
    world.tell(Event::Stop { name: web() });
    world.tell(Event::SignalFailed { name: web(), generation: 1 });
    world.run_until(s(3));
    assert_eq!(world.state("web"), StateKind::Exited);
}

#[test]
fn a_kill_that_fails_is_tried_again() {
    let mut world = running(&[Play { obeys: None, dies: None, ..Play::default() }]);
    world.tell(Event::Stop { name: web() });
    world.run_until(s(12));
    world.tell(Event::KillFailed { name: web(), generation: 1, text: "Input/output error".into() });
    assert_eq!(world.cause("web"), "was killed and is not gone: Input/output error");
    world.run_until(s(30));
    assert_eq!(world.story()[2..], ["12.0 kill web", "22.0 kill web"]);
}

#[test]
fn stop_works_in_every_state() {
    let check = |world: &mut World, expected: StateKind| {
        world.tell(Event::Stop { name: web() });
        world.run_for(s(100));
        assert_eq!(world.state("web"), expected);
        assert!(!world.exists("web"));
        let starts = world.starts("web").len();
        world.run_for(s(1000));
        assert_eq!(world.starts("web").len(), starts, "it stays down");
    };
    let mut waiting = World::new(config(&[("web", &["db"]), ("db", &[])]))
        .play("db", &[Play { start: s(5), ..Play::default() }])
        .booted();
    check(&mut waiting, StateKind::Exited);
    let mut starting = world(&[Play { start: s(5), ..Play::default() }]);
    check(&mut starting, StateKind::Exited);
    check(&mut running(&[]), StateKind::Exited);
    let mut backoff = world(&[Play::exits(ms(500), 1)]);
    backoff.run_until(s(1) + ms(600));
    assert_eq!(backoff.state("web"), StateKind::Backoff);
    check(&mut backoff, StateKind::Exited);
    let mut cleaning = world(&[Play { empties: Some(s(3)), ..Play::exits(ms(500), 1) }]);
    cleaning.run_until(s(2));
    assert_eq!(cleaning.state("web"), StateKind::Stopping);
    check(&mut cleaning, StateKind::Exited);
    let mut stuck = world(&[Play { empties: Some(s(30)), ..Play::exits(ms(500), 1) }]);
    stuck.run_until(s(10));
    assert_eq!(stuck.state("web"), StateKind::Stuck);
    check(&mut stuck, StateKind::Exited);
}

#[test]
fn a_stop_during_a_start_kills_the_start() {
    let mut world = world(&[Play { start: s(5), ..Play::default() }]);
    world.run_until(s(2));
    world.tell(Event::Stop { name: web() });
    world.run_until(s(3));
    assert_eq!(world.story(), ["1.0 start web", "2.0 kill web", "2.0 clean web"]);
}

#[test]
fn a_start_while_it_stops_happens_after_the_empty_cgroup() {
    let mut world = running(&[Play { obeys: Some(s(2)), empties: Some(s(1)), ..Play::default() }]);
    world.tell(Event::Stop { name: web() });
    world.run_until(s(3));
    assert_eq!(world.tell(Event::Start { name: web() }), Outcome::Done);
    assert_eq!(world.starts("web"), [s(1)]);
    world.run_until(s(10));
    assert_eq!(world.starts("web"), [s(1), s(5)]);
    assert_eq!(world.status("web").wanted, Wanted::Up);
}

#[test]
fn the_last_word_counts() {
    let mut world = running(&[Play { obeys: Some(s(2)), ..Play::default() }]);
    for event in [Event::Stop { name: web() }, Event::Start { name: web() }] {
        world.tell(event);
    }
    world.tell(Event::Stop { name: web() });
    world.run_until(s(100));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Exited, 1));
}

#[test]
fn restart_stops_then_starts_and_is_counted_apart() {
    let mut world = running(&[]);
    world.tell(Event::Restart { name: web() });
    world.run_until(s(3));
    let story = world.story();
    assert_eq!(story[1..], ["2.0 signal 15 web", "2.1 kill web", "2.1 clean web", "2.1 start web"]);
    let status = world.status("web");
    assert_eq!((status.restarts, status.restarts_asked, status.generation), (0, 1, 2));
    assert_eq!(world.cause("web"), "was restarted by a person and was killed by SIGTERM");
}

#[test]
fn restart_brings_up_what_is_down() {
    let mut world = world(&[Play::exits(ms(100), 1), Play::default()]);
    world.run_until(s(1) + ms(200));
    assert_eq!(world.state("web"), StateKind::Backoff);
    world.tell(Event::Restart { name: web() });
    world.run_for(ms(20));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn kill_sends_the_signal_and_the_policy_decides_the_rest() {
    let mut world = running(&[]);
    let kill = |signal| Event::Kill { name: web(), signal };
    assert_eq!(world.tell(kill(1)), Outcome::Done);
    world.run_until(s(5));
    assert_eq!(world.state("web"), StateKind::Running);
    assert_eq!(world.status("web").restarts, 1);
    assert_eq!(world.cause("web"), "was killed by SIGHUP");
    assert_eq!(world.tell(kill(9)), Outcome::Done);
    world.run_until(s(6));
    assert_eq!(world.cause("web"), "was killed by SIGKILL");
}

#[test]
fn refuses_what_cannot_be_and_says_why() {
    let mut config = config(&[("web", &[])]);
    config.invalid.insert("bad".into(), vec!["its image is missing".into(), "no ports".into()]);
    let mut world = World::new(config).booted();
    world.run_until(s(2));
    let name = |name: &str| String::from(name);
    let mut check = |event, expected: &str| match world.tell(event) {
        Outcome::Refused(refusal) => assert_eq!(refusal.to_string(), expected),
        other => panic!("{other:?}"),
    };
    check(Event::Start { name: name("wed") }, "no container is named \"wed\"");
    check(Event::Stop { name: name("wed") }, "no container is named \"wed\"");
    check(Event::Restart { name: name("wed") }, "no container is named \"wed\"");
    check(Event::Kill { name: name("wed"), signal: 1 }, "no container is named \"wed\"");
    check(Event::Start { name: name("bad") }, "bad cannot run: its image is missing; no ports");
    check(Event::Restart { name: name("bad") }, "bad cannot run: its image is missing; no ports");
    check(Event::Kill { name: name("web"), signal: 0 }, "0 is not a signal (1 to 64)");
    check(Event::Kill { name: name("web"), signal: 65 }, "65 is not a signal (1 to 64)");
    check(Event::Kill { name: name("bad"), signal: 1 }, "bad is not running, it is invalid");
    world.tell(Event::Shutdown { deadline: s(60) });
    let mut check = |event, expected: &str| match world.tell(event) {
        Outcome::Refused(refusal) => assert_eq!(refusal.to_string(), expected),
        other => panic!("{other:?}"),
    };
    check(Event::Start { name: name("web") }, "the machine is shutting down");
    check(Event::Restart { name: name("web") }, "the machine is shutting down");
}

#[test]
fn asking_for_what_is_changes_nothing() {
    let mut world = running(&[]);
    let start = Event::Start { name: web() };
    assert_eq!(world.tell(start), Outcome::Ignored("it is up already"));
    world.tell(Event::Stop { name: web() });
    let stop = Event::Stop { name: web() };
    assert_eq!(world.tell(stop), Outcome::Ignored("it is not wanted already"));
    assert_eq!(world.starts("web").len(), 1);
}
