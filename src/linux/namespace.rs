//! Namespaces that are entered or mapped after a process exists.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use super::{Errno, Result, fs};

/// Enters a user namespace: full capabilities there, none outside.
///
/// # Errors
/// EINVAL when it is our own already.
pub fn enter_user(namespace: BorrowedFd<'_>) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWUSER)
}

/// Namespaces of our own, CLONE_NEW* of unshare(2). A process or time namespace is our children's.
///
/// # Errors
/// EPERM.
pub fn unshare_flags(flags: u64) -> Result<()> {
    unshare(CloneFlags::from_bits_retain(flags as libc::c_int))
}

/// Opens a namespace by its path and checks that it is of this kind, CLONE_NEW* (NS_GET_NSTYPE).
///
/// # Errors
/// ENOENT; EINVAL when it is another kind, or no namespace at all.
pub fn open_of_kind(path: &str, kind: u64) -> Result<OwnedFd> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    let fd = fs::open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
    // A file of another file system may answer to the number of this ioctl with anything.
    const NSFS_MAGIC: i64 = 0x6e73_6673;
    if !super::mount::has_magic(fd.as_fd(), NSFS_MAGIC)? {
        return Err(Errno::EINVAL);
    }
    // SAFETY: this ioctl takes no argument.
    let found = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE as _, 0) };
    match super::check(found.into())? as u64 == kind {
        true => Ok(fd),
        false => Err(Errno::EINVAL),
    }
}

/// Enters a namespace of this kind, CLONE_NEW* of setns(2).
///
/// # Errors
/// EPERM without power over it.
pub fn join(namespace: BorrowedFd<'_>, kind: u64) -> Result<()> {
    setns(namespace, CloneFlags::from_bits_retain(kind as libc::c_int))
}

/// With their numbers in pidfd.h, and their names in /proc/PID/ns.
const KINDS: [(CloneFlags, u8, &str); 6] = [
    (CloneFlags::CLONE_NEWCGROUP, 1, "cgroup"),
    (CloneFlags::CLONE_NEWIPC, 2, "ipc"),
    (CloneFlags::CLONE_NEWNS, 3, "mnt"),
    (CloneFlags::CLONE_NEWNET, 4, "net"),
    (CloneFlags::CLONE_NEWPID, 5, "pid"),
    (CloneFlags::CLONE_NEWUTS, 10, "uts"),
];

/// New namespaces of these kinds, CLONE_NEW*, that a user namespace owns, with nobody in them: a child makes them, and
/// ends once they are open. The loopback of a new network is up, and `set` was called in all of them.
///
/// # Errors
/// EPERM without power over the user namespace; ENOSPC beyond what /proc/sys/user allows.
pub fn make_in(
    user: BorrowedFd<'_>,
    kinds: u64,
    set: impl FnOnce() -> Result<()>,
) -> Result<Vec<(u64, OwnedFd)>> {
    use super::clone::{Cloned, Parent, clone3};
    let (read, write) = super::fd::pipe()?;
    match clone3(Parent::Caller, 0, None)? {
        Cloned::Child => {
            let made = enter_user(user).and_then(|()| unshare_flags(kinds));
            let up = if kinds & NETWORK == 0 { made } else { made.and_then(|()| loopback_up()) };
            // One byte: what went wrong, or nothing did.
            let errno = up.and_then(|()| set()).err().map_or(0, |errno| errno as i32);
            let _ = nix::unistd::write(&write, &[u8::try_from(errno).unwrap_or(u8::MAX)]);
            loop {
                super::process::pause();
            }
        }
        Cloned::Parent { pidfd, .. } => {
            drop(write);
            let mut word = [0];
            let opened = match super::fd::read(read.as_fd(), &mut word) {
                Ok(0) => Err(Errno::ESRCH),
                Ok(_) if word == [0] => of_kinds(pidfd.as_fd(), kinds),
                Ok(_) => Err(Errno::from_raw(word.map(i32::from)[0])),
                Err(errno) => Err(errno),
            };
            // It keeps what it was made with open until it is gone.
            super::pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL)?;
            super::wait::wait_for(pidfd.as_fd())?;
            opened
        }
    }
}

fn of_kinds(pidfd: BorrowedFd<'_>, kinds: u64) -> Result<Vec<(u64, OwnedFd)>> {
    let wanted = KINDS.into_iter().map(|(flag, number, _)| (flag.bits() as u64, number));
    let wanted = wanted.filter(|(flag, _)| kinds & flag != 0);
    wanted.map(|(flag, number)| Ok((flag, super::pidfd::namespace(pidfd, number)?))).collect()
}

/// Kinds for [`join_those_of`].
pub const MOUNT: u64 = CloneFlags::CLONE_NEWNS.bits() as u64;
pub const NETWORK: u64 = CloneFlags::CLONE_NEWNET.bits() as u64;
pub const USER: u64 = CloneFlags::CLONE_NEWUSER.bits() as u64;

/// Enters several namespaces of a process at once, by its pidfd (setns(2), 5.8).
///
/// # Errors
/// EPERM, ESRCH.
pub fn join_those_of(pidfd: BorrowedFd<'_>, kinds: u64) -> Result<()> {
    setns(pidfd, CloneFlags::from_bits_retain(kinds as libc::c_int))
}

/// Of these kinds those in which a process is not where we are.
///
/// # Errors
/// ESRCH; ENOENT without /proc.
pub fn other_than_ours(pidfd: BorrowedFd<'_>, kinds: u64) -> Result<u64> {
    let time = (CloneFlags::from_bits_retain(super::clone::flags::NEWTIME as libc::c_int), 7, "time");
    let mut others = kinds;
    for (flag, number, name) in KINDS.into_iter().chain([time]) {
        let theirs = super::pidfd::namespace(pidfd, number)?;
        let path = format!("/proc/self/ns/{name}");
        let ours = fs::open(path.as_str(), OFlag::O_RDONLY, Mode::empty())?;
        if is_same(theirs.as_fd(), ours.as_fd())? {
            others &= !(flag.bits() as u64);
        }
    }
    Ok(others)
}

/// Whether both stand for one namespace.
///
/// # Errors
/// As fstat(2).
pub fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<bool> {
    use nix::sys::stat::fstat;
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// The user namespace that we are in.
///
/// # Errors
/// ENOENT without /proc.
pub fn own_user() -> Result<OwnedFd> {
    fs::open("/proc/self/ns/user", OFlag::O_RDONLY, Mode::empty())
}

/// Whether our user namespace is the first one, in which all ids are what they are.
pub fn is_first_user() -> bool {
    let map = super::proc::read("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether setgroups(2) is forbidden to everybody in our user namespace (user_namespaces(7)).
pub fn keeps_groups() -> bool {
    super::proc::read("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// Writes the maps of the user namespace of `pid`: lines of `inside outside size`
/// (user_namespaces(7)).
///
/// # Errors
/// EPERM; EINVAL for a range that is mapped already.
pub fn write_maps(pid: i32, uids: &str, gids: &str) -> Result<()> {
    write_all(&format!("/proc/{pid}/uid_map"), uids)?;
    match write_all(&format!("/proc/{pid}/gid_map"), gids) {
        // Without power over groups a map of one's own is taken once nobody in it can drop one.
        Err(Errno::EPERM) => {
            write_all(&format!("/proc/{pid}/setgroups"), "deny")?;
            write_all(&format!("/proc/{pid}/gid_map"), gids)
        }
        other => other,
    }
}

/// Lines of inside, outside, size.
pub type Map = Vec<[u32; 3]>;

/// The maps of a user namespace, of users and of groups, as the caller's sees them.
///
/// # Errors
/// EPERM without power over it.
pub fn maps_of(namespace: BorrowedFd<'_>) -> Result<(Map, Map)> {
    use super::clone::{Cloned, Parent, clone3};
    let (read, write) = super::fd::pipe()?;
    match clone3(Parent::Caller, 0, None)? {
        Cloned::Child => {
            // One byte once we are there; nothing if we cannot be.
            if enter_user(namespace).is_ok() && nix::unistd::write(&write, b"+").is_ok() {
                loop {
                    super::process::pause();
                }
            }
            super::process::exit_now(1)
        }
        Cloned::Parent { pid, pidfd } => {
            drop(write);
            let entered = super::fd::read(read.as_fd(), &mut [0u8; 1])? == 1;
            let maps = match entered {
                true => read_map(pid, "uid_map").and_then(|uids| Ok((uids, read_map(pid, "gid_map")?))),
                false => Err(Errno::EPERM),
            };
            super::pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL)?;
            super::wait::wait_for(pidfd.as_fd())?;
            maps
        }
    }
}

fn read_map(pid: i32, file: &str) -> Result<Map> {
    let path = format!("/proc/{pid}/{file}");
    let text = std::fs::read_to_string(path)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
    };
    text.lines().map(|text| line(text).ok_or(Errno::EBADMSG)).collect()
}

/// Sets the clocks of the time namespace that our children will be in: lines of
/// `CLOCK SECONDS NANOSECONDS` (time_namespaces(7)).
///
/// # Errors
/// EACCES once a process has entered it, ERANGE for a clock below zero.
pub fn write_time_offsets(lines: &str) -> Result<()> {
    write_all("/proc/self/timens_offsets", lines)
}

/// In one write, which is all that these files take.
fn write_all(path: &str, text: &str) -> Result<()> {
    let fd = fs::open(path, OFlag::O_WRONLY, Mode::empty())?;
    if nix::unistd::write(fd.as_fd(), text.as_bytes())? == text.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// Brings the loopback interface of this network namespace up (SIOCSIFFLAGS).
///
/// # Errors
/// EPERM.
pub fn loopback_up() -> Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request lives across the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    super::check(done.into())?;
    Ok(())
}
