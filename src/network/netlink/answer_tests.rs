//! Answers as the kernel sends them, and as it never should.

use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType};
use netlink_packet_route::{AddressFamily, route::RouteHeader};
use proptest::prelude::*;

use super::*;

const SEQUENCE: u32 = 7;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn done() -> Vec<u8> {
    message(kind::DONE, 2, SEQUENCE, &[0; 4])
}

fn theirs(payload: RouteNetlinkMessage) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.sequence_number = SEQUENCE;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(payload));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn read(datagrams: &[Vec<u8>]) -> Result<Progress, Malformed> {
    let mut answer = Answer::to(SEQUENCE);
    let mut progress = Progress::More;
    for datagram in datagrams {
        progress = answer.read(datagram)?;
    }
    Ok(progress)
}

fn check(payload: RouteNetlinkMessage, expected: Found) {
    assert_eq!(read(&[theirs(payload), done()]), Ok(Progress::Done(expected)));
}

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').unwrap();
    Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

#[test]
fn reads_a_link() {
    let mut payload = LinkMessage::default();
    payload.header.index = 2;
    payload.header.flags = LinkFlags::Up;
    payload.attributes = vec![
        LinkAttribute::IfName("eth0".into()),
        LinkAttribute::Mtu(1400),
        LinkAttribute::TxQueueLen(1000),
        LinkAttribute::Address(vec![0x52, 0x54, 0, 1, 2, 3]),
    ];
    let link = Link {
        index: 2,
        name: "eth0".into(),
        mac: Some([0x52, 0x54, 0, 1, 2, 3]),
        driver: None,
        up: true,
        loopback: false,
        mtu: 1400,
    };
    check(RouteNetlinkMessage::NewLink(payload), Found { links: vec![link], ..Found::default() });
}

fn address_message(
    text: &str,
    flags: AddressFlags,
    scope: AddressScope,
    attributes: Vec<AddressAttribute>,
) -> RouteNetlinkMessage {
    let address = cidr(text);
    let mut payload = AddressMessage::default();
    payload.header.family =
        if address.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    payload.header.prefix_len = address.prefix;
    payload.header.index = 2;
    payload.header.scope = scope;
    payload.attributes = attributes;
    payload.attributes.push(AddressAttribute::Flags(flags));
    RouteNetlinkMessage::NewAddress(payload)
}

#[test]
fn reads_addresses_and_who_made_them() {
    let check = |payload, text, permanent, scope| {
        let address = Address { link: 2, cidr: cidr(text), permanent, scope };
        check(payload, Found { addresses: vec![address], ..Found::default() });
    };
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let both = vec![AddressAttribute::Address(ip("192.0.2.1")), AddressAttribute::Local(ip("192.0.2.7"))];
    let static_v4 = address_message("192.0.2.7/24", AddressFlags::Permanent, AddressScope::Universe, both);
    check(static_v4, "192.0.2.7/24", true, Scope::Universe);
    let one = || vec![AddressAttribute::Address(ip("2001:db8::7"))];
    let learnt = address_message("2001:db8::7/64", AddressFlags::empty(), AddressScope::Universe, one());
    check(learnt, "2001:db8::7/64", false, Scope::Universe);
    let local = vec![AddressAttribute::Address(ip("fe80::1"))];
    let link_local = address_message("fe80::1/64", AddressFlags::Permanent, AddressScope::Link, local);
    check(link_local, "fe80::1/64", true, Scope::Link);
}

fn route_message(protocol: RouteProtocol, kind: RouteType, table: u8) -> RouteNetlinkMessage {
    let mut payload = RouteMessage::default();
    payload.header = RouteHeader {
        address_family: AddressFamily::Inet,
        destination_prefix_length: 24,
        table,
        protocol,
        kind,
        ..Default::default()
    };
    payload.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet("198.51.100.0".parse().unwrap())),
        RouteAttribute::Gateway(RouteAddress::Inet("192.0.2.1".parse().unwrap())),
        RouteAttribute::Oif(2),
        RouteAttribute::Priority(50),
    ];
    RouteNetlinkMessage::NewRoute(payload)
}

#[test]
fn reads_the_unicast_routes_of_the_main_table() {
    let via = Some("192.0.2.1".parse().unwrap());
    let route = |ours| FoundRoute { link: 2, to: cidr("198.51.100.0/24"), via, metric: 50, ours };
    let only = |ours| Found { routes: vec![route(ours)], ..Found::default() };
    check(route_message(RouteProtocol::Static, RouteType::Unicast, 254), only(true));
    check(route_message(RouteProtocol::Kernel, RouteType::Unicast, 254), only(false));
    check(route_message(RouteProtocol::Static, RouteType::Unicast, 255), Found::default());
    check(route_message(RouteProtocol::Static, RouteType::BlackHole, 254), Found::default());
}

#[test]
fn a_refusal_carries_the_kernels_own_sentence() {
    let text = attribute(1, b"Nexthop has invalid gateway\0");
    let code = (-113_i32).to_ne_bytes();
    let request = message(kind::NEW_ROUTE, 0, SEQUENCE, &[9; 20]);
    let check = |kind, flags, body: Vec<u8>, text: Option<&str>| {
        let refusal = Refusal { errno: 113, text: text.map(Into::into) };
        let datagram = message(kind, flags, SEQUENCE, &body);
        assert_eq!(read(&[datagram]), Ok(Progress::Refused(refusal)));
    };
    let sentence = Some("Nexthop has invalid gateway");
    check(kind::ERROR, 0x200, [&code[..], &request, &text].concat(), sentence);
    check(kind::ERROR, 0x300, [&code[..], &request[..16], &text].concat(), sentence);
    check(kind::DONE, 0x200, [&code[..], &text].concat(), sentence);
    check(kind::ERROR, 0, [&code[..], &request].concat(), None);
    check(kind::ERROR, 0x200, [&code[..], &request].concat(), None);
    check(kind::ERROR, 0x200, [&code[..], &[0xff; 20]].concat(), None);
}

#[test]
fn an_acknowledgement_ends_a_change_and_other_answers_do_not() {
    let ack = |sequence| message(kind::ERROR, 0x100, sequence, &[0; 20]);
    assert_eq!(read(&[ack(SEQUENCE - 1)]), Ok(Progress::More));
    assert_eq!(read(&[ack(SEQUENCE)]), Ok(Progress::Done(Found::default())));
}

#[test]
fn a_list_that_changed_while_it_was_read_says_so() {
    let payload = route_message(RouteProtocol::Static, RouteType::Unicast, 254);
    let mut part = theirs(payload);
    part[6] |= 0x10;
    assert_eq!(read(&[part, done()]), Ok(Progress::Interrupted));
}

#[test]
fn lengths_that_lie_are_refused() {
    let check = |datagram: Vec<u8>, expected| {
        assert_eq!(read(&[datagram]), Err(Malformed(expected)));
    };
    check(vec![1, 2, 3], "a header is cut short");
    check(vec![0; 16], "a message is longer than its datagram");
    let mut long = message(kind::NEW_LINK, 0, SEQUENCE, &[0; 16]);
    long[0] = 200;
    check(long, "a message is longer than its datagram");
    check(message(kind::NEW_LINK, 0, SEQUENCE, &[0; 15]), "a link is cut short");
    let body = [&[0; 16][..], &[0, 0, 0, 0]].concat();
    check(message(kind::NEW_LINK, 0, SEQUENCE, &body), "an attribute is longer than its message");
    let body = [&[2, 24, 0, 0, 2, 0, 0, 0][..], &attribute(2, &[192, 0, 2])].concat();
    check(message(kind::NEW_ADDRESS, 0, SEQUENCE, &body), "an address of the wrong length");
    check(message(kind::ERROR, 0, SEQUENCE, &[0; 3]), "an end without a code");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&[bytes]);
    }

    #[test]
    fn no_body_makes_it_panic(
        kind in 0..30_u16,
        flags in any::<u16>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = read(&[message(kind, flags, SEQUENCE, &body)]);
    }
}
