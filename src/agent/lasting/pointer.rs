//! The configuration that the next boot is to have, as it stands in /run and on the disk.
//!
//! It is written when somebody has put one in force and confirmed it, if it was to be confirmed, and not by a boot: one
//! that could not read the disk, or did not believe it, leaves what is there.

use orlop::config::{Lasting, OnDisk};
use orlop::control::{ConfigFile, MAX_CONFIGURATION};
use orlop::image::Digest;
use serde::{Deserialize, Serialize};

use crate::agent::configuration::{Kept, Origin, sources};
use crate::agent::records;
use crate::agent::reload::versions;
use crate::linux::{Errno, fs};

pub const PATH: &str = "/run/orlop/in-force.json";
/// A configuration of the largest size, each character escaped.
pub const MOST_BYTES: usize = 12 << 20;

/// Fields are only added: an earlier release may have to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// The digest of the configuration that the machine was built with.
    pub made_from: String,
    pub number: u64,
    /// None: the built-in one.
    #[serde(default)]
    pub files: Option<Vec<ConfigFile>>,
    #[serde(default)]
    pub origin: Origin,
    #[serde(default)]
    pub is_doubted: bool,
}

impl Pointer {
    /// # Errors
    /// It has more than one that somebody sends may have: a disk may have anything.
    pub fn is_bounded(&self) -> Result<(), String> {
        /// Far more than are told of one.
        const CHANGES: usize = 4096;
        let files = self.files.as_deref().unwrap_or_default();
        let size: usize = files.iter().map(|file| file.text.len().saturating_add(file.path.len())).sum();
        if size as u64 > MAX_CONFIGURATION {
            return Err(format!("the configuration has {size} bytes; at most {MAX_CONFIGURATION} are read"));
        }
        if self.number >= versions::HIGHEST || self.origin.changes.len() > CHANGES {
            return Err("it makes no sense".to_owned());
        }
        Ok(())
    }

    fn lasting(&self) -> Lasting {
        let Self { made_from, files, is_doubted, .. } = self.clone();
        Lasting { made_from, files: files.as_deref().map(sources), is_doubted }
    }

    /// # Errors
    /// ENOSPC; the old one is still there.
    pub fn write(&self) -> crate::linux::Result<()> {
        records::write_file(PATH, &serde_json::to_string(self).unwrap_or_default())
    }
}

/// # Errors
/// Why nobody is to have it.
pub fn parse(bytes: &[u8]) -> Result<Pointer, String> {
    let pointer: Pointer = serde_json::from_slice(bytes).map_err(|_| "it makes no sense".to_owned())?;
    pointer.is_bounded().map(|()| pointer)
}

/// As it stands in /run; `None`: there is none.
///
/// # Errors
/// It cannot be read, and why: it may say anything then.
pub fn read() -> Result<Option<Pointer>, String> {
    read_at(PATH)
}

fn read_at(path: &str) -> Result<Option<Pointer>, String> {
    match fs::read_whole(path, MOST_BYTES) {
        Ok(bytes) => parse(&bytes).map(Some).map_err(|why| format!("{path}: {why}")),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(format!("{path}: {}", errno.desc())),
    }
}

/// What a boot has of it, once the disk has been read.
pub fn on_disk(read: &Result<Option<Pointer>, String>) -> OnDisk {
    match read {
        Ok(Some(pointer)) => OnDisk::Is(pointer.lasting()),
        Ok(None) => OnDisk::Nothing,
        Err(why) => OnDisk::Unread(why.clone()),
    }
}

/// Whether a supervisor died between having something in force and saying so to the next boot. What a boot has chosen by
/// itself is not for the next one, and what cannot be read is not written over unasked.
pub fn is_owed(current: &Kept, read: &Result<Option<Pointer>, String>) -> bool {
    let is_another = |read: &Option<Pointer>| read.as_ref().is_none_or(|it| it.number != current.number);
    current.origin.by != "boot" && read.as_ref().is_ok_and(is_another)
}

/// Of a configuration's bytes: names and texts of its files, in their order.
pub fn digest(files: &[ConfigFile]) -> String {
    let mut bytes = Vec::new();
    for text in files.iter().flat_map(|file| [&file.path, &file.text]) {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    format!("sha256:{}", Digest::of(&bytes).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_every_byte_and_of_where_it_stands() {
        let file = |path: &str, text: &str| ConfigFile { path: path.into(), text: text.into() };
        let first = digest(&[file("a.toml", "x = 1"), file("b.toml", "")]);
        for other in [
            vec![file("a.toml", "x = 1")],
            vec![file("a.toml", "x = 1 "), file("b.toml", "")],
            vec![file("a.toml", ""), file("b.toml", "x = 1")],
            vec![file("a.toml", "x = 1b.toml"), file("", "")],
        ] {
            assert_ne!(digest(&other), first, "{other:?}");
        }
        assert_eq!(digest(&[file("a.toml", "x = 1"), file("b.toml", "")]), first);
    }

    #[test]
    fn fields_that_come_later_may_be_missing() {
        let old = parse(br#"{ "made_from": "sha256:x", "number": 3, "new": true }"#).unwrap();
        assert_eq!((old.number, &old.files, old.is_doubted), (3, &None, false));
        assert_eq!(parse(b"{}"), Err("it makes no sense".to_owned()));
    }

    fn pointer(number: u64, text: &str) -> Pointer {
        let files = Some(vec![ConfigFile { path: "a.toml".into(), text: text.into() }]);
        Pointer { made_from: "x".into(), number, files, origin: Origin::default(), is_doubted: false }
    }

    #[test]
    fn one_that_is_larger_than_any_that_is_sent_is_not_even_parsed_as_toml() {
        let said = |pointer: &Pointer| parse(&serde_json::to_vec(pointer).unwrap()).map(drop);
        let room = MAX_CONFIGURATION as usize - "a.toml".len();
        assert_eq!(said(&pointer(1, &" ".repeat(room))), Ok(()));
        let why = said(&pointer(1, &" ".repeat(room + 1))).unwrap_err();
        assert_eq!(why, "the configuration has 1048577 bytes; at most 1048576 are read");
        assert!(said(&pointer(versions::HIGHEST, "")).is_err());
        let changes = vec![String::new(); 5000];
        assert!(
            said(&Pointer { origin: Origin { changes, ..Origin::default() }, ..pointer(1, "") }).is_err()
        );
    }

    #[test]
    fn only_where_there_is_none_the_disk_has_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in-force.json");
        let read = || read_at(path.to_str().unwrap());
        let found = || on_disk(&read());
        assert_eq!(found(), OnDisk::Nothing);
        std::fs::write(&path, serde_json::to_vec(&pointer(1, "")).unwrap()).unwrap();
        assert!(matches!(found(), OnDisk::Is(_)));
        std::fs::write(&path, "half of i").unwrap();
        assert!(matches!(found(), OnDisk::Unread(why) if why.ends_with("in-force.json: it makes no sense")));
        std::fs::write(&path, vec![b' '; MOST_BYTES + 1]).unwrap();
        assert!(matches!(found(), OnDisk::Unread(why) if why.ends_with(": File too large")));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(found(), OnDisk::Unread(_)));
    }

    #[test]
    fn what_a_person_put_in_force_is_owed_to_the_disk_until_it_is_told() {
        let current = |by: &str| Kept {
            number: 3,
            origin: Origin { by: by.into(), ..Origin::default() },
            ..Kept::default()
        };
        let check = |by: &str, read, expected| assert_eq!(is_owed(&current(by), &read), expected, "{by}");
        check("reload", Ok(None), true);
        check("reload", Ok(Some(pointer(2, ""))), true);
        check("reload", Ok(Some(pointer(3, ""))), false);
        check("reload", Err("unreadable".into()), false);
        check("boot", Ok(Some(pointer(2, ""))), false);
        check("boot", Ok(None), false);
    }
}
