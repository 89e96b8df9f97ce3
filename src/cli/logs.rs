//! `orlop logs`: the bytes that containers wrote, as they wrote them.
//!
//! Of one container nothing is added, and nothing is held back: half a line is shown as it comes.
//! Of several, with times or with words to look for, lines are put together for each (`lines`).

mod lines;
#[cfg(test)]
mod test;

use orlop::control::{DropReason, Dropped, Entry, Logs, LogsReply, Request, Stream};
use serde_json::Value;

use super::arguments::LogsArguments;
use super::client::{Client, Time, understand};
use super::failure::Failure;
use super::names;
use super::screen::{Screen, printable};
use super::units;
use lines::{Line, Lines, Names};

/// Bytes of `<191>`, and as many digits as anybody writes.
const MAX_PRIORITY: usize = 6;

pub(crate) fn logs(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &LogsArguments,
) -> Result<(), Failure> {
    let Err(failure) = of(client, screen, arguments, &arguments.names) else { return Ok(()) };
    match names::instances(client, &failure, &arguments.names) {
        Some(names) => of(client, screen, arguments, &names),
        None => Err(failure),
    }
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
            return write(screen, &bytes, entry.stream);
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
            Form::Lines { name, time } => {
                self.lines.names.head(screen, line, (name, time))?;
                write(screen, &line.bytes, line.stream)?;
                if !line.bytes.ends_with(b"\n") && line.stream != Some(Stream::Syslog) {
                    screen.out.write_all(b"\n")?;
                }
                Ok(())
            }
            Form::Exact => write(screen, &line.bytes, line.stream),
        }
    }

    /// One object a line.
    fn object(screen: &mut Screen<'_>, entry: &Entry) -> Result<(), Failure> {
        let text = serde_json::to_string(entry)
            .map_err(|error| Failure::Failed(format!("cannot write JSON: {error}")))?;
        screen.line(&text)
    }
}

/// As it is; a message without its priority, and with an end.
fn write(screen: &mut Screen<'_>, bytes: &[u8], stream: Option<Stream>) -> Result<(), Failure> {
    if stream != Some(Stream::Syslog) {
        return Ok(screen.out.write_all(bytes)?);
    }
    let text = without_priority(bytes);
    screen.out.write_all(text)?;
    if text.ends_with(b"\n") { Ok(()) } else { Ok(screen.out.write_all(b"\n")?) }
}

/// `<30>text` → `text`.
fn without_priority(message: &[u8]) -> &[u8] {
    let end = message.iter().take(MAX_PRIORITY).position(|byte| *byte == b'>');
    let split = end.and_then(|end| message.split_at_checked(end));
    match split.and_then(|(head, text)| Some((head.strip_prefix(b"<")?, text.get(1..)?))) {
        Some((digits, text)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => text,
        _ => message,
    }
}

fn has(line: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || line.windows(wanted.len()).any(|part| part == wanted)
}

pub(crate) fn gap(name: &str, dropped: &Dropped) -> String {
    let why = match dropped.reason {
        DropReason::Overwritten => "newer output took its place",
        DropReason::Refused => "it came too fast, or memory was short",
    };
    let size = match dropped.bytes {
        // Lost before anybody saw how large they were.
        0 => format!("{} messages", dropped.reads),
        bytes => units::bytes(bytes),
    };
    printable(&format!("{size} of output of `{name}` are gone: {why}"))
}
