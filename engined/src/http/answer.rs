//! Answers: a result or a problem becomes bytes with the headers that every answer bears. The bytes count against the
//! engine's memory until they are sent.

use std::sync::Arc;
use std::time::Duration;

use api_spec::{JSON, PROBLEM_JSON, Problem};
use bytes::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::stream::Pieces;
use crate::budget::Reservation;
use crate::execution::Execution;
use crate::kept::Kept;
use crate::metrics::Text;
use crate::problem::{Error, retry_after_seconds};

/// The header that ties an answer to a line in the log.
pub const REQUEST_ID: &str = "x-request-id";
/// The header with the version of the engine.
pub const VERSION_HEADER: &str = "x-engine-version";
/// The version of the engine.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// So many headers most answers bear, those of hyper and of the rates included.
const HEADERS: usize = 12;
/// Prometheus' own type.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes to send, and the memory that they hold until then.
#[derive(Debug, Default)]
pub struct Bytesful {
    /// The bytes.
    pub bytes: Bytes,
    /// What counts them.
    pub memory: Held,
    /// What comes behind them.
    pub pieces: Option<Pieces>,
}

impl Bytesful {
    /// A piece of an answer, counted by `memory`.
    #[must_use]
    pub fn counted(bytes: Vec<u8>, mut memory: Reservation) -> Self {
        memory.settle(bytes.len() as u64);
        Bytesful { bytes: bytes.into(), memory: Held::Own { memory }, pieces: None }
    }
}

/// The memory of an answer's bytes.
#[derive(Debug, Default)]
pub enum Held {
    /// Too little to count.
    #[default]
    Uncounted,
    /// Its own.
    Own {
        /// It.
        memory: Reservation,
    },
    /// That of a result which others may be reading as well.
    Kept {
        /// It.
        result: Arc<Kept>,
    },
    /// That of a text which others may be reading as well.
    Shared {
        /// It.
        memory: Arc<Reservation>,
    },
}

/// An answer before it is sent.
pub type Answer = Response<Bytesful>;

/// A 200 of `content_type`.
pub fn plain(content_type: &'static str, body: impl Into<Bytes>, memory: Option<Reservation>) -> Answer {
    let memory = memory.map_or(Held::Uncounted, |memory| Held::Own { memory });
    whole(content_type, body.into(), memory)
}

fn whole(content_type: &'static str, body: Bytes, memory: Held) -> Answer {
    let mut answer = Response::new(Bytesful { bytes: body, memory, pieces: None });
    // A map that grows is hashed anew each time.
    answer.headers_mut().reserve(HEADERS);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A 200 with `value` as JSON.
///
/// # Errors
/// That of serialising, which is ours.
pub fn json<T: Serialize>(value: &T, memory: Option<Reservation>) -> Result<Answer, Error> {
    let body = serde_json::to_vec(value).map_err(not_serialised)?;
    let memory = memory.map(|mut memory| {
        memory.settle(body.len() as u64);
        memory
    });
    Ok(plain(JSON, body, memory))
}

fn not_serialised(error: serde_json::Error) -> Error {
    Error::internal(format!("answer not serialised: {error}"))
}

/// A 200 with the result of an execution.
///
/// # Errors
/// That of serialising, which is ours.
pub fn result(execution: Execution) -> Result<Answer, Error> {
    let Execution { result, mut memory, .. } = execution;
    let body = result.to_json().map_err(not_serialised)?;
    memory.settle(body.len() as u64);
    Ok(whole(JSON, body.into(), Held::Own { memory }))
}

/// A 200 with a result that is kept.
pub fn kept(result: Arc<Kept>) -> Answer {
    whole(JSON, result.body.clone(), Held::Kept { result })
}

/// A 200 with what operators see.
pub fn metrics(text: Text) -> Answer {
    let Text { bytes, memory } = text;
    whole(METRICS_TEXT, bytes, Held::Shared { memory })
}

/// A 202 with `value` as JSON, and where to ask later.
///
/// # Errors
/// That of serialising, which is ours.
pub fn accepted<T: Serialize>(value: &T, location: Option<&str>) -> Result<Answer, Error> {
    let mut answer = json(value, None)?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(location).ok()) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// The answer to a request that has no result.
pub fn problem(error: &Error, problem: &Problem, request_id: &str, retry_after: Duration) -> Answer {
    let body = serde_json::to_vec(&problem.answer(request_id)).unwrap_or_default();
    let mut answer = plain(PROBLEM_JSON, body, None);
    *answer.status_mut() = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    if problem.code.wants_retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds(retry_after)));
    }
    if let Some(allow) = error.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if matches!(error, Error::Unauthenticated) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The headers that every answer bears. `close` ends an HTTP/1 connection whose request was not read to its end.
pub fn seal(mut answer: Answer, request_id: &str, close: bool) -> Answer {
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    headers.insert(HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(VERSION));
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// An id in the form of a ULID: 48 bits of time, 80 of chance, in the order of their making to the millisecond.
#[must_use]
pub fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut chance = [0_u8; 16];
    if getrandom::fill(&mut chance[6..]).is_err() {
        // Without entropy the clock must do: an id is a name, not a secret.
        chance[6..10].copy_from_slice(&now.subsec_nanos().to_le_bytes());
    }
    let number = now.as_millis() << 80 | u128::from_be_bytes(chance);
    (0..26).rev().map(|at| char::from(ALPHABET[usize::try_from(number >> (5 * at) & 31).unwrap_or(0)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ulids() {
        let (a, b) = (new_id(), new_id());
        assert_eq!(a.len(), 26);
        assert_ne!(a, b);
        assert!(a.starts_with("01") && a.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{a}");
        assert_eq!(a[..8], b[..8], "the time comes first");
    }
}
