//! A point in time → RFC 3339, always UTC and always with microseconds, so that it sorts as text.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::string::String;

const DAY: i64 = 86_400;

/// `seconds` since 1970-01-01T00:00:00Z, leap seconds left out, and `nanos` of the next one.
#[must_use]
pub fn rfc3339(seconds: i64, nanos: u32) -> String {
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = nanos / 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Days since 1970-01-01 → year, month, day of the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last of its year and each month's
/// first day is a linear function of its number. Clocks that are far off end at the type's edge.
fn date(days: i64) -> (i64, i64, i64) {
    // 0000-03-01 is 719,468 days before 1970; 400 years are 146,097 days.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    // A year's number in its era: leap days that went before are taken out first.
    let leaps = (day / 1460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(leaps) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    // Five months have 153 days, from March on and from August on.
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let first = month.saturating_mul(153).saturating_add(2) / 5;
    let day = day.saturating_sub(first).saturating_add(1);
    let year = era.saturating_mul(400).saturating_add(year);
    match month {
        0..=9 => (year, month.saturating_add(3), day),
        _ => (year.saturating_add(1), month.saturating_sub(9), day),
    }
}

/// The reverse of [`date`]. `None`: there is no such day.
pub(super) fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    // January and February belong to the year that began in March before.
    let (of_year, months) = match month {
        1 | 2 => (year.checked_sub(1)?, month.checked_add(9)?),
        _ => (year, month.checked_sub(3)?),
    };
    let (era, of_era) = (of_year.div_euclid(400), of_year.rem_euclid(400));
    let leaps = (of_era / 4).checked_sub(of_era / 100)?;
    let before = of_era.checked_mul(365)?.checked_add(leaps)?;
    let first = months.checked_mul(153)?.checked_add(2)? / 5;
    let days = before.checked_add(first)?.checked_add(day)?.checked_sub(1)?;
    let days = era.checked_mul(146_097)?.checked_add(days)?.checked_sub(719_468)?;
    (date(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, nanos: u32, expected: &str) {
        assert_eq!(rfc3339(seconds, nanos), expected);
    }

    // Expected texts are those of date(1).
    #[test]
    fn writes_the_calendar_date() {
        check(0, 0, "1970-01-01T00:00:00.000000Z");
        check(951_782_399, 0, "2000-02-28T23:59:59.000000Z");
        check(951_782_400, 0, "2000-02-29T00:00:00.000000Z");
        check(951_868_800, 0, "2000-03-01T00:00:00.000000Z");
        check(1_763_764_400, 123_456_789, "2025-11-21T22:33:20.123456Z");
        check(4_107_542_400, 0, "2100-03-01T00:00:00.000000Z");
        check(-1, 999_999_999, "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let length = |year: i64, month: i64| match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (1970, 1, 1);
        for days in 0..800 * 366 {
            assert_eq!(date(days), expected);
            assert_eq!(days_since_1970(expected.0, expected.1, expected.2), Some(days));
            let (year, month, day) = expected;
            expected = match (month, day == length(year, month)) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                (_, false) => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn there_is_no_thirtieth_of_february() {
        for (year, month, day) in [(2026, 2, 29), (2024, 2, 30), (2026, 4, 31), (1900, 2, 29)] {
            assert_eq!(days_since_1970(year, month, day), None);
        }
    }

    #[test]
    fn a_clock_at_the_edge_does_no_harm() {
        assert!(rfc3339(i64::MAX, u32::MAX).ends_with('Z'));
        assert!(rfc3339(i64::MIN, 0).ends_with('Z'));
    }
}
