//! Sockets are opened before their containers run: the first connection starts one, and neither its end nor a
//! supervisor's costs anybody who waits his place.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::outside::Outside;
use crate::common::{container, section, world};

fn listens(orlop: &Outside<'_>, name: &str) -> bool {
    orlop.json(&format!("status --json {name}"))["listens"] == true
}

fn config() -> String {
    let open = |sockets: &str| format!("sockets = [{sockets}]\nstart = \"on-connection\"");
    let files = "\"unix:/run/web/file.sock\", { listen = \"unix:/run/web/root.sock\", mode = \"0600\" }";
    "[host]\nfault_injection = true\n".to_owned()
        + &container(
            "web",
            "serve-given 2",
            &open("\"tcp://0.0.0.0:80\", { listen = \"udp://[::]:53\", name = \"dns\" }"),
        )
        + &container("tended", "serve-given 0", &format!("init = true\n{}", open("\"tcp://127.0.0.1:81\"")))
        + &container("shuts", "each serve-given 1 , shut-given", &open("\"tcp://127.0.0.1:83\""))
        + &container("file", "serve-given 0", &open(files))
        + &container(
            "line",
            "each fds , line-on 4 , sleep",
            "ready = \"fd\"\nsockets = [\"tcp://127.0.0.1:82\"]",
        )
        + &container(
            "client",
            "sleep",
            "network_mode = \"host\"\nvolumes = [\"/run/web:/run/web\"]\ndepends_on = [\"web\"]",
        )
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the command is another process")]
fn starts_on_connection() {
    let machine = world(&config()).boot();
    let orlop = Outside::of(&machine);
    // It can be reached, which is all that it is waited for.
    machine.wait("client", "running");
    assert!(listens(&orlop, "web") && listens(&orlop, "file"));
    let shown = orlop.ok("ps");
    assert!(
        shown.lines().any(|line| line.starts_with("web ") && line.contains("waiting (for a connection)")),
        "{shown}"
    );
    assert!(orlop.ok("status web").contains("tcp://0.0.0.0:80, udp://[::]:53"));

    // The sockets outlive a supervisor, and the next one looks at them.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    let fetch = |place: &str| orlop.ok(&format!("exec client /payload fetch {place}"));
    let given = "LISTEN_FDNAMES=80:dns LISTEN_FDS=2 LISTEN_PID=1";
    assert_eq!(fetch("tcp:127.0.0.1:80"), format!("client 1 of 1: {given}\n"));
    assert_eq!(machine.wait("web", "running")["restarts"], 0);
    assert!(!listens(&orlop, "web"));
    assert_eq!(fetch("tcp:127.0.0.1:80"), format!("client 2 of 1: {given}\n"));
    // It ended well after two; the third starts it again.
    machine.until("web", "to wait again", |it| it["listens"] == true);
    assert_eq!(fetch("tcp:127.0.0.1:80"), format!("client 1 of 1: {given}\n"));

    // Whoever connects while it is down waits, over a supervisor's death, and is the first to be served.
    orlop.ok("stop web");
    let words = ["exec", "client", "/payload", "fetch", "tcp:127.0.0.1:80"];
    let waiting = orlop.command(&words).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let connected = || {
        orlop
            .ok("exec client /payload cat /proc/net/tcp")
            .lines()
            .any(|line| line.contains(":0050 0100007F:") && line.contains(" 01 "))
    };
    while !connected() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody connects");
    }
    assert_eq!(machine.wait("web", "exited")["wanted"], "down");
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(3);
    orlop.ok("start web");
    let said = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), format!("client 1 of 1: {given}\n"));

    // One that takes nobody any more when it ends does so for itself alone.
    for _ in 0..2 {
        assert!(fetch("tcp:127.0.0.1:83").starts_with("client 1 of "));
        machine.until("shuts", "to wait again", |it| it["listens"] == true);
    }

    // By the number that it has itself, and to whom the file's mode lets in.
    assert_eq!(fetch("tcp:127.0.0.1:81"), "client 1 of 2: LISTEN_FDNAMES=81 LISTEN_FDS=1 LISTEN_PID=2\n");
    assert!(fetch("unix:/run/web/file.sock").contains("LISTEN_FDNAMES=file.sock:root.sock LISTEN_FDS=2"));
    orlop.fails("exec client /payload fetch unix:/run/web/root.sock", 1, "Permission denied");
    // What it says that it is ready with comes after its sockets.
    machine.until("line", "to be ready", |it| it["ready"] == true);
    let log = machine.logged("line", "sleeping");
    let fds = section(&log, "fds");
    assert!(
        fds.lines().any(|it| it.starts_with("3 socket:")) && fds.lines().any(|it| it.starts_with("4 pipe:")),
        "{log}"
    );
    machine.power_off();
}
