//! A layer's tar, cut anywhere: it becomes a tree and an EROFS plan, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::image::erofs::{Image, Packed};
use orlop::image::layer::Builder;
use orlop::image::{Digest, Error};

fuzz_target!(|input: (u16, &[u8])| {
    let (size, bytes) = input;
    let mut builder = Builder::default();
    let mut spooled = 0;
    let mut spool = |bytes: &[u8]| {
        spooled += bytes.len() as u64;
        Ok::<(), Error>(())
    };
    for piece in bytes.chunks(usize::from(size).max(1)) {
        if builder.push(piece, &mut spool).is_err() {
            return;
        }
    }
    if let Ok(layer) = builder.finish(&mut spool) {
        assert_eq!(layer.spooled, spooled);
        let _ = Image::plan(&layer.tree, &Packed::default(), &Digest::of(b"fuzz"));
    }
});
