//! What the kernel says there is: links, their addresses, the routes of the main table.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::config::Cidr;

/// One look at the machine's network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub links: Vec<Link>,
    pub addresses: Vec<Address>,
    /// Unicast routes of the main table that leave through one link.
    pub routes: Vec<FoundRoute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub mac: Option<[u8; 6]>,
    /// Name of the driver as in sysfs; netlink does not tell it.
    pub driver: Option<String>,
    /// Administratively up; says nothing about a carrier.
    pub up: bool,
    pub loopback: bool,
    pub mtu: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of its link.
    pub link: u32,
    pub cidr: Cidr,
    /// Somebody set it; the others come from router advertisements or DHCP and expire by themselves.
    pub permanent: bool,
    pub scope: Scope,
}

/// How far an address is valid (rtnetlink(7), `rtm_scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Beyond the link. Site scope counts as this.
    Universe,
    /// fe80::/64 and the like: the kernel makes it when a link comes up.
    Link,
    /// 127.0.0.1 and ::1.
    Host,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRoute {
    /// Index of the link that it leaves through.
    pub link: u32,
    pub to: Cidr,
    pub via: Option<IpAddr>,
    /// Zero when the kernel names none.
    pub metric: u32,
    /// Its protocol is `static`: this is how our own routes are known again.
    pub ours: bool,
}
