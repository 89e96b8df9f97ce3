//! Logs reach a collector by TLS, whatever is cut and whoever dies, and no collector that is not who it should be. The
//! collector is the one that `orlop-tls` is tested with, outside of the machine.

#![allow(clippy::disallowed_methods, reason = "processes of a test are its own")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::common::{container, world};

/// Lines of each run.
const LINES: usize = 100;

/// Where the client's processes are listed.
const CLIENT: &str = "/w/cgroup/containers/client/main/cgroup.procs";

#[test]
fn logs_reach_a_collector_by_tls_whatever_is_cut() {
    let folder = certificates();
    let mut collector = Collector::start(folder.path(), &["ask"]);
    let stranger = Collector::start(folder.path(), &[]);
    // QEMU's network for its user: 10.0.2.2 is the host.
    let (port, strangers) = (collector.port, stranger.port);
    let config = format!(
        "[host]\nhostname = \"deck\"\nfault_injection = true\n\
         [host.network.outside]\nmatch = {{ driver = \"virtio_net\" }}\naddresses = [\"10.0.2.15/24\"]\n\
         gateway = \"10.0.2.2\"\n[[host.log.forward]]\nto = \"tls://10.0.2.2:{port}\"\nca = \"tls/ca.pem\"\n\
         cert = \"tls/machine.pem\"\nkey = \"tls/machine.key\"\nserver_name = \"collector.example\"\n\
         [[host.log.forward]]\nto = \"tls://collector.example:{strangers}\"\nca = \"tls/stranger.pem\"\n{}",
        container("web", &format!("write {} line", LINES * 16), "restart = \"no\"")
            + &container("client", "sleep", "")
    );
    // A machine whose clock was never set, until the client is stopped.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 100_000;
    let errands = [
        format!("turn-clock -{since}"),
        "mount cgroup2 /w/cgroup nsdelegate,memory_recursiveprot".to_owned(),
        format!("wait {CLIENT}"),
        format!("gone {CLIENT}"),
        format!("turn-clock {since}"),
    ];
    let world = world(&config).witness(&errands).smuggle("/etc/hosts", "10.0.2.2 collector.example\n");
    let beside = world.config().join("tls");
    std::fs::create_dir(&beside).unwrap();
    for file in ["ca.pem", "machine.pem", "machine.key", "stranger.pem"] {
        std::fs::copy(folder.path().join(file), beside.join(file)).unwrap();
    }
    let machine = world.boot();

    let link = format!("forward: tls://10.0.2.2:{port}: ");
    let said = machine.logged("@orlop", &format!("{link}the collector's certificate is not valid before 20"));
    assert!(said.contains("clock, which was never set, says 1970-01-0"), "{said}");
    assert_eq!(machine.answer(&format!("wait {CLIENT}")), "ok");
    machine.ok("Stop", json!({ "name": "client" }));
    collector.until("up TLSv1.3 machine", |_| false);
    let lines = |all: &[String]| all.iter().filter(|it| it.contains(" deck web - stdout ")).count();
    let last = format!("] {:010} line", LINES - 1);
    // All of it from the beginning, which was before there was a link.
    let all = collector.until("", |all| {
        lines(all) >= LINES
            && all.iter().any(|it| it.contains(" deck @orlop ") && it.contains("boot complete"))
    });
    assert_eq!(lines(&all), LINES, "{all:?}");
    machine.logged("@orlop", &format!("{link}works again"));
    let refused = format!(
        "forward: tls://collector.example:{strangers}: nobody in ca has signed the collector's certificate"
    );
    machine.logged("@orlop", &refused);
    let run = || {
        machine.wait("web", "exited");
        machine.ok("Start", json!({ "name": "web" }));
    };

    // The forwarder dies, and with it who speaks for it.
    machine.crash("forward", "SIGKILL");
    collector.go_on();
    collector.until("up TLSv1.3 machine", |_| false);
    run();
    // What had not been seen to arrive by the other link may come once more; then all that is new.
    let is_whole = |all: &[String]| {
        let newest = all.iter().rposition(|it| it.contains("forward ended: signal 9"));
        newest.is_some()
            && lines(all) >= LINES
            && all.iter().rev().find(|it| it.contains(" deck web ")).is_some_and(|it| it.ends_with(&last))
    };
    let again = collector.until("", is_whole);
    assert!((LINES..=2 * LINES).contains(&lines(&again)), "{}", lines(&again));

    // The link is cut and nobody is there: what was said meanwhile comes when somebody is.
    drop(collector);
    machine.logged(
        "@orlop",
        &format!("{link}cannot connect to 10.0.2.2:{port}: Connection refused; trying again"),
    );
    run();
    machine.wait("web", "exited");
    let mut collector = Collector::start(folder.path(), &["ask", &format!("port={port}")]);
    collector.until("up TLSv1.3 machine", |_| false);
    let missed = collector.until("", |all| lines(all) >= LINES && all.last().unwrap().ends_with(&last));
    let missed: Vec<&String> = missed.iter().filter(|it| it.contains(" deck web - stdout ")).collect();
    for (number, line) in missed[missed.len() - LINES..].iter().enumerate() {
        assert!(line.ends_with(&format!("] {number:010} line")), "{line} at {number}");
    }
    machine.power_off();
}

#[test]
fn a_file_that_is_missing_is_named_and_used_once_it_is_there() {
    let folder = certificates();
    let mut collector = Collector::start(folder.path(), &[]);
    let port = collector.port;
    let config = format!(
        "[host]\nhostname = \"deck\"\n\
         [host.network.outside]\nmatch = {{ driver = \"virtio_net\" }}\naddresses = [\"10.0.2.15/24\"]\n\
         gateway = \"10.0.2.2\"\n[[host.log.forward]]\nto = \"tls://10.0.2.2:{port}\"\nca = \"/run/tls/ca.pem\"\n\
         server_name = \"collector.example\"\n{}",
        container("client", "sleep", "")
    );
    let errands = [
        "mount cgroup2 /w/cgroup nsdelegate,memory_recursiveprot".to_owned(),
        format!("wait {CLIENT}"),
        format!("gone {CLIENT}"),
        "join /proc/1/ns/mnt".to_owned(),
        "mkdir /run/tls".to_owned(),
        "run /run/tls/ca.pem /witness cat /ca.pem".to_owned(),
    ];
    let ca = std::fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    let machine = world(&config).witness(&errands).smuggle("/ca.pem", &ca).boot();
    let link = format!("forward: tls://10.0.2.2:{port}: ");
    machine.logged("@orlop", &format!("{link}ca: /run/tls/ca.pem: No such file or directory; trying again"));
    assert_eq!(machine.answer(&format!("wait {CLIENT}")), "ok");
    machine.ok("Stop", json!({ "name": "client" }));
    collector.until("", |all| all.iter().any(|it| it.contains(" deck @orlop ") && it.contains(&link)));
    machine.power_off();
}

/// A folder with those of `orlop-tls`'s own tests.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("sh").arg(script("certificates.sh")).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tls/tests/peer").join(name)
}

struct Collector {
    process: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
    port: u16,
    /// What came of a message.
    rest: Vec<u8>,
    /// Messages that nobody asked for yet.
    messages: Vec<String>,
}

impl Collector {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let mut process = Command::new("python3")
            .arg(script("collector.py"))
            .args([folder.to_str().unwrap(), "good", "hex", "patient"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        let hears = process.stdin.take().unwrap();
        let mut collector = Self { process, says, hears, port: 0, rest: Vec::new(), messages: Vec::new() };
        collector.port = collector.line().strip_prefix("port ").unwrap().parse().unwrap();
        collector
    }

    /// It gives itself up in the end, and then there is none.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "nothing more came; the messages are {:?}", self.messages);
        line.trim_end().to_owned()
    }

    /// Takes the next connection.
    fn go_on(&mut self) {
        self.hears.write_all(b"next\n").unwrap();
    }

    /// All messages until that line is said, or they are what is wanted.
    fn until(&mut self, line: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            if wanted(&self.messages) {
                return std::mem::take(&mut self.messages);
            }
            let said = self.line();
            if let Some(got) = said.strip_prefix("got ") {
                self.take(got);
            } else if said == line {
                // What is left of the link before is none.
                self.rest.clear();
                return std::mem::take(&mut self.messages);
            }
        }
    }

    /// Cuts a stream into messages, by their lengths.
    fn take(&mut self, hex: &str) {
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
        self.rest.extend(bytes);
        while let Some(space) = self.rest.iter().position(|byte| *byte == b' ') {
            let length: usize = std::str::from_utf8(&self.rest[..space]).unwrap().parse().unwrap();
            let end = space + 1 + length;
            if self.rest.len() < end {
                return;
            }
            self.messages.push(String::from_utf8_lossy(&self.rest[space + 1..end]).into_owned());
            self.rest.drain(..end);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
