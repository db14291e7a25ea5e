//! CPU time that each tenant has used today, by UTC. It is charged where jaild's reports arrive, so that a run counts
//! however its request ended, and is checked when work is asked for and
//! again when its turn has come: what runs by then goes on.
//!
//! When the clock is put forward the count begins anew, as on every day. When it is put back the count stays and goes with
//! the day: nobody gains by it, and no mistaken date holds a tenant for longer than it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::clock;
use crate::queue::TenantIndex;

/// What one tenant has used on the last day on which it used any.
#[derive(Debug, Default)]
struct Day {
    number: i64,
    micros: u64,
}

impl Day {
    /// Its count as of `today`.
    fn at(&mut self, today: i64) -> &mut u64 {
        if today > self.number {
            self.micros = 0;
        }
        self.number = today;
        &mut self.micros
    }
}

/// A tenant has used up its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// What it may use.
    pub seconds: u64,
    /// Until the next day.
    pub until: Duration,
}

/// All tenants, in the order of [`TenantIndex`].
#[derive(Debug)]
pub struct CpuDays {
    days: RwLock<Vec<Arc<Mutex<Day>>>>,
    /// What names that nobody has now had used today when this process began. Who comes back under one goes on with it.
    absent: Mutex<BTreeMap<String, Day>>,
}

impl CpuDays {
    /// Of so many tenants, who have used nothing.
    #[must_use]
    pub fn new(tenants: usize) -> Arc<Self> {
        let days = std::iter::repeat_with(Arc::default).take(tenants).collect();
        Arc::new(CpuDays { days: RwLock::new(days), absent: Mutex::default() })
    }

    /// From now on these are the tenants: those that there were, in the same order, and new ones after them.
    pub fn grow(&self, names: &[&str]) {
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        let new = names.get(days.len()..).unwrap_or_default();
        days.extend(new.iter().map(|name| Arc::new(Mutex::new(absent.remove(*name).unwrap_or_default()))));
    }

    fn with<T>(&self, TenantIndex(index): TenantIndex, act: impl FnOnce(&mut Day) -> T) -> Option<T> {
        let days = self.days.read().unwrap_or_else(PoisonError::into_inner);
        let day = days.get(index)?;
        let mut day = day.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(&mut day))
    }

    /// A step of the tenant's has used so much.
    pub fn charge(&self, tenant: TenantIndex, micros: u64) {
        self.charge_on(tenant, clock::day(clock::seconds()), micros);
    }

    fn charge_on(&self, tenant: TenantIndex, today: i64, micros: u64) {
        self.with(tenant, |day| {
            let used = day.at(today);
            *used = used.saturating_add(micros);
        });
    }

    /// What earlier processes have counted today, before this one serves: by the names of the tenants, which are in the
    /// order of [`TenantIndex`]. Other names may be those of tenants that come back.
    pub fn restore(&self, names: &[&str], mut used: BTreeMap<String, u64>) {
        let number = clock::day(clock::seconds());
        for (index, name) in names.iter().enumerate() {
            if let Some(micros) = used.remove(*name) {
                self.charge_on(TenantIndex(index), number, micros);
            }
        }
        let absent = used.into_iter().map(|(name, micros)| (name, Day { number, micros }));
        self.absent.lock().unwrap_or_else(PoisonError::into_inner).extend(absent);
    }

    /// What the tenant has used today, in microseconds.
    #[must_use]
    pub fn used(&self, tenant: TenantIndex) -> u64 {
        let today = clock::day(clock::seconds());
        self.with(tenant, |day| *day.at(today)).unwrap_or_default()
    }

    /// Whether the tenant may use more today.
    ///
    /// # Errors
    /// [`Spent`].
    pub fn check(&self, tenant: TenantIndex, seconds: u64) -> Result<(), Spent> {
        self.check_at(tenant, clock::seconds(), seconds)
    }

    fn check_at(&self, tenant: TenantIndex, now: i64, seconds: u64) -> Result<(), Spent> {
        let used = self.with(tenant, |day| *day.at(clock::day(now))).unwrap_or_default();
        let spent = Spent { seconds, until: clock::until_midnight(now) };
        if used >= seconds.saturating_mul(1_000_000) { Err(spent) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TenantIndex = TenantIndex(0);
    const NOON: i64 = 20_000 * 86_400 + 43_200;

    #[test]
    fn a_day_is_used_up_until_midnight() {
        let days = CpuDays::new(1);
        days.charge_on(T, 20_000, 1_999_999);
        assert_eq!(days.check_at(T, NOON, 2), Ok(()));
        days.charge_on(T, 20_000, 1);
        assert_eq!(days.check_at(T, NOON, 2), Err(Spent { seconds: 2, until: Duration::from_secs(43_200) }));
        assert_eq!(days.check_at(T, NOON + 43_200, 2), Ok(()));
        days.charge_on(T, 20_001, u64::MAX);
        days.charge_on(T, 20_001, 1);
        assert!(days.check_at(T, NOON + 43_200, 2).is_err(), "it never wraps");
    }

    #[test]
    fn a_clock_that_jumps_opens_one_day_and_locks_none() {
        let days = CpuDays::new(1);
        days.charge_on(T, 20_000, 2_000_000);
        assert!(days.check_at(T, NOON - 10 * 86_400, 2).is_err(), "back: the count stays");
        assert!(days.check_at(T, NOON - 9 * 86_400, 2).is_ok(), "the day after is a new one");
        days.charge_on(T, 30_000, 2_000_000);
        assert!(days.check_at(T, NOON, 2).is_err(), "from a mistaken year back to today");
        assert!(days.check_at(T, NOON + 86_400, 2).is_ok(), "and tomorrow is tomorrow");
    }

    #[test]
    fn what_was_counted_before_a_restart_counts() {
        let days = CpuDays::new(1);
        let today = clock::day(clock::seconds());
        days.restore(&["a"], BTreeMap::from([("a".to_owned(), 7), ("gone".to_owned(), 9)]));
        days.charge(T, 1);
        assert!(days.used(T) == 8 || clock::day(clock::seconds()) != today);
        days.charge(TenantIndex(1), 1);
        assert_eq!(days.used(TenantIndex(1)), 0, "nobody");
        days.grow(&["a", "new", "gone"]);
        days.charge(TenantIndex(1), 1);
        days.charge(TenantIndex(2), 1);
        let used = [1, 2].map(|index| days.used(TenantIndex(index)));
        assert!(used == [1, 10] || clock::day(clock::seconds()) != today, "who comes back goes on: {used:?}");
        days.grow(&["a", "new", "gone"]);
        let again = [1, 2].map(|index| days.used(TenantIndex(index)));
        assert!(again == used || clock::day(clock::seconds()) != today, "the same tenants change nothing");
    }
}
