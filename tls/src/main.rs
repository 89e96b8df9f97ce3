//! `orlop-tls`: speaks TLS with one collector (RFC 5425), for one session.
//!
//! `orlop forward` starts it, with a socket between the two, and descriptors of the files that it may read. It looks the
//! collector's name up, connects, checks the certificate, sends what it is given, and says what has arrived, and in the end
//! why it ended. It tries nothing twice: who started it does. It has no power, and what comes from the network is read
//! nowhere else.

#![deny(unsafe_code)]

mod credentials;
mod linux;
mod marks;
mod reason;
mod session;

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::PollFlags;
use orlop::log::{FromPump, PUMP_LINK};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::session::End;

/// For each address, of so many; with what a name server takes, a session is made or given up within 90 s.
const CONNECTED_WITHIN: Duration = Duration::from_secs(15);
const ADDRESSES: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, name] = &arguments[..] else {
        eprintln!("orlop-tls speaks TLS with a collector of logs: `orlop forward` starts it");
        return ExitCode::from(2);
    };
    let mut link = match linux::inherited(PUMP_LINK) {
        Ok(link) => UnixStream::from(link),
        Err(errno) => {
            eprintln!("orlop-tls: there is no socket to who started it: {}", errno.desc());
            return ExitCode::from(2);
        }
    };
    match serve(&link, host, port, name) {
        // Nobody is there to be told.
        End::Alone => ExitCode::SUCCESS,
        End::Over { words, why } => {
            let said = [words, FromPump::Ended(why).encode()].concat();
            // It waits for no room: who does not read it starts another anyway.
            let _ = link.write_all(&said);
            ExitCode::FAILURE
        }
    }
}

fn serve(link: &UnixStream, host: &str, port: &str, name: &str) -> End {
    let begun = || {
        linux::confine().map_err(|errno| format!("it cannot give up its power: {}", errno.desc()))?;
        let config = credentials::config()?;
        let port = port.parse().map_err(|_| format!("{port} is no port"))?;
        let wanted =
            ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} is no name of a server"))?;
        let tls = ClientConnection::new(config, wanted).map_err(|error| reason::of(&error))?;
        Ok((connect(link, host, port)?, tls))
    };
    match begun() {
        Ok((tcp, tls)) => session::run(link, tcp, tls),
        Err(why) => End::Over { words: Vec::new(), why },
    }
}

fn connect(link: &UnixStream, host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        let text = error.to_string();
        let why = text.rsplit(": ").next().unwrap_or_default();
        format!("the name {host} cannot be looked up: {why}")
    })?;
    let mut why = format!("the name {host} has no address");
    for address in addresses.take(ADDRESSES) {
        let link = (link, PollFlags::empty());
        if linux::wait(link, link, Some(Duration::ZERO))
            .is_ok_and(|[said, _]| said.contains(PollFlags::POLLHUP))
        {
            return Err("who started it is gone".to_owned());
        }
        match TcpStream::connect_timeout(&address, CONNECTED_WITHIN) {
            Ok(tcp) => {
                return match linux::tune(&tcp) {
                    Ok(()) => Ok(tcp),
                    Err(errno) => Err(format!("{address}: {}", errno.desc())),
                };
            }
            Err(error) => why = format!("cannot connect to {address}: {}", reason::plain(&error)),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot connect has failed")]

    use std::net::TcpListener;

    use super::*;

    #[test]
    fn nobody_is_connected_to_for_who_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (link, starter) = UnixStream::pair().unwrap();
        connect(&link, "127.0.0.1", port).unwrap();
        listener.accept().unwrap();
        drop(starter);
        assert_eq!(connect(&link, "127.0.0.1", port).unwrap_err(), "who started it is gone");
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
