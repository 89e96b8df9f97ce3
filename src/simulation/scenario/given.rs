//! What is given beside failures, as a person writes it: who connects, and when gates open and shut.
//!
//! ```text
//! NAME@TIME             somebody connects to the first socket of it
//! NAME=SOCKET@TIME      to this one, by its name or its place
//! GATE=shut             shut from the boot on
//! GATE=open@TIME        opens then; shut before, if nothing else is said
//! GATE=shut@TIME        shuts then; open before, if nothing else is said
//! ```

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::fail::{Unplayable, known, list};
use crate::config::{Config, Gate, Listen, Socket, gate, nearest, time};

/// Somebody connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub name: String,
    pub socket: Listen,
    pub at: Duration,
}

/// A gate opens or shuts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub gate: Gate,
    pub is: Is,
    pub at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    Open,
    Shut,
}

type Wrong = (String, String);

impl Connect {
    /// `config` knows who there is, and what it listens on.
    pub fn parse(text: &str, config: &Config) -> Result<Self, Unplayable> {
        let bad = |(why, help): Wrong| Unplayable { text: text.to_string(), why, help };
        // Instances of a template have an `@` in their names.
        let (whom, at) = text.rsplit_once('@').ok_or_else(|| bad(not_a_connection()))?;
        let (name, socket) = match whom.split_once('=') {
            Some((name, socket)) => (name, Some(socket)),
            None => (whom, None),
        };
        // Of `web@1` without a time only the name is left.
        if config.containers.contains_key(text) {
            return Err(bad(not_a_connection()));
        }
        known(name, config).map_err(bad)?;
        let socket = find(name, socket, config).map_err(bad)?.listen.clone();
        Ok(Self { name: name.to_string(), socket, at: moment(at).map_err(bad)? })
    }
}

fn not_a_connection() -> Wrong {
    ("it is not NAME@TIME or NAME=SOCKET@TIME".to_string(), "for example web@30s".to_string())
}

fn find<'a>(name: &str, socket: Option<&str>, config: &'a Config) -> Result<&'a Socket, Wrong> {
    let sockets = config.containers.get(name).map_or(&[][..], |container| &container.sockets);
    let Some(first) = sockets.first() else {
        let others = config.containers.iter().filter(|(_, container)| !container.sockets.is_empty());
        let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
        let help = match others.is_empty() {
            true => "no container has any".to_string(),
            false => format!("there are those of {}", list(&others)),
        };
        return Err((format!("`{name}` has no sockets"), help));
    };
    let Some(socket) = socket else { return Ok(first) };
    let is_it = |it: &&Socket| it.name == socket || it.listen.to_string() == socket;
    sockets.iter().find(is_it).ok_or_else(|| {
        let names: Vec<&str> = sockets.iter().map(|it| it.name.as_str()).collect();
        let help = match nearest(socket, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", list(&names)),
        };
        (format!("`{name}` has no socket `{socket}`"), help)
    })
}

fn moment(text: &str) -> Result<Duration, Wrong> {
    time(text)
        .map_err(|_| (format!("`{text}` is no moment"), "write a time since boot, as in 30s".to_string()))
}

impl Turn {
    /// `config` knows who waits for what.
    pub fn parse(text: &str, config: &Config) -> Result<Self, Unplayable> {
        let bad = |(why, help): Wrong| Unplayable { text: text.to_string(), why, help };
        let form = "it is not GATE=open@TIME, GATE=shut or GATE=shut@TIME";
        let form = || (form.to_string(), "for example network-online=open@20s".to_string());
        // A path may have an `=` in it.
        let (place, how) = text.rsplit_once('=').ok_or_else(|| bad(form()))?;
        let (word, at) = match how.split_once('@') {
            Some((word, at)) => (word, Some(at)),
            None => (how, None),
        };
        let is = match word {
            "open" => Is::Open,
            "shut" => Is::Shut,
            _ => return Err(bad(form())),
        };
        let gate = awaited(place, config).map_err(bad)?;
        let at = at.map_or(Ok(Duration::ZERO), moment).map_err(bad)?;
        Ok(Self { gate, is, at })
    }
}

/// One that a container waits for, and that is not opened by what is played.
fn awaited(text: &str, config: &Config) -> Result<Gate, Wrong> {
    let gate = gate(text).map_err(|mistake| (mistake.message, mistake.help.unwrap_or_default()))?;
    if gate == Gate::BootComplete {
        let why = "boot-complete opens when all others have come up or shown that they do not".to_string();
        return Err((why, "it cannot be said".to_string()));
    }
    let mut gates: Vec<&Gate> = config.containers.values().flat_map(|it| &it.gates).collect();
    if gates.contains(&&gate) {
        return Ok(gate);
    }
    gates.retain(|gate| **gate != Gate::BootComplete);
    gates.sort_unstable();
    gates.dedup();
    let gates: Vec<String> = gates.iter().map(ToString::to_string).collect();
    let gates: Vec<&str> = gates.iter().map(String::as_str).collect();
    let help = match nearest(text, gates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if gates.is_empty() => "none has `gates`".to_string(),
        None => format!("there are {}", list(&gates)),
    };
    Err((format!("no container waits for {gate}"), help))
}

/// Those that are shut at boot since they open later; what is said of the boot itself is a turn of its own.
pub(super) fn at_boot(turns: &[Turn]) -> impl Iterator<Item = (&Gate, Is)> {
    let mut first: BTreeMap<&Gate, &Turn> = BTreeMap::new();
    for turn in turns {
        let known = first.entry(&turn.gate).or_insert(turn);
        // Of the same moment the last counts.
        if turn.at <= known.at {
            *known = turn;
        }
    }
    let opens = |turn: &&Turn| turn.is == Is::Open && turn.at > Duration::ZERO;
    first.into_values().filter(opens).map(|turn| (&turn.gate, Is::Shut))
}
