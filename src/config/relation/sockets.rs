//! No two containers listen at the same place.

use super::super::diagnostic::Mistake;
use super::super::keys::sockets;
use super::super::model::Config;
use super::super::report::Report;
use super::super::socket::Listen;
use super::super::tree::{Map, Node, Path, Place, Step, Value};
use super::place;
use alloc::collections::BTreeMap;
use alloc::format;
use core::net::{IpAddr, SocketAddr};

/// Sockets of all containers: PID 1 keeps each, in a table of 4,096 that containers are in, too.
const MAX_ALL: usize = 1024;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &Config) {
    let mut taken: BTreeMap<Listen, (&str, Place)> = BTreeMap::new();
    for name in config.containers.keys() {
        let list = Path::keys(&["container", name, "sockets"]);
        let items = Node::locate(tree, &list).filter(|node| matches!(node.value, Value::List(_)));
        for (index, item) in items.map(Node::each).unwrap_or_default().iter().enumerate() {
            let Some(socket) = sockets::one(item) else { continue };
            let path = list.and(Step::Item(index));
            let at = place(tree, &path);
            if let Some((other, (who, first))) = taken.iter().find(|(other, _)| clash(other, &socket.listen))
            {
                let whose = if who == name { "it".into() } else { format!("`{who}`") };
                let mistake =
                    Mistake::new(format!("`{name}` listens on {}, and {whose} on {other}", socket.listen));
                let family =
                    super::super::family(name).filter(|family| super::super::family(who) == Some(family));
                let help = match family {
                    Some(_) => "`%i` is another one for each instance",
                    None => "each place is one container's",
                };
                let notes = [format!("first at {}", report.short(*first))].into();
                report.error_with(at, &path, mistake.help(help), notes);
                continue;
            }
            if taken.len() >= MAX_ALL {
                let mistake = Mistake::new(format!("there are more than {MAX_ALL} sockets"));
                report.error(at, &path, mistake);
                return;
            }
            taken.insert(socket.listen, (name, at));
        }
    }
}

/// Whether the kernel would refuse the second one.
fn clash(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) | (Listen::Udp(one), Listen::Udp(other)) => same(one, other),
        (Listen::Unix(one), Listen::Unix(other)) => one == other,
        (Listen::Tcp(_) | Listen::Udp(_) | Listen::Unix(_), _) => false,
    }
}

/// `[::]` is any of IPv4, too.
fn same(one: &SocketAddr, other: &SocketAddr) -> bool {
    let is_all = |ip: IpAddr| ip == IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED);
    let covers = |one: IpAddr, other: IpAddr| {
        is_all(one) || one == other || one.is_unspecified() && one.is_ipv4() == other.is_ipv4()
    };
    one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}
