//! Clocks. Boot time for everything that waits, wall time for people.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

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
