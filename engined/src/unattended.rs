//! Executions that nobody waits for (`wait=false`): each goes on by itself and ends as a kept result, whatever happens.

use std::sync::Arc;

use api_spec::{ExecutionStatus, Status};
use tracing::Instrument;

use crate::audit::Ended;
use crate::budget::Reservation;
use crate::contained::contained;
use crate::control::{Control, Phase};
use crate::engine::Engine;
use crate::execution::{self, Execution, Task};
use crate::problem::Error;
use crate::queue::{Shed, Ticket};
use crate::verdict;

/// Lets a job that has its place in the queue go on by itself. `memory` is that of its request.
///
/// # Errors
/// The tenant has too many under way; the job leaves the queue then.
pub fn begin(engine: &Arc<Engine>, task: Task, ticket: Ticket, memory: Reservation) -> Result<ExecutionStatus, Error> {
    let place = engine.kept.open(task.tenant, &task.id, &task.control)?;
    let accepted = status(engine, &task.id, &task.control);
    let engine = Arc::clone(engine);
    let run = async move {
        let Execution { result, memory: mut held, receipt, .. } = finished(&engine, &task, ticket).await;
        drop((task, memory));
        engine.audit.settled(receipt).await;
        match result.to_json() {
            Ok(body) => {
                held.settle(body.len() as u64);
                // Without the room that the text has grown by.
                place.finish(body.into_boxed_slice().into(), held);
            }
            // Dropping its place tells those who wait.
            Err(error) => tracing::error!(%error, execution = result.id, "result not serialised"),
        }
    };
    // The line of its end bears the id of the request that it came with.
    tokio::spawn(run.in_current_span());
    Ok(accepted)
}

/// Runs it; what a waiting caller would be told as a problem is a result here.
async fn finished(engine: &Engine, task: &Task, ticket: Ticket) -> Execution {
    let work = engine.drain.unless_cut(execution::execute(engine, task, ticket));
    let (error, cut) = match contained(work).await {
        Some(Ok(Ok(execution))) => return execution,
        Some(Ok(Err(error))) => (error, false),
        Some(Err(error)) => (error, true),
        None => {
            engine.metrics.panicked();
            (Error::internal("a run panicked"), false)
        }
    };
    if let Error::Internal(why) = &error {
        tracing::error!(%why, execution = task.id, "internal error");
    }
    if matches!(error, Error::Shed(Shed::WaitedTooLong)) {
        // As for one who waits: it is no less refused where nobody sees it.
        engine.metrics.problem(error.problem().code, false);
        task.control.served.shed();
    }
    let told = verdict::not_begun(&error, engine.config.engine.queue_wait);
    match (task.control.phase(), cut) {
        (Phase::Queued(_), _) => execution::without_run(engine, task, told),
        (Phase::Running(_), true) => execution::ended_early(engine, task, verdict::cut(), Ended::Cut),
        (Phase::Running(_), false) => {
            let ended = Ended::Verdict(told.0);
            execution::ended_early(engine, task, told, ended)
        }
    }
}

/// How far an execution is that is not over.
#[must_use]
pub fn status(engine: &Engine, id: &str, control: &Control) -> ExecutionStatus {
    let id = id.to_owned();
    match control.phase() {
        Phase::Queued(place) => {
            let position = Some(engine.queue.ahead(place) as u64);
            ExecutionStatus { id, status: Status::Queued, position, stage: None }
        }
        Phase::Running(stage) => ExecutionStatus { id, status: Status::Running, position: None, stage: Some(stage) },
    }
}
