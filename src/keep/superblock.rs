//! Superblocks of ext2, ext3 and ext4: what a file system is called.
//!
//! By the kernel's fs/ext4/ext4.h, `struct ext4_super_block`.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::string::String;

use crate::config::DiskName;

/// Where it begins on a device.
const AT: usize = 1024;
/// So much of a device's beginning is enough.
pub const SUPERBLOCK_END: usize = 2048;

const MAGIC_AT: usize = 56;
const MAGIC: [u8; 2] = [0x53, 0xef];
const UUID_AT: usize = 104;
const LABEL_AT: usize = 120;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// As people write it, in small letters.
    pub uuid: String,
    /// Up to its first zero; what is no UTF-8 is replaced.
    pub label: String,
}

impl Superblock {
    /// Of what a device begins with. `None`: there is no such file system.
    #[must_use]
    pub fn parse(device: &[u8]) -> Option<Self> {
        let block = device.get(AT..)?;
        let field = |at: usize, len: usize| block.get(at..)?.get(..len);
        if field(MAGIC_AT, MAGIC.len())? != MAGIC {
            return None;
        }
        let label = field(LABEL_AT, 16)?.split(|byte| *byte == 0).next().unwrap_or_default();
        let uuid = u128::from_be_bytes(field(UUID_AT, 16)?.try_into().ok()?);
        let part = |shift: u32, mask: u128| uuid.checked_shr(shift).unwrap_or(0) & mask;
        Some(Self {
            uuid: format!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                part(96, 0xffff_ffff),
                part(80, 0xffff),
                part(64, 0xffff),
                part(48, 0xffff),
                part(0, 0xffff_ffff_ffff)
            ),
            label: String::from_utf8_lossy(label).into_owned(),
        })
    }

    /// Whether this is the one that is meant; by its path none is.
    #[must_use]
    pub fn is(&self, name: &DiskName) -> bool {
        match name {
            DiskName::Path(_) => false,
            DiskName::Label(label) => *label == self.label,
            DiskName::Uuid(uuid) => *uuid == self.uuid,
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "in tests")]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30";

    fn device(label: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; SUPERBLOCK_END];
        let mut put = |at: usize, what: &[u8]| bytes[AT + at..AT + at + what.len()].copy_from_slice(what);
        put(MAGIC_AT, &MAGIC);
        let digits: String = UUID.chars().filter(|it| *it != '-').collect();
        put(UUID_AT, &u128::from_str_radix(&digits, 16).unwrap().to_be_bytes());
        put(LABEL_AT, label);
        bytes
    }

    #[test]
    fn a_superblock_has_a_uuid_and_a_label() {
        for (label, expected) in [
            (&b"orlop\0\0rest"[..], "orlop"),
            (b"sixteen letters!", "sixteen letters!"),
            (b"", ""),
            (b"\xffx", "\u{fffd}x"),
        ] {
            let found = Superblock::parse(&device(label)).unwrap();
            assert_eq!((found.uuid.as_str(), found.label.as_str()), (UUID, expected));
            assert!(found.is(&DiskName::Uuid(UUID.to_string())));
            assert!(found.is(&DiskName::Label(expected.to_string())));
            assert!(!found.is(&DiskName::Label("other".to_string())));
            assert!(!found.is(&DiskName::Path("/dev/vda".to_string())));
        }
    }

    #[test]
    fn what_is_foreign_or_short_has_none() {
        assert_eq!(Superblock::parse(&vec![0; SUPERBLOCK_END]), None);
        let mut other = device(b"orlop");
        other[AT + MAGIC_AT] = 0x54;
        assert_eq!(Superblock::parse(&other), None);
        for len in 0..AT + LABEL_AT + 16 {
            assert_eq!(Superblock::parse(&device(b"orlop")[..len]), None, "{len}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..=SUPERBLOCK_END)) {
            let mut bytes = bytes;
            let _ = Superblock::parse(&bytes);
            if let Some(magic) = bytes.get_mut(AT + MAGIC_AT..AT + MAGIC_AT + 2) {
                magic.copy_from_slice(&MAGIC);
                let _ = Superblock::parse(&bytes);
            }
        }
    }
}
