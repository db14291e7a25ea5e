//! `openapi.yaml` against the types, in both directions.
//!
//! The types are described by schemars, which follows the serde attributes. Both descriptions are brought to one form
//! ([`canonical`]) and compared as a whole: every type, field, enum and nullability, and no type on one side that the
//! other lacks. Defaults and bounds are tried against the parser: [`defaults_are_kept`] and [`bounds_are_kept`].

mod bounds;

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{OPENAPI_JSON, OPENAPI_YAML, openapi};
use crate::check::Caps;
use crate::problem::Code;
use crate::{
    BatchProgress, BatchRequest, BatchResponse, BatchSummary, BatchesResponse, Content, DrainResponse,
    ExecutionRequest, ExecutionResult, ExecutionStatus, HealthResponse, Input, IsolationResponse, LanguagesResponse,
    ProblemBody, ReadyResponse, RejudgeRequest, Sha256, SubmissionVerdict, TestResult, TestVerdict, UsageResponse,
    ValidationResponse, Verdict, VersionResponse, conformance,
};

impl JsonSchema for Content {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Content".into()
    }

    /// By hand, as its deserialiser is. `content_forms` in `parse/tests.rs` tries each form.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"oneOf": [
            {"type": "string"},
            {"type": "object", "additionalProperties": false, "required": ["text"],
             "properties": {"text": {"type": "string"}}},
            {"type": "object", "additionalProperties": false, "required": ["base64"],
             "properties": {"base64": {"type": "string"}}},
        ]})
    }
}

impl JsonSchema for Sha256 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

impl JsonSchema for Input {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Input".into()
    }

    /// By hand, as its deserialiser is: `input_forms` in `parse/tests.rs` tries each form.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let hash = generator.subschema_for::<Sha256>();
        let mut schema = Content::json_schema(generator);
        let forms = schema.ensure_object().get_mut("oneOf").and_then(Value::as_array_mut).unwrap();
        forms.push(json!({"type": "object", "additionalProperties": false, "required": ["blob"],
                          "properties": {"blob": hash}}));
        schema
    }
}

/// Verdicts are one list of words each, which no derive can make of an enum within an enum. `verdicts_are_words` tries each.
fn words(words: &[&str]) -> Schema {
    json_schema!({"type": "string", "enum": words.iter().copied().chain(RUN).collect::<Vec<_>>()})
}

/// The verdicts that one run of a program by itself can have beside `ok`.
const RUN: [&str; 11] = [
    "engine_error",
    "cancelled",
    "output_limit",
    "memory_limit",
    "cpu_time_limit",
    "wall_time_limit",
    "security_violation",
    "process_limit",
    "disk_limit",
    "signalled",
    "runtime_error",
];

impl JsonSchema for TestVerdict {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TestVerdict".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        words(&["accepted", "wrong_answer", "checker_error", "skipped"])
    }
}

impl JsonSchema for SubmissionVerdict {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SubmissionVerdict".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        words(&["accepted", "partial", "compile_error", "wrong_answer", "checker_error", "skipped"])
    }
}

#[test]
fn verdicts_are_words() {
    fn check<T: serde::de::DeserializeOwned + serde::Serialize>(schema: &str) {
        for word in schemas(&openapi())[schema]["enum"].as_array().unwrap() {
            let verdict: T = serde_json::from_value(word.clone()).unwrap();
            assert_eq!(serde_json::to_value(verdict).unwrap(), *word);
        }
        assert!(serde_json::from_value::<T>(json!("right")).is_err());
    }
    check::<TestVerdict>("TestVerdict");
    check::<SubmissionVerdict>("SubmissionVerdict");
    let run = Verdict::ALL.map(Verdict::name);
    let own: Vec<_> = run.into_iter().filter(|name| !matches!(*name, "ok" | "compile_error")).collect();
    assert_eq!(own, RUN);
}

fn schemas(document: &Value) -> BTreeMap<String, Value> {
    let schemas = document["components"]["schemas"].as_object().unwrap();
    schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

/// What serde makes of the types.
fn derived() -> BTreeMap<String, Value> {
    fn add<T: JsonSchema>(settings: SchemaSettings, into: &mut BTreeMap<String, Value>) {
        let mut root = serde_json::to_value(settings.into_generator().into_root_schema_for::<T>()).unwrap();
        let parts = root.as_object_mut().unwrap().remove("$defs").unwrap_or_else(|| json!({}));
        into.insert(T::schema_name().into_owned(), root);
        into.extend(parts.as_object().unwrap().clone());
    }
    let reads = SchemaSettings::draft2020_12;
    let writes = || SchemaSettings::draft2020_12().for_serialize();
    let mut all = BTreeMap::new();
    add::<ExecutionResult>(writes(), &mut all);
    add::<ExecutionStatus>(writes(), &mut all);
    add::<ValidationResponse>(writes(), &mut all);
    add::<LanguagesResponse>(writes(), &mut all);
    add::<IsolationResponse>(writes(), &mut all);
    add::<UsageResponse>(writes(), &mut all);
    add::<VersionResponse>(writes(), &mut all);
    add::<HealthResponse>(writes(), &mut all);
    add::<ReadyResponse>(writes(), &mut all);
    add::<DrainResponse>(writes(), &mut all);
    add::<ProblemBody>(writes(), &mut all);
    add::<BatchResponse>(writes(), &mut all);
    add::<BatchesResponse>(writes(), &mut all);
    add::<BatchProgress>(writes(), &mut all);
    add::<TestResult>(writes(), &mut all);
    add::<ExecutionRequest>(reads(), &mut all);
    add::<BatchRequest>(reads(), &mut all);
    add::<RejudgeRequest>(reads(), &mut all);
    all
}

/// Only what both sides can say: no descriptions, defaults, bounds or formats; one spelling for what has several.
fn canonical(schema: &Value) -> Value {
    let Some(words) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (word, wish) in words {
        match word.as_str() {
            "$ref" => {
                let name = wish.as_str().unwrap().rsplit('/').next().unwrap();
                out.insert("ref".into(), json!(name));
            }
            "type" => {
                let names: BTreeSet<&str> = match wish {
                    Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                    name => BTreeSet::from([name.as_str().unwrap()]),
                };
                out.insert("type".into(), json!(names));
            }
            "const" => {
                out.insert("enum".into(), json!([wish]));
            }
            "enum" => {
                out.insert("enum".into(), wish.clone());
            }
            "required" => {
                let names: BTreeSet<&str> = wish.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                if !names.is_empty() {
                    out.insert("required".into(), json!(names));
                }
            }
            "properties" => {
                let fields: Map<_, _> =
                    wish.as_object().unwrap().iter().map(|(name, field)| (name.clone(), canonical(field))).collect();
                out.insert("properties".into(), Value::Object(fields));
            }
            "items" | "additionalProperties" => {
                out.insert(word.clone(), canonical(wish));
            }
            "oneOf" | "anyOf" => {
                out.insert(word.clone(), wish.as_array().unwrap().iter().map(canonical).collect());
            }
            "description" | "title" | "default" | "$schema" | "format" | "minimum" | "maximum" | "minLength"
            | "maxLength" | "minItems" | "maxItems" | "maxProperties" | "pattern" | "propertyNames"
            | "contentEncoding" => {}
            other => panic!("the comparison does not know {other}"),
        }
    }
    unit_enum(out)
}

/// An enum whose variants carry descriptions is a `oneOf` of constants to schemars.
fn unit_enum(mut schema: Map<String, Value>) -> Value {
    let values = schema.get("oneOf").and_then(Value::as_array).and_then(|variants| {
        let value = |variant: &Value| {
            let only = variant["enum"].as_array()?.clone();
            (variant["type"] == json!(["string"])).then_some(only)
        };
        variants.iter().map(value).collect::<Option<Vec<_>>>()
    });
    if let Some(values) = values {
        schema.remove("oneOf");
        schema.insert("type".into(), json!(["string"]));
        schema.insert("enum".into(), values.concat().into());
    }
    Value::Object(schema)
}

/// Requests take null for every field that may be left out. serde does that in `null_is_default`, which schemars does
/// not see: so the rule is taken off here and tried in [`null_is_the_same_as_absent`].
fn without_null(schema: &mut Value) {
    let required: BTreeSet<String> =
        serde_json::from_value(schema.get("required").cloned().unwrap_or_else(|| json!([]))).unwrap();
    for (name, field) in schema["properties"].as_object_mut().unwrap() {
        if required.contains(name) {
            continue;
        }
        if let Some(choices) = field.get("anyOf").and_then(Value::as_array).cloned()
            && let [one, null] = choices.as_slice()
            && *null == json!({"type": ["null"]})
        {
            let one = one.as_object().unwrap().clone();
            let field = field.as_object_mut().unwrap();
            field.remove("anyOf");
            field.extend(one);
        }
        if let Some(names) = field.get_mut("type").and_then(Value::as_array_mut) {
            names.retain(|name| name != "null");
        }
    }
}

/// Types of requests whose fields may be null.
const REQUESTS: [&str; 9] = [
    "ExecutionRequest",
    "LimitsRequest",
    "BatchRequest",
    "SubmissionRequest",
    "TestRequest",
    "GroupRequest",
    "CheckerRequest",
    "CheckerProgram",
    "RejudgeRequest",
];

#[test]
fn types_and_document_are_the_same() {
    let (document, derived) = (schemas(&openapi()), derived());
    let names = |side: &BTreeMap<String, Value>| side.keys().cloned().collect::<BTreeSet<_>>();
    let data = BTreeSet::from(["Data".to_owned(), "PathName".to_owned()]);
    let of_types: BTreeSet<_> = names(&derived).difference(&data).cloned().collect();
    assert_eq!(names(&document), of_types);
    for (name, said) in &document {
        let (mut said, mut is) = (canonical(said), canonical(&derived[name]));
        if REQUESTS.contains(&name.as_str()) {
            without_null(&mut said);
            without_null(&mut is);
        }
        assert_eq!(said, is, "{name}: openapi.yaml left, the type right");
    }
}

#[test]
fn json_is_yaml() {
    let yaml: Value = serde_norway::from_str(OPENAPI_YAML).unwrap();
    let json = serde_json::to_string_pretty(&yaml).unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &json).unwrap();
        return;
    }
    assert!(
        serde_json::from_str::<Value>(OPENAPI_JSON).is_ok_and(|same| same == yaml),
        "openapi.json is not openapi.yaml: UPDATE_OPENAPI=1 cargo test -p api-spec json_is_yaml"
    );
}

#[test]
fn version_is_that_of_the_crate() {
    assert_eq!(openapi()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// Every node of the document, with its place.
fn walk(node: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, node);
    match node {
        Value::Object(object) => {
            object
                .iter()
                .for_each(|(name, child)| walk(child, &format!("{place}/{}", crate::parse::escape(name)), visit));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, child)| walk(child, &format!("{place}/{index}"), visit));
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    walk(&document, "", &mut |place, node| {
        if let Some(target) = node.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{place}: {target}");
        }
    });
}

#[test]
fn everything_is_described() {
    for (name, schema) in schemas(&openapi()) {
        assert!(schema["description"].is_string(), "{name}");
        walk(&schema, &name, &mut |place, node| {
            for (field, schema) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
                assert!(schema["description"].as_str().is_some_and(|words| words.len() > 3), "{place}/{field}");
                if schema.get("type").is_some_and(|kind| kind.to_string().contains("integer")) {
                    assert!(schema.get("minimum").is_some(), "{place}/{field}: an integer without a least value");
                }
            }
        });
    }
}

/// It is read as the type, and written as it was.
fn back<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value, place: &str) {
    let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|why| panic!("{place}: {why}"));
    assert_eq!(serde_json::to_value(read).unwrap(), *value, "{place}");
}

#[test]
fn examples_fit_schemas_and_types() {
    let document = openapi();
    let mut seen = 0;
    walk(&document, "", &mut |place, node| {
        for (name, example) in node.get("examples").and_then(Value::as_object).into_iter().flatten() {
            let value = &example["value"];
            conformance::check_schema(&node["schema"], value).unwrap_or_else(|why| panic!("{place} {name}: {why}"));
            let bytes = serde_json::to_vec(value).unwrap();
            let schema = node["schema"].to_string();
            if node.get("x-line-schema").is_some() {
                let line: TestResult = serde_json::from_str(value.as_str().unwrap()).unwrap();
                assert_eq!(serde_json::to_string(&line).unwrap() + "\n", value.as_str().unwrap(), "{place} {name}");
            } else if schema.contains("/BatchRequest") {
                BatchRequest::from_json(&bytes, &Caps::default()).unwrap();
            } else if schema.contains("/RejudgeRequest") {
                RejudgeRequest::from_json(&bytes).unwrap();
            } else if schema.contains("/BatchSummary") {
                back::<BatchSummary>(value, place);
            } else if schema.contains("/BatchResponse") {
                back::<BatchResponse>(value, place);
            } else if schema.contains("/BatchesResponse") {
                back::<BatchesResponse>(value, place);
            } else if schema.contains("/ExecutionRequest") {
                ExecutionRequest::from_json(&bytes, &Caps::default()).unwrap();
            } else if value.get("valid").is_some() {
                back::<ValidationResponse>(value, place);
            } else if value.get("stage").is_some() {
                back::<ExecutionStatus>(value, place);
            } else if schema.contains("/ExecutionResult") {
                back::<ExecutionResult>(value, place);
            } else if schema.contains("/ProblemBody") {
                back::<ProblemBody>(value, place);
            }
            seen += 1;
        }
    });
    assert!(seen >= 19, "{seen}");
}

/// Each response names only codes of its own status, and each code is named at its own status,
/// but for those of an address that is none.
#[test]
fn codes_stand_at_their_status() {
    let document = openapi();
    let mut named = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operations = operations.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
        for (method, operation) in operations {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = conformance::resolve(response);
                let schema = &response["content"]["application/problem+json"]["schema"];
                for code in schema.pointer("/properties/code/enum").and_then(Value::as_array).into_iter().flatten() {
                    let code: Code = serde_json::from_value(code.clone()).unwrap();
                    if status != "default" {
                        named.insert(code);
                    }
                    assert!(status == "default" || *status == code.status().to_string(), "{method} {path} {code}");
                    let waits = response["headers"].get("Retry-After").is_some();
                    assert!(waits == code.wants_retry_after() || status == "default", "{method} {path} {code}");
                }
            }
        }
    }
    let elsewhere = [Code::NotFound, Code::MethodNotAllowed];
    let known = |code: &&Code| named.contains(code) || elsewhere.contains(code);
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !known(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_counted_says_what_is_left_and_can_be_refused() {
    let document = openapi();
    let mut counted = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in
            operations.as_object().unwrap().iter().filter(|(_, one)| one.get("responses").is_some())
        {
            let responses = operation["responses"].as_object().unwrap();
            let told = |(status, response): (&String, &Value)| {
                let names = ["Limit", "Remaining", "Reset", "Policy"].map(|name| format!("RateLimit-{name}"));
                status.starts_with('2').then(|| names.iter().all(|name| response["headers"].get(name).is_some()))
            };
            let told: BTreeSet<bool> = responses.iter().filter_map(told).collect();
            let refused = responses.get("429").is_some_and(|it| it["$ref"] == "#/components/responses/TooManyRequests");
            assert_eq!(told, BTreeSet::from([refused]), "{method} {path}");
            if refused {
                counted.insert(format!("{method} {path}"));
            }
        }
    }
    let expected = [
        "delete /v1/blobs/{sha256}",
        "get /v1/batches",
        "get /v1/batches/{id}",
        "get /v1/batches/{id}/events",
        "get /v1/batches/{id}/results",
        "get /v1/blobs/{sha256}",
        "get /v1/usage",
        "post /v1/batches",
        "post /v1/batches/{id}/rejudge",
        "post /v1/executions",
        "put /v1/blobs/{sha256}",
    ];
    assert_eq!(counted, BTreeSet::from(expected.map(str::to_owned)));
}
