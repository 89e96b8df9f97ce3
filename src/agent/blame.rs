//! Which container a supervisor was busy with when it died: one that is at fault three times is
//! left alone, and the others go on.
//!
//! Each way of handling a container is counted by itself, and from anew once it has come to its end:
//! who dies of every start would else be acquitted by each end in between.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::{Agent, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Result, fs};

const FOLDER: &str = "/run/orlop";
const LIMIT: usize = 1 << 16;
/// A handling's word, a blank, and a name of at most 63 bytes: written at once, never half.
const BUSY_BYTES: usize = 96;
/// Once may be chance, twice may be chance.
const TOO_OFTEN: u32 = 3;

/// What is done for a container, as far as a supervisor can die of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Its record is read and taken over.
    Adopt,
    Launch,
    /// Its first process is there.
    Created,
    /// PID 1 keeps it.
    Registered,
    /// Its program runs.
    Started,
    Ended,
    Clean,
}

impl Handling {
    fn word(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Launch => "launch",
            Self::Created => "created",
            Self::Registered => "registered",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Clean => "clean",
        }
    }

    fn of(self, name: &str) -> String {
        format!("{} {name}", self.word())
    }
}

pub struct Blame {
    /// What is being handled now; empty when nothing is.
    busy: OwnedFd,
    /// Where the counts are kept.
    deaths_path: String,
    /// There while the machine is in safe mode.
    safe_path: String,
    /// How often supervisors in a row died in this handling of this container.
    deaths: BTreeMap<String, u32>,
    /// The innermost last: what one needs may be done within another.
    handled: Vec<String>,
    /// Whom the last death made one too many.
    culprit: Option<String>,
}

impl Blame {
    /// Counts the death of the supervisor before, if it was busy.
    ///
    /// # Errors
    /// ENOSPC, EMFILE.
    pub fn open() -> Result<Self> {
        Self::open_in(FOLDER)
    }

    fn open_in(folder: &str) -> Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        let busy = open(format!("{folder}/busy").as_str(), flags, Mode::from_bits_truncate(0o644))?;
        let written = fs::read_regular(busy.as_fd(), LIMIT)?;
        let deaths_path = format!("{folder}/deaths.json");
        let deaths = fs::open_regular(&deaths_path)
            .and_then(|fd| fs::read_regular(fd.as_fd(), LIMIT))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let safe_path = format!("{folder}/safe");
        let mut blame = Self { busy, deaths_path, safe_path, deaths, handled: Vec::new(), culprit: None };
        let written = String::from_utf8_lossy(&written);
        if let Some((handling, name)) = written.trim_end_matches('\0').split_once(' ') {
            blame.died(handling, name);
        }
        blame.write();
        Ok(blame)
    }

    fn died(&mut self, handling: &str, name: &str) {
        say(Level::Error, &format!("{name}: the supervisor died while it handled it ({handling})"));
        let count = self.deaths.entry(format!("{handling} {name}")).or_default();
        *count = count.saturating_add(1);
        let explains = *count == TOO_OFTEN && !Path::new(&self.safe_path).exists();
        self.culprit = explains.then(|| name.to_owned());
        self.keep();
    }

    fn keep(&self) {
        let text = serde_json::to_string(&self.deaths).unwrap_or_default();
        // Not kept, it is counted once too few; that is no reason to start no supervisor at all.
        if let Err(errno) = records::write_file(&self.deaths_path, &text) {
            say(Level::Error, &format!("{}: {}", self.deaths_path, errno.desc()));
        }
    }

    pub fn quarantined(&self) -> BTreeSet<String> {
        let too_often = self.deaths.iter().filter(|(_, count)| **count >= TOO_OFTEN);
        too_often.filter_map(|(what, _)| Some(what.split_once(' ')?.1.to_owned())).collect()
    }

    /// Who explains the last deaths, if it is left alone since this one. It explains no safe mode that
    /// was there before them.
    pub fn culprit(&self) -> Option<&str> {
        self.culprit.as_deref()
    }

    /// Safe mode begins, or goes on.
    pub fn safe_mode(&mut self) {
        if let Err(errno) = records::write_file(&self.safe_path, "") {
            say(Level::Error, &format!("{}: {}", self.safe_path, errno.desc()));
        }
    }

    /// A person has left safe mode.
    pub fn resume(&mut self) {
        let _ = std::fs::remove_file(&self.safe_path);
    }

    pub fn is_too_often(&self, handling: Handling, name: &str) -> bool {
        self.deaths.get(&handling.of(name)).is_some_and(|count| *count >= TOO_OFTEN)
    }

    /// From here on this container is being handled.
    fn begin(&mut self, handling: Handling, name: &str) {
        self.handled.push(handling.of(name));
        self.write();
    }

    /// It has been, and nobody died of it.
    fn done(&mut self) {
        if let Some(handled) = self.handled.pop()
            && self.deaths.remove(&handled).is_some()
        {
            self.keep();
        }
        self.write();
    }

    /// Who dies now was told to: it is nobody's fault.
    pub fn acquit(&mut self) {
        self.handled.clear();
        self.write();
    }

    fn write(&self) {
        let mut bytes = [0; BUSY_BYTES];
        let handled = self.handled.last().map_or(&[][..], |handled| handled.as_bytes());
        for (to, from) in bytes.iter_mut().zip(handled) {
            *to = *from;
        }
        if let Err(errno) = nix::sys::uio::pwrite(&self.busy, &bytes, 0) {
            say(Level::Error, &format!("busy: {}", errno.desc()));
        }
    }
}

impl Agent {
    /// Does something for a container. If supervisors die of it three times in a row, the container is
    /// left alone.
    pub fn handling(&mut self, handling: Handling, name: &str, work: impl FnOnce(&mut Self)) {
        self.blamed.begin(handling, name);
        work(self);
        self.blamed.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Of<'a> = (Handling, &'a str);

    /// One life after the other: what each began and finished, and in what it died.
    fn check(lives: &[(&[Of<'_>], Option<Of<'_>>)], quarantined: &[&str]) -> Blame {
        let folder = tempfile::tempdir().unwrap();
        let open = || Blame::open_in(folder.path().to_str().unwrap()).unwrap();
        for (finished, died_in) in lives {
            let mut blame = open();
            for (handling, name) in *finished {
                blame.begin(*handling, name);
                blame.done();
            }
            if let Some((handling, name)) = died_in {
                blame.begin(*handling, name);
            }
        }
        let blame = open();
        assert_eq!(blame.quarantined().iter().collect::<Vec<_>>(), quarantined);
        blame
    }

    const LAUNCH_WEB: Option<Of<'_>> = Some((Handling::Launch, "web"));

    #[test]
    fn who_kills_three_supervisors_in_one_handling_is_the_culprit() {
        check(&[(&[], LAUNCH_WEB), (&[], LAUNCH_WEB)], &[]);
        let finished = [(Handling::Adopt, "web"), (Handling::Clean, "web"), (Handling::Launch, "db")];
        let blame = check(&[(&finished, LAUNCH_WEB), (&finished, LAUNCH_WEB), (&[], LAUNCH_WEB)], &["web"]);
        assert_eq!(blame.culprit(), Some("web"));
        assert!(blame.is_too_often(Handling::Launch, "web"));
        let blame = check(&[(&[], LAUNCH_WEB), (&[], LAUNCH_WEB), (&[], LAUNCH_WEB), (&[], None)], &["web"]);
        assert_eq!(blame.culprit(), None, "it is left alone already");
    }

    #[test]
    fn nobody_explains_a_safe_mode_that_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Blame::open_in(folder.path().to_str().unwrap()).unwrap();
        open().safe_mode();
        for _ in 0..3 {
            open().begin(Handling::Started, "web");
        }
        let mut blame = open();
        assert_eq!((blame.culprit(), blame.quarantined().len()), (None, 1));
        blame.resume();
        for _ in 0..3 {
            open().begin(Handling::Started, "db");
        }
        assert_eq!(open().culprit(), Some("db"));
    }

    #[test]
    fn a_handling_that_came_to_its_end_is_counted_from_anew() {
        let launched: &[Of<'_>] = &[(Handling::Launch, "web")];
        check(&[(&[], LAUNCH_WEB), (&[], LAUNCH_WEB), (launched, LAUNCH_WEB)], &[]);
    }

    #[test]
    fn deaths_outside_of_any_handling_and_those_that_were_ordered_are_nobodys() {
        check(&[(&[(Handling::Launch, "web")], None), (&[], None), (&[], None)], &[]);
        let folder = tempfile::tempdir().unwrap();
        let open = || Blame::open_in(folder.path().to_str().unwrap()).unwrap();
        for _ in 0..5 {
            let mut blame = open();
            blame.begin(Handling::Launch, "web");
            blame.acquit();
        }
        assert!(open().quarantined().is_empty());
    }

    #[test]
    fn what_is_done_within_another_is_blamed_and_then_the_other_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Blame::open_in(folder.path().to_str().unwrap()).unwrap();
        for _ in 0..3 {
            let mut blame = open();
            blame.begin(Handling::Ended, "a-long-name");
            blame.begin(Handling::Launch, "db");
            blame.done();
        }
        assert_eq!(open().quarantined().iter().collect::<Vec<_>>(), ["a-long-name"]);
    }
}
