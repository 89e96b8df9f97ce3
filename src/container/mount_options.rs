//! Options of a mount, as the specification and mount(8) write them → what the kernel is asked for.
//!
//! What is no option of a mount is one of its file system (`size=64m`), which will say so if it is not.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What is changed of a mount's attributes: MOUNT_ATTR_* of linux/mount.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
}

impl Attributes {
    pub const READ_ONLY: Self = Self { set: READ_ONLY, clear: 0 };

    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The same without being read-only; `None` when they are not.
    #[must_use]
    pub fn writable(self) -> Option<Self> {
        (self.set & READ_ONLY != 0).then_some(Self { set: self.set & !READ_ONLY, ..self })
    }

    fn on(&mut self, bits: u64) {
        self.set |= bits;
        self.clear &= !bits;
    }

    fn off(&mut self, bits: u64) {
        self.set &= !bits;
        self.clear |= bits;
    }

    /// One of several that exclude one another: the kernel wants the whole field cleared.
    fn access_time(&mut self, bits: u64) {
        self.set = self.set & !ACCESS_TIME | bits;
        self.clear |= ACCESS_TIME;
    }
}

const READ_ONLY: u64 = 0x1;
const NO_SUID: u64 = 0x2;
const NO_DEV: u64 = 0x4;
const NO_EXEC: u64 = 0x8;
/// The field of which the following are values; relatime is 0.
const ACCESS_TIME: u64 = 0x70;
const NO_ACCESS_TIME: u64 = 0x10;
const STRICT_ACCESS_TIME: u64 = 0x20;
const NO_DIRECTORY_ACCESS_TIME: u64 = 0x80;
const NO_SYMLINK_FOLLOW: u64 = 0x20_0000;

/// What mounts and unmounts below are seen elsewhere (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    Shared,
    Slave,
    Private,
    Unbindable,
}

impl Propagation {
    /// By its name; whether with the mounts below it.
    #[must_use]
    pub fn named(name: &str) -> Option<(Self, Reach)> {
        let (reach, name) =
            name.strip_prefix('r').map_or((Reach::One, name), |below| (Reach::AllBelow, below));
        let propagation = match name {
            "shared" => Self::Shared,
            "slave" => Self::Slave,
            "private" => Self::Private,
            "unbindable" => Self::Unbindable,
            _ => return None,
        };
        Some((propagation, reach))
    }
}

/// Which mounts of a tree are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    One,
    AllBelow,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MountOptions {
    /// Of the mount itself, and of it with all below.
    pub attributes: Attributes,
    pub attributes_below: Attributes,
    /// It shows what is mounted already.
    pub bind: Option<Reach>,
    /// In the order they were given.
    pub propagation: Vec<(Propagation, Reach)>,
    pub id_map: Option<Reach>,
    /// A tmpfs begins with what it covers.
    pub copy_up: bool,
    /// Changes what is mounted there.
    pub remount: bool,
    /// For the file system, with an empty value for what is a word alone.
    pub data: Vec<(String, String)>,
}

impl MountOptions {
    /// Reads them in order: of two that contradict each other the later one counts.
    ///
    /// # Errors
    /// The option that cannot be kept, and why.
    pub fn read(options: &[String]) -> Result<Self, String> {
        let mut read = Self::default();
        for option in options {
            read.take(option)?;
        }
        Ok(read)
    }

    fn take(&mut self, option: &str) -> Result<(), String> {
        if attribute(&mut self.attributes, option) || self.recursive_attribute(option) {
            return Ok(());
        }
        if let Some(propagation) = Propagation::named(option) {
            self.propagation.push(propagation);
            return Ok(());
        }
        match option {
            "bind" => self.bind = Some(Reach::One),
            "rbind" => self.bind = Some(Reach::AllBelow),
            "idmap" => self.id_map = Some(Reach::One),
            "ridmap" => self.id_map = Some(Reach::AllBelow),
            "tmpcopyup" => self.copy_up = true,
            "remount" => self.remount = true,
            // What they ask for is so.
            "defaults" | "async" | "loud" | "silent" | "nomand" | "noiversion" | "nolazytime" | "" => {}
            "mand" => return Err("mandatory locks are no longer in any kernel".to_owned()),
            other if other.contains('\0') => return Err(format!("{other:?} has a NUL in it")),
            other => {
                let (key, value) = other.split_once('=').unwrap_or((other, ""));
                self.data.push((key.to_owned(), value.to_owned()));
            }
        }
        Ok(())
    }

    /// `rro`, `rnosuid`, …: as without the `r`, of all mounts below too.
    fn recursive_attribute(&mut self, option: &str) -> bool {
        option.strip_prefix('r').is_some_and(|option| attribute(&mut self.attributes_below, option))
    }
}

fn attribute(attributes: &mut Attributes, option: &str) -> bool {
    match option {
        "ro" => attributes.on(READ_ONLY),
        "rw" => attributes.off(READ_ONLY),
        "nosuid" => attributes.on(NO_SUID),
        "suid" => attributes.off(NO_SUID),
        "nodev" => attributes.on(NO_DEV),
        "dev" => attributes.off(NO_DEV),
        "noexec" => attributes.on(NO_EXEC),
        "exec" => attributes.off(NO_EXEC),
        "nodiratime" => attributes.on(NO_DIRECTORY_ACCESS_TIME),
        "diratime" => attributes.off(NO_DIRECTORY_ACCESS_TIME),
        "nosymfollow" => attributes.on(NO_SYMLINK_FOLLOW),
        "symfollow" => attributes.off(NO_SYMLINK_FOLLOW),
        "noatime" => attributes.access_time(NO_ACCESS_TIME),
        "strictatime" => attributes.access_time(STRICT_ACCESS_TIME),
        "atime" | "relatime" | "nostrictatime" => attributes.access_time(0),
        // The kernel has nothing less than relatime that is not asked for by another name.
        "norelatime" => {}
        _ => return false,
    }
    true
}

/// Every option that is no file system's own, for `features`.
pub const KNOWN_OPTIONS: [&str; 55] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "exec",
    "idmap",
    "loud",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "remount",
    "rexec",
    "ridmap",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "slave",
    "strictatime",
    "suid",
    "symfollow",
    "tmpcopyup",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> MountOptions {
        MountOptions::read(&options.iter().map(|&o| o.into()).collect::<Vec<String>>()).unwrap()
    }

    #[track_caller]
    fn check(options: &[&str], set: u64, clear: u64) {
        assert_eq!(read(options).attributes, Attributes { set, clear }, "{options:?}");
    }

    #[test]
    fn of_two_that_contradict_each_other_the_later_counts() {
        check(&["ro", "rw"], 0, READ_ONLY);
        check(&["rw", "ro"], READ_ONLY, 0);
        check(&["nosuid", "noexec", "nodev"], NO_SUID | NO_EXEC | NO_DEV, 0);
        check(&["noatime", "strictatime"], STRICT_ACCESS_TIME, ACCESS_TIME);
        check(&["strictatime", "relatime"], 0, ACCESS_TIME);
        check(&["nodiratime", "noatime"], NO_DIRECTORY_ACCESS_TIME | NO_ACCESS_TIME, ACCESS_TIME);
    }

    #[test]
    fn an_r_before_it_means_the_mounts_below_too() {
        let options = read(&["rbind", "rro", "rnosuid", "rprivate"]);
        assert_eq!(options.attributes, Attributes::default());
        assert_eq!(options.attributes_below, Attributes { set: READ_ONLY | NO_SUID, clear: 0 });
        assert_eq!(options.bind, Some(Reach::AllBelow));
        assert_eq!(options.propagation, [(Propagation::Private, Reach::AllBelow)]);
    }

    #[test]
    fn what_is_no_option_of_a_mount_is_its_file_systems() {
        let data = |options| read(options).data;
        assert_eq!(
            data(&["size=64m", "newinstance", "gid=5", "async"]),
            [
                ("size".into(), "64m".into()),
                ("newinstance".into(), String::new()),
                ("gid".into(), "5".into()),
            ]
        );
    }

    #[test]
    fn every_option_that_is_said_to_be_known_is() {
        assert!(KNOWN_OPTIONS.is_sorted());
        for option in KNOWN_OPTIONS {
            assert_eq!(read(&[option]).data, [], "{option}");
        }
    }
}
