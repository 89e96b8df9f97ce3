//! How far each ring is on the disk, in a memory of fixed size that PID 1 keeps: whoever is killed is followed by one
//! who goes on from there.

use std::os::fd::OwnedFd;

use crate::linux::{Result, memfd};

/// The logs of as many containers as a machine may have.
const RECORDS: u64 = 4200;
/// Bytes of a record. Pages are a multiple, so that a kill cuts none: the kernel looks for it between pages only.
const RECORD: u64 = 128;

/// A new memory of places. It takes pages as rings are written.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory() -> Result<OwnedFd> {
    memfd::create_of_size(c"orlop-keep", RECORDS * RECORD)
}
