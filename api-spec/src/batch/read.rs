//! Fields of a batch, from JSON. Bounds that one value alone can break are kept here, so that the problem points at it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{GroupRequest, SubmissionRequest, TestRequest};
use crate::parse::{Object, Word, coded};
use crate::problem::Code;

/// The most submissions, whatever the plan says. What is above is not even kept in memory.
pub const SUBMISSIONS_MAX: usize = 100_000;
/// The most tests, whatever the plan says.
pub const TESTS_MAX: usize = 100_000;
/// The most runs of one test.
pub const REPEAT_MAX: u32 = 100;
/// The most that a test can be worth.
pub const POINTS_MAX: f64 = 1e9;

pub(super) fn submissions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SubmissionRequest>, D::Error> {
    deserializer.deserialize_any(Many::of("submissions", SUBMISSIONS_MAX))
}

pub(super) fn tests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TestRequest>, D::Error> {
    deserializer.deserialize_any(Many::of("tests", TESTS_MAX))
}

/// Null or groups: no more than there can be tests, as each has one.
pub(super) fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<GroupRequest>, D::Error> {
    deserializer.deserialize_any(Many { null: true, ..Many::of("groups", TESTS_MAX) })
}

/// Null or an object.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// A word that must be there.
pub(super) fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Word::<T>::deserialize(deserializer).map(|word| word.0)
}

pub(super) fn repeat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Number { least: 1.0, most: REPEAT_MAX.into(), whole: true };
    let repeat = deserializer.deserialize_any(number)?.unwrap_or(1.0);
    // It is whole and at most 100: found without a cast.
    Ok((1..=REPEAT_MAX).find(|known| f64::from(*known) >= repeat).unwrap_or(REPEAT_MAX))
}

pub(super) fn points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = Number { least: 0.0, most: POINTS_MAX, whole: false };
    Ok(deserializer.deserialize_any(number)?.unwrap_or_default())
}

pub(super) fn tolerance<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_any(Number { least: 0.0, most: f64::MAX, whole: false })
}

/// An array of objects, of which only so many are kept. The others are counted, to be told.
struct Many<T> {
    name: &'static str,
    most: usize,
    null: bool,
    of: PhantomData<T>,
}

impl<T> Many<T> {
    fn of(name: &'static str, most: usize) -> Self {
        Many { name, most, null: false, of: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Many<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}", self.name)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
        if self.null { Ok(Vec::new()) } else { Err(E::invalid_type(Unexpected::Other("null"), &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < self.most {
            match items.next_element::<Object<T>>()? {
                Some(Object(item)) => kept.push(item),
                None => return Ok(kept),
            }
        }
        let mut more = 0_u64;
        while items.next_element::<IgnoredAny>()?.is_some() {
            more += 1;
        }
        if more == 0 {
            return Ok(kept);
        }
        let Many { name, most, .. } = self;
        Err(coded(
            Code::LimitAboveCeiling,
            format_args!("there are {most} {name} and {more} more, no batch may have more than {most}"),
        ))
    }
}

/// Null or a number within bounds.
struct Number {
    least: f64,
    most: f64,
    whole: bool,
}

impl Number {
    fn within<E: serde::de::Error>(self, value: f64, said: Unexpected<'_>) -> Result<Option<f64>, E> {
        // -0 is within too, and becomes 0.
        let is_within = value >= self.least && value <= self.most;
        if is_within { Ok(Some(value + 0.0)) } else { Err(E::invalid_value(said, &self)) }
    }
}

impl Visitor<'_> for Number {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.whole, self.most == f64::MAX) {
            (true, _) => write!(f, "a whole number from {} to {}, without point or exponent", self.least, self.most),
            (false, true) => write!(f, "a number from {} up", self.least),
            (false, false) => write!(f, "a number from {} to {}", self.least, self.most),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        // What needs more than 32 bits is above every bound but that of a tolerance, where a digit more or less is nothing.
        let number = u32::try_from(value).map_or_else(|_| value.to_string().parse().unwrap_or(f64::MAX), f64::from);
        self.within(number, Unexpected::Unsigned(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if self.whole {
            return Err(E::invalid_type(Unexpected::Float(value), &self));
        }
        self.within(value, Unexpected::Float(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
