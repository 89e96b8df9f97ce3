//! What was typed: values with their places, before anybody asks what they mean.
//!
//! A value that has been found wrong is replaced by [`Value::Wrong`], so that its neighbours keep their
//! places and whoever reads the tree later can only meet what is right.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A stretch of one file: bytes `start..end` of source number `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    /// As it was typed; `value` is `None` beyond 64 bits.
    Integer {
        text: String,
        value: Option<i64>,
    },
    Float {
        text: String,
    },
    Flag(bool),
    /// A TOML date or time; no key of ours takes one.
    Moment,
    List(Vec<Node>),
    Table(Map),
    /// Reported already.
    Wrong,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Written with a header or in braces, and not just passed through by a longer name.
    pub(crate) declared: bool,
    /// A key that must be there is missing or wrong.
    pub(crate) incomplete: bool,
    /// Nothing is made of it but what inherits it, and what it lacks may be there.
    pub(crate) template: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Where the key stands.
    pub(crate) at: Place,
    pub(crate) node: Node,
}

impl Map {
    /// The value of `key`, unless it is wrong.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node).filter(|node| !matches!(node.value, Value::Wrong))
    }

    /// Whether `key` is written, rightly or wrongly.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The entries in the order in which they were written.
    pub(crate) fn in_order(&self) -> Vec<(&str, &Entry)> {
        let mut all: Vec<_> = self.entries.iter().map(|(key, entry)| (key.as_str(), entry)).collect();
        all.sort_unstable_by_key(|(_, entry)| entry.at);
        all
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Integer { value, .. } => *value,
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match &self.value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Table(map) => Some(map),
            _ => None,
        }
    }

    /// A text or a number, as text.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Integer { text, .. } | Value::Float { text } => Some(text),
            _ => None,
        }
    }

    /// The items of a list; anything else is a list of one.
    pub(crate) fn each(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Wrong => &[],
            _ => core::slice::from_ref(self),
        }
    }

    /// The node at the end of `path`, or the last one on the way that there is.
    pub(crate) fn locate<'n>(map: &'n Map, path: &Path<'_>) -> Option<&'n Node> {
        let mut found: Option<&Node> = None;
        for step in &path.0 {
            let next = match (step, found) {
                (Step::Key(key), None) => map.entries.get(*key).map(|entry| &entry.node),
                (Step::Key(key), Some(node)) => {
                    node.map().and_then(|map| map.entries.get(*key)).map(|entry| &entry.node)
                }
                (Step::Item(index), Some(Node { value: Value::List(items), .. })) => items.get(*index),
                (Step::Item(_), _) => None,
            };
            match next {
                Some(node) => found = Some(node),
                None => break,
            }
        }
        found
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Step<'a> {
    pub(crate) fn key(self) -> Option<&'a str> {
        match self {
            Step::Key(key) => Some(key),
            Step::Item(_) => None,
        }
    }
}

/// The way to a value: `container.db.volumes[1]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path<'a>(pub(crate) Vec<Step<'a>>);

impl<'a> Path<'a> {
    pub(crate) fn keys(keys: &[&'a str]) -> Self {
        Self(keys.iter().map(|key| Step::Key(key)).collect())
    }

    pub(crate) fn and<'b>(&self, step: Step<'b>) -> Path<'b>
    where
        'a: 'b,
    {
        let mut longer: Vec<Step<'b>> = self.0.clone();
        longer.push(step);
        Path(longer)
    }

    /// The container that this value belongs to.
    pub(crate) fn container(&self) -> Option<&'a str> {
        self.within("container")
    }

    /// The volume that this value belongs to.
    pub(crate) fn volume(&self) -> Option<&'a str> {
        self.within("volume")
    }

    /// The group that this value belongs to.
    pub(crate) fn group(&self) -> Option<&'a str> {
        self.within("group")
    }

    fn within(&self, table: &str) -> Option<&'a str> {
        match self.0.as_slice() {
            [Step::Key(outer), Step::Key(name), ..] if *outer == table => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(out, "[{item}]")?,
                Step::Key(key) => {
                    if index > 0 {
                        out.write_str(".")?;
                    }
                    if is_bare(key) { out.write_str(key)? } else { write!(out, "{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// A key that TOML takes without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
