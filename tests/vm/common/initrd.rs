//! Adds files to an initramfs: one more cpio archive at its end, whose files come last and win.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Archives begin at multiples of this.
const ALIGNMENT: usize = 4;

pub(crate) fn add(initrd: &Path, path: &str, mode: u32, content: &[u8]) {
    let mut archive = Vec::new();
    let path = path.trim_start_matches('/');
    let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
    for (number, parent) in (1..).zip(parents) {
        entry(&mut archive, number, parent, 0o040_755, &[]);
    }
    entry(&mut archive, 1000, path, 0o100_000 | mode, content);
    entry(&mut archive, 0, "TRAILER!!!", 0, &[]);
    let mut file = std::fs::OpenOptions::new().append(true).open(initrd).unwrap();
    let size = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all(&vec![0; size.next_multiple_of(ALIGNMENT) - size]).unwrap();
    file.write_all(&archive).unwrap();
}

/// cpio's "newc" form, of the kernel's documentation on initramfs.
fn entry(archive: &mut Vec<u8>, inode: usize, name: &str, mode: u32, content: &[u8]) {
    let mut header = String::from("070701");
    let links = 1;
    let fields = [inode, mode as usize, 0, 0, links, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
    for field in fields {
        write!(header, "{field:08x}").unwrap();
    }
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(ALIGNMENT), 0);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(ALIGNMENT), 0);
}
