//! rtnetlink as bytes: requests out, answers in. No socket: the kernel's side is `agent`'s.
//!
//! Numbers are in the machine's byte order, addresses in the network's (netlink(7), rtnetlink(7)).
//! Every length that comes in is checked before it is believed, and an attribute that is not known
//! here is passed over: kernels add new ones.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod answer;
mod reader;
mod request;

pub use answer::{Answer, Progress, Refusal};
pub use reader::Malformed;
pub use request::{Question, ask, encode};

/// Message kinds (linux/rtnetlink.h; linux/netlink.h for the first two).
mod kind {
    pub(super) const ERROR: u16 = 2;
    pub(super) const DONE: u16 = 3;
    pub(super) const NEW_LINK: u16 = 16;
    pub(super) const GET_LINK: u16 = 18;
    pub(super) const SET_LINK: u16 = 19;
    pub(super) const NEW_ADDRESS: u16 = 20;
    pub(super) const DEL_ADDRESS: u16 = 21;
    pub(super) const GET_ADDRESS: u16 = 22;
    pub(super) const NEW_ROUTE: u16 = 24;
    pub(super) const DEL_ROUTE: u16 = 25;
    pub(super) const GET_ROUTE: u16 = 26;
}

/// Flags of a message's header (linux/netlink.h).
mod flag {
    pub(super) const REQUEST: u16 = 0x1;
    pub(super) const ACK: u16 = 0x4;
    pub(super) const DUMP: u16 = 0x300;
    pub(super) const REPLACE: u16 = 0x100;
    pub(super) const CREATE: u16 = 0x400;
    /// On answers: what was dumped changed meanwhile.
    pub(super) const DUMP_INTERRUPTED: u16 = 0x10;
    /// On errors: the request is not repeated beyond its header.
    pub(super) const CAPPED: u16 = 0x100;
    /// On errors: attributes follow.
    pub(super) const ACK_ATTRIBUTES: u16 = 0x200;
}

/// linux/if_link.h, if_addr.h, rtnetlink.h: the attributes that are read or written here.
mod attribute {
    pub(super) const IFLA_ADDRESS: u16 = 1;
    pub(super) const IFLA_IFNAME: u16 = 3;
    pub(super) const IFLA_MTU: u16 = 4;
    pub(super) const IFLA_NET_NS_PID: u16 = 19;
    pub(super) const IFA_ADDRESS: u16 = 1;
    pub(super) const IFA_LOCAL: u16 = 2;
    pub(super) const IFA_BROADCAST: u16 = 4;
    pub(super) const IFA_FLAGS: u16 = 8;
    pub(super) const RTA_DST: u16 = 1;
    pub(super) const RTA_OIF: u16 = 4;
    pub(super) const RTA_GATEWAY: u16 = 5;
    pub(super) const RTA_PRIORITY: u16 = 6;
    pub(super) const RTA_TABLE: u16 = 15;
    /// A next hop of the other family.
    pub(super) const RTA_VIA: u16 = 18;
    pub(super) const NLMSGERR_ATTR_MSG: u16 = 1;
}

/// Address families: the kernel's ABI, the same on every architecture.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// net/if.h.
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;

/// linux/if_addr.h.
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_PERMANENT: u32 = 0x80;

/// linux/rtnetlink.h: the table that `ip route` shows, and who put a route there.
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_HOST: u8 = 254;
const RT_SCOPE_NOWHERE: u8 = 255;
