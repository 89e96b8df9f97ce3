//! Signals as a configuration says them: what a container is asked to end with.

use super::super::diagnostic::Mistake;
use super::super::nearest::nearest;
use super::super::signal::{NAMES, RTMAX, number};
use alloc::format;

/// `TERM`, `SIGTERM`, `15`, `RTMIN+3`, `RTMAX-1`.
pub(crate) fn parse(text: &str) -> Result<i32, Mistake> {
    let unknown = || Mistake::new(format!("\"{text}\" is no signal"));
    if let Some(number) = number(text) {
        return ends(text, number);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown().help(format!("signals are 1 to {RTMAX}")));
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    Err(match nearest(name, NAMES) {
        Some(near) => unknown().help(format!("did you mean \"SIG{near}\"?")),
        None => unknown().help("a name of signal(7) like \"SIGTERM\", or a number"),
    })
}

/// `number`, unless it only stops a process.
fn ends(text: &str, number: i32) -> Result<i32, Mistake> {
    if super::super::signal::number("STOP") == Some(number) {
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
