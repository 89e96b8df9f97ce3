//! Stands between the kernel and an init that is measured: says when the kernel handed over, leaves
//! an observer behind if one is asked for, and becomes that init.
//!
//! Lines on the console begin with `witness:`. The observer is a process of the machine like any
//! other, with a mount namespace and a /proc of its own. It measures once the boot is long over; what
//! a script says it does at once.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::time::Duration;

use crate::faults;
use crate::process;
use crate::script;
use crate::system::{self, Fork, check, fork};
use crate::talk;

/// When the observer begins: an emulated boot of a hundred containers is over. Where instructions
/// are counted an idle machine skips the time.
const BEGIN: Duration = Duration::from_secs(60);
/// When it begins where containers never come to rest: all have been started.
const STORMY: Duration = Duration::from_secs(15);
/// After the last orphan: PID 1 has reaped whatever it will.
const SETTLED: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
/// Between two questions: at no fixed step of what else is going on.
const BETWEEN: Duration = Duration::from_micros(10_337);
const CONTROL: &str = "/run/orlop/control.sock";
const LIST: &str = r#"{"method":"org.orlop.Control.List"}"#;

/// `[TASK…] then INIT [ARGUMENT]…`
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let then = words.iter().position(|word| *word == "then").ok_or("witness: then what?")?;
    let (task, init) = words.split_at(then);
    let init = init.iter().skip(1).map(|word| CString::new(*word)).collect::<Result<Vec<_>, _>>();
    let init = init.map_err(|e| e.to_string())?;
    if let ["faults", path] = task {
        follow_faults(path)?;
    } else if !task.is_empty() {
        match fork().map_err(|e| format!("fork: {e}"))? {
            Fork::Parent => {}
            Fork::Child => {
                if let Err(text) = observe(task) {
                    say(&format!("failed {text}"));
                }
                system::exit_now(0)
            }
        }
    }
    say(&format!("hand-over {}", system::clock(libc::CLOCK_BOOTTIME).as_nanos()));
    let program = init.first().ok_or("witness: then what?")?;
    let arguments: Vec<_> = init.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: the arguments are strings that live through the call, and a null at their end.
    unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    Err(format!("{}: {}", program.to_string_lossy(), std::io::Error::last_os_error()))
}

/// Goes on once it is followed, from its first call on.
fn follow_faults(path: &str) -> Result<(), String> {
    let mut pipe = [0; 2];
    // SAFETY: two numbers, that the kernel writes.
    check(unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) }).map_err(|e| format!("pipe: {e}"))?;
    let [read, write] = pipe;
    if let Fork::Child = fork().map_err(|e| format!("fork: {e}"))? {
        // SAFETY: one that the parent alone reads.
        unsafe { libc::close(read) };
        let done = own_proc().and_then(|()| faults::run(path, write, say));
        if let Err(text) = done {
            say(&format!("failed {text}"));
        }
        system::exit_now(0)
    }
    let mut byte = 0_u8;
    // SAFETY: one byte; the writing end is the child's alone from here on.
    unsafe {
        libc::close(write);
        libc::read(read, (&raw mut byte).cast(), 1);
        libc::close(read);
    }
    Ok(())
}

/// One write, so that what others print does not come in between.
fn say(text: &str) {
    let line = format!("\nwitness: {text}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

fn observe(task: &[&str]) -> Result<(), String> {
    own_proc()?;
    if let ["script", path] = task {
        script::run(path, say)?;
        say("done");
        return Ok(());
    }
    // A storm has no end to wait for.
    let begin = if matches!(task, ["control", _]) { STORMY } else { BEGIN };
    system::sleep(begin.saturating_sub(system::clock(libc::CLOCK_BOOTTIME)));
    match task {
        ["memory"] => memory()?,
        ["reaping", stream, burst] => {
            let number = |text: &str| text.parse::<u32>().map_err(|e| format!("{text}: {e}"));
            reaping("stream", number(stream)?, process::orphans)?;
            reaping("burst", number(burst)?, process::orphan_burst)?;
        }
        ["control", count] => {
            let mut left: u32 = count.parse().map_err(|e| format!("{count}: {e}"))?;
            control(|| left.checked_sub(1).map(|fewer| left = fewer).is_some())?;
        }
        ["control-among-orphans", count] => {
            among_orphans(count.parse().map_err(|e| format!("{count}: {e}"))?)?;
        }
        _ => return Err(format!("not a task: {}", task.join(" "))),
    }
    say("done");
    Ok(())
}

/// Whatever the init does to its mounts.
fn own_proc() -> Result<(), String> {
    let _ = fs::create_dir_all("/proc");
    // SAFETY: the strings live through the call, and there is no data.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS)).map_err(|e| format!("unshare: {e}"))?;
        check(libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null()))
            .map_err(|e| format!("/proc: {e}"))?;
    }
    Ok(())
}

/// Every process with memory of its own: what it is called, KiB of PSS, of anonymous memory, RSS; the
/// nanoseconds it has run, and how often it woke up in a minute in which nobody asked it anything.
fn memory() -> Result<(), String> {
    let own = std::process::id().to_string();
    let before = wakes();
    system::sleep(MINUTE);
    let after = wakes();
    for (pid, wakes) in after.into_iter().filter(|(pid, _)| *pid != own) {
        // A kernel thread has none, and a process may end while it is looked at.
        let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let field = |key: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let figures = [field("Pss:"), field("Pss_Anon:"), field("Rss:")].map(Option::unwrap_or_default);
        let [pss, anonymous, rss] = figures;
        let ran = time_of(&pid).unwrap_or_default();
        let woke = wakes.saturating_sub(before.get(&pid).copied().unwrap_or_default());
        let name = name.trim().replace(' ', "_");
        say(&format!("memory {pid} {name} {pss} {anonymous} {rss} {ran} {woke}"));
    }
    let info = fs::read_to_string("/proc/meminfo").map_err(|e| format!("/proc/meminfo: {e}"))?;
    for line in info.lines().filter(|line| line.starts_with("MemTotal") || line.starts_with("MemAvailable")) {
        say(&line.replace(':', ""));
    }
    Ok(())
}

/// How often each process has given up the processor by itself.
fn wakes() -> BTreeMap<String, u64> {
    let count = |pid: String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((pid, line.trim().parse().ok()?))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter_map(count).collect()
}

/// What PID 1's time on the CPU grew by while it got `count` orphans, in nanoseconds.
fn reaping(name: &str, count: u32, make: fn(u32) -> Result<(), String>) -> Result<(), String> {
    let before = time_of("1")?;
    make(count)?;
    system::sleep(SETTLED);
    let took = time_of("1")?.saturating_sub(before);
    say(&format!("reaping {name} {count} {took} left {}", zombies()?));
    Ok(())
}

/// How long it takes while PID 1 gets as many orphans as can be made, and how much it then has left to reap.
fn among_orphans(count: u32) -> Result<(), String> {
    match fork().map_err(|e| format!("fork: {e}"))? {
        Fork::Child => {
            match process::orphans(count) {
                Ok(()) => say(&format!("orphans {count} made")),
                Err(text) => say(&format!("failed {text}")),
            }
            system::exit_now(0)
        }
        Fork::Parent => {}
    }
    control(|| !system::reap_one_ended())?;
    say(&format!("orphans left {}", zombies()?));
    Ok(())
}

/// How long the machine's list takes, from a new connection to the last byte of the answer: nanoseconds of the middle
/// one, of the one that 99 of 100 are no longer than, and of the longest; asked as long as `again` says so.
fn control(mut again: impl FnMut() -> bool) -> Result<(), String> {
    // Where the socket is.
    script::join("/proc/1/ns/mnt").map_err(|e| format!("setns: {e}"))?;
    let mut took = Vec::new();
    while again() {
        let begin = system::clock(libc::CLOCK_MONOTONIC);
        talk::ask_once(CONTROL, LIST)?;
        took.push(system::clock(libc::CLOCK_MONOTONIC).saturating_sub(begin).as_nanos());
        system::sleep(BETWEEN);
    }
    took.sort_unstable();
    let at = |part: usize| {
        took.get(took.len().saturating_mul(part) / 100).or(took.last()).copied().unwrap_or_default()
    };
    say(&format!("control middle {} p99 {} longest {} of {}", at(50), at(99), at(100), took.len()));
    Ok(())
}

/// The first of schedstat's figures, see the kernel's sched-stats.rst.
fn time_of(pid: &str) -> Result<u64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).map_err(|e| format!("schedstat: {e}"))?;
    text.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| text.clone())
}

fn zombies() -> Result<usize, String> {
    let entries = fs::read_dir("/proc").map_err(|e| format!("/proc: {e}"))?;
    let is_zombie = |path: std::path::PathBuf| {
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tZ"))
    };
    Ok(entries.flatten().filter(|entry| is_zombie(entry.path())).count())
}

/// The least that an init can do about orphans: what the others' figures are compared with.
pub(crate) fn reap_for_ever() -> Result<(), String> {
    while system::reap() {}
    system::pause_for_ever()
}
