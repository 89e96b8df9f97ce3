//! How a machine ended, and how that is told from what QEMU says.

use std::fmt;

/// Why there is no machine any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The guest switched itself off.
    PoweredOff,
    /// The guest asked for a reset; it is not booted again.
    Rebooted,
    /// The guest's kernel died.
    Panicked,
    /// The guest did not feed its watchdog, which reset it.
    Watchdog,
    /// QEMU died of this signal; 9 when the power was cut.
    Killed { signal: i32 },
    /// QEMU itself failed; what it printed.
    Failed { text: String },
}

/// What is known when QEMU has ended.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// `reason` of QMP's SHUTDOWN event.
    pub(crate) shutdown: Option<String>,
    /// QMP's GUEST_PANICKED came.
    pub(crate) panicked: bool,
    /// QMP's WATCHDOG came.
    pub(crate) watchdog: bool,
    /// The console showed the kernel's last words.
    pub(crate) last_words: bool,
}

/// `code` and `signal` are QEMU's own end; `stderr` is what it printed.
pub(crate) fn judge(evidence: &Evidence, code: Option<i32>, signal: Option<i32>, stderr: &str) -> End {
    if let Some(signal) = signal {
        return End::Killed { signal };
    }
    if evidence.panicked {
        return End::Panicked;
    }
    match evidence.shutdown.as_deref() {
        Some("guest-panic") => End::Panicked,
        // A kernel that panicked resets the machine when `panic=` says so.
        Some("guest-reset") if evidence.last_words => End::Panicked,
        Some("guest-reset") if evidence.watchdog => End::Watchdog,
        Some("guest-reset") => End::Rebooted,
        Some("guest-shutdown") => End::PoweredOff,
        Some(other) => End::Failed { text: with_stderr(&format!("QEMU stopped: {other}"), stderr) },
        None => {
            let code = code.map_or_else(String::new, |code| format!(" with code {code}"));
            End::Failed { text: with_stderr(&format!("QEMU ended{code}"), stderr) }
        }
    }
}

fn with_stderr(text: &str, stderr: &str) -> String {
    match stderr.trim() {
        "" => text.to_owned(),
        stderr => format!("{text}:\n{stderr}"),
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoweredOff => f.write_str("the machine powered itself off"),
            Self::Rebooted => f.write_str("the machine asked for a reboot"),
            Self::Panicked => f.write_str("the machine's kernel died"),
            Self::Watchdog => f.write_str("the machine was reset by its watchdog"),
            Self::Killed { signal } => write!(f, "QEMU was killed by signal {signal}"),
            Self::Failed { text } => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shutdown: Option<&str>, change: impl FnOnce(&mut Evidence), expected: End) {
        let mut evidence = Evidence { shutdown: shutdown.map(str::to_owned), ..Evidence::default() };
        change(&mut evidence);
        assert_eq!(judge(&evidence, Some(0), None, ""), expected);
    }

    #[test]
    fn tells_a_power_off_from_a_reboot() {
        check(Some("guest-shutdown"), |_| (), End::PoweredOff);
        check(Some("guest-reset"), |_| (), End::Rebooted);
    }

    #[test]
    fn a_reset_after_the_kernels_last_words_is_a_panic() {
        check(Some("guest-reset"), |e| e.last_words = true, End::Panicked);
        check(Some("guest-panic"), |_| (), End::Panicked);
        check(Some("guest-shutdown"), |e| e.panicked = true, End::Panicked);
    }

    #[test]
    fn a_reset_by_the_watchdog_is_not_a_reboot() {
        check(Some("guest-reset"), |e| e.watchdog = true, End::Watchdog);
    }

    #[test]
    fn says_what_qemu_printed_when_it_failed() {
        let end = judge(&Evidence::default(), Some(1), None, "no such disk\n");
        assert_eq!(end.to_string(), "QEMU ended with code 1:\nno such disk");
        let end = judge(&Evidence::default(), None, Some(9), "");
        assert_eq!(end, End::Killed { signal: 9 });
    }
}
