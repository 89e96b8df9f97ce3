//! SVG as text, element by element.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

/// All lengths are pixels, to a hundredth.
#[derive(Debug)]
pub(super) struct Svg {
    body: String,
}

/// Where a text stands at its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How wide a letter is at most, at the size that is used: for what must fit.
pub(super) const LETTER: f64 = 7.3;

const STYLE: &str = "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#222}\
.faint{fill:#777}.line{stroke:#ddd}.box{stroke:#555}.edge{fill:none;stroke:#666}\
.back{fill:none;stroke:#d64550;stroke-dasharray:4 3}.mark{stroke:#d64550}\
.on{fill:#555;paint-order:stroke;stroke:#fff;stroke-width:4px}";

impl Svg {
    pub(super) fn new() -> Self {
        Self { body: String::new() }
    }

    pub(super) fn rect(
        &mut self,
        (x, y, width, height): (f64, f64, f64, f64),
        fill: &str,
        class: &str,
        title: &str,
    ) {
        let _ = write!(
            self.body,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\""
        );
        self.class(class);
        self.titled("rect", title);
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str, title: &str) {
        let _ = write!(self.body, "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\"");
        self.class(class);
        self.titled("line", title);
    }

    /// `path` is made of our own numbers.
    pub(super) fn arrow(&mut self, path: &str, class: &str, title: &str) {
        let _ = write!(self.body, "<path d=\"{path}\" marker-end=\"url(#tip)\"");
        self.class(class);
        self.titled("path", title);
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(self.body, "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\"");
        self.class(class);
        let _ = writeln!(self.body, ">{}</text>", escaped(text));
    }

    fn class(&mut self, class: &str) {
        if !class.is_empty() {
            let _ = write!(self.body, " class=\"{class}\"");
        }
    }

    fn titled(&mut self, element: &str, title: &str) {
        let _ = match title {
            "" => writeln!(self.body, "/>"),
            title => writeln!(self.body, "><title>{}</title></{element}>", escaped(title)),
        };
    }

    /// The whole file. It says its size, and shrinks with the window that it is shown in.
    pub(super) fn finish(self, width: f64, height: f64, title: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#666\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            escaped(title),
            self.body
        )
    }
}

/// As it stands in text and in attributes; what XML cannot hold is replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ if letter.is_control() => safe.push('\u{fffd}'),
            _ => safe.push(letter),
        }
    }
    safe
}

/// As many letters as fit, the last an ellipsis if some did not.
pub(super) fn fitting(text: &str, width: f64) -> String {
    let room = letters(width);
    if text.chars().count() <= room {
        return String::from(text);
    }
    let kept = text.chars().take(room.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// How many letters fit.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width is small and positive")]
fn letters(width: f64) -> usize {
    (width / LETTER).max(1.0) as usize
}

/// How wide a text is.
#[allow(clippy::cast_precision_loss, reason = "a text has few letters")]
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_an_element() {
        let hostile = "</title><script>alert('1')</script>&\"\u{0}\u{1b}\u{ffff}é";
        let expected = "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\u{fffd}\u{fffd}\u{fffd}é";
        assert_eq!(escaped(hostile), expected);
        let mut svg = Svg::new();
        svg.text((1.0, 2.0), Anchor::Start, "", hostile);
        svg.rect((0.0, 0.0, 1.0, 1.0), "#fff", "", hostile);
        assert!(!svg.finish(10.0, 10.0, hostile).contains("<script"));
    }

    #[test]
    fn a_text_is_cut_where_it_does_not_fit() {
        assert_eq!(fitting("abcdef", 6.0 * LETTER + 1.0), "abcdef");
        assert_eq!(fitting("abcdef", 4.0 * LETTER + 1.0), "abc…");
        assert_eq!(fitting("abcdef", 0.0), "…");
    }
}
