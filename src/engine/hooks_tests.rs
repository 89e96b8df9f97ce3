//! Hooks as processes.

use std::path::Path;

use super::*;
use crate::linux::forked::Forked;

/// A hook that is a shell with these words.
fn shell(script: &str) -> Hook {
    let words = ["sh", "-c", script];
    Hook { path: String::from("/bin/sh"), args: words.map(String::from).into(), ..Hook::default() }
}

/// Runs hooks where they are run: in a process of one thread. What went wrong, or `ok`.
fn outcome(hooks: &[Hook], state: &str, directory: &Path) -> String {
    let answer = directory.join("answer");
    let child = Forked::run(|| {
        let done = run(
            hooks,
            state.as_bytes(),
            Place { directory: directory.to_str(), with: None },
            &[String::from("C=d")],
        );
        let line = done.err().unwrap_or_else(|| String::from("ok"));
        i32::from(std::fs::write(&answer, line).is_err())
    });
    assert_eq!(child.wait(), 0);
    let line = std::fs::read_to_string(&answer).unwrap();
    std::fs::remove_file(answer).unwrap();
    line
}

#[track_caller]
fn check(hook: &Hook, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(outcome(std::slice::from_ref(hook), "{}", folder.path()), expected);
}

#[test]
fn state_comes_on_standard_input_and_the_environment_and_words_are_the_hooks_own() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let mut hook = shell("cat > out; env | grep -v -e ^_= -e ^PWD= | sort >> out; echo $0 $# $(pwd) >> out");
    hook.args.extend(["zero", "one"].map(String::from));
    hook.env = Some(vec![String::from("A=b"), String::from("PATH=/usr/bin:/bin")]);
    let state = format!("{{\"id\":\"{}\"}}\n", "x".repeat(200_000));
    assert_eq!(outcome(&[hook], &state, folder.path()), "ok");
    let text = std::fs::read_to_string(here.join("out")).unwrap();
    let expected = format!("{state}A=b\nPATH=/usr/bin:/bin\nzero 1 {}\n", here.display());
    assert!(text == expected, "{}", text.trim_start_matches(&state));
}

#[test]
fn one_that_says_nothing_of_its_environment_has_that_of_whoever_runs_it() {
    check(&shell("[ \"$C\" = d ]"), "ok");
    let none = Hook { env: Some(Vec::new()), ..shell("[ -z \"$C\" ]") };
    check(&none, "ok");
}

#[test]
fn the_state_says_where_the_bundle_is() {
    assert_eq!(bundle(br#"{"id":"a","bundle":"/b"}"#).as_deref(), Some("/b"));
    assert_eq!(bundle(b"{}"), None);
    assert_eq!(bundle(b""), None);
}

#[test]
fn a_failure_says_which_how_and_what_it_said() {
    check(&shell("exit 0"), "ok");
    check(&shell("echo out; echo why >&2; exit 3"), "#0: /bin/sh: exit status 3: out\nwhy");
    check(&shell("kill -TERM $$"), "#0: /bin/sh: killed by SIGTERM");
    let missing = Hook { path: String::from("/nonexistent"), ..Hook::default() };
    check(&missing, "#0: /nonexistent: No such file or directory");
}

#[test]
fn one_that_does_not_read_its_input_or_never_stops_talking_is_not_waited_for_in_vain() {
    check(&shell("exec 0<&-; exit 0"), "ok");
    check(&shell("i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done"), "ok");
}

#[test]
fn its_time_runs_out_with_all_that_it_started() {
    let mut hook = shell("sleep 1000 & sleep 1000");
    hook.timeout = Some(1);
    check(&hook, "#0: /bin/sh: not done after 1 s");
}

#[test]
fn a_process_that_it_leaves_behind_holds_nobody_up() {
    check(&shell("sleep 5 & exit 0"), "ok");
}

#[test]
fn nothing_of_ours_is_open_in_it() {
    check(&shell("[ \"$(ls /proc/self/fd | wc -l)\" = 4 ] || { ls -l /proc/self/fd; exit 1; }"), "ok");
}

#[test]
fn later_hooks_do_not_run_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = ["echo 1 >> out", "exit 1", "echo 3 >> out"].map(shell);
    assert_eq!(outcome(&hooks, "{}", folder.path()), "#1: /bin/sh: exit status 1");
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "1\n");
}
