//! The machine's buttons and its network card.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;

use super::{reboot, start};
use crate::system::check;

/// Ctrl-Alt-Del arrives as SIGINT.
pub(super) fn watch_keyboard() {
    // SAFETY: the set is made by sigemptyset; blocked here, in all threads to come.
    let set = unsafe {
        libc::reboot(libc::RB_DISABLE_CAD);
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    start("keyboard", move || {
        let mut signal = 0;
        // SAFETY: both live through the call.
        unsafe { libc::sigwait(&raw const set, &raw mut signal) };
        println!("guest: ctrl-alt-del");
        reboot(libc::RB_AUTOBOOT);
    });
}

pub(super) fn watch_power_button() {
    /// `struct input_event` on 64 bits: 16 bytes of time, type, code, value.
    const EVENT: usize = 24;
    /// EV_KEY, KEY_POWER, pressed.
    const PRESSED: [u8; 8] = [1, 0, 116, 0, 1, 0, 0, 0];
    let Ok(devices) = fs::read_dir("/sys/class/input") else { return };
    for device in devices.flatten() {
        let name = device.file_name().to_string_lossy().into_owned();
        let called = fs::read_to_string(device.path().join("device/name")).unwrap_or_default();
        let Ok(mut file) = fs::File::open(format!("/dev/input/{name}")) else { continue };
        if !name.starts_with("event") || called.trim() != "Power Button" {
            continue;
        }
        start("button", move || {
            let mut event = [0; EVENT];
            while file.read_exact(&mut event).is_ok() {
                if event.ends_with(&PRESSED) {
                    println!("guest: power button");
                    reboot(libc::RB_POWER_OFF);
                }
            }
        });
    }
}

/// Starts QEMU's watchdog, not the kernel's own; nobody feeds it then.
pub(super) fn starve_watchdog() -> std::io::Result<i64> {
    /// `WDIOC_SETTIMEOUT`
    const SET_TIMEOUT: libc::c_ulong = 0xc004_5706;
    let is_qemus = |entry: &fs::DirEntry| {
        fs::read_to_string(entry.path().join("identity")).is_ok_and(|name| name.contains("i6300ESB"))
    };
    let qemus = fs::read_dir("/sys/class/watchdog")?.flatten().find(is_qemus);
    let name = qemus.ok_or(std::io::ErrorKind::NotFound)?.file_name();
    let file = fs::OpenOptions::new().write(true).open(std::path::Path::new("/dev").join(name))?;
    let mut seconds = 2;
    let (fd, request) = (file.as_raw_fd(), SET_TIMEOUT as libc::Ioctl);
    // SAFETY: the request reads and writes one int.
    check(unsafe { libc::ioctl(fd, request, &raw mut seconds) })
}

/// Gives eth0 the address that QEMU's user network leads to; `false` when there is none.
pub(super) fn bring_up_network() -> bool {
    let Ok(socket) = std::net::UdpSocket::bind("0.0.0.0:0") else {
        return false;
    };
    let fd = socket.as_raw_fd();
    let set = |request: libc::c_ulong, value: libc::sockaddr_in| {
        let mut change = named("eth0");
        // SAFETY: a sockaddr_in fits into the union's sockaddr, and is plain data.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>(),
                (&raw mut change.ifr_ifru).cast::<u8>(),
                size_of_val(&value),
            );
            check(libc::ioctl(fd, request as libc::Ioctl, &raw const change))
        }
    };
    let address = |bytes: [u8; 4]| libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default(),
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(bytes) },
        sin_zero: [0; 8],
    };
    let mut up = named("eth0");
    up.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or_default();
    set(libc::SIOCSIFADDR, address([10, 0, 2, 15])).is_ok()
        && set(libc::SIOCSIFNETMASK, address([255, 255, 255, 0])).is_ok()
        // SAFETY: `up` lives through the call.
        && check(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as libc::Ioctl, &raw const up) }).is_ok()
}

fn named(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a valid value of this plain data.
    let mut change = unsafe { std::mem::zeroed::<libc::ifreq>() };
    for (to, from) in change.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::try_from(from).unwrap_or_default();
    }
    change
}
