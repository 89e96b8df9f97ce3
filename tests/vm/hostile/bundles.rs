//! Bundles that attack `orlop oci`, each run twice in one machine: by the engine as it is, and by one that
//! does the step in question naively, which shows that the attack is one.
//!
//! What stands for the machine is the root of a privileged container, in which the runtime is a person's
//! command with all power.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{World, container, programs, section, world};

/// A bundle, and what became of it.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// The steps that are done naively.
    pub(super) naively: &'static str,
    /// What the attacker wrote into config.json and the root.
    pub(super) made: fn(&mut Value, &Path),
    /// Printed when the attack fails, and when it succeeds; by the container, by the runtime or by who
    /// looks around after it.
    pub(super) held: &'static str,
    pub(super) broken: &'static str,
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "a-target-below-a-link",
        naively: "places",
        made: |config, root| {
            link("/escape/target", root, "data");
            add_mount(config, "/data/below/mount", "tmpfs");
        },
        held: "exit 0",
        broken: "escape/target/below",
    },
    Attack {
        name: "a-target-up-by-dots",
        naively: "places",
        made: |config, root| {
            link("../../../../../../../escape/dots", root, "data");
            add_mount(config, "/data/below", "tmpfs");
        },
        held: "exit 0",
        broken: "escape/dots/below",
    },
    Attack {
        name: "proc-is-a-link",
        naively: "places",
        made: |config, root| {
            fake(root, "proc");
            run(config, &["cat", "/proc/fake"]);
        },
        held: "error: mount",
        broken: "the image's own",
    },
    Attack {
        name: "sys-is-a-link",
        naively: "places",
        made: |config, root| {
            fake(root, "sys");
            run(config, &["cat", "/sys/fake"]);
        },
        held: "error: mount",
        broken: "the image's own",
    },
    Attack {
        name: "dev-is-a-link",
        naively: "places",
        made: |config, root| {
            without_mount(config, "/dev");
            link("/escape/dev", root, "dev");
        },
        held: "device: /dev/",
        broken: "escape/dev/null",
    },
    Attack {
        name: "pts-is-a-link",
        naively: "places",
        made: |config, root| {
            without_mount(config, "/dev");
            fs::create_dir(root.join("dev")).unwrap();
            fake(root, "dev/pts");
            add_mount(config, "/dev/pts", "devpts");
            run(config, &["cat", "/dev/pts/fake"]);
        },
        held: "error: mount",
        broken: "the image's own",
    },
    Attack {
        name: "null-is-a-link",
        naively: "nodes,null",
        made: |config, root| {
            without_mount(config, "/dev");
            fs::create_dir(root.join("dev")).unwrap();
            link("/secret", root, "dev/null");
            fs::write(root.join("masked"), "not masked").unwrap();
            config["linux"]["maskedPaths"] = json!(["/masked"]);
            run(config, &["cat", "/masked"]);
        },
        held: "device: /dev/null",
        broken: "the machine's secret",
    },
    Attack {
        name: "a-parameter-in-a-fake-proc",
        naively: "proc",
        made: |config, root| {
            without_mount(config, "/proc");
            fs::create_dir_all(root.join("proc/sys/net/ipv4")).unwrap();
            link("/escape/parameter", root, "proc/sys/net/ipv4/ip_forward");
            config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        },
        held: "exit 0",
        broken: "escape/parameter",
    },
    Attack {
        name: "a-label-in-a-fake-proc",
        naively: "proc",
        made: |config, root| {
            without_mount(config, "/proc");
            fs::create_dir_all(root.join("proc/self/attr")).unwrap();
            link("/escape/label", root, "proc/self/attr/exec");
            config["process"]["apparmorProfile"] = json!("unconfined");
        },
        // Where the kernel has AppArmor it runs, elsewhere it cannot.
        held: "",
        broken: "escape/label",
    },
    Attack {
        name: "in-a-descriptor-of-ours",
        naively: "cwd,fds",
        made: |config, _| {
            config["process"]["cwd"] = json!("/proc/self/fd/50");
            run(config, &["cat", "secret"]);
        },
        held: "working_dir: /proc/self/fd/50",
        broken: "the machine's secret",
    },
    Attack {
        name: "through-a-descriptor-of-ours",
        naively: "fds",
        made: |config, _| run(config, &["cat", "/proc/self/fd/50/secret"]),
        held: "/proc/self/fd/50/secret: ENOENT",
        broken: "the machine's secret",
    },
    Attack {
        name: "capabilities-by-inheritance",
        naively: "inheritable",
        made: |config, root| {
            let raised = root.join("raised");
            fs::copy(root.join("payload"), &raised).unwrap();
            config["process"]["noNewPrivileges"] = json!(false);
            config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            config["process"]["args"] = json!(["/raised", "ids"]);
        },
        held: "CapEff 0000000000000000",
        broken: "CapEff 0000000000000420",
    },
    Attack {
        name: "users-from-a-fifo",
        naively: "passwd",
        made: |_, root| {
            fs::create_dir(root.join("etc")).unwrap();
            nix::unistd::mkfifo(&root.join("etc/passwd"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        },
        held: "exit 0",
        broken: "hangs",
    },
];

fn link(to: &str, root: &Path, at: &str) {
    symlink(to, root.join(at)).unwrap();
}

/// The place as a link to a folder with a file in it, that is there in the machine too.
fn fake(root: &Path, at: &str) {
    let folder = root.join("escape/fake");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("fake"), "the image's own\n").unwrap();
    link("/escape/fake", root, at);
}

pub(super) fn run(config: &mut Value, words: &[&str]) {
    let words = ["/payload"].iter().chain(words);
    config["process"]["args"] = words.map(|word| json!(word)).collect();
}

fn without_mount(config: &mut Value, at: &str) {
    let mounts = config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with(at));
}

pub(super) fn add_mount(config: &mut Value, at: &str, kind: &str) {
    let mount = json!({ "destination": at, "type": kind, "source": kind });
    config["mounts"].as_array_mut().unwrap().push(mount);
}

fn config() -> Value {
    let mount = |at: &str, kind: &str| json!({ "destination": at, "type": kind, "source": kind });
    let few = json!(["CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "cwd": "/", "args": ["/payload", "exit", "0"], "env": ["PATH=/"], "user": { "uid": 0, "gid": 0 },
            "noNewPrivileges": true,
            "capabilities": { "bounding": few, "effective": few, "permitted": few }
        },
        "root": { "path": "rootfs" },
        "mounts": [mount("/proc", "proc"), mount("/dev", "tmpfs"), mount("/sys", "sysfs")],
        "linux": { "namespaces": namespaces }
    })
}

/// As it is, the same in a user namespace, and naively.
const MANNERS: [&str; 3] = ["held", "mapped", "naive"];

/// A bundle of the attack for each of them.
pub(super) fn write(folder: &Path, attack: &Attack) {
    for manner in MANNERS {
        let words = if manner == "naive" { attack.naively } else { "none" };
        let bundle = folder.join(format!("bundles/{}-{manner}", attack.name));
        let root = bundle.join("rootfs");
        fs::create_dir_all(&root).unwrap();
        fs::hard_link(folder.join("payload"), root.join("payload")).unwrap();
        let mut config = config();
        (attack.made)(&mut config, &root);
        config["process"]["env"].as_array_mut().unwrap().push(json!(format!("ORLOP_NAIVE={words}")));
        if manner == "mapped" {
            let ids = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
            let linux = &mut config["linux"];
            linux["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
            (linux["uidMappings"], linux["gidMappings"]) = (ids.clone(), ids);
        }
        fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    }
}

/// The image of the container that stands for the machine.
pub(super) fn smithy(world: &World) -> PathBuf {
    let folder = world.config().join("smithy");
    for name in ["escape/target", "escape/dots", "escape/dev", "escape/fake", "shared/place", "tmp"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::copy(programs::payload(), folder.join("payload")).unwrap();
    fs::copy(programs::orlop(), folder.join("orlop")).unwrap();
    // Of which one is overwritten, which it cannot be while anything of it still hangs.
    for name in ["naive", "victim"] {
        fs::copy(programs::naive(), folder.join(name)).unwrap();
    }
    fs::write(folder.join("secret"), "the machine's secret\n").unwrap();
    folder
}

/// A container that does these things, with all power.
pub(super) fn smith(tasks: &[String]) -> String {
    let task = format!("each {}", tasks.join(" , "));
    container("smith", &task, "privileged = true\nuserns = \"host\"\nrestart = \"no\"")
        .replace("dir:payload", "dir:smithy")
}

fn run_of(attack: &Attack, manner: &str) -> String {
    let program = if manner == "naive" { "naive" } else { "orlop" };
    let name = attack.name;
    format!(
        "run /{program} oci --cgroup-manager disabled --root /tmp/state run --bundle /bundles/{name}-{manner} {name}"
    )
}

/// What the container or the runtime said, and what is outside of it by then.
fn outcome(log: &str, attack: &Attack, manner: &str) -> String {
    format!("{}{}", section(log, &run_of(attack, manner)), section(log, &format!("find /escape {manner}")))
}

/// A container that lurks for the runtime to come by, which is then executed in it by a script that names
/// it as its interpreter.
fn overwriting(manner: &str) -> Vec<String> {
    let (program, words) = match manner {
        "naive" => ("victim", "ORLOP_NAIVE=exe "),
        _ => ("orlop", ""),
    };
    let oci = format!("run {words}/{program} oci --cgroup-manager disabled --root /tmp/state");
    let mut tasks =
        vec![format!("{oci} create --bundle /bundles/lurks-{manner} lurks"), format!("{oci} start lurks")];
    tasks.extend((0..EXECUTIONS).map(|number| format!("{oci} exec --env N={number} lurks /entry")));
    tasks.push(format!("await-tail {} /{program}", if manner == "held" { 0 } else { PATIENCE }));
    tasks.push(format!("{oci} delete --force lurks"));
    tasks
}

/// One is enough, on most machines.
const EXECUTIONS: u32 = 10;
const PATIENCE: u32 = 20;

const LURKS: Attack = Attack {
    name: "lurks",
    naively: "none",
    made: |config, root| {
        let entry = root.join("entry");
        fs::write(&entry, "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(&entry, fs::Permissions::from_mode(0o755)).unwrap();
        run(config, &["overwrite-exe", "60"]);
    },
    held: "",
    broken: "",
};

#[test]
fn a_hostile_bundle_breaks_a_naive_runtime_and_not_this_one() {
    let mut tasks = Vec::new();
    for manner in MANNERS {
        let runs = ATTACKS.iter().map(|attack| run_of(attack, manner));
        let raise = format!("raise-inherited /bundles/capabilities-by-inheritance-{manner}/rootfs/raised");
        tasks.extend(std::iter::once(raise).chain(runs));
        tasks.push(format!("find /escape {manner}"));
    }
    // Last of all: it leaves a damaged program.
    tasks.extend(["held", "naive"].into_iter().flat_map(overwriting));
    let world = world(&smith(&tasks)).options(|options| options.deadline *= 3);
    let folder = smithy(&world);
    for attack in ATTACKS.iter().chain([&LURKS]) {
        write(&folder, attack);
    }
    let machine = world.boot();
    let log = machine.logged("smith", "== end");
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        for manner in ["held", "mapped"] {
            let held = outcome(&log, attack, manner);
            if !held.contains(attack.held) || held.contains(attack.broken) {
                wrong.push(format!("{}, {manner}: it did not hold: {held}", attack.name));
            }
        }
        let naive = outcome(&log, attack, "naive");
        if !naive.contains(attack.broken) {
            wrong.push(format!("{}: this was no attack: {naive}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}\n{log}", wrong.join("\n"));
    let tails = ["await-tail 0 /orlop", &format!("await-tail {PATIENCE} /victim")];
    // Whoever lurks writes into the same log.
    let is_overwritten = tails.map(|task| section(&log, task).contains("overwritten"));
    assert_eq!(is_overwritten, [false, true], "{log}");
    assert!(log.contains("write EROFS"), "nobody tried: {log}");
    machine.power_off();
}
