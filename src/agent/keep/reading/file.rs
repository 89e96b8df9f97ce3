//! One segment, frame by frame; or its newest frame alone.

use std::os::fd::{AsFd, OwnedFd};

use orlop::keep::{FRAME_HEAD, Frames, Head, SegmentName};

use crate::linux::{Result, data_file, memfd};

pub(super) struct File {
    file: OwnedFd,
    at: u64,
    size: u64,
}

pub(super) enum Piece {
    Block(Vec<u8>),
    /// So many bytes at its end make no sense.
    Damaged(u64),
}

impl File {
    pub(super) fn open(directory: &OwnedFd, name: &SegmentName) -> Result<Self> {
        let file = data_file::open_to_read(directory.as_fd(), &name.to_string())?;
        let size = data_file::size(file.as_fd())?;
        Ok(Self { file, at: 0, size })
    }

    /// The last that is whole. Of the others only the heads are read; should that not lead to it, all are.
    pub(super) fn last_block(mut self) -> Option<Vec<u8>> {
        data_file::is_read_here_and_there(self.file.as_fd());
        let mut last = 0;
        while let Some(next) = self.head(self.at).map(|head| self.at.saturating_add(head.frame_len() as u64))
            && next <= self.size
        {
            (last, self.at) = (self.at, next);
        }
        self.at = last;
        if let Some((block, _)) = self.frame() {
            return Some(block);
        }
        self.at = 0;
        let mut last = None;
        while let Some(Piece::Block(block)) = self.next() {
            last = Some(block);
        }
        last
    }

    fn head(&self, at: u64) -> Option<Head> {
        let mut head = [0; FRAME_HEAD];
        memfd::read_exact_at(self.file.as_fd(), at, &mut head).ok()?;
        Head::parse(&head)
    }

    fn frame(&self) -> Option<(Vec<u8>, u64)> {
        let mut bytes = vec![0; self.head(self.at)?.frame_len()];
        memfd::read_exact_at(self.file.as_fd(), self.at, &mut bytes).ok()?;
        Some((Frames::of(&bytes).next()?, bytes.len() as u64))
    }
}

impl Iterator for File {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let left = self.size.checked_sub(self.at).filter(|left| *left > 0)?;
        match self.frame() {
            Some((block, bytes)) => {
                self.at = self.at.saturating_add(bytes);
                Some(Piece::Block(block))
            }
            None => {
                self.at = self.size;
                Some(Piece::Damaged(left))
            }
        }
    }
}
