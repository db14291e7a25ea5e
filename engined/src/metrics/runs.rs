//! Executions and their parts. One that ends costs some atomic additions: what it adds to is looked up when a language or
//! a plan is seen for the first time.

use std::array;
use std::time::Duration;

use api_spec::{ExecutionResult, Verdict};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::labels::Labels;
use super::slo::{Service, SloSeries};
use super::{Maker, PRIORITIES};
use crate::config::Slo;
use crate::queue::Priority;

/// So many languages have series of their own. Those that come with the program are five.
pub const LANGUAGES: usize = 32;
/// So many plans have series of their own.
pub const PLANS: usize = 32;
const VERDICTS: usize = Verdict::ALL.len();

/// From a slot that is free to the longest run that a plan usually allows. A no-op is set up and run within the first
/// five, a compiler takes the middle ones, the last are for queues and for runs that use up their limits.
const BUCKETS: [f64; 18] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0];

/// A part of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queue,
    Compile,
    Setup,
    Run,
    Total,
}

impl Stage {
    const ALL: [Stage; 5] = [Stage::Queue, Stage::Compile, Stage::Setup, Stage::Run, Stage::Total];

    fn name(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Compile => "compile",
            Stage::Setup => "setup",
            Stage::Run => "run",
            Stage::Total => "total",
        }
    }
}

/// What the executions of one language add to.
#[derive(Debug)]
struct Language {
    label: Box<str>,
    /// By stage, then by priority.
    stages: [[Histogram; PRIORITIES.len()]; Stage::ALL.len()],
    /// By verdict, for each plan.
    plans: Labels<[IntCounter; VERDICTS]>,
}

/// All of them.
#[derive(Debug)]
pub struct RunSeries {
    executions: IntCounterVec,
    stages: HistogramVec,
    languages: Labels<Language>,
    slo: SloSeries,
}

impl RunSeries {
    /// Those of these languages and plans at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry, languages: &[String], plans: &[&str], slo: Slo) -> prometheus::Result<Self> {
        let make = Maker(registry);
        let help = "Executions that are over, by what became of them and the plan of their tenant.";
        let executions = make.counters("engined_executions_total", help, &["language", "verdict", "plan"])?;
        let help = "Duration of each part of an execution: waiting for a slot, compiling (set-up included; not where it \
                    was done before), setting the sandbox of the run up, running, and all from the request to the result.";
        let stages = HistogramOpts::new("engined_stage_duration_seconds", help).buckets(BUCKETS.to_vec());
        let stages = HistogramVec::new(stages, &["stage", "language", "priority"])?;
        registry.register(Box::new(stages.clone()))?;
        let series =
            RunSeries { executions, stages, languages: Labels::new(LANGUAGES), slo: SloSeries::new(&make, slo)? };
        for language in languages {
            series.language(language);
        }
        series.plans(plans);
        Ok(series)
    }

    /// There are these plans: what they have not done yet is told as zero, or the first of it would not be seen to rise.
    pub fn plans(&self, plans: &[&str]) {
        for language in self.languages.known() {
            for plan in plans {
                self.verdicts(language, plan);
            }
        }
    }

    fn language(&self, id: &str) -> &Language {
        self.languages.get(id, |label| {
            let of = |stage: usize, priority: usize| {
                let (stage, priority) = (Stage::ALL[stage].name(), PRIORITIES[priority]);
                self.stages.with_label_values(&[stage, label, priority])
            };
            Language {
                label: label.into(),
                stages: array::from_fn(|stage| array::from_fn(|priority| of(stage, priority))),
                plans: Labels::new(PLANS),
            }
        })
    }

    fn verdicts<'a>(&self, language: &'a Language, plan: &str) -> &'a [IntCounter; VERDICTS] {
        language.plans.get(plan, |plan| {
            let counter =
                |verdict: Verdict| self.executions.with_label_values(&[&*language.label, verdict.name(), plan]);
            Verdict::ALL.map(counter)
        })
    }

    /// A run got its slot.
    pub fn queued(&self, language: &str, priority: Priority, waited: Duration) {
        observe(self.language(language), Stage::Queue, priority, waited);
    }

    /// An execution is over.
    pub fn finished(&self, plan: &str, service: Service, result: &ExecutionResult) {
        let priority = service.priority;
        let language = self.language(&result.language.id);
        self.verdicts(language, plan)[result.verdict as usize].inc();
        let timings = &result.timings;
        if result.compile.as_ref().is_some_and(|compile| !compile.cached) {
            observe(language, Stage::Compile, priority, Duration::from_micros(timings.compile_us));
        }
        if result.run.is_some() {
            observe(language, Stage::Setup, priority, Duration::from_micros(timings.setup_us));
            observe(language, Stage::Run, priority, Duration::from_micros(timings.run_us));
        }
        observe(language, Stage::Total, priority, Duration::from_micros(timings.total_us));
        self.slo.finished(service, result);
    }

    /// An execution is over whose caller was told of no result: what it took says nothing.
    pub fn left(&self, plan: &str, language: &str, verdict: Verdict) {
        self.verdicts(self.language(language), plan)[verdict as usize].inc();
    }

    /// An execution that was asked for was refused, for a reason of ours.
    pub fn failed(&self) {
        self.slo.failed();
    }
}

fn observe(language: &Language, stage: Stage, priority: Priority, took: Duration) {
    language.stages[stage as usize][priority as usize].observe(took.as_secs_f64());
}
