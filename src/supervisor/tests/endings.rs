//! Each end is told once, with what there is to know; and since when a state is, is known to every supervisor.

use super::declared::{config, failure, ms, s};
use super::world::{Play, World};
use super::*;
use crate::config::Restart;

fn world(plays: &[Play]) -> World {
    let mut config = config(&[("web", &[])]);
    config.containers.get_mut("web").unwrap().restart = Restart::Always;
    World::new(config).play("web", plays).booted()
}

/// Generation, whether it ran, its exit, its cause; and whether the times are in order.
fn endings(world: &World) -> Vec<(u64, bool, Option<Exit>, String)> {
    let told = world.asked().filter_map(|(at, effect)| match effect {
        Effect::Over { name, ending } if name == "web" => {
            let Ending { generation, started_at, ended_at, exit, cause, .. } = &**ending;
            assert!(*ended_at <= at && started_at.is_none_or(|started| started <= *ended_at), "{ending:?}");
            Some((*generation, started_at.is_some(), *exit, cause.text.clone()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn each_end_is_told_once_when_nothing_is_left_of_it() {
    let fails = Play { fails: Some(Fault::Permanent), ..Play::default() };
    let mut world = world(&[Play::exits(ms(100), 1), fails, Play::default()]);
    world.run_for(s(20));
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(20));
    assert_eq!(world.state("web"), StateKind::Exited);
    let found = endings(&world);
    assert_eq!(found[0], (1, true, Some(Exit::Code(1)), "exited with code 1".into()));
    assert_eq!((found[1].0, found[1].1, found[1].2), (2, false, None));
    assert_eq!(found[1].3, Cause::start(&failure(Fault::Permanent)).text);
    let (generation, ran, exit, cause) = &found[2];
    assert_eq!((*generation, *ran, found.len()), (3, true, 3));
    assert!(exit.is_some() && cause.starts_with("was stopped by a person"), "{cause}");
}

#[test]
fn an_end_is_told_by_the_next_supervisor_when_one_dies_while_it_is_cleaned_up() {
    let slow = Play { empties: Some(s(3)), ..Play::exits(ms(100), 7) };
    let mut world = world(&[slow, Play::default()]);
    world.run_for(s(2));
    assert_eq!((world.state("web"), endings(&world).len()), (StateKind::Stopping, 0));
    world.crash();
    world.run_for(s(5));
    assert_eq!(endings(&world), [(1, true, Some(Exit::Code(7)), "exited with code 7".into())]);
}

#[test]
fn the_beginning_of_a_state_outlives_a_supervisor() {
    let mut world = world(&[Play::default()]);
    world.run_for(s(60));
    let since = world.status("web").since;
    assert!(since < s(3), "{since:?}");
    world.crash_for(s(5));
    world.run_for(s(10));
    assert_eq!((world.state("web"), world.status("web").since), (StateKind::Running, since));
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(20));
    assert!(world.status("web").since > s(60), "another state has another beginning");
    assert_eq!(world.status("web").next, Next::Person);
}

#[test]
fn what_is_stuck_says_what_it_hangs_on() {
    let mut world = world(&[Play { dies: None, obeys: None, ..Play::default() }]);
    world.run_for(s(5));
    let hangs = |generation| {
        let text = String::from("left are process 7 (cat, state D) in pipe_read");
        Event::Hangs { name: "web".into(), generation, text }
    };
    assert!(matches!(world.tell(hangs(1)), Outcome::Ignored(_)), "it is not stuck");
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(30));
    assert_eq!(world.state("web"), StateKind::Stuck);
    assert!(matches!(world.tell(hangs(9)), Outcome::Ignored(_)), "of another generation");
    assert_eq!(world.tell(hangs(1)), Outcome::Done);
    let expected = "was killed and is not gone: left are process 7 (cat, state D) in pipe_read";
    assert_eq!(world.cause("web"), expected);
    world.crash();
    world.run_for(s(30));
    assert_eq!(world.state("web"), StateKind::Stuck);
}

#[test]
fn one_that_is_stuck_is_replaced_when_a_person_says_so_and_not_before() {
    let set_aside = || Event::SetAside { name: "web".into(), generation: 1 };
    let hangs = Play { dies: None, obeys: None, ..Play::default() };
    let mut world = world(&[hangs.clone(), Play::default()]);
    world.run_for(s(5));
    assert!(matches!(world.tell(set_aside()), Outcome::Ignored(_)), "it runs");
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(60));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Stuck, 1));
    world.set_aside("web");
    world.run_for(s(5));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Running, 2));
    assert_eq!(world.status("web").wanted, Wanted::Up);
    assert_eq!(endings(&world).len(), 1);

    // Also when the empty cgroup is heard of first.
    let lingers = Play { empties: None, ..Play::default() };
    let mut world = World::new(config(&[("web", &[])])).play("web", &[lingers, Play::default()]).booted();
    world.run_for(s(5));
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(60));
    assert_eq!(world.state("web"), StateKind::Stuck);
    world.set_aside("web");
    world.run_for(s(5));
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Running, 2));

    // Nothing comes up any more while the machine ends.
    let mut world = World::new(config(&[("web", &[])])).play("web", &[hangs]).booted();
    world.run_for(s(5));
    world.tell(Event::Stop { name: "web".into() });
    world.run_for(s(60));
    let deadline = world.now + s(60);
    world.tell(Event::Shutdown { deadline });
    world.set_aside("web");
    world.run_for(s(1));
    assert_eq!(world.state("web"), StateKind::Exited);
    assert!(world.story().last().unwrap().ends_with("done"), "{:?}", world.story());
}
