//! What containers write is kept whatever happens to the logger; what is not kept is counted.

use serde_json::{Value, json};

use crate::common::{Booted, container, count, world};

const FAULTS: &str = "[host]\nfault_injection = true\n[host.log]\nmemory = \"16M\"\n";

/// Bytes that the counting container writes; all of it fits in its log.
const WRITTEN: u64 = 2_000_000;

/// The lines are numbered from 0 without a gap up to the last.
#[track_caller]
fn check_whole(text: &str, written: u64) {
    assert!(text.len() as u64 >= written, "{} of {written} bytes", text.len());
    for (number, line) in text.lines().enumerate() {
        assert_eq!(line, format!("{number:010} line"), "line {number}");
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn a_logger_killed_under_load_loses_nothing() {
    let task = format!("write {WRITTEN} line");
    // So slow that it writes from the first kill to the last.
    let slow = "restart = \"no\"\nlog = { memory = \"8M\" }\nlimits = { cpus = 0.05 }";
    let machine = world(&format!("{FAULTS}{}", container("web", &task, slow))).boot();
    machine.until("web", "to write", |_| !machine.logs("web").is_empty());
    let kills = count(6);
    for number in 1..=kills {
        machine.crash("log", ["SIGKILL", "SIGSEGV"][(number % 2) as usize]);
        // Now and then the supervisor with it: nobody is left who knows of the pipes but PID 1.
        if number % 3 == 0 {
            machine.crash("supervisor", "SIGKILL");
            machine.supervisor(number / 3 + 1);
        }
    }
    let web = machine.container("web").unwrap();
    assert_eq!(web["state"], "running", "it wrote all before the last kill");
    machine.wait("web", "exited");
    whole(&machine, "web", WRITTEN);
    // From the end, over many thousand pieces, and beyond the beginning.
    let lines = WRITTEN / 16;
    for wanted in [0, 1, lines / 2, 2 * lines] {
        assert_eq!(last(&machine, "web", wanted).lines().count() as u64, wanted.min(lines), "{wanted}");
    }
    machine.power_off();
}

/// The last so many lines, as the machine finds them.
fn last(machine: &Booted, name: &str, lines: u64) -> String {
    let mut text = String::new();
    let parameters = json!({ "names": [name], "lines": lines, "follow": false });
    let taken = machine.stream("Logs", parameters, |answer| {
        for entry in answer["entries"].as_array().into_iter().flatten() {
            text.push_str(entry["text"].as_str().unwrap_or_default());
        }
        true
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    text
}

/// The logger may still be reading what its container left in the pipe.
fn whole(machine: &Booted, name: &str, written: u64) {
    machine.until(name, "its output to be read", |_| machine.logs(name).len() as u64 >= written);
    check_whole(&machine.logs(name), written);
}

#[test]
fn a_stopped_logger_blocks_nobody_who_fits_in_a_pipe() {
    let small = 30_000;
    let task = format!("write {small} line");
    let web = container("web", &task, "restart = \"no\"");
    let partial = container("partial", "partial the-end", "restart = \"no\"");
    let machine = world(&format!("{FAULTS}{}\n{web}\n{partial}", container("gate", "sleep", ""))).boot();
    machine.wait("web", "exited");
    // The last line is kept without its end.
    machine.wait("partial", "exited");
    machine.until("partial", "its output to be read", |_| machine.logs("partial") == "the-end");
    whole(&machine, "web", small);
    machine.crash("log", "SIGSTOP");
    for name in ["web", "partial"] {
        machine.ok("Start", json!({ "name": name }));
        machine.until(name, "to run again", |it| it["state"] == "exited" && it["restarts"] == 0);
    }
    machine.ok("Stop", json!({ "name": "gate" }));
    machine.wait("gate", "exited");
    machine.crash("log", "SIGCONT");
    machine.until("partial", "both outputs", |_| machine.logs("partial") == "the-endthe-end");
    machine.until("web", "both outputs", |_| machine.logs("web").len() as u64 >= 2 * small);
    machine.power_off();
}

fn entries(machine: &Booted, name: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let parameters = json!({ "names": [name], "lines": null, "follow": false });
    let taken = machine.stream("Logs", parameters, |answer| {
        entries.extend(answer["entries"].as_array().into_iter().flatten().cloned());
        true
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    entries
}

/// Bytes that were kept, and bytes that were dropped for this reason.
fn account(entries: &[Value], reason: &str) -> (u64, u64) {
    let kept: usize = entries.iter().filter_map(|entry| Some(entry["text"].as_str()?.len())).sum();
    let dropped = entries.iter().filter(|entry| entry["dropped"]["reason"] == reason);
    (kept as u64, dropped.filter_map(|entry| entry["dropped"]["bytes"].as_u64()).sum())
}

#[test]
fn what_is_dropped_is_counted() {
    // Lines of 16 bytes, so that all of it is whole lines.
    let written = 1_600_000;
    let task = format!("write {written} line");
    let toml = [
        container("small", &task, "restart = \"no\"\nlog = { memory = \"64K\" }"),
        container("slow", &task, "restart = \"no\"\nlog = { memory = \"4M\", rate = \"16K\" }"),
    ];
    let machine = world(&toml.join("\n")).boot();
    for (name, reason) in [("small", "overwritten"), ("slow", "refused")] {
        machine.wait(name, "exited");
        let mut last = (0, 0);
        machine.until(name, "every byte to be kept or counted", |_| {
            last = account(&entries(&machine, name), reason);
            last.0 + last.1 == written
        });
        assert!(last.0 > 0 && last.1 > written / 2, "{name}: {last:?}");
    }
    machine.power_off();
}

#[test]
fn following_goes_on_with_what_comes() {
    let machine = world(&container("web", "write-forever line", "limits = { cpus = 0.1 }")).boot();
    machine.wait("web", "running");
    let mut lines = 0;
    let mut answers = 0;
    let parameters = json!({ "names": ["web"], "lines": 1, "follow": true });
    let taken = machine.stream("Logs", parameters, |answer| {
        answers += 1;
        for entry in answer["entries"].as_array().into_iter().flatten() {
            lines += entry["text"].as_str().unwrap_or_default().lines().count();
        }
        // More than one pipe holds: it came after the question.
        lines < 10_000
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    assert!(answers > 1, "{lines} lines in one answer");
    machine.power_off();
}
