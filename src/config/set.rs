//! One key of a configuration's text gets another value; all else stays as it is written, comments and order too.
//!
//! A value that is there is replaced where it stands. A key that is not is written below its neighbours, or into the
//! braces of its table. What comes of it is read once more: if anything but this key then differs, it is refused.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::depth::too_deep;
use super::{MAX_DEPTH, MAX_FILE, Source};

/// What a key is written into that stands in no file yet.
const FILE: &str = "orlop.toml";

/// Sets `key` ("container.web.limits.memory") to `value`, which is TOML, or else a text without its quotes. The name
/// of the file that was changed, or added.
///
/// # Errors
/// For people: what is wrong with key or value, or why it cannot be set without changing something else.
pub fn set(sources: &mut Vec<Source>, key: &str, value: &str) -> Result<String, String> {
    let path = path_of(key)?;
    let value = value_of(value)?;
    let mut best: Option<(usize, usize)> = None;
    for (at, source) in sources.iter().enumerate() {
        let known = known(table_of(&source.text, &source.path)?.get_ref(), &path);
        if best.is_none_or(|(_, most)| known > most) {
            best = Some((at, known));
        }
    }
    if best.is_none() {
        sources.push(Source { path: FILE.to_owned(), text: String::new() });
    }
    let at = best.map_or(0, |(at, _)| at);
    let Some(source) = sources.get_mut(at) else {
        return Err("there is no file to write it into".to_owned());
    };
    source.text = set_in(source, &path, &value)?;
    Ok(source.path.clone())
}

fn set_in(source: &Source, path: &[String], value: &str) -> Result<String, String> {
    let Source { path: file, text } = source;
    let before = table_of(text, file)?;
    let Edit { range, text: written } = edit(text, before.get_ref(), path, value)?;
    let mut after = text.clone();
    after.replace_range(range, &written);
    let refused = || {
        let key = name_of(path);
        format!("{key} cannot be set by itself where it stands in {file}; `orlop config edit` opens it")
    };
    let wanted = format!("value = {value}");
    let changed = table_of(&after, file).map_err(|_| refused())?;
    let wanted = DeTable::parse(&wanted).map_err(|_| refused())?;
    let wanted = wanted.get_ref().get("value").ok_or_else(refused)?.get_ref();
    if is_all(Some(before.get_ref()), changed.get_ref(), path, wanted) { Ok(after) } else { Err(refused()) }
}

struct Edit {
    range: Range<usize>,
    text: String,
}

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `[container.web]`
    Header,
    /// `{ … }`
    Braces,
    /// Only by names that lead through it.
    Passed,
}

fn form(text: &str, table: &Spanned<DeValue<'_>>) -> Form {
    match text.get(table.span()).and_then(|text| text.chars().next()) {
        Some('[') => Form::Header,
        Some('{') => Form::Braces,
        _ => Form::Passed,
    }
}

/// The deepest table on the way that has a header or braces takes the key in, if it is not there yet.
fn edit(text: &str, root: &DeTable<'_>, path: &[String], value: &str) -> Result<Edit, String> {
    let mut table = root;
    let mut into = None;
    for (above, key) in path.iter().enumerate() {
        let Some(found) = table.get(key.as_str()) else { break };
        let depth = above.saturating_add(1);
        let name = || name_of(path.get(..depth).unwrap_or_default());
        let form = form(text, found);
        match found.get_ref() {
            DeValue::Table(_) if depth == path.len() && form != Form::Braces => {
                return Err(format!("{} is a table; name one of its keys", name()));
            }
            _ if depth == path.len() => return Ok(Edit { range: found.span(), text: value.to_owned() }),
            DeValue::Table(inner) => {
                if form != Form::Passed {
                    into = Some((found, inner, form, depth));
                }
                table = inner;
            }
            _ => return Err(format!("{} is a value, and has no keys", name())),
        }
    }
    let Some((found, inner, form, depth)) = into else { return new_table(text, path, value) };
    let line = line(path.get(depth..).unwrap_or_default(), value);
    Ok(match (form, last_end(text, inner)) {
        (Form::Braces, None) => Edit { range: found.span(), text: format!("{{ {line} }}") },
        (Form::Braces, Some(end)) => Edit { range: end..end, text: format!(", {line}") },
        (Form::Header | Form::Passed, end) => below(text, end.unwrap_or(found.span().end), &line),
    })
}

/// Where the last value of a table ends that is written in it, and not below a header of its own.
fn last_end(text: &str, table: &DeTable<'_>) -> Option<usize> {
    let end = |value: &Spanned<DeValue<'_>>| match (value.get_ref(), form(text, value)) {
        (DeValue::Table(_), Form::Header) => None,
        (DeValue::Table(inner), Form::Passed) => last_end(text, inner),
        (DeValue::Array(items), _) if items.iter().any(|item| is_header(text, item)) => None,
        _ => Some(value.span().end),
    };
    table.values().filter_map(end).max()
}

fn is_header(text: &str, item: &Spanned<DeValue<'_>>) -> bool {
    item.get_ref().is_table() && form(text, item) == Form::Header
}

/// On a line of its own, as far in as the one above.
fn below(text: &str, end: usize, line: &str) -> Edit {
    let (before, after) = text.split_at_checked(end).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let indent = before.get(start..).unwrap_or_default();
    let indent: String = indent.chars().take_while(|letter| matches!(letter, ' ' | '\t')).collect();
    let rest = after.find(['\r', '\n']).unwrap_or(after.len());
    let at = end.saturating_add(rest);
    let newline = if after.get(rest..).is_some_and(|rest| rest.starts_with('\r')) { "\r\n" } else { "\n" };
    Edit { range: at..at, text: format!("{newline}{indent}{line}") }
}

/// At the end of the file: a container or a volume has a table of its own.
fn new_table(text: &str, path: &[String], value: &str) -> Result<Edit, String> {
    let named = usize::from(path.first().is_some_and(|first| first != "host"));
    let (table, keys) = path.split_at_checked(named.saturating_add(1)).unwrap_or((path, &[]));
    if keys.is_empty() {
        return Err(format!("{} is a table; name one of its keys", name_of(path)));
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let text_of = format!("{gap}[{}]\n{}\n", name_of(table), line(keys, value));
    Ok(Edit { range: text.len()..text.len(), text: text_of })
}

fn line(keys: &[String], value: &str) -> String {
    format!("{} = {value}", name_of(keys))
}

/// As TOML has it: what is not plain is in quotes.
fn name_of(keys: &[String]) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let name = |key: &String| {
        if !key.is_empty() && key.chars().all(is_plain) { key.clone() } else { quoted(key) }
    };
    keys.iter().map(name).collect::<Vec<_>>().join(".")
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\u{:04X}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// How many of its keys are there already, one in the other.
fn known(table: &DeTable<'_>, path: &[String]) -> usize {
    let Some((first, rest)) = path.split_first() else { return 0 };
    match table.get(first.as_str()).map(Spanned::get_ref) {
        Some(DeValue::Table(inner)) => known(inner, rest).saturating_add(1),
        Some(_) => 1,
        None => 0,
    }
}

/// Whether `after` is `before` with this value at the end of `path`, and nothing else.
fn is_all(before: Option<&DeTable<'_>>, after: &DeTable<'_>, path: &[String], wanted: &DeValue<'_>) -> bool {
    let old = |key: &str| before.and_then(|before| before.get(key)).map(Spanned::get_ref);
    let is_kept = before.is_none_or(|before| before.keys().all(|key| after.contains_key(key)));
    let Some((first, rest)) = path.split_first() else { return false };
    let are_same = after.iter().all(|(key, value)| {
        let (key, value) = (key.get_ref().as_ref(), value.get_ref());
        match (key == first, rest.is_empty(), value) {
            (false, ..) => old(key).is_some_and(|old| is_same(old, value)),
            (true, true, _) => is_same(value, wanted),
            (true, false, DeValue::Table(inner)) => {
                is_all(old(key).and_then(DeValue::as_table), inner, rest, wanted)
            }
            (true, false, _) => false,
        }
    });
    is_kept && are_same && after.contains_key(first.as_str())
}

/// Whatever places they have.
fn is_same(one: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (one, other) {
        (DeValue::Table(one), DeValue::Table(other)) => {
            let same = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                other.get(key).is_some_and(|other| is_same(value.get_ref(), other.get_ref()))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        (DeValue::Array(one), DeValue::Array(other)) => {
            let mut pairs = one.iter().zip(other.iter());
            one.len() == other.len() && pairs.all(|(one, other)| is_same(one.get_ref(), other.get_ref()))
        }
        (DeValue::String(one), DeValue::String(other)) => one == other,
        (DeValue::Integer(one), DeValue::Integer(other)) => {
            (one.as_str(), one.radix()) == (other.as_str(), other.radix())
        }
        (DeValue::Float(one), DeValue::Float(other)) => one.as_str() == other.as_str(),
        (DeValue::Boolean(one), DeValue::Boolean(other)) => one == other,
        (DeValue::Datetime(one), DeValue::Datetime(other)) => one == other,
        _ => false,
    }
}

fn table_of<'t>(text: &'t str, file: &str) -> Result<Spanned<DeTable<'t>>, String> {
    if text.len() > MAX_FILE || too_deep(text, MAX_DEPTH).is_some() {
        return Err(format!("{file} is too large, or nested too deep"));
    }
    DeTable::parse(text).map_err(|error| format!("{file} is not TOML: {}", error.message()))
}

/// `container.web.image`; a part in quotes may have any letter.
fn path_of(key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{}` is no key; write it as container.web.image", key.escape_debug());
    let line = format!("{key} = 0");
    if key.contains(['\n', '\r']) || too_deep(&line, MAX_DEPTH).is_some() {
        return Err(wrong());
    }
    let parsed = DeTable::parse(&line).map_err(|_| wrong())?;
    let (mut table, mut path) = (parsed.get_ref(), Vec::new());
    loop {
        let (key, value) = table.iter().next().filter(|_| table.len() == 1).ok_or_else(wrong)?;
        path.push(key.get_ref().as_ref().to_owned());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Integer(_) if value.span().end == line.len() => return Ok(path),
            _ => return Err(wrong()),
        }
    }
}

fn value_of(value: &str) -> Result<String, String> {
    let value = value.trim();
    let line = format!("value = {value}");
    if value.len() > MAX_FILE || too_deep(&line, MAX_DEPTH).is_some() {
        return Err("the value is too large, or nested too deep".to_owned());
    }
    match DeTable::parse(&line) {
        Ok(table) => {
            let found = table.get_ref().get("value").filter(|_| table.get_ref().len() == 1);
            match found.filter(|found| found.span().len() == value.len()) {
                Some(_) => Ok(value.to_owned()),
                None => Ok(quoted(value)),
            }
        }
        Err(error) if value.starts_with(['[', '{', '"', '\'']) => {
            Err(format!("the value is not TOML: {}", error.message()))
        }
        Err(_) => Ok(quoted(value)),
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
