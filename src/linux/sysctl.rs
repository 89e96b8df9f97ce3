//! Writing one kernel parameter below /proc/sys, and nothing beside it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

/// Below a folder, without crossing a link or a mount.
const WITHIN: ResolveFlag =
    ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS).union(ResolveFlag::RESOLVE_NO_XDEV);

#[derive(Debug)]
pub(crate) enum Error {
    /// Empty, or with a part that is empty, `.` or `..`.
    Key { key: String },
    /// ENOENT: this kernel has no such parameter. EINVAL: it has, but not that value.
    Write { key: String, error: io::Error },
}

/// Writes `value` as it is.
///
/// Keys as sysctl(8) has them: where a dot comes first, dots separate and a slash stands for a dot
/// in a name (`net.ipv4.conf.eth0/100.forwarding`); where a slash comes first, it is a path.
pub(crate) fn write_sysctl(key: &str, value: &str) -> Result<(), Error> {
    let path = path_of(key).ok_or_else(|| Error::Key { key: key.into() })?;
    // One write: the kernel takes a second one for a new value.
    let write = || the_kernels("/proc/sys").and_then(|root| write_below(&root, &path, value.as_bytes()));
    let written = super::insist(|| write().map_err(super::errno_of));
    written.map_err(|errno| Error::Write { key: key.into(), error: errno.into() })
}

/// What it is, at most 4 KiB of it.
///
/// # Errors
/// ENOENT: this kernel has no such parameter; EINVAL: the key is none.
pub(crate) fn read_sysctl(key: &str) -> io::Result<String> {
    let path = path_of(key).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC).resolve(WITHIN);
    let file = File::from(openat2(the_kernels("/proc/sys")?, path.as_str(), how)?);
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Nothing that was mounted over it.
pub(super) fn the_kernels(path: &str) -> io::Result<File> {
    let root = File::from(super::fs::open(path, OFlag::O_DIRECTORY, Mode::empty())?);
    match super::mount::has_magic(root.as_fd(), super::mount::PROC_MAGIC)? {
        true => Ok(root),
        false => Err(io::Error::from_raw_os_error(libc::EXDEV)),
    }
}

/// One write, to what is there without crossing a link or a mount.
pub(super) fn write_below(root: &File, path: &str, value: &[u8]) -> io::Result<()> {
    let how = OpenHow::new().flags(OFlag::O_WRONLY | OFlag::O_CLOEXEC).resolve(WITHIN);
    let mut file = File::from(openat2(root, path, how)?);
    let written = file.write(value)?;
    if written < value.len() {
        return Err(io::Error::from(io::ErrorKind::WriteZero));
    }
    Ok(())
}

impl Error {
    pub(crate) fn errno(&self) -> super::Errno {
        match self {
            Self::Key { .. } => super::Errno::EINVAL,
            Self::Write { error, .. } => super::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }
}

/// Relative to /proc/sys; `None` for what is no key.
fn path_of(key: &str) -> Option<String> {
    let dots_separate = key.find(['.', '/']).is_some_and(|at| key[at..].starts_with('.'));
    let path: String = if dots_separate {
        let swap = |letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        key.chars().map(swap).collect()
    } else {
        key.into()
    };
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(is_name).then_some(path)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "sysctl {key:?}: not a name below /proc/sys"),
            Self::Write { key, error } => write!(f, "sysctl {key}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing::in_own_network;

    #[test]
    fn a_key_names_a_file_below_proc_sys_or_nothing() {
        let check = |key: &str, expected: Option<&str>| {
            assert_eq!(path_of(key).as_deref(), expected, "{key:?}");
        };
        check("net.ipv4.ip_forward", Some("net/ipv4/ip_forward"));
        check("net/ipv4/ip_forward", Some("net/ipv4/ip_forward"));
        check("net.ipv4.conf.eth0/100.forwarding", Some("net/ipv4/conf/eth0.100/forwarding"));
        check("net/ipv4/conf/eth0.100/forwarding", Some("net/ipv4/conf/eth0.100/forwarding"));
        check("", None);
        check(".", None);
        check("..", None);
        check("kernel..panic", None);
        check("kernel.//.panic", None);
        check("/proc/sys/kernel/panic", None);
        check("../kernel/panic", None);
        check("kernel/../../version", None);
        check("kernel.panic.", None);
    }

    #[test]
    fn writes_a_value_that_can_be_read_back() {
        in_own_network(|| {
            let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
            for value in ["0", "1024"] {
                write_sysctl("net.ipv4.ip_unprivileged_port_start", value).unwrap();
                assert_eq!(std::fs::read_to_string(path).unwrap().trim(), value);
                assert_eq!(read_sysctl("net.ipv4.ip_unprivileged_port_start").unwrap().trim(), value);
            }
            assert_eq!(read_sysctl("net.ipv4.none").unwrap_err().raw_os_error(), Some(libc::ENOENT));
            assert!(read_sysctl("net.ipv4..none").is_err());
        });
    }

    #[test]
    fn a_parameter_or_value_that_the_kernel_does_not_know_is_named() {
        in_own_network(|| {
            let check = |key, value, expected: &str| {
                assert_eq!(write_sysctl(key, value).unwrap_err().to_string(), expected);
            };
            check(
                "net.ipv4.no_such_thing",
                "1",
                "sysctl net.ipv4.no_such_thing: No such file or directory (os error 2)",
            );
            check(
                "net.ipv4.ip_forward",
                "perhaps",
                "sysctl net.ipv4.ip_forward: Invalid argument (os error 22)",
            );
            check("kernel/../x", "1", "sysctl \"kernel/../x\": not a name below /proc/sys");
        });
    }

    #[test]
    fn no_symlink_leads_out() {
        let error = write_below(&File::open("/proc").unwrap(), "self/comm", b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }

    #[test]
    fn what_is_mounted_over_the_parameters_is_not_written_to() {
        use crate::linux::mount;
        in_own_network(|| {
            let kind = c"tmpfs";
            mount::mount(kind, c"/proc/sys", kind, nix::mount::MsFlags::empty(), c"").unwrap();
            std::fs::create_dir_all("/proc/sys/net/ipv4").unwrap();
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
            let error = write_sysctl("net.ipv4.ip_forward", "1").unwrap_err().to_string();
            assert_eq!(error, "sysctl net.ipv4.ip_forward: Invalid cross-device link (os error 18)");
            assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), "0");
        });
    }
}
