//! How many submissions and tests a body has, before it is parsed: a test of a few bytes becomes hundreds in memory, and a body
//! may have millions of them.

use std::cell::Cell;
use std::fmt;

use api_spec::Problem;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::admission::too_many;
use crate::config::BatchShare;

/// Shorter bodies can't have enough of them to matter.
const LARGE: usize = 1 << 20;

/// Counts them, of a body that is large enough for too many.
///
/// # Errors
/// More submissions or tests than the plan allows. Whatever else is wrong is for the parser to tell.
pub fn not_too_many(body: &[u8], share: &BatchShare) -> Result<(), Problem> {
    if body.len() < LARGE {
        return Ok(());
    }
    let (submissions, tests) = (Cell::new(0), Cell::new(0));
    let most = [("submissions", &submissions, share.submissions), ("tests", &tests, share.tests)];
    // What ends it early is one too many, or a mistake.
    Fields(&most).deserialize(&mut serde_json::Deserializer::from_slice(body)).unwrap_or_default();
    for (name, count, most) in most {
        if count.get() > most {
            let problem = too_many(name, count.get(), most, &format!("/{name}"));
            // It is not counted to the end.
            return problem.map_err(|mut problem| {
                problem.detail = format!("the batch has more than {most} {name}, which is what the plan allows");
                problem
            });
        }
    }
    Ok(())
}

/// A name, how many there are, and how many there may be.
type Most<'a> = (&'static str, &'a Cell<u64>, u64);

struct Fields<'a>(&'a [Most<'a>]);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match self.0.iter().find(|(known, ..)| *known == name) {
                Some(most) => map.next_value_seed(Count(most))?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

struct Count<'a>(&'a Most<'a>);

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (_, count, most) = self.0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count.set(count.get() + 1);
            if count.get() > *most {
                return Err(serde::de::Error::custom("too many"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share() -> BatchShare {
        BatchShare {
            submissions: 2,
            tests: 70_000,
            results: 1,
            queued_results: 1,
            output_bytes: 1,
            blob_bytes: 1,
            bytes: 1,
        }
    }

    #[test]
    fn millions_are_not_parsed() {
        let tests = |count| format!(r#"{{"a":[{{}}],"tests":[{}"#, vec![r#"{"stdin":"{}"}"#; count].join(","));
        let problem = not_too_many(tests(100_000).as_bytes(), &share()).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/tests"));
        // That it is no JSON is for the parser to say.
        assert!(not_too_many(tests(70_000).as_bytes(), &share()).is_ok());
        assert!(not_too_many(br#"{"submissions":[1,2,3]}"#, &share()).is_ok(), "a short one is parsed");
    }
}
