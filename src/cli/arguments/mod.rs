//! What can be typed, and the help for it. What it means is the other files' business.

mod debug;
mod options;
mod pictures;
mod reload;
mod replace;
mod shutdown;
mod why;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use debug::{CrashProcess, DebugCommand};
pub(crate) use options::{
    AttachArguments, AuditArguments, ChangeArguments, CheckArguments, CopyArguments, EventsArguments,
    ExecArguments, Json, KillArguments, LogLevelArguments, LogsArguments, NamesArguments, SpecArguments,
    StatsArguments, StatusArguments, TopArguments, UpdateArguments, UpgradeArguments,
};
pub(crate) use pictures::{BootArguments, GraphArguments, SimulateArguments};
pub(crate) use reload::{ConfigCommand, PlanArguments, ReloadArguments};
pub(crate) use shutdown::ShutdownArguments;
pub(crate) use why::WhyArguments;

/// Looks after a machine whose PID 1 is Orlop, and after its containers.
#[derive(Debug, Parser)]
#[command(
    name = "orlop",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "\
Examples:
  orlop ps                               what runs here, and why the rest does not
  orlop logs -f -n 20 web                the last lines of web, and what follows
  orlop --host unix:machine.sock ps      the same from outside a virtual machine
  orlop check config/                    judge a configuration, on any computer

Exit codes: 0 done, 1 it failed (one line says why), 2 wrong usage.
Colours are left out in a pipe, and where NO_COLOR is set."
)]
pub(crate) struct Arguments {
    /// The machine to talk to
    #[arg(
        long,
        global = true,
        value_name = "unix:PATH",
        default_value = "unix:/run/orlop/control.sock",
        value_parser = socket_path
    )]
    pub(crate) host: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the containers
    #[command(after_help = "\
Examples:
  orlop ps
  orlop ps --json | jq -r '.[] | select(.state != \"running\") | .name'")]
    Ps(Json),

    /// Show all that is known about a container
    #[command(after_help = "\
Examples:
  orlop status web
  orlop status --json web | jq .cause")]
    Status(StatusArguments),

    /// Print what containers wrote
    #[command(after_help = "\
Examples:
  orlop logs web                 all that is kept, byte for byte
  orlop logs -f -n 20 web db     the last 20 lines of both, and what follows
  orlop logs                     of all containers
  orlop logs -af                 and of the kernel and of Orlop, as it comes
  orlop logs --since 10m --grep ERROR
  orlop logs --since 14:30 --until 14:35 --json web | jq -r .text

With several containers each line begins with a name, and lines are in the order in which they
were read. Output that is gone (its memory was full, or it came faster than its rate) is told on
the standard error. With --json each object is one read, or with --grep one line; bytes that are
not UTF-8 are base64 in `data`. A message of syslog(3), of @kernel or of @orlop is shown as one line without its
priority; --json has it whole.")]
    Logs(LogsArguments),

    /// Show or change how much Orlop itself says
    #[command(after_help = "\
Examples:
  orlop log-level
  orlop log-level debug          until the next boot; the kernel's word orlop.log= is for every boot

It is said in the log @orlop and on the consoles.")]
    LogLevel(LogLevelArguments),
    /// Show what happened on the machine: states, ends, who asked for what
    #[command(after_help = "\
Examples:
  orlop events                   all that is kept since the boot
  orlop events -f web db         of both, and what happens from now on
  orlop events --since 10m --json | jq -r 'select(.kind == \"end\") | .name'

The last 1024 events of containers are kept, and the last 256 others (who asked for what, the
boot, supervisors, helpers), until the machine ends. How many older ones are gone is told on the
standard error. Times are UTC.")]
    Events(EventsArguments),

    /// Start a container, and wait until it runs
    #[command(after_help = "\
Examples:
  orlop start web
  orlop start --no-wait web db

It stays wanted until it is stopped; the next boot goes by the configuration.")]
    Start(ChangeArguments),

    /// Stop a container, and wait until it has ended
    #[command(after_help = "\
Examples:
  orlop stop web
  orlop stop --timeout 10 web db

It stays down until it is started, or until the next boot.")]
    Stop(ChangeArguments),

    /// Stop a container, start it again, and wait until it runs
    #[command(after_help = "Examples:\n  orlop restart web")]
    Restart(ChangeArguments),

    /// Start another one of a stuck container, beside what is left of it
    #[command(after_help = replace::REPLACE)]
    Replace(ChangeArguments),

    /// Send a signal to the main process of a container
    #[command(after_help = "\
Examples:
  orlop kill web                 SIGKILL
  orlop kill -s HUP web          as configuration is often reloaded

What is wanted does not change: the restart policy decides what follows.")]
    Kill(KillArguments),

    /// Execute a program in a container
    #[command(after_help = "\
Examples:
  orlop exec -it web /bin/sh
  orlop exec web cat /etc/hostname
  orlop exec -i db psql < dump.sql
  orlop exec -u 1000 -w /srv -e LANG=C web ./report

It has the container's environment, user, limits and namespaces, and no more power than the
container. When this command ends before it does, it is killed with all that it started. Exit
codes: its own, 128 + n when signal n ended it; 127 it was not found, 126 it cannot be executed,
125 anything else went wrong.")]
    Exec(ExecArguments),

    /// Show what a container writes from now on, and type into it
    #[command(after_help = "\
Examples:
  orlop attach game              until it ends, or ctrl-p ctrl-q is typed
  orlop attach --no-stdin web

One with `tty` or `stdin_open` in its configuration gets what is typed. SIGINT and others are
passed on to it unless --sig-proxy=false. Whoever leaves leaves it running. Exit codes: its own,
or 128 + n when signal n ended it; 0 after the detach keys.")]
    Attach(AttachArguments),

    /// Copy files to a container, or from one
    #[command(after_help = "\
Examples:
  orlop cp web:/var/log/app .        a folder, below this one
  orlop cp nginx.conf web:/etc/nginx/
  orlop cp config/. web:/etc/app     what is in a folder
  orlop cp web:/data - | tar t

One of both is NAME:PATH; - is a tar stream. A folder is copied with all that is in it, links as
links. Nothing is followed or written outside of either place. In the container files belong to
its root; here they are yours, without set-user-id bits. Devices, fifos and sockets are left
out, and named.")]
    Cp(CopyArguments),

    /// Show what containers use, once a second
    #[command(after_help = "\
Examples:
  orlop stats                    all that run, until Ctrl-C
  orlop stats --no-stream web    once
  orlop stats --json | jq '.containers[] | {name, memory_bytes}'

In a pipe, and with --json, it is shown once. The waits are the part of the last ten seconds in
which some process had to wait for the resource (the kernel's pressure figures).")]
    Stats(StatsArguments),

    /// Watch all containers and what they use, or list the processes of one
    #[command(after_help = "\
Examples:
  orlop top                      all, once a second: arrows select, enter shows the log
  orlop top --sort memory
  orlop top web                  the processes of web
  orlop top --json | jq '.[] | {name, memory: .figures.memory_bytes}'
  orlop top --json web | jq '.processes[].command'

Keys: q leaves; up, down, PgUp, PgDn select; enter opens and closes the log of the selected one, in
which PgUp and PgDn go back and forth; c, m, t, x, s, n sort by CPU, memory, tasks, restarts,
state, name, and r reverses. The small bars are the last minute, each to its own highest. WAITS are
the part of the last ten seconds in which some process had to wait for the processor, for memory,
for devices. In a pipe the table is shown once.")]
    Top(TopArguments),

    /// Print what a container gets, as the OCI runtime specification has it
    #[command(after_help = "\
Examples:
  orlop spec web
  orlop spec web | jq .linux.namespaces
  orlop spec web --bundle /run/web     a bundle on the machine, for any OCI runtime

Names are looked up in the image, and files of variables are read. An init of Orlop's own is no
part of it.")]
    Spec(SpecArguments),

    /// Tell what containers were opened to, and what it comes to
    #[command(after_help = "\
Examples:
  orlop audit                    of all containers of the machine
  orlop audit web --json | jq '.[].exposure'
  orlop audit --config config/   of a configuration, without a machine and its images

The exposure goes from 0 to 10. OPENED is what goes beyond a container that says nothing; the
rest could still be closed.")]
    Audit(AuditArguments),

    /// Freeze all processes of a container
    #[command(after_help = "\
Examples:
  orlop pause web
  orlop resume web

It stays so, whatever becomes of the supervisor, until it is resumed, stopped or killed.")]
    Pause(NamesArguments),

    /// Let a paused container go on; without a name: leave safe mode
    #[command(after_help = "\
Examples:
  orlop resume web
  orlop resume

The supervisor starts in safe mode after it crashed three times in a row. Containers that ran go
on to run; nothing is started or stopped unless it is asked for. Without a name, what is wanted
is then started.")]
    Resume {
        /// The paused containers
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },

    /// Change limits of a container that runs
    #[command(after_help = "\
Examples:
  orlop update web memory=128M cpus=0.5
  orlop update web pids=64

Keys and values are those of `limits` in the configuration. They hold until the container is
started again: the next start goes by the configuration. All are changed, or none.")]
    Update(UpdateArguments),

    /// Print what a reload would do, without doing it
    #[command(after_help = reload::PLAN)]
    Plan(PlanArguments),

    /// Put another configuration in force while the machine runs
    #[command(after_help = reload::RELOAD)]
    Reload(ReloadArguments),

    /// Show the configuration in force, or go back to the one before
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),

    /// Show the phases of the boot, and how long each took
    #[command(after_help = "\
Examples:
  orlop boot
  orlop boot --json | jq '.phases[] | select(.ok == false)'
  orlop boot --svg > boot.svg    a picture, with each container on its way up")]
    Boot(BootArguments),

    /// Tell which containers took longest to come up, and what they waited for
    #[command(after_help = "\
Examples:
  orlop blame

The first start of each since boot, the slowest first. WAITED FOR is what came last of what it
depends on, what that waited for, and so on, each with its time from wanted to ready.")]
    Blame,

    /// Draw what depends on what
    #[command(after_help = pictures::GRAPH)]
    Graph(GraphArguments),

    /// Tell why a container is in its state, why the boot was as it was, or why the machine goes down
    #[command(after_help = why::WHY)]
    Why(WhyArguments),

    /// Show which Orlop the machine runs, and for how long
    #[command(after_help = "\
Examples:
  orlop version
  orlop --version                this program's own, without a machine")]
    Version(Json),

    /// Stop everything in order and power the machine off
    #[command(after_help = "\
Examples:
  orlop poweroff")]
    Poweroff,

    /// Stop everything in order and boot the machine again
    #[command(after_help = "\
Examples:
  orlop reboot")]
    Reboot,

    /// Show how far a shutdown has come
    #[command(after_help = shutdown::SHUTDOWN)]
    Shutdown(ShutdownArguments),

    /// Replace the supervisor by another binary, without touching containers
    #[command(after_help = "\
Examples:
  orlop upgrade-self ./orlop

If the new one does not take everything over within 10 seconds, the old one comes back.
orlop-tls, where a machine has it, stays as it is: it comes with the boot file.")]
    UpgradeSelf(UpgradeArguments),

    /// Judge a configuration, as the machine would
    #[command(after_help = "\
Examples:
  orlop check config/
  orlop check --no-files gateway.toml

A folder stands for all *.toml in it; everything named is one document. Files are looked for
from the first folder named, or from where the first file is.")]
    Check(CheckArguments),

    /// Play a configuration, and print what would happen to it
    #[command(after_help = pictures::SIMULATE)]
    Simulate(SimulateArguments),

    /// Print the JSON Schema of the configuration, for editors
    #[command(after_help = "\
Examples:
  orlop schema > orlop.schema.json")]
    Schema,

    /// Break things on purpose
    #[command(subcommand, arg_required_else_help = true)]
    Debug(DebugCommand),

    /// Run containers as an OCI runtime, in the place of runc
    #[command(
        disable_help_flag = true,
        after_help = "\
Examples:
  orlop oci run --bundle DIR web
  orlop oci --help                     its own commands"
    )]
    Oci {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        words: Vec<std::ffi::OsString>,
    },

    /// Print the completions of a shell
    #[command(after_help = "\
Examples:
  orlop completions bash > /etc/bash_completion.d/orlop")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print a manual page
    #[command(after_help = "\
Examples:
  orlop man | man -l -
  orlop man logs > orlop-logs.1")]
    Man {
        /// The command to describe; none is all of it
        command: Vec<String>,
    },
}

fn socket_path(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        Some(_) | None => Err(String::from("write it as unix:PATH")),
    }
}
