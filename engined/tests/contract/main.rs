//! The whole contract, field by field: each has at least one good and one bad value, and a problem says which value
//! met which bound and what to do. `openapi.json` decides what the fields are: one without a row here is a failure.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod bad;
mod bounds;
mod document;
mod good;
mod grade;
mod limits;
mod routes;

use std::collections::BTreeSet;

use common::Rig;
use serde_json::{Value, json};

/// A value that is refused. The field is written as the document has it: `/files/*/path`.
pub struct Bad {
    /// Which field.
    pub field: &'static str,
    /// What is sent.
    pub body: Value,
    /// What it is answered with.
    pub code: &'static str,
    /// Where the problem must point.
    pub pointer: String,
    /// What the detail must say: the value and the bound.
    pub says: Vec<String>,
    /// What the remedy must say.
    pub remedy: String,
}

impl Bad {
    /// Sends it.
    pub fn check(&self, rig: &Rig) {
        let shown: String = self.body.to_string().chars().take(200).collect();
        let status = api_spec::Code::ALL.iter().find(|code| code.name() == self.code).unwrap().status();
        let problem = rig.execute(&self.body).problem(status, self.code);
        assert_eq!(problem["field"], self.pointer, "{shown}\n{problem}");
        let (detail, remedy) = (problem["detail"].as_str().unwrap(), problem["remedy"].as_str().unwrap());
        for word in &self.says {
            assert!(detail.contains(word), "{shown}\nthe detail must say {word:?}: {problem}");
        }
        assert!(remedy.contains(&self.remedy), "{shown}\nthe remedy must say {:?}: {problem}", self.remedy);
        assert!(detail.len() <= 1100, "a detail is a sentence, not the whole value: {}", detail.len());
    }
}

/// The limits that a step of a language may have here: floors, ceilings and defaults.
pub fn step(rig: &Rig, language: &str, step: &str) -> Value {
    let languages = rig.get("/v1/languages").json();
    let all = languages["languages"].as_array().unwrap();
    all.iter().find(|found| found["id"] == language).unwrap()["versions"][0][step].clone()
}

/// What `validate=true` says of a request that is right.
pub fn validated(rig: &Rig, request: &Value) -> Value {
    let body = request.to_string();
    let json = "Content-Type: application/json\r\n";
    let reply = rig.call("POST", "/v1/executions?validate=true", json, body.as_bytes());
    assert_eq!(reply.status, 200, "{request}\n{}", reply.text());
    reply.json()
}

#[test]
fn every_bad_value_is_refused_with_its_place_value_bound_and_remedy() {
    let rig = Rig::start();
    let orders = || rig.fake.seen.profiles.lock().unwrap().len();
    let before = orders();
    for row in bad::rows().iter().chain(&limits::rows(&rig)).chain(&bad::of_other_types()) {
        row.check(&rig);
    }
    assert_eq!(rig.run("say fine")["verdict"], "ok", "the next honest caller notices nothing");
    assert_eq!(orders(), before + 1, "nothing else was run");
}

/// The two sets are the same, else the difference is told.
fn same(what: &str, document: &BTreeSet<String>, rows: &BTreeSet<String>) {
    let lacking: Vec<_> = document.difference(rows).collect();
    let unknown: Vec<_> = rows.difference(document).collect();
    assert!(lacking.is_empty(), "openapi.json has these, and no {what} row has: {lacking:?}");
    assert!(unknown.is_empty(), "{what} rows have these, and openapi.json has not: {unknown:?}");
}

#[test]
fn every_field_has_a_good_and_a_bad_row() {
    let rig = Rig::start();
    let (fields, words) = document::body("/v1/executions", "post");
    assert!(fields.contains("/compile_limits/stack_bytes") && fields.contains("/files/*/content/base64"), "{fields:?}");
    assert!(words.contains("/priority=batch"), "{words:?}");
    let bad = bad::rows().iter().chain(&limits::rows(&rig)).map(|row| row.field.to_owned()).collect();
    same("bad", &fields, &bad);
    let rows = good::rows();
    let good: BTreeSet<String> = rows.iter().flat_map(|row| row.fields.iter().map(|name| (*name).to_owned())).collect();
    same("good", &fields.union(&words).cloned().collect(), &good);
    // A row that names a field has it.
    for row in &rows {
        for name in row.fields {
            assert!(document::has(&row.request, name), "{name} is not in {}", row.request);
        }
    }
}

#[test]
fn every_parameter_has_a_good_and_a_bad_row() {
    let parameters = document::parameters();
    assert!(parameters.contains("GET /v1/executions/{id} query wait_ms"), "{parameters:?}");
    let named = |rows: &[routes::Row]| rows.iter().map(|row| row.parameter.to_owned()).collect();
    let good = [routes::good_parameters("ID"), grade::good_parameters("ID")].concat();
    same("good", &parameters, &named(&good));
    let bad = [routes::bad_parameters("ID"), grade::bad_parameters("ID")].concat();
    same("bad", &parameters, &named(&bad));
}

#[test]
fn null_is_the_same_as_absent_everywhere() {
    let rig = Rig::start();
    let plain = validated(&rig, &json!({"language": "c", "source": "say x"}));
    let (fields, _) = document::body("/v1/executions", "post");
    for field in fields.iter().filter(|field| field.matches('/').count() == 1) {
        let mut request = json!({"language": "c", "source": "say x"});
        request[&field[1..]] = Value::Null;
        match field.as_str() {
            "/language" | "/source" => rig.execute(&request).problem(400, "invalid_request"),
            _ => {
                assert_eq!(validated(&rig, &request), plain, "{field}");
                continue;
            }
        };
    }
}
