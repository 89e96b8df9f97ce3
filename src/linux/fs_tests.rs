//! What `fs` makes and opens, in folders that links lead out of.

use super::*;
use std::os::unix::fs::symlink;

fn check(link: &str, expected: Result<&str>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    symlink(link, folder.path().join("etc/resolv.conf")).unwrap();
    let root = open_directory(folder.path().to_str().unwrap()).unwrap();
    let owner = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let place = make_in_root(root.as_fd(), "/etc/resolv.conf", Node::File, owner, Links::Follow);
    assert_eq!(place.map(drop), expected.map(drop), "{link}");
    if let Ok(made) = expected {
        assert!(std::fs::symlink_metadata(folder.path().join(made)).unwrap().is_file(), "{link}");
    }
}

#[test]
fn a_directory_takes_the_mode_of_another_once_and_whole() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("volume"), folder.path().join("image"));
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for path in [&ours, &theirs] {
        std::fs::create_dir(path).unwrap();
    }
    set(&theirs, 0o2750);
    // Of somebody who has it mounted.
    let theirs_too = open_directory(ours.to_str().unwrap()).unwrap();
    lock(theirs_too.as_fd()).unwrap();
    for (before, after) in [(UNCLAIMED, 0o2750), (0o700, 0o700), (0o1777, 0o1777)] {
        set(&ours, before);
        let from = open_directory(theirs.to_str().unwrap()).unwrap();
        claim(from.as_fd(), ours.to_str().unwrap(), 0).unwrap();
        assert_eq!(mode(&ours), after, "{before:o}");
    }
}

#[test]
fn what_a_link_to_nothing_names_is_made_inside_the_root() {
    check("../run/resolve/stub.conf", Ok("run/resolve/stub.conf"));
    check("/run/resolve/stub.conf", Ok("run/resolve/stub.conf"));
    check("../../../../nowhere/orlop-test", Ok("nowhere/orlop-test"));
    check("resolv.conf", Err(Errno::ELOOP));
}

#[test]
fn what_is_read_is_a_file_and_nobody_waits_for_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("file"), "text").unwrap();
    nix::unistd::mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
    symlink("fifo", path("link")).unwrap();
    symlink("../../../file", path("up")).unwrap();
    let root = open_directory(folder.path().to_str().unwrap()).unwrap();
    let read = |name: &str, limit| read_in_root(root.as_fd(), name, limit);
    assert_eq!(read("file", 4).unwrap(), b"text");
    assert_eq!(read("up", 4).unwrap(), b"text");
    assert_eq!(read("file", 3), Err(Errno::EFBIG));
    for name in ["fifo", "link", "."] {
        assert_eq!(read(name, 4), Err(Errno::EINVAL), "{name}");
    }
    let machine = open_directory("/").unwrap();
    for name in ["/dev/zero", "/proc/self/status", "/proc/self/environ", "/sys/kernel/mm/ksm/run"] {
        assert_eq!(read_in_root(machine.as_fd(), name, 1 << 20), Err(Errno::EINVAL), "{name}");
    }
}

#[test]
fn a_place_that_refuses_links_refuses_those_to_nothing_too() {
    let folder = tempfile::tempdir().unwrap();
    symlink("nowhere", folder.path().join("proc")).unwrap();
    let root = open_directory(folder.path().to_str().unwrap()).unwrap();
    let place = make_in_root(root.as_fd(), "/proc", Node::Directory, (0, 0), Links::Refuse);
    assert_eq!(place.map(drop), Err(Errno::ELOOP));
}

#[test]
fn what_is_missing_is_made_part_by_part_and_nothing_outside() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    symlink("/nowhere", root.join("link")).unwrap();
    let opened = open_directory(root.to_str().unwrap()).unwrap();
    let owner = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let check = |path: &str, node, links, expected: Result<&str>| {
        let place = make_in_root(opened.as_fd(), path, node, owner, links);
        assert_eq!(place.as_ref().map(drop), expected.map(drop).as_ref().map(drop), "{path}");
        if let (Ok(place), Ok(made)) = (place, expected) {
            let there = std::fs::symlink_metadata(root.join(made)).unwrap();
            assert_eq!(fstat(&place).unwrap().st_ino, there.ino(), "{path}");
            assert_eq!(there.is_dir(), node == Node::Directory, "{path}");
        }
    };
    check("/one", Node::Directory, Links::Refuse, Ok("one"));
    check("/one/two", Node::File, Links::Refuse, Ok("one/two"));
    check("/a/b/c", Node::File, Links::Refuse, Ok("a/b/c"));
    check("/a/./d/", Node::Directory, Links::Follow, Ok("a/d"));
    check("/../../up", Node::Directory, Links::Follow, Ok("up"));
    check("/link/below", Node::File, Links::Refuse, Err(Errno::ELOOP));
    check("/link/below", Node::File, Links::Follow, Ok("nowhere/below"));
    check("/one/two/three", Node::File, Links::Follow, Err(Errno::ENOTDIR));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn of_others_nothing_is_opened_but_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("file"), "text").unwrap();
    nix::unistd::mkfifo(at("fifo").as_str(), Mode::S_IRWXU).unwrap();
    for (link, to) in [("link", "file"), ("device", "/dev/null"), ("magic", "/proc/self/root/etc/passwd")] {
        symlink(to, at(link)).unwrap();
    }
    let open = |name: &str| open_from_others(&at(name)).map(|fd| read_regular(fd.as_fd(), 64).unwrap());
    assert_eq!(["file", "link"].map(open), [Ok(b"text".to_vec()), Ok(b"text".to_vec())]);
    for other in ["fifo", "device", "."] {
        assert_eq!(open(other), Err(Errno::EINVAL), "{other}");
    }
    assert_eq!(["magic", "missing"].map(open), [Err(Errno::ELOOP), Err(Errno::ENOENT)]);
}
