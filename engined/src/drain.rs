//! On the way down: no new work, what is under way and what waits already ends within a deadline, and whoever has no
//! answer by then is told to come again instead of being cut off.
//!
//! SIGTERM begins it, and so does `POST /v1/drain`; the second of the two continues what the first began. After
//! `POST /v1/drain` the process stays, idle, until SIGTERM: results that are kept can be fetched, and whoever does
//! maintenance decides when it goes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::Shed;

/// Between two looks at what is still under way.
const LOOK: Duration = Duration::from_millis(20);
/// What is ended at the deadline has so long to be over: its sandbox is killed, and what that had used is written down.
const AFTER_CUT: Duration = Duration::from_secs(5);

/// Whether the engine is on its way down.
#[derive(Debug, Default)]
pub struct Drain {
    deadline: OnceLock<Instant>,
    told: watch::Sender<bool>,
    cut: watch::Sender<bool>,
    over: watch::Sender<bool>,
    executions: Arc<AtomicUsize>,
}

/// An execution that is not over: from its place in the queue until its line is handed to the audit, also when nobody
/// waits for it any more and its sandbox is still there.
#[derive(Debug)]
pub struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drain {
    /// Whether it has begun.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.deadline.get().is_some()
    }

    /// What `work` comes to, unless a drain has begun or begins meanwhile.
    ///
    /// # Errors
    /// As of [`Drain::unless_cut`].
    pub async fn unless_begun<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        unless(&self.told, work).await
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
        unless(&self.cut, work).await
    }

    /// What `work` comes to, unless everything is over: who follows an execution that the deadline ends hears how it
    /// ended, as the next engine has never heard of it.
    ///
    /// # Errors
    /// As of [`Drain::unless_cut`].
    pub async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        unless(&self.over, work).await
    }

    /// Returns when everything is over.
    pub async fn is_over(&self) {
        let mut over = self.over.subscribe();
        // It is never gone before us.
        drop(over.wait_for(|over| *over).await);
    }

    /// One more execution, until what comes back is dropped.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        self.executions.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(&self.executions))
    }

    /// How many there are.
    #[must_use]
    pub fn executions(&self) -> usize {
        self.executions.load(Ordering::Acquire)
    }
}

async fn unless<T>(told: &watch::Sender<bool>, work: impl Future<Output = T>) -> Result<T, Error> {
    let mut told = told.subscribe();
    tokio::select! {
        biased;
        done = work => Ok(done),
        _ = told.wait_for(|told| *told) => Err(Error::Shed(Shed::Draining)),
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
        self.drain.told.send_replace(true);
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

    /// Whether no execution is under way: none runs or waits, each has its line, and each that was accepted its result.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.drain.executions() == 0 && self.kept.pending() == 0
    }

    /// Returns when all work is over. What is left at the deadline is ended, and has some seconds for that.
    pub async fn drained(&self) {
        while !self.is_idle() {
            if self.drain.left().is_none_or(|left| left.is_zero()) {
                let ((running, waiting), pending) = (self.under_way(), self.kept.pending());
                tracing::warn!(running, waiting, pending, "not all runs were over at the deadline: they are ended");
                self.drain.cut();
                self.ended().await;
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.drain.over.send_replace(true);
    }

    /// Waits for what was ended. Of a sandbox whose end jaild does not report nobody will hear what it has used, and it
    /// has its line all the same.
    async fn ended(&self) {
        let until = Instant::now() + AFTER_CUT;
        let mut given_up = false;
        while !self.is_idle() {
            if Instant::now() >= until {
                if given_up {
                    tracing::error!(executions = self.drain.executions(), "not all runs have ended");
                    return;
                }
                tracing::error!("jaild does not say that runs have ended: what they have used is not known");
                self.link.give_up();
                given_up = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
