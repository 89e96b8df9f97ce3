//! The frames between PID 1 and the supervisor: what is read is written back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::ledger::{FRAME_BYTES, Frame};

fuzz_target!(|bytes: &[u8]| {
    assert!(bytes.len() == FRAME_BYTES || Frame::decode(bytes).is_err());
    let mut whole = [0; FRAME_BYTES];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    if let Ok(frame) = Frame::decode(&whole) {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
});
