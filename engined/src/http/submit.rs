//! `POST /v1/batches` and `POST /v1/batches/{id}/rejudge`: when it is accepted it is durable, and nothing of it was accepted
//! before.

use std::sync::Arc;

use api_spec::{
    BatchRequest, BatchStatus, BatchSummary, Code, Problem, RejudgeRequest, check_no_query, idempotency_key,
};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use store::{Answer as Told, IdempotencyKey, NewBatch, NewSubmission, Placed, Question};

use super::answer::{self, Answer, new_id};
use super::beside::beside;
use super::follow::{here, told};
use super::metered::Metered;
use super::{batches, body, executions};
use crate::admission::Rules;
use crate::audit::Caller;
use crate::batch::admission::{self, Admitted};
use crate::batch::checker::most_given;
use crate::batch::room;
use crate::batch::spec::{self, BatchSpec, Sender};
use crate::batch::{count, data, proof};
use crate::clock;
use crate::config::Plan;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::{Priority, TenantIndex};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Takes a batch, or judges `of` again.
///
/// # Errors
/// The caller's mistake, or that there is no room.
pub async fn post(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    caller: Caller,
    request: Request<Incoming>,
    of: Option<String>,
    metered: &Metered,
) -> Result<Answer, Error> {
    check_no_query(request.uri().query())?;
    here(engine)?;
    let key = key(request.headers())?;
    if of.is_none() || !request.body().is_end_stream() {
        executions::json_body(request.headers())?;
    }
    // Who comes when nothing can be taken is told so before sending 64 MiB, but not who asks for what was taken before.
    if key.is_none() {
        engine.ready()?;
    }
    let share = Arc::clone(engine.tenants().memory(tenant));
    let read = body::read(request.into_body(), &engine.config.http, &share);
    let body::Whole { bytes, memory } = engine.drain.unless_cut(read).await??;
    let (owner, plan) = {
        let tenants = engine.tenants();
        (tenants.name(tenant).to_owned(), Arc::clone(tenants.plan(tenant)))
    };
    let coming = Coming { engine, tenant, owner, plan, caller, metered };
    let (bytes, key) = match key {
        None => (bytes, None),
        Some(key) => {
            // The same key for another batch is another request.
            let hash = Sha256::new().chain_update(of.as_deref().unwrap_or_default());
            let hashed = aside(move || Ok((hash.chain_update(&bytes).finalize().into(), bytes)));
            let (body, bytes) = hashed.await?;
            // Before all that could refuse it now: what has changed since, and what is gone.
            if let Some(answer) = coming.before(&key, body).await? {
                return Ok(answer);
            }
            engine.ready()?;
            (bytes, Some((key, body)))
        }
    };
    let (batch, tests, pins) = match of {
        None => {
            let (batch, pins) = coming.new_batch(bytes, key).await?;
            let tests = batch.tests.len() as u64;
            (batch, tests, pins)
        }
        Some(of) => {
            let (batch, tests) = coming.again(&of, &bytes, key).await?;
            (batch, tests, data::Pins::default())
        }
    };
    let answer = coming.place(batch, tests).await;
    // Whoever counts what is referred to must find it: the store does from here on.
    drop((pins, memory));
    answer
}

/// The key by which a caller may send it again.
fn key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => Ok(Some(idempotency_key(key.as_bytes())?.to_owned())),
        _ => {
            let problem = Problem::new(Code::InvalidRequest, "Idempotency-Key stands there twice");
            Err(Error::Request(problem.remedy("Send it once.")))
        }
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    beside("admission of a batch", work).await
}

/// The caller's word, and the hash of what came with it.
type Key = Option<(String, [u8; 32])>;

/// A batch on its way.
struct Coming<'a> {
    engine: &'a Arc<Engine>,
    tenant: TenantIndex,
    owner: String,
    plan: Arc<Plan>,
    caller: Caller,
    metered: &'a Metered,
}

impl Coming<'_> {
    /// What is answered where the key was known before.
    async fn before(&self, key: &str, body: [u8; 32]) -> Result<Option<Answer>, Error> {
        let question = Question::Key { tenant: self.owner.clone(), key: key.to_owned(), body, now: clock::millis() };
        let id = match here(self.engine)?.store.read(question).await {
            Ok(Told::Key(None)) => return Ok(None),
            Ok(Told::Key(Some(Placed::Before(id)))) => id,
            Ok(Told::Key(Some(_))) => return Err(conflict()),
            Ok(_) => return Err(batches::another()),
            Err(error) => return Err(told(error, String::new())),
        };
        let summary = batches::summary(self.engine, self.tenant, &id).await?;
        answer::accepted(&summary, Some(&batches::path(&id))).map(Some)
    }

    /// Everything that is wrong with it is told here.
    async fn new_batch(&self, bytes: Vec<u8>, key: Key) -> Result<(NewBatch, data::Pins), Error> {
        let standing = self.engine.ready()?;
        let welcome = standing.welcome.ok_or_else(|| Error::NotReady(standing.obstacles.clone()))?;
        let (caps, share) = (self.engine.config.caps, self.plan.batches);
        let parsed = aside(move || {
            count::not_too_many(&bytes, &share)?;
            Ok(BatchRequest::from_json(&bytes, &caps)?)
        })
        .await?;
        self.metered.take_of_label(|label| parsed.labels.get(label).map(String::as_str))?;
        let (ceiling, plan) = (self.engine.ceiling(Some(&welcome)), Arc::clone(&self.plan));
        let sender = Sender::of(&self.caller);
        let admitted = aside(move || {
            let rules = Rules { offers: &standing.offers, ceiling: &ceiling, plan: Some(&plan) };
            admission::admit(parsed, &rules, &share, sender)
        });
        let Admitted { spec, submissions, tests, labels, checker } = admitted.await?;
        let id = new_id();
        let given = checker.is_some().then(|| most_given(self.engine.memory.limit()));
        if let Some(checker) = checker {
            let (caller, labels, batch) = (self.caller.clone(), labels.clone(), id.as_str().into());
            let wanted = proof::Wanted { tenant: self.tenant, caller, labels, batch };
            let proof = Box::pin(proof::compiles(self.engine, wanted, checker));
            self.engine.drain.unless_cut(proof).await??;
        }
        if let Some(blobs) = &self.engine.blobs {
            blobs.counted(&self.owner, self.engine.config.http.header_timeout).await;
        }
        let (blobs, owner) = (self.engine.blobs.clone(), self.owner.clone());
        let (tests, pins) = aside(move || data::keep(blobs.as_ref(), &owner, share.blob_bytes, given, tests)).await?;
        let repeat = spec.repeat;
        let ids = longest(submissions.iter().map(|row| &row.name)) + longest(tests.iter().map(|row| &row.name));
        let result_bytes = room::line(spec.told, ids, spec.groups.len());
        let spec = spec::write(&spec).map_err(|error| Error::internal(format!("batch not written: {error}")))?;
        let batch = NewBatch { id, spec, labels, submissions, tests, repeat, result_bytes, ..self.empty(key) };
        Ok((batch, pins))
    }

    /// A new batch of the data of another one, and how many tests that has.
    async fn again(&self, of: &str, bytes: &[u8], key: Key) -> Result<(NewBatch, u64), Error> {
        let (summary, details, _memory) = batches::read(self.engine, self.tenant, of).await?;
        self.metered.take_of_label(|label| summary.labels.get(label).map(String::as_str))?;
        let RejudgeRequest { submissions } = RejudgeRequest::from_json(bytes)?;
        if !self.plan.priorities.contains(&Priority::Batch) {
            let detail = format!("the plan {} does not allow the priority batch", self.plan.name);
            let problem = Problem::new(Code::Forbidden, detail);
            return Err(Error::Request(problem.remedy("Have the operator raise the plan.")));
        }
        let chosen = match submissions {
            None => details.submissions.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>(),
            Some(names) => {
                let known: std::collections::HashSet<&str> =
                    details.submissions.iter().map(|(name, ..)| name.as_str()).collect();
                if let Some(at) = names.iter().position(|name| !known.contains(name.as_str())) {
                    let shown: String = names[at].chars().take(64).collect();
                    let problem = Problem::new(Code::InvalidRequest, format!("{of} has no submission {shown:?}"));
                    let problem =
                        problem.remedy("Name submissions of that batch by their ids, or leave them out for all.");
                    return Err(problem.at(format!("/submissions/{at}")).into());
                }
                names
            }
        };
        let each = summary.results / summary.submissions.max(1);
        let results = each.saturating_mul(chosen.len() as u64);
        admission::too_many("results", results, self.plan.batches.results, "/submissions")?;
        let submissions = chosen.into_iter().map(|name| NewSubmission { name, spec: Vec::new() }).collect();
        let repeat = u32::try_from(each / summary.tests.max(1)).unwrap_or(1);
        let (labels, tests) = (summary.labels, summary.tests);
        let rejudge_of = Some(of.to_owned());
        let spec = spec::read::<BatchSpec>(&details.spec).map_err(batches::damaged)?;
        let result_bytes = room::line(spec.told, room::IDS, spec.groups.len());
        Ok((NewBatch { submissions, labels, repeat, rejudge_of, result_bytes, ..self.empty(key) }, tests))
    }

    /// What every batch of the tenant has, by now.
    fn empty(&self, key: Key) -> NewBatch {
        let now = clock::millis();
        let known = i64::try_from(self.engine.config.batches.keys.as_millis()).unwrap_or(i64::MAX);
        NewBatch {
            id: new_id(),
            tenant: self.owner.clone(),
            key: key.map(|(key, body)| IdempotencyKey { key, body, until: now.saturating_add(known) }),
            created: now,
            queued_results: self.plan.batches.queued_results,
            tenant_bytes: self.plan.batches.bytes,
            ..NewBatch::default()
        }
    }

    /// Gives it to the store. When it says that it has it, it has.
    async fn place(&self, batch: NewBatch, tests: u64) -> Result<Answer, Error> {
        let of = batch.rejudge_of.clone().unwrap_or_default();
        let field = if of.is_empty() { "/tests" } else { "/submissions" };
        // It need not be read again, however large it is.
        let new = fresh(&batch, tests);
        let wanted = batch.queued_results;
        let placed = here(self.engine)?.store.put(batch).await.map_err(|error| told(error, batches::path(&of)))?;
        let quota =
            |detail: String, remedy: &str| Error::Request(Problem::new(Code::QuotaExceeded, detail).remedy(remedy));
        let summary = match placed {
            Placed::New => new,
            Placed::Before(id) => batches::summary(self.engine, self.tenant, &id).await?,
            Placed::Conflict => return Err(conflict()),
            Placed::TooMany(waiting) => {
                let detail = format!(
                    "the tenant waits for {waiting} results, and its plan allows {wanted} together (queued_results)"
                );
                return Err(quota(detail, "Wait until some are there, or have the operator raise the plan."));
            }
            Placed::TooLarge { wanted, most } => {
                let detail = format!(
                    "the batch and its results, at their longest, need {wanted} bytes, and the engine's store has {} for all \
                     batches (store_bytes, less an eighth)",
                    most - most / 8
                );
                let problem = Problem::new(Code::LimitAboveCeiling, detail)
                    .remedy("Send several batches, or have the operator raise [batches] store_bytes.");
                return Err(problem.at(field).into());
            }
            Placed::OverQuota { what, has, most } => {
                let name = if what == "bytes" { " (batch_bytes)" } else { "" };
                let detail = format!("the tenant has {has} {what} in batches that are kept, and may have {most}{name}");
                return Err(quota(detail, "Wait until old ones are forgotten ([batches] keep_days)."));
            }
        };
        answer::accepted(&summary, Some(&batches::path(&summary.id)))
    }
}

fn conflict() -> Error {
    let detail = "another request came with this Idempotency-Key, and its body was another one";
    Error::Request(Problem::new(Code::IdempotencyConflict, detail))
}

/// The longest name in a line.
fn longest<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| room::escaped(name)).max().unwrap_or_default()
}

/// How a batch stands that was just taken.
fn fresh(batch: &NewBatch, tests: u64) -> BatchSummary {
    let submissions = batch.submissions.len() as u64;
    BatchSummary {
        id: batch.id.clone(),
        status: BatchStatus::Queued,
        submissions,
        tests,
        results: submissions.saturating_mul(tests).saturating_mul(batch.repeat.into()),
        done: 0,
        created_at: clock::rfc3339(batch.created),
        finished_at: None,
        rejudge_of: batch.rejudge_of.clone(),
        labels: batch.labels.clone(),
    }
}
