//! Finds the machine's power buttons among its input devices, and hears them pressed.
//!
//! Only what ACPI calls a button counts: keyboards have a power key too, and somebody who leans on
//! one does not mean to switch off a plant.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use orlop::ledger::Action;

use super::{Agent, Token, say};
use crate::linux::epoll::Interest;
use crate::linux::input::{has_power_key, input_name, open_input, read_power_press};
use crate::linux::kmsg::Level;

/// What drivers/acpi/button.c calls it, both the fixed button and the one in the namespace.
const NAME: &str = "Power Button";

/// Non-blocking, for epoll, to be read with `linux::input::read_power_press`. There may be two (a
/// board may describe its one button twice), and none before the modules `button` and `evdev` are in.
///
/// # Errors
/// The folder (`/dev/input`) cannot be read; that it is not there means that there are none. A device
/// that cannot be opened or asked is none of ours.
fn find_power_buttons(folder: &Path) -> io::Result<Vec<OwnedFd>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut buttons = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b"event") {
            continue;
        }
        let Ok(device) = open_input(&entry.path()) else {
            continue;
        };
        let named = input_name(device.as_fd()).is_ok_and(|name| name == NAME);
        if named && has_power_key(device.as_fd()).is_ok_and(|has| has) {
            buttons.push(device);
        }
    }
    Ok(buttons)
}

impl Agent {
    /// Whoever was watched before is no longer.
    pub fn watch_buttons(&mut self) {
        self.buttons = find_power_buttons(Path::new("/dev/input")).unwrap_or_default();
        for (number, fd) in self.buttons.iter().enumerate() {
            if let Err(errno) =
                self.epoll.add(fd.as_fd(), Interest::EPOLLIN, Token::Button(number as u32).number())
            {
                say(Level::Error, &format!("power button: {}", errno.desc()));
            }
        }
    }

    pub fn pressed(&mut self, number: u32, now: Duration) {
        let Some(fd) = self.buttons.get(number as usize) else { return };
        match read_power_press(fd.as_fd()) {
            Ok(true) => {
                say(Level::Info, "the power button was pressed");
                self.shut_down(Action::PowerOff, "the power button", Duration::MAX, now);
            }
            Ok(false) => {}
            Err(error) => {
                say(Level::Error, &format!("power button: {error}"));
                if let Err(errno) = self.epoll.remove(fd.as_fd()) {
                    say(Level::Error, &format!("power button: {}", errno.desc()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_input_devices_has_no_button() {
        assert!(find_power_buttons(Path::new("/nonexistent/input")).unwrap().is_empty());
    }

    #[test]
    fn files_that_are_no_input_devices_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("event0")).unwrap();
        fs::write(folder.path().join("event1"), "Power Button").unwrap();
        fs::create_dir(folder.path().join("event2")).unwrap();
        fs::write(folder.path().join("mice"), "").unwrap();
        assert!(find_power_buttons(folder.path()).unwrap().is_empty());
    }
}
