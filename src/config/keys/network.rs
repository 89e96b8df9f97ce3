//! `[host.network.NAME]`.

use super::super::diagnostic::Mistake;
use super::super::model::{Cidr, Host, HostNetwork, LinkMatch, Route};
use super::super::shape::{Key, Keys, Problem, Shape, refused};
use super::super::tree::{Map, Node};
use super::super::value::address;
use super::kinds;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The smallest MTU that IPv4 works with (RFC 791).
const LEAST_MTU: i64 = 68;
/// The smallest MTU that IPv6 works with (RFC 8200 §5).
const LEAST_MTU_IPV6: i64 = 1280;
/// The largest that an IP packet has.
const MOST_MTU: i64 = 65_535;

pub(crate) static NETWORK: Keys<HostNetwork> = Keys {
    what: "a network of the host",
    keys: &[
        Key::new(
            "match",
            Shape::Table(&MATCH),
            "match = { name = \"eth0\" }",
            "Which interface this is: by exactly one of name, MAC address and driver.",
            |node, network: &mut HostNetwork| super::fill(&MATCH, node, &mut network.link),
        )
        .required(),
        Key::new(
            "addresses",
            Shape::List(&Shape::Text(&kinds::CIDR)),
            "addresses = [\"192.0.2.7/24\", \"2001:db8::7/64\"]",
            "The interface's addresses, each with the length of its network's prefix.",
            |node, network: &mut HostNetwork| network.addresses = node.read_each(address::interface),
        )
        .default("[]"),
        Key::new(
            "gateway",
            Shape::OneOrMore(&Shape::Text(&kinds::HOST_ADDRESS)),
            "gateway = \"192.0.2.1\"",
            "Where packets go that no route knows; one for IPv4, one for IPv6.",
            |node, network: &mut HostNetwork| network.gateways = node.read_each(address::host),
        )
        .default("[]"),
        Key::new(
            "routes",
            Shape::List(&Shape::Table(&ROUTE)),
            "routes = [{ to = \"10.0.0.0/8\", via = \"192.0.2.254\" }]",
            "Further routes through this interface.",
            |node, network: &mut HostNetwork| network.routes = node.each().iter().filter_map(route).collect(),
        )
        .default("[]"),
        Key::new(
            "mtu",
            Shape::Integer { min: LEAST_MTU, max: MOST_MTU },
            "mtu = 9000",
            "The largest packet, in bytes. Without it: the driver's.",
            |node, network: &mut HostNetwork| network.mtu = node.number(),
        ),
    ],
    refused: &[
        refused("dhcp", "this version has fixed addresses only: addresses = [\"192.0.2.7/24\"]"),
        refused("address", "write addresses = [\"192.0.2.7/24\"]"),
        refused("gateways", "write gateway = \"192.0.2.1\", or a list with one for IPv4 and one for IPv6"),
        refused("dns", "write [host.dns] with servers = [\"192.0.2.53\"]"),
        refused("interface", "write match = { name = \"eth0\" }"),
    ],
    rules: &[one_gateway_a_family, ipv6_needs_its_mtu],
};

static MATCH: Keys<LinkMatch> = Keys {
    what: "`match`",
    keys: &[
        Key::new(
            "name",
            Shape::Text(&kinds::INTERFACE),
            "name = \"eth0\"",
            "The kernel's name of the interface.",
            |node, link: &mut LinkMatch| *link = LinkMatch::Name(node.text().unwrap_or_default().to_string()),
        ),
        Key::new(
            "mac",
            Shape::Text(&kinds::MAC),
            "mac = \"52:54:00:12:34:56\"",
            "The interface's MAC address.",
            |node, link: &mut LinkMatch| *link = LinkMatch::Mac(node.read(address::mac).unwrap_or_default()),
        ),
        Key::new(
            "driver",
            Shape::Text(&kinds::MODULE),
            "driver = \"virtio_net\"",
            "The kernel module of the interface; the first interface that has it.",
            |node, link: &mut LinkMatch| {
                *link = LinkMatch::Driver(node.text().unwrap_or_default().to_string())
            },
        ),
    ],
    refused: &[],
    rules: &[exactly_one],
};

/// A route before it is known where it leads.
#[derive(Default)]
struct Draft {
    to: Option<Cidr>,
    via: Option<IpAddr>,
    metric: Option<u32>,
}

static ROUTE: Keys<Draft> = Keys {
    what: "a route",
    keys: &[
        Key::new(
            "to",
            Shape::Text(&kinds::ROUTE),
            "to = \"10.0.0.0/8\"",
            "The network that it leads to, or `default`.",
            |node, route: &mut Draft| route.to = node.read(address::route).flatten(),
        )
        .required(),
        Key::new(
            "via",
            Shape::Text(&kinds::HOST_ADDRESS),
            "via = \"192.0.2.254\"",
            "The router that knows the way. Without it: the network is on this wire.",
            |node, route: &mut Draft| route.via = node.read(address::host),
        ),
        Key::new(
            "metric",
            Shape::Integer { min: 0, max: 4_294_967_295 },
            "metric = 100",
            "Of two routes to the same network, the one with the lower metric is taken.",
            |node, route: &mut Draft| route.metric = node.number(),
        ),
    ],
    refused: &[refused("gateway", "write via = \"192.0.2.254\"")],
    rules: &[default_needs_via, one_family],
};

pub(crate) fn take(node: &Node, host: &mut Host) {
    for (name, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let Some(map) = entry.node.map().filter(|map| !map.incomplete) else { continue };
        // Without a right `match` nothing says which interface it is.
        if map.get("match").and_then(Node::map).is_none_or(|link| link.incomplete) {
            continue;
        }
        let link = LinkMatch::Name(name.to_string());
        let mut network =
            HostNetwork { link, addresses: Vec::new(), gateways: Vec::new(), routes: Vec::new(), mtu: None };
        NETWORK.fill(map, &mut network);
        host.networks.insert(name.to_string(), network);
    }
}

fn route(node: &Node) -> Option<Route> {
    let mut draft = Draft::default();
    ROUTE.fill(node.map().filter(|map| !map.incomplete)?, &mut draft);
    let everywhere = match draft.via {
        Some(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let to = draft.to.unwrap_or(Cidr { address: everywhere, prefix: 0 });
    Some(Route { to, via: draft.via, metric: draft.metric })
}

fn exactly_one(link: &Map, problems: &mut Vec<Problem>) {
    let given = MATCH.keys.iter().filter(|key| link.has(key.about.name)).count();
    if given != 1 {
        let mistake =
            Mistake::new(format!("`match` takes exactly one of name, mac and driver, and here are {given}"));
        problems.push(Problem::error("", mistake.help("write match = { name = \"eth0\" }")));
    }
}

fn one_gateway_a_family(network: &Map, problems: &mut Vec<Problem>) {
    let gateways = network.get("gateway").map(|node| node.read_each(address::host)).unwrap_or_default();
    let ipv4 = gateways.iter().filter(|gateway| gateway.is_ipv4()).count();
    if ipv4 > 1 || gateways.len().saturating_sub(ipv4) > 1 {
        let mistake = Mistake::new("a network has one gateway for IPv4 and one for IPv6, at most");
        problems.push(Problem::error("gateway", mistake.help("write the others as routes, with a metric")));
    }
}

fn ipv6_needs_its_mtu(network: &Map, problems: &mut Vec<Problem>) {
    let addresses =
        network.get("addresses").map(|node| node.read_each(address::interface)).unwrap_or_default();
    let mtu = network.get("mtu").and_then(Node::integer);
    if mtu.is_some_and(|mtu| mtu < LEAST_MTU_IPV6) && addresses.iter().any(|cidr| cidr.address.is_ipv6()) {
        let message = format!("an interface with an IPv6 address needs an MTU of {LEAST_MTU_IPV6} at least");
        problems.push(Problem::error("mtu", Mistake::new(message)));
    }
}

fn default_needs_via(route: &Map, problems: &mut Vec<Problem>) {
    if route.text("to") == Some("default") && !route.has("via") {
        problems.push(Problem::error("to", Mistake::new("a route to `default` needs `via`, the router")));
    }
}

fn one_family(route: &Map, problems: &mut Vec<Problem>) {
    let to = route.get("to").and_then(|node| node.read(address::route)).flatten();
    let via = route.get("via").and_then(|node| node.read(address::host));
    if let (Some(to), Some(via)) = (to, via)
        && to.address.is_ipv4() != via.is_ipv4()
    {
        problems.push(Problem::error("via", Mistake::new("`to` and `via` are of IPv4 and IPv6")));
    }
}
