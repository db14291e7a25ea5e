//! What a caller sends to `POST /v1/executions`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::blob::Input;
use crate::check::{self, Caps};
use crate::content::Content;
use crate::limits::LimitsRequest;
use crate::parse::{self, Object, Word};
use crate::problem::Problem;

/// One program to run.
///
/// Every field but `language` and one of `source` and `files` may be left out or null, which is the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExecutionRequest {
    /// Id or alias of a language.
    pub language: String,
    /// Selects a version by its leading parts: `3`, `3.11`. Without it, the newest installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The only file. Either this or `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Content>,
    /// Several files. Either this or `source`.
    #[serde(default, deserialize_with = "files", skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SourceFile>>,
    /// Which of the files is run, in languages that run a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// What the program reads from its standard input.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Input::is_empty")]
    pub stdin: Input,
    /// The program's arguments, without its name.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment of the run; the compiler does not see it.
    #[serde(default, deserialize_with = "parse::map_without_duplicates", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Added after the language's own flags; each must match the language's allow-list.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub compile_flags: Vec<String>,
    /// Limits of the run.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub limits: LimitsRequest,
    /// Limits of the compile step.
    #[serde(default, deserialize_with = "limits", skip_serializing_if = "LimitsRequest::is_default")]
    pub compile_limits: LimitsRequest,
    /// Globs: the files of the work directory that they match come back, also after a failed run.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// What happens when the program writes more than `output_bytes`.
    #[serde(default, deserialize_with = "word")]
    pub on_output_limit: OnOutputLimit,
    /// How output comes back.
    #[serde(default, deserialize_with = "word")]
    pub output_encoding: OutputEncoding,
    /// Which queue.
    #[serde(default, deserialize_with = "word")]
    pub priority: Priority,
    /// The caller's own words about this run, kept in the audit line and the result.
    #[serde(default, deserialize_with = "parse::map_without_duplicates", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One file of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Where it goes, relative to the work directory.
    pub path: String,
    /// What is in it.
    pub content: Content,
}

/// What happens when the program writes more than `output_bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnOutputLimit {
    /// The head is kept, the rest read and dropped, the stream flagged.
    #[default]
    Truncate,
    /// The program is killed, verdict `output_limit`.
    Kill,
}

/// How output comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OutputEncoding {
    /// `{text}` when it is valid UTF-8, else `{base64}`.
    #[default]
    Auto,
    /// Always `{base64}`.
    Base64,
}

/// Which queue a request waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// Nobody does.
    Batch,
}

impl ExecutionRequest {
    /// Reads a body and checks everything that needs neither the languages nor the plan: see [`crate`].
    ///
    /// # Errors
    /// The first mistake, with a pointer to its field.
    pub fn from_json(body: &[u8], caps: &Caps) -> Result<Self, Problem> {
        let request: ExecutionRequest = parse::from_json(body)?;
        request.check(caps)?;
        Ok(request)
    }

    /// The second half of [`ExecutionRequest::from_json`], for a request that was made in another way.
    ///
    /// # Errors
    /// The first mistake, with a pointer to its field.
    pub fn check(&self, caps: &Caps) -> Result<(), Problem> {
        check::request(self, caps)
    }
}

/// Null is the same as leaving the field out.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

pub(crate) fn word<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<Word<T>>::deserialize(deserializer)?.map_or_else(T::default, |word| word.0))
}

pub(crate) fn limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LimitsRequest, D::Error> {
    Ok(Option::<Object<LimitsRequest>>::deserialize(deserializer)?
        .map_or_else(LimitsRequest::default, |limits| limits.0))
}

pub(crate) fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<SourceFile>>, D::Error> {
    let files = Option::<Vec<Object<SourceFile>>>::deserialize(deserializer)?;
    Ok(files.map(|files| files.into_iter().map(|file| file.0).collect()))
}
