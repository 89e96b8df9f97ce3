//! The control socket: whom the kernel names as root, as a member of the group, as a reader, and as nobody, also
//! through a container that was given the socket; and every change that is asked for stands in the log.

use serde_json::Value;

use crate::common::{container, world};

const CONTROL: &str = "[host.control]\ngroup = 900\nread_only = [1000]\n";
const SOCKET: &str = "volumes = [\"/run/orlop/control.sock:/control.sock\"]\n";
const LIST: &str = r#"{"method":"org.orlop.Control.List"}"#;
const STOP: &str = r#"{"method":"org.orlop.Control.Stop","parameters":{"name":"web"}}"#;
const DENIED: &str = "org.varlink.service.PermissionDenied";

/// A container that asks for the list and for a stop, with what else it has.
fn asks(name: &str, more: &str) -> String {
    container(name, "ask", &format!("{SOCKET}{more}"))
        .replace("\"ask\"", &format!("\"ask\", \"/control.sock\", '{LIST}', '{STOP}'"))
}

fn error(line: &str) -> String {
    let answer: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    answer["error"].as_str().unwrap_or_default().into()
}

#[test]
fn control_is_for_those_who_may() {
    let machines = "userns = \"host\"\n";
    let config = CONTROL.to_owned()
        + &container("web", "sleep", "")
        + &container("looks", "stat /control.sock", SOCKET)
        + &asks("stranger", "")
        + &asks("reader", &format!("{machines}user = \"1000:1000\""))
        + &asks(
            "operator",
            &format!("{machines}user = \"1001:1001\"\ngroup_add = [900]\ndepends_on = [\"web\"]"),
        )
        + &asks("root", &format!("{machines}depends_on = [\"web\"]"));
    let machine = world(&config).boot();
    let lines_of = |name: &str, state: &str| {
        machine.wait(name, state);
        machine.logs(name).lines().map(str::to_owned).collect::<Vec<_>>()
    };

    let lines = |name: &str| lines_of(name, "exited");

    // Root of a container is not root of the machine: it is told so, and can say no more.
    assert_eq!(error(&lines_of("stranger", "failed")[0]), DENIED);
    let reader = lines("reader");
    assert!(reader[0].contains("\"containers\""), "{reader:?}");
    assert_eq!(error(&reader[1]), DENIED);
    for name in ["operator", "root"] {
        let answers = lines(name);
        assert!(answers[0].contains("\"containers\""), "{answers:?}");
        assert_eq!(answers[1], "{\"parameters\":{}}", "{name}");
    }
    assert_eq!(machine.wait("web", "exited")["cause"]["kind"], "user");
    let socket = lines("looks");
    assert!(socket.iter().any(|line| line.contains("666")), "{socket:?}");

    let console = machine.console();
    let says = |who: &str, what: &str| {
        assert!(
            console.lines().any(|line| line.contains(who) && line.ends_with(what)),
            "{who} {what}: {console}"
        );
    };
    says("asked by uid 0 (pid ", "): stop web");
    says("asked by uid 1001 (pid ", "): stop web");
    says("not allowed to uid 1000 (pid ", "): stop web");
    says("not allowed to uid ", "): to ask for anything");
    assert!(!console.contains("list"), "{console}");
    machine.power_off();
}
