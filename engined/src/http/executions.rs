//! `/v1/executions`: run a program and wait for it, or let it run and ask later; check without running; stop it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use api_spec::{
    ExecutionQuery, ExecutionRequest, Input, JSON, Limits, Sha256, ValidationResponse, check_no_query, execution_query,
    result_query,
};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use super::answer::{self, Answer, new_id};
use super::beside::beside;
use super::body;
use super::metered::Metered;
use super::service::header;
use crate::admission::{self, Rules};
use crate::audit::{self, Caller, Leaving, Source};
use crate::blobs::Blob;
use crate::budget::Reservation;
use crate::engine::Engine;
use crate::execution;
use crate::job::{Job, Stdin, Step};
use crate::kept::{Found, Missing};
use crate::problem::Error;
use crate::queue::TenantIndex;
use crate::unattended;

/// `POST /v1/executions`.
///
/// # Errors
/// The caller's mistake, or that there is no room.
pub async fn post(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    caller: Caller,
    request: Request<Incoming>,
    metered: &Metered,
) -> Result<Answer, Error> {
    json_body(request.headers())?;
    let ExecutionQuery { wait, validate } = execution_query(request.uri().query())?;
    let (job, memory, received) = {
        // Pinned here: whoever is handed a future keeps a copy of it.
        let read = pin!(read(engine, tenant, request, metered, validate));
        engine.drain.unless_cut(read).await??
    };
    if validate {
        return answer::json(&validated(&job.0), None);
    }
    memory.begins()?;
    // Not the request's id: callers may send the same one twice.
    let account = (tenant, memory.budget());
    let (task, ticket) = execution::enqueue(engine, account, new_id(), job, caller, received, None)?;
    if !wait {
        let status = unattended::begin(engine, task, ticket, memory)?;
        let location = format!("/v1/executions/{}", status.id);
        return answer::accepted(&status, Some(&location));
    }
    let leaving = Leaving::new(engine, &task);
    let executed = {
        let execute = pin!(execution::execute(engine, &task, ticket));
        engine.drain.unless_cut(execute).await
    };
    let execution = match executed {
        Ok(executed) => {
            leaving.stayed();
            executed.inspect_err(|error| audit::refused(engine, &task, error))?
        }
        Err(error) => {
            leaving.cut(&error);
            return Err(error);
        }
    };
    drop((task, memory));
    jail::stop_point!("engined.answering");
    let receipt = execution.receipt;
    let answer = answer::result(execution);
    engine.audit.settled(receipt).await;
    answer
}

/// A body of so many bytes is large.
const LARGE: u64 = 256 << 10;

/// Reads a job, with the memory of its body and the time at which that was whole.
async fn read(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    request: Request<Incoming>,
    metered: &Metered,
    validate: bool,
) -> Result<((Job, Source), Reservation, Instant), Error> {
    let (plan, memory) = {
        let tenants = engine.tenants();
        (Arc::clone(tenants.plan(tenant)), Arc::clone(tenants.memory(tenant)))
    };
    // Who comes when nothing can be run, or when its share is used up, is told so before sending 64 MiB.
    if !validate {
        engine.cpu_days.check(tenant, plan.cpu_seconds_per_day)?;
    }
    let standing = engine.ready()?;
    let welcome = standing.welcome.ok_or_else(|| Error::NotReady(standing.obstacles.clone()))?;
    let body::Whole { bytes, mut memory } = body::read(request.into_body(), &engine.config.http, &memory).await?;
    let received = Instant::now();
    jail::stop_point!("engined.received");
    let length = bytes.len() as u64;
    let mut parsed = ExecutionRequest::from_json(&bytes, &engine.config.caps)?;
    drop(bytes);
    metered.take_of_label(|label| parsed.labels.get(label).map(String::as_str))?;
    let stdin = match std::mem::take(&mut parsed.stdin) {
        Input::Blob(hash) => Some(blob(engine, tenant, hash).await?),
        content => {
            parsed.stdin = content;
            None
        }
    };
    let ceiling = engine.ceiling(Some(&welcome));
    let auditor = Arc::clone(engine);
    let admit = move || {
        let rules = Rules { offers: &standing.offers, ceiling: &ceiling, plan: Some(&plan) };
        let mut job = admission::admit(parsed, &rules)?;
        if let Some(stdin) = stdin {
            job.stdin = stdin;
        }
        let source = auditor.audit.source(&job.program.files);
        Ok((job, source))
    };
    // What is large may take milliseconds to look through, and others wait for this thread.
    let job = if length < LARGE { admit() } else { beside("admission", admit).await }?;
    memory.settle(length);
    Ok((job, memory, received))
}

/// Standard input that was sent before.
async fn blob(engine: &Arc<Engine>, tenant: TenantIndex, hash: Sha256) -> Result<Stdin, Error> {
    let unknown = || Error::from(admission::unknown_blob(&hash, "/stdin/blob"));
    let blobs = engine.blobs.clone().ok_or_else(unknown)?;
    let name = engine.tenants().name(tenant).to_owned();
    let found = tokio::task::spawn_blocking(move || blobs.find(&name, hash)?.map(Blob::stdin).transpose()).await;
    let found = found.map_err(io::Error::other).flatten();
    found.map_err(|error| Error::internal(format!("a blob: {error}")))?.ok_or_else(unknown)
}

/// `GET /v1/executions/{id}`: the result, as soon as it is there within the time that the caller has; else how far it is.
///
/// # Errors
/// There is no such execution of this tenant, or its result is no longer kept.
pub async fn get(engine: &Engine, tenant: TenantIndex, id: &str, query: Option<&str>) -> Result<Answer, Error> {
    let patience = result_query(query)?;
    let mut pending = match find(engine, tenant, id)? {
        Found::Finished(result) => return Ok(answer::kept(result)),
        Found::Pending(pending) => pending,
    };
    let followed = tokio::time::timeout(patience, pending.finished());
    match engine.drain.unless_over(followed).await? {
        Ok(Some(result)) => Ok(answer::kept(result)),
        Ok(None) => Err(Error::internal("an execution ended without a result")),
        Err(_) => answer::json(&unattended::status(engine, id, &pending.control), None),
    }
}

/// `DELETE /v1/executions/{id}`.
///
/// # Errors
/// As for `GET`.
pub fn delete(engine: &Engine, tenant: TenantIndex, id: &str, query: Option<&str>) -> Result<Answer, Error> {
    check_no_query(query)?;
    match find(engine, tenant, id)? {
        Found::Finished(result) => Ok(answer::kept(result)),
        Found::Pending(pending) => {
            pending.control.cancel();
            answer::accepted(&unattended::status(engine, id, &pending.control), None)
        }
    }
}

fn find(engine: &Engine, tenant: TenantIndex, id: &str) -> Result<Found, Error> {
    engine.kept.find(tenant, id).map_err(|missing| match missing {
        Missing::Never => Error::NotFound { path: format!("/v1/executions/{id}") },
        Missing::Gone(why) => Error::Expired { id: id.to_owned(), why },
    })
}

fn validated(job: &Job) -> ValidationResponse {
    ValidationResponse {
        valid: true,
        language: job.program.language.clone(),
        limits: limits(&job.run),
        compile_limits: job.program.compile.as_ref().map(|compile| limits(&compile.step)),
    }
}

fn limits(step: &Step) -> Limits {
    let limits = &step.limits;
    Limits {
        cpu_time_ms: limits.cpu_time.0,
        wall_time_ms: limits.wall_time.0,
        memory_bytes: limits.memory.0,
        processes: limits.processes.into(),
        cpus: f64::from(limits.cpus_milli) / 1000.0,
        output_bytes: step.output_bytes,
        file_bytes: limits.file.0,
        disk_bytes: limits.disk.0,
        open_files: limits.open_files.into(),
        stack_bytes: limits.stack.0,
    }
}

/// Whether the body is JSON by its own account.
///
/// # Errors
/// [`Error::MediaType`].
pub(super) fn json_body(headers: &HeaderMap) -> Result<(), Error> {
    let found = header(headers, &CONTENT_TYPE);
    let essence = found.as_deref().map(|found| found.split(';').next().unwrap_or_default().trim());
    let encoded = header(headers, &CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    match (essence, encoded) {
        (Some(essence), None) if essence.eq_ignore_ascii_case(JSON) => Ok(()),
        (_, Some(encoding)) => Err(Error::MediaType { found: format!("encoded as {encoding:?}") }),
        (Some(_), None) => Err(Error::MediaType { found: format!("of type {:?}", found.unwrap_or_default()) }),
        (None, None) => Err(Error::MediaType { found: "without a Content-Type".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    #[test]
    fn only_json_is_read() {
        let headers = |pairs: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
            };
            pairs.iter().map(pair).collect::<HeaderMap>()
        };
        for good in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
            assert!(json_body(&headers(&[("content-type", good)])).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/jsonx", ""] {
            assert!(json_body(&headers(&[("content-type", bad)])).is_err(), "{bad}");
        }
        assert!(json_body(&headers(&[("content-type", "application/json"), ("content-encoding", "gzip")])).is_err());
        assert!(json_body(&headers(&[])).is_err());
    }
}
