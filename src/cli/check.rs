//! `orlop check`: the configuration judged by the machine's own code, without a machine.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use orlop::config::{Diagnostic, FileKind, FileUse, PEM_MAX, Severity, Source, files, judge, read};
use serde::Serialize;

use super::arguments::CheckArguments;
use super::failure::{self, Failure};
use super::screen::{Screen, Tone};

/// A mistake as `--json` shows it.
#[derive(Debug, Serialize)]
struct Finding<'a> {
    severity: String,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    key: &'a str,
    message: String,
    help: Option<&'a str>,
    notes: &'a [String],
    container: Option<&'a str>,
}

/// A file that is named and that is not as it should be.
#[derive(Debug)]
struct Missing {
    needed: FileUse,
    why: String,
}

pub(crate) fn check(screen: &mut Screen<'_>, arguments: &CheckArguments) -> Result<(), Failure> {
    let sources = sources(&arguments.paths)?;
    let reading = read(&sources);
    let missing = if arguments.no_files {
        Vec::new()
    } else {
        missing(&files(&reading.config), &base(&arguments.paths))
    };
    let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
    let errors = reading.diagnostics.iter().filter(is_error).count().saturating_add(missing.len());
    if arguments.json.json {
        screen.json(&findings(&reading.diagnostics, &missing))?;
    } else {
        for found in &reading.diagnostics {
            tell(screen, found.severity, &found.to_string())?;
        }
        for file in &missing {
            let FileUse { key, declared_at, .. } = &file.needed;
            let place = if declared_at.is_empty() { key } else { &format!("{declared_at}: {key}") };
            let text = format!("{}: {}\n --> {place}", Severity::Error, file.why);
            tell(screen, Severity::Error, &text)?;
        }
        if errors == 0 {
            let count = reading.config.containers.len();
            screen.line(&format!("the configuration is good; it declares {}", containers(count)))?;
        }
    }
    match errors {
        0 => Ok(()),
        1 => Err(Failure::Failed(String::from("the configuration has a mistake"))),
        errors => Err(Failure::Failed(format!("the configuration has {errors} mistakes"))),
    }
}

/// The first line says what, the others where and what to do.
fn tell(screen: &mut Screen<'_>, severity: Severity, text: &str) -> Result<(), Failure> {
    let tone = match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Busy,
    };
    let (what, place) = text.split_once('\n').unwrap_or((text, ""));
    let what = screen.colours.paint(tone, what);
    screen.line(&format!("{what}\n{place}\n"))
}

fn containers(count: usize) -> String {
    match count {
        0 => String::from("no containers"),
        1 => String::from("one container"),
        count => format!("{count} containers"),
    }
}

fn findings<'a>(diagnostics: &'a [Diagnostic], missing: &'a [Missing]) -> Vec<Finding<'a>> {
    let written = diagnostics.iter().map(|found| Finding {
        severity: found.severity.to_string(),
        file: Some(&found.file),
        line: Some(found.line),
        column: Some(found.column),
        key: &found.key,
        message: found.message.clone(),
        help: found.help.as_deref(),
        notes: &found.notes,
        container: found.container.as_deref(),
    });
    let files = missing.iter().map(|file| Finding {
        severity: Severity::Error.to_string(),
        file: place(&file.needed).map(|(file, _)| file),
        line: place(&file.needed).and_then(|(_, line)| line.parse().ok()),
        column: None,
        key: &file.needed.key,
        message: file.why.clone(),
        help: None,
        notes: &[],
        container: file.needed.container.as_deref(),
    });
    written.chain(files).collect()
}

/// Of the container that needs it: file and line.
fn place(needed: &FileUse) -> Option<(&str, &str)> {
    needed.declared_at.rsplit_once(':')
}

/// Every file named, and every *.toml of the folders named, in the order of their names.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        let failed = |error: io::Error| unreadable(path, &failure::why(&error));
        if fs::metadata(path).map_err(failed)?.is_dir() {
            let found = tomls(path).map_err(failed)?;
            if found.is_empty() {
                return Err(Failure::Failed(format!("there is no *.toml in {}", path.display())));
            }
            for file in found {
                sources.push(source(&file)?);
            }
        } else {
            sources.push(source(path)?);
        }
    }
    Ok(sources)
}

/// Hidden files are not the configuration's, as `orlop-image` has it: editors leave them.
fn tomls(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut found: Vec<PathBuf> = entries?.iter().map(fs::DirEntry::path).collect();
    let is_hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && !is_hidden(path));
    found.sort_unstable();
    Ok(found)
}

fn source(path: &Path) -> Result<Source, Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &failure::why(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8"))?;
    Ok(Source { path: path.display().to_string(), text })
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::Failed(format!("cannot read {}: {why}", path.display()))
}

/// Where relative files are looked for.
pub(super) fn base(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
    if first.is_dir() { first.to_owned() } else { first.parent().unwrap_or(first).to_owned() }
}

/// Those that a container cannot start without. An absolute path that is no image is on the machine,
/// and cannot be looked for here.
fn missing(files: &[FileUse], base: &Path) -> Vec<Missing> {
    let mut missing = Vec::new();
    for needed in files.iter().filter(|file| file.required) {
        let is_image = needed.key.ends_with(".image");
        if Path::new(&needed.path).is_absolute() && !is_image {
            continue;
        }
        let what = match needed.key.rsplit('.').next() {
            Some("image") => "image",
            Some("seccomp") => "seccomp profile",
            Some("apparmor_profiles") => "AppArmor profile",
            Some("ca" | "cert") => "file of certificates",
            Some("key") => "key",
            _ => "environment file",
        };
        let why = match fs::metadata(base.join(&needed.path)) {
            Err(error) => format!("cannot be found: {}", failure::why(&error)),
            Ok(_) => match judged(needed, base) {
                Err(why) => format!("cannot be used: {why}"),
                Ok(()) => continue,
            },
        };
        let why = format!("the {what} `{}` {why}", needed.path);
        missing.push(Missing { needed: needed.clone(), why });
    }
    missing
}

/// What is in it, where that can be told.
fn judged(needed: &FileUse, base: &Path) -> Result<(), String> {
    if needed.kind == FileKind::Any {
        return Ok(());
    }
    let file = fs::File::open(base.join(&needed.path));
    // One more than is judged to be too much.
    let read = file.and_then(|file| {
        let mut bytes = Vec::new();
        file.take(PEM_MAX.saturating_add(1)).read_to_end(&mut bytes).map(|_| bytes)
    });
    read.map_err(|error| failure::why(&error)).and_then(|bytes| judge(needed.kind, &bytes))
}
