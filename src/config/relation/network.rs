//! Networks of the host: gateways can be reached, and no two tables mean the same interface or address.

use super::super::diagnostic::Mistake;
use super::super::model::{Cidr, Config, HostNetwork, LinkMatch};
use super::super::report::Report;
use super::super::tree::{Map, Node, Path, Step, Value};
use super::super::value::address;
use super::place;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

/// Reports, and takes out of `config` what the kernel would refuse.
pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    for (name, network) in &mut config.host.networks {
        let path = Path::keys(&["host", "network", name]);
        routers(report, tree, &path, network);
    }
    same_interface(report, tree, config);
    same_address(report, tree, config);
}

fn routers(report: &mut Report<'_>, tree: &Map, path: &Path<'_>, network: &mut HostNetwork) {
    let addresses = path.and(Step::Key("addresses"));
    let items = Node::locate(tree, &addresses).map(Node::each).unwrap_or_default();
    // Whether a router can be reached may depend on an address that is wrong, and has been reported.
    let known = !items.iter().any(|item| matches!(item.value, Value::Wrong));
    let whole = network.clone();
    let mut keep = |list: &str, router: IpAddr| match reachable(&whole, router) {
        Ok(()) => true,
        Err(mistake) => {
            let path = item(tree, &path.and(Step::Key(list)), router);
            if known {
                report.error(place(tree, &path), &path, mistake);
            }
            false
        }
    };
    network.gateways.retain(|gateway| keep("gateway", *gateway));
    network.routes.retain(|route| route.via.is_none_or(|via| keep("routes", via)));
}

fn same_interface(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    let mut links: BTreeMap<String, String> = BTreeMap::new();
    config.host.networks.retain(|name, network| {
        let Some(first) = links.insert(link(&network.link), name.to_string()) else { return true };
        let path = Path::keys(&["host", "network", name, "match"]);
        let message = format!("`{name}` and `{first}` match the same interface");
        report.error(place(tree, &path), &path, Mistake::new(message).help("make one table of both"));
        links.insert(link(&network.link), first);
        false
    });
}

fn same_address(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    let mut addresses: BTreeMap<IpAddr, String> = BTreeMap::new();
    for (name, network) in &mut config.host.networks {
        network.addresses.retain(|cidr| {
            let Some(first) = addresses.get(&cidr.address) else {
                addresses.insert(cidr.address, name.to_string());
                return true;
            };
            let path = Path::keys(&["host", "network", name, "addresses"]);
            let message = match first == name {
                true => format!("{} is listed twice", cidr.address),
                false => format!("{} is an address of `{first}` already", cidr.address),
            };
            report.error(place(tree, &path), &path, Mistake::new(message));
            false
        });
        // A router that was reached through an address that is gone is gone with it.
        let whole = network.clone();
        network.gateways.retain(|gateway| reachable(&whole, *gateway).is_ok());
        network.routes.retain(|route| route.via.is_none_or(|via| reachable(&whole, via).is_ok()));
    }
}

/// The item of the list at `path` that names `router`, by itself or by its `via`.
fn item<'t>(tree: &Map, path: &Path<'t>, router: IpAddr) -> Path<'t> {
    let Some(Node { value: Value::List(items), .. }) = Node::locate(tree, path) else { return path.clone() };
    let via = |item: &Node| item.map().and_then(|map| map.get("via")).and_then(|via| via.read(address::host));
    let named = |item: &Node| item.read(address::host).or_else(|| via(item)) == Some(router);
    match items.iter().position(named) {
        Some(index) if items.get(index).is_some_and(|item| item.map().is_some()) => {
            path.and(Step::Item(index)).and(Step::Key("via"))
        }
        Some(index) => path.and(Step::Item(index)),
        None => path.clone(),
    }
}

fn reachable(network: &HostNetwork, router: IpAddr) -> Result<(), Mistake> {
    if network.addresses.iter().any(|cidr| cidr.address == router) {
        return Err(Mistake::new(format!("{router} is the machine's own address")).help("write the router's"));
    }
    // Every IPv6 interface has a link-local address, and reaches its neighbours by it.
    let link_local = matches!(router, IpAddr::V6(router) if router.is_unicast_link_local());
    if link_local || network.addresses.iter().any(|cidr| cidr.contains(router)) {
        return Ok(());
    }
    let mistake = Mistake::new(format!("{router} cannot be reached: it is in no network of `addresses`"));
    let near = network.addresses.iter().find(|cidr| cidr.address.is_ipv4() == router.is_ipv4());
    Err(match near {
        Some(Cidr { address, prefix }) => mistake.help(format!("{address}/{prefix} does not contain it")),
        None => mistake.help("give the interface an address in the router's network"),
    })
}

fn link(link: &LinkMatch) -> String {
    match link {
        LinkMatch::Name(name) => format!("name {name}"),
        LinkMatch::Mac(mac) => format!("mac {mac:x?}"),
        LinkMatch::Driver(driver) => format!("driver {}", driver.replace('-', "_")),
    }
}
