//! One run of one test, until it has its result: as often as it takes, but no more than three times.

use std::sync::Arc;
use std::time::Duration;

use store::{Record, Recorded, Unit};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::account::Missed;
use super::common::Common;
use super::lease::Lease;
use super::submission::{ATTEMPTS, BEFORE_AGAIN, Submission};
use super::told::{self, Note, Outcome, Whose};
use super::trial::{self, Tried};
use super::work::Worker;
use crate::clock;
use crate::contained::contained;
use crate::verdict::plain;

/// Between two looks for room on the disk.
const FOR_ROOM: Duration = Duration::from_secs(10);

/// A run that is over, or was not begun.
pub struct Over {
    /// Which.
    pub unit: Unit,
    /// What it came to.
    pub came: Result<Note, Missed>,
    /// When its result is durable; `None`: it is.
    pub last: Option<oneshot::Receiver<Recorded>>,
    /// It has no result, and what was leased for it must not count.
    pub uncounted: bool,
}

/// Hands the result of a run over.
pub async fn record(
    worker: &Worker,
    common: &Common,
    (batch, submission, name): (&str, u32, &str),
    (unit, attempt): (Unit, u32),
    outcome: &Outcome,
) -> oneshot::Receiver<Recorded> {
    let at = clock::millis();
    let place = unit.test.unwrap_or_default();
    let whose = Whose {
        submission: name,
        test: common.test(place).map_or("", |test| test.name.as_ref()),
        unit,
        attempt,
        points: common.points(place, outcome.accepted(), outcome.share),
        finished_at: &clock::rfc3339(at),
    };
    let (body, note) =
        (told::line(&whose, outcome, common.spec.feedback, common.spec.told), serde_json::to_vec(&Note::of(outcome)));
    let told = |error: serde_json::Error| tracing::error!(%error, "a result could not be written as text");
    worker.engine.metrics.batches.result(told::name(outcome.verdict));
    let record = Record::Result {
        batch: batch.to_owned(),
        submission,
        unit,
        attempt,
        verdict: told::name(outcome.verdict).to_owned(),
        body: body.map_err(told).unwrap_or_default(),
        note: note.map_err(told).unwrap_or_default(),
        at,
    };
    worker.recorder.record(record).await
}

/// Why something is not tried any more.
#[must_use]
pub fn worn_out(what: &str) -> String {
    format!(
        "{what} was begun {ATTEMPTS} times, and each time the engine went down before it was over. It is not tried again: tell \
         the operator, who finds the reason in the log."
    )
}

/// One run of one test, until it has its result.
pub struct One {
    /// What all share.
    pub worker: Arc<Worker>,
    /// Whose it is.
    pub submission: Arc<Submission>,
    /// Which.
    pub unit: Unit,
}

impl One {
    /// With its turn; a suspect waits for none. So often it was `tried` before.
    pub async fn run(self, turn: Option<OwnedSemaphorePermit>, tried: u32) -> Over {
        let unit = self.unit;
        let mut uncounted = false;
        match self.result(turn, tried, &mut uncounted).await {
            Ok((note, last)) => Over { unit, came: Ok(note), last, uncounted: false },
            Err(missed) => Over { unit, came: Err(missed), last: None, uncounted },
        }
    }

    async fn result(
        &self,
        mut turn: Option<OwnedSemaphorePermit>,
        mut tried: u32,
        uncounted: &mut bool,
    ) -> Result<(Note, Option<oneshot::Receiver<Recorded>>), Missed> {
        let account = &self.submission.program.account;
        // Held to the end, and with it that nobody else is suspected.
        let mut lease: Option<Lease> = None;
        let mut writes = 0;
        let outcome = loop {
            if lease.is_none() && tried >= ATTEMPTS {
                break Outcome::ours(plain(&worn_out("The run")));
            }
            let new = || {
                let unit = (self.submission.place, self.unit);
                Lease::new(&self.worker, account, &self.submission.tenant, unit, tried > 0)
            };
            let lease_now = lease.get_or_insert_with(new);
            let came = self.attempt(lease_now, writes).await;
            let attempt = lease_now.attempt();
            *uncounted = attempt.is_some();
            match came? {
                Tried::NoRoom { why, bytes } => {
                    writes = bytes;
                    tracing::warn!(batch = %account.batch, %why, "a run of a batch waits for room");
                    // Others have its turn meanwhile. What was leased is good for the next time.
                    drop(turn.take());
                    lease_now.rest();
                    account.pause(&self.worker.engine, FOR_ROOM).await?;
                    turn = Some(self.worker.turn(account, &self.submission.tenant).await?);
                }
                Tried::Result(outcome) => {
                    tried = attempt.unwrap_or(tried + 1);
                    break *outcome;
                }
                Tried::Ours(outcome) => {
                    // What has failed before it was leased counts as well, or it would be tried for ever.
                    tried = attempt.unwrap_or(tried + 1);
                    if tried >= ATTEMPTS {
                        break *outcome;
                    }
                    let why = outcome.reason.map(|reason| reason.message).unwrap_or_default();
                    tracing::warn!(batch = %account.batch, %why, tried, "a run of a batch is tried again");
                    *uncounted = false;
                    // It is a suspect from now on, which may have to wait, also for the one that it was.
                    (turn, lease) = (None, None);
                    account.pause(&self.worker.engine, BEFORE_AGAIN).await?;
                }
            }
        };
        drop(turn);
        let whose = (account.batch.as_ref(), self.submission.place, self.submission.name.as_ref());
        let mut last = Some(record(&self.worker, &self.submission.common, whose, (self.unit, tried), &outcome).await);
        if lease.as_ref().is_some_and(Lease::is_alone)
            && let Some(last) = last.take()
        {
            // The next suspect must not find this one unrecorded.
            drop(last.await);
        }
        Ok((Note::of(&outcome), last))
    }

    async fn attempt(&self, lease: &Lease, writes: u64) -> Result<Tried, Missed> {
        contained(trial::run(&self.submission, self.unit, lease, writes)).await.unwrap_or_else(|| {
            self.worker.engine.metrics.panicked();
            Ok(Tried::Ours(Box::new(Outcome::ours(plain("Judging the run panicked: see the log.")))))
        })
    }
}
