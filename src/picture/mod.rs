//! Facts → pictures: SVG and DOT as text, nothing else.
//!
//! A picture is drawn from plain names, words and times, so that it does not matter where they come from: a
//! simulation, a machine, a configuration. Whatever is written into one is escaped. No script, no font, no
//! link: a file that any browser shows, also without a network.

mod colour;
mod graph;
mod layers;
mod svg;
mod timeline;

pub use graph::{Edge, Graph, Node};
pub use timeline::{Bar, Mark, Row, Timeline};
