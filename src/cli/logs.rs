//! `orlop logs`: the bytes that containers wrote, as they wrote them.
//!
//! Of one container nothing is added, and nothing is held back: half a line is shown as it comes.
//! Of several, with times or with words to look for, lines are put together for each (`lines`).

mod boots;
mod lines;
#[cfg(test)]
mod test;

use std::borrow::Cow;

use orlop::control::{DropReason, Dropped, Entry, Logs, LogsReply, Request, Stream, WhichBoot};
use orlop::log::{Gone, split_priority};
use serde_json::Value;

use super::arguments::LogsArguments;
use super::client::{Client, Time, understand};
use super::failure::Failure;
use super::names;
use super::screen::{Screen, printable};
use super::units;
use lines::{Line, Lines, Names};

pub(crate) fn logs(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &LogsArguments,
) -> Result<(), Failure> {
    let is_over = |boot: &String| WhichBoot::parse(boot) != Some(WhichBoot::Before(0));
    if arguments.boots {
        return boots::boots(client, screen, arguments.json);
    }
    if let Some(boot) = arguments.boot.as_ref().filter(|boot| arguments.follow && is_over(boot)) {
        let why = format!("--follow goes on with what is written now, which --boot {boot} is not");
        return Err(Failure::Coded { code: 2, line: Some(why) });
    }
    if arguments.boot.as_ref().is_some_and(is_over) {
        // Names need not be declared any more.
        return of(client, screen, arguments, &arguments.names);
    }
    names::all(client, &arguments.names, |client, names| of(client, screen, arguments, names))
}

fn of(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &LogsArguments,
    names: &[String],
) -> Result<(), Failure> {
    let asked = Logs {
        names: names.to_vec(),
        all: arguments.all,
        lines: arguments.lines,
        follow: arguments.follow,
        since: arguments.since.clone(),
        until: arguments.until.clone(),
        boot: arguments.boot.clone(),
    };
    let time = if asked.follow { Time::Unlimited } else { Time::Limited };
    let mut show = Show::new(arguments, names);
    let shown = client.stream(&Request::Logs(asked), time, |mut answer| {
        if arguments.json && arguments.grep.is_none() {
            // Also the words of later versions.
            let entries = answer.get_mut("entries").map(Value::take);
            for entry in entries.as_ref().and_then(Value::as_array).into_iter().flatten() {
                writeln!(screen.out, "{entry}")?;
            }
        } else {
            let reply: LogsReply = understand(answer)?;
            for entry in &reply.entries {
                show.entry(screen, entry)?;
            }
        }
        Ok(screen.out.flush()?)
    });
    // What was begun is shown, also when the machine has left.
    show.finish(screen)?;
    shown
}

/// How output is shown.
struct Show {
    form: Form,
    /// What a line has in it that is wanted.
    wanted: Option<Vec<u8>>,
    lines: Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Bytes as they come.
    Exact,
    /// Lines, after a name or a time or both or neither.
    Lines { name: bool, time: bool },
    /// Lines, each an object.
    Json,
}

impl Show {
    fn new(arguments: &LogsArguments, names: &[String]) -> Self {
        let wanted = arguments.grep.as_ref().map(|text| text.as_bytes().to_vec());
        let (name, time) = (names.len() != 1 || arguments.all, arguments.timestamps);
        let form = match (arguments.json, name || time || wanted.is_some()) {
            (true, _) => Form::Json,
            (false, true) => Form::Lines { name, time },
            (false, false) => Form::Exact,
        };
        Self { form, wanted, lines: Lines::new(Names::new(names)) }
    }

    fn entry(&mut self, screen: &mut Screen<'_>, entry: &Entry) -> Result<(), Failure> {
        if let Some(dropped) = &entry.dropped {
            return match self.form {
                Form::Json => Self::object(screen, entry),
                Form::Exact | Form::Lines { .. } => {
                    Ok(writeln!(screen.err, "orlop: {}", gap(&entry.name, dropped))?)
                }
            };
        }
        let bytes = entry.bytes().ok_or_else(|| {
            let name = &entry.name;
            Failure::Failed(printable(&format!("the machine sent damaged output of `{name}`")))
        })?;
        if self.form == Form::Exact {
            return match entry.stream {
                Some(Stream::Syslog) => write_line(screen, &message(&entry.name, &bytes)),
                Some(Stream::Stdout | Stream::Stderr) | None => Ok(screen.out.write_all(&bytes)?),
            };
        }
        for line in self.lines.add(entry, &bytes) {
            self.line(screen, &line)?;
        }
        Ok(())
    }

    fn finish(&mut self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        for line in self.lines.finish() {
            self.line(screen, &line)?;
        }
        Ok(screen.out.flush()?)
    }

    fn line(&mut self, screen: &mut Screen<'_>, line: &Line) -> Result<(), Failure> {
        if self.wanted.as_ref().is_some_and(|wanted| !has(&line.bytes, wanted)) {
            return Ok(());
        }
        match self.form {
            Form::Json => Self::object(screen, &line.entry()),
            Form::Exact | Form::Lines { .. } if line.stream == Some(Stream::Syslog) => {
                // Each with a head of its own: else what stands behind a newline could be anybody's.
                let text = message(&line.name, &line.bytes);
                let mut pieces = text.split_inclusive(|byte| *byte == b'\n');
                let first = pieces.next().unwrap_or_default();
                std::iter::once(first).chain(pieces).try_for_each(|piece| self.headed(screen, line, piece))
            }
            Form::Exact | Form::Lines { .. } => self.headed(screen, line, &line.bytes),
        }
    }

    fn headed(&mut self, screen: &mut Screen<'_>, line: &Line, text: &[u8]) -> Result<(), Failure> {
        if let Form::Lines { name, time } = self.form {
            self.lines.names.head(screen, line, (name, time))?;
        }
        write_line(screen, text)
    }

    /// One object a line.
    fn object(screen: &mut Screen<'_>, entry: &Entry) -> Result<(), Failure> {
        let text = serde_json::to_string(entry)
            .map_err(|error| Failure::Failed(format!("cannot write JSON: {error}")))?;
        screen.line(&text)
    }
}

fn write_line(screen: &mut Screen<'_>, text: &[u8]) -> Result<(), Failure> {
    screen.out.write_all(text)?;
    if text.ends_with(b"\n") { Ok(()) } else { Ok(screen.out.write_all(b"\n")?) }
}

/// A message's text. What the kernel says on behalf of others, such as their names, has no power over the terminal.
fn message<'a>(name: &str, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    let (_, text) = split_priority(bytes);
    if !name.starts_with('@') {
        return Cow::Borrowed(text);
    }
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    Cow::Owned(printable(&String::from_utf8_lossy(text)).into_bytes())
}

fn has(line: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || line.windows(wanted.len()).any(|part| part == wanted)
}

pub(crate) fn gap(name: &str, dropped: &Dropped) -> String {
    let Dropped { bytes, reads, .. } = *dropped;
    let gone = match dropped.reason {
        DropReason::Overwritten => Gone::Overwritten { bytes, reads },
        DropReason::Refused => Gone::Refused { bytes, reads },
        DropReason::Damaged => return printable(&damaged(name, bytes)),
    };
    printable(&gone.text(units::bytes, &format!(" of `{name}`")))
}

fn damaged(name: &str, bytes: u64) -> String {
    let bytes = units::bytes(bytes);
    format!("{bytes} of the log of `{name}` on the disk make no sense: its power was cut, or it is failing")
}
