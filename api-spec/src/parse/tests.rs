use proptest::prelude::*;
use serde_json::{Value, json};

use crate::blob::{Input, Sha256};
use crate::check::Caps;
use crate::content::Content;
use crate::request::ExecutionRequest;

fn read(body: &[u8]) -> Result<ExecutionRequest, String> {
    ExecutionRequest::from_json(body, &Caps::default()).map_err(|problem| {
        let field = problem.field.unwrap_or_default();
        let said_twice = field.is_empty() || problem.detail.starts_with(&format!("{field}: "));
        let place = if said_twice { String::new() } else { field + " " };
        format!("{} {place}{}", problem.code, problem.detail)
    })
}

#[test]
fn what_is_no_json() {
    let told: &[(&[u8], &str)] = &[
        (b"", "malformed_json the body ends too early: EOF while parsing a value at line 1 column 0"),
        (b"{", "malformed_json the body ends too early: EOF while parsing an object at line 1 column 1"),
        (b"hello", "malformed_json the body is not JSON: expected value at line 1 column 1"),
        (b"\"\xff\"", "malformed_json the body is not JSON: invalid unicode code point at line 1 column 2"),
        (b"{\"language\":\"c\",}", "malformed_json the body is not JSON: trailing comma at line 1 column 17"),
        (b"{\"language\":\"c\"}x", "malformed_json the body is not JSON: trailing characters at line 1 column 17"),
        (b"\xef\xbb\xbf{}", "malformed_json the body is not JSON: expected value at line 1 column 1"),
    ];
    for (body, expected) in told {
        assert_eq!(read(body).unwrap_err(), *expected);
    }
}

/// What stands in the body, and what the caller is told: code, place, sentence.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
    (r#""stdin":5"#, r#"invalid_request /stdin: invalid type: integer `5`, expected a string, {"text": "…"}, {"base64": "…"} or {"blob": "sha256:…"}"#),
    (r#""stdin":{}"#, r#"invalid_request /stdin: expected exactly one of "text", "base64" and "blob" in {}"#),
    (r#""stdin":{"text":5}"#, r#"invalid_request /stdin/text: invalid type: integer `5`, expected a string"#),
    (r#""stdin":{"text":"","base64":""}"#, r#"invalid_request /stdin: exactly one of "text", "base64" and "blob" may be given"#),
    (r#""stdin":{"txt":""}"#, r#"invalid_request /stdin/txt: unknown field `txt`, expected one of `text`, `base64`, `blob`"#),
    (r#""stdin":{"base64":"a$=="}"#, r#"invalid_base64 /stdin/base64: byte 1 is '$', which is no base64"#),
    (r#""stdin":{"base64":"aGk"}"#, r#"invalid_base64 /stdin/base64: the padding with = is missing or wrong"#),
    (r#""stdin":{"base64":"aGkaa"}"#, r#"invalid_base64 /stdin/base64: 5 characters are no multiple of 4"#),
    (r#""stdin":{"base64":"aGl="}"#, r#"invalid_base64 /stdin/base64: byte 2, the last before the padding, is 'l': bits that mean nothing are set"#),
    (r#""stdin":{"blob":"sha256:00"}"#, r#"invalid_request /stdin/blob: "00" is not the 64 hexadecimal digits, in small letters, of a SHA-256"#),
    (r#""stdin":{"blob":"00"}"#, r#"invalid_request /stdin/blob: "00" is no blob's name: that is sha256: and 64 hexadecimal digits"#),
    (r#""stdin":{"blob":5}"#, r#"invalid_request /stdin/blob: invalid type: integer `5`, expected a string"#),
    (r#""files":[{"path":"a","content":{}}]"#, r#"invalid_request /files/0/content: expected exactly one of "text" and "base64" in {}"#),
    (r#""files":[{"path":"a","content":{"txt":""}}]"#, r#"invalid_request /files/0/content/txt: unknown field `txt`, expected `text` or `base64`"#),
    (r#""files":[{"path":"a","content":{"blob":"sha256:00"}}]"#, r#"invalid_request /files/0/content: a {blob} can't stand here, only where a program reads or a test expects: send {text} or {base64}"#),
    (r#""limits":{"cpu_time_ms":0}"#, r#"limit_too_low /limits/cpu_time_ms: 0 is asked for, the least is 1"#),
    (r#""limits":{"cpu_time_ms":-5}"#, r#"limit_too_low /limits/cpu_time_ms: -5 is asked for, the least is 1"#),
    (r#""limits":{"cpu_time_ms":1.5}"#, r#"invalid_request /limits/cpu_time_ms: invalid type: number `1.5`, expected a whole number from 1 up, without point or exponent"#),
    (r#""limits":{"cpu_time_ms":"1"}"#, r#"invalid_request /limits/cpu_time_ms: invalid type: string "1", expected a whole number from 1 up, without point or exponent"#),
    (r#""limits":{"cpu_time_ms":99999999999999999999}"#, r#"limit_above_ceiling /limits/cpu_time_ms: 100000000000000000000 is asked for, more than any ceiling can be; /v1/languages has the ceilings"#),
    (r#""limits":{"cpu_time_ms":1e999}"#, r#"invalid_request /limits/cpu_time_ms: number out of range"#),
    (r#""limits":{"cpu_time_ms":-1e20}"#, r#"limit_too_low /limits/cpu_time_ms: -100000000000000000000 is asked for, the least is 1"#),
    (r#""limits":{"cpus":99999999999}"#, r#"limit_above_ceiling /limits/cpus: 99999999999 is asked for, more than any ceiling can be; /v1/languages has the ceilings"#),
    (r#""limits":{"cpus":0.05}"#, r#"limit_too_low /limits/cpus: 0.05 is asked for, the least is 0.1"#),
    (r#""limits":{"cpus":-1}"#, r#"limit_too_low /limits/cpus: -1 is asked for, the least is 0.1"#),
    (r#""limits":{"cpus":"all"}"#, r#"invalid_request /limits/cpus: invalid type: string "all", expected a number from 0.1 up"#),
    (r#""compile_limits":{"cpu_ms":1}"#, r#"invalid_request /compile_limits/cpu_ms: unknown field `cpu_ms`, expected one of `cpu_time_ms`, `wall_time_ms`, `memory_bytes`, `processes`, `cpus`, `output_bytes`, `file_bytes`, `disk_bytes`, `open_files`, `stack_bytes`"#),
    (r#""limits":[1]"#, r#"invalid_request /limits: invalid type: array, expected an object"#),
    (r#""files":[["a","b"]]"#, r#"invalid_request /files/0: invalid type: array, expected an object"#),
    (r#""args":["a",1]"#, r#"invalid_request /args/1: invalid type: integer `1`, expected a string"#),
    (r#""args":"a""#, r#"invalid_request /args: invalid type: string "a", expected an array"#),
    (r#""env":{"A/B~C":1}"#, r#"invalid_request /env/A~1B~0C: invalid type: integer `1`, expected a string"#),
    (r#""env":{"A":"1","A":"2"}"#, r#"invalid_request /env/A: duplicate field `A`"#),
    (r#""labels":[]"#, r#"invalid_request /labels: invalid type: array, expected an object of strings"#),
    (r#""priority":"urgent""#, r#"invalid_request /priority: unknown value `urgent`, expected `interactive` or `batch`"#),
    (r#""priority":false"#, r#"invalid_request /priority: invalid type: boolean `false`, expected a string"#),
    (r#""priority":{"batch":null}"#, r#"invalid_request /priority: invalid type: object, expected a string"#),
    (r#""nonsense":1"#, r#"invalid_request /nonsense: unknown field `nonsense`, expected one of `language`, `version`, `source`, `files`, `entry`, `stdin`, `args`, `env`, `compile_flags`, `limits`, `compile_limits`, `outputs`, `on_output_limit`, `output_encoding`, `priority`, `labels`"#),
    (r#""language":"c""#, r#"invalid_request /language: duplicate field `language`"#),
];

#[test]
fn mistakes_point_at_their_field() {
    for (more, expected) in MISTAKES {
        let body = format!(r#"{{"language":"c","source":"",{more}}}"#);
        assert_eq!(read(body.as_bytes()).unwrap_err(), *expected, "{more}");
    }
}

#[test]
fn a_body_without_its_fields() {
    let told = [
        ("{}", "invalid_request /language: missing field `language`"),
        ("[]", "invalid_request the body: invalid type: array, expected an object"),
        ("null", "invalid_request the body: invalid type: null, expected an object"),
        (r#"{"language":"c","files":[{"path":"a"}]}"#, "invalid_request /files/0/content: missing field `content`"),
        (r#"{"language":null}"#, "invalid_request /language: invalid type: null, expected a string"),
        (r#"{"language":"c"}"#, "invalid_request /source there is no program: neither source nor files is given"),
    ];
    for (body, expected) in told {
        assert_eq!(read(body.as_bytes()).unwrap_err(), expected);
    }
}

#[test]
fn content_forms() {
    let source =
        |form: &str| read(format!(r#"{{"language":"c","source":{form}}}"#).as_bytes()).unwrap().source.unwrap();
    assert_eq!(source(r#""a\u00e9\n""#).as_bytes(), "aé\n".as_bytes());
    assert_eq!(source(r#"{"text":"a\u00e9\n"}"#).as_bytes(), "aé\n".as_bytes());
    assert_eq!(source(r#"{"base64":"/w0K"}"#).as_bytes(), b"\xff\r\n");
    assert_eq!(source(r#"{"base64":""}"#), Content::default());
}

#[test]
fn input_forms() {
    let stdin =
        |form: &str| read(format!(r#"{{"language":"c","source":"","stdin":{form}}}"#).as_bytes()).unwrap().stdin;
    assert_eq!(stdin(r#""a\u00e9\n""#), Input::from("aé\n"));
    assert_eq!(stdin(r#"{"text":"a\u00e9\n"}"#), Input::from("aé\n"));
    assert_eq!(stdin(r#"{"base64":"/w0K"}"#), Input::Content(b"\xff\r\n".to_vec().into()));
    assert_eq!(stdin(r#"{"base64":""}"#), Input::default());
    assert_eq!(stdin("null"), Input::default());
    let hash = Sha256([0xab; 32]);
    let form = format!(r#"{{"blob":"sha256:{}"}}"#, "ab".repeat(32));
    assert_eq!(stdin(&form), Input::Blob(hash));
    assert_eq!(serde_json::to_string(&Input::Blob(hash)).unwrap(), form);
    assert_eq!((hash.hex(), hash.to_string()), ("ab".repeat(32), format!("sha256:{}", "ab".repeat(32))));
    assert!(!Input::Blob(hash).is_empty());
    for wrong in ["", "ab", &"AB".repeat(32), &"ag".repeat(32), &"ab".repeat(33)] {
        assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
    }
}

#[test]
fn a_request_goes_there_and_back() {
    let all = json!({
        "language": "c", "version": "12", "files": [{"path": "a.c", "content": {"base64": "/w=="}}], "entry": "a.c",
        "stdin": "in", "args": ["1"], "env": {"A": "b"}, "compile_flags": ["-O1"], "limits": {"cpus": 0.5},
        "compile_limits": {"open_files": 9}, "on_output_limit": "kill", "output_encoding": "base64",
        "priority": "batch", "labels": {"a": "b"},
    });
    let request = read(all.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), all);
    assert!(!format!("{request:?}").contains("\"in\""), "sources and input don't belong into a log");
}

#[test]
fn deep_nesting_ends_in_a_problem() {
    for open in ["[", "{\"a\":"] {
        let body = format!(r#"{{"language":"c","stdin":{}"#, open.repeat(1_000_000));
        read(body.as_bytes()).unwrap_err();
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("language"),
            Just("source"),
            Just("files"),
            Just("path"),
            Just("content"),
            Just("limits"),
            Just("cpus"),
            Just("env"),
            Just("base64"),
            Just("text"),
            Just("labels"),
            Just("stdin"),
            Just("outputs"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever JSON comes: a request that fits the document, or a problem whose pointer is one.
    #[test]
    fn any_json_is_answered(value in any_json()) {
        check_answered(&value)?;
    }

    /// The same for a request that is right but for one field.
    #[test]
    fn any_field_is_answered(
        field in prop::sample::select(vec![
            "language", "version", "files", "entry", "stdin", "args", "env", "compile_flags", "limits",
            "compile_limits", "outputs", "on_output_limit", "output_encoding", "priority", "labels", "other",
        ]),
        value in any_json(),
    ) {
        let mut request = json!({"language": "c", "source": ""});
        request[field] = value;
        check_answered(&request)?;
    }

    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(problem) = ExecutionRequest::from_json(&body, &Caps::default()) {
            prop_assert!(!problem.detail.is_empty());
        }
    }

    /// Bytes survive the way through a request, as text or as base64.
    #[test]
    fn bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let content = Content::from(bytes.clone());
        let back: Content = serde_json::from_str(&serde_json::to_string(&content).unwrap()).unwrap();
        prop_assert_eq!(back.into_bytes(), bytes);
    }
}

fn check_answered(value: &Value) -> Result<(), TestCaseError> {
    match ExecutionRequest::from_json(value.to_string().as_bytes(), &Caps::default()) {
        Ok(_) => {
            let said = crate::conformance::check_request("POST", "/v1/executions", value.to_string().as_bytes());
            prop_assert!(said.is_ok(), "{value} is read, and not documented: {said:?}");
        }
        Err(problem) => {
            let field = problem.field.expect("what is JSON has a place where it is wrong");
            prop_assert!(field.is_empty() || field.starts_with('/'), "{field}");
            prop_assert!((400..500).contains(&problem.code.status()));
        }
    }
    Ok(())
}

#[test]
fn millions_of_values_are_not_parsed() {
    use super::{VALUES_MAX, values};
    assert_eq!([values(b"{}"), values(br#"{"a":["",",\\","b"],"c":1}"#), values(br#"["a,"#)], [1, 4, 1]);
    let args = |count| format!(r#"{{"language":"c","source":"{}","args":[{}]}}"#, ",".repeat(9), "\"\",".repeat(count));
    let told = read(args(VALUES_MAX).as_bytes()).unwrap_err();
    assert!(told.starts_with("invalid_request") && told.contains("2000000 values"), "{told}");
    // Commas of a source are none.
    let source = format!(r#"{{"language":"c","source":"{}"}}"#, ",".repeat(VALUES_MAX + 9));
    assert!(read(source.as_bytes()).unwrap_err().starts_with("source_too_large"));
}
