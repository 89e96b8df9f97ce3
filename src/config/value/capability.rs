//! Capabilities by the names of linux/capability.h.

use super::super::diagnostic::Mistake;
use super::super::model::Capabilities;
use super::super::nearest::nearest;
use alloc::format;
use alloc::string::String;

/// The name of capability number N, without `CAP_`, in the order of linux/capability.h (Linux 6.12).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

impl Capabilities {
    /// Every capability that Linux 6.12 has.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// Of a container that says nothing: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP
    /// NET_BIND_SERVICE, podman's default set less SYS_CHROOT and SETFCAP.
    pub const DEFAULT: Self =
        Self(1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10);

    /// Docker's: those, and NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP.
    pub const DOCKER: Self = Self(Self::DEFAULT.0 | 1 << 13 | 1 << 18 | 1 << 27 | 1 << 29 | 1 << 31);

    pub fn contains(self, number: u32) -> bool {
        self.0.checked_shr(number).is_some_and(|bits| bits & 1 == 1)
    }

    /// The one of that name, as capabilities(7) has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("CAP_")?;
        (0..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| Self(1 << number))
    }

    /// `CAP_NET_RAW`, …, by number.
    pub fn names(self) -> impl Iterator<Item = String> {
        let numbered = (0..).zip(NAMES);
        numbered.filter(move |(number, _)| self.contains(*number)).map(|(_, name)| format!("CAP_{name}"))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// One capability, with or without `CAP_`, in capitals or not; or `ALL`.
pub(crate) fn parse(text: &str) -> Result<Capabilities, Mistake> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" {
        return Ok(Capabilities::ALL);
    }
    if let Some((number, _)) = (0..).zip(NAMES).find(|(_, known)| *known == name) {
        return Ok(Capabilities(1 << number));
    }
    let mistake = Mistake::new(format!("\"{text}\" is no capability"));
    Err(match nearest(name, NAMES) {
        Some(near) => mistake.help(format!("did you mean \"{near}\"?")),
        None => mistake.help("the names are those of capabilities(7), like \"NET_BIND_SERVICE\""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_with_and_without_cap() {
        for text in ["NET_RAW", "CAP_NET_RAW", "cap_net_raw"] {
            assert_eq!(parse(text), Ok(Capabilities(1 << 13)), "{text}");
        }
        assert_eq!(parse("CHECKPOINT_RESTORE"), Ok(Capabilities(1 << 40)));
        assert_eq!(parse("ALL"), Ok(Capabilities::ALL));
        assert_eq!(Capabilities::ALL.names().count(), 41);
        assert_eq!(Capabilities::DEFAULT.names().count(), 9);
        assert_eq!(Capabilities::DOCKER.names().count(), 14);
        assert_eq!(Capabilities(1 << 13 | 1).names().collect::<Vec<_>>(), ["CAP_CHOWN", "CAP_NET_RAW"]);
    }

    #[test]
    fn suggests_the_nearest_capability() {
        assert_eq!(parse("SYS_ADMN").unwrap_err().help.unwrap(), "did you mean \"SYS_ADMIN\"?");
    }
}
