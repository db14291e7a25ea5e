//! From bytes to a type, or to a problem that points at the mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Code, Problem};

/// Stands between code and words of an error made by [`coded`]. Nothing that serde says begins with a code and this.
const MARK: char = '\u{1}';

/// An error of deserialising that becomes a problem of this code, where the usual is `invalid_request`.
pub(crate) fn coded<E: serde::de::Error>(code: Code, why: impl fmt::Display) -> E {
    E::custom(format_args!("{code}{MARK}{why}"))
}

/// A type of ours that comes as a JSON object. Without this, serde would also take an array of its fields in order.
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_any(Fields(PhantomData))
    }
}

/// An enum of ours that comes as one of its words. Without this, serde would also take an object, and would call every
/// other value a mistake of syntax.
pub(crate) struct Word<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
                T::deserialize(word.into_deserializer()).map(Word)
            }
        }
        deserializer.deserialize_any(Words(PhantomData))
    }
}

/// The most values that a body may have: each may take a hundred bytes of memory, and three in the body.
pub const VALUES_MAX: usize = 2_000_000;
/// Shorter bodies can't have enough of them to matter.
const LARGE: usize = 1 << 20;

/// At least as many as a body has values: what stands between commas outside of strings. It takes no memory.
#[must_use]
pub fn values(body: &[u8]) -> usize {
    let (mut commas, mut at) = (0_usize, 0);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => at = end_of_string(body, at + 1),
            b',' => commas += 1,
            _ => {}
        }
        at += 1;
    }
    commas.saturating_add(1)
}

/// Where the quotation mark is that ends it.
fn end_of_string(body: &[u8], mut at: usize) -> usize {
    loop {
        match body.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return at,
            Some(_) => at += 1,
        }
    }
}

fn not_too_many(body: &[u8]) -> Result<(), Problem> {
    if body.len() < LARGE || values(body) <= VALUES_MAX {
        return Ok(());
    }
    let detail = format!("the body has more than {VALUES_MAX} values, counted over all its lists and objects");
    Err(Problem::new(Code::InvalidRequest, detail).remedy("Send less in one request."))
}

/// Reads one JSON object.
///
/// # Errors
/// `malformed_json` when it is none, else `invalid_request` or a [`coded`] one, with `field`.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    not_too_many(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| problem(error.inner(), Some(error.path())))?;
    deserializer.end().map_err(|error| problem(&error, None))?;
    Ok(value)
}

/// So much of a text that stood where none belongs is told.
const TOLD: usize = 64;

/// Without a text that stood where none belongs, where it is the whole request or long: it may be a source or a secret, and
/// problems are logged. A short one in a field is told, so that whoever wrote it finds it.
fn untold(said: &str, pointer: &str) -> String {
    let text = said.find("string \"").zip(said.rfind("\", expected"));
    match text {
        Some((from, to)) if pointer.is_empty() || to - from > TOLD => {
            format!("{}string{}", &said[..from], &said[to + 1..])
        }
        _ => said.to_owned(),
    }
}

fn problem(error: &serde_json::Error, path: Option<&Path>) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let pointer = path.map(pointer).unwrap_or_default();
    let said = untold(&error.to_string(), &pointer);
    let said = said.strip_suffix(&place).unwrap_or(&said);
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
    let named = ["missing field `", "duplicate field `"].iter().find_map(|words| said.strip_prefix(words));
    let pointer = match named.and_then(|rest| rest.strip_suffix('`')) {
        Some(name) => format!("{pointer}/{}", escape(name)),
        None => pointer,
    };
    Problem::new(Code::InvalidRequest, format!("{}: {}", name_of(&pointer), in_words_of_json(said))).at(pointer)
}

/// serde speaks of Rust. Only the beginning and the end are its own words, between them stand the caller's.
fn in_words_of_json(said: &str) -> String {
    const BEGINNINGS: [(&str, &str); 5] = [
        ("unknown variant ", "unknown value "),
        ("invalid type: sequence", "invalid type: array"),
        ("invalid type: map", "invalid type: object"),
        ("invalid type: floating point", "invalid type: number"),
        ("invalid value: floating point", "invalid value: number"),
    ];
    const END: (&str, &str) = ("expected a sequence", "expected an array");
    let begun = BEGINNINGS.iter().find_map(|(serde, json)| Some(format!("{json}{}", said.strip_prefix(serde)?)));
    let said = begun.unwrap_or_else(|| said.to_owned());
    said.strip_suffix(END.0).map(|head| format!("{head}{}", END.1)).unwrap_or(said)
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
    deserializer.deserialize_any(Names::<String>("strings", PhantomData))
}

/// The same with objects in it.
pub(crate) fn map_of_objects<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = deserializer.deserialize_any(Names::<Object<T>>("objects", PhantomData))?;
    Ok(objects.into_iter().map(|(name, Object(value))| (name, value)).collect())
}

struct Names<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Names<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of {}", self.0)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if names.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            names.insert(name, value);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests;
