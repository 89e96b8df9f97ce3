//! Starts in flight, and starts a second, whoever asks for them.

use super::declared::{config, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

#[test]
fn one_loop_does_not_delay_the_others() {
    let names: Vec<String> = (0..100).map(|n| format!("loop{n:03}")).collect();
    let mut all: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    all.push(("web", &[]));
    let mut config = config(&all);
    for container in config.containers.values_mut() {
        container.restart = Restart::Always;
        container.restart_policy.delay = ms(0);
        container.restart_policy.max_delay = ms(0);
    }
    let mut world = World::new(config);
    for name in &names {
        world = world.play(name, &[Play::exits(ms(0), 1)]);
    }
    let mut world = world.play("web", &[Play::exits(s(11), 1), Play::default()]).booted();
    world.run_until(s(12));
    let before = world.asked().filter(|(at, effect)| *at > s(7) && is_start(effect)).count();
    assert!((240..=260).contains(&before), "{before} starts in 5 s");
    world.run_until(s(13));
    let starts = world.starts("web");
    let ended = starts[0] + ms(10) + s(11);
    assert!(starts[1] - ended < ms(50), "{starts:?}");
}

#[test]
fn no_more_starts_are_in_flight_than_the_machine_can_bear() {
    let names: Vec<String> = (0..100).map(|n| format!("c{n:02}")).collect();
    let all: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let mut world = World::new(config(&all)).booted();
    let mut most = 0;
    while world.step(s(5)) {
        let starting = world.core.statuses().filter(|it| it.state == StateKind::Starting).count();
        most = most.max(starting);
    }
    assert_eq!(most, MAX_IN_FLIGHT);
    assert!(world.core.statuses().all(|it| it.state == StateKind::Running));
    let last = world.asked().filter(|(_, it)| is_start(it)).map(|(at, _)| at).max();
    assert!(last.unwrap() <= s(1) + ms(70), "a hundred starts are one burst: {last:?}");
}

fn is_start(effect: &Effect) -> bool {
    matches!(effect, Effect::Start { .. })
}
