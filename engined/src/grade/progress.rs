//! How far a batch is: a bar on a terminal, now and then a line elsewhere. On standard error, so that what is printed in
//! the end can be read by programs.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::plain;

const TEMPLATE: &str = "{bar:30} {pos}/{len}  {elapsed_precise}  {msg}";
const BEFORE: &str = "{spinner} {elapsed_precise}  {msg}";
/// Without a terminal: a line at most so often,
const PAUSE: Duration = Duration::from_secs(10);
/// or when so many hundredths more are done.
const STEP: u64 = 10;

/// How far it is.
pub struct Progress {
    bar: Option<ProgressBar>,
    all: Cell<u64>,
    told: Cell<(u64, Instant)>,
}

impl Progress {
    /// Begins.
    #[must_use]
    pub fn start() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template(BEFORE) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Progress { bar, all: Cell::new(0), told: Cell::new((0, Instant::now())) }
    }

    /// What is sent just now.
    pub fn says(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("sending {}", plain::line(what)));
        }
    }

    /// From now on results are counted.
    pub fn counts(&self, batch: &str, done: u64, all: u64) {
        self.all.set(all);
        self.told.set((done, Instant::now()));
        let Some(bar) = &self.bar else {
            complain!("engined: batch {batch}: {done} of {all} results");
            return;
        };
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(format!("batch {batch}"));
    }

    /// So many are there, of these verdicts.
    pub fn done(&self, done: u64, verdicts: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(verdicts());
            return;
        }
        let (before, when) = self.told.get();
        let step = self.all.get().saturating_mul(STEP).div_ceil(100).max(1);
        let enough = done.saturating_sub(before) >= step || when.elapsed() >= PAUSE || done == self.all.get();
        if enough && done > before {
            self.told.set((done, Instant::now()));
            complain!("engined: {done} of {} results: {}", self.all.get(), verdicts());
        }
    }

    /// A line that stays.
    pub fn tell(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain!("engined: {text}")),
            None => complain!("engined: {text}"),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
