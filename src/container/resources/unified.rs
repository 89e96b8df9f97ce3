//! `unified`: files of cgroup v2 by their names, of which this program need not know what they mean.
//!
//! It must know what they are not: a path, or a file that does something to the processes or to the
//! group instead of limiting what they may use.

use alloc::format;

use super::super::refused::Refused;
use super::Settings;

/// Of cgroup's own files, those that limit: how many groups a container may make below its own.
const OWN_LIMITS: [&str; 2] = ["cgroup.max.depth", "cgroup.max.descendants"];
/// What the kernel says, or does at once and forgets.
const NO_LIMITS: [&str; 7] =
    [".current", ".events", ".events.local", ".peak", ".pressure", ".reclaim", ".stat"];

pub(super) fn settings(file: &str, value: &str, settings: &mut Settings) -> Result<(), Refused> {
    let refused = |why| Err(Refused::new(format!("linux.resources.unified.{file}"), why));
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    match file.split_once('.') {
        Some((controller, rest)) if !controller.is_empty() && is_word(file) && !rest.is_empty() => {}
        _ => return refused("is no name of a controller's file, like memory.high"),
    }
    let is_own = file.starts_with("cgroup.") && !OWN_LIMITS.contains(&file);
    if is_own || NO_LIMITS.iter().any(|end| file.ends_with(end)) {
        return refused("limits nothing");
    }
    if value.contains('\0') {
        return refused("holds a NUL");
    }
    let mut lines = value.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    if lines.peek().is_none() {
        // Nothing is read as 0 by most files; the lists of cpuset it gives back to the parent.
        if !file.starts_with("cpuset.") {
            return refused("says nothing");
        }
        settings.add(file, "\n");
    }
    // Each line is a setting of its own: the kernel takes one a write.
    for line in lines {
        match file {
            // It limits nothing: where no memory is counted, none runs out here.
            "memory.oom.group" => settings.unless_missing(file, line),
            _ => settings.add(file, line),
        }
    }
    Ok(())
}
