//! The query strings of `/v1/executions`. What is not known there is refused, like an unknown field of a body.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::problem::{Code, Problem};

pub use batches::{BatchesQuery, ResultsQuery, batches_query, events_query, idempotency_key, results_query};

mod batches;

/// The longest that a `GET` may wait for a result.
pub const WAIT_MS_MAX: u64 = 60_000;

/// What the query string of `POST /v1/executions` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// The answer is the result; else it comes at once and the result is fetched later.
    pub wait: bool,
    /// The request is checked and not run, whatever `wait` says.
    pub validate: bool,
}

/// Reads the query string of `POST /v1/executions` (what follows the `?`, if there is one).
///
/// # Errors
/// `invalid_request` for a parameter that does not exist, stands twice, or is neither true nor false.
pub fn execution_query(query: Option<&str>) -> Result<ExecutionQuery, Problem> {
    let [wait, validate] = read(query, ["wait", "validate"])?;
    Ok(ExecutionQuery { wait: flag("wait", wait, true)?, validate: flag("validate", validate, false)? })
}

/// Reads the query string of `GET /v1/executions/{id}`: how long the caller waits for the result.
///
/// # Errors
/// `invalid_request` for a parameter that does not exist or stands twice, and for a time out of its range.
pub fn result_query(query: Option<&str>) -> Result<Duration, Problem> {
    let [wait_ms] = read(query, ["wait_ms"])?;
    patience(wait_ms)
}

/// A whole number in its range, without what else `parse` takes: a sign.
fn whole(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| range.contains(number))
}

fn patience(wait_ms: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = wait_ms else { return Ok(Duration::ZERO) };
    whole(text, 0..=WAIT_MS_MAX).map(Duration::from_millis).ok_or_else(|| {
        wrong("wait_ms", text, &format!("a whole number of milliseconds from 0 to {WAIT_MS_MAX}"))
            .remedy(format!("Ask for at most {WAIT_MS_MAX}, and again when the answer is not the result yet."))
    })
}

/// What the query string of `GET /v1/usage` says: days as they are written, `2026-11-26`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageQuery<'a> {
    /// The first day; today if it is not said.
    pub from: Option<&'a str>,
    /// The last day; today if it is not said.
    pub to: Option<&'a str>,
    /// The only tenant.
    pub tenant: Option<&'a str>,
}

/// Reads the query string of `GET /v1/usage`.
///
/// # Errors
/// `invalid_request` for a parameter that does not exist or stands twice, for what is no day, and for days that are the
/// wrong way round.
pub fn usage_query(query: Option<&str>) -> Result<UsageQuery<'_>, Problem> {
    let [from, to, tenant] = read(query, ["from", "to", "tenant"])?;
    for (name, value) in [("from", from), ("to", to)] {
        if let Some(text) = value.filter(|text| !is_day(text)) {
            return Err(
                wrong(name, text, "a day, as in 2026-11-26,").remedy("Write year, month and day; days are UTC.")
            );
        }
    }
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(wrong("from", from, &format!("a day that is not after to={to}")).remedy("Turn them round."));
    }
    Ok(UsageQuery { from, to, tenant })
}

/// `2026-11-26`, of a month and a day that there may be.
fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
    };
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && digits(0..4).is_some()
        && digits(5..7).is_some_and(|month| (1..=12).contains(&month))
        && digits(8..10).is_some_and(|day| (1..=31).contains(&day))
}

/// Where there are no parameters at all.
///
/// # Errors
/// `invalid_request` for any.
pub fn check_no_query(query: Option<&str>) -> Result<(), Problem> {
    read(query, []).map(|[]| ())
}

/// The values of the known parameters, as they are written.
fn read<'a, const N: usize>(query: Option<&'a str>, known: [&str; N]) -> Result<[Option<&'a str>; N], Problem> {
    let mut values = [None; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(at) = known.iter().position(|known| *known == name) else {
            let there = if N == 0 { "none is known here".to_owned() } else { format!("known: {}", known.join(", ")) };
            let detail = format!("there is no query parameter {:?}; {there}", head(name));
            return Err(Problem::new(Code::InvalidRequest, detail)
                .remedy("Leave it out; what a program needs goes into the body, as JSON."));
        };
        if values[at].replace(value).is_some() {
            let detail = format!("the query parameter {name} stands there twice");
            return Err(Problem::new(Code::InvalidRequest, detail).remedy("Say it once."));
        }
    }
    Ok(values)
}

fn flag(name: &str, value: Option<&str>, default: bool) -> Result<bool, Problem> {
    match value {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(wrong(name, other, "true or false").remedy("Write true or false, or leave it out.")),
    }
}

fn wrong(name: &str, value: &str, expected: &str) -> Problem {
    let detail = format!("the query parameter {name} is {:?}: {expected} is expected", head(value));
    Problem::new(Code::InvalidRequest, detail)
}

/// Enough of it to recognise it.
fn head(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
