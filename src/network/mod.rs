//! Wanted, found → changes.
