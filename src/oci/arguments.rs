//! What an engine or a person types: runc's commands and options, and the help for them.
//!
//! Options may stand before or after the id, and the general ones before or after the command. What
//! follows the command of `exec` and the id of `ps` belongs to the program that is run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::update::UpdateArguments;
use super::values::{boolean, boolean_or_auto, duration, user};

/// Run containers as an OCI runtime, in the place of runc
///
/// Podman, containerd and Docker take it instead of runc. To an engine that wants one path it is a
/// link to orlop named `orlop-oci`, `runc` or `crun`: called by one of these names, orlop is this command.
#[derive(Debug, Parser)]
#[command(
    name = "orlop oci",
    bin_name = "orlop oci",
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_override_self = true,
    max_term_width = 100,
    after_help = "\
Examples:
  orlop oci spec                         a config.json to begin with
  orlop oci run --bundle DIR web         run it, and wait for its end
  orlop oci create -b DIR web && orlop oci start web
  orlop oci exec -t web sh
  orlop oci delete --force web

Exit codes: 0 done, 1 it failed (one line says why); of run and exec that of the process, or 128 and
the signal that ended it; 255 when exec has not come to run anything."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) general: General,

    /// Print which orlop this is, and which version of the specification it keeps to
    #[arg(short = 'v', long)]
    pub(crate) version: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What may be said to every command.
#[derive(Debug, Args)]
pub(crate) struct General {
    /// Where containers are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// A file that errors and warnings are added to
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// What lines of the log look like
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Log more, and to the standard error if there is no --log
    #[arg(long, global = true)]
    pub(crate) debug: bool,

    /// cgroupsPath is slice:prefix:name, and means the cgroup that systemd would make of it; systemd is not asked
    #[arg(long, global = true)]
    pub(crate) systemd_cgroup: bool,

    /// `systemd` is --systemd-cgroup; with `disabled` containers stay in the caller's cgroup and have no limits
    #[arg(long, global = true, value_name = "WHO", default_value = "cgroupfs")]
    pub(crate) cgroup_manager: CgroupManager,

    /// Taken and without effect: what is not permitted fails, whoever asks
    #[arg(long, value_name = "true|false|auto", value_parser = boolean_or_auto, hide = true)]
    pub(crate) rootless: Option<String>,

    /// Taken for the sake of engines that say it to crun: as --debug when it is `debug`
    #[arg(long, global = true, value_name = "LEVEL", hide = true)]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CgroupManager {
    Cgroupfs,
    Systemd,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a container that waits for `start`
    Create(CreateArguments),

    /// Let a created container run its program
    Start(Id),

    /// Create a container, start it, wait for its end and delete it
    Run(RunArguments),

    /// Print the state of a container, as JSON
    State(Id),

    /// Send a signal to the first process of a container
    Kill(KillArguments),

    /// Remove a container that has stopped
    Delete(DeleteArguments),

    /// Run another process in a container
    Exec(ExecArguments),

    /// List the processes of a container
    Ps(PsArguments),

    /// Let no process of a container run
    Pause(Id),

    /// Let the processes of a paused container run again
    Resume(Id),

    /// Change the limits of a container
    Update(UpdateArguments),

    /// Print what a container uses, and when it ran out of memory: one JSON object a line
    Events(EventsArguments),

    /// List the containers
    List(ListArguments),

    /// Write a config.json to begin with
    Spec(SpecArguments),

    /// Print what this runtime can do, as JSON
    Features,

    /// Refused: processes cannot be saved (said in `features`)
    #[command(hide = true)]
    Checkpoint(Refused),

    /// Refused: processes cannot be brought back (said in `features`)
    #[command(hide = true)]
    Restore(Refused),
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The folder with config.json; otherwise the current one
    #[arg(short, long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Another file than config.json; a relative path is below the bundle
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Taken and without effect: without pivot_root a container could get at what lies below its root
    #[arg(long, hide = true)]
    pub(crate) no_pivot: bool,
    /// Leave the container the keys of whoever calls
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    #[command(flatten)]
    pub(crate) handed: Handed,
}

/// What goes to or comes from whoever calls.
#[derive(Debug, Args, Clone)]
pub(crate) struct Handed {
    /// A file for the number of the process
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// A socket that gets the terminal's other end
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// A socket that gets a descriptor of the process
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// Leave the process so many descriptors from 3 on
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    pub(crate) preserve_fds: u16,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) create: CreateArguments,
    /// Do not wait for its end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Leave the container to be deleted by somebody else
    #[arg(long)]
    pub(crate) keep: bool,
    /// Do not take in the container's orphans
    #[arg(long)]
    pub(crate) no_subreaper: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KillArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// A name (TERM, SIGTERM, RTMIN+3) or a number
    #[arg(value_name = "SIGNAL", default_value = "TERM")]
    pub(crate) signal: String,
    /// Send it to every process of the container
    #[arg(short, long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Kill it first; one that does not exist is no error
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The program and its words; those of the config.json are not used
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
    /// A file with the whole process, as in config.json
    #[arg(short, long, value_name = "FILE")]
    pub(crate) process: Option<PathBuf>,
    /// The working directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<String>,
    /// One more variable of the environment
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// With a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Who runs it, as numbers
    #[arg(short, long, value_name = "UID[:GID]", value_parser = user)]
    pub(crate) user: Option<(u32, Option<u32>)>,
    /// One more group, as a number
    #[arg(short = 'g', long, value_name = "GID")]
    pub(crate) additional_gids: Vec<u32>,
    /// Do not wait for its end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// SELinux's label
    #[arg(long, value_name = "LABEL")]
    pub(crate) process_label: Option<String>,
    /// AppArmor's profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) apparmor: Option<String>,
    /// Gain nothing by executing a program; with `=false` it may, though config.json says otherwise
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = boolean
    )]
    pub(crate) no_new_privs: Option<bool>,
    /// One more capability
    #[arg(short = 'c', long, value_name = "CAP")]
    pub(crate) cap: Vec<String>,
    /// A cgroup below the container's own that is there already
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup: Vec<String>,
    /// Also in a container that is paused
    #[arg(long)]
    pub(crate) ignore_paused: bool,
    #[command(flatten)]
    pub(crate) handed: Handed,
}

#[derive(Debug, Args)]
pub(crate) struct PsArguments {
    /// What ps(1) prints of them, or their numbers alone
    #[arg(short, long, default_value = "table")]
    pub(crate) format: Format,
    /// The container, and words for ps(1); without any, -ef
    #[arg(value_name = "ID [PS-WORD]", required = true, trailing_var_arg = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print once what it uses
    #[arg(long)]
    pub(crate) stats: bool,
    /// The time between two looks: 500ms, 5s, 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// A table for people, or JSON
    #[arg(short, long, default_value = "table")]
    pub(crate) format: Format,
    /// Ids alone
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    /// The folder for config.json; otherwise the current one
    #[arg(short, long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// One for a user who is not root
    #[arg(long)]
    pub(crate) rootless: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Refused {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}
