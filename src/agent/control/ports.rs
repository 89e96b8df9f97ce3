//! The virtio-serial ports that carry control: found by name, opened once.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::linux::fs::read_whole;
use crate::linux::{directory, errno_of, insist};

/// Ports are named so, with a number behind it.
const PREFIX: &str = "org.orlop.control.";

/// The ports 0 to 7; others of that name are not ours.
const PORTS: u8 = 8;
/// Bytes of a name, at most.
const NAME: usize = 4096;

/// A port, open for both directions and non-blocking.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

/// All that the machine has, but for those that are `open`, and what could not be opened (a port has one
/// opener at a time). A machine without virtio-serial has none.
pub(crate) fn open_all(open: impl Fn(&str) -> bool) -> (Vec<Port>, Vec<(String, io::Error)>) {
    find(Path::new("/sys/class/virtio-ports"), Path::new("/dev"), open)
}

fn find(class: &Path, dev: &Path, is_open: impl Fn(&str) -> bool) -> (Vec<Port>, Vec<(String, io::Error)>) {
    let (mut ports, mut failed) = (Vec::new(), Vec::new());
    // A machine without them has no such directory either.
    for node in directory::names(&class.to_string_lossy()).unwrap_or_default() {
        let Ok(name) = read_whole(&class.join(&node).join("name").to_string_lossy(), NAME) else {
            continue;
        };
        let name = String::from_utf8_lossy(&name);
        let name = name.trim_end();
        if !is_ours(name) || is_open(name) {
            continue;
        }
        match open(&dev.join(node)) {
            Ok(fd) => ports.push(Port { name: name.to_owned(), fd }),
            Err(error) => failed.push((name.to_owned(), error)),
        }
    }
    ports.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    (ports, failed)
}

fn is_ours(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX);
    number.is_some_and(|number| (0..PORTS).any(|port| port.to_string() == number))
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(insist(|| options.open(path).map_err(errno_of)).map_err(io::Error::from)?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn finds_ports_by_name_and_leaves_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (class, dev) = (folder.path().join("class"), folder.path().join("dev"));
        fs::create_dir(&dev).unwrap();
        let add = |node: &str, name: &str| {
            fs::create_dir_all(class.join(node)).unwrap();
            fs::write(class.join(node).join("name"), format!("{name}\n")).unwrap();
        };
        add("vport0p1", "org.orlop.control.1");
        add("vport0p2", "org.orlop.control.0");
        add("vport0p3", "org.qemu.guest_agent.0");
        add("vport0p4", "org.orlop.control.8");
        add("vport0p5", "org.orlop.control.01");
        add("vport0p6", "org.orlop.control.7");
        fs::create_dir(class.join("vport0p7")).unwrap();
        for node in ["vport0p1", "vport0p2", "vport0p3", "vport0p4", "vport0p5"] {
            fs::write(dev.join(node), "").unwrap();
        }
        let (ports, failed) = find(&class, &dev, |_| false);
        let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
        assert_eq!(names, ["org.orlop.control.0", "org.orlop.control.1"]);
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, "org.orlop.control.7");
        assert_eq!(failed[0].1.kind(), io::ErrorKind::NotFound);
        let (ports, failed) = find(&class, &dev, |name| name.ends_with(['0', '7']));
        assert_eq!((ports.len(), failed.len()), (1, 0));
    }

    #[test]
    fn a_machine_without_ports_has_none() {
        let (ports, failed) = find(Path::new("/nonexistent"), Path::new("/nonexistent"), |_| false);
        assert!(ports.is_empty() && failed.is_empty());
    }
}
