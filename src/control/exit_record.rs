//! How a container's last generations ended, as it is kept and as clients are told.
//!
//! Kept as JSON without what is null, in a slot of so many bytes: what does not fit is cut from the text.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::happening::{cut, record};
use super::{Cause, rfc3339};

/// Of the form in which it is kept.
pub const EXIT_RECORD_VERSION: u16 = 1;

/// As the interface has it; figures are of all that was in its cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExitRecord {
    pub generation: u64,
    /// In what is kept, the boot that it was in; in what clients are told, only if that is another one than theirs.
    pub boot: Option<String>,
    /// Of the end, as the clock had it; in what is kept, the slot says it.
    pub time: String,
    pub started_us: Option<u64>,
    pub ended_us: u64,
    pub exit_code: Option<i32>,
    pub signal: Option<String>,
    pub oom: bool,
    pub cause: Option<Cause>,
    pub memory_peak_bytes: Option<u64>,
    pub cpu_us: Option<u64>,
    pub processes_peak: Option<u64>,
}

impl ExitRecord {
    /// At most `most` bytes: the text is cut for it.
    #[must_use]
    pub fn encode(&self, most: usize) -> Vec<u8> {
        let mut kept = Self { time: String::new(), ..self.clone() };
        let bytes = record(&kept);
        if bytes.len() <= most {
            return bytes;
        }
        if let Some(cause) = &mut kept.cause {
            // The text names it too.
            cause.object = None;
        }
        let excess = record(&kept).len().saturating_sub(most);
        if let Some(cause) = &mut kept.cause {
            cut(&mut cause.text, excess);
        }
        let bytes = record(&kept);
        if bytes.len() <= most { bytes } else { record(&Self { cause: None, ..kept }) }
    }

    /// `None`: nothing that this release can read. `wall_ns`: the time of the end, since 1970.
    #[must_use]
    pub fn decode(version: u16, bytes: &[u8], wall_ns: i64) -> Option<Self> {
        let kept: Self = serde_json::from_slice(bytes).ok().filter(|_| version == EXIT_RECORD_VERSION)?;
        let time = rfc3339(wall_ns.div_euclid(1_000_000_000), wall_ns.rem_euclid(1_000_000_000) as u32);
        Some(Self { time, ..kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::CauseKind;

    const MOST: usize = 476;

    #[track_caller]
    fn check(kept: &ExitRecord, expected: &ExitRecord) {
        let bytes = kept.encode(MOST);
        assert!(bytes.len() <= MOST, "{}", bytes.len());
        let time = "1970-01-01T00:00:01.000000Z".into();
        let decode = |version| ExitRecord::decode(version, &bytes, 1_000_000_000);
        assert_eq!(decode(EXIT_RECORD_VERSION), Some(ExitRecord { time, ..expected.clone() }));
        assert_eq!(decode(2), None);
    }

    #[test]
    fn all_of_it_is_kept_and_of_what_is_too_long_the_beginning() {
        let text = "could not be started: mount /var: not there";
        let cause = Cause {
            step: Some("mount".into()),
            object: Some("/var".into()),
            ..Cause::new(CauseKind::Start, text.into())
        };
        let whole = ExitRecord {
            generation: u64::MAX,
            boot: Some("8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30".into()),
            started_us: Some(u64::MAX),
            ended_us: u64::MAX,
            exit_code: Some(i32::MIN),
            signal: Some("SIGRTMIN+30".into()),
            oom: true,
            cause: Some(cause.clone()),
            memory_peak_bytes: Some(u64::MAX),
            cpu_us: Some(u64::MAX),
            processes_peak: Some(u64::MAX),
            ..ExitRecord::default()
        };
        check(&whole, &whole);
        check(&ExitRecord::default(), &ExitRecord::default());
        // Letters that JSON writes longer than they are.
        let text = "\u{1b}".repeat(5000);
        let long = ExitRecord { cause: Some(Cause { text: text.clone(), ..cause.clone() }), ..whole.clone() };
        let bytes = long.encode(MOST);
        assert!(bytes.len() <= MOST && bytes.len() > MOST - 16, "{}", bytes.len());
        let read: ExitRecord = serde_json::from_slice(&bytes).unwrap();
        let kept = read.cause.unwrap();
        assert!(text.starts_with(kept.text.trim_end_matches('…')) && kept.text.ends_with('…'));
        assert_eq!((kept.step.as_deref(), kept.object), (Some("mount"), None));
        let step = Some("x".repeat(600));
        let wrong = ExitRecord { cause: Some(Cause { step, ..cause }), ..whole.clone() };
        check(&wrong, &ExitRecord { cause: None, ..whole });
    }
}
