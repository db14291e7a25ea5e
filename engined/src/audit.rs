//! The audit: one line of JSON for each execution and each act of the operator. Operators have the log to see what the
//! engine does; the audit is the record of who has run what, and usage is counted from it.
//!
//! **What makes a line.** Every execution that got its place in the queue, however it ended: with a result, whoever fetched
//! it (`act: "execution"` with its verdict); with its caller gone (the same, `caller_gone: true`, verdict `cancelled`, with what
//! its sandbox had used until it was killed); ended at the deadline of a drain (`cut: true`, verdict `engine_error`, and
//! the same);
//! with a problem before anything was run, as it waited too long or there was no memory (`act: "refused"` with the
//! problem's code, nothing counted). What operators do: `start`, `stop`, `drain`, `reload` (taken or refused),
//! `tenant_closed` (with how many were dropped). And an
//! `abuse_sign`, with tenant, user and count, after the execution that made it one. Where
//! lines could not be kept, one of `act: "lost"` stands for them, with their number and what they have used, so that usage
//! stays right. A request that never had its place (a mistake in it, a full queue, a wrong token) makes none: those are
//! counted by their codes in `engined_problems_total`. Tokens are in no line, only their names.
//!
//! **What it costs a run.** Copies of a few short texts and a lock that is held for a moment: the writer, a thread of its
//! own, makes the line and writes it. Nobody waits for it, unless `[audit] before_answer` says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_spec::{ExecutionResult, Timings, Verdict};

use crate::config::audit::{self as settings, Place};
use crate::control::Phase;
use crate::engine::Engine;
use crate::execution::Task;
use crate::job::JobFile;
use crate::metrics::{AuditMetrics, Service};
use crate::problem::Error;
use crate::usage::{self, Books};
use inbox::{Flushed, Inbox};
use journal::Journal;
use log::{Log, Rotation};
use orphan::{Left, Look};
use record::{Execution, Record, Used};
use writer::{Sinks, Writer};

pub use record::{Act, Caller, Ended, Part, Source};

pub mod escape;
pub mod inbox;
pub mod journal;
mod line;
pub mod log;
pub mod orphan;
pub mod record;
pub mod writer;

/// An answer waits for its line at most so long.
const BEFORE_ANSWER: Duration = Duration::from_millis(100);
/// Of a spool.
const SPOOL: Rotation = Rotation { bytes: 4 << 20, keep: 1, keep_for: None, sync: true };

/// The audit, and the counters that follow it.
#[derive(Debug)]
pub struct Audit {
    inbox: Arc<Inbox>,
    books: Option<Arc<Books>>,
    metrics: AuditMetrics,
    place: Place,
    /// Whether there is anything to do at all.
    active: bool,
    /// The most of a source that a line has.
    source: Option<usize>,
    before_answer: bool,
}

/// For whoever waits for a line.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "an answer may have to wait for its line"]
pub struct Receipt(Option<u64>);

impl Audit {
    /// Opens the file and the database, and starts the threads behind them.
    ///
    /// # Errors
    /// What is wrong with a place that was asked for, and what to do.
    pub fn start(audit: &settings::Audit, usage: &settings::Usage, mut metrics: AuditMetrics) -> Result<Audit, String> {
        let place = audit.place().ok_or_else(|| {
            "audit.target = \"file\", and nothing says where: write file = \"/…/audit.jsonl\" in [audit], or start by \
             systemd/engined.service, which has a StateDirectory"
                .to_owned()
        })?;
        metrics.syncs = audit.sync;
        let opened = usage.enabled.then(|| usage::open(usage.place()));
        let rotation =
            Rotation { bytes: audit.rotate_bytes, keep: audit.keep, keep_for: audit.keep_for, sync: audit.sync };
        let (path, rotation) = match &place {
            Place::File(path) => (Some(path.clone()), rotation),
            Place::Journald | Place::Nowhere => (usage.spool(), Rotation { sync: audit.sync, ..SPOOL }),
        };
        let told = |error: std::io::Error| format!("audit: {error}; look at the folder's owner and room");
        let (mut sinks, mut seq, mut backlog) = (Sinks { spool: path.is_none(), ..Sinks::default() }, 0, Vec::new());
        if let Some(path) = &path {
            let (log, found) = Log::open(path, rotation).map_err(told)?;
            if found.cut > 0 {
                tracing::warn!(bytes = found.cut, "the last audit line was not written to its end, and is cut off");
            }
            (seq, backlog) = (found.last, found.files);
            sinks.spool = !matches!(place, Place::File(_));
            sinks.log = Some(log);
        }
        sinks.journal = (place == Place::Journald).then(|| Journal::new(journal::SOCKET.as_ref()));
        if let Some(opened) = opened {
            opened.alone().map_err(|why| why.to_string())?;
            if let Some(before) = opened.log.as_ref().filter(|before| Some(*before) != path.as_ref()) {
                // The lines went elsewhere until now, and the last of them may not be counted.
                backlog.extend(log::files(before));
                log::in_order(&mut backlog);
                seq = log::last_of(&backlog);
            }
            seq = seq.max(opened.counted);
            let log = path.unwrap_or_default();
            sinks.books = Some(Books::start(opened, backlog, seq, log, metrics.clone()).map_err(told)?);
        }
        let [lines, counters] = settings::in_words(audit, usage);
        if place == Place::Nowhere && audit.target != settings::Target::Off || usage.enabled && usage.place().is_none()
        {
            tracing::warn!("{lines}; {counters}");
        } else {
            tracing::info!("{lines}; {counters}");
        }
        let active = sinks.log.is_some() || sinks.journal.is_some() || sinks.books.is_some();
        let (inbox, books) = (Arc::new(Inbox::new(metrics.lost.clone())), sinks.books.clone());
        if active {
            let writer = Writer::new(Arc::clone(&inbox), sinks, metrics.clone(), seq, audit.before_answer);
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run()).map_err(told)?;
        }
        let source = (audit.source && place != Place::Nowhere).then_some(audit.source_bytes);
        Ok(Audit { inbox, books, metrics, place, active, source, before_answer: audit.before_answer })
    }

    /// Where lines go.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The counters; `None` where usage is not counted.
    #[must_use]
    pub fn books(&self) -> Option<&Books> {
        self.books.as_deref()
    }

    /// What a line says of the files of a request.
    #[must_use]
    pub fn source(&self, files: &[JobFile]) -> Source {
        if self.place == Place::Nowhere { Source::default() } else { Source::of(files, self.source) }
    }

    fn push(&self, record: impl FnOnce() -> Record) -> Receipt {
        Receipt(if self.active { self.inbox.push(record()) } else { None })
    }

    /// Waits for a line, where answers do that.
    pub async fn settled(&self, Receipt(number): Receipt) {
        if let Some(number) = number.filter(|_| self.before_answer) {
            self.inbox.settled(number, BEFORE_ANSWER).await;
        }
    }

    /// Waits until all that has happened is written and counted, where that is done, at most for `patience`.
    pub async fn flush(&self, patience: Duration) -> Flushed {
        if !self.active {
            return Flushed::Whole;
        }
        tokio::time::timeout(patience, self.inbox.flush()).await.unwrap_or(Flushed::Late)
    }

    /// For the metrics, as they are asked for.
    pub fn measure(&self) {
        self.metrics.waiting(self.inbox.waiting());
    }

    /// How many lines are not counted yet.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.metrics.behind().saturating_add(self.inbox.waiting())
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// An execution is over: for the audit, for usage and for the metrics.
pub fn executed(engine: &Engine, task: &Task, result: &ExecutionResult) -> Receipt {
    let compile_watched_calls = result.compile.as_ref().map(|compile| &compile.watched_calls);
    // What is told again was counted when it happened.
    let fresh = compile_watched_calls.filter(|_| result.compile.as_ref().is_some_and(|compile| !compile.cached));
    let watched_calls = result.run.as_ref().map(|run| &run.watched_calls);
    over(engine, task, result);
    for calls in fresh.into_iter().chain(watched_calls) {
        engine.metrics.watched_calls(calls);
    }
    let ended = Ended::Verdict(result.verdict);
    let orphan = &task.control.orphan;
    if result.compile.is_none() && result.run.is_none() {
        // Cancelled while its compile goes on for others, or lost: what it used and did is known when that is over.
        let execution = execution(engine, task, ended, result.timings, Used::of(result));
        return Receipt(orphan.left(left(engine, task, execution)));
    }
    let receipt = engine.audit.push(|| record(engine, task, ended, result.timings, Used::of(result)));
    let tenants = engine.tenants();
    for sign in engine.abuse.observe((task.tenant, tenants.name(task.tenant)), &task.job, result, orphan.hit()) {
        administrative(engine, sign);
    }
    receipt
}

/// For the metrics and the log.
fn over(engine: &Engine, task: &Task, result: &ExecutionResult) {
    let (priority, served, part) = (task.job.priority, &task.control.served, task.part.is_some());
    let service = Service { priority, own_wait: served.own_wait(), shed: served.was_shed(), part };
    engine.metrics.finished(engine.tenants().plan_name(task.tenant), service, result);
    if engine.audit.place == Place::Nowhere {
        tell(engine, task, result);
    }
    if let (Verdict::EngineError, Some(reason)) = (result.verdict, &result.reason) {
        tracing::error!(execution = result.id, why = reason.message, "engine error");
    }
}

/// An execution that was begun was ended before its time: its line waits until no sandbox is left of it.
pub fn ended_early(engine: &Engine, task: &Task, result: &ExecutionResult, ended: Ended) {
    over(engine, task, result);
    leave(engine, task, ended);
}

/// The same of one whose caller is told of no result.
fn unheard(engine: &Engine, task: &Task, ended: Ended) {
    if let Some(verdict) = ended.verdict() {
        engine.metrics.left(engine.tenants().plan_name(task.tenant), &task.job.program.language.id, verdict);
    }
    leave(engine, task, ended);
}

fn leave(engine: &Engine, task: &Task, ended: Ended) {
    let execution = execution(engine, task, ended, timings(task), Used::default());
    let _number: Option<u64> = task.control.orphan.left(left(engine, task, execution));
}

/// An execution was answered with a problem after it had its place in the queue.
pub fn refused(engine: &Engine, task: &Task, error: &Error) {
    let ended = Ended::Problem(error.problem().code.name());
    let Receipt(_) = engine.audit.push(|| record(engine, task, ended, timings(task), Used::default()));
}

/// The operator has done something.
pub fn administrative(engine: &Engine, act: Act) {
    let Receipt(_) = engine.audit.push(|| Record::act(act));
}

fn record(engine: &Engine, task: &Task, ended: Ended, timings: Timings, used: Used) -> Record {
    Record::execution(execution(engine, task, ended, timings, used))
}

fn execution(engine: &Engine, task: &Task, ended: Ended, timings: Timings, used: Used) -> Execution {
    let tenants = engine.tenants();
    Execution {
        id: task.id.clone(),
        caller: task.caller.clone(),
        tenant: tenants.name(task.tenant).to_owned(),
        plan: tenants.plan_name(task.tenant).to_owned(),
        labels: task.job.labels.clone(),
        source: task.source.clone(),
        part: task.part.clone(),
        language: task.job.program.language.clone(),
        priority: task.job.priority,
        ended,
        timings,
        used,
    }
}

/// For what nobody hears of any more, or not yet.
fn left(engine: &Engine, task: &Task, execution: Execution) -> Left {
    let inbox = engine.audit.active.then(|| Arc::clone(&engine.audit.inbox));
    let compile = task.job.program.compile.as_ref().map(|compile| compile.step.limits);
    let (abuse, tenant, run) = (Arc::clone(&engine.abuse), task.tenant, task.job.run.limits);
    Left { execution, inbox, look: Some(Look { abuse, tenant, run, compile }) }
}

fn timings(task: &Task) -> Timings {
    let micros = |since: Instant| u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    Timings { total_us: micros(task.received), ..Timings::default() }
}

/// Where no audit is kept, the log has a line of each execution.
fn tell(engine: &Engine, task: &Task, result: &ExecutionResult) {
    let usage = result.run.as_ref().map(|run| &run.usage);
    let calls = |calls: &BTreeMap<String, u32>| (!calls.is_empty()).then(|| format!("{calls:?}"));
    tracing::info!(
        execution = result.id,
        tenant = engine.tenants().name(task.tenant),
        language = result.language.id,
        version = result.language.version,
        priority = record::name(task.job.priority),
        verdict = %result.verdict,
        labels = ?result.labels,
        cpu_us = usage.map(|usage| usage.cpu_time_us),
        memory_peak_bytes = usage.map(|usage| usage.memory_peak_bytes),
        watched_calls = result.run.as_ref().and_then(|run| calls(&run.watched_calls)),
        compile_cached = result.compile.as_ref().map(|compile| compile.cached),
        compile_watched_calls = result.compile.as_ref().and_then(|compile| calls(&compile.watched_calls)),
        queue_us = result.timings.queue_us,
        total_us = result.timings.total_us,
        "executed"
    );
}

/// Tells of an execution whose caller hung up: its future is dropped, and nobody else is left who would.
pub struct Leaving<'a> {
    engine: &'a Engine,
    task: &'a Task,
    armed: bool,
}

impl<'a> Leaving<'a> {
    /// Watches over an execution until [`Leaving::stayed`].
    #[must_use]
    pub fn new(engine: &'a Engine, task: &'a Task) -> Self {
        Leaving { engine, task, armed: true }
    }

    /// The caller is still there.
    pub fn stayed(mut self) {
        self.armed = false;
    }

    /// So it is, and is told by `error` that the deadline of a drain has ended it.
    pub fn cut(self, error: &Error) {
        let (engine, task) = (self.engine, self.task);
        self.stayed();
        match task.control.phase() {
            Phase::Queued(_) => refused(engine, task, error),
            Phase::Running(_) => unheard(engine, task, Ended::Cut),
        }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let Leaving { engine, task, .. } = self;
        unheard(engine, task, Ended::Gone);
        if engine.audit.place == Place::Nowhere {
            let (tenants, total_us) = (engine.tenants(), timings(task).total_us);
            let tenant = tenants.name(task.tenant);
            tracing::info!(execution = task.id, tenant, verdict = "cancelled", total_us, "caller gone");
        }
    }
}

#[cfg(test)]
mod tests;
