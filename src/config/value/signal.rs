//! Signals by name or number.

use super::super::diagnostic::Mistake;
use super::super::nearest::nearest;
use alloc::format;

/// The names of signals 1 to 31, without `SIG`: signal(7), the same on every architecture that Linux is new on.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// Second names.
const ALIASES: [(&str, i32); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];
/// The first real-time signal as programs count: libcs keep 32 and 33 for themselves.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// `TERM`, `SIGTERM`, `15`, `RTMIN+3`, `RTMAX-1`.
pub(crate) fn parse(text: &str) -> Result<i32, Mistake> {
    let unknown = || Mistake::new(format!("\"{text}\" is no signal"));
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) if (1..=RTMAX).contains(&number) => ends(text, number),
            _ => Err(unknown().help(format!("signals are 1 to {RTMAX}"))),
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(number) = by_name(name) {
        return ends(text, number);
    }
    Err(match nearest(name, NAMES) {
        Some(near) => unknown().help(format!("did you mean \"SIG{near}\"?")),
        None => unknown().help("a name of signal(7) like \"SIGTERM\", or a number"),
    })
}

fn by_name(name: &str) -> Option<i32> {
    if let Some((number, _)) = (1..).zip(NAMES).find(|(_, known)| *known == name) {
        return Some(number);
    }
    if let Some((_, number)) = ALIASES.into_iter().find(|(known, _)| *known == name) {
        return Some(number);
    }
    let (from, offset) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(offset), _) => (RTMIN, offset),
        (_, Some(offset)) => (RTMAX, offset),
        (None, None) => return None,
    };
    // The sign is read with the number; RTMIN only goes up, RTMAX only down.
    let sign = if from == RTMIN { '+' } else { '-' };
    let offset: i32 = match offset.strip_prefix(sign) {
        None if offset.is_empty() => 0,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    let number = if from == RTMIN { from.checked_add(offset)? } else { from.checked_sub(offset)? };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

/// `number`, unless it only stops a process.
fn ends(text: &str, number: i32) -> Result<i32, Mistake> {
    if by_name("STOP") == Some(number) {
        let mistake = Mistake::new(format!("\"{text}\" ends nothing: a stopped process stays"));
        return Err(mistake.help("for example \"SIGTERM\""));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_numbers_and_real_time_signals() {
        let check = |text, number| assert_eq!(parse(text), Ok(number), "{text}");
        check("TERM", 15);
        check("SIGTERM", 15);
        check("sigquit", 3);
        check("15", 15);
        check("SYS", 31);
        check("SIGWINCH", 28);
        check("RTMIN", 34);
        check("SIGRTMIN+3", 37);
        check("RTMAX", 64);
        check("RTMAX-30", 34);
        check("RTMIN+30", 64);
        check("IOT", 6);
    }

    #[test]
    fn refuses_what_is_no_signal_or_ends_nothing() {
        for text in [
            "",
            "0",
            "65",
            "-1",
            "SIG",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "RTMIN++1",
            "STOP",
            "19",
            "99999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("SIGTREM").unwrap_err().help.unwrap(), "did you mean \"SIGTERM\"?");
    }
}
