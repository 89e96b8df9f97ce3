//! Containers that run at their times.

use super::declared::{declared, ms, s};
use super::world::World;
use super::*;
use crate::simulation::{Play, Safe};

/// 2026-11-22 at 00:00:00.
const MIDNIGHT: Duration = Duration::from_secs(1_795_305_600);

fn runs(world: &World) -> Vec<u64> {
    world.starts("job").iter().map(Duration::as_secs).collect()
}

fn world(more: &str, plays: &[Play]) -> World {
    let mut world = World::new(declared(&format!("[container.job]\n{more}"))).play("job", plays);
    world.tell(Event::Clock { at_boot: MIDNIGHT });
    world.booted()
}

#[test]
fn runs_at_each_interval_from_boot_and_not_at_boot() {
    let mut world = world("every = '1m'", &[Play::exits(s(5), 0)]);
    world.run_until(s(30));
    let status = world.status("job");
    assert_eq!((status.state, status.next_start), (StateKind::Waiting, Some(s(60))));
    assert!(world.core.have_come_up());
    world.run_until(s(200));
    assert_eq!(runs(&world), [60, 120, 180]);
    assert_eq!(world.status("job").restarts, 0);
}

#[test]
fn runs_when_the_clock_says_so() {
    let mut world = world("schedule = '*/15 1 * * *'", &[Play::exits(s(5), 0)]);
    world.run_until(s(3 * 3600));
    assert_eq!(runs(&world), [3600, 4500, 5400, 6300]);
    assert_eq!(world.status("job").next_start, Some(s(25 * 3600)));
}

#[test]
fn a_clock_that_is_set_moves_the_next_time_and_may_have_missed_one() {
    let check = |missed: &str, by: Duration, expected: &[u64]| {
        let more = format!("schedule = '0 12 * * *'\nschedule_policy = {{ missed = '{missed}' }}");
        let mut world = world(&more, &[Play::exits(s(5), 0)]);
        world.run_until(s(600));
        world.tell(Event::Clock { at_boot: MIDNIGHT + by });
        world.run_until(s(13 * 3600));
        assert_eq!(runs(&world), expected, "{missed} {by:?}");
    };
    check("skip", s(3600), &[11 * 3600]);
    check("run", s(3600), &[11 * 3600]);
    check("skip", s(12 * 3600), &[]);
    check("run", s(12 * 3600), &[600]);
    // It was wrong before, and not late.
    check("run", s(86_400 * 30), &[12 * 3600]);
}

#[test]
fn a_time_that_comes_while_it_runs_is_left_out_or_comes_after() {
    let long = [Play::exits(s(90), 0), Play::exits(s(5), 0)];
    let mut skips = world("every = '1m'", &long);
    skips.run_until(s(200));
    assert_eq!(runs(&skips), [60, 180]);
    let mut queues = world("every = '1m'\nschedule_policy = { overlap = 'queue' }", &long);
    queues.run_until(s(200));
    assert_eq!(runs(&queues), [60, 150, 180]);
}

#[test]
fn a_bad_run_waits_for_the_next_time_or_is_tried_again_before() {
    let mut once = world("every = '1m'", &[Play::exits(s(1), 3)]);
    once.run_until(s(150));
    assert_eq!((runs(&once), once.state("job")), (vec![60, 120], StateKind::Waiting));
    assert_eq!(once.cause("job"), "exited with code 3");
    let policy = "restart = 'on-failure'\nrestart_policy = { delay = '2s', max_attempts = 2, then = 'fail' }";
    let mut again = world(&format!("every = '1m'\n{policy}"), &[Play::exits(s(1), 3)]);
    again.run_until(s(150));
    let found = runs(&again);
    assert!(found.len() == 4 && (62..66).contains(&found[1]) && found[2] == 120, "{found:?}");
}

#[test]
fn a_run_that_takes_too_long_is_stopped() {
    let mut world = world("every = '1m'\nrun_timeout = '10s'", &[Play::default()]);
    world.run_until(s(100));
    assert_eq!(world.cause("job"), "ran longer than 10 s and was killed by SIGTERM");
    assert_eq!(world.status("job").next_start, Some(s(120)));
}

#[test]
fn a_person_may_run_it_now_and_may_stop_it_for_good() {
    let mut world = world("every = '1m'", &[Play::exits(s(5), 0)]);
    world.run_until(s(10));
    world.tell(Event::Start { name: "job".into() });
    world.run_until(s(70));
    assert_eq!(runs(&world), [10, 60]);
    world.tell(Event::Stop { name: "job".into() });
    world.run_until(s(300));
    assert_eq!((runs(&world), world.state("job")), (vec![10, 60], StateKind::Exited));
}

#[test]
fn times_outlive_a_supervisor_and_nothing_runs_in_safe_mode() {
    let mut world =
        world("schedule = '*/2 * * * *'\nschedule_policy = { jitter = '30s' }", &[Play::exits(s(5), 0)]);
    world.run_until(s(10));
    let next = world.status("job").next_start;
    assert!(next > Some(s(120)) && next < Some(s(150)), "{next:?}");
    world.crash();
    assert_eq!(world.status("job").next_start, next);
    world.run_until(s(160));
    assert_eq!(runs(&world).len(), 1);
    world.crash_into(Safe::Yes);
    world.run_until(s(600));
    assert_eq!(runs(&world).len(), 1);
    world.tell(Event::Resume);
    world.run_for(ms(100));
    assert_eq!(runs(&world).len(), 2);
}

#[test]
fn a_time_that_came_while_there_was_no_supervisor_is_not_lost() {
    let mut world = world("schedule = '*/2 * * * *'", &[Play::exits(s(5), 0)]);
    world.run_until(s(119));
    world.crash_for(s(3));
    world.run_until(s(130));
    assert_eq!(runs(&world), [122]);
    assert_eq!(world.status("job").next_start, Some(s(240)));
}

#[test]
fn no_service_waits_for_it() {
    let text = "[container.job]\nevery = '1h'\n[container.web]\n";
    let mut world = World::new(declared(text)).booted();
    world.run_until(s(2));
    assert_eq!(world.state("web"), StateKind::Running);
}
