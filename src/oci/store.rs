//! The directory of all containers (`--root`): one below it for each, made exclusively, locked by
//! whoever changes it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::{Failure, Result, at};
use super::id::check_id;
use super::record::Record;
use crate::linux::{Errno, directory, fs, namespace, time};

/// Between two looks at a lock that somebody has.
const GLANCE: Duration = Duration::from_millis(5);

/// Where containers are kept unless somebody says otherwise.
const ROOT: &str = "/run/orlop/oci";

pub(crate) struct Store {
    directory: OwnedFd,
}

/// The directory of one container.
pub(crate) struct Folder {
    directory: OwnedFd,
    pub(crate) id: String,
}

impl Store {
    /// What `--root` means, or where containers are without it.
    ///
    /// # Errors
    /// It is the root of all files.
    pub(crate) fn place(given: Option<&Path>) -> Result<PathBuf> {
        let Some(given) = given else {
            // Root of a user namespace, as podman makes one, is a user all the same.
            let is_root = nix::unistd::geteuid().is_root() && namespace::is_first_user();
            let private = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !is_root);
            return Ok(private.map_or_else(|| PathBuf::from(ROOT), |dir| Path::new(&dir).join("orlop/oci")));
        };
        let absolute = std::path::absolute(given);
        absolute
            .ok()
            .filter(|path| path.parent().is_some())
            .ok_or_else(|| Failure::new(format!("--root {} cannot hold containers", given.display())))
    }

    /// `None`: nobody has made it, so that there are no containers.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        match directory::open_at(path) {
            Ok(directory) => {
                check_owner(&directory, &path.display().to_string())?;
                Ok(Some(Self { directory }))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(at(path.display())(errno)),
        }
    }

    /// # Errors
    /// It cannot be made.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        let directory =
            directory::make_all(path).and_then(|()| directory::open_at(path)).map_err(at(path.display()))?;
        check_owner(&directory, &path.display().to_string())?;
        Ok(Self { directory })
    }

    /// A directory for a new container, locked.
    ///
    /// # Errors
    /// There is one of this id.
    pub(crate) fn add(&self, id: &str) -> Result<Folder> {
        check_id(id)?;
        let directory =
            directory::make_new(self.directory.as_fd(), id, 0o700).map_err(|errno| match errno {
                Errno::EEXIST => Failure::new(format!("container with id {id:?} already exists")),
                errno => at(format_args!("the directory of container {id:?}"))(errno),
            })?;
        let folder = Folder { directory, id: id.to_owned() };
        folder.lock()?;
        Ok(folder)
    }

    /// # Errors
    /// There is none of this id.
    pub(crate) fn find(&self, id: &str) -> Result<Folder> {
        check_id(id)?;
        match directory::open_below(self.directory.as_fd(), id) {
            Ok(directory) => {
                check_owner(&directory, &format!("the directory of container {id:?}"))?;
                Ok(Folder { directory, id: id.to_owned() })
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Failure::does_not_exist(id)),
            Err(errno) => Err(at(format_args!("the directory of container {id:?}"))(errno)),
        }
    }

    /// All ids, in order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let entries = directory::entries(self.directory.as_fd()).map_err(at("the list of containers"))?;
        let is_ours = |(name, is_directory): &(String, bool)| *is_directory && check_id(name).is_ok();
        Ok(entries.into_iter().filter(is_ours).map(|(name, _)| name).collect())
    }

    /// # Errors
    /// Something in it is not ours.
    pub(crate) fn remove(&self, folder: &Folder) -> Result<()> {
        directory::remove_with_files(self.directory.as_fd(), &folder.id)
            .map_err(at(format_args!("the directory of container {:?}", folder.id)))
    }
}

/// What is written there says what is executed with our power: hooks, and whose namespaces are entered.
fn check_owner(directory: &OwnedFd, what: &str) -> Result<()> {
    let owner = directory::owner(directory.as_fd()).map_err(at(what))?;
    if owner == 0 || owner == nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    Err(Failure::new(format!("{what} belongs to user {owner}: what is in it is not ours")))
}

impl Folder {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Waits until nobody else changes this container; lets go when the folder is dropped.
    ///
    /// # Errors
    /// It was deleted meanwhile.
    pub(crate) fn lock(&self) -> Result<()> {
        fs::lock(self.fd()).map_err(at(format_args!("the lock of container {:?}", self.id)))?;
        if directory::is_linked(self.fd()) { Ok(()) } else { Err(Failure::does_not_exist(&self.id)) }
    }

    /// As [`Self::lock`], for whoever does not wait for ever.
    ///
    /// # Errors
    /// Somebody else has it still; it was deleted meanwhile.
    #[allow(clippy::disallowed_methods, reason = "flock(2) knows no deadline")]
    pub(crate) fn lock_within(&self, patience: Duration) -> Result<()> {
        let until = time::since_boot().saturating_add(patience);
        while !directory::try_lock(self.fd()) {
            if time::since_boot() >= until {
                return Err(Failure::new(format!(
                    "container {:?} is being changed by another command",
                    self.id
                )));
            }
            std::thread::sleep(GLANCE);
        }
        if directory::is_linked(self.fd()) { Ok(()) } else { Err(Failure::does_not_exist(&self.id)) }
    }

    /// Lets others change it, before the folder is dropped.
    pub(crate) fn unlock(&self) {
        directory::unlock(self.fd());
    }

    /// Whether somebody changes this container. Not for who has locked it.
    pub(crate) fn is_locked(&self) -> bool {
        // A lock belongs to what was opened: this one is let go at once.
        match directory::open_below(self.fd(), ".") {
            Ok(again) => !directory::try_lock(again.as_fd()),
            Err(_) => false,
        }
    }

    /// Its record; one of a container that is being created where there is none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn record(&self) -> Result<Record> {
        Ok(Record::read(self.fd(), &self.id)?.unwrap_or_else(|| Record::new(&self.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_could_write_to_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        let store = Store::make(&ours).unwrap();
        drop(store.add("web").unwrap());
        std::fs::create_dir(&theirs).unwrap();
        for path in [&theirs, &ours.join("web")] {
            std::os::unix::fs::chown(path, Some(1000), None).unwrap();
        }
        let why = Store::make(&theirs).err().map(|failure| failure.line());
        let expected = format!("{} belongs to user 1000: what is in it is not ours", theirs.display());
        assert_eq!(why.as_deref(), Some(expected.as_str()));
        assert!(Store::open(&theirs).is_err());
        assert!(store.find("web").is_err());
    }
}
