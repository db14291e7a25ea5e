//! Every mistake is told when the batch comes, with its field, and nothing of it is accepted.

use serde_json::{Value, json};

use super::{Grader, JSON, echoes};

fn good() -> Value {
    json!({
        "submissions": [{"id": "a", "language": "python", "source": "say 1"}, {"id": "b", "language": "c", "source": "say 1"}],
        "tests": [{"id": "1", "stdin": "", "expected": "1"}, {"id": "2", "stdin": "", "expected": "1", "group": "g"}],
        "groups": [{"id": "g"}],
    })
}

/// What changes the good one, the code, and the field.
fn rows() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let blob = |digit: char| json!({"blob": format!("sha256:{}", digit.to_string().repeat(64))});
    vec![
        // The list of the contract.
        ("/submissions/1/id", json!("a"), "invalid_request", "/submissions/1/id"),
        ("/tests/1/id", json!("1"), "invalid_request", "/tests/1/id"),
        ("/tests/0", json!({"id": "1"}), "invalid_request", "/tests/0/stdin"),
        ("/checker", json!({"kind": "exact"}), "", ""),
        ("/tests/1/stdin", blob('a'), "unknown_blob", "/tests/1/stdin/blob"),
        ("/tests/1/expected", blob('b'), "unknown_blob", "/tests/1/expected/blob"),
        ("/tests/0/stdin", json!({"blob": "sha256:xyz"}), "invalid_request", "/tests/0/stdin/blob"),
        ("/tests/0/points", json!(-1), "invalid_request", "/tests/0/points"),
        ("/tests/0/points", json!(1_000_000_001), "invalid_request", "/tests/0/points"),
        ("/submissions", json!([]), "invalid_request", "/submissions"),
        ("/tests", json!([]), "invalid_request", "/tests"),
        ("/groups/0/id", json!("h"), "invalid_request", ""),
        ("/groups", json!([{"id": "g"}, {"id": "empty"}]), "invalid_request", "/groups/1"),
        ("/repeat", json!(0), "invalid_request", "/repeat"),
        ("/repeat", json!(101), "invalid_request", "/repeat"),
        // What only the engine can know.
        ("/submissions/1/language", json!("cobol"), "unknown_language", "/submissions/1/language"),
        ("/submissions/0/version", json!("99"), "unknown_version", "/submissions/0/version"),
        (
            "/submissions/1/compile_flags",
            json!(["-O2", "-fplugin=x"]),
            "flag_not_allowed",
            "/submissions/1/compile_flags/1",
        ),
        ("/submissions/1/entry", json!("main.c"), "", ""),
        ("/submissions/1/entry", json!("other"), "invalid_request", "/submissions/1/entry"),
        ("/limits", json!({"cpu_time_ms": 99_000_000}), "limit_above_ceiling", "/limits/cpu_time_ms"),
        ("/limits", json!({"cpu_time_ms": 0}), "limit_too_low", "/limits/cpu_time_ms"),
        (
            "/compile_limits",
            json!({"memory_bytes": 1_u64 << 50}),
            "limit_above_ceiling",
            "/compile_limits/memory_bytes",
        ),
        ("/tests/1/limits", json!({"cpu_time_ms": 99_000_000}), "limit_above_ceiling", "/tests/1/limits/cpu_time_ms"),
        ("/tests/1/limits", json!({"memory_bytes": 4096}), "limit_too_low", "/tests/1/limits/memory_bytes"),
        (
            "/tests/1/limits",
            json!({"output_bytes": 1_u64 << 40}),
            "limit_above_ceiling",
            "/tests/1/limits/output_bytes",
        ),
        (
            "/limits_by_language",
            json!({"c": {"wall_time_ms": 99_000_000}}),
            "limit_above_ceiling",
            "/limits_by_language/c/wall_time_ms",
        ),
        ("/limits_by_language", json!({"cobol": {}}), "unknown_language", "/limits_by_language/cobol"),
        ("/limits_by_language", json!({"python": {}, "py": {}}), "invalid_request", "/limits_by_language/python"),
        (
            "/checker",
            json!({"kind": "program", "program": {"language": "cobol", "source": "x", "protocol": "kattis"}}),
            "unknown_language",
            "/checker/program/language",
        ),
        (
            "/checker",
            json!({"kind": "program", "program": {"language": "c", "source": "#error", "protocol": "kattis"}}),
            "invalid_request",
            "/checker/program",
        ),
        (
            "/checker",
            json!({"kind": "program", "program": {"language": "c", "source": "x", "protocol": "kattis", "limits": {"cpu_time_ms": 99_000_000}}}),
            "limit_above_ceiling",
            "/checker/program/limits/cpu_time_ms",
        ),
    ]
}

fn with(pointer: &str, value: &Value) -> Value {
    let mut body = good();
    match body.pointer_mut(pointer) {
        Some(place) => *place = value.clone(),
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value.clone());
        }
    }
    body
}

#[test]
fn each_mistake_is_told_with_its_field_and_nothing_is_kept() {
    let grader = Grader::start();
    let mut accepted = 0;
    for (pointer, value, code, field) in rows() {
        let reply = grader.post(&with(pointer, &value), "");
        let shown = format!("{pointer} = {value}: {}", reply.text());
        if code.is_empty() {
            assert_eq!(reply.status, 202, "{shown}");
            accepted += 1;
            continue;
        }
        let status = api_spec::Code::ALL.iter().find(|known| known.name() == code).unwrap().status();
        assert_eq!(reply.status, status, "{shown}");
        let problem = reply.problem(status, code);
        if !field.is_empty() {
            assert_eq!(problem["field"], field, "{shown}");
        }
    }
    assert_eq!(grader.get("/v1/batches")["batches"].as_array().unwrap().len(), accepted);
}

#[test]
fn limits_of_a_language_are_checked_also_where_no_submission_is_in_it() {
    let grader = Grader::slots(1, "");
    let mut batch = echoes(1, 1);
    batch["limits_by_language"] = json!({"c": {"memory_bytes": 1_u64 << 50}});
    let problem = grader.post(&batch, "").problem(422, "limit_above_ceiling");
    assert_eq!(problem["field"], "/limits_by_language/c/memory_bytes", "{problem}");
    batch["limits_by_language"] = json!({"c": {"memory_bytes": 64 << 20}});
    grader.submit(&batch);
}

#[test]
fn numbers_that_are_none_are_no_points() {
    let grader = Grader::start();
    for points in ["NaN", "1e999", "\"1\"", "-1e-9"] {
        let body = good()
            .to_string()
            .replace(r#""expected":"1","id":"1""#, &format!(r#""expected":"1","points":{points},"id":"1""#));
        assert!(body.contains("points"), "{body}");
        let reply = grader.rig.call("POST", "/v1/batches", JSON, body.as_bytes());
        assert_eq!(reply.status, 400, "{points}: {}", reply.text());
    }
}

#[test]
fn a_checkers_compiler_is_quoted() {
    let grader = Grader::start();
    let checker = json!({"kind": "program", "program": {"language": "c", "source": "#error", "protocol": "testlib"}});
    let problem = grader.post(&with("/checker", &checker), "").problem(400, "invalid_request");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("main.c:1:2: error: #error") && !detail.contains(".:"), "{problem}");
}

#[test]
fn a_key_is_said_once_and_is_visible() {
    let grader = Grader::start();
    for bad in ["Idempotency-Key: \r\n", "Idempotency-Key: a b\r\n", "Idempotency-Key: a\r\nIdempotency-Key: a\r\n"] {
        grader.post(&good(), bad).problem(400, "invalid_request");
    }
    grader.post(&good(), &format!("Idempotency-Key: {}\r\n", "k".repeat(256))).problem(400, "invalid_request");
}

#[test]
fn a_batch_above_the_plan_is_too_large_and_says_by_what() {
    let plan = "[plans.default]\nbatch_submissions = 3\nbatch_tests = 4\nbatch_results = 10\nqueued_results = 14\n";
    let grader = Grader::slots(1, plan);
    let field = |body: &Value| grader.post(body, "").problem(422, "limit_above_ceiling")["field"].clone();
    assert_eq!(field(&echoes(4, 1)), "/submissions");
    assert_eq!(field(&echoes(1, 5)), "/tests");
    assert_eq!(field(&echoes(3, 4)), "/tests");
    let mut repeated = echoes(2, 2);
    repeated["repeat"] = json!(3);
    assert_eq!(field(&repeated), "/repeat");
    // None of them has begun: this one holds the only slot.
    let mut long = echoes(2, 4);
    long["submissions"][0]["source"] = json!("gate");
    long["submissions"][1]["source"] = json!("gate");
    let id = grader.submit(&long);
    let problem = grader.post(&echoes(2, 4), "").problem(429, "quota_exceeded");
    assert!(problem["detail"].as_str().unwrap().contains("queued_results"), "{problem}");
    assert_eq!(grader.rig.call("DELETE", &format!("/v1/batches/{id}"), "", b"").status, 202);
    grader.submit(&echoes(2, 4));
}

#[test]
fn ten_million_tests_are_not_parsed() {
    let grader = Grader::start();
    let test = r#"{"id":"x","stdin":""}"#;
    let body = format!(
        r#"{{"submissions":[{{"id":"a","language":"python","source":"say"}}],"tests":[{}]}}"#,
        vec![test; 200_000].join(",")
    );
    let problem = grader.rig.call("POST", "/v1/batches", JSON, body.as_bytes()).problem(422, "limit_above_ceiling");
    assert_eq!(problem["field"], "/tests");
    assert_eq!(grader.rig.engine.memory.used(), 0);
}
