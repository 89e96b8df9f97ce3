//! Another configuration while containers run: what changes, what does not, and a supervisor that dies in between.

use proptest::prelude::*;

use super::declared::{declared, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

const TWO: &str = "[container.db]\nstop_signal = 'SIGQUIT'\n[container.web]\ndepends_on = ['db']\n";

fn running(text: &str) -> World {
    let mut world = World::new(declared(text)).booted();
    world.run_for(s(5));
    world.log.clear();
    world
}

/// What is done when one configuration takes the place of the other.
#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) -> World {
    let mut world = running(old);
    assert_eq!(world.reload(declared(new), usize::MAX), !expected.is_empty() || old != new);
    world.run_for(s(5));
    let done: Vec<String> = world.story().iter().map(|deed| deed.split_once(' ').unwrap().1.into()).collect();
    assert_eq!(done, expected);
    assert!(!world.reload(declared(new), usize::MAX), "twice");
    world
}

#[test]
fn only_what_changed_is_replaced() {
    check(TWO, TWO, &[]);
    let new = TWO.replace("[container.web]", "[container.web]\ncommand = 'other'");
    let world = check(TWO, &new, &["signal 15 web", "kill web", "clean web", "start web"]);
    assert_eq!(world.state("web"), StateKind::Running);
    let news = world.news("web");
    assert!(news[1].contains("was restarted by a reload"), "{news:?}");
    assert_eq!(world.status("web").restarts, 0, "nobody's failure");
}

#[test]
fn dependencies_are_there_anew_before_who_depends_on_them() {
    let new = "[container.db]\ncommand = 'other'\n[container.web]\ndepends_on = ['db']\nuser = 'web'\n";
    let stops = ["signal 15 web", "kill web", "clean web", "signal 15 db", "kill db", "clean db"];
    let old = TWO.replace("stop_signal = 'SIGQUIT'\n", "");
    check(&old, new, &[&stops[..], &["start db", "start web"]].concat());
}

#[test]
fn what_can_be_changed_live_is() {
    let old = "[container.web]\nrestart = 'no'\n";
    let mut world = running(old);
    assert!(world.reload(declared("[container.web]\nrestart = 'always'\n"), usize::MAX));
    assert_eq!(world.story(), [""; 0]);
    let generation = world.status("web").generation;
    let exit = Exit::Code(0);
    let at = world.now;
    world.tell(Event::Ended { name: "web".into(), generation, exit, oom: None, at });
    world.tell(Event::Emptied { name: "web".into(), generation });
    assert_eq!(world.state("web"), StateKind::Backoff);
}

#[test]
fn a_health_check_is_changed_while_it_runs() {
    let old = "[container.web]\nhealthcheck = { tcp = 80, interval = '1h' }\n";
    let mut world = running(old);
    assert!(world.reload(declared("[container.web]\n"), usize::MAX));
    assert_eq!(world.status("web").health, Health::None);
    assert!(world.reload(declared(old), usize::MAX));
    assert_eq!(world.status("web").health, Health::Starting);
    assert_eq!(world.story(), ["6.0 probe web"]);
}

#[test]
fn it_is_stopped_as_it_was_started_and_started_as_it_is_declared() {
    let old = "[container.db]\nstop_signal = 'SIGQUIT'\nstop_grace_period = '3s'\n";
    let new = "[container.db]\nstop_signal = 'SIGUSR1'\ncommand = 'other'\n";
    let mut world = check(old, new, &["signal 3 db", "kill db", "clean db", "start db"]);
    world.log.clear();
    world.tell(Event::Stop { name: "db".into() });
    assert!(world.story()[0].ends_with("signal 10 db"));
    // Alone it is no reason to stop anything.
    check(old, &old.replace("SIGQUIT", "SIGUSR1"), &[]);
}

#[test]
fn what_is_not_declared_any_more_is_stopped_in_order_and_forgotten() {
    let stops = ["signal 15 web", "kill web", "clean web", "signal 3 db", "kill db", "clean db"];
    let mut world = running(TWO);
    world.reload(declared(""), usize::MAX);
    world.run_for(s(5));
    let done: Vec<String> = world.story().iter().map(|deed| deed.split_once(' ').unwrap().1.into()).collect();
    assert_eq!(done.iter().filter(|deed| !deed.starts_with("forget")).collect::<Vec<_>>(), stops);
    assert_eq!(world.core.statuses().count(), 0);
    assert!(world.disk.records.is_empty());
    world.crash();
    assert_eq!(world.core.statuses().count(), 0);
}

#[test]
fn one_that_comes_back_while_it_goes_is_started_again() {
    let mut world = running(TWO);
    world.reload(declared("[container.db]\nstop_signal = 'SIGQUIT'\n"), usize::MAX);
    assert_eq!(world.state("web"), StateKind::Stopping);
    let outcome = world.tell(Event::Start { name: "web".into() });
    assert!(matches!(outcome, Outcome::Refused(Refusal::Invalid { .. })), "{outcome:?}");
    world.reload(declared(TWO), usize::MAX);
    world.run_for(s(5));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Running, 1));
}

#[test]
fn a_persons_stop_outlives_it() {
    let mut world = running(TWO);
    world.tell(Event::Stop { name: "db".into() });
    world.run_for(s(5));
    world.log.clear();
    let new =
        TWO.replace("SIGQUIT", "SIGUSR1").replace("[container.db]", "[container.db]\ncommand = 'other'");
    world.reload(declared(&new), usize::MAX);
    world.run_for(s(5));
    assert_eq!((world.state("db"), world.story()), (StateKind::Exited, Vec::<String>::new()));
    world.tell(Event::Start { name: "db".into() });
    world.run_for(s(5));
    world.tell(Event::Stop { name: "db".into() });
    assert!(world.story().iter().any(|deed| deed.ends_with("signal 10 db")), "{:?}", world.story());
}

#[test]
fn another_declaration_gives_another_chance() {
    let old = "[container.web]\nrestart = 'no'\n";
    for (exit, state) in [(Exit::Code(1), StateKind::Failed), (Exit::Code(0), StateKind::Exited)] {
        let ends = Play { ends: Some((s(1), exit)), ..Play::default() };
        let mut world = World::new(declared(old)).play("web", &[ends]).booted();
        world.run_for(s(5));
        assert_eq!(world.state("web"), state);
        world.reload(declared(&(old.to_owned() + "labels = { a = 'b' }")), usize::MAX);
        assert_eq!(world.state("web"), state, "its program is the same");
        world.reload(declared(&(old.to_owned() + "command = 'other'")), usize::MAX);
        assert_eq!(world.state("web"), StateKind::Starting);
    }
}

#[test]
fn dependencies_may_turn_around() {
    let old = "[container.a]\ncommand = '1'\n[container.b]\ncommand = '1'\ndepends_on = ['a']\n";
    let new = "[container.a]\ncommand = '2'\ndepends_on = ['b']\n[container.b]\ncommand = '2'\n";
    let mut world = running(old);
    world.reload(declared(new), usize::MAX);
    world.run_for(s(5));
    for name in ["a", "b"] {
        assert_eq!((world.state(name), world.starts(name).len()), (StateKind::Running, 1), "{name}");
    }
    // Of one that goes and one that stays.
    let new = "[container.a]\ncommand = '2'\n[container.b]\ncommand = '3'\ndepends_on = ['a']\n";
    world.reload(declared(new), usize::MAX);
    world.run_for(s(5));
    assert_eq!((world.starts("a").len(), world.starts("b").len()), (1, 2));
}

#[test]
fn not_while_it_goes_down_or_takes_over() {
    let reload = || Event::Reload(Box::new(Reload { config: declared(""), numbers: Numbers::default() }));
    let mut world = World::new(declared(TWO));
    assert_eq!(world.tell(reload()), Outcome::Refused(Refusal::TakingOver));
    let mut world = running(TWO);
    let deadline = world.now + s(60);
    world.tell(Event::Shutdown { deadline });
    assert_eq!(world.tell(reload()), Outcome::Refused(Refusal::ShuttingDown));
}

#[test]
fn a_supervisor_that_dies_in_the_middle_is_followed_by_one_that_goes_on() {
    let old = format!("{TWO}[container.gone]\n[container.still]\n");
    let new = "[container.db]\ncommand = 'other'\n[container.web]\ndepends_on = ['db']\nuser = 'web'\n\
               [container.new]\n[container.still]\n";
    for effects in 0..12 {
        for steps in 0..12 {
            let mut world = running(&old);
            world.reload(declared(new), effects);
            if effects < 12 {
                world.crash();
            }
            for _ in 0..steps {
                let end = world.now + s(60);
                world.step(end);
            }
            world.crash();
            world.run_for(s(60));
            let at = format!("{effects} effects, then {steps} steps");
            let names: Vec<String> = world.core.statuses().map(|it| it.name).collect();
            assert_eq!(names, ["db", "new", "still", "web"], "{at}");
            for status in world.core.statuses() {
                assert_eq!(status.state, StateKind::Running, "{at}: {status:?}");
                let made = world.disk.records[&status.name].made;
                assert_eq!(made, u64::from(status.name != "still"), "{at}: {}", status.name);
            }
            assert!(world.starts("still").is_empty(), "{at}");
            assert!(!world.exists("gone"), "{at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_configuration_follows_any_other(
        texts in proptest::collection::vec(crate::supervisor::plan::tests::configs(), 2..5),
        dies_after in proptest::collection::vec(proptest::option::of(0..8_usize), 4),
    ) {
        let mut world = running(&texts[0]);
        for (text, dies) in texts.iter().skip(1).zip(&dies_after) {
            let config = declared(text);
            let planned = plan(&world.config, &config);
            let before: Vec<Status> = world.core.statuses().collect();
            world.log.clear();
            world.reload(config.clone(), dies.unwrap_or(usize::MAX));
            if dies.is_some() {
                world.crash();
            }
            world.run_for(s(120));
            let names: Vec<String> = world.core.statuses().map(|it| it.name).collect();
            let declared: Vec<String> = config.containers.keys().cloned().collect();
            prop_assert_eq!(&names, &declared);
            for status in world.core.statuses() {
                prop_assert_eq!(status.state, StateKind::Running, "{:?}", status);
                let started = !world.starts(&status.name).is_empty();
                let action = planned.containers.iter().find(|it| it.name == status.name).map(|it| it.action);
                let expected = matches!(action, Some(Action::Start | Action::Restart));
                prop_assert_eq!(started, expected, "{}: {:?}", status.name, before);
            }
            prop_assert!(!world.reload(config, usize::MAX));
        }
    }
}

#[test]
fn who_is_in_a_circle_with_one_that_goes_down_is_stopped_at_a_shutdown() {
    let old = "[container.x]\n[container.u]\ndepends_on = ['x']\n[container.above]\ndepends_on = ['x']\n";
    let new = "[container.x]\nimage = 'dir:rootfs'\n\
               depends_on = { u = { condition = 'started', required = false } }\n\
               [container.above]\nimage = 'dir:rootfs'\ndepends_on = ['x']\n";
    let stays = Play { obeys: None, ..Play::default() };
    let mut world = World::new(declared(old)).play("u", &[stays]).booted();
    world.run_for(s(5));
    let config = read(&[Source { path: "x".into(), text: new.into() }]).config;
    assert!(world.reload(config, usize::MAX));
    world.log.clear();
    let deadline = world.now + s(60);
    world.tell(Event::Shutdown { deadline });
    world.run_for(s(30));
    let done = world.story();
    for name in ["above", "x"] {
        assert!(done.iter().any(|deed| deed.ends_with(&format!("signal 15 {name}"))), "{done:?}");
    }
}
