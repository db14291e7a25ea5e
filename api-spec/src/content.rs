//! Bytes that a caller sends: a plain string, `{"text": …}` or `{"base64": …}`.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::blob::Sha256;
use crate::parse::coded;
use crate::problem::Code;

/// Bytes that a caller sends, decoded. Nothing is added to or trimmed from them.
///
/// Written back, they are a plain string when they are UTF-8, else `{base64}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(Vec<u8>);

impl Content {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content(bytes)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content(text.as_bytes().to_vec())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content(text.into_bytes())
    }
}

impl fmt::Debug for Content {
    /// The length alone: sources and inputs are the callers' and don't belong into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &BASE64_STANDARD.encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a string, {"text": "…"} or {"base64": "…"}"#)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(text.into())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Content, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
        match named(map, false)? {
            Named::Content(content) => Ok(content),
            Named::Blob(_) => Err(no_blob()),
        }
    }
}

/// What an object with one field stands for.
pub(crate) enum Named {
    Content(Content),
    Blob(Sha256),
}

/// Reads such an object.
pub(crate) fn named<'de, A: MapAccess<'de>>(mut map: A, blobs: bool) -> Result<Named, A::Error> {
    let names = if blobs { r#""text", "base64" and "blob""# } else { r#""text" and "base64""# };
    let named = match map.next_key_seed(Form { blobs })? {
        Some(Encoding::Text) => Named::Content(Content(map.next_value::<String>()?.into_bytes())),
        Some(Encoding::Base64) => Named::Content(map.next_value::<FromBase64>()?.0),
        Some(Encoding::Blob) if blobs => Named::Blob(map.next_value()?),
        Some(Encoding::Blob) => return Err(no_blob()),
        None => return Err(A::Error::custom(format_args!("expected exactly one of {names} in {{}}"))),
    };
    match map.next_key_seed(Form { blobs })? {
        None => Ok(named),
        Some(_) => Err(A::Error::custom(format_args!("exactly one of {names} may be given"))),
    }
}

fn no_blob<E: serde::de::Error>() -> E {
    E::custom("a {blob} can't stand here, only where a program reads or a test expects: send {text} or {base64}")
}

enum Encoding {
    Text,
    Base64,
    Blob,
}

/// Reads the name of the one field. `blob` is known where it is not offered, so that the answer can say so.
struct Form {
    blobs: bool,
}

impl<'de> DeserializeSeed<'de> for Form {
    type Value = Encoding;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Encoding, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Form {
    type Value = Encoding;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.blobs { "text, base64 or blob" } else { "text or base64" })
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Encoding, E> {
        match name {
            "text" => Ok(Encoding::Text),
            "base64" => Ok(Encoding::Base64),
            "blob" => Ok(Encoding::Blob),
            other if self.blobs => Err(E::unknown_field(other, &["text", "base64", "blob"])),
            other => Err(E::unknown_field(other, &["text", "base64"])),
        }
    }
}

/// Decodes from the borrowed text, so that 10 MB of input are not copied once more.
struct FromBase64(Content);

impl<'de> Deserialize<'de> for FromBase64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64Visitor;
        impl Visitor<'_> for Base64Visitor {
            type Value = FromBase64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FromBase64, E> {
                let bytes = BASE64_STANDARD
                    .decode(text)
                    .map_err(|error| coded(Code::InvalidBase64, mistake(error, text.len())))?;
                Ok(FromBase64(Content(bytes)))
            }
        }
        deserializer.deserialize_str(Base64Visitor)
    }
}

/// In words that help somebody who can't see the decoder.
fn mistake(error: base64::DecodeError, length: usize) -> String {
    match error {
        base64::DecodeError::InvalidByte(place, byte) => {
            format!("byte {place} is {:?}, which is no base64", char::from(byte))
        }
        base64::DecodeError::InvalidLength(_) => format!("{length} characters are no multiple of 4"),
        base64::DecodeError::InvalidLastSymbol(place, byte) => {
            format!(
                "byte {place}, the last before the padding, is {:?}: bits that mean nothing are set",
                char::from(byte)
            )
        }
        base64::DecodeError::InvalidPadding => "the padding with = is missing or wrong".to_owned(),
    }
}
