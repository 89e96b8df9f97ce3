//! The witness's errands on a machine, from a file: one a line, each answered by a line.
//!
//! They are done with all privileges and outside of every container, unless one enters a container's
//! cgroup. Answers are `ok`, what was read (its lines divided by `|`), or the name of the error.

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::system::{self, check, error_name};
use crate::{chaos, tally, traps};

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

#[allow(clippy::disallowed_methods, reason = "here nobody else reaps")]
fn errand(words: &[&str]) -> io::Result<String> {
    match words {
        ["mkdir", path] => fs::create_dir_all(path)?,
        // A folder for everybody, whoever root is for him.
        ["mkdir", path, "for-all"] => {
            fs::create_dir_all(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o1777))?;
        }
        ["mount", kind, path] => mount(kind, path, "")?,
        ["mount", kind, path, options] => mount(kind, path, options)?,
        ["mount-disk", kind, disk, path] => mount_of(disk, kind, path, "")?,
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
        // Nobody waits for its end.
        ["spawn", program, arguments @ ..] => {
            let words = arguments.iter().flat_map(|words| words.split(' '));
            if let system::Fork::Child = system::fork()? {
                let _ = Command::new(program).args(words).exec();
                system::exit_now(127)
            }
        }
        // Until there is something in it.
        ["wait", path] => {
            while fs::read_to_string(path).unwrap_or_default().is_empty() {
                system::sleep(GLANCE);
            }
        }
        // Until it is removed.
        ["gone", path] => {
            while fs::exists(path)? {
                system::sleep(GLANCE);
            }
        }
        ["join", namespace] => join(namespace)?,
        ["own"] => return Ok(traps::own()),
        ["turn-clock", seconds] => {
            traps::turn_clock(seconds.parse().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?)?;
        }
        ["spoil-pid-1"] => traps::spoil_pid_1()?,
        ["fill", path] => chaos::fill(path),
        ["remove", path] => fs::remove_file(path)?,
        // What is left of whatever happened.
        ["new-names", tops @ ..] => return tally::new_names(&tops.join(" ")),
        ["tally", ..] => return Ok(tally::take()),
        ["chaos", seed, seconds, names] => {
            let number = |text: &str| text.parse().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
            return chaos::run(number(seed)?, number(seconds)?, names);
        }
        // To its end; both its streams go into the file.
        ["run", path, program, arguments @ ..] => {
            let file = fs::File::create(path)?;
            let words = arguments.iter().flat_map(|words| words.split(' '));
            let mut command = Command::new(program);
            command.args(words).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
            return command.status().map(|status| status.to_string());
        }
        _ => return Err(io::Error::from_raw_os_error(libc::ENOSYS)),
    }
    Ok(String::new())
}

/// Another's namespace, by its file in /proc.
pub(crate) fn join(namespace: &str) -> io::Result<()> {
    let namespace = fs::File::open(namespace)?;
    // SAFETY: the descriptor lives through the call.
    check(unsafe { libc::setns(namespace.as_raw_fd(), 0) }).map(drop)
}

pub(crate) fn mount(kind: &str, path: &str, options: &str) -> io::Result<()> {
    mount_of(kind, kind, path, options)
}

pub(crate) fn mount_of(source: &str, kind: &str, path: &str, options: &str) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let [source, kind, path, options] = [source, kind, path, options].map(CString::new);
    let (source, kind, path, options) = (source?, kind?, path?, options?);
    // SAFETY: the strings live through the call.
    let mounted =
        unsafe { libc::mount(source.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    check(mounted).map(drop)
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
