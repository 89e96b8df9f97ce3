//! Says things of itself: to the socket of sd_notify(3), and on a descriptor.

use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener};

use crate::system;

fn socket() -> Result<UnixDatagram, String> {
    let path = std::env::var("NOTIFY_SOCKET").map_err(|_| "no NOTIFY_SOCKET".to_owned())?;
    let socket = UnixDatagram::unbound().map_err(|e| e.to_string())?;
    socket.connect(&path).map_err(|e| format!("{path}: {e}"))?;
    Ok(socket)
}

/// A line each, all in one datagram.
pub(crate) fn notify(lines: &[&str]) -> Result<(), String> {
    socket()?.send(lines.join("\n").as_bytes()).map(drop).map_err(|e| e.to_string())
}

/// As fast as they are taken, and then faster.
pub(crate) fn flood() -> Result<(), String> {
    system::end_on_term()?;
    let socket = socket()?;
    socket.set_nonblocking(true).map_err(|e| e.to_string())?;
    println!("flooding");
    loop {
        let _ = socket.send(b"STATUS=flood\nWATCHDOG=1");
    }
}

pub(crate) fn line_on(number: i32) -> Result<(), String> {
    // SAFETY: who writes the test says that it is there and ours.
    let mut file = unsafe { File::from_raw_fd(number) };
    writeln!(file, "ready").map_err(|e| format!("descriptor {number}: {e}"))
}

pub(crate) fn listen(path: &str) -> Result<(), String> {
    system::end_on_term()?;
    let listener = UnixListener::bind(path).map_err(|e| format!("{path}: {e}"))?;
    println!("listening");
    listener.incoming().for_each(drop);
    Ok(())
}
