//! Jobs of the shutdown: before everything else, one after the other, and never at the cost of others.

use super::declared::{declared, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

/// A service and a job, with more.
fn world(job: &str, more: &str, plays: &[(&str, Play)]) -> World {
    let text = format!("[container.web]\n[container.job]\ntype = 'shutdown'\n{job}\n{more}\n");
    let mut world = World::new(declared(&text));
    for (name, play) in plays {
        world = world.play(name, std::slice::from_ref(play));
    }
    let mut world = world.booted();
    world.run_until(s(10));
    world
}

fn job(time: Duration) -> Play {
    Play::exits(time, 0)
}

fn shut_down(world: &mut World, within: Duration) -> Vec<String> {
    let deadline = world.now + within;
    assert_eq!(world.tell(Event::Shutdown { deadline }), Outcome::Done);
    world.run_for(s(1000));
    let begins = |line: &String| ["start", "signal", "kill", "done"].iter().any(|it| line.contains(it));
    let story = world.story().into_iter().filter(begins);
    story.skip_while(|line| !line.starts_with("10")).collect()
}

#[test]
fn a_job_waits_for_the_shutdown_and_runs_before_anything_is_stopped() {
    let mut world = world("", "", &[("job", job(s(3)))]);
    assert_eq!((world.state("job"), world.status("job").next), (StateKind::Waiting, Next::Shutdown));
    assert!(world.core.have_come_up(), "the boot does not wait for it");
    let story = shut_down(&mut world, s(60));
    assert_eq!(
        story,
        ["10.0 start job", "13.0 kill job", "13.0 signal 15 web", "13.1 kill web", "13.1 done"]
    );
    assert_eq!((world.state("job"), world.cause("job").as_str()), (StateKind::Exited, "exited with code 0"));
}

#[test]
fn jobs_follow_their_dependencies() {
    let more = "[container.first]\ntype = 'shutdown'\n[container.last]\ntype = 'shutdown'\ndepends_on = { job = 'completed' }";
    let plays = ["first", "job", "last"].map(|name| (name, job(s(2))));
    let mut world = world("depends_on = { first = 'completed', web = 'started' }", more, &plays);
    let starts: Vec<String> =
        shut_down(&mut world, s(60)).into_iter().filter(|line| line.contains("start")).collect();
    assert_eq!(starts, ["10.0 start first", "12.0 start job", "14.0 start last"]);
}

#[test]
fn a_job_whose_dependency_failed_does_not_run_and_nobody_waits_for_it() {
    let more = "[container.first]\ntype = 'shutdown'\nrestart = 'no'";
    let plays = [("first", Play::exits(s(1), 1)), ("job", job(s(2)))];
    let mut world = world("depends_on = { first = 'completed' }", more, &plays);
    let story = shut_down(&mut world, s(60));
    assert!(!story.iter().any(|line| line.contains("start job")), "{story:?}");
    assert!(story.contains(&"11.0 signal 15 web".to_string()), "{story:?}");
    assert_eq!(world.cause("job"), "did not run: the machine had to end before it could");
}

#[test]
fn a_job_that_does_not_end_takes_nothing_from_the_others() {
    let deaf = Play { obeys: None, ..Play::default() };
    let mut world = world("", "", &[("job", deaf.clone()), ("web", deaf)]);
    let story = shut_down(&mut world, s(60));
    // 58 s, less 10 + 5 s for the stop of web, less 5 s for its own kill.
    assert!(story.contains(&"48.0 kill job".to_string()), "{story:?}");
    assert!(story.contains(&"58.0 kill web".to_string()), "it had its ten seconds: {story:?}");
}

#[test]
fn one_that_takes_longer_than_it_may_is_stopped_and_the_next_has_its_time() {
    let mut world = world("run_timeout = '5s'", "", &[("job", Play::default())]);
    let story = shut_down(&mut world, s(60));
    assert!(story.contains(&"15.0 signal 15 job".to_string()), "{story:?}");
    assert!(story.contains(&"15.1 signal 15 web".to_string()), "{story:?}");
    assert_eq!(world.state("job"), StateKind::Failed);
}

#[test]
fn where_the_stops_need_all_the_time_no_job_runs() {
    let mut world = world("", "", &[("job", job(s(1)))]);
    let story = shut_down(&mut world, s(20));
    assert!(!story.iter().any(|line| line.contains("start job")), "{story:?}");
    assert!(story.contains(&"10.0 signal 15 web".to_string()), "{story:?}");
}

#[test]
fn while_jobs_run_nothing_comes_up_and_what_crashes_stays_down() {
    let crashes = Play::exits(s(6), 1);
    let more = "[container.flaky]\nrestart = 'always'\nrestart_policy = { delay = '4s' }";
    let mut world = world("", more, &[("job", job(s(9))), ("flaky", crashes)]);
    let begun = world.starts("flaky").len();
    let story = shut_down(&mut world, s(60));
    assert_eq!(world.starts("flaky").len(), begun, "{story:?}");
    assert_eq!(world.state("flaky"), StateKind::Exited);
}

#[test]
fn while_jobs_run_nobody_who_connects_has_anything_started() {
    let more = "[container.late]\nsockets = ['tcp://0.0.0.0:80']\nstart = 'on-connection'";
    let plays = [("job", job(s(9))), ("late", Play { connects: Some(s(12)), ..Play::default() })];
    let mut idle = world("", more, &plays);
    idle.tell(Event::Shutdown { deadline: s(70) });
    idle.run_for(s(5));
    let status = idle.status("late");
    assert_eq!((status.state, status.listens, status.next), (StateKind::Waiting, false, Next::Nothing));
    idle.run_for(s(100));
    assert!(idle.starts("late").is_empty() && idle.starts("job").len() == 1, "{:#?}", idle.story());
    // Nobody would answer it.
    let mut needed = world("depends_on = ['late']", more, &plays);
    let story = shut_down(&mut needed, s(60));
    assert!(!story.iter().any(|line| line.contains("start")), "{story:?}");
    assert!(story.contains(&"10.0 signal 15 web".to_string()), "{story:?}");
}

#[test]
fn while_jobs_run_a_group_that_fails_stops_nobody() {
    for then in ["restart-group", "fail"] {
        let more = format!(
            "[container.flaky]\nrestart = 'always'\n[group.all]\ncontainers = ['web', 'flaky']\n\
             restart_policy = {{ max_attempts = 1, window = '1h', then = '{then}' }}"
        );
        let mut world = world("", &more, &[("job", job(s(9))), ("flaky", Play::exits(s(12), 1))]);
        let story = shut_down(&mut world, s(60));
        assert!(story.contains(&"19.0 signal 15 web".to_string()), "{then}: {story:?}");
    }
}

#[test]
fn a_person_may_run_it_before_and_it_runs_again() {
    let mut world = world("", "", &[("job", job(s(3)))]);
    world.tell(Event::Start { name: "job".into() });
    world.run_for(s(5));
    assert_eq!((world.state("job"), world.starts("job").len()), (StateKind::Waiting, 1));
    world.tell(Event::Shutdown { deadline: s(100) });
    world.run_for(s(50));
    assert_eq!((world.state("job"), world.starts("job").len()), (StateKind::Exited, 2));
}

#[test]
fn one_that_a_person_stopped_does_not_run() {
    let mut world = world("", "", &[("job", job(s(3)))]);
    world.tell(Event::Stop { name: "job".into() });
    let story = shut_down(&mut world, s(60));
    assert!(!story.iter().any(|line| line.contains("start job")), "{story:?}");
}

#[test]
fn a_job_runs_once_although_the_supervisor_dies() {
    for after in [ms(500), s(4)] {
        let mut world = world("", "", &[("job", job(s(3)))]);
        world.tell(Event::Shutdown { deadline: s(70) });
        world.run_for(after);
        world.crash();
        world.run_for(s(100));
        assert_eq!(world.starts("job").len(), 1, "{:#?}", world.story());
        assert_eq!(world.story().last().unwrap().split_once(' ').unwrap().1, "done");
    }
}

#[test]
fn nothing_runs_unasked_in_safe_mode() {
    let mut world = world("", "", &[("job", job(s(3)))]);
    world.tell(Event::SafeMode);
    let story = shut_down(&mut world, s(60));
    assert!(!story.iter().any(|line| line.contains("start job")), "{story:?}");
}

#[test]
fn a_group_that_is_started_leaves_its_jobs_their_hour() {
    let mut world = world("", "[group.shop]\ncontainers = ['web', 'job']", &[("job", job(s(3)))]);
    let group = |event: fn(String) -> Event| event("shop".into());
    let start: fn(String) -> Event = |name| Event::Start { name };
    let restart: fn(String) -> Event = |name| Event::Restart { name };
    assert!(matches!(world.tell(group(start)), Outcome::Ignored(_)), "all of it is up");
    assert_eq!(world.tell(group(restart)), Outcome::Done);
    world.run_for(s(5));
    assert_eq!((world.starts("web").len(), world.starts("job").len()), (2, 0));
    // What was stopped with its group will run with it.
    world.tell(Event::Stop { name: "shop".into() });
    world.run_for(s(5));
    assert_eq!((world.state("job"), world.status("job").wanted), (StateKind::Exited, Wanted::Down));
    assert_eq!(world.tell(group(start)), Outcome::Done);
    world.run_for(s(5));
    assert_eq!((world.state("web"), world.state("job")), (StateKind::Running, StateKind::Waiting));
    assert_eq!((world.starts("job").len(), world.status("job").next), (0, Next::Shutdown));
    let story = shut_down(&mut world, s(60));
    assert!(story.iter().any(|line| line.ends_with("start job")), "{story:?}");
    assert_eq!(world.starts("job").len(), 1);
}
