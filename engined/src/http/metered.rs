//! Requests that ask for work are counted, and every answer to one says how much is left: `RateLimit-*`, as the IETF's
//! draft has them. Of two buckets the one with less in it is told.

use std::sync::{Arc, OnceLock};

use hyper::header::{HeaderName, HeaderValue};

use super::answer::Answer;
use crate::problem::{Error, retry_after_seconds};
use crate::rates::{Gate, Level};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What one request has taken of its tenant's buckets.
#[derive(Debug, Default)]
pub struct Metered {
    plan: OnceLock<(Arc<Gate>, Level)>,
    label: OnceLock<Level>,
}

impl Metered {
    /// Takes it from the plan's bucket.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn take(&self, gate: &Arc<Gate>) -> Result<(), Error> {
        let taken = gate.take();
        let level = taken.as_ref().copied().unwrap_or_else(|_| gate.empty());
        self.plan.get_or_init(|| (Arc::clone(gate), level));
        taken.map(drop).map_err(Error::from)
    }

    /// Takes it from the bucket of a label's value, which `value` looks up.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn take_of_label<'v>(&self, gate: &Gate, value: impl FnOnce(&str) -> Option<&'v str>) -> Result<(), Error> {
        let taken = gate.take_of_label(value);
        let level = taken.as_ref().copied().unwrap_or_else(|_| gate.empty_of_label());
        if let Some(level) = level {
            self.label.get_or_init(|| level);
        }
        taken.map(drop).map_err(Error::from)
    }

    /// Says in the answer what is left.
    pub fn tell(&self, mut answer: Answer) -> Answer {
        let Some((gate, plan)) = self.plan.get() else { return answer };
        let least = self.label.get().filter(|label| label.remaining < plan.remaining).unwrap_or(plan);
        let headers = answer.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(least.limit));
        headers.insert(REMAINING, HeaderValue::from(least.remaining));
        let reset = if least.reset.is_zero() { 0 } else { retry_after_seconds(least.reset) };
        headers.insert(RESET, HeaderValue::from(reset));
        headers.insert(POLICY, gate.policy().clone());
        answer
    }
}
