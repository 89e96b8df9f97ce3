//! A booted machine for a test: a configuration in TOML, the payload as its one image.

pub(crate) mod disk;
pub(crate) mod initrd;
pub(crate) mod outside;
pub(crate) mod programs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orlop_vm::{End, Machine, Options};
use serde_json::{Value, json};

/// What `image = "dir:payload"` names: the payload alone, and a user to be.
const PASSWD: &str = "root:x:0:0:root:/root:/payload\nweb:x:101:102::/:/payload\n";
const GROUP: &str = "root:x:0:\nweb:x:102:\nadm:x:4:web\n";

/// A configuration on its way to a machine.
pub(crate) struct World {
    folder: tempfile::TempDir,
    options: Options,
    changes: Vec<Change>,
}

/// What is done to the bootable files once they are built.
type Change = Box<dyn FnOnce(&Path)>;

/// A machine, and the files that it was made of for as long as it runs.
pub(crate) struct Booted {
    pub(crate) machine: Machine,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

/// A machine that is built, to be booted more than once.
pub(crate) struct Built {
    options: Options,
    folder: Arc<tempfile::TempDir>,
}

impl Built {
    pub(crate) fn boot(&self) -> Booted {
        let machine = Machine::boot(&self.options).unwrap_or_else(|error| panic!("{error}"));
        Booted { machine, folder: self.folder.clone() }
    }
}

impl std::ops::Deref for Booted {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

/// Writes the configuration, with the payload's root beside it.
pub(crate) fn world(toml: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let root = config.join("payload");
    for directory in ["etc", "tmp", "data"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy(programs::payload(), root.join("payload")).unwrap();
    std::fs::write(root.join("etc/passwd"), PASSWD).unwrap();
    std::fs::write(root.join("etc/group"), GROUP).unwrap();
    std::fs::write(config.join("test.toml"), toml).unwrap();
    let mut options = Options::new(folder.path().join("machine"));
    // Console output is shown when a test fails.
    options.deadline = Duration::from_secs(120);
    World { folder, options, changes: Vec::new() }
}

/// Errands after which there is `/run/silent`, a file system that never answers, and `/run/silent-now`.
pub(crate) const SILENT_FILES: [&str; 4] = [
    "wait /proc/1/root/sys/class/misc/fuse/dev",
    "join /proc/1/ns/mnt",
    "spawn /witness silent-files /run/silent",
    "wait /run/silent-now",
];

/// A container of the payload: its task, and more keys in TOML's words.
pub(crate) fn container(name: &str, task: &str, more: &str) -> String {
    let words: Vec<String> = task.split(' ').map(|word| format!("{word:?}")).collect();
    let words = words.join(", ");
    format!(
        "[container.{name}]\nimage = \"dir:payload\"\nentrypoint = [\"/payload\"]\ncommand = [{words}]\n{more}\n"
    )
}

/// What a task of the payload's `each` printed.
#[track_caller]
pub(crate) fn section<'a>(log: &'a str, task: &str) -> &'a str {
    let (_, rest) = log.split_once(&format!("== {task}\n")).unwrap_or_else(|| panic!("no `{task}` in {log}"));
    rest.split_once("== ").map_or(rest, |(section, _)| section)
}

/// The rest of the line that begins with this word.
#[track_caller]
pub(crate) fn value<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no `{word}` in {text}"))
}

impl World {
    pub(crate) fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The folder of the configuration, to add files to.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// A file on the machine, past the builder and its checks; in the place of one that it made.
    pub(crate) fn smuggle(mut self, path: &str, content: &str) -> Self {
        let (path, content) = (path.to_owned(), content.to_owned());
        self.changes.push(Box::new(move |folder| {
            initrd::add(&folder.join("initrd.img"), &path, 0o644, content.as_bytes());
        }));
        self
    }

    /// A process outside of all containers, with all privileges, that does these errands: see
    /// `tests/payload/src/script.rs`. [`Booted::witnessed`] has its answers.
    pub(crate) fn witness(self, errands: &[String]) -> Self {
        self.observer("script", errands)
    }

    /// One that makes system calls of Orlop fail: see `tests/payload/src/faults`.
    pub(crate) fn faults(self, errands: &[String]) -> Self {
        self.observer("faults", errands)
    }

    fn observer(self, task: &str, errands: &[String]) -> Self {
        let mut world = self.smuggle("/errands", &errands.join("\n"));
        world.changes.push(Box::new(|folder| {
            let program = std::fs::read(programs::payload()).unwrap();
            initrd::add(&folder.join("initrd.img"), "/witness", 0o755, &program);
        }));
        let words = format!("rdinit=/witness -- witness {task} /errands then /init");
        world.options(|options| options.kernel_words = vec![words])
    }

    /// Another command line for the kernel than the one that was built.
    pub(crate) fn cmdline(mut self, change: impl FnOnce(&str) -> String + 'static) -> Self {
        self.changes.push(Box::new(move |folder| {
            let path = folder.join("cmdline");
            let words = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, change(words.trim())).unwrap();
        }));
        self
    }

    pub(crate) fn boot(self) -> Booted {
        self.built().boot()
    }

    pub(crate) fn built(self) -> Built {
        build(&self.config(), &self.options.directory);
        for change in self.changes {
            change(&self.options.directory);
        }
        Built { options: self.options, folder: Arc::new(self.folder) }
    }
}

/// Builds the bootable files, with the kernel and layers of earlier tests.
pub(crate) fn build(config: &Path, out: &Path) {
    let mut options = orlop_image::Options::new(config, out);
    options.init = Some(programs::orlop());
    let text = std::fs::read_to_string(config.join("test.toml")).unwrap_or_default();
    options.tls = text.contains("\"tls://").then(programs::orlop_tls);
    if let Err(error) = orlop_image::build(&options) {
        panic!("{error}");
    }
}

impl Booted {
    /// Everything a container wrote so far, both streams, as text.
    pub(crate) fn logs(&self, name: &str) -> String {
        let mut text = String::new();
        let parameters = json!({ "names": [name], "lines": null, "follow": false });
        let taken = self.machine.stream("Logs", parameters, |answer| {
            for entry in answer["entries"].as_array().into_iter().flatten() {
                text.push_str(entry["text"].as_str().unwrap_or_default());
            }
            true
        });
        taken.unwrap_or_else(|error| panic!("{error}"));
        text
    }

    /// Follows the log until this text is in it, and returns all of it.
    pub(crate) fn logged(&self, name: &str, wanted: &str) -> String {
        let mut text = String::new();
        let parameters = json!({ "names": [name], "lines": null, "follow": true });
        let taken = self.machine.stream("Logs", parameters, |answer| {
            for entry in answer["entries"].as_array().into_iter().flatten() {
                text.push_str(entry["text"].as_str().unwrap_or_default());
            }
            !text.contains(wanted)
        });
        taken.unwrap_or_else(|error| panic!("`{wanted}` is not in {text:?}: {error}"));
        text
    }

    /// What the witness's errands were answered, once it has done them all.
    pub(crate) fn witnessed(&self) -> Vec<String> {
        self.machine.wait_for_console("witness: done").unwrap_or_else(|error| panic!("{error}"));
        let console = self.machine.console();
        let lines = console.lines().filter_map(|line| line.trim_end().strip_prefix("witness: "));
        // Its own words are about no errand.
        lines.filter(|line| line.contains(": ")).map(str::to_owned).collect()
    }

    /// What the witness answers to one errand.
    pub(crate) fn answer(&self, errand: &str) -> String {
        let line = format!("witness: {errand}: ");
        let after = |from, text| self.machine.wait_for_console_after(from, text);
        after(0, &line).and_then(|at| after(at, "\n")).unwrap_or_else(|error| panic!("{error}"));
        let console = self.machine.console();
        let (_, rest) = console.split_once(&line).unwrap();
        rest.lines().next().unwrap_or_default().trim_end().to_owned()
    }

    pub(crate) fn wait(&self, name: &str, state: &str) -> Value {
        self.machine.wait_for(name, state).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn until(&self, name: &str, wanted: &str, check: impl FnMut(&Value) -> bool) -> Value {
        self.machine.wait_until(name, wanted, check).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn ok(&self, method: &str, parameters: Value) -> Value {
        self.machine.call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Crashes one of Orlop's own processes.
    pub(crate) fn crash(&self, process: &str, signal: &str) {
        self.ok("DebugCrash", json!({ "process": process, "signal": signal }));
    }

    /// Waits for the supervisor of this number to answer.
    pub(crate) fn supervisor(&self, number: u64) -> Value {
        loop {
            let version = self.machine.ask("Version", json!({})).unwrap_or_else(|error| panic!("{error}"));
            let starts = version["supervisor_starts"].as_u64().unwrap();
            assert!(starts <= number, "{version}, instead of {number} starts");
            if starts == number {
                return version;
            }
        }
    }

    /// A container's facts that must not change while nobody touches it.
    pub(crate) fn identity(&self, name: &str) -> Value {
        self.identities(&[name])[0].take()
    }

    pub(crate) fn identities(&self, names: &[&str]) -> Value {
        let all = self.machine.ps().unwrap_or_else(|error| panic!("{error}"));
        let of = |name: &&str| {
            let found = all.iter().find(|one| one["name"] == *name).unwrap();
            json!([found["state"], found["pid"], found["started_at"], found["restarts"]])
        };
        names.iter().map(of).collect()
    }

    pub(crate) fn power_off(&self) {
        self.ok("Power", json!({ "action": "poweroff" }));
        assert_eq!(self.machine.wait_for_end().unwrap_or_else(|error| panic!("{error}")), End::PoweredOff);
    }
}

/// A count that `make test` keeps small and `make soak` sets.
pub(crate) fn count(default: u64) -> u64 {
    std::env::var("ORLOP_N").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
