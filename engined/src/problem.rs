//! Every failure of ours or of a caller, and the one exhaustive match that makes a problem of it: status, code, words,
//! remedy, metric label. A program's failure is none: it is a result with a verdict.

use std::io;
use std::time::Duration;

use api_spec::{Code, Problem, UnavailableLanguage};

use crate::budget::Exhausted;
use crate::cpu_days::Spent;
use crate::kept::{Full, Gone};
use crate::queue::Shed;
use crate::rates::{Refused, Whose};

/// Why a request got no result.
#[derive(Debug)]
pub enum Error {
    /// The request is wrong in a way that `api-spec` or admission found.
    Request(Problem),
    /// The language is not known.
    UnknownLanguage {
        /// What was asked for.
        asked: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The language is known and lacks its toolchain.
    LanguageNotInstalled(UnavailableLanguage),
    /// No installed version matches.
    UnknownVersion {
        /// Of which language.
        language: String,
        /// What was asked for.
        asked: String,
        /// What is there.
        installed: Vec<String>,
    },
    /// No place in the queue.
    Shed(Shed),
    /// The tenant has as many executions under way that nobody waits for as it may.
    Pending(Full),
    /// A result that is no longer kept.
    Expired {
        /// Whose.
        id: String,
        /// Why.
        why: Gone,
    },
    /// The tenant, or a value of its label, sends too many requests.
    Rate(Refused),
    /// The tenant has used up its CPU time of today.
    CpuDay(Spent),
    /// The engine's own memory is used up, or the tenant's share of it.
    Memory(Exhausted),
    /// Not ready, for these reasons.
    NotReady(Vec<String>),
    /// The store of batches is full.
    StoreFull(String),
    /// The caller is not known. The words are the same for every reason.
    Unauthenticated,
    /// The development mode's guard against web pages that call the loopback interface.
    Foreign {
        /// `Host` or `Origin`.
        header: &'static str,
        /// What it said.
        value: String,
    },
    /// No such path.
    NotFound {
        /// What was asked for.
        path: String,
    },
    /// Not this method.
    Method {
        /// What was asked for.
        method: String,
        /// What the path answers to.
        allow: &'static str,
    },
    /// None of the accepted types can be served.
    NotAcceptable {
        /// What can.
        offered: &'static str,
    },
    /// Not JSON by its own account.
    MediaType {
        /// What it said.
        found: String,
    },
    /// The body is above the cap.
    BodyTooLarge {
        /// The cap.
        most: u64,
    },
    /// The headers came too slowly.
    HeadTooSlow,
    /// The body came too slowly.
    BodyTooSlow {
        /// What came.
        received: u64,
        /// The least rate.
        rate: u64,
    },
    /// The connection broke in the middle of the body; nobody will read the answer.
    BodyBroken,
    /// Ours.
    Internal(String),
}

impl Error {
    /// An error of ours with words for the log; the caller is told to quote the request id.
    pub fn internal(what: impl Into<String>) -> Self {
        Error::Internal(what.into())
    }

    /// The problem that the caller is told.
    pub fn problem(&self) -> Problem {
        match self {
            Error::Request(problem) => problem.clone(),
            Error::UnknownLanguage { asked, known } => {
                let shown: String = asked.chars().take(64).collect();
                let detail = format!("there is no language {shown:?}; there are {}", known.join(", "));
                Problem::new(Code::UnknownLanguage, detail).at("/language")
            }
            Error::LanguageNotInstalled(language) => {
                let detail = format!("the language {} is not available: {}", language.id, language.reason);
                let remedy = format!("Have the operator run: {}, then restart the engine.", language.remedy);
                Problem::new(Code::UnknownLanguage, detail).remedy(remedy).at("/language")
            }
            Error::UnknownVersion { language, asked, installed } => {
                let shown: String = asked.chars().take(64).collect();
                let detail = format!("no {language} {shown:?} is installed; there is {}", installed.join(", "));
                let remedy = "Write leading numbers of an installed version, as in \"3\" or \"3.11\", or leave version out for the newest.";
                Problem::new(Code::UnknownVersion, detail).remedy(remedy).at("/version")
            }
            Error::Shed(shed) => shed_problem(*shed),
            Error::Pending(Full { pending }) => {
                let detail =
                    format!("{pending} executions of the tenant are under way with wait=false (results.per_tenant)");
                Problem::new(Code::QuotaExceeded, detail)
            }
            Error::Rate(refused) => rate_problem(refused),
            Error::CpuDay(Spent { seconds, .. }) => {
                let detail = format!("the tenant has used the CPU time that its plan allows in a day: {seconds} s");
                let remedy = "Wait until midnight UTC, as Retry-After says, or have the plan raised.";
                Problem::new(Code::QuotaExceeded, detail).remedy(remedy)
            }
            Error::Expired { id, why } => {
                let shown: String = id.chars().take(64).collect();
                let remedy =
                    "Run it again, and fetch the result earlier: GET with wait_ms answers as soon as it is there.";
                Problem::new(Code::ResultExpired, format!("the result of {shown} is gone: {why}")).remedy(remedy)
            }
            Error::Memory(exhausted) => {
                let own = exhausted.own.is_some();
                Problem::new(if own { Code::QuotaExceeded } else { Code::MemoryBudget }, exhausted.to_string())
            }
            Error::NotReady(reasons) => Problem::new(Code::NotReady, reasons.join("; ")),
            Error::StoreFull(why) => Problem::new(Code::StoreFull, format!("the store of batches is full: {why}")),
            Error::Unauthenticated => Problem::new(Code::Unauthenticated, "no valid credentials came with the request"),
            Error::Foreign { header, value } => {
                let shown: String = value.chars().take(128).collect();
                let detail =
                    format!("{header} is {shown:?}: without tokens only local programs may call, no web pages");
                let remedy = "Call http://127.0.0.1 or http://localhost directly, or run engined serve with a token.";
                Problem::new(Code::Forbidden, detail).remedy(remedy)
            }
            Error::NotFound { path } => {
                let shown: String = path.chars().take(128).collect();
                Problem::new(Code::NotFound, format!("there is no {shown:?}"))
            }
            Error::Method { method, allow } => {
                let shown: String = method.chars().take(32).collect();
                Problem::new(Code::MethodNotAllowed, format!("{shown} is not allowed here, {allow} is"))
            }
            Error::NotAcceptable { offered } => {
                Problem::new(Code::NotAcceptable, format!("the answer can be had as {offered} only"))
            }
            Error::MediaType { found } => {
                let shown: String = found.chars().take(128).collect();
                Problem::new(Code::UnsupportedMediaType, format!("the body is {shown}, application/json is needed"))
            }
            Error::BodyTooLarge { most } => {
                Problem::new(Code::BodyTooLarge, format!("the body has more than {most} bytes (http.body_bytes)"))
            }
            Error::HeadTooSlow => {
                Problem::new(Code::RequestTimeout, "the headers were not complete in time (http.header_timeout_ms)")
            }
            Error::BodyTooSlow { received, rate } => {
                let detail = format!(
                    "the body stopped or came too slowly: {received} bytes arrived, {rate} per second are needed"
                );
                Problem::new(Code::RequestTimeout, detail)
            }
            Error::BodyBroken => Problem::new(Code::InvalidRequest, "the body ended before it was complete"),
            // The words are for the log: they may name what is no business of the caller's.
            Error::Internal(_) => Problem::new(Code::Internal, "the engine met an error of its own"),
        }
    }

    /// When it makes sense to come again, where the error itself knows.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Rate(refused) => Some(refused.wait),
            Error::CpuDay(spent) => Some(spent.until),
            // Most of it comes back as answers are read, and nothing tells when the rest does.
            Error::Memory(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Which methods a 405 names.
    #[must_use]
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Error::Method { allow, .. } => Some(allow),
            _ => None,
        }
    }
}

fn rate_problem(Refused { rate, whose, .. }: &Refused) -> Problem {
    let problem = |whose: &str, what: &str| {
        let detail = format!("{whose} has {} {what} a minute, {} at once", rate.per_minute, rate.burst);
        Problem::new(Code::RateLimited, detail)
    };
    match whose {
        Whose::Plan => problem("the tenant's plan", "requests"),
        Whose::Label(label) => problem(&format!("each value of the label {label:?}"), "requests"),
        Whose::Reads => problem("the tenant's plan", "reads of batches")
            .remedy("Wait as long as Retry-After says; with wait_ms, or by /events, fewer requests tell as much."),
    }
}

fn shed_problem(shed: Shed) -> Problem {
    match shed {
        Shed::Full { waiting } => {
            Problem::new(Code::QueueFull, format!("the queue is full: {waiting} waiting (engine.queue_length)"))
        }
        Shed::PartFull { waiting, part } => Problem::new(
            Code::QueueFull,
            format!(
                "the queue is nearly full, and {waiting} of the tenant's runs wait, its part being {part} (engine.queue_length)"
            ),
        ),
        Shed::TenantFull { waiting } => Problem::new(
            Code::QuotaExceeded,
            format!("the tenant has as many runs waiting as its plan allows: {waiting}"),
        ),
        Shed::WaitedTooLong => Problem::new(Code::QueueFull, "no slot came free in the time that a run may wait"),
        Shed::OwnRunning { running } => Problem::new(
            Code::QuotaExceeded,
            format!(
                "no slot came free in the time that a run may wait: the tenant had as many runs under way as its plan allows, {running}"
            ),
        ),
        Shed::OwnMemory { budget } => {
            let detail = format!(
                "no slot came free in the time that a run may wait: beside the tenant's own runs under way it did not fit into \
                 the memory that all sandboxes together may have: {budget} bytes (engine.sandbox_memory_bytes)"
            );
            let remedy = "Wait as long as Retry-After says, or set smaller limits of memory.";
            Problem::new(Code::QuotaExceeded, detail).remedy(remedy)
        }
        Shed::NotReady => Problem::new(Code::NotReady, "the sandbox broker is not connected"),
        Shed::Draining => Problem::new(Code::Draining, "the engine takes no new work"),
        Shed::Closed => {
            let detail = "the tenant was removed while the run waited, or it has no valid token any more";
            Problem::new(Code::Forbidden, detail).remedy("Ask the operator of the engine.")
        }
        Shed::NeverFits { budget } => {
            let detail = format!("memory_bytes is above what all sandboxes together may have: {budget}");
            Problem::new(Code::LimitAboveCeiling, detail).at("/limits/memory_bytes")
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::Request(problem)
    }
}

impl From<Shed> for Error {
    fn from(shed: Shed) -> Self {
        Error::Shed(shed)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Error::Rate(refused)
    }
}

impl From<Spent> for Error {
    fn from(spent: Spent) -> Self {
        Error::CpuDay(spent)
    }
}

impl From<Full> for Error {
    fn from(full: Full) -> Self {
        Error::Pending(full)
    }
}

impl From<Exhausted> for Error {
    fn from(exhausted: Exhausted) -> Self {
        Error::Memory(exhausted)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Exhausted::of(&error).map_or_else(|| Error::Internal(error.to_string()), Error::Memory)
    }
}

/// `Retry-After` in whole seconds, rounded up.
#[must_use]
pub fn retry_after_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(60)
}
