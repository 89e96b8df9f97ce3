//! The options of what is simulated and drawn.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use orlop::control::When;

use super::Json;

pub(super) const SIMULATE: &str = "\
Examples:
  orlop simulate config/
  orlop simulate config/ --fail db=oom@boot --fail web=exit:1@30s
  orlop simulate config/ --fail api=hang@stop --for 5m --shutdown 4m --svg api.svg
  orlop simulate config/ --gate network-online=open@20s --connect web@1m --connect web=admin@90s

WHAT                                 WHEN
  exit:CODE, signal:NAME, oom          boot, start, TIME, run:TIME
  fail, image, unready                 boot, start
  hang                                 boot, start, stop, TIME, run:TIME
  slow:TIME                            boot, start, stop
  unkillable                           stop

boot is the first start, start every one, stop every stop; TIME counts from boot, run:TIME from
each start. Gates are open unless --gate says that they are not, and nobody connects unless --connect
says so: NAME@TIME is its first socket, NAME=SOCKET@TIME another, by name or place. Who connects waits
until the program runs. It is decided by the same code as on a machine; only the time is not waited for.";

pub(super) const GRAPH: &str = "\
Examples:
  orlop graph > machine.svg            of the machine, coloured by state
  orlop graph config/ > config.svg     of a configuration, without a machine
  orlop graph --dot | dot -Tpng -o machine.png

An arrow leads from a container to what it depends on, and says what that has to be.";

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// Files and folders of TOML, as one configuration
    #[arg(value_name = "CONFIG", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// What goes wrong, as often as wanted: db=oom@boot, web=exit:1@30s, api=hang@start
    #[arg(long = "fail", value_name = "NAME=WHAT@WHEN")]
    pub(crate) fails: Vec<String>,
    /// Somebody connects to a socket, as often as wanted: web@30s, web=admin@1m
    #[arg(long = "connect", value_name = "NAME[=SOCKET]@TIME")]
    pub(crate) connects: Vec<String>,
    /// A gate opens or shuts, as often as wanted: network-online=shut, path:/run/x=open@20s
    #[arg(long = "gate", value_name = "GATE=open|shut[@TIME]")]
    pub(crate) gates: Vec<String>,
    /// How much time passes, from the boot on
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = simulated)]
    pub(crate) time: Duration,
    /// How late it is at boot, in UTC: 14:30 (of a Monday), 2026-11-21T22:46:01Z
    #[arg(long = "at", value_name = "TIME", default_value = "00:00", value_parser = late)]
    pub(crate) at_boot: Duration,
    /// When the machine is asked to power off
    #[arg(long, value_name = "TIME", value_parser = simulated)]
    pub(crate) shutdown: Option<Duration>,
    /// Draws the jitter of pauses and how long starts take
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Draw it as a timeline, into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// Files and folders of TOML, as one configuration; none is that of the machine
    #[arg(value_name = "CONFIG")]
    pub(crate) paths: Vec<PathBuf>,
    /// As a picture (this is the default)
    #[arg(long, conflicts_with = "dot")]
    pub(crate) svg: bool,
    /// As a graph in the language of Graphviz
    #[arg(long)]
    pub(crate) dot: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BootArguments {
    /// Print a picture: the phases, and each container on its way up
    #[arg(long, conflicts_with = "json")]
    pub(crate) svg: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// A Monday's midnight, in January: 2001-01-01, since 1970.
const MONDAY: i64 = 978_307_200 * BILLION;
const BILLION: i64 = 1_000_000_000;

fn late(text: &str) -> Result<Duration, String> {
    let nanos = match When::parse(text) {
        Some(When::At(nanos)) => Some(nanos),
        Some(When::TimeOfDay(nanos)) => Some(MONDAY.saturating_add(nanos)),
        Some(When::Ago(_) | When::SinceBoot(_)) | None => None,
    };
    let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok());
    nanos
        .map(Duration::from_nanos)
        .ok_or_else(|| "write 14:30[:05] (UTC), or 2026-11-21T22:46:01Z".to_owned())
}

/// The longest that can be simulated: a month.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

fn simulated(text: &str) -> Result<Duration, String> {
    let time = orlop::config::time(text).map_err(|mistake| match mistake.help {
        Some(help) => format!("{}; {help}", mistake.message),
        None => mistake.message,
    })?;
    if time > LONGEST {
        return Err(String::from("31d is the longest"));
    }
    Ok(time)
}
