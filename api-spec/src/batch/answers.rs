//! What is told of a batch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::response::{Reason, Usage, Verdict};
use crate::stream::Stream;

/// What became of one run of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

impl TestVerdict {
    /// Whether it says nothing about the program: the checker or the engine has failed.
    #[must_use]
    pub const fn is_unjudged(self) -> bool {
        matches!(self, TestVerdict::CheckerError | TestVerdict::Run(Verdict::EngineError))
    }
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionVerdict {
    /// Its points lie between none and all, and all of its results say something about it.
    Partial,
    /// Compiled or not, that of the first test which is not accepted; else accepted. Where points lie between none and all as a
    /// test could not be judged, that of the first such test.
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

/// The data of an event `progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchProgress {
    /// How many results there are.
    pub done: u64,
    /// How many there will be.
    pub results: u64,
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
    /// The points of each group, after its rule, in the order of the request. Empty where all submissions of the batch together
    /// have more than 100,000.
    #[serde(default)]
    pub groups: Vec<GroupPoints>,
    /// How many of its results there are.
    pub done: u64,
    /// How many of them say nothing about it: `checker_error` and `engine_error`. 0 until its last result.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub unjudged: u64,
    /// The most CPU time of a run.
    pub cpu_time_us_max: Option<u64>,
    /// The highest memory peak of a run.
    pub memory_peak_bytes_max: Option<u64>,
    /// Its compile, as far as it has something to tell: why it failed, and what the compiler wrote.
    pub compile: Option<CompileTold>,
}

/// The points of a group: what its rule makes of those of its tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GroupPoints {
    /// The caller's name for it.
    pub id: String,
    /// What the submission has got in it. Null until its last result.
    pub points: Option<f64>,
    /// What it could get there.
    pub max_points: f64,
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
    /// What it has got, before the rule of its group: those of a submission are no sum of these.
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
    /// How many more it has left there: those for which a line has no room.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub files_omitted: u64,
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

/// The answer to `GET /v1/batches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchesResponse {
    /// The newest first.
    pub batches: Vec<BatchSummary>,
    /// For `cursor` of the next request. Null at the end.
    pub next: Option<String>,
}
