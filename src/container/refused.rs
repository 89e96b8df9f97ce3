//! What a specification asks for and cannot have.

use alloc::string::String;
use core::fmt;

/// A field, and why what it says cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As the specification has it, from the top: `linux.resources.cpu.quota`.
    pub field: String,
    pub why: String,
}

impl Refused {
    pub(super) fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}
