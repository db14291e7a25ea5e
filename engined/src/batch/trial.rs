//! One run of one test: fed, run, and compared as its output comes.

use std::any::Any;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use api_spec::{CheckerKind, CheckerRequest, CheckerTold, TestVerdict, Verdict};
use grading::compare::{Rule, Tolerance};
use grading::{Compare, Expected, Opinion};
use store::{Answer, Datum, Question, Unit};

use super::program::{Missed, Ran, Wanted};
use super::submission::Submission;
use super::told::{HEAD, Outcome};
use crate::audit::Part;
use crate::capture::{Take, Tap};
use crate::job::Stdin;
use crate::verdict::plain;

/// So much is kept of each stream while a run is judged: a runtime that is short of heap says so at the end of many lines.
const KEPT: usize = 16 << 10;
/// So much of what is expected is read at a time.
const BUFFER: usize = 64 << 10;

/// What one attempt comes to.
pub enum Tried {
    /// A result.
    Result(Box<Outcome>),
    /// We have failed: this would be told if it is not tried again.
    Ours(Box<Outcome>),
}

/// Compares what comes.
struct Comparing(Box<dyn Compare>);

impl Take for Comparing {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.feed(bytes)
    }
}

/// Keeps what comes for a checker that is a program.
struct Spooling(File);

impl Take for Spooling {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// Reads what is expected, beside others who read the same file.
struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The comparison that a checker asks for; `None` for a program.
#[must_use]
pub fn rule(checker: Option<&CheckerRequest>) -> Option<Rule> {
    let Some(checker) = checker else { return Some(Rule::Lines) };
    Some(match checker.kind {
        CheckerKind::Exact => Rule::Exact,
        CheckerKind::Lines => Rule::Lines,
        CheckerKind::Tokens => Rule::Tokens,
        CheckerKind::Float => Rule::Float(Tolerance::new(checker.absolute, checker.relative)),
        CheckerKind::UnorderedLines => Rule::UnorderedLines,
        CheckerKind::Program => return None,
    })
}

/// What a test is made of.
struct Data {
    stdin: Stdin,
    /// `None`: nothing is said of the output.
    expected: Option<Stdin>,
}

/// Runs a unit once.
///
/// # Errors
/// It is not wanted any more.
pub async fn run(submission: &Submission, unit: Unit) -> Result<Tried, Missed> {
    let common = &submission.common;
    let Some((index, test)) = unit.test.and_then(|test| Some((test, common.test(test)?))) else {
        return Ok(ours("The batch has no such test."));
    };
    let data = match data(submission, index).await {
        Ok(data) => data,
        Err(why) => return Ok(ours(&why)),
    };
    let way = match submission.way(test) {
        Ok(way) => way,
        Err(why) => return Ok(ours(&why)),
    };
    let tap = match tap(submission, data.expected.as_ref()) {
        Ok(tap) => tap,
        Err(error) => return Ok(ours(&format!("The output can't be kept for the checker: {error}."))),
    };
    let part = Part {
        batch: Arc::clone(&submission.program.account.batch),
        submission: Some(Arc::clone(&submission.name)),
        test: Some((Arc::clone(&test.name), unit.repeat)),
        checker: false,
    };
    let wanted =
        Wanted { way: &way, artifact: submission.artifact.as_ref(), stdin: data.stdin.clone(), part, head: KEPT, tap };
    let Ran { result, lost, tap } = submission.program.run(&submission.engine, wanted).await?;
    jail::stop_point!("engined.batch.ran");
    let usage = result.run.as_ref().map(|run| run.usage);
    let streams = result.run.as_ref().map(|run| [&run.stdout, &run.stderr].map(head));
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
    let Some(tap) = tap else {
        return Ok(Tried::Result(Box::new(Outcome { verdict: TestVerdict::Accepted, share: 1.0, ..ran })));
    };
    match tap.end().await {
        Ok(taken) => judged(submission, (unit, &data), taken, ran).await,
        Err(error) => Ok(ours(&format!("The output could not be compared: {error}."))),
    }
}

fn ours(why: &str) -> Tried {
    Tried::Ours(Box::new(Outcome::ours(plain(why))))
}

fn head(stream: &api_spec::Stream) -> api_spec::Stream {
    let mut kept = stream.to_bytes().unwrap_or_default();
    kept.truncate(HEAD);
    api_spec::Stream::new(kept, stream.bytes, api_spec::OutputEncoding::default())
}

/// Loads what a test is made of. It is asked for until the store answers.
async fn data(submission: &Submission, test: u32) -> Result<Data, String> {
    let question = Question::Data { batch: submission.program.account.batch.to_string(), test };
    let answer = submission.batches.store.read(question).await.map_err(|error| error.to_string())?;
    let Answer::Data(stdin, expected) = answer else { return Err("The store has answered something else.".to_owned()) };
    let stdin = loaded(submission, stdin)?.unwrap_or_default();
    Ok(Data { stdin, expected: loaded(submission, expected)? })
}

fn loaded(submission: &Submission, datum: Datum) -> Result<Option<Stdin>, String> {
    let hash = match datum {
        Datum::Absent => return Ok(None),
        Datum::Inline(bytes) => return Ok(Some(Stdin::Bytes(bytes))),
        Datum::Blob(hash) => api_spec::Sha256(hash),
    };
    let blobs = submission.engine.blobs.as_ref().ok_or("The engine has no blobs any more: see [blobs].")?;
    let found = blobs.referred(&submission.tenant, hash).map_err(|error| format!("The blob {hash}: {error}."))?;
    let blob = found.ok_or_else(|| format!("The blob {hash} is not there any more."))?;
    Ok(Some(Stdin::File(blob.file)))
}

/// Who takes the output: nobody where nothing is said of it.
fn tap(submission: &Submission, expected: Option<&Stdin>) -> io::Result<Option<Tap>> {
    let Some(rule) = rule(submission.common.spec.checker.as_ref()) else {
        return Ok(Some(Tap::elsewhere(Box::new(Spooling(submission.spool()?)))));
    };
    Ok(expected.map(|expected| match expected {
        Stdin::Bytes(bytes) => {
            let expected: Expected = Box::new(Cursor::new(bytes.clone()));
            Tap::here(Box::new(Comparing(rule.against(expected))))
        }
        Stdin::File(file) => {
            let reader = Reader { file: Arc::clone(file), at: 0 };
            let expected: Expected = Box::new(BufReader::with_capacity(BUFFER, reader));
            Tap::elsewhere(Box::new(Comparing(rule.against(expected))))
        }
    }))
}

/// What an output is worth that came of a run without a mistake.
async fn judged(
    submission: &Submission,
    (unit, data): (Unit, &Data),
    taken: Box<dyn Take>,
    ran: Outcome,
) -> Result<Tried, Missed> {
    let comparing = match sorted(taken) {
        Some(Sorted::Compared(comparing)) => comparing,
        Some(Sorted::Spooled(file)) => {
            return submission.checked(unit, (&data.stdin, data.expected.as_ref()), file, ran).await;
        }
        None => return Ok(ours("The output went elsewhere.")),
    };
    // What is left of what is expected may have to be read from a disk.
    let opinion = match data.expected {
        Some(Stdin::File(_)) => tokio::task::spawn_blocking(|| comparing.finish())
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error))),
        _ => comparing.finish(),
    };
    Ok(Tried::Result(Box::new(match opinion {
        Ok(Opinion::Right) => Outcome { verdict: TestVerdict::Accepted, share: 1.0, ..ran },
        Ok(Opinion::Wrong(difference)) => {
            let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let grading::Difference { line, column, expected, found, message } = difference;
            let (expected, found) = (text(expected), text(found));
            let difference = Some(api_spec::Difference { line, column, expected, found });
            let told = CheckerTold { message: Some(message), difference, ..CheckerTold::default() };
            Outcome { verdict: TestVerdict::WrongAnswer, checker: Some(told), ..ran }
        }
        Err(error) => return Ok(ours(&format!("The output could not be compared: {error}."))),
    })))
}

enum Sorted {
    Compared(Box<dyn Compare>),
    Spooled(File),
}

fn sorted(taken: Box<dyn Take>) -> Option<Sorted> {
    let taken: Box<dyn Any> = taken;
    match taken.downcast::<Comparing>() {
        Ok(comparing) => Some(Sorted::Compared(comparing.0)),
        Err(other) => other.downcast::<Spooling>().ok().map(|spooling| Sorted::Spooled(spooling.0)),
    }
}
