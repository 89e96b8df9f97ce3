//! A layer's tar → an EROFS file in the cache, streamed: neither is ever whole in memory.
//!
//! A file is named by the layer's diff-id and the version of our form, and comes into being whole
//! (by rename), so that builds beside one another may share the cache.

mod below;
mod decompress;
mod pack;

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use orlop::image::erofs::{FORMAT_VERSION, Image, Piece};
use orlop::image::layer::{Builder, Layer};
use orlop::image::{Digest, Error, Hasher};

pub use below::Below;
pub use decompress::decompress;

/// What one read(2) or write(2) moves: beyond this, more does not make it faster.
const CHUNK: usize = 128 << 10;

/// A layer in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    pub diff_id: Digest,
    pub file: PathBuf,
    /// Bytes of the tar.
    pub tar: u64,
    /// What was left out of it, and why.
    pub warnings: Vec<String>,
}

/// Where converted layers are kept.
pub struct Cache {
    layers: PathBuf,
}

impl Cache {
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let layers = dir.join(format!("layers-{FORMAT_VERSION}"));
        fs::create_dir_all(&layers).map_err(at(&layers))?;
        Ok(Self { layers })
    }

    /// The converted layer, when it is there already, as it is above these layers.
    pub fn find(&self, diff_id: &Digest, below: &Below) -> Option<PathBuf> {
        let paths = [self.path(diff_id, None), self.path(diff_id, Some(below))];
        paths.into_iter().find(|path| path.is_file())
    }

    /// Only a layer that depends on those below it is named after them too.
    fn path(&self, diff_id: &Digest, below: Option<&Below>) -> PathBuf {
        let suffix = below.map_or(String::new(), |below| format!("-{}", below.name()));
        self.layers.join(format!("{}{suffix}.erofs", diff_id.hex()))
    }
}

/// Takes a tar, compressed or not, and refuses it when it is not the one that the diff-id names.
pub fn convert(tar: impl Read, diff_id: &Digest, below: &Below, cache: &Cache) -> Result<Converted, Error> {
    let (mut tar, form) = decompress(tar).map_err(|error| problem("layer", &error))?;
    let mut conversion = Conversion::start(cache)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let place = || format!("{form}, after {} bytes", conversion.taken);
        let len = match tar.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(problem(&place(), &error)),
        };
        conversion.push(chunk.get(..len).unwrap_or_default())?;
    }
    conversion.finish(Some(diff_id), below)
}

/// A conversion under way: bytes of a tar go in.
pub struct Conversion<'a> {
    cache: &'a Cache,
    builder: Builder,
    hasher: Hasher,
    spool: BufWriter<File>,
    taken: u64,
}

impl<'a> Conversion<'a> {
    pub fn start(cache: &'a Cache) -> Result<Self, Error> {
        let spool = tempfile::tempfile_in(&cache.layers).map_err(at(&cache.layers))?;
        Ok(Self {
            cache,
            builder: Builder::default(),
            hasher: Hasher::default(),
            spool: BufWriter::with_capacity(CHUNK, spool),
            taken: 0,
        })
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hasher.update(bytes);
        self.taken += bytes.len() as u64;
        self.builder.push(bytes, &mut |contents: &[u8]| {
            self.spool.write_all(contents).map_err(at(&self.cache.layers))
        })
    }

    /// Without a diff-id to keep to, the layer gets the one that it has.
    pub fn finish(mut self, wanted: Option<&Digest>, below: &Below) -> Result<Converted, Error> {
        let found = self.hasher.finish();
        if let Some(wanted) = wanted.filter(|wanted| **wanted != found) {
            let what = format!("damaged: its diff-id is {found}, the config has {wanted}");
            return Err(Error { place: String::from("layer"), what });
        }
        let mut layer: Layer = self
            .builder
            .finish(&mut |contents: &[u8]| self.spool.write_all(contents).map_err(at(&self.cache.layers)))?;
        let spool = self.spool.into_inner().map_err(|error| problem("spool", error.error()))?;
        let depends = below.give(&mut layer.tree)?;
        let file = self.cache.path(&found, depends.then_some(below));
        if !file.is_file() {
            write(&layer, &found, &spool, &file)?;
        }
        Ok(Converted { diff_id: found, file, tar: self.taken, warnings: layer.warnings })
    }
}

fn write(layer: &Layer, diff_id: &Digest, spool: &File, to: &Path) -> Result<(), Error> {
    let dir = to.parent().unwrap_or(to);
    let (packed, blocks) = pack::pack(&layer.tree, spool, dir)?;
    let image = Image::plan(&layer.tree, &packed, diff_id)?;
    let file = tempfile::NamedTempFile::new_in(dir).map_err(at(dir))?;
    let mut out = BufWriter::with_capacity(CHUNK, file);
    let mut chunk = vec![0; CHUNK];
    image.write(&mut |piece: Piece<'_>| {
        one_piece(piece, spool, &blocks, &mut out, &mut chunk).map_err(at(to))
    })?;
    let file = out.into_inner().map_err(|error| problem(&to.display().to_string(), error.error()))?;
    // The same for every umask.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(at(to))?;
    // A power cut must not leave the name with half a layer behind: it would be taken for the whole.
    file.as_file().sync_all().map_err(at(to))?;
    file.persist(to).map_err(|error| at(to)(error.error))?;
    Ok(())
}

/// Writes one piece; `chunk` is where bytes of files pass through.
fn one_piece(
    piece: Piece<'_>,
    spool: &File,
    blocks: &File,
    out: &mut impl Write,
    chunk: &mut [u8],
) -> io::Result<()> {
    match piece {
        Piece::Bytes(bytes) => out.write_all(bytes),
        Piece::Zeros(mut left) => {
            chunk.fill(0);
            while left > 0 {
                let part = part(chunk, left);
                out.write_all(part)?;
                left -= part.len() as u64;
            }
            Ok(())
        }
        Piece::Spool { from, len } => copy(spool, from, len, out, chunk),
        Piece::Packed { from, len } => copy(blocks, from, len, out, chunk),
    }
}

fn copy(file: &File, mut from: u64, len: u64, out: &mut impl Write, chunk: &mut [u8]) -> io::Result<()> {
    let mut left = len;
    while left > 0 {
        let part = part(chunk, left);
        file.read_exact_at(part, from)?;
        out.write_all(part)?;
        from += part.len() as u64;
        left -= part.len() as u64;
    }
    Ok(())
}

fn part(chunk: &mut [u8], left: u64) -> &mut [u8] {
    let len = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
    chunk.get_mut(..len).unwrap_or_default()
}

fn problem(place: &str, error: &io::Error) -> Error {
    Error { place: String::from(place), what: error.to_string() }
}

/// An error of the operating system, with the path that it is about.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    let place = path.display().to_string();
    move |error| problem(&place, &error)
}
