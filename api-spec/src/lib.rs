//! The contract of engined with its callers: what they send, what they get, what they are told when neither works.
//!
//! Theory of operation: a body becomes an [`ExecutionRequest`] by [`ExecutionRequest::from_json`] and by nothing else
//! in the engine. What it returns is decoded and has the right shape: exactly one of `source` and `files`, safe and
//! distinct paths, legal environment names, no NUL where the kernel would stop, labels within their caps, limits from
//! 1 up, base64 decoded, files within the [`Caps`], nothing that comes with a later version. What depends on the
//! languages or the plan (versions, entry, flags, floors, ceilings) is the engine's to check. Every mistake is a [`Problem`] that points at
//! its field; [`Problem::answer`] ties it to a request and makes the body of the answer.
//!
//! `openapi.yaml` says the same for machines, `README.md` for people. Tests compare both with these types.

#![forbid(unsafe_code)]

pub mod batch;
pub mod blob;
pub mod catalogue;
pub mod check;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod content;
pub mod limits;
pub mod openapi;
pub mod parse;
mod plain;
pub mod problem;
pub mod query;
#[cfg(test)]
mod readme;
pub mod request;
pub mod response;
pub mod status;
pub mod stream;
pub mod usage;

pub use batch::{
    BatchProgress, BatchRequest, BatchResponse, BatchStatus, BatchSummary, BatchesResponse, CheckerKind,
    CheckerProgram, CheckerRequest, CheckerTold, CompileTold, Difference, Feedback, GroupPoints, GroupRequest,
    Protocol, RejudgeRequest, Rule, Stop, SubmissionRequest, SubmissionResult, SubmissionVerdict, TestRequest,
    TestResult, TestVerdict,
};
pub use blob::{Input, Sha256};
pub use catalogue::{
    ApiVersion, CgroupVersion, Degraded, DrainResponse, DrainStatus, Health, HealthResponse, IsolationResponse,
    Language, LanguageVersion, LanguagesResponse, LayerState, Ready, ReadyResponse, StepLimits, UnavailableLanguage,
    VersionResponse,
};
pub use check::Caps;
pub use content::Content;
pub use limits::{LimitName, Limits, LimitsRequest};
pub use openapi::{OPENAPI_JSON, OPENAPI_YAML, openapi};
pub use parse::{VALUES_MAX, values};
pub use problem::{Code, Problem, ProblemBody};
pub use query::{
    BatchesQuery, ExecutionQuery, ResultsQuery, UsageQuery, batches_query, check_no_query, events_query,
    execution_query, idempotency_key, result_query, results_query, usage_query,
};
pub use request::{ExecutionRequest, OnOutputLimit, OutputEncoding, Priority, SourceFile};
pub use response::{
    CompileResult, ExecutionResult, Hint, Isolation, LanguageUsed, MemoryPeakSource, OutputFile, OutputSkipped,
    PathName, Reason, RunResult, Start, Status, Timings, Usage, Verdict,
};
pub use status::{ExecutionStatus, Stage, ValidationResponse};
pub use stream::{Data, Stream};
pub use usage::{UsageResponse, UsageRow};

/// The media type of results and of everything else that is no problem.
pub const JSON: &str = "application/json";
/// The media type of results of a batch: a line of JSON each.
pub const NDJSON: &str = "application/x-ndjson";
/// The media type of events of a batch.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of blobs.
pub const BYTES: &str = "application/octet-stream";
/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";
