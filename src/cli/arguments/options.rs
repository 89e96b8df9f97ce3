//! The options and names of each command, and how they are read.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use orlop::control::LogLevel;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print JSON, with the names of org.orlop.Control
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The container; what stands before an `@` is all of its instances
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// The containers, @kernel, @orlop; none is all containers
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// What the kernel (@kernel) and Orlop itself (@orlop) say, too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last LINES lines of each
    #[arg(
        short = 'n',
        long,
        visible_alias = "tail",
        value_name = "LINES",
        value_parser = count,
        allow_hyphen_values = true
    )]
    pub(crate) lines: Option<u64>,
    /// What was written from TIME on: 10m (before now), boot+90s, 14:30 (UTC), or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub(crate) since: Option<String>,
    /// What was written up to TIME
    #[arg(long, value_name = "TIME", value_parser = when, conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// Of another boot, from the disk: -1 is the one before this, or what its id begins with
    #[arg(long, value_name = "BOOT", value_parser = boot, allow_hyphen_values = true)]
    pub(crate) boot: Option<String>,
    /// List the boots of which the disk has logs
    #[arg(long, conflicts_with_all = ["names", "all", "follow", "lines", "since", "until", "boot", "grep", "timestamps"])]
    pub(crate) boots: bool,
    /// Lines with TEXT in them; TEXT is no pattern. Lines are counted (-n) before
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Begin each line with the time at which it was read
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) timestamps: bool,
    /// Print one JSON object a line, with the names of org.orlop.Control
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogLevelArguments {
    /// From here on, until the next boot; without it, nothing is changed
    #[arg(value_parser = level, value_name = "error|warn|info|debug")]
    pub(crate) level: Option<LogLevel>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// Of these containers; none is everything
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Go on with what happens from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// What happened from TIME on: 10m (before now), boot+90s, 14:30 (UTC), or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub(crate) since: Option<String>,
    /// Print one JSON object a line, with the names of org.orlop.Control
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// Containers; what stands before an `@` is all of its instances
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Return as soon as the machine has taken the request
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait no longer than this for all of them
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "120",
        value_parser = seconds,
        conflicts_with = "no_wait"
    )]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct KillArguments {
    /// Containers; what stands before an `@` is all of its instances
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// A name (TERM, SIGTERM, RTMIN+3) or a number
    #[arg(short, long, default_value = "KILL", value_parser = signal_number)]
    pub(crate) signal: i32,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArguments {
    /// Pass the standard input on
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// As this user, by name or number; the container's own without it
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// In this folder; the container's own without it
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// With this variable too; a name alone has the value that it has here
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// The container
    pub(crate) name: String,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AttachArguments {
    /// Do not pass the standard input on
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// Whether signals to this command are passed on
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) sig_proxy: bool,
    /// What to type to leave it running: letters, or ctrl-LETTER
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = keys)]
    pub(crate) detach_keys: Keys,
    /// The container
    pub(crate) name: String,
}

/// Bytes that keys type.
#[derive(Debug, Clone)]
pub(crate) struct Keys(pub(crate) Vec<u8>);

#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// Follow the source, when it is a link
    #[arg(short = 'L', long)]
    pub(crate) follow_link: bool,
    /// NAME:PATH, a path, or -
    pub(crate) source: String,
    /// NAME:PATH, a path, or -
    pub(crate) destination: String,
}

#[derive(Debug, Args)]
pub(crate) struct TopArguments {
    /// The container whose processes are listed; none is the table of all containers
    pub(crate) name: Option<String>,
    /// What the table begins in the order of: cpu, memory, tasks, restarts, state, name
    #[arg(long, value_name = "KEY", default_value = "cpu", value_parser = crate::cli::monitor::sort, conflicts_with = "name")]
    pub(crate) sort: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    /// The container
    pub(crate) name: String,
    /// Also mount its root at DIR/rootfs on the machine, and write DIR/config.json
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// The containers; none is all of them
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Folders and files of TOML, instead of a machine
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct NamesArguments {
    /// Containers; what stands before an `@` is all of its instances
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArguments {
    /// The containers; none is all that run
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Show them once
    #[arg(long)]
    pub(crate) no_stream: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The container; what stands before an `@` is all of its instances
    pub(crate) name: String,
    /// Limits as in the configuration: memory=128M, cpus=0.5, pids=64, …
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = pair)]
    pub(crate) limits: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeArguments {
    /// An orlop binary for the machine's architecture
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Folders and files of TOML
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Do not look whether images and environment files are there
    #[arg(long)]
    pub(crate) no_files: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

pub(super) fn signal_number(text: &str) -> Result<i32, String> {
    orlop::config::signal::number(text).ok_or_else(|| String::from("there is no such signal"))
}

fn level(text: &str) -> Result<LogLevel, String> {
    let level = LogLevel::ALL.iter().copied().find(|level| level.as_str() == text);
    level.ok_or_else(|| String::from("write error, warn, info or debug"))
}

/// Read again by the machine, by its own clock.
fn when(text: &str) -> Result<String, String> {
    match orlop::control::When::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(String::from(orlop::control::WHEN_HELP)),
    }
}

fn boot(text: &str) -> Result<String, String> {
    match orlop::control::WhichBoot::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => {
            Err(String::from("write 0 (this one), -1 (the one before), or four letters or more of an id"))
        }
    }
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| String::from("write a whole number"))
}

/// As in the configuration: `90s`, `5m`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number: Option<u32> = number.parse().ok().filter(|number| *number > 0);
    let time = number.zip(seconds).map(|(number, seconds)| u64::from(number) * seconds);
    time.map(Duration::from_secs).ok_or_else(|| String::from("write a time like 60s or 5m"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| String::from("write whole seconds"))?;
    Ok(Duration::from_secs(u64::from(seconds)))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| String::from("write it as KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `ctrl-p,ctrl-q`, as Docker writes them; nothing for no keys.
fn keys(text: &str) -> Result<Keys, String> {
    let key = |text: &str| match (text.strip_prefix("ctrl-"), text.as_bytes()) {
        // What a terminal makes of Ctrl: the lower five bits.
        (Some(letter), _) if letter.len() == 1 => {
            letter.bytes().next().filter(|it| (b'@'..=b'z').contains(it)).map(|it| it & 0x1f)
        }
        (None, [letter]) => Some(*letter),
        _ => None,
    };
    let keys = text.split(',').filter(|part| !part.is_empty()).map(key);
    keys.collect::<Option<_>>().map(Keys).ok_or_else(|| String::from("write keys as a,ctrl-b"))
}
