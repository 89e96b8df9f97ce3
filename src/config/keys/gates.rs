//! `gates` and `conflicts` of a container.

use super::super::model::Container;
use super::super::shape::{Key, Shape};
use super::super::value::gate;
use super::kinds;
use crate::ordered::Ordered;
use alloc::string::ToString;

static EACH_GATE: Shape = Shape::Text(&kinds::GATE);
static EACH_NAME: Shape = Shape::Text(&kinds::OTHER);

pub(crate) const GATES: Key<Container> = Key::new(
    "gates",
    Shape::List(&EACH_GATE),
    "gates = [\"network-online\", \"device:/dev/ttyUSB0\"]",
    "What the machine has to be at every start: `network-online`, an interface with a carrier has an address; \
     `time-synced`, somebody keeps the clock right; `boot-complete`, all others have come up or shown that they do \
     not; `path:/run/ready`, it exists on the machine; `device:/dev/ttyUSB0`, this device is there.",
    |node, container: &mut Container| {
        container.gates = node.each().iter().filter_map(|item| item.read(gate::gate)).ordered();
    },
);

pub(crate) const CONFLICTS: Key<Container> = Key::new(
    "conflicts",
    Shape::List(&EACH_NAME),
    "conflicts = [\"db\"]",
    "Containers that are never up together with this one, whichever of the two says so. One waits until the other is \
     down; a start by a person stops the other.",
    |node, container: &mut Container| {
        container.conflicts = node.texts().into_iter().map(|name| name.to_string()).collect();
    },
);
