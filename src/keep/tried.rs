//! Boots in a row that had a configuration from the disk and ended without a word: a dead kernel, a reset by the watchdog, or a
//! power cut. Three are enough, unless that configuration has had a boot that went well: then it is not the configuration.

use alloc::format;
use alloc::string::{String, ToString};

/// As of supervisors that die.
const TOO_MANY: u32 = 3;

/// What is known of the configuration of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    pub number: u64,
    pub boots: Boots,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boots {
    /// So many have begun since one ended in order; none has lived for long.
    Tries(u32),
    /// One has.
    Well,
}

impl Tried {
    /// `None`: it makes no sense.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, boots) = text.trim().split_once(' ')?;
        let boots = match boots {
            "well" => Boots::Well,
            tries => Boots::Tries(tries.parse().ok()?),
        };
        Some(Self { number: number.parse().ok()?, boots })
    }

    #[must_use]
    pub fn text(&self) -> String {
        let boots = match self.boots {
            Boots::Well => "well".to_string(),
            Boots::Tries(tries) => tries.to_string(),
        };
        format!("{} {boots}\n", self.number)
    }

    /// One more boot begins with this configuration. `before`: what was known at the boot before, whose end was announced or was not.
    #[must_use]
    pub fn begin(before: Option<Self>, number: u64, was_announced: bool) -> Self {
        let boots = match before.filter(|it| it.number == number).map(|it| it.boots) {
            Some(Boots::Well) => Boots::Well,
            Some(Boots::Tries(tries)) if !was_announced => Boots::Tries(tries.saturating_add(1)),
            Some(Boots::Tries(_)) | None => Boots::Tries(1),
        };
        Self { number, boots }
    }

    /// It has lived for long.
    #[must_use]
    pub fn well(self) -> Self {
        Self { boots: Boots::Well, ..self }
    }

    /// This boot did not have it after all.
    #[must_use]
    pub fn spared(self) -> Self {
        let boots = match self.boots {
            Boots::Well => Boots::Well,
            Boots::Tries(tries) => Boots::Tries(tries.saturating_sub(1)),
        };
        Self { boots, ..self }
    }

    /// It is not to have this boot, the fourth, as well.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        matches!(self.boots, Boots::Tries(tries) if tries > TOO_MANY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boots one after the other: which configuration, and whether the one before had announced its end.
    fn after(boots: &[(u64, bool)]) -> Tried {
        let next = |before, (number, was_announced): &(u64, bool)| {
            Some(Tried::begin(before, *number, *was_announced))
        };
        boots.iter().fold(None, next).unwrap()
    }

    #[test]
    fn three_boots_in_a_row_without_a_word_are_enough() {
        const CUT: (u64, bool) = (7, false);
        const ORDERLY: (u64, bool) = (7, true);
        assert!(!after(&[CUT, CUT, CUT]).is_enough());
        assert!(after(&[CUT, CUT, CUT, CUT]).is_enough());
        assert!(!after(&[CUT, CUT, CUT, ORDERLY]).is_enough());
        assert!(!after(&[CUT, CUT, ORDERLY, CUT, CUT]).is_enough());
        assert!(!after(&[CUT, CUT, CUT, (8, false)]).is_enough(), "another one");
    }

    #[test]
    fn one_that_has_done_well_is_not_to_blame_for_power_cuts_nor_one_that_was_not_in_force() {
        let well = Tried::begin(None, 7, false).well();
        let cut = (0..9).fold(well, |before, _| Tried::begin(Some(before), 7, false));
        assert!(!cut.is_enough());
        let late = (0..9)
            .fold(Tried::begin(None, 7, false), |before, _| Tried::begin(Some(before.spared()), 7, false));
        assert!(!late.is_enough());
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nonsense_is_nothing() {
        for boots in [Boots::Tries(0), Boots::Tries(u32::MAX), Boots::Well] {
            let tried = Tried { number: u64::MAX, boots };
            assert_eq!(Tried::parse(&tried.text()), Some(tried));
        }
        for text in ["", "7", "7 ", "well 7", "7 -1", "x 1"] {
            assert_eq!(Tried::parse(text), None, "{text}");
        }
        assert!(Tried::begin(Tried::parse("7 4294967295"), 7, false).is_enough());
    }
}
