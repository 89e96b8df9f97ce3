//! Members of an image by name, in a folder or in a tar archive, opened as often as needed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use orlop::image::{Digest, Error, Hasher, MAX_DOCUMENT};

use super::archive::{self, Members};
use super::wrong;
use crate::layer::at;

pub(super) trait Files {
    /// A member's bytes and how many there are.
    fn open(&self, name: &str) -> Result<(Box<dyn Read>, u64), Error>;

    /// A whole document, of a size that a document may have.
    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        let (reader, len) = self.open(name)?;
        let mut bytes = Vec::new();
        // One more than may be, so that the parser sees that it is too large.
        reader.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut bytes).map_err(|error| wrong(name, error))?;
        if bytes.len() as u64 != len && bytes.len() <= MAX_DOCUMENT {
            return Err(wrong(name, format!("truncated: {} of {len} bytes", bytes.len())));
        }
        Ok(bytes)
    }

    /// A document that must have this digest.
    fn blob(&self, what: &str, digest: &Digest) -> Result<Vec<u8>, Error> {
        let bytes = self.document(&digest.blob_path())?;
        digest.check(what, &bytes)?;
        Ok(bytes)
    }

    /// Reads a member from end to end: is it what its descriptor says?
    fn verify(&self, name: &str, digest: &Digest, size: u64) -> Result<(), Error> {
        let (found, len) = self.digest(name)?;
        if len != size {
            return Err(wrong(name, format!("damaged: {len} bytes, its descriptor says {size}")));
        }
        if found != *digest {
            return Err(wrong(name, format!("damaged: its digest is {found}")));
        }
        Ok(())
    }

    fn digest(&self, name: &str) -> Result<(Digest, u64), Error> {
        let (mut reader, _) = self.open(name)?;
        let (mut hasher, mut len, mut chunk) = (Hasher::default(), 0, vec![0; 128 << 10]);
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok((hasher.finish(), len)),
                Ok(count) => {
                    hasher.update(chunk.get(..count).unwrap_or_default());
                    len += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(wrong(name, error)),
            }
        }
    }
}

/// An OCI layout in a folder.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Where blobs are when they are not in the folder.
    blobs: Option<PathBuf>,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        fs::read_dir(dir).map_err(at(dir))?;
        Ok(Self { dir: dir.to_path_buf(), blobs: None })
    }

    /// A layout whose blobs are shared with others: `blobs` stands for its own folder of that name.
    pub(super) fn with_blobs(dir: &Path, blobs: &Path) -> Self {
        Self { dir: dir.to_path_buf(), blobs: Some(blobs.to_path_buf()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        match (&self.blobs, name.strip_prefix("blobs/")) {
            (Some(blobs), Some(rest)) => blobs.join(rest),
            _ => self.dir.join(name),
        }
    }
}

impl Files for Folder {
    fn open(&self, name: &str) -> Result<(Box<dyn Read>, u64), Error> {
        let path = self.path(name);
        // Before it is opened: a fifo would never answer.
        let metadata = fs::metadata(&path).map_err(at(&path))?;
        if !metadata.is_file() {
            return Err(wrong(path.display(), "not a file"));
        }
        Ok((Box::new(File::open(&path).map_err(at(&path))?), metadata.len()))
    }
}

/// A tar archive whose members are looked up.
#[derive(Debug)]
pub(super) struct Archive {
    file: Rc<File>,
    members: Members,
}

impl Archive {
    /// An archive that is compressed as a whole is first laid out in `scratch`.
    pub(super) fn open(path: &Path, scratch: &Path) -> Result<Self, Error> {
        if !fs::metadata(path).map_err(at(path))?.is_file() {
            return Err(wrong(path.display(), "not a file"));
        }
        let file = archive::plain(File::open(path).map_err(at(path))?, scratch).map_err(at(path))?;
        let members = archive::members(&file)?;
        Ok(Self { file: Rc::new(file), members })
    }
}

impl Files for Archive {
    fn open(&self, name: &str) -> Result<(Box<dyn Read>, u64), Error> {
        let found = archive::find(&self.members, name).ok_or_else(|| wrong(name, "not in the archive"))?;
        let slice = Slice { file: Rc::clone(&self.file), at: found.at, left: found.len };
        Ok((Box::new(slice), found.len))
    }
}

/// Part of a file.
struct Slice {
    file: Rc<File>,
    at: u64,
    left: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read_at(buffer.get_mut(..len).unwrap_or_default(), self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
