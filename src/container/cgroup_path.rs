//! `linux.cgroupsPath` → where in the hierarchy a container's cgroup is.
//!
//! Refused is what would lead out of the hierarchy, or to its root.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How `cgroupsPath` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupNaming {
    /// A path. Where it is relative, or there is none, it is below `/orlop`.
    Path,
    /// `slice:prefix:name`, and systemd's names for the directories.
    Systemd,
}

/// What stands above the cgroups of containers that name no place.
const OURS: &str = "/orlop";
/// Where systemd puts what names no slice.
const SYSTEM_SLICE: &str = "system.slice";

/// The path from the root of the hierarchy, with a slash in front and none at the end.
///
/// # Errors
/// What is wrong with `path`.
pub fn cgroup_path(path: Option<&str>, naming: CgroupNaming, id: &str) -> Result<String, String> {
    let path = path.unwrap_or_default();
    let found = match (naming, path) {
        (CgroupNaming::Path, "") => format!("{OURS}/{id}"),
        (CgroupNaming::Path, path) if path.starts_with('/') => path.to_owned(),
        (CgroupNaming::Path, path) => format!("{OURS}/{path}"),
        (CgroupNaming::Systemd, "") => format!("/{SYSTEM_SLICE}/orlop-{id}.scope"),
        (CgroupNaming::Systemd, path) => unit(path)?,
    };
    let parts: Vec<&str> = found.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(format!("cgroupsPath {path:?}: the root of all cgroups is nobody's"));
    }
    if parts.iter().any(|part| [".", ".."].contains(part) || part.contains(['\0', '\n'])) {
        return Err(format!("cgroupsPath {path:?}: `.`, `..` and line feeds have no place in it"));
    }
    Ok(format!("/{}", parts.join("/")))
}

/// `slice:prefix:name` → the directories that systemd would make: the slice's, and in it the scope's.
fn unit(path: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("cgroupsPath {path:?}: {why}");
    let mut parts = path.split(':');
    let (Some(slice), Some(prefix), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong("with systemd's names it is slice:prefix:name"));
    };
    if name.is_empty() || [slice, prefix, name].iter().any(|part| part.contains('/')) {
        return Err(wrong("with systemd's names it is slice:prefix:name, without slashes"));
    }
    let slice = if slice.is_empty() { SYSTEM_SLICE } else { slice };
    let above = nested(slice).ok_or_else(|| wrong("the slice is no name of one, as in `a-b.slice`"))?;
    let unit = match prefix {
        // A name that is a slice is taken as it is, whatever the prefix.
        _ if name.ends_with(".slice") => name.to_owned(),
        "" => format!("{name}.scope"),
        prefix => format!("{prefix}-{name}.scope"),
    };
    Ok(format!("{above}/{unit}"))
}

/// What systemd lends to a user, by where a process of that user's is in it: `…/user@1000.service`.
#[must_use]
pub fn lent_to_user(own: &str) -> Option<&str> {
    let start = own.find("/user@")?;
    let (_, name) = own.split_at_checked(start + 1)?;
    let end = name.find('/').unwrap_or(name.len());
    if name.get(..end)?.ends_with(".service") { own.get(..start + 1 + end) } else { None }
}

/// `a-b.slice` is in `a.slice`: systemd.slice(5). The root slice is `-.slice`.
fn nested(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(String::new());
    }
    let mut path = String::new();
    let mut so_far = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return None;
        }
        if !so_far.is_empty() {
            so_far.push('-');
        }
        so_far.push_str(part);
        path = format!("{path}/{so_far}.slice");
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_to_a_user_ends_with_that_users_service() {
        let users = "/user.slice/user-1000.slice/user@1000.service";
        assert_eq!(lent_to_user(&format!("{users}/user.slice/podman-7.scope")), Some(users));
        assert_eq!(lent_to_user(users), Some(users));
        assert_eq!(lent_to_user("/user.slice/user-1000.slice/session-3.scope"), None);
        assert_eq!(lent_to_user("/user@home/x"), None);
    }

    #[track_caller]
    fn check(path: &str, naming: CgroupNaming, expected: &str) {
        assert_eq!(cgroup_path(Some(path), naming, "web").as_deref(), Ok(expected), "{path}");
    }

    #[track_caller]
    fn refused(path: &str, naming: CgroupNaming, expected: &str) {
        let why = cgroup_path(Some(path), naming, "web").unwrap_err();
        assert!(why.contains(expected), "{path}: {why}");
    }

    #[test]
    fn an_absolute_path_is_taken_as_it_is_and_a_relative_one_is_ours() {
        check("/pods/a/web", CgroupNaming::Path, "/pods/a/web");
        check("//pods//web/", CgroupNaming::Path, "/pods/web");
        check("pods/web", CgroupNaming::Path, "/orlop/pods/web");
        check("", CgroupNaming::Path, "/orlop/web");
        check("system.slice:docker:web", CgroupNaming::Path, "/orlop/system.slice:docker:web");
        assert_eq!(cgroup_path(None, CgroupNaming::Path, "web").as_deref(), Ok("/orlop/web"));
    }

    #[test]
    fn systemds_names_become_its_directories() {
        check("system.slice:docker:web", CgroupNaming::Systemd, "/system.slice/docker-web.scope");
        check(":libpod:web", CgroupNaming::Systemd, "/system.slice/libpod-web.scope");
        check("machine.slice::web", CgroupNaming::Systemd, "/machine.slice/web.scope");
        check("-.slice:cri:web", CgroupNaming::Systemd, "/cri-web.scope");
        check(
            "kubepods-burstable-pod1.slice:cri:web",
            CgroupNaming::Systemd,
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-web.scope",
        );
        check("a.slice:x:a-b.slice", CgroupNaming::Systemd, "/a.slice/a-b.slice");
        check("", CgroupNaming::Systemd, "/system.slice/orlop-web.scope");
    }

    #[test]
    fn what_would_lead_elsewhere_is_refused() {
        refused("/a/../../b", CgroupNaming::Path, "have no place in it");
        refused("../b", CgroupNaming::Path, "have no place in it");
        refused("/a/./b", CgroupNaming::Path, "have no place in it");
        refused("/a\nb", CgroupNaming::Path, "have no place in it");
        refused("/", CgroupNaming::Path, "nobody's");
        refused("/a/b", CgroupNaming::Systemd, "slice:prefix:name");
        refused("a.slice:b", CgroupNaming::Systemd, "slice:prefix:name");
        refused("a.slice:b:c:d", CgroupNaming::Systemd, "slice:prefix:name");
        refused("a.slice:b:", CgroupNaming::Systemd, "slice:prefix:name");
        refused("a.slice:../b:c", CgroupNaming::Systemd, "without slashes");
        refused("a:b:c", CgroupNaming::Systemd, "no name of one");
        refused("a--b.slice:b:c", CgroupNaming::Systemd, "no name of one");
        refused(".slice:b:c", CgroupNaming::Systemd, "no name of one");
    }
}
