//! Lines put together from reads.

use super::*;
use crate::cli::screen::{Colours, Progress};
use orlop::control::Stream;

#[track_caller]
fn check(names: &[&str], entries: &[(&str, &[u8])], expected: &str) {
    let arguments = LogsArguments {
        names: names.iter().map(|name| String::from(*name)).collect(),
        follow: true,
        lines: None,
        timestamps: false,
        json: false,
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen {
        out: &mut out,
        err: &mut err,
        colours: Colours::Off,
        width: None,
        progress: Progress::Hidden,
    };
    let mut lines = Lines::new(&arguments);
    for (name, bytes) in entries {
        let entry = Entry::output(name, Stream::Stderr, 0, String::new(), bytes);
        lines.show(&mut screen, &entry).unwrap();
    }
    lines.finish(&mut screen).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), expected);
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
fn names_line_up_as_they_are_met() {
    check(&[], &[("a", b"1\n"), ("long", b"2\n"), ("a", b"3\n")], "a | 1\nlong | 2\na    | 3\n");
}

#[test]
fn a_line_without_end_is_shown_in_parts() {
    let piece = vec![b'x'; MAX_LINE / 2];
    let entries: Vec<(&str, &[u8])> = vec![("a", &piece); 3];
    let x = |count: usize| "x".repeat(count);
    check(&["a", "b"], &entries, &format!("a | {}\na | {}\n", x(MAX_LINE), x(MAX_LINE / 2)));
}
