//! How containers end, as rules say it: `3`, `100-110`, `SIGSEGV`, `oom`.

use super::super::diagnostic::Mistake;
use super::super::life::EndPattern;
use super::super::signal;
use alloc::format;

/// Words for ends that have neither code nor signal of their own.
const CAUSES: [(&str, EndPattern); 4] = [
    ("oom", EndPattern::Oom),
    ("probe", EndPattern::Probe),
    ("watchdog", EndPattern::Watchdog),
    ("start", EndPattern::Start),
];

pub(crate) fn pattern(text: &str) -> Result<EndPattern, Mistake> {
    if let Some((_, cause)) = CAUSES.into_iter().find(|(word, _)| *word == text) {
        return Ok(cause);
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        return match (code(first), code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(EndPattern::Codes(first, last)),
            _ => Err(Mistake::new(format!("\"{text}\" is no range of exit codes"))
                .help("like \"100-110\"; codes are 0 to 255")),
        };
    }
    match signal::number(text) {
        Some(number) => Ok(EndPattern::Signal(number)),
        None => {
            let mistake = Mistake::new(format!("\"{text}\" is no way to end"));
            Err(mistake.help(
                "an exit code, \"100-110\", \"SIGSEGV\", \"oom\", \"probe\", \"watchdog\" or \"start\"",
            ))
        }
    }
}

fn code(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u8>().ok()).flatten().map(i32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_codes_signals_and_causes() {
        let check = |text: &str, expected| assert_eq!(pattern(text).ok(), expected, "{text}");
        check("3", Some(EndPattern::Codes(3, 3)));
        check("100-110", Some(EndPattern::Codes(100, 110)));
        check("SIGSEGV", Some(EndPattern::Signal(11)));
        check("term", Some(EndPattern::Signal(15)));
        check("RTMIN+3", Some(EndPattern::Signal(37)));
        check("oom", Some(EndPattern::Oom));
        for wrong in ["", "256", "3-2", "1-", "-1", "1-2-3", "OOM", "SIGNONE", "+3", "3x"] {
            check(wrong, None);
        }
    }
}
