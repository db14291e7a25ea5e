//! What a caller sends to `POST /v1/batches`: many submissions, each judged by the same tests.

mod answers;
mod check;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blob::Input;
use crate::check::Caps;
use crate::content::Content;
use crate::limits::LimitsRequest;
use crate::parse;
use crate::problem::Problem;
use crate::request::{SourceFile, files, limits, null_is_default, word};

pub use answers::{
    BatchProgress, BatchResponse, BatchStatus, BatchSummary, BatchesResponse, CheckerTold, CompileTold, Difference,
    GroupPoints, SubmissionResult, SubmissionVerdict, TestResult, TestVerdict,
};
pub use check::ID_BYTES;
pub use read::{POINTS_MAX, REPEAT_MAX, SUBMISSIONS_MAX, TESTS_MAX};

/// Submissions and the tests that each of them is judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// The programs. At least one.
    #[serde(deserialize_with = "read::submissions")]
    pub submissions: Vec<SubmissionRequest>,
    /// What each of them is run with. At least one.
    #[serde(deserialize_with = "read::tests")]
    pub tests: Vec<TestRequest>,
    /// How the points of tests are put together. A test that names no group counts by itself.
    #[serde(default, deserialize_with = "read::groups", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRequest>,
    /// How an output is compared. Without one: `lines` for the tests that have an `expected`.
    #[serde(default, deserialize_with = "read::object", skip_serializing_if = "Option::is_none")]
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
    #[serde(default = "once", deserialize_with = "read::repeat")]
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
    #[serde(default, deserialize_with = "read::points")]
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
    /// Those after one that failed, in the order of the tests, are not. What could not be judged has not failed.
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
    #[serde(deserialize_with = "read::word")]
    pub kind: CheckerKind,
    /// `float`: the absolute error that is allowed.
    #[serde(default, deserialize_with = "read::tolerance", skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// `float`: the relative error that is allowed.
    #[serde(default, deserialize_with = "read::tolerance", skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// `program`: the checker.
    #[serde(default, deserialize_with = "read::object", skip_serializing_if = "Option::is_none")]
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

impl CheckerKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CheckerKind::Exact => "exact",
            CheckerKind::Lines => "lines",
            CheckerKind::Tokens => "tokens",
            CheckerKind::Float => "float",
            CheckerKind::UnorderedLines => "unordered_lines",
            CheckerKind::Program => "program",
        }
    }
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
    #[serde(deserialize_with = "read::word")]
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

/// The body of `POST /v1/batches/{id}/rejudge`; it may be left out. A rejudge is a new batch of the same data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RejudgeRequest {
    /// Only these submissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submissions: Option<Vec<String>>,
}

impl BatchRequest {
    /// Reads a body and checks everything that needs neither the languages nor the plan nor the blobs.
    ///
    /// # Errors
    /// The first mistake, with a pointer to its field.
    pub fn from_json(body: &[u8], caps: &Caps) -> Result<Self, Problem> {
        let request: BatchRequest = parse::from_json(body).map_err(check::not_yet)?;
        request.check(caps)?;
        Ok(request)
    }

    /// The second half of [`BatchRequest::from_json`], for a request that was made in another way.
    ///
    /// # Errors
    /// The first mistake, with a pointer to its field.
    pub fn check(&self, caps: &Caps) -> Result<(), Problem> {
        check::batch(self, caps)
    }

    /// How many results there will be: submissions × tests × repeat. `u64::MAX` where that is more than can be counted.
    #[must_use]
    pub fn results(&self) -> u64 {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let of_one = count(self.tests.len()).saturating_mul(self.repeat.into());
        count(self.submissions.len()).saturating_mul(of_one)
    }
}

impl RejudgeRequest {
    /// Reads a body, which may be empty.
    ///
    /// # Errors
    /// The first mistake, with a pointer to its field.
    pub fn from_json(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(RejudgeRequest::default());
        }
        let request: RejudgeRequest = parse::from_json(body)?;
        check::rejudge(&request)?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests;
