//! `orlop events`: what happened on the machine, a line each; over any number of supervisors when it follows.

use std::time::{Duration, Instant};

use orlop::control::{Event, EventKind, Events, EventsReply, Request, State};
use serde_json::Value;

use super::arguments::EventsArguments;
use super::client::{Client, Time, understand};
use super::failure::Failure;
use super::names;
use super::screen::{Screen, Tone, printable};

/// Before a machine whose supervisor is gone is asked again, and how long it is asked.
const PAUSE: Duration = Duration::from_millis(200);
const ABSENCE: Duration = Duration::from_secs(30);

/// Digits of a time: milliseconds.
const DIGITS: usize = "2026-11-21T22:46:01.000".len();

pub(crate) fn events(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &EventsArguments,
) -> Result<(), Failure> {
    names::all(client, &arguments.names, |client, names| of(client, screen, arguments, names))
}

fn of(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &EventsArguments,
    names: &[String],
) -> Result<(), Failure> {
    let (names, since, follow) = (names.to_vec(), arguments.since.clone(), arguments.follow);
    let time = if follow { Time::Unlimited } else { Time::Limited };
    let request = Request::Events(Events { names, since, follow });
    let mut show = Show { json: arguments.json, seen: 0, width: 0 };
    let mut gone: Option<Instant> = None;
    loop {
        let told = client.stream(&request, time, |answer| {
            gone = None;
            show.answer(screen, answer)
        });
        match told {
            // Those that were shown are told again, and passed over.
            Err(Failure::Disconnected(_)) if follow && gone.is_none_or(|gone| gone.elapsed() < ABSENCE) => {
                gone.get_or_insert_with(Instant::now);
                client.pause(PAUSE);
            }
            told => return told,
        }
    }
}

struct Show {
    json: bool,
    /// The highest number shown.
    seen: u64,
    /// Of the names so far.
    width: usize,
}

impl Show {
    fn answer(&mut self, screen: &mut Screen<'_>, mut answer: Value) -> Result<(), Failure> {
        let reply: EventsReply = understand(answer.clone())?;
        // What is missing before the first was missing before.
        if reply.dropped > 0
            && (self.seen == 0 || reply.events.first().is_some_and(|it| it.number > self.seen))
        {
            let times = if reply.dropped == 1 { "event is" } else { "events are" };
            writeln!(screen.err, "orlop: {} older {times} gone", reply.dropped)?;
        }
        let words = answer.get_mut("events").map(Value::take);
        let words = words.as_ref().and_then(Value::as_array).into_iter().flatten();
        let seen = self.seen;
        for (event, words) in reply.events.iter().zip(words).filter(|(event, _)| event.number > seen) {
            if self.json {
                // Also the words of later versions.
                writeln!(screen.out, "{words}")?;
            } else {
                self.line(screen, event)?;
            }
        }
        self.seen = reply.events.last().map_or(self.seen, |last| last.number.max(self.seen));
        Ok(screen.out.flush()?)
    }

    fn line(&mut self, screen: &mut Screen<'_>, event: &Event) -> Result<(), Failure> {
        let time: String = event.time.chars().take(DIGITS).collect();
        let time = screen.colours.paint(Tone::Quiet, &format!("{}Z", printable(&time)));
        let name = printable(event.name.as_deref().unwrap_or("-"));
        self.width = self.width.max(name.chars().count());
        let text = screen.colours.paint(tone(event), &printable(&event.text));
        screen.line(&format!("{time}  {name:<width$}  {text}", width = self.width))
    }
}

fn tone(event: &Event) -> Tone {
    match (event.kind, event.to) {
        (EventKind::State, Some(State::Running)) => Tone::Good,
        (EventKind::State, Some(State::Failed | State::Stuck | State::Invalid | State::Backoff)) => Tone::Bad,
        (EventKind::Refused | EventKind::Helper, _) => Tone::Bad,
        (EventKind::Phase, _) if event.error.is_some() => Tone::Bad,
        (EventKind::Asked | EventKind::Shutdown | EventKind::Supervisor, _) => Tone::Strong,
        (EventKind::State | EventKind::Note | EventKind::End | EventKind::Phase | EventKind::Other, _) => {
            Tone::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use orlop::control::{Asker, Happening, encode_continued};

    use super::super::testing::{TIME, check, reply};
    use super::*;

    fn event(number: u64, happening: Happening) -> Event {
        Event::of(happening, number, 5, TIME.into())
    }

    fn running(number: u64) -> Event {
        let (from, to) = (State::Starting, State::Running);
        let name = String::from("web");
        event(number, Happening::State { name, generation: 1, from, to, cause: None, pid: Some(7) })
    }

    fn asked(number: u64) -> Event {
        let by = Asker { uid: Some(0), pid: Some(9), port: None };
        event(number, Happening::Asked { by, name: Some("database".into()), what: "stop database\n".into() })
    }

    fn answer(events: Vec<Event>, dropped: u64) -> EventsReply {
        EventsReply { events, dropped }
    }

    #[test]
    fn events_are_lines_and_those_that_are_gone_are_told() {
        let answers = [encode_continued(&answer(vec![running(7)], 6)), reply(&answer(vec![asked(8)], 0))];
        let expected = "\
2026-11-21T22:46:01.000Z  web  starting -> running (pid 7)
2026-11-21T22:46:01.000Z  database  asked by uid 0 (pid 9): stop database 
";
        let gone = "orlop: 6 older events are gone\n";
        let machine = check("events --since 10m web database", vec![answers.concat()], 0, expected, gone);
        assert_eq!(machine.calls(), [r#"Events {"follow":false,"names":["web","database"],"since":"10m"}"#]);
        check("events", vec![reply(&answer(vec![], 0))], 0, "", "");
    }

    #[test]
    fn json_is_an_object_a_line_with_the_words_of_later_machines() {
        let mut later = serde_json::to_value(answer(vec![running(1)], 0)).unwrap();
        later["events"][0]["kind"] = "eclipse".into();
        let expected = format!("{}\n", later["events"][0]);
        check("events --json", vec![reply(&later)], 0, &expected, "");
    }

    #[test]
    fn who_follows_sees_each_once_although_the_supervisor_is_replaced() {
        // The first answer's connection ends with no NUL behind half a message.
        let mut first = encode_continued(&answer(vec![running(1)], 0));
        first.extend(b"{\"par");
        let second = reply(&answer(vec![running(1), asked(2)], 3));
        let expected = "\
2026-11-21T22:46:01.000Z  web  starting -> running (pid 7)
2026-11-21T22:46:01.000Z  database  asked by uid 0 (pid 9): stop database 
";
        let machine = check("events --follow", vec![first, second], 0, expected, "");
        assert_eq!(machine.calls().len(), 2);
    }

    #[test]
    fn a_time_that_is_none_is_wrong_usage() {
        let outcome = super::super::testing::run_alone("events --since yesterday");
        assert_eq!(outcome.code, 2);
        assert!(outcome.err.contains("write 10m"), "{}", outcome.err);
    }
}
