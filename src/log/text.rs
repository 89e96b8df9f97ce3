//! Text from anywhere → one line that a console can show: no control characters, bounded.

/// Bytes of a line on a console, the most. Longer ones are cut.
pub const LINE_MAX: usize = 1024;

/// What stands in the place of a character that a terminal would obey.
const OBEYED: char = '?';

/// Writes `text` to `into`, without what a terminal would obey, as UTF-8, and returns its length.
/// Text behind the first newline counts as one line with a space; what has no room is cut off.
pub fn clean_line(text: &str, into: &mut [u8]) -> usize {
    let mut len: usize = 0;
    for char in text.trim_end_matches('\n').chars() {
        let char = match char {
            '\n' | '\t' => ' ',
            char if obeyed(char) => OBEYED,
            char => char,
        };
        let end = len.saturating_add(char.len_utf8());
        let Some(place) = into.get_mut(len..end) else {
            break;
        };
        char.encode_utf8(place);
        len = end;
    }
    len
}

/// C0, C1, DEL; and the marks that turn the direction of what follows (Unicode's Bidi_Control), or
/// begin a line.
fn obeyed(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut into = [0; LINE_MAX];
        let len = clean_line(text, &mut into);
        assert_eq!(core::str::from_utf8(&into[..len]), Ok(expected));
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        check("web: started in 12 ms", "web: started in 12 ms");
        check("größer als 日本\n", "größer als 日本");
        check("", "");
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        check("\x1b[2Jgone\x07", "?[2Jgone?");
        check("a\r\nb\tc\x7f\u{9b}d", "a? b c??d");
        check("\u{202e}txt.exe\u{2066}\u{2028}", "?txt.exe??");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut into = [0; 5];
        assert_eq!(clean_line("aßßß", &mut into), 5);
        assert_eq!(&into, "aßß".as_bytes());
        assert_eq!(clean_line("ßßß", &mut into), 4);
    }
}
