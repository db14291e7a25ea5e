//! Bytes that a program wrote, as they stand in an answer.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::request::OutputEncoding;

/// What is kept of one output stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stream {
    /// The bytes that were kept.
    #[serde(flatten)]
    pub data: Data,
    /// How many bytes were produced, kept or not.
    pub bytes: u64,
    /// Fewer were kept.
    pub truncated: bool,
    /// For people, where it was truncated: how much is here and how much is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub note: Option<String>,
}

/// Bytes in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Valid UTF-8, as it is.
    Text(String),
    /// Anything, in the standard alphabet with padding.
    Base64(String),
}

impl Stream {
    /// A stream of which `kept` is the head and `bytes` the whole length.
    ///
    /// A cut may split a character: then its first bytes are dropped too, so that text stays text. Without a cut
    /// nothing is dropped: half a character that the program itself wrote comes back as base64.
    #[must_use]
    pub fn new(kept: Vec<u8>, bytes: u64, encoding: OutputEncoding) -> Self {
        let truncated = u64::try_from(kept.len()).is_ok_and(|length| length < bytes);
        let (data, here) = Data::new(kept, truncated, encoding);
        let note = truncated.then(|| {
            let missing = bytes.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
            format!("Only the first {here} of {bytes} bytes are here, {missing} more were written and are missing.")
        });
        Stream { data, bytes, truncated, note }
    }

    /// A stream that the program never wrote to.
    #[must_use]
    pub fn empty(encoding: OutputEncoding) -> Self {
        Stream::new(Vec::new(), 0, encoding)
    }

    /// The bytes that were kept.
    ///
    /// # Errors
    /// When the engine at the other end sent something else than base64.
    pub fn to_bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        self.data.to_bytes()
    }
}

impl Data {
    /// And how many bytes are in it.
    fn new(mut kept: Vec<u8>, cut: bool, encoding: OutputEncoding) -> (Self, usize) {
        if encoding == OutputEncoding::Base64 {
            return (Data::Base64(BASE64_STANDARD.encode(&kept)), kept.len());
        }
        // An error without a length means that it ends in the midst of a character.
        if cut
            && let Err(error) = str::from_utf8(&kept)
            && error.error_len().is_none()
        {
            kept.truncate(error.valid_up_to());
        }
        let length = kept.len();
        let data = match String::from_utf8(kept) {
            Ok(text) => Data::Text(text),
            Err(error) => Data::Base64(BASE64_STANDARD.encode(error.into_bytes())),
        };
        (data, length)
    }

    /// The bytes.
    ///
    /// # Errors
    /// When it is no base64.
    pub fn to_bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        match self {
            Data::Text(text) => Ok(text.clone().into_bytes()),
            Data::Base64(text) => BASE64_STANDARD.decode(text),
        }
    }
}

#[cfg(test)]
mod tests;
