//! gzip and zstd, told by their first bytes: media types of real images are wrong at times.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Skippable frames have the numbers from 0x184d2a50 on.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;

/// Compressions that images of this kind do not have, to say which one it is.
const OTHERS: [(&[u8], &str); 3] = [(b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"\x04\x22\x4d\x18", "lz4")];

/// The bytes without compression, and a name for what they were.
pub fn decompress<'a>(input: impl Read + 'a) -> io::Result<(Box<dyn Read + 'a>, &'static str)> {
    let mut input = BufReader::with_capacity(super::CHUNK, input);
    let start = beginning(&mut input)?;
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(io::Error::other(format!("compressed with {name}: only gzip and zstd are supported")));
    }
    if start.starts_with(GZIP) {
        return Ok((Box::new(MultiGzDecoder::new(input)), "gzip"));
    }
    let number = start.first_chunk().map_or(0, |magic| u32::from_le_bytes(*magic));
    if start.starts_with(ZSTD) || number & !0xf == ZSTD_SKIPPABLE {
        let frames = Frames { input, decoder: FrameDecoder::new(), is_open: false };
        return Ok((Box::new(frames), "zstd"));
    }
    Ok((Box::new(input), "tar"))
}

/// The first bytes, or fewer when there are no more; they stay in the reader. What fills the
/// buffer in one read is enough: files give what they have.
fn beginning(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    Ok(input.fill_buf()?.iter().copied().take(6).collect())
}

/// A zstd stream: frames, one behind another, some of which carry no contents.
struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    is_open: bool,
}

impl<R: BufRead> Frames<R> {
    /// Opens the next frame with contents; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut magic = [0; 4];
            self.input.read_exact(&mut magic)?;
            if u32::from_le_bytes(magic) & !0xf != ZSTD_SKIPPABLE {
                let frame = (&magic[..]).chain(&mut self.input);
                self.decoder.reset(frame).map_err(io::Error::other)?;
                return Ok(true);
            }
            let mut len = [0; 4];
            self.input.read_exact(&mut len)?;
            let len = u64::from(u32::from_le_bytes(len));
            if io::copy(&mut (&mut self.input).take(len), &mut io::sink())? != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open {
                self.is_open = self.next_frame()?;
                if !self.is_open {
                    return Ok(0);
                }
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.decoder.is_finished() {
                self.is_open = false;
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder.decode_blocks(&mut self.input, one).map_err(io::Error::other)?;
        }
    }
}
