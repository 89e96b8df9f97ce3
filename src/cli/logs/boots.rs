//! `orlop logs --boots`: the boots of which the disk has logs.

use orlop::control::{BootsReply, KeptBoot, Request};
use serde_json::Value;

use crate::cli::client::{Client, Time, understand};
use crate::cli::failure::Failure;
use crate::cli::screen::{Screen, Tone};
use crate::cli::table::{self, Cell};
use crate::cli::units;

pub(super) fn boots(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let mut answer = Value::Null;
    // There is one answer. A slow disk may take its time for it, and the machine says when one does not answer at all.
    client.stream(&Request::Boots, Time::Unlimited, |value| {
        answer = value;
        Ok(())
    })?;
    if json {
        return screen.json(&answer);
    }
    let reply: BootsReply = understand(answer)?;
    let rows = reply.boots.iter().map(row).collect();
    table::show(screen, ["BOOT", "BEGAN", "LAST", "LOGS", "SIZE", "ID"], rows)
}

fn row(boot: &KeptBoot) -> [Cell; 6] {
    let number = if boot.before == 0 { String::from("0") } else { format!("-{}", boot.before) };
    [
        Cell::new(if boot.before == 0 { Tone::Good } else { Tone::Plain }, &number),
        Cell::maybe(boot.began.as_deref().map(second)),
        Cell::maybe(boot.last.as_deref().map(second)),
        Cell::plain(&boot.logs.to_string()),
        Cell::plain(&units::bytes(boot.bytes)),
        Cell::plain(&boot.id),
    ]
}

/// RFC 3339 without what is below a second.
fn second(time: &str) -> &str {
    time.get(..19).unwrap_or(time)
}
