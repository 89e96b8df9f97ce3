//! `orlop top` without a name: all containers and what they use, every second, and the log of one of them.
//!
//! `model` knows, `draw` shows, `keys` reads what is typed; here are the terminal, the connections and the clock.
//! Nothing but the terminal is waited for: a machine that does not answer is told of, and can be left.

mod draw;
mod keys;
mod link;
mod model;
mod pane;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::control::{ListReply, Logs, LogsReply, Reply, Request, StatsReply};
use serde_json::Value;

use super::arguments::TopArguments;
use super::client::{self, Client, understand};
use super::failure::Failure;
use super::screen::Screen;
use super::{figures, session};
use crate::linux::terminal::{self, Raw};
use crate::linux::{Errno, fd, signal};

use link::Link;
use model::{Model, Sort, Wish};

/// Between two looks: what people can follow.
const PAUSE: Duration = Duration::from_secs(1);
/// An answer that takes longer is told as missing.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lines of a log to begin with.
const LINES: u64 = 200;

/// For a connection, once the terminal is ours: nobody is heard meanwhile.
const CONNECT: Duration = Duration::from_millis(100);

/// The other screen, without a cursor, and cut where a line is too wide for it, since letters may be wider than they
/// were thought; and back to what was there.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// By name, for the command line.
pub(crate) fn sort(text: &str) -> Result<String, String> {
    Sort::of_word(text)
        .map(|sort| sort.word().to_owned())
        .ok_or_else(|| format!("write one of: {}", Sort::words()))
}

pub(crate) fn top(
    connect: impl Fn(Duration) -> Result<Client, Failure>,
    screen: &mut Screen<'_>,
    arguments: &TopArguments,
) -> Result<(), Failure> {
    if let Some(name) = &arguments.name {
        return figures::top(&mut connect(client::PATIENCE)?, screen, name, arguments.json.json);
    }
    let sort = Sort::of_word(&arguments.sort).unwrap_or(Sort::Cpu);
    let input = std::io::stdin();
    let is_terminal = screen.width.is_some() && terminal::size(input.as_fd()).is_some();
    if arguments.json.json {
        as_json(&mut connect(client::PATIENCE)?, screen)
    } else if is_terminal {
        let size = || session::size().map_or((24, 80), |(rows, columns)| (rows.into(), columns.into()));
        Live::new(connect, sort)?.run(screen, input.as_fd(), &size)
    } else {
        once(&mut connect(client::PATIENCE)?, screen, sort)
    }
}

/// Rates need two looks.
fn once(client: &mut Client, screen: &mut Screen<'_>, sort: Sort) -> Result<(), Failure> {
    let mut model = Model::new(sort);
    let stats = Request::Stats { names: Vec::new() };
    for look in 0..2 {
        if look > 0 {
            client.pause(PAUSE);
        }
        model.take_list(client.call(&Request::List)?);
        model.take_figures(client.call(&stats)?);
    }
    draw::plain_table(&model).iter().try_for_each(|line| screen.line(line))
}

/// The machine's own words: its list, each with its figures.
fn as_json(client: &mut Client, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut list = client.ask(&Request::List)?;
    let stats = client.ask(&Request::Stats { names: Vec::new() })?;
    let figures = stats.get("containers").and_then(Value::as_array);
    let mut containers = list.get_mut("containers").map(Value::take).unwrap_or_default();
    for container in containers.as_array_mut().into_iter().flatten() {
        let is_its = |it: &&Value| it.get("name") == container.get("name");
        let its = figures.and_then(|all| all.iter().find(is_its)).cloned().unwrap_or_default();
        if let Some(fields) = container.as_object_mut() {
            fields.insert("figures".into(), its);
        }
    }
    screen.json(&containers)
}

/// A terminal that is ours for a while; however this ends, it is as it was.
struct Full<'s, 'o> {
    screen: &'s mut Screen<'o>,
    _raw: Raw,
}

impl<'s, 'o> Full<'s, 'o> {
    fn enter(screen: &'s mut Screen<'o>, input: BorrowedFd<'_>) -> Result<Self, Failure> {
        let raw = Raw::enter(input).map_err(failed)?;
        // What a panic says would be lost on the other screen.
        let said = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            eprint!("{LEAVE}");
            said(info);
        }));
        write!(screen.out, "{ENTER}")?;
        Ok(Self { screen, _raw: raw })
    }

    fn show(&mut self, lines: &[String]) -> Result<(), Failure> {
        // Each line in its place, so that nothing flickers.
        let text: Vec<String> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        write!(self.screen.out, "\x1b[H{}\x1b[J", text.join("\r\n"))?;
        Ok(self.screen.out.flush()?)
    }
}

impl Drop for Full<'_, '_> {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing.
        let _ = write!(self.screen.out, "{LEAVE}").and_then(|()| self.screen.out.flush());
    }
}

struct Live<C> {
    connect: C,
    model: Model,
    questions: Option<Link>,
    /// Since when an answer is awaited.
    asked: Instant,
    log: Option<Link>,
    signals: OwnedFd,
    next: Instant,
}

impl<C: Fn(Duration) -> Result<Client, Failure>> Live<C> {
    fn new(connect: C, sort: Sort) -> Result<Self, Failure> {
        let wanted = [libc::SIGWINCH, libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
        let signals = signal::block_and_read(&wanted).map_err(failed)?;
        let now = Instant::now();
        Ok(Self {
            connect,
            model: Model::new(sort),
            questions: None,
            asked: now,
            log: None,
            signals,
            next: now,
        })
    }

    fn run(
        mut self,
        screen: &mut Screen<'_>,
        input: BorrowedFd<'_>,
        size: &dyn Fn() -> (usize, usize),
    ) -> Result<(), Failure> {
        // A machine that cannot be reached at all is an error on the usual screen.
        self.questions = Some(Link::open((self.connect)(client::PATIENCE)?, Request::List)?);
        let colours = screen.colours;
        let mut full = Full::enter(screen, input)?;
        loop {
            if Instant::now() >= self.next {
                self.look();
            }
            let (rows, columns) = size();
            full.show(&draw::screen(&mut self.model, rows, columns, colours))?;
            let [keys, signals, questions, log] = self.wait(input)?;
            if signals && signal::read(&self.signals).any(|(signal, _)| signal != libc::SIGWINCH) {
                return Ok(());
            }
            if keys && self.hear_keys(input) == Wish::Leave {
                return Ok(());
            }
            if questions {
                self.hear_answers();
            }
            if log {
                self.hear_log();
            }
        }
    }

    /// Which of keys, signals, answers and the log have something, or the time has come.
    fn wait(&self, input: BorrowedFd<'_>) -> Result<[bool; 4], Failure> {
        let links = [self.questions.as_ref(), self.log.as_ref()];
        let mut polled =
            vec![PollFd::new(input, PollFlags::POLLIN), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        polled.extend(links.iter().flatten().map(|link| PollFd::new(link.connection(), PollFlags::POLLIN)));
        let left = self.next.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let mut ready = polled.iter().map(|fd| fd.any().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        let (keys, signals) = (next(), next());
        let questions = self.questions.is_some() && next();
        Ok([keys, signals, questions, self.log.is_some() && next()])
    }

    /// Asks again, once all that was asked is answered.
    fn look(&mut self) {
        self.next = Instant::now() + PAUSE;
        let outcome = match &mut self.questions {
            None => {
                (self.connect)(CONNECT).and_then(|client| Link::open(client, Request::List)).map(|link| {
                    self.questions = Some(link);
                    self.asked = Instant::now();
                })
            }
            Some(link) if link.is_idle() => {
                self.asked = Instant::now();
                link.ask(Request::List).and_then(|()| link.ask(Request::Stats { names: Vec::new() }))
            }
            Some(_) if self.asked.elapsed() > PATIENCE => {
                self.model.trouble = Some("the machine does not answer".into());
                Ok(())
            }
            Some(_) => Ok(()),
        };
        self.note(outcome);
        if self.log.is_none() && self.model.pane.is_some() {
            self.open_log();
        }
    }

    fn note(&mut self, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.questions = None;
            self.model.trouble = failure.line();
        }
    }

    fn hear_keys(&mut self, input: BorrowedFd<'_>) -> Wish {
        let mut buffer = [0; 256];
        // EIO: the terminal has gone.
        let Ok(count @ 1..) = fd::read(input, &mut buffer) else { return Wish::Leave };
        for key in keys::keys(buffer.get(..count).unwrap_or_default()) {
            match self.model.key(key) {
                Wish::Leave => return Wish::Leave,
                Wish::Log => self.open_log(),
                Wish::Nothing => {}
            }
        }
        Wish::Nothing
    }

    fn hear_answers(&mut self) {
        let Some(link) = &mut self.questions else { return };
        let outcome = link.receive().map(|answers| {
            for (request, reply) in answers {
                if let Err(failure) = take(&mut self.model, &request, reply) {
                    self.model.trouble = failure.line();
                }
            }
        });
        self.note(outcome);
    }

    /// The log that the pane is to show from its last lines on; or none any more.
    fn open_log(&mut self) {
        self.log = None;
        let Some(name) = self.model.log_of().map(str::to_owned) else { return };
        let logs = Logs { names: vec![name.clone()], lines: Some(LINES), follow: true, ..Logs::default() };
        match (self.connect)(CONNECT).and_then(|client| Link::open(client, Request::Logs(logs))) {
            Ok(link) => {
                self.log = Some(link);
                self.model.pane = Some(pane::Pane::new(name));
            }
            Err(failure) => self.model.trouble = failure.line(),
        }
    }

    fn hear_log(&mut self) {
        let Some(link) = &mut self.log else { return };
        let outcome = link.receive().and_then(|answers| {
            for (_, reply) in answers {
                let reply: LogsReply = understand(reply.into_result()?)?;
                if let Some(pane) = &mut self.model.pane {
                    pane.take(&reply);
                }
            }
            Ok(())
        });
        if let Err(failure) = outcome {
            // It is opened again with the next look.
            self.log = None;
            self.model.trouble = failure.line();
        }
    }
}

fn take(model: &mut Model, request: &Request, reply: Reply) -> Result<(), Failure> {
    let answer = reply.into_result()?;
    if *request == Request::List {
        model.take_list(understand::<ListReply>(answer)?);
    } else {
        model.take_figures(understand::<StatsReply>(answer)?);
    }
    Ok(())
}

fn failed(errno: Errno) -> Failure {
    Failure::Failed(errno.desc().to_owned())
}

#[cfg(test)]
mod test;
