//! A command in one string, split as a shell would split it, and nothing more of a shell than that.

use super::super::diagnostic::Mistake;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a shell would act on; here it would arrive as an argument.
const OPERATORS: [&str; 9] = ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"];

/// Quotes and backslashes as in POSIX sh; `$`, `*`, `~` and `#` are letters.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Mistake> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some('"'), '\\') => match letters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(escaped),
                Some('\n') => {}
                Some(other) => word.get_or_insert_default().extend(['\\', other]),
                None => break,
            },
            (Some(_), inside) => word.get_or_insert_default().push(inside),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (None, '\\') => match letters.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(Mistake::new("the command ends in a backslash that escapes nothing")),
            },
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (None, plain) => word.get_or_insert_default().push(plain),
        }
    }
    if let Some(open) = quote {
        let help = format!("close it, or write \\{open} for the sign itself");
        return Err(Mistake::new(format!("the quote {open} is never closed")).help(help));
    }
    words.extend(word);
    Ok(words)
}

/// The first of `words` that only a shell would understand.
pub(crate) fn operator(words: &[String]) -> Option<&'static str> {
    OPERATORS.into_iter().find(|operator| words.iter().any(|word| word == operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_would() {
        let check = |text, words: &[&str]| assert_eq!(split(text).unwrap(), words, "{text}");
        check("", &[]);
        check("  ", &[]);
        check("nginx -g 'daemon off;'", &["nginx", "-g", "daemon off;"]);
        check(r#"sh -c "echo \"$HOME\" \n""#, &["sh", "-c", r#"echo "$HOME" \n"#]);
        check(r"a\ b c", &["a b", "c"]);
        check("a '' b", &["a", "", "b"]);
        check("a\"b\"'c'd", &["abcd"]);
        check("a\\\nb\tc\nd", &["ab", "c", "d"]);
        check(r"'a\b'", &[r"a\b"]);
    }

    #[test]
    fn refuses_a_quote_that_is_never_closed() {
        let check = |text, message| assert_eq!(split(text).unwrap_err().message, message, "{text}");
        check("a 'b", "the quote ' is never closed");
        check("a \"b\\\"", "the quote \" is never closed");
        check("a\\", "the command ends in a backslash that escapes nothing");
    }

    #[test]
    fn finds_what_only_a_shell_would_understand() {
        let check = |text, wanted| assert_eq!(operator(&split(text).unwrap()), wanted, "{text}");
        check("a && b", Some("&&"));
        check("a > /dev/null", Some(">"));
        check("sh -c 'a && b'", None);
        check("a 'b|c' --x=1;2", None);
    }
}
