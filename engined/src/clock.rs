//! The wall clock, for what people agree on by the calendar: when a token ends, which day it is. Nothing waits by it and no
//! bucket is filled by it, so that a clock that jumps changes a day's name and no rate. Put back,
//! it has a token be valid again that had ended: whoever may set the clock of a host may change its configuration as well.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Seconds since 1970, UTC. Before 1970 it is negative.
#[must_use]
pub fn seconds() -> i64 {
    let signed = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since),
        Err(before) => -signed(before.duration()),
    }
}

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn millis() -> i64 {
    let signed = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -signed(before.duration()), signed)
}

/// As people and JSON have it: RFC 3339, UTC, with milliseconds.
#[must_use]
pub fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// The day of a second, counted from 1970-01-01, UTC.
#[must_use]
pub fn day(seconds: i64) -> i64 {
    seconds.div_euclid(DAY)
}

/// From a second until the next midnight, UTC.
#[must_use]
pub fn until_midnight(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(DAY - seconds.rem_euclid(DAY)).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!((day(-1), day(0), day(86_399), day(86_400)), (-1, 0, 0, 1));
        assert_eq!(until_midnight(0).as_secs(), 86_400);
        assert_eq!(until_midnight(86_399).as_secs(), 1);
        assert_eq!(until_midnight(-1).as_secs(), 1);
        assert!(seconds() > 1_700_000_000);
        assert!(millis() / 1000 - seconds() <= 1);
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }
}
