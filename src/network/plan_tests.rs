//! What becomes of a machine's links, told as text.

use super::*;
use crate::network::{Address, FoundRoute};

pub(super) fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').unwrap();
    Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

pub(super) fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.into(),
        mac: Some([0x52, 0x54, 0, 0, 0, index as u8]),
        driver: Some("virtio_net".into()),
        up: true,
        loopback: name == "lo",
        mtu: 1500,
    }
}

/// lo and one link, both up and bare.
fn machine() -> Found {
    Found { links: vec![link(1, "lo"), link(2, "eth0")], ..Found::default() }
}

fn address(link: u32, text: &str) -> Address {
    Address { link, cidr: cidr(text), permanent: true, scope: Scope::Universe }
}

fn route(link: u32, to: &str, via: Option<&str>, metric: u32) -> FoundRoute {
    let via = via.map(|via| via.parse().unwrap());
    FoundRoute { link, to: cidr(to), via, metric, ours: true }
}

fn network(addresses: &[&str], gateways: &[&str]) -> HostNetwork {
    HostNetwork {
        link: LinkMatch::Name("eth0".into()),
        addresses: addresses.iter().map(|text| cidr(text)).collect(),
        gateways: gateways.iter().map(|text| text.parse().unwrap()).collect(),
        routes: Vec::new(),
        mtu: None,
    }
}

fn declared(to: &str, via: Option<&str>, metric: Option<u32>) -> Route {
    Route { to: cidr(to), via: via.map(|via| via.parse().unwrap()), metric }
}

fn check(wanted: &[(&str, HostNetwork)], found: &Found, expected: &[&str]) {
    let wanted = wanted.iter().map(|(name, network)| ((*name).into(), network.clone())).collect();
    let plan = plan(&wanted, found);
    let changes = plan.changes.iter().map(ToString::to_string);
    let problems = plan.problems.iter().map(ToString::to_string);
    assert_eq!(changes.chain(problems).collect::<Vec<_>>(), expected);
}

#[test]
fn brings_loopback_up_and_leaves_undeclared_links_alone() {
    let mut found = machine();
    found.links[0].up = false;
    found.links[1].up = false;
    found.addresses = vec![address(2, "192.0.2.9/24")];
    check(&[], &found, &["lo: up"]);
}

#[test]
fn a_bare_link_gets_all_that_is_declared_in_the_order_that_works() {
    let mut wanted = network(&["192.0.2.7/24", "2001:db8::7/64"], &["192.0.2.1", "fe80::1"]);
    wanted.mtu = Some(1400);
    wanted.routes = vec![
        declared("198.51.100.9/24", Some("192.0.2.2"), Some(50)),
        declared("2001:db8:1::/48", Some("2001:db8::2"), None),
        declared("203.0.113.1/32", None, None),
    ];
    let mut found = machine();
    found.links[1].up = false;
    check(
        &[("lan", wanted)],
        &found,
        &[
            "eth0: mtu 1400",
            "eth0: up",
            "eth0: add address 192.0.2.7/24",
            "eth0: add address 2001:db8::7/64",
            "eth0: add route 203.0.113.1/32",
            "eth0: add route 198.51.100.0/24 via 192.0.2.2 metric 50",
            "eth0: add route 2001:db8:1::/48 via 2001:db8::2 metric 1024",
            "eth0: add route 0.0.0.0/0 via 192.0.2.1",
            "eth0: add route ::/0 via fe80::1 metric 1024",
        ],
    );
}

#[test]
fn what_is_there_already_is_not_said_again() {
    let mut found = machine();
    found.addresses = vec![address(2, "192.0.2.7/24"), address(2, "2001:db8::7/64")];
    found.routes =
        vec![route(2, "0.0.0.0/0", Some("192.0.2.1"), 0), route(2, "::/0", Some("2001:db8::1"), 1024)];
    let wanted = network(&["192.0.2.7/24", "2001:db8::7/64"], &["192.0.2.1", "2001:db8::1"]);
    check(&[("lan", wanted)], &found, &[]);
}

#[test]
fn what_the_kernel_made_itself_stays() {
    let mut found = machine();
    let made = |text, permanent, scope| Address { link: 2, cidr: cidr(text), permanent, scope };
    found.addresses = vec![
        made("fe80::5054:ff:fe00:2/64", true, Scope::Link),
        made("2001:db8::5054:ff:fe00:2/64", false, Scope::Universe),
    ];
    found.routes = vec![FoundRoute { ours: false, ..route(2, "fe80::/64", None, 256) }];
    check(&[("lan", network(&[], &[]))], &found, &[]);
}

#[test]
fn an_address_learnt_for_a_while_is_made_permanent_when_declared() {
    let mut found = machine();
    found.addresses = vec![Address { permanent: false, ..address(2, "2001:db8::7/64") }];
    let wanted = network(&["2001:db8::7/64"], &[]);
    check(&[("lan", wanted)], &found, &["eth0: add address 2001:db8::7/64"]);
}

#[test]
fn a_changed_address_goes_first_and_what_went_with_it_is_said_again() {
    let mut found = machine();
    found.addresses = vec![address(2, "192.0.2.9/24"), address(2, "192.0.2.7/24")];
    found.routes = vec![route(2, "0.0.0.0/0", Some("192.0.2.1"), 0)];
    check(
        &[("lan", network(&["192.0.2.7/24"], &["192.0.2.1"]))],
        &found,
        &[
            "eth0: remove address 192.0.2.9/24",
            "eth0: add address 192.0.2.7/24",
            "eth0: add route 0.0.0.0/0 via 192.0.2.1",
        ],
    );
}

#[test]
fn a_changed_gateway_replaces_ours_and_keeps_what_others_added() {
    let mut found = machine();
    found.addresses = vec![address(2, "192.0.2.7/24")];
    found.routes = vec![
        route(2, "0.0.0.0/0", Some("192.0.2.1"), 0),
        FoundRoute { ours: false, ..route(2, "198.51.100.0/24", Some("192.0.2.3"), 0) },
    ];
    check(
        &[("lan", network(&["192.0.2.7/24"], &["192.0.2.2"]))],
        &found,
        &["eth0: remove route 0.0.0.0/0 via 192.0.2.1", "eth0: add route 0.0.0.0/0 via 192.0.2.2"],
    );
}

#[test]
fn names_what_matches_nothing_and_goes_on() {
    let absent = |link| HostNetwork { link, ..network(&["192.0.2.7/24"], &[]) };
    check(
        &[
            ("a", absent(LinkMatch::Name("eth7".into()))),
            ("b", absent(LinkMatch::Mac([0x52, 0x54, 0, 0xab, 0, 1]))),
            ("c", absent(LinkMatch::Driver("e1000".into()))),
            ("d", network(&["192.0.2.7/24"], &[])),
        ],
        &machine(),
        &[
            "eth0: add address 192.0.2.7/24",
            "host.network.a: no link is named eth7; there are lo, eth0",
            "host.network.b: no link has the address 52:54:00:ab:00:01; there are lo, eth0",
            "host.network.c: no link has the driver e1000; there are lo, eth0",
        ],
    );
}

#[test]
fn refuses_to_choose_between_links_and_between_declarations() {
    let mut found = machine();
    found.links.remove(0);
    found.links.push(link(3, "eth1"));
    let by = |link| HostNetwork { link, ..network(&[], &["192.0.2.1"]) };
    check(
        &[
            ("a", by(LinkMatch::Driver("virtio_net".into()))),
            ("b", by(LinkMatch::Name("eth0".into()))),
            ("c", by(LinkMatch::Mac([0x52, 0x54, 0, 0, 0, 2]))),
            ("d", by(LinkMatch::Name("eth1".into()))),
        ],
        &found,
        &[
            "eth0: add route 0.0.0.0/0 via 192.0.2.1",
            "host.network.a: more than one link has the driver virtio_net: eth0, eth1; \
             match by name or mac",
            "host.network.c: eth0 belongs to host.network.b already",
            "host.network.d: host.network.b has a route 0.0.0.0/0 via 192.0.2.1 already \
             (same destination, same metric); give one of them another metric",
        ],
    );
}

#[test]
fn destinations_lose_their_host_bits() {
    let check = |text, expected| assert_eq!(masked(cidr(text)), cidr(expected), "{text}");
    check("192.0.2.7/24", "192.0.2.0/24");
    check("192.0.2.7/32", "192.0.2.7/32");
    check("192.0.2.7/0", "0.0.0.0/0");
    check("2001:db8::7/64", "2001:db8::/64");
    check("2001:db8::7/128", "2001:db8::7/128");
    check("2001:db8::7/0", "::/0");
}
