//! `orlop attach`: a container's own streams, from now on.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use orlop::control::{Request, State, StatusReply};

use super::arguments::AttachArguments;
use super::client::Client;
use super::detach::Detach;
use super::failure::Failure;
use super::following::{Following, Piece, Seen, pass_over, rest};
use super::screen::Screen;
use super::session::{self, Ended, Input, SIGNAL_EXIT, Session, Signals};
use crate::linux::signal;
use crate::linux::terminal::{self, Raw};

/// A supervisor that is replaced is back by then.
const ABSENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// The exit code is the container's.
pub(crate) fn attach(
    connect: impl Fn() -> Result<Client, Failure>,
    screen: &mut Screen<'_>,
    arguments: &AttachArguments,
) -> Result<(), Failure> {
    let name = &arguments.name;
    let first = status(&mut connect()?, name)?;
    let mut raw = None;
    let mut seen = pass_over(&mut connect()?, name)?;
    screen.out.flush()?;
    loop {
        let attached = once(&connect, arguments, &first, &mut seen, &mut raw);
        let code = match attached {
            Ok(Ended::Detached) => None,
            Ok(Ended::With(code)) => Some(code),
            // The supervisor has gone, and the container may not have.
            Err(Failure::Disconnected(_)) => match back(&connect, name)? {
                now if is_same(&first, &now) => continue,
                now => match now.container.exit_code {
                    Some(code) => Some(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
                    None => return Err(Failure::Failed(format!("{name} was started again meanwhile"))),
                },
            },
            Err(failure) => return Err(failure),
        };
        drop(raw.take());
        let Some(code) = code else { return Ok(()) };
        for piece in rest(&mut connect()?, name, &mut seen)? {
            match piece {
                Piece::Output(bytes) => screen.out.write_all(&bytes)?,
                Piece::ErrorOutput(bytes) => screen.err.write_all(&bytes)?,
                Piece::Gap(text) => writeln!(screen.err, "orlop: {text}")?,
            }
        }
        return if code == 0 { Ok(()) } else { Err(Failure::Coded { code, line: None }) };
    }
}

fn once(
    connect: &impl Fn() -> Result<Client, Failure>,
    arguments: &AttachArguments,
    status: &StatusReply,
    seen: &mut Seen,
    raw: &mut Option<Raw>,
) -> Result<Ended, Failure> {
    let name = arguments.name.clone();
    let following = Following::begin(connect()?, &name, seen)?;
    let stdin = !arguments.no_stdin && (status.details.tty || status.details.stdin_open);
    if arguments.sig_proxy {
        session::keep_signals();
    }
    let (stream, decoder) = connect()?.upgrade(&Request::Attach { name, stdin })?;
    let input = std::io::stdin();
    if stdin && status.details.tty && raw.is_none() && terminal::size(input.as_fd()).is_some() {
        *raw = Raw::enter(input.as_fd()).ok();
    }
    let signals = if arguments.sig_proxy { Signals::Passed } else { Signals::Ours };
    // Where there is a terminal somebody types; what comes through a pipe has no keys.
    let detach = Detach::new(if raw.is_some() { &arguments.detach_keys.0 } else { &[] });
    let mut session = Session::new(stream, decoder, if stdin { Input::Passed } else { Input::None })?;
    session.attach(following, detach, signals);
    session.run()
}

/// What is known of it, once the machine answers again.
fn back(connect: &impl Fn() -> Result<Client, Failure>, name: &str) -> Result<StatusReply, Failure> {
    let begin = Instant::now();
    // Those that were kept from us for a program that cannot be told now are ours.
    let signals = session::signals()?;
    loop {
        if let Some((signal, _)) = signal::read(&signals).next() {
            let code = u8::try_from(SIGNAL_EXIT + signal).unwrap_or(u8::MAX);
            return Err(Failure::Coded { code, line: None });
        }
        let asked = connect().and_then(|mut client| {
            client.pause(PAUSE);
            status(&mut client, name)
        });
        match asked {
            Err(Failure::Disconnected(_)) if begin.elapsed() < ABSENCE => {}
            other => return other,
        }
    }
}

fn status(client: &mut Client, name: &str) -> Result<StatusReply, Failure> {
    client.call(&Request::Status { name: name.to_owned() })
}

/// Whether it is still the run that was attached to.
fn is_same(first: &StatusReply, now: &StatusReply) -> bool {
    let runs = matches!(now.container.state, State::Running | State::Stopping);
    runs && now.container.pid == first.container.pid
}
