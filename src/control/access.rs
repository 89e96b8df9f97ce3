//! Who may ask for what.
//!
//! A method is of one class, which [`super::Request::access`] says beside its declaration. Who comes by the socket is told by the kernel (user, groups); who comes by a virtio port
//! owns the machine's memory, and is not asked.

use crate::config::{Admission, Readers};

/// What somebody may do, or a method takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// To see what the machine does and did. Nothing is changed, and nothing is told of what a container keeps
    /// for itself: its environment, its files.
    Read,
    Change,
}

/// What a user may do, by number and groups; `None`: nothing at all.
#[must_use]
pub fn access(admission: &Admission, user: u32, groups: &[u32]) -> Option<Access> {
    if user == 0 || admission.group.is_some_and(|group| groups.contains(&group)) {
        return Some(Access::Change);
    }
    let may_read = match &admission.readers {
        Readers::Everyone => true,
        Readers::Users(users) => users.contains(&user),
    };
    may_read.then_some(Access::Read)
}

/// The group that owns the socket, and its mode: as narrow as the kernel can say it. A list of users is more
/// than a mode holds, so that all may connect then, and most are refused.
#[must_use]
pub fn socket_mode(admission: &Admission) -> (u32, u32) {
    let has_readers = match &admission.readers {
        Readers::Everyone => true,
        Readers::Users(users) => !users.is_empty(),
    };
    match (has_readers, admission.group) {
        (true, group) => (group.unwrap_or(0), 0o666),
        (false, Some(group)) => (group, 0o660),
        (false, None) => (0, 0o600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(group: Option<u32>, readers: Readers) -> Admission {
        Admission { group, readers }
    }

    #[test]
    fn root_and_the_group_may_all_readers_may_look_and_others_nothing() {
        let listed = admission(Some(900), Readers::Users(vec![1000]));
        let check = |admission: &Admission, user, groups: &[u32], expected| {
            assert_eq!(access(admission, user, groups), expected, "{user} {groups:?}");
        };
        check(&listed, 0, &[0], Some(Access::Change));
        check(&listed, 5, &[5, 900], Some(Access::Change));
        check(&listed, 1000, &[1000], Some(Access::Read));
        check(&listed, 1000, &[1000, 900], Some(Access::Change));
        check(&listed, 1001, &[1001], None);
        // Another's number in the other role.
        check(&listed, 900, &[1000], None);
        let everyone = admission(None, Readers::Everyone);
        check(&everyone, 1001, &[0], Some(Access::Read));
        // Root of a container, as the machine numbers it.
        check(&everyone, 1 << 20, &[1 << 20], Some(Access::Read));
        check(&Admission::default(), 1 << 20, &[0], None);
        check(&Admission::default(), 0, &[], Some(Access::Change));
    }

    #[test]
    fn the_socket_is_as_narrow_as_its_mode_can_say() {
        assert_eq!(socket_mode(&Admission::default()), (0, 0o600));
        assert_eq!(socket_mode(&admission(Some(900), Readers::default())), (900, 0o660));
        assert_eq!(socket_mode(&admission(Some(900), Readers::Users(vec![7]))), (900, 0o666));
        assert_eq!(socket_mode(&admission(None, Readers::Everyone)), (0, 0o666));
    }
}
