//! Whatever fails, is slow or never answers: what the core makes of it.

use super::*;

fn machine(text: &str) -> Machine {
    let mut machine = Machine::new(s(1), declared(text), 7);
    machine.watch();
    machine
}

/// After so long, with all promises kept: its state and why.
fn after(mut machine: Machine, name: &str, time: Duration) -> (StateKind, String) {
    machine.run_until(s(1) + time);
    assert_eq!(machine.breach(), None);
    let status = machine.core.status(name).unwrap();
    (status.state, status.cause.map(|cause| cause.text).unwrap_or_default())
}

fn playing(play: Play) -> Machine {
    let mut machine = machine("[container.web]\nrestart = 'no'\n");
    machine.plays.insert("web".into(), vec![play]);
    machine.tell(Event::Booted);
    machine
}

#[test]
fn a_start_that_hangs_is_killed_and_failed() {
    for reaches_barrier in [true, false] {
        let hangs = Play { start: NEVER, reaches_barrier, ..Play::default() };
        let (state, cause) = after(playing(hangs), "web", s(31));
        let expected = "could not be started: start the container: it took longer than 30 s";
        assert_eq!((state, cause.as_str()), (StateKind::Failed, expected));
    }
}

#[test]
fn a_start_that_hangs_and_cannot_be_killed_is_stuck() {
    let hangs = Play { start: NEVER, dies: None, ..Play::default() };
    assert_eq!(after(playing(hangs), "web", s(60)).0, StateKind::Stuck);
}

#[test]
fn an_image_may_be_found_unusable_by_a_start() {
    let (state, cause) = after(playing(Play { unusable: true, ..Play::default() }), "web", s(2));
    let expected = "cannot run, its image is unusable: its manifest is torn";
    assert_eq!((state, cause.as_str()), (StateKind::Invalid, expected));
}

#[test]
fn a_signal_that_is_lost_late_or_refused_does_not_keep_it_up() {
    for signal in [Delivery::Lost, Delivery::Late(s(3)), Delivery::Fails(1)] {
        let mut machine = playing(Play { signal, ..Play::default() });
        machine.run_until(s(2));
        machine.tell(Event::Stop { name: "web".into() });
        assert_eq!(after(machine, "web", s(20)).0, StateKind::Exited, "{signal:?}");
    }
}

#[test]
fn a_kill_that_is_lost_leaves_it_stuck_and_one_that_fails_is_repeated() {
    let stopped = |kill| {
        let mut machine = playing(Play { obeys: None, kill, ..Play::default() });
        machine.run_until(s(2));
        machine.tell(Event::Stop { name: "web".into() });
        after(machine, "web", s(60)).0
    };
    assert_eq!(stopped(Delivery::Lost), StateKind::Stuck);
    assert_eq!(stopped(Delivery::Late(s(7))), StateKind::Exited);
    assert_eq!(stopped(Delivery::Fails(3)), StateKind::Exited);
}

#[test]
fn a_full_disk_starts_nothing_and_loses_no_end() {
    for saves in [Saves::InPlace, Saves::Lost] {
        let mut machine = machine("[container.web]\nrestart = 'no'\n");
        machine.disk.saves = saves;
        machine.tell(Event::Booted);
        machine.run_until(s(10));
        let status = machine.core.status("web").unwrap();
        let expected = "could not be started: record web: No space left on device";
        assert_eq!(status.cause.unwrap().text, expected);
        machine.disk.saves = Saves::Work;
        assert_eq!(after(machine, "web", s(60)).0, StateKind::Running, "{saves:?}");
    }
    let mut machine = playing(Play::exits(s(5), 3));
    machine.run_until(s(2));
    machine.disk.saves = Saves::Lost;
    machine.run_until(s(10));
    machine.crash(s(1), Safe::No);
    assert_eq!(after(machine, "web", s(20)), (StateKind::Failed, "exited with code 3".into()));
}

#[test]
fn a_slow_disk_lets_time_pass_between_two_effects() {
    let mut machine = machine("[container.web]\n");
    machine.disk.slow = ms(700);
    machine.tell(Event::Booted);
    assert_eq!((machine.now, machine.exists("web")), (s(1) + ms(700), true));
}

#[test]
fn what_ends_while_there_is_no_supervisor_is_in_the_ledger() {
    let mut machine = playing(Play::exits(s(5), 3));
    machine.run_until(s(2));
    machine.crash(s(10), Safe::No);
    assert_eq!(after(machine, "web", s(20)), (StateKind::Failed, "exited with code 3".into()));
}
