//! What comes back of an execution that is not over, or that was only checked.

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::response::{LanguageUsed, Status};

/// How far an execution is that was sent with `wait=false` and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExecutionStatus {
    /// Names this execution, for ever.
    pub id: String,
    /// `queued` or `running`.
    pub status: Status,
    /// About how many start before it, 0 for the next one; null once it runs.
    pub position: Option<u64>,
    /// Which step runs; null while it waits.
    pub stage: Option<Stage>,
}

/// The steps of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From source to program.
    Compile,
    /// The program itself.
    Run,
}

/// The answer to `validate=true` where a run would have begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ValidationResponse {
    /// Always true: what is wrong is a problem.
    pub valid: bool,
    /// What would run it.
    pub language: LanguageUsed,
    /// The limits that the run would have.
    pub limits: Limits,
    /// Those of the compile step; null for a language without one.
    pub compile_limits: Option<Limits>,
}
