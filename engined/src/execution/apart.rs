//! The two halves of an execution, each by itself: a program that is compiled once and run often. Each half is an execution
//! of its own to the audit, to usage and to the metrics.

use std::sync::Arc;
use std::time::Duration;

use api_spec::{ExecutionResult, Reason, Timings, Verdict};

use super::{
    Compiled, Given, Task, Through, answer, compile, ended_early, kept_bytes, micros, run_program, without_run,
};
use crate::audit::{self, Receipt};
use crate::collection::Artifact;
use crate::compiling::{self, Seat, Seated};
use crate::engine::Engine;
use crate::link::RunEnd;
use crate::problem::Error;
use crate::queue::{Slot, Ticket};

/// A compile that is over.
#[derive(Debug)]
pub struct Built {
    /// What is told of it.
    pub result: ExecutionResult,
    /// The program, or why there is none.
    pub outcome: Result<Artifact, (Verdict, Option<Reason>)>,
    /// As jaild said.
    pub end: RunEnd,
    /// Its line.
    pub receipt: Receipt,
}

/// Compiles the program of a job, of which nothing is run yet.
///
/// # Errors
/// As for [`super::execute`]: it could not be begun.
pub async fn build(engine: &Engine, task: &Task, ticket: Ticket) -> Result<Built, Error> {
    let over = |execution: super::Execution, verdict| Built {
        result: execution.result,
        outcome: Err(verdict),
        end: RunEnd::Lost,
        receipt: execution.receipt,
    };
    let Seat { slot, compiled, queued, memory } = match compiling::seat(engine, task, ticket).await? {
        Seated::Ready(seat) => *seat,
        Seated::Over(verdict) => return Ok(over(without_run(engine, task, verdict.clone()), verdict)),
        Seated::Left(verdict) => {
            let ended = audit::Ended::Verdict(Verdict::Cancelled);
            return Ok(over(ended_early(engine, task, verdict.clone(), ended), verdict));
        }
    };
    let job = &task.job;
    engine.metrics.queued(&job.program.language.id, job.priority, queued);
    let _memory = match memory {
        Some(memory) => memory,
        None => task.memory.reserve(kept_bytes(job))?,
    };
    let compiled = match (compiled, &job.program.compile) {
        (Some(compiled), _) => compiled,
        (None, Some(step)) => {
            let bundles = job.program.compile_bundles(step)?;
            compile(&engine.link, &task.memory, step, bundles, slot, &task.control).await?
        }
        (None, None) => return Err(Error::internal("a program without a compile step was to be compiled")),
    };
    let Compiled { done, took, cached, outcome } = compiled;
    let (verdict, reason) = match &outcome {
        Ok(_) => (Verdict::Ok, None),
        Err((verdict, reason)) => (*verdict, reason.clone()),
    };
    let timings = Timings {
        queue_us: micros(queued),
        compile_us: micros(took),
        total_us: micros(task.received.elapsed()),
        ..Timings::default()
    };
    let result = answer(task.id.clone(), job, verdict, reason, Some((&done, cached)), None, timings);
    if verdict == Verdict::EngineError {
        engine.doubt();
    }
    let receipt = audit::executed(engine, task, &result);
    Ok(Built { result, outcome, end: done.end, receipt })
}

/// A run that is over.
#[derive(Debug)]
pub struct RanAlone {
    /// What is told of it.
    pub result: ExecutionResult,
    /// As jaild said.
    pub end: RunEnd,
    /// Its line.
    pub receipt: Receipt,
}

/// Runs a job whose program is there, in a slot that it has waited for so long.
///
/// # Errors
/// That of making pipes.
pub async fn run_alone(
    engine: &Engine,
    task: &Task,
    given: Given,
    through: &mut Through,
    (slot, queued): (Slot, Duration),
) -> Result<RanAlone, Error> {
    let job = &task.job;
    engine.metrics.queued(&job.program.language.id, job.priority, queued);
    let ran = run_program(&engine.link, job, given, Some(through), Some(Arc::new(slot)), &task.control).await?;
    let end = ran.done.end;
    let timings = Timings { queue_us: micros(queued), ..Timings::default() };
    let mut result = ran.result(task.id.clone(), job, None, timings);
    result.timings.total_us = micros(task.received.elapsed());
    if result.verdict == Verdict::EngineError {
        engine.doubt();
    }
    let receipt = audit::executed(engine, task, &result);
    Ok(RanAlone { result, end, receipt })
}
