//! The store of batches beside the engine: opened at the start, looked after until the end.

use std::sync::Arc;
use std::time::Duration;

use store::{Answer, Options, Question, Size, SqliteStore, StoreError};
use tokio::time::Instant;

use super::{Batches, orphans};
use crate::clock;
use crate::config;
use crate::engine::Engine;
use crate::health::{Check, LOOK_EVERY, Weight};
use crate::metrics::BatchMetrics;

/// Between two times that old batches are forgotten.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);
/// What the store may take for an answer.
const WITHIN: Duration = Duration::from_secs(5);
const REMEDY: &str = "see the journal of engined for the error; look at owner and room of the folder of [batches]";

/// Opens the store where the configuration has a place for it.
///
/// # Errors
/// Why there are no batches, in words for callers and operators.
pub fn open(config: &config::Batches, metrics: &BatchMetrics) -> Result<Batches, String> {
    let folder = config.place().ok_or_else(|| config.why_not())?;
    let mut options = Options::new(folder);
    options.bytes = config.store_bytes;
    // The plan says how much of it is for one tenant; for one that may have all, the store's own bound comes before.
    options.tenant_bytes = config.store_bytes.saturating_mul(2);
    options.keep = config.keep;
    let metrics = metrics.clone();
    options.on_commit = Some(Arc::new(move |took| metrics.committed(took)));
    let store = SqliteStore::open(options).map_err(|error| error.to_string())?;
    Ok(Batches::new(store))
}

/// Forgets what is old, measures, and tells when the store fails. Never returns.
pub async fn tend(engine: Arc<Engine>) {
    let wanted = engine.config.batches.place().is_some();
    let Some(batches) = engine.batches() else {
        if wanted {
            // Executions go on without it.
            let check = engine.health.register("store:batches", Weight::Partial);
            check.ill(engine.no_batches(), "put it right, then restart engined");
        }
        return std::future::pending().await;
    };
    let check = engine.health.register("store:batches", Weight::Partial);
    let mut expire = Instant::now();
    let mut unknown = Vec::new();
    loop {
        look(batches, &engine, &check).await;
        let old = Instant::now() >= expire;
        if let Err(error) = orphans(batches, &engine, &mut unknown, old).await {
            tracing::warn!(%error, "batches of tenants that are not configured were not looked at");
        }
        if old {
            expire = Instant::now() + EXPIRE_EVERY;
            match batches.store.expire(clock::millis()).await {
                Ok(gone) if gone.batches == 0 => {}
                Ok(gone) => tracing::info!(batches = gone.batches, "old batches are forgotten"),
                Err(error) => tracing::warn!(%error, "old batches stay for now"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells once of each tenant that has batches and is not configured, and ends those that are `old`.
async fn orphans(batches: &Batches, engine: &Engine, told: &mut Vec<String>, old: bool) -> Result<(), StoreError> {
    let store = &*batches.store;
    let tenants = engine.tenants();
    let unknown = orphans::tenants(store, &tenants.open()).await?;
    engine.metrics.batches.unknown_tenants(unknown.len());
    let keep = engine.config.batches.keep;
    for tenant in unknown.iter().filter(|tenant| !told.contains(tenant)) {
        let days = keep.as_secs() / 86_400;
        tracing::warn!(
            tenant,
            "batches wait of a tenant that is not configured, or has no valid token: see to that, or they are cancelled {days} days after they came"
        );
    }
    if old {
        let now = clock::millis();
        let before = now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        for tenant in &unknown {
            let cancelled = orphans::cancel(store, tenant, before, now).await?;
            if cancelled > 0 {
                tracing::warn!(tenant, cancelled, "old batches of a tenant that is not configured are cancelled");
            }
        }
    }
    *told = unknown;
    Ok(())
}

async fn look(batches: &Batches, engine: &Engine, check: &Check) {
    let asked = batches.store.read(Question::Size);
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Ok(Answer::Size(size))) => {
            engine.metrics.batches.measured(&size);
            match full(&size) {
                Some(reason) => check.ill(reason, "raise store_bytes in [batches], or keep batches for fewer days"),
                None => check.well(),
            }
        }
        Ok(Ok(_)) => check.ill("the store of batches has answered another question", REMEDY),
        Ok(Err(error)) => check.ill(error.to_string(), REMEDY),
        Err(_) => check.ill(format!("the store of batches has not answered for {} s", WITHIN.as_secs()), REMEDY),
    }
}

/// Whether new batches are about to be refused. The store has the last word.
fn full(size: &Size) -> Option<String> {
    let used = size.bytes.saturating_sub(size.free);
    let nearly = size.most - size.most / 6;
    (used > nearly)
        .then(|| format!("the store of batches has {used} of the {} bytes that it may (store_bytes)", size.most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_full_before_it_is() {
        let size = |bytes| Size { bytes, free: 10, most: 600, ..Size::default() };
        assert!(full(&size(510)).is_none());
        assert!(full(&size(511)).unwrap().contains("501 of the 600"));
    }
}
