//! The options of plans, reloads and the configuration in force.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::Json;
use super::options::time;

pub(super) const PLAN: &str = "\
Examples:
  orlop plan config/             the folder here, against what the machine runs
  orlop plan config/ --json | jq '.containers[] | select(.action == \"restart\") | .name'
  orlop plan                     the machine's own folder, if it was changed there

Each line has what is done to a container, because of which keys, and where it is declared. The
machine plans, by what it has: images and files that are not there are mistakes. Exit codes: 0
nothing would change, 3 something would, 1 it has mistakes or failed, 2 wrong usage.";

pub(super) const RELOAD: &str = "\
Examples:
  orlop reload config/
  orlop reload --confirm 60s config/   the one before comes back unless this one is confirmed
  orlop reload --confirmed

All of it is judged first, and nothing is done when it has a mistake. What did not change is not
restarted; `orlop plan` tells what will be. It holds until the next boot, which has the
configuration that the machine was built with; with [host.disk] it holds until the machine is built anew.";

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// A folder of TOML, or a file; without it: the folder that the machine was booted with
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct ReloadArguments {
    /// A folder of TOML, or a file; without it: the folder that the machine was booted with
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Go back to what was before, unless it is confirmed within this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) confirm: Option<Duration>,
    /// Confirm the last reload
    #[arg(long, conflicts_with_all = ["path", "confirm"])]
    pub(crate) confirmed: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print it, all files after one another, or as JSON
    #[command(after_help = "\
Examples:
  orlop config get
  orlop config get --json | jq -r '.files[].path'")]
    Get(Json),

    /// Change one key or several of it, and nothing else, comments neither; then as a reload does
    #[command(after_help = "\
Examples:
  orlop config set container.web.limits.memory=128M
  orlop config set host.hostname=gateway-8 'container.web.command=[\"/app\", \"--fast\"]'
  orlop config set --confirm 60s container.web.user=1000:1000

A value is written as in TOML; what is not TOML is a text, and its quotes may be left out.")]
    Set(SetArguments),

    /// Open it in $VISUAL or $EDITOR here; then as a reload does
    #[command(after_help = "\
Examples:
  orlop config edit
  orlop config edit --confirm 60s

What has a mistake is kept, and where; it is refused when the configuration in force is another one by
then.")]
    Edit(EditArguments),

    /// Go back to the configuration before the one in force, or to an earlier one, as a reload does
    #[command(after_help = "\
Examples:
  orlop config rollback          twice: where it was
  orlop config rollback 3        to one that `orlop config history` lists
  orlop config rollback --built-in")]
    Rollback(RollbackArguments),

    /// List the configurations that were in force since boot, and before it where a disk keeps them
    #[command(after_help = "\
Examples:
  orlop config history
  orlop config history --json | jq '.versions[-1].changes'

The last one is in force. 16 others are kept: in memory, and with [host.disk] on the disk, so that they
outlive the boot. A note says why the one that the disk had is not in force.")]
    History(Json),

    /// Compare the folder that the machine was booted with, and the kernel, to what is in force
    #[command(after_help = "\
Examples:
  orlop config drift
  orlop config drift --json | jq -r '.files[].path'

Files first, which may differ in comments alone; then what the kernel has otherwise than it is declared
(limits, standing still, host name, sysctls); then what `orlop reload` would do. Exit codes:
0 nothing differs, 3 something does, 1 it has mistakes or failed, 2 wrong usage.")]
    Drift(Json),
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// Of `orlop config history`; without it: the one before
    #[arg(value_name = "NUMBER")]
    pub(crate) number: Option<u64>,
    /// To the configuration that the machine was built with
    #[arg(long, conflicts_with = "number")]
    pub(crate) built_in: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// As container.web.limits.memory=128M
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub(crate) changes: Vec<String>,
    /// Go back to what was before, unless it is confirmed within this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) confirm: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct EditArguments {
    /// Go back to what was before, unless it is confirmed within this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) confirm: Option<Duration>,
}
