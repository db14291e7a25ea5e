//! `GET /v1/batches/{id}/results`: lines of JSON, a page at a time.

use std::sync::Arc;

use api_spec::results_query;

use super::answer::{self, Answer, Bytesful};
use super::follow::{Follower, Page};
use super::service::NDJSON;
use super::stream::{self, Maker};
use crate::budget::Reservation;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// What there is from a number on. Where there is nothing yet, the caller may wait for the first of it.
///
/// # Errors
/// There is no such batch of this tenant.
pub async fn get(engine: &Arc<Engine>, tenant: TenantIndex, id: &str, query: Option<&str>) -> Result<Answer, Error> {
    let asked = results_query(query)?;
    let mut follower = Follower::new(engine, tenant, id, asked.from, !asked.wait.is_zero())?;
    let first = engine.drain.unless_over(follower.first(asked.wait)).await??;
    if !first.is_full() {
        let (text, mut memory) = lines(first);
        memory.settle(text.len() as u64);
        return Ok(answer::plain(NDJSON, text, Some(memory)));
    }
    let (answer, maker) = stream::answer(NDJSON, None);
    tokio::spawn(send(follower, first, maker));
    Ok(answer)
}

/// Sends all of them. Where there is no memory for the next page of the tenant's, the stream breaks off: what was sent is good,
/// and who comes again goes on behind it.
async fn send(mut follower: Follower, first: Page, maker: Maker) {
    let mut first = Some(first);
    loop {
        // Where there is none any more the reader has gone.
        let Ok(place) = maker.place().await else { return };
        let next = match first.take() {
            Some(page) => Ok(page),
            None => follower.page().await,
        };
        let page = match next {
            Ok(page) => page,
            Err(error) => return broken_off("results", &error),
        };
        let last = !page.is_full();
        if page.lines.is_empty() {
            drop(place);
        } else {
            let (text, memory) = lines(page);
            place.take(Bytesful::counted(text, memory));
        }
        if last {
            return maker.end().await;
        }
    }
}

/// Says in the log that a stream was not sent to its end.
pub(super) fn broken_off(what: &str, error: &Error) {
    match error {
        Error::Memory(why) => tracing::warn!(%why, what, "a stream of a batch is sent no further for now"),
        Error::Internal(why) => tracing::error!(why, what, "a stream of a batch was not sent to its end"),
        other => tracing::error!(problem = %other.problem(), what, "a stream of a batch was not sent to its end"),
    }
}

/// The text of a page, and what counts it. Its lines are gone then: two of them would be in memory.
fn lines(page: Page) -> (Vec<u8>, Reservation) {
    let mut text = Vec::with_capacity(page.bytes() + 24 * page.lines.len());
    for (seq, line) in &page.lines {
        put(&mut text, *seq, line);
        text.push(b'\n');
    }
    (text, page.memory)
}

/// A result as callers get it: the line of the store, with its number before the rest.
pub(super) fn put(text: &mut Vec<u8>, seq: u64, line: &[u8]) {
    text.extend_from_slice(format!("{{\"seq\":{seq}").as_bytes());
    match line.strip_prefix(b"{") {
        Some(rest) if rest != b"}" => {
            text.push(b',');
            text.extend_from_slice(rest);
        }
        _ => text.push(b'}'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_number_first() {
        let memory = crate::budget::Budget::new(0).nothing();
        let some = vec![(7, br#"{"submission":"a"}"#.to_vec()), (8, b"{}".to_vec())];
        let page = Page { lines: some, over: false, last: 8, memory };
        assert_eq!(lines(page).0, b"{\"seq\":7,\"submission\":\"a\"}\n{\"seq\":8}\n");
    }
}
