//! How fast the cache may write: whoever compiles large programs without end must not keep the host's disk busy, nor
//! push out everything that others use within seconds.

use std::time::{Duration, Instant};

/// All of the room may be written once in this time.
const WHOLE_IN: u64 = 32;
/// What may be written at once after a quiet time, as a part of all the room.
const BURST: u64 = 8;

/// Bytes that may be written.
#[derive(Debug)]
pub struct Pace {
    most: u64,
    left: u64,
    since: Instant,
}

impl Pace {
    /// For so much room.
    #[must_use]
    pub fn new(room: u64) -> Self {
        Pace { most: room, left: room / BURST, since: Instant::now() }
    }

    /// Takes so many bytes, if that many may be written now.
    pub fn take(&mut self, bytes: u64) -> bool {
        let now = Instant::now();
        self.refill(now.saturating_duration_since(self.since));
        self.since = now;
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, passed: Duration) {
        let micros = passed.as_micros().min(u128::from(WHOLE_IN) * 1_000_000);
        let more = u128::from(self.most) * micros / (u128::from(WHOLE_IN) * 1_000_000);
        self.left = (self.left + u64::try_from(more).unwrap_or(u64::MAX)).min(self.most / BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_bounded_and_time_brings_more() {
        let mut pace = Pace::new(3200);
        assert!(pace.take(400) && !pace.take(100), "a burst is an eighth");
        pace.refill(Duration::from_millis(500));
        assert_eq!(pace.left / 10, 5, "a thirty-second part each second");
        pace.refill(Duration::from_secs(1 << 40));
        assert_eq!(pace.left, 400);
        assert!(!pace.take(u64::MAX));
    }
}
