//! `orlop exec`: a program in a container, with this terminal or these pipes for its own.

use std::os::fd::AsFd;

use orlop::control::{Error, Exec, Request};

use super::arguments::ExecArguments;
use super::client::Client;
use super::failure::Failure;
use super::screen::Screen;
use super::session::{self, Ended, Input, Session};
use crate::linux::terminal;

/// As Docker's: what went wrong is none of the program's.
const OURS: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The exit code is the program's, or says why there is none.
pub(crate) fn exec(
    client: Result<Client, Failure>,
    screen: &mut Screen<'_>,
    arguments: &ExecArguments,
) -> Result<(), Failure> {
    let code = client.and_then(|client| run(client, screen, arguments)).map_err(coded)?;
    if code == 0 { Ok(()) } else { Err(Failure::Coded { code, line: None }) }
}

fn run(client: Client, screen: &mut Screen<'_>, arguments: &ExecArguments) -> Result<u8, Failure> {
    let size = session::size().filter(|_| arguments.tty);
    let request = Request::Exec(Exec {
        name: arguments.name.clone(),
        command: arguments.command.clone(),
        stdin: arguments.interactive,
        terminal: arguments.tty,
        user: arguments.user.clone(),
        working_dir: arguments.workdir.clone(),
        environment: arguments.env.iter().filter_map(|pair| variable(pair)).collect(),
        rows: size.map(|(rows, _)| rows),
        columns: size.map(|(_, columns)| columns),
    });
    screen.out.flush()?;
    session::keep_signals();
    let (stream, decoder) = client.upgrade(&request)?;
    let stdin = std::io::stdin();
    // Its keys are the program's; whoever types nothing keeps its own.
    let is_terminal = terminal::size(stdin.as_fd()).is_some();
    let raw = match arguments.tty && arguments.interactive && is_terminal {
        true => terminal::Raw::enter(stdin.as_fd()).ok(),
        false => None,
    };
    let input = if arguments.interactive { Input::Passed } else { Input::None };
    let ended = Session::new(stream, decoder, input)?.run();
    drop(raw);
    match ended? {
        Ended::With(code) => Ok(code),
        // No keys were given.
        Ended::Detached => Ok(0),
    }
}

/// A name alone has the value that it has here; without one it is left out.
fn variable(pair: &str) -> Option<String> {
    if pair.contains('=') {
        return Some(pair.to_owned());
    }
    Some(format!("{pair}={}", std::env::var(pair).ok()?))
}

fn coded(failure: Failure) -> Failure {
    let code = match &failure {
        Failure::Refused(Error::ExecFailed { step, errno, .. }) if step == "execute" => {
            if errno.as_deref() == Some("ENOENT") { NOT_FOUND } else { NOT_EXECUTABLE }
        }
        Failure::Coded { .. } => return failure,
        Failure::Failed(_) | Failure::NobodyReads | Failure::Disconnected(_) | Failure::Refused(_) => OURS,
    };
    Failure::Coded { code, line: failure.line() }
}
