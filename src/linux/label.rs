//! Labels of security modules for the program to come, by lsm_set_self_attr(2) (6.8): there is no path
//! that a container could redirect.

use super::{Errno, Result, check, sysctl};

/// LSM_ID_* of linux/lsm.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    Selinux = 101,
    AppArmor = 104,
}

const LSM_ATTR_EXEC: libc::c_uint = 101;
const SYS_LSM_SET_SELF_ATTR: libc::c_long = 460;

/// struct lsm_ctx before the context itself.
#[repr(C)]
struct Header {
    id: u64,
    flags: u64,
    len: u64,
    ctx_len: u64,
}

/// The next exec of this process gets this label. An older kernel is asked through a procfs that is looked at
/// first.
///
/// # Errors
/// EOPNOTSUPP or ENOENT when the kernel does not run this module; ENOENT, EINVAL for a label it does not know.
pub fn set_for_exec(module: Module, label: &str) -> Result<()> {
    match by_call(module, label) {
        Err(Errno::ENOSYS) => by_file(module, label),
        other => other,
    }
}

/// proc_pid_attr(5)
fn by_file(module: Module, label: &str) -> Result<()> {
    let proc = sysctl::the_kernels("/proc").map_err(errno)?;
    let own = nix::fcntl::readlinkat(&proc, "thread-self")?;
    let file = match module {
        Module::AppArmor => "attr/apparmor/exec",
        Module::Selinux => "attr/exec",
    };
    sysctl::write_below(&proc, &format!("{}/{file}", own.to_string_lossy()), label.as_bytes()).map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn by_call(module: Module, label: &str) -> Result<()> {
    let size = core::mem::size_of::<Header>();
    let context = label.len() + 1;
    let total = size + context;
    let header = Header { id: module as u64, flags: 0, len: total as u64, ctx_len: context as u64 };
    // Aligned as the structure is.
    let mut buffer = vec![0u64; total.div_ceil(8)];
    // SAFETY: the buffer has room for the structure and the label with its NUL, which is there already.
    unsafe {
        buffer.as_mut_ptr().cast::<Header>().write(header);
        let text = buffer.as_mut_ptr().cast::<u8>().add(size);
        core::ptr::copy_nonoverlapping(label.as_ptr(), text, label.len());
    }
    let size = u32::try_from(total).map_err(|_| Errno::E2BIG)?;
    // SAFETY: the buffer lives across the call and has the size given.
    check(unsafe { libc::syscall(SYS_LSM_SET_SELF_ATTR, LSM_ATTR_EXEC, buffer.as_ptr(), size, 0) }).map(drop)
}

/// Whether SELinux is there, whose labels files have.
pub fn keeps_labels() -> bool {
    super::proc::read("/proc/filesystems")
        .is_ok_and(|text| text.lines().any(|line| line.ends_with("\tselinuxfs")))
}
