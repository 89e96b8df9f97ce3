//! Does things with the machine while a call fails, and says what is not well afterwards.
//!
//! Errands, one a line:
//! - `boot KIND ERRNO N EVERY`: the first line, in force before PID 1 begins; the n-th, and each so many after it (0: no other)
//! - `sweep PHASE KIND MOST SEED`: so many of each errno, spread over all calls that the phase makes, from the seed on
//! - `one PHASE KIND ERRNO N`: a single one
//! - `shutdown KIND ERRNO N EVERY`: the machine is told to end, the last line
//!
//! Phases are `start`, `stop`, `reload`, `serve` (another supervisor takes over) and `log` (another logger). `fault` on the console is
//! something that did not hold; it goes on after it.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::order::{KINDS, NEVER, Order};
use super::sight::{Sight, process_of};
use crate::script;
use crate::system;

const CONTROL: &str = "/run/orlop/control.sock";
const FOLDER: &str = "/orlop/config";
const FILE: &str = "test.toml";
/// In whose stead the machine is asked again.
const ANSWER: Duration = Duration::from_secs(5);
/// Until all is as it should be: an emulated machine is slow, and who dies again and again comes back after ten seconds.
const WELL: Duration = Duration::from_secs(30);
/// Between two looks at what tells nobody when it changes.
const GLANCE: Duration = Duration::from_millis(20);
const ERRNOS: [(&str, i32); 6] = [
    ("EAGAIN", libc::EAGAIN),
    ("ENOMEM", libc::ENOMEM),
    ("EMFILE", libc::EMFILE),
    ("ENOSPC", libc::ENOSPC),
    ("EIO", libc::EIO),
    ("EINTR", libc::EINTR),
];

/// What is injected.
#[derive(Clone, Copy)]
struct Injection<'a> {
    phase: &'a str,
    kind: (&'a str, u32),
    errno: (&'a str, i32),
}

struct Driver {
    order: &'static Order,
    say: fn(&str),
    /// As all is after the phase; for a reload, with each of the two configurations.
    before: [Sight; 2],
    supervisor: Option<u32>,
    /// Which of two configurations is in force.
    odd: bool,
    /// For which phase all is prepared.
    phase: String,
}

fn kind(word: &str) -> Result<u32, String> {
    KINDS.iter().find(|(name, _)| *name == word).map(|(_, bit)| *bit).ok_or_else(|| format!("kind {word}?"))
}

fn errno(word: &str) -> Result<i32, String> {
    ERRNOS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, number)| *number)
        .ok_or_else(|| format!("errno {word}?"))
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("number {word}?"))
}

pub(super) fn arm_for_boot(order: &Order, line: &str) -> Result<(), String> {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["boot", of, with, nth, every] => {
            order.give(kind(of)?, errno(with)?, number(nth)?, number(every)?);
            Ok(())
        }
        _ => Err(format!("errand {line}?")),
    }
}

pub(super) fn drive<'a>(
    order: &'static Order,
    lines: impl Iterator<Item = &'a str>,
    say: fn(&str),
) -> Result<(), String> {
    // Where the control socket is, whatever PID 1 makes its root until then.
    let namespace = fs::File::open("/proc/1/ns/mnt").map_err(|e| format!("mnt: {e}"))?;
    within(WELL, || {
        // SAFETY: the descriptor lives through the call.
        unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNS) };
        fs::metadata(CONTROL).is_ok()
    });
    own_configuration()?;
    let mut driver =
        Driver { order, say, before: Default::default(), supervisor: None, odd: false, phase: String::new() };
    driver.boot();
    for line in lines.filter(|line| !line.is_empty()) {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["sweep", phase, of, most, seed] => {
                driver.prepare(phase)?;
                driver.sweep(phase, of, (number(most)?, number(seed)?))?;
            }
            ["one", phase, of, with, nth] => {
                driver.prepare(phase)?;
                let injection = Injection { phase, kind: (of, kind(of)?), errno: (with, errno(with)?) };
                driver.inject(injection, number(nth)?)?;
            }
            ["shutdown", of, with, nth, every] => {
                say("done");
                order.give(kind(of)?, errno(with)?, number(nth)?, number(every)?);
                within(WELL, || call("Power", r#"{"action":"poweroff"}"#).is_some());
                return Ok(());
            }
            _ => return Err(format!("errand {line}?")),
        }
    }
    say("done");
    Ok(())
}

/// The machine's own cannot be written to.
fn own_configuration() -> Result<(), String> {
    let file = format!("{FOLDER}/{FILE}");
    let text = fs::read(&file).map_err(|e| format!("{file}: {e}"))?;
    script::mount("tmpfs", FOLDER, "").map_err(|e| format!("{FOLDER}: {e}"))?;
    fs::write(&file, text).map_err(|e| format!("{file}: {e}"))
}

impl Driver {
    fn fault(&self, text: &str) {
        (self.say)(&format!("fault {text}"));
    }

    fn boot(&mut self) {
        if !within(WELL, || is("web", "running")) {
            self.fault("boot: web does not run");
        }
        let (made, failed) = self.order.take_back();
        // What comes with the first who asks, and stays.
        within(WELL, || tell("Top", "web"));
        (self.say)(&format!("booted: {made} calls, failed {failed:?}"));
        self.supervisor = process_of("supervisor");
    }

    /// The state that the phase begins in; then it is done once, with all calls counted and none that fails.
    fn prepare(&mut self, phase: &str) -> Result<(), String> {
        if self.phase == phase {
            return Ok(());
        }
        phase.clone_into(&mut self.phase);
        self.begin(phase)?;
        self.act(phase)?;
        for _ in 0..2 {
            self.begin(phase)?;
            self.act(phase)?;
            self.rest();
        }
        self.supervisor = process_of("supervisor");
        Ok(())
    }

    /// Until nothing changes any more.
    fn rest(&mut self) {
        for _ in 0..10 {
            system::sleep(GLANCE);
        }
        let sight = Sight::now();
        if let Some(before) = self.before.get_mut(usize::from(self.odd)) {
            *before = sight;
        }
    }

    /// So many with each errno, all over the calls that there are.
    fn sweep(&mut self, phase: &str, of: &str, (most, seed): (u32, u32)) -> Result<(), String> {
        let kind = (of, kind(of)?);
        self.begin(phase)?;
        self.order.give(kind.1, 0, NEVER, 0);
        self.act(phase)?;
        let calls = self.order.take_back().0;
        let most = most.min(calls);
        let places = most.saturating_mul(ERRNOS.len() as u32);
        let (mut done, mut hit) = (0_u32, 0_u32);
        for place in 0..places {
            let Some(errno) = ERRNOS.get(place as usize % ERRNOS.len()) else { continue };
            let nth = u64::from(place) * u64::from(calls) / u64::from(places) + u64::from(seed);
            let nth = u32::try_from(nth % u64::from(calls)).unwrap_or_default().saturating_add(1);
            done = done.saturating_add(1);
            hit = hit.saturating_add(u32::from(self.inject(Injection { phase, kind, errno: *errno }, nth)?));
        }
        (self.say)(&format!("swept {phase} {of}: {hit} of {done} hit, {calls} calls"));
        Ok(())
    }

    fn inject(&mut self, injection: Injection<'_>, nth: u32) -> Result<bool, String> {
        let Injection { phase, kind, errno } = injection;
        self.begin(phase)?;
        self.order.give(kind.1, errno.1, nth, 0);
        let acted = self.act(phase);
        let (_, failed) = self.order.take_back();
        let what = format!("{phase} {} {} {nth}, call {}", kind.0, errno.0, failed.unwrap_or(-1));
        if let Err(text) = acted {
            self.fault(&format!("{what}: {text}"));
            // So that the next one is not blamed.
            self.act(phase).map_err(|text| format!("{what}: for good: {text}"))?;
        }
        self.look(phase, &what, errno.1);
        Ok(failed.is_some())
    }

    fn look(&mut self, phase: &str, what: &str, errno: i32) {
        let supervisor = process_of("supervisor");
        let is_another = phase != "serve" && supervisor != self.supervisor;
        if is_another && errno != libc::ENOMEM {
            self.fault(&format!("{what}: the supervisor has died"));
        }
        let mut differs = String::new();
        let is_same = within(WELL, || {
            differs = self
                .before
                .get(usize::from(self.odd))
                .map_or_else(String::new, |it| Sight::now().differs(it));
            differs.is_empty()
        });
        if !is_same && !is_another {
            self.fault(&format!("{what}: left{differs}"));
        }
        if !is_same {
            self.rest();
        }
        self.supervisor = process_of("supervisor");
    }

    fn begin(&mut self, phase: &str) -> Result<(), String> {
        match phase {
            "start" => self.down(),
            _ => self.up(),
        }
    }

    fn up(&mut self) -> Result<(), String> {
        until("web to run", || is("web", "running") || (tell("Start", "web") && is("web", "running")))
    }

    fn down(&mut self) -> Result<(), String> {
        until("web to be stopped", || is("web", "exited") || (tell("Stop", "web") && is("web", "exited")))
    }

    fn act(&mut self, phase: &str) -> Result<(), String> {
        match phase {
            "start" => {
                until("an answer to start", || tell("Start", "web"))?;
                until("web to run", || is("web", "running"))
            }
            "stop" => {
                until("an answer to stop", || tell("Stop", "web"))?;
                until("web to be stopped", || is("web", "exited"))
            }
            "reload" => self.reload(),
            "serve" => self.replace("supervisor"),
            "log" => self.replace("log"),
            _ => Err(format!("phase {phase}?")),
        }
    }

    /// With another container, or without it again.
    fn reload(&mut self) -> Result<(), String> {
        self.odd = !self.odd;
        let file = format!("{FOLDER}/more.toml");
        let more = "[container.more]\nimage = \"dir:payload\"\nentrypoint = [\"/payload\", \"sleep\"]\n";
        let text = if self.odd { more } else { "\n" };
        fs::write(&file, text).map_err(|e| format!("{file}: {e}"))?;
        until("the reload", || {
            call("Reload", r#"{"sent":false,"confirm_ms":null,"base":null}"#)
                .is_some_and(|text| text.contains(r#""number""#))
        })?;
        let odd = self.odd;
        until("what was reloaded", || {
            is("web", "running") && is("more", "running") == odd && (odd || is("more", ""))
        })
    }

    fn replace(&mut self, role: &str) -> Result<(), String> {
        until(role, || process_of(role).is_some())?;
        let before = process_of(role);
        let pid = before.and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| format!("no {role}"))?;
        // SAFETY: takes numbers.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        until(&format!("another {role}"), || {
            process_of(role).is_some_and(|pid| Some(pid) != before) && is("web", "running")
        })
    }
}

/// Whether it was so in time.
fn within(time: Duration, mut check: impl FnMut() -> bool) -> bool {
    let latest = system::clock(libc::CLOCK_MONOTONIC).saturating_add(time);
    while !check() {
        if system::clock(libc::CLOCK_MONOTONIC) > latest {
            return false;
        }
        system::sleep(GLANCE);
    }
    true
}

fn until(what: &str, check: impl FnMut() -> bool) -> Result<(), String> {
    if within(WELL, check) {
        return Ok(());
    }
    let list = call("List", "{}").unwrap_or_else(|| "no answer".into());
    Err(format!("no end of waiting for {what}: {list}"))
}

/// Whether the state is this one; none for a container that there is not.
fn is(name: &str, state: &str) -> bool {
    let Some(list) = call("List", "{}") else { return false };
    let found = list.split_once(&format!("\"name\":\"{name}\"")).and_then(|(_, rest)| {
        let (_, rest) = rest.split_once("\"state\":\"")?;
        rest.split_once('"')
    });
    found.map_or("", |(state, _)| state) == state
}

/// Whether it was answered without an error.
fn tell(method: &str, name: &str) -> bool {
    call(method, &format!("{{\"name\":\"{name}\"}}")).is_some_and(|answer| !answer.contains("\"error\""))
}

/// `None`: it cannot be asked, or does not answer; who asks then asks again.
fn call(method: &str, parameters: &str) -> Option<String> {
    let mut stream = UnixStream::connect(CONTROL).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let message = format!("{{\"method\":\"org.orlop.Control.{method}\",\"parameters\":{parameters}}}\0");
    stream.write_all(message.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 << 10];
    while answer.last() != Some(&0) {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Ok(_) | Err(_) => return None,
        }
    }
    answer.pop();
    String::from_utf8(answer).ok()
}
