//! Text → [`Config`], with an error that points at the line.

mod model;

pub use model::*;
