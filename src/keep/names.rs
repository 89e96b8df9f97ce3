//! What things are called on the disk: `logs/NUMBER-BOOT/NUMBER-LOG`. A boot's number is one more than the one before, so
//! that their order needs no clock; a segment's says its turn within the boot.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The highest that are written with all digits, eight and ten. What a disk has above them is damaged: nobody boots so often. A boot
/// with the very highest is passed over too, since there would be no next one.
const HIGHEST_BOOT: u32 = 99_999_999;
const HIGHEST_SEGMENT: u64 = 9_999_999_999;

/// One boot's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootName {
    pub number: u32,
    /// As the kernel has it: a UUID.
    pub id: String,
}

/// One file there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    pub number: u64,
    pub log: String,
}

/// Which boot is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootWord {
    /// So many before this one.
    Before(u32),
    /// One whose id begins so.
    Id(String),
}

/// Why none is it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoBoot {
    /// There are so many before this one.
    TooFar(u32),
    Unknown,
    /// The ids of several begin so.
    Several,
}

impl BootName {
    /// The one after this; `None`: there is no number left.
    #[must_use]
    pub fn next(&self, id: &str) -> Option<Self> {
        let number = self.number.checked_add(1).filter(|number| *number <= HIGHEST_BOOT)?;
        Some(Self { number, id: id.to_string() })
    }

    /// `None`: it is not one of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (number, id) = name.split_once('-')?;
        let is_id = id.len() == 36 && id.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit());
        is_id.then_some(())?;
        let it = Self { number: number.parse().ok()?, id: id.to_string() };
        // As we write it, and no other way of writing the same.
        (it.number < HIGHEST_BOOT && it.to_string() == name).then_some(it)
    }
}

impl fmt::Display for BootName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}-{}", self.number, self.id)
    }
}

impl SegmentName {
    /// `None`: it is not one of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (number, log) = name.split_once('-')?;
        let log = (!log.is_empty()).then(|| log.to_string())?;
        let it = Self { number: number.parse().ok()?, log };
        (it.is_possible() && it.to_string() == name).then_some(it)
    }

    /// Whether it reads back.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.number <= HIGHEST_SEGMENT
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{}", self.number, self.log)
    }
}

/// The boots of a disk, this one first, and each with how many boots before this one it is. This boot may have none yet.
#[must_use]
pub fn boots(mut names: Vec<BootName>, this: &str) -> Vec<(u32, BootName)> {
    names.sort_by(|one, other| other.cmp(one));
    let first = if names.first().is_some_and(|name| name.id == this) { 0 } else { 1 };
    (first..).zip(names).collect()
}

/// Which of [`boots`] is asked for.
///
/// # Errors
/// None is it, or several.
pub fn choose<'b>(boots: &'b [(u32, BootName)], word: &BootWord) -> Result<&'b (u32, BootName), NoBoot> {
    match word {
        BootWord::Before(before) => boots
            .iter()
            .find(|(number, _)| number == before)
            .ok_or_else(|| NoBoot::TooFar(boots.last().map_or(0, |(number, _)| *number))),
        BootWord::Id(id) => {
            let mut found = boots.iter().filter(|(_, name)| name.id.starts_with(id.as_str()));
            match (found.next(), found.next()) {
                (Some(one), None) => Ok(one),
                (None, _) => Err(NoBoot::Unknown),
                (Some(_), Some(_)) => Err(NoBoot::Several),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn boot(number: u32, first: &str) -> BootName {
        BootName { number, id: format!("{first}4e45f-ceea-467f-a8c4-1f2b5d7e9a30") }
    }

    #[test]
    fn names_read_back_and_others_are_none() {
        let name = boot(7, "8f1");
        assert_eq!(name.to_string(), "00000007-8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30");
        assert_eq!(BootName::parse(&name.to_string()), Some(name));
        let segment = SegmentName { number: 1 << 33, log: "a-b.c".into() };
        assert_eq!(SegmentName::parse(&segment.to_string()), Some(segment));
        for text in ["", "lost+found", "1-", "x-8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30", "1-8f14e45f"] {
            assert_eq!(BootName::parse(text), None, "{text}");
        }
        for text in ["", "web", "-web", "1-", "1x-web"] {
            assert_eq!(SegmentName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn there_is_one_way_to_write_a_name_and_none_for_a_number_that_cannot_be() {
        const ID: &str = "8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30";
        for number in ["1", "+0000001", "0000000001", "99999999", "100000000", "4294967295", "4294967296"] {
            assert_eq!(BootName::parse(&format!("{number}-{ID}")), None, "{number}");
        }
        for number in ["1", "+000000001", "10000000000", "18446744073709551615"] {
            assert_eq!(SegmentName::parse(&format!("{number}-web")), None, "{number}");
        }
        let last = BootName::parse(&format!("99999998-{ID}")).unwrap();
        assert_eq!(last.next(ID).and_then(|beyond| beyond.next(ID)), None);
        assert_eq!(BootName { number: 7, ..last }.next(ID).unwrap().to_string(), format!("00000008-{ID}"));
    }

    #[test]
    fn boots_are_counted_back_from_this_one() {
        let names = vec![boot(3, "aaa"), boot(9, "bbb"), boot(10, "abc")];
        let numbers = |this: &str| {
            boots(names.clone(), this).into_iter().map(|(back, name)| (back, name.number)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&names[2].id), [(0, 10), (1, 9), (2, 3)]);
        assert_eq!(numbers("another"), [(1, 10), (2, 9), (3, 3)]);
        let all = boots(names.clone(), &names[2].id);
        let find = |word| choose(&all, &word).map(|(_, name)| name.number);
        assert_eq!(find(BootWord::Before(0)), Ok(10));
        assert_eq!(find(BootWord::Before(2)), Ok(3));
        assert_eq!(find(BootWord::Before(3)), Err(NoBoot::TooFar(2)));
        assert_eq!(find(BootWord::Id("b".into())), Ok(9));
        assert_eq!(find(BootWord::Id("a".into())), Err(NoBoot::Several));
        assert_eq!(find(BootWord::Id("c".into())), Err(NoBoot::Unknown));
        assert_eq!(choose(&[], &BootWord::Before(1)), Err(NoBoot::TooFar(0)));
    }
}
