//! One thing to tell the kernel, as data: printable before it is done, and in its error after.

use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use crate::config::Cidr;

/// What RTM_DELADDR and RTM_DELROUTE answer for what is not there (asm-generic/errno.h).
const EADDRNOTAVAIL: i32 = 99;
const ESRCH: i32 = 3;

/// A link by number, with the name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRef {
    pub index: u32,
    pub name: String,
}

/// Where packets go: destination, next hop, and the metric that the kernel will show for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub to: Cidr,
    pub via: Option<IpAddr>,
    pub metric: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    SetMtu {
        link: LinkRef,
        mtu: u32,
    },
    SetUp {
        link: LinkRef,
    },
    /// To the network namespace of a process, where it has this name: up to 15 bytes, with `%d` for a
    /// number that is free there. It loses its addresses, and is down.
    Move {
        link: LinkRef,
        pid: u32,
        name: String,
    },
    RemoveAddress {
        link: LinkRef,
        address: Cidr,
    },
    /// Adds, or makes permanent what is there already.
    AddAddress {
        link: LinkRef,
        address: Cidr,
    },
    RemoveRoute {
        link: LinkRef,
        route: Target,
    },
    /// Adds, or replaces the one with the same destination and metric.
    AddRoute {
        link: LinkRef,
        route: Target,
    },
}

impl Change {
    /// Whether the kernel's refusal says that it is so already: what we remove may be gone by the
    /// time, with an address its secondaries and routes.
    #[must_use]
    pub fn is_done_by(&self, errno: i32) -> bool {
        match self {
            Self::RemoveAddress { .. } => errno == EADDRNOTAVAIL,
            Self::RemoveRoute { .. } => errno == ESRCH,
            Self::SetMtu { .. }
            | Self::SetUp { .. }
            | Self::Move { .. }
            | Self::AddAddress { .. }
            | Self::AddRoute { .. } => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetMtu { link, mtu } => write!(f, "{link}: mtu {mtu}"),
            Self::SetUp { link } => write!(f, "{link}: up"),
            Self::Move { link, pid, name } => write!(f, "{link}: to process {pid} as {name}"),
            Self::RemoveAddress { link, address } => {
                write!(f, "{link}: remove address {}", Shown(address))
            }
            Self::AddAddress { link, address } => {
                write!(f, "{link}: add address {}", Shown(address))
            }
            Self::RemoveRoute { link, route } => write!(f, "{link}: remove route {route}"),
            Self::AddRoute { link, route } => write!(f, "{link}: add route {route}"),
        }
    }
}

impl fmt::Display for LinkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.to).fmt(f)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if self.metric != 0 {
            write!(f, " metric {}", self.metric)?;
        }
        Ok(())
    }
}

/// `192.0.2.0/24`.
struct Shown<'a>(&'a Cidr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.address, self.0.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: Change, expected: &str) {
        assert_eq!(change.to_string(), expected);
    }

    #[test]
    fn a_change_reads_as_what_will_be_done() {
        let link = || LinkRef { index: 2, name: "eth0".into() };
        let cidr = |text: &str, prefix| Cidr { address: text.parse().unwrap(), prefix };
        check(Change::SetUp { link: link() }, "eth0: up");
        check(Change::Move { link: link(), pid: 7, name: "eth1".into() }, "eth0: to process 7 as eth1");
        check(Change::SetMtu { link: link(), mtu: 1400 }, "eth0: mtu 1400");
        check(
            Change::AddAddress { link: link(), address: cidr("192.0.2.7", 24) },
            "eth0: add address 192.0.2.7/24",
        );
        check(
            Change::RemoveAddress { link: link(), address: cidr("2001:db8::7", 64) },
            "eth0: remove address 2001:db8::7/64",
        );
        let via = Some("192.0.2.1".parse().unwrap());
        let route = Target { to: cidr("0.0.0.0", 0), via, metric: 0 };
        check(Change::AddRoute { link: link(), route }, "eth0: add route 0.0.0.0/0 via 192.0.2.1");
        let route = Target { to: cidr("2001:db8:1::", 48), via: None, metric: 1024 };
        check(Change::RemoveRoute { link: link(), route }, "eth0: remove route 2001:db8:1::/48 metric 1024");
    }
}
