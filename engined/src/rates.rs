//! Requests per minute: a token bucket for each tenant, and one for each value of a label that a plan names.
//!
//! The buckets are governor's, on the monotonic clock: a step of the wall clock neither opens nor empties one. The
//! plan's own bucket is asked for every request, so that no choice of labels passes it by; what a value's bucket
//! refuses takes nothing from it, so that one user does not empty it for all others. What is held of the values is
//! bounded: a bucket that is full again says nothing and is dropped when room is needed; while there are more values
//! than room, those without a bucket of their own share one.
//!
//! Reads of batches have a bucket of their own, [`READS`] times the plan's: whoever follows results as they come must
//! not use up what its tenant may have run, and a flood of them must not keep the store from the others.
//! To cancel one is not counted.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use hyper::header::HeaderValue;

use crate::config::Plan;
use stores::{Bucket, Intent, Values, nanos};

pub use stores::Room;

mod stores;

/// For each request for work so many reads of batches are allowed.
pub const READS: u32 = 10;

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

    /// That of reads, where this is the plan's.
    #[must_use]
    pub fn of_reads(self) -> Rate {
        let times = |number: NonZeroU32| number.saturating_mul(NonZeroU32::MIN.saturating_add(READS - 1));
        Rate { per_minute: times(self.per_minute), burst: times(self.burst) }
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
    /// Whose bucket it is.
    pub whose: Whose,
}

/// Whose a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The plan's, of requests for work.
    Plan,
    /// The plan's, of reads of batches.
    Reads,
    /// That of a value of this label.
    Label(String),
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

/// The time in which an empty bucket becomes full.
fn whole(rate: Rate) -> u64 {
    nanos(rate.quota().replenish_interval()).saturating_mul(u64::from(rate.burst.get()))
}

/// One bucket with what it lets through.
#[derive(Debug)]
struct Single {
    rate: Rate,
    limiter: Limiter<Intent, Bucket>,
    bucket: Bucket,
}

impl Single {
    /// A full one.
    fn new(rate: Rate) -> Self {
        let bucket = Bucket::default();
        Single { rate, limiter: limiter(rate, bucket.clone()), bucket }
    }

    fn ask(&self, intent: Intent, whose: Whose) -> Result<Level, Refused> {
        match self.limiter.check_key(&intent) {
            Ok(state) => Ok(level(self.rate, state.remaining_burst_capacity())),
            Err(not) => {
                let wait = not.wait_time_from(self.limiter.clock().now());
                Err(Refused { wait, rate: self.rate, whose })
            }
        }
    }
}

/// The buckets of one tenant.
#[derive(Debug)]
pub struct Gate {
    plan: Single,
    reads: Single,
    labels: Option<Labels>,
    policy: HeaderValue,
    reads_policy: HeaderValue,
    /// From when on the times in the buckets count.
    begun: Instant,
}

#[derive(Debug)]
struct Labels {
    is: PerLabel,
    hasher: RandomState,
    values: Limiter<u64, Values>,
    table: Values,
}

impl Gate {
    /// Full buckets as the plan says.
    #[must_use]
    pub fn new(plan: &Plan, room: &Room) -> Self {
        let begun = Instant::now();
        let tables = plan.per_label.as_ref().map(|is| (RandomState::new(), Values::new(is.values, begun, room)));
        Gate::of(plan, begun, tables)
    }

    /// The buckets of a tenant that had `earlier` ones: as full as those were, in proportion. So a configuration that is
    /// read again gives nothing away. Where another label is named, its values begin with full buckets.
    #[must_use]
    pub fn renewed(plan: &Plan, earlier: &Arc<Gate>, room: &Room) -> Arc<Self> {
        if earlier.is_of(plan) {
            return Arc::clone(earlier);
        }
        let (begun, then) = (Instant::now(), nanos(earlier.begun.elapsed()));
        let now = nanos(begun.elapsed());
        let moved = |from: Rate, to: Rate| {
            move |full_at: u64| {
                let lacking = u128::from(full_at.saturating_sub(then));
                let lacking = (lacking * u128::from(whole(to))).div_ceil(u128::from(whole(from).max(1)));
                let lacking = u64::try_from(lacking).unwrap_or(u64::MAX);
                (lacking > 0).then(|| now.saturating_add(lacking))
            }
        };
        let tables = plan.per_label.as_ref().map(|is| {
            match earlier.labels.as_ref().filter(|labels| labels.is.label == is.label) {
                Some(old) => (old.hasher.clone(), old.table.moved(is.values, begun, moved(old.is.rate, is.rate))),
                None => (RandomState::new(), Values::new(is.values, begun, room)),
            }
        });
        let gate = Gate::of(plan, begun, tables);
        for (old, new) in [(&earlier.plan, &gate.plan), (&earlier.reads, &gate.reads)] {
            if let Some(full_at) = moved(old.rate, new.rate)(old.bucket.full_at()) {
                new.bucket.set(full_at);
            }
        }
        Arc::new(gate)
    }

    fn of(plan: &Plan, begun: Instant, tables: Option<(RandomState, Values)>) -> Self {
        let labels = plan.per_label.clone().zip(tables).map(|(is, (hasher, table))| Labels {
            values: limiter(is.rate, table.clone()),
            hasher,
            table,
            is,
        });
        let of_label = plan.per_label.iter().map(|per| format!(", {}", per.rate.policy())).collect::<String>();
        let reads = plan.rate.of_reads();
        // Digits and signs of ours.
        let header = |policy| HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("unknown"));
        let (policy, reads_policy) = (header(plan.rate.policy() + &of_label), header(reads.policy()));
        Gate { plan: Single::new(plan.rate), reads: Single::new(reads), labels, policy, reads_policy, begun }
    }

    /// Drops buckets that are full again: they say nothing.
    pub fn tidy(&self) {
        if let Some(labels) = &self.labels {
            labels.table.tidy();
        }
    }

    /// Whether there are buckets for the values of a label.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// Whether its buckets are those of the plan.
    #[must_use]
    pub fn is_of(&self, plan: &Plan) -> bool {
        self.plan.rate == plan.rate && self.labels.as_ref().map(|labels| &labels.is) == plan.per_label.as_ref()
    }

    /// As `RateLimit-Policy` has it.
    #[must_use]
    pub fn policy(&self) -> &HeaderValue {
        &self.policy
    }

    /// The same of reads.
    #[must_use]
    pub fn reads_policy(&self) -> &HeaderValue {
        &self.reads_policy
    }

    /// An empty bucket of the plan's.
    #[must_use]
    pub fn empty(&self) -> Level {
        level(self.plan.rate, 0)
    }

    /// An empty bucket of reads.
    #[must_use]
    pub fn empty_of_reads(&self) -> Level {
        level(self.reads.rate, 0)
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
        self.plan.ask(Intent::Take, Whose::Plan)
    }

    /// Whether [`Gate::take`] would, and what it would say.
    ///
    /// # Errors
    /// It is empty.
    pub fn look(&self) -> Result<Level, Refused> {
        self.plan.ask(Intent::Look, Whose::Plan)
    }

    /// Takes one request from the bucket of reads.
    ///
    /// # Errors
    /// It is empty.
    pub fn read(&self) -> Result<Level, Refused> {
        self.reads.ask(Intent::Take, Whose::Reads)
    }

    /// Takes one request from the bucket of a label's value, where the plan has such. `value` looks a label up; one that
    /// was not sent counts as empty.
    ///
    /// # Errors
    /// It is empty.
    pub fn take_of_label<'v>(&self, value: impl FnOnce(&str) -> Option<&'v str>) -> Result<Option<Level>, Refused> {
        let Some(Labels { is, hasher, values, .. }) = &self.labels else { return Ok(None) };
        let key = hasher.hash_one(value(&is.label).unwrap_or_default());
        match values.check_key(&key) {
            Ok(state) => Ok(Some(level(is.rate, state.remaining_burst_capacity()))),
            Err(not) => {
                let wait = not.wait_time_from(values.clock().now());
                Err(Refused { wait, rate: is.rate, whose: Whose::Label(is.label.clone()) })
            }
        }
    }
}

#[cfg(test)]
mod tests;
