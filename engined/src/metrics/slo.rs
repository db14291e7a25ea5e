//! Good and bad service, counted for the rules that watch over an error budget.

use std::time::Duration;

use api_spec::{ExecutionResult, Verdict};
use prometheus::IntCounter;

use super::{Maker, PRIORITIES};
use crate::config::Slo;
use crate::queue::Priority;

/// One promise.
#[derive(Debug)]
struct Promise {
    good: IntCounter,
    bad: IntCounter,
}

impl Promise {
    fn count(&self, good: bool) {
        if good { self.good.inc() } else { self.bad.inc() }
    }
}

/// What counts for the promises and is not in a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    /// Of the run.
    pub priority: Priority,
    /// For so long of its wait its tenant's own runs were in its way.
    pub own_wait: Duration,
    /// The engine was too full for it.
    pub shed: bool,
    /// It is a part of a batch.
    pub part: bool,
}

/// All of them.
#[derive(Debug)]
pub struct SloSeries {
    slo: Slo,
    /// Whoever may run something gets an answer.
    availability: Promise,
    /// A run begins soon.
    latency: Promise,
}

impl SloSeries {
    /// All at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(make: &Maker<'_>, slo: Slo) -> prometheus::Result<Self> {
        let help = "Executions by whether they were served as promised. availability: bad are the verdict engine_error and \
                    answers of 5xx, or what would have been one. latency: bad is a start (queue and setup, without waiting for \
                    one's own runs) above engined_slo_start_seconds.";
        let requests = make.counters("engined_slo_requests_total", help, &["slo", "outcome"])?;
        let promise = |name: &str| {
            let count = |outcome: &str| requests.with_label_values(&[name, outcome]);
            Promise { good: count("good"), bad: count("bad") }
        };
        let help = "The longest start that is good, as [slo] sets it.";
        let thresholds = make.seconds("engined_slo_start_seconds", help, &["priority"])?;
        for (priority, name) in [Priority::Interactive, Priority::Batch].into_iter().zip(PRIORITIES) {
            thresholds.with_label_values(&[name]).set(slo.start(priority).as_secs_f64());
        }
        Ok(SloSeries { slo, availability: promise("availability"), latency: promise("latency") })
    }

    /// An execution is over.
    pub fn finished(&self, Service { priority, own_wait, shed, part }: Service, result: &ExecutionResult) {
        let ours = shed || result.verdict == Verdict::EngineError;
        self.availability.count(!ours);
        // What was cancelled, or failed by our fault, says nothing of how soon it would have begun. Of a part of a batch
        // nobody waits for the beginning: as many are sent into the queue as keep the slots at work.
        if !ours && !part && result.verdict != Verdict::Cancelled {
            let start = Duration::from_micros(result.timings.queue_us + result.timings.setup_us);
            self.latency.count(start.saturating_sub(own_wait) <= self.slo.start(priority));
        }
    }

    /// An execution that was asked for was answered with 5xx.
    pub fn failed(&self) {
        self.availability.count(false);
    }
}
