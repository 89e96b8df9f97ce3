//! A point in time as a person writes it → a moment on one of the machine's two clocks.
#![deny(clippy::arithmetic_side_effects)]

use core::time::Duration;

use super::time::days_since_1970;
use crate::config::duration;

const DAY: i64 = 86_400;
const BILLION: i64 = 1_000_000_000;

/// How it can be written, for messages.
pub const WHEN_HELP: &str = "write 10m (before now), boot+90s, 14:30[:05] (UTC), or 2026-11-21T22:46:01Z";

/// What was written. Nothing of it depends on when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `10m`: so long before now.
    Ago(Duration),
    /// `boot+90s`, `boot`.
    SinceBoot(Duration),
    /// `14:30:05`, in UTC as all times here: the last time that it was so late. Nanoseconds of the day.
    TimeOfDay(i64),
    /// RFC 3339; nanoseconds of Unix time.
    At(i64),
}

/// On the clock that it was meant for: what the time of day is set to changes nothing of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Microseconds since boot.
    Boot(u64),
    /// Nanoseconds of Unix time.
    Wall(i64),
}

impl When {
    /// `None`: none of the forms of [`WHEN_HELP`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(after) = text.strip_prefix("boot") {
            return match after.strip_prefix('+') {
                Some(time) => duration(time).map(Self::SinceBoot),
                None => after.is_empty().then_some(Self::SinceBoot(Duration::ZERO)),
            };
        }
        if let Some(time) = duration(text) {
            return Some(Self::Ago(time));
        }
        match text.split_once(['T', 't', ' ']) {
            Some((day, time)) => {
                let (time, offset) = zone(time)?;
                let nanos = date(day)?.checked_mul(DAY)?.checked_sub(offset)?.checked_mul(BILLION)?;
                nanos.checked_add(time_of_day(time)?).map(Self::At)
            }
            None => time_of_day(text).map(Self::TimeOfDay),
        }
    }

    /// As the machine's clocks stand: microseconds since boot, and nanoseconds of Unix time.
    #[must_use]
    pub fn moment(self, boot_us: u64, wall_ns: i64) -> Moment {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match self {
            Self::Ago(time) => Moment::Boot(boot_us.saturating_sub(micros(time))),
            Self::SinceBoot(time) => Moment::Boot(micros(time)),
            Self::TimeOfDay(nanos) => {
                let day = DAY.saturating_mul(BILLION);
                let today = wall_ns.saturating_sub(wall_ns.checked_rem_euclid(day).unwrap_or_default());
                let at = today.saturating_add(nanos);
                Moment::Wall(if at > wall_ns { at.saturating_sub(day) } else { at })
            }
            Self::At(nanos) => Moment::Wall(nanos),
        }
    }
}

/// `2026-11-21` in days since 1970.
fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = number(year, 4, 9999)?;
    let (month, day) = (number(month, 2, 12)?, number(day, 2, 31)?);
    let is_there = parts.next().is_none() && month >= 1 && day >= 1;
    is_there.then(|| days_since_1970(year, month, day))?
}

/// `14:30`, `14:30:05`, `14:30:05.25` in nanoseconds of the day.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    // A leap second is the first moment of the next minute.
    let (hour, minute, second) = (number(hour, 2, 23)?, number(minute, 2, 59)?, number(second, 2, 60)?);
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let scale = 10_i64.checked_pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
    let nanos = number(fraction, fraction.len(), BILLION)?.checked_mul(scale)?;
    seconds.checked_mul(BILLION)?.checked_add(nanos)
}

/// The time without its zone, and the zone's seconds east of UTC.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (time, zone) = text.split_at_checked(at)?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2, 23)?, number(minutes, 2, 59)?);
    let seconds = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?;
    Some((time, if zone.starts_with('-') { seconds.checked_neg()? } else { seconds }))
}

/// Exactly so many digits, and no more than `most`.
fn number(text: &str, digits: usize, most: i64) -> Option<i64> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok())?.filter(|number| *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::rfc3339;

    /// 2026-11-21T22:46:01.5Z, 100 s after boot.
    const NOW: (u64, i64) = (100_000_000, 1_795_301_161_500_000_000);

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match When::parse(text).map(|when| when.moment(NOW.0, NOW.1)) {
            Some(Moment::Boot(us)) => alloc::format!("boot {us}"),
            Some(Moment::Wall(ns)) => {
                rfc3339(ns.div_euclid(BILLION), u32::try_from(ns.rem_euclid(BILLION)).unwrap())
            }
            None => "none".into(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn durations_are_before_now_and_no_earlier_than_boot() {
        check("10s", "boot 90000000");
        check("1m30s", "boot 10000000");
        check("2h", "boot 0");
        check("boot", "boot 0");
        check("boot+1.5s", "boot 1500000");
    }

    #[test]
    fn a_time_of_day_is_the_last_one() {
        check("22:46", "2026-11-21T22:46:00.000000Z");
        check("22:46:01.5", "2026-11-21T22:46:01.500000Z");
        check("22:46:02", "2026-11-20T22:46:02.000000Z");
        check("00:00", "2026-11-21T00:00:00.000000Z");
    }

    #[test]
    fn dates_have_a_zone() {
        check("2026-11-21T22:46:01Z", "2026-11-21T22:46:01.000000Z");
        check("2026-11-21T22:46:01.000001Z", "2026-11-21T22:46:01.000001Z");
        check("2026-11-21 23:46:01+01:00", "2026-11-21T22:46:01.000000Z");
        check("2024-02-29T00:30:00-01:30", "2024-02-29T02:00:00.000000Z");
        check("1969-12-31T23:59:60z", "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "10",
            "boot+",
            "boots",
            "-5m",
            "25:00",
            "1:30",
            "22:46:01.1234567890",
            "22:46:",
            "2026-11-21",
            "2026-11-21T22:46:01",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-1-1T00:00:00Z",
            "2026-11-21T22:46:01+1",
            "yesterday",
        ] {
            check(text, "none");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_as_text_is_read_back(micros in 0_u64..i64::MAX as u64 / 1000) {
            let time = Duration::from_micros(micros);
            let text = rfc3339(i64::try_from(time.as_secs()).unwrap(), time.subsec_nanos());
            let expected = i64::try_from(time.as_nanos()).unwrap();
            assert_eq!(When::parse(&text), Some(When::At(expected)), "{text}");
        }

        #[test]
        fn no_text_does_harm(text in "[0-9TZ:.+ boot-]{0,40}") {
            let _ = When::parse(&text).map(|when| when.moment(u64::MAX, i64::MAX));
        }
    }
}
