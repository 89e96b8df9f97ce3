//! Times of a clock, as cron writes them: minute, hour, day of the month, month, day of the week. UTC.

use super::super::diagnostic::Mistake;
use alloc::format;
use alloc::vec::Vec;

/// When something is due: each field a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    /// From 1.
    days: u64,
    /// From 1.
    months: u64,
    /// From 0, Sunday.
    weekdays: u64,
    /// Both days are given: one of them is enough, as everywhere.
    either: bool,
}

struct Field {
    name: &'static str,
    first: u64,
    last: u64,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, words: &[] },
    Field { name: "hour", first: 0, last: 23, words: &[] },
    Field { name: "day", first: 1, last: 31, words: &[] },
    Field {
        name: "month",
        first: 1,
        last: 12,
        words: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field { name: "weekday", first: 0, last: 7, words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const SHORT: [(&str, &str); 6] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

const DAY: u64 = 86_400;
/// A leap day on a certain weekday comes at least once in 40 years.
const MOST_DAYS: u64 = 40 * 366;

/// Five fields, or a word for them like `@daily`.
///
/// # Errors
/// What is wrong with it, and what can be written.
pub fn parse(text: &str) -> Result<Cron, Mistake> {
    let written = SHORT.into_iter().find(|(short, _)| *short == text).map_or(text, |(_, long)| long);
    let words: Vec<&str> = written.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = words.as_slice() else {
        let mistake = Mistake::new(format!("\"{text}\" is no schedule"));
        return Err(mistake.help("minute, hour, day, month, weekday, like \"*/5 * * * *\"; or \"@daily\""));
    };
    let [minutes, hours, days, months, weekdays] = &FIELDS;
    let weekday_bits = set(weekday, weekdays)?;
    let cron = Cron {
        minutes: set(minute, minutes)?,
        hours: set(hour, hours)?,
        days: set(day, days)?,
        months: set(month, months)?,
        // Sunday is 0 and 7.
        weekdays: (weekday_bits | weekday_bits >> 7) & 0x7f,
        either: !day.starts_with('*') && !weekday.starts_with('*'),
    };
    match cron.next_after(0) {
        Some(_) => Ok(cron),
        None => Err(Mistake::new(format!("\"{text}\" never comes")).help("there is no such day in any year")),
    }
}

/// `*`, `5`, `1-5`, `*/15`, `1-30/2`, `mon-fri`, and lists of these.
fn set(text: &str, field: &Field) -> Result<u64, Mistake> {
    let mut bits = 0;
    for part in text.split(',') {
        let wrong = || {
            let mistake = Mistake::new(format!("\"{part}\" is no {}", field.name));
            mistake.help(format!(
                "from {} to {}; like \"*\", \"5\", \"1-5\" or \"*/15\"",
                field.first, field.last
            ))
        };
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step = number(step).filter(|step| *step > 0).ok_or_else(wrong)?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (field.first, field.last),
            Some((first, last)) => {
                (value(first, field).ok_or_else(wrong)?, value(last, field).ok_or_else(wrong)?)
            }
            None => {
                let one = value(range, field).ok_or_else(wrong)?;
                (one, if part.contains('/') { field.last } else { one })
            }
        };
        if first > last {
            return Err(wrong());
        }
        let mut at = first;
        while at <= last {
            bits |= 1 << at;
            at = at.saturating_add(step);
        }
    }
    Ok(bits)
}

fn value(text: &str, field: &Field) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let word = field.words.iter().position(|word| *word == lower).and_then(|at| u64::try_from(at).ok());
    let value = word.map(|at| at.saturating_add(field.first)).or_else(|| number(text))?;
    (field.first..=field.last).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Cron {
    /// The first time after this one, both in seconds since 1970.
    #[must_use]
    pub fn next_after(&self, now: u64) -> Option<u64> {
        let first = (now / 60).saturating_add(1).saturating_mul(60);
        let today = first / DAY;
        (today..today.saturating_add(MOST_DAYS)).find_map(|day| {
            let from = if day == today { first % DAY / 60 } else { 0 };
            let minute = self.is_day(day).then(|| self.minute_from(from)).flatten()?;
            Some(day.saturating_mul(DAY).saturating_add(minute.saturating_mul(60)))
        })
    }

    fn is_day(&self, day: u64) -> bool {
        let (month, of_month) = civil(day);
        // 1970 began on a Thursday.
        let weekday = (day.saturating_add(4)) % 7;
        let (by_month, by_week) = (has(self.days, of_month), has(self.weekdays, weekday));
        has(self.months, month) && if self.either { by_month || by_week } else { by_month && by_week }
    }

    fn minute_from(&self, from: u64) -> Option<u64> {
        (from..1440).find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60))
    }
}

fn has(set: u64, at: u64) -> bool {
    set >> at & 1 == 1
}

/// Month and day of the month, both from 1, of a day since 1970 in the Gregorian calendar.
fn civil(day: u64) -> (u64, u64) {
    // Years that begin in March end with the day that may be missing.
    let day = day.saturating_add(719_468);
    let of_era = day % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22, a Sunday, at 14:30:10.
    const NOW: u64 = 1_795_357_810;

    #[test]
    fn the_next_time_is_the_first_after_now() {
        let check = |text: &str, expected: &[u64]| {
            let cron = parse(text).unwrap_or_else(|mistake| panic!("{text}: {}", mistake.message));
            let mut now = NOW;
            for seconds in expected {
                now = cron.next_after(now).unwrap();
                assert_eq!(now - NOW, *seconds, "{text}");
            }
        };
        check("* * * * *", &[50, 110, 170]);
        check("*/5 * * * *", &[290, 590]);
        check("30 14 * * *", &[86_390]);
        check("0 0 * * *", &[34_190]);
        check("@daily", &[34_190]);
        check("0 0 * * mon-fri", &[34_190, 34_190 + 86_400]);
        check("0 0 * * SUN", &[34_190 + 6 * 86_400]);
        check("0 0 * * 7", &[34_190 + 6 * 86_400]);
        check("0 0 1 * *", &[34_190 + 8 * 86_400, 34_190 + 39 * 86_400]);
        check("0 0 24 * 1", &[34_190, 34_190 + 86_400]);
        check("45,50 14-15 22 nov *", &[890, 1190, 890 + 3600]);
        check("0 0 29 2 *", &[40_037_390]);
    }

    #[test]
    fn days_have_their_names() {
        for (day, expected) in
            [(0, (1, 1)), (58, (2, 28)), (59, (3, 1)), (364, (12, 31)), (789, (2, 29)), (20_779, (11, 22))]
        {
            assert_eq!(civil(day), expected, "{day}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "0 0 30 2 *",
            "@often",
            "1,,2 * * * *",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
