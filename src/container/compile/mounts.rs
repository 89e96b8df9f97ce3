//! What is mounted in a container, and the volumes that it comes from.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{Defaults, Facts};
use crate::config::{CgroupMode, Container, NetworkMode, Tmpfs, UserNamespace, VolumeSource};
use crate::container::spec::Mount;
use crate::container::steps::Volume;

/// Beside its files for /etc: the socket that it finds at /dev/log.
pub const SYSLOG: &str = "syslog";

fn mount(destination: &str, kind: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: Some(kind.to_owned()),
        source: Some(kind.to_owned()),
        options: options.iter().map(ToString::to_string).collect(),
        ..Mount::default()
    }
}

fn bind(source: String, destination: &str, options: &[&str]) -> Mount {
    let options = options.iter().map(ToString::to_string).collect();
    let (destination, kind) = (destination.to_owned(), Some("bind".to_owned()));
    Mount { destination, kind, source: Some(source), options, ..Mount::default() }
}

/// In the order of their making.
pub(super) fn mounts(container: &Container, image: &Defaults, facts: &Facts) -> Vec<Mount> {
    const BARE: [&str; 3] = ["nosuid", "noexec", "nodev"];
    const SEALED: [&str; 4] = ["nosuid", "noexec", "nodev", "ro"];
    let shm = format!("size={}", container.shm_size);
    let mut mounts = vec![mount("/proc", "proc", &BARE), dev(container, facts)];
    let sys = if container.privileged { &BARE[..] } else { &SEALED[..] };
    mounts.push(match container.network_mode {
        NetworkMode::None => mount("/sys", "sysfs", sys),
        // sysfs shows a network namespace, and the machine's is not ours to mount.
        NetworkMode::Host => bind("/sys".to_owned(), "/sys", sys),
    });
    mounts.push(mount(
        "/sys/fs/cgroup",
        "cgroup2",
        match container.cgroup {
            CgroupMode::Private => &SEALED[..],
            CgroupMode::Delegate => &BARE[..],
        },
    ));
    mounts.push(mount(
        "/dev/pts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ));
    mounts.push(mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &shm]));
    mounts.push(mount("/dev/mqueue", "mqueue", &BARE));
    for name in ["hosts", "hostname", "resolv.conf"] {
        mounts.push(bind(
            format!("{}/{name}", facts.files),
            &format!("/etc/{name}"),
            &["nosuid", "noexec", "nodev", "ro"],
        ));
    }
    let syslog = container
        .log
        .syslog
        .then(|| bind(format!("{}/{SYSLOG}", facts.files), "/dev/log", &["nosuid", "noexec", "nodev", "ro"]));
    let notify = super::has_notify_socket(container).then(|| {
        let source = format!("{}/{}", facts.files, super::NOTIFY_FILE);
        bind(source, super::NOTIFY_SOCKET, &["nosuid", "noexec", "nodev"])
    });
    let is_used = |target: &str| {
        container.tmpfs.iter().any(|tmpfs| tmpfs.target == target)
            || declared(container, image).any(|(_, declared, _)| declared == target)
    };
    // Hardly a program does without.
    let tmp = Tmpfs { target: "/tmp".to_owned(), ..Tmpfs::default() };
    let tmp = Some(tmp).filter(|tmp| container.read_only && !is_used(&tmp.target));
    for tmpfs in container.tmpfs.iter().chain(&tmp) {
        let mode = format!("mode={:o}", tmpfs.mode.unwrap_or(0o1777));
        let size = tmpfs.size.map(|size| format!("size={size}"));
        let mut options = vec!["nosuid", "nodev", "noexec", &mode];
        options.extend(size.as_deref());
        mounts.push(mount(&tmpfs.target, "tmpfs", &options));
    }
    mounts.extend(declared(container, image).map(|(source, target, read_only)| {
        let (source, id_map) = match path(source, target, container, facts) {
            // Ids on it are the container's own, and so are those outside without a user namespace.
            Place::Volume(path) => (path, (container.userns == UserNamespace::Private).then_some("idmap")),
            Place::Machine(path) => (path, None),
        };
        let mut options = vec!["nosuid", "nodev"];
        options.extend(id_map);
        options.extend(read_only.then_some("ro"));
        bind(source, target, &options)
    }));
    // Last: /run may be one of those before.
    mounts.extend(syslog.into_iter().chain(notify));
    mounts
}

/// The devices that all share, where nothing can be written; or its own, when it was given some.
fn dev(container: &Container, facts: &Facts) -> Mount {
    if !super::devices::has_own(container) {
        return bind(facts.dev.clone(), "/dev", &["nosuid", "noexec", "ro"]);
    }
    // Names and nothing else stand there: /dev/shm is a file system of its own.
    mount("/dev", "tmpfs", &["nosuid", "noexec", "mode=755", "size=64k"])
}

/// The container's volumes, and those of the image that it says nothing about; whether read-only.
fn declared<'a>(
    container: &'a Container,
    image: &'a Defaults,
) -> impl Iterator<Item = (&'a VolumeSource, &'a str, bool)> {
    let ours =
        container.volumes.iter().map(|volume| (&volume.source, volume.target.as_str(), volume.read_only));
    let is_ours = |target: &str| container.volumes.iter().any(|volume| volume.target == target);
    let of_image = image.volumes.iter().filter(move |target| !is_ours(target));
    ours.chain(of_image.map(|target| (&VolumeSource::Anonymous, target.as_str(), false)))
}

enum Place {
    /// Orlop's own: ids in it are the container's.
    Volume(String),
    Machine(String),
}

fn path(source: &VolumeSource, target: &str, container: &Container, facts: &Facts) -> Place {
    match source {
        VolumeSource::Named(name) => Place::Volume(format!("{}/{name}", facts.volumes)),
        VolumeSource::Anonymous => {
            Place::Volume(format!("{}/{}@{}", facts.volumes, container.name, file_name(target)))
        }
        VolumeSource::Bind(path) => Place::Machine(path.clone()),
    }
}

/// Volumes without a size of their own may hold as much as the container's root.
pub(super) fn volumes(container: &Container, image: &Defaults, facts: &Facts, usual: u64) -> Vec<Volume> {
    declared(container, image)
        .filter_map(|(source, target, _)| {
            let size = match source {
                VolumeSource::Named(name) => facts.volume_sizes.get(name).copied(),
                VolumeSource::Anonymous | VolumeSource::Bind(_) => None,
            };
            match path(source, target, container, facts) {
                Place::Volume(path) => Some(Volume { path, size: size.unwrap_or(usual) }),
                Place::Machine(_) => None,
            }
        })
        .collect()
}

/// A path as the name of one file, and no other path's.
fn file_name(path: &str) -> String {
    path.replace('%', "%25").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_anonymous_volumes_of_a_container_are_one() {
        let names = ["/a/b", "/a-b", "/a%2Fb", "/a%252Fb"].map(file_name);
        assert_eq!(names, ["%2Fa%2Fb", "%2Fa-b", "%2Fa%252Fb", "%2Fa%25252Fb"]);
    }
}
