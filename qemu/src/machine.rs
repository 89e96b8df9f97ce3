//! A running machine: starting it, waiting for it, ending it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

use crate::accelerator;
use crate::arguments::{Wiring, arguments};
use crate::end::End;
use crate::error::{Error, Result};
use crate::launch;
use crate::monitor::Monitor;
use crate::options::{Accelerator, ConsoleCopy, Options};
use crate::ports::Ports;
use crate::qmp;
use crate::relay::ControlSocket;
use crate::state::{Shared, State};

/// A kernel that dies prints its trace for a while after the first line of it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// QEMU was killed: the kernel needs a moment only.
const KILLED: Duration = Duration::from_secs(10);

/// With less, firmware and kernel find no place for themselves, and say nothing at all.
const LEAST_MEMORY: u64 = 32 << 20;

/// The part of the console that an error shows.
const SHOWN_LINES: usize = 200;

pub struct Machine {
    pub(crate) ports: Arc<Ports>,
    pub(crate) deadline: Duration,
    shared: Arc<Shared>,
    pub(crate) monitor: Monitor,
    pid: Pid,
    options: Options,
    accelerator: Accelerator,
    /// Hold the sockets, and what was built for this machine alone; go with it.
    directories: Vec<TempDir>,
}

impl Machine {
    pub fn boot(options: &Options) -> Result<Self> {
        let mut options = options.clone();
        let cmdline = check(&options)?;
        for publish in &mut options.publish {
            match publish.host {
                0 => publish.host = free_port(publish.address)?,
                port => is_free(publish.address, port)?,
            }
        }
        let accelerator = accelerator::choose(options.accelerator, &options.directory.join("vmlinuz"))?;
        let directory = tempfile::Builder::new()
            .prefix("orlop-vm.")
            .tempdir()
            .map_err(|e| Error::host("make a folder for sockets", e))?;
        let shared = Arc::new(Shared::default());
        let (console, qemus_console) = socket_pair()?;
        let (monitor, qemus_monitor) = socket_pair()?;
        let wiring = Wiring { directory: directory.path(), cmdline: &cmdline };
        let line = arguments(&options, accelerator, &wiring);
        attach_console(console, &options.console, Arc::clone(&shared))?;
        let monitor = Monitor::attach(monitor, Arc::clone(&shared))?;
        let sockets = launch::Sockets { console: qemus_console, monitor: qemus_monitor };
        let pid = launch::start(line, sockets, Arc::clone(&shared))?;
        let machine = Self {
            ports: Ports::new(directory.path()),
            deadline: options.deadline,
            shared,
            monitor,
            pid,
            options,
            accelerator,
            directories: vec![directory],
        };
        if machine.monitor.begin()? {
            return Ok(machine);
        }
        // It ended instead of greeting: the end says why.
        let wanted = "QEMU to start".to_owned();
        let end = machine.wait_for_end()?;
        Err(Error::Ended { wanted, end, console: machine.shown_console() })
    }

    /// The folder goes when the machine does.
    pub(crate) fn keep(&mut self, folder: TempDir) {
        self.directories.push(folder);
    }

    /// What executes the guest: never `Auto`.
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// The host's port that leads to this one of the guest.
    pub fn published(&self, guest: u16) -> Option<u16> {
        self.options.publish.iter().find(|p| p.guest == guest).map(|p| p.host)
    }

    /// Everything on the console so far, without carriage returns; of very much, the newest.
    pub fn console(&self) -> String {
        self.shared.look(|state| state.console.text())
    }

    /// Waits until `text` stands on the console.
    pub fn wait_for_console(&self, text: &str) -> Result<()> {
        self.wait_for_console_after(0, text).map(|_| ())
    }

    /// As above, from a position on that [`Machine::console_position`] or this returned: a second
    /// coming of the same text can be waited for.
    pub fn wait_for_console_after(&self, position: usize, text: &str) -> Result<usize> {
        let wanted = format!("`{text}` on the console");
        let mut from = position;
        self.wait(&wanted, |state| {
            let found = state.console.find(text, from);
            // What was searched is not searched again, but for a beginning of the text at its end.
            from = from.max(state.console.position().saturating_sub(text.len()));
            found
        })
    }

    pub fn console_position(&self) -> usize {
        self.shared.look(|state| state.console.position())
    }

    /// Presses ACPI's power button.
    pub fn power_button(&self) -> Result<()> {
        self.monitor.command("system_powerdown", &json!({})).map(|_| ())
    }

    /// Presses Ctrl-Alt-Del on the machine's keyboard.
    pub fn control_alt_delete(&self) -> Result<()> {
        self.monitor.command("send-key", &qmp::control_alt_delete()).map(|_| ())
    }

    /// As if somebody pulled the plug. What the guest had not written to its disk is lost.
    pub fn cut_power(&self) {
        launch::end(self.pid, &self.shared);
    }

    /// Waits until the machine has ended by itself, or its kernel is dead.
    pub fn wait_for_end(&self) -> Result<End> {
        self.end_before(Some(Instant::now() + self.deadline))
    }

    /// As above, for as long as it takes.
    pub fn wait_for_end_without_deadline(&self) -> Result<End> {
        self.end_before(None)
    }

    /// Waits for this long at most, and lets a machine be that goes on.
    pub fn has_not_ended_after(&self, time: Duration) -> bool {
        self.shared.wait(Some(Instant::now() + time), |state| state.end()).is_none()
    }

    fn end_before(&self, deadline: Option<Instant>) -> Result<End> {
        let end = self.shared.wait(deadline, |state| {
            // A kernel that panicked is not waited for: it stands still for some seconds.
            let panicked = state.console.panicked().then_some(End::Panicked);
            state.end().or(panicked)
        });
        match end {
            Some(End::Panicked) => {
                self.hear_last_words();
                self.cut_power_and_wait();
                Ok(End::Panicked)
            }
            Some(end) => Ok(end),
            None => Err(self.give_up("the machine to end", self.deadline)),
        }
    }

    /// Serves the machine's control ports on a Unix socket of this host, for several clients.
    pub fn serve_control(&self, path: &Path) -> Result<ControlSocket> {
        ControlSocket::listen(path, Arc::clone(&self.ports))
    }

    /// Waits with the machine's deadline; a dead kernel or machine ends the wait at once.
    pub(crate) fn wait<T>(&self, wanted: &str, mut check: impl FnMut(&mut State) -> Option<T>) -> Result<T> {
        let found = self.shared.wait(Some(Instant::now() + self.deadline), |state| {
            check(state).map(Some).or_else(|| is_over(state).then_some(None))
        });
        match found {
            Some(Some(found)) => Ok(found),
            Some(None) => Err(self.over(wanted)),
            None => Err(self.give_up(wanted, self.deadline)),
        }
    }

    /// Waits a moment, less when something happens that can be seen from outside.
    pub(crate) fn pause(&self, moment: Duration) {
        let before = self.console_position();
        self.shared.wait(Some(Instant::now() + moment), |state| {
            (is_over(state) || state.console.position() != before).then_some(())
        });
    }

    /// An error once the machine or its kernel is dead.
    pub(crate) fn still_there(&self, wanted: &str) -> Result<()> {
        if self.shared.look(is_over) { Err(self.over(wanted)) } else { Ok(()) }
    }

    /// The machine is ended: what waited for it has no use for it, and its console is complete.
    pub(crate) fn give_up(&self, wanted: &str, after: Duration) -> Error {
        self.cut_power_and_wait();
        Error::Deadline { wanted: wanted.to_owned(), after, console: self.shown_console() }
    }

    fn over(&self, wanted: &str) -> Error {
        let wanted = wanted.to_owned();
        if self.shared.look(|state| state.console.death().is_some()) {
            self.hear_last_words();
            self.cut_power_and_wait();
            let line = self.shared.look(|state| state.console.death().unwrap_or_default().to_owned());
            return Error::KernelDied { wanted, line, console: self.shown_console() };
        }
        match self.shared.look(State::end) {
            Some(end) => Error::Ended { wanted, end, console: self.shown_console() },
            None => self.give_up(&wanted, Duration::ZERO),
        }
    }

    fn hear_last_words(&self) {
        self.shared.wait(Some(Instant::now() + LAST_WORDS), |state| {
            let whole = state.console.find("end Kernel panic", 0).is_some();
            (whole || state.exit.is_some()).then_some(())
        });
    }

    fn cut_power_and_wait(&self) {
        self.cut_power();
        self.shared.wait(Some(Instant::now() + KILLED), |state| state.end());
    }

    fn shown_console(&self) -> String {
        let text = self.console();
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
        shown.join("\n")
    }
}

/// Nothing more will come of this machine.
fn is_over(state: &State) -> bool {
    state.console.death().is_some() || state.end().is_some()
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power_and_wait();
        if std::thread::panicking() {
            // An assertion failed: the reader wants to know what the machine was doing.
            eprintln!("--- console of the machine ---\n{}\n--- end ---", self.shown_console());
        }
    }
}

/// The kernel's command line; an error when the folder or the options cannot make a machine.
fn check(options: &Options) -> Result<String> {
    let text = |text: String| Err(Error::Options { text });
    for name in ["vmlinuz", "initrd.img"] {
        let path = options.directory.join(name);
        if let Err(e) = std::fs::File::open(&path) {
            let folder = options.directory.display();
            let hint = format!("`orlop-image build CONFIG -o {folder}` makes such a folder");
            return text(format!("open {}: {e}: {hint}", path.display()));
        }
    }
    if options.memory < LEAST_MEMORY {
        let (given, least) = (options.memory >> 20, LEAST_MEMORY >> 20);
        return text(format!("{given} MiB of memory are too few: a kernel needs {least} MiB to begin with"));
    }
    match (options.accelerator, options.cpus) {
        (_, 0) => return text("a machine has at least one CPU".to_owned()),
        (Accelerator::InstructionCount, 2..) => {
            return text("instructions are counted on one CPU only".to_owned());
        }
        _ => {}
    }
    let path = options.directory.join("cmdline");
    let words =
        std::fs::read_to_string(&path).map_err(|e| Error::host(format!("read {}", path.display()), e))?;
    let mut words = words.trim().to_owned();
    if options.accelerator != Accelerator::Kvm {
        // The kernel counts timer interrupts against its own speed, and gives up with a panic when
        // the host had no time for an emulated machine just then.
        words.push_str(" no_timer_check");
    }
    for word in &options.kernel_words {
        words.push(' ');
        words.push_str(word);
    }
    Ok(words)
}

/// It is free again when this returns, and taken by QEMU a moment later.
fn free_port(address: std::net::IpAddr) -> Result<u16> {
    let listener = TcpListener::bind((address, 0)).map_err(|e| Error::host("find a free port", e))?;
    let found = listener.local_addr().map_err(|e| Error::host("find a free port", e))?;
    Ok(found.port())
}

/// QEMU's own word for a port that is taken does not say so.
fn is_free(address: std::net::IpAddr, port: u16) -> Result<()> {
    match TcpListener::bind((address, port)) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::host(format!("publish on {address}:{port}"), e)),
    }
}

fn socket_pair() -> Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair().map_err(|e| Error::host("make a socket", e))?;
    Ok((ours, OwnedFd::from(theirs)))
}

/// Reads the console in a thread of its own until QEMU ends.
pub(crate) fn attach_console(mut stream: UnixStream, copy: &ConsoleCopy, shared: Arc<Shared>) -> Result<()> {
    let mut copy: Option<Box<dyn Write + Send>> = match copy {
        ConsoleCopy::None => None,
        ConsoleCopy::Terminal => Some(Box::new(std::io::stdout())),
        ConsoleCopy::File(path) => Some(Box::new(create(path)?)),
    };
    let read = move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default();
            // A terminal that went away, or a full disk, does not stop the machine.
            if copy.as_mut().is_some_and(|copy| copy.write_all(bytes).and_then(|()| copy.flush()).is_err()) {
                copy = None;
            }
            shared.change(|state| state.console.receive(bytes));
        }
        shared.change(|state| state.console_closed = true);
    };
    std::thread::Builder::new()
        .name("console".into())
        .spawn(read)
        .map_err(|e| Error::host("start the console's thread", e))?;
    Ok(())
}

fn create(path: &PathBuf) -> Result<std::fs::File> {
    std::fs::File::create(path).map_err(|e| Error::host(format!("create {}", path.display()), e))
}
