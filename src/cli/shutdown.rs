//! `shutdown --status`: how far the machine is on its way down.

use std::time::Duration;

use orlop::control::{Leaving, LeavingStage, PowerAction, Request, Shutdown, ShutdownReply};

use super::arguments::ShutdownArguments;
use super::client::{Client, understand};
use super::failure::Failure;
use super::screen::{Screen, Tone, printable};
use super::table::{self, Cell};
use super::units;

pub(crate) fn shutdown(
    client: &mut Client,
    screen: &mut Screen<'_>,
    asked: &ShutdownArguments,
) -> Result<(), Failure> {
    let answer = client.ask(&Request::Shutdown)?;
    if asked.json.json {
        return screen.json(&answer);
    }
    let ShutdownReply { shutdown } = understand(answer)?;
    let Some(shutdown) = shutdown else { return screen.line("the machine is not being ended") };
    screen.line(&printable(&head(&shutdown)))?;
    if shutdown.containers.is_empty() {
        return Ok(());
    }
    let rows = shutdown.containers.iter().map(row).collect();
    table::show(screen, ["NAME", "STAGE", "LEFT", "TOOK", "WHY"], rows)
}

fn head(shutdown: &Shutdown) -> String {
    let what = match shutdown.action {
        PowerAction::Poweroff => "the machine powers off",
        PowerAction::Reboot => "the machine boots again",
    };
    let ago = time(shutdown.within_ms.saturating_sub(shutdown.left_ms));
    let left = match shutdown.done_ms {
        None => format!("{} left", time(shutdown.left_ms)),
        Some(done) => format!("the containers took {}, and disks are being unmounted", time(done)),
    };
    format!("{what}, asked for by {} {ago} ago; {left}", shutdown.by)
}

fn row(leaving: &Leaving) -> [Cell; 5] {
    let tone = match leaving.stage {
        LeavingStage::Gone => Tone::Good,
        LeavingStage::Killed | LeavingStage::Stuck => Tone::Bad,
        LeavingStage::Up | LeavingStage::Waits | LeavingStage::Asked | LeavingStage::Emptied => Tone::Busy,
    };
    let why = match leaving.waits_for.as_slice() {
        [] => leaving.cause.clone(),
        others => Some(format!("waits for {}", others.join(", "))),
    };
    [
        Cell::plain(&leaving.name),
        Cell::new(tone, leaving.stage.as_str()),
        Cell::maybe(leaving.left_ms.map(time).as_deref()),
        Cell::maybe(leaving.gone_ms.map(time).as_deref()),
        Cell::maybe(why.as_deref()),
    ]
}

fn time(ms: u64) -> String {
    units::duration(Duration::from_millis(ms))
}
