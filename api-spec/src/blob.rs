//! Data that is sent once and named by its SHA-256, and input that is either here or there.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::content::{Content, Named};

/// The name of a blob: `sha256:` and 64 hexadecimal digits in JSON, the digits alone in a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digits.
    #[must_use]
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a text can't fail.
            write!(hex, "{byte:02x}").unwrap_or_default();
            hex
        })
    }
}

impl FromStr for Sha256 {
    type Err = String;

    /// 64 digits, small letters alone: one blob has one name.
    fn from_str(hex: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{:?} is not the 64 hexadecimal digits, in small letters, of a SHA-256",
                crate::problem::head(hex, 80)
            )
        };
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let digits: Option<Vec<u8>> = hex.bytes().map(digit).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Sha256(hash))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hex = text.strip_prefix("sha256:").ok_or_else(|| {
            let shown = crate::problem::head(&text, 80);
            D::Error::custom(format_args!("{shown:?} is no blob's name: that is sha256: and 64 hexadecimal digits"))
        })?;
        hex.parse().map_err(D::Error::custom)
    }
}

/// Input of a program: bytes in the request, or the name of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// In the request.
    Content(Content),
    /// Sent before: `{"blob": "sha256:…"}`.
    Blob(Sha256),
}

impl Default for Input {
    fn default() -> Self {
        Input::Content(Content::default())
    }
}

impl Input {
    /// Whether there is nothing in it, as far as the request says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Input::Content(content) if content.is_empty())
    }
}

impl From<Content> for Input {
    fn from(content: Content) -> Self {
        Input::Content(content)
    }
}

impl From<Sha256> for Input {
    fn from(hash: Sha256) -> Self {
        Input::Blob(hash)
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Input::Content(text.into())
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Input::Content(content) => content.serialize(serializer),
            Input::Blob(hash) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("blob", hash)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputVisitor;
        impl<'de> Visitor<'de> for InputVisitor {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a string, {"text": "…"}, {"base64": "…"} or {"blob": "sha256:…"}"#)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Content(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Input, A::Error> {
                Ok(match crate::content::named(map, true)? {
                    Named::Content(content) => Input::Content(content),
                    Named::Blob(hash) => Input::Blob(hash),
                })
            }
        }
        deserializer.deserialize_any(InputVisitor)
    }
}
