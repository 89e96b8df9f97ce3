//! `[container.NAME]`.

use super::super::diagnostic::Mistake;
use super::super::life::{DEFAULT_READY_TIMEOUT, HealthCheck, Kind, Readiness, Restart, RestartPolicy};
use super::super::model::{
    Capabilities, CgroupMode, Container, ContainerLog, DEFAULT_PIDS, ImageSource, Limits, NetworkMode,
    Seccomp, UserNamespace,
};
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::socket::StartBy;
use super::super::tree::{Map, Node};
use super::super::value::{path, signal};
use super::kinds::{self, size_from, time_from};
use super::{
    depends, devices, gates, health, host, limits, mounts, process, restart, rules, schedule, security,
    sockets,
};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// As Docker has it.
const DEFAULT_SHM: u64 = 64 << 20;
/// Some thousand lines.
const DEFAULT_LOG: u64 = 256 << 10;
/// As Compose has it.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// Nobody waits longer than an hour for a stop.
const LONGEST_GRACE: Duration = Duration::from_secs(3600);
/// A page.
const LEAST_SHM: u64 = 4 << 10;

pub(crate) static CONTAINER: Keys<Container> = Keys {
    what: "a container",
    keys: &[
        security::SECURITY,
        security::PRIVILEGED,
        Key::new(
            "image",
            Shape::Text(&kinds::IMAGE),
            "image = \"oci-archive:images/redis.tar\"",
            "Where the image comes from: a reference to a registry, `registry.example/shop/web:2.1@sha256:…`, \
             or one of `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`, `dir:ROOTFS`. \
             Files are relative to the config folder.",
            |node, container: &mut Container| {
                if let Some(image) = node.read(str::parse) {
                    container.image = image;
                }
            },
        )
        .required(),
        Key::new(
            "command",
            process::COMMAND,
            "command = [\"redis-server\", \"--save\", \"\"]",
            "The arguments of the entrypoint, or the program when there is none. A string is split like a shell \
             would split it, and nothing more: `$`, `*` and `&&` are letters. An empty list means none. Without \
             it: the image's, unless `entrypoint` is given.",
            |node, container: &mut Container| container.command = process::command(node),
        ),
        Key::new(
            "entrypoint",
            process::COMMAND,
            "entrypoint = [\"/usr/bin/tini\", \"--\"]",
            "The program and its first arguments, in the forms of `command`. Without it: the image's.",
            |node, container: &mut Container| container.entrypoint = process::command(node),
        ),
        Key::new(
            "environment",
            process::ENVIRONMENT,
            "environment = { LANG = \"C.UTF-8\", WORKERS = 4 }",
            "Variables: a table, or a list of `NAME=value`. They go over the image's and over those of `env_file`. \
             `$` is a letter.",
            process::take_environment,
        )
        .default("{}"),
        Key::new(
            "env_file",
            process::ENV_FILES,
            "env_file = [\"common.env\", { path = \"site.env\", required = false }]",
            "Files with a line NAME=value each: a path, a list of paths, or tables with a path. The last file wins.",
            process::take_env_files,
        )
        .default("[]"),
        Key::new(
            "working_dir",
            Shape::Text(&kinds::ABSOLUTE),
            "working_dir = \"/srv\"",
            "The folder that the program starts in. Without it: the image's.",
            |node, container: &mut Container| container.working_dir = node.read(path::absolute),
        ),
        Key::new(
            "user",
            Shape::Text(&kinds::USER),
            "user = \"1000:1000\"",
            "Who the program runs as, `user[:group]`, by name or number. Names are looked up in the image. Without \
             it: the image's.",
            |node, container: &mut Container| container.user = node.text().map(ToString::to_string),
        ),
        Key::new(
            "group_add",
            Shape::List(&Shape::Any(&[Shape::Text(&kinds::GROUP), Shape::Integer { min: 0, max: 65_534 }])),
            "group_add = [\"audio\", 44]",
            "Further groups, by name or number.",
            process::take_groups,
        )
        .default("[]"),
        Key::new(
            "volumes",
            Shape::List(&Shape::Any(&[Shape::Text(&kinds::VOLUME), Shape::Table(&mounts::VOLUME)])),
            "volumes = [\"data:/data\", \"/etc/ssl/certs:/etc/ssl/certs:ro\"]",
            "What is mounted: `SOURCE:TARGET`, `SOURCE:TARGET:ro`, a target alone for a private volume, or tables. \
             A source is the name of a `[volume.NAME]`, or an absolute path on the machine.",
            mounts::take_volumes,
        )
        .default("[]"),
        Key::new(
            "tmpfs",
            Shape::OneOrMore(&Shape::Text(&kinds::TMPFS)),
            "tmpfs = [\"/run:size=16M,mode=0755\", \"/tmp\"]",
            "Empty file systems in memory: `TARGET`, with the options `size` and `mode` after a colon.",
            mounts::take_tmpfs,
        )
        .default("[]"),
        Key::new(
            "read_only",
            Shape::Flag,
            "read_only = true",
            "Whether the root file system can only be read; volumes and tmpfs stay as they are.",
            |node, container: &mut Container| container.read_only = node.flag().unwrap_or(container.read_only),
        )
        .default("false"),
        Key::new(
            "hostname",
            Shape::Text(&kinds::HOSTNAME),
            "hostname = \"db\"",
            "The host name that the program sees. Without it: the container's name, with `-` for `@`.",
            |node, container: &mut Container| {
                container.hostname = node.text().map_or_else(String::new, ToString::to_string);
            },
        ),
        Key::new(
            "network_mode",
            Shape::Word {
                words: &[
                    word("none", "A network of its own with the loopback interface only."),
                    word("host", "The machine's network. CAP_NET_* mean nothing there."),
                ],
                refused: &[refused("bridge", "this version has no networks between containers: \"none\" or \"host\"")],
            },
            "network_mode = \"host\"",
            "Which network the program is in.",
            |node, container: &mut Container| {
                let host = node.text() == Some("host");
                container.network_mode = if host { NetworkMode::Host } else { NetworkMode::None };
            },
        )
        .default("\"none\""),
        Key::new(
            "replicas",
            Shape::Integer { min: 0, max: kinds::MOST_REPLICAS },
            "replicas = 4",
            "How many of it there are: `web@1` to `web@4`, made of this table, in which `%i` is each one's number. \
             Also in a template.",
            // Who is read here has been made of it already.
            |_, _| {},
        ),
        Key::new(
            "depends_on",
            depends::DEPENDS_ON,
            "depends_on = [\"db\"]",
            "Containers that start first and stop last: a list, which waits until each is ready, \
             `{ db = \"healthy\" }`, or `{ db = { condition = \"healthy\", restart = true } }`. The name of what has \
             instances is all of them.",
            depends::take,
        ),
        sockets::SOCKETS,
        sockets::START,
        gates::GATES,
        gates::CONFLICTS,
        health::TYPE,
        schedule::SCHEDULE,
        schedule::EVERY,
        schedule::POLICY_KEY,
        schedule::RUN_TIMEOUT,
        health::READY,
        health::READY_TIMEOUT,
        health::HEALTHCHECK_KEY,
        health::WATCHDOG,
        Key::new(
            "restart",
            Shape::Text(&restart::RESTART),
            "restart = \"always\"",
            "What happens when the program ends: `no`; `always`; `on-failure`, when it ended badly; `on-failure:5`, \
             at most 5 times in a row; `unless-stopped`, which is `always` here: a stop by a person holds until \
             the next boot either way.",
            restart::take_restart,
        )
        .default("\"no\""),
        Key::new(
            "restart_policy",
            Shape::Table(&restart::POLICY),
            "restart_policy = { delay = \"1s\", max_delay = \"1m\" }",
            "How restarts are paced, and when there were too many.",
            |node, container: &mut Container| super::fill(&restart::POLICY, node, &mut container.restart_policy),
        ),
        rules::RESTART_RULES,
        Key::new(
            "stop_signal",
            Shape::Any(&[Shape::Text(&kinds::SIGNAL), Shape::Integer { min: 1, max: 64 }]),
            "stop_signal = \"SIGQUIT\"",
            "What asks the program to end: a name with or without SIG, `RTMIN+3`, or a number. Without it: the \
             image's, else SIGTERM.",
            |node, container: &mut Container| container.stop_signal = node.scalar().and_then(|t| signal::parse(t).ok()),
        ),
        Key::new(
            "stop_grace_period",
            time_from(Duration::ZERO, LONGEST_GRACE),
            "stop_grace_period = \"45s\"",
            "How long it may take to end, before it is killed.",
            |node, container: &mut Container| {
                container.stop_grace_period = node.time().unwrap_or(container.stop_grace_period);
            },
        )
        .default("\"10s\""),
        security::USERNS,
        security::NO_NEW_PRIVILEGES,
        Key::new(
            "cap_add",
            Shape::List(&Shape::Text(&kinds::CAPABILITY)),
            "cap_add = [\"NET_ADMIN\"]",
            "Capabilities beyond those that `security` gives, with or without CAP_; `ALL` is every one that `cap_drop` does not \
             name.",
            process::take_cap_add,
        )
        .default("[]"),
        Key::new(
            "cap_drop",
            Shape::List(&Shape::Text(&kinds::CAPABILITY)),
            "cap_drop = [\"ALL\"]",
            "Capabilities that it does not get; `ALL` is every one that `cap_add` does not name.",
            process::take_cap_drop,
        )
        .default("[]"),
        Key::new(
            "seccomp",
            Shape::Text(&kinds::SECCOMP),
            "seccomp = \"profile.json\"",
            "Which system calls it may make: `default`, what programs need and what its capabilities are for; \
             `unconfined`, all; or a file with a profile as the OCI runtime specification or Docker writes it, \
             relative to the config folder.",
            |node, container: &mut Container| container.seccomp = process::seccomp(node),
        )
        .default("\"default\""),
        security::APPARMOR,
        devices::DEVICES,
        security::CGROUP,
        security::SYSCTLS,
        security::INIT,
        process::TTY,
        process::STDIN_OPEN,
        Key::new(
            "limits",
            Shape::Table(&limits::LIMITS),
            "limits = { memory = \"128M\", cpus = 0.5, pids = 64 }",
            "The most that it may use of the machine.",
            |node, container: &mut Container| super::fill(&limits::LIMITS, node, &mut container.limits),
        ),
        Key::new(
            "ulimits",
            Shape::Map { name: &kinds::RLIMIT, value: &limits::ULIMIT },
            "ulimits = { nofile = { soft = 1024, hard = 4096 }, core = 0 }",
            "Limits of each process, by the names of setrlimit(2): a number, or soft and hard; -1 is unlimited.",
            limits::take_ulimits,
        )
        .default("{}"),
        Key::new(
            "shm_size",
            size_from(LEAST_SHM),
            "shm_size = \"256M\"",
            "The size of /dev/shm.",
            |node, container: &mut Container| container.shm_size = node.bytes().unwrap_or(container.shm_size),
        )
        .default("\"64M\""),
        Key::new(
            "labels",
            process::LABELS,
            "labels = { \"org.example.role\" = \"cache\" }",
            "Notes for people and programs: a table, or a list of `key=value`.",
            process::take_labels,
        )
        .default("{}"),
        Key::new(
            "log",
            Shape::Table(&limits::LOG),
            "log = { memory = \"1M\" }",
            "What is kept of its output, and how much.",
            |node, container: &mut Container| super::fill(&limits::LOG, node, &mut container.log),
        ),
    ],
    refused: super::refused::CONTAINER,
    rules: &[
        mounts::one_mount_a_target,
        restart::one_budget,
        depends::no_dependency_twice,
        health::lives_consistently,
        schedule::one_timetable,
        sockets::sockets_fit,
        process::no_capability_in_both,
        process::no_variable_twice,
        process::no_shell,
        security::not_strict_and_privileged,
        security::machines_root,
        security::own_sysctls,
        host::no_sysctl_twice,
        devices::one_device_a_target,
        is_pinned,
        stop_signal_stops,
    ],
};

impl Container {
    /// A container as it is when its table says nothing; the image is still to come.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_string(),
            image: ImageSource::Dir { path: String::new() },
            entrypoint: None,
            command: None,
            environment: Vec::new(),
            env_file: Vec::new(),
            working_dir: None,
            user: None,
            group_add: Vec::new(),
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            read_only: false,
            hostname: name.replace('@', "-"),
            network_mode: NetworkMode::None,
            pod: None,
            depends_on: BTreeMap::new(),
            sockets: Vec::new(),
            start: StartBy::Boot,
            gates: BTreeSet::new(),
            conflicts: BTreeSet::new(),
            kind: Kind::Service,
            timetable: None,
            run_timeout: None,
            ready: Readiness::Started,
            ready_timeout: DEFAULT_READY_TIMEOUT,
            healthcheck: HealthCheck::default(),
            watchdog: None,
            restart: Restart::No,
            restart_policy: RestartPolicy::default(),
            restart_rules: Vec::new(),
            stop_signal: None,
            stop_grace_period: DEFAULT_GRACE,
            privileged: false,
            userns: UserNamespace::Private,
            no_new_privileges: true,
            cap_base: Capabilities::DEFAULT,
            cap_add: Capabilities::default(),
            cap_drop: Capabilities::default(),
            seccomp: Seccomp::Default,
            apparmor: None,
            devices: Vec::new(),
            cgroup: CgroupMode::Private,
            sysctls: BTreeMap::new(),
            init: false,
            tty: false,
            stdin_open: false,
            limits: Limits { pids: Some(DEFAULT_PIDS), ..Limits::default() },
            ulimits: BTreeMap::new(),
            shm_size: DEFAULT_SHM,
            labels: BTreeMap::new(),
            log: ContainerLog { memory: DEFAULT_LOG, rate: None, syslog: false },
            declared_at: String::new(),
        }
    }
}

fn is_pinned(container: &Map, problems: &mut Vec<Problem>) {
    let image: Option<ImageSource> = container.get("image").and_then(|node| node.read(str::parse));
    if let Some(image) = image.filter(|image| !image.is_pinned()) {
        let mistake = Mistake::new(alloc::format!("without a digest, {image} may be another image tomorrow"));
        problems.push(Problem::warning("image", mistake.help("add the digest that was tested: @sha256:…")));
    }
}

/// A number is held against the table of signals too.
fn stop_signal_stops(container: &Map, problems: &mut Vec<Problem>) {
    let number = container.get("stop_signal").filter(|node| node.integer().is_some());
    if let Some(Err(mistake)) = number.and_then(Node::scalar).map(signal::parse) {
        problems.push(Problem::error("stop_signal", mistake));
    }
}
