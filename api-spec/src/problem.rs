//! Problems: what the caller is told when there is no result. RFC 9457, with a closed list of codes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest `detail` and `field`, so that a mistake in a huge body does not come back as a huge problem.
const DETAIL_BYTES: usize = 1024;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:literal, $title:literal, $remedy:literal;)+) => {
        /// The closed list of problem codes. A code never changes its meaning or status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Code {
            /// Every code, by status.
            pub const ALL: &[Code] = &[$(Code::$variant),+];

            /// What is fixed about this code: the one place where an error becomes status, words and metric label.
            #[must_use]
            pub const fn facts(self) -> Facts {
                match self {
                    $(Code::$variant => Facts { name: $name, status: $status, title: $title, remedy: $remedy },)+
                }
            }
        }
    };
}

/// What is fixed about a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `code` in the answer, and the label in the metrics.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// One sentence, the same for every problem of this code.
    pub title: &'static str,
    /// What to do, where the problem itself knows nothing more precise.
    pub remedy: &'static str,
}

codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", 400, "The body is not valid JSON.",
        "Send one JSON value in UTF-8, made by a JSON library.";
    /// A field is unknown, missing, of another type or contradicts another one.
    InvalidRequest = "invalid_request", 400, "The request does not fit the contract.",
        "Correct the named field; /openapi.json has every field with its type.";
    /// A file's path can't stand in the work directory.
    InvalidPath = "invalid_path", 400, "A file's path is not allowed.",
        "Use a relative path such as src/main.c, without .., NUL or duplicates.";
    /// The text behind `base64` is not base64.
    InvalidBase64 = "invalid_base64", 400, "A {base64} value is not base64.",
        "Use the standard alphabet with padding (RFC 4648, section 4), without line breaks.";
    /// No credentials, or unknown ones.
    Unauthenticated = "unauthenticated", 401, "The caller is not known.",
        "Send Authorization: Bearer TOKEN with a token made by engined token new, or use the Unix socket as an allowed user.";
    /// Known, but not allowed to do this.
    Forbidden = "forbidden", 403, "The caller may not do this.",
        "Ask the operator for the right, or call from an allowed host and origin.";
    /// Nothing is here.
    NotFound = "not_found", 404, "There is nothing at this address.",
        "Look the path up in /openapi.json; an id is known only to the tenant that made it.";
    /// A kept result is gone.
    ResultExpired = "result_expired", 404, "The result is no longer kept.",
        "Run it again, and fetch the result within 15 minutes.";
    /// The path is right, the method is not.
    MethodNotAllowed = "method_not_allowed", 405, "This address does not answer to that method.",
        "Use one of the methods in the Allow header.";
    /// No representation that the caller accepts.
    NotAcceptable = "not_acceptable", 406, "The answer is not available in an accepted type.",
        "Accept application/json and application/problem+json, or leave the Accept header out.";
    /// The request came too slowly.
    RequestTimeout = "request_timeout", 408, "The request was not sent in time.",
        "Send the headers within 10 s and the body at 1 KiB/s or more.";
    /// The idempotency key was used for another body.
    IdempotencyConflict = "idempotency_conflict", 409, "The idempotency key was used for another request.",
        "Use a new Idempotency-Key for a new request.";
    /// The body is over the cap.
    BodyTooLarge = "body_too_large", 413, "The body is too large.",
        "Send less, or ask the operator to raise the cap that the detail names.";
    /// A source file is over the cap.
    SourceTooLarge = "source_too_large", 413, "A source file is too large.",
        "Shorten the file, or pass its data by stdin.";
    /// More files than allowed.
    TooManyFiles = "too_many_files", 413, "There are too many files.",
        "Send fewer files.";
    /// Not JSON by its own account.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body is not of a type that is understood here.",
        "Send Content-Type: application/json, and no Content-Encoding.";
    /// No such language here.
    UnknownLanguage = "unknown_language", 422, "The language is not available.",
        "Choose one that /v1/languages lists, or have its toolchain installed.";
    /// The language is here, but not in that version.
    UnknownVersion = "unknown_version", 422, "No installed version matches.",
        "Choose one that /v1/languages lists, or leave version out for the newest.";
    /// A limit is zero, negative or too small for the language to start.
    LimitTooLow = "limit_too_low", 422, "A limit is too low.",
        "Raise the limit to the named least value, or leave it out for the language's own.";
    /// A limit is above the plan's ceiling.
    LimitAboveCeiling = "limit_above_ceiling", 422, "A limit is above the ceiling.",
        "Lower the limit to the named ceiling, or leave it out for the language's own.";
    /// A compiler flag is not on the allow-list.
    FlagNotAllowed = "flag_not_allowed", 422, "A compiler flag is not allowed.",
        "Leave the flag out, or choose one of the language's allow-list.";
    /// The blob was never sent, or not by this tenant.
    UnknownBlob = "unknown_blob", 422, "A blob is not known.",
        "Send it first: PUT /v1/blobs/{sha256}.";
    /// Too many requests of this tenant per minute.
    RateLimited = "rate_limited", 429, "The caller sends too many requests.",
        "Wait as long as Retry-After says.";
    /// The tenant's share is used up.
    QuotaExceeded = "quota_exceeded", 429, "The caller's share is used up.",
        "Wait as long as Retry-After says, or have the plan raised.";
    /// The headers are over their caps.
    HeadersTooLarge = "headers_too_large", 431, "There are too many headers, or they are too large.",
        "Send at most 100 headers and 64 KiB of them.";
    /// Ours.
    Internal = "internal", 500, "The engine failed.",
        "Try again; if it stays, give the operator the request_id.";
    /// No place in the queue.
    QueueFull = "queue_full", 503, "The queue is full.",
        "Try again as late as Retry-After says.";
    /// The engine is shutting down.
    Draining = "draining", 503, "The engine is shutting down.",
        "Try again as late as Retry-After says, or use another engine.";
    /// No connection to jaild, or a layer is missing.
    NotReady = "not_ready", 503, "The engine can't take work yet.",
        "Try again as late as Retry-After says; /readyz says what is missing.";
    /// Bodies and captured output use all that the engine may hold.
    MemoryBudget = "memory_budget", 503, "The engine holds as many bytes as it may.",
        "Try again as late as Retry-After says, or send and print less.";
    /// The store is full.
    StoreFull = "store_full", 503, "The engine's store is full.",
        "Try again as late as Retry-After says; tell the operator if it stays.";
}

impl Code {
    /// `code` in the answer, and the label in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.facts().status
    }

    /// `type` in the answer: a name, not an address.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("urn:engined:problem:{}", self.name())
    }

    /// Whether the answer carries `Retry-After`: there is no room now, there may be later.
    #[must_use]
    pub const fn wants_retry_after(self) -> bool {
        matches!(self.status(), 429 | 503)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A problem before it is tied to a request: [`Problem::answer`] makes the body of the answer from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a problem is an answer: it must reach the caller"]
pub struct Problem {
    /// Which.
    pub code: Code,
    /// What happened this time, with the value and the bound.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// JSON pointer to the mistake in the body; empty for the body as a whole.
    pub field: Option<String>,
}

impl Problem {
    /// A problem with the remedy of its code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > DETAIL_BYTES {
            detail.truncate(head(&detail, DETAIL_BYTES).len());
            detail.push('…');
        }
        Problem { code, detail, remedy: code.facts().remedy.to_owned(), field: None }
    }

    /// Points at the mistake: a JSON pointer (RFC 6901) into the body. One that is too long points at the last part
    /// of its way that is not.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        let mut field = field.into();
        while field.len() > DETAIL_BYTES {
            field.truncate(field.rfind('/').unwrap_or(0));
        }
        self.field = Some(field);
        self
    }

    /// Says that what it points at is a part of the body, at this place. The detail names it too where it begins with
    /// the pointer.
    pub(crate) fn below(self, place: &str) -> Self {
        let Problem { code, detail, remedy, field } = self;
        let field = field.unwrap_or_default();
        let names_it = !field.is_empty() && detail.starts_with(&field);
        let detail = if names_it { format!("{place}{detail}") } else { detail };
        Problem::new(code, detail).at(format!("{place}{field}")).remedy(remedy)
    }

    /// Gives a more precise remedy than that of the code.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// The body of the answer to the request of this id.
    #[must_use]
    pub fn answer(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            type_uri: self.code.type_uri(),
            title: self.code.facts().title.to_owned(),
            status: self.code.status(),
            code: self.code,
            detail: self.detail.clone(),
            remedy: self.remedy.clone(),
            field: self.field.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.code, self.detail, self.remedy)
    }
}

impl std::error::Error for Problem {}

/// The longest beginning of `text` that has at most so many bytes and splits no character.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    let end = text.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|end| *end <= bytes).last();
    &text[..end.unwrap_or(0)]
}

/// The body of an answer with `Content-Type: application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProblemBody {
    /// `urn:engined:problem:CODE`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// One sentence, the same for every problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Which problem.
    pub code: Code,
    /// What happened this time.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// JSON pointer to the mistake in the body, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub field: Option<String>,
    /// The value of `X-Request-Id`.
    pub request_id: String,
}

#[cfg(test)]
mod tests;
