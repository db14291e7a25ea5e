//! A budget of bytes: what is reserved comes back when the reservation is dropped.
//!
//! The engine's own memory is one (`engine_memory_bytes`): bodies, captured output and answers reserve their bytes
//! before they are read or made, so that a flood of callers is answered 503 instead of ending in the kernel's OOM kill.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that may be used at once.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
    /// What is taken of this one is taken of that as well.
    of: Option<Arc<Budget>>,
}

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes more would exceed the memory budget: {used} of {limit} bytes are in use")]
pub struct Exhausted {
    /// What was asked for.
    pub wanted: u64,
    /// What was in use then.
    pub used: u64,
    /// The whole budget.
    pub limit: u64,
}

impl Exhausted {
    /// What is wrapped in an error of input or output, where it is that.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Budget { limit, used: AtomicU64::new(0), of: None })
    }

    /// A part of this one: no more than one part in `share` of its bytes, for what shall leave the rest to others.
    #[must_use]
    pub fn part(self: &Arc<Self>, share: u64) -> Arc<Self> {
        let limit = self.limit / share.max(1);
        Arc::new(Budget { limit, used: AtomicU64::new(0), of: Some(Arc::clone(self)) })
    }

    /// Takes `bytes` until the reservation is dropped.
    ///
    /// # Errors
    /// [`Exhausted`] when they don't fit; nothing is taken then.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, Exhausted> {
        let mut reservation = self.nothing();
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// A reservation of nothing, for what is counted when it is there.
    pub fn nothing(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    fn take(&self, more: u64) -> Result<(), Exhausted> {
        let limit = self.limit;
        let fits = |used: u64| used.checked_add(more).filter(|sum| *sum <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map_err(|used| Exhausted { wanted: more, used, limit })?;
        let whole = self.of.as_ref().map_or(Ok(()), |of| of.take(more));
        whole.inspect_err(|_| {
            self.used.fetch_sub(more, Ordering::Relaxed);
        })
    }

    /// From so many bytes to so many, whether they fit or not.
    fn set(&self, from: u64, to: u64) {
        if to >= from {
            self.used.fetch_add(to - from, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(from - to, Ordering::Relaxed);
        }
        if let Some(of) = &self.of {
            of.set(from, to);
        }
    }
}

/// Bytes taken from a [`Budget`].
#[derive(Debug)]
#[must_use = "dropping it gives the bytes back"]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// How many they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `more` bytes.
    ///
    /// # Errors
    /// [`Exhausted`] when they don't fit; the reservation stays as it was.
    pub fn grow(&mut self, more: u64) -> Result<(), Exhausted> {
        self.budget.take(more)?;
        self.bytes += more;
        Ok(())
    }

    /// Sets the reservation to what is really held, above the budget if need be: the bytes exist already, and those
    /// who come after must see them.
    pub fn settle(&mut self, bytes: u64) {
        self.budget.set(self.bytes, bytes);
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.set(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_comes_back() {
        let budget = Budget::new(100);
        let mut first = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(41).unwrap_err(), Exhausted { wanted: 41, used: 60, limit: 100 });
        first.grow(40).unwrap();
        assert!(first.grow(1).is_err());
        first.settle(120);
        assert_eq!(budget.used(), 120);
        first.settle(10);
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.reserve(u64::MAX).is_err(), "no overflow");
    }

    #[test]
    fn what_is_taken_of_a_part_is_taken_of_the_whole() {
        let whole = Budget::new(100);
        let part = whole.part(4);
        let mut some = part.reserve(20).unwrap();
        assert_eq!((part.limit(), part.used(), whole.used()), (25, 20, 20));
        assert_eq!(part.reserve(6).unwrap_err(), Exhausted { wanted: 6, used: 20, limit: 25 });
        let others = whole.reserve(78).unwrap();
        assert_eq!(part.reserve(3).unwrap_err(), Exhausted { wanted: 3, used: 98, limit: 100 });
        assert_eq!((part.used(), whole.used()), (20, 98), "nothing is taken of one alone");
        some.settle(30);
        assert_eq!((part.used(), whole.used()), (30, 108));
        drop((some, others));
        assert_eq!((part.used(), whole.used()), (0, 0));
    }
}
