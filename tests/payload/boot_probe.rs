//! An `/init` that tries what a machine stands on: it loads the modules that the library names, in
//! its order, mounts the first layer of the store, and says what it saw. The tests of
//! `image-build` compile it: it needs no crate, and no cargo.

extern crate alloc;

#[path = "../../src/image/modules.rs"]
#[allow(dead_code, unreachable_pub)]
mod modules;

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_ulong, c_void};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn reboot(action: c_int) -> c_int;
}

#[cfg(target_arch = "x86_64")]
const SYS_FINIT_MODULE: c_long = 313;
#[cfg(target_arch = "aarch64")]
const SYS_FINIT_MODULE: c_long = 273;
/// linux/reboot.h: LINUX_REBOOT_CMD_RESTART.
const RESTART: c_int = 0x0123_4567;
/// MS_RDONLY
const READ_ONLY: c_ulong = 1;
const ENODEV: i32 = 19;

fn main() {
    println!("init: {}", run().unwrap_or_else(|error| format!("failed: {error}")));
    // SAFETY: no memory is passed.
    unsafe { reboot(RESTART) };
}

fn run() -> Result<String, String> {
    let folder = only(Path::new("/lib/modules"))?;
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).map_err(|error| error.to_string());
    let deps = modules::Deps::parse(&read("modules.dep")?, &read("modules.builtin")?);
    for path in deps.boot(&["dummy".to_owned()]).map_err(|unknown| unknown.to_string())? {
        load(&format!("{folder}/{path}"))?;
    }
    println!("init: modules are loaded");
    let layer = CString::new(only(Path::new("/orlop/store/layers"))?).map_err(|error| error.to_string())?;
    mount_erofs(&layer, c"/tmp")?;
    let hello = fs::read_to_string("/tmp/hello").map_err(|error| format!("hello: {error}"))?;
    let config = fs::read_to_string("/orlop/config/a.toml").map_err(|error| format!("config: {error}"))?;
    Ok(format!("{} {}", hello.trim(), config.lines().next().unwrap_or_default()))
}

fn load(path: &str) -> Result<(), String> {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    // SAFETY: the parameters are a string that ends in NUL.
    let result = unsafe { syscall(SYS_FINIT_MODULE, file.as_raw_fd(), c"".as_ptr(), 0) };
    let error = std::io::Error::last_os_error();
    match result {
        0 => Ok(()),
        _ if error.raw_os_error() == Some(ENODEV) => Ok(()),
        _ => Err(format!("{path}: {error}")),
    }
}

fn mount_erofs(image: &CStr, target: &CStr) -> Result<(), String> {
    // SAFETY: all strings end in NUL, and the data may be null.
    let result =
        unsafe { mount(image.as_ptr(), target.as_ptr(), c"erofs".as_ptr(), READ_ONLY, std::ptr::null()) };
    if result == 0 { Ok(()) } else { Err(format!("mount: {}", std::io::Error::last_os_error())) }
}

fn only(folder: &Path) -> Result<String, String> {
    let mut entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let entry = entries.next().ok_or("nothing there")?.map_err(|error| error.to_string())?;
    Ok(entry.path().display().to_string())
}
