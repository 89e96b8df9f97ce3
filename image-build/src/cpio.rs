//! The archive that the kernel unpacks into its first root: cpio, "newc" form
//! (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Nothing of the building machine gets in: times and owners are 0, inode numbers count up.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// What an entry is. Sizes are written before the bytes, so a file's size is known from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Directory,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    Bytes(Vec<u8>),
    /// A symbolic link to there.
    Link(String),
    /// A file on this machine; its size when it was looked at.
    File {
        path: PathBuf,
        size: u64,
    },
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Directory | Self::CharacterDevice { .. } => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Link(to) => to.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    /// The type bits of st_mode.
    fn kind(&self) -> u32 {
        match self {
            Self::Directory => 0o040_000,
            Self::CharacterDevice { .. } => 0o020_000,
            Self::Bytes(_) | Self::File { .. } => 0o100_000,
            Self::Link(_) => 0o120_000,
        }
    }
}

pub(crate) struct Archive<W> {
    inner: W,
    inode: u32,
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, inode: 0 }
    }

    /// `path` without a leading slash; `mode` the permission bits. Parents come before children.
    pub(crate) fn add(&mut self, path: &str, mode: u32, content: &Content) -> io::Result<()> {
        let size = u32::try_from(content.size()).map_err(|_| {
            io::Error::other(format!("{path}: an initramfs cannot hold a file of 4 GiB or more"))
        })?;
        self.inode = self.inode.saturating_add(1);
        let device = match content {
            Content::CharacterDevice { major, minor } => (*major, *minor),
            Content::Directory | Content::Bytes(_) | Content::File { .. } | Content::Link(_) => (0, 0),
        };
        self.header(path, content.kind() | mode, size, device)?;
        match content {
            Content::Directory | Content::CharacterDevice { .. } => {}
            Content::Bytes(bytes) => self.inner.write_all(bytes)?,
            Content::Link(to) => self.inner.write_all(to.as_bytes())?,
            Content::File { path, size } => copy_exactly(File::open(path)?, &mut self.inner, *size)?,
        }
        self.pad(content.size())
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.inode = 0;
        self.header("TRAILER!!!", 0, 0, (0, 0))?;
        Ok(self.inner)
    }

    fn header(&mut self, path: &str, mode: u32, size: u32, device: (u32, u32)) -> io::Result<()> {
        let name_size = path.len() as u64 + 1;
        let (links, zero) = (1, 0);
        write!(self.inner, "070701{:08x}{mode:08x}{zero:08x}{zero:08x}{links:08x}{zero:08x}", self.inode)?;
        write!(self.inner, "{size:08x}{zero:08x}{zero:08x}{:08x}{:08x}", device.0, device.1)?;
        write!(self.inner, "{name_size:08x}{zero:08x}{path}\0")?;
        self.pad(HEADER + name_size)
    }

    /// Header and data each end on a multiple of four.
    fn pad(&mut self, written: u64) -> io::Result<()> {
        let missing = written.next_multiple_of(4) - written;
        io::copy(&mut io::repeat(0).take(missing), &mut self.inner).map(drop)
    }
}

/// Magic and 13 fields of 8 hexadecimal digits.
const HEADER: u64 = 110;

/// A file that changed its size since it was looked at would shift all that follows.
fn copy_exactly(mut from: impl Read, to: &mut impl Write, size: u64) -> io::Result<()> {
    let copied = io::copy(&mut from.by_ref().take(size), to)?;
    if copied != size || from.read(&mut [0])? != 0 {
        return Err(io::Error::other("the file changed while it was read"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn archive() -> Vec<u8> {
        let mut archive = Archive::new(Vec::new());
        archive.add("dev", 0o755, &Content::Directory).unwrap();
        archive.add("dev/console", 0o600, &Content::CharacterDevice { major: 5, minor: 1 }).unwrap();
        archive.add("init", 0o755, &Content::Bytes(b"hello".to_vec())).unwrap();
        archive.add("init.txt", 0o644, &Content::Bytes(b"four".to_vec())).unwrap();
        archive.finish().unwrap()
    }

    /// `cpio -itv` without the columns that depend on the reader's time zone and users.
    fn listed(archive: &[u8]) -> Vec<String> {
        let mut cpio = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut cpio, archive).unwrap();
        io::Seek::rewind(&mut cpio).unwrap();
        let output = Command::new("cpio")
            .args(["-itvn", "--quiet"])
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::from(cpio))
            .output()
            .expect("GNU cpio is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn gnu_cpio_reads_what_is_written() {
        assert_eq!(
            listed(&archive()),
            [
                "drwxr-xr-x 1 0 0 0 Jan 1 1970 dev",
                "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
                "-rwxr-xr-x 1 0 0 5 Jan 1 1970 init",
                "-rw-r--r-- 1 0 0 4 Jan 1 1970 init.txt",
            ]
        );
    }

    #[test]
    fn refuses_a_file_that_changed_its_size() {
        for size in [4, 6] {
            let error = copy_exactly(&b"hello"[..], &mut Vec::new(), size).unwrap_err();
            assert_eq!(error.to_string(), "the file changed while it was read");
        }
        copy_exactly(&b"hello"[..], &mut Vec::new(), 5).unwrap();
    }

    #[test]
    fn refuses_a_file_too_big_for_the_format() {
        let content = Content::File { path: "/dev/null".into(), size: 1 << 32 };
        let error = Archive::new(Vec::new()).add("store/big", 0o644, &content).unwrap_err();
        assert_eq!(error.to_string(), "store/big: an initramfs cannot hold a file of 4 GiB or more");
    }
}
