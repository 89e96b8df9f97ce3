//! Frames there and back, and bytes that are none.

use super::super::label::LABEL_BYTES;
use super::*;

fn child() -> Child {
    Child { cookie: u64::MAX - 1, kind: Kind::Ring, pid: 77, label: Label::new("web") }
}

#[test]
fn every_frame_comes_back_as_it_was_sent() {
    let ended = Ended { code: 2, status: 34, user_us: 1, system_us: 2, max_rss: 3, at_us: 4 };
    let phase = Phase { start_us: 5, end_us: 6, errno: 19, label: Label::new("mounts /proc") };
    for frame in [
        Frame::Hello { oldest: 1, newest: 2, pid: 3 },
        Frame::Welcome { starts: 3, orphans: 4, safe: true, phases: 5, entries: 6, power: None, to: 7 },
        Frame::Welcome {
            starts: 3,
            orphans: 4,
            safe: false,
            phases: 5,
            entries: 6,
            power: Some((Action::Reboot, 9)),
            to: 7,
        },
        Frame::Phase(phase),
        Frame::Entry { child: child(), ended: Some(ended) },
        Frame::Entry { child: child(), ended: None },
        Frame::Register(child()),
        Frame::Registered { cookie: 1 },
        Frame::Gone { cookie: 2 },
        Frame::Refused { cookie: 3 },
        Frame::Release { cookie: 4 },
        Frame::Ended { cookie: 5, ended },
        Frame::Recorded { cookie: 6 },
        Frame::Alive,
        Frame::Power { action: Action::PowerOff, deadline_us: 7 },
        Frame::PowerDone,
        Frame::Upgrade,
        Frame::UpgradeFailed { code: 1, status: 127 },
        Frame::Resume,
        Frame::Counted { orphans: 8 },
        Frame::Count,
        Frame::Watchdog { timeout_ms: 30_000 },
        Frame::Ping,
        Frame::Unknown { kind: 900 },
    ] {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn bytes_of_another_size_or_sense_are_refused() {
    assert_eq!(Frame::decode(&[0; 3]), Err(Malformed));
    let mut bytes = Frame::Power { action: Action::Reboot, deadline_us: 0 }.encode();
    bytes[4] = 99;
    assert_eq!(Frame::decode(&bytes), Err(Malformed));
}

#[test]
fn a_label_is_cut_not_overrun() {
    let long = "x".repeat(200);
    assert_eq!(Label::new(&long).as_str().len(), LABEL_BYTES - 1);
}
