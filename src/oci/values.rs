//! What is typed as a value: flags, ids, times and sizes, as Go's programs write them.

use std::time::Duration;

pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(String::from("write true or false")),
    }
}

pub(crate) fn boolean_or_auto(text: &str) -> Result<String, String> {
    if text.is_empty() || text.eq_ignore_ascii_case("auto") || boolean(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(String::from("write true, false or auto"))
}

/// Digits alone: `0x1`, `+1`, `-1` and names are no ids.
fn number(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no id: write a number");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    // The highest one means "no change" to the kernel.
    text.parse().ok().filter(|id| *id != u32::MAX).ok_or_else(wrong)
}

pub(crate) fn user(text: &str) -> Result<(u32, Option<u32>), String> {
    match text.split_once(':') {
        None => Ok((number(text)?, None)),
        Some((uid, gid)) => Ok((number(uid)?, Some(number(gid)?))),
    }
}

/// `500ms`, `5s`, `1m30s`: as Go writes them. Whole numbers, each with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 6] = [
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    let wrong = || format!("`{text}` is no time: write 500ms, 5s or 1m");
    let mut rest = text;
    let mut nanos = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, tail) = rest.split_at(digits);
        let count: u64 = count.parse().map_err(|_| wrong())?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(wrong)?;
        nanos = count.checked_mul(*factor).and_then(|it| nanos.checked_add(it)).ok_or_else(wrong)?;
        rest = tail.get(unit.len()..).unwrap_or_default();
    }
    if nanos == 0 { Err(wrong()) } else { Ok(Duration::from_nanos(nanos)) }
}

/// `1048576`, `64m`, `1.5GiB`, -1: units are powers of 1024 whatever their spelling, as in runc.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no size: write 64M, 1G or -1");
    if text == "-1" {
        return Ok(-1);
    }
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let power = ["", "k", "m", "g", "t", "p"].iter().position(|known| *known == unit).ok_or_else(wrong)?;
    let factor = 1u64 << (10 * power);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    // Thousandths are more than anybody writes.
    let thousandths: u64 = format!("{part:0<3}").get(..3).and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    let whole = whole.checked_mul(factor).ok_or_else(wrong)?;
    let part = thousandths.checked_mul(factor).ok_or_else(wrong)? / 1000;
    whole.checked_add(part).and_then(|sum| i64::try_from(sum).ok()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gos() {
        let check = |text: &str, millis: u64| {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        };
        check("5s", 5000);
        check("500ms", 500);
        check("1m30s", 90_000);
        check("1h", 3_600_000);
        for text in ["", "5", "s", "0s", "-1s", "1d", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_is_numbers_and_nothing_that_looks_like_one() {
        assert_eq!(user("1000"), Ok((1000, None)));
        assert_eq!(user("1000:0"), Ok((1000, Some(0))));
        for text in ["", "root", "0x10", "+1", "-1", "1:", ":1", "1:2:3", "4294967295", "4294967296", "1 "] {
            assert!(user(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_runcs() {
        for (text, expected) in [
            ("0", 0),
            ("1024", 1024),
            ("64m", 64 << 20),
            ("64MB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1.5g", 3 << 29),
            ("-1", -1),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "m", "-2", "1x", "1..5m", "99999999999999999999", "0x10"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
