//! Each request beside what netlink-packet-route, which others maintain, makes of the same meaning.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkHeader, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::*;
use crate::network::LinkRef;

const SEQUENCE: u32 = 7;
const INDEX: u32 = 3;

fn theirs(payload: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = SEQUENCE;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(payload));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn check(change: Change, flags: u16, payload: RouteNetlinkMessage) {
    let expected = theirs(payload, NLM_F_REQUEST | NLM_F_ACK | flags);
    assert_eq!(encode(&change, SEQUENCE), expected, "{change}");
}

fn link() -> LinkRef {
    LinkRef { index: INDEX, name: "eth0".into() }
}

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').unwrap();
    Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn link_message(flags: LinkFlags, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader { index: INDEX, flags, change_mask: flags, ..Default::default() };
    message.attributes = attributes;
    message
}

#[test]
fn link_requests_are_byte_for_byte_as_others_encode_them() {
    let payload = link_message(LinkFlags::empty(), vec![LinkAttribute::Mtu(1400)]);
    check(Change::SetMtu { link: link(), mtu: 1400 }, 0, RouteNetlinkMessage::SetLink(payload));
    let payload = link_message(LinkFlags::Up, vec![]);
    check(Change::SetUp { link: link() }, 0, RouteNetlinkMessage::SetLink(payload));
    for (name, sent) in [("eth1", "eth1"), ("eth%d", "eth%d"), ("0123456789abcdefgh", "0123456789abcde")] {
        let attributes = vec![LinkAttribute::NetNsPid(4711), LinkAttribute::IfName(sent.into())];
        let payload = link_message(LinkFlags::empty(), attributes);
        let change = Change::Move { link: link(), pid: 4711, name: name.into() };
        check(change, 0, RouteNetlinkMessage::SetLink(payload));
    }
}

fn address_message(address: Cidr, extra: Option<AddressAttribute>) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: if address.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 },
        prefix_len: address.prefix,
        scope: AddressScope::Universe,
        index: INDEX,
        ..Default::default()
    };
    message.attributes =
        vec![AddressAttribute::Local(address.address), AddressAttribute::Address(address.address)];
    message.attributes.extend(extra);
    message
}

#[test]
fn address_requests_are_byte_for_byte_as_others_encode_them() {
    let replace = NLM_F_CREATE | NLM_F_REPLACE;
    let broadcast = |text: &str| Some(AddressAttribute::Broadcast(text.parse().unwrap()));
    let no_dad = || Some(AddressAttribute::Flags(AddressFlags::Nodad));
    for (text, extra) in [
        ("192.0.2.7/24", broadcast("192.0.2.255")),
        ("192.0.2.5/30", broadcast("192.0.2.7")),
        ("192.0.2.7/31", None),
        ("192.0.2.7/32", None),
        ("2001:db8::7/64", no_dad()),
    ] {
        let address = cidr(text);
        let payload = RouteNetlinkMessage::NewAddress(address_message(address, extra));
        check(Change::AddAddress { link: link(), address }, replace, payload);
        let payload = RouteNetlinkMessage::DelAddress(address_message(address, None));
        check(Change::RemoveAddress { link: link(), address }, 0, payload);
    }
}

fn route_message(to: Cidr, scope: RouteScope, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: if to.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 },
        destination_prefix_length: to.prefix,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope,
        kind: RouteType::Unicast,
        ..Default::default()
    };
    message.attributes = attributes;
    message
}

fn check_route(to: &str, via: Option<&str>, metric: u32, scope: RouteScope, attributes: Vec<RouteAttribute>) {
    let to = cidr(to);
    let route = Target { to, via: via.map(|via| via.parse().unwrap()), metric };
    let replace = NLM_F_CREATE | NLM_F_REPLACE;
    let mut payload = route_message(to, scope, attributes);
    let new = RouteNetlinkMessage::NewRoute(payload.clone());
    check(Change::AddRoute { link: link(), route }, replace, new);
    payload.header.scope = RouteScope::NoWhere;
    payload.header.kind = RouteType::Unspec;
    let delete = RouteNetlinkMessage::DelRoute(payload);
    check(Change::RemoveRoute { link: link(), route }, 0, delete);
}

#[test]
fn route_requests_are_byte_for_byte_as_others_encode_them() {
    use RouteAttribute::{Destination, Gateway, Oif, Priority, Via};
    let v4 = |text: &str| RouteAddress::Inet(text.parse().unwrap());
    let v6 = |text: &str| RouteAddress::Inet6(text.parse().unwrap());
    let universe = RouteScope::Universe;
    let default = vec![Gateway(v4("192.0.2.1")), Oif(INDEX)];
    check_route("0.0.0.0/0", Some("192.0.2.1"), 0, universe, default);
    let direct = vec![Destination(v4("203.0.113.1")), Oif(INDEX), Priority(50)];
    check_route("203.0.113.1/32", None, 50, RouteScope::Link, direct);
    let hop = vec![Destination(v4("198.51.100.0")), Gateway(v4("192.0.2.2")), Oif(INDEX)];
    check_route("198.51.100.0/24", Some("192.0.2.2"), 0, universe, hop);
    let default = vec![Gateway(v6("fe80::1")), Oif(INDEX), Priority(1024)];
    check_route("::/0", Some("fe80::1"), 1024, universe, default);
    let direct = vec![Destination(v6("2001:db8:1::")), Oif(INDEX), Priority(1024)];
    check_route("2001:db8:1::/48", None, 1024, universe, direct);
    let across = vec![Via(RouteVia::Inet6("fe80::1".parse().unwrap())), Oif(INDEX)];
    check_route("0.0.0.0/0", Some("fe80::1"), 0, universe, across);
}

#[test]
fn questions_are_byte_for_byte_as_others_encode_them() {
    let check = |question, payload| {
        let expected = theirs(payload, NLM_F_REQUEST | NLM_F_DUMP);
        assert_eq!(ask(question, SEQUENCE), expected, "{question:?}");
    };
    check(Question::Links, RouteNetlinkMessage::GetLink(LinkMessage::default()));
    check(Question::Addresses, RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    let mut routes = RouteMessage::default();
    routes.header.kind = RouteType::Unspec;
    check(Question::Routes, RouteNetlinkMessage::GetRoute(routes));
}
