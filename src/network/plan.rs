//! Wanted, found → the changes that make one the other, in the order in which they work.
//!
//! A matched link belongs to its declaration: what is not declared goes, as far as somebody set it
//! (addresses beyond the link's own scope, routes that we made). What the kernel makes itself, or
//! learns from router advertisements, stays. Links that nothing matches are left alone, but loopback.
//!
//! Applied and computed again, the answer is empty. What cannot be decided is a [`Problem`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Change, Found, Link, LinkRef, Scope, Target};
use crate::config::{Cidr, HostNetwork, LinkMatch, Route};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub problems: Vec<Problem>,
}

/// A declaration that the machine cannot follow as it is. The boot goes on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    NoLink {
        network: String,
        wanted: LinkMatch,
        links: Vec<String>,
    },
    /// The same addresses on several links would help nobody.
    SeveralLinks {
        network: String,
        wanted: LinkMatch,
        links: Vec<String>,
    },
    LinkTaken {
        network: String,
        link: String,
        by: String,
    },
    /// The kernel tells routes apart by destination and metric.
    RouteTwice {
        network: String,
        route: Target,
        by: String,
    },
}

/// What to do so that the machine has what `wanted` declares. Links are matched in the order of the
/// networks' names.
#[must_use]
pub fn plan(wanted: &BTreeMap<String, HostNetwork>, found: &Found) -> Plan {
    let mut plan = Plan::default();
    for link in found.links.iter().filter(|link| link.loopback && !link.up) {
        plan.changes.push(Change::SetUp { link: reference(link) });
    }
    let mut taken: BTreeMap<u32, &str> = BTreeMap::new();
    let mut routed: Vec<(Cidr, u32, &str)> = Vec::new();
    for (name, network) in wanted {
        let link = match matching(name, network, found) {
            Ok(link) => link,
            Err(problem) => {
                plan.problems.push(problem);
                continue;
            }
        };
        if let Some(by) = taken.insert(link.index, name) {
            taken.insert(link.index, by);
            plan.problems.push(Problem::LinkTaken {
                network: name.clone(),
                link: link.name.clone(),
                by: String::from(by),
            });
            continue;
        }
        let mut routes = Vec::new();
        for route in targets(network) {
            match routed.iter().find(|(to, metric, _)| (*to, *metric) == (route.to, route.metric)) {
                Some((_, _, by)) => plan.problems.push(Problem::RouteTwice {
                    network: name.clone(),
                    route,
                    by: String::from(*by),
                }),
                None => {
                    routed.push((route.to, route.metric, name));
                    routes.push(route);
                }
            }
        }
        change_link(&mut plan.changes, link, network, &routes, found);
    }
    plan
}

fn matching<'f>(name: &str, network: &HostNetwork, found: &'f Found) -> Result<&'f Link, Problem> {
    let matched = |link: &&Link| match &network.link {
        LinkMatch::Name(name) => link.name == *name,
        LinkMatch::Mac(mac) => link.mac == Some(*mac),
        LinkMatch::Driver(driver) => link.driver.as_ref() == Some(driver),
    };
    let names = |links: &[&Link]| links.iter().map(|link| link.name.clone()).collect();
    let (network, wanted) = (String::from(name), network.link.clone());
    let links: Vec<&Link> = found.links.iter().filter(matched).collect();
    match links.as_slice() {
        [link] => Ok(link),
        [] => {
            let links = names(&found.links.iter().collect::<Vec<_>>());
            Err(Problem::NoLink { network, wanted, links })
        }
        several => Err(Problem::SeveralLinks { network, wanted, links: names(several) }),
    }
}

/// The declared routes as the kernel will hold them. Those that need no next hop come first, since a
/// next hop must be reachable when its route is added; then the default routes.
fn targets(network: &HostNetwork) -> Vec<Target> {
    let target = |route: &Route| {
        let to = masked(route.to);
        let metric = match (to.address, route.metric) {
            (IpAddr::V4(_), metric) => metric.unwrap_or(0),
            // The kernel stores 1024 when none is named (IP6_RT_PRIO_USER, include/net/ip6_route.h).
            (IpAddr::V6(_), None | Some(0)) => 1024,
            (IpAddr::V6(_), Some(metric)) => metric,
        };
        Target { to, via: route.via, metric }
    };
    let default = |via: &IpAddr| {
        let address = match via {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        target(&Route { to: Cidr { address, prefix: 0 }, via: Some(*via), metric: None })
    };
    let (direct, hops): (Vec<Target>, Vec<Target>) =
        network.routes.iter().map(target).partition(|target| target.via.is_none());
    direct.into_iter().chain(hops).chain(network.gateways.iter().map(default)).collect()
}

/// Removals before additions, routes around addresses: an IPv4 route dies with the last address.
fn change_link(
    changes: &mut Vec<Change>,
    link: &Link,
    network: &HostNetwork,
    routes: &[Target],
    found: &Found,
) {
    let on = || reference(link);
    if let Some(mtu) = network.mtu.filter(|mtu| *mtu != link.mtu) {
        changes.push(Change::SetMtu { link: on(), mtu });
    }
    if !link.up {
        changes.push(Change::SetUp { link: on() });
    }
    let there: Vec<Target> = found
        .routes
        .iter()
        .filter(|route| route.link == link.index)
        .map(|route| Target { to: route.to, via: route.via, metric: route.metric })
        .collect();
    let ours = found.routes.iter().filter(|route| route.link == link.index && route.ours);
    for route in ours {
        let route = Target { to: route.to, via: route.via, metric: route.metric };
        if !routes.contains(&route) {
            changes.push(Change::RemoveRoute { link: on(), route });
        }
    }
    let disturbed = change_addresses(changes, link, network, found);
    for route in routes {
        let lost = disturbed && route.to.address.is_ipv4();
        if lost || !there.contains(route) {
            changes.push(Change::AddRoute { link: on(), route: *route });
        }
    }
}

/// Whether IPv4 addresses or routes that stay must be said again: with an IPv4 address go its
/// secondaries, and with the last one all IPv4 routes of the link.
fn change_addresses(changes: &mut Vec<Change>, link: &Link, network: &HostNetwork, found: &Found) -> bool {
    let on = || reference(link);
    let there: Vec<_> =
        found.addresses.iter().filter(|address| address.link == link.index && address.permanent).collect();
    let mut disturbed = false;
    for address in there.iter().filter(|address| address.scope == Scope::Universe) {
        if !network.addresses.contains(&address.cidr) {
            changes.push(Change::RemoveAddress { link: on(), address: address.cidr });
            disturbed |= address.cidr.address.is_ipv4();
        }
    }
    for address in &network.addresses {
        let lost = disturbed && address.address.is_ipv4();
        if lost || !there.iter().any(|there| there.cidr == *address) {
            changes.push(Change::AddAddress { link: on(), address: *address });
        }
    }
    disturbed
}

fn reference(link: &Link) -> LinkRef {
    LinkRef { index: link.index, name: link.name.clone() }
}

/// The destination without host bits: the kernel stores IPv6 ones so, and refuses IPv4 ones.
fn masked(cidr: Cidr) -> Cidr {
    let address = match cidr.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(cidr.prefix.into()));
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask.unwrap_or(0)))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(cidr.prefix.into()));
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask.unwrap_or(0)))
        }
    };
    Cidr { address, prefix: cidr.prefix }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLink { network, wanted, links } => {
                write!(f, "host.network.{network}: no link ")?;
                show_match(f, wanted)?;
                write!(f, "; there are {}", links.join(", "))
            }
            Self::SeveralLinks { network, wanted, links } => {
                write!(f, "host.network.{network}: more than one link ")?;
                show_match(f, wanted)?;
                write!(f, ": {}; match by name or mac", links.join(", "))
            }
            Self::LinkTaken { network, link, by } => {
                write!(f, "host.network.{network}: {link} belongs to host.network.{by} already")
            }
            Self::RouteTwice { network, route, by } => write!(
                f,
                "host.network.{network}: host.network.{by} has a route {route} already \
                 (same destination, same metric); give one of them another metric",
            ),
        }
    }
}

fn show_match(f: &mut fmt::Formatter<'_>, wanted: &LinkMatch) -> fmt::Result {
    match wanted {
        LinkMatch::Name(name) => write!(f, "is named {name}"),
        LinkMatch::Driver(driver) => write!(f, "has the driver {driver}"),
        LinkMatch::Mac([a, b, c, d, e, g]) => {
            write!(f, "has the address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "plan_model_tests.rs"]
mod model_tests;
