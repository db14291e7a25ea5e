//! What the engine finds when it looks at itself: languages, checks of its components, free disk.

use std::time::Duration;

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

/// Gauges of health.
#[derive(Clone, Debug)]
pub struct HealthMetrics {
    probe_ok: IntGaugeVec,
    probe_age: GaugeVec,
    check_ok: IntGaugeVec,
    disk_free: IntGaugeVec,
}

impl HealthMetrics {
    /// All of them, registered.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauges = |name: &str, help: &str, label: &str| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let help = "Seconds since a hello was last run in the language.";
        let probe_age = GaugeVec::new(Opts::new("engined_probe_age_seconds", help), &["language"])?;
        registry.register(Box::new(probe_age.clone()))?;
        Ok(HealthMetrics {
            probe_ok: gauges("engined_probe_ok", "1 if the last hello got through in every version.", "language")?,
            probe_age,
            check_ok: gauges("engined_check_ok", "1 for each part of the engine that is well.", "check")?,
            disk_free: gauges("engined_disk_free_bytes", "Bytes free for the engine.", "place")?,
        })
    }

    /// The last look at a language.
    pub fn probe(&self, language: &str, ok: bool, age: Duration) {
        self.probe_ok.with_label_values(&[language]).set(ok.into());
        self.probe_age.with_label_values(&[language]).set(age.as_secs_f64());
    }

    /// A language that there is no more, and its check.
    pub fn forget(&self, language: &str, check: &str) {
        // What was never told of is absent already.
        self.probe_ok.remove_label_values(&[language]).unwrap_or_default();
        self.probe_age.remove_label_values(&[language]).unwrap_or_default();
        self.check_ok.remove_label_values(&[check]).unwrap_or_default();
    }

    /// What a part of the engine says of itself.
    pub fn check(&self, name: &str, well: bool) {
        self.check_ok.with_label_values(&[name]).set(well.into());
    }

    /// What is free in a place.
    pub fn disk(&self, place: &str, free: u64) {
        self.disk_free.with_label_values(&[place]).set(i64::try_from(free).unwrap_or(i64::MAX));
    }
}
