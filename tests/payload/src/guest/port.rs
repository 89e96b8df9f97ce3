//! Sessions on the control ports, and a handful of methods for tests.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{reboot, start};
use crate::system;

/// Calls of List so far: the one container starts, and runs when it was looked at often enough.
static LOOKED: AtomicU32 = AtomicU32::new(0);

/// Whether a call was forgotten already.
static FORGOT: AtomicBool = AtomicBool::new(false);

pub(super) fn serve_all() {
    let Ok(ports) = fs::read_dir("/sys/class/virtio-ports") else { return };
    for port in ports.flatten() {
        let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if !name.starts_with("org.orlop.control.") {
            continue;
        }
        let device = format!("/dev/{}", port.file_name().to_string_lossy());
        start(name.trim(), move || match Port::open(&device) {
            Ok(mut port) => port.serve(),
            Err(error) => println!("guest: {device}: {error}"),
        });
    }
}

struct Port {
    file: File,
    /// Waits for edges: a port without a client says "hung up" all the time.
    edges: OwnedFd,
    session: bool,
}

impl Port {
    fn open(device: &str) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(device)?;
        let wanted = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET;
        let mut event = libc::epoll_event { events: wanted.cast_unsigned(), u64: 0 };
        // SAFETY: the new fd is owned by nobody else; `event` lives through the calls.
        let edges = unsafe {
            let edges = system::check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            let edges = OwnedFd::from_raw_fd(i32::try_from(edges).unwrap_or(-1));
            let (epoll, port) = (edges.as_raw_fd(), file.as_raw_fd());
            system::check(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, port, &raw mut event))?;
            edges
        };
        Ok(Self { file, edges, session: false })
    }

    fn wait(&self) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for the one event that is asked for.
        unsafe { libc::epoll_wait(self.edges.as_raw_fd(), &raw mut event, 1, -1) };
    }

    fn serve(&mut self) {
        let mut message = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let count = match self.file.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    self.wait();
                    continue;
                }
                Ok(count) => count,
            };
            for byte in buffer.get(..count).unwrap_or_default() {
                if *byte != 0 {
                    message.push(*byte);
                    continue;
                }
                let text = String::from_utf8_lossy(&message).into_owned();
                message.clear();
                self.hear(&text);
            }
        }
    }

    fn hear(&mut self, message: &str) {
        let method = between(message, r#""method":""#, "\"").unwrap_or_default();
        if method == "org.orlop.Session.Begin" {
            let nonce = between(message, r#""nonce":""#, "\"").unwrap_or_default();
            self.session = true;
            self.say(&format!("\0{{\"parameters\":{{\"nonce\":\"{nonce}\"}}}}\0"));
        } else if self.session {
            self.answer(method, message);
        }
    }

    fn answer(&mut self, method: &str, message: &str) {
        let empty = "{\"parameters\":{}}\0";
        match method {
            "org.orlop.Control.List" => {
                let looked = LOOKED.fetch_add(1, Ordering::Relaxed);
                let state = if looked < 2 { "starting" } else { "running" };
                self.say(&format!(
                    "{{\"parameters\":{{\"containers\":[{{\"name\":\"web\",\"state\":\"{state}\"}}]}}}}\0"
                ));
            }
            "org.orlop.Test.Echo" => {
                let text = between(message, r#""text":""#, "\"").unwrap_or_default();
                self.say(&format!("{{\"parameters\":{{\"text\":\"{text}\"}}}}\0"));
            }
            "org.orlop.Test.Count" => {
                for number in 1..=3 {
                    let continues = number < 3;
                    self.say(&format!(
                        "{{\"parameters\":{{\"number\":{number}}},\"continues\":{continues}}}\0"
                    ));
                }
            }
            // As a supervisor that dies with the first call in hand: no answer, no session any more.
            "org.orlop.Test.Forget" => {
                if FORGOT.swap(true, Ordering::Relaxed) {
                    self.say(empty);
                } else {
                    self.session = false;
                }
            }
            "org.orlop.Test.Half" => self.say("{\"parameters\":{\"half\":"),
            "org.orlop.Test.PowerOff" => reboot(libc::RB_POWER_OFF),
            "org.orlop.Test.Reboot" => reboot(libc::RB_AUTOBOOT),
            "org.orlop.Test.Panic" => drop(fs::write("/proc/sysrq-trigger", "c")),
            "org.orlop.Test.Starve" => {
                println!("guest: watchdog {:?}", super::device::starve_watchdog());
                self.say(empty);
            }
            _ => {
                let parameters = format!("{{\"method\":\"{method}\"}}");
                self.say(&format!(
                    "{{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{parameters}}}\0"
                ));
            }
        }
    }

    fn say(&mut self, text: &str) {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            match self.file.write(left) {
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(),
                // Its client went; the next one begins anew.
                Err(_) => return,
            }
        }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
