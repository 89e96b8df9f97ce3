//! Containers that wait for the machine, and those that are never up together.

use super::declared::{declared, s};
use super::world::{Safe, World};
use super::*;
use crate::config::Gate;
use crate::simulation::Play;

fn path(name: &str) -> Gate {
    Gate::Path(name.into())
}

fn gated(text: &str, opens: &[(Gate, Duration)]) -> World {
    let mut world = World::new(declared(text));
    world.gates.extend(opens.iter().cloned());
    world
}

fn state_of(world: &World, names: &str) -> Vec<StateKind> {
    names.split(' ').map(|name| world.state(name)).collect()
}

const RUNNING: StateKind = StateKind::Running;
const WAITING: StateKind = StateKind::Waiting;
const EXITED: StateKind = StateKind::Exited;

#[test]
fn starts_once_all_its_gates_are_open_and_says_which_are_not() {
    let text = "[container.a]\ngates = ['path:/one', 'path:/two', 'time-synced']\n[container.b]\ndepends_on = ['a']\n[container.c]";
    let mut world = gated(text, &[(path("/one"), s(20)), (path("/two"), s(30))]).booted();
    world.run_until(s(10));
    assert_eq!(state_of(&world, "a b c"), [WAITING, WAITING, RUNNING]);
    assert_eq!(world.cause("a"), "waits for path:/one, path:/two");
    assert_eq!(world.status("b").waits_for, ["a"]);
    assert!(world.core.have_come_up(), "a boot does not wait for the machine");
    world.run_until(s(25));
    assert_eq!(world.cause("a"), "waits for path:/two");
    world.run_until(s(40));
    assert_eq!(state_of(&world, "a b"), [RUNNING, RUNNING]);
    assert_eq!(world.starts("a").iter().map(Duration::as_secs).collect::<Vec<_>>(), [30]);
    assert!(world.core.awaited_gates().is_empty(), "nobody looks any more");
}

#[test]
fn each_start_finds_its_gates_open_anew_whatever_supervisor() {
    let text = "[container.a]\ngates = ['path:/one']\nrestart = 'always'\nrestart_policy = { delay = '1s' }";
    let mut world = gated(text, &[]).play("a", &[Play::exits(s(10), 1), Play::default()]).booted();
    world.run_until(s(5));
    world.crash();
    world.run_until(s(8));
    assert_eq!(world.state("a"), RUNNING, "what runs is not stopped");
    world.gates.insert(path("/one"), s(60));
    world.run_until(s(50));
    assert_eq!(world.state("a"), WAITING);
    world.crash();
    world.tell(Event::Start { name: "a".into() });
    world.run_until(s(55));
    assert_eq!(world.state("a"), WAITING, "nor does a person open a gate");
    world.run_until(s(70));
    assert_eq!(world.state("a"), RUNNING);
}

#[test]
fn the_boot_is_complete_when_none_is_on_its_way_up_any_more() {
    let text = "[container.late]\ngates = ['boot-complete']\n[container.later]\ndepends_on = ['late']\n\
                [container.slow]\n[container.never]\ndepends_on = { no = 'completed' }\n[container.no]\n\
                [container.gated]\ngates = ['path:/never']";
    let slow = Play { start: s(20), ..Play::default() };
    let mut world = gated(text, &[(path("/never"), s(9999))]).play("slow", &[slow]).booted();
    world.run_until(s(15));
    assert_eq!(state_of(&world, "late later no"), [WAITING, WAITING, RUNNING]);
    assert_eq!(world.cause("late"), "waits for boot-complete");
    world.run_until(s(30));
    assert_eq!(state_of(&world, "late later never gated"), [RUNNING, RUNNING, WAITING, WAITING]);
    // Once and for all: also with a supervisor that finds somebody on his way.
    world.tell(Event::Restart { name: "late".into() });
    world.crash();
    world.run_for(s(30));
    assert_eq!(world.state("late"), RUNNING);
}

#[test]
fn a_oneshot_that_waits_for_the_machine_holds_up_only_who_asks_for_it() {
    let text = "[container.job]\ntype = 'oneshot'\ngates = ['network-online']\n[container.web]\n\
                [container.after]\ndepends_on = { job = 'completed' }";
    let mut world =
        gated(text, &[(Gate::NetworkOnline, s(60))]).play("job", &[Play::exits(s(1), 0)]).booted();
    world.run_until(s(20));
    assert_eq!(state_of(&world, "job web after"), [WAITING, RUNNING, WAITING]);
    world.run_until(s(80));
    assert_eq!(state_of(&world, "job after"), [EXITED, RUNNING]);
}

#[test]
fn who_is_in_conflict_waits_until_the_other_one_is_down() {
    let text = "[container.a]\n[container.b]\nconflicts = ['a']\nrestart = 'always'";
    let mut world = World::new(declared(text)).play("a", &[Play::exits(s(20), 0)]).booted();
    world.run_until(s(10));
    assert_eq!(state_of(&world, "a b"), [RUNNING, WAITING]);
    assert_eq!(world.cause("b"), "waits until a is down, which it is in conflict with");
    assert_eq!(world.status("b").waits_for, ["a"]);
    world.run_until(s(30));
    assert_eq!(state_of(&world, "a b"), [EXITED, RUNNING]);
    // It does not matter who said it.
    world.tell(Event::Start { name: "a".into() });
    world.run_until(s(31));
    assert_eq!(state_of(&world, "a b"), [RUNNING, EXITED], "the last word of a person counts");
    assert_eq!(world.status("b").wanted, Wanted::Down);
    assert!(world.cause("b").starts_with("was stopped because a was started"), "{}", world.cause("b"));
    world.run_until(s(200));
    assert_eq!(state_of(&world, "a b"), [EXITED, EXITED]);
}

#[test]
fn of_two_whose_turn_it_is_one_waits_for_the_other_at_once() {
    let text = "[container.a]\n[container.b]\nconflicts = ['a']";
    let world = World::new(declared(text)).booted();
    assert_eq!(world.state("a"), StateKind::Starting);
    assert_eq!(world.cause("b"), "waits until a is down, which it is in conflict with");
}

#[test]
fn another_configuration_has_other_gates_at_once() {
    let gates = |list: &str| declared(&format!("[container.a]\ngates = [{list}]\n[container.b]"));
    let mut world = World::new(gates("'path:/never'"));
    world.gates.insert(path("/never"), s(9999));
    let mut world = world.booted();
    world.run_until(s(10));
    assert_eq!(world.state("a"), WAITING);
    assert!(world.reload(gates("'path:/now'"), usize::MAX));
    world.run_until(s(12));
    assert_eq!(world.state("a"), RUNNING);
    // What runs is not stopped for a gate that is shut, nor for a conflict that is new.
    let more = "[container.a]\ngates = ['path:/never']\nconflicts = ['b']\n[container.b]";
    assert!(world.reload(declared(more), usize::MAX));
    world.run_until(s(20));
    assert_eq!(state_of(&world, "a b"), [RUNNING, RUNNING]);
    world.tell(Event::Restart { name: "a".into() });
    world.run_until(s(30));
    assert_eq!(state_of(&world, "a b"), [WAITING, EXITED]);
    assert_eq!(world.cause("a"), "waits for path:/never");
}

#[test]
fn a_conflict_that_is_not_declared_any_more_holds_until_who_had_it_is_down() {
    let old = "[container.a]\nconflicts = ['b']\n[container.b]";
    for new in ["[container.b]", "[container.a]\ncommand = 'other'\n[container.b]"] {
        let slow = Play { obeys: Some(s(3)), ..Play::default() };
        let mut world = World::new(declared(old)).play("a", &[slow, Play::default()]).booted();
        world.run_until(s(10));
        assert_eq!(state_of(&world, "a b"), [RUNNING, WAITING]);
        assert!(world.reload(declared(new), usize::MAX));
        world.run_until(s(12));
        assert_eq!(world.state("b"), WAITING, "{new}");
        world.run_until(s(20));
        assert_eq!(world.state("b"), RUNNING, "{new}");
    }
}

#[test]
fn who_makes_way_while_it_waits_is_told_for_whom() {
    let text = "[container.a]\nconflicts = ['b']\n[container.b]\n[container.c]\nconflicts = ['b']";
    let mut world = World::new(declared(text)).booted();
    world.run_until(s(10));
    world.tell(Event::Stop { name: "c".into() });
    world.run_until(s(15));
    assert_eq!(state_of(&world, "a b c"), [RUNNING, WAITING, EXITED]);
    world.tell(Event::Start { name: "c".into() });
    assert_eq!(world.cause("b"), "was stopped because c was started");
    world.tell(Event::Start { name: "b".into() });
    world.run_until(s(20));
    world.tell(Event::Stop { name: "b".into() });
    world.run_until(s(30));
    assert!(world.cause("b").starts_with("was stopped by a person"), "{}", world.cause("b"));
}

#[test]
fn what_was_asked_of_one_that_waits_is_known_to_the_next_supervisor() {
    let gate = "gates = ['path:/one']\n";
    let text = format!(
        "[container.due]\nevery = '10s'\n{gate}[container.asked]\nevery = '1h'\n{gate}\
         [container.idle]\nevery = '1h'\n{gate}"
    );
    let mut world = gated(&text, &[(path("/one"), s(25))]).booted();
    world.run_until(s(5));
    world.tell(Event::Start { name: "asked".into() });
    world.run_until(s(12));
    world.crash();
    world.run_until(s(26));
    assert_eq!(state_of(&world, "due asked idle"), [RUNNING, RUNNING, WAITING]);
    assert_eq!((world.starts("due").len(), world.starts("asked").len()), (1, 1));
    // In safe mode nobody's word is carried out that is not said again.
    let mut world = gated(&text, &[(path("/one"), s(25))]).booted();
    world.run_until(s(5));
    world.tell(Event::Start { name: "asked".into() });
    world.crash_into(Safe::Yes);
    world.run_until(s(60));
    assert_eq!(state_of(&world, "due asked idle"), [WAITING; 3]);
    world.tell(Event::Resume);
    world.run_for(s(2));
    assert_eq!(world.state("asked"), RUNNING);
}
