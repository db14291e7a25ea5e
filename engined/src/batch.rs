//! Batches: many submissions, each judged by the same tests, and never a result lost.

use std::sync::Arc;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use store::Store;
use tokio::sync::watch;

pub mod admission;
pub mod book;
pub mod checker;
pub mod common;
pub mod count;
pub mod data;
pub mod keep;
pub mod lanes;
pub mod program;
pub mod proof;
pub mod recorder;
pub mod spec;
pub mod submission;
pub mod told;
pub mod trial;
pub mod work;

/// What batches need beside the rest of the engine.
pub struct Batches {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Of each batch that is being judged, whether it is cancelled.
    cancelled: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl Batches {
    /// Batches that are kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Batches { store, cancelled: Mutex::default() }
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
