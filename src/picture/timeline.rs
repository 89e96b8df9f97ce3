//! A timeline: a row a name, and in it a bar for each state, as long as it lasted.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::colour;
use super::svg::{Anchor, Svg, fitting, width};

/// Times are microseconds from where the picture begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    pub title: String,
    pub end_us: u64,
    pub rows: Vec<Row>,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    pub name: String,
    /// In the order of time, none over another.
    pub bars: Vec<Bar>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub from_us: u64,
    pub until_us: u64,
    /// A state, or `phase`: decides the colour.
    pub word: String,
    /// Shown where one points at it.
    pub title: String,
}

/// Something that happened to all of it: a line from top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at_us: u64,
    pub title: String,
}

const CHART: f64 = 1000.0;
const ROW: f64 = 22.0;
const BAR: f64 = 16.0;
const TOP: f64 = 56.0;
const MARGIN: f64 = 12.0;
const WIDEST_NAME: f64 = 240.0;

/// A bar is at least so wide: what was short is what one looks for. What begins within it is not drawn.
const NARROWEST: f64 = 1.0;

impl Timeline {
    pub fn svg(&self) -> String {
        let names = self.rows.iter().map(|row| width(&row.name));
        let left = names.fold(0.0, f64::max).min(WIDEST_NAME) + 2.0 * MARGIN;
        let bottom = TOP + ROW * count(self.rows.len());
        let chart = Chart { left, scale: CHART / micros(self.end_us.max(1)) };
        let mut svg = Svg::new();
        svg.text((MARGIN, 20.0), Anchor::Start, "", &self.title);
        self.ruler(&mut svg, &chart, bottom);
        for (place, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * count(place);
            let name = fitting(&row.name, WIDEST_NAME);
            svg.text((left - MARGIN, y + BAR - 4.0), Anchor::End, "", &name);
            chart.bars(&mut svg, y, row);
        }
        for mark in &self.marks {
            let x = chart.x(mark.at_us);
            svg.line((x, TOP - 6.0), (x, bottom), "mark", &mark.title);
        }
        let height = self.legend(&mut svg, left, bottom + 18.0);
        svg.finish(left + CHART + 4.0 * MARGIN, height + MARGIN, &self.title)
    }

    fn ruler(&self, svg: &mut Svg, chart: &Chart, bottom: f64) {
        let step = step(self.end_us);
        let mut at = 0;
        while at <= self.end_us {
            let x = chart.x(at);
            svg.line((x, TOP - 6.0), (x, bottom), "line", "");
            svg.text((x, TOP - 12.0), Anchor::Middle, "faint", &label(at));
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
    }

    /// The colours that occur, and where it ends.
    fn legend(&self, svg: &mut Svg, left: f64, y: f64) -> f64 {
        let mut words: Vec<&str> = Vec::new();
        for bar in self.rows.iter().flat_map(|row| &row.bars) {
            if !words.contains(&bar.word.as_str()) {
                words.push(&bar.word);
            }
        }
        let mut x = left;
        for word in words {
            svg.rect((x, y, 12.0, 12.0), colour::of(word), "", "");
            svg.text((x + 18.0, y + 10.0), Anchor::Start, "faint", word);
            x += width(word) + 42.0;
        }
        y + 12.0
    }
}

struct Chart {
    left: f64,
    /// Pixels a microsecond.
    scale: f64,
}

impl Chart {
    fn x(&self, at_us: u64) -> f64 {
        self.left + micros(at_us) * self.scale
    }

    fn bars(&self, svg: &mut Svg, y: f64, row: &Row) {
        let mut drawn = f64::MIN;
        for bar in &row.bars {
            let (from, until) = (self.x(bar.from_us), self.x(bar.until_us));
            let wide = until - from >= NARROWEST;
            if !wide && from < drawn {
                continue;
            }
            let from = from.max(drawn.min(until - NARROWEST));
            let width = (until - from).max(NARROWEST);
            drawn = from + width;
            svg.rect((from, y, width, BAR), colour::of(&bar.word), "", &bar.title);
        }
    }
}

/// Between two lines of the ruler: 1, 2 or 5 of a power of ten, or what a clock has; five to twelve of them.
fn step(end_us: u64) -> u64 {
    const SECOND: u64 = 1_000_000;
    const CLOCK: [u64; 13] = [10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400];
    let least = end_us.div_ceil(12).max(1);
    let decimal = (0..8).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let clock = CLOCK.map(|seconds| seconds * SECOND);
    let below = decimal.filter(|step| *step < 10 * SECOND);
    let found = below.chain(clock).find(|step| *step >= least);
    found.unwrap_or_else(|| least.div_ceil(86_400 * SECOND).saturating_mul(86_400 * SECOND))
}

/// In the unit that a person would use.
pub(super) fn label(at_us: u64) -> String {
    let text = |value: u64, part: u64, unit: &str| match part {
        0 => format!("{value}{unit}"),
        part => format!("{value}.{}{unit}", format!("{part:03}").trim_end_matches('0')),
    };
    let seconds = at_us / 1_000_000;
    match at_us {
        0 => String::from("0"),
        1..1_000 => format!("{at_us}µs"),
        1_000..1_000_000 => text(at_us / 1000, at_us % 1000, "ms"),
        _ if seconds < 60 => text(seconds, at_us / 1000 % 1000, "s"),
        _ if seconds < 3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn micros(us: u64) -> f64 {
    us as f64
}

#[allow(clippy::cast_precision_loss, reason = "rows are few")]
fn count(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ruler_to_the_end_of_time_has_an_end() {
        for end_us in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
            let timeline = Timeline { title: String::new(), end_us, rows: Vec::new(), marks: Vec::new() };
            assert!(timeline.svg().matches("<line").count() < 20);
        }
    }

    #[test]
    fn the_ruler_has_lines_that_people_count_in() {
        let check = |end: u64, expected: &str| {
            let step = step(end);
            let lines = end / step;
            assert!((2..=12).contains(&lines), "{end}: {lines} lines of {step}");
            assert_eq!(label(step), expected, "{end}");
        };
        check(30, "5µs");
        check(27_400, "5ms");
        check(350_000, "50ms");
        check(2_000_000, "200ms");
        check(59_000_000, "5s");
        check(600_000_000, "1m00s");
        check(86_400_000_000, "2h00m");
        check(30 * 86_400_000_000, "72h00m");
        assert_eq!([label(0), label(1_500), label(2_050_000)], ["0", "1.5ms", "2.05s"]);
    }

    #[test]
    fn what_is_too_narrow_to_see_is_drawn_once() {
        let bar = |from_us, until_us, word: &str| Bar {
            from_us,
            until_us,
            word: word.into(),
            title: String::new(),
        };
        let mut bars: Vec<Bar> = (0..10_000).map(|n| bar(n * 10, n * 10 + 10, "backoff")).collect();
        bars.push(bar(100_000, 1_000_000, "failed"));
        let row = Row { name: "web".into(), bars };
        let timeline = Timeline { end_us: 1_000_000, rows: [row].into(), ..Timeline::default() };
        let svg = timeline.svg();
        assert!(svg.matches("<rect").count() < 120, "{}", svg.matches("<rect").count());
        assert!(svg.contains("#d64550"));
    }
}
