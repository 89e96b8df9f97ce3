//! The options of what is told of a shutdown.

use clap::Args;

use super::Json;

pub(super) const SHUTDOWN: &str = "\
Examples:
  orlop shutdown --status        who is up still, what for, and how much time is left
  orlop shutdown --status --json | jq -r '.shutdown.containers[] | select(.stage != \"gone\") | .name'

It is answered as long as the shutdown goes on. `orlop poweroff` and `orlop reboot` begin one.";

#[derive(Debug, Args)]
pub(crate) struct ShutdownArguments {
    /// Of the shutdown that goes on
    #[arg(long, required = true)]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
