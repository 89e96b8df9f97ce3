//! The command line as a process: what reaches the terminal, a pipe, and `$?`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail in its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use orlop::control::{Decoder, Entry, Frame, LogsReply, Stream, encode_continued};

fn orlop(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
    command.args(words).env_clear();
    command
}

/// stdout, stderr, and the exit code.
#[track_caller]
fn check(output: Output, code: i32) -> (String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    (text(output.stdout), text(output.stderr))
}

#[test]
fn exit_codes_are_zero_one_and_two() {
    let (out, err) = check(orlop(&["--version"]).output().unwrap(), 0);
    assert_eq!((out.as_str(), err.as_str()), (concat!("orlop ", env!("CARGO_PKG_VERSION"), "\n"), ""));
    let (out, err) = check(orlop(&["--host", "unix:/nonexistent", "ps"]).output().unwrap(), 1);
    assert_eq!(out, "");
    assert_eq!(err, "error: cannot reach the machine at /nonexistent: there is no such socket\n");
    let (out, err) = check(orlop(&["ps", "--colour"]).output().unwrap(), 2);
    assert_eq!(out, "");
    assert!(err.starts_with("error: unexpected argument '--colour' found\n"), "{err}");
}

#[test]
fn a_role_typed_by_a_person_is_refused_and_changes_nothing() {
    for (role, expected) in [
        ("init", "`orlop-vm run DIR` boots a machine"),
        ("log", "`orlop logs` prints what containers wrote"),
        ("supervisor", "`orlop --help` lists the commands"),
        ("console", "`orlop --help` lists the commands"),
    ] {
        let (out, err) = check(orlop(&[role]).output().unwrap(), 2);
        assert!(out.is_empty() && err.starts_with("error: ") && err.contains(expected), "{role}: {err}");
    }
}

#[test]
fn no_escape_sequence_goes_into_a_pipe() {
    for words in [&["--help"][..], &["logs", "--help"], &["frobnicate"], &["man"], &["check", "/nonexistent"]]
    {
        let output = orlop(words).output().unwrap();
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{words:?}");
    }
}

/// A machine that answers the first request with output without end.
fn endless_logs(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::Builder::new()
        .spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut decoder = Decoder::new(1 << 20);
            let mut buffer = [0; 4096];
            while !matches!(decoder.next_frame(), Some(Frame::Message(_))) {
                let count = stream.read(&mut buffer).unwrap();
                decoder.push(&buffer[..count]);
            }
            let entry = Entry::output("web", Stream::Stdout, 1, String::from("t"), b"a line\n");
            let reply = encode_continued(&LogsReply { entries: vec![entry; 100] });
            while stream.write_all(&reply).is_ok() {}
        })
        .unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the command has to be left while it runs")]
fn a_reader_who_leaves_ends_the_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    endless_logs(&path);
    let host = format!("--host=unix:{}", path.display());
    let mut child =
        orlop(&[&host, "logs", "-f", "web"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "a line\n");
    // The reading end is closed by now.
    let (_, err) = check(child.wait_with_output().unwrap(), 0);
    assert_eq!(err, "");
}
