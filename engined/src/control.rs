//! What others can know of an execution under way, and do to it: how far it is, and that it shall stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api_spec::Stage;

use tokio::sync::watch;

use crate::audit::orphan::Orphan;
use crate::drain::UnderWay;
use crate::queue::Place;

/// How far an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a slot.
    Queued(Place),
    /// It runs.
    Running(Stage),
}

/// What of the service that an execution had is not in its result, and counts for the promises (`[slo]`).
#[derive(Debug, Default)]
pub struct Served {
    own_us: AtomicU64,
    shed: AtomicBool,
}

impl Served {
    /// For so long of its wait its tenant's own runs were in its way.
    pub fn waited_for_own(&self, time: Duration) {
        self.own_us.store(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The engine was too full for it.
    pub fn shed(&self) {
        self.shed.store(true, Ordering::Relaxed);
    }

    /// For how long of its wait its tenant's own runs were in its way.
    #[must_use]
    pub fn own_wait(&self) -> Duration {
        Duration::from_micros(self.own_us.load(Ordering::Relaxed))
    }

    /// Whether the engine was too full for it.
    #[must_use]
    pub fn was_shed(&self) -> bool {
        self.shed.load(Ordering::Relaxed)
    }
}

/// Shared by an execution and those who follow it.
#[derive(Debug)]
pub struct Control {
    phase: watch::Sender<Phase>,
    cancelled: watch::Sender<bool>,
    /// How well it was served.
    pub served: Served,
    /// What it has used, should its caller leave.
    pub orphan: Arc<Orphan>,
}

impl Control {
    /// Of an execution that waits, which is under way until its line is written.
    #[must_use]
    pub fn new(place: Place, under_way: UnderWay) -> Self {
        Control::of(place, Orphan::new(under_way))
    }

    fn of(place: Place, orphan: Arc<Orphan>) -> Self {
        let (phase, cancelled) = (watch::Sender::new(Phase::Queued(place)), watch::Sender::new(false));
        Control { phase, cancelled, served: Served::default(), orphan }
    }

    /// Of a compile that goes on by itself, by who began it: what it uses is told with the rest of that execution.
    #[must_use]
    pub fn of_compile(orphan: &Arc<Orphan>) -> Self {
        Control::of(Place::default(), Arc::clone(orphan))
    }

    /// A step begins.
    pub fn begin(&self, stage: Stage) {
        self.phase.send_replace(Phase::Running(stage));
    }

    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Which step is under way.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.phase() {
            Phase::Running(stage) => stage,
            Phase::Queued(_) => Stage::Run,
        }
    }

    /// It shall stop, whatever it does. Saying so again changes nothing.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Returns when it shall stop, at once if that was said before.
    pub async fn cancelled(&self) {
        if self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await.is_err() {
            // The sender is ours and lives as long as we do.
            std::future::pending().await
        }
    }
}

/// Of something that nobody follows.
impl Default for Control {
    fn default() -> Self {
        Control::of(Place::default(), Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancel_is_heard_before_and_after() {
        let control = Control::default();
        let early = control.cancelled();
        control.cancel();
        control.cancel();
        early.await;
        control.cancelled().await;
        assert_eq!(control.phase(), Phase::Queued(Place::default()));
        control.begin(Stage::Run);
        assert_eq!(control.phase(), Phase::Running(Stage::Run));
    }
}
