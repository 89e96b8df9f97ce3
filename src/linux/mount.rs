//! Mounts, by the file-descriptor API of Linux 5.2 wherever it exists: a mount is made, changed
//! and only then attached, to a descriptor and never to a string that somebody could redirect.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::mount::{MntFlags, MsFlags, umount2};

use super::{Errno, Result, check, check_fd, insist};

/// Attributes of a mount, MOUNT_ATTR_* of linux/mount.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub u64);

impl Attributes {
    pub const NONE: Self = Self(0);
    pub const READ_ONLY: Self = Self(0x1);
    pub const NO_SUID: Self = Self(0x2);
    pub const NO_DEV: Self = Self(0x4);
    pub const NO_EXEC: Self = Self(0x8);
    pub const NO_ATIME: Self = Self(0x10);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Which mounts of a tree are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    One,
    AllBelow,
}

impl Depth {
    fn flag(self) -> libc::c_int {
        match self {
            Self::One => 0,
            Self::AllBelow => AT_RECURSIVE,
        }
    }
}

/// How mounts below are seen elsewhere, MS_* of mount(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    Shared,
    Slave,
    Private,
    Unbindable,
}

const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
const AT_RECURSIVE: libc::c_int = 0x8000;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Null for none.
fn with_text<T>(text: Option<&str>, call: impl FnOnce(*const libc::c_char) -> T) -> Result<T> {
    match text {
        Some(text) => text.with_nix_path(|text| call(text.as_ptr())),
        None => Ok(call(core::ptr::null())),
    }
}

/// A file system being configured (fsopen(2)).
#[derive(Debug)]
pub struct Filesystem(OwnedFd);

impl Filesystem {
    /// # Errors
    /// ENODEV when the kernel does not know the type; EPERM.
    pub fn open(kind: &CStr) -> Result<Self> {
        // SAFETY: a valid C string.
        check_fd(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) }).map(Self)
    }

    fn config(&self, command: libc::c_uint, key: Option<&str>, value: Option<&str>) -> Result<()> {
        let fd = self.0.as_raw_fd();
        let done = with_text(key, |key| {
            // SAFETY: null or valid C strings that live across the call.
            with_text(value, |value| unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key, value, 0) })
        });
        check(done??)?;
        Ok(())
    }

    /// Sets `key=value`.
    ///
    /// # Errors
    /// EINVAL when the file system does not take it.
    pub fn set(&self, key: &str, value: &str) -> Result<&Self> {
        self.config(FSCONFIG_SET_STRING, Some(key), Some(value)).map(|()| self)
    }

    /// Sets a flag without a value.
    ///
    /// # Errors
    /// EINVAL when the file system does not take it.
    pub fn flag(&self, key: &str) -> Result<&Self> {
        self.config(FSCONFIG_SET_FLAG, Some(key), None).map(|()| self)
    }

    /// Creates it: a mount that is attached nowhere yet.
    ///
    /// # Errors
    /// What the file system has against it.
    pub fn mount(&self, attributes: Attributes) -> Result<OwnedFd> {
        self.config(FSCONFIG_CMD_CREATE, None, None)?;
        let fd = self.0.as_raw_fd();
        // SAFETY: plain numbers.
        check_fd(unsafe { libc::syscall(libc::SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes.0) })
    }
}

/// A private copy of the mount tree at `path` below `dir` (OPEN_TREE_CLONE), attached nowhere.
/// An empty path means `dir` itself.
///
/// # Errors
/// ENOENT, EPERM.
pub fn clone_tree(dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    open_tree(dir, path, AT_RECURSIVE as libc::c_uint)
}

/// As [`clone_tree`], of the one mount without those below it.
///
/// # Errors
/// ENOENT, EPERM.
pub fn clone_one(dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    open_tree(dir, path, 0)
}

fn open_tree(dir: BorrowedFd<'_>, path: &str, more: libc::c_uint) -> Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as libc::c_uint | more;
    // SAFETY: a valid C string.
    let open =
        |path: &CStr| unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) };
    check_fd(path.with_nix_path(open)?)
}

/// Attaches a mount that is attached nowhere on the file that `target` stands for.
///
/// # Errors
/// EINVAL when it is attached already, ENOTDIR when one is a file and the other a directory.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let (from, to) = (mount.as_raw_fd(), target.as_raw_fd());
    // SAFETY: empty paths: both descriptors themselves are meant.
    check(unsafe { libc::syscall(libc::SYS_move_mount, from, c"".as_ptr(), to, c"".as_ptr(), flags) })?;
    Ok(())
}

fn set_attributes(mount: BorrowedFd<'_>, flags: libc::c_int, attr: &MountAttr) -> Result<()> {
    let size = core::mem::size_of::<MountAttr>();
    let flags = flags | libc::AT_EMPTY_PATH;
    // SAFETY: the structure lives across the call and has the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            core::ptr::from_ref(attr),
            size,
        )
    })?;
    Ok(())
}

/// Adds attributes to a mount and everything below it.
///
/// # Errors
/// EPERM for a locked one.
pub fn restrict(mount: BorrowedFd<'_>, attributes: Attributes) -> Result<()> {
    change(mount, Depth::AllBelow, attributes, Attributes::NONE)
}

/// As [`restrict`], of the one mount without those below it.
///
/// # Errors
/// EPERM for a locked one.
pub fn restrict_one(mount: BorrowedFd<'_>, attributes: Attributes) -> Result<()> {
    change(mount, Depth::One, attributes, Attributes::NONE)
}

/// Sets and clears attributes; of access times the whole field has to be cleared to set one.
///
/// # Errors
/// EPERM for a locked one, EINVAL for what contradicts itself.
pub fn change(mount: BorrowedFd<'_>, depth: Depth, set: Attributes, clear: Attributes) -> Result<()> {
    let attr = MountAttr { attr_set: set.0, attr_clr: clear.0, propagation: 0, userns_fd: 0 };
    set_attributes(mount, depth.flag(), &attr)
}

/// Decides where mounts below this one are seen.
///
/// # Errors
/// EINVAL when it is no mount point.
pub fn propagate(mount: BorrowedFd<'_>, depth: Depth, propagation: Propagation) -> Result<()> {
    let flag = match propagation {
        Propagation::Shared => MsFlags::MS_SHARED,
        Propagation::Slave => MsFlags::MS_SLAVE,
        Propagation::Private => MsFlags::MS_PRIVATE,
        Propagation::Unbindable => MsFlags::MS_UNBINDABLE,
    };
    let attr = MountAttr { attr_set: 0, attr_clr: 0, propagation: flag.bits(), userns_fd: 0 };
    set_attributes(mount, depth.flag(), &attr)
}

/// Maps the ids of a mount that is attached nowhere by a user namespace: id N on the disk is seen
/// as what N inside the namespace is.
///
/// # Errors
/// EINVAL when the file system cannot be idmapped.
pub fn map_ids(mount: BorrowedFd<'_>, depth: Depth, user_namespace: BorrowedFd<'_>) -> Result<()> {
    let userns_fd = user_namespace.as_raw_fd() as u64;
    let attr = MountAttr { attr_set: MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
    set_attributes(mount, depth.flag(), &attr)
}

/// Of all that is mounted here: what is mounted below from here on is seen where this says.
///
/// # Errors
/// EPERM.
pub fn propagate_all(propagation: Propagation) -> Result<()> {
    let root = nix::fcntl::openat(
        nix::fcntl::AT_FDCWD,
        "/",
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    propagate(std::os::fd::AsFd::as_fd(&root), Depth::AllBelow, propagation)
}

/// The top of the mount that a file lies in, by the table of mounts (proc_pid_mountinfo(5)).
///
/// # Errors
/// ENOENT when it lies in none of this namespace.
pub fn point_of(file: BorrowedFd<'_>) -> Result<OwnedFd> {
    let id = id_of(file)?.to_string();
    let text = super::fs::read_text("/proc/self/mountinfo")?;
    let line = text.lines().find(|line| line.split(' ').next() == Some(&id)).ok_or(Errno::ENOENT)?;
    let path = std::ffi::CString::new(unescape(line.split(' ').nth(4).unwrap_or_default()))
        .map_err(|_| Errno::EINVAL)?;
    let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC;
    let point =
        nix::fcntl::openat(nix::fcntl::AT_FDCWD, path.as_c_str(), flags, nix::sys::stat::Mode::empty())?;
    // Something else may have been mounted over it.
    if id_of(std::os::fd::AsFd::as_fd(&point))?.to_string() == id { Ok(point) } else { Err(Errno::ENOENT) }
}

/// As in the first field of mountinfo (statx(2), STATX_MNT_ID).
fn id_of(file: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: all-zero is a valid statx.
    let mut found: libc::statx = unsafe { core::mem::zeroed() };
    let flags = libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT;
    // SAFETY: a valid C string, and a structure that lives across the call.
    check(unsafe {
        libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, libc::STATX_MNT_ID, &raw mut found).into()
    })?;
    Ok(found.stx_mnt_id)
}

/// mount(2) of a new file system on a path, for the machine's own early mounts.
///
/// # Errors
/// As mount(2); EBUSY when it is there already.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: MsFlags, data: &CStr) -> Result<()> {
    nix::mount::mount(Some(source), target, Some(kind), flags, Some(data))
}

/// Unmounts what is at `path`, if nobody uses it.
///
/// # Errors
/// EBUSY, EINVAL.
pub fn unmount(path: &CStr) -> Result<()> {
    umount2(path, MntFlags::UMOUNT_NOFOLLOW)
}

/// Takes what is at `path` out of this namespace, whoever uses it still.
///
/// # Errors
/// EINVAL when nothing is mounted there.
pub fn detach(path: &CStr) -> Result<()> {
    umount2(path, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH)
}

/// Nothing more is written to the file system at `path`, wherever it is mounted.
///
/// # Errors
/// EBUSY while somebody has a file of it open for writing.
pub fn remount_read_only(path: &CStr) -> Result<()> {
    let (none, flags) = (None::<&CStr>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY);
    nix::mount::mount(none, path, none, flags, none)
}

/// Leaves the kernel's own root file system, from which pivot_root(2) is refused: binds `/` on
/// `through`, moves that mount over `/` and enters it.
///
/// # Errors
/// The first step that failed.
pub fn leave_rootfs(through: &CStr) -> Result<()> {
    let none = None::<&CStr>;
    insist(|| nix::mount::mount(Some(c"/"), through, none, MsFlags::MS_BIND, none))?;
    insist(|| nix::unistd::chdir(through))?;
    insist(|| nix::mount::mount(Some(c"."), c"/", none, MsFlags::MS_MOVE, none))?;
    insist(|| nix::unistd::chroot(c"."))?;
    insist(|| nix::unistd::chdir(c"/"))
}

/// Makes the mount at `root` the root of this mount namespace and detaches the old one.
///
/// # Errors
/// EINVAL when `root` is not a mount point.
pub fn pivot(root: BorrowedFd<'_>) -> Result<()> {
    let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC;
    let old = nix::fcntl::openat(nix::fcntl::AT_FDCWD, "/", flags, nix::sys::stat::Mode::empty())?;
    nix::unistd::fchdir(root)?;
    // Old and new stacked on one place: the old one is on top, and is taken away.
    nix::unistd::pivot_root(".", ".")?;
    // From here alone: where its mounts are shared, they would be taken away everywhere.
    propagate(std::os::fd::AsFd::as_fd(&old), Depth::AllBelow, Propagation::Slave)?;
    drop(old);
    umount2(".", MntFlags::MNT_DETACH)?;
    nix::unistd::chdir("/")
}

/// Whether this descriptor stands for a file of the file system with that magic number.
///
/// # Errors
/// As fstatfs(2).
pub fn has_magic(fd: BorrowedFd<'_>, magic: i64) -> Result<bool> {
    Ok(nix::sys::statfs::fstatfs(fd.as_fd())?.filesystem_type().0 as i64 == magic)
}

/// PROC_SUPER_MAGIC, SYSFS_MAGIC and DEVPTS_SUPER_MAGIC.
pub const PROC_MAGIC: i64 = 0x9fa0;
pub const SYSFS_MAGIC: i64 = 0x6265_6572;
pub const DEVPTS_MAGIC: i64 = 0x1cd1;
/// EROFS_SUPER_MAGIC_V1.
pub const EROFS_MAGIC: i64 = 0xE0F5_E1E2;

/// One of this namespace's mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    pub point: std::ffi::CString,
    /// `MAJOR:MINOR` of its file system; those without a block device have a number each, with the major 0.
    pub device: String,
}

/// The mounts of this namespace below the machine's own directories, in the order they were mounted, from
/// /proc/self/mountinfo (proc_pid_mountinfo(5), fields 3 and 5, octal escapes undone).
#[must_use]
pub fn table() -> Vec<Mounted> {
    let text = super::fs::read_text("/proc/self/mountinfo").unwrap_or_default();
    let mounted = |line: &str| {
        let mut words = line.split(' ').skip(2);
        let device = words.next()?.to_owned();
        let point = std::ffi::CString::new(unescape(words.nth(1)?)).ok()?;
        Some(Mounted { point, device })
    };
    text.lines().filter_map(mounted).collect()
}

fn unescape(path: &str) -> Vec<u8> {
    let mut bytes = path.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next(), bytes.next()];
        let value = digits
            .iter()
            .flatten()
            .fold(0u32, |sum, digit| sum * 8 + u32::from(digit.wrapping_sub(b'0') & 7));
        out.push(value as u8);
    }
    out
}
