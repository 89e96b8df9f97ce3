//! Sizes and checksums of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use orlop::image::{Digest, Hasher};
use serde::{Deserialize, Serialize};

use crate::error::{At, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Bytes.
    pub size: u64,
    /// In lower-case hexadecimal.
    pub sha256: String,
}

pub(crate) fn of_bytes(bytes: &[u8]) -> Sum {
    Sum { size: bytes.len() as u64, sha256: Digest::of(bytes).hex() }
}

pub(crate) fn of_file(path: &Path) -> Result<Sum> {
    File::open(path).and_then(of_reader).at("read", path)
}

fn of_reader(mut reader: impl Read) -> io::Result<Sum> {
    let mut hasher = Hasher::default();
    let mut size = 0u64;
    // Large enough that the calls do not count, small enough for the cache.
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Sum { size, sha256: hasher.finish().hex() }),
            Ok(read) => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_checksum_of_abc() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for sum in [of_bytes(b"abc"), of_reader(&b"abc"[..]).unwrap()] {
            assert_eq!(sum, Sum { size: 3, sha256: expected.to_owned() });
        }
    }
}
