//! A question in gRPC: `grpc.health.v1.Health/Check`, over HTTP/2 without TLS (RFC 9113), as much of it as one
//! question takes.
//!
//! The answer's headers are not read: a message that says SERVING is the only good answer, and comes as data.

use std::io::{Read, Write};

use super::{No, reason};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames, RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// The largest frame of a peer that was told of no other size.
const MAX_FRAME: usize = 16_384;
/// Frames of one answer. It has four or five.
const MAX_FRAMES: u32 = 64;

/// `ServingStatus::SERVING`.
const SERVING: u64 = 1;

/// # Errors
/// What was answered in the place of SERVING.
pub fn ask(mut stream: impl Read + Write, service: &str) -> Result<(), No> {
    let failed = |error: std::io::Error| No::failed(reason(&error));
    let mut request = PREFACE.to_vec();
    push(&mut request, SETTINGS, 0, 0, &[]);
    push(&mut request, HEADERS, END_HEADERS, 1, &headers());
    push(&mut request, DATA, END_STREAM, 1, &message(service));
    stream.write_all(&request).map_err(failed)?;
    for _ in 0..MAX_FRAMES {
        let (kind, flags, payload) = frame(&mut stream).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => No::failed(String::from("it hung up without an answer")),
            std::io::ErrorKind::InvalidData => No::failed(String::from("the answer is no HTTP/2")),
            _ => failed(error),
        })?;
        let mut reply = Vec::new();
        match kind {
            DATA => return verdict(unpadded(flags, &payload)),
            // The answer is over without a message.
            HEADERS if flags & END_STREAM != 0 => break,
            RST_STREAM | GOAWAY => break,
            SETTINGS if flags & ACK == 0 => push(&mut reply, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => push(&mut reply, PING, ACK, 0, &payload),
            // Nothing that this one question depends on.
            _ => {}
        }
        stream.write_all(&reply).map_err(failed)?;
    }
    Err(No::failed(String::from("it has no health service, or does not know this one")))
}

fn push(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    // Payloads of ours are short.
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    to.extend_from_slice(length.get(1..).unwrap_or_default());
    to.extend_from_slice(&[kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
    to.extend_from_slice(payload);
}

/// Kind, flags and payload of the next frame.
fn frame(stream: &mut impl Read) -> std::io::Result<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [a, b, c, kind, flags, ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > MAX_FRAME {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((kind, flags, payload))
}

/// HPACK (RFC 7541) without a table and without Huffman's code: a name and a value, each with its length.
fn headers() -> Vec<u8> {
    let mut block = Vec::new();
    let all = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", concat!("orlop/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in all {
        // "Literal header field without indexing, new name"; all lengths are below 127.
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// `HealthCheckRequest { string service = 1; }` behind gRPC's prefix: not compressed, and its length.
fn message(service: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if !service.is_empty() {
        body.push(1 << 3 | 2);
        push_varint(&mut body, service.len());
        body.extend_from_slice(service.as_bytes());
    }
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    message.extend_from_slice(&body);
    message
}

fn push_varint(to: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn unpadded(flags: u8, payload: &[u8]) -> &[u8] {
    if flags & PADDED == 0 {
        return payload;
    }
    let Some((padding, rest)) = payload.split_first() else { return &[] };
    rest.get(..rest.len().saturating_sub(usize::from(*padding))).unwrap_or_default()
}

/// `HealthCheckResponse { ServingStatus status = 1; }` behind gRPC's prefix.
fn verdict(data: &[u8]) -> Result<(), No> {
    let status = match data {
        // What is the default is not written.
        [0, 0, 0, 0, 0] => Some(0),
        [0, 0, 0, 0, _, 8, status, ..] if status & 0x80 == 0 => Some(u64::from(*status)),
        _ => None,
    };
    match status {
        Some(SERVING) => Ok(()),
        Some(0) => Err(No::failed(String::from("it answers UNKNOWN"))),
        Some(2) => Err(No::failed(String::from("it answers NOT_SERVING"))),
        Some(3) => Err(No::failed(String::from("it answers SERVICE_UNKNOWN"))),
        Some(other) => Err(No::failed(format!("it answers {other}"))),
        None => Err(No::failed(String::from("the answer is no health"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Answers so, and keeps what it was told.
    struct Peer {
        answer: Cursor<Vec<u8>>,
        told: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.answer.read(into)
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.told.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn answer(frames: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, flags, payload) in frames {
            push(&mut bytes, *kind, *flags, u32::from(*kind < 2), payload);
        }
        bytes
    }

    #[track_caller]
    fn check(bytes: Vec<u8>, expected: Result<(), &str>) -> Vec<u8> {
        let mut peer = Peer { answer: Cursor::new(bytes), told: Vec::new() };
        let found = ask(&mut peer, "shop.Cart").map_err(|no| no.text);
        assert_eq!(found, expected.map_err(String::from));
        peer.told
    }

    #[test]
    fn only_serving_is_well() {
        let says = |data: &[u8]| {
            answer(&[(SETTINGS, 0, &[0; 6]), (8, 0, &[0; 4]), (HEADERS, 4, b"h"), (DATA, 0, data)])
        };
        let none = "it has no health service, or does not know this one";
        let told = check(says(&[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert!(
            told.starts_with(PREFACE) && told.ends_with(&[0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]),
            "{told:?}"
        );
        assert!(told.windows(11).any(|bytes| bytes == b"\x0a\x09shop.Cart"));
        check(says(&[0, 0, 0, 0, 2, 8, 2]), Err("it answers NOT_SERVING"));
        check(says(&[0, 0, 0, 0, 2, 8, 3]), Err("it answers SERVICE_UNKNOWN"));
        check(says(&[0, 0, 0, 0, 0]), Err("it answers UNKNOWN"));
        check(says(b"hello"), Err("the answer is no health"));
        check(answer(&[(DATA, PADDED, &[2, 0, 0, 0, 0, 2, 8, 1, 0, 0])]), Ok(()));
        check(answer(&[(HEADERS, END_HEADERS | END_STREAM, b"h")]), Err(none));
        check(answer(&[(GOAWAY, 0, &[0; 8])]), Err(none));
        check(answer(&[(PING, 0, &[7; 8][..]); 100]), Err(none));
        check(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Err("the answer is no HTTP/2"));
        check(Vec::new(), Err("it hung up without an answer"));
    }
}
