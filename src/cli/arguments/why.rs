//! What can be asked about.

use clap::Args;

use super::Json;

pub(super) const WHY: &str = "\
Examples:
  orlop why web                  what it waits for, how it ended, what comes next
  orlop why boot                 what took long, what is missing, what the last kernel died of
  orlop why shutdown             while the machine goes down: who asked for it, what is still there
  orlop why web --json | jq '.ends[] | {cause: .cause.text, memory_peak_bytes}'

The last eight ends of each container are kept until the machine ends. Times are UTC.";

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// A container, boot or shutdown
    #[arg(value_name = "NAME|boot|shutdown")]
    pub(crate) subject: String,
    /// It is a container, whatever it is called
    #[arg(short, long)]
    pub(crate) container: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
