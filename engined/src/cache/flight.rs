//! A compile that several wait for: it goes on while one of them does, whoever began it.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api_spec::{Reason, Verdict};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Cache, Key};
use crate::audit::orphan::Orphan;
use crate::budget::Reservation;
use crate::capture::Output;
use crate::collection::Artifact;
use crate::control::Control;
use crate::link::RunEnd;

/// How a compile ended, for all who wait for it.
#[derive(Debug)]
pub struct Outcome {
    /// As jaild said.
    pub end: RunEnd,
    /// What it wrote.
    pub output: Output,
    /// The program, or why there is none.
    pub result: Result<Artifact, (Verdict, Option<Reason>)>,
    /// With its set-up.
    pub took: Duration,
    /// What its output holds of the engine's memory.
    pub memory: Reservation,
}

/// What those who wait are told: the outcome, or that it could not be begun.
pub type Landed = Result<Arc<Outcome>, Arc<io::Error>>;

/// An error for all who wait.
pub(super) fn lost(why: &str) -> Landed {
    Err(Arc::new(io::Error::other(why.to_owned())))
}

/// A compile under way.
#[derive(Debug)]
pub struct Flight {
    pub(super) landed: watch::Sender<Option<Landed>>,
    /// It has landed, and is written or never will be.
    pub(super) over: watch::Sender<bool>,
    /// Stops it, with a word to those who still wait.
    pub(super) control: Arc<Control>,
    pub(super) task: OnceLock<AbortHandle>,
}

impl Flight {
    pub(super) fn new(account: &Arc<Orphan>) -> Arc<Flight> {
        let control = Arc::new(Control::on_account_of(account));
        Arc::new(Flight {
            landed: watch::Sender::new(None),
            over: watch::Sender::new(false),
            control,
            task: OnceLock::new(),
        })
    }

    /// How many wait. Asked and changed under the cache's lock alone.
    pub(super) fn waiters(&self) -> usize {
        self.landed.receiver_count()
    }
}

/// One who waits for a compile. The compile is stopped when the last of them is dropped.
#[must_use = "dropping it leaves the compile"]
pub struct Waiter {
    pub(super) cache: Arc<Cache>,
    pub(super) key: Key,
    pub(super) flight: Arc<Flight>,
    /// Until it has left.
    pub(super) landed: Option<watch::Receiver<Option<Landed>>>,
}

impl Waiter {
    /// Waits for its end.
    pub async fn landed(&mut self) -> Landed {
        let lost = || lost("a compile was lost: see the log");
        let Some(receiver) = &mut self.landed else { return lost() };
        match receiver.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    /// Waits until a compile that has landed is kept, or until it is clear that it is not.
    pub async fn over(self) {
        let mut over = self.flight.over.subscribe();
        // Its sender is ours as well.
        drop(over.wait_for(|over| *over).await);
    }

    /// Stops the compile if nobody else waits for it, and says whether that is so.
    #[must_use]
    pub fn cancel(&self) -> bool {
        self.cache.cancel(&self.key, &self.flight)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let receiver = self.landed.take();
        self.cache.leave(&self.key, &self.flight, receiver);
    }
}
