//! Texts of cgroup v2 → figures: `io.stat`, `*.pressure`, limits that may be `max`.
//!
//! What has another form than the kernel's documentation gives (cgroup-v2.rst, psi.rst) is no figure, never an error.
#![deny(clippy::arithmetic_side_effects)]

/// Of all block devices together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Io {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

/// `io.stat`: a line for each device, `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
#[must_use]
pub fn io(text: &str) -> Io {
    let mut io = Io::default();
    for (key, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
        let figure = match key {
            "rbytes" => &mut io.read_bytes,
            "wbytes" => &mut io.written_bytes,
            "rios" => &mut io.reads,
            "wios" => &mut io.writes,
            _ => continue,
        };
        *figure = figure.saturating_add(value.parse().unwrap_or(0));
    }
    io
}

/// One line of a pressure file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// Percent of the last 10, 60 and 300 seconds.
    pub averages: [f64; 3],
    pub total_us: u64,
}

/// The lines `some` and `full` of a pressure file; `None` is a line that is not there.
#[must_use]
pub fn pressure(text: &str) -> (Option<Stall>, Option<Stall>) {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    (line("some").and_then(stall), line("full").and_then(stall))
}

/// `avg10=0.12 avg60=0.03 avg300=0.00 total=1234`
fn stall(line: &str) -> Option<Stall> {
    let value = |key| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let average = |key| value(key)?.parse::<f64>().ok().filter(|percent| percent.is_finite());
    Some(Stall {
        averages: [average("avg10")?, average("avg60")?, average("avg300")?],
        total_us: value("total")?.parse().ok()?,
    })
}

/// A file with one number; `None` for `max`.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_added_up_and_other_words_passed_over() {
        let check = |text: &str, expected: [u64; 4]| {
            let found = io(text);
            assert_eq!([found.read_bytes, found.written_bytes, found.reads, found.writes], expected);
        };
        check("", [0; 4]);
        check("254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=7 dios=7\n", [4096, 0, 1, 0]);
        check(
            "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n8:16 rbytes=10 wbytes=20 rios=30 wios=40\n",
            [11, 22, 33, 44],
        );
        check("8:0 rbytes=x wbytes= =3 rios wios=18446744073709551615\n8:1 wios=9", [0, 0, 0, u64::MAX]);
    }

    #[test]
    fn pressure_has_its_lines_or_not() {
        let text = "some avg10=1.50 avg60=0.02 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let (some, full) = pressure(text);
        assert_eq!(some, Some(Stall { averages: [1.5, 0.02, 0.0], total_us: 1234 }));
        assert_eq!(full.map(|stall| stall.total_us), Some(7));
        let (some, full) = pressure(text.lines().next().unwrap());
        assert!(some.is_some() && full.is_none());
        for wrong in [
            "",
            "some",
            "some avg10=1 avg60=2 total=3",
            "some avg10=NaN avg60=0 avg300=0 total=0",
            "sometimes avg10=0",
        ] {
            assert_eq!(pressure(wrong), (None, None), "{wrong}");
        }
    }

    #[test]
    fn no_limit_is_no_number() {
        assert_eq!(number("4096\n"), Some(4096));
        assert_eq!(number("max\n"), None);
    }
}
