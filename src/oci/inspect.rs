//! `state` and `list`: what is known of containers, in the specification's words and runc's.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use serde::Serialize;

use super::arguments::{Format, ListArguments};
use super::container::{Container, Status};
use super::failure::{Failure, Result};
use super::log::Log;
use super::out::Out;
use super::record::Record;
use super::store::Store;
use super::users;
use crate::linux::directory;

/// The state of a container as hooks and engines read it (runtime.md, State), and what runc adds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State<'a> {
    oci_version: &'a str,
    id: &'a str,
    pid: i32,
    status: &'static str,
    bundle: &'a str,
    rootfs: &'a str,
    created: &'a str,
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// What it does without, where there was no cgroup v2 to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
}

impl<'a> State<'a> {
    pub(crate) fn new(record: &'a Record, status: Status, pid: i32) -> Self {
        let missing = record.cgroup.is_none().then_some("cgroup v2: no limits, no device filter, no pause");
        Self {
            oci_version: &record.oci_version,
            id: &record.id,
            pid,
            status: status.name(),
            bundle: &record.bundle,
            rootfs: &record.rootfs,
            created: &record.created,
            annotations: &record.annotations,
            owner: None,
            missing: missing.filter(|_| !matches!(status, Status::Creating)),
        }
    }

    /// On one line, as hooks get it.
    pub(crate) fn json(&self) -> String {
        // It has string keys only, and nothing that can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// # Errors
/// There is none of this id.
pub(crate) fn state(store: Option<&Store>, id: &str, out: &mut Out) -> Result<()> {
    let container = Container::find(store, id)?;
    let state = State::new(&container.record, container.status, container.pid());
    out.pretty_json(&state)
}

/// # Errors
/// The directory of all containers cannot be read.
pub(crate) fn list(store: Option<&Store>, asked: &ListArguments, log: &Log, out: &mut Out) -> Result<()> {
    let ids = store.map(Store::ids).transpose()?.unwrap_or_default();
    if asked.quiet {
        return ids.iter().try_for_each(|id| out.line(id));
    }
    let mut found = Vec::new();
    for id in ids {
        match Container::find(store, &id) {
            Ok(container) => found.push(container),
            // Deleted since, or not ours: the others are listed all the same.
            Err(failure) => log.warning(&failure.line()),
        }
    }
    let states = found.iter().map(|container| {
        let mut state = State::new(&container.record, container.status, container.pid());
        state.owner = directory::owner(container.folder.fd().as_fd()).ok().map(users::name);
        state
    });
    let states: Vec<State<'_>> = states.collect();
    match asked.format {
        Format::Json => {
            let text = serde_json::to_string(&states).map_err(|error| Failure::new(error.to_string()))?;
            out.line(&text)
        }
        Format::Table => table(&states).iter().try_for_each(|line| out.line(line)),
    }
}

/// Columns as wide as what is in them and three more, at least twelve.
fn table(states: &[State<'_>]) -> Vec<String> {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let row = |state: &State<'_>| {
        let owner = state.owner.clone().unwrap_or_default();
        [state.id, &state.pid.to_string(), state.status, state.bundle, state.created, &owner]
            .map(str::to_owned)
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(states.iter().map(row)).collect();
    let width = |column: usize| {
        let longest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        (longest.unwrap_or_default() + 3).max(12)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<String>().trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_runcs_columns() {
        let mut record = Record::new("web");
        record.bundle = String::from("/bundles/web");
        record.created = String::from("2026-11-21T10:00:00.000000Z");
        let mut state = State::new(&record, Status::Running, 4711);
        state.owner = Some(String::from("root"));
        assert_eq!(
            table(&[state]),
            [
                "ID          PID         STATUS      BUNDLE         CREATED                       OWNER",
                "web         4711        running     /bundles/web   2026-11-21T10:00:00.000000Z   root",
            ]
        );
    }

    #[test]
    fn hooks_read_what_the_specification_has() {
        let mut record = Record::new("web");
        record.oci_version = String::from("1.2.0");
        record.annotations.insert(String::from("a"), String::from("b"));
        assert_eq!(
            State::new(&record, Status::Creating, 7).json(),
            "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"pid\":7,\"status\":\"creating\",\"bundle\":\"\",\
             \"rootfs\":\"\",\"created\":\"\",\"annotations\":{\"a\":\"b\"}}"
        );
    }
}
