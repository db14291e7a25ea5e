//! Numbers, and how far they may be from each other.

/// How far a number may be from the expected one: by either of the two is enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// By so much.
    pub absolute: f64,
    /// By so much times the expected number.
    pub relative: f64,
}

/// Where none is given.
pub const DEFAULT: f64 = 1e-9;

impl Tolerance {
    /// As a caller gives them. Of two of which one is given the other doesn't count; without any both are 1e-9.
    #[must_use]
    pub fn new(absolute: Option<f64>, relative: Option<f64>) -> Self {
        if absolute.is_none() && relative.is_none() {
            return Tolerance { absolute: DEFAULT, relative: DEFAULT };
        }
        Tolerance { absolute: absolute.unwrap_or(0.0), relative: relative.unwrap_or(0.0) }
    }

    /// Whether a number is close enough. NaN is close to NaN alone, an infinity to itself.
    #[must_use]
    pub fn allows(self, expected: f64, found: f64) -> bool {
        if expected.is_nan() || found.is_nan() {
            return expected.is_nan() && found.is_nan();
        }
        if expected.is_infinite() || found.is_infinite() {
            return expected.to_bits() == found.to_bits();
        }
        let error = (found - expected).abs();
        error <= self.absolute || error <= self.relative * expected.abs()
    }
}

/// The number that a word is, where it is one: an optional sign, then digits with at most one point before, among or after
/// them (`5`, `.5`, `5.`), then optionally `e` or `E` with an optional sign and digits; or, in any case of letters, `inf`,
/// `infinity` or `nan` with an optional sign. Decimal only: `0x10`, `1_000`, `1,5`, `1e` and the empty word are none.
/// A word that is longer than 512 bytes is none, nor is one that no double can hold, as `1e400`: such a word is right when it
/// is the same to the byte. (One that is too small for a double, as `1e-400`, is 0.)
#[must_use]
pub fn number(word: &[u8]) -> Option<f64> {
    if word.len() > LONGEST {
        return None;
    }
    let value: f64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    let said_so = word.iter().any(|byte| matches!(byte, b'i' | b'I'));
    (!value.is_infinite() || said_so).then_some(value)
}

/// A longer word is no number.
pub(super) const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_is_none() {
        for (word, value) in [
            ("+1", 1.0),
            ("-0", 0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-5.e-1", -0.5),
            ("1E+2", 100.0),
            ("007", 7.0),
            ("1e-400", 0.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
        ] {
            assert_eq!(number(word.as_bytes()), Some(value), "{word}");
        }
        assert!(number(b"nan").is_some_and(f64::is_nan) && number(b"-NaN").is_some_and(f64::is_nan));
        for word in [
            "", ".", "+", "-", "e5", "1e", "1e+", "0x10", "1_000", "1,5", "1e400", "-1e400", "1.2.3", "١", "1f",
            "nan(1)",
        ] {
            assert_eq!(number(word.as_bytes()), None, "{word}");
        }
        assert_eq!(number("1".repeat(LONGEST + 1).as_bytes()), None);
        assert_eq!(number(&[0xff, b'1']), None);
    }

    #[test]
    fn either_tolerance_is_enough() {
        let both = Tolerance::new(Some(0.5), Some(0.1));
        assert!(both.allows(0.0, 0.5) && !both.allows(0.0, 0.6));
        assert!(both.allows(100.0, 110.0) && both.allows(-100.0, -90.0) && !both.allows(100.0, 111.0));
        assert!(!both.allows(f64::MAX, -f64::MAX));
        let relative = Tolerance::new(None, Some(0.1));
        assert!(relative.allows(0.0, -0.0) && !relative.allows(0.0, 1e-300));
        assert_eq!(Tolerance::new(None, None), Tolerance { absolute: 1e-9, relative: 1e-9 });
    }

    #[test]
    fn what_is_not_finite_is_close_to_itself() {
        let wide = Tolerance::new(Some(f64::MAX), Some(f64::MAX));
        assert!(wide.allows(f64::NAN, -f64::NAN) && !wide.allows(f64::NAN, 0.0) && !wide.allows(0.0, f64::NAN));
        assert!(wide.allows(f64::INFINITY, f64::INFINITY) && wide.allows(f64::NEG_INFINITY, f64::NEG_INFINITY));
        assert!(!wide.allows(f64::INFINITY, f64::NEG_INFINITY));
        assert!(!wide.allows(f64::INFINITY, f64::MAX) && !wide.allows(f64::MAX, f64::INFINITY));
    }
}
