//! Whatever can happen to a machine while it works, drawn by lot: the same lots for the same seed.
//!
//! Done by a process of the machine's own, outside of every container, that nothing of it happens to. What
//! lasts (a stopped process, a full file system, a stopped console, clients that say nothing) lasts for three
//! seconds at most, and is over when [`run`] returns.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::crowd;
use crate::system::{self, check, clock};
use crate::talk;

const CONSOLE: &str = "/dev/ttyS0";
const FILLER: &str = "/run/filler";
/// Between two things that happen; shorter ones would be one, longer ones would let everything come to rest.
const BETWEEN_MS: (u64, u64) = (5, 150);
const LASTS_MS: (u64, u64) = (50, 3000);
/// What kills whom: from outside, by a fault of its own, as a panic, politely, and by what std's users forget.
const DEADLY: [i32; 6] =
    [libc::SIGKILL, libc::SIGKILL, libc::SIGSEGV, libc::SIGABRT, libc::SIGTERM, libc::SIGHUP];
/// What process 1 of a machine gets: none of it may do anything.
const TO_PID_1: [i32; 5] = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGHUP, libc::SIGUSR1];
/// As somebody types them, with a container's name behind the first word.
const COMMANDS: [&str; 9] = [
    "restart",
    "restart",
    "stop",
    "start",
    "pause",
    "resume",
    "logs -f",
    "exec % /payload sleep",
    "exec % /payload each mounts , fds",
];

/// SplitMix64.
pub(crate) struct Lot(pub(crate) u64);

impl Lot {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)).checked_rem(bound).unwrap_or_default()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let place = self.below(of.len() as u64);
        of.get(usize::try_from(place).unwrap_or_default()).copied()
    }

    fn time(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}

struct Chaos<'a> {
    lot: Lot,
    names: Vec<&'a str>,
    now: Duration,
    /// The clock's time at boot, when nobody had set it.
    at_boot: Duration,
    stopped: Vec<(i32, Duration)>,
    full: Option<Duration>,
    silent: Option<Duration>,
    crowd: Option<Duration>,
    clients: Vec<(Child, Duration)>,
    done: BTreeMap<&'static str, u32>,
}

/// For so many seconds; how often each thing happened.
pub(crate) fn run(seed: u64, seconds: u64, names: &str) -> io::Result<String> {
    let now = clock(libc::CLOCK_BOOTTIME);
    let mut chaos = Chaos {
        lot: Lot(seed),
        names: names.split(' ').collect(),
        now,
        at_boot: clock(libc::CLOCK_REALTIME).saturating_sub(now),
        stopped: Vec::new(),
        full: None,
        silent: None,
        crowd: None,
        clients: Vec::new(),
        done: BTreeMap::new(),
    };
    let end = now + Duration::from_secs(seconds);
    while chaos.now < end {
        let what = chaos.happens()?;
        *chaos.done.entry(what).or_default() += 1;
        system::sleep(chaos.lot.time(BETWEEN_MS));
        chaos.now = clock(libc::CLOCK_BOOTTIME);
        chaos.settle(chaos.now)?;
    }
    chaos.settle(Duration::MAX)?;
    set_clock(chaos.at_boot + clock(libc::CLOCK_BOOTTIME))?;
    Ok(chaos.done.iter().map(|(what, count)| format!("{what} {count}, ")).collect())
}

impl Chaos<'_> {
    fn happens(&mut self) -> io::Result<&'static str> {
        let until = self.now + self.lot.time(LASTS_MS);
        Ok(match self.lot.below(20) {
            0..=3 => self.kill(true),
            4..=6 => self.kill(false),
            7..=9 => self.stop(until),
            10 => {
                set_clock(Duration::from_secs(631_152_000 + self.lot.below(4_000_000_000)))?;
                "clock set"
            }
            11 if self.full.is_none() => {
                self.full = Some(until);
                fill(FILLER);
                "/run filled"
            }
            12 if self.silent.is_none() => {
                self.silent = Some(until);
                talk::flow(CONSOLE, false).map_err(io::Error::other)?;
                "console stopped"
            }
            13 if self.crowd.is_none() => {
                self.crowd = Some(until);
                self.clients.push((crowd::start(self.lot.below(u64::MAX))?, until));
                "1000 clients"
            }
            14 => {
                self.signal_pid_1();
                "process 1 signalled"
            }
            _ => self.command(until)?,
        })
    }

    /// One of Orlop's processes, or of the containers'.
    fn kill(&mut self, ours: bool) -> &'static str {
        let victim = self.victim(ours);
        if let (Some(pid), Some(signal)) = (victim, self.lot.one_of(&DEADLY)) {
            send(pid, signal);
        }
        if ours { "of ours killed" } else { "of containers killed" }
    }

    fn stop(&mut self, until: Duration) -> &'static str {
        let ours = self.lot.below(2) == 0;
        if let Some(pid) = self.victim(ours) {
            send(pid, libc::SIGSTOP);
            self.stopped.push((pid, until));
        }
        if ours { "of ours stopped" } else { "of containers stopped" }
    }

    fn signal_pid_1(&mut self) {
        if let Some(signal) = self.lot.one_of(&TO_PID_1) {
            send(1, signal);
        }
    }

    fn victim(&mut self, ours: bool) -> Option<i32> {
        let own = std::process::id().cast_signed();
        let spared: Vec<i32> =
            self.clients.iter().map(|(child, _)| child.id().cast_signed()).chain([1, own]).collect();
        let all = processes().into_iter().filter(|(pid, _)| !spared.contains(pid));
        let pids: Vec<i32> =
            all.filter(|(_, words)| words.starts_with("orlop ") == ours).map(|(pid, _)| pid).collect();
        self.lot.one_of(&pids)
    }

    #[allow(clippy::disallowed_methods, reason = "here nobody else reaps")]
    fn command(&mut self, until: Duration) -> io::Result<&'static str> {
        let (Some(words), Some(name)) = (self.lot.one_of(&COMMANDS), self.lot.one_of(&self.names)) else {
            return Ok("nothing");
        };
        let words = if words.contains('%') { words.replace('%', name) } else { format!("{words} {name}") };
        let mut command = Command::new("/proc/1/exe");
        command.arg0("client").args(words.split(' '));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        self.clients.push((child, until));
        Ok("command given")
    }

    /// What has lasted long enough is over.
    fn settle(&mut self, now: Duration) -> io::Result<()> {
        self.stopped.retain(|(pid, until)| {
            if *until <= now {
                send(*pid, libc::SIGCONT);
            }
            *until > now
        });
        for (child, until) in &mut self.clients {
            if *until <= now {
                child.kill()?;
                child.wait()?;
            }
        }
        self.clients.retain_mut(|(child, until)| *until > now && !matches!(child.try_wait(), Ok(Some(_))));
        self.crowd.take_if(|until| *until <= now);
        if self.full.take_if(|until| *until <= now).is_some() {
            fs::remove_file(FILLER)?;
        }
        if self.silent.take_if(|until| *until <= now).is_some() {
            talk::flow(CONSOLE, true).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

pub(crate) fn send(pid: i32, signal: i32) {
    // SAFETY: plain numbers. Who is gone meanwhile needs no signal.
    unsafe { libc::kill(pid, signal) };
}

/// All but the kernel's, and what each was called as.
pub(crate) fn processes() -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let words = |pid: i32| {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        (!text.is_empty()).then_some((pid, text))
    };
    pids.filter_map(words).collect()
}

pub(crate) fn set_clock(to: Duration) -> io::Result<()> {
    let seconds = to.as_secs().try_into().unwrap_or_default();
    let time = libc::timespec { tv_sec: seconds, tv_nsec: to.subsec_nanos().into() };
    // SAFETY: `time` lives through the call.
    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) }).map(drop)
}

/// To the last byte.
pub(crate) fn fill(path: &str) {
    let Ok(mut file) = fs::File::create(path) else { return };
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
