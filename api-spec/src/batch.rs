//! What a caller sends to `POST /v1/batches`, and what it gets: many submissions, each judged by the same tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blob::Input;
use crate::content::Content;
use crate::limits::LimitsRequest;
use crate::parse;
use crate::request::{SourceFile, files, limits, null_is_default, word};
use crate::response::{Reason, Usage, Verdict};
use crate::stream::Stream;

/// Submissions and the tests that each of them is judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// The programs. At least one.
    pub submissions: Vec<SubmissionRequest>,
    /// What each of them is run with. At least one.
    pub tests: Vec<TestRequest>,
    /// How the points of tests are put together. A test that names no group counts by itself.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRequest>,
    /// How an output is compared. Without one: `lines` for the tests that have an `expected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checker: Option<CheckerRequest>,
    /// Limits of each run.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
    /// Limits of each compile.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub compile_limits: LimitsRequest,
    /// Limits of runs in one language, over `limits`, under those of a test.
    #[serde(default, deserialize_with = "parse::map_of_objects", skip_serializing_if = "BTreeMap::is_empty")]
    pub limits_by_language: BTreeMap<String, LimitsRequest>,
    /// Whether a submission's other tests are run when one has failed.
    #[serde(default, deserialize_with = "word")]
    pub stop: Stop,
    /// How often each test is run. A test is accepted when every run of it is.
    #[serde(default = "once", deserialize_with = "at_least_once")]
    pub repeat: u32,
    /// How much is told of a run.
    #[serde(default, deserialize_with = "word")]
    pub feedback: Feedback,
    /// The caller's own words about this batch, to be found by, kept in the audit lines of its runs.
    #[serde(default, deserialize_with = "parse::map_without_duplicates", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn once() -> u32 {
    1
}

fn at_least_once<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.unwrap_or(1))
}

/// One program of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmissionRequest {
    /// The caller's name for it, one of its own in the batch.
    pub id: String,
    /// Id or alias of a language.
    pub language: String,
    /// Selects a version by its leading parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The only file. Either this or `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Content>,
    /// Several files. Either this or `source`.
    #[serde(default, deserialize_with = "files", skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SourceFile>>,
    /// Which of the files is run, in languages that run a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Added after the language's own flags.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub compile_flags: Vec<String>,
}

/// One test of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// The caller's name for it, one of its own in the batch.
    pub id: String,
    /// The group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it is worth, from 0 to 1e9.
    #[serde(default, deserialize_with = "null_is_default")]
    pub points: f64,
    /// What the program reads. It must be there; it may be empty.
    pub stdin: Input,
    /// What it should write. Without it a run that is `ok` is accepted, unless a checker needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Input>,
    /// The program's arguments, without its name.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment of the run.
    #[serde(default, deserialize_with = "parse::map_without_duplicates", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Limits of this test, over all others.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
}

/// A group of tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// The name by which tests belong to it.
    pub id: String,
    /// How its points are put together.
    #[serde(default, deserialize_with = "word")]
    pub rule: Rule,
}

/// How the points of a group are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// All of them when every test is accepted, else none.
    All,
    /// The points that its tests have got.
    #[default]
    Sum,
    /// All of them times the least share that a test of it has got.
    Min,
}

/// Whether other tests are run when one has failed. What is not run is `skipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All are run.
    #[default]
    Never,
    /// Those after it, in the order of the tests, are not.
    FirstFailure,
    /// Those after it in its group are not.
    Group,
}

/// How much is told of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// What it wrote, where it differs, what the checker says.
    #[default]
    Full,
    /// Verdict, points and usage.
    VerdictOnly,
}

/// How an output is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckerRequest {
    /// By which rule.
    pub kind: CheckerKind,
    /// `float`: the absolute error that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// `float`: the relative error that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// `program`: the checker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<CheckerProgram>,
}

/// By which rule an output is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckerKind {
    /// Byte for byte.
    Exact,
    /// Line by line, without spaces at their ends and empty lines at the end.
    Lines,
    /// Word by word.
    Tokens,
    /// Word by word, numbers within an error.
    Float,
    /// As `lines`, in any order.
    UnorderedLines,
    /// By a program.
    Program,
}

/// A program that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckerProgram {
    /// Id or alias of a language.
    pub language: String,
    /// Selects a version by its leading parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The only file. Either this or `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Content>,
    /// Several files. Either this or `source`.
    #[serde(default, deserialize_with = "files", skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SourceFile>>,
    /// Which of the files is run, in languages that run a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Added after the language's own flags.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub compile_flags: Vec<String>,
    /// How it is called, and what its end means.
    pub protocol: Protocol,
    /// Added to its arguments.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Limits of each of its runs.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
    /// Limits of its compile.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub compile_limits: LimitsRequest,
}

/// How a checker is called, and what its end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// An output validator of the Kattis problem package format.
    Kattis,
    /// A checker that uses testlib.
    Testlib,
}

/// What became of one run of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TestVerdict {
    /// Right.
    Accepted,
    /// The run was `ok`, its output is not right.
    WrongAnswer,
    /// The checker failed. Nothing is said about the submission.
    CheckerError,
    /// It was not run: another had failed, or the submission did not compile.
    Skipped,
    /// The run's own: everything but `ok` and `compile_error`.
    #[serde(untagged)]
    Run(Verdict),
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SubmissionVerdict {
    /// Its points lie between none and all.
    Partial,
    /// Compiled or not, that of the first test which is not accepted; else accepted.
    #[serde(untagged)]
    Test(TestVerdict),
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Nothing of it was begun.
    Queued,
    /// Something was.
    Running,
    /// Everything has its result.
    Finished,
    /// The caller has cancelled it: what had no result by then gets none.
    Cancelled,
}

impl BatchStatus {
    /// Each of them, in the order of a batch's life.
    pub const ALL: [BatchStatus; 4] =
        [BatchStatus::Queued, BatchStatus::Running, BatchStatus::Finished, BatchStatus::Cancelled];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BatchStatus::Queued => "queued",
            BatchStatus::Running => "running",
            BatchStatus::Finished => "finished",
            BatchStatus::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, BatchStatus::Finished | BatchStatus::Cancelled)
    }
}

/// The answer to `POST /v1/batches` (202), and how a batch stands in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchSummary {
    /// Its name.
    pub id: String,
    /// How far it is.
    pub status: BatchStatus,
    /// How many submissions.
    pub submissions: u64,
    /// How many tests, those of one submission.
    pub tests: u64,
    /// How many results there will be: submissions × tests × repeat.
    pub results: u64,
    /// How many there are.
    pub done: u64,
    /// When it was accepted: RFC 3339, UTC.
    pub created_at: String,
    /// When the last result was recorded or it was cancelled.
    pub finished_at: Option<String>,
    /// The batch that this one judges again.
    pub rejudge_of: Option<String>,
    /// The caller's own words.
    pub labels: BTreeMap<String, String>,
}

/// The answer to `GET /v1/batches/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchResponse {
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchSummary,
    /// How many results of each verdict there are.
    pub verdicts: BTreeMap<String, u64>,
    /// Each submission, in the order of the request.
    pub submission_results: Vec<SubmissionResult>,
}

/// What became of one submission. Null where it is not known yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubmissionResult {
    /// The caller's name for it.
    pub id: String,
    /// Null until its last result.
    pub verdict: Option<SubmissionVerdict>,
    /// What it has got.
    pub points: Option<f64>,
    /// What it could get.
    pub max_points: f64,
    /// How many of its results there are.
    pub done: u64,
    /// The most CPU time of a run.
    pub cpu_time_us_max: Option<u64>,
    /// The highest memory peak of a run.
    pub memory_peak_bytes_max: Option<u64>,
    /// Its compile, as far as it has something to tell: why it failed, and what the compiler wrote.
    pub compile: Option<CompileTold>,
}

/// What is told of a compile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CompileTold {
    /// It was done before.
    pub cached: bool,
    /// Why there is no program.
    pub reason: Option<Reason>,
    /// What the compiler wrote, cut short.
    pub stdout: Stream,
    /// The same of its other stream.
    pub stderr: Stream,
}

/// One line of `GET /v1/batches/{id}/results`, and the data of an event `result`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TestResult {
    /// Its number in the batch, from 1 up, without gaps.
    pub seq: u64,
    /// The submission's id.
    pub submission: String,
    /// The test's id.
    pub test: String,
    /// Which of the repeated runs, from 1 up.
    pub repeat: u32,
    /// How often it was tried: more than once where an engine went down meanwhile. 0 where it was not run.
    pub attempt: u32,
    /// What became of it.
    pub verdict: TestVerdict,
    /// What it has got, before the rule of its group.
    pub points: f64,
    /// Why the run ended as it did.
    pub reason: Option<Reason>,
    /// What the run used. Null where there was none.
    pub usage: Option<Usage>,
    /// What the checker says.
    pub checker: Option<CheckerTold>,
    /// The head of what the program wrote.
    pub stdout: Option<Stream>,
    /// The same of its other stream.
    pub stderr: Option<Stream>,
    /// When it was recorded: RFC 3339, UTC.
    pub finished_at: String,
}

/// What the checker says of an output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckerTold {
    /// In words.
    pub message: Option<String>,
    /// Where the first difference is.
    pub difference: Option<Difference>,
    /// Of a program: its exit code.
    pub exit_code: Option<u8>,
    /// Of a program: what it wrote to its standard error, cut short.
    pub stderr: Option<Stream>,
    /// Of a program: the files that it has left in its feedback folder, by name.
    pub files: BTreeMap<String, Stream>,
}

/// The first place where an output differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// Its line in the output, from 1 up.
    pub line: u64,
    /// Its column there, in bytes from 1 up.
    pub column: u64,
    /// What should stand there, cut short. Null at the end of what was expected.
    pub expected: Option<String>,
    /// What stands there, cut short. Null at the end of the output.
    pub found: Option<String>,
}

/// The body of `POST /v1/batches/{id}/rejudge`; it may be left out. A rejudge is a new batch of the same data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RejudgeRequest {
    /// Only these submissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submissions: Option<Vec<String>>,
}

/// The answer to `GET /v1/batches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchesResponse {
    /// The newest first.
    pub batches: Vec<BatchSummary>,
    /// For `cursor` of the next request. Null at the end.
    pub next: Option<String>,
}
