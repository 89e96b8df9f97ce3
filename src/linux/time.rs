//! Clocks. Boot time for everything that waits, wall time for people.

use std::time::Duration;

use std::os::fd::OwnedFd;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

use super::Result;

/// Time since boot, suspension included (CLOCK_BOOTTIME).
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Time since 1970 (CLOCK_REALTIME); may jump.
#[must_use]
pub fn wall() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default()
}

/// Whether somebody keeps the clock right (adjtimex(2), without STA_UNSYNC).
#[must_use]
pub fn is_synchronised() -> bool {
    // SAFETY: All of its fields are numbers, and all zeros asks and sets nothing.
    let mut state: libc::timex = unsafe { core::mem::zeroed() };
    // SAFETY: The kernel fills in one such structure.
    let state_of = unsafe { libc::adjtimex(&raw mut state) };
    state_of >= 0 && state_of != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0
}

/// Tells when the clock is set: it is readable then, and has to be made anew (timerfd_create(2),
/// TFD_TIMER_CANCEL_ON_SET).
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn watch_settings() -> Result<OwnedFd> {
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(TimerClock::CLOCK_REALTIME, flags)?;
    let never = Expiration::OneShot(TimeSpec::new(i64::MAX, 0));
    let how = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(never, how)?;
    Ok(timer.into())
}
