//! Steps of a start done in the ways that were once usual and have been attacked: by name, through
//! whatever links an image holds, with something of ours left open. Tests show with them that an attack
//! is one. Only builds with `--cfg naive` have them, and only for containers that ask for it by a word in
//! `ORLOP_NAIVE`.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::linux::fs::{Node, open_directory, open_path};
use crate::linux::{Errno, Result, fd};

/// A number far from those that are in use.
const LEFT_OPEN: i32 = 50;

/// Whether this container is to be made naively in this respect.
pub fn asked(env: &[String], step: &str) -> bool {
    let words = env.iter().find_map(|pair| pair.strip_prefix("ORLOP_NAIVE=")).unwrap_or_default();
    words.split(',').any(|word| word == step)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A path of the container as a path of whoever makes it. Links in it lead where they lead for us.
fn outside(root: BorrowedFd<'_>, path: &str) -> Result<PathBuf> {
    let root = fs::read_link(format!("/proc/self/fd/{}", root.as_raw_fd())).map_err(errno)?;
    Ok(root.join(path.trim_start_matches('/')))
}

/// Finds or makes a place to mount on.
pub fn place(root: BorrowedFd<'_>, at: &str, node: Node) -> Result<OwnedFd> {
    let path = outside(root, at)?;
    let above = path.parent().unwrap_or(&path);
    match node {
        Node::Directory => fs::create_dir_all(&path).map_err(errno)?,
        Node::File => {
            fs::create_dir_all(above).map_err(errno)?;
            fs::OpenOptions::new().append(true).create(true).open(&path).map(drop).map_err(errno)?;
        }
    }
    open_path(path.to_str().ok_or(Errno::EILSEQ)?)
}

/// What covers a masked file: the container's own.
pub fn null(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    open_path(outside(root, "/dev/null")?.to_str().ok_or(Errno::EILSEQ)?)
}

/// A kernel parameter or a label, in the container's own /proc, whatever that is.
pub fn write(root: BorrowedFd<'_>, path: &str, value: &str) -> Result<()> {
    fs::write(outside(root, path)?, value).map_err(errno)
}

/// The machine's root, for every step that comes and for the program.
pub fn leave_root_open() -> Result<()> {
    fd::install(std::os::fd::AsFd::as_fd(&open_directory("/")?), LEFT_OPEN)
}

pub fn first_to_close(env: &[String], first: i32) -> i32 {
    if asked(env, "fds") { LEFT_OPEN + 1 } else { first }
}

/// By whichever way the path leads.
pub fn enter(path: &str) -> Result<()> {
    nix::unistd::chdir(path)
}

/// All of it, whatever it is.
pub fn read_all(path: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(errno)
}
