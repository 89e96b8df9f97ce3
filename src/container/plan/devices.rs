//! The devices of a container: those that the specification promises, and those that were asked for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::mounts::is_bind;
use crate::container::refused::Refused;
use crate::container::spec::{Device, Spec};
use crate::container::steps::{Node, NodeKind, SetupStep};

/// config-linux.md, Default Devices.
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// runtime-linux.md, Dev symbolic links; and the way to the container's own terminals.
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// Nothing for a /dev that is somebody else's: what is bound there is meant as it is.
pub(super) fn steps(spec: &Spec) -> Result<Vec<SetupStep>, Refused> {
    let bound = spec.mounts.iter().any(|mount| mount.destination == "/dev" && is_bind(mount));
    if bound && spec.linux.devices.is_empty() {
        return Ok(Vec::new());
    }
    let declared: Vec<Node> =
        spec.linux.devices.iter().enumerate().map(|(n, device)| node(n, device)).collect::<Result<_, _>>()?;
    let mut nodes = Vec::new();
    if !bound {
        nodes.extend(DEFAULT.map(|(path, major, minor)| Node {
            at: path.to_string(),
            kind: NodeKind::Character { major, minor },
            mode: 0o666,
            uid: 0,
            gid: 0,
        }));
        nodes.retain(|ours| !declared.iter().any(|theirs| theirs.at == ours.at));
    }
    nodes.extend(declared);
    let nodes = nodes.into_iter().map(SetupStep::Node);
    let links = LINKS.iter().filter(|_| !bound);
    let links = links.map(|(at, to)| SetupStep::Link { at: at.to_string(), to: to.to_string() });
    Ok(nodes.chain(links).collect())
}

fn node(index: usize, device: &Device) -> Result<Node, Refused> {
    let refuse = |field: &str, why: String| Err(Refused::new(format!("linux.devices[{index}].{field}"), why));
    if !device.path.starts_with('/') || device.path.split('/').any(|part| part == "..") {
        return refuse("path", format!("`{}` is not absolute, or leads up", device.path));
    }
    let number = |value: i64| u32::try_from(value).ok();
    let kind = match (device.kind.as_str(), number(device.major), number(device.minor)) {
        ("p", ..) => NodeKind::Fifo,
        ("c" | "u", Some(major), Some(minor)) => NodeKind::Character { major, minor },
        ("b", Some(major), Some(minor)) => NodeKind::Block { major, minor },
        ("c" | "u" | "b", ..) => return refuse("major", "numbers of devices are not negative".to_string()),
        (other, ..) => return refuse("type", format!("nobody knows `{other}`")),
    };
    let mode = device.file_mode.unwrap_or(0o666) & 0o7777;
    let (uid, gid) = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
    let at = device.path.trim_end_matches('/');
    if at.is_empty() {
        return refuse("path", "it is the root".to_string());
    }
    Ok(Node { at: at.to_string(), kind, mode, uid, gid })
}
