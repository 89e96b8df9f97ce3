//! What is kept over supervisors, what is not pushed out by what, and what readers are told of what is gone.

use orlop::control::{Asker, EventKind, State};

use super::*;

fn state(name: &str, generation: u64) -> Happening {
    let (from, to) = (State::Backoff, State::Starting);
    Happening::State { name: name.into(), generation, from, to, cause: None, pid: None }
}

fn asked(what: &str) -> Happening {
    Happening::Asked { by: Asker::default(), name: None, what: what.into() }
}

/// A machine's history, and the descriptor that PID 1 keeps of it.
fn history() -> (History, OwnedFd) {
    let file = RingFile::create(ALL * SLOT).unwrap();
    let fd = file.as_fd().try_clone_to_owned().unwrap();
    (History { kept: Kept::open(file, true).ok(), phases: BTreeSet::new() }, fd)
}

/// As the next supervisor finds it.
fn adopted(fd: &OwnedFd) -> History {
    let file = RingFile::adopt(fd.try_clone().unwrap()).unwrap();
    let mut history = History { kept: Kept::open(file, false).ok(), phases: BTreeSet::new() };
    history.find_phases();
    history
}

fn read(history: &History, cursor: &mut Cursor) -> (u64, Vec<(u64, String)>) {
    let (mut dropped, mut events) = (0, Vec::new());
    loop {
        assert!(events.len() < 10_000, "it never ends");
        let next = history.next(cursor);
        dropped += next.dropped;
        let Some((_, event)) = next.event else { return (dropped, events) };
        events.push((event.number, event.text));
    }
}

const NOW: Duration = Duration::from_secs(5);

#[test]
fn both_rings_are_told_in_order_and_go_on_with_the_next_supervisor() {
    let (mut history, fd) = history();
    let mut cursor = Cursor::default();
    history.keep(NOW, &state("web", 1));
    history.keep(NOW, &asked("stop web"));
    history.keep(NOW, &state("web", 2));
    assert!(!history.is_at_end(&cursor));
    let first =
        [(1, "backoff -> starting"), (2, "asked by the machine: stop web"), (3, "backoff -> starting")];
    let first: Vec<_> = first.map(|(number, text)| (number, text.to_owned())).to_vec();
    assert_eq!(read(&history, &mut cursor), (0, first));
    assert!(history.is_at_end(&cursor));
    drop(history);
    let mut history = adopted(&fd);
    history.keep(NOW, &asked("start web"));
    // Who had read goes on, who comes sees all.
    assert_eq!(read(&history, &mut cursor), (0, vec![(4, "asked by the machine: start web".into())]));
    let (dropped, events) = read(&history, &mut Cursor::default());
    assert_eq!((dropped, events.len()), (0, 4));
}

#[test]
fn a_storm_of_crashes_pushes_out_its_own_and_is_counted() {
    let (mut history, _fd) = history();
    history.keep(NOW, &asked("start web"));
    let mut reader = Cursor::default();
    read(&history, &mut reader);
    for generation in 0..OF_CONTAINERS + 100 {
        history.keep(NOW, &state("web", generation));
    }
    let (dropped, events) = read(&history, &mut Cursor::default());
    assert_eq!((dropped, events.len() as u64), (100, OF_CONTAINERS + 1));
    assert_eq!(events[0], (1, "asked by the machine: start web".into()));
    assert_eq!(events[1].0, 102);
    // Somebody who follows too slowly.
    let (dropped, events) = read(&history, &mut reader);
    assert_eq!((dropped, events.len() as u64), (100, OF_CONTAINERS));
}

#[test]
fn who_asks_in_vain_pushes_out_nobody_who_acted() {
    let (mut history, fd) = history();
    history.keep(NOW, &asked("poweroff"));
    let refused = Happening::Refused { by: Asker::default(), name: None, what: None, why: "no".into() };
    for _ in 0..OF_MACHINE + OF_REFUSALS {
        history.keep(NOW, &refused);
    }
    let (dropped, events) = read(&adopted(&fd), &mut Cursor::default());
    assert_eq!((dropped, events.len() as u64), (OF_MACHINE, OF_REFUSALS + 1));
    assert_eq!(events[0], (1, "asked by the machine: poweroff".into()));
    // Their numbers are one row with all others.
    history.keep(NOW, &asked("start web"));
    let (_, events) = read(&adopted(&fd), &mut Cursor::default());
    assert_eq!(
        events.last().unwrap(),
        &(OF_MACHINE + OF_REFUSALS + 2, "asked by the machine: start web".into())
    );
}

#[test]
fn the_next_supervisor_knows_which_phases_were_told() {
    let (mut history, fd) = history();
    history.keep(NOW, &Happening::Phase { name: "mounts".into(), duration_us: 1, error: None });
    assert_eq!(adopted(&fd).phases, BTreeSet::from(["mounts".to_owned()]));
}

#[test]
fn what_a_later_release_wrote_is_told_as_something() {
    let (mut history, fd) = history();
    let kept = history.kept.as_mut().unwrap();
    let later = br#"{"kind":"eclipse"}"#;
    kept.rings[1].write(&kept.file, 1, Stamp::default(), HAPPENING_VERSION, later).unwrap();
    let next = adopted(&fd).next(&mut Cursor::default());
    assert_eq!(next.event.unwrap().1.kind, EventKind::Other);
}
