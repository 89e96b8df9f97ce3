//! `sockets` and `start`.

use super::super::diagnostic::Mistake;
use super::super::model::Container;
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::socket::{Listen, MAX_SOCKETS, Socket, StartBy};
use super::super::tree::{Map, Node, Step};
use super::super::value::{mount, socket};
use super::kinds;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const LIST: Shape = Shape::List(&Shape::Any(&[Shape::Text(&kinds::LISTEN), Shape::Table(&SOCKET)]));

pub(crate) const SOCKETS: Key<Container> = Key::new(
    "sockets",
    LIST,
    "sockets = [\"tcp://0.0.0.0:80\", { listen = \"unix:/run/web.sock\", mode = \"0660\" }]",
    "What the machine listens on for it: `tcp://ADDRESS:PORT`, `udp://ADDRESS:PORT`, `unix:/run/PATH`, or tables. The \
     program gets them open, from descriptor 3 on, as sd_listen_fds(3) has it, in whatever network it is. They \
     stay open when it ends: no connection is refused while it is started again.",
    take_sockets,
)
.default("[]");

pub(crate) const START: Key<Container> = Key::new(
    "start",
    Shape::Word {
        words: &[
            word("boot", "With the machine."),
            word(
                "on-connection",
                "With the first connection to one of its `sockets`, and again after a good end.",
            ),
        ],
        refused: &[refused("manual", "stop it, `orlop stop NAME`: that holds until the next boot")],
    },
    "start = \"boot\"",
    "What brings it up.",
    |node, container: &mut Container| {
        let by_connection = node.text() == Some("on-connection");
        container.start = if by_connection { StartBy::Connection } else { StartBy::Boot };
    },
)
.default("\"boot\"");

static SOCKET: Keys<Long> = Keys {
    what: "a socket's long form",
    keys: &[
        Key::new(
            "listen",
            Shape::Text(&kinds::LISTEN),
            "listen = \"unix:/run/web.sock\"",
            "What is listened on.",
            |node, long: &mut Long| long.listen = node.read(socket::listen),
        )
        .required(),
        Key::new(
            "name",
            Shape::Text(&kinds::SOCKET_NAME),
            "name = \"http\"",
            "What LISTEN_FDNAMES calls it. Without it: its port, or its file.",
            |node, long: &mut Long| long.name = node.text().map(String::from),
        ),
        Key::new(
            "mode",
            Shape::Text(&kinds::MODE),
            "mode = \"0660\"",
            "Who may connect to one in the file system. Without it: 0666, whoever can reach it.",
            |node, long: &mut Long| long.mode = node.read(mount::mode),
        ),
        Key::new(
            "owner",
            Shape::Text(&kinds::OWNER),
            "owner = \"0:1000\"",
            "Whose a socket in the file system is: `UID:GID`, numbers on the machine. Without it: root's.",
            |node, long: &mut Long| long.owner = node.read(socket::owner),
        ),
    ],
    refused: &[
        refused(
            "backlog",
            "it is as long as the kernel lets it be: [host] sysctls = { \"net.core.somaxconn\" = … }",
        ),
        refused("user", "write owner = \"UID:GID\""),
        refused("path", "write listen = \"unix:/run/web.sock\""),
    ],
    rules: &[only_files_have_owners],
};

#[derive(Default)]
struct Long {
    listen: Option<Listen>,
    name: Option<String>,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
}

fn take_sockets(node: &Node, container: &mut Container) {
    container.sockets = node.each().iter().filter_map(one).collect();
}

/// An item in either form.
pub(crate) fn one(item: &Node) -> Option<Socket> {
    let Some(map) = item.map() else { return item.read(socket::listen).map(Socket::at) };
    let mut long = Long::default();
    SOCKET.fill(map, &mut long);
    let plain = Socket::at(long.listen?);
    Some(Socket {
        name: long.name.unwrap_or(plain.name),
        mode: long.mode.unwrap_or(plain.mode),
        owner: long.owner.unwrap_or(plain.owner),
        listen: plain.listen,
    })
}

fn only_files_have_owners(map: &Map, problems: &mut Vec<Problem>) {
    let listen = map.get("listen").and_then(|node| node.read(socket::listen));
    if !matches!(listen, Some(Listen::Tcp(_) | Listen::Udp(_))) {
        return;
    }
    for key in ["mode", "owner"] {
        if map.has(key) {
            let mistake = Mistake::new(format!("`{key}` is of a socket in the file system"));
            problems.push(Problem::error(key, mistake.help("leave it out")));
        }
    }
}

/// What its sockets need of its other keys.
pub(crate) fn sockets_fit(container: &Map, problems: &mut Vec<Problem>) {
    let items = container.get("sockets").map(Node::each).unwrap_or_default();
    if items.len() > MAX_SOCKETS {
        let mistake = Mistake::new(format!("a container has at most {MAX_SOCKETS} sockets"));
        problems.push(Problem::error("sockets", mistake).inside(Step::Item(MAX_SOCKETS)));
    }
    if container.get("start").and_then(Node::text) != Some("on-connection") {
        return;
    }
    if !container.has("sockets") || container.get("sockets").is_some() && items.is_empty() {
        let mistake = Mistake::new("there is nothing to connect to");
        problems.push(Problem::error("start", mistake.help("write sockets = [\"tcp://0.0.0.0:80\"]")));
    }
    if let Some(key) = ["schedule", "every"].into_iter().find(|key| container.has(key)) {
        let mistake = Mistake::new(format!("`start` and `{key}` both say when it runs"));
        problems.push(Problem::error("start", mistake.help("leave one of them out")));
    }
    let why = match container.get("type").and_then(Node::text) {
        Some("oneshot") => "services wait at boot for the first end of a oneshot",
        Some("shutdown") => "what runs when the machine ends is started by that, and by no connection",
        _ => return,
    };
    problems.push(Problem::error("start", Mistake::new(why).help("leave `type` out")));
}
