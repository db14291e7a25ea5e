//! Requests per minute: a token bucket for each tenant, and one for each value of a label that a plan names.
//!
//! The buckets are governor's, on the monotonic clock: a step of the wall clock neither opens nor empties one. The plan's
//! own bucket is asked for every request and first, so that no choice of labels passes it by. What is held of the values
//! is bounded: a bucket that is full again says nothing and is dropped when room is needed; while there are more values
//! than room, those without a bucket of their own share one.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use hyper::header::HeaderValue;

use crate::config::Plan;

/// Between two searches for buckets that are full again.
const LOOK: u64 = 100_000_000;
/// Our clock may be ahead of the bucket's by the time between two lines.
const SLACK: u64 = 1_000_000;

/// So many a minute, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per minute.
    pub per_minute: NonZeroU32,
    /// The size of the bucket.
    pub burst: NonZeroU32,
}

impl Rate {
    fn quota(self) -> Quota {
        Quota::per_minute(self.per_minute).allow_burst(self.burst)
    }

    /// As `RateLimit-Policy` has it.
    #[must_use]
    pub fn policy(self) -> String {
        format!("{};w=60;burst={}", self.per_minute, self.burst)
    }
}

/// What a plan says of each value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerLabel {
    /// The label.
    pub label: String,
    /// For each of its values.
    pub rate: Rate,
    /// The most values with a bucket of their own.
    pub values: usize,
}

/// How full a bucket is after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The bucket's size.
    pub limit: u32,
    /// Requests that may come now.
    pub remaining: u32,
    /// Until it is full.
    pub reset: Duration,
}

/// A bucket is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Until the next request is taken.
    pub wait: Duration,
    /// What the bucket lets through.
    pub rate: Rate,
    /// The label whose bucket it is; the plan's without one.
    pub label: Option<String>,
}

type Limiter<K, S> = RateLimiter<K, S, MonotonicClock, StateInformationMiddleware>;

fn limiter<S: StateStore>(rate: Rate, state: S) -> Limiter<S::Key, S> {
    RateLimiter::new(rate.quota(), state, MonotonicClock)
}

fn level(rate: Rate, remaining: u32) -> Level {
    let limit = rate.burst.get();
    let lacking = limit.saturating_sub(remaining);
    Level { limit, remaining, reset: rate.quota().replenish_interval().saturating_mul(lacking) }
}

/// The buckets of one tenant.
#[derive(Debug)]
pub struct Gate {
    rate: Rate,
    plan: Limiter<NotKeyed, InMemoryState>,
    labels: Option<Labels>,
    policy: HeaderValue,
}

#[derive(Debug)]
struct Labels {
    is: PerLabel,
    hasher: RandomState,
    values: Limiter<u64, Values>,
}

impl Gate {
    /// Full buckets as the plan says.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let labels = plan.per_label.clone().map(|is| Labels {
            values: limiter(is.rate, Values::new(is.values)),
            hasher: RandomState::new(),
            is,
        });
        let of_label = plan.per_label.iter().map(|per| format!(", {}", per.rate.policy())).collect::<String>();
        let policy = plan.rate.policy() + &of_label;
        // Digits and signs of ours.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("unknown"));
        Gate { rate: plan.rate, plan: limiter(plan.rate, InMemoryState::default()), labels, policy }
    }

    /// Whether its buckets are those of the plan.
    #[must_use]
    pub fn is_of(&self, plan: &Plan) -> bool {
        self.rate == plan.rate && self.labels.as_ref().map(|labels| &labels.is) == plan.per_label.as_ref()
    }

    /// As `RateLimit-Policy` has it.
    #[must_use]
    pub fn policy(&self) -> &HeaderValue {
        &self.policy
    }

    /// An empty bucket of the plan's.
    #[must_use]
    pub fn empty(&self) -> Level {
        level(self.rate, 0)
    }

    /// An empty bucket of a label's value.
    #[must_use]
    pub fn empty_of_label(&self) -> Option<Level> {
        self.labels.as_ref().map(|labels| level(labels.is.rate, 0))
    }

    /// Takes one request from the plan's bucket.
    ///
    /// # Errors
    /// It is empty.
    pub fn take(&self) -> Result<Level, Refused> {
        match self.plan.check() {
            Ok(state) => Ok(level(self.rate, state.remaining_burst_capacity())),
            Err(not) => {
                let wait = not.wait_time_from(self.plan.clock().now());
                Err(Refused { wait, rate: self.rate, label: None })
            }
        }
    }

    /// Takes one request from the bucket of a label's value, where the plan has such. `value` looks a label up; one that
    /// was not sent counts as empty.
    ///
    /// # Errors
    /// It is empty.
    pub fn take_of_label<'v>(&self, value: impl FnOnce(&str) -> Option<&'v str>) -> Result<Option<Level>, Refused> {
        let Some(Labels { is, hasher, values }) = &self.labels else { return Ok(None) };
        let key = hasher.hash_one(value(&is.label).unwrap_or_default());
        match values.check_key(&key) {
            Ok(state) => Ok(Some(level(is.rate, state.remaining_burst_capacity()))),
            Err(not) => {
                let wait = not.wait_time_from(values.clock().now());
                Err(Refused { wait, rate: is.rate, label: Some(is.label.clone()) })
            }
        }
    }
}

/// The buckets of a label's values, by a hash under a key of chance: each is the time at which it will be full.
#[derive(Debug)]
struct Values {
    table: Mutex<Table>,
    most: usize,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Table {
    full_at: HashMap<u64, Nanos>,
    /// Of all that have none of their own.
    shared: Option<Nanos>,
    /// No bucket will be full before.
    look_at: u64,
}

impl Values {
    fn new(most: usize) -> Self {
        Values { table: Mutex::default(), most, begun: Instant::now() }
    }
}

impl Table {
    /// Drops the buckets that are full, where some may be.
    fn shrink(&mut self, now: u64) {
        if now < self.look_at {
            return;
        }
        self.full_at.retain(|_, at| at.as_u64() > now);
        let next = self.full_at.values().map(|at| at.as_u64()).min().unwrap_or(now);
        self.look_at = next.max(now.saturating_add(LOOK));
    }
}

impl StateStore for Values {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Whole after each statement that could panic.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = table.full_at.get_mut(key) {
            let (told, next) = measure(Some(*at))?;
            *at = next;
            return Ok(told);
        }
        if table.full_at.len() >= self.most {
            let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            table.shrink(now.saturating_sub(SLACK));
        }
        if table.full_at.len() >= self.most {
            let (told, next) = measure(table.shared)?;
            table.shared = Some(next);
            return Ok(told);
        }
        let (told, next) = measure(None)?;
        table.full_at.insert(*key, next);
        Ok(told)
    }
}

#[cfg(test)]
mod tests;
