//! A ring's memory: a memfd, in the hands of PID 1, the supervisor and the logger at once. Its file
//! position belongs to the logger: everybody else reads at offsets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::log::{Layout, Source, Store};

use crate::linux::{Errno, Result, insist, memfd};

#[derive(Debug)]
pub(crate) struct RingFile {
    memfd: OwnedFd,
    layout: Layout,
    identity: u64,
}

impl RingFile {
    /// An empty ring of about `memory` bytes, of which it takes nothing until there is output.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub(crate) fn create(memory: u64) -> Result<Self> {
        Self::adopt(memfd::create_of_size(c"orlop-log", Layout::file_size(memory))?)
    }

    /// One that was kept or sent.
    ///
    /// # Errors
    /// EINVAL when it is not a ring's memory.
    pub(crate) fn adopt(memfd: OwnedFd) -> Result<Self> {
        // It is sent once: whoever does not take it has no log until there is another logger.
        if !insist(|| memfd::keeps_its_size(memfd.as_fd()))? {
            return Err(Errno::EINVAL);
        }
        let (identity, size) = insist(|| memfd::identity_and_size(memfd.as_fd()))?;
        let layout = Layout::of(size).ok_or(Errno::EINVAL)?;
        Ok(Self { memfd, layout, identity })
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// The same number for every descriptor of this ring.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }
}

impl AsFd for RingFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}

impl Source for RingFile {
    type Error = Errno;

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<()> {
        memfd::read_exact_at(self.as_fd(), at, into)
    }
}

impl Store for RingFile {
    fn write_at(&self, at: u64, from: &[u8]) -> Result<()> {
        memfd::write_all_at(self.as_fd(), at, from)
    }

    fn position(&self) -> Result<u64> {
        memfd::position(self.as_fd())
    }

    fn seek(&self, position: u64) -> Result<()> {
        memfd::seek(self.as_fd(), position)
    }
}
