//! `GET /v1/batches/{id}/events`: results as they come, as server-sent events.
//!
//! `id:` is the number of the last result that was sent, so that whoever comes again with `Last-Event-ID` goes on behind it.
//! `result` has one, `progress` says how far the batch is, `finished` is the last: nothing comes after it. An engine that ends
//! says so in a comment and ends the stream: the next one goes on. So does one that has no memory for another page of the tenant's.

use std::sync::Arc;
use std::time::Duration;

use api_spec::{BatchProgress, BatchSummary, events_query};
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use serde::Serialize;
use tokio::time::Instant;

use super::answer::{Answer, Bytesful};
use super::batches;
use super::follow::{Follower, Page};
use super::results::{broken_off, put};
use super::service::EVENT_STREAM;
use super::stream::{self, Gone, Maker};
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// Between two signs of life where nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The least between two events `progress`.
const PROGRESS: Duration = Duration::from_secs(1);
/// When a client that was cut off shall come again, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";
/// What a client is told whose tenant has no memory for more at the moment.
const SHORT: &[u8] =
    b": the tenant's share of the engine's memory is used up; come again with Last-Event-ID\nretry: 5000\n\n";
/// What a client is told that shall go to the next engine.
const DRAINED: &[u8] = b": this engine is shutting down; come again with Last-Event-ID\nretry: 2000\n\n";

/// The events of a batch, behind the number `after` if the caller has seen one, else from the one of the query on.
///
/// # Errors
/// There is no such batch of this tenant.
pub async fn get(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    id: &str,
    query: Option<&str>,
    after: Option<u64>,
) -> Result<Answer, Error> {
    let from = events_query(query)?;
    let next = after.map(|after| after.saturating_add(1)).or(from).unwrap_or(1);
    let follower = Follower::new(engine, tenant, id, next, true)?;
    let summary = batches::summary(engine, tenant, id).await?;
    let (mut answer, maker) = stream::answer(EVENT_STREAM, None);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that would collect it.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let events = Events {
        engine: Arc::clone(engine),
        tenant,
        id: id.to_owned(),
        results: summary.results,
        sent: next - 1,
        told: None,
    };
    tokio::spawn(events.run(follower, maker));
    Ok(answer)
}

struct Events {
    engine: Arc<Engine>,
    tenant: TenantIndex,
    id: String,
    /// How many results there will be.
    results: u64,
    /// The number of the last result that was sent.
    sent: u64,
    /// When the last `progress` was, and what it said.
    told: Option<(Instant, u64)>,
}

impl Events {
    async fn run(mut self, mut follower: Follower, maker: Maker) {
        let engine = Arc::clone(&self.engine);
        let sent = tokio::select! {
            ended = self.send(&mut follower, &maker) => Some(ended),
            () = engine.drain.is_over() => None,
        };
        let ended = match sent {
            Some(ended) => ended,
            None => self.piece(&maker, DRAINED.to_vec()).await.map(|()| true),
        };
        if let Ok(true) = ended {
            maker.end().await;
        }
    }

    /// Sends all there is to send. Whether the stream is whole.
    async fn send(&mut self, follower: &mut Follower, maker: &Maker) -> Result<bool, Gone> {
        self.piece(maker, RETRY.to_vec()).await?;
        loop {
            let place = maker.place().await?;
            let page = match follower.page().await {
                Ok(page) => page,
                Err(error) => {
                    broken_off("events", &error);
                    if matches!(error, Error::Memory(_)) {
                        place.take(self.counted(SHORT.to_vec()));
                        return Ok(true);
                    }
                    return Ok(false);
                }
            };
            let (full, over) = (page.is_full(), page.over);
            let text = self.events(&page);
            let Page { lines, memory, .. } = page;
            // They are in the text, and this may wait long.
            drop(lines);
            if text.is_empty() {
                drop(place);
            } else {
                place.take(Bytesful::counted(text, memory));
            }
            if full {
                continue;
            }
            if over {
                return self.finished(maker).await;
            }
            let quiet = tokio::time::timeout(HEARTBEAT, async {
                tokio::select! {
                    news = follower.news() => Ok(news),
                    () = maker.gone() => Err(Gone),
                }
            });
            match quiet.await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => {
                    tracing::error!(%error, "events of a batch were not sent to their end");
                    return Ok(false);
                }
                Ok(Err(gone)) => return Err(gone),
                Err(_) => self.piece(maker, b":\n\n".to_vec()).await?,
            }
        }
    }

    /// A page as events.
    fn events(&mut self, page: &Page) -> Vec<u8> {
        let mut text = Vec::with_capacity(page.bytes() + 64 * page.lines.len());
        for (seq, line) in &page.lines {
            text.extend_from_slice(format!("id: {seq}\nevent: result\ndata: ").as_bytes());
            put(&mut text, *seq, line);
            text.extend_from_slice(b"\n\n");
            self.sent = *seq;
        }
        let news = self.told.is_none_or(|(at, done)| at.elapsed() >= PROGRESS && done != page.last);
        if news && !page.over {
            self.told = Some((Instant::now(), page.last));
            let progress = BatchProgress { done: page.last, results: self.results };
            self.event(&mut text, "progress", &progress);
        }
        text
    }

    /// An event of its own; it has the number of the last result, so that a client that was cut off goes on behind that.
    fn event<T: Serialize>(&self, text: &mut Vec<u8>, name: &str, data: &T) {
        let json = serde_json::to_string(data).unwrap_or_default();
        text.extend_from_slice(format!("id: {}\nevent: {name}\ndata: {json}\n\n", self.sent).as_bytes());
    }

    async fn finished(&self, maker: &Maker) -> Result<bool, Gone> {
        let summary: BatchSummary = match batches::summary(&self.engine, self.tenant, &self.id).await {
            Ok(summary) => summary,
            Err(error) => {
                tracing::error!(problem = %error.problem(), "the end of a batch was not told");
                return Ok(false);
            }
        };
        let mut text = Vec::new();
        self.event(&mut text, "finished", &summary);
        self.piece(maker, text).await?;
        Ok(true)
    }

    async fn piece(&self, maker: &Maker, text: Vec<u8>) -> Result<(), Gone> {
        maker.place().await?.take(self.counted(text));
        Ok(())
    }

    /// Of the tenant's memory, whether there is more or not: it is little, and there already.
    fn counted(&self, text: Vec<u8>) -> Bytesful {
        Bytesful::counted(text, self.engine.tenants().memory(self.tenant).nothing())
    }
}
