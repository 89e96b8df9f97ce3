//! What is wrong with an image, and where in it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// One thing wrong with an image. Whoever opened the image adds its name in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// A document and field (`config: rootfs.diff_ids`), or a path in a layer.
    pub place: String,
    pub what: String,
}

impl Error {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// An error about a path in a layer.
    pub(crate) fn at_path(path: &[u8], what: impl Into<String>) -> Self {
        Self::new(show(path), what)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl core::error::Error for Error {}

/// A name from an image as it may be printed: hostile names cannot move a terminal's cursor, and
/// a very long one shows its beginning.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 200; // two lines of a terminal
    if bytes.is_empty() {
        return "(empty name)".to_owned();
    }
    let mut text = String::new();
    for c in String::from_utf8_lossy(bytes).chars().take(SHOWN) {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if text.chars().count() >= SHOWN {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::show;

    #[test]
    fn shows_hostile_names_without_control_characters() {
        assert_eq!(show(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(show(b""), "(empty name)");
        assert!(show(&[b'x'; 4096]).len() < 300);
    }
}
