//! Figures as people read them: a title, and below it who has which.

use std::fmt;

/// Sections in the order in which they were begun.
#[derive(Default)]
pub(crate) struct Table(Vec<Part>);

struct Part {
    title: String,
    rows: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn begin(&mut self, title: &str) {
        self.0.push(Part { title: title.to_owned(), rows: Vec::new() });
    }

    pub(crate) fn row(&mut self, who: &str, figure: impl fmt::Display) {
        if let Some(part) = self.0.last_mut() {
            part.rows.push((who.to_owned(), figure.to_string()));
        }
    }

    /// With as many digits as tell something.
    pub(crate) fn number(&mut self, who: &str, figure: f64) {
        let digits = if figure < 100.0 { 2 } else { 0 };
        self.row(who, format!("{figure:.digits$}"));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            writeln!(f, "{}", part.title)?;
            for (who, figure) in &part.rows {
                writeln!(f, "    {who:<56} {figure:>12}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The one in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
