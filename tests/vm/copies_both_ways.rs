//! `orlop cp`: trees there and back, and nowhere else, whatever a container puts in the way.

#![allow(clippy::disallowed_methods, reason = "a stream is given while it is taken")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::common::outside::Outside;
use crate::common::{container, world};

/// A file of the machine's that no container has.
const SECRET: &str = "/run/orlop/here";

#[test]
fn copies_both_ways() {
    let config = container("web", "sleep", "user = \"web\"\nvolumes = [\"data:/data\"]")
        + &container("closed", "sleep", "read_only = true")
        + &container("done", "exit 0", "restart = \"no\"")
        + "[volume.data]\nsize = \"8M\"\n";
    let machine = world(&config).boot();
    machine.logged("web", "sleeping");
    machine.logged("closed", "sleeping");
    let orlop = Outside::of(&machine);
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let text = |path: &str| at(path).display().to_string();

    fs::create_dir_all(at("tree/sub")).unwrap();
    // More than a window of bytes, and a name that needs a long one.
    fs::write(at("tree/large"), (0..900_000_u32).map(|number| (number % 253) as u8).collect::<Vec<_>>())
        .unwrap();
    fs::write(at("tree/sub").join("n".repeat(255)), "long").unwrap();
    symlink("/etc/shadow", at("tree/out")).unwrap();
    orlop.ok(&format!("cp {} web:/tmp", text("tree")));
    orlop.ok(&format!("cp web:/tmp/tree {}", text("back")));
    let same =
        Command::new("diff").args(["-r", "--no-dereference", &text("tree"), &text("back")]).output().unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    // Root's, whoever the container's program is; and volumes are a part of it.
    assert!(orlop.ok("exec web /payload stat /tmp/tree/large").contains("0 0"));
    orlop.ok(&format!("cp {}/. web:/data/new", text("tree")));
    assert!(orlop.ok("exec web /payload ls /data/new").contains("large"));
    orlop.ok(&format!("cp web:/data/new/sub/. {}", text("contents")));
    assert_eq!(fs::read_dir(at("contents")).unwrap().count(), 1);

    // As streams, there and back.
    let stream = orlop.command(&["cp", "web:/etc", "-"]).output().unwrap();
    let mut tar = Command::new("tar").arg("t").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(&stream.stdout).unwrap();
    let listed = String::from_utf8(tar.wait_with_output().unwrap().stdout).unwrap();
    assert!(listed.contains("etc/passwd\n") && stream.status.success(), "{listed}");
    let made = Command::new("tar").args(["c", "-C", &text("tree"), "."]).output().unwrap();
    let mut child = orlop.command(&["cp", "-", "web:/data"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&made.stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(orlop.ok("exec web /payload ls /data").contains("large"));

    let tree = text("tree");
    for (words, says) in [
        (format!("cp {tree} closed:/data"), "ead-only"),
        (format!("cp {tree} web:/nowhere/tree"), "No such file"),
        (format!("cp {tree} web:/etc/passwd"), "take the place of a file"),
        (format!("cp web:/nothing {tree}"), "No such file"),
        (format!("cp web:/dev/null {tree}"), "neither a file"),
        (format!("cp {tree}/nothing web:/tmp"), "No such file"),
        (format!("cp done:/etc {tree}"), "does not run"),
        (format!("cp wbe:/etc {tree}"), "did you mean `web`?"),
        ("cp web:/etc closed:/etc".to_owned(), "between two containers"),
        (format!("cp {tree} {tree}"), "NAME:PATH"),
    ] {
        orlop.fails(&words, 1, says);
    }
    orlop.ok("pause web");
    orlop.fails(&format!("cp web:/etc {tree}"), 1, "is paused");
    orlop.ok("resume web");
    // A volume that is full says so, and the container goes on.
    fs::write(at("too-large"), vec![0; 9 << 20]).unwrap();
    orlop.fails(&format!("cp {} web:/data", text("too-large")), 1, "No space left");
    assert_eq!(machine.container("web").unwrap()["restarts"], 0);
    assert_eq!(orlop.json("top --json web")["processes"].as_array().unwrap().len(), 1);
    machine.power_off();
}

#[test]
fn a_container_cannot_lead_a_copy_outside() {
    // The witness sees where the container would like to be.
    let hostile = "each symlink /run/orlop /tmp/out , symlink /etc/passwd /tmp/passwd , symlink /proc/1/root/run /tmp/magic \
                   , symlink ../../../../../../run/orlop /tmp/up , fifo /tmp/fifo , exchange /tmp/race /run/orlop";
    let config = container("evil", hostile, "tmpfs = [\"/run\"]\ncap_add = [\"MKNOD\"]")
        + &container("witness", "sleep", "volumes = [\"/run/orlop:/machine:ro\"]");
    let machine = world(&config).boot();
    machine.logged("evil", "exchanging");
    machine.logged("witness", "sleeping");
    let orlop = Outside::of(&machine);
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path).display().to_string();
    fs::create_dir(at("tree")).unwrap();
    fs::write(at("tree/here"), "here").unwrap();
    let there = || orlop.ok("exec witness /payload ls /machine");
    assert!(there().contains("control.sock"), "the witness sees nothing");

    for way in ["out", "up", "magic/orlop"] {
        // Its own /run is empty: the machine's is not what is found.
        orlop.fails(&format!("cp {} evil:/tmp/{way}/here", at("tree/here")), 1, "");
        orlop.fails(&format!("cp {} evil:/tmp/{way}/.", at("tree")), 1, "");
        orlop.fails(&format!("cp evil:/tmp/{way}/control.sock {}", at("stolen")), 1, "");
    }
    // A link that leads nowhere makes room for what is copied, and is not written through.
    orlop.ok(&format!("cp {} evil:/tmp/out", at("tree/here")));
    assert!(orlop.ok("exec evil /payload cat /tmp/out").starts_with("here"));
    // It is followed inside.
    orlop.ok(&format!("cp -L evil:/tmp/passwd {}", at("passwd")));
    assert!(fs::read_to_string(at("passwd")).unwrap().contains("/payload"));
    assert!(fs::symlink_metadata(at("passwd")).unwrap().is_file());
    // A folder that is a link every other moment. Whichever it is, nothing comes out.
    for _ in 0..10 {
        let _ = orlop.run(&format!("cp {}/. evil:/tmp/race", at("tree")));
        let _ = orlop.run(&format!("cp evil:/tmp/race {}", at("raced")));
        let _ = fs::remove_dir_all(at("raced"));
        let _ = fs::remove_file(at("raced"));
    }
    let left = there();
    assert!(!left.contains("here") && !left.contains("tree"), "{SECRET} was written: {left}");
    let (code, _, err) = orlop.run(&format!("cp evil:/tmp {}", at("all")));
    assert!(code == Some(0) && err.contains("tmp/fifo: a fifo is not copied"), "{code:?} {err}");
    assert!(fs::symlink_metadata(at("all/up")).unwrap().is_symlink());
    machine.power_off();
}
