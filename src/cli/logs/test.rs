//! Lines put together from reads.

use super::lines::MAX_LINE;
use super::*;
use crate::cli::screen::{Colours, Progress};
use orlop::control::Stream;

fn asked(names: &[&str]) -> LogsArguments {
    LogsArguments {
        names: names.iter().map(|name| String::from(*name)).collect(),
        follow: true,
        all: false,
        lines: None,
        since: None,
        until: None,
        boot: None,
        boots: false,
        grep: None,
        timestamps: false,
        json: false,
    }
}

#[track_caller]
fn check_of(arguments: &LogsArguments, colours: Colours, entries: &[(&str, &[u8])], expected: &str) {
    check_stream(arguments, colours, (Stream::Stderr, entries), expected);
}

#[track_caller]
fn check_stream(
    arguments: &LogsArguments,
    colours: Colours,
    (stream, entries): (Stream, &[(&str, &[u8])]),
    expected: &str,
) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen =
        Screen { out: &mut out, err: &mut err, colours, width: None, progress: Progress::Hidden };
    let mut show = Show::new(arguments, &arguments.names);
    for (name, bytes) in entries {
        let entry = Entry::output(name, stream, 7, String::from("T"), bytes);
        show.entry(&mut screen, &entry).unwrap();
    }
    show.finish(&mut screen).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[track_caller]
fn check(names: &[&str], entries: &[(&str, &[u8])], expected: &str) {
    check_of(&asked(names), Colours::Off, entries, expected);
}

#[test]
fn half_a_line_of_one_container_is_not_held_back() {
    check(&["a"], &[("a", b"one"), ("a", b" two"), ("a", b"")], "one two");
}

#[test]
fn lines_of_several_are_whole_whatever_the_reads_were() {
    check(
        &["a", "b"],
        &[("a", b"1\n\n2"), ("b", b"x"), ("a", b"3\n"), ("b", b"\n")],
        "a | 1\na | \na | 23\nb | x\n",
    );
    check(&["a", "b"], &[("b", b""), ("a", b"last")], "a | last\n");
}

#[test]
fn the_two_streams_of_a_container_do_not_mix_within_a_line() {
    let mut lines = Lines::new(Names::new(&[]));
    let mut add = |stream, bytes: &[u8]| {
        let entry = Entry::output("a", stream, 7, String::new(), bytes);
        lines.add(&entry, bytes).into_iter().map(|line| line.bytes).collect::<Vec<_>>()
    };
    assert_eq!(add(Stream::Stdout, b"half "), [b""; 0]);
    assert_eq!(add(Stream::Stderr, b"an error\n"), [b"an error\n"]);
    assert_eq!(add(Stream::Stdout, b"a line\n"), [b"half a line\n"]);
}

#[test]
fn names_line_up_as_they_are_met() {
    check(&[], &[("a", b"1\n"), ("long", b"2\n"), ("a", b"3\n")], "a | 1\nlong | 2\na    | 3\n");
}

#[test]
fn each_name_has_a_colour_on_a_terminal_and_output_keeps_its_own() {
    let entries: [(&str, &[u8]); 3] = [("a", b"\x1b[31mred\x1b[0m\n"), ("b", b"2\n"), ("a", b"3\n")];
    let expected = "\x1b[36ma |\x1b[0m \x1b[31mred\x1b[0m\n\x1b[33mb |\x1b[0m 2\n\x1b[36ma |\x1b[0m 3\n";
    check_of(&asked(&["a", "b"]), Colours::On, &entries, expected);
}

#[test]
fn a_line_without_end_is_shown_in_parts() {
    let piece = vec![b'x'; MAX_LINE / 2];
    let entries: Vec<(&str, &[u8])> = vec![("a", &piece); 3];
    let x = |count: usize| "x".repeat(count);
    check(&["a", "b"], &entries, &format!("a | {}\na | {}\n", x(MAX_LINE), x(MAX_LINE / 2)));
}

#[test]
fn only_lines_that_have_the_text_are_shown_whole_and_unchanged() {
    let mut arguments = asked(&["a"]);
    arguments.grep = Some("b.r".into());
    let entries: [(&str, &[u8]); 4] =
        [("a", b"one\nfoob"), ("a", b".rx\xff\n"), ("a", b"bar\n"), ("a", b"last b.r")];
    check_of(&arguments, Colours::Off, &entries, "foob.rx\u{fffd}\nlast b.r\n");
    arguments.json = true;
    let object = |text: &str, data: &str| {
        format!(
            "{{\"name\":\"a\",\"stream\":\"stderr\",\"boot_us\":7,\"time\":\"T\",\"text\":{text},\"data\":{data},\"dropped\":null}}\n"
        )
    };
    let expected = object("null", "\"Zm9vYi5yeP8K\"") + &object("\"last b.r\"", "null");
    check_of(&arguments, Colours::Off, &entries, &expected);
}

#[test]
fn a_message_is_a_line_without_its_priority_and_json_has_it_whole() {
    #[track_caller]
    fn check(line: LogsArguments, expected: &str) {
        let messages = [&b"<30>app[7]: one"[..], b"<4>two\n", b"<x>three", b"<1234>four", b""];
        let entries = messages.map(|bytes| ("a", bytes));
        check_stream(&line, Colours::Off, (Stream::Syslog, &entries), expected);
    }
    check(asked(&["a"]), "app[7]: one\ntwo\n<x>three\n<1234>four\n\n");
    check(asked(&["a", "b"]), "a | app[7]: one\na | two\na | <x>three\na | <1234>four\na | \n");
    let json = LogsArguments { json: true, grep: Some("one".into()), ..asked(&["a"]) };
    let object =
        "\"stream\":\"syslog\",\"boot_us\":7,\"time\":\"T\",\"text\":\"<30>app[7]: one\",\"data\":null";
    check(json, &format!("{{\"name\":\"a\",{object},\"dropped\":null}}\n"));
}

#[test]
fn a_message_cannot_look_like_anothers_and_the_kernels_moves_no_cursor() {
    let entries: [(&str, &[u8]); 2] =
        [("a", b"<30>one\n@kernel | two"), ("@kernel", b"<6>\x1b[2Jx\n@orlop | y\xff\n")];
    let kernel = "\u{fffd}[2Jx @orlop | y\u{fffd}\n";
    let check = |names: &[&str], entries: &[(&str, &[u8])], expected: &str| {
        check_stream(&asked(names), Colours::Off, (Stream::Syslog, entries), expected);
    };
    check(
        &["a", "@kernel"],
        &entries,
        &format!("a       | one\na       | @kernel | two\n@kernel | {kernel}"),
    );
    check(&["@kernel"], &entries[1..], kernel);
    check(&["a"], &entries[..1], "one\n@kernel | two\n");
}

#[test]
fn what_was_lost_unseen_is_counted_in_messages() {
    let dropped = Dropped { reason: DropReason::Refused, bytes: 0, reads: 3 };
    let expected = "3 messages of `@kernel` are gone: it came too fast, or memory was short";
    assert_eq!(gap("@kernel", &dropped), expected);
}
