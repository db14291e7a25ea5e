//! One submission: compiled once, then each of its tests is run in a slot of its own, and its line is written when the last
//! is over.
//!
//! **What is durable before something is run.** That the compile or the run is tried, and how often: whoever finds that after a
//! crash has a *suspect*, which may have brought the engine down. Suspects are run one at a time in the whole engine, so that
//! whatever runs beside one is never a suspect for the same crash again; everything else goes on at full speed. Whoever was
//! tried three times is not tried again: its result is `engine_error`, and says so. A run that we have failed ourselves, as its
//! sandbox was lost, counts likewise.
//!
//! **A few ahead.** In the whole engine some runs are leased before they have a slot, so that no slot waits for the disk (see
//! `lease`). What was leased and not begun goes back at an orderly stop, and is not counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api_spec::{CompileTold, ExecutionRequest, Reason, SubmissionRequest, Verdict};
use jail::stop_point;
use store::{LeasedSubmission, Record, Recorded, Renewal, Unit};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Batches;
use super::account::{Account, Missed};
use super::admission::over;
use super::book::Book;
use super::common::{Common, Test};
use super::lanes::Lanes;
use super::lease::Lease;
use super::one::{One, Over, record, worn_out};
use super::program::{Program, Way};
use super::restored::{self, Restored};
use super::spec;
use super::told::{self, Note, Outcome};
use super::work::Worker;
use crate::audit::Part;
use crate::budget::{Budget, Reservation};
use crate::clock;
use crate::collection::Artifact;
use crate::engine::Engine;
use crate::job::Outputs;
use crate::verdict::plain;

/// So often something is tried.
pub const ATTEMPTS: u32 = 3;
/// Before something is tried again.
pub const BEFORE_AGAIN: Duration = Duration::from_millis(200);
/// What a program may write that is expected to write little.
const LEAST_OUTPUT: u64 = 64 << 10;

/// A submission whose tests can be run.
pub struct Submission {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The batches.
    pub batches: Arc<Batches>,
    /// Its batch.
    pub common: Arc<Common>,
    /// What is run.
    pub program: Program,
    /// What was compiled.
    pub artifact: Option<Arc<Artifact>>,
    /// The caller's name for it.
    pub name: Arc<str>,
    /// Whose it is.
    pub tenant: String,
    /// Its place in the batch.
    pub place: u32,
    /// How it is run where a test asks for nothing of its own.
    usual: Result<Way, String>,
    /// For what comparisons of its outputs hold.
    pub comparisons: Arc<Budget>,
    /// Of the memory for sources.
    _share: Reservation,
}

impl Submission {
    /// How a test is run.
    ///
    /// # Errors
    /// Why it can't be, by the rules of today.
    pub fn way(&self, test: &Test) -> Result<Way, String> {
        let spec = &test.spec;
        let own = !spec.args.is_empty() || !spec.env.is_empty() || !spec.limits.is_default();
        let way = if own { self.way_by(&test.spec)? } else { self.usual.as_ref().map_err(Clone::clone)?.another() };
        let asked = self.limits(&spec.limits).output_bytes.is_some();
        let most = self.engine.tenants().plan(self.program.account.tenant).batches.output_bytes;
        let needed = spec.expected_bytes.map_or(0, |bytes| bytes.saturating_mul(2).saturating_add(LEAST_OUTPUT));
        let mut way = way;
        if !asked {
            let output_bytes = way.step.output_bytes.max(needed).min(most);
            if output_bytes != way.step.output_bytes {
                Arc::make_mut(&mut way.step).output_bytes = output_bytes;
            }
        }
        Ok(way)
    }

    fn limits(&self, of_test: &api_spec::LimitsRequest) -> api_spec::LimitsRequest {
        limits(&self.common, &self.program, of_test)
    }

    fn way_by(&self, spec: &spec::TestSpec) -> Result<Way, String> {
        way(&self.engine, &self.common, &self.program, spec)
    }
}

fn limits(common: &Common, program: &Program, of_test: &api_spec::LimitsRequest) -> api_spec::LimitsRequest {
    let all = &common.spec.limits;
    let own = common.spec.limits_by_language.get(&program.program.language.id);
    let limits = own.map_or_else(|| all.clone(), |own| over(all, own));
    over(&limits, of_test)
}

fn way(engine: &Engine, common: &Common, program: &Program, spec: &spec::TestSpec) -> Result<Way, String> {
    let most = engine.tenants().plan(program.account.tenant).batches.output_bytes;
    let limits = limits(common, program, &spec.limits);
    let step = program.step(&spec.args, &spec.env, &limits, Some(most));
    let step = step.map_err(|error| error.problem().detail)?;
    program.way(step, Outputs::default(), &[]).map_err(|error| error.to_string())
}

/// Why no test of a submission can be run.
enum Unfit {
    /// It does not compile.
    Errors(Option<CompileTold>),
    /// By no fault of its own.
    Ours(Reason, u32),
}

/// What is known of a submission under way.
struct Judging {
    worker: Arc<Worker>,
    leased: LeasedSubmission,
    common: Arc<Common>,
    account: Account,
    name: Arc<str>,
    book: Book,
    lanes: Lanes,
    /// What was tried before: how often.
    tried: HashMap<Unit, u32>,
    /// When the last result that was handed over is durable.
    last: Option<oneshot::Receiver<Recorded>>,
    /// For what has a result from before.
    _restored: Reservation,
}

/// Judges a leased submission. When this returns it is over, or was given back.
///
/// # Errors
/// It was given back.
pub async fn judge(worker: Arc<Worker>, account: Account, mut leased: LeasedSubmission) -> Result<(), Missed> {
    let given_back = (leased.batch.clone(), leased.submission);
    let store = Arc::clone(&worker.batches.store);
    let give_back = |units: Vec<Unit>| {
        let (batch, submission) = given_back.clone();
        store.renew(Renewal::Return { batch, submission, units, submission_too: true })
    };
    let common = match worker.common(&account, &leased).await {
        Ok(common) => common,
        Err(missed) => {
            told_off(give_back(Vec::new()).await);
            return Err(missed);
        }
    };
    // Every submission has brought a copy.
    leased.spec = Vec::new();
    let mut book = Book::new(common.tests.len());
    let Restored { done, memory } = match restored::restore(&worker, &account, &leased, &mut book).await {
        Ok(restored) => restored,
        Err(missed) => {
            told_off(give_back(Vec::new()).await);
            return Err(missed);
        }
    };
    let groups: Vec<Option<usize>> = common.worth.iter().map(|test| test.group).collect();
    let lanes = Lanes::new(&groups, common.spec.stop, common.repeat, done);
    let tried = leased.tried.iter().copied().collect();
    let name = leased.name.as_str().into();
    let mut judging =
        Judging { worker, leased, common, account, name, book, lanes, tried, last: None, _restored: memory };
    let mut back = Vec::new();
    let judged = judging.all(&mut back).await;
    if judged.is_err() {
        // What was handed over must be durable before the engine may go.
        if let Some(last) = judging.last.take() {
            drop(last.await);
        }
        // Of a batch that is over nothing is changed by this.
        told_off(give_back(back).await);
    }
    judged
}

fn told_off(returned: Result<(), store::StoreError>) {
    if let Err(error) = returned {
        tracing::warn!(%error, "a lease could not be given back: it counts as tried");
    }
}

impl Judging {
    async fn all(&mut self, back: &mut Vec<Unit>) -> Result<(), Missed> {
        let compile = match self.fit(back).await? {
            Ok((submission, compile)) => {
                self.tests(Arc::new(submission), back).await?;
                (true, compile)
            }
            Err(Unfit::Errors(compile)) => {
                self.none(&Outcome::skipped(), 0).await;
                (false, compile)
            }
            Err(Unfit::Ours(reason, attempt)) => {
                self.none(&Outcome::ours(reason), attempt).await;
                (true, None)
            }
        };
        self.close(compile).await
    }

    /// Makes it ready to be run.
    async fn fit(&mut self, back: &mut Vec<Unit>) -> Result<Result<(Submission, Option<CompileTold>), Unfit>, Missed> {
        let worker = Arc::clone(&self.worker);
        let ours = |why: &str| Unfit::Ours(plain(why), 0);
        // What it holds as long as it is judged: its sources, here and in the bundle of its runs.
        let bytes = 2 * self.leased.submission_spec.len() as u64;
        let share = self.account.memory_of(&worker.engine, &worker.sources, bytes).await?;
        let request: SubmissionRequest = match spec::read(&self.leased.submission_spec) {
            Ok(request) => request,
            Err(error) => return Ok(Err(ours(&format!("What is kept of the submission can't be read: {error}.")))),
        };
        // Its text was kept twice until here.
        self.leased.submission_spec = Vec::new();
        let SubmissionRequest { language, version, source, files, entry, compile_flags, .. } = request;
        let compile_limits = self.common.spec.compile_limits.clone();
        let request = ExecutionRequest {
            language,
            version,
            source,
            files,
            entry,
            compile_flags,
            compile_limits,
            ..ExecutionRequest::default()
        };
        let program = match Program::admit(&worker.engine, self.account.clone(), request).await? {
            Ok(program) => program,
            // It was admitted when it came: a toolchain has gone, or a plan is smaller.
            Err(error) => {
                let why = format!("The submission can't be run any more: {}.", error.problem().detail);
                return Ok(Err(ours(&why)));
            }
        };
        let (artifact, compile) = if program.compiles() {
            match self.compile(&program, back).await? {
                Ok((artifact, compile)) => (Some(Arc::new(artifact)), compile),
                Err(unfit) => return Ok(Err(unfit)),
            }
        } else {
            (None, None)
        };
        let usual = way(&worker.engine, &self.common, &program, &spec::TestSpec::default());
        let submission = Submission {
            engine: Arc::clone(&worker.engine),
            batches: Arc::clone(&worker.batches),
            common: Arc::clone(&self.common),
            program,
            artifact,
            name: Arc::clone(&self.name),
            tenant: self.leased.tenant.clone(),
            place: self.leased.submission,
            usual,
            comparisons: Arc::clone(&worker.comparisons),
            _share: share,
        };
        Ok(Ok((submission, compile)))
    }

    /// Compiles it, which may take several attempts where that is our fault.
    async fn compile(
        &mut self,
        program: &Program,
        back: &mut Vec<Unit>,
    ) -> Result<Result<(Artifact, Option<CompileTold>), Unfit>, Missed> {
        const COMPILE: Unit = Unit { test: None, repeat: 0 };
        let worker = Arc::clone(&self.worker);
        let part = Part {
            batch: Arc::clone(&self.account.batch),
            submission: Some(Arc::clone(&self.name)),
            test: None,
            checker: false,
        };
        let mut tried = self.tried.get(&COMPILE).copied().unwrap_or(0);
        loop {
            if tried >= ATTEMPTS {
                return Ok(Err(Unfit::Ours(plain(&worn_out("Its compile")), tried)));
            }
            let unit = (self.leased.submission, COMPILE);
            let lease = Arc::new(Lease::new(&worker, &self.account, &self.leased.tenant, unit, tried > 0));
            lease.soon().await?;
            let _turn = worker.turn(&self.account, &self.leased.tenant).await?;
            let built = program.compile_leased(&worker.engine, part.clone(), Some(&lease)).await;
            if built.is_err() && lease.attempt().is_some() {
                back.push(COMPILE);
            }
            let built = built?;
            // What has failed before it was leased counts as well, or it would be tried for ever.
            let attempt = lease.attempt().unwrap_or(tried + 1);
            tried = attempt;
            stop_point!("engined.batch.compiled");
            let compile = told::compile(&built.result);
            let verdict = match built.outcome {
                Ok(artifact) => {
                    self.over(COMPILE, attempt, Verdict::Ok, lease.is_alone()).await;
                    return Ok(Ok((artifact, compile)));
                }
                Err((Verdict::EngineError, reason)) => {
                    if attempt >= ATTEMPTS {
                        let reason = reason.unwrap_or_else(|| plain("The compile failed by our fault."));
                        return Ok(Err(Unfit::Ours(reason, attempt)));
                    }
                    tokio::time::sleep(BEFORE_AGAIN).await;
                    continue;
                }
                Err((verdict, _)) => verdict,
            };
            self.over(COMPILE, attempt, verdict, lease.is_alone()).await;
            return Ok(Err(Unfit::Errors(compile)));
        }
    }

    /// A compile is over. The next suspect must not find one unrecorded.
    async fn over(&mut self, unit: Unit, attempt: u32, verdict: Verdict, suspect: bool) {
        let record = Record::Result {
            batch: self.leased.batch.clone(),
            submission: self.leased.submission,
            unit,
            attempt,
            verdict: verdict.name().to_owned(),
            body: Vec::new(),
            note: Vec::new(),
            at: clock::millis(),
        };
        let last = self.worker.recorder.record(record).await;
        if suspect {
            drop(last.await);
        } else {
            self.last = Some(last);
        }
    }

    /// Runs all tests that have no result.
    async fn tests(&mut self, submission: Arc<Submission>, back: &mut Vec<Unit>) -> Result<(), Missed> {
        let mut next: Option<Unit> = None;
        let mut turn = Box::pin(self.worker.gate(&self.leased.tenant).acquire_owned());
        let mut runs: JoinSet<Over> = JoinSet::new();
        let mut missed: Option<Missed> = None;
        let (account, engine) = (self.account.clone(), Arc::clone(&self.worker.engine));
        let mut unwanted = std::pin::pin!(async move { account.unwanted(&engine).await });
        loop {
            if missed.is_none() && next.is_none() {
                next = self.next(&submission, &mut runs);
            }
            self.skip().await;
            if runs.is_empty() {
                match &missed {
                    Some(missed) => return Err(missed.clone()),
                    None if next.is_none() => return Ok(()),
                    None => {}
                }
            }
            tokio::select! {
                biased;
                Some(over) = runs.join_next(), if !runs.is_empty() => match over {
                    Ok(Over { unit, came: Ok(note), last, .. }) => {
                        self.book.add(unit, &note);
                        self.lanes.over(unit, note.stops_nothing());
                        self.last = last.or(self.last.take());
                    }
                    Ok(Over { unit, came: Err(why), uncounted, .. }) => {
                        back.extend(uncounted.then_some(unit));
                        missed.get_or_insert(why);
                    }
                    // A panic was contained: this one is of ours alone. Its submission is taken up again.
                    Err(error) => {
                        tracing::error!(%error, "a run of a batch was lost");
                        missed.get_or_insert(Missed::Draining);
                    }
                },
                permit = &mut turn, if missed.is_none() && next.is_some() => {
                    turn = Box::pin(self.worker.gate(&self.leased.tenant).acquire_owned());
                    if let (Ok(permit), Some(unit)) = (permit, next.take()) {
                        let one = One { worker: Arc::clone(&self.worker), submission: Arc::clone(&submission), unit };
                        runs.spawn(one.run(Some(permit), 0));
                    }
                }
                why = &mut unwanted, if missed.is_none() => missed = Some(why),
            }
        }
    }

    /// The next run that nobody suspects; the others go their own way.
    fn next(&mut self, submission: &Arc<Submission>, runs: &mut JoinSet<Over>) -> Option<Unit> {
        while let Some(unit) = self.lanes.give_out() {
            match self.tried.get(&unit).copied() {
                None | Some(0) => return Some(unit),
                Some(tried) => {
                    let one = One { worker: Arc::clone(&self.worker), submission: Arc::clone(submission), unit };
                    runs.spawn(one.run(None, tried));
                }
            }
        }
        None
    }

    /// Records what is not run as others have failed.
    async fn skip(&mut self) {
        for unit in self.lanes.skipped() {
            self.record(unit, 0, &Outcome::skipped()).await;
        }
    }

    /// Records the same of all that has no result.
    async fn none(&mut self, outcome: &Outcome, attempt: u32) {
        for unit in self.lanes.all() {
            self.record(unit, attempt, outcome).await;
        }
    }

    async fn record(&mut self, unit: Unit, attempt: u32, outcome: &Outcome) {
        let whose = (self.leased.batch.as_str(), self.leased.submission, self.name.as_ref());
        self.last = Some(record(&self.worker, &self.common, whose, (unit, attempt), outcome).await);
        self.book.add(unit, &Note::of(outcome));
    }

    /// All results are there.
    async fn close(&mut self, (compiles, compile): (bool, Option<CompileTold>)) -> Result<(), Missed> {
        let body = self.book.line(&self.name, &self.common, compiles, compile);
        let body = body.unwrap_or_else(|error| {
            tracing::error!(%error, "the line of a submission could not be made");
            b"{}".to_vec()
        });
        let (batch, submission) = (self.leased.batch.clone(), self.leased.submission);
        let record = Record::Submission { batch, submission, body, at: clock::millis() };
        let recorded = self.worker.recorder.record(record).await.await;
        stop_point!("engined.batch.submission_recorded");
        match recorded {
            Ok(Recorded::New(_) | Recorded::Before) => Ok(()),
            Ok(Recorded::Over) => Err(Missed::Cancelled),
            // A result of it is not there: it is taken up again, for that one.
            Err(_) => Err(Missed::Draining),
        }
    }
}
