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
                    answers of 5xx. latency: bad is a start (queue and setup) above engined_slo_start_seconds.";
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
    pub fn finished(&self, priority: Priority, result: &ExecutionResult) {
        let ours = result.verdict == Verdict::EngineError;
        self.availability.count(!ours);
        // What was cancelled, or failed by our fault, says nothing of how soon it would have begun.
        if !ours && result.verdict != Verdict::Cancelled {
            let start = Duration::from_micros(result.timings.queue_us + result.timings.setup_us);
            self.latency.count(start <= self.slo.start(priority));
        }
    }

    /// An execution that was asked for was answered with 5xx.
    pub fn failed(&self) {
        self.availability.count(false);
    }
}
