//! The table of what must outlive the supervisor: at most [`TABLE_ENTRIES`] entries, allocated
//! once. Generic over the file descriptors, which this room has no business with.

use alloc::vec::Vec;

use super::{Child, Ended};

/// A machine of 1,000 containers (its process and its log ring each) fits twice.
pub const TABLE_ENTRIES: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Alive,
    Ended(Ended),
}

#[derive(Debug)]
pub struct Entry<Fds> {
    pub child: Child,
    pub state: State,
    pub fds: Fds,
    /// The supervisor of now has been told how it ended.
    pub told: bool,
}

/// There is no room for one more entry, or its cookie is taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
pub struct Table<Fds> {
    entries: Vec<Entry<Fds>>,
}

impl<Fds> Table<Fds> {
    /// Reserves all the memory that the table will ever use; untouched pages cost nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { entries: Vec::with_capacity(TABLE_ENTRIES) }
    }

    /// # Errors
    /// [`Full`] when there is no room or the cookie is already there.
    pub fn insert(&mut self, child: Child, fds: Fds) -> Result<(), Full> {
        if self.entries.len() >= TABLE_ENTRIES || self.find(child.cookie).is_some() {
            return Err(Full);
        }
        self.entries.push(Entry { child, state: State::Alive, fds, told: false });
        Ok(())
    }

    fn find(&self, cookie: u64) -> Option<usize> {
        self.entries.iter().position(|entry| entry.child.cookie == cookie)
    }

    /// Notes the end of a living child. `None`: it is not in the table, an orphan.
    pub fn ended(&mut self, pid: i32, ended: Ended) -> Option<&mut Entry<Fds>> {
        let entry =
            self.entries.iter_mut().find(|entry| entry.child.pid == pid && entry.state == State::Alive)?;
        entry.state = State::Ended(ended);
        Some(entry)
    }

    /// Forgets a child whose end is recorded. A living one stays.
    pub fn recorded(&mut self, cookie: u64) -> Option<Entry<Fds>> {
        let at = self.find(cookie)?;
        match self.entries.get(at)?.state {
            State::Alive => None,
            State::Ended(_) => Some(self.entries.swap_remove(at)),
        }
    }

    /// Forgets an entry that is no process. A child stays until its end is recorded.
    pub fn release(&mut self, cookie: u64) -> Option<Entry<Fds>> {
        let at = self.find(cookie)?;
        (self.entries.get(at)?.child.pid == 0).then(|| self.entries.swap_remove(at))
    }

    /// A new supervisor knows nothing: everything is to be told again.
    pub fn forget_told(&mut self) {
        for entry in &mut self.entries {
            entry.told = false;
        }
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry<Fds>] {
        &self.entries
    }

    pub fn entries_mut(&mut self) -> &mut [Entry<Fds>] {
        &mut self.entries
    }
}

impl<Fds> Default for Table<Fds> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Label};
    use super::*;

    fn child(cookie: u64, pid: i32) -> Child {
        Child { cookie, kind: Kind::Container, pid, label: Label::new("web") }
    }

    #[test]
    fn an_end_stays_until_it_is_recorded() {
        let mut table = Table::new();
        table.insert(child(1, 10), ()).unwrap();
        assert!(table.recorded(1).is_none(), "a living child is not forgotten");
        assert!(table.ended(10, Ended { status: 3, ..Ended::default() }).is_some());
        assert_eq!(table.entries().len(), 1);
        assert!(table.recorded(1).is_some());
        assert!(table.recorded(1).is_none());
    }

    #[test]
    fn a_reused_pid_is_an_orphan_not_the_dead_child() {
        let mut table = Table::new();
        table.insert(child(1, 10), ()).unwrap();
        assert!(table.ended(10, Ended::default()).is_some());
        assert!(table.ended(10, Ended::default()).is_none());
    }

    #[test]
    fn it_is_bounded_and_a_cookie_is_taken_once() {
        let mut table = Table::new();
        for cookie in 0..TABLE_ENTRIES as u64 {
            table.insert(child(cookie, cookie as i32 + 2), ()).unwrap();
        }
        assert_eq!(table.insert(child(u64::MAX, 1), ()), Err(Full));
        table.ended(2, Ended::default()).unwrap();
        table.recorded(0).unwrap();
        assert_eq!(table.insert(child(1, 99), ()), Err(Full));
    }

    #[test]
    fn only_what_is_no_process_can_be_released() {
        let mut table = Table::new();
        table.insert(child(1, 10), ()).unwrap();
        table.insert(child(2, 0), ()).unwrap();
        assert!(table.release(1).is_none());
        assert!(table.release(2).is_some());
    }
}
