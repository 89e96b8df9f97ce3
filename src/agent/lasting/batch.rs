//! Many small files put on a disk with few waits for it: all are written beside their places, then the disk is waited for,
//! then they are put in place, and then it is waited for once more. So a power cut leaves of each the old one or the new one,
//! as when one is written alone.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use super::mirror::{Pair, Places};
use crate::linux::{Errno, Result, data_file, directory, fs};

/// Bytes that are on the disk twice at a time: one that is nearly full takes little by little what it would not take at once.
const AT_ONCE: usize = 4 << 20;

pub(super) struct Batch<'p> {
    places: &'p Places,
    folders: BTreeMap<&'static str, OwnedFd>,
    /// Beside their places, in the order in which they get there.
    beside: Vec<(&'static str, String)>,
    bytes: usize,
    /// Of the only one that is beside its place.
    file: Option<OwnedFd>,
    /// Folders with other names than the disk may know.
    touched: Vec<&'static str>,
    error: Option<Errno>,
}

impl<'p> Batch<'p> {
    pub(super) fn new(places: &'p Places) -> Self {
        Self {
            places,
            folders: BTreeMap::new(),
            beside: Vec::new(),
            bytes: 0,
            file: None,
            touched: Vec::new(),
            error: None,
        }
    }

    /// Only what differs is written.
    pub(super) fn copy(&mut self, pair: Result<Pair>) {
        let done = pair.and_then(|pair| self.write(pair));
        self.note(done);
    }

    /// Takes those names away. One that does not go holds up none of the others.
    pub(super) fn remove<'n>(&mut self, folder: &'static str, names: impl Iterator<Item = &'n String>) {
        for name in names {
            let done = self.folder(folder).and_then(|fd| directory::remove_file(fd.as_fd(), name));
            if done.is_ok() {
                self.touch(folder);
            }
            self.note(done);
        }
    }

    /// # Errors
    /// The first of all.
    pub(super) fn finish(mut self) -> Result<()> {
        // Also what nobody has changed now: who did may have died before the disk had it.
        self.touched = self.folders.keys().copied().collect();
        let done = self.settle();
        self.note(done);
        self.error.map_or(Ok(()), Err)
    }

    fn note(&mut self, done: Result<()>) {
        self.error = self.error.or(done.err());
    }

    fn write(&mut self, pair: Pair) -> Result<()> {
        let Pair { run, folder, name, most } = pair;
        self.folder(folder)?;
        // What a wait says is what was not written since this one was opened.
        self.folder("")?;
        let file = fs::open_regular(run.to_str().ok_or(Errno::EINVAL)?);
        let bytes = match file.and_then(|file| fs::read_regular(file.as_fd(), most)) {
            Err(Errno::ENOENT) => {
                if directory::has(self.folder(folder)?.as_fd(), &name) {
                    directory::remove_file(self.folder(folder)?.as_fd(), &name)?;
                    self.touch(folder);
                }
                return Ok(());
            }
            read => read?,
        };
        let within = self.folder(folder)?.as_fd();
        if directory::read(within, &name, most).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        if !self.beside.is_empty() && self.bytes.saturating_add(bytes.len()) > AT_ONCE {
            self.settle()?;
        }
        let file = data_file::write_beside(self.folder(folder)?.as_fd(), &name, &bytes)?;
        self.file = self.beside.is_empty().then_some(file);
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.beside.push((folder, name));
        Ok(())
    }

    /// Those that are beside their places get there.
    fn settle(&mut self) -> Result<()> {
        self.bytes = 0;
        let beside = core::mem::take(&mut self.beside);
        match (self.file.take(), beside.first()) {
            (_, None) => {}
            (Some(file), Some(_)) => data_file::sync_data(file.as_fd())?,
            (None, Some(_)) => data_file::sync_system(self.folder("")?.as_fd())?,
        }
        for (folder, name) in beside {
            let done = self.folder(folder).and_then(|fd| data_file::put_in_place(fd.as_fd(), &name));
            self.note(done);
            self.touch(folder);
        }
        match core::mem::take(&mut self.touched).as_slice() {
            [] => Ok(()),
            [folder] => data_file::sync_names(self.folder(folder)?.as_fd()),
            [_, _, ..] => data_file::sync_system(self.folder("")?.as_fd()),
        }
    }

    fn touch(&mut self, folder: &'static str) {
        if !self.touched.contains(&folder) {
            self.touched.push(folder);
        }
    }

    fn folder(&mut self, name: &'static str) -> Result<&OwnedFd> {
        // Opened once: failures of the disk since are told to who waits for it.
        if !self.folders.contains_key(name) {
            self.folders.insert(name, self.places.folder(name)?);
        }
        self.folders.get(name).ok_or(Errno::ENOENT)
    }
}
