//! The same contract for machines. `openapi.yaml` is written by hand; `openapi.json` is made from it by a test.

use serde_json::Value;

/// The document, as `GET /openapi.yaml` answers it.
pub const OPENAPI_YAML: &str = include_str!("../openapi.yaml");
/// The document, as `GET /openapi.json` answers it.
pub const OPENAPI_JSON: &str = include_str!("../openapi.json");

/// The document as a value.
///
/// # Panics
/// Never: a test parses it.
#[must_use]
pub fn openapi() -> Value {
    serde_json::from_str(OPENAPI_JSON).expect("openapi.json is part of the program and a test parses it")
}

#[cfg(test)]
mod tests;
