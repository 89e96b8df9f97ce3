//! What a program does with its input, and with a terminal.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::system;

/// Standard input → standard output, as it comes.
pub(crate) fn copy() -> Result<(), String> {
    let (mut input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut buffer = [0; 64 << 10];
    loop {
        let count = input.read(&mut buffer).map_err(|e| e.to_string())?;
        if count == 0 {
            return Ok(());
        }
        let read = buffer.get(..count).unwrap_or_default();
        out.write_all(read).and_then(|()| out.flush()).map_err(|e| e.to_string())?;
    }
}

/// Each message with a NUL behind it → its answer, a line each.
pub(crate) fn ask(socket: &str, messages: &[&str]) -> Result<(), String> {
    let mut stream = UnixStream::connect(socket).map_err(|e| e.to_string())?;
    for message in messages {
        // One that is closed to us may have said why.
        let sent = stream.write_all(&[message.as_bytes(), &[0]].concat());
        println!("{}", String::from_utf8_lossy(&answer(&mut stream)));
        sent.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// On a connection of its own; an error when nothing is answered.
pub(crate) fn ask_once(socket: &str, message: &str) -> Result<(), String> {
    let mut stream = UnixStream::connect(socket).map_err(|e| format!("{socket}: {e}"))?;
    stream.write_all(&[message.as_bytes(), &[0]].concat()).map_err(|e| e.to_string())?;
    if answer(&mut stream).is_empty() { Err("no answer".into()) } else { Ok(()) }
}

/// Up to its NUL, behind which nothing comes unasked.
fn answer(stream: &mut UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 16 << 10];
    while answer.last() != Some(&0) {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Ok(_) | Err(_) => break,
        }
    }
    answer.pop_if(|last| *last == 0);
    answer
}

/// The size of the terminal on standard input, again at each change; ends at a line `exit CODE`, or at
/// the end of its input.
pub(crate) fn terminal() -> Result<(), String> {
    extern "C" fn changed(_: i32) {
        say_size();
    }
    let handler = changed as extern "C" fn(i32) as libc::sighandler_t;
    system::on_signal(libc::SIGWINCH, handler).map_err(|e| e.to_string())?;
    println!("session {}", if is_leader() { "its own" } else { "another's" });
    println!("TERM={}", std::env::var("TERM").unwrap_or_default());
    let _ = std::io::stdout().flush();
    say_size();
    let mut line = String::new();
    loop {
        let mut byte = [0];
        match std::io::stdin().read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) if byte == *b"\n" => {
                if let Some(code) = line.strip_prefix("exit ").and_then(|code| code.trim().parse().ok()) {
                    system::exit_now(code);
                }
                println!("read {line:?}");
                let _ = std::io::stdout().flush();
                line.clear();
            }
            Ok(_) => line.push(char::from(byte[0])),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
}

fn is_leader() -> bool {
    // SAFETY: always allowed.
    unsafe { libc::getsid(0) == libc::getpid() && libc::tcgetpgrp(0) == libc::getpid() }
}

fn say_size() {
    // SAFETY: all-zero is a valid winsize, which the call fills.
    let text = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        match libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) {
            0 => format!("size {} {}\n", size.ws_row, size.ws_col),
            _ => String::from("no terminal\n"),
        }
    };
    // SAFETY: writes what it is given; also from a signal handler.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

pub(crate) fn flow(path: &str, on: bool) -> Result<(), String> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let said = |e: std::io::Error| format!("{path}: {}", system::error_name(&e));
    let terminal =
        options.read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path).map_err(said)?;
    let how = if on { libc::TCOON } else { libc::TCOOFF };
    // SAFETY: an open descriptor and a constant.
    system::check(unsafe { libc::tcflow(terminal.as_raw_fd(), how) }).map(drop).map_err(said)
}
