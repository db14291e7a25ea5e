//! From a place in the queue to a slot, with the compile behind it: done before, done by another request at this moment,
//! or done now.
//!
//! What is kept costs no slot of the size that a compile needs: the job waits for one that its run needs, and where the
//! compiler has said that there is no program, for none at all. Who waits for the compile of another request holds its
//! place in the queue without a slot, so that no number of equal requests keeps others from running, and then gets its
//! turn by the time that it came. The request that begins a compile does so in its own slot, in which it then runs; when
//! it leaves and others wait, the compile keeps the slot until it is over. A large program is not held in memory by those who
//! wait for their slots: they take it from the folder then, or compile it themselves where it was not kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api_spec::{Reason, Stage, Verdict};
use jail::stop_point;

use crate::audit::orphan::Watch;
use crate::budget::{Budget, Exhausted, Reservation};
use crate::cache::flight::{Landed, Outcome, Waiter};
use crate::cache::{Key, Look, entry};
use crate::collection::Artifact;
use crate::control::Control;
use crate::engine::Engine;
use crate::execution::{self, Compiled, Done, Task};
use crate::job::{CompileStep, Job};
use crate::link::RunEnd;
use crate::metrics::Lookup;
use crate::problem::Error;
use crate::queue::{Shed, Slot, TenantIndex, Ticket, Wish};
use crate::verdict;

/// A program of so many bytes is copied where we are and held by those who wait for a slot, as their sources are. A larger
/// one is copied in a thread that may take its time, and nobody holds it while it waits.
const AT_ONCE: u64 = 256 << 10;

/// A job that can go on.
pub struct Seat {
    /// For its run. `None` where there will be none.
    pub slot: Option<Arc<Slot>>,
    /// Its compile, where it is over.
    pub compiled: Option<Compiled>,
    /// How long it has waited for its slot.
    pub queued: Duration,
    /// For its output, where that was reserved.
    pub memory: Option<Reservation>,
}

impl Seat {
    fn ready(self) -> Seated {
        Seated::Ready(Box::new(self))
    }
}

/// What became of a job in the queue.
pub enum Seated {
    /// It can go on.
    Ready(Box<Seat>),
    /// Its caller has cancelled it.
    Over((Verdict, Option<Reason>)),
    /// The same, and the compile that it has begun goes on for others, on its account.
    Left((Verdict, Option<Reason>)),
}

/// Names what a job's compile makes. `None` without a compile, or where nothing of it may be kept or joined.
#[must_use]
pub fn key(engine: &Engine, tenant: TenantIndex, job: &Job) -> Option<Key> {
    let (Some(_), Some(origin), Some(compile)) = (&engine.cache, &job.program.origin, &job.program.compile) else {
        return None;
    };
    Some(origin.key(engine.tenants().name(tenant), &compile.step.parts))
}

/// Joins the queue: for a slot that a compile needs, for one that the run needs, or without one for now. `patient`: nobody
/// waits for its beginning.
///
/// # Errors
/// There is no place in it.
pub fn enqueue(
    engine: &Engine,
    tenant: TenantIndex,
    job: &Job,
    key: Option<&Key>,
    patient: bool,
) -> Result<Ticket, Shed> {
    let (whole, run) = (job.memory(), job.run.limits.memory.0);
    let wish = |memory: u64| Wish { tenant, priority: job.priority, memory, patient };
    // It may have to be compiled after all.
    engine.queue.fits(whole)?;
    let look = key.zip(engine.cache.as_ref()).map_or(Look::Nothing, |(key, cache)| cache.look(key));
    match look {
        Look::Nothing => engine.queue.enqueue(wish(whole)),
        Look::Program => engine.queue.enqueue(wish(run)),
        Look::Errors | Look::UnderWay => engine.queue.hold(wish(run)),
    }
}

/// Waits until the job can go on, and compiles it where nobody else has.
///
/// # Errors
/// No slot in time, no memory, or the compile could not be begun.
pub async fn seat(engine: &Engine, task: &Task, mut ticket: Ticket) -> Result<Seated, Error> {
    let Some(job) = Cached::of(engine, task) else {
        let Some(slot) = slot(engine, task, ticket).await? else { return Ok(cancelled()) };
        let queued = task.queued.elapsed();
        return Ok(Seat { slot: Some(Arc::new(slot)), compiled: None, queued, memory: None }.ready());
    };
    // Each turn ends, or finds less in the cache than the one before, or a compile that was begun meanwhile.
    let mut waited = Duration::ZERO;
    loop {
        if ticket.is_held() {
            match job.cache.look(&job.key) {
                Look::UnderWay => {
                    if let Some(waiter) = job.cache.join(&job.key) {
                        match job.joined(waiter, ticket).await? {
                            Joined::Seated(seated) => return Ok(seated),
                            Joined::Kept(back, took) => (ticket, waited) = (back, waited + took),
                        }
                    }
                }
                Look::Errors => {
                    if let Some(compiled) = job.load().await? {
                        return Ok(job.ready(None, compiled, waited));
                    }
                }
                Look::Program => ticket.release(job.run),
                Look::Nothing => ticket.release(job.whole),
            }
            continue;
        }
        let Some(slot) = slot(engine, task, ticket).await? else { return Ok(cancelled()) };
        let look = job.cache.look(&job.key);
        if matches!(look, Look::Program | Look::Errors)
            && let Some(compiled) = job.load().await?
        {
            return Ok(job.ready(Some(slot), compiled, waited));
        }
        ticket = match look {
            // Whoever compiles needs the room more than who waits for it.
            Look::UnderWay => slot.back(job.run, true),
            _ if slot.memory() < job.whole => slot.back(job.whole, false),
            _ => match job.compile(slot).await? {
                Ok(seated) => return Ok(seated),
                Err(slot) => slot.back(job.run, true),
            },
        };
    }
}

async fn slot(engine: &Engine, task: &Task, mut ticket: Ticket) -> Result<Option<Slot>, Error> {
    loop {
        let slot = tokio::select! {
            // A slot that has come as well goes back.
            biased;
            () = task.control.cancelled() => return Ok(None),
            slot = ticket.slot(task.patience) => slot?,
        };
        task.control.served.waited_for_own(slot.own_wait());
        // Others of the tenant may have used up the day while it waited.
        engine.cpu_days.check(task.tenant, engine.tenants().plan(task.tenant).cpu_seconds_per_day)?;
        stop_point!("engined.slot");
        let Some(lease) = &task.lease else { return Ok(Some(slot)) };
        match lease.seated().await {
            Ok(true) => return Ok(Some(slot)),
            Ok(false) => {
                let memory = slot.memory();
                ticket = slot.back(memory, true);
                if lease.soon().await.is_err() {
                    return Ok(None);
                }
                ticket.release(memory);
            }
            // Why is asked of the lease.
            Err(_) => return Ok(None),
        }
    }
}

fn cancelled() -> Seated {
    Seated::Over(verdict::cancelled_in_queue())
}

/// A job whose compile has a name.
struct Cached<'a> {
    engine: &'a Engine,
    task: &'a Task,
    cache: &'a Arc<crate::cache::Cache>,
    key: Key,
    compile: &'a CompileStep,
    run: u64,
    whole: u64,
}

impl<'a> Cached<'a> {
    fn of(engine: &'a Engine, task: &'a Task) -> Option<Self> {
        let (key, cache, compile) = (task.key?, engine.cache.as_ref()?, task.job.program.compile.as_ref()?);
        let (run, whole) = (task.job.run.limits.memory.0, task.job.memory());
        Some(Cached { engine, task, cache, key, compile, run, whole })
    }

    /// Where there is nothing to run, the slot goes back. What was waited for a compile was not waited for the slot.
    fn ready(&self, slot: Option<Slot>, compiled: Compiled, waited: Duration) -> Seated {
        let slot = slot.filter(|_| compiled.outcome.is_ok()).map(Arc::new);
        let queued = self.task.queued.elapsed().saturating_sub(compiled.took + waited);
        Seat { slot, compiled: Some(compiled), queued, memory: None }.ready()
    }

    /// What is kept, if it is sound.
    async fn load(&self) -> std::io::Result<Option<Compiled>> {
        let began = Instant::now();
        let Some((replay, program)) = self.cache.load(&self.key, &self.task.memory).await? else { return Ok(None) };
        let entry::Replay { ended, output, failure } = replay;
        let outcome = match (program, failure) {
            (Some(program), _) => Ok(program),
            (None, failure) => Err((Verdict::CompileError, failure)),
        };
        let done = Done::replayed(RunEnd::Ended(ended), output);
        Ok(Some(Compiled { done, took: began.elapsed(), outcome, cached: true }))
    }

    /// Waits for the compile of another request, then for a slot.
    async fn joined(&self, mut waiter: Waiter, mut ticket: Ticket) -> Result<Joined, Error> {
        let began = Instant::now();
        let landed = tokio::select! {
            landed = waiter.landed() => landed,
            closed = ticket.closed() => return Err(closed.into()),
            () = self.task.control.cancelled() => return Ok(Joined::Seated(cancelled())),
        };
        let took = began.elapsed();
        let outcome = landed.map_err(lost)?;
        let memory = &self.task.memory;
        if outcome.result.as_ref().is_ok_and(|made| made.memory.bytes() > AT_ONCE) {
            drop(outcome);
            tokio::select! {
                () = waiter.over() => {}
                closed = ticket.closed() => return Err(closed.into()),
                () = self.task.control.cancelled() => return Ok(Joined::Seated(cancelled())),
            }
            return self.apart(ticket, took).await;
        }
        drop(waiter);
        if outcome.result.is_err() {
            return Ok(Joined::Seated(self.ready(None, own(outcome, memory, Some(took)).await?, Duration::ZERO)));
        }
        ticket.release(self.run);
        let Some(slot) = slot(self.engine, self.task, ticket).await? else { return Ok(Joined::Seated(cancelled())) };
        Ok(Joined::Seated(self.ready(Some(slot), own(outcome, memory, Some(took)).await?, Duration::ZERO)))
    }

    /// Goes on after a compile that was waited for and made what nobody may hold.
    async fn apart(&self, mut ticket: Ticket, waited: Duration) -> Result<Joined, Error> {
        if self.cache.look(&self.key) != Look::Nothing {
            return Ok(Joined::Kept(ticket, waited));
        }
        // By itself, not as the next whom all others join: each of them would wait for each.
        self.engine.metrics.cache.lookup(Lookup::Miss);
        ticket.release(self.whole);
        let Some(slot) = slot(self.engine, self.task, ticket).await? else { return Ok(Joined::Seated(cancelled())) };
        let queued = self.task.queued.elapsed().saturating_sub(waited);
        let seat = Seat { slot: Some(Arc::new(slot)), compiled: None, queued, memory: None };
        Ok(Joined::Seated(seat.ready()))
    }

    /// Compiles in this slot. It comes back where another request was faster.
    async fn compile(&self, slot: Slot) -> Result<Result<Seated, Slot>, Error> {
        let (engine, task) = (self.engine, self.task);
        let queued = task.queued.elapsed();
        let memory = task.memory.reserve(execution::kept_bytes(&task.job))?;
        let slot = Arc::new(slot);
        let TenantIndex(owner) = task.tenant;
        let step = self.compile.clone();
        let bundles = task.job.program.compile_bundles(&step)?;
        let still = {
            let (tenant, origin) = (engine.tenants().name(task.tenant).to_owned(), task.job.program.origin);
            let (parts, key) = (step.step.parts.clone(), self.key);
            move || origin.is_some_and(|origin| origin.key(&tenant, &parts) == key)
        };
        let begun = self.cache.begin(
            &self.key,
            (owner, Control::of_compile(&task.control.orphan)),
            |control| {
                let (link, slot, budget) = (Arc::clone(&engine.link), Arc::clone(&slot), Arc::clone(&task.memory));
                // Who begins it pays for it, also when it goes on for others. It may be repeated.
                let whole = Watch::new(&control.orphan, Stage::Compile);
                async move {
                    let compiled = execution::compile(&link, &budget, &step, bundles, Some(slot), &control).await?;
                    let Compiled { done: Done { end, output, .. }, took, outcome: result, .. } = compiled;
                    let mut memory = budget.nothing();
                    drop(whole);
                    memory.settle((output.stdout.kept.len() + output.stderr.kept.len()) as u64);
                    Ok(Outcome { end, output, result, took, memory })
                }
            },
            still,
        );
        let Some(mut waiter) = begun else {
            return match Arc::into_inner(slot) {
                Some(slot) => Ok(Err(slot)),
                None => Err(Error::internal("a slot of two jobs")),
            };
        };
        task.control.begin(Stage::Compile);
        let landed: Landed = tokio::select! {
            landed = waiter.landed() => landed,
            () = task.control.cancelled() => {
                if !waiter.cancel() {
                    return Ok(Ok(Seated::Left(verdict::cancelled_while_compiling())));
                }
                waiter.landed().await
            }
        };
        drop(waiter);
        let compiled = own(landed.map_err(lost)?, &task.memory, None).await?;
        Ok(Ok(Seat { slot: Some(slot), compiled: Some(compiled), queued, memory: Some(memory) }.ready()))
    }
}

/// What became of one who joined a compile.
enum Joined {
    /// It can go on, or is over.
    Seated(Seated),
    /// What was compiled lies in the folder. For so long it was waited for.
    Kept(Ticket, Duration),
}

/// The error of a compile, told to one of those who wait for it.
fn lost(error: Arc<std::io::Error>) -> Error {
    Exhausted::of(&error).map_or_else(|| Error::Internal(error.to_string()), Error::Memory)
}

/// A compile with a program of one's own. `took`: how long it was waited for by who did not begin it.
async fn own(outcome: Arc<Outcome>, memory: &Arc<Budget>, took: Option<Duration>) -> Result<Compiled, Error> {
    let (end, output) = (outcome.end, outcome.output.clone());
    let (cached, took) = (took.is_some(), took.unwrap_or(outcome.took));
    let program = match Arc::try_unwrap(outcome) {
        // Nobody else has it, nor will.
        Ok(outcome) => outcome.result,
        Err(shared) => match &shared.result {
            Err(why) => Err(why.clone()),
            Ok(made) => {
                let bytes = made.memory.bytes();
                let memory = memory.reserve(bytes)?;
                let file = if bytes <= AT_ONCE {
                    entry::copy(&made.file)?
                } else {
                    let copy = move || shared.result.as_ref().ok().map(|made| entry::copy(&made.file)).transpose();
                    let copied = tokio::task::spawn_blocking(copy).await.map_err(std::io::Error::other)??;
                    copied.ok_or_else(|| Error::internal("a program that was there has gone"))?
                };
                Ok(Artifact { file: file.into(), memory })
            }
        },
    };
    Ok(Compiled { done: Done::replayed(end, output), took, outcome: program, cached })
}
