//! A graph of what depends on what: as SVG, and as DOT for Graphviz.
//!
//! From left to right as it starts: an arrow leads from a dependent, on the right, to what it depends on.

use crate::ordered::Ordered;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::colour;
use super::layers::{At, Layers, Place, layers};
use super::svg::{Anchor, Svg, fitting, width};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    pub title: String,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub name: String,
    /// Its state, if there is one: decides the colour.
    pub word: String,
    /// Shown where one points at it.
    pub title: String,
}

/// `from` depends on `to`. A name that is no node gets none: nothing is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub label: String,
}

const HEIGHT: f64 = 30.0;
const ROW: f64 = 46.0;
const MARGIN: f64 = 20.0;
const TOP: f64 = 44.0;
const GAP: f64 = 70.0;
const WIDEST: f64 = 220.0;

impl Graph {
    pub fn dot(&self) -> String {
        let mut text = String::from(
            "digraph orlop {\n  rankdir=RL;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white];\n",
        );
        for node in &self.nodes {
            let fill = match node.word.as_str() {
                "" => String::new(),
                word => format!(", fillcolor=\"{}\"", colour::of(word)),
            };
            let _ = writeln!(text, "  {} [tooltip={}{fill}];", quoted(&node.name), quoted(&node.title));
        }
        for edge in &self.edges {
            let (from, to) = (quoted(&edge.from), quoted(&edge.to));
            let _ = writeln!(text, "  {from} -> {to} [label={}];", quoted(&edge.label));
        }
        text + "}\n"
    }

    pub fn svg(&self) -> String {
        let numbers: BTreeMap<&str, usize> =
            self.nodes.iter().enumerate().map(|(number, node)| (node.name.as_str(), number)).ordered();
        let number = |name: &str| numbers.get(name).copied();
        let known = |edge: &&Edge| number(&edge.from).is_some() && number(&edge.to).is_some();
        let edges: Vec<&Edge> = self.edges.iter().filter(known).collect();
        let ends = edges.iter().filter_map(|edge| Some((number(&edge.from)?, number(&edge.to)?)));
        let ends: Vec<(usize, usize)> = ends.collect();
        let layers = layers(self.nodes.len(), &ends);
        let sheet = self.sheet(&layers);
        let mut svg = Svg::new();
        svg.text((MARGIN, 24.0), Anchor::Start, "", &self.title);
        for (nth, edge) in edges.iter().enumerate() {
            let backwards = layers.backwards.get(nth) == Some(&true);
            let way = layers.ways.get(nth).map_or(&[][..], Vec::as_slice);
            sheet.edge(&mut svg, way, edge, backwards);
        }
        for (column, places) in layers.columns.iter().enumerate() {
            for (row, place) in places.iter().enumerate() {
                if let Place::Node(number) = place
                    && let Some(node) = self.nodes.get(*number)
                {
                    sheet.node(&mut svg, At { column, row }, node);
                }
            }
        }
        let widest = width(&self.title) + 2.0 * MARGIN;
        svg.finish(sheet.width().max(widest), sheet.height + TOP + MARGIN, &self.title)
    }

    /// How wide each column is, and where it begins.
    fn sheet(&self, layers: &Layers) -> Sheet {
        let labels = self.edges.iter().map(|edge| width(&edge.label));
        let gap = GAP + labels.fold(0.0, f64::max).min(WIDEST);
        let mut x = MARGIN;
        let mut columns = Vec::new();
        for places in &layers.columns {
            let names = places.iter().filter_map(|place| match place {
                Place::Node(number) => self.nodes.get(*number).map(|node| width(&node.name)),
                Place::Passing(_) => None,
            });
            let wide = names.fold(40.0, f64::max).min(WIDEST) + 20.0;
            columns.push(Column { x, wide, rows: count(places.len()) });
            x += wide + gap;
        }
        let most = columns.iter().map(|column| column.rows).fold(0.0, f64::max);
        Sheet { columns, gap, height: most * ROW }
    }
}

struct Sheet {
    columns: Vec<Column>,
    gap: f64,
    height: f64,
}

#[derive(Clone, Copy)]
struct Column {
    x: f64,
    wide: f64,
    rows: f64,
}

impl Sheet {
    fn width(&self) -> f64 {
        self.columns.last().map_or(0.0, |last| last.x + last.wide) + MARGIN
    }

    fn column(&self, at: At) -> Column {
        self.columns.get(at.column).copied().unwrap_or(Column { x: 0.0, wide: 0.0, rows: 0.0 })
    }

    /// The middle of a row; each column stands in the middle of the sheet.
    fn y(&self, at: At) -> f64 {
        let above = (self.height - self.column(at).rows * ROW) / 2.0;
        TOP + above + count(at.row) * ROW + ROW / 2.0
    }

    fn node(&self, svg: &mut Svg, at: At, node: &Node) {
        let Column { x, wide, .. } = self.column(at);
        let y = self.y(at);
        let fill = if node.word.is_empty() { "#fff" } else { colour::of(&node.word) };
        let title = if node.title.is_empty() { &node.name } else { &node.title };
        svg.rect((x, y - HEIGHT / 2.0, wide, HEIGHT), fill, "box", title);
        let name = fitting(&node.name, WIDEST);
        svg.text((x + wide / 2.0, y + 4.0), Anchor::Middle, "", &name);
    }

    /// From the left side of the dependent through all passing places to the right side of the other.
    fn edge(&self, svg: &mut Svg, way: &[At], edge: &Edge, backwards: bool) {
        let (Some(first), Some(last)) = (way.first(), way.last()) else { return };
        let (mut x, mut y) = (self.column(*first).x, self.y(*first));
        let mut label = None;
        let mut path = format!("M{x:.2} {y:.2}");
        if backwards {
            // Over the top of both: there is no column between them to go through.
            let (to_x, to_y) = (self.column(*last).x, self.y(*last));
            let over = y.min(to_y) - ROW * 0.8;
            label = Some(((x + to_x) / 2.0, over + 4.0));
            let _ =
                write!(path, "C{:.2} {over:.2} {:.2} {over:.2} {to_x:.2} {to_y:.2}", x - 40.0, to_x - 40.0);
        } else {
            for at in way.iter().skip(1) {
                let Column { x: begin, wide, .. } = self.column(*at);
                let (to_x, to_y) = (begin + wide, self.y(*at));
                let bend = (x - to_x) / 2.0;
                // In the middle of its first part: there edges of one node are apart already.
                label = label.or(Some((x - bend, (y + to_y) / 2.0 + 4.0)));
                let _ =
                    write!(path, "C{:.2} {y:.2} {:.2} {to_y:.2} {to_x:.2} {to_y:.2}", x - bend, to_x + bend);
                if at != last {
                    let _ = write!(path, "L{begin:.2} {to_y:.2}");
                }
                (x, y) = (begin, to_y);
            }
        }
        let title = format!("{} depends on {}: {}", edge.from, edge.to, edge.label);
        svg.arrow(&path, if backwards { "back" } else { "edge" }, &title);
        if let Some(place) = label {
            svg.text(place, Anchor::Middle, "on", &fitting(&edge.label, self.gap - 20.0));
        }
    }
}

/// As DOT has strings.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            _ if letter.is_control() => quoted.push('\u{fffd}'),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[allow(clippy::cast_precision_loss, reason = "rows are few")]
fn count(rows: usize) -> f64 {
    rows as f64
}
