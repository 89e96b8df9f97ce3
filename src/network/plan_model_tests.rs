//! A small kernel to apply plans to, for histories that nobody thought of.

use proptest::prelude::*;

use super::tests::{cidr, link};
use super::*;
use crate::network::{Address, FoundRoute};

/// What the kernel does with one change, its habits included: with an IPv4 address go its
/// secondaries, with the last one the link's IPv4 routes, and adding replaces.
fn apply(found: &mut Found, change: &Change) {
    match change {
        Change::SetMtu { link, mtu } => {
            found.links.iter_mut().filter(|it| it.index == link.index).for_each(|it| it.mtu = *mtu);
        }
        Change::SetUp { link } => {
            found.links.iter_mut().filter(|it| it.index == link.index).for_each(|it| it.up = true);
        }
        Change::Move { .. } => unreachable!("no plan takes a link away"),
        Change::RemoveAddress { link, address } => {
            let same = |it: &Address| it.link == link.index && it.cidr == *address;
            let Some(at) = found.addresses.iter().position(same) else {
                return;
            };
            found.addresses.remove(at);
            if !address.address.is_ipv4() {
                return;
            }
            let subnet = |it: &Address| {
                it.link == link.index && masked(it.cidr) == masked(*address) && {
                    it.cidr.prefix == address.prefix
                }
            };
            let was_primary = !found.addresses.iter().take(at).any(subnet);
            found.addresses.retain(|it| !(was_primary && subnet(it)));
            let v4_left = |it: &Address| it.link == link.index && it.cidr.address.is_ipv4();
            if !found.addresses.iter().any(v4_left) {
                found.routes.retain(|it| it.link != link.index || it.to.address.is_ipv6());
            }
        }
        Change::AddAddress { link, address: cidr } => {
            let same = |it: &Address| it.link == link.index && it.cidr == *cidr;
            found.addresses.retain(|it| !same(it) || it.permanent);
            if !found.addresses.iter().any(same) {
                let (link, scope) = (link.index, Scope::Universe);
                found.addresses.push(Address { link, cidr: *cidr, permanent: true, scope });
            }
        }
        Change::RemoveRoute { link, route } => found.routes.retain(|it| {
            (it.link, it.to, it.via, it.metric) != (link.index, route.to, route.via, route.metric)
        }),
        Change::AddRoute { link, route } => {
            found.routes.retain(|it| (it.to, it.metric) != (route.to, route.metric));
            let Target { to, via, metric } = *route;
            found.routes.push(FoundRoute { link: link.index, to, via, metric, ours: true });
        }
    }
}

/// Few values, so that wanted and found meet often.
fn some_cidr() -> impl Strategy<Value = Cidr> {
    let v4 = (0..3_u8, 1..5_u8).prop_map(|(net, host)| cidr(&format!("10.0.{net}.{host}/24")));
    let v6 = (0..2_u8, 1..4_u8).prop_map(|(net, host)| cidr(&format!("fd00:{net}::{host}/64")));
    prop_oneof![v4, v6]
}

fn some_route() -> impl Strategy<Value = (Cidr, Option<IpAddr>, u32)> {
    (some_cidr(), any::<bool>(), 0..2_u32).prop_map(|(to, hop, metric)| {
        let to = masked(to);
        let metric = if to.address.is_ipv6() && metric == 0 { 1024 } else { metric };
        (to, hop.then_some(to.address), metric)
    })
}

fn some_found() -> impl Strategy<Value = Found> {
    let addresses = proptest::collection::vec((2..4_u32, some_cidr(), any::<bool>()), 0..6);
    let routes = proptest::collection::vec((2..4_u32, some_route(), any::<bool>()), 0..6);
    (addresses, routes, any::<[bool; 3]>()).prop_map(|(addresses, routes, up)| {
        let mut found = Found::default();
        for (index, name) in [(1, "lo"), (2, "eth0"), (3, "eth1")] {
            found.links.push(Link { up: up[index as usize - 1], ..link(index, name) });
        }
        for (link, cidr, permanent) in addresses {
            if !found.addresses.iter().any(|it| it.link == link && it.cidr == cidr) {
                let scope = Scope::Universe;
                found.addresses.push(Address { link, cidr, permanent, scope });
            }
        }
        for (link, (to, via, metric), ours) in routes {
            if !found.routes.iter().any(|it| (it.to, it.metric) == (to, metric)) {
                found.routes.push(FoundRoute { link, to, via, metric, ours });
            }
        }
        found
    })
}

fn some_network(name: &'static str) -> impl Strategy<Value = HostNetwork> {
    let addresses = proptest::collection::btree_set(some_cidr(), 0..5);
    let routes = proptest::collection::vec(some_route(), 0..4);
    (addresses, routes, proptest::option::of(1280..1500_u32)).prop_map(move |(addresses, routes, mtu)| {
        HostNetwork {
            link: LinkMatch::Name(name.into()),
            addresses: addresses.into_iter().collect(),
            gateways: Vec::new(),
            routes: routes
                .into_iter()
                .map(|(to, via, metric)| Route { to, via, metric: Some(metric) })
                .collect(),
            mtu,
        }
    })
}

proptest! {
    #[test]
    fn applied_and_computed_again_there_is_nothing_to_do(
        mut found in some_found(),
        a in some_network("eth0"),
        b in some_network("eth1"),
    ) {
        let wanted = [("a".into(), a), ("b".into(), b)].into();
        for change in plan(&wanted, &found).changes {
            apply(&mut found, &change);
        }
        let again: Vec<String> =
            plan(&wanted, &found).changes.iter().map(ToString::to_string).collect();
        prop_assert_eq!(again, Vec::<String>::new());
    }
}
