//! A thousand clients of the control socket, none of whom behaves.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::chaos::Lot;
use crate::system::{self, check};

const SOCKET: &[u8] = b"/run/orlop/control.sock";
const CLIENTS: usize = 1000;
/// Until some of those that wait are let in.
const AGAIN: Duration = Duration::from_millis(20);
const FOLLOW: &str = r#"{"method":"org.orlop.Control.Logs","more":true,"parameters":{"names":["busy"],"follow":true,"lines":null}}"#;
const LIST: &str = r#"{"method":"org.orlop.Control.List"}"#;

/// A process of its own, which goes on until it is killed.
#[allow(clippy::disallowed_methods, reason = "who starts it waits for it")]
pub(crate) fn start(seed: u64) -> io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("crowd")
        .args(["crowd", &seed.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}

pub(crate) fn run(seed: u64) -> Result<(), String> {
    let limit = libc::rlimit { rlim_cur: 2 * CLIENTS as u64, rlim_max: 2 * CLIENTS as u64 };
    // SAFETY: the limit lives through the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map_err(|e| e.to_string())?;
    let mut lot = Lot(seed);
    let mut inside = Vec::new();
    while inside.len() < CLIENTS {
        match connect() {
            Ok(mut client) => {
                misbehave(&mut client, &mut lot);
                inside.push(client);
            }
            Err(_) => system::sleep(AGAIN),
        }
    }
    system::pause_for_ever()
}

/// Without waiting for a place in the queue.
fn connect() -> io::Result<UnixStream> {
    // SAFETY: all zeroes is an address; the new descriptor is nobody else's.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let socket = OwnedFd::from_raw_fd(
            system::check(libc::socket(libc::AF_UNIX, kind, 0))?.try_into().unwrap_or(-1),
        );
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(SOCKET) {
            *to = (*from).cast_signed();
        }
        let size = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        check(libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size))?;
        Ok(UnixStream::from(socket))
    }
}

/// Says nothing, half of something, nonsense, or much, and listens to nothing that it is answered.
fn misbehave(client: &mut UnixStream, lot: &mut Lot) {
    let text = match lot.below(6) {
        0 => String::new(),
        1 => LIST[..lot.below(LIST.len() as u64) as usize].to_owned(),
        2 => "\u{1}\u{2}nonsense\0".repeat(20),
        3 => format!("{LIST}\0").repeat(100),
        4 => format!("{FOLLOW}\0"),
        _ => "x".repeat(100_000),
    };
    let _ = client.write(text.as_bytes());
    if lot.below(4) == 0 {
        let _ = client.shutdown(std::net::Shutdown::Write);
    }
}
