//! The program against a collector of other people's making (Python's ssl, which is OpenSSL), started as `orlop forward`
//! starts it: a socket, and files by their descriptors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step ends the test"
)]
#![allow(clippy::disallowed_methods, reason = "processes of a test are its own")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use orlop::log::{FromPump, PumpWords};

/// Certificates, made once; they stay until the machine forgets its temporary files.
fn certificates() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/certificates.sh");
        let output = Command::new("sh").arg(script).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    })
}

struct Collector {
    process: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
    port: u16,
}

impl Collector {
    /// With this certificate; `words` as in `collector.py`.
    fn start(name: &str, words: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/collector.py");
        let mut process = Command::new("python3")
            .arg(script)
            .args([certificates().to_str().unwrap(), name])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        let hears = process.stdin.take().unwrap();
        let mut collector = Self { process, says, hears, port: 0 };
        collector.port = collector.line().strip_prefix("port ").unwrap().parse().unwrap();
        collector
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// All that it got up to this text.
    fn got(&mut self, wanted: &str) {
        let mut got = String::new();
        while got != wanted {
            let line = self.line();
            got += line.strip_prefix("got ").unwrap_or_else(|| panic!("{line} after {got}"));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Pump {
    process: Child,
    link: UnixStream,
    words: PumpWords,
    heard: Vec<FromPump>,
}

impl Pump {
    /// To a server of this name, by files of these names: who may have signed, and what is shown.
    fn start(host: &str, port: u16, name: &str, ca: &str, own: Option<(&str, &str)>) -> Self {
        let (link, theirs) = UnixStream::pair().unwrap();
        link.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        link.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
        let files = own.map_or(String::new(), |(cert, key)| format!("5<{cert} 6<{key}"));
        let start = format!("exec \"$@\" 3<&0 4<{ca} {files} </dev/null");
        let process = Command::new("sh")
            .args(["-c", &start, "sh", env!("CARGO_BIN_EXE_orlop-tls"), host, &port.to_string(), name])
            .stdin(OwnedFd::from(theirs))
            .current_dir(certificates())
            .spawn()
            .unwrap();
        Self { process, link, words: PumpWords::default(), heard: Vec::new() }
    }

    /// To a collector, and all as it should be.
    fn to(collector: &Collector) -> Self {
        Self::start("127.0.0.1", collector.port, "collector.example", "ca.pem", None)
    }

    fn give(&mut self, text: &str) {
        self.link.write_all(text.as_bytes()).unwrap();
    }

    /// The next thing that it says; `None`: it is gone.
    fn says(&mut self) -> Option<FromPump> {
        while self.heard.is_empty() {
            let mut bytes = [0; 4096];
            let count = match self.link.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("{error}"),
            };
            self.heard.extend(self.words.hear(&bytes[..count]).unwrap());
        }
        Some(self.heard.remove(0))
    }

    fn come_up(mut self) -> Self {
        assert_eq!(self.says(), Some(FromPump::Up));
        self
    }

    fn until_arrived(&mut self, bytes: u64) {
        loop {
            match self.says() {
                Some(FromPump::Arrived(known)) if known < bytes => {}
                other => return assert_eq!(other, Some(FromPump::Arrived(bytes))),
            }
        }
    }

    /// Why it ended, and how much it said had arrived before.
    fn ends(&mut self) -> (String, u64) {
        let mut arrived = 0;
        loop {
            match self.says() {
                Some(FromPump::Arrived(bytes)) => arrived = bytes,
                Some(FromPump::Ended(why)) => return (why, arrived),
                Some(FromPump::Up) => {}
                None => panic!("it ended without a word"),
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Who is refused, and why.
#[track_caller]
fn check_refused(certificate: &str, ca: &str, name: &str, expected: &str) {
    let collector = Collector::start(certificate, &[]);
    let mut pump = Pump::start("127.0.0.1", collector.port, name, ca, None);
    let (why, arrived) = pump.ends();
    assert!(why.starts_with(expected), "{why}");
    assert_eq!((arrived, pump.process.wait().unwrap().code()), (0, Some(1)));
}

#[test]
fn what_it_is_given_arrives_and_is_known_to() {
    for (certificate, words, version) in [
        ("good", &[][..], "TLSv1.3"),
        ("good", &["1.2"], "TLSv1.2"),
        ("rsa", &["1.2"], "TLSv1.2"),
        ("rsa", &[], "TLSv1.3"),
    ] {
        let mut collector = Collector::start(certificate, words);
        // Names are looked up, and what is wanted is what was asked for.
        let mut pump = Pump::start("localhost", collector.port, "localhost", "ca.pem", None).come_up();
        assert_eq!(collector.line(), format!("up {version} -"));
        pump.give("hello ");
        pump.give("collector");
        collector.got("hello collector");
        pump.until_arrived(15);
        pump.give(".");
        collector.got(".");
        pump.until_arrived(16);
        // Who goes says so to the collector.
        drop(std::mem::replace(&mut pump.link, UnixStream::pair().unwrap().0));
        assert_eq!(collector.line(), "end");
        assert_eq!(pump.process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_collector_that_is_not_who_it_should_be_is_refused_and_it_is_said_why() {
    check_refused(
        "other",
        "ca.pem",
        "collector.example",
        "the collector's certificate is not for collector.example, but for ",
    );
    check_refused(
        "good",
        "ca.pem",
        "192.0.2.1",
        "the collector's certificate is not for 192.0.2.1, but for ",
    );
    check_refused(
        "good",
        "stranger.pem",
        "collector.example",
        "nobody in ca has signed the collector's certificate",
    );
    check_refused(
        "old",
        "ca.pem",
        "collector.example",
        "the collector's certificate has expired, on 2021-01-01; this machine's clock says 2",
    );
    check_refused(
        "early",
        "ca.pem",
        "collector.example",
        "the collector's certificate is not valid before 2048-01-01; this machine's clock says 2",
    );
    check_refused(
        "stranger",
        "stranger.pem",
        "collector.example",
        "the collector shows the certificate of an authority",
    );
}

#[test]
fn a_collector_that_wants_a_certificate_gets_it_and_what_it_never_took_has_not_arrived() {
    let own = |cert: &'static str, key: &'static str| Some((cert, key));
    let start = |collector: &Collector, own| {
        Pump::start("127.0.0.1", collector.port, "collector.example", "ca.pem", own)
    };
    for words in [&["ask"][..], &["ask", "1.2"]] {
        let mut collector = Collector::start("good", words);
        let mut pump = start(&collector, own("machine.pem", "machine.key")).come_up();
        assert!(collector.line().ends_with(" machine"));
        pump.give("hello");
        collector.got("hello");
        pump.until_arrived(5);
        drop((pump, collector));

        // In TLS 1.3 our side is done before the collector's: what is sent by then is acknowledged, and for nobody.
        let collector = Collector::start("good", words);
        let mut pump = start(&collector, None);
        let _ = pump.link.write_all(b"hello");
        let expected = "the collector refused: it wants a certificate of this machine's, in cert and key";
        let (why, arrived) = pump.ends();
        let expected = if words.len() == 1 { expected } else { "the collector refused: " };
        assert!(why.starts_with(expected), "{why}");
        assert_eq!(arrived, 0);

        let mut pump = start(&collector, own("stranger.pem", "stranger.key"));
        let _ = pump.link.write_all(b"hello");
        let (why, arrived) = pump.ends();
        assert!(why.starts_with("the collector refused: "), "{why}");
        assert_eq!(arrived, 0);
    }
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let check = |ca: &str, own, expected: &str| {
        let (why, _) = Pump::start("127.0.0.1", 9, "collector.example", ca, own).ends();
        assert_eq!(why, expected);
    };
    check("ca.conf", None, "ca: there is no certificate in it, as PEM has it");
    check("ca.pem", Some(("good.pem", "good.pem")), "key: there is no private key in it, as PEM has it");
    check("ca.pem", Some(("good.pem", "rsa.key")), "key: it does not belong to the certificate in cert");
}

#[test]
fn who_is_not_there_and_who_speaks_otherwise_is_told() {
    let collector = Collector::start("good", &["plain"]);
    let (why, _) = Pump::to(&collector).ends();
    assert_eq!(why, "what the collector says is no TLS");
    let port = collector.port;
    drop(collector);
    let (why, _) = Pump::start("127.0.0.1", port, "collector.example", "ca.pem", None).ends();
    assert_eq!(why, format!("cannot connect to 127.0.0.1:{port}: Connection refused"));
    let (why, _) = Pump::start("nobody.invalid", port, "collector.example", "ca.pem", None).ends();
    assert!(why.starts_with("the name nobody.invalid cannot be looked up: "), "{why}");
}

#[test]
fn a_session_that_is_ended_or_cut_is_told_with_what_has_arrived() {
    for (order, expected) in [("end", "the collector ended the session"), ("cut", "the connection was cut: ")]
    {
        let mut collector = Collector::start("good", &[]);
        let mut pump = Pump::to(&collector).come_up();
        collector.line();
        pump.give("hello");
        collector.got("hello");
        pump.until_arrived(5);
        writeln!(collector.hears, "{order}").unwrap();
        let (why, arrived) = pump.ends();
        assert!(
            why.starts_with(expected) || order == "cut" && why.starts_with("the collector closed"),
            "{why}"
        );
        assert!(arrived <= 5);
    }
}

#[test]
fn a_collector_that_does_not_read_is_given_no_more_than_buffers_hold() {
    let mut collector = Collector::start("good", &["deaf"]);
    let mut pump = Pump::to(&collector).come_up();
    collector.line();
    let part = [b'x'; 64 << 10];
    let mut taken = 0;
    // Until there has been no room for three seconds.
    while let Ok(count) = pump.link.write(&part) {
        taken += count as u64;
        assert!(taken < 32 << 20, "it takes whatever it is given");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", pump.process.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    let resident: u64 = resident.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(resident < 12 << 10, "{resident} KiB");
    writeln!(collector.hears, "cut").unwrap();
    let (_, arrived) = pump.ends();
    assert!(arrived < taken, "{arrived} of {taken}");
}

#[test]
fn who_starts_it_by_hand_is_told_who_does() {
    let output = Command::new(env!("CARGO_BIN_EXE_orlop-tls")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`orlop forward` starts it"));
}
