//! Which namespaces a container has, and how it comes to them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::container::refused::Refused;
use crate::container::spec::{IdMapping, Linux, TimeOffset};
use crate::container::steps::{InsideStep, NamespaceKind as Kind, SetupStep, Taking};

pub(super) enum UserNamespace {
    New { uids: Vec<IdMapping>, gids: Vec<IdMapping> },
    Joined { path: String },
}

pub(super) struct Namespaces {
    new: Vec<Kind>,
    joined: Vec<(Kind, String)>,
    pub(super) user: Option<UserNamespace>,
    has_time_offsets: bool,
}

/// By the specification's name of it.
fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// Those that a spec names, made or joined.
///
/// # Errors
/// [`Refused`] for an unknown one, and one that is named twice.
pub fn kinds_of(linux: &Linux) -> Result<Vec<(Kind, Option<&str>)>, Refused> {
    let mut found: Vec<(Kind, Option<&str>)> = Vec::new();
    for (index, namespace) in linux.namespaces.iter().enumerate() {
        let field = format!("linux.namespaces[{index}].type");
        let Some(kind) = kind(&namespace.kind) else {
            return Err(Refused::new(field, format!("nobody knows `{}`", namespace.kind)));
        };
        if found.iter().any(|(other, _)| *other == kind) {
            return Err(Refused::new(field, format!("`{}` is there already", namespace.kind)));
        }
        found.push((kind, namespace.path.as_deref().filter(|path| !path.is_empty())));
    }
    Ok(found)
}

impl Namespaces {
    pub(super) fn of(linux: &Linux) -> Result<Self, Refused> {
        let mut all = Self {
            new: Vec::new(),
            joined: Vec::new(),
            user: None,
            has_time_offsets: !linux.time_offsets.is_empty(),
        };
        let mut mount = false;
        for (index, (kind, path)) in kinds_of(linux)?.into_iter().enumerate() {
            let refuse = |why: &str| Err(Refused::new(format!("linux.namespaces[{index}].path"), why));
            match (kind, path) {
                (_, Some(path)) if !path.starts_with('/') => return refuse("it is not absolute"),
                (Kind::Mount, Some(_)) => {
                    return refuse("a mount namespace is always the container's own: its root is made in it");
                }
                (Kind::Mount, None) => mount = true,
                (Kind::User, Some(path)) => {
                    all.user = Some(UserNamespace::Joined { path: path.into() });
                }
                (Kind::User, None) => all.user = Some(mapped(linux)?),
                (kind, Some(path)) => all.joined.push((kind, path.into())),
                (kind, None) => all.new.push(kind),
            }
        }
        if !mount {
            return Err(Refused::new("linux.namespaces", "a container needs a mount namespace of its own"));
        }
        if all.user.is_none() && !(linux.uid_mappings.is_empty() && linux.gid_mappings.is_empty()) {
            return Err(Refused::new("linux.uidMappings", "they need a namespace of the type user"));
        }
        if all.has_time_offsets && !all.new.contains(&Kind::Time) {
            return Err(Refused::new("linux.timeOffsets", "they need a new namespace of the type time"));
        }
        Ok(all)
    }

    /// Whether it is another than the engine's.
    pub(super) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::User => self.user.is_some(),
            Kind::Mount => true,
            other => self.is_new(other) || self.joined.iter().any(|(joined, _)| *joined == other),
        }
    }

    pub(super) fn is_new(&self, kind: Kind) -> bool {
        self.new.contains(&kind)
    }

    /// Whether a file system that shows it can be mounted by the container: it has to have power over the
    /// namespace that it sees, by the user namespace that owns it.
    pub(super) fn owns(&self, kind: Kind) -> bool {
        match &self.user {
            None | Some(UserNamespace::Joined { .. }) => self.user.is_none() || self.has(kind),
            Some(UserNamespace::New { .. }) => self.is_new(kind),
        }
    }

    /// What comes before the mounts. A container in a new user namespace is there from then on: its maps
    /// are what mounts are mapped by.
    pub(super) fn before_mounts(&self) -> Vec<SetupStep> {
        match &self.user {
            Some(UserNamespace::New { uids, gids }) => {
                let mut steps: Vec<SetupStep> = self.joins().collect();
                steps.push(SetupStep::Clone { namespaces: self.made_with_the_container() });
                steps.push(SetupStep::MapIds { uids: uids.clone(), gids: gids.clone() });
                steps
            }
            Some(UserNamespace::Joined { path }) => {
                Vec::from([SetupStep::JoinUserNamespace { path: path.clone() }])
            }
            None => Vec::new(),
        }
    }

    /// What comes after all else.
    pub(super) fn after_mounts(&self) -> Vec<SetupStep> {
        match &self.user {
            Some(UserNamespace::New { .. }) => Vec::new(),
            Some(UserNamespace::Joined { .. }) | None => {
                let mut steps: Vec<SetupStep> = self.joins().collect();
                steps.push(SetupStep::Clone { namespaces: self.made_with_the_container() });
                steps
            }
        }
    }

    pub(super) fn taking(&self) -> Taking {
        match &self.user {
            Some(UserNamespace::New { .. }) => Taking::Awaited,
            Some(UserNamespace::Joined { .. }) => Taking::Copied,
            None => Taking::AsItIs,
        }
    }

    fn joins(&self) -> impl Iterator<Item = SetupStep> {
        self.joined.iter().map(|(kind, path)| SetupStep::JoinNamespace { kind: *kind, path: path.clone() })
    }

    /// Without a user namespace, setup's mount namespace is the container's: nothing has to be locked in a
    /// copy. A time namespace whose clocks are to be set cannot have a process in it before.
    fn made_with_the_container(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> =
            self.new.iter().copied().filter(|kind| *kind != Kind::Time || !self.has_time_offsets).collect();
        kinds.extend(match &self.user {
            Some(UserNamespace::New { .. }) => Some(Kind::User),
            Some(UserNamespace::Joined { .. }) => Some(Kind::Mount),
            None => None,
        });
        kinds.sort_unstable();
        kinds
    }

    /// Clocks are set before the first process enters, which is the program.
    pub(super) fn time_offsets(
        offsets: &BTreeMap<String, TimeOffset>,
    ) -> Result<Option<InsideStep>, Refused> {
        let mut lines = Vec::new();
        for (clock, TimeOffset { secs, nanosecs }) in offsets {
            if !matches!(clock.as_str(), "monotonic" | "boottime") {
                return Err(Refused::new("linux.timeOffsets", format!("nobody knows `{clock}`")));
            }
            if *nanosecs > 999_999_999 {
                return Err(Refused::new("linux.timeOffsets", format!("{nanosecs} ns are a second or more")));
            }
            lines.push(format!("{clock} {secs} {nanosecs}"));
        }
        Ok((!lines.is_empty()).then_some(InsideStep::TimeOffsets(lines)))
    }
}

fn mapped(linux: &Linux) -> Result<UserNamespace, Refused> {
    for (field, map) in
        [("linux.uidMappings", &linux.uid_mappings), ("linux.gidMappings", &linux.gid_mappings)]
    {
        check_map(field, map)?;
        if host_id(map, 0).is_none() {
            return Err(Refused::new(field, "a new user namespace needs a mapping for 0"));
        }
    }
    Ok(UserNamespace::New { uids: linux.uid_mappings.clone(), gids: linux.gid_mappings.clone() })
}

/// What user_namespaces(7) asks of a map.
pub(super) fn check_map(field: &str, map: &[IdMapping]) -> Result<(), Refused> {
    const LINES: usize = 340;
    if map.is_empty() || map.len() > LINES {
        return Err(Refused::new(field, format!("a map has from 1 to {LINES} lines")));
    }
    let overlap = |one: u32, other: u32, one_size: u32, other_size: u32| {
        u64::from(one) < u64::from(other) + u64::from(other_size)
            && u64::from(other) < u64::from(one) + u64::from(one_size)
    };
    for (index, line) in map.iter().enumerate() {
        let ends = |first: u32| first.checked_add(line.size).is_none();
        if line.size == 0 || ends(line.container_id) || ends(line.host_id) {
            return Err(Refused::new(field, format!("line {index} has no size, or goes beyond 32 bits")));
        }
        let meets = |other: &IdMapping| {
            overlap(line.container_id, other.container_id, line.size, other.size)
                || overlap(line.host_id, other.host_id, line.size, other.size)
        };
        if map.iter().skip(index + 1).any(meets) {
            return Err(Refused::new(field, format!("line {index} overlaps another")));
        }
    }
    Ok(())
}

/// What an id of the container is outside.
#[must_use]
pub fn host_id(map: &[IdMapping], id: u32) -> Option<u32> {
    map.iter().find_map(|line| {
        let offset = id.checked_sub(line.container_id).filter(|offset| *offset < line.size)?;
        line.host_id.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::spec::Namespace;

    fn linux(kinds: &[(&str, Option<&str>)]) -> Linux {
        let namespaces = kinds
            .iter()
            .map(|(kind, path)| Namespace { kind: (*kind).into(), path: path.map(Into::into) })
            .collect();
        Linux { namespaces, ..Linux::default() }
    }

    #[track_caller]
    fn refused(linux: &Linux, expected: &str) {
        assert_eq!(Namespaces::of(linux).err().map(|refused| refused.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn refuses_what_it_cannot_make_and_says_which() {
        refused(&linux(&[("mount", None), ("pod", None)]), "linux.namespaces[1].type: nobody knows `pod`");
        refused(
            &linux(&[("mount", None), ("pid", None), ("pid", None)]),
            "linux.namespaces[2].type: `pid` is there already",
        );
        refused(
            &linux(&[("mount", None), ("pid", Some("ns/pid"))]),
            "linux.namespaces[1].path: it is not absolute",
        );
        refused(&linux(&[("pid", None)]), "linux.namespaces: a container needs a mount namespace of its own");
        refused(
            &linux(&[("mount", None), ("user", None)]),
            "linux.uidMappings: a map has from 1 to 340 lines",
        );
    }

    #[test]
    fn maps_are_what_the_kernel_would_take() {
        let map = |lines: &[(u32, u32, u32)]| {
            lines
                .iter()
                .map(|(container_id, host_id, size)| IdMapping {
                    container_id: *container_id,
                    host_id: *host_id,
                    size: *size,
                })
                .collect::<Vec<_>>()
        };
        let check = |lines: &[(u32, u32, u32)], ok| {
            assert_eq!(check_map("m", &map(lines)).is_ok(), ok, "{lines:?}");
        };
        check(&[(0, 1000, 1), (1, 100_000, 65_535)], true);
        check(&[(0, 1000, 2), (1, 100_000, 65_535)], false);
        check(&[(0, 1000, 2), (2, 1001, 1)], false);
        check(&[(0, 0, 0)], false);
        check(&[(u32::MAX, 0, 1)], false);
        check(&[], false);
        assert_eq!(host_id(&map(&[(0, 1000, 1), (1, 100_000, 65_535)]), 5), Some(100_004));
        assert_eq!(host_id(&map(&[(0, 1000, 1)]), 5), None);
    }

    #[test]
    fn a_mount_namespace_is_made_again_only_to_lock_what_is_in_it() {
        let made = |linux: &Linux| Namespaces::of(linux).unwrap().made_with_the_container();
        assert_eq!(made(&linux(&[("mount", None), ("pid", None)])), [Kind::Pid]);
        let mut mapped = linux(&[("mount", None), ("pid", None), ("user", None)]);
        mapped.uid_mappings = Vec::from([IdMapping { container_id: 0, host_id: 1000, size: 1 }]);
        mapped.gid_mappings = mapped.uid_mappings.clone();
        assert_eq!(made(&mapped), [Kind::User, Kind::Pid]);
        mapped.namespaces[2].path = Some("/run/userns".into());
        assert_eq!(made(&mapped), [Kind::Mount, Kind::Pid]);
    }
}
