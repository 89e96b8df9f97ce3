//! Both halves of a session: hellos cut anywhere, clients that leave in the middle, floods.

use super::*;

const NONCE: &str = "0123456789abcdef";
const OTHER: &str = "fedcba9876543210";

/// As a client sends it, with a nonce that need not be one.
fn hello(nonce: &str) -> Vec<u8> {
    between_nuls(&format!(r#"{{"method":"{BEGIN}","parameters":{{"nonce":"{nonce}"}}}}"#))
}

fn messages(session: &mut ServerSession) -> Vec<String> {
    core::iter::from_fn(|| session.next_frame())
        .map(|frame| match frame {
            Frame::Message(bytes) => String::from_utf8(bytes).unwrap(),
            Frame::TooLarge => "<too large>".into(),
        })
        .collect()
}

#[test]
fn the_hello_and_its_answer_have_these_bytes() {
    assert_eq!(
        Opening::new(0x0123_4567_89ab_cdef).hello(),
        b"\0{\"method\":\"org.orlop.Session.Begin\",\"parameters\":{\"nonce\":\"0123456789abcdef\"}}\0"
    );
    assert_eq!(answer(NONCE), b"\0{\"parameters\":{\"nonce\":\"0123456789abcdef\"}}\0");
    assert!(CLOSED.contains(&format!("\"{CLOSED_ERROR}\"")));
    assert_eq!(closed_notice(), b"\0{\"error\":\"org.orlop.Session.Closed\",\"parameters\":{}}\0");
}

/// Pushes `input` in pieces of every size: the last session begun, and the messages left in it.
#[track_caller]
fn check(input: &[u8], begun: Option<&str>, expected: &[&str]) {
    for size in 1..=input.len() {
        let mut session = ServerSession::new(300);
        let mut last = None;
        for piece in input.chunks(size) {
            match session.push(piece) {
                Heard::Begun(answer) => last = Some(answer),
                Heard::Nothing | Heard::Stray => {}
                Heard::Flooded => panic!("flooded in pieces of {size}"),
            }
        }
        assert_eq!(last, begun.map(answer), "in pieces of {size}");
        assert_eq!(session.is_open(), begun.is_some());
        assert_eq!(messages(&mut session), expected, "in pieces of {size}");
    }
}

#[test]
fn a_begin_drops_everything_that_precedes_it() {
    check(&hello(NONCE), Some(NONCE), &[]);
    check(&[&hello(NONCE)[..], b"one\0two\0"].concat(), Some(NONCE), &["one", "two"]);
    check(&[b"stray\0HALF", &hello(NONCE)[..], b"one\0"].concat(), Some(NONCE), &["one"]);
    let reconnect = [&hello(NONCE)[..], b"one\0{\"method\":\"or", &hello(OTHER)[..], b"two\0"];
    check(&reconnect.concat(), Some(OTHER), &["two"]);
    let cut_hello = [&hello(NONCE)[..30], &hello(OTHER)[..], b"two\0"];
    check(&cut_hello.concat(), Some(OTHER), &["two"]);
    check(b"stray\0one\0HALF", None, &[]);
}

#[test]
fn a_begin_without_a_good_nonce_begins_nothing() {
    let long = "a".repeat(65);
    for nonce in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef\\u0000", &long] {
        check(&hello(nonce), None, &[]);
    }
    check(br#"{"method":"org.orlop.Session.Begin"}"#, None, &[]);
    check(b"{\"method\":\"org.orlop.Session.Begin\",\"parameters\":{\"nonce\":7}}\0", None, &[]);
}

#[test]
fn who_speaks_without_a_session_is_noticed() {
    let mut session = ServerSession::new(300);
    assert_eq!(session.push(b"{\"method\":\"a.B\"}"), Heard::Nothing);
    assert_eq!(session.push(b"\0"), Heard::Stray);
    session.push(&hello(NONCE));
    assert_eq!(session.push(b"one\0"), Heard::Nothing);
    session.end();
    assert_eq!(messages(&mut session), [""; 0]);
    assert_eq!(session.push(b"two\0"), Heard::Stray);
}

#[test]
fn a_client_that_never_waits_loses_its_session_and_a_new_one_gets_in() {
    let mut session = ServerSession::new(100);
    session.push(&hello(NONCE));
    let mut heard = Vec::new();
    for _ in 0..200 {
        heard.push(session.push(b"x\0"));
        assert!(session.waiting_bytes <= 101);
    }
    assert!(heard.contains(&Heard::Flooded));
    assert_eq!(heard.last(), Some(&Heard::Stray));
    assert_eq!(session.push(&hello(OTHER)), Heard::Begun(answer(OTHER)));
}

#[test]
fn a_message_as_large_as_the_limit_is_no_flood() {
    let mut session = ServerSession::new(100);
    session.push(&hello(NONCE));
    let message = [&[b'x'; 100][..], b"\0"].concat();
    assert_eq!(session.push(&message), Heard::Nothing);
    assert_eq!(messages(&mut session), ["x".repeat(100)]);
    assert_eq!(session.push(&[&[b'x'; 101][..], b"\0"].concat()), Heard::Nothing);
    assert_eq!(messages(&mut session), ["<too large>"]);
}

/// What the client's half leaves to the session, in pieces of every size; `None`: no answer yet.
#[track_caller]
fn check_client(input: &[u8], expected: Option<&str>) {
    for size in 1..=input.len() {
        let mut client = Opening::new(0x0123_4567_89ab_cdef);
        let mut out: Option<Vec<u8>> = None;
        for piece in input.chunks(size) {
            match &mut out {
                Some(out) => out.extend_from_slice(piece),
                None => {
                    out = match client.receive(piece) {
                        Opened::Begun(rest) => Some(rest.to_vec()),
                        Opened::Waiting | Opened::Closed => None,
                    }
                }
            }
        }
        let found = out.as_deref().map(String::from_utf8_lossy);
        assert_eq!(found.as_deref(), expected, "in pieces of {size}");
    }
}

#[test]
fn a_client_hears_nothing_from_before_its_own_session() {
    let mine = answer(NONCE);
    let others = answer(OTHER);
    let long = [b'x'; 5000];
    check_client(&mine, Some(""));
    check_client(&[&mine[..], b"{}\0{\"x\":1}\0ha"].concat(), Some("{}\0{\"x\":1}\0ha"));
    check_client(&[b"{\"parameters\":{\"con", &mine[..], b"{}\0"].concat(), Some("{}\0"));
    check_client(&[&others[..], b"{}\0", &mine[..], b"a\0"].concat(), Some("a\0"));
    check_client(&[&long[..], &mine[..], b"a\0"].concat(), Some("a\0"));
    check_client(&[&closed_notice()[..], &mine[..], b"a\0"].concat(), Some("a\0"));
    let half_notice = [&closed_notice()[..20], &mine[..], b"a\0"].concat();
    check_client(&half_notice, Some("a\0"));
}

#[test]
fn a_client_takes_nothing_else_for_an_answer() {
    let mine = answer(NONCE);
    let refused = format!("\0{{\"error\":\"x\",\"parameters\":{{\"nonce\":\"{NONCE}\"}}}}\0");
    for other in [
        &b"\0\0"[..],
        b"{\"parameters\":{}}\0",
        refused.as_bytes(),
        &[&answer(OTHER)[..], b"{}\0"].concat(),
        mine.strip_suffix(b"\0").unwrap(),
    ] {
        check_client(other, None);
    }
}

#[test]
fn a_client_begins_again_when_nobody_has_heard_it() {
    let check = |input: &[u8], expected| assert_eq!(Opening::new(1).receive(input), expected);
    check(&closed_notice(), Opened::Closed);
    check(&[b"half a mess", &closed_notice()[..], b"and"].concat(), Opened::Closed);
    check(&closed_notice()[..30], Opened::Waiting);
    // An answer that came behind it is one.
    let mine = answer("0000000000000001");
    check(&[&closed_notice()[..], &mine[..], b"a"].concat(), Opened::Begun(b"a"));
}

#[test]
fn two_halves_agree_after_any_number_of_quick_reconnects() {
    let mut machine = ServerSession::new(300);
    let mut wire = Vec::new();
    for round in 0..20_u32 {
        // Each client but the last is cut off in the middle of its second message, and leaves
        // answers behind that it never read.
        let mut client = Opening::new(u64::from(round));
        let Heard::Begun(answer) = machine.push(&client.hello()) else { panic!("{round}") };
        wire.extend_from_slice(&answer);
        machine.push(b"{\"method\":\"a.B\"}\0{\"meth");
        assert_eq!(messages(&mut machine), ["{\"method\":\"a.B\"}"]);
        let mine = format!("{{\"parameters\":{{\"round\":{round}}}}}\0");
        wire.extend_from_slice(mine.as_bytes());
        let Opened::Begun(heard) = client.receive(&wire) else { panic!("{round}") };
        assert_eq!(String::from_utf8_lossy(heard), mine);
        wire.extend_from_slice(b"{\"parameters\":{\"half");
    }
}
