//! Reads a request's body: under its cap, at no less than its rate, and under the engine's memory budget.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use crate::budget::{Budget, Reservation};
use crate::config::Http;
use crate::problem::Error;

/// What is in shorter bodies is little beside them.
const LARGE: usize = 1 << 20;
/// What a value takes in memory, beside its bytes.
const VALUE: u64 = 128;

/// A whole body, and the memory that it holds.
#[derive(Debug)]
pub struct Whole {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they count.
    pub memory: Reservation,
}

/// Reads all of it. Memory is reserved as the bytes arrive, so that a caller who announces much and sends nothing
/// takes nothing from the others.
///
/// # Errors
/// Too large, too slow, broken off, or no memory for it.
pub async fn read(mut body: Incoming, limits: &Http, budget: &std::sync::Arc<Budget>) -> Result<Whole, Error> {
    let most = limits.body_bytes;
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > most) {
        return Err(Error::BodyTooLarge { most });
    }
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let mut memory = budget.nothing();
    loop {
        let received = bytes.len() as u64;
        let rate = limits.body_bytes_per_second;
        // A slow start is no slow body: as much time as the headers had.
        let due = begun + limits.header_timeout + Duration::from_millis(received.saturating_mul(1000) / rate);
        let frame = match tokio::time::timeout_at(due, body.frame()).await {
            Err(_) => return Err(Error::BodyTooSlow { received, rate }),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "body broken off");
                return Err(Error::BodyBroken);
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if received + data.len() as u64 > most {
            return Err(Error::BodyTooLarge { most });
        }
        // Twice: as it came, and as what it is parsed into.
        memory.grow(2 * data.len() as u64)?;
        if bytes.is_empty() && announced == Some(data.len() as u64) {
            bytes = data.into();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if bytes.len() > LARGE {
        // What it becomes when it is parsed.
        let values = api_spec::values(&bytes).min(api_spec::VALUES_MAX);
        memory.grow(VALUE * values as u64)?;
    }
    Ok(Whole { bytes, memory })
}
