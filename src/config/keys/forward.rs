//! `[host.log] forward`: collectors, and what TLS with one takes.

use super::super::collector::{Collector, Forward, TlsFiles};
use super::super::diagnostic::Mistake;
use super::super::model::Host;
use super::super::shape::{Key, Keys, Problem, Shape, refused};
use super::super::tree::{Map, Node};
use super::super::value::{forward, path};
use super::kinds;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Collectors that logs are sent to: each reads all logs for itself.
const MAX_DESTINATIONS: usize = 4;

/// Keys that say something of TLS alone.
const OF_TLS: [&str; 4] = ["ca", "cert", "key", "server_name"];

const LIST: Shape = Shape::List(&Shape::Table(&COLLECTOR));

pub(crate) const FORWARD: Key<Host> = Key::new(
    "forward",
    LIST,
    "forward = [{ to = \"tls://collector.example:6514\", ca = \"ca.pem\" }]",
    "Where all logs are sent too, as RFC 5424 has them: one table each.",
    |node, host: &mut Host| {
        host.log_forward = node.each().iter().filter_map(Node::map).filter_map(collector).collect();
    },
)
.default("[]");

static COLLECTOR: Keys<()> = Keys {
    what: "an entry of `forward`",
    keys: &[
        Key::new(
            "to",
            Shape::Text(&kinds::FORWARD),
            "to = \"udp://192.0.2.1:514\"",
            "A collector of syslog messages: udp:// or tcp:// with its address and port, or tls:// with its name or address and its \
             port.",
            |_, (): &mut ()| {},
        )
        .required(),
        Key::new(
            "ca",
            Shape::Text(&kinds::BESIDE),
            "ca = \"ca.pem\"",
            "A file with the certificates of those who may have signed the collector's, in PEM. tls:// needs it: a machine has no \
             others.",
            |_, (): &mut ()| {},
        ),
        Key::new(
            "cert",
            Shape::Text(&kinds::BESIDE),
            "cert = \"machine.pem\"",
            "Of tls://, a file with the certificate that the machine shows to the collector, and those between it and its root, \
             in PEM.",
            |_, (): &mut ()| {},
        ),
        Key::new(
            "key",
            Shape::Text(&kinds::BESIDE),
            "key = \"machine.key\"",
            "The key to `cert`, in PEM, without a passphrase.",
            |_, (): &mut ()| {},
        ),
        Key::new(
            "server_name",
            Shape::Text(&kinds::SERVER_NAME),
            "server_name = \"collector.example\"",
            "Of tls://, what the collector's certificate is for, when that is not what `to` names.",
            |_, (): &mut ()| {},
        ),
    ],
    refused: &[
        refused("tls", "write to = \"tls://…\", with ca"),
        refused("insecure", "a certificate is always checked: ca names who may have signed it"),
    ],
    rules: &[tls_and_nothing_else],
};

fn collector(map: &Map) -> Option<Forward> {
    let path = |key| map.get(key)?.read(path::beside);
    match map.get("to")?.read(forward::destination)? {
        Collector::Tls(mut to) => {
            to.server_name = map.text("server_name").map(ToString::to_string);
            // One whose certificate was meant to be shown is not spoken to without.
            let own = match (map.has("cert"), map.has("key")) {
                (false, false) => None,
                _ => Some((path("cert")?, path("key")?)),
            };
            Some(Forward { to: Collector::Tls(to), files: Some(TlsFiles { ca: path("ca")?, own }) })
        }
        to @ (Collector::Udp(_) | Collector::Tcp(_)) => Some(Forward { to, files: None }),
    }
}

fn tls_and_nothing_else(map: &Map, problems: &mut Vec<Problem>) {
    let Some(to) = map.get("to").and_then(|to| to.read(forward::destination)) else { return };
    if !matches!(to, Collector::Tls(_)) {
        for key in OF_TLS.into_iter().filter(|key| map.has(key)) {
            let mistake = Mistake::new(format!("`{key}` belongs to TLS, and {to} is none"));
            problems.push(Problem::error(key, mistake.help("write to = \"tls://…\", or leave it out")));
        }
        return;
    }
    if !map.has("ca") {
        let mistake = Mistake::new(format!("{to} needs the key `ca`: nobody is trusted unnamed"));
        problems.push(Problem::error(
            "to",
            mistake.help("write ca = \"ca.pem\", a file beside the configuration"),
        ));
    }
    for (one, other) in [("cert", "key"), ("key", "cert")] {
        if map.has(one) && !map.has(other) {
            let mistake = Mistake::new(format!("`{one}` without `{other}`"));
            problems.push(Problem::error(one, mistake.help("write both, or neither")));
        }
    }
}

pub(crate) fn few_destinations(log: &Map, problems: &mut Vec<Problem>) {
    let count = log.get("forward").map_or(0, |forward| forward.each().len());
    if count > MAX_DESTINATIONS {
        let message = format!("logs are sent to {MAX_DESTINATIONS} places at most, and here are {count}");
        problems.push(Problem::error("forward", Mistake::new(message)));
    }
}
