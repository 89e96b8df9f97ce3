//! Text → [`Config`], with an error that points at the line.
//!
//! [`read`] never fails. Each file becomes a tree of values with their places (`document`), the trees become
//! one (`merge`), the key tables say what is wrong with it (`check`, `keys`), what is right is taken over, and
//! what must hold between tables is held against the whole (`relation`). Whatever is wrong in a container makes
//! that container invalid and no other; whatever is wrong in `[host]` leaves a default.

mod admission;
mod change;
mod check;
mod collector;
mod depth;
mod diagnostic;
mod document;
mod family;
mod files;
mod in_force;
mod kernel_words;
mod keys;
mod life;
mod live;
mod machine;
mod merge;
mod model;
mod nearest;
mod pem;
mod reference;
mod relation;
mod report;
mod schema;
mod set;
mod shape;
pub mod signal;
mod socket;
mod sysctl;
mod tree;
mod value;

pub use admission::{Admission, FIRST_CONTAINER_ID, Readers};
pub use change::{KeyChange, ReloadClass, container_changes, host_changes};
pub use collector::*;
pub use diagnostic::{Diagnostic, Mistake, Severity};
pub use family::family;
pub use files::{FileKind, FileUse, files};
pub use in_force::{Doubt, InForce, Lasting, OnDisk, in_force};
pub use kernel_words::{KernelWords, LogLevel, kernel_words};
pub use life::*;
pub use live::{BadLimit, live_limits};
pub use machine::{Disk, DiskName, Watchdog};
pub use model::*;
pub use nearest::nearest;
pub use pem::{PEM_MAX, judge};
pub use reference::reference;
pub use schema::schema;
pub use set::set;
pub use socket::*;
pub use sysctl::{SysctlOwner, sysctl_owner};
pub use value::cron::{Cron, parse as cron};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use report::Report;
use tree::{Map, Node, Path, Place, Value};

/// Bytes of one file: a hundred times what an appliance with many containers needs.
const MAX_FILE: usize = 1 << 20;
/// Files of one folder; as many as containers.
const MAX_FILES: usize = MAX_CONTAINERS;
/// Containers on one machine: their ids and cgroups are made for some thousand.
const MAX_CONTAINERS: usize = 1024;
/// Levels of tables and lists: no key of ours is deeper than seven, and a sysctl is spelled in few more.
const MAX_DEPTH: usize = 16;

/// A time as keys have it: `500ms`, `1m30s`. `None`: it is none.
#[must_use]
pub fn duration(text: &str) -> Option<core::time::Duration> {
    value::time::parse(text).ok()
}

/// One TOML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As messages name it.
    pub path: String,
    pub text: String,
}

/// What a folder of TOML says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub config: Config,
    /// Every mistake in every file, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// Whether anything that was written is not used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A time as a configuration says it: `500ms`, `1m30s`.
pub fn time(text: &str) -> Result<Duration, Mistake> {
    value::time::parse(text)
}

/// What the machine has to be, as `gates` says it.
pub fn gate(text: &str) -> Result<Gate, Mistake> {
    value::gate::gate(text)
}

/// Reads all files as one document. What is wrong is in the diagnostics, and in [`Config::invalid`].
pub fn read(sources: &[Source]) -> Reading {
    let mut report = Report::new(sources);
    let mut tree = Map::default();
    for (file, source) in sources.iter().enumerate() {
        if file >= MAX_FILES {
            let mistake = Mistake::new(format!(
                "there are more than {MAX_FILES} files; this and the following are not read"
            ));
            report.error(Place { file, start: 0, end: 0 }, &Path::default(), mistake);
            break;
        }
        let map = document::parse(&mut report, file, source);
        merge::merge(&mut report, &mut tree, map);
    }
    leave_out_surplus(&mut report, &mut tree);
    family::expand(&mut report, &mut tree);
    check::check(&mut report, &mut tree, &keys::ROOT);
    family::forget_templates(&mut report, &tree);
    let mut config = Config::default();
    keys::ROOT.fill(&tree, &mut config);
    let declared = tree.get("container").and_then(Node::map);
    for (name, container) in &mut config.containers {
        if let Some(entry) = declared.and_then(|map| map.entries.get(name)) {
            container.declared_at = report.short(entry.at);
        }
    }
    relation::check(&mut report, &tree, &mut config);
    let (diagnostics, invalid) = report.finish();
    config.containers.retain(|name, _| !invalid.contains_key(name));
    config.invalid = invalid;
    Reading { config, diagnostics }
}

/// Containers beyond the limit are not looked at: those that come last in the text.
fn leave_out_surplus(report: &mut Report<'_>, tree: &mut Map) {
    let Some(containers) = tree.entries.get_mut("container") else { return };
    let Value::Table(map) = &mut containers.node.value else { return };
    if map.entries.len() <= MAX_CONTAINERS {
        return;
    }
    let surplus: Vec<(String, Place)> = map
        .in_order()
        .into_iter()
        .skip(MAX_CONTAINERS)
        .map(|(name, entry)| (name.into(), entry.at))
        .collect();
    for (name, at) in surplus {
        map.entries.remove(&name);
        let mistake =
            Mistake::new(format!("there are more than {MAX_CONTAINERS} containers; this one is left out"));
        report.error(at, &Path::keys(&["container", &name]), mistake);
    }
}
