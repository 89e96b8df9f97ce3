//! Signals by name: `SIGTERM`, `TERM`, `RTMIN+3`, `RTMAX-1`, `15` ↔ 1–64.
//!
//! Numbers are Linux's on every architecture that Orlop knows; 32 and 33 are the C library's own.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::string::String;

/// Signals 1 to 31, without `SIG`: signal(7).
pub(super) const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Second names.
const ALIASES: [(&str, i32); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];

/// The first real-time signal as programs count.
const RTMIN: i32 = 34;
pub(super) const RTMAX: i32 = 64;

/// The number of a signal, by name in any case or by number. `None`: there is no such signal.
#[must_use]
pub fn number(text: &str) -> Option<i32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|number| (1..=RTMAX).contains(number));
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return real_time(RTMIN, rest, '+');
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return real_time(RTMAX, rest, '-');
    }
    if let Some((_, number)) = ALIASES.into_iter().find(|(known, _)| *known == name) {
        return Some(number);
    }
    let index = NAMES.iter().position(|known| *known == name)?;
    i32::try_from(index).ok()?.checked_add(1)
}

/// The name with `SIG`; real-time signals count from SIGRTMIN. What has no name keeps its number.
#[must_use]
pub fn name(number: i32) -> String {
    let index = usize::try_from(number.saturating_sub(1)).ok();
    if let Some(name) = index.and_then(|index| NAMES.get(index)) {
        return format!("SIG{name}");
    }
    match number.saturating_sub(RTMIN) {
        0 => String::from("SIGRTMIN"),
        offset if (RTMIN..=RTMAX).contains(&number) => format!("SIGRTMIN+{offset}"),
        _ => format!("{number}"),
    }
}

fn real_time(base: i32, rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(base);
    }
    let digits = rest.strip_prefix(sign)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let offset: i32 = digits.parse().ok()?;
    let number = if sign == '+' { base.checked_add(offset)? } else { base.checked_sub(offset)? };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i32>) {
        assert_eq!(number(text), expected, "{text:?}");
    }

    #[test]
    fn knows_signals_by_name_and_number() {
        check("TERM", Some(15));
        check("SIGTERM", Some(15));
        check("sigkill", Some(9));
        check("11", Some(11));
        check("HUP", Some(1));
        check("SYS", Some(31));
        check("RTMIN", Some(34));
        check("SIGRTMIN+3", Some(37));
        check("RTMAX-1", Some(63));
        check("64", Some(64));
        check("IOT", Some(6));
    }

    #[test]
    fn refuses_what_is_no_signal() {
        for text in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "999999999999",
            "FOO",
            "RTMIN-1",
            "RTMIN+31",
            "RTMIN+",
            "RTMAX-31",
            "RTMIN+-1",
            "RTMIN++1",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_signal_with_a_name_is_found_by_it() {
        for signal in (1..=31).chain(34..=64) {
            check(&name(signal), Some(signal));
        }
        assert_eq!(name(34), "SIGRTMIN");
        assert_eq!(name(33), "33");
        assert_eq!(name(-5), "-5");
        assert_eq!(name(i32::MIN), "-2147483648");
    }
}
