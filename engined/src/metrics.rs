//! What operators see. Every label comes from a closed list: languages of the catalogue, verdicts, problem codes.

use std::collections::BTreeMap;
use std::time::Duration;

use api_spec::{Code, ExecutionResult, Verdict};
use jail::inventory::Inventory;
use jail::spec::WatchedCall;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::budget::Budget;
use crate::queue::Gauges;
use held::HeldGauges;
use stock::StockSeries;

pub use audit::AuditMetrics;
pub use cache::{CacheMetrics, Lookup};

mod audit;
mod cache;
mod held;
mod stock;

/// From a no-op to the longest compile.
const STEP_BUCKETS: [f64; 15] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
const WAIT_BUCKETS: [f64; 12] = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 120.0];

/// Every metric of the engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    executions: IntCounterVec,
    steps: HistogramVec,
    queue_wait: Histogram,
    queue_depth: IntGaugeVec,
    slots: IntGauge,
    slots_in_use: IntGauge,
    memory_used: IntGauge,
    sandbox_memory: IntGauge,
    notifications: IntCounterVec,
    problems: IntCounterVec,
    connections: IntGauge,
    link_up: IntGauge,
    link_losses: IntCounter,
    layer: IntGaugeVec,
    ready: IntGauge,
    panics: IntCounter,
    /// Those of the artifact cache.
    pub cache: CacheMetrics,
    /// Those of the audit and of usage.
    pub audit: AuditMetrics,
    held: HeldGauges,
    stock: StockSeries,
}

impl Metrics {
    /// All metrics, those with labels from closed lists at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(languages: &[String]) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let gauges = |name: &str, help: &str, label: &str| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let help = "Duration of each part of an execution.";
        let steps = HistogramOpts::new("engined_step_duration_seconds", help).buckets(STEP_BUCKETS.to_vec());
        let steps = HistogramVec::new(steps, &["language", "step"])?;
        registry.register(Box::new(steps.clone()))?;
        let wait = HistogramOpts::new("engined_queue_wait_seconds", "Time from the queue to the slot.");
        let queue_wait = Histogram::with_opts(wait.buckets(WAIT_BUCKETS.to_vec()))?;
        registry.register(Box::new(queue_wait.clone()))?;
        let build = Opts::new("engined_build_info", "Always 1; the version is the label.");
        let build = Gauge::with_opts(build.const_label("version", env!("CARGO_PKG_VERSION")))?;
        build.set(1.0);
        registry.register(Box::new(build))?;

        let metrics = Metrics {
            executions: counters("engined_executions_total", "Finished executions.", &["language", "verdict"])?,
            queue_depth: gauges("engined_queue_depth", "Runs waiting for a slot.", "priority")?,
            slots: gauge("engined_slots", "Runs that there may be at once.")?,
            slots_in_use: gauge("engined_slots_in_use", "Runs under way.")?,
            memory_used: gauge("engined_memory_reserved_bytes", "Bodies, output and answers that the engine holds.")?,
            sandbox_memory: gauge("engined_sandbox_memory_bytes", "Memory limits of the runs under way together.")?,
            notifications: counters(
                "engined_filter_notifications_total",
                "Watched system calls that programs tried.",
                &["call"],
            )?,
            problems: counters("engined_problems_total", "Requests answered with a problem.", &["code"])?,
            connections: gauge("engined_connections", "Open connections.")?,
            link_up: gauge("engined_link_up", "1 while jaild is connected.")?,
            link_losses: counter("engined_link_losses_total", "How often the link to jaild closed.")?,
            layer: gauges(
                "engined_isolation_layer",
                "1 for each layer of isolation that runs have, engine_…: that the engine itself has.",
                "layer",
            )?,
            ready: gauge("engined_ready", "1 while /readyz is 200.")?,
            panics: counter("engined_panics_total", "Requests answered 500 because of a bug.")?,
            cache: CacheMetrics::new(&registry)?,
            audit: AuditMetrics::new(&registry)?,
            held: HeldGauges::new()?,
            stock: StockSeries::new()?,
            registry,
            steps,
            queue_wait,
        };
        for language in languages {
            for verdict in Verdict::ALL {
                metrics.executions.with_label_values(&[language.as_str(), verdict.name()]).reset();
            }
        }
        for call in WatchedCall::all() {
            metrics.notifications.with_label_values(&[call.name()]).reset();
        }
        for code in Code::ALL {
            metrics.problems.with_label_values(&[code.name()]).reset();
        }
        Ok(metrics)
    }

    /// A run got its slot.
    pub fn queued(&self, waited: Duration) {
        self.queue_wait.observe(waited.as_secs_f64());
    }

    /// An execution is over.
    pub fn finished(&self, result: &ExecutionResult) {
        let language = result.language.id.as_str();
        self.executions.with_label_values(&[language, result.verdict.name()]).inc();
        let timings = &result.timings;
        let compiled =
            result.compile.as_ref().is_some_and(|compile| !compile.cached).then_some(("compile", timings.compile_us));
        let ran = result.run.is_some().then_some([("setup", timings.setup_us), ("run", timings.run_us)]);
        let steps = compiled.into_iter().chain(ran.into_iter().flatten());
        for (step, micros) in steps.chain([("total", timings.total_us)]) {
            let seconds = Duration::from_micros(micros).as_secs_f64();
            self.steps.with_label_values(&[language, step]).observe(seconds);
        }
    }

    /// What a step tried, by the names of [`WatchedCall`].
    pub fn watched_calls(&self, counts: &BTreeMap<String, u32>) {
        for (call, count) in counts {
            self.notifications.with_label_values(&[call.as_str()]).inc_by((*count).into());
        }
    }

    /// A request was answered with a problem.
    pub fn problem(&self, code: Code) {
        self.problems.with_label_values(&[code.name()]).inc();
    }

    /// A handler panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A connection was accepted; it is counted until the guard is dropped.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// The link came up or went down.
    pub fn link(&self, up: bool) {
        self.link_up.set(up.into());
        if !up {
            self.link_losses.inc();
        }
    }

    /// Whether work can be taken.
    pub fn ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// Whether runs, or the engine itself, have a layer.
    pub fn layer(&self, layer: &str, obtained: bool) {
        self.layer.with_label_values(&[layer]).set(obtained.into());
    }

    /// The text that Prometheus reads. `inventory` is what jaild has just told; without it its gauges are absent.
    ///
    /// # Errors
    /// That of the encoder.
    pub fn render(&self, queue: &Gauges, memory: &Budget, inventory: Option<&Inventory>) -> prometheus::Result<String> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (priority, waiting) in [("interactive", queue.waiting[0]), ("batch", queue.waiting[1])] {
            self.queue_depth.with_label_values(&[priority]).set(signed(waiting as u64));
        }
        self.slots.set(signed(queue.slots as u64));
        self.slots_in_use.set(signed(queue.running as u64));
        self.sandbox_memory.set(signed(queue.memory));
        self.memory_used.set(signed(memory.used()));
        let mut families = self.registry.gather();
        families.extend(self.held.collect(inventory));
        families.extend(inventory.iter().flat_map(|inventory| self.stock.collect(&inventory.stock)));
        TextEncoder::new().encode_to_string(&families)
    }
}

/// Counts a connection while it is there.
#[derive(Debug)]
pub struct Connected(IntGauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Queue, Share};

    #[test]
    fn every_series_is_there_from_the_start() {
        let metrics = Metrics::new(&["c".into(), "python".into()]).unwrap();
        let queue = Queue::new(1, 1, &[Share { weight: 1, running: 1, queued: 1 }]);
        let text = metrics.render(&queue.gauges(), &Budget::new(1), Some(&Inventory::default())).unwrap();
        for line in [
            "engined_executions_total{language=\"c\",verdict=\"ok\"} 0",
            "engined_problems_total{code=\"queue_full\"} 0",
            "engined_filter_notifications_total{call=\"ptrace\"} 0",
            "engined_queue_depth{priority=\"batch\"} 0",
            "engined_slots 0",
            "engined_cache_lookups_total{outcome=\"joined\"} 0",
            "engined_cache_entries 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        for of_process in ["open_fds", "resident_memory_bytes", "threads", "max_fds", "start_time_seconds"] {
            assert!(text.contains(&format!("\nprocess_{of_process} ")), "{of_process}\n{text}");
        }
    }
}
