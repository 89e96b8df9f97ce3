//! What a process sees of itself and of its surroundings.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::system;

pub(crate) fn file(path: &str) -> Result<(), String> {
    let bytes = fs::read(path).map_err(|e| format!("{path}: {}", system::error_name(&e)))?;
    std::io::Write::write_all(&mut std::io::stdout(), &bytes).map_err(|e| e.to_string())
}

/// Names in a folder, sorted; numbers by their value.
fn names(folder: &str) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{folder}: {e}"))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
    Ok(names)
}

fn links(folder: &str) -> Result<(), String> {
    for name in names(folder)? {
        // The fd of the listing itself is gone by now.
        if let Ok(target) = fs::read_link(format!("{folder}/{name}")) {
            println!("{name} {}", target.display());
        }
    }
    Ok(())
}

pub(crate) fn fds() -> Result<(), String> {
    links("/proc/self/fd")
}

pub(crate) fn namespaces() -> Result<(), String> {
    links("/proc/self/ns")
}

fn status(keys: &[&str]) -> Result<(), String> {
    let text = fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if keys.contains(&key) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            println!("{key} {value}");
        }
    }
    Ok(())
}

pub(crate) fn ids() -> Result<(), String> {
    status(&[
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
    ])?;
    for map in ["uid_map", "gid_map"] {
        let text = fs::read_to_string(format!("/proc/self/{map}")).map_err(|e| format!("{map}: {e}"))?;
        for line in text.lines() {
            println!("{map} {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
}

pub(crate) fn signals() -> Result<(), String> {
    status(&["SigBlk", "SigIgn", "SigCgt", "Umask"])
}

/// What the session's keyring is called: `_ses` when it was made for this session, `_uid_ses.N` when
/// there is none and the user's stands in.
pub(crate) fn keyring() -> Result<(), String> {
    const KEYCTL_DESCRIBE: libc::c_int = 6;
    const SESSION_KEYRING: libc::c_int = -3;
    let mut text = [0_u8; 256];
    // SAFETY: the kernel writes at most as many bytes as `text` has.
    let length = unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_DESCRIBE, SESSION_KEYRING, text.as_mut_ptr(), text.len())
    };
    let length = system::check(length).map_err(|e| format!("keyctl: {}", system::error_name(&e)))?;
    // With the zero at its end.
    let text = text.get(..usize::try_from(length).unwrap_or_default()).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    println!("{}", text.trim_end_matches('\0').rsplit(';').next().unwrap_or_default());
    Ok(())
}

pub(crate) fn processes() -> Result<(), String> {
    for name in names("/proc")?.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let command = fs::read_to_string(format!("/proc/{name}/comm")).unwrap_or_default();
        println!("{name} {}", command.trim());
    }
    Ok(())
}

pub(crate) fn folder(path: &str) -> Result<(), String> {
    for name in names(path)? {
        println!("{name}");
    }
    Ok(())
}

/// Mode and owner, as this process sees them.
pub(crate) fn owner(path: &str) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|e| format!("{path}: {}", system::error_name(&e)))?;
    println!("{path} {:o} {} {}", found.mode() & 0o7777, found.uid(), found.gid());
    Ok(())
}

pub(crate) fn place() -> Result<(), String> {
    let directory = std::env::current_dir().map_err(|e| format!("getcwd: {}", system::error_name(&e)))?;
    println!("cwd {}", directory.display());
    print!("hostname ");
    file("/proc/sys/kernel/hostname")
}

pub(crate) fn environment() -> Result<(), String> {
    for (key, value) in std::env::vars_os() {
        println!("{}={}", key.to_string_lossy(), value.to_string_lossy());
    }
    Ok(())
}

pub(crate) fn arguments(arguments: &[&str]) -> Result<(), String> {
    for argument in arguments {
        println!("{argument}");
    }
    Ok(())
}

pub(crate) fn stamp() -> Result<(), String> {
    println!("{}", system::clock(libc::CLOCK_BOOTTIME).as_nanos());
    Ok(())
}
