//! Resource limits by the names of setrlimit(2), in lower case and without `RLIMIT_`.

use super::super::diagnostic::Mistake;
use super::super::model::Rlimit;
use super::super::nearest::nearest;
use alloc::format;

const NAMES: [(Rlimit, &str); 16] = [
    (Rlimit::As, "as"),
    (Rlimit::Core, "core"),
    (Rlimit::Cpu, "cpu"),
    (Rlimit::Data, "data"),
    (Rlimit::Fsize, "fsize"),
    (Rlimit::Locks, "locks"),
    (Rlimit::Memlock, "memlock"),
    (Rlimit::Msgqueue, "msgqueue"),
    (Rlimit::Nice, "nice"),
    (Rlimit::Nofile, "nofile"),
    (Rlimit::Nproc, "nproc"),
    (Rlimit::Rss, "rss"),
    (Rlimit::Rtprio, "rtprio"),
    (Rlimit::Rttime, "rttime"),
    (Rlimit::Sigpending, "sigpending"),
    (Rlimit::Stack, "stack"),
];

/// As JSON Schema has it.
pub(crate) const PATTERN: &str =
    "^(as|core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack)$";

impl Rlimit {
    /// `nofile`
    pub fn name(self) -> &'static str {
        NAMES.into_iter().find(|(rlimit, _)| *rlimit == self).map_or("", |(_, name)| name)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.into_iter().find(|(_, known)| *known == name).map(|(rlimit, _)| rlimit)
    }
}

pub(crate) fn check(name: &str) -> Result<(), Mistake> {
    if Rlimit::from_name(name).is_some() {
        return Ok(());
    }
    let mistake = Mistake::new(format!("`{name}` is no resource limit"));
    Err(match nearest(name, NAMES.into_iter().map(|(_, known)| known)) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help("the names are those of setrlimit(2), like `nofile`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_names_each_limit_once() {
        let names: Vec<&str> = NAMES.into_iter().map(|(_, name)| name).collect();
        assert_eq!(PATTERN, format!("^({})$", names.join("|")));
        for (rlimit, name) in NAMES {
            assert_eq!((rlimit.name(), Rlimit::from_name(name)), (name, Some(rlimit)));
        }
    }

    #[test]
    fn suggests_the_nearest_limit() {
        assert_eq!(check("nofiles").unwrap_err().help.unwrap(), "did you mean `nofile`?");
    }
}
