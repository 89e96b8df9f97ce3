//! Filters in the kernel that the tests run on, each on a cgroup of its own. They need root.

use super::*;
use crate::linux::cgroup;
use crate::linux::forked::Forked;
use crate::linux::testing::in_own_cgroup;

const LOAD_WORD: u8 = 0x61;
const JUMP_EQUAL: u8 = 0x15;
const MOVE: u8 = 0xb7;
const EXIT: u8 = 0x95;
/// /dev/null and /dev/zero are 1:3 and 1:5.
const NULL: i32 = 3;
const ZERO: i32 = 5;

fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers, offset, immediate }
}

/// Allows devices of these minor numbers only.
fn only(minors: &[i32]) -> OwnedFd {
    let mut program = vec![instruction(LOAD_WORD, 2 | 1 << 4, 8, 0)];
    for (at, minor) in minors.iter().enumerate() {
        // Over the other questions and the two instructions that deny.
        let distance = i16::try_from(minors.len() - at + 1).unwrap();
        program.push(instruction(JUMP_EQUAL, 2, distance, *minor));
    }
    for verdict in [0, 1] {
        program.extend([instruction(MOVE, 0, 0, verdict), instruction(EXIT, 0, 0, 0)]);
    }
    load_device_filter(&program).unwrap_or_else(|not| panic!("{not:?}"))
}

fn open(path: &str) -> Option<Errno> {
    std::fs::File::open(path).err().map(|error| Errno::from_raw(error.raw_os_error().unwrap()))
}

/// Runs `work` in a process of this cgroup.
fn inside(group: BorrowedFd<'_>, work: impl FnOnce() -> bool) -> Forked {
    Forked::run(|| {
        let entered = cgroup::write(group, "cgroup.procs", "0");
        i32::from(entered.is_err() || !work())
    })
}

#[test]
fn the_last_filter_alone_counts() {
    in_own_cgroup(|group| {
        let opens = |null: Option<Errno>, zero: Option<Errno>| {
            let child = inside(group, || (open("/dev/null"), open("/dev/zero")) == (null, zero));
            assert_eq!(child.wait(), 0, "{null:?} {zero:?}");
        };
        opens(None, None);
        let (null, zero) = (only(&[NULL]), only(&[ZERO]));
        filter_devices(group, null.as_fd()).unwrap();
        opens(None, Some(Errno::EPERM));
        filter_devices(group, zero.as_fd()).unwrap();
        opens(Some(Errno::EPERM), None);
        // The same once more is no mistake.
        filter_devices(group, zero.as_fd()).unwrap();
        opens(Some(Errno::EPERM), None);
        assert_eq!(device_filters(group).unwrap().len(), 1);
        // Also when somebody else has added one.
        add_device_filter(group, null.as_fd()).unwrap();
        assert_eq!(add_device_filter(group, null.as_fd()), Err(Errno::EINVAL));
        opens(Some(Errno::EPERM), Some(Errno::EPERM));
        filter_devices(group, only(&[NULL]).as_fd()).unwrap();
        opens(None, Some(Errno::EPERM));
        assert_eq!(device_filters(group).unwrap().len(), 1);
        detach(group, by_id(device_filters(group).unwrap()[0]).unwrap().unwrap().as_fd()).unwrap();
        opens(None, None);
        assert_eq!(detach(group, null.as_fd()), Err(Errno::ENOENT));
    });
}

#[test]
fn a_filter_stays_when_nobody_holds_it_but_the_cgroup() {
    in_own_cgroup(|group| {
        filter_devices(group, only(&[NULL]).as_fd()).unwrap();
        assert_eq!(inside(group, || open("/dev/zero") == Some(Errno::EPERM)).wait(), 0);
    });
}

#[test]
fn there_is_no_moment_between_two_filters() {
    in_own_cgroup(|group| {
        let filters = [only(&[NULL]), only(&[NULL, NULL])];
        filter_devices(group, filters[0].as_fd()).unwrap();
        let (mut told, tell) = std::io::pipe().unwrap();
        // Until the pipe is closed, what is allowed works and what is not does not.
        let child = inside(group, || {
            let flags = nix::fcntl::OFlag::O_NONBLOCK;
            nix::fcntl::fcntl(&told, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
            loop {
                if open("/dev/null").is_some() || open("/dev/zero") != Some(Errno::EPERM) {
                    return false;
                }
                let mut byte = [0];
                if std::io::Read::read(&mut told, &mut byte).is_ok() {
                    return true;
                }
            }
        });
        for round in 0..2000 {
            filter_devices(group, filters[round % 2].as_fd()).unwrap();
        }
        std::io::Write::write_all(&mut &tell, b"x").unwrap();
        assert_eq!(child.wait(), 0);
    });
}

#[test]
fn a_refused_program_is_refused_in_the_verifiers_words() {
    let refused =
        load_device_filter(&[instruction(JUMP_EQUAL, 2, 0, 0), instruction(EXIT, 0, 0, 0)]).unwrap_err();
    assert_eq!(refused.errno, Errno::EACCES);
    assert!(refused.log.contains("R2 !read_ok"), "{refused:?}");
}
