//! Varlink: bytes of a socket and of a virtio port, cut anywhere, become requests or answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::control::service::{Received, receive};
use orlop::control::session::ServerSession;
use orlop::control::{Decoder, encode_call};

/// Small, so that the bound is met often.
const LIMIT: usize = 512;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let mut decoder = Decoder::new(LIMIT);
    let mut session = ServerSession::new(LIMIT);
    for piece in bytes.chunks(usize::from(size).max(1)) {
        decoder.push(piece);
        while let Some(frame) = decoder.next_frame() {
            match receive(&frame, "0.0.0") {
                // What was understood is said again in words that are understood.
                Received::Request(request, _) => {
                    let mut again = Decoder::new(1 << 20);
                    again.push(&encode_call(&request));
                    let frame = again.next_frame().expect("a whole message");
                    match receive(&frame, "0.0.0") {
                        Received::Request(same, _) => assert_eq!(same, request),
                        other => panic!("{request:?} came back as {other:?}"),
                    }
                }
                Received::Answer(message) => assert_eq!(message.last(), Some(&0)),
                Received::Nothing => {}
            }
        }
        assert!(decoder.held() <= LIMIT.max(usize::from(size)) + LIMIT);
        session.push(piece);
        while session.next_frame().is_some() {}
    }
});
