//! Batches: many submissions, each judged by the same tests, and never a result lost.

use std::sync::Arc;

use store::Store;

pub mod admission;
pub mod checker;
pub mod count;
pub mod data;
pub mod keep;
pub mod program;
pub mod proof;
pub mod spec;
pub mod work;

/// What batches need beside the rest of the engine.
pub struct Batches {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
}

impl Batches {
    /// Batches that are kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Batches { store }
    }
}
