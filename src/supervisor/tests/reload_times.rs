//! Another configuration for containers that run at their times, or do so no more.

use super::declared::{declared, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

const HOURLY: &str = "[container.job]\nevery = '1h'\n";

fn runs(world: &World) -> Vec<u64> {
    world.starts("job").iter().map(Duration::as_secs).collect()
}

/// A run takes ten seconds.
fn world(text: &str) -> World {
    let mut world = World::new(declared(text)).play("job", &[Play::exits(s(10), 0)]).booted();
    world.run_until(s(100));
    world
}

/// What the reload makes of it, and what is made of it when the supervisor dies before it could do anything.
#[track_caller]
fn check(old: &str, new: &str, until: u64, expected: &[u64]) {
    for effects in [usize::MAX, 0] {
        let mut world = world(old);
        world.reload(declared(new), effects);
        if effects == 0 {
            world.crash();
        }
        world.run_until(s(until));
        assert_eq!(runs(&world), expected, "{effects}: {old} -> {new}");
    }
}

#[test]
fn one_that_waits_for_its_time_waits_for_the_one_it_has_now() {
    check(HOURLY, "[container.job]\nevery = '5m'\n", 700, &[300, 600]);
    check("[container.job]\nevery = '5m'\n", HOURLY, 4000, &[3600]);
    check(HOURLY, "[container.job]\nschedule = '*/10 * * * *'\n", 1300, &[600, 1200]);
    check(HOURLY, &format!("{HOURLY}command = 'other'\n"), 4000, &[3600]);
    check("", HOURLY, 4000, &[3600]);
}

#[test]
fn one_that_has_no_times_any_more_runs_at_once_and_one_that_gets_them_waits() {
    check(HOURLY, "[container.job]\ntype = 'oneshot'\n", 4000, &[100]);
    check("[container.job]\ntype = 'oneshot'\n", HOURLY, 4000, &[1, 3600]);
    let always = Play { ends: None, ..Play::default() };
    for effects in [usize::MAX, 0] {
        let mut world =
            World::new(declared("[container.job]\n")).play("job", std::slice::from_ref(&always)).booted();
        world.run_until(s(100));
        world.reload(declared(HOURLY), effects);
        if effects == 0 {
            world.crash();
        }
        world.run_until(s(200));
        let status = world.status("job");
        assert_eq!((status.state, status.next_start), (StateKind::Waiting, Some(s(3600))), "{effects}");
    }
}

#[test]
fn a_run_is_not_cut_short_and_the_next_one_is_as_declared() {
    let long = "[container.job]\nevery = '95s'\nstop_signal = 'SIGQUIT'\n";
    let new = "[container.job]\nevery = '1m'\nstop_signal = 'SIGUSR1'\ncommand = 'other'\n";
    check(long, new, 130, &[95, 120]);
    let mut one = world(long);
    one.reload(declared(new), usize::MAX);
    assert_eq!(one.state("job"), StateKind::Running);
    one.tell(Event::Stop { name: "job".into() });
    assert!(one.story().last().is_some_and(|deed| deed.ends_with("signal 3 job")), "{:?}", one.story());
    // It is a service from now on, and nothing to wait for.
    check(long, "[container.job]\ntype = 'oneshot'\n", 4000, &[95, 100]);
}

#[test]
fn a_job_of_the_shutdown_that_a_person_runs_is_not_cut_short() {
    let job = "[container.job]\ntype = 'shutdown'\n";
    let check = |new: &str, expected: &[u64], next: Next| {
        for effects in [usize::MAX, 0] {
            let mut world = world(job);
            world.tell(Event::Start { name: "job".into() });
            world.run_until(s(105));
            world.reload(declared(new), effects);
            if effects == 0 {
                world.crash();
            }
            world.run_until(s(106));
            let is_cut = world.story().iter().any(|deed| deed.ends_with("signal 15 job"));
            assert_eq!(is_cut, next == Next::Person, "{effects}: {new}");
            world.run_until(s(700));
            assert_eq!(
                (runs(&world).as_slice(), world.status("job").next),
                (expected, next),
                "{effects}: {new}"
            );
        }
    };
    check(&format!("{job}command = 'other'\n"), &[100], Next::Shutdown);
    check("[container.job]\nevery = '5m'\n", &[100, 300, 600], Next::Time);
    // It is no job any more, and nothing to wait for.
    check("[container.job]\ntype = 'oneshot'\n", &[100, 105], Next::Person);
}

#[test]
fn what_becomes_a_job_of_the_shutdown_waits_for_it() {
    check(HOURLY, "[container.job]\ntype = 'shutdown'\n", 4000, &[]);
    check("[container.job]\n", "[container.job]\ntype = 'shutdown'\n", 4000, &[1]);
    check("[container.job]\ntype = 'shutdown'\n", "[container.job]\n", 4000, &[100]);
}

#[test]
fn one_that_has_failed_gets_another_chance_at_its_next_time() {
    let rules = "restart_rules = [{ on = 3, then = 'fail' }]\n";
    let mut world =
        World::new(declared(&format!("{HOURLY}{rules}"))).play("job", &[Play::exits(s(1), 3)]).booted();
    world.run_until(s(4000));
    assert_eq!(world.state("job"), StateKind::Failed);
    world.reload(declared(&format!("{HOURLY}{rules}command = 'other'\n")), usize::MAX);
    assert_eq!(world.status("job").next_start, Some(s(7200)));
}

#[test]
fn how_long_a_run_may_take_is_changed_while_it_runs() {
    let mut world = World::new(declared(HOURLY)).play("job", &[Play::default()]).booted();
    world.run_until(s(3700));
    assert_eq!(world.state("job"), StateKind::Running);
    world.reload(declared(&format!("{HOURLY}run_timeout = '5m'\n")), usize::MAX);
    world.run_until(s(3899));
    assert_eq!(world.state("job"), StateKind::Running);
    world.run_until(s(3950));
    assert_eq!(world.cause("job"), "ran longer than 300 s and was killed by SIGTERM");
}
