//! The key tables as a page for people.

use super::keys;
use super::shape::{About, Presence, Shape, Table};
use super::value::{fits, size, time};
use alloc::format;
use alloc::string::{String, ToString};

/// Every table and key, in Markdown: a heading a table, an item a key.
pub fn reference() -> String {
    let mut out = String::new();
    for about in keys::ROOT.abouts() {
        section(&mut out, about.name, about.doc, &about.shape);
    }
    out
}

/// The tables within `shape`, each under its name.
fn section(out: &mut String, name: &str, doc: &str, shape: &Shape) {
    match shape {
        Shape::Table(inner) => table(out, name, doc, *inner),
        Shape::Map { value, .. } => section(out, &format!("{name}.NAME"), doc, value),
        Shape::List(each) | Shape::OneOrMore(each) => section(out, &format!("{name}[]"), doc, each),
        Shape::Any(shapes) => shapes.iter().for_each(|shape| section(out, name, doc, shape)),
        _ => {}
    }
}

fn table(out: &mut String, name: &str, doc: &str, table: &dyn Table) {
    out.push_str(&format!("### `{name}`\n\n{doc}\n\n"));
    for about in table.abouts() {
        item(out, about);
    }
    out.push('\n');
    for about in table.abouts() {
        section(out, &format!("{name}.{}", about.name), about.doc, &about.shape);
    }
}

fn item(out: &mut String, about: &About) {
    let presence = match about.presence {
        Presence::Required => ", required".to_string(),
        Presence::Optional => String::new(),
        Presence::Default(default) => format!(", default `{default}`"),
    };
    let takes = takes(&about.shape);
    out.push_str(&format!(
        "- **`{}`** ({takes}{presence}): {}\\\n  `{}`\n",
        about.name, about.doc, about.example
    ));
    words(out, &about.shape);
}

fn takes(shape: &Shape) -> String {
    match shape {
        Shape::Size { min, max } => format!("a size from {} to {}", size::show(*min), size::show(*max)),
        Shape::Time { min, max } => format!("a time from {} to {}", time::show(*min), time::show(*max)),
        Shape::Any(shapes) => {
            let each: alloc::vec::Vec<String> = shapes.iter().map(takes).collect();
            each.join(", or ")
        }
        Shape::Word { .. } => "a word".to_string(),
        Shape::Text(text) if text.pattern.is_empty() && text.what.starts_with("a string") => {
            "a string".to_string()
        }
        other => fits::describe(other),
    }
}

fn words(out: &mut String, shape: &Shape) {
    if let Shape::Word { words, .. } = shape {
        for word in *words {
            out.push_str(&format!("  - `\"{}\"`: {}\n", word.word, word.doc));
        }
    }
}
