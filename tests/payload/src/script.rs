//! The witness's errands on a machine, from a file: one a line, each answered by a line.
//!
//! They are done with all privileges and outside of every container, unless one enters a container's
//! cgroup. Answers are `ok`, what was read (its lines divided by `|`), or the name of the error.

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::system::{self, check, error_name};

/// Between two looks at a file of the kernel that tells nobody when it changes.
const GLANCE: Duration = Duration::from_millis(20);

pub(crate) fn run(path: &str, say: fn(&str)) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match errand(&words) {
            Ok(text) if text.is_empty() => "ok".to_owned(),
            Ok(text) => text.trim_end().replace('\n', "|"),
            Err(error) => error_name(&error),
        };
        say(&format!("{line}: {answer}"));
    }
    Ok(())
}

fn errand(words: &[&str]) -> io::Result<String> {
    match words {
        ["mkdir", path] => fs::create_dir_all(path)?,
        ["mount", kind, path] => mount(kind, path, "")?,
        ["mount", kind, path, options] => mount(kind, path, options)?,
        ["read", path] => return fs::read_to_string(path),
        ["open", path] => fs::File::open(path).map(drop)?,
        ["mknod", path, kind, number] => mknod(path, kind, number)?,
        // In one write, to what is there: the kernel's files are not made.
        ["write", path, text @ ..] => {
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all(text.join(" ").as_bytes())?;
        }
        ["sleep", seconds] => {
            let seconds = seconds.parse().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
            system::sleep(Duration::from_secs(seconds));
        }
        ["run", program @ ..] => run_program(&program.join(" "))?,
        // Until there is something in it.
        ["wait", path] => {
            while fs::read_to_string(path).unwrap_or_default().is_empty() {
                system::sleep(GLANCE);
            }
        }
        _ => return Err(io::Error::from_raw_os_error(libc::ENOSYS)),
    }
    Ok(String::new())
}

fn mount(kind: &str, path: &str, options: &str) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let [kind, path, options] = [kind, path, options].map(CString::new);
    let (kind, path, options) = (kind?, path?, options?);
    // SAFETY: the strings live through the call.
    let mounted =
        unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    check(mounted).map(drop)
}

/// Where PID 1 sees its files; nobody waits for its end.
fn run_program(line: &str) -> io::Result<()> {
    let words = line.split_whitespace().map(CString::new).collect::<Result<Vec<_>, _>>()?;
    let there = fs::File::open("/proc/1/ns/mnt")?;
    if let system::Fork::Child = system::fork()? {
        let mut arguments: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
        arguments.push(std::ptr::null());
        // SAFETY: an open descriptor; strings that live through the call, and a null at their end.
        unsafe {
            libc::setns(there.as_raw_fd(), libc::CLONE_NEWNS);
            libc::execv(arguments.first().copied().unwrap_or_default(), arguments.as_ptr());
        }
        system::exit_now(127)
    }
    Ok(())
}

/// `b 8:0`
fn mknod(path: &str, kind: &str, number: &str) -> io::Result<()> {
    let wrong = || io::Error::from_raw_os_error(libc::EINVAL);
    let (major, minor) = number.split_once(':').ok_or_else(wrong)?;
    let number = libc::makedev(major.parse().map_err(|_| wrong())?, minor.parse().map_err(|_| wrong())?);
    let kind = if kind == "b" { libc::S_IFBLK } else { libc::S_IFCHR };
    let path = CString::new(path)?;
    // SAFETY: the path lives through the call.
    check(unsafe { libc::mknod(path.as_ptr(), kind | 0o600, number) }).map(drop)
}
