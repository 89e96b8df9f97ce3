//! `user[:group]` and groups, by name or number; names are looked up inside the root.

use super::super::diagnostic::Mistake;
use alloc::format;

/// A container has a range of 65,536 ids; the last one, 65535, means "no id" to 16-bit calls.
const LAST_ID: u64 = 65_534;
/// Longest name that useradd(8) takes.
const MAX_NAME: usize = 32;

/// As JSON Schema has it.
pub(crate) const USER: &str = r"^[A-Za-z0-9_.@-]+\$?(:[A-Za-z0-9_.@-]+\$?)?$";

pub(crate) fn user(text: &str) -> Result<(), Mistake> {
    match text.split_once(':') {
        Some((user, group)) => one(user).and_then(|()| one(group)),
        None => one(text),
    }
}

pub(crate) fn one(name: &str) -> Result<(), Mistake> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return match name.parse::<u64>() {
            Ok(id) if id <= LAST_ID => Ok(()),
            _ => Err(Mistake::new(format!(
                "a container has the ids 0 to {LAST_ID}, and {name} is not among them"
            ))),
        };
    }
    let bare = name.strip_suffix('$').unwrap_or(name);
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    if bare.is_empty() || !bare.chars().all(right) || bare.starts_with('-') || name.len() > MAX_NAME {
        let mistake = Mistake::new(format!("\"{name}\" is no name and no number of a user or group"));
        return Err(mistake.help("like \"nginx\", \"1000\" or \"1000:1000\""));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_users_and_groups() {
        for right in ["root", "0", "1000:1000", "www-data:adm", "a$", "65534"] {
            assert_eq!(user(right), Ok(()), "{right}");
        }
        for wrong in ["", ":", "a:", ":a", "a b", "-a", "65535", "1:2:3", "4294967296", "a/b"] {
            assert!(user(wrong).is_err(), "{wrong}");
        }
    }
}
