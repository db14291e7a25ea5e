//! A program that is compiled once and run often, on a tenant's account: a submission of a batch, or its checker.
//!
//! Each compile and each run is an execution like any other: it has its turn in the queue at the priority `batch`, its audit
//! line, and counts in usage, metrics and signs of abuse. What is different is patience: whoever has no place in the queue, or
//! no memory, tries again for as long as the batch lives ([`account`](super::account)).

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use api_spec::{ExecutionRequest, ExecutionResult, LimitsRequest, OnOutputLimit, OutputEncoding, Reason, Verdict};
use languages::Limits;

use super::account::{Account, FIRST_PAUSE, LONGEST_PAUSE, Missed, PATIENCE};
use super::lease::Lease;
use crate::admission::{self, Rules, RunRequest};
use crate::audit::{Leaving, Part, Source};
use crate::budget::Reservation;
use crate::capture::Tap;
use crate::collection::Artifact;
use crate::config::Plan;
use crate::engine::{Engine, Standing};
use crate::execution::{self, Given, Task, Through};
use crate::http::answer::new_id;
use crate::job::{self, Job, Outputs, Stdin, Step};
use crate::link::RunEnd;
use crate::problem::Error;
use crate::queue::{Priority, Shed, Ticket};
use crate::verdict;

/// A program that was admitted.
#[derive(Debug)]
pub struct Program {
    /// On whose account it is run.
    pub account: Account,
    /// What is compiled and run.
    pub program: Arc<job::Program>,
    standing: Arc<Standing>,
    plan: Arc<Plan>,
    ceiling: Limits,
    /// How it is run where nothing else is asked for.
    default: Arc<Step>,
    source: Source,
    /// For its sources, as long as it is there.
    _memory: Reservation,
}

/// How a program is run: runs that are alike have it in common.
#[derive(Debug)]
pub struct Way {
    /// The step.
    pub step: Arc<Step>,
    bundle: Arc<OwnedFd>,
    outputs: Outputs,
}

/// A compile that is over.
#[derive(Debug)]
pub struct Built {
    /// What is told of it.
    pub result: ExecutionResult,
    /// The program, or why there is none.
    pub outcome: Result<Artifact, (Verdict, Option<Reason>)>,
}

/// One run that is wanted.
pub struct Wanted<'a> {
    /// How.
    pub way: &'a Way,
    /// What was compiled.
    pub artifact: Option<&'a Arc<Artifact>>,
    /// What it reads.
    pub stdin: Stdin,
    /// What of the batch it is.
    pub part: Part,
    /// So much of each stream is kept.
    pub head: usize,
    /// Who takes its standard output.
    pub tap: Option<Tap>,
}

/// A run that is over.
pub struct Ran {
    /// What is told of it.
    pub result: ExecutionResult,
    /// Its sandbox was lost, which says nothing of the program.
    pub lost: bool,
    /// Who has taken its standard output.
    pub tap: Option<Tap>,
}

impl Way {
    /// The same for another run.
    #[must_use]
    pub fn another(&self) -> Way {
        Way { step: Arc::clone(&self.step), bundle: Arc::clone(&self.bundle), outputs: self.outputs.clone() }
    }
}

impl Program {
    /// Admits a program by what the tenant may and what can be offered now.
    ///
    /// # Errors
    /// What is wrong with it, by today's rules; or it is not wanted any more.
    pub async fn admit(
        engine: &Engine,
        account: Account,
        request: ExecutionRequest,
    ) -> Result<Result<Program, Error>, Missed> {
        let bytes = request.source.iter().map(|content| content.as_bytes().len()).sum::<usize>()
            + request.files.iter().flatten().map(|file| file.content.as_bytes().len()).sum::<usize>();
        // Here and in the bundle that its runs are given.
        let memory = account.memory(engine, 2 * bytes as u64).await?;
        let (standing, plan) = (engine.standing(), Arc::clone(engine.tenants().plan(account.tenant)));
        let ceiling = engine.ceiling(standing.welcome.as_ref());
        let request = ExecutionRequest { priority: api_spec::Priority::Batch, ..request };
        let rules = Rules { offers: &standing.offers, ceiling: &ceiling, plan: Some(&plan) };
        let mut job = match admission::admit(request, &rules) {
            Ok(job) => job,
            Err(error) => return Ok(Err(error)),
        };
        job.cap(engine.config.outputs, engine.config.engine.artifact);
        let source = engine.audit.source(&job.program.files);
        let Job { program, run: default, .. } = job;
        Ok(Ok(Program { account, program, standing, plan, ceiling, default, source, _memory: memory }))
    }

    /// Whether it has to be compiled.
    #[must_use]
    pub fn compiles(&self) -> bool {
        self.program.compile.is_some()
    }

    /// A way to run it, by the rules that it was admitted by.
    ///
    /// # Errors
    /// Limits or arguments that are not allowed.
    pub fn step(
        &self,
        args: &[String],
        env: &BTreeMap<String, String>,
        limits: &LimitsRequest,
        output_most: Option<u64>,
    ) -> Result<Arc<Step>, Error> {
        let rules = Rules { offers: &self.standing.offers, ceiling: &self.ceiling, plan: Some(&self.plan) };
        admission::another_run(&self.program, &RunRequest { args, env, limits, output_most }, &rules)
    }

    /// What its runs by this step are given: with these files beside its own, and these come back.
    ///
    /// # Errors
    /// That of reading a file or writing a memfd.
    pub fn way(&self, step: Arc<Step>, outputs: Outputs, more: &[(&str, &Stdin)]) -> std::io::Result<Way> {
        let bundle = Arc::new(self.program.run_bundle_with(&step, &outputs, more)?);
        Ok(Way { step, bundle, outputs })
    }

    fn job(&self, run: Arc<Step>, stdin: Stdin, outputs: Outputs) -> Job {
        Job {
            program: Arc::clone(&self.program),
            run,
            stdin,
            outputs,
            on_output_limit: OnOutputLimit::Kill,
            output_encoding: OutputEncoding::default(),
            priority: Priority::Batch,
            labels: self.account.labels.clone(),
        }
    }

    /// Compiles it, in its turn.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn compile(&self, engine: &Engine, part: Part) -> Result<Built, Missed> {
        self.compile_leased(engine, part, None).await
    }

    /// Compiles it, in its turn, when its lease is durable.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn compile_leased(
        &self,
        engine: &Engine,
        part: Part,
        lease: Option<&Arc<Lease>>,
    ) -> Result<Built, Missed> {
        let memory = Arc::clone(engine.tenants().memory_of_batches(self.account.tenant));
        let mut pause = FIRST_PAUSE;
        loop {
            self.account.spent(engine)?;
            let job = self.job(self.default.clone(), Stdin::default(), Outputs::default());
            let (caller, now) = (self.account.caller.clone(), Instant::now());
            let (job, part) = ((job, self.source.clone()), Some(part.clone()));
            let account = (self.account.tenant, &memory);
            let begun = execution::enqueue(engine, account, new_id(), job, caller, now, part);
            let error = match begun {
                Ok((task, ticket)) => {
                    let task = Task { patience: PATIENCE, lease: lease.cloned(), ..task };
                    let built = self.build(engine, task, ticket).await?;
                    if let Some(missed) = lease.and_then(|lease| lease.missed()) {
                        return Err(missed);
                    }
                    match built {
                        Ok(built) => return Ok(built),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            match &error {
                Error::Shed(Shed::Draining) => return Err(Missed::Draining),
                Error::Shed(Shed::Closed) => return Err(Missed::Closed),
                Error::CpuDay(spent) => return Err(Missed::Spent(spent.until)),
                // What passes.
                Error::Memory(_) | Error::NotReady(_) => {}
                Error::Shed(shed) if !matches!(shed, Shed::NeverFits { .. }) => {}
                _ => return Ok(self.unbuilt(&error)),
            }
            self.account.unless_missed(engine, tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn build(&self, engine: &Engine, task: Task, ticket: Ticket) -> Result<Result<Built, Error>, Missed> {
        let leaving = Leaving::new(engine, &task);
        let built = {
            let mut build = std::pin::pin!(execution::build(engine, &task, ticket));
            let watched = async {
                tokio::select! {
                    built = &mut build => built,
                    () = self.account.cancelled() => {
                        task.control.cancel();
                        build.await
                    }
                }
            };
            engine.drain.unless_cut(watched).await
        };
        match built {
            Ok(built) => {
                leaving.stayed();
                let built = built.inspect_err(|error| crate::audit::refused(engine, &task, error));
                if *self.account.cancelled.borrow() {
                    return Err(Missed::Cancelled);
                }
                Ok(built.map(|execution::Built { result, outcome, .. }| Built { result, outcome }))
            }
            Err(error) => {
                leaving.cut(&error);
                Err(Missed::Draining)
            }
        }
    }

    /// A compile that can't be.
    fn unbuilt(&self, error: &Error) -> Built {
        let job = self.job(self.default.clone(), Stdin::default(), Outputs::default());
        let (verdict, reason) = verdict::engine_error(&error.problem().detail);
        let result = execution::unbegun(new_id(), &job, verdict, reason.clone());
        Built { result, outcome: Err((verdict, reason)) }
    }

    /// Runs it, in its turn.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn run(&self, engine: &Engine, wanted: Wanted<'_>) -> Result<Ran, Missed> {
        self.run_leased(engine, wanted, None).await
    }

    /// Runs it, in its turn, when its lease is durable.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn run_leased(&self, engine: &Engine, wanted: Wanted<'_>, lease: Option<&Lease>) -> Result<Ran, Missed> {
        let Wanted { way, artifact, stdin, part, head, tap } = wanted;
        let began = Instant::now();
        let _memory = self.account.memory(engine, 2 * head as u64 + way.outputs.memory()).await?;
        let most = way.step.limits.memory.0;
        let (slot, control) = match lease {
            Some(lease) => lease.begin(most).await?,
            None => self.account.turn(engine, most).await?,
        };
        let task = Task {
            id: new_id(),
            tenant: self.account.tenant,
            memory: Arc::clone(engine.tenants().memory_of_batches(self.account.tenant)),
            job: self.job(way.step.clone(), stdin, way.outputs.clone()),
            caller: self.account.caller.clone(),
            source: Source { files: None, ..self.source.clone() },
            key: None,
            received: began,
            queued: began,
            patience: PATIENCE,
            part: Some(part),
            lease: None,
            control,
        };
        let mut through = Through { head, tap };
        let given = Given { bundle: Arc::clone(&way.bundle), artifact: artifact.cloned() };
        let leaving = Leaving::new(engine, &task);
        let ran = {
            let slot = (slot, began.elapsed());
            let mut run = std::pin::pin!(execution::run_alone(engine, &task, given, &mut through, slot));
            let watched = async {
                tokio::select! {
                    ran = &mut run => ran,
                    () = self.account.cancelled() => {
                        task.control.cancel();
                        run.await
                    }
                }
            };
            engine.drain.unless_cut(watched).await
        };
        let ran = match ran {
            Ok(ran) => {
                leaving.stayed();
                ran
            }
            Err(error) => {
                leaving.cut(&error);
                return Err(Missed::Draining);
            }
        };
        if *self.account.cancelled.borrow() {
            return Err(Missed::Cancelled);
        }
        Ok(match ran {
            Ok(execution::RanAlone { result, end, .. }) => {
                Ran { result, lost: matches!(end, RunEnd::Lost), tap: through.tap }
            }
            Err(error) => {
                crate::audit::refused(engine, &task, &error);
                let (verdict, reason) = verdict::engine_error(&format!("{error:?}"));
                let result = execution::unbegun(task.id.clone(), &task.job, verdict, reason);
                Ran { result, lost: false, tap: through.tap }
            }
        })
    }
}
