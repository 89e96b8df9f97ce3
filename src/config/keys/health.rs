//! `healthcheck`, `ready`, `ready_timeout`, `watchdog` and `type` of a container.

use super::super::diagnostic::Mistake;
use super::super::life::{DEFAULT_READY_TIMEOUT, HealthCheck, Kind, OnFailure, Probe, Readiness, Test};
use super::super::model::Container;
use super::super::shape::{Key, Keys, Problem, Shape, Text, refused, word};
use super::super::tree::{Map, Node, Step};
use super::super::value::{path, probe, words};
use super::kinds::{self, time_from};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

/// Each probe is a process: more often than this, a container would be busy with being asked.
const SHORTEST: Duration = Duration::from_millis(100);
/// Nobody waits longer than a day to be told.
const LONGEST: Duration = Duration::from_secs(86_400);
/// A watchdog that bites sooner would bite a busy machine.
const SHORTEST_WATCHDOG: Duration = Duration::from_secs(1);

static HTTP: Text =
    Text { what: "an address", pattern: "^http://", check: |text| probe::http(text).map(drop) };
static TCP: Text = Text { what: "HOST:PORT", pattern: ":[0-9]+$", check: |text| probe::tcp(text).map(drop) };
static GRPC: Text = Text {
    what: "HOST:PORT[/SERVICE]",
    pattern: ":[0-9]+(/.*)?$",
    check: |text| probe::grpc(text).map(drop),
};
static PATH: Text =
    Text { what: "an absolute path", pattern: path::ABSOLUTE, check: |text| path::absolute(text).map(drop) };

const PORT: Shape = Shape::Integer { min: 1, max: 65_535 };
const TIMES: Shape = Shape::Integer { min: 1, max: 1000 };

static HEALTHCHECK: Keys<HealthCheck> = Keys {
    what: "`healthcheck`",
    keys: &[
        Key::new(
            "test",
            Shape::Any(&[Shape::List(&Shape::Text(&kinds::ANY)), Shape::Text(&kinds::ANY)]),
            "healthcheck = { test = [\"CMD\", \"redis-cli\", \"ping\"] }",
            "What is run in the container, and has to exit with 0: `[\"CMD\", …]`, a program and its arguments; \
             `[\"CMD-SHELL\", \"…\"]` or a string, a line for its /bin/sh; `[\"NONE\"]`, nothing. Without it, and \
             without one of the keys below: the image's.",
            |node, check: &mut HealthCheck| check.test = test(node),
        ),
        Key::new(
            "exec",
            Shape::Any(&[Shape::List(&Shape::Text(&kinds::ANY)), Shape::Text(&kinds::COMMAND)]),
            "healthcheck = { exec = [\"redis-cli\", \"ping\"] }",
            "A program and its arguments, in the forms of `command`.",
            |node, check: &mut HealthCheck| {
                let words = match node.text() {
                    Some(text) => words::split(text).ok(),
                    None => Some(node.texts()),
                };
                set(check, words.map(Probe::Exec));
            },
        ),
        Key::new(
            "http",
            Shape::Text(&HTTP),
            "healthcheck = { http = \"http://localhost:8080/healthz\" }",
            "A page, as the container reaches it, whose status has to be from 200 to 399.",
            |node, check: &mut HealthCheck| set(check, node.read(probe::http)),
        ),
        Key::new(
            "tcp",
            Shape::Any(&[Shape::Text(&TCP), PORT]),
            "healthcheck = { tcp = 5432 }",
            "A port of the container, or `HOST:PORT`, that has to take a connection.",
            |node, check: &mut HealthCheck| {
                let port = node.number().map(|port| Probe::Tcp(probe::local(port)));
                set(check, port.or_else(|| node.read(probe::tcp)));
            },
        ),
        Key::new(
            "unix",
            Shape::Text(&PATH),
            "healthcheck = { unix = \"/run/app.sock\" }",
            "A Unix socket in the container that has to take a connection.",
            |node, check: &mut HealthCheck| set(check, node.read(probe::unix)),
        ),
        Key::new(
            "grpc",
            Shape::Any(&[Shape::Text(&GRPC), PORT]),
            "healthcheck = { grpc = \"localhost:50051/shop.Cart\" }",
            "A port, `HOST:PORT`, or `HOST:PORT/SERVICE`, where `grpc.health.v1.Health` has to answer SERVING.",
            |node, check: &mut HealthCheck| {
                let service = Default::default;
                let port =
                    node.number().map(|port| Probe::Grpc { address: probe::local(port), service: service() });
                set(check, port.or_else(|| node.read(probe::grpc)));
            },
        ),
        Key::new(
            "file",
            Shape::Text(&PATH),
            "healthcheck = { file = \"/run/ready\" }",
            "A file in the container that has to be there.",
            |node, check: &mut HealthCheck| set(check, node.read(probe::file)),
        ),
        Key::new(
            "disable",
            Shape::Flag,
            "healthcheck = { disable = true }",
            "Leaves the image's health check out.",
            |node, check: &mut HealthCheck| {
                if node.flag() == Some(true) {
                    check.test = Some(Test::Disabled);
                }
            },
        ),
        Key::new(
            "interval",
            time_from(SHORTEST, LONGEST),
            "healthcheck = { tcp = 80, interval = \"10s\" }",
            "From one probe to the next; it varies a little. Without it: the image's, else 30 s.",
            |node, check: &mut HealthCheck| check.interval = node.time(),
        ),
        Key::new(
            "timeout",
            time_from(SHORTEST, LONGEST),
            "healthcheck = { tcp = 80, timeout = \"2s\" }",
            "After so long a probe is killed, with all that it started, and has failed. Without it: the image's, \
             else 30 s.",
            |node, check: &mut HealthCheck| check.timeout = node.time(),
        ),
        Key::new(
            "retries",
            TIMES,
            "healthcheck = { tcp = 80, retries = 5 }",
            "So many failures in a row make it unhealthy. Without it: the image's, else 3.",
            |node, check: &mut HealthCheck| check.retries = node.number(),
        ),
        Key::new(
            "successes",
            TIMES,
            "healthcheck = { tcp = 80, successes = 2 }",
            "So many successes in a row make it healthy. Without it: 1.",
            |node, check: &mut HealthCheck| check.successes = node.number(),
        ),
        Key::new(
            "start_period",
            time_from(Duration::ZERO, LONGEST),
            "healthcheck = { tcp = 80, start_period = \"2m\" }",
            "So long after its start failures do not count, unless it was healthy before. Without it: the image's, \
             else `retries` times `interval`.",
            |node, check: &mut HealthCheck| check.start_period = node.time(),
        ),
        Key::new(
            "start_interval",
            time_from(SHORTEST, LONGEST),
            "healthcheck = { tcp = 80, start_interval = \"1s\" }",
            "From one probe to the next until it is healthy for the first time, where that is shorter than \
             `interval`. Without it: the image's, else 5 s.",
            |node, check: &mut HealthCheck| check.start_interval = node.time(),
        ),
        Key::new(
            "on_failure",
            Shape::Word {
                words: &[
                    word("restart", "It is stopped, which counts as a failure, and `restart` decides."),
                    word("kill", "As `restart`, and it is not asked to end first."),
                    word("none", "It is shown, and nothing more."),
                ],
                refused: &[refused("stop", "write \"restart\": without a restart policy it stays down")],
            },
            "healthcheck = { tcp = 80, on_failure = \"none\" }",
            "What happens when it becomes unhealthy. Without it: `restart`, and for a health check of the image's \
             own, `none`.",
            |node, check: &mut HealthCheck| {
                check.on_failure = match node.text() {
                    Some("restart") => Some(OnFailure::Restart),
                    Some("kill") => Some(OnFailure::Kill),
                    Some("none") => Some(OnFailure::None),
                    Some(_) | None => None,
                };
            },
        ),
    ],
    refused: &[
        refused("cmd", "write test = [\"CMD\", …]"),
        refused("command", "write test = [\"CMD\", …]"),
        refused("failures", "write retries = 3"),
        refused("period", "write interval = \"30s\""),
        refused("https", "nothing here checks certificates: write exec = [\"curl\", …]"),
    ],
    rules: &[one_test, test_is_whole],
};

pub(crate) const HEALTHCHECK_KEY: Key<Container> = Key::new(
    "healthcheck",
    Shape::Table(&HEALTHCHECK),
    "healthcheck = { test = [\"CMD\", \"redis-cli\", \"ping\"], interval = \"5s\", retries = 3 }",
    "How it is known to be well, in Compose's words, and a few more. What is not said here is as the image has it.",
    |node, container: &mut Container| super::fill(&HEALTHCHECK, node, &mut container.healthcheck),
);

pub(crate) const TYPE: Key<Container> = Key::new(
    "type",
    Shape::Word {
        words: &[
            word("service", "It is there to run."),
            word("oneshot", "It is there to come to an end, and services start after it."),
            word("shutdown", "It runs when the machine ends, before anything else is stopped, and comes to an end."),
        ],
        refused: &[
            refused("simple", "write \"service\""),
            refused("notify", "write ready = \"notify\""),
            refused("forking", "a program that forks and ends is over: run it in the foreground"),
            refused("job", "write \"oneshot\""),
            refused("on_shutdown", "write \"shutdown\""),
        ],
    },
    "type = \"oneshot\"",
    "What it is there for. At boot, every service waits for the first end, good or bad, of every oneshot that \
     depends on no service, also through others.",
    |node, container: &mut Container| {
        container.kind = match node.text() {
            Some("oneshot") => Kind::Oneshot,
            Some("shutdown") => Kind::Shutdown,
            _ => Kind::Service,
        };
    },
)
.default("\"service\"");

pub(crate) const READY: Key<Container> = Key::new(
    "ready",
    Shape::Word {
        words: &[
            word("started", "It is ready once its program runs."),
            word("notify", "It says so: READY=1 to the socket in NOTIFY_SOCKET, as sd_notify(3) does."),
            word("fd", "It says so: a line on descriptor 3, or the one after its sockets, as s6 has it."),
            word("healthy", "Its health check says so."),
        ],
        refused: &[
            refused("exec", "write \"started\""),
            refused("s6", "write \"fd\""),
            refused("healthcheck", "write \"healthy\""),
        ],
    },
    "ready = \"notify\"",
    "When it is ready, which is what dependents wait for.",
    |node, container: &mut Container| {
        container.ready = match node.text() {
            Some("notify") => Readiness::Notify,
            Some("fd") => Readiness::Fd,
            Some("healthy") => Readiness::Healthy,
            Some(_) | None => Readiness::Started,
        };
    },
)
.default("\"started\"");

pub(crate) const READY_TIMEOUT: Key<Container> = Key::new(
    "ready_timeout",
    time_from(Duration::from_secs(1), LONGEST),
    "ready_timeout = \"5m\"",
    "How long it may take until it says that it is ready. Then it is stopped, which counts as a failure.",
    |node, container: &mut Container| container.ready_timeout = node.time().unwrap_or(DEFAULT_READY_TIMEOUT),
)
.default("\"60s\"");

pub(crate) const WATCHDOG: Key<Container> = Key::new(
    "watchdog",
    time_from(SHORTEST_WATCHDOG, LONGEST),
    "watchdog = \"30s\"",
    "The longest time between two signs of life, WATCHDOG=1 to the socket in NOTIFY_SOCKET as sd_notify(3) does. \
     Then it gets SIGABRT, which counts as a failure. WATCHDOG_USEC tells the program.",
    |node, container: &mut Container| container.watchdog = node.time(),
);

fn set(check: &mut HealthCheck, probe: Option<Probe>) {
    check.test = probe.map(Test::Probe).or(check.test.take());
}

/// A list that is not whole was complained of.
fn test(node: &Node) -> Option<Test> {
    if let Some(line) = node.text() {
        return Some(Test::Probe(Probe::Shell(line.to_string())));
    }
    let words = node.texts();
    let (first, rest) = words.split_first()?;
    match (first.as_str(), rest) {
        ("NONE", []) => Some(Test::Disabled),
        ("CMD", [_, ..]) => Some(Test::Probe(Probe::Exec(rest.to_vec()))),
        ("CMD-SHELL", [line]) => Some(Test::Probe(Probe::Shell(line.clone()))),
        (_, _) => None,
    }
}

const TESTS: [&str; 7] = ["test", "exec", "http", "tcp", "unix", "grpc", "file"];

fn one_test(check: &Map, problems: &mut Vec<Problem>) {
    let disabled = check.get("disable").and_then(Node::flag) == Some(true);
    let mut given = TESTS.into_iter().filter(|key| check.has(key));
    let Some(first) = given.next() else { return };
    if disabled {
        problems
            .push(Problem::error(first, Mistake::new(format!("`{first}` never asks: `disable` is true"))));
    }
    for second in given {
        let mistake = Mistake::new(format!("`{first}` and `{second}` both say what is asked"));
        problems.push(Problem::error(second, mistake.help("leave one of them out")));
    }
}

fn test_is_whole(check: &Map, problems: &mut Vec<Problem>) {
    for key in ["test", "exec"] {
        let Some(node) = check.get(key) else { continue };
        let is_empty = node.text().is_some_and(|text| text.trim().is_empty())
            || node.text().is_none() && node.each().is_empty();
        if is_empty {
            let mistake =
                Mistake::new(format!("`{key}` is empty")).help("write disable = true for no health check");
            problems.push(Problem::error(key, mistake));
        } else if key == "test" && node.text().is_none() && test(node).is_none() {
            let mistake = Mistake::new("`test` begins with what it is");
            let help = "[\"CMD\", \"program\", …], [\"CMD-SHELL\", \"line\"], or [\"NONE\"]";
            problems.push(Problem::error(key, mistake.help(help)).inside(Step::Item(0)));
        }
    }
}

/// What a container says of its life has to go together.
pub(crate) fn lives_consistently(container: &Map, problems: &mut Vec<Problem>) {
    let word = |key: &str| container.get(key).and_then(Node::text);
    let check = container.get("healthcheck").and_then(Node::map);
    let disabled = check.is_some_and(|check| {
        check.get("disable").and_then(Node::flag) == Some(true)
            || check.get("test").and_then(test) == Some(Test::Disabled)
    });
    if word("ready") == Some("healthy") && disabled {
        let mistake = Mistake::new("`ready` waits for a health check, and there is none");
        problems.push(Problem::error("ready", mistake.help("leave `ready` out, or write a healthcheck")));
    }
    if container.has("ready_timeout") && !matches!(word("ready"), Some("notify" | "fd")) {
        let mistake = Mistake::new("`ready_timeout` never acts: nothing is waited for");
        problems.push(Problem::warning("ready_timeout", mistake.help("add ready = \"notify\", or \"fd\"")));
    }
    if let Some(kind @ ("oneshot" | "shutdown")) = word("type")
        && matches!(word("restart"), Some("always" | "unless-stopped"))
    {
        let what = if kind == "oneshot" { "a oneshot" } else { "what runs at the shutdown" };
        let mistake = Mistake::new(format!("{what} comes to an end, and `restart` would start it for ever"));
        problems.push(Problem::error("restart", mistake.help("write restart = \"on-failure\"")));
    }
}
