//! Much output, little output, and a page for a browser.

use std::io::{BufWriter, Read, Write};
use std::net::TcpListener;

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

pub(crate) fn partial(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| e.to_string())
}

pub(crate) fn write_file(path: &str, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("write {path}: {}", system::error_name(&e)))
}

pub(crate) fn make_folder(path: &str) -> Result<(), String> {
    std::fs::create_dir(path).map_err(|e| format!("mkdir {path}: {}", system::error_name(&e)))
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
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{BODY}"
        );
        // A client that went before its answer has no use for it.
        let _ = client.write_all(answer.as_bytes());
    }
    Ok(())
}
