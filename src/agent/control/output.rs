//! Bytes that wait until a client takes them.

use std::io;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// How many of them are sent.
    sent: usize,
}

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// There is nothing left, or there was nothing.
    All,
    /// Some of it; the rest has to wait.
    Some,
    /// None of it: the other side is full, or a port's host is away.
    Nothing,
    /// It can never be sent.
    Broken,
}

impl Output {
    pub(crate) fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all of it, and its memory.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Hands what waits to `write` until that takes no more.
    pub(crate) fn send(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Sent {
        let before = self.sent;
        loop {
            let waiting = self.bytes.get(self.sent..).unwrap_or_default();
            if waiting.is_empty() {
                self.clear();
                return Sent::All;
            }
            match write(waiting) {
                Ok(count) if count > 0 => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Sent::Broken,
                Ok(_) | Err(_) => break,
            }
        }
        if self.sent == before {
            return Sent::Nothing;
        }
        self.bytes.drain(..self.sent);
        self.sent = 0;
        Sent::Some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_in_order_whatever_the_other_side_takes() {
        let mut output = Output::default();
        let mut taken = Vec::new();
        let mut take = |output: &mut Output, mut sizes: Vec<usize>| {
            output.send(|bytes| {
                let size = sizes.pop().ok_or(io::ErrorKind::WouldBlock)?;
                taken.extend_from_slice(&bytes[..size.min(bytes.len())]);
                Ok(size.min(bytes.len()))
            })
        };
        assert_eq!(take(&mut output, vec![9]), Sent::All);
        output.push(b"one");
        output.push(b"two");
        assert_eq!(take(&mut output, vec![]), Sent::Nothing);
        assert_eq!(take(&mut output, vec![1, 3]), Sent::Some);
        assert_eq!(output.len(), 2);
        output.push(b"three");
        assert_eq!(take(&mut output, vec![0]), Sent::Nothing);
        assert_eq!(take(&mut output, vec![9]), Sent::All);
        assert_eq!(output.send(|_| Err(io::ErrorKind::BrokenPipe.into())), Sent::All);
        output.push(b"!");
        assert_eq!(output.send(|_| Err(io::ErrorKind::BrokenPipe.into())), Sent::Broken);
        assert_eq!(taken, b"onetwothree");
    }
}
