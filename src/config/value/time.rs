//! Times: numbers and their units, `500ms`, `1m30s`, as in Compose, and days.

use super::super::diagnostic::Mistake;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

/// The units, largest first, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = r"^([0-9]+(\.[0-9]{1,9})?(d|h|m|s|ms|us))+$";

/// Units go from large to small, each at most once: `1m30s`.
pub(crate) fn parse(text: &str) -> Result<Duration, Mistake> {
    let no_time =
        || Mistake::new(format!("\"{text}\" is no time")).help("a number and its unit, like \"500ms\"");
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() || text.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if number.is_empty() {
            return Err(no_time());
        }
        if unit.is_empty() {
            let help = format!("write \"{text}s\" for seconds, \"{text}ms\" for milliseconds");
            return Err(Mistake::new(format!("\"{text}\" needs a unit")).help(help));
        }
        let Some((_, nanos)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
            let message = format!("\"{text}\" has the unit `{unit}`, which is none of us, ms, s, m, h, d");
            return Err(Mistake::new(message).help(format!("for example \"{number}s\"")));
        };
        if nanos >= smallest {
            return Err(no_time());
        }
        smallest = nanos;
        let part = scaled(number, nanos).and_then(|part| total.checked_add(part));
        let too_long =
            || Mistake::new(format!("\"{text}\" is no number of nanoseconds that fits in 64 bits"));
        total = part.ok_or_else(too_long)?;
        rest = after;
    }
    Ok(Duration::from_nanos(total))
}

/// In the largest unit that divides it.
pub(crate) fn show(time: Duration) -> String {
    let nanos = time.as_nanos();
    for (unit, length) in UNITS {
        let whole = nanos.checked_div(u128::from(length)).unwrap_or_default();
        if whole > 0 && whole.checked_mul(u128::from(length)) == Some(nanos) {
            return format!("{whole}{unit}");
        }
    }
    format!("{}s", time.as_secs())
}

fn scaled(number: &str, nanos: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Nine digits: to the nanosecond of a second, and no overflow below.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u128 = fraction.parse().ok()?;
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = part.checked_mul(u128::from(nanos))?.checked_div(scale)?;
    whole.checked_mul(nanos)?.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_composes_times() {
        let check = |text, millis| assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        check("500ms", 500);
        check("1.5s", 1_500);
        check("1m30s", 90_000);
        check("2h", 7_200_000);
        check("1d", 86_400_000);
        check("1h0m0.25s", 3_600_250);
        check("0s", 0);
    }

    #[test]
    fn refuses_what_is_no_time_and_says_what_is_missing() {
        let check = |text, part: &str| {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.message.contains(part), "{text}: {mistake}");
        };
        check("10", "needs a unit");
        check("1m30", "needs a unit");
        check("", "no time");
        check("s", "no time");
        check("-1s", "no time");
        check("30s1m", "no time");
        check("1s1s", "no time");
        check("10sec", "unit `sec`");
        check("10 s", "unit ` s`");
        check("1.s", "64 bits");
        check("300000d", "64 bits");
        check("99999999999999999999s", "64 bits");
    }

    #[test]
    fn shows_a_time_as_it_would_be_written() {
        for text in ["500ms", "30s", "1h", "90s", "0s"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
