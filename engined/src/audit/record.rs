//! What happened, and the line that is made of it. The line is made by the writer: whoever hands a record over copies
//! what is needed for it and goes on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use api_spec::{ExecutionResult, LanguageUsed, Timings, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{escape, line};
use crate::job::JobFile;
use crate::queue::Priority;
use crate::tenants::Peer;
use crate::trace::{Digits, Trace};
use crate::usage::count::{Charged, Counts, Row, day, memory_kib_ms};

/// Who calls, and with which request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The request's id.
    pub request: String,
    /// What the kernel says.
    pub peer: Peer,
    /// The name of the token that was shown, where it has one.
    pub token: Option<Arc<str>>,
    /// The caller's trace.
    pub trace: Option<Trace>,
}

/// Who has asked for an act, as its line tells it: by the same names as the line of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    tenant: String,
    request_id: String,
    caller: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Digits<32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Digits<16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<Digits<16>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Origin {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Caller {
    /// This caller, on the account of `tenant`.
    #[must_use]
    pub fn asked(self, tenant: &str) -> Asked {
        let (uid, address) = match self.peer {
            Peer::Unix { uid, .. } => (Some(uid), None),
            Peer::Tcp(address) => (None, Some(address)),
        };
        Asked {
            tenant: tenant.to_owned(),
            request_id: self.request,
            caller: Origin { uid, address, token: self.token.as_deref().map(str::to_owned) },
            trace_id: self.trace.as_ref().map(|trace| trace.id),
            span_id: self.trace.as_ref().map(|trace| trace.span),
            parent_span_id: self.trace.as_ref().map(|trace| trace.parent),
        }
    }
}

/// Something that happened, and when.
#[derive(Debug)]
pub struct Record {
    time: Timestamp,
    what: What,
}

#[derive(Debug)]
enum What {
    Execution(Box<Execution>),
    Act(Act),
}

/// What operators do, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// The engine serves.
    Start {
        /// Its version.
        engine: &'static str,
        /// Its process.
        pid: u32,
    },
    /// It takes no new work from now on.
    Drain {
        /// `signal` or `request`.
        by: &'static str,
        /// Whose request it was.
        #[serde(flatten)]
        asked: Option<Asked>,
    },
    /// It has ended in good order: what was there before is written.
    Stop {
        /// The process that ends.
        pid: u32,
    },
    /// Configuration and manifests were read again.
    Reload {
        /// `configuration` or `languages`.
        what: &'static str,
        /// `taken` or `refused`.
        outcome: &'static str,
        /// How many mistakes were found.
        mistakes: usize,
    },
    /// Nobody may call on an account any more, as of a reading of the configuration.
    TenantClosed {
        /// Whose.
        tenant: String,
        /// So many of its executions waited, and were dropped.
        waiting: usize,
    },
    /// A sign of abuse was told.
    AbuseSign {
        /// Which.
        sign: &'static str,
        /// Of which tenant.
        tenant: String,
        /// Of which of its users, as the tenant calls it; `None`: of the tenant as a whole.
        user: Option<String>,
        /// So many runs.
        runs: u32,
        /// Within so many seconds.
        within_s: u64,
        /// The last of them.
        execution: String,
    },
    /// Lines are missing here: so many found no room.
    Lost {
        /// How many.
        records: u64,
        /// What they have used.
        unwritten: Vec<Row>,
    },
}

/// An execution that is over.
#[derive(Debug)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// Whose it was.
    pub caller: Caller,
    /// On whose account.
    pub tenant: String,
    /// The tenant's plan.
    pub plan: String,
    /// The caller's words.
    pub labels: BTreeMap<String, String>,
    /// [`Source`].
    pub source: Source,
    /// What of a batch it is.
    pub part: Option<Part>,
    /// What ran it.
    pub language: LanguageUsed,
    /// How urgent.
    pub priority: Priority,
    /// How it ended.
    pub ended: Ended,
    /// What it took.
    pub timings: Timings,
    /// What it has used.
    pub used: Used,
}

/// What of a batch an execution is.
#[derive(Clone, Debug)]
pub struct Part {
    /// The batch.
    pub batch: Arc<str>,
    /// The submission's name. `None`: it is the checker's compile.
    pub submission: Option<Arc<str>>,
    /// The test's name, and which of the repeated runs. `None`: it is the compile.
    pub test: Option<(Arc<str>, u32)>,
    /// It is the checker, not the submission.
    pub checker: bool,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a result.
    Verdict(Verdict),
    /// Its caller had hung up: there is nobody to tell.
    Gone,
    /// It was ended at the deadline of a drain, whoever waited for it.
    Cut,
    /// By a problem of this code: it had its place in the queue and was never run.
    Problem(&'static str),
}

/// What the steps of an execution have used, where they were made.
#[derive(Debug, Default)]
pub struct Used {
    /// Of the compile. One that was done before has used nothing.
    pub compile: Option<api_spec::Usage>,
    /// The compile was done before.
    pub cached: Option<bool>,
    /// Of the run.
    pub run: Option<api_spec::Usage>,
    /// Watched system calls that the steps tried, those of a compile that was done before apart.
    pub watched_calls: BTreeMap<String, u32>,
    /// What came out.
    pub output_bytes: u64,
    /// The layers that it did without.
    pub missing_layers: Vec<Cow<'static, str>>,
}

impl Used {
    /// What a result says.
    #[must_use]
    pub fn of(result: &ExecutionResult) -> Used {
        let streams = result.run.as_ref().map_or(0, |run| run.stdout.bytes.saturating_add(run.stderr.bytes));
        let files: u64 = result.outputs.iter().map(|file| file.bytes).sum();
        let compiled = result.compile.as_ref().filter(|compile| !compile.cached);
        let mut watched_calls = result.run.as_ref().map(|run| run.watched_calls.clone()).unwrap_or_default();
        for (call, count) in compiled.iter().flat_map(|compile| &compile.watched_calls) {
            *watched_calls.entry(call.clone()).or_default() += count;
        }
        Used {
            watched_calls,
            compile: compiled.map(|compile| compile.usage),
            cached: result.compile.as_ref().map(|compile| compile.cached),
            run: result.run.as_ref().map(|run| run.usage),
            output_bytes: streams.saturating_add(files),
            missing_layers: result.isolation.missing.clone(),
        }
    }

    pub(super) fn charged(&self) -> Charged {
        let cpu = |usage: &Option<api_spec::Usage>| usage.as_ref().map_or(0, |usage| usage.cpu_time_us);
        let memory = |usage: &Option<api_spec::Usage>| {
            usage.as_ref().map_or(0, |usage| memory_kib_ms(usage.memory_peak_bytes, usage.wall_time_us))
        };
        Charged {
            cpu_time_us: cpu(&self.run),
            compile_cpu_time_us: cpu(&self.compile),
            memory_kib_ms: memory(&self.compile).saturating_add(memory(&self.run)),
            output_bytes: self.output_bytes,
        }
    }
}

/// What was sent to be run.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `None` where there is no audit.
    pub sha256: Option<Digits<64>>,
    /// The files themselves, where they are wanted, and whether some of them is left out.
    pub files: Option<(Vec<SourceFile>, bool)>,
}

/// A file that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SourceFile {
    /// Its path.
    pub path: String,
    /// What is in it, as text: what is none has marks for its bytes.
    pub text: String,
}

impl Source {
    /// Of files as they came. The hash of one file is what `sha256sum` says of it; that of several is of the text which
    /// `sha256sum FILE…` prints for them in their order, so that `sha256sum FILE… | sha256sum` finds it again. `most`: how
    /// many bytes of them are kept.
    #[must_use]
    pub fn of(files: &[JobFile], most: Option<usize>) -> Source {
        let hash = |file: &JobFile| -> [u8; 32] { Sha256::digest(file.content.as_bytes()).into() };
        let sha256 = match files {
            [file] => hash(file),
            files => {
                let mut list = Sha256::new();
                for file in files {
                    list.update(Digits::<64>::of(&hash(file)).as_str());
                    list.update("  ");
                    list.update(&file.path);
                    list.update("\n");
                }
                list.finalize().into()
            }
        };
        Source { sha256: Some(Digits::of(&sha256)), files: most.map(|most| head(files, most)) }
    }
}

fn head(files: &[JobFile], most: usize) -> (Vec<SourceFile>, bool) {
    let (mut left, mut cut, mut kept) = (most, false, Vec::new());
    for file in files {
        let bytes = file.content.as_bytes();
        let part = bytes.get(..left).unwrap_or(bytes);
        cut |= part.len() < bytes.len();
        left -= part.len();
        if !part.is_empty() || bytes.is_empty() {
            kept.push(SourceFile { path: file.path.clone(), text: String::from_utf8_lossy(part).into_owned() });
        }
    }
    (kept, cut)
}

impl Record {
    /// Of an execution that is over now.
    #[must_use]
    pub fn execution(execution: Execution) -> Record {
        Record { time: Timestamp::now(), what: What::Execution(Box::new(execution)) }
    }

    /// Of something that is done now.
    #[must_use]
    pub fn act(act: Act) -> Record {
        Record { time: Timestamp::now(), what: What::Act(act) }
    }

    /// About how much it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let What::Execution(execution) = &self.what else { return size_of::<Record>() };
        let labels: usize = execution.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let files = execution.source.files.iter().flat_map(|(files, _)| files);
        let source: usize = files.map(|file| file.path.len() + file.text.len()).sum();
        size_of::<Execution>() + labels + source
    }

    /// Counts it without a line.
    pub fn count(&self, counts: &mut Counts) {
        if let What::Execution(execution) = &self.what {
            count(execution, &time(self.time), &execution.used.charged(), counts);
        }
    }

    /// Appends its line, under the number `seq`, and counts it. `whole`: with all that is known, not only with what is
    /// counted.
    ///
    /// # Errors
    /// That of serialising.
    pub fn write(
        &self,
        (seq, stamp): (u64, &mut Stamp),
        whole: bool,
        into: &mut Vec<u8>,
        counts: &mut Counts,
    ) -> serde_json::Result<()> {
        let time = stamp.of(self.time);
        match &self.what {
            What::Execution(execution) => {
                let charged = execution.used.charged();
                line::append(execution, &charged, (seq, time), whole, into)?;
                count(execution, time, &charged, counts);
            }
            What::Act(act) => {
                let mut act = act.clone();
                if let Act::AbuseSign { user, .. } = &mut act {
                    user.take_if(|_| !whole);
                }
                let act = &act;
                escape::line(&ActLine { seq, time, act }, into)?;
                if let Act::Lost { unwritten, .. } = act {
                    unwritten.iter().for_each(|row| counts.row(row));
                }
            }
        }
        Ok(())
    }
}

fn count(execution: &Execution, time: &str, charged: &Charged, counts: &mut Counts) {
    if let Some(verdict) = execution.ended.verdict() {
        counts.execution([day(time), &execution.tenant, &execution.language.id, verdict.name()], charged);
    }
}

/// Writes times. Those of one second differ in their last digits alone.
#[derive(Debug, Default)]
pub struct Stamp {
    second: i64,
    text: String,
}

impl Stamp {
    fn of(&mut self, time: Timestamp) -> &str {
        // As far as the point.
        const WHOLE: usize = "2026-11-26T06:50:00.".len();
        let (second, micros) = (time.as_second(), time.subsec_microsecond());
        if second <= 0 || self.second != second || self.text.len() < WHOLE {
            (self.second, self.text) = (second, self::time(time));
        } else {
            self.text.truncate(WHOLE);
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(micros);
            self.text.push_str(&"000000"[digits.len().min(6)..]);
            self.text.push_str(digits);
            self.text.push('Z');
        }
        &self.text
    }
}

/// In microseconds, UTC: `2026-11-26T06:50:00.000001Z`.
fn time(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// As requests have it.
#[must_use]
pub fn name(priority: Priority) -> &'static str {
    match priority {
        Priority::Interactive => "interactive",
        Priority::Batch => "batch",
    }
}

/// Today, UTC.
#[must_use]
pub fn today() -> String {
    let mut today = time(Timestamp::now());
    today.truncate(10);
    today
}

impl Ended {
    /// As it is counted; `None` where nothing is.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Ended::Verdict(verdict) => Some(verdict),
            Ended::Gone => Some(Verdict::Cancelled),
            Ended::Cut => Some(Verdict::EngineError),
            Ended::Problem(_) => None,
        }
    }
}

#[derive(Serialize)]
struct ActLine<'a> {
    seq: u64,
    time: &'a str,
    #[serde(flatten)]
    act: &'a Act,
}

#[cfg(test)]
pub(super) mod tests;
