//! One run of one test, until it has its result: as often as it takes, but no more than three times.

use std::sync::Arc;
use std::time::Duration;

use store::{Leased, Promise, Record, Recorded, Unit, Wish};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::common::Common;
use super::program::{Account, Missed};
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
}

/// Leases as soon as the store can.
///
/// # Errors
/// It is not wanted any more.
pub async fn lease(
    worker: &Worker,
    account: &Account,
    mut ask: impl FnMut() -> Promise<Leased>,
) -> Result<Vec<(Unit, u32)>, Missed> {
    loop {
        match ask().await {
            Ok(Leased::Units(units)) => return Ok(units),
            Ok(Leased::Submissions(_)) => return Ok(Vec::new()),
            Err(error) => tracing::warn!(%error, "nothing of a batch is leased yet"),
        }
        account.pause(&worker.engine, BEFORE_AGAIN).await?;
    }
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
    /// `begun`: with its turn, and the number of the attempt that was leased; a suspect has neither.
    pub async fn run(self, begun: Option<(OwnedSemaphorePermit, u32)>, tried: u32) -> Over {
        let unit = self.unit;
        match self.result(begun, tried).await {
            Ok((note, last)) => Over { unit, came: Ok(note), last },
            Err(missed) => Over { unit, came: Err(missed), last: None },
        }
    }

    async fn result(
        &self,
        begun: Option<(OwnedSemaphorePermit, u32)>,
        mut tried: u32,
    ) -> Result<(Note, Option<oneshot::Receiver<Recorded>>), Missed> {
        let account = &self.submission.program.account;
        let (mut permit, mut begun) = match begun {
            Some((permit, _)) => (Some(permit), true),
            None => (None, false),
        };
        let mut suspect = None;
        let outcome = loop {
            if !begun {
                if tried >= ATTEMPTS {
                    break Outcome::ours(plain(&worn_out("The run")));
                }
                // In this order alone: who has its turn waits for nobody.
                drop(permit.take());
                if suspect.is_none() {
                    suspect = Some(self.worker.suspect(account).await?);
                }
                permit = Some(self.worker.turn(account, &self.submission.tenant).await?);
                let ask = || {
                    let (batch, submission) = (account.batch.to_string(), self.submission.place);
                    self.worker.batches.store.lease(Wish::Units { batch, submission, units: vec![self.unit] })
                };
                let leased = lease(&self.worker, account, ask).await?;
                tried = leased.first().map(|(_, attempt)| *attempt).ok_or_else(|| account.not_leased())?;
                begun = true;
            }
            match self.attempt().await? {
                Tried::Result(outcome) => break *outcome,
                Tried::Ours(outcome) if tried >= ATTEMPTS => break *outcome,
                Tried::Ours(outcome) => {
                    let why = outcome.reason.map(|reason| reason.message).unwrap_or_default();
                    tracing::warn!(batch = %account.batch, %why, tried, "a run of a batch is tried again");
                    account.pause(&self.worker.engine, BEFORE_AGAIN).await?;
                    begun = false;
                }
                Tried::NoRoom(why) => {
                    tracing::warn!(batch = %account.batch, %why, "a run of a batch waits for room");
                    // Others have its turn meanwhile.
                    drop(permit.take());
                    account.pause(&self.worker.engine, FOR_ROOM).await?;
                    permit = Some(self.worker.turn(account, &self.submission.tenant).await?);
                }
            }
        };
        drop(permit);
        let whose = (account.batch.as_ref(), self.submission.place, self.submission.name.as_ref());
        let mut last = Some(record(&self.worker, &self.submission.common, whose, (self.unit, tried), &outcome).await);
        if suspect.is_some()
            && let Some(last) = last.take()
        {
            // The next suspect must not find this one unrecorded.
            drop(last.await);
        }
        Ok((Note::of(&outcome), last))
    }

    async fn attempt(&self) -> Result<Tried, Missed> {
        contained(trial::run(&self.submission, self.unit)).await.unwrap_or_else(|| {
            self.worker.engine.metrics.panicked();
            Ok(Tried::Ours(Box::new(Outcome::ours(plain("Judging the run panicked: see the log.")))))
        })
    }
}
