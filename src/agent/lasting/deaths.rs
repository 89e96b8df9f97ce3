//! What three supervisors in a row died with is not what the next boot has.

use orlop::config::{Doubt, read};
use orlop::ordered::Ordered;

use super::pointer::{self, Pointer};
use crate::agent::configuration::{Kept, Origin, Previous, read_folder, sources};
use crate::agent::reload::versions;
use crate::agent::{records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Result, fs, time};

/// The built-in one instead of one that this boot has found on the disk; of one that was put in force since, only the
/// next boot is told.
pub fn after_deaths(current: &Kept, folder: &str) -> Option<Kept> {
    let built_in = current.built_in.clone()?;
    if pointer::digest(&current.files) == built_in {
        return None;
    }
    let done = if current.is_from_disk {
        go_back(current, built_in, folder).map(Some)
    } else {
        doubt(Some(current.number)).map(|()| None)
    };
    done.unwrap_or_else(|errno| {
        say(Level::Error, &format!("the configuration that supervisors died with stays: {}", errno.desc()));
        None
    })
}

fn go_back(current: &Kept, built_in: String, folder: &str) -> Result<Kept> {
    let (files, _) = read_folder(folder);
    let number = versions::highest().unwrap_or_default().max(current.number).saturating_add(1);
    let notice = Doubt::Deadly.sentence();
    say(Level::Error, &notice);
    // Its own text is not read once more: all are started anew, whatever they were declared as.
    let since = read(&sources(&files)).config.containers.into_keys().map(|name| (name, number)).ordered();
    let origin = Origin::new(time::since_boot(), "three supervisors died".into(), Vec::new());
    let made_from = built_in.clone();
    let kept = Kept {
        number,
        since,
        files,
        previous: Some(Previous { number: current.number, files: current.files.clone() }),
        origin: origin.clone(),
        built_in: Some(built_in),
        notice: Some(notice),
        ..Kept::default()
    };
    versions::keep(current)?;
    Pointer { made_from, number, files: None, origin, is_doubted: false }.write()?;
    kept.write()?;
    Ok(kept)
}

/// How many supervisors of this boot have begun to read what the disk has.
const TRIED: &str = "/run/orlop/tried";
/// As of supervisors that die before they serve; these do serve before.
const TOO_OFTEN: u32 = 3;

/// Counts this one: whether those before it have died of it too often.
pub fn are_too_many() -> bool {
    let tried = fs::read_whole(TRIED, 16).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let tried: u32 = tried.and_then(|text| text.parse().ok()).unwrap_or_default();
    // Not kept, it is counted once too few.
    let _ = records::write_file(TRIED, &tried.saturating_add(1).to_string());
    if tried >= TOO_OFTEN
        && let Err(errno) = doubt(None)
    {
        say(Level::Error, &format!("what supervisors died of is not marked: {}", errno.desc()));
    }
    tried >= TOO_OFTEN
}

/// Of the configuration that the next boot has, if it is this one: one that waits to be confirmed is not.
fn doubt(number: Option<u64>) -> Result<()> {
    let is_it = |pointer: &Pointer| number.is_none_or(|number| number == pointer.number);
    match pointer::read() {
        Some(pointer) if pointer.files.is_some() && !pointer.is_doubted && is_it(&pointer) => {
            Pointer { is_doubted: true, ..pointer }.write()
        }
        Some(_) | None => Ok(()),
    }
}
