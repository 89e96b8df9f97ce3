//! Containers that are started by the first connection.

use super::declared::{declared, ms, s};
use super::world::World;
use super::*;
use crate::simulation::Play;

const SOCKETS: &str = "sockets = ['tcp://0.0.0.0:80']\nstart = 'on-connection'";

fn world(more: &str, plays: &[Play]) -> World {
    World::new(declared(&format!("[container.web]\n{SOCKETS}\n{more}"))).play("web", plays).booted()
}

/// Somebody connects so long after it began to listen, and it runs for so long.
fn serves(after: Duration, runs: Option<(Duration, i32)>) -> Play {
    let ends = runs.map(|(time, code)| (time, Exit::Code(code)));
    Play { connects: Some(after), ends, ..Play::default() }
}

#[test]
fn the_first_connection_starts_it_and_nothing_else_does() {
    let mut nobody = world("", &[]);
    nobody.run_until(s(3600));
    let status = nobody.status("web");
    assert_eq!((status.state, status.listens), (StateKind::Waiting, true));
    assert!(nobody.starts("web").is_empty() && nobody.core.have_come_up());
    let mut web = world("", &[serves(s(70), None)]);
    web.run_until(s(3600));
    assert_eq!(web.starts("web").iter().map(Duration::as_secs).collect::<Vec<_>>(), [71]);
    assert_eq!((web.state("web"), web.status("web").listens), (StateKind::Running, false));
}

#[test]
fn a_good_end_waits_for_the_next_connection_whatever_restart_says() {
    for restart in ["no", "on-failure", "always"] {
        let mut web = world(&format!("restart = '{restart}'"), &[serves(s(10), Some((s(5), 0)))]);
        web.run_until(s(44));
        assert_eq!(
            web.starts("web").iter().map(Duration::as_secs).collect::<Vec<_>>(),
            [11, 26, 41],
            "{restart}"
        );
        web.run_until(s(50));
        assert!(web.status("web").listens && web.status("web").restarts == 0, "{restart}");
    }
}

#[test]
fn a_failure_is_a_failure() {
    let mut once = world("", &[serves(s(1), Some((s(1), 3)))]);
    once.run_until(s(60));
    assert_eq!((once.state("web"), once.starts("web").len()), (StateKind::Failed, 1));
    // Who connected is still in the queue.
    let mut again = world("restart = 'on-failure'", &[serves(s(1), Some((s(1), 3))), serves(s(1), None)]);
    again.run_until(s(60));
    assert_eq!((again.state("web"), again.status("web").restarts), (StateKind::Running, 1));
}

#[test]
fn one_that_ends_without_taking_who_connected_is_not_started_in_a_loop() {
    let more = "restart_policy = { delay = '2s' }\nrestart = 'always'";
    let mut web = world(more, &[serves(ms(0), Some((ms(10), 0)))]);
    web.run_until(s(20));
    let count = web.starts("web").len();
    assert!((9..=11).contains(&count), "{count}");
}

#[test]
fn a_person_starts_it_without_and_stops_it_in_spite_of_a_connection() {
    let mut web = world("", &[serves(s(600), None), serves(s(1), None)]);
    web.run_until(s(10));
    web.tell(Event::Start { name: "web".into() });
    web.run_until(s(11));
    assert_eq!(web.state("web"), StateKind::Running);
    web.tell(Event::Stop { name: "web".into() });
    web.run_until(s(700));
    assert_eq!((web.state("web"), web.starts("web").len()), (StateKind::Exited, 1));
    let late = web.tell(Event::Connected { name: "web".into() });
    assert_eq!(late, Outcome::Ignored("it does not wait for a connection"));
}

#[test]
fn who_depends_on_it_does_not_wait_for_somebody_to_connect() {
    let other = "restart = 'no'\n[container.other]\ndepends_on = ['web']";
    let mut web = world(other, &[]);
    web.run_until(s(2));
    assert_eq!((web.state("web"), web.state("other")), (StateKind::Waiting, StateKind::Running));
}

#[test]
fn the_next_supervisor_asks_for_connections_anew() {
    let mut web = world("", &[serves(s(30), Some((s(5), 0)))]);
    web.run_until(s(10));
    web.crash();
    web.run_until(s(42));
    assert_eq!(web.starts("web").iter().map(Duration::as_secs).collect::<Vec<_>>(), [40]);
}

#[test]
fn a_socket_that_cannot_be_opened_is_a_failed_start() {
    let deaf = Play { deaf: true, ..Play::default() };
    let mut once = world("", core::slice::from_ref(&deaf));
    once.run_until(s(5));
    assert_eq!((once.state("web"), once.starts("web").len()), (StateKind::Failed, 0));
    assert_eq!(once.cause("web"), "could not be started: exec /app: No such file or directory");
    let mut again = world("restart = 'on-failure'", &[deaf]);
    again.run_until(s(5));
    assert_eq!((again.state("web"), again.starts("web").len()), (StateKind::Running, 1));
}
