//! Names in frames, of fixed size.

/// A container's name has at most 63 bytes.
pub const LABEL_BYTES: usize = 64;

/// A short name in a frame; longer ones are cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label(pub(super) [u8; LABEL_BYTES]);

impl Label {
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; LABEL_BYTES];
        for (to, from) in bytes.iter_mut().take(LABEL_BYTES - 1).zip(name.bytes()) {
            *to = from;
        }
        Self(bytes)
    }

    /// The name, or nothing when the bytes are not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(LABEL_BYTES);
        core::str::from_utf8(self.0.get(..end).unwrap_or_default()).unwrap_or_default()
    }
}

impl core::fmt::Debug for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}
