//! The guest for the tests of `orlop-vm`: the smallest `/init` that answers on the control ports
//! and reacts to the buttons of a machine. It knows nothing of Orlop but the form of a session.

mod device;
mod port;

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::system;

/// Never returns: PID 1 does not end.
pub(crate) fn run() -> ! {
    for (kind, place) in [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")] {
        mount(kind, place);
    }
    open_console();
    load_modules();
    device::watch_keyboard();
    device::watch_power_button();
    if device::bring_up_network() {
        start("http", || {
            if let Err(text) = crate::output::serve(80) {
                println!("guest: {text}");
            }
        });
    }
    port::serve_all();
    println!("guest: up");
    system::pause_for_ever()
}

fn start(name: &str, task: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(task) {
        println!("guest: no thread for {name}: {error}");
    }
}

fn mount(kind: &str, place: &str) {
    let _ = fs::create_dir_all(place);
    let (kind, place) = (text(kind), text(place));
    // SAFETY: the strings live through the call.
    unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
}

fn open_console() {
    let console = text("/dev/console");
    // SAFETY: 0, 1 and 2 are nobody's yet, or the kernel's console already.
    unsafe {
        let fd = libc::open(console.as_ptr(), libc::O_RDWR);
        for number in 0..3 {
            libc::dup2(fd, number);
        }
    }
}

/// Whatever there is, in rounds: what needs another one waits for it.
fn load_modules() {
    let mut waiting = Vec::new();
    find_modules("/lib/modules".into(), &mut waiting);
    loop {
        let before = waiting.len();
        waiting.retain(|path| !load(path));
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for path in waiting {
        println!("guest: cannot load {}", path.display());
    }
}

fn find_modules(folder: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_modules(path, found);
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            found.push(path);
        }
    }
}

/// `false` when it needs one that is not there yet. A driver without its device is done with.
fn load(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return true };
    let (fd, arguments) = (std::os::fd::AsRawFd::as_raw_fd(&file), text(""));
    // SAFETY: fd and arguments live through the call.
    let loaded = unsafe { libc::syscall(libc::SYS_finit_module, fd, arguments.as_ptr(), 0) };
    system::check(loaded).map_or_else(|error| error.raw_os_error() != Some(libc::ENOENT), |_| true)
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// One of `RB_POWER_OFF`, `RB_AUTOBOOT`.
fn reboot(action: i32) {
    // SAFETY: there is nothing here that a reboot could lose.
    unsafe { libc::reboot(action) };
}
