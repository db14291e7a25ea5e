//! What `openapi.json` says that there is: the fields of a body, their words, the parameters, the operations.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(api_spec::OPENAPI_JSON).unwrap());

/// Methods, as the document writes them.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn resolve(node: &'static Value) -> &'static Value {
    match node["$ref"].as_str() {
        Some(place) => resolve(DOCUMENT.pointer(place.strip_prefix('#').unwrap()).unwrap()),
        None => node,
    }
}

fn paths() -> &'static Map<String, Value> {
    DOCUMENT["paths"].as_object().unwrap()
}

/// Every method with its path, as in `DELETE /v1/executions/{id}`.
pub fn operations() -> BTreeSet<String> {
    let of = |(path, item): (&String, &Value)| {
        let there = METHODS.iter().filter(|method| item.get(method).is_some());
        there.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    paths().iter().flat_map(of).collect()
}

/// Every parameter of every operation, as in `GET /v1/executions/{id} query wait_ms`.
pub fn parameters() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for operation in operations() {
        let (method, path) = operation.split_once(' ').unwrap();
        let item = &paths()[path];
        let own = &item[method.to_lowercase()]["parameters"];
        for parameter in [&item["parameters"], own].into_iter().filter_map(Value::as_array).flatten().map(resolve) {
            let (place, name) = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
            found.insert(format!("{operation} {place} {name}"));
        }
    }
    found
}

/// Every field of a JSON body, as in `/files/*/path`, and every word of those that take one of a few, as in
/// `/priority=batch`. A `*` is any item of an array, or any name of a map.
pub fn body(path: &str, method: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = &paths()[path][method]["requestBody"]["content"]["application/json"]["schema"];
    let (mut fields, mut words) = (BTreeSet::new(), BTreeSet::new());
    walk(schema, "", &mut fields, &mut words);
    (fields, words)
}

fn walk(schema: &'static Value, at: &str, fields: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    let schema = resolve(schema);
    let properties = schema["properties"].as_object().into_iter().flatten();
    let named = properties.map(|(name, schema)| (name.as_str(), schema));
    let others = ["items", "additionalProperties"].iter().filter_map(|word| schema.get(word));
    for (name, schema) in named.chain(others.filter(|schema| schema.is_object()).map(|schema| ("*", schema))) {
        let place = format!("{at}/{name}");
        walk(schema, &place, fields, words);
        fields.insert(place);
    }
    for part in ["oneOf", "anyOf", "allOf"].iter().filter_map(|word| schema[word].as_array()).flatten() {
        walk(part, at, fields, words);
    }
    for word in schema["enum"].as_array().into_iter().flatten() {
        words.insert(format!("{at}={}", word.as_str().unwrap()));
    }
}

/// Which JSON types a field of the top of the body takes, `null` left out.
pub fn types(field: &str) -> BTreeSet<&'static str> {
    fn add(schema: &'static Value, into: &mut BTreeSet<&'static str>) {
        let schema = resolve(schema);
        into.extend(schema["type"].as_str());
        into.extend(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str));
        for part in ["oneOf", "anyOf", "allOf"].iter().filter_map(|word| schema[word].as_array()).flatten() {
            add(part, into);
        }
    }
    let schema = resolve(&paths()["/v1/executions"]["post"]["requestBody"]["content"]["application/json"]["schema"]);
    let mut types = BTreeSet::new();
    add(&schema["properties"][field.strip_prefix('/').unwrap()], &mut types);
    types.remove("null");
    types
}

/// The fields at the top of the body.
pub fn top() -> Vec<&'static str> {
    let schema = resolve(&paths()["/v1/executions"]["post"]["requestBody"]["content"]["application/json"]["schema"]);
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// Whether a request has the field, or the word, of this name.
pub fn has(request: &Value, name: &str) -> bool {
    let (place, word) = name.split_once('=').map_or((name, None), |(place, word)| (place, Some(word)));
    let mut found = vec![request];
    for part in place.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|node| match (part, node) {
                ("*", Value::Array(items)) => items.iter().collect(),
                ("*", Value::Object(map)) => map.values().collect::<Vec<_>>(),
                (name, node) => node.get(name).into_iter().collect(),
            })
            .collect();
    }
    found.iter().any(|node| word.is_none_or(|word| *node == word))
}
