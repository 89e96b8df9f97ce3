//! `orlop --host unix:PATH` at the host's end of a machine's control ports, as a person types it.

use std::path::PathBuf;
use std::process::Command;

use orlop_vm::ControlSocket;
use serde_json::Value;

use super::Booted;
use super::programs::orlop;

pub(crate) struct Outside<'a> {
    pub(crate) machine: &'a Booted,
    socket: PathBuf,
    _serving: ControlSocket,
}

impl<'a> Outside<'a> {
    pub(crate) fn of(machine: &'a Booted) -> Self {
        let socket = machine.folder.path().join("control.sock");
        let serving = machine.serve_control(&socket).unwrap_or_else(|error| panic!("{error}"));
        Self { machine, socket, _serving: serving }
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(orlop());
        command.arg(format!("--host=unix:{}", self.socket.display())).args(words).env_clear();
        command
    }

    /// Exit code, standard output and standard error.
    pub(crate) fn run(&self, words: &str) -> (Option<i32>, String, String) {
        let words: Vec<&str> = words.split(' ').collect();
        let output = self.command(&words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// What it prints, when it works and has nothing to complain about.
    #[track_caller]
    pub(crate) fn ok(&self, words: &str) -> String {
        let (code, out, err) = self.run(words);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{words}\n{out}{}", self.machine.console());
        out
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(words)).unwrap()
    }

    #[track_caller]
    pub(crate) fn fails(&self, words: &str, code: i32, says: &str) {
        let (found, out, err) = self.run(words);
        assert!(
            found == Some(code) && err.contains(says),
            "{words}: {found:?}\n{out}{err}\ninstead of {says}"
        );
    }
}
