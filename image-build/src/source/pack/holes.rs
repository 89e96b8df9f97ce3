//! Where a large file is not zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Smaller files are written whole: finding their holes means reading them twice, and a layer's
/// conversion finds them again.
const LARGE: u64 = 64 << 20;

const BLOCK: usize = 4096;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) at: u64,
    pub(super) len: u64,
}

/// The parts of a large file that are not whole blocks of zeros; nothing when it has none to spare.
pub(super) fn segments(file: &File, size: u64) -> io::Result<Option<Vec<Segment>>> {
    if size < LARGE {
        return Ok(None);
    }
    let mut found: Vec<Segment> = Vec::new();
    let mut chunk = vec![0; 64 * BLOCK];
    let mut at = 0;
    while at < size {
        // What the disk does not store need not be read; what it does may be zeros all the same.
        at = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(data) => data - data % BLOCK as u64,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let wanted = usize::try_from(size - at).map_or(chunk.len(), |left| left.min(chunk.len()));
        let part = chunk.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(part, at)?;
        for block in part.chunks(BLOCK) {
            let len = block.len() as u64;
            if ZEROS.get(..block.len()) != Some(block) {
                match found.last_mut() {
                    Some(last) if last.at + last.len == at => last.len += len,
                    _ => found.push(Segment { at, len }),
                }
            }
            at += len;
        }
    }
    let is_whole = found == [Segment { at: 0, len: size }];
    Ok((!is_whole).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_same_holes_however_they_are_stored() {
        let size = LARGE + 10;
        let sparse = tempfile::tempfile().unwrap();
        sparse.set_len(size).unwrap();
        sparse.write_all_at(b"x", 5 << 20).unwrap();
        sparse.write_all_at(b"y", size - 1).unwrap();
        let stored = tempfile::tempfile().unwrap();
        io::copy(&mut &sparse, &mut &stored).unwrap();
        stored.write_all_at(&vec![0; 1 << 20], 10 << 20).unwrap();
        let expected = vec![Segment { at: 5 << 20, len: 4096 }, Segment { at: LARGE, len: 10 }];
        assert_eq!(segments(&sparse, size).unwrap(), Some(expected.clone()));
        assert_eq!(segments(&stored, size).unwrap(), Some(expected));
        assert_eq!(segments(&sparse, LARGE - 1).unwrap(), None);
    }
}
