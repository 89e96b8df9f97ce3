//! Groups: one name for several, and one failure budget.

use super::declared::{declared, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

const SHOP: &str = "[container.db]\n[container.web]\ndepends_on = ['db']\n[container.other]\n\
                    [group.shop]\ncontainers = ['web', 'db']\n";

fn shop(budget: &str, web: &[Play]) -> World {
    let restart = "restart = 'always'\nrestart_policy = { delay = '1s', max_delay = '10s' }\n";
    let text = SHOP.replace("depends_on", &format!("{restart}depends_on"));
    let text = text.replace("[container.web]", &format!("{restart}[container.web]"));
    let text = format!("{text}{budget}");
    World::new(declared(&text)).play("web", web).booted()
}

fn states(world: &World) -> [StateKind; 3] {
    ["db", "web", "other"].map(|name| world.state(name))
}

fn deeds(world: &World) -> Vec<String> {
    world.story().iter().map(|deed| deed.split_once(' ').unwrap().1.into()).collect()
}

use StateKind::{Exited, Failed, Running};

#[test]
fn what_a_person_asks_of_a_group_happens_to_all_of_it_in_order() {
    let mut world = World::new(declared(SHOP)).booted();
    world.run_for(s(5));
    world.log.clear();
    assert_eq!(world.tell(Event::Restart { name: "shop".into() }), Outcome::Done);
    world.run_for(s(5));
    let expected = [
        "signal 15 web",
        "kill web",
        "clean web",
        "signal 15 db",
        "start web",
        "kill db",
        "clean db",
        "start db",
    ];
    let mut done = deeds(&world);
    let mut wanted = expected.map(String::from).to_vec();
    assert_eq!((done[0].as_str(), states(&world)), ("signal 15 web", [Running; 3]));
    done.sort();
    wanted.sort();
    assert_eq!(done, wanted);
    assert_eq!(world.tell(Event::Stop { name: "shop".into() }), Outcome::Done);
    world.run_for(s(5));
    assert_eq!(states(&world), [Exited, Exited, Running]);
    assert!(matches!(world.tell(Event::Stop { name: "shop".into() }), Outcome::Ignored(_)));
    assert_eq!(world.tell(Event::Start { name: "shop".into() }), Outcome::Done);
    world.run_for(s(5));
    assert_eq!(states(&world), [Running; 3]);
    assert_eq!(world.status("web").group.as_deref(), Some("shop"));
    let nobody = world.tell(Event::Stop { name: "shops".into() });
    assert_eq!(nobody, Outcome::Refused(Refusal::Unknown { name: "shops".into() }));
}

#[test]
fn a_group_that_fails_too_often_is_restarted_as_one() {
    let budget = "restart_policy = { max_attempts = 2, window = '1h', then = 'restart-group' }";
    let fails = Play::exits(s(2), 1);
    let mut world = shop(budget, &[fails.clone(), fails, Play::default()]);
    world.run_until(s(4));
    world.crash();
    world.run_until(s(60));
    assert_eq!(states(&world), [Running; 3]);
    let starts = |name| world.starts(name).len();
    assert_eq!((starts("db"), starts("web"), starts("other")), (2, 3, 1));
    let news = world.news("db");
    assert!(news.iter().any(|it| it.contains("was restarted with its group shop")), "{news:?}");
}

#[test]
fn a_group_that_fails_too_often_is_given_up_and_a_person_starts_it() {
    let budget = "restart_policy = { max_attempts = 3, window = '1h', then = 'fail' }";
    let mut world = shop(budget, &[Play::exits(s(2), 1)]);
    world.run_until(s(60));
    assert_eq!(states(&world), [Failed, Failed, Running]);
    assert!(world.cause("db").starts_with("was stopped, because its group shop failed too often"));
    assert_eq!(world.starts("web").len(), 3);
    world.tell(Event::Start { name: "shop".into() });
    world.run_for(s(1));
    assert_eq!(states(&world), [Running; 3]);
}

#[test]
fn a_group_that_holds_and_failures_that_are_old() {
    let budget = "restart_policy = { max_attempts = 3, window = '1h' }";
    let mut world = shop(budget, &[Play::exits(s(1), 1)]);
    world.run_until(s(300));
    let starts = world.starts("web");
    let pauses: Vec<u64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(pauses[2..].iter().all(|pause| (9..=13).contains(pause)), "{pauses:?}");
    let mut world =
        shop("restart_policy = { max_attempts = 3, window = '1s', then = 'fail' }", &[Play::exits(s(1), 1)]);
    world.run_until(s(300));
    assert!(matches!(world.state("web"), StateKind::Backoff | StateKind::Running), "{:?}", states(&world));
}

#[test]
fn a_container_may_restart_its_group_when_its_own_budget_is_spent() {
    let own = "restart = 'always'\nrestart_policy = { delay = '1s', max_attempts = 2, window = '1h', then = 'restart-group' }\n";
    let text = SHOP.replace("depends_on", &format!("{own}depends_on"));
    let fails = Play::exits(s(2), 1);
    let plays = [fails.clone(), fails, Play::default()];
    let mut world = World::new(declared(&text)).play("web", &plays).booted();
    world.run_until(s(60));
    assert_eq!(states(&world), [Running; 3]);
    assert_eq!((world.starts("db").len(), world.starts("web").len()), (2, 3));
}
