//! Which bytes of what it was given have arrived, when so many bytes of what it made of them have.

use std::collections::VecDeque;

/// Kept, the most. Beyond it the last one stands for more.
const MARKS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Bytes of the session, bytes given: all of the latter are in the former.
    marks: VecDeque<(u64, u64)>,
}

impl Marks {
    pub(crate) fn add(&mut self, of_session: u64, given: u64) {
        if self.marks.len() >= MARKS {
            self.marks.pop_back();
        }
        self.marks.push_back((of_session, given));
    }

    /// Bytes given that are known to have arrived now, if there are more of them.
    pub(crate) fn arrived(&mut self, of_session: u64) -> Option<u64> {
        let mut arrived = None;
        while self.marks.front().is_some_and(|(end, _)| *end <= of_session) {
            arrived = self.marks.pop_front().map(|(_, given)| given);
        }
        arrived
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_has_arrived_with_all_that_was_made_of_it() {
        let mut marks = Marks::default();
        for number in 1..=3 {
            marks.add(1000 + 100 * number, 70 * number);
        }
        assert_eq!(marks.arrived(1099), None);
        assert_eq!(marks.arrived(1250), Some(140));
        assert_eq!(marks.arrived(1250), None);
        assert_eq!((marks.arrived(9999), marks.is_empty()), (Some(210), true));
    }

    #[test]
    fn marks_are_few_and_go_on_while_much_is_on_its_way() {
        let mut marks = Marks::default();
        for number in 1..=1000 {
            marks.add(100 * number, 70 * number);
            assert!(marks.marks.len() <= MARKS);
        }
        assert_eq!(marks.arrived(50_000), Some(70 * 63));
        marks.add(100_100, 70_070);
        assert_eq!(marks.arrived(100_000), Some(70_000));
        assert_eq!(marks.arrived(100_100), Some(70_070));
    }
}
