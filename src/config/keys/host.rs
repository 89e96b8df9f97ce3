//! `[host]`, `[host.control]`, `[host.dns]`, `[host.log]`.

use super::super::admission::{Admission, FIRST_CONTAINER_ID, Readers};
use super::super::diagnostic::Mistake;
use super::super::machine::Watchdog;
use super::super::model::{Dns, Host};
use super::super::shape::{Key, Keys, Problem, Shape, Text, refused, word};
use super::super::tree::{Map, Node, Value};
use super::super::value::address;
use super::kinds::{self, size_from, time_from};
use super::{disk, forward, network};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// Below it, stopping one container in order would already not fit.
const SHORTEST_POWEROFF: Duration = Duration::from_secs(1);
/// Above it, people pull the plug.
const LONGEST_POWEROFF: Duration = Duration::from_secs(3600);
/// A supervisor that is started anew needs a second or two, and on a small machine under load more.
const SHORTEST_WATCHDOG: Duration = Duration::from_secs(4);
/// Above it few devices can wait; i6300esb up to 34 minutes.
const LONGEST_WATCHDOG: Duration = Duration::from_secs(1800);
/// Name servers that resolvers read (MAXNS of resolv.h).
const MAX_SERVERS: usize = 3;
/// The first port that a program without privileges may bind, and its default on the machine.
const PORT_START: &str = "net.ipv4.ip_unprivileged_port_start";
/// One pipe's worth: less could not even hold what is read at once.
const LEAST_LOG: u64 = 64 << 10;

/// Kernel parameters by their keys.
pub(crate) const PARAMETERS: Shape = Shape::Dotted {
    name: &kinds::SYSCTL,
    value: &Shape::Any(&[Shape::Text(&kinds::SYSCTL_VALUE), Shape::Integer { min: i64::MIN, max: i64::MAX }]),
};

pub(crate) static HOST: Keys<Host> = Keys {
    what: "[host]",
    keys: &[
        Key::new(
            "hostname",
            Shape::Text(&kinds::HOSTNAME),
            "hostname = \"gateway-7\"",
            "The machine's name.",
            |node, host: &mut Host| host.hostname = node.text().map_or_else(String::new, ToString::to_string),
        )
        .default("\"orlop\""),
        Key::new(
            "modules",
            Shape::List(&Shape::Text(&kinds::MODULE)),
            "modules = [\"i2c-dev\"]",
            "Kernel modules to load beyond those that the machine needs itself; what they depend on is loaded before them.",
            |node, host: &mut Host| host.modules = node.texts(),
        )
        .default("[]"),
        Key::new(
            "sysctls",
            PARAMETERS,
            "sysctls = { \"net.ipv4.ip_forward\" = 1 }",
            "Kernel parameters, by their key with dots, as they are written to /proc/sys.",
            |node, host: &mut Host| flatten("", node, &mut host.sysctls),
        )
        .default("{}"),
        Key::new(
            "apparmor_profiles",
            Shape::List(&Shape::Text(&kinds::BESIDE)),
            "apparmor_profiles = [\"web.policy\"]",
            "Files of AppArmor profiles to load before the containers, as `apparmor_parser -QK -o web.policy web` \
             compiles them. A container's `apparmor` names one.",
            |node, host: &mut Host| host.apparmor_profiles = node.texts(),
        )
        .default("[]"),
        Key::new(
            "control_ports",
            Shape::Flag,
            "control_ports = false",
            "Whether the machine answers on virtio-serial ports of its hypervisor, when there are any.",
            |node, host: &mut Host| host.control_ports = node.flag().unwrap_or(host.control_ports),
        )
        .default("true"),
        Key::new(
            "control",
            Shape::Table(&CONTROL),
            "[host.control]",
            "Who may speak with the machine on its control socket, besides its root.",
            |node, host: &mut Host| super::fill(&CONTROL, node, &mut host.control),
        ),
        Key::new(
            "fault_injection",
            Shape::Flag,
            "fault_injection = true",
            "Whether `orlop debug crash` may crash parts of the machine, to see it survive that.",
            |node, host: &mut Host| host.fault_injection = node.flag().unwrap_or(host.fault_injection),
        )
        .default("false"),
        Key::new(
            "poweroff_timeout",
            time_from(SHORTEST_POWEROFF, LONGEST_POWEROFF),
            "poweroff_timeout = \"90s\"",
            "How long a power-off or reboot may take to end everything in order, before it happens anyway.",
            |node, host: &mut Host| host.poweroff_timeout = node.time().unwrap_or(host.poweroff_timeout),
        )
        .default("\"60s\""),
        Key::new(
            "watchdog",
            Shape::Table(&WATCHDOG),
            "[host.watchdog]",
            "A device that resets the machine unless it is fed. PID 1 feeds it while the supervisor answers.",
            |node, host: &mut Host| {
                super::fill(&WATCHDOG, node, host.watchdog.get_or_insert_default());
            },
        ),
        Key::new(
            "disk",
            Shape::Table(&disk::DISK),
            "[host.disk]",
            "A disk for what outlives a power-off: the logs.",
            |node, host: &mut Host| super::fill(&disk::DISK, node, host.disk.get_or_insert_default()),
        ),
        Key::new(
            "network",
            Shape::Map { name: &kinds::NAME, value: &Shape::Table(&network::NETWORK) },
            "[host.network.lan]",
            "Network interfaces with fixed addresses: one table each, under a name of your choice.",
            network::take,
        ),
        Key::new("dns", Shape::Table(&DNS), "[host.dns]", "What resolv.conf says.", |node, host: &mut Host| {
            super::fill(&DNS, node, &mut host.dns);
        }),
        Key::new("log", Shape::Table(&LOG), "[host.log]", "The logs of all containers.", |node, host: &mut Host| {
            super::fill(&LOG, node, host);
        }),
    ],
    refused: &[
        refused("networks", "write [host.network.NAME]: names of tables are singular"),
        refused("nameservers", "write [host.dns] with servers = [\"192.0.2.53\"]"),
        refused("ntp", "this version does not set the clock"),
        refused("logging", "write [host.log] with memory = \"8M\""),
    ],
    rules: &[no_sysctl_twice, ports_start_at_zero],
};

/// A user or a group of the machine. Root needs no leave, and a container's ids change with the names of others.
const ID: Shape = Shape::Integer { min: 1, max: FIRST_CONTAINER_ID as i64 - 1 };

static CONTROL: Keys<Admission> = Keys {
    what: "[host.control]",
    keys: &[
        Key::new(
            "group",
            ID,
            "group = 900",
            "Number of the group whose members may do on the control socket what root may. The socket is theirs too then.",
            |node, control: &mut Admission| control.group = node.number(),
        ),
        Key::new(
            "read_only",
            Shape::Any(&[
                Shape::Word { words: &[word("everyone", "whoever can reach the socket")], refused: &[] },
                Shape::List(&ID),
            ]),
            "read_only = [1000]",
            "Numbers of users who may look and change nothing, or `\"everyone\"`. The socket takes connections from all \
             then, and refuses those who are not meant.",
            |node, control: &mut Admission| {
                control.readers = match node.text() {
                    Some(_) => Readers::Everyone,
                    None => Readers::Users(node.each().iter().filter_map(Node::number).collect()),
                };
            },
        )
        .default("[]"),
    ],
    refused: &[
        refused("users", "write read_only = [1000] for users who may look, and group = 900 for those who may do all"),
        refused("mode", "the socket's mode follows from group and read_only"),
        refused("ports", "write control_ports = false in [host]"),
    ],
    rules: &[nobody],
};

/// Whoever has no number that the machine knows has this one for it, in every user namespace: it is no one's.
const NOBODY: u32 = 65_534;

fn nobody(control: &Map, problems: &mut Vec<Problem>) {
    let is_nobody = |node: &Node| node.number() == Some(NOBODY);
    for key in ["group", "read_only"] {
        if control.get(key).is_some_and(|node| is_nobody(node) || node.each().iter().any(is_nobody)) {
            let mistake = Mistake::new("65534 stands for everybody who has no number on the machine");
            problems.push(Problem::error(key, mistake.help("choose another number")));
        }
    }
}

static DEVICE: Text = Text {
    what: "a watchdog like \"/dev/watchdog0\"",
    pattern: "^/dev/watchdog[0-9]*$",
    check: |text| {
        let number = text.strip_prefix("/dev/watchdog").filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        number
            .map(drop)
            .ok_or_else(|| Mistake::new(format!("{text:?} is no watchdog like \"/dev/watchdog0\"")))
    },
};

static WATCHDOG: Keys<Watchdog> = Keys {
    what: "[host.watchdog]",
    keys: &[
        Key::new(
            "device",
            Shape::Text(&DEVICE),
            "device = \"/dev/watchdog0\"",
            "The device; its driver, if it needs one that the machine does not load itself, stands in `modules`.",
            |node, watchdog: &mut Watchdog| {
                watchdog.device = node.text().map_or_else(String::new, ToString::to_string);
            },
        )
        .default("\"/dev/watchdog\""),
        Key::new(
            "timeout",
            time_from(SHORTEST_WATCHDOG, LONGEST_WATCHDOG),
            "timeout = \"30s\"",
            "How long it waits, in whole seconds, as far as the device can. A supervisor that gives no sign of life \
             for half of it is killed and started again; when that does not help for all of it, the device is not \
             fed any more.",
            |node, watchdog: &mut Watchdog| watchdog.timeout = node.time().unwrap_or(watchdog.timeout),
        )
        .default("\"60s\""),
    ],
    refused: &[
        refused("interval", "it is fed four times in each timeout"),
        refused("nowayout", "it is never stopped once it runs"),
    ],
    rules: &[],
};

static DNS: Keys<Dns> = Keys {
    what: "[host.dns]",
    keys: &[
        Key::new(
            "servers",
            Shape::List(&Shape::Text(&kinds::HOST_ADDRESS)),
            "servers = [\"192.0.2.53\"]",
            "Name servers, in the order in which they are asked. Resolvers read the first three.",
            |node, dns: &mut Dns| dns.servers = node.read_each(address::host),
        )
        .default("[]"),
        Key::new(
            "search",
            Shape::List(&Shape::Text(&kinds::DOMAIN)),
            "search = [\"example.org\"]",
            "Domains that short names are looked up in.",
            |node, dns: &mut Dns| dns.search = node.texts(),
        )
        .default("[]"),
    ],
    refused: &[
        refused("nameservers", "write servers = [\"192.0.2.53\"]"),
        refused("options", "this version writes no resolver options"),
    ],
    rules: &[three_servers_at_most],
};

static LOG: Keys<Host> = Keys {
    what: "[host.log]",
    keys: &[
        Key::new(
            "memory",
            size_from(LEAST_LOG),
            "memory = \"16M\"",
            "Memory for the logs of all containers together. The oldest lines go first.",
            |node, host: &mut Host| host.log_memory = node.bytes().unwrap_or(host.log_memory),
        )
        .default("\"8M\""),
        forward::FORWARD,
    ],
    refused: &[refused("rate", "a rate belongs to a container: log = { rate = \"64K\" }")],
    rules: &[forward::few_destinations],
};

/// `net.ipv4.x` from a quoted key and from tables in tables alike.
pub(super) fn flatten(prefix: &str, node: &Node, into: &mut BTreeMap<String, String>) {
    for (key, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Some(value) = entry.node.scalar() {
            into.insert(key.clone(), value.to_string());
        }
        flatten(&key, &entry.node, into);
    }
}

pub(super) fn no_sysctl_twice(host: &Map, problems: &mut Vec<Problem>) {
    let Some(Node { value: Value::Table(sysctls), .. }) = host.get("sysctls") else { return };
    let mut seen = BTreeMap::new();
    for entry in &sysctls.entries {
        let mut inside = BTreeMap::new();
        let single = Map { entries: [(entry.0.clone(), entry.1.clone())].into(), ..Map::default() };
        flatten("", &Node { at: entry.1.at, value: Value::Table(single) }, &mut inside);
        for key in inside.into_keys() {
            if seen.insert(key.clone(), ()).is_some() {
                problems.push(Problem::error(
                    "sysctls",
                    Mistake::new(format!("the sysctl `{key}` is given twice")),
                ));
            }
        }
    }
}

fn ports_start_at_zero(host: &Map, problems: &mut Vec<Problem>) {
    let mut sysctls = BTreeMap::new();
    host.get("sysctls").into_iter().for_each(|node| flatten("", node, &mut sysctls));
    if let Some(start) = sysctls.get(PORT_START).filter(|start| start.as_str() != "0") {
        let message = format!("containers with network_mode = \"host\" cannot bind ports below {start}");
        let help = format!("leave {PORT_START} out: the machine sets it to 0");
        problems.push(Problem::warning("sysctls", Mistake::new(message).help(help)));
    }
}

fn three_servers_at_most(dns: &Map, problems: &mut Vec<Problem>) {
    let servers = dns.get("servers").map_or(0, |servers| servers.each().len());
    if servers > MAX_SERVERS {
        let message = format!("resolvers read the first {MAX_SERVERS} name servers, and here are {servers}");
        problems.push(Problem::warning("servers", Mistake::new(message)));
    }
}
