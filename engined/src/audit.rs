//! The audit line: each execution leaves one, with its tenant, verdict and use, however it came and ended.

use std::time::Instant;

use api_spec::{ExecutionResult, Verdict};

use crate::engine::Engine;
use crate::execution::Task;
use crate::queue::Priority;

/// An execution is over: for the log and for the metrics.
pub fn executed(engine: &Engine, task: &Task, result: &ExecutionResult) {
    let compile_watched_calls = result.compile.as_ref().map(|compile| &compile.watched_calls);
    // What is told again was counted when it happened.
    let fresh = compile_watched_calls.filter(|_| result.compile.as_ref().is_some_and(|compile| !compile.cached));
    let watched_calls = result.run.as_ref().map(|run| &run.watched_calls);
    engine.metrics.finished(engine.tenants().plan_name(task.tenant), task.job.priority, result);
    for calls in fresh.into_iter().chain(watched_calls) {
        engine.metrics.watched_calls(calls);
    }
    engine.abuse.observe((task.tenant, engine.tenants().name(task.tenant)), &task.job, result);
    let usage = result.run.as_ref().map(|run| &run.usage);
    tracing::info!(
        execution = result.id,
        tenant = engine.tenants().name(task.tenant),
        language = result.language.id,
        version = result.language.version,
        priority = match task.job.priority {
            Priority::Interactive => "interactive",
            Priority::Batch => "batch",
        },
        verdict = %result.verdict,
        labels = ?result.labels,
        cpu_us = usage.map(|usage| usage.cpu_time_us),
        memory_peak_bytes = usage.map(|usage| usage.memory_peak_bytes),
        watched_calls = watched_calls.filter(|calls| !calls.is_empty()).map(debug),
        compile_cpu_us =
            result.compile.as_ref().filter(|compile| !compile.cached).map(|compile| compile.usage.cpu_time_us),
        compile_cached = result.compile.as_ref().map(|compile| compile.cached),
        compile_watched_calls = compile_watched_calls.filter(|calls| !calls.is_empty()).map(debug),
        queue_us = result.timings.queue_us,
        total_us = result.timings.total_us,
        "executed"
    );
    if let (Verdict::EngineError, Some(reason)) = (result.verdict, &result.reason) {
        tracing::error!(why = reason.message, "engine error");
    }
}

/// Tells of an execution whose caller hung up: its future is dropped, and nobody else is left who would.
pub struct Leaving<'a> {
    engine: &'a Engine,
    task: &'a Task,
    received: Instant,
    armed: bool,
}

impl<'a> Leaving<'a> {
    /// Watches over an execution until [`Leaving::stayed`].
    #[must_use]
    pub fn new(engine: &'a Engine, task: &'a Task) -> Self {
        Leaving { engine, task, received: task.received, armed: true }
    }

    /// The caller is still there.
    pub fn stayed(mut self) {
        self.armed = false;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.armed {
            let total_us = u64::try_from(self.received.elapsed().as_micros()).unwrap_or(u64::MAX);
            let (id, tenants) = (&self.task.id, self.engine.tenants());
            tracing::info!(
                execution = id,
                tenant = tenants.name(self.task.tenant),
                verdict = "cancelled",
                total_us,
                "caller gone"
            );
        }
    }
}
