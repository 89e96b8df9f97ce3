//! The kernel's log: where PID 1 and the supervisor speak, because it never blocks.
//!
//! A write there is printed on the console in the writer's context, which a stopped serial line
//! can freeze, unless the console's level is below ours: [`quiet_console`] comes first.

use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, IntoRawFd};

use super::insist;

/// Printed by the kernel itself from here on: emergencies, alerts, critical. Our most urgent
/// lines are errors (3).
const CONSOLE_LEVEL: libc::c_int = 3;
const SYSLOG_ACTION_CONSOLE_LEVEL: libc::c_int = 8;

/// Above the numbers that programs of ours are handed descriptors at.
const LOWEST_FD: i32 = 16;

static KMSG: AtomicI32 = AtomicI32::new(-1);
/// What is less urgent is not written.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Debug as u8);

/// Urgency, as in syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

/// Keeps our lines off the console: a helper that may block prints them.
pub fn quiet_console() {
    // SAFETY: this action takes the level and no buffer.
    unsafe { libc::syscall(libc::SYS_syslog, SYSLOG_ACTION_CONSOLE_LEVEL, 0usize, CONSOLE_LEVEL) };
}

/// Opens /dev/kmsg for [`write()`]; without it nothing is said, as long as the process lives.
pub fn open_log() {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    if let Ok(fd) = insist(|| open("/dev/kmsg", flags, Mode::empty())) {
        // A child about to exec puts what it hands on at low numbers, and may still have to speak.
        if let Ok(fd) = insist(|| super::fd::duplicate_above(fd.as_fd(), LOWEST_FD)) {
            KMSG.store(fd.into_raw_fd(), Ordering::Relaxed);
        }
    }
}

/// Opens the kernel's log for reading, from its beginning, without waiting.
///
/// # Errors
/// ENOENT before /dev is mounted.
pub fn open_reader() -> super::Result<std::os::fd::OwnedFd> {
    open("/dev/kmsg", OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
}

/// What is less urgent is not said from here on, by this process and those that it makes.
pub fn set_level(least: Level) {
    LEVEL.store(least as u8, Ordering::Relaxed);
}

/// Goes back to the oldest record that the kernel still has.
///
/// # Errors
/// ESPIPE: it is not the kernel's log.
pub fn rewind(reader: std::os::fd::BorrowedFd<'_>) -> super::Result<()> {
    nix::unistd::lseek(reader, 0, nix::unistd::Whence::SeekSet).map(drop)
}

/// Whether anything of this level is written at all.
pub fn is_said(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// Writes one line, cut at 900 bytes (the kernel's record is 1,024 with its prefix). With a newline: a
/// record without one can be continued, and is not read before the next one comes. What would begin another line, as
/// words of others may, is a `?`.
pub fn write(level: Level, text: &[u8]) {
    let fd = KMSG.load(Ordering::Relaxed);
    if fd < 0 || !is_said(level) {
        return;
    }
    let mut line = [0u8; 912];
    let mut at = 0usize;
    // Facility 3 (daemon): priority = 3 × 8 + level, always two digits.
    let priority = 24 + level as u8;
    let head = [b'<', b'0' + priority / 10, b'0' + priority % 10, b'>'];
    let text = text.iter().map(|byte| if byte.is_ascii_control() && *byte != b'\t' { b'?' } else { *byte });
    for byte in head.into_iter().chain(*b"orlop: ").chain(text.take(900)).chain(*b"\n") {
        if let Some(place) = line.get_mut(at) {
            *place = byte;
            at += 1;
        }
    }
    // SAFETY: `at` bytes of `line` are initialised; a failed write loses a line, nothing else.
    unsafe { libc::write(fd, line.as_ptr().cast(), at) };
}

/// As [`write()`], formatted without allocation, for PID 1; what is longer than 256 bytes is cut.
pub fn write_args(level: Level, args: core::fmt::Arguments<'_>) {
    write(level, Line::format(args).bytes());
}

/// A line without allocation, for PID 1.
struct Line {
    bytes: [u8; 256],
    at: usize,
}

impl Line {
    /// Formats into 256 bytes; what is longer is cut.
    fn format(args: core::fmt::Arguments<'_>) -> Self {
        let mut line = Self { bytes: [0; 256], at: 0 };
        // Only `write_str` below can fail, and it does not.
        let _ = core::fmt::Write::write_fmt(&mut line, args);
        line
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.at).unwrap_or_default()
    }
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.at) {
                *place = byte;
                self.at += 1;
            }
        }
        Ok(())
    }
}
