//! A terminal of a container's own devpts.

use std::os::fd::{AsFd, BorrowedFd};

use orlop::container::spec::Size;

use super::inside::Made;
use super::report;
use crate::linux::fs::{self, Links, Node};
use crate::linux::{Errno, Result, fd, mount, pty};

/// Opens one and tells its maker the other end.
pub fn open(size: Option<Size>, made: &mut Made) -> Result<()> {
    // Not by /dev/ptmx, which an image might have made a link to somewhere.
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let door = fs::open_without_links(made.root.as_fd(), "/dev/pts/ptmx", flags)?;
    // What else could have that name, in an image or in a running container, makes no terminals for us.
    if !mount::has_magic(door.as_fd(), mount::DEVPTS_MAGIC)? {
        return Err(Errno::ENOTTY);
    }
    let (engine, terminal) = pty::open(door)?;
    if let Some(Size { height, width }) = size
        && (height, width) != (0, 0)
    {
        pty::resize(terminal.as_fd(), height, width)?;
    }
    report::send_terminal(made.report.as_fd(), engine.as_fd())?;
    // Already here: whoever reads what its maker says, until nobody has that output any more, is not to wait for
    // a program that somebody starts later.
    (0..3).try_for_each(|number| fd::install(terminal.as_fd(), number))?;
    made.terminal = Some(terminal);
    Ok(())
}

/// Shows the terminal as /dev/console.
pub fn be_console(made: &Made) -> Result<()> {
    let Some(terminal) = &made.terminal else { return Ok(()) };
    let terminal: BorrowedFd<'_> = terminal.as_fd();
    let place = fs::make_in_root(made.root.as_fd(), "/dev/console", Node::File, (0, 0), Links::Refuse)?;
    mount::attach(mount::clone_one(terminal, "")?.as_fd(), place.as_fd())
}
