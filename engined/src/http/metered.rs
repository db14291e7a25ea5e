//! Requests that ask for work are counted, and reads of batches by themselves; every answer to one says how much
//! is left: `RateLimit-*`, as the IETF's draft has them. Of two buckets the one with less in it is told.

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
    /// Whose bucket was only looked at, until the label is known.
    asked: OnceLock<Arc<Gate>>,
    plan: OnceLock<(HeaderValue, Level)>,
    label: OnceLock<Level>,
}

impl Metered {
    /// Asks the plan's bucket. Where those of a label have a say as well, [`Metered::take_of_label`] takes the request.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn ask(&self, gate: &Arc<Gate>) -> Result<(), Error> {
        if !gate.has_labels() {
            return self.take(gate);
        }
        let gate = self.asked.get_or_init(|| Arc::clone(gate));
        gate.look().map(drop).map_err(|refused| {
            self.note(gate, gate.empty());
            Error::from(refused)
        })
    }

    /// Takes the request from the plan's bucket.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn take(&self, gate: &Arc<Gate>) -> Result<(), Error> {
        let taken = gate.take();
        self.note(gate, taken.as_ref().copied().unwrap_or_else(|_| gate.empty()));
        taken.map(drop).map_err(Error::from)
    }

    /// Takes it from the bucket of reads.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn read(&self, gate: &Gate) -> Result<(), Error> {
        let taken = gate.read();
        let level = taken.as_ref().copied().unwrap_or_else(|_| gate.empty_of_reads());
        self.plan.get_or_init(|| (gate.reads_policy().clone(), level));
        taken.map(drop).map_err(Error::from)
    }

    fn note(&self, gate: &Gate, level: Level) {
        self.plan.get_or_init(|| (gate.policy().clone(), level));
    }

    /// Takes it from the bucket of a label's value, which `value` looks up, and then from the plan's: what the former
    /// refuses costs the latter nothing.
    ///
    /// # Errors
    /// [`Error::Rate`].
    pub fn take_of_label<'v>(&self, value: impl FnOnce(&str) -> Option<&'v str>) -> Result<(), Error> {
        let Some(gate) = self.asked.get() else { return Ok(()) };
        let taken = gate.take_of_label(value);
        if let Some(level) = taken.as_ref().copied().unwrap_or_else(|_| gate.empty_of_label()) {
            self.label.get_or_init(|| level);
        }
        if let Err(refused) = taken {
            self.note(gate, gate.look().unwrap_or_else(|_| gate.empty()));
            return Err(Error::from(refused));
        }
        self.take(gate)
    }

    /// One that came to nothing before its label was known has asked all the same.
    fn settle(&self) {
        if let (Some(gate), None) = (self.asked.get(), self.plan.get()) {
            self.take(gate).unwrap_or_default();
        }
    }

    /// Says in the answer what is left.
    pub fn tell(&self, mut answer: Answer) -> Answer {
        self.settle();
        let Some((policy, plan)) = self.plan.get() else { return answer };
        let least = self.label.get().filter(|label| label.remaining <= plan.remaining).unwrap_or(plan);
        let headers = answer.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(least.limit));
        headers.insert(REMAINING, HeaderValue::from(least.remaining));
        let reset = if least.reset.is_zero() { 0 } else { retry_after_seconds(least.reset) };
        headers.insert(RESET, HeaderValue::from(reset));
        headers.insert(POLICY, policy.clone());
        answer
    }
}

impl Drop for Metered {
    /// Also where the caller has hung up.
    fn drop(&mut self) {
        self.settle();
    }
}
