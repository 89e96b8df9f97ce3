//! `orlop spec` and `orlop audit`: what containers get, and how far that opens them to the machine.

use std::fs;
use std::sync::Arc;

use orlop::config::{self, Container, Diagnostic, Severity, read};
use orlop::container::seccomp::{Seccomp, read_profile};
use orlop::container::spec::Spec;
use orlop::container::{
    Audit, Defaults, DeviceKind, Facts, Finding, HostDevice, Level, audit, capabilities, compile, first_id,
};
use orlop::control::{ListReply, Request, SpecReply, State};
use orlop::ordered::Ordered;
use serde::Serialize;

use super::arguments::{AuditArguments, SpecArguments};
use super::check;
use super::client::{Client, understand};
use super::failure::{self, Failure};
use super::names;
use super::screen::{Screen, Tone};
use super::table::{self, Cell};

/// `orlop spec`. It is JSON, asked for or not.
pub(crate) fn spec(
    client: &mut Client,
    screen: &mut Screen<'_>,
    asked: &SpecArguments,
) -> Result<(), Failure> {
    let bundle = asked.bundle.clone();
    let reply: SpecReply = understand(client.ask(&Request::Spec { name: asked.name.clone(), bundle })?)?;
    screen.json(&reply.spec)
}

/// One container's, in numbers as people read them.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    exposure: f64,
    level: Level,
    findings: Vec<ShownFinding>,
}

#[derive(Debug, Serialize)]
struct ShownFinding {
    key: String,
    what: String,
    why: String,
    exposure: f64,
    opened: bool,
}

fn tenths(tenths: u32) -> f64 {
    f64::from(tenths) / 10.0
}

/// Of the machine's containers.
pub(crate) fn on_machine(
    client: &mut Client,
    screen: &mut Screen<'_>,
    asked: &AuditArguments,
) -> Result<(), Failure> {
    let names = match asked.names.is_empty() {
        false => asked.names.clone(),
        true => {
            let list: ListReply = understand(client.ask(&Request::List)?)?;
            let valid = list.containers.into_iter().filter(|container| container.state != State::Invalid);
            valid.map(|container| container.name).collect()
        }
    };
    let mut audits = Vec::new();
    let failures = names::each(client, &names, |client, name| {
        audits.push((name.to_owned(), one(client, name)?));
        Ok(())
    })?;
    show(screen, asked, audits)?;
    failure::all(failures)
}

fn one(client: &mut Client, name: &str) -> Result<Audit, Failure> {
    let reply: SpecReply = understand(client.ask(&Request::Spec { name: name.to_owned(), bundle: None })?)?;
    // As a bundle's is read: by the same code.
    let spec: Spec = serde_json::to_vec(&reply.spec)
        .and_then(|text| serde_json::from_slice(&text))
        .map_err(|error| Failure::Failed(format!("{name}: what came is no spec: {error}")))?;
    Ok(audit(&spec))
}

/// Of a configuration, without a machine and without its images.
pub(crate) fn of_configuration(screen: &mut Screen<'_>, asked: &AuditArguments) -> Result<(), Failure> {
    let reading = read(&check::sources(&asked.config)?);
    let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
    if let Some(error) = reading.diagnostics.iter().find(is_error) {
        let why = format!("`orlop check` finds mistakes, the first in {}:{}", error.file, error.line);
        return Err(Failure::Failed(why));
    }
    let base = check::base(&asked.config);
    let mut audits = Vec::new();
    for (name, container) in &reading.config.containers {
        if asked.names.is_empty() || asked.names.contains(name) {
            let profile = profile(container, &base)?;
            audits.push((name.clone(), audit(&imagined(container, profile))));
        }
    }
    if let Some(name) = asked.names.iter().find(|name| !reading.config.containers.contains_key(*name)) {
        return Err(Failure::Failed(format!("no container is called {name}")));
    }
    show(screen, asked, audits)
}

fn profile(container: &Container, base: &std::path::Path) -> Result<Option<Arc<Seccomp>>, Failure> {
    let config::Seccomp::File(path) = &container.seccomp else { return Ok(None) };
    let failed = |why: String| Failure::Failed(format!("{path}: {why}"));
    let bytes = fs::read(base.join(path)).map_err(|error| failed(error.to_string()))?;
    let profile = read_profile(&bytes, capabilities(container)).map_err(|error| failed(error.to_string()))?;
    Ok(Some(profile.into()))
}

/// By the names that Linux gives block devices.
fn is_disk(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let prefixes = ["sd", "vd", "hd", "xvd", "nvme", "mmcblk", "loop", "dm-", "md", "ram", "zram", "nbd"];
    let is_named = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_alphanumeric()))
    };
    // The character devices among them: the controller of an NVMe disk.
    prefixes.into_iter().any(is_named) && name.strip_prefix("nvme").is_none_or(|rest| rest.contains('n'))
        || path.starts_with("/dev/disk/")
        || path.starts_with("/dev/mapper/")
}

/// As it would be on a machine that has every device, from an image that says nothing.
fn imagined(container: &Container, seccomp: Option<Arc<Seccomp>>) -> Spec {
    // Its number tells them apart and means nothing.
    let device = |(minor, source): (u32, &str)| HostDevice {
        path: source.to_owned(),
        kind: if is_disk(source) { DeviceKind::Block } else { DeviceKind::Character },
        major: 0,
        minor,
        mode: 0o600,
    };
    let sources = (0..).zip(container.devices.iter().map(|it| it.source.as_str()));
    let devices = sources.map(|(minor, source)| (source.to_owned(), vec![device((minor, source))]));
    let facts = Facts {
        first_id: first_id(0),
        devices: devices.ordered(),
        dev: "/run/orlop/dev".into(),
        files: format!("/run/orlop/containers/{}", container.name),
        volumes: "/run/orlop/volumes".into(),
        seccomp,
        ..Facts::default()
    };
    let mut spec = compile(container, &Defaults::default(), &facts);
    let user = container.user.as_deref().map(|user| user.split(':').next().unwrap_or_default());
    if let (Some(process), Some(user)) = (&mut spec.process, user.filter(|user| *user != "root")) {
        // Any other name is somebody else's.
        process.user.uid = user.parse().unwrap_or(u32::MAX);
    }
    spec
}

fn show(
    screen: &mut Screen<'_>,
    asked: &AuditArguments,
    audits: Vec<(String, Audit)>,
) -> Result<(), Failure> {
    if asked.json.json {
        let shown: Vec<Shown> = audits.into_iter().map(|(name, audit)| shown(name, audit)).collect();
        return screen.json(&shown);
    }
    for (index, (name, audit)) in audits.iter().enumerate() {
        if index > 0 {
            screen.line("")?;
        }
        let tone = tone(audit.level);
        let level = screen.colours.paint(tone, audit.level.word());
        screen.line(&format!("{name}: {level}, {:.1} of 10", tenths(audit.exposure)))?;
        if !audit.findings.is_empty() {
            let rows = audit.findings.iter().map(row).collect();
            table::show(screen, ["EXPOSURE", "OPENED", "KEY", "WHAT", "WHY"], rows)?;
        }
    }
    Ok(())
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Closed => Tone::Good,
        Level::Medium => Tone::Busy,
        Level::Exposed | Level::Open => Tone::Bad,
    }
}

fn row(finding: &Finding) -> [Cell; 5] {
    let (tone, opened) = if finding.opened { (Tone::Busy, "yes") } else { (Tone::Quiet, "-") };
    [
        Cell::plain(&format!("{:.1}", tenths(finding.weight))),
        Cell::new(tone, opened),
        Cell::plain(&finding.key),
        Cell::plain(&finding.what),
        Cell::plain(&finding.why),
    ]
}

fn shown(name: String, audit: Audit) -> Shown {
    let finding = |it: Finding| ShownFinding {
        key: it.key,
        what: it.what,
        why: it.why,
        exposure: tenths(it.weight),
        opened: it.opened,
    };
    Shown {
        name,
        exposure: tenths(audit.exposure),
        level: audit.level,
        findings: audit.findings.into_iter().map(finding).collect(),
    }
}
