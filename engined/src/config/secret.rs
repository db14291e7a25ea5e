//! What must not be shown of a configuration: somebody may have pasted a token where its hash belongs, and mistakes stand
//! in the log.

use toml::Value;

/// Fields that are about tokens. What stands there is never shown, right or wrong.
const SECRET: [&str; 3] = ["tokens", "token", "hash"];
/// How our own tokens begin.
const TOKEN: &str = "engined_";
/// So many letters after that make one.
const LETTERS: usize = 8;
/// Stands in the place of what is not shown.
const HIDDEN: &str = "(not shown)";

/// The value of a field as it may be shown: nothing of a field about tokens, nor of what may have such fields in it.
pub(super) fn shown(field: &str, value: &Value) -> String {
    let composed = match value {
        Value::Table(_) => true,
        Value::Array(items) => items.iter().any(|item| matches!(item, Value::Table(_) | Value::Array(_))),
        // A tenant that is no section: all that it has may be a token.
        Value::String(_) => is_tenant(field),
        _ => false,
    };
    if composed { HIDDEN.to_owned() } else { value.to_string() }
}

/// The value of a field that there is none of: outside the other sections that may be one about tokens, misspelt.
pub(super) fn of_unknown(field: &str, value: &Value) -> String {
    let words = matches!(value, Value::String(_) | Value::Array(_));
    let elsewhere = field.contains('.') && !field.starts_with("tenants.");
    if words && !elsewhere { HIDDEN.to_owned() } else { shown(field, value) }
}

/// `tenants`, or `tenants.NAME`, whose name may have dots in quotes.
fn is_tenant(field: &str) -> bool {
    field == "tenants"
        || field.strip_prefix("tenants.").is_some_and(|name| name.starts_with('"') || !name.contains('.'))
}

/// A value as text, unless its field is about tokens.
pub(super) fn value(field: &str, value: &str) -> String {
    let part = |part: &str| SECRET.contains(&part.split('[').next().unwrap_or(part));
    let secret = field.split('.').any(part) && !field.ends_with(".expires") && !field.ends_with(".revoked");
    if secret && !value.is_empty() { HIDDEN.to_owned() } else { without_tokens(value) }
}

/// A text without what looks like a token of ours, wherever that was pasted.
pub(super) fn without_tokens(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(TOKEN) {
        let (before, token) = rest.split_at(at + TOKEN.len());
        let end = token.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(token.len());
        clean += before;
        clean += if end >= LETTERS { "…" } else { &token[..end] };
        rest = &token[end..];
    }
    clean + rest
}

/// Whether there is such a text in it.
pub(super) fn has_token(text: &str) -> bool {
    without_tokens(text) != text
}

/// What is no TOML, without the line itself.
pub(super) fn no_toml(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begun = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[begun..]).chars().count() + 1;
    format!("the file is no TOML: line {line}, column {column}: {}", error.message().trim().replace('\n', " "))
}
