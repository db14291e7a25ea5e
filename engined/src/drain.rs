//! On the way down: no new work, what is under way and what waits already ends within a deadline, and whoever has no
//! answer by then is told to come again instead of being cut off.
//!
//! SIGTERM begins it, and so does `POST /v1/drain`; the second of the two continues what the first began. After
//! `POST /v1/drain` the process stays, idle, until SIGTERM: results that are kept can be fetched, and whoever does
//! maintenance decides when it goes.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::Shed;

/// Between two looks at what is still under way.
const LOOK: Duration = Duration::from_millis(20);

/// Whether the engine is on its way down.
#[derive(Debug, Default)]
pub struct Drain {
    deadline: OnceLock<Instant>,
    cut: watch::Sender<bool>,
}

impl Drain {
    /// Whether it has begun.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.deadline.get().is_some()
    }

    /// What is left until the deadline; `None` before it has begun.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.deadline.get().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Ends whoever is still without an answer: see [`Drain::unless_cut`].
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// What `work` comes to, unless the deadline ends it.
    ///
    /// # Errors
    /// That the engine is draining, which a caller may take to another engine.
    pub async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut cut = self.cut.subscribe();
        tokio::select! {
            biased;
            done = work => Ok(done),
            _ = cut.wait_for(|cut| *cut) => Err(Error::Shed(Shed::Draining)),
        }
    }
}

impl Engine {
    /// Refuses new work from now on, for good. Begun twice it goes on as it was. Whether it was begun by this.
    pub fn drain(&self) -> bool {
        let mut first = false;
        self.drain.deadline.get_or_init(|| {
            first = true;
            tracing::info!(within = ?self.config.engine.drain, "draining");
            Instant::now() + self.config.engine.drain
        });
        self.queue.drain();
        self.metrics.draining();
        self.tell();
        first
    }

    /// Runs under way and runs that wait.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        let gauges = self.queue.gauges();
        (gauges.running, gauges.waiting.iter().sum())
    }

    /// Returns when all work is over, at the latest at the deadline, at which whatever is left is ended.
    pub async fn drained(&self) {
        loop {
            let ((running, waiting), pending) = (self.under_way(), self.kept.pending());
            if running == 0 && waiting == 0 && pending == 0 {
                return;
            }
            if self.drain.left().is_none_or(|left| left.is_zero()) {
                tracing::warn!(running, waiting, pending, "not all runs were over at the deadline: they are ended");
                self.drain.cut();
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
