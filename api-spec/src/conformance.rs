//! Compares live traffic with `openapi.yaml` (feature `conformance`, for tests of other crates).
//!
//! Stricter than a client should be: a field of an answer that the document does not name is a mistake here, while
//! clients are told to ignore it. A schema word that is not understood is one too, so nothing is passed over.

mod lines;
mod schema;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::openapi::openapi;
use crate::problem::{Code, ProblemBody};
use crate::{BYTES, EVENT_STREAM, JSON, NDJSON, PROBLEM_JSON};

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi);

/// Codes that come before an address is looked at, so that no operation can name them.
const BEFORE_ROUTING: [Code; 8] = [
    Code::NotFound,
    Code::MethodNotAllowed,
    Code::Unauthenticated,
    Code::Forbidden,
    Code::RequestTimeout,
    Code::HeadersTooLarge,
    Code::InvalidRequest,
    Code::Draining,
];

/// Whether an answer is one that the document allows for this method and path.
///
/// # Errors
/// What does not fit, with the place in the body.
pub fn check(method: &str, path: &str, status: u16, content_type: &str, body: &[u8]) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    check_inner(method, path, status, &media, body).map_err(|why| format!("{method} {path} answered {status}: {why}"))
}

/// The path as the document has it: one that is written there, else one whose `{…}` stand for a part each.
fn template(path: &str) -> &str {
    let fits = |known: &str| {
        let (known, parts) = (known.split('/'), path.split('/'));
        let same = |(known, part): (&str, &str)| known == part || (known.starts_with('{') && !part.is_empty());
        known.clone().count() == parts.clone().count() && known.zip(parts).all(same)
    };
    let paths = DOCUMENT["paths"].as_object();
    let known = |paths: &'static serde_json::Map<String, Value>| {
        paths.get_key_value(path).map(|(known, _)| known).or_else(|| paths.keys().find(|known| fits(known)))
    };
    paths.and_then(known).map_or(path, String::as_str)
}

fn check_inner(method: &str, path: &str, status: u16, media: &str, body: &[u8]) -> Result<(), String> {
    // The answer to HEAD is that to GET without its body.
    let is_head = method == "HEAD";
    let operation = if is_head { "get".to_owned() } else { method.to_ascii_lowercase() };
    let Some(operation) = DOCUMENT["paths"][template(path)].get(&operation) else {
        let known = BEFORE_ROUTING.iter().any(|code| code.status() == status);
        return if is_head && known { Ok(()) } else { check_unrouted(media, body, status) };
    };
    let responses = &operation["responses"];
    let response = responses
        .get(status.to_string())
        .or_else(|| responses.get("default").filter(|_| status >= 400))
        .ok_or("no such status is documented for this operation")?;
    let response = schema::resolve(&DOCUMENT, response);
    if is_head {
        return if body.is_empty() { Ok(()) } else { Err("an answer to HEAD has no body".to_owned()) };
    }
    let Some(contents) = response.get("content") else {
        return if body.is_empty() { Ok(()) } else { Err("no body is documented for it".to_owned()) };
    };
    let Some(content) = contents.get(media) else {
        return Err(format!("the media type {media:?} is not documented for it"));
    };
    if media == BYTES {
        return Ok(());
    }
    let value = if is_json(media) {
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?
    } else {
        Value::String(str::from_utf8(body).map_err(|error| format!("the body is not UTF-8: {error}"))?.to_owned())
    };
    if let (EVENT_STREAM, Value::String(text)) = (media, &value) {
        // The schema is that of one event.
        return lines::check_events(content, text);
    }
    schema::check(&DOCUMENT, &content["schema"], &value)?;
    match (media, value) {
        (PROBLEM_JSON, _) => check_problem(body, status).map(drop),
        (NDJSON, Value::String(text)) => lines::check_lines(&content["x-line-schema"], &text),
        _ => Ok(()),
    }
}

fn is_json(media: &str) -> bool {
    media == JSON || media == PROBLEM_JSON
}

/// An address or a method that the document does not have can only be answered by a problem.
fn check_unrouted(media: &str, body: &[u8], status: u16) -> Result<(), String> {
    if media != PROBLEM_JSON {
        return Err(format!("the document has no such operation, and {media:?} is no problem"));
    }
    let problem = check_problem(body, status)?;
    if BEFORE_ROUTING.contains(&problem.code) {
        Ok(())
    } else {
        Err(format!("the document has no such operation, and {} says something else", problem.code))
    }
}

/// What no schema can say: the parts of a problem agree with each other and with the status line.
fn check_problem(body: &[u8], status: u16) -> Result<ProblemBody, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("the problem is not JSON: {error}"))?;
    schema::check(&DOCUMENT, &json!({"$ref": "#/components/schemas/ProblemBody"}), &value)?;
    let problem: ProblemBody = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let code = problem.code;
    if problem.status != status || code.status() != status {
        return Err(format!("code {code} is status {}, the body says {}", code.status(), problem.status));
    }
    if problem.type_uri != code.type_uri() || problem.title != code.facts().title {
        return Err(format!("type {:?} and title {:?} are not those of {code}", problem.type_uri, problem.title));
    }
    if problem.detail.is_empty() || problem.remedy.is_empty() || problem.request_id.is_empty() {
        return Err("detail, remedy and request_id must say something".to_owned());
    }
    Ok(problem)
}

/// Whether a body is one that the document allows to be sent there.
///
/// # Errors
/// What does not fit, with the place in the body.
pub fn check_request(method: &str, path: &str, body: &[u8]) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let operation = &DOCUMENT["paths"][template(path)][method.to_ascii_lowercase()];
    let schema = operation["requestBody"]["content"][JSON]
        .get("schema")
        .ok_or_else(|| format!("{method} {path} takes no body by the document"))?;
    let value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    schema::check(&DOCUMENT, schema, &value)
}

#[cfg(test)]
pub(crate) fn check_schema(schema: &Value, value: &Value) -> Result<(), String> {
    schema::check(&DOCUMENT, schema, value)
}

#[cfg(test)]
pub(crate) fn resolve(node: &Value) -> &Value {
    schema::resolve(&DOCUMENT, node)
}

#[cfg(test)]
mod tests;
