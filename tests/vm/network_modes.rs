//! Without a network a container has loopback and nothing else; with the machine's its root may
//! serve on port 80, and the host reaches it. The machine's has addresses, routes and name servers as
//! declared.

use std::io::{Read, Write};
use std::net::TcpStream;

use orlop_vm::Publish;

use crate::common::{container, section, world};

/// QEMU's network for its user, of which the host sees the published ports.
const NETWORK: &str = r#"
[host.network.outside]
match = { driver = "virtio_net" }
addresses = ["10.0.2.15/24", "fd00:77::5/64"]
gateway = ["10.0.2.2", "fd00:77::1"]
routes = [{ to = "192.0.2.0/24", via = "10.0.2.3", metric = 7 }]

[host.dns]
servers = ["10.0.2.3", "fd00:77::3"]
search = ["deck.example"]

[host.sysctls]
"net.core.somaxconn" = 1234
vm.swappiness = 17
"#;

#[test]
fn network_modes() {
    let looks = "each ls /sys/class/net , cat /sys/class/net/lo/flags , cat /proc/net/route , \
                 cat /proc/net/fib_trie , cat /proc/net/if_inet6 , cat /proc/net/ipv6_route , \
                 cat /etc/resolv.conf , cat /proc/sys/net/core/somaxconn , cat /proc/sys/vm/swappiness";
    let host = "network_mode = \"host\"";
    let config = String::from(NETWORK)
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
    assert_eq!(section(&alone, "cat /etc/resolv.conf"), "", "a name server that nobody can reach");
    check_declared(&with);
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

/// Figures as the kernel prints them: addresses in /proc/net/route are in the CPU's byte order.
#[track_caller]
fn check_declared(log: &str) {
    let routes: Vec<Vec<&str>> = section(log, "cat /proc/net/route")
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    // Destination, gateway, metric, mask.
    let found: Vec<[&str; 4]> = routes.iter().map(|it| [it[1], it[2], it[6], it[7]]).collect();
    let expected = [
        ["00000000", "0202000A", "0", "00000000"],
        ["0002000A", "00000000", "0", "00FFFFFF"],
        ["000200C0", "0302000A", "7", "00FFFFFF"],
    ];
    assert_eq!(found, expected);
    assert!(section(log, "cat /proc/net/fib_trie").contains("|-- 10.0.2.15\n"), "{log}");
    let address = "fd000077000000000000000000000005 ";
    assert!(section(log, "cat /proc/net/if_inet6").lines().any(|line| line.starts_with(address)), "{log}");
    let default = format!("{0} 00 {0} 00 fd000077000000000000000000000001 ", "0".repeat(32));
    assert!(section(log, "cat /proc/net/ipv6_route").lines().any(|line| line.starts_with(&default)), "{log}");
    let resolv = "nameserver 10.0.2.3\nnameserver fd00:77::3\nsearch deck.example\n";
    assert_eq!(section(log, "cat /etc/resolv.conf"), resolv);
    assert_eq!(section(log, "cat /proc/sys/net/core/somaxconn"), "1234\n");
    assert_eq!(section(log, "cat /proc/sys/vm/swappiness"), "17\n");
}
