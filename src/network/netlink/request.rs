//! A question or a change → one message for the kernel.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{attribute, flag, kind};
use crate::config::Cidr;
use crate::network::{Change, Target};

/// What can be asked for as a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    Links,
    Addresses,
    Routes,
}

/// Asks for all of them, in every family.
#[must_use]
pub fn ask(question: Question, sequence: u32) -> Vec<u8> {
    // Each kind's own header, all zero: the kernel checks its size.
    let (kind, header): (u16, &[u8]) = match question {
        Question::Links => (kind::GET_LINK, &[0; 16]),
        Question::Addresses => (kind::GET_ADDRESS, &[0; 8]),
        Question::Routes => (kind::GET_ROUTE, &[0; 12]),
    };
    let mut message = Message::new(kind, flag::REQUEST | flag::DUMP, sequence);
    message.bytes.extend_from_slice(header);
    message.finish()
}

/// One change as a request that the kernel acknowledges.
#[must_use]
pub fn encode(change: &Change, sequence: u32) -> Vec<u8> {
    let request = |kind, flags| Message::new(kind, flag::REQUEST | flag::ACK | flags, sequence);
    let replace = flag::CREATE | flag::REPLACE;
    let message = match change {
        Change::SetMtu { link, mtu } => {
            let mut message = request(kind::SET_LINK, 0);
            message.link_header(link.index, 0);
            message.attribute(attribute::IFLA_MTU, mtu.to_ne_bytes());
            message
        }
        Change::SetUp { link } => {
            let mut message = request(kind::SET_LINK, 0);
            message.link_header(link.index, super::IFF_UP);
            message
        }
        Change::Move { link, pid, name } => {
            let mut message = request(kind::SET_LINK, 0);
            message.link_header(link.index, 0);
            message.attribute(attribute::IFLA_NET_NS_PID, pid.to_ne_bytes());
            message.name(attribute::IFLA_IFNAME, name);
            message
        }
        Change::AddAddress { link, address } => {
            let mut message = request(kind::NEW_ADDRESS, replace);
            message.address(link.index, *address);
            message.address_extras(*address);
            message
        }
        Change::RemoveAddress { link, address } => {
            let mut message = request(kind::DEL_ADDRESS, 0);
            message.address(link.index, *address);
            message
        }
        Change::AddRoute { link, route } => {
            let mut message = request(kind::NEW_ROUTE, replace);
            let scope = match (route.to.address, route.via) {
                (IpAddr::V4(_), None) => super::RT_SCOPE_LINK,
                (IpAddr::V4(_), Some(_)) | (IpAddr::V6(_), _) => super::RT_SCOPE_UNIVERSE,
            };
            message.route_header(route, super::RTPROT_STATIC, scope, super::RTN_UNICAST);
            message.route(link.index, route);
            message
        }
        Change::RemoveRoute { link, route } => {
            let mut message = request(kind::DEL_ROUTE, 0);
            // Any scope, any type, but our protocol: never take another's route away.
            message.route_header(route, super::RTPROT_STATIC, super::RT_SCOPE_NOWHERE, 0);
            message.route(link.index, route);
            message
        }
    };
    message.finish()
}

/// Bytes.
const LARGEST_VALUE: usize = 64;

/// A message under construction: a header whose length is filled in at the end, then what follows.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16, sequence: u32) -> Self {
        // The largest request, a route in IPv6, has 84 bytes.
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        // To whom the answer goes: the kernel fills in the socket's own number.
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        Self { bytes }
    }

    fn finish(mut self) -> Vec<u8> {
        // A request is a few hundred bytes at most: the length always fits.
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        for (to, from) in self.bytes.iter_mut().zip(length.to_ne_bytes()) {
            *to = from;
        }
        self.bytes
    }

    fn attribute<const N: usize>(&mut self, kind: u16, value: [u8; N]) {
        const { assert!(N <= LARGEST_VALUE, "an attribute of ours is a number or an address") };
        self.value(kind, &value);
    }

    /// As much of a name as an interface may have, and its NUL (IFNAMSIZ).
    fn name(&mut self, kind: u16, name: &str) {
        let value: Vec<u8> = name.bytes().take(15).chain([0]).collect();
        self.value(kind, &value);
    }

    fn value(&mut self, kind: u16, value: &[u8]) {
        const HEADER: u16 = 4;
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX).saturating_add(HEADER);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, address.octets()),
            IpAddr::V6(address) => self.attribute(kind, address.octets()),
        }
    }

    /// `struct ifinfomsg`: only flags in `on` are changed, and they are set.
    fn link_header(&mut self, index: u32, on: u32) {
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.bytes.extend_from_slice(&on.to_ne_bytes());
        self.bytes.extend_from_slice(&on.to_ne_bytes());
    }

    /// `struct ifaddrmsg` and the address twice: on a link with many neighbours the local and the
    /// other end's are one.
    fn address(&mut self, index: u32, cidr: Cidr) {
        let flags = 0;
        let header = [family(cidr.address), cidr.prefix, flags, super::RT_SCOPE_UNIVERSE];
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.ip(attribute::IFA_LOCAL, cidr.address);
        self.ip(attribute::IFA_ADDRESS, cidr.address);
    }

    fn address_extras(&mut self, cidr: Cidr) {
        match cidr.address {
            // Programs ask the interface for its broadcast address, and the kernel does not fill it in.
            IpAddr::V4(address) if cidr.prefix <= 30 => {
                let hosts = u32::MAX.checked_shr(cidr.prefix.into()).unwrap_or(0);
                let broadcast = Ipv4Addr::from_bits(address.to_bits() | hosts);
                self.ip(attribute::IFA_BROADCAST, IpAddr::V4(broadcast));
            }
            IpAddr::V4(_) => {}
            // Usable at once, where duplicate address detection would refuse binds for a second or
            // two while containers start: docs/decisions/no-duplicate-address-detection.md.
            IpAddr::V6(_) => {
                self.attribute(attribute::IFA_FLAGS, super::IFA_F_NODAD.to_ne_bytes());
            }
        }
    }

    /// `struct rtmsg`.
    fn route_header(&mut self, route: &Target, protocol: u8, scope: u8, r#type: u8) {
        let (source_prefix, tos) = (0, 0);
        self.bytes.extend_from_slice(&[
            family(route.to.address),
            route.to.prefix,
            source_prefix,
            tos,
            super::RT_TABLE_MAIN,
            protocol,
            scope,
            r#type,
        ]);
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
    }

    fn route(&mut self, index: u32, route: &Target) {
        if route.to.prefix != 0 {
            self.ip(attribute::RTA_DST, route.to.address);
        }
        match (route.to.address, route.via) {
            (IpAddr::V4(_), Some(IpAddr::V6(via))) => self.via(via),
            (_, Some(via)) => self.ip(attribute::RTA_GATEWAY, via),
            (_, None) => {}
        }
        self.attribute(attribute::RTA_OIF, index.to_ne_bytes());
        if route.metric != 0 {
            self.attribute(attribute::RTA_PRIORITY, route.metric.to_ne_bytes());
        }
    }

    /// `struct rtvia`: an IPv4 route may go by an IPv6 neighbour, not the other way round.
    fn via(&mut self, via: Ipv6Addr) {
        let mut value = [0_u8; 18];
        let (family, address) = value.split_at_mut(2);
        family.copy_from_slice(&u16::from(super::AF_INET6).to_ne_bytes());
        address.copy_from_slice(&via.octets());
        self.attribute(attribute::RTA_VIA, value);
    }
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => super::AF_INET,
        IpAddr::V6(_) => super::AF_INET6,
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
