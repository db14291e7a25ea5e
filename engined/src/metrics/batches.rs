//! What operators see of batches and their store.

use std::time::Duration;

use api_spec::{BatchStatus, Verdict};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use store::Size;

use super::{Maker, signed};

/// Upper bounds of the time of a transaction, in seconds: a fast disk has it in the first, a spinning one in the middle.
const COMMIT_SECONDS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];
/// Of a test, beside those of a run.
const OPINIONS: [&str; 4] = ["accepted", "wrong_answer", "checker_error", "skipped"];

/// All of them.
#[derive(Clone, Debug)]
pub struct BatchMetrics {
    batches: IntGaugeVec,
    waiting: IntGauge,
    results: IntCounterVec,
    bytes: IntGauge,
    free: IntGauge,
    orphans: IntGauge,
    commits: IntCounter,
    commit_seconds: Histogram,
}

impl BatchMetrics {
    /// All at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub(super) fn new(make: &Maker<'_>) -> prometheus::Result<Self> {
        let batches = make.gauges("engined_batches", "Batches that are kept.", &["status"])?;
        for status in BatchStatus::ALL {
            batches.with_label_values(&[status.name()]).set(0);
        }
        let results = make.counters("engined_batch_results_total", "Results of batches.", &["verdict"])?;
        let runs = Verdict::ALL.iter().filter(|verdict| !matches!(verdict, Verdict::Ok | Verdict::CompileError));
        for verdict in OPINIONS.into_iter().chain(runs.map(|verdict| verdict.name())) {
            results.with_label_values(&[verdict]).reset();
        }
        let help = "How long transactions of the store of batches took, to the disk.";
        let options = HistogramOpts::new("engined_store_commit_seconds", help).buckets(COMMIT_SECONDS.to_vec());
        let commit_seconds = Histogram::with_opts(options)?;
        make.0.register(Box::new(commit_seconds.clone()))?;
        Ok(BatchMetrics {
            batches,
            waiting: make.gauge("engined_batch_results_waiting", "Results of batches that are waited for.")?,
            results,
            bytes: make.gauge("engined_store_bytes", "The store of batches on the disk.")?,
            free: make.gauge("engined_store_free_bytes", "Of it, what can be used again.")?,
            orphans: make
                .gauge("engined_batch_tenants_unknown", "Tenants with batches that wait, and not configured.")?,
            commits: make.counter("engined_store_commits_total", "Transactions of the store of batches.")?,
            commit_seconds,
        })
    }

    /// A result was recorded.
    pub fn result(&self, verdict: &str) {
        self.results.with_label_values(&[verdict]).inc();
    }

    /// The store has written a transaction.
    pub fn committed(&self, took: Duration) {
        self.commits.inc();
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// So many tenants have batches that nobody works on.
    pub fn unknown_tenants(&self, count: usize) {
        self.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How large everything is.
    pub fn measured(&self, size: &Size) {
        let counts = [size.queued, size.running, size.finished, size.cancelled];
        for (status, count) in BatchStatus::ALL.into_iter().zip(counts) {
            self.batches.with_label_values(&[status.name()]).set(signed(count));
        }
        self.waiting.set(signed(size.waiting));
        self.bytes.set(signed(size.bytes));
        self.free.set(signed(size.free));
    }
}
