use serde_json::{Value, json};

use super::{check, check_request};
use crate::problem::{Code, Problem};

fn health(body: &str) -> Result<(), String> {
    check("GET", "/healthz", 200, "application/json", body.as_bytes())
}

fn problem(code: Code) -> Vec<u8> {
    serde_json::to_vec(&Problem::new(code, "it is so").answer("r1")).unwrap()
}

fn run_answers(status: u16, body: &[u8]) -> Result<(), String> {
    check("POST", "/v1/executions?wait=true", status, "application/problem+json", body)
}

#[test]
fn honest_answers_pass() {
    health(r#"{"status":"ok"}"#).unwrap();
    check("HEAD", "/healthz", 200, "application/json", b"").unwrap();
    check("GET", "/metrics", 200, "text/plain; version=0.0.4", b"# HELP\n").unwrap();
    check("GET", "/openapi.yaml", 200, "application/yaml", crate::OPENAPI_YAML.as_bytes()).unwrap();
    check("GET", "/openapi.json", 200, "application/json; charset=utf-8", crate::OPENAPI_JSON.as_bytes()).unwrap();
    run_answers(503, &problem(Code::QueueFull)).unwrap();
    check("GET", "/nowhere", 404, "application/problem+json", &problem(Code::NotFound)).unwrap();
    check("PUT", "/healthz", 405, "application/problem+json", &problem(Code::MethodNotAllowed)).unwrap();
}

#[test]
fn each_mistake_is_found() {
    let said = |outcome: Result<(), String>| outcome.unwrap_err();
    assert!(said(health(r#"{"status":"fine"}"#)).contains("/status"));
    assert!(said(health(r#"{"status":"ok","more":1}"#)).contains("/more is not documented"));
    assert!(said(health("{}")).contains("/status is missing"));
    assert!(said(health("ok")).contains("not JSON"));
    assert!(said(check("GET", "/healthz", 204, "application/json", b"")).contains("no such status"));
    assert!(said(check("GET", "/healthz", 200, "text/html", b"")).contains("text/html"));
    assert!(said(check("HEAD", "/healthz", 200, "application/json", b"{}")).contains("no body"));
    assert!(said(check("GET", "/nowhere", 200, "application/json", b"{}")).contains("no such operation"));
    assert!(
        said(check("GET", "/nowhere", 503, "application/problem+json", &problem(Code::QueueFull)))
            .contains("queue_full")
    );
    // A code of another status, one that this operation can't answer, a status line that differs from the body.
    assert!(said(run_answers(400, &problem(Code::QueueFull))).contains("breaks"));
    assert!(said(run_answers(503, &problem(Code::StoreFull))).contains("store_full"));
    assert!(said(check("GET", "/healthz", 500, "application/problem+json", &problem(Code::Forbidden))).contains("403"));
    let mut other: Value = serde_json::from_slice(&problem(Code::Internal)).unwrap();
    other["title"] = json!("Oops.");
    assert!(said(run_answers(500, other.to_string().as_bytes())).contains("Oops"));
    other["title"] = json!("The engine failed.");
    other["request_id"] = json!("");
    assert!(said(run_answers(500, other.to_string().as_bytes())).contains("request_id"));
}

#[test]
fn a_stream_is_text_or_base64() {
    let result = crate::openapi()["paths"]["/v1/executions"]["post"]["responses"]["200"]["content"]["application/json"]
        ["examples"]["hello"]["value"]
        .clone();
    let answers = |stream: Value| {
        let mut result = result.clone();
        result["run"]["stdout"] = stream;
        check("POST", "/v1/executions", 200, "application/json", result.to_string().as_bytes())
    };
    answers(json!({"text": "a", "bytes": 1, "truncated": false})).unwrap();
    answers(json!({"base64": "/w==", "bytes": 1, "truncated": false})).unwrap();
    for wrong in [
        json!({"bytes": 1, "truncated": false}),
        json!({"text": "a", "base64": "", "bytes": 1, "truncated": false}),
        json!({"text": "a", "bytes": -1, "truncated": false}),
        json!({"text": "a", "bytes": 1, "truncated": false, "lines": 1}),
        json!({}),
    ] {
        answers(wrong.clone()).expect_err(&wrong.to_string());
    }
}

#[test]
fn a_request_needs_an_operation_with_a_body() {
    check_request("POST", "/v1/executions", br#"{"language":"c"}"#).unwrap();
    check_request("GET", "/healthz", b"{}").unwrap_err();
    check_request("POST", "/v1/executions", b"{").unwrap_err();
}
