//! A caller's place in its own trace, as W3C Trace Context has it (`traceparent`), and ours in it.
//!
//! The trace id is kept, and each request gets a span id of its own, whose parent is the caller's. Both stand in every
//! line of the log and in the audit line; the answer bears them as `traceresponse`. What is no `traceparent`, or one that
//! stands there twice, is treated as if it were not there, as the standard wants it. We call nobody, so `tracestate` goes
//! nowhere.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderMap;
use serde::{Serialize, Serializer};

/// The header of requests.
pub const TRACEPARENT: &str = "traceparent";
/// The header of answers.
pub const TRACERESPONSE: &str = "traceresponse";

/// Lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits<const N: usize>([u8; N]);

impl<const N: usize> Digits<N> {
    /// Reads digits that are not all zero, which the standard calls invalid.
    fn read(text: &[u8]) -> Option<Self> {
        let digits: [u8; N] = text.try_into().ok()?;
        let legal = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (legal && digits.iter().any(|digit| *digit != b'0')).then_some(Digits(digits))
    }

    /// Of bytes, whose number must be half of theirs.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; N];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Digits(digits)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> Serialize for Digits<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where a request stands in its caller's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The whole trace.
    pub id: Digits<32>,
    /// The caller's span.
    pub parent: Digits<16>,
    /// Ours.
    pub span: Digits<16>,
    /// Whether the caller records it. The other flags are not handed on.
    pub sampled: bool,
}

impl Trace {
    /// What the caller said, if it is sound.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Trace> {
        let mut sent = headers.get_all(TRACEPARENT).iter();
        let (Some(header), None) = (sent.next(), sent.next()) else { return None };
        Trace::parse(header.as_bytes(), next_span())
    }

    fn parse(text: &[u8], span: Digits<16>) -> Option<Trace> {
        let (known, rest) = text.split_at_checked(55)?;
        let dashes = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
        let version = byte(&known[..2])?;
        // A later version may have more to say, after another dash.
        let more = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
        if !dashes || version == 0xff || !more {
            return None;
        }
        let (id, parent) = (Digits::read(&known[3..35])?, Digits::read(&known[36..52])?);
        Some(Trace { id, parent, span, sampled: byte(&known[53..55])? & 1 == 1 })
    }

    /// What the answer says.
    #[must_use]
    pub fn response(&self) -> String {
        format!("00-{}-{}-0{}", self.id, self.span, u8::from(self.sampled))
    }
}

/// Two lower-case hexadecimal digits.
fn byte(text: &[u8]) -> Option<u8> {
    let legal = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u8::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().filter(|_| legal)
}

/// A span id: no secret, but not one that another engine is likely to give.
fn next_span() -> Digits<16> {
    static NEXT: OnceLock<AtomicU64> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let mut seed = [0; 8];
        if let Err(error) = getrandom::fill(&mut seed) {
            tracing::warn!(%error, "no entropy for span ids");
        }
        AtomicU64::new(u64::from_le_bytes(seed))
    });
    // SplitMix64: neighbours have nothing in common.
    let mut word = next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Digits::of(&((word ^ (word >> 31)).max(1)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(TRACEPARENT, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_trace_is_carried_on_when_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::of(&headers(&[good])).unwrap();
        assert_eq!(trace.id.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.parent.as_str(), "00f067aa0ba902b7");
        assert!(trace.sampled && trace.span != trace.parent);
        assert_eq!(trace.response(), format!("00-{}-{}-01", trace.id, trace.span));
        // Of the flags of a later version, the one that is known.
        for also in [&good.replace("00-4", "cc-4"), &good.replace("00-4", "01-4").replace("-01", "-09-what-comes")] {
            assert!(Trace::of(&headers(&[also])).unwrap().sampled, "{also}");
        }
        for bad in [
            "",
            "x",
            &good[..54],
            &good.to_uppercase(),
            &good.replace('f', "\""),
            &good.replace("00-4", "ff-4"),
            &good.replace("00-4", "0x-4"),
            &format!("{good}-x"),
            &good.replace("-01", "-01x"),
            &good.replace("-01", "-0X"),
            &good.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Trace::of(&headers(&[bad])), None, "{bad}");
        }
        assert_eq!(Trace::of(&headers(&[good, good])), None, "which of them is it?");
        assert_eq!(Trace::of(&headers(&[])), None);
    }

    #[test]
    fn spans_are_different() {
        let spans: std::collections::BTreeSet<String> = (0..10_000).map(|_| next_span().to_string()).collect();
        assert_eq!(spans.len(), 10_000);
        assert!(spans.iter().all(|span| span.len() == 16));
    }
}
