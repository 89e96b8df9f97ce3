//! A profile as a file: `linux.seccomp` of the OCI runtime specification, or Docker's form of it.
//!
//! Docker's has, beyond the specification's, rules that depend on capabilities, architecture and
//! kernel (`includes`, `excludes`), and a map of architectures. What neither has is refused: a filter
//! that says something else than its author meant is worse than none.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::{Action, Architecture, Condition, Flag, NATIVE, Rule, Seccomp};
use crate::config::Capabilities;

/// The oldest kernel that we run on.
const KERNEL: (u32, u32) = (6, 12);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    default_action: Action,
    default_errno_ret: Option<u32>,
    /// Docker's; what it means is in `default_errno_ret`.
    #[serde(rename = "defaultErrno")]
    _default_errno: Option<String>,
    #[serde(default)]
    architectures: Vec<Architecture>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    flags: Vec<Flag>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    #[serde(default)]
    syscalls: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchMap {
    architecture: Architecture,
    #[serde(default)]
    sub_architectures: Option<Vec<Architecture>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileRule {
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: Action,
    errno_ret: Option<u32>,
    #[serde(rename = "errno")]
    _errno: Option<String>,
    args: Option<Vec<Condition>>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

/// Reads a profile for a container with these capabilities (bit N is capability number N).
///
/// # Errors
/// Where the file is wrong, for a person.
pub fn read_profile(bytes: &[u8], capabilities: u64) -> Result<Seccomp, String> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut actions = file.syscalls.iter().map(|rule| rule.action).chain([file.default_action]);
    let waits = file.flags.contains(&Flag::WaitKillableRecv);
    if waits || file.listener_path.is_some() || actions.any(|action| action == Action::Notify) {
        return Err("SCMP_ACT_NOTIFY asks somebody who listens, and nobody does here".to_string());
    }
    if !file.architectures.is_empty() && !file.arch_map.is_empty() {
        return Err("`architectures` and `archMap` are two ways to say the same: leave one out".to_string());
    }
    let mapped = file.arch_map.into_iter().filter(|map| map.architecture == NATIVE);
    let mapped = mapped.flat_map(|map| map.sub_architectures.unwrap_or_default());
    let architectures = file.architectures.into_iter().chain(mapped).collect();
    let held: Vec<String> = Capabilities(capabilities).names().collect();
    let mut syscalls = Vec::new();
    for rule in file.syscalls {
        let (includes, excludes) = (rule.includes.unwrap_or_default(), rule.excludes.unwrap_or_default());
        if !includes.includes(&held)? || excludes.excludes(&held)? {
            continue;
        }
        syscalls.push(Rule {
            names: rule.names.into_iter().chain(rule.name).map(Cow::Owned).collect(),
            action: rule.action,
            errno_ret: rule.errno_ret,
            args: rule.args.unwrap_or_default(),
        });
    }
    Ok(Seccomp {
        default_action: file.default_action,
        default_errno_ret: file.default_errno_ret,
        architectures,
        flags: file.flags,
        listener_path: None,
        listener_metadata: file.listener_metadata,
        syscalls,
    })
}

impl Filter {
    /// Whether all that it asks for is so.
    fn includes(&self, held: &[String]) -> Result<bool, String> {
        let caps = self.caps.iter().all(|name| held.contains(name));
        let arches = self.arches.is_empty() || self.has_native();
        Ok(caps && arches && self.kernel()?.is_none_or(|kernel| KERNEL >= kernel))
    }

    /// Whether any of what it names is so.
    fn excludes(&self, held: &[String]) -> Result<bool, String> {
        let caps = self.caps.iter().any(|name| held.contains(name));
        Ok(caps || self.has_native() || self.kernel()?.is_some_and(|kernel| KERNEL >= kernel))
    }

    /// By the names that Docker gives them.
    fn has_native(&self) -> bool {
        let native = match NATIVE {
            Architecture::X86_64 => "amd64",
            _ => "arm64",
        };
        self.arches.iter().any(|name| name == native)
    }

    fn kernel(&self) -> Result<Option<(u32, u32)>, String> {
        let Some(text) = &self.min_kernel else { return Ok(None) };
        let parsed =
            text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        parsed.map(Some).ok_or_else(|| format!("`{text}` is no version of a kernel, like \"4.8\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYS_PTRACE: u64 = 1 << 19;

    /// The names of the rules that are left.
    #[track_caller]
    fn check(rule: &str, capabilities: u64, stays: bool) {
        let json = format!(
            r#"{{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                "archMap": [{{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}},
                            {{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}}],
                "syscalls": [{{"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "args": null, {rule}}}]}}"#
        );
        let profile = read_profile(json.as_bytes(), capabilities).unwrap();
        assert_eq!(profile.syscalls.len() == 1, stays, "{rule}");
        assert_eq!(profile.architectures.len(), 1, "those beside the machine's own");
    }

    #[test]
    fn rules_of_docker_depend_on_capabilities_architecture_and_kernel() {
        check(r#""includes": {}, "excludes": {}"#, 0, true);
        check(r#""includes": {"caps": ["CAP_SYS_PTRACE"]}"#, 0, false);
        check(r#""includes": {"caps": ["CAP_SYS_PTRACE"]}"#, SYS_PTRACE, true);
        check(r#""excludes": {"caps": ["CAP_SYS_PTRACE"]}"#, SYS_PTRACE, false);
        check(r#""includes": {"minKernel": "4.8"}"#, 0, true);
        check(r#""includes": {"minKernel": "7.1"}"#, 0, false);
        check(r#""includes": {"arches": ["s390x"]}"#, 0, false);
        check(r#""includes": {"arches": ["amd64", "arm64"]}"#, 0, true);
        check(r#""excludes": {"arches": ["amd64", "arm64"]}"#, 0, false);
    }

    #[test]
    fn refuses_what_it_cannot_keep_and_says_where() {
        let check = |json: &str, expected: &str| {
            let error = read_profile(json.as_bytes(), 0).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("{", "EOF while parsing an object at line 1 column 1");
        check(r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#, "unknown variant `SCMP_ACT_MAYBE`");
        check(r#"{"defaultAction": "SCMP_ACT_ALLOW", "sycalls": []}"#, "unknown field `sycalls`");
        check(r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, "somebody who listens");
        check(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}"#,
            "somebody who listens",
        );
        check(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                [{"names": ["read"], "action": "SCMP_ACT_LOG", "includes": {"minKernel": "new"}}]}"#,
            "`new` is no version of a kernel",
        );
    }
}
