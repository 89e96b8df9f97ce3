//! What is built boots: the kernel starts `/init`, takes the modules in the order that the library
//! gives, and mounts a layer out of the store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says why and ends")]

mod machine;

use std::process::{Command, Stdio};

use orlop_image::{Built, Options, build};

/// Without `cx16=off` QEMU 7.2 loses the flags at a `cmpxchg16b` now and then, and the kernel dies.
const CPU: &str = "max,cx16=off";

/// Seconds; a boot takes three, emulated, on a machine that does nothing else.
const DEADLINE: &str = "180";

/// What the machine prints until it restarts.
fn console(built: &Built) -> String {
    let output = Command::new("timeout")
        .args([DEADLINE, "qemu-system-x86_64", "-accel", "tcg", "-cpu", CPU, "-M", "q35", "-m", "256"])
        .args(["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(built.kernel())
        .arg("-initrd")
        .arg(built.initrd())
        .args(["-append", built.cmdline()])
        .stdin(Stdio::null())
        .output()
        .expect("qemu-system-x86_64 is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn boots_loads_its_modules_and_mounts_a_layer() {
    let world = tempfile::tempdir().unwrap();
    let mut options = Options::new(machine::config(world.path()), world.path().join("machine"));
    options.init = Some(machine::init(world.path()));
    let built = build(&options).unwrap();
    let modules: Vec<&str> =
        built.manifest.modules.iter().map(|module| module.part.path.rsplit('/').next().unwrap()).collect();
    assert!(modules.starts_with(&["libcrc32c.ko", "erofs.ko", "overlay.ko"]), "{modules:?}");
    assert_eq!(modules.last(), Some(&"dummy.ko"));
    let console = console(&built);
    assert!(console.contains("init: modules are loaded"), "{console}");
    assert!(console.contains("init: hello [host]"), "{console}");
}

#[test]
fn a_machine_without_images_is_small() {
    let world = tempfile::tempdir().unwrap();
    let config = world.path().join("a.toml");
    std::fs::write(&config, "[host]\n").unwrap();
    let mut options = Options::new(config, world.path().join("machine"));
    options.init = Some(machine::init(world.path()));
    let built = build(&options).unwrap();
    // All but the binary, which a test of its own keeps below 4 MiB.
    assert!(built.manifest.initrd.sum.size < 2 << 20, "{}", orlop_image::table(&built));
}
