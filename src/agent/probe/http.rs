//! A question in HTTP/1.1, RFC 9112: a GET, of whose answer the first line counts.

use std::io::{Read, Write};

use super::{No, reason};

/// Of an answer, as much as its first line may take.
const LONGEST_LINE: usize = 1024;

/// # Errors
/// What was answered in the place of a status from 200 to 399.
pub fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> Result<(), No> {
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: orlop/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let failed = |error: std::io::Error| No::failed(reason(&error));
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    while answer.len() < LONGEST_LINE && !answer.contains(&b'\n') {
        match stream.read(&mut piece).map_err(failed)? {
            0 => break,
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(No::failed(format!("{path}: status {status}"))),
        None => Err(No::failed(String::from("the answer is no HTTP"))),
    }
}

/// Of `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = core::str::from_utf8(line).ok()?;
    let mut words = line.strip_prefix("HTTP/1.")?.split(' ');
    words.next()?;
    let digits = words.next()?.trim_end();
    digits.parse().ok().filter(|_| digits.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers so, whatever it is asked.
    struct Peer<'a>(&'a [u8]);

    impl Read for Peer<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            // In small pieces.
            let (piece, rest) = self.0.split_at(self.0.len().min(7));
            self.0 = rest;
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    impl Write for Peer<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_status_decides() {
        let check = |answer: &[u8], expected: Result<(), &str>| {
            let found = ask(Peer(answer), "localhost", "/x").map_err(|no| no.text);
            assert_eq!(found, expected.map_err(String::from), "{}", String::from_utf8_lossy(answer));
        };
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok(()));
        check(b"HTTP/1.0 302\r\n", Ok(()));
        check(b"HTTP/1.1 204\n", Ok(()));
        check(b"HTTP/1.1 503 Service Unavailable\r\n", Err("/x: status 503"));
        check(b"HTTP/1.1 100 Continue\r\n", Err("/x: status 100"));
        check(b"HTTP/1.1 2000 OK\r\n", Err("the answer is no HTTP"));
        check(b"HTTP/2 200\r\n", Err("the answer is no HTTP"));
        check(b"", Err("the answer is no HTTP"));
        check(&[b'x'; 100_000], Err("the answer is no HTTP"));
        check(b"SSH-2.0-x\r\n", Err("the answer is no HTTP"));
    }
}
