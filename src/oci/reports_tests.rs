//! Reports as they may come.

use std::os::fd::OwnedFd;

use super::*;
use crate::linux::forked::Forked;
use crate::linux::seqpacket;

fn starting(setup: &Forked) -> (Starting, OwnedFd) {
    let (report, theirs) = seqpacket::pair().unwrap();
    (Starting { report, setup: pidfd::open(setup.pid()).unwrap() }, theirs)
}

fn for_ever() -> i32 {
    loop {
        crate::linux::process::pause();
    }
}

#[test]
fn the_container_is_told_before_what_it_says() {
    let setup = Forked::run(for_ever);
    let (starting, theirs) = starting(&setup);
    let mut reports = Reports::of(&starting);
    let fds = [starting.setup.as_fd()];
    for (text, fds) in [("M", &fds[..0]), ("C7", &fds), ("R", &fds[..0])] {
        seqpacket::send(theirs.as_fd(), text.as_bytes(), fds).unwrap();
    }
    assert!(matches!(reports.next(), Ok(Report::Container { pid: 7, .. })));
    assert!(matches!(reports.next(), Ok(Report::Meets)));
    assert!(matches!(reports.next(), Ok(Report::Ready)));
    drop(theirs);
    assert!(matches!(reports.next(), Ok(Report::Closed)));
}

#[test]
fn whoever_was_killed_before_it_told_is_not_waited_for() {
    let setup = Forked::run(|| 0);
    let (starting, theirs) = starting(&setup);
    assert_eq!(setup.wait(), 0);
    seqpacket::send(theirs.as_fd(), b"R", &[]).unwrap();
    assert!(Reports::of(&starting).next().is_err());
}

#[test]
fn a_failure_is_told_at_once() {
    let setup = Forked::run(for_ever);
    let (starting, theirs) = starting(&setup);
    for text in ["R", "F2\0mount\0/proc"] {
        seqpacket::send(theirs.as_fd(), text.as_bytes(), &[]).unwrap();
    }
    assert!(matches!(Reports::of(&starting).next(), Ok(Report::Failed(_))));
}
