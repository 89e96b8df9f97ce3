//! Container → OCI spec → ordered steps.
