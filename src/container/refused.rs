//! What cannot be done is refused, and never passed over.

use alloc::string::String;

/// Why a spec cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As a path of the specification's names, like `linux.namespaces[2].type`.
    pub field: String,
    pub why: String,
}

impl Refused {
    pub(super) fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

impl core::error::Error for Refused {}
