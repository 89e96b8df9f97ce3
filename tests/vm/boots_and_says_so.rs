//! A machine boots, runs what is declared, says so on its console and on its control ports, and
//! powers off when it is asked to.

use orlop_vm::End;

use crate::common::machine;

const CONFIG: &str = r#"
[container.sleeper]
image = "dir:payload"
command = ["/payload", "sleep"]
"#;

#[test]
fn boots_says_so_and_powers_off() {
    let machine = machine("boots", CONFIG).boot().unwrap();
    machine.wait_for_console("boot complete").unwrap();
    let sleeper = machine.wait_for("sleeper", "running").unwrap();
    assert_eq!(sleeper.get("restarts"), Some(&0.into()), "{sleeper}");
    machine.power_button().unwrap();
    assert_eq!(machine.wait_for_end().unwrap(), End::PoweredOff);
}
