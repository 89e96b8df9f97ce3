//! A Rust file as the rules see it: its code with comments and literals blanked out, line for line.

pub(crate) struct Source {
    /// Relative to the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
    /// As long as the text: comments, strings and characters are spaces, newlines stay.
    pub(crate) code: String,
    /// The code without what is compiled for tests only.
    pub(crate) shipped: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_literals(text);
        let shipped = blank_tests(&code);
        Self { path: path.into(), text: text.into(), code, shipped }
    }

    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Lines of the text that do not belong to a test.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let kept = |(code, shipped): &(&str, &str)| code == shipped;
        self.code.lines().zip(self.shipped.lines()).filter(kept).count()
    }

    /// `network` for `src/network/plan.rs`; none for `src/main.rs`, `src/lib.rs` and what is not in src.
    pub(crate) fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let room = rest.split('/').next()?.trim_end_matches(".rs");
        (room != "main" && room != "lib").then_some(room)
    }

    /// Compiled for tests only, by where it stands.
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let beside = ["tests.rs", "testing.rs"].contains(&name)
            || name.ends_with("_tests.rs")
            || name.ends_with("_test.rs");
        beside || self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// Where each identifier of the code stands, with its line.
    pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, usize, &str)> {
        code.lines()
            .enumerate()
            .scan(0, |offset, (number, line)| {
                let start = *offset;
                *offset += line.len() + 1;
                Some((number + 1, start, line))
            })
            .flat_map(|(number, start, line)| {
                line.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).map(move |word| {
                    let at = start + (word.as_ptr() as usize - line.as_ptr() as usize);
                    (number, at, word)
                })
            })
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// How long the comment or literal is that starts here; `None`: none does. `before` is what stands
/// in front of it.
fn literal(rest: &str, before: Option<char>) -> Option<usize> {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at);
    if rest.starts_with("//") {
        return Some(until("\n", 0));
    }
    if rest.starts_with("/*") {
        let mut depth = 0_usize;
        let mut at = 0;
        loop {
            let tail = &rest[at..];
            depth = if tail.starts_with("/*") {
                depth + 1
            } else if tail.starts_with("*/") {
                depth - 1
            } else {
                at += tail.chars().next()?.len_utf8();
                continue;
            };
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    let raw =
        rest.strip_prefix('r').filter(|_| !before.is_some_and(|it| is_word(it) && it != 'b' && it != 'c'));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some((until(&end, hashes + 2) + end.len()).min(rest.len()));
        }
    }
    let mut letters = rest.strip_prefix('\'')?.chars();
    let first = letters.next()?;
    // Otherwise a lifetime.
    (first == '\\' || letters.next() == Some('\'')).then(|| quoted(rest, '\''))
}

/// From the opening quote to behind the closing one.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn blank_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let mut before = None;
    while let Some(letter) = text[at..].chars().next() {
        let length = literal(&text[at..], before);
        let end = at + length.unwrap_or(letter.len_utf8());
        if length.is_some() || !letter.is_ascii() {
            blank(&text[at..end], &mut code);
        } else {
            code.push(letter);
        }
        before = text[at..end].chars().last();
        at = end;
    }
    code
}

/// One space a byte, so that places in the code are places in the text.
fn blank(text: &str, code: &mut String) {
    code.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// Blanks every item under `#[cfg(test)]`.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut shipped = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        shipped.push_str(before);
        let end = match item.find([';', '{']) {
            Some(open) if item[open..].starts_with('{') => open + braces(&item[open..]),
            Some(semicolon) => semicolon + 1,
            None => item.len(),
        };
        blank(&item[..end], &mut shipped);
        rest = &item[end..];
    }
    shipped.push_str(rest);
    shipped
}

/// From an opening brace to behind the one that closes it.
pub(crate) fn braces(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The words that are left, and one space between them.
fn squeezed(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn comments_and_literals_are_not_code() {
    let check = |text: &str, expected: &str| {
        let code = Source::new("x.rs", text).code;
        assert_eq!(code.len(), text.len(), "{text}");
        assert_eq!(squeezed(&code), expected, "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check("f(\"unsafe \\\" {\", x)", "f( , x)");
    check("f(r#\"a \" {\"#, x)", "f( , x)");
    check("f(br\"a\", c\"b\")", "f(b , c )");
    check("r#type + for", "r#type + for");
    check(r"match c { '{' | '\'' => 'a: loop {} }", "match c { | => 'a: loop {} }");
    check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
    check("'é' + é", "+");
}

#[test]
fn what_is_for_tests_is_not_shipped() {
    let check = |text: &str, expected: &str| {
        let shipped = Source::new("x.rs", text).shipped;
        assert_eq!(shipped.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
    };
    check("a\n#[cfg(test)]\nmod tests { fn b() {} }\nc", "a c");
    check("a\n#[cfg(test)]\n#[path = \"b;{\"]\nmod tests;\nc", "a c");
    check("a\n#[cfg(not(test))]\nmod b;", "a #[cfg(not(test))] mod b;");
}
