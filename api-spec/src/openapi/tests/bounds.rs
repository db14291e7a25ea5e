//! Defaults and bounds of the document, tried against the parser.

use super::*;

fn request_with(field: &str, value: Value) -> Value {
    let mut request = json!({"language": "c", "source": ""});
    request[field] = value;
    request
}

fn is_read(request: &Value) -> bool {
    ExecutionRequest::from_json(&serde_json::to_vec(request).unwrap(), &Caps::default()).is_ok()
}

#[test]
fn null_is_the_same_as_absent() {
    let plain: ExecutionRequest = serde_json::from_value(json!({"language": "c", "source": ""})).unwrap();
    let all = &schemas(&openapi())["ExecutionRequest"];
    for field in all["properties"].as_object().unwrap().keys() {
        let request = request_with(field, Value::Null);
        let read = serde_json::from_value::<ExecutionRequest>(request.clone());
        match field.as_str() {
            "language" => assert!(read.is_err()),
            "source" => assert!(!is_read(&request), "no program is left"),
            _ => assert_eq!(read.unwrap(), plain, "{field}"),
        }
    }
    for field in schemas(&openapi())["LimitsRequest"]["properties"].as_object().unwrap().keys() {
        let mut limits = json!({});
        limits[field] = Value::Null;
        assert_eq!(serde_json::from_value::<ExecutionRequest>(request_with("limits", limits)).unwrap(), plain);
    }
}

/// Saying a default is the same as leaving the field out, and every field that may be left out has one.
#[test]
fn defaults_are_kept() {
    let plain: ExecutionRequest = serde_json::from_value(json!({"language": "c", "source": ""})).unwrap();
    let schemas = schemas(&openapi());
    for (name, schema) in schemas["ExecutionRequest"]["properties"].as_object().unwrap() {
        if !matches!(name.as_str(), "language" | "source") {
            let request = request_with(name, schema.get("default").expect(name).clone());
            assert_eq!(serde_json::from_value::<ExecutionRequest>(request).unwrap(), plain, "{name}");
        }
    }
    for (name, schema) in schemas["LimitsRequest"]["properties"].as_object().unwrap() {
        let limits = json!({ name: schema.get("default").expect(name) });
        let read = serde_json::from_value::<ExecutionRequest>(request_with("limits", limits)).unwrap();
        assert_eq!(read, plain, "{name}");
    }
}

/// What stands for bytes, and what does not.
fn contents() -> Vec<Value> {
    let base64 = |text: &str| json!({"base64": text});
    vec![
        json!({}),
        json!({"text": "", "base64": ""}),
        json!({"blob": "sha256:00"}),
        json!({"blob": format!("sha256:{}", "0a".repeat(32))}),
        json!({"blob": format!("sha256:{}", "0A".repeat(32))}),
        json!({"blob": "0a".repeat(32)}),
        json!({"blob": format!("sha256:{}", "0a".repeat(32)), "text": ""}),
        json!([1]),
        base64(""),
        base64("QQ=="),
        base64("QUI="),
        base64("+/+/"),
        base64("QUJDQUI="),
        base64("QR=="),
        base64("QUJ="),
        base64("QQ"),
        base64("QQ="),
        base64("="),
        base64("QUJD\n"),
        base64("-_-_"),
        base64("QQ==QQ=="),
    ]
}

/// A value on each side of every bound that the document sets for requests: the document and the parser agree.
#[test]
fn bounds_are_kept() {
    let words = |count: usize| Value::Array(vec![json!({"path": "p", "content": ""}); count]);
    let distinct =
        |count: usize| (0..count).map(|n| json!({"path": format!("p{n}"), "content": ""})).collect::<Value>();
    let labels = |count: usize| Value::Object((0..count).map(|n| (format!("l{n}"), json!("v"))).collect());
    let path = |path: &str| json!([{"path": path, "content": ""}]);
    let one = |name: &str, value: &str| Value::Object(Map::from_iter([(name.to_owned(), json!(value))]));
    let mut tries: Vec<(&str, Value)> = vec![
        ("files", words(0)),
        ("files", distinct(256)),
        ("files", distinct(257)),
        ("files", json!([{"path": "", "content": ""}])),
        ("files", json!([{"path": "p"}])),
        ("files", json!([{"path": "p", "content": "", "mode": 1}])),
        ("files", path("a")),
        ("files", path(".a/..b/...")),
        ("files", path("a./b..")),
        ("files", path("a/")),
        ("files", path("/a")),
        ("files", path("a//b")),
        ("files", path("./a")),
        ("files", path("a/.")),
        ("files", path("..")),
        ("files", path("a/../b")),
        ("files", path("a\u{0}")),
        ("files", path("a\nb\n")),
        ("entry", json!("")),
        ("entry", json!("x".repeat(1024))),
        ("entry", json!("x".repeat(1025))),
        ("outputs", json!([])),
        ("outputs", json!(["*.png"])),
        ("outputs", json!(vec!["*"; 16])),
        ("outputs", json!(vec!["*"; 17])),
        ("outputs", json!(["x".repeat(1024)])),
        ("outputs", json!(["x".repeat(1025)])),
        ("outputs", json!([""])),
        ("outputs", json!(["/a"])),
        ("outputs", json!(["!a"])),
        ("outputs", json!(["a\u{0}b"])),
        ("outputs", json!([1])),
        ("args", json!(["a\u{0}b"])),
        ("args", json!(["ab"])),
        ("compile_flags", json!(["a\u{0}b"])),
        ("env", one("A", "a\u{0}b")),
        ("env", one("A1_", "a b")),
        ("env", one("1A", "")),
        ("env", one("", "")),
        ("env", one("A-B", "")),
        ("labels", labels(16)),
        ("labels", labels(17)),
        ("labels", one("", "")),
        ("labels", one(&"n".repeat(64), &"v".repeat(256))),
        ("labels", one(&"n".repeat(65), "")),
        ("labels", one("n", &"v".repeat(257))),
        ("labels", one("n n", "")),
        ("labels", one("n", "a\nb")),
        ("labels", one("n", "\u{7f}")),
        ("labels", one("n", "\u{9f}")),
        ("labels", one("n", "\u{a0}\u{2028}")),
        ("labels", json!({"n": 1})),
        ("priority", json!("batch")),
        ("priority", json!("urgent")),
        ("on_output_limit", json!("kill")),
        ("on_output_limit", json!("Kill")),
        ("output_encoding", json!("base64")),
        ("output_encoding", json!("text")),
        ("unknown", json!(1)),
        ("language", json!(1)),
    ];
    for field in schemas(&openapi())["LimitsRequest"]["properties"].as_object().unwrap().keys() {
        for value in [json!(0), json!(1), json!(-1), json!(0.1), json!(0.09), json!(2.5), json!("1"), json!(true)] {
            tries.push(("limits", json!({ field: value })));
        }
    }
    tries.push(("compile_limits", json!({"cpu_time": 1})));
    tries.extend(contents().into_iter().map(|value| ("stdin", value)));
    for (field, value) in tries {
        let mut request = request_with(field, value);
        if field == "files" {
            request.as_object_mut().unwrap().remove("source");
        }
        let said = conformance::check_request("POST", "/v1/executions", &serde_json::to_vec(&request).unwrap());
        assert_eq!(said.is_ok(), is_read(&request), "{field} {request}: {said:?}");
    }
}
