//! Much output, little output, and a page for a browser.

use std::io::{BufWriter, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use crate::system;

/// What a program that buffers writes at once.
const BUFFER: usize = 64 << 10;

/// Numbered lines, whole ones, until at least this many bytes are written; `None`: for ever.
pub(crate) fn write(bytes: Option<u64>, pattern: &str) -> Result<(), String> {
    system::end_on_term()?;
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    let mut written = 0_u64;
    let mut number = 0_u64;
    while bytes.is_none_or(|bytes| written < bytes) {
        let line = format!("{number:010} {pattern}\n");
        out.write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        written = written.saturating_add(line.len().try_into().unwrap_or(u64::MAX));
        number = number.saturating_add(1);
    }
    out.flush().map_err(|e| e.to_string())
}

/// The same line over and over, as many whole ones a write as a program that buffers writes, until at least this many
/// bytes are written; and how long that took: whoever takes them did so, but for what fits into a pipe.
pub(crate) fn write_timed(bytes: u64, line: &str) -> Result<(), String> {
    system::end_on_term()?;
    let line = format!("{line}\n");
    let block = line.repeat(BUFFER.checked_div(line.len()).unwrap_or(1).max(1));
    let each = block.len().try_into().unwrap_or(u64::MAX);
    let begin = system::clock(libc::CLOCK_MONOTONIC);
    let mut out = std::io::stdout().lock();
    let mut written = 0_u64;
    while written < bytes {
        out.write_all(block.as_bytes()).map_err(|e| e.to_string())?;
        written = written.saturating_add(each);
    }
    out.flush().map_err(|e| e.to_string())?;
    let took = system::clock(libc::CLOCK_MONOTONIC).saturating_sub(begin);
    drop(out);
    println!("wrote {written} in {}", took.as_nanos());
    Ok(())
}

/// Lines of letters and digits drawn by lot (xorshift64), whole ones, until at least this many bytes are written.
pub(crate) fn noise(bytes: u64) -> Result<(), String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    const LINE: usize = 80;
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    let (mut lot, mut written) = (1_u64, 0_u64);
    while written < bytes {
        let mut line = String::with_capacity(LINE);
        while line.len() < LINE {
            lot ^= lot << 13;
            lot ^= lot >> 7;
            lot ^= lot << 17;
            let place = usize::try_from(lot >> 32).unwrap_or(0) % LETTERS.len();
            line.push(char::from(*LETTERS.get(place).unwrap_or(&b' ')));
        }
        writeln!(out, "{line}").map_err(|e| e.to_string())?;
        written = written.saturating_add(LINE as u64 + 1);
    }
    out.flush().map_err(|e| e.to_string())
}

pub(crate) fn partial(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| e.to_string())
}

/// As syslog(3) does, waiting while there is no room; or as a line each, into what is no socket.
#[allow(clippy::disallowed_methods, reason = "a program that says something now and then")]
pub(crate) fn messages(path: &str, count: u64, pause: u64, text: &str) -> Result<(), String> {
    system::end_on_term()?;
    let said = |e: std::io::Error| format!("{path}: {}", system::error_name(&e));
    let socket = UnixDatagram::unbound().map_err(said)?;
    let mut file = match socket.connect(path) {
        Ok(()) => None,
        Err(_) => Some(std::fs::OpenOptions::new().write(true).open(path).map_err(said)?),
    };
    for number in 0..count {
        let message = format!("<14>{text} {number:06}");
        match &mut file {
            Some(file) => file.write_all(message.as_bytes()).map_err(said)?,
            None => socket.send(message.as_bytes()).map(drop).map_err(said)?,
        }
        if pause > 0 {
            std::thread::sleep(std::time::Duration::from_millis(pause));
        }
    }
    println!("said {count}");
    Ok(())
}

pub(crate) fn write_file(path: &str, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("write {path}: {}", system::error_name(&e)))
}

pub(crate) fn make_folder(path: &str) -> Result<(), String> {
    std::fs::create_dir(path).map_err(|e| format!("mkdir {path}: {}", system::error_name(&e)))
}

pub(crate) fn symlink(to: &str, path: &str) -> Result<(), String> {
    std::os::unix::fs::symlink(to, path).map_err(|e| format!("link {path}: {}", system::error_name(&e)))
}

pub(crate) fn fifo(path: &str) -> Result<(), String> {
    let text = std::ffi::CString::new(path).map_err(|e| e.to_string())?;
    // SAFETY: a valid C string.
    let made = system::check(unsafe { libc::mkfifo(text.as_ptr(), 0o600) });
    made.map(drop).map_err(|e| format!("fifo {path}: {}", system::error_name(&e)))
}

/// A folder at `path`, and a link to `to` in its place, as fast as possible.
pub(crate) fn exchange(path: &str, to: &str) -> Result<(), String> {
    system::end_on_term()?;
    let other = format!("{path}.other");
    std::fs::create_dir(path).map_err(|e| format!("{path}: {}", system::error_name(&e)))?;
    symlink(to, &other)?;
    println!("exchanging");
    std::io::stdout().flush().map_err(|e| e.to_string())?;
    let c = |text: &str| std::ffi::CString::new(text).map_err(|e| e.to_string());
    let (one, two) = (c(path)?, c(&other)?);
    loop {
        // SAFETY: valid C strings.
        let done = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                one.as_ptr(),
                libc::AT_FDCWD,
                two.as_ptr(),
                libc::RENAME_EXCHANGE,
            )
        };
        system::check(done).map_err(|e| format!("exchange: {}", system::error_name(&e)))?;
    }
}

pub(crate) fn serve(port: u16) -> Result<(), String> {
    const BODY: &str = "hello from the payload\n";
    system::end_on_term()?;
    let listener = TcpListener::bind(("0.0.0.0", port)).map_err(|e| format!("port {port}: {e}"))?;
    println!("serving on {port}");
    for client in listener.incoming() {
        let Ok(mut client) = client else { continue };
        let _ = client.read(&mut [0; 4096]);
        let length = BODY.len();
        let status = std::fs::read_to_string("/tmp/status").unwrap_or_else(|_| "200".to_owned());
        let answer = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{BODY}"
        );
        // A client that went before its answer has no use for it.
        let _ = client.write_all(answer.as_bytes());
    }
    Ok(())
}
