//! `devices` of a container.

use super::super::diagnostic::Mistake;
use super::super::model::{Container, DeviceUse};
use super::super::shape::{Key, Keys, Problem, Shape};
use super::super::tree::{Map, Node, Step};
use super::super::value::device;
use super::kinds;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const LIST: Shape = Shape::List(&Shape::Any(&[Shape::Text(&kinds::DEVICE_USE), Shape::Table(&DEVICE)]));

pub(crate) const DEVICES: Key<Container> = Key::new(
    "devices",
    LIST,
    "devices = [\"/dev/ttyUSB0\", \"/dev/sda:/dev/xvda:r\"]",
    "Devices of the machine that it may use: `SOURCE`, `SOURCE:TARGET`, either with `:rwm` or fewer of these letters, \
     or tables. Of a folder, all devices in it. They are looked for at every start, and a start without one fails.",
    |node, container: &mut Container| container.devices = node.each().iter().filter_map(read).collect(),
)
.default("[]");

/// The long form.
static DEVICE: Keys<DeviceUse> = Keys {
    what: "a device's long form",
    keys: &[
        Key::new(
            "source",
            Shape::Text(&kinds::DEVICE_PATH),
            "source = \"/dev/ttyUSB0\"",
            "The device on the machine, or a folder of them.",
            |node, device: &mut DeviceUse| device.source = node.read(device::source).unwrap_or_default(),
        )
        .required(),
        Key::new(
            "target",
            Shape::Text(&kinds::DEVICE_TARGET),
            "target = \"/dev/modem\"",
            "Its name in the container. Without it: the same.",
            |node, device: &mut DeviceUse| device.target = node.read(device::target).unwrap_or_default(),
        ),
        Key::new(
            "permissions",
            Shape::Text(&kinds::DEVICE_ACCESS),
            "permissions = \"rw\"",
            "What may be done with it: r (read), w (write), m (mknod).",
            |node, device: &mut DeviceUse| {
                if let Some(access) = node.read(device::access) {
                    device.access = access;
                }
            },
        )
        .default("\"rwm\""),
    ],
    refused: &[],
    rules: &[target_is_free],
};

fn read(node: &Node) -> Option<DeviceUse> {
    let Some(map) = node.map() else { return node.read(device::device) };
    if map.incomplete {
        return None;
    }
    let mut long =
        DeviceUse { source: String::new(), target: String::new(), access: String::from(device::ALL_ACCESS) };
    DEVICE.fill(map, &mut long);
    if long.target.is_empty() {
        long.target.clone_from(&long.source);
    }
    Some(long)
}

/// Without a target the source's name is one.
fn target_is_free(long: &Map, problems: &mut Vec<Problem>) {
    if long.has("target") {
        return;
    }
    if let Some(Err(mistake)) =
        long.get("source").and_then(|node| node.read(device::source)).map(|path| device::target(&path))
    {
        problems.push(Problem::error("source", mistake.help("give it another name with `target`")));
    }
}

/// Two devices of one name: one of them would be hidden.
pub(crate) fn one_device_a_target(container: &Map, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, item) in container.get("devices").map(Node::each).unwrap_or_default().iter().enumerate() {
        let Some(device) = read(item) else { continue };
        if !seen.insert(device.target.clone()) {
            let mistake = Mistake::new(format!("{} is given twice in `devices`", device.target));
            problems.push(Problem::error("devices", mistake).inside(Step::Item(index)));
        }
    }
}
