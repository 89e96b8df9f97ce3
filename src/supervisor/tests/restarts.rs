//! What follows an end: policies, pauses, budgets, and the governor.

use super::declared::{config, declared, failure, ms, s};
use super::world::World;
use super::*;
use crate::simulation::{Play, Safe};

fn world(restart: Restart, policy: RestartPolicy, plays: &[Play]) -> World {
    let mut config = config(&[("web", &[])]);
    let web = config.containers.get_mut("web").unwrap();
    web.restart = restart;
    web.restart_policy = policy;
    World::new(config).play("web", plays).booted()
}

fn crashing() -> Play {
    Play::exits(ms(100), 1)
}

/// The pauses between an end and the next start.
fn pauses(world: &World) -> Vec<Duration> {
    let mut ended = None;
    let mut pauses = Vec::new();
    for (at, entry) in &world.log {
        match entry {
            world::Entry::Told(Event::Emptied { .. }, Outcome::Done) => ended = Some(*at),
            world::Entry::Asked(Effect::Start { .. }) => pauses.extend(ended.map(|it| *at - it)),
            _ => {}
        }
    }
    pauses
}

fn check_pauses(world: &World, expected_ms: &[u64]) {
    let pauses = pauses(world);
    assert_eq!(pauses.len(), expected_ms.len(), "{pauses:?}");
    for (pause, expected) in pauses.iter().zip(expected_ms) {
        let (low, high) = (ms(expected * 9 / 10), ms(expected * 11 / 10));
        assert!((low..=high).contains(pause), "{pause:?} is not {expected} ms ± 10 %");
    }
}

#[test]
fn restarts_by_composes_policies() {
    use Restart::{Always, No, OnFailure, UnlessStopped};
    use StateKind::{Backoff, Exited, Failed};
    let check = |restart, exit, expected| {
        let play = Play { ends: Some((s(1), exit)), ..Play::default() };
        let mut world = world(restart, RestartPolicy::default(), &[play]);
        world.run_until(s(2) + ms(100));
        assert_eq!(world.state("web"), expected, "{restart:?} after {exit:?}");
        assert_eq!(world.status("web").wanted, Wanted::Up);
    };
    let (done, wrong, killed) = (Exit::Code(0), Exit::Code(3), Exit::Signal(9));
    for (restart, after_done, after_failure) in [
        (No, Exited, Failed),
        (OnFailure, Exited, Backoff),
        (Always, Backoff, Backoff),
        (UnlessStopped, Backoff, Backoff),
    ] {
        check(restart, done, after_done);
        check(restart, wrong, after_failure);
        check(restart, killed, after_failure);
        check(restart, Exit::Signal(15), after_failure);
    }
}

#[test]
fn starts_everything_at_boot_whatever_restart_says() {
    for restart in [Restart::No, Restart::Always, Restart::OnFailure, Restart::UnlessStopped] {
        let mut world = world(restart, RestartPolicy::default(), &[]);
        world.run_for(s(1));
        assert_eq!(world.state("web"), StateKind::Running);
        assert!(world.status("web").ready);
        assert_eq!(world.status("web").restarts, 0);
    }
}

#[test]
fn pauses_double_up_to_the_longest_with_jitter() {
    let mut world = world(Restart::Always, RestartPolicy::default(), &[crashing()]);
    world.run_until(s(130));
    check_pauses(&world, &[500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    let pauses = pauses(&world);
    assert_ne!(pauses[6], pauses[7], "every pause has its own jitter");
}

#[test]
fn shows_when_it_will_start_again_and_counts_its_restarts() {
    let mut world = world(Restart::Always, RestartPolicy::default(), &[crashing()]);
    world.run_until(s(1) + ms(200));
    let status = world.status("web");
    assert_eq!((status.state, status.restarts), (StateKind::Backoff, 0));
    let next = status.next_start.unwrap();
    world.run_until(next);
    let status = world.status("web");
    assert_eq!((status.state, status.restarts), (StateKind::Starting, 1));
    assert_eq!((status.next_start, status.generation, status.exit_code), (None, 2, None));
}

#[test]
fn a_healthy_run_makes_the_next_pause_short_again() {
    let long = Play::exits(s(60), 1);
    let plays = [crashing(), crashing(), crashing(), long, crashing(), crashing()];
    let mut world = world(Restart::Always, RestartPolicy::default(), &plays);
    world.run_until(s(80));
    check_pauses(&world, &[500, 1000, 2000, 500, 1000, 2000, 4000]);
}

#[test]
fn an_instant_clean_exit_does_not_spin_and_is_no_failure() {
    let policy = RestartPolicy { max_attempts: Some(2), then: Exhausted::Fail, ..RestartPolicy::default() };
    let mut world = world(Restart::Always, policy, &[Play::exits(ms(0), 0)]);
    world.run_until(s(60));
    assert_eq!(world.state("web"), StateKind::Backoff);
    assert!(world.starts("web").len() < 10, "{:?}", world.starts("web"));
}

#[test]
fn a_spent_budget_fails_or_holds_at_the_longest_pause() {
    let policy = |then| RestartPolicy { max_attempts: Some(3), then, ..RestartPolicy::default() };
    let mut fail = world(Restart::OnFailure, policy(Exhausted::Fail), &[crashing()]);
    fail.run_until(s(300));
    assert_eq!(fail.state("web"), StateKind::Failed);
    check_pauses(&fail, &[500, 1000]);
    assert_eq!(fail.cause("web"), "exited with code 1");

    let mut hold = world(Restart::OnFailure, policy(Exhausted::Hold), &[crashing()]);
    hold.run_until(s(150));
    check_pauses(&hold, &[500, 1000, 30_000, 30_000, 30_000, 30_000]);
}

#[test]
fn hold_lasts_when_failures_leave_the_window() {
    let policy = RestartPolicy { max_attempts: Some(2), window: Some(s(5)), ..RestartPolicy::default() };
    let mut world = world(Restart::Always, policy, &[crashing()]);
    world.run_until(s(110));
    check_pauses(&world, &[500, 30_000, 30_000, 30_000]);
}

#[test]
fn failures_further_apart_than_the_window_spend_nothing() {
    let policy = RestartPolicy {
        max_attempts: Some(2),
        window: Some(s(5)),
        then: Exhausted::Fail,
        ..RestartPolicy::default()
    };
    let mut world = world(Restart::Always, policy, &[Play::exits(s(10), 1)]);
    world.run_until(s(100));
    assert!(world.status("web").restarts > 3);
}

#[test]
fn a_manual_start_clears_the_latch() {
    let policy = RestartPolicy { max_attempts: Some(2), then: Exhausted::Fail, ..RestartPolicy::default() };
    let mut world = world(Restart::Always, policy, &[crashing()]);
    world.run_until(s(60));
    assert_eq!(world.state("web"), StateKind::Failed);
    let before = world.starts("web").len();
    assert_eq!(world.tell(Event::Start { name: "web".into() }), Outcome::Done);
    assert_eq!(world.starts("web").len(), before + 1, "at once");
    world.run_for(s(60));
    assert_eq!(world.starts("web").len(), before + 2, "with its whole budget");
    assert_eq!(world.state("web"), StateKind::Failed);
}

#[test]
fn a_failed_start_is_a_failure_and_is_cleaned_up() {
    let policy = RestartPolicy { max_attempts: Some(2), then: Exhausted::Fail, ..RestartPolicy::default() };
    let play = Play { fails: Some(Fault::Permanent), ..Play::default() };
    let mut always = world(Restart::Always, policy, std::slice::from_ref(&play));
    always.run_until(s(60));
    assert_eq!(always.state("web"), StateKind::Failed);
    assert_eq!(always.starts("web").len(), 2);
    assert_eq!(always.cause("web"), "could not be started: exec /app: No such file or directory");
    assert!(!always.exists("web"));

    let mut no = world(Restart::No, policy, &[play]);
    no.run_until(s(60));
    assert_eq!((no.state("web"), no.starts("web").len()), (StateKind::Failed, 1));
}

#[test]
fn a_machine_short_of_something_is_no_fault_of_the_container() {
    let policy = RestartPolicy { max_attempts: Some(1), then: Exhausted::Fail, ..RestartPolicy::default() };
    let short = Play { fails: Some(Fault::Transient), ..Play::default() };
    let plays = [short.clone(), short.clone(), short, Play::default()];
    for restart in [Restart::No, Restart::Always] {
        let mut world = world(restart, policy, &plays);
        world.run_until(s(20));
        check_pauses(&world, &[500, 1000, 2000]);
        assert_eq!(world.state("web"), StateKind::Running);
    }
}

#[test]
fn a_start_that_hangs_is_killed_and_is_a_failure() {
    let hangs = Play { start: s(3600), ..Play::default() };
    let mut world = world(Restart::Always, RestartPolicy::default(), &[hangs, Play::default()]);
    world.run_until(s(31) + ms(100));
    assert_eq!(world.state("web"), StateKind::Backoff);
    assert_eq!(world.cause("web"), "could not be started: start the container: it took longer than 30 s");
    world.run_for(s(2));
    assert_eq!(world.state("web"), StateKind::Running);
}

#[test]
fn an_oom_kill_is_told_from_other_kills() {
    let check = |exit, oom, expected: &str| {
        let play = Play { ends: Some((s(1), exit)), oom, ..Play::default() };
        let mut world = world(Restart::No, RestartPolicy::default(), &[play]);
        world.run_for(s(2));
        assert_eq!(world.cause("web"), expected);
    };
    check(Exit::Signal(9), true, "ran out of memory and was killed");
    check(Exit::Code(137), true, "ran out of memory and was killed");
    check(Exit::Signal(9), false, "was killed by SIGKILL");
    check(Exit::Code(0), true, "exited with code 0");
}

#[test]
fn the_next_start_waits_for_the_empty_cgroup() {
    let slow = Play { empties: Some(s(4)), ..crashing() };
    let mut world = world(Restart::Always, RestartPolicy::default(), &[slow]);
    world.run_until(s(6));
    let story = world.story();
    assert_eq!(story[..3], ["1.0 start web", "1.1 kill web", "1.1 clean web"]);
    assert_eq!(story[3], "5.6 start web");
}

#[test]
fn what_is_not_gone_is_stuck_until_it_is() {
    let slow = Play { empties: Some(s(60)), ..crashing() };
    let mut world = world(Restart::Always, RestartPolicy::default(), &[slow]);
    world.run_until(s(10));
    assert_eq!(world.state("web"), StateKind::Stuck);
    assert_eq!(world.cause("web"), "was killed and is not gone: its processes do not go away");
    assert_eq!(world.starts("web").len(), 1);
    world.run_until(s(62));
    assert_eq!(world.starts("web").len(), 2);
}

#[test]
fn a_mount_that_cannot_be_removed_is_tried_again() {
    let busy = Play { clean_failures: 2, ..crashing() };
    let mut world = world(Restart::Always, RestartPolicy::default(), &[busy, Play::default()]);
    world.run_until(s(2));
    assert_eq!(world.state("web"), StateKind::Stuck);
    assert_eq!(world.cause("web"), "was killed and is not gone: the mount is busy");
    world.run_until(s(25));
    assert_eq!(world.state("web"), StateKind::Running);
    assert_eq!(world.story().iter().filter(|line| line.contains("clean")).count(), 3);
}

#[test]
fn a_report_about_another_generation_changes_nothing() {
    let mut world = world(Restart::Always, RestartPolicy::default(), &[]);
    world.run_for(s(1));
    let before = world.core.record("web");
    let name = || String::from("web");
    for generation in [0, 2, 7] {
        let (exit, at) = (Exit::Code(1), s(2));
        for event in [
            Event::Started {
                name: name(),
                generation,
                pid: 9,
                pidfd_inode: 9,
                stop_signal: None,
                check: None,
            },
            Event::StartFailed { name: name(), generation, failure: failure(Fault::Permanent) },
            Event::Ended { name: name(), generation, exit, oom: None, at },
            Event::Emptied { name: name(), generation },
            Event::CleanFailed { name: name(), generation, text: "no".into() },
            Event::KillFailed { name: name(), generation, text: "no".into() },
            Event::SignalFailed { name: name(), generation },
        ] {
            let outcome = world.tell(event);
            assert_eq!(outcome, Outcome::Ignored("it is about another generation"));
        }
    }
    assert_eq!(world.core.record("web"), before);
}

const RULES: &str = "
    [container.a]
    restart = 'on-failure'
    restart_policy = { delay = '1s' }
    restart_rules = [
        { on = [3, '100-110', 'SIGSEGV'], then = 'fail' },
        { on = '3', then = 'reboot' },
        { on = [0, 'oom'], then = 'restart' },
        { on = [4, 'SIGTERM'], then = 'success' },
        { on = 'start', then = 'fail' },
    ]
";

#[test]
fn the_first_rule_that_fits_an_end_decides() {
    let check = |play: Play, expected: &str| {
        let mut world = World::new(declared(RULES)).play("a", &[play, Play::default()]).booted();
        world.run_for(s(20));
        let found = (world.state("a").word(), world.starts("a").len(), world.status("a").exit_code);
        assert_eq!(format!("{found:?}"), expected, "{:#?}", world.news("a"));
    };
    let ends = |exit: Exit| Play { ends: Some((s(1), exit)), ..Play::default() };
    check(ends(Exit::Code(3)), "(\"failed\", 1, Some(3))");
    check(ends(Exit::Code(105)), "(\"failed\", 1, Some(105))");
    check(ends(Exit::Code(111)), "(\"running\", 2, None)");
    check(ends(Exit::Signal(11)), "(\"failed\", 1, Some(139))");
    check(ends(Exit::Code(0)), "(\"running\", 2, None)");
    check(Play { oom: true, ..ends(Exit::Signal(9)) }, "(\"running\", 2, None)");
    check(ends(Exit::Code(4)), "(\"exited\", 1, Some(4))");
    check(ends(Exit::Signal(15)), "(\"exited\", 1, Some(143))");
    check(Play { fails: Some(Fault::Permanent), ..Play::default() }, "(\"failed\", 1, None)");
    check(Play { fails: Some(Fault::Transient), ..Play::default() }, "(\"running\", 2, None)");
}

#[test]
fn an_end_that_was_asked_for_is_no_ones_rule() {
    let mut world = World::new(declared(RULES)).booted();
    world.run_for(s(1));
    world.tell(Event::Restart { name: "a".into() });
    world.run_for(s(5));
    assert_eq!((world.state("a"), world.starts("a").len()), (StateKind::Running, 2));
}

#[test]
fn a_reboot_is_asked_for_once_and_not_just_after_one() {
    let text = "
        [container.a]
        restart = 'always'
        restart_policy = { delay = '1s', max_delay = '1m', max_attempts = 3, window = '1h', then = 'reboot' }
        [container.b]
        restart_rules = [{ on = 9, then = 'reboot' }]
    ";
    let reboots =
        |world: &World| world.story().into_iter().filter(|deed| deed.contains("reboot")).collect::<Vec<_>>();
    let mut world = World::new(declared(text)).play("a", &[Play::exits(s(1), 1)]).booted();
    world.run_until(s(599));
    assert_eq!((reboots(&world), world.state("a").is_down()), (vec![], true));
    world.run_until(s(665));
    let asked = reboots(&world);
    assert!(asked.len() == 1 && asked[0].ends_with("reboot for a"), "{asked:?}");
    let deadline = world.now + s(60);
    world.tell(Event::Shutdown { deadline });
    world.run_for(s(60));
    assert_eq!(reboots(&world).len(), 1);

    let mut world = World::new(declared(text)).play("b", &[Play::exits(s(700), 9)]).booted();
    world.run_until(s(710));
    assert_eq!(reboots(&world), ["701.0 reboot for b"]);
    // Nothing unasked in safe mode.
    let mut world = World::new(declared(text)).play("b", &[Play::exits(s(700), 9)]).booted();
    world.run_until(s(100));
    world.crash_into(Safe::Yes);
    world.run_until(s(710));
    assert_eq!(reboots(&world), [""; 0]);
}
