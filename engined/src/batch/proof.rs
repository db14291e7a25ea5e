//! A checker that does not compile is told before anything of its batch is accepted. What is compiled here is in the cache
//! when the first submission is judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_spec::{CheckerProgram, Code, Data, ExecutionRequest, Problem, Verdict};
use tokio::sync::watch;

use super::account::{Account, Missed};
use super::admission::checker_request;
use super::program::Program;
use crate::audit::{Caller, Part};
use crate::cpu_days::Spent;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::{Shed, TenantIndex};

/// So much of what the compiler has written is told.
const TOLD: usize = 600;

/// For whom a checker is compiled.
pub struct Wanted {
    /// Who pays.
    pub tenant: TenantIndex,
    /// Who has sent it.
    pub caller: Caller,
    /// The caller's words.
    pub labels: BTreeMap<String, String>,
    /// The batch that is about to be.
    pub batch: Arc<str>,
}

/// Compiles a checker, if its language does that.
///
/// # Errors
/// It does not compile, with the compiler's words; or there was no turn for it in time.
pub async fn compiles(engine: &Engine, wanted: Wanted, checker: CheckerProgram) -> Result<(), Error> {
    let Wanted { tenant, caller, labels, batch } = wanted;
    let (never, cancelled) = watch::channel(false);
    let account = Account { tenant, caller, labels, batch: Arc::clone(&batch), cancelled };
    let request: ExecutionRequest = checker_request(checker);
    let seconds = engine.tenants().plan(tenant).cpu_seconds_per_day;
    let missed = |missed: Missed| match missed {
        Missed::Spent(until) => Error::CpuDay(Spent { seconds, until }),
        Missed::Closed => Error::Shed(Shed::Closed),
        Missed::Draining | Missed::Cancelled => Error::Shed(Shed::Draining),
    };
    let proof = async {
        let program = Program::admit(engine, account, request).await.map_err(missed)??;
        if !program.compiles() {
            return Ok(());
        }
        let part = Part { batch, submission: None, test: None, checker: true };
        let built = program.compile(engine, part).await.map_err(missed)?;
        match built.outcome {
            Ok(_) => Ok(()),
            Err((verdict, reason)) => {
                let streams = built.result.compile.map(|compile| [compile.stderr.data, compile.stdout.data]);
                let said = streams.into_iter().flatten().find_map(|data| match data {
                    Data::Text(text) if !text.trim().is_empty() => Some(text),
                    _ => None,
                });
                Err(refused(verdict, reason.map(|reason| reason.message), said))
            }
        }
    };
    // As long as a run may wait for its slot, and then for its own time.
    let patience = engine.config.engine.queue_wait;
    let done = tokio::time::timeout(patience, proof).await;
    drop(never);
    done.unwrap_or(Err(Error::Shed(Shed::WaitedTooLong)))
}

fn refused(verdict: Verdict, reason: Option<String>, said: Option<String>) -> Error {
    if verdict == Verdict::EngineError {
        return Error::internal(format!("the checker of a batch was not compiled: {}", reason.unwrap_or_default()));
    }
    let why = reason.unwrap_or_else(|| "it does not compile".to_owned());
    let detail = format!("the checker does not compile: {}", why.trim_end_matches(['.', ':']));
    let said: String = said.map(|said| format!(":\n{said}")).unwrap_or_default().chars().take(TOLD).collect();
    let problem = Problem::new(Code::InvalidRequest, detail + &said);
    let remedy = "Correct the checker; nothing of the batch was accepted.";
    problem.remedy(remedy).at("/checker/program").into()
}
