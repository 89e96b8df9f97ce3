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
        go_back(current, built_in, folder).map(Some).map_err(|errno| errno.desc().to_owned())
    } else {
        doubt(Some(current.number)).map(|()| None)
    };
    done.unwrap_or_else(|why| {
        say(Level::Error, &format!("the configuration that supervisors died with stays: {why}"));
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
        && let Err(why) = doubt(None)
    {
        say(Level::Error, &format!("what supervisors died of is not marked: {why}"));
    }
    tried >= TOO_OFTEN
}

fn doubt(number: Option<u64>) -> core::result::Result<(), String> {
    let doubted = pointer::read()?.and_then(|pointer| doubted(pointer, number));
    doubted.map_or(Ok(()), |doubted| doubted.write()).map_err(|errno| errno.desc().to_owned())
}

/// The configuration that the next boot has, if it is this one: one that waits to be confirmed is not.
fn doubted(pointer: Pointer, number: Option<u64>) -> Option<Pointer> {
    let is_it = number.is_none_or(|number| number == pointer.number);
    (pointer.files.is_some() && !pointer.is_doubted && is_it)
        .then_some(Pointer { is_doubted: true, ..pointer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_confirmed_is_not_held_against_the_one_before() {
        let files = || Some(Vec::new());
        let pointer = |number, files, is_doubted| Pointer {
            made_from: "x".into(),
            number,
            files,
            origin: Origin::default(),
            is_doubted,
        };
        let is_doubted = |pointer, number| doubted(pointer, number).map(|it| (it.number, it.is_doubted));
        assert_eq!(is_doubted(pointer(3, files(), false), Some(3)), Some((3, true)));
        assert_eq!(is_doubted(pointer(3, files(), false), Some(4)), None);
        assert_eq!(is_doubted(pointer(3, files(), false), None), Some((3, true)));
        assert_eq!(is_doubted(pointer(3, None, false), None), None, "the built-in one");
        assert_eq!(is_doubted(pointer(3, files(), true), None), None);
    }
}
