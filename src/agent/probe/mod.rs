//! The role `orlop probe`: asks a container how it is, from within.
//!
//! It enters the container's network, or its files, keeps no power but to look, and asks once. What it finds out is
//! its exit code and a line on its standard output. Whoever answers it speaks to a process that may die.

mod grpc;
mod http;

use std::ffi::{CString, c_int};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use orlop::config::Probe;

use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Errno, Result, c_path, capability, fd, namespace, pidfd, process, seqpacket, signal};

const PASSED: i32 = 0;
const FAILED: i32 = 1;
/// Nothing was learnt of the container.
pub const NOT_MADE: i32 = 2;

/// Where the supervisor leaves what it gives: a socket, as every role has, and the container's pidfd.
const CONTAINER_FD: c_int = 4;

/// capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH.
const POWER: u64 = 1 << 1 | 1 << 2;

/// Has a question asked, in `cgroup`, of the container whose main process is `main`; the process that asks.
///
/// # Errors
/// As clone3(2).
pub fn start(probe: &Probe, stdio: [OwnedFd; 3], cgroup: &OwnedFd, main: &OwnedFd) -> Result<OwnedFd> {
    let words = words(probe).ok_or(Errno::EINVAL)?;
    let argv = [c"orlop".to_owned(), c"probe".to_owned()].into_iter().map(Ok);
    let argv = argv.chain(words.iter().map(|word| c_path(word))).collect::<Result<Vec<CString>>>()?;
    let (socket, _) = seqpacket::pair()?;
    match clone3(Parent::Caller, flags::INTO_CGROUP, Some(cgroup.as_fd()))? {
        Cloned::Parent { pidfd, .. } => Ok(pidfd),
        Cloned::Child => {
            signal::reset();
            let _ = process::new_session();
            // As much worth as what it works for.
            let _ = process::set_oom_score(0);
            let [input, output, error] = &stdio;
            // In the order of their numbers.
            let given = [input, output, error, &socket, main];
            if fd::place(given.iter().map(|fd| fd.as_fd()), 0).is_err() {
                process::exit_now(NOT_MADE);
            }
            process::exec_path(c"/proc/self/exe", &argv, &[]);
            process::exit_now(NOT_MADE)
        }
    }
}

/// The question as [`run`] is told; none is asked by us of a program.
fn words(probe: &Probe) -> Option<Vec<String>> {
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    match probe {
        Probe::Exec(_) | Probe::Shell(_) => None,
        Probe::Http { address, host, path } => texts(&["http", &address.to_string(), host, path]),
        Probe::Tcp(address) => texts(&["tcp", &address.to_string()]),
        Probe::Unix(path) => texts(&["unix", path]),
        Probe::Grpc { address, service } => texts(&["grpc", &address.to_string(), service]),
        Probe::File(path) => texts(&["file", path]),
    }
}

/// Runs the role. The value is the process's exit code.
pub fn run(words: &[String]) -> i32 {
    process::set_name(c"orlop-probe");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = match words.as_slice() {
        ["http", address, host, path] => at(address).and_then(|stream| http::ask(stream, host, path)),
        ["grpc", address, service] => at(address).and_then(|stream| grpc::ask(stream, service)),
        ["tcp", address] => at(address).map(drop),
        ["unix", path] => among_its_files().and_then(|()| {
            let connected = std::os::unix::net::UnixStream::connect(path);
            connected.map(drop).map_err(|error| No::failed(format!("{path}: {}", reason(&error))))
        }),
        ["file", path] => among_its_files().and_then(|()| match std::fs::metadata(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(No::failed(format!("{path}: {}", reason(&error)))),
        }),
        _ => Err(No::not_made(format!("no question: {}", words.join(" ")))),
    };
    match answer {
        Ok(()) => PASSED,
        Err(No { code, text }) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            code
        }
    }
}

/// Why it is not well, or why that is not known.
#[derive(Debug, PartialEq, Eq)]
struct No {
    code: i32,
    text: String,
}

impl No {
    fn failed(text: String) -> Self {
        Self { code: FAILED, text }
    }

    fn not_made(text: String) -> Self {
        Self { code: NOT_MADE, text }
    }
}

/// Without the number that std adds.
fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

/// A connection in the container's network.
fn at(address: &str) -> core::result::Result<TcpStream, No> {
    enter_network().map_err(|errno| No::not_made(format!("its network: {}", errno.desc())))?;
    let parsed: SocketAddr = address.parse().map_err(|_| No::not_made(format!("no address: {address}")))?;
    TcpStream::connect(parsed).map_err(|error| No::failed(format!("{address}: {}", reason(&error))))
}

fn enter_network() -> Result<()> {
    let container = container()?;
    namespace::join_those_of(container.as_fd(), namespace::NETWORK)?;
    drop(container);
    process::become_user(process::NOBODY, process::NOBODY, &[])?;
    give_up(0)
}

fn among_its_files() -> core::result::Result<(), No> {
    enter_files().map_err(|errno| No::not_made(format!("its files: {}", errno.desc())))
}

/// Its own root may look everywhere there.
fn enter_files() -> Result<()> {
    let container = container()?;
    let theirs = pidfd::user_namespace(container.as_fd())?;
    let kinds = match namespace::is_same(theirs.as_fd(), namespace::own_user()?.as_fd())? {
        true => namespace::MOUNT,
        false => namespace::MOUNT | namespace::USER,
    };
    namespace::join_those_of(container.as_fd(), kinds)?;
    drop(container);
    process::become_user(0, 0, &[])?;
    give_up(POWER)
}

fn container() -> Result<OwnedFd> {
    let container = fd::inherited(CONTAINER_FD)?;
    fd::close_from(CONTAINER_FD + 1);
    process::not_dumpable()?;
    Ok(container)
}

fn give_up(all_but: u64) -> Result<()> {
    process::no_new_privileges()?;
    // A change of ids may have made us visible again.
    process::not_dumpable()?;
    if all_but != 0 {
        capability::bound(all_but)?;
        return capability::set(all_but, all_but, 0);
    }
    // Gone with the change of ids.
    Ok(())
}
