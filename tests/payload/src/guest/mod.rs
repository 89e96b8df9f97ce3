//! The guest for the tests of `orlop-vm`: the smallest `/init` that answers on the control ports
//! and reacts to the buttons of a machine. It knows nothing of Orlop but the form of a session.

mod device;
mod port;

use std::ffi::CString;
use std::fs;

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

/// In the order of their names, which is the order of their dependencies.
fn load_modules() {
    /// `MODULE_INIT_COMPRESSED_FILE`
    const COMPRESSED: i32 = 4;
    let Ok(entries) = fs::read_dir("/modules") else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(file) = fs::File::open(&path) else { continue };
        let (fd, arguments) = (std::os::fd::AsRawFd::as_raw_fd(&file), text(""));
        // SAFETY: fd and arguments live through the call.
        let loaded = unsafe { libc::syscall(libc::SYS_finit_module, fd, arguments.as_ptr(), COMPRESSED) };
        if let Err(error) = system::check(loaded) {
            println!("guest: {}: {error}", path.display());
        }
    }
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// One of `RB_POWER_OFF`, `RB_AUTOBOOT`.
fn reboot(action: i32) {
    // SAFETY: there is nothing here that a reboot could lose.
    unsafe { libc::reboot(action) };
}
