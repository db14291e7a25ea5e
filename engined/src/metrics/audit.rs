//! What operators see of the audit and of the counters of usage.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// All of them.
#[derive(Clone, Debug)]
pub struct AuditMetrics {
    /// Lines that are where they belong.
    pub written: IntCounter,
    /// Records that found no room.
    pub lost: IntCounter,
    /// Attempts to write that failed.
    pub failures: IntCounter,
    waiting: IntGauge,
    behind: IntGauge,
    up: IntGauge,
    /// Not a metric: whether lines are brought to the disk.
    pub syncs: bool,
}

impl AuditMetrics {
    /// All at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let help = "Audit records by what became of them; lost: they found no room, as lines could not be written.";
        let records = IntCounterVec::new(Opts::new("engined_audit_records_total", help), &["outcome"])?;
        registry.register(Box::new(records.clone()))?;
        let help = "Attempts to write audit lines that failed; they are repeated.";
        let failures = IntCounter::new("engined_audit_failures_total", help)?;
        registry.register(Box::new(failures.clone()))?;
        Ok(AuditMetrics {
            written: records.with_label_values(&["written"]),
            lost: records.with_label_values(&["lost"]),
            failures,
            waiting: gauge("engined_audit_waiting", "Audit records that are not written yet.")?,
            behind: gauge("engined_usage_behind_records", "Audit lines that are written and not counted yet.")?,
            up: gauge("engined_usage_up", "1 while usage can be counted: its database is there and sound.")?,
            syncs: false,
        })
    }

    /// So many records wait.
    pub fn waiting(&self, records: u64) {
        self.waiting.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// How it stands with the counters.
    pub fn usage(&self, up: bool, behind: u64) {
        self.up.set(up.into());
        self.behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
    }

    /// How many lines are not counted.
    #[must_use]
    pub fn behind(&self) -> u64 {
        u64::try_from(self.behind.get()).unwrap_or(0)
    }
}
