//! What is on the disk: a file `version`, and directories beside it.
//!
//! ```text
//! /var/lib/orlop/version    number of the form of all this
//! /var/lib/orlop/logs/      logs of this boot and of those before
//! /var/lib/orlop/state/     small files of the machine (`mirror`)
//! ```

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::keep::STORE_VERSION;

use super::segments::make;
use crate::linux::{Errno, data_file, directory};

const VERSION: &str = "version";

/// A disk of ours, or one that nobody has used yet.
///
/// # Errors
/// In words: it is a later release's, or it cannot be read.
pub(super) fn check_version(root: BorrowedFd<'_>) -> Result<(), String> {
    let text = match directory::read(root, VERSION, 64) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(format!("{VERSION}: {}", errno.desc())),
    };
    match text.trim().parse::<u32>() {
        Ok(version) if version <= STORE_VERSION => Ok(()),
        Ok(version) => Err(format!(
            "what is on it has the form {version}, of a later release; this one knows {STORE_VERSION}, and leaves it alone"
        )),
        Err(_) => Err(format!("its file {VERSION} is no number, so that it is left alone")),
    }
}

/// Its directories.
pub(super) struct Store {
    pub(super) logs: OwnedFd,
}

/// Makes what is missing.
///
/// # Errors
/// In words.
pub(super) fn begin(root: &OwnedFd) -> Result<Store, String> {
    check_version(root.as_fd())?;
    if !directory::has(root.as_fd(), VERSION) {
        data_file::put(root.as_fd(), VERSION, format!("{STORE_VERSION}\n").as_bytes())
            .map_err(|errno| format!("{VERSION}: {}", errno.desc()))?;
    }
    let make = |name: &str| make(root.as_fd(), name).map_err(|errno| format!("{name}: {}", errno.desc()));
    make("state")?;
    let logs = make("logs")?;
    data_file::sync_names(root.as_fd()).map_err(|errno| errno.desc().to_owned())?;
    Ok(Store { logs })
}
