//! Without a network a container has loopback and nothing else; with the machine's its root may
//! serve on port 80, and the host reaches it.

use std::io::{Read, Write};
use std::net::TcpStream;

use orlop_vm::Publish;

use crate::common::{container, section, world};

#[test]
fn network_modes() {
    let looks = "each ls /sys/class/net , cat /sys/class/net/lo/flags , cat /proc/net/route";
    let network = "[host.network.outside]\nmatch = { driver = \"virtio_net\" }\naddresses = [\"10.0.2.15/24\"]\ngateway = \"10.0.2.2\"\n";
    let host = "network_mode = \"host\"";
    let config = String::from(network)
        + &container("alone", looks, "")
        + &container("with", looks, host)
        + &container("web", "serve 80", host)
        + &container("user", "serve 81", &format!("{host}\nuser = \"web\""));
    let publish = |guest: u16| format!("0:{guest}").parse::<Publish>().unwrap();
    let machine = world(&config).options(|options| options.publish = vec![publish(80), publish(81)]).boot();
    let alone = machine.logged("alone", "== end");
    assert_eq!(section(&alone, "ls /sys/class/net"), "lo\n");
    // IFF_UP and IFF_LOOPBACK.
    assert_eq!(section(&alone, "cat /sys/class/net/lo/flags"), "0x9\n");
    assert_eq!(section(&alone, "cat /proc/net/route").lines().count(), 1, "{alone}");
    let with = machine.logged("with", "== end");
    assert_eq!(section(&with, "ls /sys/class/net"), "eth0\nlo\n");
    for (name, port) in [("web", 80), ("user", 81)] {
        machine.logged(name, &format!("serving on {port}"));
        let mut client = TcpStream::connect(("127.0.0.1", machine.published(port).unwrap())).unwrap();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        client.read_to_string(&mut page).unwrap();
        assert!(page.ends_with("hello from the payload\n"), "{name}: {page}");
    }
    machine.power_off();
}
