//! What hooks must be (config.md, POSIX-platform Hooks), before any of them is run.

use alloc::format;

use crate::container::refused::Refused;
use crate::container::spec::{Hook, Hooks};

/// # Errors
/// [`Refused`] for one that could not be run.
pub(super) fn check(hooks: &Hooks) -> Result<(), Refused> {
    for (kind, hooks) in [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ] {
        for (index, Hook { path, timeout, .. }) in hooks.iter().enumerate() {
            let field = |name: &str| format!("hooks.{kind}[{index}].{name}");
            if !path.starts_with('/') {
                return Err(Refused::new(field("path"), format!("`{path}` is not absolute")));
            }
            if timeout.is_some_and(|seconds| seconds <= 0) {
                return Err(Refused::new(field("timeout"), "it is more than 0 seconds"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[track_caller]
    fn check_one(path: &str, timeout: Option<i64>, expected: Option<&str>) {
        let hook = Hook { path: path.into(), timeout, ..Hook::default() };
        let hooks = Hooks {
            poststop: [Hook { path: "/a".into(), ..Hook::default() }, hook].into(),
            ..Hooks::default()
        };
        assert_eq!(check(&hooks).err().map(|refused| refused.to_string()).as_deref(), expected);
    }

    #[test]
    fn a_hook_has_an_absolute_path_and_some_time() {
        check_one("/bin/true", None, None);
        check_one("/bin/true", Some(1), None);
        check_one("true", None, Some("hooks.poststop[1].path: `true` is not absolute"));
        check_one("/bin/true", Some(0), Some("hooks.poststop[1].timeout: it is more than 0 seconds"));
        check_one("/bin/true", Some(-1), Some("hooks.poststop[1].timeout: it is more than 0 seconds"));
    }
}
