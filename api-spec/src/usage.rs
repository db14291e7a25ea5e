//! What tenants have used: `GET /v1/usage`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer of `GET /v1/usage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsageResponse {
    /// The first UTC day that was asked for: `2026-11-26`.
    pub first_day: String,
    /// The last one, which is in the answer too.
    pub last_day: String,
    /// The UTC day from which on everything is counted; null as long as there is nothing.
    pub since: Option<String>,
    /// Whether the counters outlive the engine.
    pub durable: bool,
    /// Audit lines that are written and not counted yet: 0, unless the disk is in trouble.
    pub behind_records: u64,
    /// By tenant, day and language, in this order. What was not used is not there.
    pub usage: Vec<UsageRow>,
}

/// What one tenant has used of one language on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsageRow {
    /// The tenant's name.
    pub tenant: String,
    /// The UTC day: that of each execution's end.
    pub day: String,
    /// The language's id.
    pub language: String,
    /// How many executions ended, by themselves or not.
    pub executions: u64,
    /// How many of them with which verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// CPU time of the runs.
    pub cpu_time_us: u64,
    /// CPU time of the compiles, those that were done before apart.
    pub compile_cpu_time_us: u64,
    /// Each peak of memory times the wall time of its step, in KiB × ms: 1,048,576,000 is one GiB for 1,000 s.
    pub memory_kib_ms: u64,
    /// What the runs wrote to their streams, and the files that came back.
    pub output_bytes: u64,
}
