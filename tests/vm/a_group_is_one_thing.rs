//! Several containers by one name, and a failure budget of all of them.

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn a_group_is_one_thing() {
    let restart = "restart = \"always\"\nrestart_policy = { delay = \"100ms\" }\n";
    let config = "[host]\nfault_injection = true\n\
         [group.shop]\ncontainers = [\"db\", \"web\"]\n\
         restart_policy = { max_attempts = 3, window = \"1h\", then = \"restart-group\" }\n"
        .to_owned()
        + &container("db", "sleep", restart)
        + &container("web", "sleep", &format!("{restart}depends_on = [\"db\"]"))
        + &container("other", "sleep", "");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    machine.wait("web", "running");
    machine.wait("other", "running");
    let pid = |name: &str| orlop.json(&format!("status --json {name}"))["pid"].clone();
    let (db, web, other) = (pid("db"), pid("web"), pid("other"));
    orlop.ok("restart shop");
    assert_ne!((pid("db"), pid("web")), (db, web));
    orlop.ok("stop shop");
    assert_eq!(machine.wait("db", "exited")["group"], "shop");
    machine.wait("web", "exited");
    orlop.ok("start shop");
    let db = pid("db");

    // Three failures of one, the last of them heard by another supervisor.
    for failures in 1..=3 {
        if failures == 3 {
            machine.crash("supervisor", "SIGKILL");
            machine.supervisor(2);
        }
        let before = pid("web");
        orlop.ok("kill -s KILL web");
        machine.until("web", "to run again", |it| it["state"] == "running" && it["pid"] != before);
    }
    machine.until("db", "to be restarted with it", |it| it["state"] == "running" && it["pid"] != db);
    assert_eq!(pid("other"), other);
    assert!(machine.console().contains("was restarted with its group shop"));
    machine.power_off();
}
