//! `/v1/batches`: many programs judged by the same tests. Here is one by itself and which there are; `submit` makes one,
//! `results` and `events` give what comes of it.

use std::sync::Arc;

use api_spec::{
    BatchResponse, BatchStatus, BatchSummary, BatchesQuery, BatchesResponse, Code, GroupPoints, Problem,
    SubmissionResult, batches_query, check_no_query, result_query,
};
use store::{Answer as Told, Details, Question, Record, Status, StoreError, Summary};

use super::answer::{self, Answer};
use super::beside::beside;
use super::follow::{Follower, here, told};
use super::{events, results};
use crate::batch::spec::{self, BatchSpec};
use crate::batch::told::ByGroup;
use crate::budget::Reservation;
use crate::clock;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// A batch of more submissions is put together beside the runtime's threads.
const LARGE: usize = 256;
/// What a submission takes beside its line while an answer is made.
const ROW: u64 = 1_024;

/// What a group of one takes, beside its name: as a structure and as JSON.
const GROUP: u64 = 192;
/// Of a batch with more of them, over all its submissions, they are left out: no memory would ever be enough for the answer.
const GROUPS_TOLD: u64 = 100_000;

/// What is asked of batches, beside making one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Which there are.
    List,
    /// How far one is.
    One,
    /// Its results.
    Results,
    /// Its results as they come.
    Events {
        /// The last that the caller has seen.
        after: Option<u64>,
    },
    /// That it ends.
    Cancel,
}

/// All that is no `POST`.
///
/// # Errors
/// There is no such batch of this tenant.
pub async fn get(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    asked: Asked,
    id: &str,
    query: Option<&str>,
) -> Result<Answer, Error> {
    match asked {
        Asked::List => list(engine, tenant, query).await,
        Asked::One => one(engine, tenant, id, query).await,
        Asked::Results => results::get(engine, tenant, id, query).await,
        Asked::Events { after } => events::get(engine, tenant, id, query, after).await,
        Asked::Cancel => cancel(engine, tenant, id, query).await,
    }
}

/// `GET /v1/batches/{id}`: at once when it is over, else at the end of the caller's patience.
async fn one(engine: &Arc<Engine>, tenant: TenantIndex, id: &str, query: Option<&str>) -> Result<Answer, Error> {
    let patience = result_query(query)?;
    if !patience.is_zero() {
        let mut follower = Follower::new(engine, tenant, id, 1, true)?;
        engine.drain.unless_over(follower.over(patience)).await??;
    }
    let (summary, details, memory) = read(engine, tenant, id).await?;
    let large = details.submissions.len() > LARGE;
    let make = move || {
        let (response, memory) = response(summary, details, memory)?;
        answer::json(&response, Some(memory))
    };
    if !large {
        return make();
    }
    beside("an answer", make).await
}

/// `DELETE /v1/batches/{id}`.
async fn cancel(engine: &Engine, tenant: TenantIndex, id: &str, query: Option<&str>) -> Result<Answer, Error> {
    check_no_query(query)?;
    let batches = here(engine)?;
    let mut found = summary(engine, tenant, id).await?;
    // It is not counted: whoever asks again and again must not keep the one who writes from others.
    if matches!(found.status, BatchStatus::Queued | BatchStatus::Running) {
        let owner = engine.tenants().name(tenant).to_owned();
        let record = Record::Cancel { batch: id.to_owned(), tenant: owner, at: clock::millis() };
        batches.store.record(vec![record]).await.map_err(|error| told(error, path(id)))?;
        found = summary(engine, tenant, id).await?;
    }
    if found.status == BatchStatus::Finished {
        return answer::json(&found, None);
    }
    // Also where it was cancelled before: who did so may have left in between.
    batches.cancel(id);
    answer::accepted(&found, None)
}

/// `GET /v1/batches`: the newest first.
async fn list(engine: &Engine, tenant: TenantIndex, query: Option<&str>) -> Result<Answer, Error> {
    let BatchesQuery { cursor, status, label, limit } = batches_query(query)?;
    let store = &here(engine)?.store;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let status = status.map(|status| match status {
        BatchStatus::Queued => Status::Queued,
        BatchStatus::Running => Status::Running,
        BatchStatus::Finished => Status::Finished,
        BatchStatus::Cancelled => Status::Cancelled,
    });
    let memory = engine.tenants().memory(tenant).nothing();
    // One more than is told: it says whether there are others.
    let tenant = engine.tenants().name(tenant).to_owned();
    let question = Question::List { tenant, before: cursor.clone(), status, label, most: most.saturating_add(1) };
    let mut found = match store.read(question).await {
        Ok(Told::List(found)) => found,
        Err(StoreError::Unknown) => {
            let shown = cursor.unwrap_or_default();
            let problem =
                Problem::new(Code::InvalidRequest, format!("the cursor {shown:?} is that of no batch any more"));
            return Err(Error::Request(problem.remedy("Begin the list anew, without a cursor.")));
        }
        Err(error) => return Err(told(error, path(""))),
        Ok(_) => return Err(another()),
    };
    let more = found.len() > most;
    found.truncate(most);
    let next = if more { found.last().map(|last| last.id.clone()) } else { None };
    answer::json(&BatchesResponse { batches: found.into_iter().map(public).collect(), next }, Some(memory))
}

pub(super) fn path(id: &str) -> String {
    format!("/v1/batches/{id}")
}

pub(super) fn another() -> Error {
    Error::internal("the store of batches has answered another question")
}

async fn whole(engine: &Engine, tenant: TenantIndex, id: &str) -> Result<(Summary, Details), Error> {
    let store = &here(engine)?.store;
    let tenant = engine.tenants().name(tenant).to_owned();
    match store.read(Question::Batch { tenant, batch: id.to_owned() }).await {
        Ok(Told::Batch(found)) => Ok(*found),
        Ok(_) => Err(another()),
        Err(error) => Err(told(error, path(id))),
    }
}

/// How a batch stands.
///
/// # Errors
/// There is no such batch of this tenant.
pub(super) async fn summary(engine: &Engine, tenant: TenantIndex, id: &str) -> Result<BatchSummary, Error> {
    Ok(public(alone(engine, tenant, id).await?.0))
}

/// A batch without its submissions, and how many bytes these have.
async fn alone(engine: &Engine, tenant: TenantIndex, id: &str) -> Result<(Summary, u64), Error> {
    let store = &here(engine)?.store;
    let tenant = engine.tenants().name(tenant).to_owned();
    match store.read(Question::Summary { tenant, batch: id.to_owned() }).await {
        Ok(Told::Summary(summary, bytes)) => Ok((*summary, bytes)),
        Ok(_) => Err(another()),
        Err(error) => Err(told(error, path(id))),
    }
}

/// A batch with its submissions, and the memory that these take: it is reserved before they are read.
pub(super) async fn read(
    engine: &Engine,
    tenant: TenantIndex,
    id: &str,
) -> Result<(Summary, Details, Reservation), Error> {
    let (summary, bytes) = alone(engine, tenant, id).await?;
    // As rows, as structures and as JSON.
    let memory = engine
        .tenants()
        .memory(tenant)
        .reserve(bytes.saturating_mul(3).saturating_add(summary.submissions * ROW))
        .map_err(Error::Memory)?;
    let (summary, details) = whole(engine, tenant, id).await?;
    Ok((summary, details, memory))
}

/// As callers have it.
fn public(summary: Summary) -> BatchSummary {
    let Summary { id, status, submissions, tests, results, done, created, finished, rejudge_of, labels } = summary;
    BatchSummary {
        id,
        status: match status {
            Status::Queued => BatchStatus::Queued,
            Status::Running => BatchStatus::Running,
            Status::Finished => BatchStatus::Finished,
            Status::Cancelled => BatchStatus::Cancelled,
        },
        submissions,
        tests,
        results,
        done,
        created_at: clock::rfc3339(created),
        finished_at: finished.map(clock::rfc3339),
        rejudge_of,
        labels,
    }
}

pub(super) fn damaged(error: serde_json::Error) -> Error {
    Error::internal(format!("the store of batches has what can't be read: {error}"))
}

/// A batch with its submissions. The names of groups stand in the answer for each submission: they are reserved as well.
fn response(
    summary: Summary,
    details: Details,
    mut memory: Reservation,
) -> Result<(BatchResponse, Reservation), Error> {
    let mut spec: BatchSpec = spec::read(&details.spec).map_err(damaged)?;
    if summary.submissions.saturating_mul(spec.groups.len() as u64) > GROUPS_TOLD {
        spec.groups.clear();
    }
    let groups: u64 = spec.groups.iter().map(|group| GROUP.saturating_add(3 * group.id.len() as u64)).sum();
    memory.grow(summary.submissions.saturating_mul(groups)).map_err(Error::Memory)?;
    let of = |(id, done, line): (String, u64, Option<Vec<u8>>)| -> Result<SubmissionResult, Error> {
        match line {
            Some(line) => {
                let result: SubmissionResult = spec::read(&line).map_err(damaged)?;
                let by_group: ByGroup = spec::read(&line).map_err(damaged)?;
                Ok(SubmissionResult { groups: points(&spec, &by_group.group_points), ..result })
            }
            None => Ok(SubmissionResult {
                id,
                verdict: None,
                points: None,
                max_points: spec.max_points,
                groups: points(&spec, &[]),
                done,
                unjudged: 0,
                cpu_time_us_max: None,
                memory_peak_bytes_max: None,
                compile: None,
            }),
        }
    };
    let submission_results = details.submissions.into_iter().map(of).collect::<Result<_, _>>()?;
    Ok((BatchResponse { batch: public(summary), verdicts: details.verdicts, submission_results }, memory))
}

/// The points of each group, with its name and the most.
fn points(spec: &BatchSpec, got: &[f64]) -> Vec<GroupPoints> {
    let groups = spec.groups.iter().zip(&spec.group_points).enumerate();
    let of = |(place, (group, most)): (usize, (&api_spec::GroupRequest, &f64))| GroupPoints {
        id: group.id.clone(),
        points: got.get(place).copied(),
        max_points: *most,
    };
    groups.map(of).collect()
}
