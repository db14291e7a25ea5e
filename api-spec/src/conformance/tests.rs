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

const ID: &str = "01K0ABCDEFGHJKMNPQRSTVWXYZ";

fn line(seq: u64) -> String {
    let results = &crate::openapi()["paths"]["/v1/batches/{id}/results"]["get"]["responses"]["200"]["content"];
    let example = &results["application/x-ndjson"]["examples"]["wrong answer"]["value"];
    example.as_str().unwrap().replace("\"seq\":1", &format!("\"seq\":{seq}"))
}

#[test]
fn each_line_is_a_result() {
    let results = |body: &str| {
        check("GET", &format!("/v1/batches/{ID}/results?from=1"), 200, "application/x-ndjson", body.as_bytes())
    };
    results("").unwrap();
    results(&(line(7) + &line(8))).unwrap();
    assert!(results(line(7).trim_end()).unwrap_err().contains("not ended"));
    assert!(results(&(line(7) + &line(9))).unwrap_err().contains("the result 9 comes after 7"));
    assert!(results("{}\n").unwrap_err().contains("line 1: "));
    assert!(results(&line(1).replace("attempt", "tries")).unwrap_err().contains("line 1: "));
    assert!(results("seq 1\n").unwrap_err().contains("not JSON"));
}

#[test]
fn events_have_their_data() {
    let events = |body: &str| {
        check("GET", &format!("/v1/batches/{ID}/events"), 200, "text/event-stream; charset=utf-8", body.as_bytes())
    };
    let event = |name: &str, id: u64, data: &str| format!("id: {id}\nevent: {name}\ndata: {}\n\n", data.trim_end());
    let result = |seq| event("result", seq, &line(seq));
    let progress = event("progress", 1, r#"{"done":1,"results":2}"#);
    let summary = &crate::openapi()["paths"]["/v1/batches"]["post"]["responses"]["202"]["content"]["application/json"]
        ["examples"]["queued"]["value"];
    let finished = event("finished", 2, &summary.to_string());
    events("").unwrap();
    events(&format!("retry: 2000\n\n:\n\n{}{progress}: still here\n\n{}{finished}", result(1), result(2))).unwrap();
    events(&format!("{}id: 2\neve", result(1))).unwrap();
    assert!(events(&event("result", 2, &line(1))).unwrap_err().contains("has the id \"2\""));
    assert!(events(&event("progress", 1, r#"{"done":1,"results":2}"#).replace("id: 1", "id: x")).is_err());
    assert!(events(&event("news", 1, "{}")).unwrap_err().contains("\"news\" is not documented"));
    assert!(events(&event("progress", 1, "{}")).unwrap_err().contains("event progress: "));
    assert!(events(&(finished + &result(3))).unwrap_err().contains("after finished"));
    assert!(events("hello\n\n").unwrap_err().contains("no line of an event"));
    assert!(events("event: result\n\n").unwrap_err().contains("not both"));
}

#[test]
fn blobs_are_any_bytes() {
    let path = format!("/v1/blobs/{}", "0a".repeat(32));
    check("PUT", &path, 201, "", b"").unwrap();
    check("PUT", &path, 201, "", b"{}").unwrap_err();
    check("GET", &path, 200, "application/octet-stream", b"\xff\x00").unwrap();
    check("HEAD", &path, 200, "application/octet-stream", b"").unwrap();
    check("DELETE", &path, 204, "", b"").unwrap();
    check("DELETE", &path, 404, "application/problem+json", &problem(Code::NotFound)).unwrap();
}
