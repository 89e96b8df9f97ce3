//! Images that cannot be used, and containers that are left alone.

use super::declared::{config, s};
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
fn an_unusable_image_is_looked_at_again_when_a_person_says_so() {
    let mut world = World::new(config(&[("web", &[])]));
    let reason = "layer 2 is truncated".into();
    world.tell(Event::ImageInvalid { name: web(), reason });
    world.tell(Event::Booted);
    world.run_until(s(10));
    assert_eq!(world.state("web"), StateKind::Invalid);
    assert_eq!(world.cause("web"), "cannot run, its image is unusable: layer 2 is truncated");
    assert_eq!(world.starts("web"), []);
    assert_eq!(world.tell(Event::Start { name: web() }), Outcome::Done);
    world.run_for(s(1));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn an_unusable_image_answers_a_start() {
    let mut world = world(&[Play { start: s(5), ..Play::default() }]);
    let reason = "no manifest".into();
    world.tell(Event::ImageInvalid { name: web(), reason });
    world.run_for(s(10));
    assert_eq!(world.state("web"), StateKind::Invalid);
    assert_eq!(world.cause("web"), "cannot run, its image is unusable: no manifest");
    assert!(!world.exists("web"));
}

#[test]
fn a_quarantined_one_runs_on_and_is_not_started_again() {
    let mut world = running(&[Play::exits(s(10), 1)]);
    let reason = "the supervisor died three times while it handled it".into();
    world.tell(Event::Quarantine { name: web(), reason });
    world.run_until(s(5));
    assert_eq!(world.state("web"), StateKind::Running);
    world.run_until(s(100));
    assert_eq!(world.state("web"), StateKind::Invalid);
    let expected = "is left alone: the supervisor died three times while it handled it";
    assert_eq!(world.cause("web"), expected);
}
