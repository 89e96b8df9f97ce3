//! Words → arguments, by hand, for the commands that engines call most: building the definition of a command
//! line takes longer than most commands do.
//!
//! It knows the plain forms alone (`--option value`, `--option=value`, `-o value`). Whatever else stands there
//! comes to nothing here, and the definition says what it means or what is wrong with it; a test holds the two
//! against each other.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::arguments::{
    Arguments, CgroupManager, Command, CreateArguments, DeleteArguments, General, Handed, Id, KillArguments,
    LogFormat, RunArguments,
};
use super::values::boolean;

/// An option, its letter, and whether a value follows; one without is a flag.
type Known = (&'static str, Option<char>, Takes);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Value,
    Nothing,
}

use Takes::{Nothing, Value};

/// Before or after the command.
const GENERAL: [Known; 7] = [
    ("root", None, Value),
    ("log", None, Value),
    ("log-format", None, Value),
    ("log-level", None, Value),
    ("cgroup-manager", None, Value),
    ("debug", None, Nothing),
    ("systemd-cgroup", None, Nothing),
];

const CREATE: [Known; 8] = [
    ("bundle", Some('b'), Value),
    ("config", Some('f'), Value),
    ("pid-file", None, Value),
    ("console-socket", None, Value),
    ("pidfd-socket", None, Value),
    ("preserve-fds", None, Value),
    ("no-pivot", None, Nothing),
    ("no-new-keyring", None, Nothing),
];

/// Beside those of `create`.
const RUN: [Known; 3] =
    [("detach", Some('d'), Nothing), ("keep", None, Nothing), ("no-subreaper", None, Nothing)];

const KILL: [Known; 1] = [("all", Some('a'), Nothing)];
const DELETE: [Known; 1] = [("force", Some('f'), Nothing)];

/// What a command takes beside [`GENERAL`]: options, and how many words at most.
fn known(command: &str) -> Option<(Vec<Known>, usize)> {
    Some(match command {
        "create" => (CREATE.to_vec(), 1),
        "run" => (CREATE.iter().chain(&RUN).copied().collect(), 1),
        "start" | "state" => (Vec::new(), 1),
        "kill" => (KILL.to_vec(), 2),
        "delete" => (DELETE.to_vec(), 1),
        _ => return None,
    })
}

/// What was said, each at most once.
#[derive(Default)]
struct Said<'a> {
    options: Vec<(&'static str, &'a str)>,
    words: Vec<&'a str>,
}

impl<'a> Said<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        self.options.iter().find(|(said, _)| *said == name).map(|(_, value)| *value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).map_or(Some(false), |value| boolean(value).ok())
    }

    /// One of a few words, or the first of them.
    fn choice<T: ValueEnum>(&self, name: &str, otherwise: T) -> Option<T> {
        self.value(name).map_or(Some(otherwise), |value| T::from_str(value, false).ok())
    }
}

/// Reads a command line whose first word is the program's name. `None`: the definition is to be asked.
pub(crate) fn read(words: &[OsString]) -> Option<Arguments> {
    let mut words = words.iter().skip(1).map(|word| word.to_str());
    let mut said = Said::default();
    let mut command = None;
    while let Some(word) = words.next() {
        let word = word?;
        if !word.starts_with('-') {
            match &command {
                None => command = Some((word, known(word)?)),
                Some((_, (_, most))) if said.words.len() < *most && !word.is_empty() => said.words.push(word),
                Some(_) => return None,
            }
            continue;
        }
        let own = command.iter().flat_map(|(_, (own, _))| own);
        let (name, takes, joined) = GENERAL.iter().chain(own).find_map(|known| named(*known, word))?;
        let value = match (takes, joined) {
            (_, Some(value)) => value,
            (Nothing, None) => "true",
            (Value, None) => words.next()??,
        };
        if value.is_empty() || (takes == Value && value.starts_with('-')) || said.value(name).is_some() {
            return None;
        }
        said.options.push((name, value));
    }
    let (command, _) = command?;
    Some(Arguments { general: general(&said)?, version: false, command: Some(made(command, &said)?) })
}

/// The option that a word is, and the value that it holds.
fn named((name, letter, takes): Known, word: &str) -> Option<(&'static str, Takes, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        return match long.strip_prefix(name)? {
            "" => Some((name, takes, None)),
            rest => Some((name, takes, Some(rest.strip_prefix('=')?))),
        };
    }
    let mut letters = word.chars().skip(1);
    (letter.is_some() && letters.next() == letter && letters.next().is_none()).then_some((name, takes, None))
}

fn general(said: &Said<'_>) -> Option<General> {
    Some(General {
        root: said.path("root"),
        log: said.path("log"),
        log_format: said.choice("log-format", LogFormat::Text)?,
        debug: said.flag("debug")?,
        systemd_cgroup: said.flag("systemd-cgroup")?,
        cgroup_manager: said.choice("cgroup-manager", CgroupManager::Cgroupfs)?,
        rootless: None,
        log_level: said.text("log-level"),
    })
}

fn made(command: &str, said: &Said<'_>) -> Option<Command> {
    let mut words = said.words.iter().map(|word| (*word).to_owned());
    let id = words.next()?;
    Some(match command {
        "create" => Command::Create(create(id, said)?),
        "run" => Command::Run(RunArguments {
            create: create(id, said)?,
            detach: said.flag("detach")?,
            keep: said.flag("keep")?,
            no_subreaper: said.flag("no-subreaper")?,
        }),
        "start" => Command::Start(Id { id }),
        "state" => Command::State(Id { id }),
        "kill" => {
            let signal = words.next().unwrap_or_else(|| String::from("TERM"));
            Command::Kill(KillArguments { id, signal, all: said.flag("all")? })
        }
        "delete" => Command::Delete(DeleteArguments { id, force: said.flag("force")? }),
        _ => return None,
    })
}

fn create(id: String, said: &Said<'_>) -> Option<CreateArguments> {
    Some(CreateArguments {
        id,
        bundle: said.path("bundle"),
        config: said.path("config"),
        no_pivot: said.flag("no-pivot")?,
        no_new_keyring: said.flag("no-new-keyring")?,
        handed: Handed {
            pid_file: said.path("pid-file"),
            console_socket: said.path("console-socket"),
            pidfd_socket: said.path("pidfd-socket"),
            preserve_fds: said.value("preserve-fds").map_or(Some(0), |value| value.parse().ok())?,
        },
    })
}

#[path = "plain_tests.rs"]
#[cfg(test)]
mod tests;
