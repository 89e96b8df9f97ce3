//! From when to when output is wanted, each end on the clock that it was meant for.

use super::entry::Stamp;

/// A moment on one of the two clocks of a [`Stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Microseconds since boot.
    Boot(u64),
    /// Nanoseconds of Unix time.
    Wall(i64),
}

/// Both ends belong to it. The default is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    pub since: Option<Bound>,
    pub until: Option<Bound>,
}

impl Range {
    #[must_use]
    pub fn holds(&self, stamp: Stamp) -> bool {
        !self.is_before(stamp) && !self.is_after(stamp)
    }

    /// The stamp is earlier.
    #[must_use]
    pub fn is_before(&self, stamp: Stamp) -> bool {
        match self.since {
            None => false,
            Some(Bound::Boot(us)) => stamp.boot_us < us,
            Some(Bound::Wall(ns)) => stamp.wall_ns < ns,
        }
    }

    /// The stamp is later.
    #[must_use]
    pub fn is_after(&self, stamp: Stamp) -> bool {
        match self.until {
            None => false,
            Some(Bound::Boot(us)) => stamp.boot_us > us,
            Some(Bound::Wall(ns)) => stamp.wall_ns > ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_it_on_their_clocks() {
        let stamp = |boot_us, wall_ns| Stamp { boot_us, wall_ns };
        let range = Range { since: Some(Bound::Boot(5)), until: Some(Bound::Wall(-3)) };
        for (stamp, expected) in [
            (stamp(5, -3), true),
            (stamp(4, -3), false),
            (stamp(5, -2), false),
            // A clock that was set back between.
            (stamp(9, -90), true),
        ] {
            assert_eq!(range.holds(stamp), expected, "{stamp:?}");
        }
        assert!(Range::default().holds(stamp(u64::MAX, i64::MIN)));
    }
}
