//! `GET /v1/batches/{id}/results`: lines of JSON, a page at a time.

use std::sync::Arc;

use api_spec::results_query;

use super::answer::{self, Answer, Bytesful};
use super::follow::{Follower, Page};
use super::service::NDJSON;
use super::stream::{self, Maker};
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
        return Ok(answer::plain(NDJSON, lines(&first), Some(counted(engine, &first))));
    }
    let (answer, maker) = stream::answer(NDJSON, None);
    tokio::spawn(send(Arc::clone(engine), follower, first, maker));
    Ok(answer)
}

async fn send(engine: Arc<Engine>, mut follower: Follower, first: Page, maker: Maker) {
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
            Err(error) => {
                tracing::error!(%error, "results of a batch were not sent to their end");
                return;
            }
        };
        let last = !page.is_full();
        if page.lines.is_empty() {
            drop(place);
        } else {
            place.take(Bytesful::counted(lines(&page), counted(&engine, &page)));
        }
        if last {
            return maker.end().await;
        }
    }
}

/// What a page counts of the engine's memory. It is there already.
fn counted(engine: &Engine, page: &Page) -> crate::budget::Reservation {
    let mut memory = engine.memory.nothing();
    memory.settle(page.bytes() as u64);
    memory
}

fn lines(page: &Page) -> Vec<u8> {
    let mut text = Vec::with_capacity(page.bytes() + 24 * page.lines.len());
    for (seq, line) in &page.lines {
        put(&mut text, *seq, line);
        text.push(b'\n');
    }
    text
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
        let page =
            Page { lines: vec![(7, br#"{"submission":"a"}"#.to_vec()), (8, b"{}".to_vec())], over: false, last: 8 };
        assert_eq!(lines(&page), b"{\"seq\":7,\"submission\":\"a\"}\n{\"seq\":8}\n");
    }
}
