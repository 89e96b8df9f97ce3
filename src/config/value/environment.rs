//! Names and assignments of environment variables and labels.

use super::super::diagnostic::Mistake;
use alloc::format;

/// As JSON Schema has it.
pub(crate) const NAME: &str = r"^[^=\s]+$";
pub(crate) const ASSIGNMENT: &str = r"^[^=\s]+=";

/// Any name that a program may look for: programs have dots and dashes in theirs, no shell will read it.
pub(crate) fn name(name: &str) -> Result<(), Mistake> {
    let wrong = |c: char| c == '=' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.contains(wrong) {
        let mistake = Mistake::new(format!("`{name}` is no variable's name"));
        return Err(mistake.help("a name has no blank and no `=`"));
    }
    Ok(())
}

/// `NAME=value`; the value may be empty and may hold `=`.
pub(crate) fn assignment(text: &str) -> Result<(&str, &str), Mistake> {
    let Some((key, value)) = text.split_once('=') else {
        let mistake =
            Mistake::new(format!("\"{text}\" gives no value, and there is no environment to take it from"));
        return Err(mistake.help(format!("write \"{text}=…\"")));
    };
    name(key)?;
    Ok((key, value))
}

/// A label's key.
pub(crate) fn label(key: &str) -> Result<(), Mistake> {
    if key.is_empty() || key.chars().any(|c| c.is_control() || c == '=') {
        return Err(Mistake::new(format!("`{key}` is no label's key")).help("like `org.example.role`"));
    }
    Ok(())
}

/// `key=value`, or a key alone, which has an empty value.
pub(crate) fn label_assignment(text: &str) -> Result<(&str, &str), Mistake> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    label(key)?;
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_assignments_at_the_first_sign() {
        assert_eq!(assignment("A=b=c"), Ok(("A", "b=c")));
        assert_eq!(assignment("discovery.type="), Ok(("discovery.type", "")));
        assert_eq!(label_assignment("role"), Ok(("role", "")));
    }

    #[test]
    fn refuses_names_that_no_program_could_find() {
        for wrong in ["A", "=b", "A B=c", "A\n=c", ""] {
            assert!(assignment(wrong).is_err(), "{wrong}");
        }
        assert!(label("").is_err());
    }
}
