//! Configurations that were in force before the one that is: each a file in `/run`, and nothing of them in memory
//! until somebody asks. A disk has a copy of them, for the next boot.

use std::fs as std_fs;
use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};

use crate::agent::configuration::{Kept, Origin};
use crate::agent::records;
use crate::linux::{Result, fs};

use orlop::control::ConfigFile;

/// Nobody but root: there may be passwords in them.
const FOLDER: &str = "/run/orlop/configurations";
pub const MODE: u32 = 0o700;

/// As far as somebody looks back in one sitting.
pub const MOST: usize = 16;

/// Of the memory that `/run` is: fifty of an ordinary machine, or the last one if it is larger.
pub const MOST_BYTES: u64 = 2 << 20;

/// Numbers of configurations are below this. A disk may have any: with the highest there is, each after it would have the same.
pub const HIGHEST: u64 = 1 << 53;

/// One of the largest size, each character escaped.
pub const LIMIT: usize = 12 << 20;

/// Fields are only added: an earlier release may have to read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    pub number: u64,
    pub files: Vec<ConfigFile>,
    #[serde(default)]
    pub origin: Origin,
}

fn path(number: u64) -> String {
    format!("{FOLDER}/{number}.json")
}

/// Keeps it beside those that are kept; the oldest give way.
///
/// # Errors
/// ENOSPC.
pub fn keep(kept: &Kept) -> Result<()> {
    let Kept { number, files, origin, .. } = kept;
    let version = Version { number: *number, files: files.clone(), origin: origin.clone() };
    fs::make_directory(FOLDER, MODE)?;
    records::write_file(&path(*number), &serde_json::to_string(&version).unwrap_or_default())?;
    for number in too_many(&stored()) {
        // It is tried again with the next one.
        let _ = std_fs::remove_file(path(number));
    }
    Ok(())
}

/// All but `number`, the oldest first.
pub fn but(number: u64) -> Vec<Version> {
    let others = stored().into_iter().filter(|(other, _)| *other != number);
    others.filter_map(|(other, _)| find(other)).collect()
}

/// The last one before `number`.
pub fn before(number: u64) -> Option<Version> {
    let mut earlier = stored().into_iter().rev().filter(|(earlier, _)| *earlier < number);
    earlier.find_map(|(earlier, _)| find(earlier))
}

/// The highest number that one had, in whatever boot.
pub fn highest() -> Option<u64> {
    stored().last().map(|(number, _)| *number)
}

pub fn find(number: u64) -> Option<Version> {
    let fd = fs::open_regular(&path(number)).ok()?;
    let bytes = fs::read_regular(fd.as_fd(), LIMIT).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Numbers and sizes of the files, in the order of their numbers.
fn stored() -> Vec<(u64, u64)> {
    let Ok(entries) = std_fs::read_dir(FOLDER) else { return Vec::new() };
    let number = |entry: &std_fs::DirEntry| {
        let name = entry.file_name();
        name.to_str()?.strip_suffix(".json")?.parse::<u64>().ok()
    };
    let entries = entries.flatten();
    let mut found: Vec<(u64, u64)> =
        entries.filter_map(|entry| Some((number(&entry)?, entry.metadata().ok()?.len()))).collect();
    found.sort_unstable();
    found
}

/// The oldest of `stored`, up to what may stay; the last one always does.
fn too_many(stored: &[(u64, u64)]) -> Vec<u64> {
    let mut bytes: u64 = 0;
    let newest_first = stored.iter().rev().enumerate();
    let mut stays = newest_first.map(|(place, (_, size))| {
        bytes = bytes.saturating_add(*size);
        place == 0 || (place < MOST && bytes <= MOST_BYTES)
    });
    let staying = stays.position(|stays| !stays).unwrap_or(stored.len());
    let gone = stored.len().saturating_sub(staying);
    stored.iter().take(gone).map(|(number, _)| *number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way_to_number_and_to_size() {
        let small: Vec<(u64, u64)> = (0..20).map(|number| (number, 1000)).collect();
        assert_eq!(too_many(&small), [0, 1, 2, 3]);
        assert!(too_many(&small[4..]).is_empty());
        let large = [(3, 1), (4, MOST_BYTES), (5, 1), (6, MOST_BYTES - 1)];
        assert_eq!(too_many(&large), [3, 4]);
        assert_eq!(too_many(&[(7, 1), (9, MOST_BYTES + 1)]), [7], "the last one stays");
        assert!(too_many(&[]).is_empty());
    }
}
