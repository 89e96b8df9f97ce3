//! The records of a pax header, `LENGTH KEY=VALUE\n`. Keys that do not change what a file is
//! (access times, names of users, comments) are left out, as POSIX allows.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Time;
use super::sparse::{MAX_SEGMENTS, Segment};
use crate::image::error::show;

/// What the records say about the next entry.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: Sparse,
}

/// `GNU.sparse.*`, of versions 0.0, 0.1 and 1.0.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pub(super) map: Vec<Segment>,
    /// The first half of a pair of version 0.0.
    offset: Option<u64>,
}

impl Pax {
    pub(super) fn is_empty(&self) -> bool {
        let Self { path, link, size, uid, gid, mtime, xattrs, sparse } = self;
        let names = path.is_none() && link.is_none() && mtime.is_none() && xattrs.is_empty();
        names && size.is_none() && uid.is_none() && gid.is_none() && !sparse.is_used()
    }

    /// Adds the records of one header; what it says twice, it says last.
    pub(super) fn read(&mut self, records: &[u8]) -> Result<(), String> {
        each_record(records, |key, value| self.record(key, value))
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let number = || decimal(value).ok_or_else(|| format!("pax {} is not a number", show(key)));
        // An empty value takes a record back.
        let words = (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = words,
            b"linkpath" => self.link = words,
            b"size" => self.size = words.map(|_| number()).transpose()?,
            b"uid" => self.uid = words.map(|_| number()).transpose()?,
            b"gid" => self.gid = words.map(|_| number()).transpose()?,
            b"mtime" => {
                self.mtime = words.map(|text| time(&text).ok_or("pax mtime is not a time")).transpose()?
            }
            b"GNU.sparse.major" => self.sparse.major = Some(number()?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(number()?),
            b"GNU.sparse.name" => self.sparse.name = words,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.real_size = Some(number()?),
            b"GNU.sparse.map" => self.sparse.map = map(value).ok_or("pax GNU.sparse.map is not a map")?,
            b"GNU.sparse.offset" => self.sparse.offset = Some(number()?),
            b"GNU.sparse.numbytes" => self.sparse.pair(number()?)?,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.insert(xattr_name(name), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

impl Sparse {
    pub(super) fn is_used(&self) -> bool {
        self.major.is_some() || self.real_size.is_some() || !self.map.is_empty()
    }

    fn pair(&mut self, len: u64) -> Result<(), String> {
        let at = self.offset.take().ok_or("pax GNU.sparse.numbytes without an offset")?;
        if self.map.len() >= MAX_SEGMENTS {
            return Err(format!("more than {MAX_SEGMENTS} pieces of a sparse file"));
        }
        self.map.push(Segment { at, len });
        Ok(())
    }
}

/// A global header may carry a comment (`git archive` puts the commit there). Readers differ on
/// whether any other key counts, so none is taken.
pub(super) fn check_global(records: &[u8]) -> Result<(), String> {
    each_record(records, |key, _| match key {
        b"comment" => Ok(()),
        _ => Err(format!("a global pax header with `{}`, which readers disagree on", show(key))),
    })
}

fn each_record(
    mut records: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    while !records.is_empty() {
        let (record, rest) = split_record(records).ok_or("a damaged pax record")?;
        let (key, value) = record;
        if key.contains(&0) {
            return Err(String::from("a NUL in the key of a pax record"));
        }
        take(key, value)?;
        records = rest;
    }
    Ok(())
}

type Record<'a> = (&'a [u8], &'a [u8]);

/// The length counts itself, the blank and the newline.
fn split_record(records: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let blank = records.iter().position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(records.get(..blank)?)?).ok()?;
    let (record, rest) = records.split_at_checked(len)?;
    let body = record.get(blank.checked_add(1)?..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some(((body.get(..equals)?, body.get(equals.checked_add(1)?..)?), rest))
}

pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `-1.5` is half a second before 23:59:59 of 1969: seconds round down, nanoseconds count up.
fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let mut halves = text.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(halves.next()?)?).ok()?;
    let fraction: Vec<u8> =
        halves.next().unwrap_or_default().iter().copied().chain([b'0'; 9]).take(9).collect();
    let nanoseconds = u32::try_from(decimal(&fraction)?).ok()?;
    if !negative {
        return Some(Time { seconds, nanoseconds });
    }
    match nanoseconds {
        0 => Some(Time { seconds: seconds.checked_neg()?, nanoseconds }),
        _ => Some(Time {
            seconds: seconds.checked_neg()?.checked_sub(1)?,
            nanoseconds: 1_000_000_000_u32.checked_sub(nanoseconds)?,
        }),
    }
}

/// `offset,length,offset,length…`
fn map(text: &[u8]) -> Option<Vec<Segment>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let numbers = text.split(|byte| *byte == b',').map(decimal).collect::<Option<Vec<_>>>()?;
    if numbers.len() > MAX_SEGMENTS.saturating_mul(2) {
        return None;
    }
    let pair = |pair: &[u64]| match pair {
        [at, len] => Some(Segment { at: *at, len: *len }),
        _ => None,
    };
    numbers.chunks(2).map(pair).collect()
}

/// GNU tar writes `=` and `%` in a name as `%3D` and `%25`.
fn xattr_name(written: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (rest.strip_prefix(b"%3D"), rest.strip_prefix(b"%25")) {
            (Some(after), _) => (b'=', after),
            (_, Some(after)) => (b'%', after),
            _ => (*first, after),
        };
        name.push(byte);
        rest = after;
    }
    name
}
