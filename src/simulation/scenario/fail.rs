//! What goes wrong in a simulation, as a person writes it: `NAME=WHAT@WHEN`.
//!
//! ```text
//! WHAT         WHEN
//! exit:CODE    boot · start · TIME · run:TIME     its program ends so
//! signal:NAME  boot · start · TIME · run:TIME
//! oom          boot · start · TIME · run:TIME     it is killed for want of memory
//! fail         boot · start                       it cannot be started
//! image        boot · start                       its image cannot be used
//! hang         boot · start · stop                the start is never answered; the stop signal is ignored
//! hang         TIME · run:TIME                    it stands still: no probe passes, no sign of life
//! unready      boot · start                       it never says that it is ready
//! slow:TIME    boot · start · stop                it takes so long
//! unkillable   stop                               it stays, whatever it is sent
//! ```
//!
//! `boot` is the first start, `start` every one, `stop` every stop; `TIME` counts from boot, `run:TIME` from
//! each start.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::config::{Config, family, nearest, signal, time};
use crate::supervisor::Exit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    /// As it was written.
    pub text: String,
    pub name: String,
    pub what: What,
    pub when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Exit(i32),
    Signal(i32),
    Oom,
    Fail,
    Image,
    Hang,
    Slow(Duration),
    Unready,
    Unkillable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The first start.
    Boot,
    Start,
    Stop,
    At(Duration),
    /// So long after each start.
    Run(Duration),
}

/// Why a text says nothing that could be simulated, and what can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplayable {
    pub(super) text: String,
    pub(super) why: String,
    pub(super) help: String,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}; {}", self.text, self.why, self.help)
    }
}

const WHATS: [&str; 9] =
    ["exit:CODE", "signal:NAME", "oom", "fail", "image", "hang", "slow:TIME", "unready", "unkillable"];
const WHENS: [&str; 5] = ["boot", "start", "stop", "TIME", "run:TIME"];

impl Fail {
    /// The time since boot at which it happens, if that is what it says.
    pub fn at(&self) -> Option<Duration> {
        match self.when {
            When::At(at) => Some(at),
            When::Boot | When::Start | When::Stop | When::Run(_) => None,
        }
    }

    /// `config` knows who there is.
    pub fn parse(text: &str, config: &Config) -> Result<Self, Unplayable> {
        let bad = |(why, help): (String, String)| Unplayable { text: text.to_string(), why, help };
        let form = || ("it is not NAME=WHAT@WHEN".to_string(), "for example db=oom@boot".to_string());
        let (name, rest) = text.split_once('=').ok_or_else(|| bad(form()))?;
        let (what, when) = rest.split_once('@').ok_or_else(|| bad(form()))?;
        known(name, config).map_err(bad)?;
        let fail = Self {
            text: text.to_string(),
            name: name.to_string(),
            what: What::parse(what).map_err(bad)?,
            when: When::parse(when).map_err(bad)?,
        };
        let possible = fail.what.possible();
        if possible.contains(&fail.when.word()) {
            return Ok(fail);
        }
        let word = what.split(':').next().unwrap_or_default();
        let why = format!("`{word}` cannot happen at `{when}`");
        Err(bad((why, format!("it can at {}", list(possible)))))
    }
}

/// Of those that would run: what is invalid runs no way.
pub(super) fn known(name: &str, config: &Config) -> Result<(), (String, String)> {
    if config.containers.contains_key(name) {
        return Ok(());
    }
    if config.invalid.contains_key(name) {
        let why = format!("`{name}` is not valid, and never starts");
        return Err((why, "`orlop check` says why".to_string()));
    }
    let names = || config.containers.keys().map(String::as_str);
    let instance = names().find(|known| family(known) == Some(name));
    let help = match instance.or_else(|| nearest(name, names())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if config.containers.is_empty() => "the configuration declares none".to_string(),
        None => format!("there are {}", list(&names().collect::<Vec<_>>())),
    };
    Err((format!("no container is named `{name}`"), help))
}

impl What {
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let (word, value) = match text.split_once(':') {
            Some((word, value)) => (word, Some(value)),
            None => (text, None),
        };
        match (word, value) {
            ("exit", value) => {
                let code = value.and_then(|value| value.parse::<u8>().ok());
                let help = || "write a code from 0 to 255, as in exit:1".to_string();
                code.map(|code| Self::Exit(code.into())).ok_or_else(|| (missing(word, value), help()))
            }
            ("signal", value) => {
                let number = value.and_then(signal::number);
                let help = || "write a name or a number, as in signal:SEGV".to_string();
                number.map(Self::Signal).ok_or_else(|| (missing(word, value), help()))
            }
            ("slow", value) => {
                let time = value.and_then(|value| time(value).ok());
                let help = || "write a time, as in slow:5s".to_string();
                time.map(Self::Slow).ok_or_else(|| (missing(word, value), help()))
            }
            ("oom", None) => Ok(Self::Oom),
            ("fail", None) => Ok(Self::Fail),
            ("image", None) => Ok(Self::Image),
            ("hang", None) => Ok(Self::Hang),
            ("unready", None) => Ok(Self::Unready),
            ("unkillable", None) => Ok(Self::Unkillable),
            ("oom" | "fail" | "image" | "hang" | "unready" | "unkillable", Some(_)) => {
                Err((format!("`{word}` takes no value"), format!("write {word}")))
            }
            (_, _) => {
                Err((format!("nothing is called `{word}`"), format!("what can happen: {}", list(&WHATS))))
            }
        }
    }

    /// How it ends a program that runs.
    pub(super) fn exit(self) -> Option<(Exit, bool)> {
        const SIGKILL: i32 = 9;
        match self {
            Self::Exit(code) => Some((Exit::Code(code), false)),
            Self::Signal(signal) => Some((Exit::Signal(signal), false)),
            Self::Oom => Some((Exit::Signal(SIGKILL), true)),
            Self::Fail | Self::Image | Self::Hang | Self::Slow(_) | Self::Unready | Self::Unkillable => None,
        }
    }

    fn possible(self) -> &'static [&'static str] {
        match self {
            Self::Exit(_) | Self::Signal(_) | Self::Oom => &["boot", "start", "TIME", "run:TIME"],
            Self::Fail | Self::Image | Self::Unready => &["boot", "start"],
            Self::Hang => &["boot", "start", "stop", "TIME", "run:TIME"],
            Self::Slow(_) => &["boot", "start", "stop"],
            Self::Unkillable => &["stop"],
        }
    }
}

fn missing(word: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("`{value}` is nothing that `{word}` can be of"),
        None => format!("`{word}` needs a value"),
    }
}

impl When {
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let bad = || (format!("`{text}` is no moment"), format!("write one of {}", list(&WHENS)));
        match text {
            "boot" => Ok(Self::Boot),
            "start" => Ok(Self::Start),
            "stop" => Ok(Self::Stop),
            text => match text.strip_prefix("run:") {
                Some(rest) => time(rest).map(Self::Run).map_err(|_| bad()),
                None => time(text).map(Self::At).map_err(|_| bad()),
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::At(_) => "TIME",
            Self::Run(_) => "run:TIME",
        }
    }
}

pub(super) fn list(words: &[&str]) -> String {
    words.join(", ")
}
