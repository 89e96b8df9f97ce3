//! Numbers as people read them.

use std::time::Duration;

/// The two largest parts: `3d 4h`, `12m 5s`, `7s`, `340ms`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{}ms", time.as_millis()),
        (0, 0, 0, _) => format!("{seconds}s"),
        (0, 0, _, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _, _) => format!("{hours}h {}m", minutes % 60),
        (_, _, _, _) => format!("{days}d {}h", hours % 24),
    }
}

/// With a binary unit: `0 B`, `12.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10;
    let mut unit = "B";
    for name in UNITS {
        // Rounded here, so that 1023.97 KiB does not become 1024.0 KiB.
        if tenths < 10_235 {
            break;
        }
        tenths = (tenths + 512) / 1024;
        unit = name;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Milliseconds with three digits of microseconds.
pub(crate) fn millis(us: u64) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_parts() {
        let check = |millis, expected| assert_eq!(duration(Duration::from_millis(millis)), expected);
        check(0, "0ms");
        check(999, "999ms");
        check(1000, "1s");
        check(59_999, "59s");
        check(60_000, "1m 0s");
        check(3_599_000, "59m 59s");
        check(3_600_000, "1h 0m");
        check(86_400_000 * 400 + 3_600_000 * 5, "400d 5h");
        check(u64::MAX, "213503982334d 14h");
    }

    #[test]
    fn sizes_have_a_binary_unit() {
        let check = |count, expected| assert_eq!(bytes(count), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.0 KiB");
        check(1536, "1.5 KiB");
        check(64 << 20, "64.0 MiB");
        check((1 << 20) - 1, "1.0 MiB");
        check(u64::MAX, "16384.0 PiB");
    }

    #[test]
    fn a_duration_of_a_phase_has_microseconds() {
        assert_eq!(millis(0), "0.000 ms");
        assert_eq!(millis(12_034), "12.034 ms");
    }
}
