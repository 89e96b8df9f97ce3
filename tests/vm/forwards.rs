//! Logs reach a collector outside of the machine, whatever dies in it.

use std::io::{BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop_vm::Publish;
use serde_json::json;

use crate::common::{container, world};

/// Lines of each run.
const LINES: usize = 100;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn logs_reach_a_collector_whatever_dies() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // QEMU's network for its user: 10.0.2.2 is the host.
    let config = format!(
        "[host]\nhostname = \"deck\"\nfault_injection = true\n\
         [host.network.outside]\nmatch = {{ driver = \"virtio_net\" }}\naddresses = [\"10.0.2.15/24\"]\n\
         gateway = \"10.0.2.2\"\n[host.log]\nforward = [{{ to = \"tcp://10.0.2.2:{port}\" }}]\n{}",
        container("web", &format!("write {} line", LINES * 16), "restart = \"no\"")
            + &container("client", "sleep", "gates = [\"network-online\"]")
    );
    let publish = "0:80".parse::<Publish>().unwrap();
    let machine = world(&config).options(|options| options.publish = vec![publish]).boot();
    let mut collector = Collector::accept(&listener);
    let all =
        collector.until(|message| message.contains(" deck @orlop ") && message.contains("boot complete"));
    assert!(all.iter().any(|message| message.contains(" deck @kernel ")), "{all:?}");
    let lines = |all: &[String]| all.iter().filter(|it| it.contains(" deck web - stdout ")).count();
    let last = format!("] {:010} line", LINES - 1);
    let mut count = lines(&all);
    if count < LINES {
        count += lines(&collector.until(|message| message.ends_with(&last)));
    }
    assert_eq!(count, LINES);
    machine.wait("client", "running");

    machine.crash("forward", "SIGKILL");
    let run = || {
        machine.wait("web", "exited");
        machine.ok("Start", json!({ "name": "web" }));
    };
    run();
    let mut collector = Collector::accept(&listener);
    // What had not been seen to arrive by the other link may come once more; then all that is new.
    let again = collector.until(|message| message.ends_with(&last));
    let again = if lines(&again) < LINES {
        let rest = collector.until(|message| message.ends_with(&last));
        [again, rest].concat()
    } else {
        again
    };
    assert!((LINES..=2 * LINES).contains(&lines(&again)), "{}", lines(&again));
    assert!(again.iter().any(|message| message.contains("forward ended: signal 9")));

    // Another supervisor has the same forwarder.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    run();
    let later = collector.until(|message| message.ends_with(&last));
    assert_eq!(lines(&later), LINES);

    // One that is gone is said, once; and that it is back.
    drop((collector, listener));
    let down = format!("forward: tcp://10.0.2.2:{port}: ");
    machine.logged("@orlop", &down);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let _collector = Collector::accept(&listener);
    let said = machine.logged("@orlop", &format!("{down}works again"));
    assert_eq!(said.matches(&down).count(), 2, "{said}");
    machine.power_off();
}

struct Collector(BufReader<TcpStream>);

impl Collector {
    fn accept(listener: &TcpListener) -> Self {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::try_from(SOON).unwrap()), Ok(1), "it did not connect");
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(BufReader::new(stream))
    }

    fn message(&mut self) -> String {
        let mut length = String::new();
        let mut byte = [0];
        loop {
            self.0.read_exact(&mut byte).unwrap();
            match byte {
                [b' '] => break,
                [digit] => length.push(char::from(digit)),
            }
        }
        let mut message = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut message).unwrap();
        String::from_utf8_lossy(&message).into_owned()
    }

    /// All messages up to the one that is wanted.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        while !all.last().is_some_and(|message: &String| wanted(message)) {
            all.push(self.message());
        }
        all
    }
}
