//! The way to the writer: bounded, and nobody waits at its door. What finds no room is lost, but not forgotten: how many
//! there were and what they have used goes on, as sums.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::record::Record;
use crate::usage::count::Counts;

/// Records that may wait.
pub const MOST: usize = 8192;
/// What they may hold, the sources in them first of all.
pub const MOST_BYTES: usize = 32 << 20;

/// What the writer is given.
#[derive(Debug)]
pub enum Entry {
    /// Something that happened.
    Record(Record),
    /// Somebody wants to know when all before it is written and counted.
    Flush(oneshot::Sender<()>),
}

/// What was waiting.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of its coming.
    pub entries: Vec<Entry>,
    /// Records that found no room after these.
    pub lost: u64,
    /// What they have used.
    pub unwritten: Counts,
    /// The number of records that have come until now, for [`Inbox::written`].
    pub upto: u64,
    /// Nothing comes any more.
    pub closed: bool,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    bytes: usize,
}

/// Where records wait.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
    come: Condvar,
    written: Mutex<u64>,
    news: Notify,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a record over and gives its number; `None` where there is no room.
    pub fn push(&self, record: Record) -> Option<u64> {
        let mut state = self.lock();
        let bytes = record.bytes();
        if state.batch.entries.len() >= MOST || state.bytes + bytes > MOST_BYTES || state.batch.closed {
            state.batch.lost += 1;
            if let Some((key, charged)) = record.charged() {
                state.batch.unwritten.execution(key, &charged);
            }
            return None;
        }
        state.bytes += bytes;
        state.batch.upto += 1;
        let number = state.batch.upto;
        self.put(state, Entry::Record(record));
        Some(number)
    }

    /// Asks to be told when all that was handed over before is written and counted.
    pub fn flush(&self) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        self.put(self.lock(), Entry::Flush(done));
        told
    }

    fn put(&self, mut state: MutexGuard<'_, State>, entry: Entry) {
        state.batch.entries.push(entry);
        let first = state.batch.entries.len() == 1;
        drop(state);
        if first {
            self.come.notify_one();
        }
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        self.lock().batch.closed = true;
        self.come.notify_one();
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().batch.entries.len()
    }

    /// Waits until there is something, at most until `until`, and takes all of it.
    pub fn take(&self, until: Option<Instant>) -> Batch {
        let mut state = self.lock();
        while state.batch.entries.is_empty() && state.batch.lost == 0 && !state.batch.closed {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => self.come.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.come.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.bytes = 0;
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

    #[test]
    fn what_finds_no_room_is_counted() {
        let inbox = Inbox::default();
        for _ in 0..MOST {
            assert!(inbox.push(record()).is_some());
        }
        assert!(inbox.push(record()).is_none());
        let batch = inbox.take(None);
        assert_eq!((batch.entries.len(), batch.lost, batch.upto), (MOST, 1, MOST as u64));
        assert_eq!(inbox.push(record()), Some(MOST as u64 + 1), "there is room again");
        inbox.close();
        assert!(inbox.take(None).closed);
        assert!(inbox.push(record()).is_none(), "nothing comes any more");
        assert_eq!(inbox.take(None).lost, 1);
    }

    #[test]
    fn nothing_is_waited_for_in_vain() {
        let inbox = Inbox::default();
        assert!(inbox.take(Some(Instant::now() + Duration::from_millis(1))).entries.is_empty());
        inbox.push(record());
        assert_eq!(inbox.take(None).entries.len(), 1);
    }

    #[tokio::test]
    async fn an_answer_waits_for_its_line() {
        let inbox = Inbox::default();
        let number = inbox.push(record()).unwrap();
        inbox.settled(number, Duration::from_millis(1)).await;
        inbox.written(number);
        inbox.settled(number, Duration::from_secs(60)).await;
    }
}
