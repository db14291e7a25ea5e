//! Lines of the log about requests that were refused.
//!
//! Whoever holds a token can have any number of requests refused, and a journal that is full of them has no room for
//! what others did, nor for the audit where that goes there. So each tenant has so many lines, callers who are nobody's
//! have as many together, and what is left out is counted and told from time to time. Only a refused request pays for it:
//! one number that is compared and swapped.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api_spec::{Code, Problem};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::problem::Error;
use crate::queue::TenantIndex;
use crate::tenants::Tenants;

/// Lines a minute of one tenant, in the long run.
const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// And so many at once, after it was quiet.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// The lines of one tenant, or of those who are nobody's.
#[derive(Debug)]
pub struct Lines<C: Clock = MonotonicClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    left_out: AtomicU64,
}

impl Default for Lines {
    fn default() -> Self {
        Lines::by(MonotonicClock)
    }
}

impl<C: Clock> Lines<C> {
    fn by(clock: C) -> Self {
        let quota = Quota::per_minute(PER_MINUTE).allow_burst(BURST);
        Lines { limiter: RateLimiter::direct_with_clock(quota, clock), left_out: AtomicU64::new(0) }
    }

    /// Whether there is room for one. One that finds none is counted.
    fn take(&self) -> bool {
        let room = self.limiter.check().is_ok();
        if !room {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    /// How many were left out since this was asked for last.
    fn left_out(&self) -> u64 {
        // Nothing is written for most of them, most of the time.
        if self.left_out.load(Ordering::Relaxed) == 0 { 0 } else { self.left_out.swap(0, Ordering::Relaxed) }
    }
}

/// Says that a request was refused: whose, where that is known, and why.
pub fn tell(tenants: &Tenants, known: Option<&(TenantIndex, Option<Arc<str>>)>, error: &Error, problem: &Problem) {
    let code = problem.code;
    if let Error::Internal(why) = error {
        tracing::error!(%why, "internal error");
        return;
    }
    // Strangers have no line at all for that: engined_problems_total counts them.
    if code == Code::Unauthenticated || !tenants.refusals(known.map(|(tenant, _)| *tenant)).take() {
        tracing::debug!(%code, detail = ?problem.detail, "problem");
        return;
    }
    let (tenant, token) = known.map(|(tenant, token)| (tenants.name(*tenant), token)).unzip();
    // As a quoted text: what a caller sent must not begin a line of its own.
    tracing::info!(%code, tenant, token = token.and_then(Option::as_deref), detail = ?problem.detail, "problem");
}

/// Says how many lines were left out, since it was said last.
pub fn tell_left_out(tenants: &Tenants) {
    for (tenant, lines) in tenants.all_refusals() {
        let left_out = lines.left_out();
        if left_out > 0 {
            tracing::warn!(
                tenant,
                left_out,
                "problems left out: more requests were refused than the log has lines for; engined_problems_total counts all"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn so_many_lines_and_the_rest_is_counted() {
        let clock = FakeRelativeClock::default();
        let lines = Lines::by(clock.clone());
        let taken = |times: u32| (0..times).filter(|_| lines.take()).count();
        assert_eq!((taken(1_000), lines.left_out(), lines.left_out()), (100, 900, 0));
        clock.advance(Duration::from_secs(3));
        assert_eq!((taken(10), lines.left_out()), (3, 7), "one a second");
        clock.advance(Duration::from_secs(3_600));
        assert_eq!((taken(101), lines.left_out()), (100, 1), "and no more at once after an hour");
    }
}
