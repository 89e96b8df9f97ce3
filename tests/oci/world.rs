//! A bundle whose files are this computer's /usr, and a directory of containers of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a busy computer, too short for somebody who waits.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// With a container that runs this in a shell.
    pub(crate) fn new(script: &str) -> Self {
        Self::with(script, |_| {})
    }

    pub(crate) fn with(script: &str, change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rootfs = folder.path().join("bundle/rootfs");
        fs::create_dir_all(rootfs.join("etc")).unwrap();
        for link in ["bin", "lib", "lib64", "sbin"] {
            symlink(format!("usr/{link}"), rootfs.join(link)).unwrap();
        }
        // What both sides see.
        fs::create_dir(folder.path().join("shared")).unwrap();
        let world = Self { folder };
        let mut spec = spec(script, &world.shared());
        change(&mut spec);
        world.write(&spec);
        world
    }

    pub(crate) fn write(&self, spec: &Value) {
        fs::write(self.bundle().join("config.json"), spec.to_string()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path("bundle")
    }

    /// Of a container's `/shared`.
    pub(crate) fn shared(&self) -> PathBuf {
        self.path("shared")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.shared().join(name)).unwrap_or_default()
    }

    /// `orlop oci` with the directory of containers, and these words.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
        command.arg("oci").arg("--root").arg(self.path("root")).arg("--cgroup-manager=disabled");
        command.args(words).env_clear().current_dir(self.bundle()).stdin(Stdio::null());
        command
    }

    /// Until it ends, and nobody has its output any more.
    #[track_caller]
    pub(crate) fn call(&self, words: &[&str]) -> Said {
        Said::of(self.command(words).output().unwrap())
    }

    /// Said nothing but its output, and did it.
    #[track_caller]
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let said = self.call(words);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}: {}", said.out);
        said.out
    }

    /// Failed with one line that has these words, and printed nothing.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], expected: &str) {
        let said = self.call(words);
        assert!(said.code != 0 && said.out.is_empty(), "{words:?}: {said:?}");
        assert!(said.err.starts_with("error: ") && said.err.contains(expected), "{words:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{words:?}: {}", said.err);
    }

    /// Creates a container whose output goes to a file of this name.
    #[track_caller]
    pub(crate) fn create(&self, id: &str, more: &[&str]) {
        let out = fs::File::create(self.shared().join(format!("{id}.out"))).unwrap();
        let words = [&["create"], more, &[id]].concat();
        let status = self.command(&words).stdout(out.try_clone().unwrap()).stderr(out).status().unwrap();
        assert!(status.success(), "{}", self.read(&format!("{id}.out")));
    }

    pub(crate) fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.done(&["state", id])).unwrap()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        self.state(id)["status"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn until_stopped(&self, id: &str) {
        eventually(|| self.status(id) == "stopped");
    }

    /// What `--root` holds.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.done(&["list", "-q"]).lines().map(String::from).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(self.path("root")) else { return };
        for entry in entries.flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            let _ = self.command(&["delete", "--force", &id]).status();
        }
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Asks again until it is so.
#[track_caller]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "it did not come about");
        std::thread::yield_now();
    }
}

/// Whether a process of this number is there, and no zombie.
pub(crate) fn is_alive(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn spec(script: &str, shared: &Path) -> Value {
    let bare = ["nosuid", "noexec", "nodev"];
    json!({
        "ociVersion": "1.2.0",
        "hostname": "inside",
        "root": {"path": "rootfs"},
        "process": {
            "args": ["/bin/sh", "-c", script], "cwd": "/", "user": {"uid": 0, "gid": 0},
            "env": ["PATH=/usr/bin:/usr/sbin", "HOME=/"],
            "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/shared", "type": "bind", "source": shared, "options": ["bind"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": bare},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        ],
        "annotations": {"org.example": "value"},
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
        },
    })
}
