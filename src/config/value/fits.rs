//! Whether a value that is no table and no list fits its shape, and how shapes and values are called.

use super::super::diagnostic::Mistake;
use super::super::nearest::nearest;
use super::super::shape::{Shape, Text, Word};
use super::super::tree::Value;
use super::{size, time};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Whether `value`, whose TOML type `shape` takes, is right.
pub(crate) fn scalar(shape: &Shape, value: &Value) -> Result<(), Mistake> {
    match (shape, value) {
        (Shape::Integer { min, max }, Value::Integer { text, value }) => match value {
            Some(value) if (min..=max).contains(&value) => Ok(()),
            _ => Err(out_of_range(text, *min, *max)),
        },
        (Shape::Number { min, max }, Value::Integer { text, .. } | Value::Float { text }) => {
            if text.parse().is_ok_and(|value: f64| (*min..=*max).contains(&value)) {
                Ok(())
            } else {
                Err(out_of_range(text, *min, *max))
            }
        }
        (Shape::Size { .. }, Value::Integer { text, .. }) => {
            let help = format!("write \"{text}M\" for megabytes, \"{text}B\" for bytes");
            Err(Mistake::new(format!("{text} needs a unit")).help(help))
        }
        (Shape::Time { .. }, Value::Integer { text, .. }) => {
            let help = format!("write \"{text}s\" for seconds, \"{text}ms\" for milliseconds");
            Err(Mistake::new(format!("{text} needs a unit")).help(help))
        }
        (Shape::Size { min, max }, Value::Text(text)) => {
            in_range(text, size::parse(text)?, *min, *max, size::show)
        }
        (Shape::Time { min, max }, Value::Text(text)) => {
            in_range(text, time::parse(text)?, *min, *max, time::show)
        }
        (Shape::Text(kind), Value::Text(text)) => self::text(kind, text),
        (Shape::Word { words, refused }, Value::Text(text)) => {
            if words.iter().any(|word| word.word == text) {
                return Ok(());
            }
            let mistake = Mistake::new(format!("\"{text}\" is not {}", one_of(words)));
            if let Some(refused) = refused.iter().find(|refused| refused.name == text) {
                return Err(mistake.help(refused.instead));
            }
            Err(match nearest(text, words.iter().map(|word| word.word)) {
                Some(near) => mistake.help(format!("did you mean \"{near}\"?")),
                None => mistake,
            })
        }
        _ => Ok(()),
    }
}

/// Whether `text` is of this kind. No text of ours may hold a NUL: none would arrive whole in the kernel.
pub(crate) fn text(kind: &Text, text: &str) -> Result<(), Mistake> {
    if text.contains('\0') {
        return Err(Mistake::new("the text holds a NUL character, and the kernel's texts end there"));
    }
    (kind.check)(text)
}

fn in_range<T: PartialOrd + Copy>(
    text: &str,
    value: T,
    min: T,
    max: T,
    show: fn(T) -> String,
) -> Result<(), Mistake> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{text}\" is not from {} to {}", show(min), show(max))))
}

fn out_of_range(text: &str, min: impl ToString, max: impl ToString) -> Mistake {
    Mistake::new(format!("{text} is not from {} to {}", min.to_string(), max.to_string()))
}

/// The shape in words: "a size with its unit".
pub(crate) fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "true or false".to_string(),
        Shape::Integer { max: i64::MAX, min: i64::MIN } => "a whole number".to_string(),
        Shape::Integer { max: i64::MAX, min } => format!("a whole number from {min}"),
        Shape::Number { max: f64::MAX, .. } => "a number".to_string(),
        Shape::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Shape::Number { min, max } => format!("a number from {min} to {max}"),
        Shape::Size { .. } => "a size with its unit".to_string(),
        Shape::Time { .. } => "a time with its unit".to_string(),
        Shape::Text(kind) => kind.what.to_string(),
        Shape::Word { words, .. } => one_of(words),
        Shape::OneOrMore(one) => format!("{}, or a list of them", describe(one)),
        Shape::List(each) => format!("a list, each item {}", describe(each)),
        Shape::Map { .. } | Shape::Dotted { .. } | Shape::Table(_) => "a table".to_string(),
        Shape::Any(shapes) => shapes.iter().map(describe).collect::<Vec<_>>().join(", or "),
    }
}

fn one_of(words: &[Word]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.word)).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
        [] => String::new(),
    }
}

/// The value's TOML type in words.
pub(crate) fn found(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a string",
        Value::Integer { .. } => "an integer",
        Value::Float { .. } => "a number",
        Value::Flag(_) => "a boolean",
        Value::Moment => "a date or time",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
        Value::Wrong => "nothing",
    }
}
