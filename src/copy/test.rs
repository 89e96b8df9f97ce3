//! Trees there and back, and streams that were made to write elsewhere.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use orlop::image::tar::{END, Entry, Kind, Time, header, padding};

use super::*;
use crate::linux::Result;

fn opened(path: &[u8], flags: i32) -> Result<OwnedFd> {
    open(
        Path::new(std::ffi::OsStr::from_bytes(path)),
        OFlag::from_bits_retain(flags | libc::O_CLOEXEC),
        Mode::empty(),
    )
}

/// The stream of what is at `path`, and what was left out.
fn packed(path: &Path, name: &str) -> (core::result::Result<Vec<u8>, String>, Vec<String>) {
    let (mut stream, mut told) = (Vec::new(), Vec::new());
    let open = |flags| opened(path.as_os_str().as_bytes(), flags | libc::O_NOFOLLOW);
    let mut write = |bytes: &[u8]| {
        stream.extend_from_slice(bytes);
        Ok(())
    };
    let done = pack(&open, name.as_bytes(), &mut write, &mut |text| told.push(text));
    (done.map(|()| stream).map_err(|failure| failure.to_string()), told)
}

/// Unpacks as `orlop cp` does at this destination.
fn unpacked(
    stream: &[u8],
    destination: &Path,
    modes: Modes,
) -> (core::result::Result<u64, String>, Vec<String>) {
    let destination = destination.as_os_str().as_bytes();
    unpacked_to(stream, destination, modes, &|found, path, kind| {
        Place::choose(destination, found, path, kind)
    })
}

/// Unpacks whatever it is into this folder, as `orlop cp -` does.
fn unpacked_within(
    stream: &[u8],
    folder: &Path,
    modes: Modes,
) -> (core::result::Result<u64, String>, Vec<String>) {
    unpacked_to(stream, folder.as_os_str().as_bytes(), modes, &|found, _, _| match found {
        Found::Directory(directory) => Ok(Place::within(directory)),
        other => panic!("{other:?}"),
    })
}

type Choose<'a> = &'a dyn Fn(Found, &[u8], &Kind) -> core::result::Result<Place, Failure>;

fn unpacked_to(
    stream: &[u8],
    destination: &[u8],
    modes: Modes,
    choose: Choose<'_>,
) -> (core::result::Result<u64, String>, Vec<String>) {
    let mut told = Vec::new();
    let done = find(destination, &opened).and_then(|found| {
        let mut tell = |text| told.push(text);
        let choose = |path: &[u8], kind: &Kind| choose(found, path, kind);
        let mut unpacker = Unpacker::new(choose, modes, &mut tell);
        // However the bytes come.
        stream.chunks(1000).try_for_each(|piece| unpacker.push(piece))?;
        unpacker.finish()
    });
    (done.map_err(|failure| failure.to_string()), told)
}

fn entry(path: &[u8], kind: Kind) -> Entry {
    let mtime = Time { seconds: 1_600_000_000, nanoseconds: 0 };
    Entry { path: path.to_vec(), kind, mode: 0o6755, uid: 7, gid: 7, mtime, xattrs: Default::default() }
}

/// A stream of members; files hold their own path.
fn stream(members: &[(&str, Kind)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind) in members {
        let kind = match kind {
            Kind::File { .. } => Kind::File { size: path.len() as u64 },
            other => other.clone(),
        };
        header(&entry(path.as_bytes(), kind.clone()), &mut bytes);
        if let Kind::File { size } = kind {
            bytes.extend(path.as_bytes());
            bytes.extend(padding(size));
        }
    }
    bytes.extend(END);
    bytes
}

const FILE: Kind = Kind::File { size: 0 };

fn link(to: &str) -> Kind {
    Kind::Symlink(to.as_bytes().to_vec())
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::create_dir_all(from.join("sub/empty")).unwrap();
    fs::write(from.join("file"), vec![7; 70_000]).unwrap();
    fs::write(from.join("sub/none"), "").unwrap();
    let mut long = from.join("sub");
    for _ in 0..40 {
        long.push("n".repeat(255));
        // Until it is as long as a path may be.
        if fs::create_dir(&long).is_err() {
            long.pop();
        }
    }
    fs::write(from.join("sub").join("x".repeat(255)), "long").unwrap();
    symlink("/etc/passwd", from.join("out")).unwrap();
    symlink("nowhere", from.join("sub/dangling")).unwrap();
    fs::set_permissions(from.join("sub/empty"), fs::Permissions::from_mode(0o500)).unwrap();
    let (bytes, told) = packed(&from, "from");
    assert!(told.is_empty(), "{told:?}");
    let to = folder.path().join("to");
    unpacked(&bytes.unwrap(), &to, Modes::All).0.unwrap();
    let same = std::process::Command::new("diff")
        .args(["-r", "--no-dereference"])
        .args([&from, &to])
        .output()
        .unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    for path in ["", "file", "sub", "sub/empty"] {
        let (one, other) = (fs::metadata(from.join(path)).unwrap(), fs::metadata(to.join(path)).unwrap());
        assert_eq!((one.mode(), one.mtime()), (other.mode(), other.mtime()), "{path}");
    }
    assert_eq!(fs::read_link(to.join("out")).unwrap(), Path::new("/etc/passwd"));
}

#[test]
fn what_is_no_file_folder_or_link_is_told_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("file"), "x").unwrap();
    nix::unistd::mkfifo(&from.join("fifo"), Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    let (bytes, mut told) = packed(&from, "from");
    told.sort();
    assert_eq!(told, ["from/fifo: a fifo is not copied", "from/socket: a socket is not copied"]);
    let to = folder.path().join("to");
    assert_eq!(unpacked(&bytes.unwrap(), &to, Modes::All).0, Ok(2));
    // Named itself it is a mistake, and nobody waits for its other end.
    assert!(packed(&from.join("fifo"), "fifo").0.unwrap_err().contains("neither a file"));
    assert!(packed(Path::new("/dev/null"), "null").0.unwrap_err().contains("neither a file"));
    let devices = stream(&[
        ("null", Kind::Char { major: 1, minor: 3 }),
        ("disk", Kind::Block { major: 8, minor: 0 }),
        ("fifo", Kind::Fifo),
        ("file", FILE),
    ]);
    let (done, told) = unpacked_within(&devices, &to, Modes::All);
    assert_eq!((done, told.len()), (Ok(4), 3));
    assert!(!to.join("null").exists() && !to.join("fifo").exists() && to.join("file").exists());
}

/// Unpacks beside a secret, which must stay as it is; what is said.
#[track_caller]
fn attack(members: &[(&str, Kind)], prepare: impl Fn(&Path, &Path)) -> core::result::Result<u64, String> {
    let folder = tempfile::tempdir().unwrap();
    let (outside, to) = (folder.path().join("outside"), folder.path().join("to"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    prepare(&outside, &to);
    let (done, _) = unpacked_within(&stream(members), &to, Modes::Plain);
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["secret"], "{done:?}");
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(fs::metadata(outside.join("secret")).unwrap().nlink(), 1);
    done
}

#[test]
fn no_stream_writes_outside_of_its_place() {
    let nothing = |_: &Path, _: &Path| {};
    let refused = |members: &[(&str, Kind)], says: &str| {
        let error = attack(members, nothing).unwrap_err();
        assert!(error.contains(says), "{error}");
    };
    refused(&[("../outside/evil", FILE)], "upwards");
    refused(&[("a/../../outside/evil", FILE)], "upwards");
    refused(&[("..", Kind::Directory), ("../outside/evil", FILE)], "upwards");
    // By a link that the stream itself brings.
    for target in ["../outside", "/proc/self/cwd", "."] {
        refused(&[("a", link(target)), ("a/evil", FILE)], "nothing is written through it");
        refused(&[("a", link(target)), ("a/b", Kind::Directory)], "nothing is written through it");
        refused(&[("a", link(target)), ("a", Kind::Directory), ("a/evil", FILE)], "a");
        refused(&[("d", Kind::Directory), ("d/a", link("../../outside")), ("d/a/evil", FILE)], "through it");
    }
    refused(&[("a", link("../outside")), ("b", Kind::HardLink(b"a/secret".to_vec()))], "through it");
    refused(&[("b", Kind::HardLink(b"../outside/secret".to_vec()))], "upwards");
    // An absolute path is one below the place.
    assert_eq!(attack(&[("/outside/evil", FILE)], nothing), Ok(1));
    // A link is replaced, not written through; so is one that is there already, or comes as a hard link.
    let twice = [("a", link("../outside/secret")), ("a", FILE)];
    assert_eq!(attack(&twice, nothing), Ok(2));
    let linked = [("a", link("../outside/secret")), ("b", Kind::HardLink(b"a".to_vec())), ("b", FILE)];
    assert_eq!(attack(&linked, nothing), Ok(3));
    let there = |_: &Path, to: &Path| symlink("../outside/secret", to.join("a")).unwrap();
    assert_eq!(attack(&[("a", FILE)], there), Ok(1));
    let error = attack(&[("a/evil", FILE)], |outside, to| symlink(outside, to.join("a")).unwrap());
    assert!(error.unwrap_err().contains("through it"));
    // A fifo in the way is replaced, and nobody waits for its reader.
    let fifo = |_: &Path, to: &Path| nix::unistd::mkfifo(&to.join("a"), Mode::S_IRWXU).unwrap();
    assert_eq!(attack(&[("a", FILE)], fifo), Ok(1));
}

#[test]
fn a_strangers_file_gives_nobody_elses_power() {
    let folder = tempfile::tempdir().unwrap();
    for (modes, expected) in [(Modes::Plain, 0o755), (Modes::All, 0o6755)] {
        unpacked_within(&stream(&[("file", FILE), ("dir", Kind::Directory)]), folder.path(), modes)
            .0
            .unwrap();
        for name in ["file", "dir"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777;
            assert_eq!(mode, expected, "{name}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_off_or_too_deep_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = stream(&[("file", FILE)]);
    let (done, _) = unpacked(&whole[..600], folder.path(), Modes::All);
    assert!(done.unwrap_err().contains("truncated"));
    let deep = "d/".repeat(DEPTH + 1) + "file";
    assert!(
        unpacked(&stream(&[(&deep, FILE)]), folder.path(), Modes::All)
            .0
            .unwrap_err()
            .contains("folders in one another")
    );
    let mut path = folder.path().to_path_buf();
    for _ in 0..=DEPTH {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    assert!(packed(folder.path(), "top").0.unwrap_err().contains("folders in one another"));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, vec![1; 300_000]).unwrap();
    let open = |flags| opened(path.as_os_str().as_bytes(), flags);
    let mut write = |bytes: &[u8]| {
        if bytes.len() > 10_000 {
            fs::write(&path, "gone").unwrap();
        }
        Ok(())
    };
    let failure = pack(&open, b"file", &mut write, &mut |_| {}).unwrap_err();
    assert!(failure.what.contains("shrunk"), "{failure}");
}

#[test]
fn names_are_chosen_as_cp_chooses_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("old"), "old").unwrap();
    let tree = stream(&[("src", Kind::Directory), ("src/file", FILE)]);
    let contents = stream(&[("./", Kind::Directory), ("./file", FILE)]);
    let file = stream(&[("src", FILE)]);
    let check = |bytes: &[u8], to: &str, expected: core::result::Result<&str, &str>| {
        let (done, _) = unpacked(bytes, &at(to), Modes::All);
        match expected {
            Ok(path) => assert!(done.is_ok() && at(path).is_file(), "{to}: {done:?}, {path}"),
            Err(says) => assert!(done.clone().unwrap_err().contains(says), "{to}: {done:?}"),
        }
    };
    check(&tree, "dir", Ok("dir/src/file"));
    check(&tree, "new", Ok("new/file"));
    check(&tree, "slash/", Ok("slash/file"));
    check(&tree, "old", Err("take the place of a file"));
    check(&contents, "dir", Ok("dir/file"));
    check(&contents, "contents", Ok("contents/file"));
    fs::create_dir(at("other")).unwrap();
    check(&file, "other", Ok("other/src"));
    check(&file, "dir", Err("Is a directory"));
    check(&file, "named", Ok("named"));
    check(&file, "old", Ok("old"));
    check(&file, "none/", Err("no such folder"));
    check(&file, "none/below", Err("No such file"));
    assert!(fs::metadata(at("old")).unwrap().mode() & 0o7777 == 0o6755);
    // What is not of the tree does not come along.
    let two = stream(&[("src", Kind::Directory), ("other", FILE)]);
    check(&two, "third", Err("not of the tree"));
    check(&two, "dir", Err("not of the tree"));
    assert!(!at("dir/other").exists());
}

#[test]
fn only_what_was_asked_for_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let check = |asked: &str, path: &str, expected: bool| {
        let found = find(folder.path().as_os_str().as_bytes(), &opened).unwrap();
        let chosen = Place::choose_for(asked.as_bytes(), b"home", found, path.as_bytes(), &FILE);
        assert_eq!(chosen.is_ok(), expected, "{asked} {path}: {chosen:?}");
    };
    check("/data/wanted", "wanted", true);
    check("/data/wanted/", "wanted/below", true);
    check("/data/wanted", ".bashrc", false);
    check("/data/wanted", "./", false);
    check("/data/wanted", "./.ssh", false);
    check("/data/.", "./", true);
    check("/", "./", true);
    check("/data/.", "other", false);
    check("/data/..", "./", true);
    check("/data/..", "srv", false);
}

#[test]
fn a_mount_in_the_way_is_written_over() {
    crate::linux::testing::in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let (hosts, other) = (folder.path().join("hosts"), folder.path().join("other"));
        fs::write(&hosts, "old and long").unwrap();
        fs::write(&other, "mounted, old and long").unwrap();
        let bind = nix::mount::MsFlags::MS_BIND;
        nix::mount::mount(Some(&other), &hosts, None::<&str>, bind, None::<&str>).unwrap();
        unpacked(&stream(&[("hosts", FILE)]), folder.path(), Modes::All).0.unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "hosts");
        nix::mount::umount(&hosts).unwrap();
        assert_eq!(fs::read_to_string(&hosts).unwrap(), "old and long");
    });
}
