//! Which extended attributes of a tar entry a layer keeps.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::image::error::show;

type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// XATTR_LIST_MAX of Linux, for names and values together: far above what any file carries, and
/// below what an EROFS inode can hold.
const MAX_TOTAL: usize = 64 << 10;

/// XATTR_NAME_MAX of Linux.
const MAX_NAME: usize = 255;

/// The kept ones, and the names of those that no file system of Linux would take.
pub(super) fn judge(all: Xattrs) -> Result<(Xattrs, Vec<Vec<u8>>), String> {
    let (mut kept, mut dropped) = (Xattrs::new(), Vec::new());
    let mut total = 0_usize;
    for (name, value) in all {
        // An image that could set these would steer the overlay that it lies in.
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            return Err(format!("the xattr `{}`, which belongs to overlay", show(&name)));
        }
        if name.len() > MAX_NAME {
            return Err(format!(
                "an xattr's name of {} bytes, more than the {MAX_NAME} that Linux has",
                name.len()
            ));
        }
        total = total.saturating_add(name.len()).saturating_add(value.len());
        if total > MAX_TOTAL {
            return Err(format!("more than {MAX_TOTAL} bytes of xattrs"));
        }
        if is_known(&name) {
            kept.insert(name, value);
        } else {
            dropped.push(name);
        }
    }
    Ok((kept, dropped))
}

fn is_known(name: &[u8]) -> bool {
    let prefixes: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
    let has_rest = |prefix: &&[u8]| name.strip_prefix(*prefix).is_some_and(|rest| !rest.is_empty());
    prefixes.iter().any(has_rest) || matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default")
}
