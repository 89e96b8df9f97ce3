//! How a disk is named: `/dev/vda2`, `LABEL=orlop`, `UUID=0f1e…`; and the types of file systems.

use super::super::diagnostic::Mistake;
use super::super::machine::DiskName;
use super::path;
use alloc::format;
use alloc::string::ToString;
use core::fmt;

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = "^(/dev/.|LABEL=.{1,16}$|UUID=[0-9A-Fa-f-]{36}$)";

/// What a superblock of ext4 has room for.
const LONGEST_LABEL: usize = 16;
/// No file system of the kernel has a longer name.
const LONGEST_KIND: usize = 16;

pub(crate) fn name(text: &str) -> Result<DiskName, Mistake> {
    if let Some(label) = text.strip_prefix("LABEL=") {
        let fits = (1..=LONGEST_LABEL).contains(&label.len()) && !label.contains(char::is_control);
        return match fits {
            true => Ok(DiskName::Label(label.to_string())),
            false => Err(Mistake::new(format!("\"{label}\" is no label of a file system"))
                .help(format!("a label has 1 to {LONGEST_LABEL} letters, as `mkfs.ext4 -L` takes them"))),
        };
    }
    if let Some(uuid) = text.strip_prefix("UUID=") {
        return match is_uuid(uuid) {
            true => Ok(DiskName::Uuid(uuid.to_ascii_lowercase())),
            false => Err(Mistake::new(format!("\"{uuid}\" is no UUID"))
                .help("`blkid` shows it, like \"UUID=8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30\"")),
        };
    }
    match path::absolute(text) {
        Ok(path) if path.starts_with("/dev/") => Ok(DiskName::Path(path)),
        Ok(_) | Err(_) => Err(Mistake::new(format!("\"{text}\" is no disk"))
            .help("write \"LABEL=orlop\", \"UUID=…\" or a device like \"/dev/vda\"")),
    }
}

fn is_uuid(text: &str) -> bool {
    let mut lengths = text.split('-').map(str::len);
    [8, 4, 4, 4, 12].into_iter().all(|wanted| lengths.next() == Some(wanted))
        && lengths.next().is_none()
        && text.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit())
}

pub(crate) fn kind(text: &str) -> Result<(), Mistake> {
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    if (1..=LONGEST_KIND).contains(&text.len()) && text.bytes().all(is_name) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{text}\" is no type of file system")).help("like \"ext4\""))
}

/// Whether a file system of this type is found by its label or UUID.
pub(crate) fn has_label(kind: &str) -> bool {
    matches!(kind, "ext2" | "ext3" | "ext4")
}

/// As it is written.
impl fmt::Display for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Label(label) => write!(f, "LABEL={label}"),
            Self::Uuid(uuid) => write!(f, "UUID={uuid}"),
        }
    }
}

/// As it is displayed; `None`: it is none.
impl DiskName {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        name(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_a_path_a_label_or_a_uuid_and_reads_back() {
        let uuid = "8F14E45F-ceea-467f-a8c4-1f2b5d7e9a30";
        for (text, expected) in [
            ("/dev/vda2", DiskName::Path("/dev/vda2".into())),
            ("LABEL=orlop data", DiskName::Label("orlop data".into())),
            (&format!("UUID={uuid}"), DiskName::Uuid(uuid.to_ascii_lowercase())),
        ] {
            assert_eq!(name(text), Ok(expected.clone()), "{text}");
            assert_eq!(DiskName::parse(&expected.to_string()), Some(expected));
        }
        for text in [
            "vda",
            "/data",
            "LABEL=",
            "LABEL=seventeen letters",
            "UUID=8f14e45f",
            "UUID=8f14e45f-ceea-467f-a8c4-1f2b5d7e9a3g",
            "UUID=8f14e45fc-eea-467f-a8c4-1f2b5d7e9a30",
            "PARTUUID=8f14e45f",
        ] {
            assert!(name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_type_is_a_short_word() {
        assert!(["ext4", "f2fs", "vfat"].into_iter().all(|text| kind(text).is_ok()));
        assert!(["", "Ext4", "../ext4", "seventeen_letters"].into_iter().all(|text| kind(text).is_err()));
    }
}
