//! The query strings of `/v1/batches`.

use percent_encoding::percent_decode_str;

use super::{read, whole, wrong};
use crate::batch::BatchStatus;
use crate::problem::{Code, Problem};

/// How many batches a page of the list has where the query says nothing.
pub const BATCHES_DEFAULT: usize = 100;
/// The most that it may have.
pub const BATCHES_MAX: usize = 1000;
/// The longest cursor, in bytes.
const CURSOR_BYTES: usize = 256;

/// What the query string of `GET /v1/batches` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchesQuery {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Only those that are so far.
    pub status: Option<BatchStatus>,
    /// Only those with this label: name and value.
    pub label: Option<(String, String)>,
    /// At most so many, 1 to [`BATCHES_MAX`].
    pub limit: usize,
}

/// Reads the query string of `GET /v1/batches`.
///
/// # Errors
/// `invalid_request` for a parameter that does not exist, stands twice, or has a value that it can't have.
pub fn batches_query(query: Option<&str>) -> Result<BatchesQuery, Problem> {
    let [cursor, status, label, limit] = read(query, ["cursor", "status", "label", "limit"])?;
    let cursor = cursor.map(|text| match decoded(text) {
        Some(cursor) if (1..=CURSOR_BYTES).contains(&cursor.len()) => Ok(cursor),
        _ => Err(wrong("cursor", text, "what next of the page before said")
            .remedy("Copy next as it is, or leave cursor out for the first page.")),
    });
    let status = status.map(|text| {
        let found = BatchStatus::ALL.into_iter().find(|status| status.name() == text);
        found.ok_or_else(|| {
            let words = BatchStatus::ALL.map(BatchStatus::name).join(", ");
            wrong("status", text, &format!("one of {words}")).remedy("Choose one, or leave status out for all.")
        })
    });
    let label = label.map(|text| {
        let decoded = decoded(text);
        let pair = decoded.as_deref().and_then(|text| text.split_once(':')).filter(|(name, _)| !name.is_empty());
        pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            wrong("label", text, "a name, a colon and a value, percent-encoded in UTF-8,")
                .remedy("Write label=NAME:VALUE, as in label=exercise:doubling.")
        })
    });
    let limit = limit.map_or(Ok(BATCHES_DEFAULT), |text| {
        let number = whole(text).and_then(|number| usize::try_from(number).ok());
        number.filter(|number| (1..=BATCHES_MAX).contains(number)).ok_or_else(|| {
            wrong("limit", text, &format!("a whole number from 1 to {BATCHES_MAX}"))
                .remedy("Ask for at most that many; next leads to the others.")
        })
    });
    Ok(BatchesQuery {
        cursor: cursor.transpose()?,
        status: status.transpose()?,
        label: label.transpose()?,
        limit: limit?,
    })
}

/// Reads the query string of `GET /v1/batches/{id}/results` and `…/events`: the number of the first result that the
/// caller wants, 1 if it is not said.
///
/// # Errors
/// `invalid_request` for a parameter that does not exist or stands twice, and for what is no number of a result.
pub fn results_query(query: Option<&str>) -> Result<u64, Problem> {
    let [from] = read(query, ["from"])?;
    let Some(text) = from else { return Ok(1) };
    // A store counts with 63 bits.
    whole(text).filter(|seq| (1..=i64::MAX.unsigned_abs()).contains(seq)).ok_or_else(|| {
        wrong("from", text, "the number of a result, from 1 up,")
            .remedy("Ask for seq + 1 of the last line that you have, or leave from out for all of them.")
    })
}

/// As in a form: `+` is a space. `None` where that is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The number in `Last-Event-ID`: that of the last result that the caller has. The next one is wanted.
///
/// # Errors
/// `invalid_request` for what is no number.
pub fn last_event_id(value: &str) -> Result<u64, Problem> {
    whole(value).filter(|seq| *seq < i64::MAX.unsigned_abs()).map(|seq| seq + 1).ok_or_else(|| {
        let shown = super::head(value);
        let detail = format!("the header Last-Event-ID is {shown:?}: the id of an event of this stream is expected");
        Problem::new(Code::InvalidRequest, detail)
            .remedy("Send the id of the last event that you have, or leave the header out for all of them.")
    })
}
