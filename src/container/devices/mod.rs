//! Which devices a container may open and make: the specification's rules → a program for the kernel.
//!
//! Rules are taken in order, and each letter of what is asked for is judged by itself: the last rule
//! that speaks of the device and of the letter decides, and what no rule speaks of is denied. Whoever
//! asks for several gets all or nothing.

mod minimal;
mod program;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use program::{Instruction, program};

use super::refused::Refused;
use super::spec::{Device, DeviceRule};

/// Everybody's: null, zero, full, random, urandom; the controlling terminal; the maker of terminals
/// and the terminals that it makes. Not the machine's console: a container's is a terminal.
const COMMON: [(u32, Option<u32>); 8] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
];
/// 12 and 20 bits, linux/kdev_t.h.
const MAJORS: u32 = 1 << 12;
const MINORS: u32 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Block,
    Character,
}

/// Of `r`, `w` and `m`, the kernel's `BPF_DEVCG_ACC_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    pub const MAKE: Self = Self(1);
    pub const READ: Self = Self(2);
    pub const WRITE: Self = Self(4);
    pub const ALL: Self = Self(7);
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A rule that has been read: what is not said is `None` and means every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub allow: bool,
    pub kind: Option<Kind>,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: Access,
}

/// What a container gets that says nothing, in the specification's words.
#[must_use]
pub fn common() -> Vec<DeviceRule> {
    let nothing = DeviceRule { access: "rwm".to_owned(), ..DeviceRule::default() };
    let allowed = COMMON.iter().map(|(major, minor)| DeviceRule {
        allow: true,
        kind: "c".to_owned(),
        major: Some((*major).into()),
        minor: minor.map(i64::from),
        ..nothing.clone()
    });
    core::iter::once(nothing.clone()).chain(allowed).collect()
}

/// The rules that are in force for a specification that says this, with these devices declared.
///
/// The devices that every container has work whatever is said of them, as it demands. What is
/// declared can be made, as the start must; it can be used if a rule says so, or if there is no rule.
///
/// # Errors
/// [`Refused`].
pub fn rules(given: &[DeviceRule], declared: &[Device]) -> Result<Vec<Rule>, Refused> {
    let mut rules =
        given.iter().enumerate().map(|(at, rule)| read(at, rule)).collect::<Result<Vec<_>, _>>()?;
    rules.extend(COMMON.iter().map(|(major, minor)| Rule {
        allow: true,
        kind: Some(Kind::Character),
        major: Some(*major),
        minor: *minor,
        access: Access::ALL,
    }));
    let access = if given.is_empty() { Access::ALL } else { Access::MAKE };
    for (at, device) in declared.iter().enumerate() {
        let field = format!("linux.devices[{at}]");
        let kind = match device.kind.as_str() {
            "c" | "u" => Kind::Character,
            "b" => Kind::Block,
            // No device, and no rule needed.
            "p" => continue,
            other => {
                return Err(Refused::new(
                    format!("{field}.type"),
                    format!("`{other}` is none of c, u, b, p"),
                ));
            }
        };
        rules.push(Rule {
            allow: true,
            kind: Some(kind),
            major: Some(number(device.major, MAJORS, || format!("{field}.major"))?),
            minor: Some(number(device.minor, MINORS, || format!("{field}.minor"))?),
            access,
        });
    }
    Ok(rules)
}

fn read(at: usize, rule: &DeviceRule) -> Result<Rule, Refused> {
    let field = |name: &str| format!("linux.resources.devices[{at}].{name}");
    let kind = match rule.kind.as_str() {
        "" | "a" => None,
        "c" => Some(Kind::Character),
        "b" => Some(Kind::Block),
        other => return Err(Refused::new(field("type"), format!("`{other}` is none of a, b, c"))),
    };
    // -1 is how Docker's and podman's libraries write what the specification leaves out.
    let one = |value: Option<i64>, end: u32, name: &str| {
        value.filter(|value| *value != -1).map(|value| number(value, end, || field(name))).transpose()
    };
    let mut access = Access::NONE;
    for letter in rule.access.chars() {
        access = access.and(match letter {
            'r' => Access::READ,
            'w' => Access::WRITE,
            'm' => Access::MAKE,
            // Seen in tests of others; to deny more than was meant opens nothing.
            'a' if !rule.allow => Access::ALL,
            other => return Err(Refused::new(field("access"), format!("`{other}` is none of r, w, m"))),
        });
    }
    if access == Access::NONE {
        return Err(Refused::new(field("access"), "is missing: of r, w and m"));
    }
    let (major, minor) = (one(rule.major, MAJORS, "major")?, one(rule.minor, MINORS, "minor")?);
    Ok(Rule { allow: rule.allow, kind, major, minor, access })
}

fn number(value: i64, end: u32, field: impl Fn() -> String) -> Result<u32, Refused> {
    let number = u32::try_from(value).ok().filter(|number| *number < end);
    number.ok_or_else(|| Refused::new(field(), format!("{value}: Linux has 0 to {}", end - 1)))
}
