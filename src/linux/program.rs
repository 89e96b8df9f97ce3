//! Programs that arrive as bytes: kept in memory, checked (elf(5)), sealed, and then executed.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Errno, Result, check, check_fd};

/// An empty file in memory that may be executed and sealed (memfd_create(2)).
///
/// # Errors
/// ENOMEM, EMFILE.
pub fn executable(name: &CStr) -> Result<OwnedFd> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | MFD_EXEC;
    // SAFETY: a valid C string.
    check_fd(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) })
}

/// Adds bytes at the end.
///
/// # Errors
/// ENOSPC, ENOMEM.
pub fn append(file: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(file, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// From here on nobody can change it.
///
/// # Errors
/// EBUSY while it is mapped for writing.
pub fn seal(file: BorrowedFd<'_>) -> Result<()> {
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: plain numbers.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }.into())?;
    Ok(())
}

/// EM_* of this architecture: with the audit constants the only thing that depends on it.
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
#[cfg(target_arch = "riscv64")]
const MACHINE: u16 = 243;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// A linker makes about ten.
const PROGRAM_HEADERS: u16 = 64;

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Checks that it is a complete, static 64-bit program of this architecture.
///
/// # Errors
/// What it is not, for a person.
pub fn check_static(file: BorrowedFd<'_>) -> core::result::Result<(), String> {
    let size = nix::sys::stat::fstat(file).map_err(|errno| errno.desc().to_owned())?.st_size as u64;
    let mut header = [0u8; HEADER];
    let got = nix::sys::uio::pread(file, &mut header, 0).map_err(|errno| errno.desc().to_owned())?;
    if got != HEADER || !header.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is no 64-bit ELF program".into());
    }
    let half = |at| field::<2>(&header, at).map(u16::from_le_bytes).unwrap_or_default();
    if half(18) != MACHINE {
        return Err(format!("it is for another architecture (ELF machine {}, here {MACHINE})", half(18)));
    }
    let (offset, entry_size, count) =
        (field::<8>(&header, 32).map(u64::from_le_bytes).unwrap_or_default(), half(54), half(56));
    if usize::from(entry_size) != PROGRAM_HEADER || count == 0 || count > PROGRAM_HEADERS {
        return Err("its program headers make no sense".into());
    }
    let mut table = vec![0u8; PROGRAM_HEADER * usize::from(count)];
    let offset = i64::try_from(offset).map_err(|_| "its program headers make no sense")?;
    let got = nix::sys::uio::pread(file, &mut table, offset).map_err(|errno| errno.desc().to_owned())?;
    if got != table.len() {
        return Err("it is truncated".into());
    }
    for header in table.chunks_exact(PROGRAM_HEADER) {
        let kind = field::<4>(header, 0).map(u32::from_le_bytes).unwrap_or_default();
        let long = |at| field::<8>(header, at).map(u64::from_le_bytes).unwrap_or_default();
        match kind {
            PT_INTERP => return Err("it is not static: it asks for an interpreter".into()),
            PT_LOAD if long(8).saturating_add(long(32)) > size => return Err("it is truncated".into()),
            _ => {}
        }
    }
    Ok(())
}
