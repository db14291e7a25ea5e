//! How often the configuration was read again.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// By what became of it.
#[derive(Clone, Debug)]
pub struct ReloadMetrics {
    taken: IntCounter,
    refused: IntCounter,
}

impl ReloadMetrics {
    /// Both at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let help = "How often the configuration was read again, and taken up or refused for its mistakes.";
        let reloads = IntCounterVec::new(Opts::new("engined_config_reloads_total", help), &["outcome"])?;
        registry.register(Box::new(reloads.clone()))?;
        let (taken, refused) = (reloads.with_label_values(&["taken"]), reloads.with_label_values(&["refused"]));
        Ok(ReloadMetrics { taken, refused })
    }

    /// It was read again.
    pub fn reloaded(&self, taken: bool) {
        if taken { self.taken.inc() } else { self.refused.inc() }
    }
}
