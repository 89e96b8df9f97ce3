//! A Varlink client that is not ours drives the machine.

use std::path::Path;
use std::process::Command;

use crate::common::{container, world};

#[test]
fn a_foreign_varlink_client_understands_the_machine() {
    let machine = world(&container("web", "sleep", "")).boot();
    machine.until("web", "to write", |_| machine.logs("web").contains("sleeping"));
    let socket = machine.folder.path().join("control.sock");
    let _serving = machine.serve_control(&socket).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/varlink/run");
    let output = Command::new(script).arg(format!("unix:{}", socket.display())).arg("web").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "ok");
    machine.power_off();
}
