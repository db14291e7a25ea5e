//! From bytes to a type, or to a problem that points at the mistake.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Code, Problem};

/// Stands between code and words of an error made by [`coded`]. Nothing that serde says begins with a code and this.
const MARK: char = '\u{1}';

/// An error of deserialising that becomes a problem of this code, where the usual is `invalid_request`.
pub(crate) fn coded<E: serde::de::Error>(code: Code, why: impl fmt::Display) -> E {
    E::custom(format_args!("{code}{MARK}{why}"))
}

/// Reads one JSON value.
///
/// # Errors
/// `malformed_json` when it is none, else `invalid_request` or a [`coded`] one, with `field`.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| problem(error.inner(), Some(error.path())))?;
    deserializer.end().map_err(|error| problem(&error, None))?;
    Ok(value)
}

fn problem(error: &serde_json::Error, path: Option<&Path>) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = error.to_string();
    let said = said.strip_suffix(&place).unwrap_or(&said);
    let pointer = path.map(pointer).unwrap_or_default();
    // A number that no f64 can hold is valid JSON: the mistake is its value.
    let is_value = error.is_data() || (said == "number out of range" && !pointer.is_empty());
    if !is_value {
        let what = match error.classify() {
            Category::Eof => "the body ends too early",
            _ => "the body is not JSON",
        };
        return Problem::new(Code::MalformedJson, format!("{what}: {said}{place}"));
    }
    if let Some((code, why)) = said.split_once(MARK)
        && let Some(code) = Code::ALL.iter().find(|known| known.name() == code)
    {
        return Problem::new(*code, format!("{}: {why}", name_of(&pointer))).at(pointer);
    }
    // serde gives the place of the object; the caller looks for the field.
    let pointer = match said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(missing) => format!("{pointer}/{}", escape(missing)),
        None => pointer,
    };
    Problem::new(Code::InvalidRequest, format!("{}: {said}", name_of(&pointer))).at(pointer)
}

fn name_of(pointer: &str) -> &str {
    if pointer.is_empty() { "the body" } else { pointer }
}

/// The path as a JSON pointer (RFC 6901). The empty one is the whole body.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// One part of a JSON pointer.
#[must_use]
pub fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// Null or an object of strings in which no name stands twice (serde would keep the last).
pub(crate) fn map_without_duplicates<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of strings")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                if names.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("duplicate name `{name}`")));
                }
                names.insert(name, value);
            }
            Ok(names)
        }
    }
    deserializer.deserialize_any(Names)
}
