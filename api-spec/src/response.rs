//! What comes back from `POST /v1/executions`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::limits::LimitName;
use crate::stream::Stream;

/// How one execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExecutionResult {
    /// Names this execution, for ever.
    pub id: String,
    /// Always `finished` in a result.
    pub status: Status,
    /// How it ended, in one word.
    pub verdict: Verdict,
    /// Why; null for `ok`.
    pub reason: Option<Reason>,
    /// What ran it.
    pub language: LanguageUsed,
    /// The compile step; null for a language without one.
    pub compile: Option<CompileResult>,
    /// The run; null when the compile failed.
    pub run: Option<RunResult>,
    /// Files that were brought back.
    pub outputs: Vec<OutputFile>,
    /// Files that were asked for and not brought back.
    pub outputs_skipped: Vec<OutputSkipped>,
    /// How many more were not brought back, beside those listed.
    pub outputs_omitted: u64,
    /// Where the time went.
    pub timings: Timings,
    /// What kept the program in.
    pub isolation: Isolation,
    /// The labels of the request.
    pub labels: BTreeMap<String, String>,
}

/// How far an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a slot.
    Queued,
    /// It is compiled or runs.
    Running,
    /// It is over.
    Finished,
}

/// How an execution ended. The first that fits, in this order; `compile_error` before all but the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Our failure, not the program's.
    EngineError,
    /// The caller cancelled it.
    Cancelled,
    /// Too much output, and the request said `kill`.
    OutputLimit,
    /// The kernel killed for memory in the program's cgroup.
    MemoryLimit,
    /// It used more CPU time than allowed, whoever ended it.
    CpuTimeLimit,
    /// It took too long.
    WallTimeLimit,
    /// The system call filter killed it.
    SecurityViolation,
    /// It failed, and it could not start another process or thread.
    ProcessLimit,
    /// It failed, and its work directory was full.
    DiskLimit,
    /// A signal ended it.
    Signalled,
    /// Its exit code is not 0.
    RuntimeError,
    /// Its exit code is 0.
    Ok,
    /// The compile step did not succeed.
    CompileError,
}

impl Verdict {
    /// Every verdict, in the order of the contract.
    pub const ALL: [Verdict; 13] = [
        Verdict::EngineError,
        Verdict::Cancelled,
        Verdict::OutputLimit,
        Verdict::MemoryLimit,
        Verdict::CpuTimeLimit,
        Verdict::WallTimeLimit,
        Verdict::SecurityViolation,
        Verdict::ProcessLimit,
        Verdict::DiskLimit,
        Verdict::Signalled,
        Verdict::RuntimeError,
        Verdict::Ok,
        Verdict::CompileError,
    ];

    /// Its name in answers, and its label in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::EngineError => "engine_error",
            Verdict::Cancelled => "cancelled",
            Verdict::OutputLimit => "output_limit",
            Verdict::MemoryLimit => "memory_limit",
            Verdict::CpuTimeLimit => "cpu_time_limit",
            Verdict::WallTimeLimit => "wall_time_limit",
            Verdict::SecurityViolation => "security_violation",
            Verdict::ProcessLimit => "process_limit",
            Verdict::DiskLimit => "disk_limit",
            Verdict::Signalled => "signalled",
            Verdict::RuntimeError => "runtime_error",
            Verdict::Ok => "ok",
            Verdict::CompileError => "compile_error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a verdict was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The limit that was hit, where one was.
    pub limit: Option<LimitName>,
    /// Its value, in the unit of its name.
    pub value: Option<u64>,
    /// What was seen, in the same unit.
    pub observed: Option<u64>,
    /// One sentence for people.
    pub message: String,
    /// What programs may want to know beyond the verdict.
    pub hint: Option<Hint>,
}

/// What programs may want to know beyond the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// The language's runtime ran out of its own heap.
    Heap,
    /// It got no slot in the time that a run may wait, and never began.
    QueueWait,
}

/// The language and version that were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LanguageUsed {
    /// The id, whichever alias was asked for.
    pub id: String,
    /// The full version.
    pub version: String,
    /// Which of the toolchains of that language: `gcc`, `clang-14`, `openjdk-17`.
    pub toolchain: String,
}

/// How the compile step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CompileResult {
    /// Nothing was compiled for this request: it was done before, or for an equal request at the same moment. Output and
    /// usage are those of that compile.
    pub cached: bool,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<u8>,
    /// The signal that ended it, as in `SIGKILL`.
    pub signal: Option<String>,
    /// What it wrote to its standard output.
    pub stdout: Stream,
    /// What it wrote to its standard error.
    pub stderr: Stream,
    /// What it used.
    pub usage: Usage,
    /// How often its processes tried the system calls that the engine watches, by name; absent where they tried none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watched_calls: BTreeMap<String, u32>,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunResult {
    /// How the program was started.
    pub start: Start,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<u8>,
    /// The signal that ended it, as in `SIGKILL`.
    pub signal: Option<String>,
    /// What it wrote to its standard output.
    pub stdout: Stream,
    /// What it wrote to its standard error.
    pub stderr: Stream,
    /// What it used.
    pub usage: Usage,
    /// How often its processes tried the system calls that the engine watches, by name; absent where they tried none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watched_calls: BTreeMap<String, u32>,
}

/// How a program was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// From nothing, after the request came.
    Cold,
}

/// What one step used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// User and system time together, of all processes.
    pub cpu_time_us: u64,
    /// User time.
    pub user_time_us: u64,
    /// System time.
    pub system_time_us: u64,
    /// From the program's start to its end.
    pub wall_time_us: u64,
    /// The highest charge of the cgroup.
    pub memory_peak_bytes: u64,
    /// Where `memory_peak_bytes` comes from.
    pub memory_peak_source: MemoryPeakSource,
    /// Most processes and threads at once.
    pub processes_peak: u64,
    /// How long its processes were held back because their share was used up, summed over cores.
    pub throttled_us: u64,
    /// How often the kernel took the CPU from a process that could have gone on.
    pub involuntary_switches: u64,
}

/// Where the memory peak comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MemoryPeakSource {
    /// The kernel's own mark.
    Kernel,
    /// The largest of our samples: kernels before 5.19 keep no mark.
    Sampled,
}

/// A file that was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputFile {
    /// Relative to the work directory.
    #[serde(flatten)]
    pub path: PathName,
    /// What was kept of it.
    pub base64: String,
    /// How long the file was.
    pub bytes: u64,
    /// Less was brought back.
    pub truncated: bool,
}

impl OutputFile {
    /// What was kept of it.
    ///
    /// # Errors
    /// When the engine at the other end sent something else than base64.
    pub fn to_bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        BASE64_STANDARD.decode(&self.base64)
    }

    /// A file of `bytes` bytes, of which `kept` is the head.
    #[must_use]
    pub fn new(path: Vec<u8>, kept: &[u8], bytes: u64) -> Self {
        let truncated = u64::try_from(kept.len()).is_ok_and(|length| length < bytes);
        OutputFile { path: PathName::new(path), base64: BASE64_STANDARD.encode(kept), bytes, truncated }
    }
}

/// A file that was asked for and not brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputSkipped {
    /// Relative to the work directory; or the glob, where the search for it was cut short.
    #[serde(flatten)]
    pub path: PathName,
    /// Why.
    pub reason: String,
}

/// The path of a file in the work directory. Names are bytes there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum PathName {
    /// Valid UTF-8, as it is.
    #[serde(rename = "path")]
    Text(String),
    /// Anything else, in the standard alphabet with padding.
    #[serde(rename = "path_base64")]
    Base64(String),
}

impl PathName {
    /// As text where that can be.
    #[must_use]
    pub fn new(path: Vec<u8>) -> Self {
        String::from_utf8(path).map_or_else(|e| PathName::Base64(BASE64_STANDARD.encode(e.as_bytes())), PathName::Text)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When the engine at the other end sent something else than base64.
    pub fn to_bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            PathName::Text(text) => Ok(text.clone().into_bytes()),
            PathName::Base64(text) => BASE64_STANDARD.decode(text),
        }
    }

    /// How it stands in the answer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            PathName::Text(text) | PathName::Base64(text) => text,
        }
    }
}

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timings {
    /// Waiting for a slot.
    pub queue_us: u64,
    /// The compile step with its set-up; of a cached one the look-up, or the wait for the compile that it joined.
    pub compile_us: u64,
    /// From the order to the start of the program.
    pub setup_us: u64,
    /// From the start of the program to its end.
    pub run_us: u64,
    /// From the last byte of the request to the answer.
    pub total_us: u64,
}

/// What kept the program in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Isolation {
    /// The layers that were in force for this very run.
    pub layers: Vec<Cow<'static, str>>,
    /// The layers that the operator waived and the host lacks.
    pub missing: Vec<Cow<'static, str>>,
}
