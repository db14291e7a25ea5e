//! Results of a batch, a page at a time, and whoever waits for more of them.

use std::sync::Arc;
use std::time::Duration;

use api_spec::{Code, Problem};
use store::{Answer, Question, StoreError};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::batch::{Batches, READERS};
use crate::budget::{Budget, Reservation};
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// Results in a page: what is in memory for one reader is three of them, see [`super::stream`].
pub const PAGE: usize = 64;
/// And so many bytes of them, but one always.
const PAGE_BYTES: usize = 256 << 10;

/// The batches, where they are kept.
///
/// # Errors
/// [`Error::NotReady`], with what is missing.
pub fn here(engine: &Engine) -> Result<&Arc<Batches>, Error> {
    engine.batches().ok_or_else(|| Error::NotReady(vec![engine.no_batches()]))
}

/// What the store has to say to a caller.
#[must_use]
pub fn told(error: StoreError, path: String) -> Error {
    match error {
        StoreError::Unknown => Error::NotFound { path },
        StoreError::Full(why) => Error::StoreFull(why),
        StoreError::Failed(why) => Error::internal(format!("the store of batches failed: {why}")),
    }
}

fn crowded() -> Error {
    let detail = format!("{READERS} requests of the tenant wait for news of batches already (wait_ms, or /events)");
    let problem = Problem::new(Code::QuotaExceeded, detail);
    problem.remedy("Let fewer wait at a time, or ask without wait_ms.").into()
}

/// Some results.
#[derive(Debug)]
pub struct Page {
    /// Number and line.
    pub lines: Vec<(u64, Vec<u8>)>,
    /// Whether the batch is over.
    pub over: bool,
    /// The number of the last result that there is.
    pub last: u64,
    /// What its lines hold of the tenant's memory.
    pub memory: Reservation,
}

impl Page {
    /// Whether there may be more behind it already.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines.last().is_some_and(|(seq, _)| *seq < self.last)
    }

    /// How long its lines are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(|(_, line)| line.len()).sum()
    }
}

/// Somebody who reads the results of a batch.
pub struct Follower {
    batches: Arc<Batches>,
    tenant: String,
    batch: String,
    /// What the tenant may have for what it asks: its pages are counted there, so that its slow readers take nothing that
    /// others need.
    memory: Arc<Budget>,
    /// The number of the next result.
    next: u64,
    /// Told of what is recorded; from the first page on.
    news: Option<watch::Receiver<u64>>,
    /// Held by those who wait.
    _place: Option<OwnedSemaphorePermit>,
}

impl Follower {
    /// Reads from the number `next` on; one that `waits` for what is not there yet takes a place for that.
    ///
    /// # Errors
    /// This engine keeps no batches, or as many of the tenant's requests wait as may.
    pub fn new(engine: &Engine, tenant: TenantIndex, batch: &str, next: u64, waits: bool) -> Result<Self, Error> {
        let batches = Arc::clone(here(engine)?);
        let memory = Arc::clone(engine.tenants().memory(tenant));
        let tenant = engine.tenants().name(tenant).to_owned();
        let place = waits.then(|| batches.reader(&tenant).ok_or_else(crowded)).transpose()?;
        Ok(Follower { batches, tenant, batch: batch.to_owned(), memory, next, news: None, _place: place })
    }

    /// What the caller asks for, where there is no such batch.
    fn path(&self) -> String {
        format!("/v1/batches/{}", self.batch)
    }

    async fn read(&mut self, most: usize) -> Result<Page, Error> {
        // Thousands may be woken by the same result.
        let Ok(_turn) = self.batches.reading.acquire().await else { return Err(Error::internal("nobody may read")) };
        let mut memory = self.memory.reserve(if most > 0 { PAGE_BYTES as u64 } else { 0 })?;
        let (tenant, batch) = (self.tenant.clone(), self.batch.clone());
        let question = Question::Results { tenant, batch, from: self.next, most, most_bytes: PAGE_BYTES };
        let answer = self.batches.store.read(question).await.map_err(|error| told(error, self.path()))?;
        let Answer::Results { results: lines, over, last } = answer else {
            return Err(Error::internal("the store of batches has answered another question"));
        };
        self.next = lines.last().map_or(self.next, |(seq, _)| seq + 1);
        memory.settle(lines.iter().map(|(_, line)| line.len() as u64).sum());
        Ok(Page { lines, over, last, memory })
    }

    /// The next page, which may be empty.
    ///
    /// # Errors
    /// That of the store, or the tenant has no memory for it.
    pub async fn page(&mut self) -> Result<Page, Error> {
        if let Some(news) = &mut self.news {
            news.borrow_and_update();
        }
        self.read(PAGE).await
    }

    /// The first page with something in it, or that of a batch that is over, or an empty one when the patience is at its
    /// end.
    ///
    /// # Errors
    /// There is no such batch of the tenant.
    pub async fn first(&mut self, patience: Duration) -> Result<Page, Error> {
        self.until(patience, |page| !page.lines.is_empty() || page.over, PAGE).await
    }

    /// Waits until the batch is over, at most so long.
    ///
    /// # Errors
    /// As of [`Follower::first`].
    pub async fn over(&mut self, patience: Duration) -> Result<(), Error> {
        self.until(patience, |page| page.over, 0).await.map(drop)
    }

    async fn until(&mut self, patience: Duration, enough: fn(&Page) -> bool, most: usize) -> Result<Page, Error> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(news) = &mut self.news {
                news.borrow_and_update();
            }
            let page = self.read(most).await?;
            if enough(&page) || patience.is_zero() {
                return Ok(page);
            }
            // Only of what there is, and before it is read again: nothing can happen in between.
            let Some(news) = &mut self.news else {
                self.news = Some(self.batches.store.watch(&self.batch));
                continue;
            };
            match tokio::time::timeout_at(deadline, news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::internal("the store of batches has ended")),
                Err(_) => return Ok(page),
            }
        }
    }

    /// Returns when there may be something new. Never, if nothing was read yet.
    ///
    /// # Errors
    /// The store has ended.
    pub async fn news(&mut self) -> Result<(), StoreError> {
        let ended = |_| StoreError::Failed("it has ended".to_owned());
        match &mut self.news {
            Some(news) => news.changed().await.map_err(ended),
            None => {
                self.news = Some(self.batches.store.watch(&self.batch));
                Ok(())
            }
        }
    }
}
