//! Progress: what a build says while it works, and a bar for a person who waits.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Told by a build how far it is.
pub trait Progress {
    /// A stage begins that is `total` bytes long; 0 for one that is slow, nobody knows how slow.
    fn stage(&self, name: &str, total: u64);
    /// So many bytes of the stage are done.
    fn advance(&self, bytes: u64);
}

/// For tests, pipes, and whoever else does not look.
pub struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _name: &str, _total: u64) {}
    fn advance(&self, _bytes: u64) {}
}

/// Shorter than this, a bar would only flash.
const PATIENCE: Duration = Duration::from_secs(1);

/// Often enough to look alive.
const TICK: Duration = Duration::from_millis(200);

/// A bar on standard error, if that is a terminal and the build takes longer than `PATIENCE`.
pub struct Bar {
    started: Instant,
    terminal: bool,
    bar: RefCell<ProgressBar>,
}

impl Bar {
    pub fn on_terminal() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { started: Instant::now(), terminal, bar: RefCell::new(ProgressBar::hidden()) }
    }

    /// Takes the bar off the screen: what is printed next starts on a clean line.
    pub fn clear(&self) {
        self.bar.borrow().finish_and_clear();
    }

    fn show_when_slow(&self) {
        let bar = self.bar.borrow();
        if self.terminal && bar.is_hidden() && self.started.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &str, total: u64) {
        self.clear();
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template = if total > 0 { "{msg} {wide_bar} {bytes}/{total_bytes}" } else { "{msg} {spinner}" };
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(name.to_owned());
        if total == 0 && self.terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
        self.bar.replace(bar);
        self.show_when_slow();
    }

    fn advance(&self, bytes: u64) {
        self.show_when_slow();
        self.bar.borrow().inc(bytes);
    }
}
