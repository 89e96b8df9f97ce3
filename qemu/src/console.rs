//! What the machine printed: the newest of it, and the kernel's last words among it.
//!
//! Pure: it is given bytes. Container output may stand on the console too, so that only lines
//! with the kernel's time stamp are taken for the kernel's.

/// Enough for any test's output; a machine that prints more keeps the newest.
const KEPT: usize = 8 << 20;

/// A line is looked at when it is whole; nothing the kernel prints is longer.
const LONGEST_LINE: usize = 4096;

/// After any of these the guest proves nothing. An oops may kill one process only, but then what
/// that process held is gone with it.
const LAST_WORDS: [&str; 6] =
    [PANIC, "Oops:", "int3:", "BUG: unable to handle", "BUG: kernel NULL pointer", "traps: PANIC"];

/// The one after which nothing at all goes on.
const PANIC: &str = "Kernel panic - not syncing";

#[derive(Debug, Default)]
pub(crate) struct Console {
    kept: Vec<u8>,
    /// Bytes that were there and are not kept any more.
    dropped: usize,
    line: Vec<u8>,
    death: Option<String>,
    panicked: bool,
}

impl Console {
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        // A serial console ends its lines with \r\n; nobody who reads them wants the \r.
        let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        for byte in &bytes {
            if *byte == b'\n' || self.line.len() >= LONGEST_LINE {
                self.judge_line();
            } else {
                self.line.push(*byte);
            }
        }
        self.kept.extend_from_slice(&bytes);
        // In big steps, so that not every read moves the whole.
        if self.kept.len() > KEPT + KEPT / 2 {
            let excess = self.kept.len().saturating_sub(KEPT);
            self.kept.drain(..excess);
            self.dropped = self.dropped.saturating_add(excess);
        }
    }

    fn judge_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if !is_last_words(&line) {
            return;
        }
        self.panicked |= line.contains(PANIC);
        self.death.get_or_insert(line);
    }

    /// The first line that shows that the kernel died.
    pub(crate) fn death(&self) -> Option<&str> {
        self.death.as_deref()
    }

    /// It will do nothing more, not even the rest of what an oops may leave alive.
    pub(crate) fn panicked(&self) -> bool {
        self.panicked
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// Bytes since the start of the machine.
    pub(crate) fn position(&self) -> usize {
        self.dropped.saturating_add(self.kept.len())
    }

    /// The position just after the first `text` at or after `from`.
    pub(crate) fn find(&self, text: &str, from: usize) -> Option<usize> {
        let start = from.saturating_sub(self.dropped);
        let hay = self.kept.get(start..)?;
        let at = hay.windows(text.len().max(1)).position(|window| window == text.as_bytes())?;
        Some(self.dropped.saturating_add(start).saturating_add(at).saturating_add(text.len()))
    }
}

/// `[    1.234567] Kernel panic - not syncing: …`, also after something without an end of line.
fn is_last_words(line: &str) -> bool {
    LAST_WORDS.iter().any(|words| {
        let mut before = line.match_indices(words).filter_map(|(at, _)| line.get(..at));
        before.any(ends_with_stamp)
    })
}

fn ends_with_stamp(text: &str) -> bool {
    let Some((_, stamp)) = text.strip_suffix("] ").and_then(|text| text.rsplit_once('[')) else {
        return false;
    };
    let digits = stamp.trim_start();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_death(printed: &str, expected: Option<&str>) {
        let mut console = Console::default();
        for byte in printed.as_bytes() {
            console.receive(&[*byte]);
        }
        assert_eq!(console.death(), expected, "{printed}");
    }

    #[test]
    fn knows_a_dead_kernel_by_its_last_words() {
        check_death(
            "[    1.2] Kernel panic - not syncing: x\r\n",
            Some("[    1.2] Kernel panic - not syncing: x"),
        );
        check_death("[    0.9] Oops: int3: 0000 [#1] SMP\n", Some("[    0.9] Oops: int3: 0000 [#1] SMP"));
        check_death("[    0.9] int3: 0000 [#1] SMP\n", Some("[    0.9] int3: 0000 [#1] SMP"));
        check_death("a [b] c[  9.1] Oops: 1\n", Some("a [b] c[  9.1] Oops: 1"));
    }

    #[test]
    fn takes_no_container_for_the_kernel() {
        check_death("web: Kernel panic - not syncing: said a test\n", None);
        check_death("[info] Oops: a page was not found\n", None);
        check_death("[    1.2] systemd: all is well, no Oops: here\n", None);
    }

    #[test]
    fn finds_text_once_from_each_position() {
        let mut console = Console::default();
        console.receive(b"one two");
        console.receive(b" one");
        let first = console.find("one", 0);
        assert_eq!(first, Some(3));
        assert_eq!(console.find("one", 3), Some(11));
        assert_eq!(console.find("one", 11), None);
        assert_eq!(console.position(), 11);
    }

    #[test]
    fn keeps_the_newest_of_too_much() {
        let mut console = Console::default();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            console.receive(&line);
        }
        console.receive(b"end");
        assert!(console.text().len() <= KEPT + KEPT / 2);
        assert!(console.find("end", 0).is_some());
        assert_eq!(console.position(), (20 << 20) + 3);
    }
}
