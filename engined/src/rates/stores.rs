//! What the buckets are held in: of each the time at which it will be full again.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Between two searches for buckets that are full again, where there is no room.
const LOOK: u64 = 100_000_000;
/// The same where there is.
const TIDY: u64 = 60_000_000_000;
/// Our clock may be ahead of the bucket's by the time between two lines.
const SLACK: u64 = 1_000_000;
/// Buckets of labels' values in the whole process, at 40 bytes: `systemd/README.md` has the sum.
const MOST: usize = 1 << 20;

/// What a bucket is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Intent {
    /// To take a request, if it can.
    Take,
    /// To say whether it could.
    Look,
}

/// One bucket. A copy is the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket(Arc<AtomicU64>);

impl Bucket {
    /// When it is full.
    pub(super) fn full_at(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Says when it is full.
    pub(super) fn set(&self, full_at: u64) {
        self.0.store(full_at, Ordering::Release);
    }
}

impl StateStore for Bucket {
    type Key = Intent;

    fn measure_and_replace<T, F, E>(&self, intent: &Intent, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut at = self.full_at();
        loop {
            let (told, next) = measure(NonZeroU64::new(at).map(|at| Nanos::from(at.get())))?;
            if *intent == Intent::Look {
                return Ok(told);
            }
            match self.0.compare_exchange_weak(at, next.as_u64(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(told),
                Err(now) => at = now,
            }
        }
    }
}

/// How many buckets of labels' values there may be in this process. A copy is the same one.
#[derive(Clone, Debug)]
pub struct Room {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room::of(MOST)
    }
}

impl Room {
    /// For so many.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Room { used: Arc::default(), most }
    }

    fn take(&self) -> bool {
        let more = |used: usize| Some(used + 1).filter(|used| *used <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Of buckets that are there already.
    fn add(&self, count: usize) {
        self.used.fetch_add(count, Ordering::Relaxed);
    }

    fn give(&self, count: usize) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.most
    }
}

/// The buckets of a label's values, by a hash under a key of chance. A copy is the same ones.
#[derive(Clone, Debug)]
pub(super) struct Values(Arc<Held>);

#[derive(Debug)]
struct Held {
    table: Mutex<Table>,
    most: usize,
    begun: Instant,
    room: Room,
}

#[derive(Debug)]
struct Table {
    full_at: HashMap<u64, Nanos>,
    /// Of all that have none of their own.
    shared: Option<Nanos>,
    /// No bucket will be full before.
    look_at: u64,
    /// When it was last looked.
    looked: u64,
}

impl Table {
    fn new(full_at: HashMap<u64, Nanos>, shared: Option<Nanos>) -> Self {
        let mut table = Table { full_at, shared, look_at: 0, looked: 0 };
        table.look_at = table.next();
        table
    }

    fn next(&self) -> u64 {
        self.full_at.values().map(|at| at.as_u64()).min().unwrap_or(u64::MAX)
    }

    /// Drops the buckets that are full, where some may be and it is `pause` since the last time. Tells how many.
    fn shrink(&mut self, now: u64, pause: u64) -> usize {
        if now < self.look_at || now < self.looked.saturating_add(pause) {
            return 0;
        }
        let before = self.full_at.len();
        self.full_at.retain(|_, at| at.as_u64() > now);
        // What was there at a busy time is not held forever.
        self.full_at.shrink_to(self.full_at.len().saturating_mul(2));
        (self.look_at, self.looked) = (self.next(), now);
        before - self.full_at.len()
    }
}

impl Values {
    /// None yet, at most so many.
    pub(super) fn new(most: usize, begun: Instant, room: &Room) -> Self {
        Values::with(Table::new(HashMap::new(), None), most, begun, room)
    }

    fn with(table: Table, most: usize, begun: Instant, room: &Room) -> Self {
        room.add(table.full_at.len());
        Values(Arc::new(Held { table: Mutex::new(table), most, begun, room: room.clone() }))
    }

    /// The same for other rates: `moved` tells when a bucket is full by those.
    pub(super) fn moved(&self, most: usize, begun: Instant, moved: impl Fn(u64) -> Option<u64>) -> Self {
        let earlier = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |at: &Nanos| moved(at.as_u64()).map(Nanos::from);
        let full_at = earlier.full_at.iter().filter_map(|(value, full)| Some((*value, at(full)?))).collect();
        let shared = earlier.shared.as_ref().and_then(at);
        Values::with(Table::new(full_at, shared), most, begun, &self.0.room)
    }

    /// Drops what says nothing any more.
    pub(super) fn tidy(&self) {
        let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.shrink(&mut table, TIDY);
    }

    /// Values with a bucket of their own.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.table.lock().unwrap().full_at.len()
    }

    /// As if the next look were due.
    #[cfg(test)]
    pub(super) fn look_again(&self) {
        let mut table = self.0.table.lock().unwrap();
        self.0.shrink(&mut table, 0);
    }
}

impl Held {
    fn shrink(&self, table: &mut Table, pause: u64) {
        let now = nanos(self.begun.elapsed()).saturating_sub(SLACK);
        self.room.give(table.shrink(now, pause));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let table = self.table.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.room.give(table.full_at.len());
    }
}

impl StateStore for Values {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Whole after each statement that could panic.
        let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = table.full_at.get_mut(key) {
            let (told, next) = measure(Some(*at))?;
            *at = next;
            return Ok(told);
        }
        if table.full_at.len() >= self.0.most || self.0.room.is_full() {
            self.0.shrink(&mut table, LOOK);
        }
        if table.full_at.len() >= self.0.most || !self.0.room.take() {
            let (told, next) = measure(table.shared)?;
            table.shared = Some(next);
            return Ok(told);
        }
        let (told, next) = measure(None).inspect_err(|_| self.0.room.give(1))?;
        table.full_at.insert(*key, next);
        table.look_at = table.look_at.min(next.as_u64());
        Ok(told)
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
