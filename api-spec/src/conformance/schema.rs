//! As much of JSON Schema 2020-12 as `openapi.yaml` uses, and an error for every other word of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Follows a `$ref` into the document; anything else is what it is.
pub(super) fn resolve<'a>(document: &'a Value, node: &'a Value) -> &'a Value {
    let target = node.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
    match target.and_then(|place| document.pointer(place)) {
        Some(target) => resolve(document, target),
        None => node,
    }
}

/// Whether `value` fits `schema`. Objects may have no other fields than the named ones.
pub(super) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    Checker { document }.fits(schema, value, "", true)
}

#[derive(Clone, Copy)]
struct Checker<'a> {
    document: &'a Value,
}

type Checked = Result<(), String>;

impl<'a> Checker<'a> {
    /// `closed` is false for a schema that says only a part of what must hold for `value`.
    fn fits(self, schema: &'a Value, value: &Value, at: &str, closed: bool) -> Checked {
        let Some(words) = schema.as_object() else {
            return Err(format!("{at}: {schema} is no schema"));
        };
        for (word, wish) in words {
            self.word(word, wish, words, value, at)?;
        }
        if closed && let Some(object) = value.as_object() {
            let mut named = BTreeSet::new();
            if self.names(schema, &mut named)
                && let Some(extra) = object.keys().find(|key| !named.contains(key.as_str()))
            {
                return Err(format!("{at}/{extra} is not documented"));
            }
        }
        Ok(())
    }

    fn word(self, word: &str, wish: &'a Value, words: &'a Map<String, Value>, value: &Value, at: &str) -> Checked {
        let broken = || format!("{at}: {} breaks {word} {wish}", shown(value));
        let holds = match word {
            "description" | "default" | "contentEncoding" => true,
            "$ref" => {
                return self.fits(self.target(wish)?, value, at, false);
            }
            "type" => list(wish).any(|name| name.as_str().is_some_and(|name| has_type(name, value))),
            "enum" => list(wish).any(|allowed| allowed == value),
            "const" => wish == value,
            "minimum" => value.as_f64().is_none_or(|number| wish.as_f64().is_some_and(|least| number >= least)),
            "maximum" => value.as_f64().is_none_or(|number| wish.as_f64().is_some_and(|most| number <= most)),
            "minLength" => value.as_str().is_none_or(|text| at_least(text.chars().count(), wish)),
            "maxLength" => value.as_str().is_none_or(|text| at_most(text.chars().count(), wish)),
            "minItems" => value.as_array().is_none_or(|items| at_least(items.len(), wish)),
            "maxItems" => value.as_array().is_none_or(|items| at_most(items.len(), wish)),
            "maxProperties" => value.as_object().is_none_or(|object| at_most(object.len(), wish)),
            "pattern" => match (value.as_str(), wish.as_str()) {
                (None, _) => true,
                (Some(text), Some(pattern)) => regex_lite::Regex::new(pattern)
                    .map_err(|error| format!("{pattern:?} is no pattern: {error}"))?
                    .is_match(text),
                (Some(_), None) => false,
            },
            "required" => match value.as_object() {
                None => true,
                Some(object) => match list(wish).filter_map(Value::as_str).find(|name| !object.contains_key(*name)) {
                    Some(missing) => return Err(format!("{at}/{missing} is missing")),
                    None => true,
                },
            },
            "properties" | "items" | "additionalProperties" | "propertyNames" => {
                return self.children(word, wish, words, value, at);
            }
            "allOf" => return list(wish).try_for_each(|schema| self.fits(schema, value, at, false)),
            "oneOf" | "anyOf" => return self.choice(word, wish, value, at),
            other => return Err(format!("{at}: the schema word {other} is not understood here")),
        };
        if holds { Ok(()) } else { Err(broken()) }
    }

    /// What a `$ref` leads to. It must be in this document: nothing is fetched.
    fn target(self, wish: &Value) -> Result<&'a Value, String> {
        let place = wish.as_str().and_then(|place| place.strip_prefix('#'));
        place.and_then(|place| self.document.pointer(place)).ok_or_else(|| format!("{wish} leads nowhere"))
    }

    /// Words about what is inside an object or an array.
    fn children(self, word: &str, wish: &'a Value, words: &'a Map<String, Value>, value: &Value, at: &str) -> Checked {
        match (word, value) {
            ("items", Value::Array(items)) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| self.fits(wish, item, &format!("{at}/{index}"), true))
            }
            ("properties", Value::Object(object)) => {
                let mut wishes = wish.as_object().into_iter().flatten();
                wishes.try_for_each(|(name, wish)| match object.get(name) {
                    Some(value) => self.fits(wish, value, &format!("{at}/{name}"), true),
                    None => Ok(()),
                })
            }
            ("propertyNames", Value::Object(object)) => {
                let mut names = object.keys();
                names.try_for_each(|name| self.fits(wish, &Value::String(name.clone()), &format!("{at}/{name}"), true))
            }
            ("additionalProperties", Value::Object(object)) => {
                let named = words.get("properties").and_then(Value::as_object);
                let mut others = object.iter().filter(|(name, _)| named.is_none_or(|named| !named.contains_key(*name)));
                others.try_for_each(|(name, value)| match wish {
                    Value::Bool(true) => Ok(()),
                    Value::Bool(false) => Err(format!("{at}/{name} is not documented")),
                    schema => self.fits(schema, value, &format!("{at}/{name}"), true),
                })
            }
            _ => Ok(()),
        }
    }

    fn choice(self, word: &str, wish: &'a Value, value: &Value, at: &str) -> Checked {
        let outcomes: Vec<Checked> = list(wish).map(|schema| self.fits(schema, value, at, false)).collect();
        let fitting = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        if fitting == 1 || (fitting > 1 && word == "anyOf") {
            return Ok(());
        }
        let whys: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
        Err(format!("{at}: {} fits {fitting} of {word}: {}", shown(value), whys.join("; ")))
    }

    /// Adds the fields that `schema` names. False when it says itself what other fields may be.
    fn names(self, schema: &'a Value, into: &mut BTreeSet<&'a str>) -> bool {
        let mut closed = schema.get("additionalProperties").is_none();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            into.extend(properties.keys().map(String::as_str));
        }
        if schema.get("$ref").is_some() {
            closed &= self.names(resolve(self.document, schema), into);
        }
        for word in ["allOf", "oneOf", "anyOf"] {
            for part in schema.get(word).into_iter().flat_map(list) {
                closed &= self.names(part, into);
            }
        }
        closed
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter()
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn at_least(count: usize, wish: &Value) -> bool {
    wish.as_u64().is_some_and(|least| usize::try_from(least).is_ok_and(|least| count >= least))
}

fn at_most(count: usize, wish: &Value) -> bool {
    wish.as_u64().is_some_and(|most| usize::try_from(most).is_ok_and(|most| count <= most))
}

/// Enough of a value to recognise it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(120).collect();
    if chars.next().is_some() { head + "…" } else { head }
}
