//! The architecture that is built for: the tool's own, in the words of others.

use std::env::consts::ARCH;

/// Debian's name, and Go's, which OCI images use.
pub(crate) fn debian() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The serial port that firmware and virtual machines give a console on.
pub(crate) fn serial_port() -> &'static str {
    match ARCH {
        "aarch64" => "ttyAMA0",
        _ => "ttyS0",
    }
}
