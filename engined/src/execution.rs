//! The spine: one job from its place in the queue to its answer, read from top to bottom.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_spec::{
    CompileResult, Data, ExecutionResult, Isolation, MemoryPeakSource, Reason, RunResult, Stage, Start, Status, Stream,
    Timings, Usage, Verdict,
};
use jail::spec::{Ended, Layers, Outcome, PeakSource};
use jail::stop_point;

use crate::audit::{self, Caller, Part, Receipt, Source};
use crate::batch::lease::Lease;
use crate::budget::{Budget, Reservation};
use crate::cache::Key;
use crate::capture::{Captured, Output};
use crate::collection::{Artifact, Brought, Collector};
use crate::compiling::{self, Seat, Seated};
use crate::control::Control;
use crate::engine::Engine;
use crate::job::{self, CompileBundles, CompileStep, Job, Step};
use crate::link::{Link, RunEnd};
use crate::problem::Error;
use crate::queue::{Slot, TenantIndex, Ticket};
use crate::tuning;
use crate::verdict;

use step::{Input, run_step};
use telling::answer;

pub use apart::{Built, RanAlone, build, run_alone};
pub use step::{Done, Memfds, Through, begin};

mod apart;
mod step;
pub(crate) mod telling;

/// To free so many bytes takes long enough for others to notice.
const LARGE: u64 = 1 << 20;

/// One job that shall be executed.
#[derive(Debug)]
pub struct Task {
    /// Its name for ever.
    pub id: String,
    /// On whose account.
    pub tenant: TenantIndex,
    /// What that may have of the engine's memory.
    pub memory: Arc<Budget>,
    /// What to do.
    pub job: Job,
    /// Who wants it done.
    pub caller: Caller,
    /// What the audit says of its files.
    pub source: Source,
    /// What its compile makes, where that may be kept or joined.
    pub key: Option<Key>,
    /// When its request was whole.
    pub received: Instant,
    /// When it joined the queue.
    pub queued: Instant,
    /// How long it waits for a slot.
    pub patience: Duration,
    /// What of a batch it is.
    pub part: Option<Part>,
    /// What must be durable before it begins.
    pub lease: Option<Arc<Lease>>,
    /// For those who follow it.
    pub control: Arc<Control>,
}

/// Joins the queue with a job that came whole at `received`. `part`: what of a batch it is.
///
/// # Errors
/// There is no place in it.
pub fn enqueue(
    engine: &Engine,
    (tenant, memory): (TenantIndex, &Arc<Budget>),
    id: String,
    (mut job, source): (Job, Source),
    caller: Caller,
    received: Instant,
    part: Option<Part>,
) -> Result<(Task, Ticket), Error> {
    job.cap(engine.config.outputs, engine.config.engine.artifact);
    let queued = Instant::now();
    let key = compiling::key(engine, tenant, &job);
    let ticket = compiling::enqueue(engine, tenant, &job, key.as_ref(), part.is_some())?;
    tracing::debug!(position = ticket.position(), "queued");
    let control = Arc::new(Control::new(ticket.place(), engine.drain.under_way()));
    stop_point!("engined.queued");
    let patience = engine.config.engine.queue_wait;
    let (memory, lease) = (Arc::clone(memory), None);
    let task = Task { id, tenant, memory, job, caller, source, key, received, queued, patience, part, lease, control };
    Ok((task, ticket))
}

/// Runs one job. Dropping the future stops it, its [`Control`] does too; then there is a result all the same.
///
/// # Errors
/// [`Error`] when it could not be begun: no slot in time, no memory. A failed program is a result.
pub async fn execute(engine: &Engine, task: &Task, ticket: Ticket) -> Result<Execution, Error> {
    let Seat { slot, compiled, queued, memory } = match compiling::seat(engine, task, ticket).await? {
        Seated::Ready(seat) => *seat,
        Seated::Over(verdict) => return Ok(without_run(engine, task, verdict)),
        Seated::Left(told) => return Ok(ended_early(engine, task, told, audit::Ended::Verdict(Verdict::Cancelled))),
    };
    engine.metrics.queued(&task.job.program.language.id, task.job.priority, queued);

    let mut memory = match memory {
        Some(memory) => memory,
        None => task.memory.reserve(kept_bytes(&task.job))?,
    };
    let result = run_job(&engine.link, &task.memory, task.id.clone(), &task.job, compiled, slot, &task.control);
    let (mut result, program) = result.await?;
    let_go(program);
    stop_point!("engined.judged");
    memory.settle(2 * output_bytes(&result));
    result.timings.queue_us = micros(queued);
    result.timings.total_us = micros(task.received.elapsed());
    if result.verdict == Verdict::EngineError {
        // A toolchain may have been removed: what can't be run should not be offered.
        engine.doubt();
    }
    let receipt = audit::executed(engine, task, &result);
    Ok(Execution { result, memory, receipt })
}

/// Lets a program go whose run is over. Nobody waits for its pages to be freed, and nothing that waits for the caller
/// may hold them: one who leaves its answer unread would keep a program as well.
fn let_go(program: Option<Arc<Artifact>>) {
    match program {
        None => {}
        // Behind what this thread is at, which is mostly the answer.
        Some(program) if program.memory.bytes() < LARGE => {
            tokio::spawn(async move { drop(program) });
        }
        Some(program) => {
            tokio::task::spawn_blocking(move || drop(program));
        }
    }
}

/// The result of a job that was never begun.
pub fn without_run(engine: &Engine, task: &Task, (verdict, reason): (Verdict, Option<Reason>)) -> Execution {
    let (queue_us, total_us) = (micros(task.queued.elapsed()), micros(task.received.elapsed()));
    let timings = Timings { queue_us, total_us, ..Timings::default() };
    let result = answer(task.id.clone(), &task.job, verdict, reason, None, None, timings);
    let receipt = audit::executed(engine, task, &result);
    Execution { result, memory: engine.memory.nothing(), receipt }
}

/// The result of a job that was begun and ended before its time. Its line waits until no sandbox is left of it.
pub fn ended_early(engine: &Engine, task: &Task, told: (Verdict, Option<Reason>), ended: audit::Ended) -> Execution {
    let (verdict, reason) = told;
    let timings = Timings { total_us: micros(task.received.elapsed()), ..Timings::default() };
    let result = answer(task.id.clone(), &task.job, verdict, reason, None, None, timings);
    audit::ended_early(engine, task, &result, ended);
    Execution { result, memory: engine.memory.nothing(), receipt: Receipt::default() }
}

/// The result of a job of which nothing was begun, nor will be.
#[must_use]
pub fn unbegun(id: String, job: &Job, verdict: Verdict, reason: Option<Reason>) -> ExecutionResult {
    answer(id, job, verdict, reason, None, None, Timings::default())
}

/// A finished job with the memory that its result holds.
#[derive(Debug)]
pub struct Execution {
    /// The result.
    pub result: ExecutionResult,
    /// Its bytes of the engine's memory budget.
    pub memory: Reservation,
    /// Its line.
    pub receipt: Receipt,
}

/// Compiles, where the language does that and it is not `compiled` yet, and runs. The slot goes back when jaild has
/// reported the last end. With the result comes the program, as freeing its pages takes a while.
///
/// # Errors
/// That of making pipes and memfds, or that `memory` has no room for the compiled program.
pub async fn run_job(
    link: &Arc<Link>,
    memory: &Arc<Budget>,
    id: String,
    job: &Job,
    compiled: Option<Compiled>,
    slot: Option<Arc<Slot>>,
    control: &Control,
) -> io::Result<(ExecutionResult, Option<Arc<Artifact>>)> {
    let mut timings = Timings::default();
    let compiled = match (compiled, &job.program.compile) {
        (None, Some(step)) => {
            Some(compile(link, memory, step, job.program.compile_bundles(step)?, slot.clone(), control).await?)
        }
        (compiled, _) => compiled,
    };
    let (compiled, artifact) = match compiled {
        Some(Compiled { done, took, cached, outcome }) => {
            timings.compile_us = micros(took);
            match outcome {
                Err((verdict, reason)) => {
                    let compiled = Some((&done, cached));
                    return Ok((answer(id, job, verdict, reason, compiled, None, timings), None));
                }
                Ok(artifact) => (Some((done, cached)), Some(Arc::new(artifact))),
            }
        }
        None => (None, None),
    };
    let bundle = Arc::new(job.program.run_bundle(&job.run, &job.outputs)?);
    let given = Given { bundle, artifact: artifact.clone() };
    let ran = run_program(link, job, given, None, slot, control).await?;
    let compiled = compiled.as_ref().map(|(done, cached)| (done, *cached));
    Ok((ran.result(id, job, compiled, timings), artifact))
}

/// What a program is started with.
#[derive(Clone, Debug)]
pub struct Given {
    /// [`Program::run_bundle`](crate::job::Program::run_bundle).
    pub bundle: Arc<OwnedFd>,
    /// What its compile has made, where there is one. Its pages count until the last who holds it lets it go, and no
    /// run of it does so before it is over.
    pub artifact: Option<Arc<Artifact>>,
}

/// A run that is over.
pub struct Ran {
    /// How it ended.
    pub done: Done,
    /// What that means.
    pub verdict: Verdict,
    /// And why.
    pub reason: Option<Reason>,
    brought: Brought,
}

impl Ran {
    /// The result of its job.
    #[must_use]
    pub fn result(
        self,
        id: String,
        job: &Job,
        compiled: Option<(&Done, bool)>,
        mut timings: Timings,
    ) -> ExecutionResult {
        let Ran { done, verdict, reason, brought } = self;
        if let RunEnd::Ended(ended) = &done.end {
            timings.setup_us = ended.setup.0;
            timings.run_us = ended.usage.wall.0;
        }
        let Brought { files, skipped, omitted } = brought;
        let result = answer(id, job, verdict, reason, compiled, Some(&done), timings);
        ExecutionResult { outputs: files, outputs_skipped: skipped, outputs_omitted: omitted, ..result }
    }
}

/// Runs a program that is there: the one road for each run of it. Of streams that go `through`, only the heads are kept.
///
/// # Errors
/// That of making pipes.
pub async fn run_program(
    link: &Arc<Link>,
    job: &Job,
    given: Given,
    through: Option<&mut Through>,
    slot: Option<Arc<Slot>>,
    control: &Control,
) -> io::Result<Ran> {
    let wanted = !job.outputs.globs.is_empty();
    let (collector, collection) = wanted.then(|| Collector::of_outputs(&job.outputs)).transpose()?.unzip();
    let Given { bundle, artifact } = given;
    let memfds = Memfds { bundle, artifact: artifact.clone(), collection };
    let input = Input { stdin: Some(&job.stdin), on_output_limit: job.on_output_limit, collector, through };
    control.begin(Stage::Run);
    let mut done = run_step(link, &job.run, memfds, input, slot, control).await?;
    // Not before: what the sandbox had of the program were these pages.
    drop(artifact);
    let (verdict, reason) = verdict::of_run(&done.facts(&job.run));
    let collected = done.collected();
    let brought = done.collector.take().map(|collector| collector.outputs(&job.outputs.globs, collected));
    Ok(Ran { done, verdict, reason, brought: brought.unwrap_or_default() })
}

/// A compile step that is over: with its artifact, or with the verdict that ends the job.
pub struct Compiled {
    /// How it ended.
    pub done: Done,
    /// With its set-up; of one that was done before, what it took to look it up.
    pub took: Duration,
    /// It was done before, or by another request.
    pub cached: bool,
    /// The sealed artifact, or why there is none.
    pub outcome: Result<Artifact, (Verdict, Option<Reason>)>,
}

/// Compiles what is in the bundles ([`crate::job::Program::compile_bundles`]).
///
/// # Errors
/// That of making pipes and memfds, or that `memory` has no room for the compiled program.
pub async fn compile(
    link: &Arc<Link>,
    memory: &Arc<Budget>,
    compile: &CompileStep,
    bundles: CompileBundles,
    slot: Option<Arc<Slot>>,
    control: &Control,
) -> io::Result<Compiled> {
    control.begin(Stage::Compile);
    let started = Instant::now();
    let mut done =
        compile_once(link, (compile, &compile.step), (bundles.first, memory.nothing()), slot.clone(), control).await?;
    let mut before = None;
    if let Some((untuned, bundle)) = compile.untuned.as_ref().zip(bundles.untuned)
        && tuning::may_have_mattered(&done.end, &done.output, &compile.repeat_if)
    {
        tracing::debug!("compiled again, untuned");
        done.collector = None;
        let again = compile_once(link, (compile, untuned), (bundle, memory.nothing()), slot, control).await?;
        before = Some(std::mem::replace(&mut done, again).end);
    }
    let collected = done.collected();
    let artifact = done.collector.take().map(|collector| collector.artifact(&compile.artifact, collected));
    let artifact = artifact.transpose()?.unwrap_or(Err(None));
    let made_none = matches!(artifact, Err(None));
    let outcome = match (verdict::of_compile(&done.facts(&compile.step), !made_none), artifact) {
        (None, Ok(artifact)) => Ok(artifact),
        (Some(verdict), _) => Err(verdict),
        (None, Err(Some(message))) => Err((Verdict::CompileError, Some(verdict::plain(&message)))),
        (None, Err(None)) => Err(verdict::engine_error("The compiled program is lost.")),
    };
    // Only now: the verdict is about the second alone.
    if let Some(before) = before {
        tuning::add(&mut done.end, &before);
    }
    Ok(Compiled { done, took: started.elapsed(), cached: false, outcome })
}

async fn compile_once(
    link: &Arc<Link>,
    (compile, step): (&CompileStep, &Step),
    (bundle, memory): (OwnedFd, Reservation),
    slot: Option<Arc<Slot>>,
    control: &Control,
) -> io::Result<Done> {
    let (collector, collection) = Collector::of_artifact(step.limits.disk.0.min(compile.artifact_bytes), memory)?;
    let memfds = Memfds { bundle: Arc::new(bundle), artifact: None, collection: Some(collection) };
    let input = Input { collector: Some(collector), ..Input::default() };
    run_step(link, step, memfds, input, slot, control).await
}

/// The memory for the compiled program of one job that is run without an engine around it.
#[must_use]
pub fn room_for_one() -> Arc<Budget> {
    // Its names come on top.
    Budget::new(2 * job::ARTIFACT_BYTES)
}

/// Runs a toolchain to hear its version: what it wrote, errors first as some write it there.
///
/// # Errors
/// That of making pipes and memfds, or any end but exit code 0.
pub async fn probe(link: &Arc<Link>, step: &Step) -> io::Result<Vec<u8>> {
    let memfds = Memfds { bundle: Arc::new(job::bare_bundle(step)?), artifact: None, collection: None };
    let done = run_step(link, step, memfds, Input::default(), None, &Control::default()).await?;
    match verdict::of_run(&done.facts(step)) {
        (Verdict::Ok, _) => Ok([done.output.stdout.kept, done.output.stderr.kept].concat()),
        (verdict, reason) => {
            let why = reason.map(|reason| reason.message).unwrap_or_default();
            Err(io::Error::other(format!("{verdict}: {why}")))
        }
    }
}

/// What is kept of all streams and files of a result.
fn output_bytes(result: &ExecutionResult) -> u64 {
    let compile = result.compile.as_ref().map(|step| [&step.stdout, &step.stderr]);
    let run = result.run.as_ref().map(|step| [&step.stdout, &step.stderr]);
    let length = |stream: &Stream| match &stream.data {
        Data::Text(text) | Data::Base64(text) => text.len() as u64,
    };
    let files = result.outputs.iter().map(|file| file.path.as_str().len() + file.base64.len());
    let skipped = result.outputs_skipped.iter().map(|skipped| skipped.path.as_str().len() + skipped.reason.len());
    let streams: u64 = compile.into_iter().chain(run).flatten().map(length).sum();
    streams + files.chain(skipped).map(|length| length as u64).sum::<u64>()
}

/// What the job's captured output and files may come to.
#[must_use]
pub fn kept_bytes(job: &Job) -> u64 {
    let compile = job.program.compile.as_ref().map_or(0, |compile| compile.step.output_bytes);
    2 * (compile + job.run.output_bytes) + job.outputs.memory()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
