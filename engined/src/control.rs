//! What others can know of an execution under way, and do to it: how far it is, and that it shall stop.

use api_spec::Stage;
use std::sync::Arc;

use tokio::sync::watch;

use crate::audit::orphan::Orphan;
use crate::queue::Place;

/// How far an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a slot.
    Queued(Place),
    /// It runs.
    Running(Stage),
}

/// Shared by an execution and those who follow it.
#[derive(Debug)]
pub struct Control {
    phase: watch::Sender<Phase>,
    cancelled: watch::Sender<bool>,
    /// What it has used, should its caller leave.
    pub orphan: Arc<Orphan>,
}

impl Control {
    /// Of an execution that waits.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Control {
            phase: watch::Sender::new(Phase::Queued(place)),
            cancelled: watch::Sender::new(false),
            orphan: Arc::default(),
        }
    }

    /// Of what is done for another execution, which has used what this uses.
    #[must_use]
    pub fn on_account_of(orphan: &Arc<Orphan>) -> Self {
        Control { orphan: Arc::clone(orphan), ..Control::default() }
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
        Control::new(Place::default())
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
