//! Capabilities that a configuration asks for and nobody here can give: said, and left out (config.md, Linux
//! Process). A name that nobody knows stays, and is refused.

use orlop::config::Capabilities;
use orlop::container::spec::{self, Process};

use super::log::Log;
use crate::linux::proc;

/// Takes out of the process what it cannot have, with a warning. One that has a user namespace has all that the
/// kernel knows.
pub(crate) fn reduce(process: &mut Process, has_user_namespace: bool, log: &Log) {
    let Some(wanted) = &mut process.capabilities else { return };
    let available = if has_user_namespace { known() } else { own() };
    for warning in reduced(wanted, available.unwrap_or(u64::MAX)) {
        log.remark(&warning);
    }
}

fn reduced(wanted: &mut spec::Capabilities, available: u64) -> Vec<String> {
    let has =
        |set: u64, name: &String| Capabilities::named(name).is_none_or(|Capabilities(bit)| bit & !set == 0);
    let mut missing = Vec::new();
    let sets = [
        &mut wanted.bounding,
        &mut wanted.effective,
        &mut wanted.permitted,
        &mut wanted.inheritable,
        &mut wanted.ambient,
    ];
    for set in sets {
        missing.extend(set.iter().filter(|name| !has(available, name)).cloned());
        set.retain(|name| has(available, name));
    }
    missing.sort_unstable();
    missing.dedup();
    let mut warnings = Vec::new();
    if !missing.is_empty() {
        warnings.push(format!("ignoring unavailable capabilities: [{}]", missing.join(" ")));
    }
    let (permitted, inheritable) = (&wanted.permitted, &wanted.inheritable);
    wanted.ambient.retain(|name| {
        let can = permitted.contains(name) && inheritable.contains(name);
        if !can {
            warnings
                .push(format!("can't raise ambient capability {name}: it is not permitted and inheritable"));
        }
        can
    });
    warnings
}

/// What the kernel knows.
fn known() -> Option<u64> {
    let last: u32 = proc::read("/proc/sys/kernel/cap_last_cap").ok()?.trim().parse().ok()?;
    Some(u64::MAX >> 63_u32.saturating_sub(last))
}

/// What we could give on.
fn own() -> Option<u64> {
    let status = proc::read("/proc/self/status").ok()?;
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    Some(set("CapPrm:")? & set("CapBnd:")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_give_is_left_out_and_said() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut wanted = spec::Capabilities {
            bounding: names(&["CAP_KILL", "CAP_CHOWN", "CAP_WHAT"]),
            permitted: names(&["CAP_KILL", "CAP_FOWNER"]),
            effective: names(&["CAP_FOWNER"]),
            inheritable: names(&["CAP_KILL"]),
            ambient: names(&["CAP_KILL", "CAP_CHOWN"]),
        };
        let kill_and_chown = (1 << 5) | 1;
        let warnings = reduced(&mut wanted, kill_and_chown);
        assert_eq!(
            warnings,
            [
                "ignoring unavailable capabilities: [CAP_FOWNER]",
                "can't raise ambient capability CAP_CHOWN: it is not permitted and inheritable",
            ]
        );
        assert_eq!(wanted.bounding, names(&["CAP_KILL", "CAP_CHOWN", "CAP_WHAT"]));
        assert_eq!((wanted.permitted, wanted.effective), (names(&["CAP_KILL"]), Vec::new()));
        assert_eq!(wanted.ambient, names(&["CAP_KILL"]));
    }

    #[test]
    fn what_we_and_the_kernel_have_is_found() {
        let (own, known) = (own().unwrap(), known().unwrap());
        assert_eq!(own & !known, 0);
        assert!(known & (1 << 5) != 0);
    }
}
