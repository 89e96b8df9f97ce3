//! Compresses the files of a layer, on all cores. The bytes do not depend on how many there are: each
//! segment is compressed on its own, and they are taken in their order.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use orlop::image::Error;
use orlop::image::erofs::{Compressed, Packed, Piece, Segment, compress, segments};
use orlop::image::layer::Tree;

use super::{CHUNK, at, one_piece};

/// What one core gets at a time; a segment is never larger. Three times this and the cores are what the
/// whole takes of memory.
const PORTION: usize = 4 << 20;

/// More cores than this wait for the disk.
const MAX_WIDTH: usize = 16;

/// The compressed files of a layer, and the file in `dir` that has their blocks.
pub(super) fn pack(tree: &Tree, spool: &File, dir: &Path) -> Result<(Packed, File), Error> {
    let width = thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_WIDTH));
    pack_side_by_side(width, tree, spool, dir)
}

fn pack_side_by_side(width: usize, tree: &Tree, spool: &File, dir: &Path) -> Result<(Packed, File), Error> {
    let blocks = tempfile::tempfile_in(dir).map_err(at(dir))?;
    let mut packed = Packed::default();
    let segments = segments(tree);
    let mut rest = segments.as_slice();
    while !rest.is_empty() {
        let (portion, after) = portion(rest, width * PORTION);
        for (segment, compressed) in portion.iter().zip(side_by_side(width, portion, tree, spool)?) {
            let from = packed.add(tree, segment, &compressed);
            blocks.write_all_at(&compressed.blocks, from).map_err(at(dir))?;
        }
        rest = after;
    }
    Ok((packed, blocks))
}

/// Segments of so many bytes together, at least one, and those behind them.
fn portion(segments: &[Segment], bytes: usize) -> (&[Segment], &[Segment]) {
    let mut sum = 0;
    let fitting = segments.iter().take_while(|segment| {
        sum += segment.len;
        sum <= bytes
    });
    let count = fitting.count().max(1);
    segments.split_at_checked(count).unwrap_or((segments, &[]))
}

/// Each core takes the next segment that nobody has yet, this thread too: where no other can be had, it
/// does all. The answers are in order.
fn side_by_side(
    width: usize,
    segments: &[Segment],
    tree: &Tree,
    spool: &File,
) -> Result<Vec<Compressed>, Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(segment) = segments.get(number) else {
                return done;
            };
            done.push((number, one(segment, tree, spool)));
        }
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let workers: Vec<_> = (1..width.min(segments.len())).filter_map(spawn).collect();
        let mut done = work();
        done.extend(workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()));
        done
    });
    if done.len() != segments.len() {
        let what = String::from("a compressing thread ended early");
        return Err(Error { place: String::from("layer"), what });
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, compressed)| compressed).collect()
}

fn one(segment: &Segment, tree: &Tree, spool: &File) -> Result<Compressed, Error> {
    let (mut bytes, mut chunk) = (Vec::with_capacity(segment.len), vec![0; CHUNK.min(segment.len)]);
    segment.read(tree, &mut |piece: Piece<'_>| {
        one_piece(piece, spool, spool, &mut bytes, &mut chunk).map_err(at(Path::new("spool")))
    })?;
    Ok(compress(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::image::layer::{Builder, Layer};
    use std::fs;
    use std::io::Write;
    use std::process::Command;

    /// Files of many sizes, one of them several segments long.
    fn layer(folder: &Path) -> (Layer, File) {
        let tree = folder.join("tree");
        fs::create_dir(&tree).unwrap();
        for number in 0..40_usize {
            let line = |i: usize| (i.wrapping_mul(number) / 7).to_string().into_bytes();
            let contents: Vec<u8> = (0..).flat_map(line).take(number * 5000).collect();
            fs::write(tree.join(format!("text-{number}")), contents).unwrap();
        }
        let large: Vec<u8> = (0..9_000_000_u32).map(|i| ((i / 5) ^ (i >> 9)) as u8).collect();
        fs::write(tree.join("large"), large).unwrap();
        let tar = Command::new("tar").args(["-cf", "-", "-C"]).arg(&tree).arg(".").output().unwrap();
        let (mut builder, mut spool) = (Builder::default(), tempfile::tempfile().unwrap());
        let mut write = |bytes: &[u8]| spool.write_all(bytes).map_err(at(folder));
        builder.push(&tar.stdout, &mut write).unwrap();
        (builder.finish(&mut write).unwrap(), spool)
    }

    #[test]
    fn the_number_of_cores_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (layer, spool) = layer(folder.path());
        let packed = |width| {
            let (packed, blocks) = pack_side_by_side(width, &layer.tree, &spool, folder.path()).unwrap();
            let mut bytes = vec![0; usize::try_from(blocks.metadata().unwrap().len()).unwrap()];
            blocks.read_exact_at(&mut bytes, 0).unwrap();
            (packed, bytes)
        };
        let one = packed(1);
        assert!(one.1.len() > 100_000);
        assert!([2, 3, 16].iter().all(|width| packed(*width) == one));
    }

    #[test]
    fn a_portion_is_never_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (layer, _) = layer(folder.path());
        let segments = segments(&layer.tree);
        assert_eq!(portion(&segments, 1).0.len(), 1);
        assert_eq!(portion(&segments, usize::MAX).1, []);
    }
}
