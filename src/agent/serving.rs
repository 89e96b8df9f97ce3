//! Opens what clients come in by: the socket, which PID 1 keeps so that clients wait and do not
//! fail while a supervisor is replaced, and the virtio ports.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use orlop::config::{Admission, Config};
use orlop::control::socket_mode;
use orlop::ledger::{Child, Kind, Label};

use super::control::{LIMITS, Server, ports};
use super::ledger::{Ledger, Table};
use super::say;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, socket};

pub const SOCKET: &str = "/run/orlop/control.sock";
/// Cookies below those of containers: see `launch::cookie`.
const LISTENER: u64 = 1;

/// Takes the listening socket over, or makes it and has PID 1 keep it. Whether somebody has a port still.
///
/// # Errors
/// EMFILE; EADDRINUSE when something else stands at the path.
pub fn open(table: &Table, config: &Config, ledger: &mut Ledger) -> Result<(Server, bool)> {
    let listener = match kept(table, LISTENER)? {
        Some(listener) => listener,
        None => {
            let listener = socket::listen_private(Path::new(SOCKET)).map_err(errno)?;
            let child =
                Child { cookie: LISTENER, kind: Kind::Listener, pid: 0, label: Label::new("control") };
            ledger.register(child, &[listener.as_fd()])?;
            listener
        }
    };
    if let Err(error) = admit(&config.host.control) {
        say(Level::Error, &format!("{SOCKET}: {error}"));
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let admission = config.host.control.clone();
    let mut server = Server::new(listener, version, admission, LIMITS).map_err(errno)?;
    let is_busy = open_ports(config, &mut server).map_err(errno)?;
    Ok((server, is_busy))
}

/// Has the kernel let those connect who may.
///
/// # Errors
/// As chmod(2) and chown(2).
pub fn admit(admission: &Admission) -> std::io::Result<()> {
    let (group, mode) = socket_mode(admission);
    socket::admit(Path::new(SOCKET), group, mode)
}

/// Listens on the ports that nobody has: at first, and whenever a relay may have let go of one. Whether
/// somebody has one still.
///
/// # Errors
/// As epoll_ctl(2).
pub fn open_ports(config: &Config, server: &mut Server) -> std::io::Result<bool> {
    if !config.host.control_ports {
        return Ok(false);
    }
    let (ports, failed) = ports::open_all(|name| server.has_port(name));
    for port in ports {
        server.add_port(port)?;
    }
    let mut is_busy = false;
    for (name, error) in failed {
        // A relay has it, and this is called again when it ends.
        if error.raw_os_error() == Some(libc::EBUSY) {
            is_busy = true;
        } else {
            say(Level::Error, &format!("port {name}: {error}"));
        }
    }
    Ok(is_busy)
}

/// What PID 1 kept under a cookie that is no process's.
///
/// # Errors
/// EMFILE.
pub fn kept(table: &Table, cookie: u64) -> Result<Option<OwnedFd>> {
    let entry =
        table.entries.iter().find(|(child, ..)| child.kind == Kind::Listener && child.cookie == cookie);
    entry
        .and_then(|(_, _, fds)| fds.iter().flatten().next())
        .map(|fd| fd.try_clone().map_err(errno))
        .transpose()
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
