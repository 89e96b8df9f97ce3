//! The keys by which somebody leaves what he is attached to.

/// Keys that, typed in a row, end this and nothing else.
#[derive(Debug)]
pub(crate) struct Detach {
    keys: Vec<u8>,
    /// Of them, held back.
    pub(super) typed: usize,
}

impl Detach {
    pub(crate) fn new(keys: &[u8]) -> Self {
        Self { keys: keys.to_vec(), typed: 0 }
    }

    /// What was held back, now that no key follows.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        self.keys.get(..std::mem::take(&mut self.typed)).unwrap_or_default().to_vec()
    }

    /// What of it is for the program; whether the keys were among it. Keys that are not followed by the
    /// others are for the program after all.
    pub(super) fn filter(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    return (passed, true);
                }
                continue;
            }
            passed.extend_from_slice(self.keys.get(..self.typed).unwrap_or_default());
            self.typed = usize::from(self.keys.first() == Some(byte));
            if self.typed == 0 {
                passed.push(*byte);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_detach_are_heard_in_a_row_alone_and_others_pass() {
        let check = |pieces: &[&str], expected: (&str, bool)| {
            let mut detach = Detach::new(b"\x10\x11");
            let (mut passed, mut detached) = (Vec::new(), false);
            for piece in pieces {
                let (more, now) = detach.filter(piece.as_bytes());
                passed.extend(more);
                detached |= now;
            }
            assert_eq!((String::from_utf8(passed).unwrap().as_str(), detached), expected, "{pieces:?}");
        };
        check(&["ab"], ("ab", false));
        check(&["a\x10\x11b"], ("a", true));
        check(&["a\x10", "\x11"], ("a", true));
        check(&["a\x10", "b\x11"], ("a\x10b\x11", false));
        check(&["\x10\x10\x11"], ("\x10", true));
        check(&["\x11\x10"], ("\x11", false));
        let mut held = Detach::new(b"\x10\x11");
        assert_eq!(held.filter(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!((held.give_up(), held.give_up()), (b"\x10".to_vec(), Vec::new()));
        assert_eq!(Detach::new(&[]).filter(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
    }
}
