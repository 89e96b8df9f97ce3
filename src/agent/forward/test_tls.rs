//! Promises of forwarding by way of a pump, with a shell's script in its place: the program that speaks TLS has its own tests.

use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orlop::config::{Collector as To, TlsCollector};
use orlop::log::{FromForwarder, Stream, ToForwarder};

use super::test_world::World;
use crate::linux::seqpacket;

/// A folder in which nobody may write, in which a script is.
fn folder(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    std::fs::write(folder.path().join("pump"), script).unwrap();
    std::fs::write(folder.path().join("ca"), "of the ca\n").unwrap();
    folder
}

/// A shell executes the file that its first argument names, which is the collector's host.
fn world(folder: &Path, program: &str) -> (World, To) {
    let host = folder.join("pump").display().to_string();
    let to = To::Tls(TlsCollector { host, port: 6514, server_name: Some("collector.example".into()) });
    (World::speaking(to.clone(), vec![PathBuf::from(program), folder.join("ca")]), to)
}

fn told(world: &mut World) -> (To, String) {
    match world.tells() {
        FromForwarder::Said { to, why } => (to, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pump_that_ends_says_why_and_what_it_did_not_say_had_arrived_is_sent_again() {
    // The first takes all and knows of one message; the second takes what is left of it.
    let script = "cd \"${0%/*}\"; echo up >&3
        if ! test -e first; then
            echo \"$# $2 $(cat <&4)\" >arguments
            head -c 98 <&3 >first; echo 'has 98' >&3
            head -c $((98 * 2)) <&3 >>first; echo 'end its certificate has expired' >&3; exit 1
        fi
        head -c $((98 * 2)) <&3 >second; mv second done; cat <&3";
    let folder = folder(script);
    let (mut world, to) = world(folder.path(), "/bin/sh");
    world.wake(|world| world.write(Stream::Stdout, "one one\n"));
    world.until_arrived(8);
    world.wake(|world| world.write(Stream::Stdout, "two two\nsix six\n"));
    assert_eq!(told(&mut world), (to, "its certificate has expired".to_owned()));
    let done = folder.path().join("done");
    world.until(|| done.exists());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let texts = |name: &str| {
        let text = read(name);
        let texts = text.split("] ").skip(1).map(|part| part.chars().take(7).collect::<String>());
        texts.collect::<Vec<_>>().join(",")
    };
    assert_eq!(texts("first"), "one one,two two,six six", "{}", read("first"));
    assert_eq!(texts("done"), "two two,six six", "{}", read("done"));
    assert_eq!(read("arguments"), "2 collector.example of the ca\n");
    world.kill();
}

#[test]
fn what_is_no_program_and_what_speaks_nonsense_is_told() {
    let none = folder("");
    let (mut world, to) = world(none.path(), none.path().join("pump").to_str().unwrap());
    assert_eq!(told(&mut world), (to.clone(), "orlop-tls cannot be executed: Permission denied".to_owned()));
    world.kill();
    let nonsense = folder("echo 'HTTP/1.1 200 OK' >&3; cat <&3");
    let (mut world, to) = self::world(nonsense.path(), "/bin/sh");
    let expected = FromForwarder::Link { to, errno: crate::linux::Errno::EPROTO as i32 };
    assert_eq!(world.tells(), expected);
    world.kill();
}

#[test]
fn a_pump_has_no_power_and_ends_with_its_forwarder() {
    let script = "cd \"${0%/*}\"; cat /proc/$$/status >status; ls -l /proc/$$/fd >fds; echo $$ >pid.new; mv pid.new pid
        echo up >&3; cat <&3 >/dev/null";
    let folder = folder(script);
    let (mut world, _) = world(folder.path(), "/bin/sh");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    world.until(|| !read("pid").is_empty());
    let status = read("status");
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{status}");
    }
    // Its own script, beside what it was given.
    let fds = read("fds");
    let given = fds.lines().filter(|line| line.contains(" 3 -> socket") || line.contains("/ca")).count();
    let others = fds.lines().filter(|line| line.contains("orlop-") || line.contains("anon_inode")).count();
    assert_eq!((given, others), (2, 0), "{fds}");
    world.kill();
    let stat = format!("/proc/{}/stat", read("pid").trim());
    world.until(|| {
        std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") S ")) || !Path::new(&stat).exists()
    });
}

#[test]
fn files_are_read_again_for_each_session_and_one_that_is_missing_is_waited_for() {
    let script = "cd \"${0%/*}\"; cat <&4 >read.new; mv read.new read; echo up >&3
        while test -e read; do sleep 0.1; done; echo 'end it is over' >&3";
    let folder = folder(script);
    let path = |name: &str| folder.path().join(name);
    std::fs::remove_file(path("ca")).unwrap();
    let (mut world, to) = world(folder.path(), "/bin/sh");
    let missing = format!("{}: No such file or directory (os error 2)", path("ca").display());
    assert_eq!(told(&mut world), (to, missing));
    for text in ["of this year", "of the next year"] {
        std::fs::write(path("ca.new"), text).unwrap();
        std::fs::rename(path("ca.new"), path("ca")).unwrap();
        let _ = std::fs::remove_file(path("read"));
        world.until(|| path("read").exists());
        assert_eq!(std::fs::read_to_string(path("read")).unwrap(), text);
    }
    world.kill();
}

#[test]
fn who_is_of_an_earlier_release_gives_the_files_at_once_and_never_again() {
    let folder =
        folder("cd \"${0%/*}\"; cat <&4 >read.new; mv read.new read; echo up >&3; cat <&3 >/dev/null");
    let host = folder.path().join("pump").display().to_string();
    let to = To::Tls(TlsCollector { host, port: 6514, server_name: None });
    let mut world = World::new(to.clone());
    let files = [Path::new("/bin/sh").to_owned(), folder.path().join("ca")];
    let files = files.map(|path| std::fs::File::open(path).unwrap());
    let packet = ToForwarder::To(to).encode();
    seqpacket::send(world.control.as_fd(), &packet, &files.each_ref().map(AsFd::as_fd)).unwrap();
    let read = folder.path().join("read");
    world.until(|| read.exists());
    world.kill();
}
