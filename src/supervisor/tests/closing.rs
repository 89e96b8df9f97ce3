//! How far a shutdown has come, as people are told.

use super::declared::{config, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

fn world() -> World {
    let deaf = Play { obeys: None, ..Play::default() };
    let config = config(&[("app", &["db"]), ("db", &["net"]), ("net", &[]), ("quick", &[])]);
    let mut world = World::new(config).play("app", &[deaf]).booted();
    world.run_until(s(10));
    world.tell(Event::Shutdown { deadline: s(70) });
    world
}

fn stages(world: &World) -> Vec<(String, Stage)> {
    let closing = world.core.closing().unwrap();
    closing.containers.into_iter().map(|leaving| (leaving.name, leaving.stage)).collect()
}

#[test]
fn who_is_up_still_is_told_with_what_it_waits_for() {
    let mut world = world();
    world.run_for(s(1));
    let mut found = stages(&world);
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let expected =
        [("app", Stage::Asked), ("db", Stage::Waits), ("net", Stage::Waits), ("quick", Stage::Gone)];
    assert_eq!(found, expected.map(|(name, stage)| (name.to_string(), stage)));
    let closing = world.core.closing().unwrap();
    assert_eq!((closing.began, closing.deadline, closing.done), (s(10), s(70), None));
    let expected = "59 s left; up still: app (asked to end, 9 s more), db (after app), net (after db, app)";
    assert_eq!(closing.progress(world.now).unwrap(), expected);
    assert!(closing.summary().is_empty(), "it is not over");
}

#[test]
fn who_had_to_be_killed_is_told_when_it_is_over() {
    let mut world = world();
    world.run_for(s(60));
    let closing = world.core.closing().unwrap();
    assert_eq!(closing.progress(world.now), None);
    assert_eq!(closing.summary(), ["all is down after 10.2 s", "app did not end within 10 s and was killed"]);
    let trace = |name: &str| closing.containers.iter().find(|it| it.name == name).unwrap().trace;
    let app = trace("app");
    assert_eq!((app.asked, app.killed), (Some(s(10)), Some(s(20))));
    assert_eq!(trace("quick"), Trace { asked: Some(s(10)), killed: None, gone: Some(ms(10_101)) });
}

#[test]
fn who_does_not_go_is_told() {
    let undead = Play { obeys: None, dies: None, ..Play::default() };
    let mut world = World::new(config(&[("web", &[])])).play("web", &[undead]).booted();
    world.run_until(s(10));
    world.tell(Event::Shutdown { deadline: s(20) });
    world.run_until(s(30));
    let closing = world.core.closing().unwrap();
    assert_eq!(closing.summary()[0], "the time is over after 10 s; up still: web");
    assert!(closing.progress(world.now).unwrap().ends_with("web (killed, and does not go)"));
}

#[test]
fn a_line_names_no_more_than_a_console_has_room_for() {
    let names: Vec<String> = (0..20).map(|number| format!("c{number:02}")).collect();
    let all: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let mut world = World::new(config(&all)).booted();
    world.run_until(s(100));
    world.tell(Event::Shutdown { deadline: s(160) });
    let line = world.core.closing().unwrap().progress(world.now).unwrap();
    assert!(line.ends_with(", and 14 more"), "{line}");
}

#[test]
fn there_is_none_before_one_begins() {
    assert_eq!(World::new(config(&[("web", &[])])).booted().core.closing(), None);
}
