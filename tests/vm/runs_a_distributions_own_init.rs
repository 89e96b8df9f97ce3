//! A container may run Debian's systemd as its process 1, in a cgroup that it may divide: it reaches its
//! default target, and ends when it is told to in its own way.

use serde_json::json;

use crate::common::{container, programs, world};

const INIT: &str = r#"
[container.debian]
image       = "dir:debian"
entrypoint  = ["/sbin/init"]
environment = { container = "oci" }
cgroup      = "delegate"
stop_signal = "RTMIN+3"
tmpfs       = ["/run:mode=755", "/run/lock", "/tmp"]
volumes     = ["mark:/mark"]

[volume.mark]
"#;

/// Ordered after the target that everything else is part of.
const REACHED: &str = r#"
[Unit]
DefaultDependencies=no
After=graphical.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'systemctl is-active graphical.target > /mark/new; systemctl --failed --plain --no-legend >> /mark/new; cat /proc/self/cgroup >> /mark/new; mv /mark/new /mark/reached'
"#;

#[test]
fn runs_a_distributions_own_init() {
    let config =
        INIT.to_owned() + &container("reader", "until-file /mark/reached", "volumes = [\"mark:/mark:ro\"]");
    let world = world(&config).options(|options| options.memory = 512 << 20);
    let root = world.config().join("debian");
    let copied = std::process::Command::new("cp").args(["-a"]).arg(programs::debian()).arg(&root).status();
    assert!(copied.unwrap().success());
    let units = root.join("etc/systemd/system");
    std::fs::write(units.join("reached.service"), REACHED).unwrap();
    std::fs::create_dir_all(units.join("graphical.target.wants")).unwrap();
    std::os::unix::fs::symlink("../reached.service", units.join("graphical.target.wants/reached.service"))
        .unwrap();
    let machine = world.boot();
    let text = machine.logged("reader", "reached.service\n");
    assert!(text.starts_with("active\n"), "{text}");
    // No unit has failed, and it has divided its cgroup.
    assert_eq!(text, "active\n0::/system.slice/reached.service\n");
    machine.ok("Stop", json!({ "name": "debian" }));
    let ended = machine.wait("debian", "exited");
    assert_eq!(ended["exit_code"], 0, "{ended}");
    machine.power_off();
}
