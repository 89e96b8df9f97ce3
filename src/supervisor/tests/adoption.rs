//! A supervisor takes over from the one before it; safe mode.

use super::declared::{config, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

fn world(plays: &[Play]) -> World {
    let mut config = config(&[("web", &[])]);
    config.containers.get_mut("web").unwrap().restart = Restart::Always;
    World::new(config).play("web", plays).booted()
}

fn adopted(record: Record, found: Option<Found>) -> Supervisor {
    let mut config = config(&[("web", &[])]);
    config.containers.get_mut("web").unwrap().restart = Restart::OnFailure;
    let mut sup = Supervisor::new(s(100), &config, 7);
    sup.handle(s(100), Event::Adopted { record: Box::new(record), found });
    sup
}

fn running_record() -> Record {
    let mut world = world(&[]);
    world.run_until(s(2));
    world.disk.records.remove("web").unwrap()
}

#[test]
fn a_running_container_does_not_notice() {
    let mut world = world(&[]);
    world.run_until(s(20));
    let before = world.status("web");
    let news = world.news("web").len();
    for _ in 0..100 {
        world.crash();
        world.run_for(ms(10));
    }
    assert_eq!(world.status("web"), before);
    assert_eq!(world.starts("web").len(), 1);
    assert_eq!(world.news("web").len(), news, "nothing changed, so nothing is told");
}

#[test]
fn a_pause_and_its_history_go_on() {
    let mut world = world(&[Play::exits(ms(10), 1)]);
    world.run_until(s(12));
    let before = world.status("web");
    assert_eq!(before.state, StateKind::Backoff);
    world.crash();
    let after = world.status("web");
    assert_eq!((after.restarts, after.cause), (before.restarts, before.cause));
    let gap = |a: Option<Duration>| a.unwrap().as_micros();
    assert_eq!(gap(after.next_start), gap(before.next_start));
}

#[test]
fn a_budget_is_not_refilled_by_a_new_supervisor() {
    let mut config = config(&[("web", &[])]);
    let web = config.containers.get_mut("web").unwrap();
    web.restart = Restart::Always;
    web.restart_policy.max_attempts = Some(3);
    web.restart_policy.then = Exhausted::Fail;
    let mut world = World::new(config).play("web", &[Play::exits(ms(10), 1)]).booted();
    while world.step(s(100)) {
        if world.state("web") == StateKind::Backoff {
            world.crash();
        }
    }
    assert_eq!((world.state("web"), world.starts("web").len()), (StateKind::Failed, 3));
}

#[test]
fn an_end_in_between_is_judged_like_any_other() {
    let (exit, at) = (Exit::Code(3), s(50));
    let mut sup = adopted(running_record(), Some(Found::Ended { exit, oom: None, at }));
    let status = sup.status("web").unwrap();
    assert_eq!(status.state, StateKind::Stopping);
    assert_eq!(status.cause.unwrap().text, "exited with code 3");
    sup.handle(s(100), Event::Booted);
    sup.handle(s(100), Event::Emptied { name: "web".into(), generation: 1 });
    assert_eq!(sup.status("web").unwrap().state, StateKind::Backoff);
}

#[test]
fn a_record_without_an_entry_has_ended_with_cause_unknown() {
    let mut sup = adopted(running_record(), None);
    sup.handle(s(100), Event::Booted);
    sup.handle(s(100), Event::Emptied { name: "web".into(), generation: 1 });
    let status = sup.status("web").unwrap();
    assert_eq!((status.state, status.exit_code), (StateKind::Backoff, None));
    let cause = status.cause.unwrap();
    assert_eq!((cause.kind, cause.text.as_str()), (CauseKind::Unknown, "ended, and nobody saw how"));
}

#[test]
fn a_start_that_was_cut_off_is_nobodys_failure() {
    let mut config = config(&[("web", &[])]);
    config.containers.get_mut("web").unwrap().restart = Restart::No;
    // 0: nothing was done; 1: told; 2: saved; 3: started.
    for effects in 0..=3 {
        let mut world = World::new(config.clone());
        world.tell_and_do(Event::Booted, effects);
        world.crash();
        world.run_for(s(10));
        assert_eq!(world.state("web"), StateKind::Running, "died after {effects} effects");
    }
    // Killed in every moment of the start itself.
    for time in 1..=9 {
        let mut world = World::new(config.clone()).booted();
        world.run_for(ms(time));
        world.crash();
        world.run_for(s(10));
        assert_eq!(world.state("web"), StateKind::Running, "died {time} ms after the start");
        assert_eq!(world.starts("web").len(), 2);
    }
}

#[test]
fn one_before_its_barrier_never_ran() {
    let mut record = running_record();
    (record.state, record.pid) = ("starting".into(), None);
    let mut sup = adopted(record.clone(), Some(Found::Alive { pid: 9, pidfd_inode: 9 }));
    let end = |at| Event::Ended { name: "web".into(), generation: 1, exit: Exit::Code(1), oom: None, at };
    sup.handle(s(100), Event::Booted);
    let effects: Vec<Effect> = core::iter::from_fn(|| sup.poll_effect()).collect();
    let kill = Effect::KillCgroup { name: "web".into(), generation: 1 };
    assert!(effects.contains(&kill), "{effects:?}");
    sup.handle(s(100), end(s(100)));
    let expected = "could not be started: start the container: the supervisor was restarted meanwhile";
    assert_eq!(sup.status("web").unwrap().cause.unwrap().text, expected);

    // Once it was at its barrier the barrier may have been opened.
    record.pid = Some(9);
    let sup = adopted(record, Some(Found::Alive { pid: 9, pidfd_inode: 9 }));
    assert_eq!(sup.status("web").unwrap().state, StateKind::Running);
}

#[test]
fn history_counts_after_adoption() {
    let mut record = running_record();
    (record.streak, record.restarts, record.restarts_asked) = (4, 5, 6);
    record.started_at_us = Some(99_000_000);
    record.well_since_us = record.started_at_us;
    let pause = |record: &Record| {
        let (exit, at) = (Exit::Code(3), s(100));
        let mut sup = adopted(record.clone(), Some(Found::Ended { exit, oom: None, at }));
        sup.handle(s(100), Event::Booted);
        sup.handle(s(100), Event::Emptied { name: "web".into(), generation: 1 });
        let status = sup.status("web").unwrap();
        assert_eq!((status.restarts, status.restarts_asked), (5, 6));
        status.next_start.unwrap() - s(100)
    };
    assert!((ms(7200)..=ms(8800)).contains(&pause(&record)), "the fifth pause");
    record.held = true;
    assert!((s(27)..=s(33)).contains(&pause(&record)), "the longest pause");
}

#[test]
fn a_shutdown_that_the_last_supervisor_lost_stops_what_is_adopted() {
    let config = config(&[("web", &[])]);
    let mut sup = Supervisor::new(s(100), &config, 7);
    sup.handle(s(100), Event::Shutdown { deadline: s(160) });
    let found = Some(Found::Alive { pid: 9, pidfd_inode: 9 });
    sup.handle(s(100), Event::Adopted { record: Box::new(running_record()), found });
    sup.handle(s(100), Event::Booted);
    assert_eq!(sup.status("web").unwrap().state, StateKind::Stopping);
}

#[test]
fn a_finished_dependency_still_counts_after_adoption() {
    let config = config(&[("app", &["job"]), ("job", &[])]);
    let fails = Play { fails: Some(Fault::Transient), ..Play::default() };
    let mut world = World::new(config)
        .play("job", &[Play::exits(ms(1), 0)])
        .play("app", &[fails, Play::default()])
        .booted();
    world.run_for(ms(100));
    assert_eq!(world.state("app"), StateKind::Backoff);
    world.crash();
    world.run_for(s(5));
    assert_eq!(world.state("app"), StateKind::Running);
}

#[test]
fn a_stop_is_never_lost() {
    let deaf = Play { obeys: None, empties: Some(s(1)), ..Play::default() };
    for effects in 0..=3 {
        for later in [0, 100, 9_999, 10_001, 10_500, 12_000] {
            let mut world = world(std::slice::from_ref(&deaf));
            world.run_until(s(2));
            world.tell_and_do(Event::Stop { name: "web".into() }, effects);
            if effects < 2 {
                // Not even written down: nobody was told that it was done, and nobody was.
                world.crash();
                assert_eq!(world.state("web"), StateKind::Running);
                continue;
            }
            world.run_for(ms(later));
            world.crash();
            world.run_until(s(14));
            assert_eq!(world.state("web"), StateKind::Exited, "{effects} {later}");
            assert_eq!(world.starts("web").len(), 1);
        }
    }
}

#[test]
fn what_nobody_wants_and_is_there_is_stopped() {
    let mut record = running_record();
    (record.wanted, record.state) = (Wanted::Down, "exited".into());
    let sup = adopted(record, Some(Found::Alive { pid: 9, pidfd_inode: 9 }));
    let status = sup.status("web").unwrap();
    assert_eq!((status.state, status.pid), (StateKind::Stopping, Some(9)));
}

#[test]
fn what_nobody_wants_and_has_ended_stays_down() {
    let mut record = running_record();
    record.wanted = Wanted::Down;
    let (exit, at) = (Exit::Code(3), s(50));
    let mut sup = adopted(record, Some(Found::Ended { exit, oom: None, at }));
    sup.handle(s(100), Event::Booted);
    sup.handle(s(100), Event::Emptied { name: "web".into(), generation: 1 });
    assert_eq!(sup.status("web").unwrap().state, StateKind::Failed);
}

#[test]
fn one_that_is_not_declared_any_more_is_stopped() {
    let mut world = world(&[]);
    world.run_until(s(2));
    world.config.containers.clear();
    world.crash();
    assert_eq!(world.state("web"), StateKind::Stopping);
    let start = Event::Start { name: "web".into() };
    assert!(matches!(world.tell(start), Outcome::Refused(Refusal::Invalid { .. })));
    world.run_for(s(20));
    assert!(!world.exists("web"));
    assert!(world.news("web").iter().any(|news| news == "stopping -> exited: is not declared any more"));
    assert_eq!((world.core.status("web"), world.disk.records.get("web")), (None, None), "it is forgotten");
}

#[test]
fn stops_go_on_in_order_after_adoption() {
    let config = config(&[("app", &["db"]), ("db", &[])]);
    let slow = Play { obeys: Some(s(5)), ..Play::default() };
    let mut world = World::new(config).play("app", &[slow]).booted();
    world.run_until(s(2));
    world.tell(Event::Shutdown { deadline: s(60) });
    world.crash();
    world.tell(Event::Shutdown { deadline: s(60) });
    world.run_until(s(60));
    let story = world.story();
    let signal = story.iter().position(|line| line.contains("signal 15 db")).unwrap();
    let clean = story.iter().position(|line| line.contains("clean app")).unwrap();
    assert!(clean < signal, "{story:#?}");
}

#[test]
fn a_stop_waits_for_dependents_that_are_adopted_after_it() {
    let config = config(&[("base", &[]), ("top", &["base"])]);
    let slow = Play { obeys: Some(s(5)), ..Play::default() };
    let mut world = World::new(config).play("top", &[slow]).booted();
    world.run_until(s(2));
    world.tell_and_do(Event::Stop { name: "top".into() }, 2);
    world.tell(Event::Stop { name: "base".into() });
    world.crash();
    assert_eq!(world.status("base").waits_for, ["top"]);
    assert!(!world.story().contains(&"2.0 signal 15 base".into()), "{:#?}", world.story());
}

#[test]
fn an_adopted_stop_has_no_more_time_than_the_shutdown() {
    let mut record = running_record();
    record.state = "stopping".into();
    (record.phase, record.why) = (Some("term".into()), Some("stop".into()));
    record.until_us = Some(700_000_000);
    let mut sup = Supervisor::new(s(100), &config(&[("web", &[])]), 7);
    sup.handle(s(100), Event::Shutdown { deadline: s(160) });
    let found = Some(Found::Alive { pid: 9, pidfd_inode: 9 });
    sup.handle(s(100), Event::Adopted { record: Box::new(record), found });
    sup.handle(s(100), Event::Booted);
    let until = sup.state("web").and_then(|state| state.deadline());
    assert_eq!(until, Some(s(110)), "its own grace period");
}

#[test]
fn an_unknown_word_of_a_later_release_is_no_obstacle() {
    let mut record = running_record();
    record.state = "draining".into();
    let alive = Some(Found::Alive { pid: 9, pidfd_inode: 9 });
    let sup = adopted(record.clone(), alive);
    assert_eq!(sup.status("web").unwrap().state, StateKind::Running);
    let sup = adopted(record, None);
    assert_eq!(sup.status("web").unwrap().state, StateKind::Stopping);
}

#[test]
fn records_keep_what_they_do_not_know_and_refuse_another_version() {
    let text = running_record().to_json().unwrap();
    let text = text.replacen('{', "{\"cgroup\":\"orlop/web\",\"later\":[1,{\"a\":null}],", 1);
    let sup = adopted(Record::parse(&text).unwrap(), Some(Found::Alive { pid: 1, pidfd_inode: 2 }));
    let again = sup.record("web").unwrap().to_json().unwrap();
    assert!(again.contains("\"cgroup\":\"orlop/web\""), "{again}");
    assert!(again.contains("\"later\":[1,{\"a\":null}]"), "{again}");
    let check = |text: &str, expected: &str| {
        assert_eq!(Record::parse(text).unwrap_err().to_string(), expected);
    };
    check("{\"version\":2}", "a record of version 2, this release reads version 1");
    check("{}", "not a record: missing field `version` at line 1 column 2");
    check("", "not a record: EOF while parsing a value at line 1 column 0");
}

#[test]
fn a_later_kind_of_cause_keeps_its_text() {
    let text = "{\"kind\":\"solar\",\"text\":\"did not answer\",\"url\":\"/\"}";
    let cause: Cause = serde_json::from_str(text).unwrap();
    let expected = Cause { kind: CauseKind::Unknown, text: "did not answer".into() };
    assert_eq!(cause, expected);
}

#[test]
fn safe_mode_adopts_and_does_nothing_unasked() {
    let mut config = config(&[("app", &["web"]), ("web", &[])]);
    for container in config.containers.values_mut() {
        container.restart = Restart::Always;
    }
    let mut world = World::new(config).play("web", &[Play::exits(s(5), 1), Play::default()]);
    world.tell(Event::SafeMode);
    world.tell(Event::Booted);
    world.run_until(s(10));
    assert_eq!(world.story(), [""; 0]);
    world.tell(Event::Start { name: "web".into() });
    world.run_until(s(14));
    assert_eq!((world.state("web"), world.state("app")), (StateKind::Running, StateKind::Waiting));
    world.run_until(s(100));
    assert_eq!(world.state("web"), StateKind::Waiting, "its restart is not asked for");
    world.tell(Event::Resume);
    world.run_until(s(101));
    assert_eq!((world.state("web"), world.state("app")), (StateKind::Running, StateKind::Running));
    assert_eq!(world.tell(Event::Resume), Outcome::Ignored("this is not safe mode"));
}

#[test]
fn nothing_starts_before_adoption_is_over() {
    let mut world = World::new(config(&[("web", &[])]));
    for event in [
        Event::Start { name: "web".into() },
        Event::Stop { name: "web".into() },
        Event::Restart { name: "web".into() },
        Event::Kill { name: "web".into(), signal: 9 },
    ] {
        assert_eq!(world.tell(event), Outcome::Refused(Refusal::TakingOver));
    }
    world.run_until(s(10));
    assert_eq!(world.log.len(), 4, "nothing is said or written before a record can be read");
    world.tell(Event::Booted);
    assert_eq!(world.story(), ["10.0 start web"]);
    let late = Event::Adopted { record: Box::new(running_record()), found: None };
    assert_eq!(world.tell(late), Outcome::Ignored("adoption is over"));
}
