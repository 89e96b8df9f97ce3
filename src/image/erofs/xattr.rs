//! Extended attributes, right behind their inode: a header of 12 bytes, then for each one the
//! length of its name, a number for the name's prefix, the length of its value, name and value.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

const HEADER: usize = 12;

/// EROFS_XATTR_INDEX_*. The two ACLs are whole names.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// Bytes behind the inode; none without attributes. A name without a known prefix cannot come:
/// the layer keeps none.
pub(super) fn encode(xattrs: &Xattrs) -> Vec<u8> {
    if xattrs.is_empty() {
        return Vec::new();
    }
    let mut bytes = Vec::from([0; HEADER]);
    for (name, value) in xattrs {
        let split = PREFIXES.iter().find_map(|(prefix, index)| Some((name.strip_prefix(*prefix)?, *index)));
        let Some((rest, index)) = split else { continue };
        let (Ok(name_len), Ok(value_len)) = (u8::try_from(rest.len()), u16::try_from(value.len())) else {
            continue;
        };
        bytes.extend([name_len, index]);
        bytes.extend(value_len.to_le_bytes());
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// i_xattr_icount: the header counts as one, then units of 4 bytes.
pub(super) fn count(len: usize) -> u16 {
    match len.checked_sub(HEADER) {
        Some(rest) => u16::try_from(rest / 4 + 1).unwrap_or(u16::MAX),
        None => 0,
    }
}

/// Bytes behind an inode with this count.
pub(super) fn len(count: u16) -> u64 {
    match count.checked_sub(1) {
        Some(units) => HEADER as u64 + u64::from(units) * 4,
        None => 0,
    }
}

/// What [`encode`] wrote; `None` when it did not write that.
pub(super) fn decode(bytes: &[u8]) -> Option<Xattrs> {
    let mut found = Xattrs::new();
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let [name_len, index, low, high] = *head;
        let (prefix, _) = PREFIXES.iter().find(|(_, number)| *number == index)?;
        let (name, after) = after.split_at_checked(name_len.into())?;
        let value_len = usize::from(u16::from_le_bytes([low, high]));
        found.insert([*prefix, name].concat(), after.get(..value_len)?.to_vec());
        let len = (4 + name.len() + value_len).next_multiple_of(4);
        rest = rest.get(len..).unwrap_or_default();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_prefixes_as_numbers_and_pads_to_four() {
        let xattrs = Xattrs::from([
            (b"user.ab".to_vec(), b"xyz".to_vec()),
            (b"system.posix_acl_access".to_vec(), vec![9]),
        ]);
        let mut expected = vec![0; 12];
        expected.extend([0, 2, 1, 0, 9, 0, 0, 0]);
        expected.extend([2, 1, 3, 0, b'a', b'b', b'x', b'y', b'z', 0, 0, 0]);
        assert_eq!(encode(&xattrs), expected);
        assert_eq!(decode(&expected), Some(xattrs));
        assert_eq!(len(6), expected.len() as u64);
        assert_eq!(count(expected.len()), 6);
        assert_eq!((encode(&Xattrs::new()), count(0)), (vec![], 0));
    }
}
