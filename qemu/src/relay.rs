//! The machine's control socket on the host: gives each client a control port of its own.
//!
//! One thread, which only waits and dispatches; a client's bytes are handled in [`Pair`].

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};

use crate::error::{Error, Result};
use crate::pair::Pair;
use crate::ports::{PORTS, Ports};

/// Clients that were told that all ports are taken, and have not hung up yet; more are not told.
const REFUSED_AT_ONCE: usize = 64;

/// As many may wait to be accepted; more are refused by the kernel.
const BACKLOG: i32 = 64;

/// Serves until it is dropped; the socket's file goes with it.
pub struct ControlSocket {
    path: PathBuf,
    /// Dropped to wake the thread for its end.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ControlSocket {
    pub(crate) fn listen(path: &Path, ports: Arc<Ports>) -> Result<Self> {
        let failed = |e: io::Error| Error::host(format!("listen on {}", path.display()), e);
        let listener = bind_private(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let (stop, stopped) = UnixStream::pair().map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || Relay { listener, stopped, ports, pairs: Vec::new(), refused: Vec::new() }.run())
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A relay that panicked has nothing to tell that its message did not.
            let _ = thread.join();
        }
        // It may have been removed by hand already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Mode 0600 before anybody can connect. A socket that nobody listens on is replaced.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match UnixStream::connect(path) {
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            _ => return Err(ErrorKind::AddrInUse.into()),
        }
    }
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok(UnixListener::from(fd))
}

struct Relay {
    listener: UnixListener,
    stopped: UnixStream,
    ports: Arc<Ports>,
    pairs: Vec<Pair>,
    refused: Vec<UnixStream>,
}

impl Relay {
    fn run(mut self) {
        while let Ok(accept) = self.wait() {
            // Those who go first: their ports are for those who come.
            self.pairs.retain_mut(Pair::work);
            self.refused.retain_mut(is_there);
            match accept {
                Wake::Stop => return,
                // Out of fds, say: better no socket than a thread that spins on it.
                Wake::Client => {
                    if self.accept().is_err() {
                        return;
                    }
                }
                Wake::Other => {}
            }
        }
    }

    /// Until somebody has something to do.
    fn wait(&self) -> nix::Result<Wake> {
        let mut fds = vec![
            PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.refused.iter().map(|client| PollFd::new(client.as_fd(), PollFlags::POLLIN)));
        let mut timeout = PollTimeout::NONE;
        for pair in &self.pairs {
            fds.extend(pair.interests().map(|(fd, flags)| PollFd::new(fd, flags)));
            if let Some(left) = pair.patience() {
                let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                timeout = if timeout.is_none() { left } else { timeout.min(left) };
            }
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(e) => return Err(e),
        }
        let woke = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or(false);
        Ok(if woke(0) {
            Wake::Stop
        } else if woke(1) {
            Wake::Client
        } else {
            Wake::Other
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        let client = match self.listener.accept() {
            Ok((client, _)) => client,
            Err(e) if is_passing(&e) => return Ok(()),
            Err(e) => return Err(e),
        };
        client.set_nonblocking(true)?;
        match self.ports.take() {
            // A port that cannot be had is QEMU gone; the client sees its connection closed.
            Some(lease) => self.pairs.extend(Pair::new(client, lease).ok()),
            None => self.refuse(client),
        }
        Ok(())
    }

    /// Says so, and stays until the client has read it: closing with its request unread would
    /// show it a broken connection in place of the answer.
    fn refuse(&mut self, mut client: UnixStream) {
        let busy = format!(
            r#"{{"error":"org.orlop.Control.Busy","parameters":{{"what":"ports","limit":{PORTS}}}}}"#
        );
        let told = client.write_all(format!("{busy}\0").as_bytes()).is_ok()
            && client.shutdown(std::net::Shutdown::Write).is_ok();
        if told && self.refused.len() < REFUSED_AT_ONCE {
            self.refused.push(client);
        }
    }
}

enum Wake {
    Stop,
    Client,
    Other,
}

/// Reads what a refused client still sends; `false` once it hung up.
fn is_there(client: &mut UnixStream) -> bool {
    let mut buffer = [0; 4096];
    match io::Read::read(client, &mut buffer) {
        Ok(0) => false,
        Ok(_) => true,
        Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

fn is_passing(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted)
}

/// What a pair waits for on one of its sockets.
pub(crate) type Interest<'a> = (BorrowedFd<'a>, PollFlags);
