//! What may be the id of a container: it becomes the name of a directory and of a cgroup.

use super::failure::{Failure, Result};

/// As long as a name in a directory may be (NAME_MAX).
const LONGEST: usize = 255;

/// Letters, digits, `_`, `+`, `-` and `.`, the last not in front.
///
/// # Errors
/// It is something else.
pub(crate) fn check_id(id: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    let mut bytes = id.bytes();
    let fits = bytes.next().is_some_and(plain) && bytes.all(|byte| plain(byte) || byte == b'.');
    if id.is_empty() {
        return Err(Failure::new("container id cannot be empty"));
    }
    if !fits || id.len() > LONGEST {
        return Err(Failure::new(format!(
            "invalid container id {id:?}: letters, digits, _ + - and . (not in front), at most {LONGEST}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ids_that_engines_make() {
        for id in ["a", "web-1_x+y.z", "0123456789abcdef", "+x", "_x", "-x", "a..b", &"x".repeat(255)] {
            assert_eq!(check_id(id), Ok(()), "{id}");
        }
    }

    #[test]
    fn refuses_ids_that_lead_elsewhere() {
        for id in ["", ".", "..", "../x", "a/b", "/", ".hidden", "a b", "a\0", "ä", "a\n", &"x".repeat(256)]
        {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
