//! What can go wrong with a machine; each kind names the thing, and shows the console when the
//! machine was up.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::end::End;

pub type Result<T> = std::result::Result<T, Error>;

pub enum Error {
    QemuMissing {
        program: String,
    },
    /// Something on the host, before or beside the machine.
    Host {
        doing: String,
        source: io::Error,
    },
    /// The options contradict one another, or the machine's folder.
    Options {
        text: String,
    },
    /// `orlop-image` refused to build the machine.
    Build {
        text: String,
    },
    /// It did not happen in time; the machine has been ended.
    Deadline {
        wanted: String,
        after: Duration,
        console: String,
    },
    /// The guest's kernel died while something was waited for: no verdict on what was tested.
    KernelDied {
        wanted: String,
        line: String,
        console: String,
    },
    /// The machine ended while something was waited for.
    Ended {
        wanted: String,
        end: End,
        console: String,
    },
    /// The machine's answer to a call was an error.
    Refused {
        method: String,
        error: String,
        parameters: serde_json::Value,
    },
    /// What came over a control port was no answer.
    Protocol {
        text: String,
    },
    /// All control ports are taken.
    NoPort,
}

impl Error {
    pub(crate) fn host(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Host { doing: doing.into(), source: source.into() }
    }

    /// The Varlink error's full name, when the machine refused a call.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } => Some(error),
            Self::QemuMissing { .. }
            | Self::Host { .. }
            | Self::Options { .. }
            | Self::Build { .. }
            | Self::Deadline { .. }
            | Self::KernelDied { .. }
            | Self::Ended { .. }
            | Self::Protocol { .. }
            | Self::NoPort => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QemuMissing { program } => {
                write!(f, "{program} is not installed. On Debian: apt-get install qemu-system-x86")
            }
            Self::Host { doing, source } => write!(f, "{doing}: {source}"),
            Self::Options { text } | Self::Build { text } | Self::Protocol { text } => f.write_str(text),
            Self::Deadline { wanted, after, console } => {
                write!(f, "waited {} s for {wanted}", after.as_secs())?;
                show_console(f, console)
            }
            Self::KernelDied { wanted, line, console } => {
                write!(f, "the kernel died (not a verdict on {wanted}): {line}")?;
                show_console(f, console)
            }
            Self::Ended { wanted, end, console } => {
                write!(f, "{end}, while waiting for {wanted}")?;
                show_console(f, console)
            }
            Self::Refused { method, error, parameters } => {
                write!(f, "{method} was refused: {error} {parameters}")
            }
            Self::NoPort => f.write_str("all control ports of the machine are taken"),
        }
    }
}

fn show_console(f: &mut fmt::Formatter<'_>, console: &str) -> fmt::Result {
    if console.is_empty() {
        return f.write_str("; nothing on its console");
    }
    write!(f, "\n--- its console ---\n{}\n--- end of its console ---", console.trim_end())
}

/// As for people: a test that returns this error shows it so.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Host { source, .. } => Some(source),
            _ => None,
        }
    }
}
