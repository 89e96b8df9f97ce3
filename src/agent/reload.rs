//! Another configuration while the machine runs.
use super::{Agent, records};

impl Agent {
    /// Nothing declares it any more, and nothing is left of it.
    pub fn forget(&mut self, name: &str) {
        records::forget(name);
    }
}
