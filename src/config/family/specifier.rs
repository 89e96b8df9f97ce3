//! `%i`, `%p` and `%%` in the texts of a family, as systemd has them.
//!
//! Any other letter after a `%` is refused: a text that means a `%` says so, and means it in later versions, too.

use super::super::diagnostic::Mistake;
use super::super::report::Report;
use super::super::tree::{Entry, Map, Node, Path, Step, Value};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

/// Fills in the texts of the instance `name`, keys of tables included.
pub(super) fn fill(report: &mut Report<'_>, name: &str, family: &str, instance: &str, entry: &mut Entry) {
    let path = Path::keys(&["container", name]);
    Filler { report, family, instance }.node(&path, &mut entry.node);
}

/// What is not the same in all instances is judged there, and not in their template.
pub(super) fn hide(template: &mut Map) {
    for Entry { node, .. } in template.entries.values_mut() {
        hide_in(node);
    }
    template.entries.retain(|key, _| !key.contains('%'));
}

fn hide_in(node: &mut Node) {
    match &mut node.value {
        Value::Text(text) if text.contains('%') => node.value = Value::Wrong,
        Value::List(items) => items.iter_mut().for_each(hide_in),
        Value::Table(map) => hide(map),
        Value::Text(_)
        | Value::Integer { .. }
        | Value::Float { .. }
        | Value::Flag(_)
        | Value::Moment
        | Value::Wrong => {}
    }
}

struct Filler<'r, 'a, 'n> {
    report: &'r mut Report<'a>,
    family: &'n str,
    instance: &'n str,
}

impl Filler<'_, '_, '_> {
    fn node(&mut self, path: &Path<'_>, node: &mut Node) {
        let filled = match &mut node.value {
            Value::Text(text) => self.filled(text).map(Cow::into_owned),
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(&path.and(Step::Item(index)), item);
                }
                return;
            }
            Value::Table(map) => return self.table(path, map),
            Value::Integer { .. } | Value::Float { .. } | Value::Flag(_) | Value::Moment | Value::Wrong => {
                return;
            }
        };
        node.value = match filled {
            Ok(text) => Value::Text(text),
            Err(mistake) => {
                self.report.error(node.at, path, mistake);
                Value::Wrong
            }
        };
    }

    fn table(&mut self, path: &Path<'_>, map: &mut Map) {
        for (key, mut entry) in core::mem::take(&mut map.entries) {
            let here = path.and(Step::Key(&key));
            self.node(&here, &mut entry.node);
            match self.filled(&key).map(Cow::into_owned) {
                Err(mistake) => self.report.error(entry.at, &here, mistake),
                Ok(key) if map.has(&key) => {
                    let mistake = Mistake::new(format!(
                        "this is `{key}` in `{}@{}`, and that is declared, too",
                        self.family, self.instance
                    ));
                    self.report.error(entry.at, &here, mistake);
                }
                Ok(key) => {
                    map.entries.insert(key, entry);
                }
            }
        }
    }

    fn filled<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Mistake> {
        if !text.contains('%') {
            return Ok(Cow::Borrowed(text));
        }
        let mut filled = String::with_capacity(text.len());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                filled.push(letter);
                continue;
            }
            match letters.next() {
                Some('i') => filled.push_str(self.instance),
                Some('p') => filled.push_str(self.family),
                Some('%') => filled.push('%'),
                other => {
                    let what = other.map_or_else(|| "a `%` at the end".into(), |it| format!("`%{it}`"));
                    let mistake = Mistake::new(format!("{what} means nothing in a template"));
                    let help = "`%i` is the instance, `%p` what stands before the `@`, and `%%` a `%`";
                    return Err(mistake.help(help));
                }
            }
        }
        Ok(Cow::Owned(filled))
    }
}
