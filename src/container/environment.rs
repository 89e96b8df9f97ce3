//! The environment of a program: the image's, over it the env files in their order, over them the
//! container's own.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A line of an env file that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub text: String,
}

/// Reads an env file as `docker run --env-file` does: `KEY=value` lines, `#` comments, no quotes
/// and no expansion.
///
/// # Errors
/// [`BadLine`] for the first line without a name or `=`.
pub fn parse_env_file(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match trimmed.split_once('=') {
            Some((key, value)) if !key.is_empty() && !key.contains(char::is_whitespace) => {
                pairs.push((key.to_string(), value.to_string()));
            }
            _ => return Err(BadLine { line: index + 1, text: line.chars().take(80).collect() }),
        }
    }
    Ok(pairs)
}

/// Of variables that are there twice the last, in the order that remains.
#[must_use]
pub fn last_of_each(env: &[String]) -> Vec<String> {
    let mut later = BTreeSet::new();
    let mut backwards = Vec::new();
    for pair in env.iter().rev() {
        if later.insert(pair.split('=').next().unwrap_or_default()) {
            backwards.push(pair.clone());
        }
    }
    backwards.reverse();
    backwards
}

/// Puts the layers together; a later one replaces the value and keeps the place of an earlier.
#[must_use]
pub fn environment<'a>(base: &[String], over: impl Iterator<Item = &'a (String, String)>) -> Vec<String> {
    let mut env: Vec<String> = base.to_vec();
    for (key, value) in over {
        let pair = format!("{key}={value}");
        let named = |old: &String| old.split_once('=').is_some_and(|(name, _)| name == key);
        match env.iter_mut().find(|old| named(old)) {
            Some(old) => *old = pair,
            None => env.push(pair),
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_win_and_nothing_is_said_twice() {
        let base = ["PATH=/bin".to_string(), "A=1".to_string()];
        let over = [("A".to_string(), "2=3".to_string()), ("B".to_string(), String::new())];
        assert_eq!(environment(&base, over.iter()), ["PATH=/bin", "A=2=3", "B="]);
    }

    #[test]
    fn the_last_of_a_name_counts_at_its_own_place() {
        let env = ["A=1", "B=2", "A", "C=", "B=2=3", "=x", "=y"].map(String::from);
        assert_eq!(last_of_each(&env), ["A", "C=", "B=2=3", "=y"]);
    }

    #[test]
    fn env_files_are_read_literally() {
        let pairs = parse_env_file("# c\n\nA=$HOME \"x\"\n  B=\nC=a=b").unwrap();
        let expected = [("A", "$HOME \"x\""), ("B", ""), ("C", "a=b")];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_string(), v.to_string())));
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named() {
        assert_eq!(parse_env_file("A=1\nexport B=2"), Err(BadLine { line: 2, text: "export B=2".into() }));
        assert_eq!(parse_env_file("=x").unwrap_err().line, 1);
    }
}
