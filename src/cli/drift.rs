//! `config history`, `config drift`: what was in force before, and what lies beside it.

use orlop::control::{DriftReply, FileDrift, HistoryReply, PlanReply, Request};

use super::client::Client;
use super::failure::Failure;
use super::reload::{CHANGES, mistakes, show, show_mistakes};
use super::screen::{Screen, Tone, printable};
use super::table::{self, Cell};

pub(super) fn history(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let history: HistoryReply = client.call(&Request::ConfigHistory)?;
    if json {
        return screen.json(&history);
    }
    let rows = history.versions.iter().map(|version| {
        let changes = if version.changes.is_empty() { None } else { Some(version.changes.join("; ")) };
        [
            Cell::plain(&version.number.to_string()),
            Cell::plain(&version.since),
            Cell::plain(&version.by),
            Cell::maybe(changes.as_deref()),
        ]
    });
    notice(screen, history.notice.as_deref())?;
    table::show(screen, ["NUMBER", "SINCE", "BY", "CHANGES"], rows.collect())
}

pub(super) fn drift(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let drift: DriftReply = client.call(&Request::ConfigDrift)?;
    if json {
        screen.json(&drift)?;
    }
    let DriftReply { number, files, containers, host, mistakes: found, kernel, notice: why } = drift;
    let plan = PlanReply { number, containers, host, mistakes: found };
    if !json {
        notice(screen, why.as_deref())?;
        for file in &files {
            let tone = match file.drift {
                FileDrift::Added => Tone::Good,
                FileDrift::Removed => Tone::Bad,
                FileDrift::Changed => Tone::Busy,
            };
            let drift = screen.colours.paint(tone, &format!("{:<8}", file.drift.as_str()));
            screen.line(&format!("{drift} {}", printable(&file.path)))?;
        }
        for difference in &kernel {
            let tone = if difference.updated { Tone::Busy } else { Tone::Bad };
            let label = screen.colours.paint(tone, "kernel  ");
            screen.line(&format!("{label} {}", printable(&difference.text)))?;
        }
        show_mistakes(screen, &plan.mistakes)?;
        if kernel.is_empty() || !files.is_empty() || !plan.changes_nothing() {
            show(screen, &plan)?;
        }
    }
    if plan.has_errors() {
        return Err(mistakes(&plan));
    }
    if files.is_empty() && kernel.is_empty() && plan.changes_nothing() {
        return Ok(());
    }
    Err(Failure::Coded { code: CHANGES, line: None })
}

/// Why the configuration on the disk is not in force.
fn notice(screen: &mut Screen<'_>, notice: Option<&str>) -> Result<(), Failure> {
    notice.map_or(Ok(()), |notice| screen.line(&format!("note: {}", printable(notice))))
}
