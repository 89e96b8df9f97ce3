//! Sockets that the program was given open, from 3 on, and clients of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Takes so many clients from the first socket, one after the other, tells each who it is and what it was given, and
/// ends; of 0 there is no end.
pub(crate) fn serve(count: u64) -> Result<(), String> {
    crate::system::end_on_term()?;
    let mut given: Vec<String> = std::env::vars()
        .filter(|(name, _)| name.starts_with("LISTEN_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    given.sort();
    println!("waiting");
    let mut served = 0;
    while count == 0 || served < count {
        // SAFETY: without room for an address nothing is written; where 3 is nothing that listens, this says so.
        let number = unsafe { libc::accept(3, std::ptr::null_mut(), std::ptr::null_mut()) };
        if number < 0 {
            return Err(format!("accept: {}", std::io::Error::last_os_error()));
        }
        // SAFETY: accept has made it just now, and nobody else knows its number.
        let mut client = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(number) });
        served += 1;
        let said = format!("client {served} of {}: {}\n", std::process::id(), given.join(" "));
        print!("{said}");
        // One that has gone needs no answer.
        let _ = client.write_all(said.as_bytes());
    }
    Ok(())
}

/// As servers do that end in order.
pub(crate) fn shut() -> Result<(), String> {
    // SAFETY: no memory is involved; where 3 is no socket, this says so.
    match unsafe { libc::shutdown(3, libc::SHUT_RDWR) } {
        0 => Ok(()),
        _ => Err(format!("shutdown: {}", std::io::Error::last_os_error())),
    }
}

/// Prints all that is said to it at `tcp:ADDRESS` or `unix:PATH`.
pub(crate) fn fetch(place: &str) -> Result<(), String> {
    let mut said = String::new();
    let read = match place.split_once(':') {
        Some(("tcp", address)) => TcpStream::connect(address).and_then(|mut it| it.read_to_string(&mut said)),
        Some(("unix", path)) => UnixStream::connect(path).and_then(|mut it| it.read_to_string(&mut said)),
        _ => return Err(format!("neither tcp nor unix: {place}")),
    };
    read.map_err(|e| format!("{place}: {e}"))?;
    print!("{said}");
    Ok(())
}

/// Asks who answers HTTP there, and prints the answer.
pub(crate) fn get(address: &str) -> Result<(), String> {
    let mut said = String::new();
    let asked = TcpStream::connect(address).and_then(|mut it| {
        it.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        it.read_to_string(&mut said)
    });
    asked.map_err(|e| format!("{address}: {e}"))?;
    print!("{said}");
    Ok(())
}
