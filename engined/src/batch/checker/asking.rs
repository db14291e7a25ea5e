//! A program that looks at each output: compiled once, then run on each in a sandbox of its own, like any program of a batch.
//!
//! It finds what it reads in files below [`FOLDER`] in its work directory, so it may read them in any order. They count in its
//! disk and memory limits, and in the engine's memory while its sandbox is made. Of an output that it reads from its standard
//! input, and of one above [`IN_A_FILE`], no copy is made: it comes out of the file that the run has left.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_spec::{
    CheckerProgram, CheckerTold, ExecutionResult, OutputEncoding, OutputFile, OutputSkipped, PathName, Reason, Stream,
    Verdict,
};
use grading::protocol::{CheckerOpinion, End, Paths, Protocol, Said};
use jail::records::Caps;

use super::{Checked, Evidence, Finding};
use crate::audit::Part;
use crate::batch::account::{Account, Missed};
use crate::batch::admission::checker_request;
use crate::batch::program::{Program, Ran, Wanted, Way};
use crate::collection::Artifact;
use crate::engine::Engine;
use crate::job::{Outputs, Stdin, Step};
use crate::problem::Error;
use crate::verdict;

/// Where a checker finds what it is given. No file of its own may be there.
const FOLDER: &str = "judge";
const INPUT: &str = "judge/input";
const ANSWER: &str = "judge/answer";
const OUTPUT: &str = "judge/output";
const FEEDBACK: &str = "judge/feedback";
/// So that the folder is there when the checker begins.
const MARK: &str = "judge/feedback/.judge";
/// By this name a larger output is read.
const PIPED: &str = "/dev/stdin";
/// An output up to this is a file to a checker that wants one: it may go back and forth in it.
const IN_A_FILE: u64 = 16 << 20;
/// So much is kept of what a checker writes to each of its streams.
const HEAD: usize = 16 << 10;
/// By which a checker gives part of the points. They come back before all others, whatever else the folder has.
const SCORES: [&str; 2] = ["judge/feedback/score.txt", "judge/feedback/score_multiplier.txt"];
/// Its words, which come next.
const MESSAGES: [&str; 2] = ["judge/feedback/judgemessage.txt", "judge/feedback/teammessage.txt"];
/// How it is said that a file is not there.
const NOT_FOUND: &str = "not found";
/// How it is said that something is no file.
const FOLDER_THERE: &str = "a folder";
/// What comes back from a feedback folder.
const FEEDBACK_CAPS: Caps = Caps { files: 16, file_bytes: 64 << 10, total_bytes: 256 << 10 };

/// A checker that can be asked.
#[derive(Debug)]
pub struct Checker {
    program: Arc<Program>,
    artifact: Option<Arc<Artifact>>,
    protocol: Protocol,
    /// How it is run on an output that is a file.
    step: Arc<Step>,
    /// And on one that is too large for that.
    piped: Arc<Step>,
    outputs: Outputs,
}

/// The first of a checker's own files that is where it finds what it is given.
#[must_use]
pub fn in_the_way(checker: &CheckerProgram) -> Option<usize> {
    let within = |path: &str| path.strip_prefix(FOLDER).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    checker.files.iter().flatten().position(|file| within(&file.path))
}

/// Of a test, the most that a checker can be given: input and expected output together, where the engine's own memory has
/// so many bytes. It is half of them, less what a checker may write: what is always in use by others could never be had.
#[must_use]
pub fn most_given(engine_memory: u64) -> u64 {
    let outputs = Outputs { globs: globs(), caps: FEEDBACK_CAPS };
    (engine_memory / 2).saturating_sub(told_memory(&outputs))
}

/// For what a run of a checker writes.
fn told_memory(outputs: &Outputs) -> u64 {
    2 * HEAD as u64 + outputs.memory()
}

impl Checker {
    /// Compiles a checker, unless that was done before.
    ///
    /// # Errors
    /// Why there is none: [`Finding::Failed`] or [`Finding::Ours`]. Or it is not wanted any more.
    pub async fn build(
        engine: &Engine,
        account: Account,
        checker: CheckerProgram,
    ) -> Result<Result<Checker, Finding>, Missed> {
        if let Some(index) = in_the_way(&checker) {
            let why = format!("file {index} of the checker is in {FOLDER}, where it finds what it is given; rename it");
            return Ok(Err(Finding::Failed(verdict::plain(&why))));
        }
        let part = Part { batch: Arc::clone(&account.batch), submission: None, test: None, checker: true };
        let protocol = match checker.protocol {
            api_spec::Protocol::Kattis => Protocol::Kattis,
            api_spec::Protocol::Testlib => Protocol::Testlib,
        };
        let (more, limits) = (checker.args.clone(), checker.limits.clone());
        let program = match Program::admit(engine, account, checker_request(checker)).await? {
            Ok(program) => program,
            Err(error) => return Ok(Err(refused(&error))),
        };
        let step = |output| {
            let paths = Paths { input: INPUT, output, answer: ANSWER, feedback: FEEDBACK };
            program.step(&protocol.arguments(&paths, &more), &BTreeMap::new(), &limits, None)
        };
        let (step, piped) = match (step(OUTPUT), step(PIPED)) {
            (Ok(step), Ok(piped)) => (step, piped),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(refused(&error))),
        };
        let artifact = if program.compiles() {
            match program.compile(engine, part).await?.outcome {
                Ok(artifact) => Some(Arc::new(artifact)),
                Err((verdict, reason)) => return Ok(Err(unbuilt(verdict, reason))),
            }
        } else {
            None
        };
        let globs = if protocol.has_feedback() { globs() } else { Vec::new() };
        let outputs = Outputs { globs, caps: FEEDBACK_CAPS };
        Ok(Ok(Checker { program: Arc::new(program), artifact, protocol, step, piped, outputs }))
    }

    /// Asks it about one output, for a test that is worth so many points.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn check(&self, engine: &Engine, evidence: Evidence, points: f64, part: Part) -> Result<Checked, Missed> {
        let most = most_given(engine.memory.limit());
        let asked = match self.asked(evidence, most) {
            Ok(asked) => asked,
            Err(error) => return Ok(ours(&format!("what the checker is to be given can't be read: {error}"))),
        };
        let step = if asked.piped { &self.piped } else { &self.step };
        if let Some(reason) = does_not_fit(step, asked.bytes) {
            return Ok(failed(reason));
        }
        if asked.bytes > most {
            return Ok(failed(too_much(asked.bytes, most)));
        }
        // What its run takes is taken together with what the files take, and given back for it: so nobody waits with memory
        // in hand for what only others who wait could give.
        let run = told_memory(&self.outputs);
        let mut memory = self.program.account.memory(engine, asked.bytes + run).await?;
        let (program, outputs, step) = (Arc::clone(&self.program), self.outputs.clone(), step.clone());
        let Asked { files, stdin, bytes, .. } = asked;
        let made = tokio::task::spawn_blocking(move || {
            let files: Vec<(&str, &Stdin)> = files.iter().map(|(name, data)| (*name, data)).collect();
            program.way(step, outputs, &files)
        });
        let way: Way = match made.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(way) => way,
            Err(error) => return Ok(ours(&format!("what the checker is to be given can't be written: {error}"))),
        };
        memory.settle(bytes);
        let wanted = Wanted { way: &way, artifact: self.artifact.as_ref(), stdin, part, head: HEAD, tap: None };
        let ran = self.program.run(engine, wanted).await?;
        Ok(self.told(ran, points))
    }

    fn asked(&self, evidence: Evidence, most: u64) -> std::io::Result<Asked> {
        let Evidence { input, answer, output } = evidence;
        let output = Stdin::File(output);
        let (length, others) = (output.length()?, input.length()?.saturating_add(answer.length()?));
        let mut files = vec![(INPUT, input), (ANSWER, answer)];
        let mut stdin = Stdin::default();
        let large = length > IN_A_FILE || others.saturating_add(length) > most;
        let piped = !self.protocol.output_on_stdin() && large;
        if piped || self.protocol.output_on_stdin() {
            stdin = output;
        } else {
            files.push((OUTPUT, output));
        }
        if self.protocol.has_feedback() {
            files.push((MARK, Stdin::default()));
        }
        let bytes = files.iter().map(|(_, data)| data.length()).sum::<std::io::Result<u64>>()?;
        Ok(Asked { files, stdin, piped, bytes })
    }

    fn told(&self, ran: Ran, points: f64) -> Checked {
        let Ran { result, lost, .. } = ran;
        let ExecutionResult { verdict, reason, run, outputs, outputs_skipped: skipped, outputs_omitted, .. } = result;
        let message = reason.as_ref().map(|reason| reason.message.clone()).unwrap_or_default();
        if lost || matches!(verdict, Verdict::EngineError | Verdict::Cancelled) {
            let message = if message.is_empty() { "the checker's sandbox was lost" } else { &message };
            return ours(&format!("The checker could not be run: {message}"));
        }
        let (exit_code, stderr) = run.map(|run| (run.exit_code, run.stderr)).unzip();
        let exit_code = exit_code.flatten();
        let end = match (verdict, exit_code) {
            (Verdict::Ok | Verdict::RuntimeError, Some(code)) => End::Exited(code),
            _ => End::Otherwise(&message),
        };
        let files = feedback(&outputs);
        let head = stderr.as_ref().and_then(|stream| stream.to_bytes().ok()).unwrap_or_default();
        let said = Said { stderr: &head, files: &files };
        let unsure = if self.protocol.has_feedback() { unsure(&outputs, &skipped) } else { None };
        let finding = match (self.protocol.opinion(end, &said, points), unsure) {
            (CheckerOpinion::Wrong { share }, _) if share <= 0.0 => Finding::Wrong,
            // Without its score it would be worth more than it is.
            (CheckerOpinion::Accepted | CheckerOpinion::Wrong { .. }, Some(why)) => {
                Finding::Failed(verdict::plain(&why))
            }
            (CheckerOpinion::Accepted, None) => Finding::Right,
            (CheckerOpinion::Wrong { share }, None) => Finding::Part(share),
            (CheckerOpinion::Failed(why), _) => {
                let limit = reason.filter(|_| matches!(end, End::Otherwise(_)));
                Finding::Failed(Reason { message: sentence(&why), ..limit.unwrap_or_else(|| verdict::plain("")) })
            }
        };
        let files: BTreeMap<String, Stream> = outputs.iter().filter_map(shown).collect();
        let left_out = skipped.iter().filter(|skipped| ![NOT_FOUND, FOLDER_THERE].contains(&skipped.reason.as_str()));
        let told = CheckerTold {
            message: self.protocol.message(&said),
            difference: None,
            exit_code,
            stderr: stderr.filter(|stream| stream.bytes > 0),
            files,
            files_omitted: outputs_omitted.saturating_add(left_out.count() as u64),
        };
        Checked { finding, told }
    }
}

/// What a run of a checker is given.
struct Asked {
    files: Vec<(&'static str, Stdin)>,
    stdin: Stdin,
    piped: bool,
    bytes: u64,
}

/// What is more than its limits allow is not even put together.
fn does_not_fit(step: &Step, bytes: u64) -> Option<Reason> {
    use api_spec::LimitName::{DiskBytes, MemoryBytes};
    let limits = [(DiskBytes, step.limits.disk.0), (MemoryBytes, step.limits.memory.0)];
    let (limit, value) = limits.into_iter().find(|(_, value)| bytes > *value)?;
    let message = format!(
        "The checker was not run: input, expected output and output are {bytes} bytes, and its {limit} is {value}. Raise it in \
         /checker/program/limits."
    );
    Some(Reason { limit: Some(limit), value: Some(value), observed: Some(bytes), message, hint: None })
}

/// What is asked for of a feedback folder: files that are named come first.
fn globs() -> Vec<String> {
    let named = SCORES.into_iter().chain(MESSAGES).map(str::to_owned);
    named.chain([format!("{FEEDBACK}/**")]).collect()
}

/// Why it isn't known whether the checker has given part of the points: of each file that says so it must be known that it
/// came back whole, or that there is none.
fn unsure(outputs: &[OutputFile], skipped: &[OutputSkipped]) -> Option<String> {
    let is = |path: &PathName, name: &str| matches!(path, PathName::Text(path) if path == name);
    SCORES.into_iter().find_map(|name| {
        let why = match outputs.iter().find(|file| is(&file.path, name)) {
            Some(file) if !file.truncated => return None,
            Some(file) => {
                let most = FEEDBACK_CAPS.file_bytes;
                format!("it has {} bytes, of which at most {most} come back", file.bytes)
            }
            None => {
                let mut reasons =
                    skipped.iter().filter(|skipped| is(&skipped.path, name)).map(|skipped| &skipped.reason);
                match reasons.clone().find(|reason| *reason == NOT_FOUND).or_else(|| reasons.next()) {
                    Some(reason) if reason == NOT_FOUND => return None,
                    Some(reason) => reason.clone(),
                    None => "nothing is known of it".to_owned(),
                }
            }
        };
        let file = name.rsplit('/').next().unwrap_or(name);
        Some(format!("The checker's {file} did not come back: {why}. So it isn't known what the output is worth."))
    })
}

/// What the engine could never have the memory for.
fn too_much(bytes: u64, most: u64) -> Reason {
    verdict::plain(&format!(
        "The checker was not run: input and expected output are {bytes} bytes, and this engine can give a checker {most} \
         (engine_memory_bytes). Have the operator raise it."
    ))
}

/// The files of the feedback folder, by their names in it.
fn feedback(outputs: &[OutputFile]) -> BTreeMap<String, Vec<u8>> {
    let file = |file: &OutputFile| Some((name(file)?.to_owned(), file.to_bytes().ok()?));
    outputs.iter().filter_map(file).collect()
}

fn name(file: &OutputFile) -> Option<&str> {
    match &file.path {
        PathName::Text(path) if path != MARK => path.strip_prefix(FEEDBACK)?.strip_prefix('/'),
        _ => None,
    }
}

fn shown(file: &OutputFile) -> Option<(String, Stream)> {
    let stream = Stream::new(file.to_bytes().ok()?, file.bytes, OutputEncoding::default());
    Some((name(file)?.to_owned(), stream))
}

fn refused(error: &Error) -> Finding {
    let reason = verdict::plain(&format!("The checker can't be run: {}.", error.problem().detail));
    match error {
        Error::NotReady(_) | Error::Internal(_) => Finding::Ours(reason),
        _ => Finding::Failed(reason),
    }
}

fn unbuilt(verdict: Verdict, reason: Option<Reason>) -> Finding {
    let message = reason.as_ref().map(|reason| reason.message.as_str()).unwrap_or_default();
    let told = format!("The checker could not be compiled: {message}");
    let reason = Reason { message: told, ..reason.unwrap_or_else(|| verdict::plain("")) };
    if verdict == Verdict::EngineError { Finding::Ours(reason) } else { Finding::Failed(reason) }
}

fn failed(reason: Reason) -> Checked {
    Checked { finding: Finding::Failed(reason), told: CheckerTold::default() }
}

fn ours(message: &str) -> Checked {
    Checked { finding: Finding::Ours(verdict::plain(&sentence(message))), told: CheckerTold::default() }
}

/// With a capital at its start and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, kept: &[u8], bytes: u64) -> OutputFile {
        OutputFile::new(format!("{FEEDBACK}/{name}").into_bytes(), kept, bytes)
    }

    fn skipped(name: &str, reason: &str) -> OutputSkipped {
        OutputSkipped { path: PathName::new(format!("{FEEDBACK}/{name}").into_bytes()), reason: reason.to_owned() }
    }

    #[test]
    fn a_checker_is_given_no_more_than_can_be_had() {
        let (given, memory) = (most_given(512 << 20), told_memory(&Outputs { globs: globs(), caps: FEEDBACK_CAPS }));
        assert!(given + memory <= 256 << 20 && given > 200 << 20, "{given}");
        assert_eq!(most_given(1 << 20), 0);
        assert!(too_much(7, 5).message.contains("are 7 bytes") && too_much(7, 5).message.contains("a checker 5 ("));
    }

    #[test]
    fn a_score_that_did_not_come_back_is_none() {
        let none = ["score.txt", "score_multiplier.txt"].map(|name| skipped(name, "not found"));
        assert_eq!(unsure(&[], &none), None);
        assert_eq!(unsure(&[file("score.txt", b"1", 1)], &none[1..]), None);
        let told = |outputs: &[OutputFile], skipped: &[OutputSkipped]| unsure(outputs, skipped).unwrap();
        assert!(told(&[], &none[..1]).contains("score_multiplier.txt did not come back"));
        assert!(told(&[file("score.txt", b"1", 70_000)], &none[1..]).contains("70000 bytes, of which at most 65536"));
        let link = [skipped("score.txt", "a symbolic link"), skipped("score_multiplier.txt", "not found")];
        assert!(told(&[], &link).contains("a symbolic link"));
        // All that was asked for is passed over where the search was cut short; what came before that is there.
        let cut = ["score.txt", "score_multiplier.txt", "**"].map(|name| skipped(name, "cut short: too much"));
        assert!(told(&[], &cut).contains("cut short"));
        assert_eq!(unsure(&[], &[none.to_vec(), cut.to_vec()].concat()), None);
    }
}
