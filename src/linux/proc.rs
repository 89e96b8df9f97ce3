//! What /proc says of a process by its number.

use std::os::fd::AsFd;

use super::{Errno, Result};

/// When a process was started, in clock ticks since boot (proc_pid_stat(5), field 22): with its
/// number an identity where pidfds have no inodes of their own.
///
/// # Errors
/// ENOENT, ESRCH when there is no such process.
pub fn start_time(pid: i32) -> Result<u64> {
    let text = read(&format!("/proc/{pid}/stat"))?;
    field(&text, 22).and_then(|it| it.parse().ok()).ok_or(Errno::EBADMSG)
}

/// The number of a process's parent, 0 when it lies outside of this pid namespace.
///
/// # Errors
/// As [`start_time`].
pub fn parent(pid: i32) -> Result<i32> {
    let text = read(&format!("/proc/{pid}/stat"))?;
    field(&text, 4).and_then(|it| it.parse().ok()).ok_or(Errno::EBADMSG)
}

/// Which pid namespace a process is in: the inode of `/proc/PID/ns/pid`.
///
/// # Errors
/// As [`start_time`]; EACCES.
pub fn pid_namespace(pid: i32) -> Result<u64> {
    Ok(nix::sys::stat::stat(format!("/proc/{pid}/ns/pid").as_str())?.st_ino)
}

/// Its cgroup in the v2 hierarchy, from the root of our cgroup namespace (cgroups(7)).
///
/// # Errors
/// As [`start_time`]; ENODATA where there is none.
pub fn cgroup(pid: i32) -> Result<String> {
    let text = read(&format!("/proc/{pid}/cgroup"))?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned).ok_or(Errno::ENODATA)
}

/// The numbers of all processes, rising.
///
/// # Errors
/// ENOENT without /proc.
pub fn all() -> Result<Vec<i32>> {
    let proc = super::fs::open_directory("/proc")?;
    let names = super::directory::entries(proc.as_fd())?;
    let mut pids: Vec<i32> = names.iter().filter_map(|(name, _)| name.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// What processes are called: the whole of a small file of /proc.
///
/// # Errors
/// As [`start_time`].
pub fn read(path: &str) -> Result<String> {
    /// A line of `stat`, or a `status`; more would be none of them.
    const LIMIT: usize = 64 << 10;
    let bytes = super::fs::read_regular(super::fs::open_regular(path)?.as_fd(), LIMIT)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A field of `stat`, counted from 1. The second, the name, is in parentheses and may contain any.
fn field(stat: &str, number: usize) -> Option<&str> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9";
        assert_eq!(field(stat, 3), Some("S"));
        assert_eq!(field(stat, 4), Some("1"));
        assert_eq!(field(stat, 22), Some("4711"));
        assert_eq!(field(stat, 99), None);
    }

    #[test]
    fn we_are_a_process_and_have_a_parent() {
        let own = nix::unistd::getpid().as_raw();
        assert!(start_time(own).unwrap() > 0);
        assert_eq!(parent(own).unwrap(), nix::unistd::getppid().as_raw());
        let above = nix::unistd::getppid().as_raw();
        assert_eq!(pid_namespace(own).unwrap(), pid_namespace(above).unwrap());
        assert!(all().unwrap().contains(&own));
        assert_eq!(start_time(i32::MAX), Err(Errno::ENOENT));
    }
}
