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
        "kill db",
        "clean db",
        "start db",
        "start web",
    ];
    assert_eq!((deeds(&world), states(&world)), (expected.map(String::from).to_vec(), [Running; 3]));
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

#[test]
fn the_failure_of_one_that_is_not_restarted_counts_too() {
    let text =
        format!("{SHOP}restart_policy = {{ max_attempts = 1, window = '1h', then = 'restart-group' }}");
    let plays = [Play::exits(s(2), 1), Play::default()];
    let mut world = World::new(declared(&text)).play("web", &plays).booted();
    world.run_until(s(60));
    assert_eq!(states(&world), [Running; 3]);
    assert_eq!((world.starts("db").len(), world.starts("web").len()), (2, 2));
}

#[test]
fn one_that_follows_another_down_does_not_come_back_in_a_group_that_failed() {
    let follows = "depends_on = { db = { condition = 'started', restart = true } }";
    let text = SHOP.replace("depends_on = ['db']", follows);
    let text = format!("{text}restart_policy = {{ max_attempts = 1, window = '1h', then = 'fail' }}");
    let slow = Play { obeys: Some(s(3)), ..Play::default() };
    let mut world =
        World::new(declared(&text)).play("db", &[Play::exits(s(2), 1)]).play("web", &[slow]).booted();
    world.run_until(s(60));
    assert_eq!(states(&world), [Failed, Failed, Running]);
}

#[test]
fn a_supervisor_that_dies_while_it_judges_a_group_leaves_nothing_half_judged() {
    let budget = "restart_policy = { max_attempts = 1, window = '1h', then = 'fail' }";
    for effects in 0..12 {
        let mut world = shop(budget, &[Play::exits(s(2), 1)]);
        while world.state("web") != StateKind::Stopping {
            let end = world.now + s(60);
            world.step(end);
        }
        let generation = world.status("web").generation;
        world.tell_and_do(Event::Emptied { name: "web".into(), generation }, effects);
        world.crash();
        world.run_for(s(60));
        assert_eq!(states(&world), [Failed, Failed, Running], "after {effects} effects");
    }
}

#[test]
fn one_that_is_not_restarted_by_itself_waits_longer_each_time_its_group_is() {
    let text =
        format!("{SHOP}restart_policy = {{ max_attempts = 1, window = '1h', then = 'restart-group' }}");
    let fails = Play { fails: Some(Fault::Permanent), ..Play::default() };
    let mut world = World::new(declared(&text)).play("web", &[fails]).booted();
    world.run_until(s(300));
    let starts = world.starts("web").len();
    assert!((10..40).contains(&starts), "{starts}");
}
