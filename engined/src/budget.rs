//! A budget of bytes: what is reserved comes back when the reservation is dropped.
//!
//! The engine's own memory is one (`engine_memory_bytes`): bodies, captured output and answers reserve their bytes
//! before they are read or made, so that a flood of callers is answered 503 instead of ending in the kernel's OOM kill.
//!
//! Where there are several tenants each has a *share* of it, which needs no setting: to begin something new a tenant may
//! hold as much as it leaves free, to go on with it three times as much. So one alone has half of the budget for what waits
//! and three quarters in all, two that flood have three sevenths each, and whoever comes next always finds room. The two bounds
//! differ so that what waits never takes the room that those who run need to end. Only pages of results go by the second one:
//! a poll is to be answered while much is under way.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tenant may hold so many times what it leaves free.
const TIMES: u64 = 3;

/// A number of bytes that may be used at once.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
    of: Of,
}

/// What is taken of one budget is taken of the one that it belongs to as well.
#[derive(Debug)]
enum Of {
    Nothing,
    Part(Arc<Budget>),
    Share(Arc<Budget>),
}

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Exhausted {
    /// What was asked for.
    pub wanted: u64,
    /// What was in use then.
    pub used: u64,
    /// The whole budget.
    pub limit: u64,
    /// Where the tenant's share was at its end, not the whole: what the tenant held, and how many times what it leaves free
    /// it may hold.
    pub own: Option<(u64, u64)>,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exhausted { wanted, used, limit, own } = self;
        let Some((held, times)) = own else {
            return write!(f, "{wanted} bytes more would exceed the memory budget: {used} of {limit} bytes are in use");
        };
        let rule = match times {
            1 => "to begin something new it may hold as many as it leaves free".to_owned(),
            times => format!("it may hold {times} times as many as it leaves free"),
        };
        let free = limit.saturating_sub(*used);
        write!(
            f,
            "{wanted} bytes more would exceed the tenant's share of the memory budget: it holds {held} bytes, {free} of \
             {limit} are free, and {rule}"
        )
    }
}

impl Exhausted {
    /// What is wrapped in an error of input or output, where it is that.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }

    /// Of a share: its own end where the tenant would have got it if it had held nothing; else that of the whole, which
    /// others have used up.
    fn of_share(self, held: u64, times: u64) -> Self {
        let without = self.limit.saturating_sub(self.used).saturating_add(held);
        let needed = self.wanted.saturating_add(self.wanted.div_ceil(times));
        Exhausted { own: (needed <= without).then_some((held, times)), ..self }
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Self::belonging(limit, Of::Nothing)
    }

    /// A part of this one: no more than one part in `share` of its bytes, for what shall leave the rest to others.
    #[must_use]
    pub fn part(self: &Arc<Self>, share: u64) -> Arc<Self> {
        Self::belonging(self.limit / share.max(1), Of::Part(Arc::clone(self)))
    }

    /// What one of several tenants may have of this one: as much as the rule above leaves it.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Arc<Self> {
        Self::belonging(self.limit - self.limit.div_ceil(TIMES + 1), Of::Share(Arc::clone(self)))
    }

    fn belonging(limit: u64, of: Of) -> Arc<Self> {
        Arc::new(Budget { limit, used: AtomicU64::new(0), of })
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

    /// Takes `more`, if `spare` are left free beside them.
    fn take(&self, more: u64, spare: u64) -> Result<(), Exhausted> {
        match &self.of {
            Of::Nothing => self.count(more, spare),
            Of::Part(whole) => {
                self.count(more, spare)?;
                whole.take(more, 0).inspect_err(|_| {
                    self.used.fetch_sub(more, Ordering::Relaxed);
                })
            }
            Of::Share(whole) => {
                // What others of the tenant take meanwhile is not in it, but it is in what they leave free.
                let held = self.used();
                let leave = held.saturating_add(more).div_ceil(TIMES);
                whole.take(more, leave.max(spare)).map_err(|why| why.of_share(held, TIMES))?;
                self.used.fetch_add(more, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn count(&self, more: u64, spare: u64) -> Result<(), Exhausted> {
        let limit = self.limit;
        let fits = |used: u64| {
            let sum = used.checked_add(more)?;
            (sum.checked_add(spare)? <= limit).then_some(sum)
        };
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(|_| ()).map_err(|used| Exhausted { wanted: more, used, limit, own: None })
    }

    /// From so many bytes to so many, whether they fit or not.
    fn set(&self, from: u64, to: u64) {
        if to >= from {
            self.used.fetch_add(to - from, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(from - to, Ordering::Relaxed);
        }
        match &self.of {
            Of::Nothing => {}
            Of::Part(whole) | Of::Share(whole) => whole.set(from, to),
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
        self.budget.take(more, 0)?;
        self.bytes += more;
        Ok(())
    }

    /// Whose bytes they are.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Whether something new may begin with them.
    ///
    /// # Errors
    /// [`Exhausted`] when the tenant holds more than it leaves free. Nothing changes.
    pub fn begins(&self) -> Result<(), Exhausted> {
        let Of::Share(whole) = &self.budget.of else { return Ok(()) };
        let (held, used, limit) = (self.budget.used(), whole.used(), whole.limit);
        if held <= limit.saturating_sub(used) {
            return Ok(());
        }
        // As if they were not there yet.
        let wanted = self.bytes;
        let before = Exhausted { wanted, used: used.saturating_sub(wanted), limit, own: None };
        Err(before.of_share(held.saturating_sub(wanted), 1))
    }

    /// From now on they are the whole's: what is kept has bounds of its own.
    pub fn of_the_whole(mut self) -> Self {
        if let Of::Share(whole) = &self.budget.of {
            let whole = Arc::clone(whole);
            self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
            self.budget = whole;
        }
        self
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
        assert_eq!(budget.reserve(41).unwrap_err(), Exhausted { wanted: 41, used: 60, limit: 100, own: None });
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
        assert_eq!(part.reserve(6).unwrap_err(), Exhausted { wanted: 6, used: 20, limit: 25, own: None });
        let others = whole.reserve(78).unwrap();
        assert_eq!(part.reserve(3).unwrap_err(), Exhausted { wanted: 3, used: 98, limit: 100, own: None });
        assert_eq!((part.used(), whole.used()), (20, 98), "nothing is taken of one alone");
        some.settle(30);
        assert_eq!((part.used(), whole.used()), (30, 108));
        drop((some, others));
        assert_eq!((part.used(), whole.used()), (0, 0));
    }

    const WHOLE: u64 = 1200;

    /// As much as it can, a byte at a time.
    fn flood(share: &Arc<Budget>) -> (Reservation, Exhausted) {
        let mut taken = share.nothing();
        loop {
            if let Err(why) = taken.grow(1) {
                return (taken, why);
            }
        }
    }

    #[test]
    fn who_floods_leaves_room_for_others() {
        let whole = Budget::new(WHOLE);
        let [a, b, c] = [(); 3].map(|()| whole.share());
        let (first, why) = flood(&a);
        assert_eq!((first.bytes(), why.own), (WHOLE * 3 / 4, Some((900, 3))));
        assert_eq!(
            why.to_string(),
            "1 bytes more would exceed the tenant's share of the memory budget: it holds 900 bytes, 300 of 1200 are free, \
             and it may hold 3 times as many as it leaves free"
        );
        let (second, why) = flood(&b);
        assert_eq!((second.bytes(), why.own.is_some()), (225, true), "three quarters of what was left");
        let (third, _) = flood(&c);
        assert!(third.bytes() > 50, "{third:?}");
        // What comes free goes to those who have less.
        drop(first);
        assert!(b.reserve(225).is_ok() && c.reserve(225).is_ok());
        drop((second, third));
        assert_eq!([&whole, &a, &b, &c].map(|budget| budget.used()), [0; 4]);
    }

    #[test]
    fn what_others_have_used_up_is_not_told_as_ones_own() {
        let whole = Budget::new(WHOLE);
        let (a, b) = (whole.share(), whole.share());
        let _kept = whole.reserve(1100).unwrap();
        assert_eq!(a.reserve(90).unwrap_err(), Exhausted { wanted: 90, used: 1100, limit: WHOLE, own: None });
        let small = b.reserve(60).unwrap();
        assert_eq!(b.reserve(100).unwrap_err().own, None, "it would not fit if that were all");
        assert_eq!(b.reserve(20).unwrap_err().own, Some((60, 3)));
        assert_eq!((a.used(), b.used(), whole.used()), (0, 60, 1160), "nothing is taken of one alone");
        drop(small);
        assert!(a.reserve(u64::MAX).is_err(), "no overflow");
    }

    #[test]
    fn something_new_begins_below_half() {
        let whole = Budget::new(WHOLE);
        let (a, b) = (whole.share(), whole.share());
        let mut begun = Vec::new();
        let why = loop {
            let more = a.reserve(100).unwrap();
            match more.begins() {
                Ok(()) => begun.push(more),
                Err(why) => break why,
            }
        };
        assert_eq!((begun.len(), why), (6, Exhausted { wanted: 100, used: 600, limit: WHOLE, own: Some((600, 1)) }));
        assert!(why.to_string().contains("to begin something new it may hold as many as it leaves free"), "{why}");
        assert!(a.reserve(300).is_ok(), "what has begun can go on");
        assert!(b.reserve(300).unwrap().begins().is_ok());
        assert!(b.reserve(350).unwrap().begins().unwrap_err().own.is_none(), "it has nothing else");
        assert!(whole.reserve(600).unwrap().begins().is_ok(), "nobody shares it");
    }

    #[test]
    fn what_is_kept_is_no_part_of_the_share() {
        let whole = Budget::new(WHOLE);
        let share = whole.share();
        let kept = share.reserve(700).unwrap().of_the_whole();
        assert_eq!((share.used(), whole.used()), (0, 700));
        assert!(share.reserve(300).is_ok());
        drop(kept);
        assert_eq!((share.used(), whole.used()), (0, 0));
    }
}
