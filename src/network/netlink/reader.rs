//! Bytes from the kernel → messages and attributes, each length checked against what is there.

use core::fmt;

/// What came is not what netlink looks like; nothing after it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed netlink message: {}", self.0)
    }
}

impl core::error::Error for Malformed {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    pub(super) value: &'a [u8],
}

/// The messages of one datagram. Ends after the first that is malformed.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    pieces(datagram, next_message)
}

/// A run of attributes. Ends after the first that is malformed.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, Malformed>> {
    pieces(bytes, next_attribute)
}

type Piece<'a, T> = Result<(T, &'a [u8]), Malformed>;

/// Takes pieces off the front until nothing is left.
fn pieces<'a, T>(
    bytes: &'a [u8],
    next: fn(&'a [u8]) -> Piece<'a, T>,
) -> impl Iterator<Item = Result<T, Malformed>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match next(rest) {
            Ok((piece, after)) => {
                rest = after;
                Some(Ok(piece))
            }
            Err(malformed) => {
                rest = &[];
                Some(Err(malformed))
            }
        }
    })
}

fn next_message(bytes: &[u8]) -> Piece<'_, Message<'_>> {
    const HEADER: usize = 16;
    let short = Malformed("a header is cut short");
    let length = u32_at(bytes, 0).ok_or(short)?;
    let kind = u16_at(bytes, 4).ok_or(short)?;
    let flags = u16_at(bytes, 6).ok_or(short)?;
    let sequence = u32_at(bytes, 8).ok_or(short)?;
    let length = usize::try_from(length).map_err(|_| short)?;
    let body = bytes.get(HEADER..length).ok_or(Malformed("a message is longer than its datagram"))?;
    Ok((Message { kind, flags, sequence, body }, after(bytes, length)))
}

fn next_attribute(bytes: &[u8]) -> Piece<'_, Attribute<'_>> {
    const HEADER: usize = 4;
    /// NLA_F_NESTED and NLA_F_NET_BYTEORDER share the field with the kind.
    const KIND: u16 = 0x3fff;
    let short = Malformed("an attribute's header is cut short");
    let length = usize::from(u16_at(bytes, 0).ok_or(short)?);
    let kind = u16_at(bytes, 2).ok_or(short)? & KIND;
    let value = bytes.get(HEADER..length).ok_or(Malformed("an attribute is longer than its message"))?;
    Ok((Attribute { kind, value }, after(bytes, length)))
}

/// What follows a piece of `length`, which is padded to a multiple of four; the last one need not be.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.saturating_add(3) & !3..).unwrap_or(&[])
}

pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
