//! What a key takes, as data. One list of keys per table feeds the checks, the nearest names, the JSON
//! Schema and the key reference; the same line says how the value is taken over once it is known to be right.

use super::diagnostic::{Mistake, Severity};
use super::tree::{Map, Node, Path, Step};
use alloc::vec::Vec;
use core::time::Duration;

/// What a value looks like. Of the shapes in `Any`, the first that takes the value's TOML type counts.
pub(crate) enum Shape {
    Flag,
    Integer {
        min: i64,
        max: i64,
    },
    /// Thousandths count, nothing finer.
    Number {
        min: f64,
        max: f64,
    },
    Size {
        min: u64,
        max: u64,
    },
    Time {
        min: Duration,
        max: Duration,
    },
    Text(&'static Text),
    Word {
        words: &'static [Word],
        refused: &'static [Refused],
    },
    OneOrMore(&'static Shape),
    List(&'static Shape),
    Map {
        name: &'static Text,
        value: &'static Shape,
    },
    /// As `Map`, and a name with dots may also be written as tables in tables.
    Dotted {
        name: &'static Text,
        value: &'static Shape,
    },
    Table(&'static dyn Table),
    Any(&'static [Shape]),
}

/// A kind of text.
pub(crate) struct Text {
    /// "an absolute path"
    pub(crate) what: &'static str,
    /// For editors: a regular expression that every right text matches; empty for none.
    pub(crate) pattern: &'static str,
    pub(crate) check: fn(&str) -> Result<(), Mistake>,
}

/// One of a closed list of words.
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) doc: &'static str,
}

/// A name that people know from elsewhere and that is not one of ours.
pub(crate) struct Refused {
    pub(crate) name: &'static str,
    /// What to write instead, or why there is nothing.
    pub(crate) instead: &'static str,
}

/// A key as people read about it.
pub(crate) struct About {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    pub(crate) presence: Presence,
    /// A line of TOML that is right.
    pub(crate) example: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    /// In TOML: writing it changes nothing.
    Default(&'static str),
}

/// A key of the table that becomes a `T`.
pub(crate) struct Key<T> {
    pub(crate) about: About,
    /// Called with values that fit the shape only.
    pub(crate) take: fn(&Node, &mut T),
}

/// A table that becomes a `T`.
pub(crate) struct Keys<T: 'static> {
    /// "a container"
    pub(crate) what: &'static str,
    pub(crate) keys: &'static [Key<T>],
    pub(crate) refused: &'static [Refused],
    pub(crate) rules: &'static [Rule],
}

/// What must hold between the keys of one table, each of them right by itself.
pub(crate) type Rule = fn(&Map, &mut Vec<Problem>);

pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// From the table on; empty: the table itself.
    pub(crate) inside: Path<'static>,
    pub(crate) mistake: Mistake,
}

/// [`Keys`] without their `T`.
pub(crate) trait Table: Sync {
    fn what(&self) -> &'static str;
    fn abouts(&self) -> Vec<&'static About>;
    fn refused(&self) -> &'static [Refused];
    fn rules(&self) -> &'static [Rule];
}

impl<T> Keys<T> {
    /// Takes over every key that `map` has and that is right.
    pub(crate) fn fill(&self, map: &Map, out: &mut T) {
        for key in self.keys {
            if let Some(node) = map.get(key.about.name) {
                (key.take)(node, out);
            }
        }
    }
}

impl<T> Table for Keys<T> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn abouts(&self) -> Vec<&'static About> {
        self.keys.iter().map(|key| &key.about).collect()
    }

    fn refused(&self) -> &'static [Refused] {
        self.refused
    }

    fn rules(&self) -> &'static [Rule] {
        self.rules
    }
}

impl<T> Key<T> {
    pub(crate) const fn new(
        name: &'static str,
        shape: Shape,
        example: &'static str,
        doc: &'static str,
        take: fn(&Node, &mut T),
    ) -> Self {
        Self { about: About { name, doc, shape, presence: Presence::Optional, example }, take }
    }

    pub(crate) const fn required(mut self) -> Self {
        self.about.presence = Presence::Required;
        self
    }

    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.about.presence = Presence::Default(value);
        self
    }
}

impl Problem {
    /// With the value of `key`, or with the table itself when it is empty.
    pub(crate) fn error(key: &'static str, mistake: Mistake) -> Self {
        Self::new(Severity::Error, key, mistake)
    }

    pub(crate) fn warning(key: &'static str, mistake: Mistake) -> Self {
        Self::new(Severity::Warning, key, mistake)
    }

    /// With an item or a key of that value.
    pub(crate) fn inside(mut self, step: Step<'static>) -> Self {
        self.inside.0.push(step);
        self
    }

    fn new(severity: Severity, key: &'static str, mistake: Mistake) -> Self {
        let steps = [Step::Key(key)].into_iter().filter(|_| !key.is_empty());
        Self { severity, inside: Path(steps.collect()), mistake }
    }
}

pub(crate) const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

pub(crate) const fn refused(name: &'static str, instead: &'static str) -> Refused {
    Refused { name, instead }
}
