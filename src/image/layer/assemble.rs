//! Finds the holes of a file while its bytes come by, and sends the rest to the spool.

use alloc::vec::Vec;

use super::tree::{Data, Extent};
use super::{BLOCK, NodeId};

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A file whose contents are still coming.
pub(super) struct OpenFile {
    pub(super) node: NodeId,
    data: Data,
    /// The block that is not whole yet, and where it begins in the file.
    block: Vec<u8>,
    block_at: u64,
}

/// Where contents go, and how much went there.
pub(super) struct Spool<'a, F> {
    pub(super) write: &'a mut F,
    pub(super) len: &'a mut u64,
}

impl<F: FnMut(&[u8]) -> Result<(), E>, E> Spool<'_, F> {
    fn append(&mut self, bytes: &[u8]) -> Result<u64, E> {
        let from = *self.len;
        (self.write)(bytes)?;
        *self.len = from.saturating_add(bytes.len() as u64);
        Ok(from)
    }
}

impl OpenFile {
    pub(super) fn new(node: NodeId, size: u64) -> Self {
        Self { node, data: Data { size, extents: Vec::new() }, block: Vec::new(), block_at: 0 }
    }

    /// Takes bytes that belong at `at`, which never goes back.
    pub(super) fn push<F, E>(
        &mut self,
        mut at: u64,
        mut bytes: &[u8],
        spool: &mut Spool<'_, F>,
    ) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        while !bytes.is_empty() {
            let within = usize::try_from(at % BLOCK as u64).unwrap_or(0);
            let start = at.saturating_sub(within as u64);
            if !self.block.is_empty() && self.block_at != start {
                self.flush(spool)?;
            }
            let taken = if self.block.is_empty() && within == 0 && bytes.len() >= BLOCK {
                let whole = bytes.len().saturating_sub(bytes.len() % BLOCK);
                self.whole_blocks(at, bytes.get(..whole).unwrap_or_default(), spool)?;
                whole
            } else {
                self.part_of_block(start, within, bytes)
            };
            bytes = bytes.get(taken..).unwrap_or_default();
            at = at.saturating_add(taken as u64);
        }
        Ok(())
    }

    pub(super) fn finish<F, E>(mut self, spool: &mut Spool<'_, F>) -> Result<(NodeId, Data), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        self.flush(spool)?;
        Ok((self.node, self.data))
    }

    fn whole_blocks<F, E>(&mut self, mut at: u64, bytes: &[u8], spool: &mut Spool<'_, F>) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_hole = rest.starts_with(&ZEROS);
            let same = rest.chunks(BLOCK).take_while(|block| (**block == ZEROS) == is_hole).count();
            let (run, after) = rest.split_at_checked(same.saturating_mul(BLOCK)).unwrap_or((rest, &[]));
            if !is_hole {
                self.extent(at, run, spool)?;
            }
            at = at.saturating_add(run.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// How many bytes it took.
    fn part_of_block(&mut self, start: u64, within: usize, bytes: &[u8]) -> usize {
        if self.block.is_empty() {
            let len = self.data.size.saturating_sub(start).min(BLOCK as u64);
            self.block.resize(usize::try_from(len).unwrap_or(BLOCK), 0);
            self.block_at = start;
        }
        let room = self.block.get_mut(within..).unwrap_or_default();
        let taken = room.len().min(bytes.len());
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        // A piece beyond the size that was announced cannot come: the reader checks its maps.
        if taken == 0 { bytes.len() } else { taken }
    }

    fn flush<F, E>(&mut self, spool: &mut Spool<'_, F>) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let block = core::mem::take(&mut self.block);
        if block.iter().any(|byte| *byte != 0) {
            self.extent(self.block_at, &block, spool)?;
        }
        Ok(())
    }

    fn extent<F, E>(&mut self, at: u64, bytes: &[u8], spool: &mut Spool<'_, F>) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let (len, from) = (bytes.len() as u64, spool.append(bytes)?);
        match self.data.extents.last_mut() {
            Some(last)
                if last.at.saturating_add(last.len) == at && last.from.saturating_add(last.len) == from =>
            {
                last.len = last.len.saturating_add(len);
            }
            _ => self.data.extents.push(Extent { at, len, from }),
        }
        Ok(())
    }
}
