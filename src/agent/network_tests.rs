//! Real links in a network namespace, configured by us and looked at with iproute2.

use std::process::Command;

use orlop::config::{Cidr, LinkMatch, Route};
use serde_json::Value;

use super::*;
use crate::linux::testing::in_own_network;

fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').unwrap();
    Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn network(link: LinkMatch, addresses: &[&str], gateways: &[&str]) -> HostNetwork {
    HostNetwork {
        link,
        addresses: addresses.iter().map(|text| cidr(text)).collect(),
        gateways: gateways.iter().map(|text| text.parse().unwrap()).collect(),
        routes: Vec::new(),
        mtu: None,
    }
}

fn named(name: &str, addresses: &[&str], gateways: &[&str]) -> HostNetwork {
    network(LinkMatch::Name(name.into()), addresses, gateways)
}

fn declared(to: &str, via: Option<&str>, metric: Option<u32>) -> Route {
    Route { to: cidr(to), via: via.map(|via| via.parse().unwrap()), metric }
}

/// Configures `networks` with this namespace's /sys, and gives what was said.
fn configure_here(networks: &[(&str, &HostNetwork)]) -> Vec<String> {
    let networks = networks.iter().map(|(name, network)| ((*name).into(), (*network).clone())).collect();
    let outcomes = configure_links(&networks, Path::new("/sys/class/net"));
    outcomes.iter().map(ToString::to_string).collect()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// `local/prefixlen` of all addresses that iproute2 shows on the link, the kernel's own left out.
fn addresses(link: &str) -> Vec<String> {
    let shown: Value = serde_json::from_str(&run(&format!("ip -j addr show dev {link}"))).unwrap();
    let info = shown[0]["addr_info"].as_array().unwrap().iter();
    info.filter(|address| address["scope"] == "global")
        .map(|address| {
            assert_eq!(address.get("tentative"), None, "usable at once");
            format!("{}/{}", address["local"].as_str().unwrap(), address["prefixlen"])
        })
        .collect()
}

/// Our routes as iproute2 shows them, in both families.
fn routes() -> Vec<String> {
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let shown = run(&format!("ip {family} -j route show proto static"));
        let shown: Vec<Value> = serde_json::from_str(&shown).unwrap();
        for route in shown {
            let mut text = route["dst"].as_str().unwrap().to_string();
            if let Some(via) = route["gateway"].as_str().or(route["via"]["host"].as_str()) {
                text += &format!(" via {via}");
            }
            text += &format!(" dev {}", route["dev"].as_str().unwrap());
            if let Some(metric) = route["metric"].as_u64() {
                text += &format!(" metric {metric}");
            }
            routes.push(text);
        }
    }
    routes
}

#[test]
fn a_bare_link_becomes_what_is_declared_and_stays_it() {
    in_own_network(|| {
        run("ip link add up0 type veth peer name peer0");
        run("ip link set peer0 up");
        let mut lan = named("up0", &["192.0.2.7/24", "2001:db8::7/64"], &["192.0.2.1", "2001:db8::1"]);
        lan.mtu = Some(1400);
        lan.routes = vec![
            declared("198.51.100.0/24", Some("192.0.2.2"), Some(50)),
            declared("203.0.113.1/32", None, None),
            declared("2001:db8:1::/48", Some("2001:db8::2"), None),
        ];
        let said = configure_here(&[("lan", &lan)]);
        assert_eq!(
            said,
            [
                "lo: up",
                "up0: mtu 1400",
                "up0: up",
                "up0: add address 192.0.2.7/24",
                "up0: add address 2001:db8::7/64",
                "up0: add route 203.0.113.1/32",
                "up0: add route 198.51.100.0/24 via 192.0.2.2 metric 50",
                "up0: add route 2001:db8:1::/48 via 2001:db8::2 metric 1024",
                "up0: add route 0.0.0.0/0 via 192.0.2.1",
                "up0: add route ::/0 via 2001:db8::1 metric 1024",
            ]
        );
        assert_eq!(addresses("up0"), ["192.0.2.7/24", "2001:db8::7/64"]);
        assert_eq!(
            routes(),
            [
                "default via 192.0.2.1 dev up0",
                "198.51.100.0/24 via 192.0.2.2 dev up0 metric 50",
                "203.0.113.1 dev up0",
                "2001:db8:1::/48 via 2001:db8::2 dev up0 metric 1024",
                "default via 2001:db8::1 dev up0 metric 1024",
            ]
        );
        assert_eq!(run("cat /sys/class/net/up0/mtu"), "1400\n");
        let shown = run("ip -4 addr show dev up0");
        assert!(shown.contains("inet 192.0.2.7/24 brd 192.0.2.255 scope global up0"), "{shown}");
        assert!(run("ip addr show dev lo").contains("inet 127.0.0.1/8"));
        assert_eq!(configure_here(&[("lan", &lan)]), nothing());
    });
}

#[test]
fn another_declaration_takes_the_place_of_the_first() {
    in_own_network(|| {
        run("ip link add up0 type veth peer name peer0");
        run("ip link set peer0 up");
        let before = ["192.0.2.7/24", "192.0.2.8/24", "192.0.2.9/24", "2001:db8::7/64"];
        configure_here(&[("lan", &named("up0", &before, &["192.0.2.1", "2001:db8::1"]))]);
        assert_eq!(addresses("up0"), before);
        let after = named("up0", &["192.0.2.8/24", "2001:db8::8/64"], &["192.0.2.1"]);
        assert_eq!(
            configure_here(&[("lan", &after)]),
            [
                "up0: remove route ::/0 via 2001:db8::1 metric 1024",
                "up0: remove address 192.0.2.7/24",
                "up0: remove address 192.0.2.9/24",
                "up0: remove address 2001:db8::7/64",
                "up0: add address 192.0.2.8/24",
                "up0: add address 2001:db8::8/64",
                "up0: add route 0.0.0.0/0 via 192.0.2.1",
            ]
        );
        assert_eq!(addresses("up0"), ["192.0.2.8/24", "2001:db8::8/64"]);
        assert_eq!(routes(), ["default via 192.0.2.1 dev up0"]);
        assert_eq!(configure_here(&[("lan", &after)]), nothing());
    });
}

#[test]
fn a_gateway_beside_the_subnet_or_of_the_other_family_works() {
    in_own_network(|| {
        run("ip link add up0 type veth peer name peer0");
        run("ip link set peer0 up");
        let mut lan = named("up0", &["203.0.113.7/32"], &["172.31.1.1", "fe80::1"]);
        lan.routes =
            vec![declared("172.31.1.1/32", None, None), declared("198.51.100.0/24", Some("fe80::1"), None)];
        configure_here(&[("lan", &lan)]);
        assert_eq!(
            routes(),
            [
                "default via 172.31.1.1 dev up0",
                "172.31.1.1 dev up0",
                "198.51.100.0/24 via fe80::1 dev up0",
                "default via fe80::1 dev up0 metric 1024",
            ]
        );
        assert_eq!(configure_here(&[("lan", &lan)]), nothing());
    });
}

#[test]
fn a_refusal_has_the_kernels_words_and_the_rest_is_done() {
    in_own_network(|| {
        run("ip link add up0 type veth peer name peer0");
        let lan = named("up0", &["192.0.2.7/24"], &["198.51.100.1", "2001:db8::1"]);
        assert_eq!(
            configure_here(&[("lan", &lan)]),
            [
                "lo: up",
                "up0: up",
                "up0: add address 192.0.2.7/24",
                "up0: add route 0.0.0.0/0 via 198.51.100.1: \
                 Nexthop has invalid gateway (Network is unreachable (os error 101))",
                "up0: add route ::/0 via 2001:db8::1 metric 1024: \
                 No route to host (os error 113)",
            ]
        );
    });
}

#[test]
fn a_link_that_comes_later_is_configured_by_the_next_call() {
    in_own_network(|| {
        let lan = named("late0", &["192.0.2.7/24"], &[]);
        let missing = "host.network.lan: no link is named late0; there are lo";
        assert_eq!(configure_here(&[("lan", &lan)]), [missing, "lo: up"]);
        assert_eq!(configure_here(&[("lan", &lan)]), [missing]);
        run("ip link add late0 type veth peer name peer0");
        let said = configure_here(&[("lan", &lan)]);
        assert_eq!(said, ["late0: up", "late0: add address 192.0.2.7/24"]);
    });
}

#[test]
fn links_are_found_by_hardware_address_and_by_driver() {
    in_own_network(|| {
        run("ip link add up0 address 52:54:00:12:34:56 type veth peer name peer0");
        let mac = LinkMatch::Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        let said = configure_here(&[("lan", &network(mac, &["192.0.2.7/24"], &[]))]);
        assert_eq!(said, ["lo: up", "up0: up", "up0: add address 192.0.2.7/24"]);

        // No virtual link has a driver in sysfs: a folder of the same form stands for it.
        let sysfs = tempfile::tempdir().unwrap();
        let device = sysfs.path().join("up0/device");
        fs::create_dir_all(&device).unwrap();
        let driver = "../../bus/virtio/drivers/virtio_net";
        std::os::unix::fs::symlink(driver, device.join("driver")).unwrap();
        let driver = LinkMatch::Driver("virtio_net".into());
        let networks = [("lan".into(), network(driver, &["192.0.2.8/24"], &[]))].into();
        let outcomes = configure_links(&networks, sysfs.path());
        let said: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["up0: remove address 192.0.2.7/24", "up0: add address 192.0.2.8/24"]);
        assert!(!outcomes.iter().any(Outcome::is_failure));
    });
}

#[test]
fn lists_longer_than_a_datagram_are_read_whole() {
    in_own_network(|| {
        let mut batch = String::new();
        for link in 0..150 {
            batch += &format!("link add v{link} type veth peer name p{link}\n");
            batch += &format!("addr add 10.1.{link}.1/24 dev v{link}\n");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), batch).unwrap();
        run(&format!("ip -batch {}", file.path().display()));
        let found = look(&mut Kernel::open().unwrap(), Path::new("/sys/class/net")).unwrap();
        assert_eq!((found.links.len(), found.addresses.len()), (301, 150));
    });
}

#[test]
fn resolv_conf_is_replaced_whole_and_readable_by_all() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resolv.conf");
    fs::write(folder.path().join("resolv.conf.new"), "left over").unwrap();
    for (server, expected) in
        [("192.0.2.53", "nameserver 192.0.2.53\n"), ("2001:db8::53", "nameserver 2001:db8::53\n")]
    {
        let dns = Dns { servers: vec![server.parse().unwrap()], search: vec![] };
        write_resolv_conf(&dns, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_resolv_conf_that_cannot_be_written_is_named() {
    let places = Places { resolv_conf: PathBuf::from("/nonexistent/resolv.conf"), ..Places::default() };
    in_own_network(|| {
        let said: Vec<String> =
            configure(&Config::default(), &places).iter().map(ToString::to_string).collect();
        let failure = "/nonexistent/resolv.conf: No such file or directory (os error 2)";
        assert_eq!(said, ["lo: up", failure]);
    });
}
