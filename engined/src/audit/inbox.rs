//! The way to the writer: bounded, and nobody waits at its door. What finds no room is lost, but not forgotten: how many
//! there were and what they have used goes on, as sums.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tokio::sync::{Notify, watch};

use super::record::Record;
use crate::usage::count::Counts;

/// Records that may wait.
pub const MOST: usize = 8192;
/// What they may hold, the sources in them first of all.
pub const MOST_BYTES: usize = 32 << 20;

/// What became of what had come when somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// It is not written yet.
    Late,
    /// It is written, and could not be counted.
    Uncounted,
    /// It is written and counted.
    Whole,
}

/// Somebody wants to know when all that came before is written and counted: one for all who asked since the last.
#[derive(Debug)]
#[must_use = "somebody waits for it"]
pub struct Flush {
    number: u64,
    over: Arc<watch::Sender<(u64, bool)>>,
}

impl Flush {
    /// All before it is written, and `counted` or not.
    pub fn over(self, counted: bool) {
        self.over.send_modify(|(number, was)| (*number, *was) = (self.number.max(*number), counted));
    }
}

/// What was waiting.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of its coming.
    pub records: Vec<Record>,
    /// Records that found no room after these.
    pub lost: u64,
    /// What they have used.
    pub unwritten: Counts,
    /// The number of records that have come until now, for [`Inbox::written`].
    pub upto: u64,
    /// Whether somebody waits for these.
    pub flush: Option<Flush>,
    /// Nothing comes any more.
    pub closed: bool,
}

impl Batch {
    /// Adds what came after it.
    pub fn extend(&mut self, more: Batch) {
        let Batch { records, lost, unwritten, upto, flush, closed } = more;
        self.records.extend(records);
        self.lost += lost;
        self.unwritten.absorb(unwritten);
        (self.upto, self.closed) = (upto, closed);
        // A later one is over for all who asked for the earlier.
        self.flush = flush.or(self.flush.take());
    }

    /// There is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.lost == 0 && self.flush.is_none()
    }
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    bytes: usize,
    flushes: u64,
    /// The writer sleeps until it is told of a record. Else it looks by itself.
    asleep: bool,
}

/// Where records wait.
#[derive(Debug)]
pub struct Inbox {
    state: Mutex<State>,
    come: Condvar,
    written: Mutex<u64>,
    news: Notify,
    over: Arc<watch::Sender<(u64, bool)>>,
    lost: IntCounter,
}

impl Inbox {
    /// An empty one, which counts in `lost` what finds no room.
    #[must_use]
    pub fn new(lost: IntCounter) -> Self {
        let (state, come, written, news) = Default::default();
        Inbox { state, come, written, news, over: Arc::new(watch::Sender::new((0, false))), lost }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a record over and gives its number; `None` where there is no room.
    pub fn push(&self, record: Record) -> Option<u64> {
        let mut state = self.lock();
        let bytes = record.bytes();
        if state.batch.records.len() >= MOST || state.bytes + bytes > MOST_BYTES || state.batch.closed {
            state.batch.lost += 1;
            self.lost.inc();
            record.count(&mut state.batch.unwritten);
            return None;
        }
        state.bytes += bytes;
        state.batch.upto += 1;
        let number = state.batch.upto;
        state.batch.records.push(record);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.come.notify_one();
        }
        Some(number)
    }

    /// Asks what becomes of all that was handed over before this call. However many ask, the writer is asked once.
    pub fn flush(&self) -> impl Future<Output = Flushed> + use<> {
        let mut state = self.lock();
        let State { batch, flushes, .. } = &mut *state;
        let flush = batch.flush.get_or_insert_with(|| {
            *flushes += 1;
            Flush { number: *flushes, over: Arc::clone(&self.over) }
        });
        let (number, mut over) = (flush.number, self.over.subscribe());
        drop(state);
        self.come.notify_one();
        async move {
            match over.wait_for(|(upto, _)| *upto >= number).await.map(|told| *told) {
                Ok((_, true)) => Flushed::Whole,
                Ok((_, false)) => Flushed::Uncounted,
                Err(_) => Flushed::Late,
            }
        }
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        self.lock().batch.closed = true;
        self.come.notify_one();
    }

    /// How many are not written yet: those that wait, and those that the writer is at.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let come = self.lock().batch.upto;
        come.saturating_sub(*self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something, at most until `until`, and takes all of it.
    pub fn take(&self, until: Option<Instant>) -> Batch {
        let mut state = self.lock();
        while state.batch.is_empty() && !state.batch.closed {
            state.asleep = true;
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => self.come.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.come.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        (state.bytes, state.asleep) = (0, false);
        let (upto, closed) = (state.batch.upto, state.batch.closed);
        let next = Batch { upto, closed, ..Batch::default() };
        std::mem::replace(&mut state.batch, next)
    }

    /// Waits so long, or until nothing comes any more. `true`: it is closed.
    pub fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.batch.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.come.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.batch.closed
    }

    /// Says that the records up to this number are written.
    pub fn written(&self, upto: u64) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = upto;
        self.news.notify_waiters();
    }

    /// Waits until a record is written, at most so long.
    pub async fn settled(&self, number: u64, patience: Duration) {
        let wait = async {
            loop {
                let news = self.news.notified();
                if *self.written.lock().unwrap_or_else(PoisonError::into_inner) >= number {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(patience, wait).await.is_err() {
            tracing::debug!("an answer goes before its audit line");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Act;

    fn record() -> Record {
        Record::act(Act::Stop { pid: 1 })
    }

    fn inbox() -> Inbox {
        Inbox::new(IntCounter::new("lost", "lost").unwrap())
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let inbox = inbox();
        for _ in 0..MOST {
            assert!(inbox.push(record()).is_some());
        }
        assert!(inbox.push(record()).is_none());
        assert_eq!(
            (inbox.lost.get(), inbox.waiting()),
            (1, MOST as u64),
            "told at once, not when somebody writes again"
        );
        let batch = inbox.take(None);
        assert_eq!((batch.records.len(), batch.lost, batch.upto), (MOST, 1, MOST as u64));
        assert_eq!(inbox.push(record()), Some(MOST as u64 + 1), "there is room again");
        inbox.close();
        assert!(inbox.take(None).closed);
        assert!(inbox.push(record()).is_none(), "nothing comes any more");
        assert_eq!(inbox.take(None).lost, 1);
    }

    #[test]
    fn nothing_is_waited_for_in_vain() {
        let inbox = inbox();
        assert!(inbox.take(Some(Instant::now() + Duration::from_millis(1))).records.is_empty());
        inbox.push(record());
        assert_eq!(inbox.take(None).records.len(), 1);
    }

    #[tokio::test]
    async fn an_answer_waits_for_its_line() {
        let inbox = inbox();
        let number = inbox.push(record()).unwrap();
        inbox.settled(number, Duration::from_millis(1)).await;
        inbox.written(number);
        inbox.settled(number, Duration::from_secs(60)).await;
    }

    #[tokio::test]
    async fn whoever_asks_takes_no_room() {
        let inbox = inbox();
        for _ in 0..10 {
            drop(inbox.flush());
        }
        let (first, second) = (inbox.flush(), inbox.flush());
        for _ in 0..MOST {
            assert!(inbox.push(record()).is_some(), "those who ask take no record's place");
        }
        let mut batch = inbox.take(None);
        let third = inbox.flush();
        batch.flush.take().unwrap().over(true);
        assert_eq!((first.await, second.await), (Flushed::Whole, Flushed::Whole));
        let mut third = std::pin::pin!(third);
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut third).await.is_err(), "it asked later");
        inbox.take(None).flush.unwrap().over(false);
        assert_eq!(third.await, Flushed::Uncounted);
    }
}
