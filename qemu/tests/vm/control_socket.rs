//! What the control socket on the host promises to its clients.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::guest;

/// A client that knows nothing of virtual machines.
struct Client(UnixStream);

impl Client {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(stream)
    }

    fn say(&mut self, text: &str) {
        let call = format!(r#"{{"method":"org.orlop.Test.Echo","parameters":{{"text":"{text}"}}}}"#);
        self.0.write_all(format!("{call}\0").as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut message = Vec::new();
        let mut byte = [0];
        while self.0.read(&mut byte).unwrap() == 1 && byte != [0] {
            message.push(byte[0]);
        }
        String::from_utf8(message).unwrap()
    }
}

fn echo(text: &str) -> String {
    format!(r#"{{"parameters":{{"text":"{text}"}}}}"#)
}

#[test]
fn serves_eight_clients_at_once_refuses_a_ninth_and_takes_the_next() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    let path = built.file("control.sock");
    let socket = machine.serve_control(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // They speak before the machine is up, and each hears its own answer.
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(&path)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.say(&format!("number {number}"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.hear(), echo(&format!("number {number}")));
    }

    let mut ninth = Client::connect(&path);
    ninth.say("too many");
    let busy = r#"{"error":"org.orlop.Control.Busy","parameters":{"what":"ports","limit":8}}"#;
    assert_eq!(ninth.hear(), busy);
    assert_eq!(ninth.hear(), "");

    // One that went in the middle of a message leaves nothing to the next.
    let mut first = clients.remove(0);
    first.0.write_all(b"{\"method\":\"org.orlop.Te").unwrap();
    drop(first);
    let mut next = Client::connect(&path);
    next.say("after it");
    assert_eq!(next.hear(), echo("after it"));

    drop(socket);
    assert!(!path.exists());
}

#[test]
fn carries_much_both_ways_without_losing_any() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    let path = built.file("control.sock");
    let _socket = machine.serve_control(&path).unwrap();
    let mut client = Client::connect(&path);
    let text = "0123456789abcdef".repeat(200 << 10 >> 4);
    for _ in 0..5 {
        let mut writer = client.0.try_clone().unwrap();
        let call = format!(r#"{{"method":"org.orlop.Test.Echo","parameters":{{"text":"{text}"}}}}"#);
        let write = std::thread::Builder::new()
            .spawn(move || writer.write_all(format!("{call}\0").as_bytes()).unwrap())
            .unwrap();
        assert!(client.hear() == echo(&text));
        write.join().unwrap();
    }
}

#[test]
fn replaces_a_socket_that_nobody_serves_and_no_other_file() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    let path = built.file("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let socket = machine.serve_control(&path).unwrap();
    let error = machine.serve_control(&path).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.starts_with("listen on ") && error.ends_with("ddress in use"), "{error}");
    drop(socket);
    std::fs::write(&path, "precious").unwrap();
    assert!(machine.serve_control(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
