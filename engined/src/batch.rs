//! Batches: many submissions, each judged by the same tests, and never a result lost.
//!
//! # From the request to the last result
//! `admission` and `data` make of a request what the store keeps; once `POST` has answered, it is durable. `work` takes up
//! submissions, of each tenant as many as can begin soon, and each is judged by itself (`submission`): it is compiled once, then
//! its tests are run (`one`, `trial`) in the order that `lanes` allows. What comes out of a run is compared as it comes
//! (`checker`), made into a line (`told`) and written down (`recorder`). When the last is there the submission has its points
//! (`book`) and its own line, and the batch is over with its last submission.
//!
//! # What is run where
//! Every compile and every run of a submission or of a checker is an execution like any other (`program`): its turn in the queue
//! is that of its tenant, at the priority `batch`; it has its audit line, and counts in usage, in the CPU time of the day and as
//! a sign of abuse. All runs of a submission share its compiled program and its bundle, which are sealed and read by position.
//! Of a tenant no more runs wait in the queue than will start soon, and its submissions have their turns one after another, so
//! that a slow one stops no other.
//!
//! # Exactly one result
//! The store takes a second result of the same run for none. What is about to be run is leased first, durably, with the number
//! of the attempt; recording the result takes the lease away in the same transaction. So whatever the engine dies of, what has
//! no result is found and run again: with suspicion, see `submission`. At an orderly stop what runs may end, and what was leased
//! and not begun goes back uncounted.
//!
//! | the engine is killed | what was done | after the restart |
//! | --- | --- | --- |
//! | before `POST` has answered | the batch is there whole or not at all | the caller sends it again, with its `Idempotency-Key` |
//! | when a submission is taken up | nothing | it is taken up again |
//! | while it is compiled | the attempt is counted | it is compiled again, as a suspect |
//! | when it was compiled | the compile's end is recorded, or not | it is compiled again: from the artifact cache, where it is kept |
//! | when runs are leased, or under way | their attempts are counted | each is run again, as a suspect, one at a time |
//! | when a run is over | it is recorded, or not | it stands, or is run again as a suspect |
//! | when all results are there | the submission's line, or not | the line is made of what is recorded |
//!
//! # What does not pass
//! A submission that can't be admitted any more (its toolchain has gone, a plan is smaller than when it came) is not tried again:
//! its results are `engine_error` with the reason, at once, and a rejudge is a new batch. A compile or run that fails by our fault
//! (its sandbox was lost, `engine_error`) is tried again, three times in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub mod account;
pub mod admission;
pub mod book;
pub mod checker;
pub mod common;
pub mod count;
pub mod data;
pub mod keep;
pub mod lanes;
pub mod lease;
pub mod loading;
pub mod one;
pub mod orphans;
pub mod program;
pub mod proof;
pub mod recorder;
pub mod restored;
pub mod room;
pub mod spec;
pub mod submission;
pub mod told;
pub mod trial;
pub mod work;

/// So many requests of one tenant wait for news of its batches at once. Each is woken by every result of its batch, and reads
/// it from the store, which all tenants share.
pub const READERS: usize = 1_024;

/// Of all of them so many read a page at the same time: each reserves the memory of a whole page before, and the store answers
/// few at once.
const READING: usize = 8;

/// What batches need beside the rest of the engine.
pub struct Batches {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Of each batch that is being judged, whether it is cancelled.
    cancelled: Mutex<HashMap<String, watch::Sender<bool>>>,
    /// Of each tenant, the places of those who wait for news.
    readers: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Held by whoever reads a page of results from the store.
    pub reading: Semaphore,
}

impl Batches {
    /// Batches that are kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let reading = Semaphore::new(READING);
        Batches { store, cancelled: Mutex::default(), readers: Mutex::default(), reading }
    }

    /// The place of a request that waits for news, until it is dropped. `None`: the tenant has [`READERS`] of them.
    #[must_use]
    pub fn reader(&self, tenant: &str) -> Option<OwnedSemaphorePermit> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = readers.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(READERS)));
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// A batch was cancelled, and the store knows it: what is run of it is stopped.
    pub fn cancel(&self, batch: &str) {
        let cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancelled) = cancelled.get(batch) {
            cancelled.send_replace(true);
        }
    }

    /// For those who judge a batch.
    fn cancelled(&self, batch: &str) -> watch::Receiver<bool> {
        let mut cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        cancelled.retain(|_, told| told.receiver_count() > 0);
        cancelled.entry(batch.to_owned()).or_default().subscribe()
    }
}
