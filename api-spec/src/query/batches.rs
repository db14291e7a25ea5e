//! The query strings of `/v1/batches`.

use std::time::Duration;

use super::{head, patience, read, whole, wrong};
use crate::batch::BatchStatus;
use crate::problem::Problem;

/// The most batches in one answer.
pub const BATCHES_MAX: u64 = 500;
/// How many they are where nothing is said.
pub const BATCHES: u64 = 50;
/// The highest number of a result: no store counts further.
const SEQ_MAX: u64 = i64::MAX.unsigned_abs();
/// The longest cursor.
const CURSOR_BYTES: usize = 64;

/// What the query string of `GET /v1/batches/{id}/results` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultsQuery {
    /// The first number.
    pub from: u64,
    /// How long the caller waits for the first of them.
    pub wait: Duration,
}

/// What the query string of `GET /v1/batches` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchesQuery {
    /// `next` of the answer before.
    pub cursor: Option<String>,
    /// Only those that are so far.
    pub status: Option<BatchStatus>,
    /// Only those with this label, and this value of it.
    pub label: Option<(String, String)>,
    /// At most so many.
    pub limit: u64,
}

/// Reads the query string of `GET /v1/batches/{id}/results`.
///
/// # Errors
/// `invalid_request` for a parameter that does not exist or stands twice, and for a value out of its range.
pub fn results_query(query: Option<&str>) -> Result<ResultsQuery, Problem> {
    let [from, wait_ms] = read(query, ["from", "wait_ms"])?;
    Ok(ResultsQuery { from: first(from)?.unwrap_or(1), wait: patience(wait_ms)? })
}

/// Reads the query string of `GET /v1/batches/{id}/events`: the first number, where it is said.
///
/// # Errors
/// As [`results_query`].
pub fn events_query(query: Option<&str>) -> Result<Option<u64>, Problem> {
    let [from] = read(query, ["from"])?;
    first(from)
}

fn first(from: Option<&str>) -> Result<Option<u64>, Problem> {
    let expected = "the number of a result, from 1 up,";
    from.map(|text| {
        whole(text, 1..=SEQ_MAX)
            .ok_or_else(|| wrong("from", text, expected).remedy("Send the last number that you have, plus 1."))
    })
    .transpose()
}

/// Reads the query string of `GET /v1/batches`. Its values are percent-encoded where they need it, and a `+` is a space, as in
/// forms.
///
/// # Errors
/// As [`results_query`].
pub fn batches_query(query: Option<&str>) -> Result<BatchesQuery, Problem> {
    let [cursor, status, label, limit] = read(query, ["cursor", "status", "label", "limit"])?;
    let cursor = cursor.map(|text| {
        let plain = !text.is_empty() && text.len() <= CURSOR_BYTES && text.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| text.to_owned()).ok_or_else(|| {
            wrong("cursor", text, "what an answer gave as next").remedy("Send next of the answer before, as it is.")
        })
    });
    let status = status.map(|text| {
        let known = BatchStatus::ALL.into_iter().find(|status| status.name() == text);
        known.ok_or_else(|| {
            let names = BatchStatus::ALL.map(BatchStatus::name).join(", ");
            wrong("status", text, "the status of a batch").remedy(format!("Write one of {names}, or leave it out."))
        })
    });
    let label = label.map(|text| {
        let decoded = decoded(text);
        let pair = decoded.as_deref().and_then(|text| text.split_once(':')).filter(|(name, _)| !name.is_empty());
        pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            wrong("label", text, "name:value, percent-encoded,").remedy("Write it as in label=course:algorithms.")
        })
    });
    let limit = limit.map(|text| {
        whole(text, 1..=BATCHES_MAX).ok_or_else(|| {
            wrong("limit", text, &format!("a whole number from 1 to {BATCHES_MAX}"))
                .remedy("Ask for fewer, and for the rest by cursor.")
        })
    });
    Ok(BatchesQuery {
        cursor: cursor.transpose()?,
        status: status.transpose()?,
        label: label.transpose()?,
        limit: limit.transpose()?.unwrap_or(BATCHES),
    })
}

/// What was percent-encoded, if it is that and text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?].map(|digit| char::from(digit).to_digit(16));
                u8::try_from(digits[0]? * 16 + digits[1]?).ok()?
            }
            b'+' => b' ',
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The longest key.
pub const KEY_BYTES: usize = 255;

/// Whether a value of `Idempotency-Key` can be one: 1 to 255 visible ASCII characters.
///
/// # Errors
/// `invalid_request`.
pub fn idempotency_key(key: &[u8]) -> Result<&str, Problem> {
    let legal = (1..=KEY_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(key).ok().filter(|_| legal);
    text.ok_or_else(|| {
        let shown = head(&String::from_utf8_lossy(key));
        let detail = format!("Idempotency-Key is {shown:?}: 1 to {KEY_BYTES} visible ASCII characters are expected");
        Problem::new(crate::problem::Code::InvalidRequest, detail).remedy("Make one by chance for each batch: a UUID.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_range() {
        let query = results_query(Some("from=7&wait_ms=60000")).unwrap();
        assert_eq!(query, ResultsQuery { from: 7, wait: Duration::from_secs(60) });
        assert_eq!(results_query(None).unwrap(), ResultsQuery { from: 1, wait: Duration::ZERO });
        for bad in [
            "from=0",
            "from=-1",
            "from=",
            "from=+1",
            "from=x",
            "from=1&from=1",
            "from=9223372036854775808",
            "wait_ms=60001",
            "to=1",
        ] {
            assert!(results_query(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(events_query(Some("from=3")).unwrap(), Some(3));
        assert!(events_query(Some("wait_ms=3")).is_err());
    }

    #[test]
    fn a_list_is_narrowed_by_status_and_label() {
        let query = batches_query(Some("status=running&label=course%3Aa%2Fb+c&limit=2&cursor=01K")).unwrap();
        let label = Some(("course".to_owned(), "a/b c".to_owned()));
        let cursor = Some("01K".to_owned());
        assert_eq!(query, BatchesQuery { cursor, status: Some(BatchStatus::Running), label, limit: 2 });
        for bad in [
            "status=done",
            "label=course",
            "label=:x",
            "label=a:%4",
            "label=a:%ff",
            "limit=0",
            "limit=501",
            "cursor=",
            "cursor=a%20b",
            "nothing=1",
        ] {
            assert!(batches_query(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_visible() {
        assert_eq!(idempotency_key(b"0b5f-1").unwrap(), "0b5f-1");
        for bad in [&b""[..], b"a b", b"\xc3\xa9", &[b'k'; 256]] {
            assert!(idempotency_key(bad).is_err(), "{bad:?}");
        }
    }
}
