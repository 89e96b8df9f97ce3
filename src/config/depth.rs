//! Refuses text that nests too deep, before it becomes a tree.
//!
//! The parser bounds brackets and the parts of a name each by itself; together they make trees of thousands
//! of levels, and whoever walks or frees such a tree runs out of stack.

use alloc::vec::Vec;

/// Where `text` first goes deeper than `most` levels: brackets that are open, and the dots before them.
pub(crate) fn too_deep(text: &str, most: usize) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut depth: usize = 0;
    let mut dots: usize = 0;
    let mut at: usize = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match letter {
            '"' | '\'' => string(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            _ => letter.len_utf8(),
        };
        match letter {
            '.' => dots = dots.saturating_add(1),
            ',' | '\n' => dots = 0,
            '[' | '{' => {
                let levels = dots.saturating_add(1);
                open.push(levels);
                depth = depth.saturating_add(levels);
                dots = 0;
            }
            ']' | '}' => {
                depth = depth.saturating_sub(open.pop().unwrap_or_default());
                dots = 0;
            }
            _ => {}
        }
        if depth.saturating_add(dots) > most {
            return Some(at);
        }
        at = at.saturating_add(length);
    }
    None
}

/// The length of the string that `rest` begins with, its quotes included. A string of one line ends with its line.
fn string(rest: &str) -> usize {
    let quote = if rest.starts_with('"') { "\"" } else { "'" };
    let three = quote.repeat(3);
    let (quote, lines) = if rest.starts_with(&three) { (three.as_str(), true) } else { (quote, false) };
    let mut at = quote.len();
    while let Some(inside) = rest.get(at..).filter(|inside| !inside.is_empty()) {
        if inside.starts_with(quote) {
            return at.saturating_add(quote.len());
        }
        if !lines && inside.starts_with('\n') {
            return at;
        }
        let escape = quote.starts_with('"') && inside.starts_with('\\') && !inside.starts_with("\\\n");
        let letters = inside.chars().take(if escape { 2 } else { 1 });
        at = at.saturating_add(letters.map(char::len_utf8).sum());
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_and_dots() {
        let check = |text, wanted| assert_eq!(too_deep(text, 3), wanted, "{text}");
        check("[a.b]\nx = [[1]]\n", None);
        check("[a.b]\n[a.c]\n[a.d]\n[a.e]\n", None);
        check("x = 1.5\ny = 2.5\n", None);
        check("x = [1.5, 2.5, 3.5, 4.5]\n", None);
        check("x = [[[[", Some(7));
        check("a.b.c.d.e = 1", Some(7));
        check("a.b = { c.d = { e = 1 } }", Some(14));
    }

    #[test]
    fn looks_into_no_string_and_no_comment() {
        let check = |text| assert_eq!(too_deep(text, 1), None, "{text}");
        check("# [[[[[\nx = 1");
        check("x = \"[[[[\\\"[[[[\"");
        check("x = '[[[\\'");
        check("x = \"\"\"\n[[[[\"[[[\n\"\"\"");
        check("x = '''\n[[[['[[[\n'''");
        check("x = \"[[[[");
        check("\"[[[[\n'[[[[\n");
    }
}
