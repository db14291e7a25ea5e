//! How far it is: a bar on a terminal, a line for each program elsewhere. On standard error, so that what is printed in
//! the end can be read by programs.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::case::Tried;

const TEMPLATE: &str = "{bar:30} {pos}/{len}  {elapsed_precise}  {msg}";

/// How far it is.
pub struct Progress {
    bar: Option<ProgressBar>,
    all: usize,
    done: AtomicUsize,
}

impl Progress {
    /// Begins with none of `all` done.
    #[must_use]
    pub fn start(all: usize) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(u64::try_from(all).unwrap_or(u64::MAX));
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            // A program may take a minute; the clock goes on.
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Progress { bar, all, done: AtomicUsize::new(0) }
    }

    /// One more is done.
    pub fn done(&self, name: &str, tried: &Tried) {
        let count = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let how = if !tried.complaints.is_empty() {
            "did not hold"
        } else if tried.skipped.is_some() {
            "skipped"
        } else {
            "held"
        };
        match &self.bar {
            Some(bar) => {
                if !tried.complaints.is_empty() {
                    bar.suspend(|| complain!("{name}: {how}"));
                }
                bar.set_message(name.to_owned());
                bar.inc(1);
            }
            None => complain!("{count}/{} {name}: {how} ({:.1} s)", self.all, tried.took.as_secs_f64()),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
