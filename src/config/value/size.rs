//! Sizes: a number and its unit, `64M`. As in Compose, every unit is a power of 1024, `MB` and `MiB` too.

use super::super::diagnostic::Mistake;
use alloc::format;
use alloc::string::String;

/// The units, largest first, with what each is shifted by.
const UNITS: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];

/// A pebibyte: no machine that boots from one file has more of anything.
pub(crate) const MOST: u64 = 1 << 50;

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = r"^([0-9]+(\.[0-9]{1,9})?([kKmMgGtT]([iI]?[bB])?|[bB])|0)$";

/// Bytes. A fraction of a byte is cut off.
pub(crate) fn parse(text: &str) -> Result<u64, Mistake> {
    if text == "0" {
        return Ok(0);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(
            Mistake::new(format!("\"{text}\" is no size")).help("a number and its unit, like \"64M\"")
        );
    }
    if unit.is_empty() {
        let help = format!("write \"{text}M\" for megabytes, \"{text}B\" for bytes");
        return Err(Mistake::new(format!("\"{text}\" needs a unit")).help(help));
    }
    let Some(shift) = shift(unit) else {
        let mistake =
            Mistake::new(format!("\"{text}\" has the unit `{unit}`, which is none of B, K, M, G, T"));
        return Err(mistake.help(format!("for example \"{number}M\"")));
    };
    scaled(number, shift).ok_or_else(|| Mistake::new(format!("\"{text}\" is no number that fits in 64 bits")))
}

/// In the largest unit that divides it.
pub(crate) fn show(bytes: u64) -> String {
    for (unit, shift) in UNITS {
        let whole = bytes >> shift;
        if whole > 0 && whole << shift == bytes {
            return format!("{whole}{unit}");
        }
    }
    format!("{bytes}B")
}

fn shift(unit: &str) -> Option<u32> {
    let unit = unit.to_ascii_uppercase();
    if unit == "B" {
        return Some(0);
    }
    UNITS.into_iter().find_map(|(name, shift)| {
        let rest = unit.strip_prefix(name)?;
        matches!(rest, "" | "B" | "IB").then_some(shift)
    })
}

/// `number << shift`, exact to the byte.
fn scaled(number: &str, shift: u32) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Nine digits: finer than a byte of a gigabyte, and no overflow below.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u128 = fraction.parse().ok()?;
    let part = (part << shift).checked_div(10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    whole.checked_mul(1u64.checked_shl(shift)?)?.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_composes_units_as_powers_of_1024() {
        let check = |text, bytes| assert_eq!(parse(text), Ok(bytes), "{text}");
        check("64M", 64 << 20);
        check("64m", 64 << 20);
        check("64MB", 64 << 20);
        check("64MiB", 64 << 20);
        check("1.5G", 3 << 29);
        check("0.5K", 512);
        check("12B", 12);
        check("0", 0);
        check("16777215T", 16_777_215 << 40);
    }

    #[test]
    fn refuses_what_is_no_size_and_says_what_is_missing() {
        let check = |text, part: &str| {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.message.contains(part), "{text}: {mistake}");
        };
        check("64", "needs a unit");
        check("", "no size");
        check("M", "no size");
        check("-1M", "no size");
        check("64 M", "unit ` M`");
        check("64X", "unit `X`");
        check("64Mi", "unit `Mi`");
        check("16777216T", "64 bits");
        check("99999999999999999999B", "64 bits");
        check("1.2.3M", "64 bits");
        check("1.M", "64 bits");
        check("5%", "unit `%`");
    }

    #[test]
    fn shows_a_size_as_it_would_be_written() {
        for text in ["64M", "3G", "12B", "1025K", "1T", "0B"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
