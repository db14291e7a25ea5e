//! What was recorded of a submission before it was taken up again: read a page at a time, and with room for what stays of it.
//! Of a batch of a million results that an engine has left half done this would be more than everything else.

use std::collections::HashMap;

use store::{Answer, LeasedSubmission, Question, Unit};

use super::account::{Account, Missed};
use super::book::Book;
use super::submission::BEFORE_AGAIN;
use super::work::Worker;
use crate::budget::Reservation;

/// Results in a page.
const PAGE: usize = 1_024;
/// What stays of each: a unit and whether others go on after it, in a table that grows by doubling.
const EACH: u64 = 64;

/// What was recorded.
#[derive(Debug)]
pub struct Restored {
    /// What has a result: whether others go on after it.
    pub done: HashMap<Unit, bool>,
    /// What counts it.
    pub memory: Reservation,
}

/// Reads it into the book. Waits for its memory, and for a store that does not answer now.
///
/// # Errors
/// It is not wanted any more.
pub async fn restore(
    worker: &Worker,
    account: &Account,
    leased: &LeasedSubmission,
    book: &mut Book,
) -> Result<Restored, Missed> {
    let bytes = leased.done.saturating_mul(EACH);
    let memory = account.memory_of(&worker.engine, &worker.restored, bytes).await?;
    let (mut done, mut after) = (HashMap::new(), None);
    loop {
        let (batch, submission) = (leased.batch.clone(), leased.submission);
        let why = match worker.batches.store.read(Question::Done { batch, submission, after, most: PAGE }).await {
            Ok(Answer::Done(page)) => {
                after = page.last().map(|(unit, _)| *unit);
                book.restore(&page, &mut done);
                if page.len() < PAGE {
                    return Ok(Restored { done, memory });
                }
                continue;
            }
            Ok(_) => "it has answered something else".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(batch = leased.batch, %why, "what a submission has already can't be read yet, and is asked for again");
        account.pause(&worker.engine, BEFORE_AGAIN).await?;
    }
}
