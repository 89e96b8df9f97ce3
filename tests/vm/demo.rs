//! The demo as it is shipped: nginx and redis from OCI images, and the page that the host can fetch.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use orlop_vm::{Machine, Options, Publish};

use crate::common::{Booted, build};

#[test]
fn demo_serves_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Does nothing when they are there.
    let images = Command::new(root.join("scripts/images")).output().unwrap();
    assert!(images.status.success(), "{}", String::from_utf8_lossy(&images.stdout));
    let folder = tempfile::tempdir().unwrap();
    build(&root.join("config/demo"), folder.path());
    let mut options = Options::new(folder.path());
    options.publish = vec!["0:80".parse::<Publish>().unwrap()];
    let machine = Machine::boot(&options).unwrap_or_else(|error| panic!("{error}"));
    let demo = Booted { machine, folder: folder.into() };
    for name in ["redis", "nginx"] {
        let container = demo.wait(name, "running");
        assert_eq!(container["restarts"], 0, "{container:#}");
    }
    // nginx writes to the pipe behind /dev/stdout, redis into a volume that is its own.
    demo.logged("redis", "Ready to accept connections");
    assert!(page(&demo).contains("<title>Welcome to nginx!</title>"));
    demo.logged("nginx", "\"GET / HTTP/1.1\" 200");
    demo.power_off();
    assert!(demo.console().contains("redis: stopping -> exited"), "{}", demo.console());
}

fn page(machine: &Machine) -> String {
    let port = machine.published(80).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    client.read_to_string(&mut page).unwrap();
    page
}
