//! One run of one test: fed, run, and compared as its output comes.

use std::io;
use std::sync::Arc;

use api_spec::{TestVerdict, Verdict};
use store::Unit;

use super::account::Missed;
use super::checker::comparing::{self, Comparing};
use super::checker::spool::{self, Spool};
use super::checker::{Checked, Evidence, Finding};
use super::common::Test;
use super::lease::Lease;
use super::loading::{self, Data};
use super::program::{Ran, Wanted};
use super::submission::Submission;
use super::told::{self, Outcome};
use crate::audit::Part;
use crate::capture::Tap;
use crate::job::Stdin;
use crate::verdict::plain;

/// So much is kept of each stream while a run is judged: a runtime that is short of heap says so at the end of many lines.
const KEPT: usize = 16 << 10;
/// What one attempt comes to.
pub enum Tried {
    /// A result.
    Result(Box<Outcome>),
    /// We have failed: this would be told if it is not tried again.
    Ours(Box<Outcome>),
    /// There is no room on the disk for what it writes: it is run again when there is, and that counts as no other attempt.
    NoRoom {
        /// In words.
        why: String,
        /// So much it writes, as far as that is known: before there is room for it, it is run in vain.
        bytes: u64,
    },
}

/// Runs a unit once. It is known to write so many `bytes`.
///
/// # Errors
/// It is not wanted any more.
pub async fn run(submission: &Submission, unit: Unit, lease: &Lease, bytes: u64) -> Result<Tried, Missed> {
    let common = &submission.common;
    let Some((index, test)) = unit.test.and_then(|test| Some((test, common.test(test)?))) else {
        return Ok(ours("The batch has no such test."));
    };
    let (store, account) = (&submission.batches.store, &submission.program.account);
    let data = match loading::load(&submission.engine, store, account, &submission.tenant, index).await? {
        Ok(data) => data,
        Err(why) => return Ok(ours(&why)),
    };
    let way = match submission.way(test) {
        Ok(way) => way,
        Err(why) => return Ok(ours(&why)),
    };
    let (judge, tap) = match judge(submission, data.expected.as_ref(), bytes).await {
        Ok(judge) => judge,
        Err(error) => return Ok(unkept(&error, bytes)),
    };
    let part = part(submission, test, unit);
    let wanted =
        Wanted { way: &way, artifact: submission.artifact.as_ref(), stdin: data.stdin.clone(), part, head: KEPT, tap };
    let Ran { result, lost, tap } = submission.program.run_leased(&submission.engine, wanted, Some(lease)).await?;
    jail::stop_point!("engined.batch.ran");
    #[cfg(feature = "test-hooks")]
    takes_us_down(test);
    let usage = result.run.as_ref().map(|run| run.usage);
    let streams = result.run.as_ref().map(|run| [&run.stdout, &run.stderr].map(told::head));
    let wrote = result.run.as_ref().map_or(0, |run| run.stdout.bytes);
    let ran = Outcome {
        verdict: TestVerdict::Run(result.verdict),
        share: 0.0,
        reason: result.reason,
        usage,
        checker: None,
        streams,
    };
    if lost || result.verdict == Verdict::EngineError {
        return Ok(Tried::Ours(Box::new(ran)));
    }
    if result.verdict != Verdict::Ok {
        return Ok(Tried::Result(Box::new(ran)));
    }
    let judged = match (judge, tap) {
        (Judge::Comparing(comparing), Some(tap)) => comparing.end(tap).await,
        (Judge::Spool(spool), Some(tap)) => match spool.end(tap).await {
            Ok(output) => checked(submission, test, (unit, data), output).await.map(Ok)?,
            Err(error) => return Ok(unkept(&error, wrote)),
        },
        // Nothing is said of the output.
        _ => return Ok(Tried::Result(Box::new(Outcome { verdict: TestVerdict::Accepted, share: 1.0, ..ran }))),
    };
    match judged {
        Ok(checked) => came_to(checked, ran),
        Err(error) => Ok(ours(&format!("The output could not be judged: {error}."))),
    }
}

/// What a result says of an opinion.
fn came_to(Checked { finding, told }: Checked, ran: Outcome) -> Result<Tried, Missed> {
    let (verdict, share, reason) = match finding {
        Finding::Right => (TestVerdict::Accepted, 1.0, None),
        Finding::Part(share) if share >= 1.0 => (TestVerdict::Accepted, 1.0, None),
        Finding::Part(share) => (TestVerdict::WrongAnswer, share, None),
        Finding::Wrong => (TestVerdict::WrongAnswer, 0.0, None),
        Finding::Failed(reason) => (TestVerdict::CheckerError, 0.0, Some(reason)),
        Finding::Ours(reason) => {
            let verdict = TestVerdict::Run(Verdict::EngineError);
            return Ok(Tried::Ours(Box::new(Outcome { verdict, reason: Some(reason), checker: Some(told), ..ran })));
        }
        Finding::Stopped => return Err(Missed::Cancelled),
    };
    // One that has nothing to say is not told.
    let checker = (told != api_spec::CheckerTold::default()).then_some(told);
    Ok(Tried::Result(Box::new(Outcome { verdict, share, reason, checker, ..ran })))
}

/// Asks the caller's own checker.
async fn checked(
    submission: &Submission,
    test: &Test,
    (unit, data): (Unit, Data),
    output: Arc<std::fs::File>,
) -> Result<Checked, Missed> {
    let finding = match &submission.common.checker {
        Some(Ok(checker)) => {
            let evidence = Evidence { input: data.stdin, answer: data.expected.unwrap_or_default(), output };
            let part = Part { checker: true, ..part(submission, test, unit) };
            return checker.check(&submission.engine, evidence, test.spec.points, part).await;
        }
        Some(Err(finding)) => finding.clone(),
        None => Finding::Ours(plain("The checker is not there.")),
    };
    Ok(Checked { finding, told: api_spec::CheckerTold::default() })
}

fn part(submission: &Submission, test: &Test, unit: Unit) -> Part {
    Part {
        batch: Arc::clone(&submission.program.account.batch),
        submission: Some(Arc::clone(&submission.name)),
        test: Some((Arc::clone(&test.name), unit.repeat)),
        checker: false,
    }
}

/// A test by this name takes the engine down.
#[cfg(feature = "test-hooks")]
fn takes_us_down(test: &Test) {
    if jail::stop::attached() && test.name.as_ref() == "takes the engine down" {
        std::process::abort();
    }
}

fn ours(why: &str) -> Tried {
    Tried::Ours(Box::new(Outcome::ours(plain(why))))
}

/// The output can't be kept for the checker. A full disk is nobody's fault, and passes.
fn unkept(error: &io::Error, bytes: u64) -> Tried {
    let why = format!("The output can't be kept for the checker: {error}.");
    if spool::is_full(error) { Tried::NoRoom { why, bytes } } else { ours(&why) }
}

/// Who judges the output, once it is over.
enum Judge {
    Nobody,
    Comparing(Comparing),
    Spool(Spool),
}

/// Who takes the output: nobody where nothing is said of it.
async fn judge(submission: &Submission, expected: Option<&Stdin>, bytes: u64) -> io::Result<(Judge, Option<Tap>)> {
    let Some(rule) = comparing::rule(submission.common.spec.checker.as_ref()) else {
        let config = &submission.engine.config;
        let folder = config.batches.place().ok_or(io::ErrorKind::NotFound)?;
        let (spool, tap) = Spool::begin(folder, config.health.disk_free, bytes).await?;
        return Ok((Judge::Spool(spool), Some(tap)));
    };
    Ok(match expected {
        Some(expected) => {
            let (comparing, tap) = Comparing::new(rule, expected, &submission.comparisons);
            (Judge::Comparing(comparing), Some(tap))
        }
        None => (Judge::Nobody, None),
    })
}
