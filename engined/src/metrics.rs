//! What operators see. Every label comes from a closed list: verdicts, problem codes and the like from one of ours, languages
//! and plans from what the operator has set (`labels` has an end for them). `systemd/METRICS.md` lists them all.
//!
//! What the path of a request adds to is looked up at start (`runs`): there it costs atomic additions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_spec::{Code, ExecutionResult, Verdict};
use jail::inventory::Inventory;
use jail::spec::WatchedCall;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::budget::Budget;
use crate::config::Slo;
use crate::queue::{Priority, Queue};
use held::HeldGauges;
use kills::KillSeries;
use runs::RunSeries;
use stock::StockSeries;

pub use abuse::AbuseMetrics;
pub use audit::AuditMetrics;
pub use batches::BatchMetrics;
pub use blobs::BlobMetrics;
pub use cache::{CacheMetrics, Lookup};
pub use health::HealthMetrics;
pub use kills::Kills;
pub use reloads::ReloadMetrics;
pub use scrapes::{NoText, Scrapes, Text};
pub use slo::Service;

mod abuse;
mod audit;
mod batches;
mod blobs;
mod cache;
mod health;
mod held;
mod kills;
mod labels;
mod reloads;
mod runs;
mod scrapes;
mod slo;
mod stock;

/// Labels of [`Priority`], in its order.
const PRIORITIES: [&str; 2] = ["interactive", "batch"];

/// Makes metrics and registers them.
#[derive(Debug)]
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    /// Gauges with fractions.
    fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }
}

/// What is asked for when somebody scrapes.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// Who waits and runs.
    pub queue: &'a Queue,
    /// The engine's own memory.
    pub memory: &'a Budget,
    /// Who was ended before its time.
    pub kills: &'a Kills,
    /// What jaild has just told; without it its gauges are absent.
    pub inventory: Option<&'a Inventory>,
}

/// Every metric of the engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    runs: RunSeries,
    kills: KillSeries,
    queue: QueueGauges,
    memory: IntGauge,
    memory_budget: IntGauge,
    /// In the order of [`WatchedCall::all`].
    notifications: Box<[IntCounter]>,
    /// Requests answered with a problem.
    pub problems: Problems,
    connections: IntGauge,
    link_up: IntGauge,
    link_losses: IntCounter,
    layer: IntGaugeVec,
    ready: IntGauge,
    draining: IntGauge,
    panics: IntCounter,
    /// Signs of abuse.
    pub abuse: AbuseMetrics,
    /// Those of the artifact cache.
    pub cache: CacheMetrics,
    /// Those of batches and their store.
    pub batches: BatchMetrics,
    /// Those of blobs.
    pub blobs: BlobMetrics,
    /// Those of the audit and of usage.
    pub audit: AuditMetrics,
    /// The text that scrapes share.
    pub scrapes: Scrapes,
    /// What the engine finds when it looks at itself.
    pub health: HealthMetrics,
    /// Readings of the configuration.
    pub reloads: ReloadMetrics,
    held: HeldGauges,
    stock: StockSeries,
}

/// What the queue tells when it is asked.
#[derive(Debug)]
struct QueueGauges {
    depth: [IntGauge; PRIORITIES.len()],
    oldest: [prometheus::Gauge; PRIORITIES.len()],
    slots: IntGauge,
    in_use: IntGauge,
    memory: IntGauge,
    memory_budget: IntGauge,
}

impl QueueGauges {
    fn new(make: &Maker<'_>) -> prometheus::Result<Self> {
        let depth = make.gauges("engined_queue_depth", "Runs waiting for a slot.", &["priority"])?;
        let help = "For how long the oldest of the runs that wait has waited; 0 where none waits.";
        let oldest = make.seconds("engined_queue_oldest_seconds", help, &["priority"])?;
        let help = "What the memory limits of the runs under way may be together.";
        Ok(QueueGauges {
            depth: PRIORITIES.map(|priority| depth.with_label_values(&[priority])),
            oldest: PRIORITIES.map(|priority| oldest.with_label_values(&[priority])),
            slots: make.gauge("engined_slots", "Runs that there may be at once.")?,
            in_use: make.gauge("engined_slots_in_use", "Runs under way.")?,
            memory: make.gauge("engined_sandbox_memory_bytes", "Memory limits of the runs under way together.")?,
            memory_budget: make.gauge("engined_sandbox_memory_budget_bytes", help)?,
        })
    }

    fn set(&self, queue: &Queue) {
        let (gauges, oldest) = (queue.gauges(), queue.oldest());
        for (depth, waiting) in self.depth.iter().zip(gauges.waiting) {
            depth.set(signed(waiting as u64));
        }
        for (gauge, oldest) in self.oldest.iter().zip(oldest) {
            gauge.set(oldest.as_secs_f64());
        }
        self.slots.set(signed(gauges.slots as u64));
        self.in_use.set(signed(gauges.running as u64));
        self.memory.set(signed(gauges.memory));
        self.memory_budget.set(signed(queue.memory()));
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Always 1: what is running, as labels.
fn build_info(registry: &Registry) -> prometheus::Result<()> {
    let help = "Always 1; version and commit (where ENGINED_COMMIT named it to the build) are labels.";
    let build = Opts::new("engined_build_info", help)
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("commit", option_env!("ENGINED_COMMIT").unwrap_or("unknown"));
    let build = IntGauge::with_opts(build)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// Counts problems by their codes, also those of requests that never got as far as to be one.
#[derive(Clone, Debug)]
pub struct Problems(Arc<[IntCounter]>);

impl Problems {
    /// One more.
    pub fn count(&self, code: Code) {
        // In the order of `Code::ALL`.
        if let Some(counter) = self.0.get(code as usize) {
            counter.inc();
        }
    }
}

impl Metrics {
    /// All metrics, those with labels from closed lists at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(languages: &[String], plans: &[&str], slo: Slo) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let make = Maker(&registry);
        build_info(&registry)?;
        let help = "Watched system calls that programs tried.";
        let notifications = make.counters("engined_filter_notifications_total", help, &["call"])?;
        let problems = make.counters("engined_problems_total", "Requests answered with a problem.", &["code"])?;
        let help = "Bodies, output and answers that the engine holds.";
        let memory = make.gauge("engined_memory_reserved_bytes", help)?;
        let memory_budget = make.gauge("engined_memory_budget_bytes", "What these may be together.")?;
        let layer = make.gauges(
            "engined_isolation_layer",
            "1 for each layer of isolation that runs have, engine_…: that the engine itself has.",
            &["layer"],
        )?;
        Ok(Metrics {
            runs: RunSeries::new(&registry, languages, plans, slo)?,
            kills: KillSeries::new()?,
            queue: QueueGauges::new(&make)?,
            memory,
            memory_budget,
            notifications: WatchedCall::all().map(|call| notifications.with_label_values(&[call.name()])).collect(),
            problems: Problems(Code::ALL.iter().map(|code| problems.with_label_values(&[code.name()])).collect()),
            connections: make.gauge("engined_connections", "Open connections.")?,
            link_up: make.gauge("engined_link_up", "1 while jaild is connected.")?,
            link_losses: make.counter("engined_link_losses_total", "How often the link to jaild closed.")?,
            layer,
            ready: make.gauge("engined_ready", "1 while /readyz is 200.")?,
            draining: make.gauge("engined_draining", "1 while no new work is taken because the engine shall end.")?,
            panics: make.counter("engined_panics_total", "Requests answered 500 because of a bug.")?,
            abuse: AbuseMetrics::new(&registry)?,
            cache: CacheMetrics::new(&registry)?,
            batches: BatchMetrics::new(&make)?,
            blobs: BlobMetrics::new(&make)?,
            audit: AuditMetrics::new(&registry)?,
            scrapes: Scrapes::default(),
            health: HealthMetrics::new(&registry)?,
            reloads: ReloadMetrics::new(&registry)?,
            held: HeldGauges::new()?,
            stock: StockSeries::new()?,
            registry,
        })
    }

    /// There are these plans, from now on as well.
    pub fn plans(&self, plans: &[&str]) {
        self.runs.plans(plans);
    }

    /// A run got its slot.
    pub fn queued(&self, language: &str, priority: Priority, waited: Duration) {
        self.runs.queued(language, priority, waited);
    }

    /// An execution is over.
    pub fn finished(&self, plan: &str, service: Service, result: &ExecutionResult) {
        self.runs.finished(plan, service, result);
    }

    /// An execution is over whose caller was told of no result.
    pub fn left(&self, plan: &str, language: &str, verdict: Verdict) {
        self.runs.left(plan, language, verdict);
    }

    /// What a step tried, by the names of [`WatchedCall`].
    pub fn watched_calls(&self, counts: &BTreeMap<String, u32>) {
        for (name, count) in counts {
            let known = WatchedCall::all().zip(&self.notifications).find(|(call, _)| call.name() == name);
            if let Some((_, counter)) = known {
                counter.inc_by((*count).into());
            }
        }
    }

    /// A request was answered with a problem; `execution`: it had asked for a run.
    pub fn problem(&self, code: Code, execution: bool) {
        self.problems.count(code);
        if execution && code.status() >= 500 {
            self.runs.failed();
        }
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

    /// The link came up or went down, and how often it has gone down so far.
    pub fn link(&self, up: bool, losses: u64) {
        self.link_up.set(up.into());
        self.link_losses.inc_by(losses.saturating_sub(self.link_losses.get()));
    }

    /// Whether work can be taken.
    pub fn ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// Whether runs, or the engine itself, have a layer.
    pub fn layer(&self, layer: &str, obtained: bool) {
        self.layer.with_label_values(&[layer]).set(obtained.into());
    }

    /// No new work is taken any more.
    pub fn draining(&self) {
        self.draining.set(1);
        self.ready(false);
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// That of the encoder.
    pub fn render(&self, now: Now<'_>) -> prometheus::Result<String> {
        self.queue.set(now.queue);
        self.memory.set(signed(now.memory.used()));
        self.memory_budget.set(signed(now.memory.limit()));
        let mut families = self.registry.gather();
        families.extend(self.kills.collect(now.kills));
        families.extend(self.held.collect(now.inventory));
        families.extend(now.inventory.iter().flat_map(|inventory| self.stock.collect(&inventory.stock)));
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
mod tests;
