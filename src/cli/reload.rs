//! `plan`, `reload`, `config`: sends a folder, and shows what becomes of it. The machine judges.

use std::path::Path;
use std::time::Duration;

use orlop::control::{
    ConfigFile, ConfigMistake, ConfigReply, Empty, MAX_CHUNK, PlanAction, PlanContainer, PlanKey, PlanReply,
    ReloadClass, ReloadReply, Request, UploadReply,
};

use super::arguments::{ConfigCommand, PlanArguments, ReloadArguments};
use super::check;
use super::client::Client;
use super::drift;
use super::edited;
use super::failure::Failure;
use super::screen::{Screen, Tone, printable};

/// Something would change.
pub(super) const CHANGES: u8 = 3;

pub(crate) fn plan(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &PlanArguments,
) -> Result<(), Failure> {
    let sent = send(client, arguments.path.as_deref())?;
    let plan: PlanReply = client.call(&Request::Plan { sent })?;
    if arguments.json.json {
        screen.json(&plan)?;
    } else {
        show_mistakes(screen, &plan.mistakes)?;
        show(screen, &plan)?;
    }
    if plan.has_errors() {
        return Err(mistakes(&plan));
    }
    if plan.changes_nothing() {
        return Ok(());
    }
    Err(Failure::Coded { code: CHANGES, line: None })
}

pub(crate) fn reload(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &ReloadArguments,
) -> Result<(), Failure> {
    if arguments.confirmed {
        let Empty {} = client.call(&Request::ConfirmReload)?;
        return screen.line("confirmed: it stays");
    }
    let sent = send(client, arguments.path.as_deref())?;
    put(client, screen, sent, arguments.confirm, None)
}

/// Shows what will be done, and has it done. `base`: only if this one is still in force.
fn put(
    client: &mut Client,
    screen: &mut Screen<'_>,
    sent: bool,
    confirm: Option<Duration>,
    base: Option<u64>,
) -> Result<(), Failure> {
    let plan: PlanReply = client.call(&Request::Plan { sent })?;
    show_mistakes(screen, &plan.mistakes)?;
    if plan.has_errors() {
        return Err(mistakes(&plan));
    }
    show(screen, &plan)?;
    let confirm_ms = confirm.map(|time| time.as_millis() as u64);
    let done: ReloadReply = client.call(&Request::Reload { sent, confirm_ms, base })?;
    if plan.changes_nothing() {
        return righted(screen, &done);
    }
    told(screen, &done, confirm)
}

pub(crate) fn config(
    client: &mut Client,
    screen: &mut Screen<'_>,
    command: &ConfigCommand,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Get(shown) => {
            let config: ConfigReply = client.call(&Request::Config)?;
            if shown.json {
                return screen.json(&config);
            }
            for file in &config.files {
                screen.line(&format!("# {}", printable(&file.path)))?;
                screen.line(file.text.trim_end())?;
            }
            Ok(())
        }
        ConfigCommand::Set(set) => {
            let ConfigReply { number, files, .. } = client.call(&Request::Config)?;
            let files = edited::set(files, &set.changes)?;
            send_files(client, &files)?;
            put(client, screen, true, set.confirm, Some(number))
        }
        ConfigCommand::Edit(edit) => {
            let ConfigReply { number, files, .. } = client.call(&Request::Config)?;
            let Some(folder) = edited::edit(&files, &edited::editor())? else {
                return screen.line("nothing changes");
            };
            let sent = send(client, Some(folder.path()))?;
            put(client, screen, sent, edit.confirm, Some(number)).map_err(|failure| folder.kept(failure))?;
            folder.remove();
            Ok(())
        }
        ConfigCommand::Rollback(back) => {
            let done: ReloadReply = {
                let built_in = back.built_in.then_some(true);
                client.call(&Request::Rollback { number: back.number, built_in })?
            };
            told(screen, &done, None)
        }
        ConfigCommand::History(shown) => drift::history(client, screen, shown.json),
        ConfigCommand::Drift(shown) => drift::drift(client, screen, shown.json),
    }
}

fn told(screen: &mut Screen<'_>, done: &ReloadReply, confirm: Option<Duration>) -> Result<(), Failure> {
    let lasts = match (done.lasts, confirm) {
        (false, _) => ", until the next boot",
        (true, None) => "; the disk keeps it for the next boot",
        (true, Some(_)) => "; the disk keeps it for the next boot once it is confirmed",
    };
    screen.line(&format!("configuration {} is in force{lasts}", done.number))?;
    if let Some(time) = confirm {
        let seconds = time.as_secs();
        screen.line(&format!(
            "the one before comes back in {seconds} s; to keep this one: orlop reload --confirmed"
        ))?;
    }
    righted(screen, done)
}

/// What others had changed in the kernel; what could not be made as it is declared is a failure.
fn righted(screen: &mut Screen<'_>, done: &ReloadReply) -> Result<(), Failure> {
    for line in &done.righted {
        let label = screen.colours.paint(Tone::Busy, "kernel  ");
        screen.line(&format!("{label} {}", printable(line)))?;
    }
    match done.problems.as_slice() {
        [] => Ok(()),
        problems => Err(Failure::Failed(format!("in force, but for: {}", problems.join("; ")))),
    }
}

/// What is there under these paths, by the names of the files. `false`: nothing was asked for.
fn send(client: &mut Client, path: Option<&Path>) -> Result<bool, Failure> {
    let Some(path) = path else { return Ok(false) };
    let name = |path: String| match Path::new(&path).file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path,
    };
    let found = check::sources(&[path.to_owned()])?.into_iter();
    let files: Vec<ConfigFile> =
        found.map(|source| ConfigFile { path: name(source.path), text: source.text }).collect();
    send_files(client, &files)?;
    Ok(true)
}

fn send_files(client: &mut Client, files: &[ConfigFile]) -> Result<(), Failure> {
    let bytes =
        serde_json::to_vec(files).map_err(|error| Failure::Failed(format!("cannot write JSON: {error}")))?;
    let Empty {} = client.call(&Request::ConfigBegin { size: bytes.len() as u64 })?;
    for chunk in bytes.chunks(MAX_CHUNK) {
        let UploadReply { .. } = client.call(&Request::ConfigChunk { data: chunk.to_vec() })?;
    }
    Ok(())
}

pub(super) fn show_mistakes(screen: &mut Screen<'_>, mistakes: &[ConfigMistake]) -> Result<(), Failure> {
    for mistake in mistakes {
        let (what, place) = mistake.text.split_once('\n').unwrap_or((&mistake.text, ""));
        let tone = if mistake.is_error() { Tone::Bad } else { Tone::Busy };
        let what = screen.colours.paint(tone, &printable(what));
        let place: Vec<String> = place.lines().map(printable).collect();
        screen.line(&format!("{what}\n{}\n", place.join("\n")))?;
    }
    Ok(())
}

pub(super) fn mistakes(plan: &PlanReply) -> Failure {
    let errors = plan.mistakes.iter().filter(|mistake| mistake.is_error()).count();
    Failure::Failed(match errors {
        1 => String::from("the configuration has a mistake; nothing was changed"),
        errors => format!("the configuration has {errors} mistakes; nothing was changed"),
    })
}

pub(super) fn show(screen: &mut Screen<'_>, plan: &PlanReply) -> Result<(), Failure> {
    if plan.has_errors() {
        return Ok(());
    }
    if plan.changes_nothing() {
        return screen.line("nothing changes");
    }
    let widest = plan.containers.iter().map(|it| it.name.chars().count()).max().unwrap_or_default();
    for container in &plan.containers {
        let tone = match container.action {
            PlanAction::Start => Tone::Good,
            PlanAction::Stop => Tone::Bad,
            PlanAction::Restart => Tone::Busy,
            PlanAction::Change => Tone::Plain,
        };
        let action = screen.colours.paint(tone, &format!("{:<8}", container.action.as_str()));
        let line = format!("{:<widest$}  {}", container.name, why(container));
        screen.line(format!("{action} {}", printable(&line)).trim_end())?;
    }
    for key in &plan.host {
        let action = screen.colours.paint(Tone::Plain, "machine ");
        screen.line(&format!("{action} {}", printable(&because(key))))?;
    }
    Ok(())
}

/// The keys, whom it follows, and where it is declared.
fn why(container: &PlanContainer) -> String {
    let restarts = container.action == PlanAction::Restart;
    let of_stop = |key: &&PlanKey| {
        !restarts
            || container.follows.is_some()
            || !matches!(key.class, ReloadClass::None | ReloadClass::Live)
    };
    let keys = container.keys.iter().filter(of_stop).map(|key| match (container.action, key.class) {
        // One that runs at its times.
        (PlanAction::Change, ReloadClass::Restart | ReloadClass::Recreate) => {
            format!("{} (from its next time on)", key.key)
        }
        (PlanAction::Change | PlanAction::Start | PlanAction::Stop | PlanAction::Restart, _) => because(key),
    });
    let follows = container.follows.iter().map(|name| format!("follows {name}"));
    let why: Vec<String> = follows.chain(keys).collect();
    let place = container.declared_at.as_ref().map(|place| format!("({place})"));
    [why.join(", ")].into_iter().chain(place).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

fn because(key: &PlanKey) -> String {
    match key.class {
        ReloadClass::Reboot => format!("{} needs a reboot", key.key),
        ReloadClass::None | ReloadClass::Live | ReloadClass::Restart | ReloadClass::Recreate => {
            key.key.clone()
        }
    }
}
