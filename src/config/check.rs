//! Holds a tree against the key tables: reports all that does not fit, each at its place, and marks it as
//! [`Value::Wrong`], so that only what is right is taken over.

use super::diagnostic::{Mistake, Severity};
use super::nearest::nearest;
use super::report::Report;
use super::shape::{About, Presence, Problem, Shape, Table, Text};
use super::tree::{Entry, Map, Node, Path, Place, Step, Value};
use super::value::fits;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub(crate) fn check(report: &mut Report<'_>, map: &mut Map, table: &'static dyn Table) {
    let top = Place { file: 0, start: 0, end: 0 };
    Checker { report, above: Vec::new(), template: false }.table(&Path::default(), top, map, table);
}

struct Checker<'r, 'a> {
    report: &'r mut Report<'a>,
    /// The tables that the present one stands in, outermost first.
    above: Vec<&'static dyn Table>,
    /// Of a template only what it has is judged, key by key: the rest is in what inherits it.
    template: bool,
}

impl Checker<'_, '_> {
    fn table(&mut self, path: &Path<'_>, at: Place, map: &mut Map, table: &'static dyn Table) {
        self.above.push(table);
        let outside = self.template;
        self.template |= map.template;
        let abouts = table.abouts();
        for (key, Entry { at, node }) in &mut map.entries {
            let path = path.and(Step::Key(key));
            match abouts.iter().find(|about| about.name == key) {
                Some(about) => self.value(&path, about, &about.shape, node),
                None => {
                    let mistake = self.unknown(table, key, node);
                    self.report.error(*at, &path, mistake);
                    node.value = Value::Wrong;
                }
            }
        }
        let is_whole = !self.template;
        for about in abouts.iter().filter(|about| is_whole && about.presence == Presence::Required) {
            let missing = !map.has(about.name);
            map.incomplete |= map.get(about.name).is_none();
            if missing && !self.report.is_broken(at.file) {
                let message = format!("{} needs the key `{}`", self.subject(path, table), about.name);
                self.report.error(at, path, Mistake::new(message).help(format!("write {}", about.example)));
            }
        }
        if is_whole {
            self.rules(path, at, map, table);
        }
        self.template = outside;
        self.above.pop();
    }

    fn rules(&mut self, path: &Path<'_>, at: Place, map: &mut Map, table: &'static dyn Table) {
        let mut problems = Vec::new();
        for rule in table.rules() {
            rule(map, &mut problems);
        }
        for Problem { severity, inside, mistake } in problems {
            let at = Node::locate(map, &inside).map_or(at, |node| node.at);
            let longer = Path(path.0.iter().chain(&inside.0).copied().collect());
            if severity == Severity::Warning {
                self.report.warning(at, &longer, mistake);
                continue;
            }
            self.report.error(at, &longer, mistake);
            let key = inside.0.first().and_then(|step| step.key());
            match key.and_then(|key| map.entries.get_mut(key)) {
                Some(entry) => entry.node.value = Value::Wrong,
                None => map.incomplete = true,
            }
        }
    }

    fn value(&mut self, path: &Path<'_>, about: &About, shape: &'static Shape, node: &mut Node) {
        if matches!(node.value, Value::Wrong) {
            return;
        }
        if !takes(shape, &node.value) {
            return self.wrong_type(path, about, shape, node);
        }
        let shape = narrowed(shape, &node.value);
        let at = node.at;
        match (shape, &mut node.value) {
            (Shape::OneOrMore(each) | Shape::List(each), Value::List(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&path.and(Step::Item(index)), about, each, item);
                }
            }
            (Shape::Table(table), Value::Table(map)) => self.table(path, at, map, *table),
            (Shape::Map { name, value }, Value::Table(map)) => {
                self.named(path, about, name, value, value, map)
            }
            (Shape::Dotted { name, value }, Value::Table(map)) => {
                self.named(path, about, name, value, shape, map)
            }
            (_, value) => {
                if let Err(mistake) = fits::scalar(shape, value) {
                    self.wrong(path, node, mistake);
                }
            }
        }
    }

    /// A table of names; a value that is a table itself has the shape `table`.
    fn named(
        &mut self,
        path: &Path<'_>,
        about: &About,
        name: &Text,
        value: &'static Shape,
        table: &'static Shape,
        map: &mut Map,
    ) {
        for (key, Entry { at, node }) in &mut map.entries {
            let path = path.and(Step::Key(key));
            self.value(&path, about, if node.map().is_some() { table } else { value }, node);
            if let Err(mistake) = fits::text(name, key) {
                self.report.error(*at, &path, mistake);
                node.value = Value::Wrong;
            }
        }
    }

    fn wrong_type(&mut self, path: &Path<'_>, about: &About, shape: &'static Shape, node: &mut Node) {
        let message = format!("expected {}, found {}", fits::describe(shape), fits::found(&node.value));
        let text = match &node.value {
            Value::Integer { text, .. } | Value::Float { text } => text.clone(),
            Value::Flag(flag) => flag.to_string(),
            _ => String::new(),
        };
        let quoted = Value::Text(text.clone());
        let fits = takes(shape, &quoted) && fits::scalar(narrowed(shape, &quoted), &quoted).is_ok();
        let help = if fits && !text.is_empty() {
            format!("text stands in quotes: \"{text}\"")
        } else {
            format!("for example: {}", about.example)
        };
        self.wrong(path, node, Mistake::new(message).help(help));
    }

    fn wrong(&mut self, path: &Path<'_>, node: &mut Node, mistake: Mistake) {
        let message = format!("`{}`: {}", within(path), mistake.message);
        self.report.error(node.at, path, Mistake { message, ..mistake });
        node.value = Value::Wrong;
    }

    /// Why `key` is none of `table`'s, and where it may belong.
    fn unknown(&self, table: &dyn Table, key: &str, node: &Node) -> Mistake {
        let sort = if node.map().is_some_and(|map| map.entries.values().any(|e| e.node.map().is_some())) {
            "table"
        } else {
            "key"
        };
        let mistake = Mistake::new(format!("{} has no {sort} `{key}`", table.what()));
        if self.report.is_full() {
            return mistake;
        }
        if let Some(refused) = table.refused().iter().find(|refused| refused.name == key) {
            return mistake.help(refused.instead);
        }
        let abouts = table.abouts();
        for about in &abouts {
            if let Shape::Table(inner) = about.shape
                && inner.abouts().iter().any(|inner| inner.name == key)
            {
                return mistake.help(format!("`{key}` belongs in `{}`: {}", about.name, about.example));
            }
        }
        if let Some(near) = nearest(key, abouts.iter().map(|about| about.name)) {
            return mistake.help(format!("did you mean `{near}`?"));
        }
        let outer = self.above.iter().rev().skip(1);
        if let Some(outer) =
            outer.into_iter().find(|outer| outer.abouts().iter().any(|about| about.name == key))
        {
            let why = "keys of a table stand above its own tables";
            return mistake.help(format!("`{key}` is a key of {}: {why}", outer.what()));
        }
        let known: Vec<&str> = abouts.iter().map(|about| about.name).collect();
        mistake.help(format!("it has {}", known.join(", ")))
    }

    fn subject(&self, path: &Path<'_>, table: &dyn Table) -> String {
        match path.container() {
            Some(name) if path.0.len() == 2 => format!("container `{name}`"),
            _ => table.what().to_string(),
        }
    }
}

/// The path without what its container's or host's table is called.
fn within(path: &Path<'_>) -> String {
    let skip = match path.0.as_slice() {
        [Step::Key("host"), _, ..] => 1,
        [Step::Key("container" | "volume"), _, _, ..] => 2,
        _ => 0,
    };
    Path(path.0.iter().skip(skip).copied().collect()).to_string()
}

/// The one of several shapes that is meant by a value of this TOML type.
fn narrowed(shape: &'static Shape, value: &Value) -> &'static Shape {
    match shape {
        Shape::Any(shapes) => {
            shapes.iter().find(|shape| takes(shape, value)).map_or(shape, |shape| narrowed(shape, value))
        }
        Shape::OneOrMore(one) if !matches!(value, Value::List(_)) => narrowed(one, value),
        _ => shape,
    }
}

/// Whether `shape` takes values of this TOML type at all.
fn takes(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Flag => matches!(value, Value::Flag(_)),
        // A size or a time without a unit is a mistake of its own.
        Shape::Size { .. } | Shape::Time { .. } => matches!(value, Value::Text(_) | Value::Integer { .. }),
        Shape::Integer { .. } => matches!(value, Value::Integer { .. }),
        Shape::Number { .. } => matches!(value, Value::Integer { .. } | Value::Float { .. }),
        Shape::Text(_) | Shape::Word { .. } => matches!(value, Value::Text(_)),
        Shape::List(_) => matches!(value, Value::List(_)),
        Shape::Map { .. } | Shape::Dotted { .. } | Shape::Table(_) => matches!(value, Value::Table(_)),
        Shape::OneOrMore(one) => matches!(value, Value::List(_)) || takes(one, value),
        Shape::Any(shapes) => shapes.iter().any(|shape| takes(shape, value)),
    }
}
