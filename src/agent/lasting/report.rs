//! What the machine says of its own end, for whoever asks after the next boot: who asked for it, how long it took, who
//! had to be killed. Kept where there is a disk; without one the kernel's log may be (`why/pstore.rs`).

use std::os::fd::AsFd;

use orlop::control::rfc3339;
use serde::{Deserialize, Serialize};

use super::mirror::REPORT;
use crate::agent::{boot_id, records};
use crate::linux::{Result, fs, time};

/// Of this boot; and of the one before, as the disk had it.
const PATH: &str = "/run/orlop/end.json";
pub const BEFORE: &str = "/run/orlop/end-before.json";
/// As many as are told.
const LINES: usize = 40;
const LONGEST: usize = 400;

/// Fields are only added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(default)]
    pub boot: Option<String>,
    /// When it was begun, nanoseconds since 1970.
    #[serde(default)]
    pub wall_ns: u64,
    #[serde(default)]
    pub lines: Vec<String>,
}

impl Report {
    pub fn begin(line: String) -> Self {
        let wall_ns = u64::try_from(time::wall().as_nanos()).unwrap_or_default();
        Self { boot: boot_id::this(), wall_ns, lines: vec![line] }
    }

    /// # Errors
    /// ENOSPC.
    pub fn write(&self) -> Result<()> {
        records::write_file(PATH, &serde_json::to_string(self).unwrap_or_default())
    }

    pub fn time(&self) -> String {
        rfc3339((self.wall_ns / 1_000_000_000) as i64, (self.wall_ns % 1_000_000_000) as u32)
    }
}

/// What is told of the end before this boot.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub lines: Vec<String>,
    pub at: Option<String>,
    /// The boot before used the disk, and has not announced its end there.
    pub is_missing: bool,
}

impl Told {
    /// `disk`: the report that it had, where there is one. `kernel`: what else keeps the end of the kernel's log, which
    /// goes on where the report stops, if it is about the same end.
    pub fn of(disk: Option<Option<Report>>, has_boot_before: bool, kernel: Vec<String>) -> Self {
        match disk.flatten() {
            Some(report) => {
                let at = Some(report.time());
                let is_same = report.lines.first().is_some_and(|first| kernel.first() == Some(first));
                Self { lines: if is_same { kernel } else { report.lines }, at, is_missing: false }
            }
            None if kernel.is_empty() => Self { is_missing: has_boot_before, ..Self::default() },
            None => Self { lines: kernel, ..Self::default() },
        }
    }
}

pub fn parse(bytes: &[u8]) -> Option<Report> {
    let mut report: Report = serde_json::from_slice(bytes).ok()?;
    report.lines.truncate(LINES);
    report.lines.retain(|line| line.len() <= LONGEST);
    Some(report)
}

/// That of this boot: another supervisor has begun it.
pub fn this() -> Option<Report> {
    read(PATH).filter(|report| report.boot == boot_id::this())
}

/// That of the boot before.
pub fn before() -> Option<Report> {
    read(BEFORE)
}

fn read(path: &str) -> Option<Report> {
    let fd = fs::open_regular(path).ok()?;
    parse(&fs::read_regular(fd.as_fd(), REPORT).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_says_when_and_the_kernels_log_goes_on() {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let report = Report {
            wall_ns: 1_000_000_000,
            lines: lines(&["shutdown: reboot", "shutdown: all is down"]),
            ..Report::default()
        };
        let at = Some("1970-01-01T00:00:01.000000Z".to_owned());
        let told = |disk, has_before, kernel: &[&str]| Told::of(disk, has_before, lines(kernel));
        let more = ["shutdown: reboot", "shutdown: all is down", "the machine ends: Reboot"];
        assert_eq!(
            told(Some(Some(report.clone())), true, &more),
            Told { lines: lines(&more), at: at.clone(), is_missing: false }
        );
        let other = told(Some(Some(report.clone())), true, &["shutdown: poweroff"]);
        assert_eq!(other, Told { lines: report.lines, at, is_missing: false });
        let kernel = Told { lines: lines(&more), ..Told::default() };
        assert_eq!(told(Some(None), true, &more), kernel);
        assert_eq!(told(None, false, &more), kernel);
        assert_eq!(told(Some(None), true, &[]), Told { is_missing: true, ..Told::default() });
        assert_eq!(told(Some(None), false, &[]), Told::default(), "the first boot with this disk");
        assert_eq!(told(None, false, &[]), Told::default());
    }

    #[test]
    fn a_report_from_a_disk_is_bounded() {
        let long = Report { lines: vec!["x".repeat(500), "y".into()], ..Report::default() };
        let text = |report: &Report| serde_json::to_vec(report).unwrap();
        assert_eq!(parse(&text(&long)).unwrap().lines, ["y"]);
        let many = Report { lines: vec!["z".into(); 500], ..Report::default() };
        assert_eq!(parse(&text(&many)).unwrap().lines.len(), LINES);
        assert_eq!(parse(b"{ \"lines\": 1 }"), None);
    }
}
