use std::time::Instant;

use serde_json::{Value, json};

use super::{BatchRequest, RejudgeRequest};
use crate::check::Caps;
use crate::problem::Problem;

/// A small batch with everything in it that may be in one.
fn whole() -> Value {
    json!({
        "submissions": [
            {"id": "s1", "language": "c", "version": "12", "source": "int main(){}", "compile_flags": ["-O1"]},
            {"id": "s2", "language": "python", "files": [{"path": "a.py", "content": ""}], "entry": "a.py"},
        ],
        "tests": [
            {"id": "1", "group": "g", "points": 10.0, "stdin": {"blob": format!("sha256:{}", "0a".repeat(32))},
             "expected": "42\n", "args": ["-v"], "env": {"A": "b"}, "limits": {"cpu_time_ms": 5}},
            {"id": "2", "points": 0.0, "stdin": "", "expected": ""},
        ],
        "groups": [{"id": "g", "rule": "min"}],
        "checker": {"kind": "float", "absolute": 1e-9, "relative": 0.0},
        "limits": {"cpus": 0.5}, "compile_limits": {"open_files": 9}, "limits_by_language": {"java": {"processes": 9}},
        "stop": "group", "repeat": 3, "feedback": "verdict_only", "labels": {"exercise": "doubling"},
    })
}

fn checker() -> Value {
    json!({"kind": "program", "program": {"language": "cpp", "source": "", "protocol": "testlib", "args": ["x"]}})
}

fn read(body: &Value) -> Result<BatchRequest, Problem> {
    BatchRequest::from_json(body.to_string().as_bytes(), &Caps::default())
}

/// The batch with another value at a place, or without it.
fn with(place: &str, value: Option<Value>) -> Value {
    let mut body = whole();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(name.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (Value::Array(items), Some(value)) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other:?}"),
    }
    body
}

fn told(problem: &Problem) -> String {
    let field = problem.field.as_deref().unwrap_or("-");
    let detail = problem.detail.strip_prefix(&format!("{field}: ")).unwrap_or(&problem.detail);
    format!("{} {field} {detail}", problem.code)
}

#[test]
fn a_batch_goes_there_and_back() {
    let batch = read(&whole()).unwrap();
    assert_eq!(serde_json::to_value(&batch).unwrap(), whole());
    assert_eq!(batch.results(), 12);
    let batch = read(&with("/checker", Some(checker()))).unwrap();
    assert_eq!(serde_json::to_value(&batch.checker).unwrap(), checker());
    let least = json!({
        "submissions": [{"id": "s", "language": "c", "source": ""}], "tests": [{"id": "t", "stdin": ""}],
    });
    let batch = read(&least).unwrap();
    assert_eq!((batch.repeat, batch.tests[0].points), (1, 0.0));
    assert!(!format!("{batch:?}").contains("int main"), "sources don't belong into a log");
    for list in ["groups", "checker", "limits", "compile_limits", "limits_by_language", "stop", "repeat", "feedback"] {
        let mut body = least.clone();
        body[list] = Value::Null;
        assert_eq!(read(&body).unwrap(), batch, "{list}");
    }
}

/// Where the mistake is made, what stands there (nothing: it is left out), and what the caller is told.
#[rustfmt::skip]
fn mistakes() -> Vec<(&'static str, Option<Value>, &'static str)> {
    let long = || Some(json!("x".repeat(129)));
    vec![
        ("/submissions", None, "invalid_request /submissions missing field `submissions`"),
        ("/submissions", Some(json!(null)), "invalid_request /submissions invalid type: null, expected an array of submissions"),
        ("/submissions", Some(json!([])), "invalid_request /submissions submissions is empty: there is nothing to judge"),
        ("/submissions", Some(json!({})), "invalid_request /submissions invalid type: object, expected an array of submissions"),
        ("/submissions/0", Some(json!(["s1", "c"])), "invalid_request /submissions/0 invalid type: array, expected an object"),
        ("/submissions/0/id", None, "invalid_request /submissions/0/id missing field `id`"),
        ("/submissions/0/id", Some(json!(7)), "invalid_request /submissions/0/id invalid type: integer `7`, expected a string"),
        ("/submissions/0/id", Some(json!("")), "invalid_request /submissions/0/id \"\" can't be the id of a submission: it is empty"),
        ("/submissions/0/id", Some(json!("  ")), "invalid_request /submissions/0/id \"  \" can't be the id of a submission: there is nothing to be seen of it"),
        ("/submissions/0/id", Some(json!("a\nb")), "invalid_request /submissions/0/id \"a\\nb\" can't be the id of a submission: it has a control character"),
        ("/submissions/0/id", Some(json!("s2")), "invalid_request /submissions/1/id \"s2\" is also the id of submission 0"),
        ("/submissions/1/language", None, "invalid_request /submissions/1/language missing field `language`"),
        ("/submissions/0/source", None, "invalid_request /submissions/0/source there is no program: neither source nor files is given"),
        ("/submissions/0/source", Some(json!({"blob": "sha256:00"})), "invalid_request /submissions/0/source a {blob} can't stand here, only where a program reads or a test expects: send {text} or {base64}"),
        ("/submissions/0/source", Some(json!("x".repeat((1 << 20) + 1))), "source_too_large /submissions/0/source /submissions/0/source is 1048577 bytes long, a source file may have 1048576"),
        ("/submissions/1/files/0/path", Some(json!("../a")), "invalid_path /submissions/1/files/0/path \"../a\" has a .. in it"),
        ("/submissions/1/files", Some(json!([])), "invalid_request /submissions/1/files files is empty: there is nothing to run"),
        ("/submissions/1/entry", Some(json!("")), "invalid_request /submissions/1/entry \"\" can't be an entry: it must have 1 to 1024 bytes and no NUL"),
        ("/submissions/0/compile_flags", Some(json!(["a\0"])), "invalid_request /submissions/0/compile_flags/0 /submissions/0/compile_flags/0 has a NUL in it"),
        ("/submissions/0/stdin", Some(json!("")), "invalid_request /submissions/0/stdin unknown field `stdin`, expected one of `id`, `language`, `version`, `source`, `files`, `entry`, `compile_flags`"),
        ("/tests", None, "invalid_request /tests missing field `tests`"),
        ("/tests", Some(json!([])), "invalid_request /tests tests is empty: there is nothing to judge by"),
        ("/tests/1/id", Some(json!("1")), "invalid_request /tests/1/id \"1\" is also the id of test 0"),
        ("/tests/1/stdin", None, "invalid_request /tests/1/stdin missing field `stdin`"),
        ("/tests/1/stdin", Some(json!(null)), "invalid_request /tests/1/stdin invalid type: null, expected a string, {\"text\": \"…\"}, {\"base64\": \"…\"} or {\"blob\": \"sha256:…\"}"),
        ("/tests/0/stdin", Some(json!({"blob": "sha256:0"})), "invalid_request /tests/0/stdin/blob \"0\" is not the 64 hexadecimal digits, in small letters, of a SHA-256"),
        ("/tests/1/expected", None, "invalid_request /tests/1/expected test \"2\" has no expected output, and the checker float compares with it"),
        ("/tests/1/expected", Some(json!({"base64": "?"})), "invalid_base64 /tests/1/expected/base64 byte 0 is '?', which is no base64"),
        ("/tests/0/group", Some(json!("h")), "invalid_request /tests/0/group there is no group \"h\""),
        ("/tests/0/group", None, "invalid_request /groups/0 no test belongs to the group \"g\""),
        ("/tests/0/points", Some(json!(-0.5)), "invalid_request /tests/0/points invalid value: number `-0.5`, expected a number from 0 to 1000000000"),
        ("/tests/0/points", Some(json!(-1)), "invalid_request /tests/0/points invalid value: integer `-1`, expected a number from 0 to 1000000000"),
        ("/tests/0/points", Some(json!(1_000_000_001)), "invalid_request /tests/0/points invalid value: integer `1000000001`, expected a number from 0 to 1000000000"),
        ("/tests/0/points", Some(json!("NaN")), "invalid_request /tests/0/points invalid type: string \"NaN\", expected a number from 0 to 1000000000"),
        ("/tests/0/args", Some(json!(["a\0"])), "invalid_request /tests/0/args/0 /tests/0/args/0 has a NUL in it"),
        ("/tests/0/args", Some(json!(["a".repeat(128 << 10)])), "invalid_request /tests/0/args args and env have 131077 bytes together, at most 131072 are allowed"),
        ("/tests/0/env", Some(json!({"1": ""})), "invalid_request /tests/0/env/1 \"1\" can't name an environment variable: [A-Za-z_][A-Za-z0-9_]* can"),
        ("/tests/0/limits", Some(json!({"cpu_time_ms": 0})), "limit_too_low /tests/0/limits/cpu_time_ms 0 is asked for, the least is 1"),
        ("/groups/0/id", Some(json!("")), "invalid_request /groups/0/id \"\" can't be the id of a group: it is empty"),
        ("/groups/0/id", long(), "invalid_request /groups/0/id \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" can't be the id of a group: it has 129 bytes, at most 128 are allowed"),
        ("/groups/0/rule", Some(json!("most")), "invalid_request /groups/0/rule unknown value `most`, expected one of `all`, `sum`, `min`"),
        ("/groups", Some(json!([{"id": "g"}, {"id": "g"}])), "invalid_request /groups/1/id \"g\" is also the id of group 0"),
        ("/groups", Some(json!([{"id": "g"}, {"id": "h"}])), "invalid_request /groups/1 no test belongs to the group \"h\""),
        ("/checker/kind", None, "invalid_request /checker/kind missing field `kind`"),
        ("/checker/kind", Some(json!({"float": null})), "invalid_request /checker/kind invalid type: object, expected a string"),
        ("/checker/kind", Some(json!("tokens")), "invalid_request /checker/absolute absolute is given, and the kind is tokens: only float allows an error"),
        ("/checker/absolute", Some(json!(-1e-9)), "invalid_request /checker/absolute invalid value: number `-1e-9`, expected a number from 0 up"),
        ("/checker/relative", Some(json!("inf")), "invalid_request /checker/relative invalid type: string \"inf\", expected a number from 0 up"),
        ("/checker", Some(json!({"kind": "float"})), "invalid_request /checker/absolute neither absolute nor relative is given: no error would be allowed"),
        ("/checker", Some(json!({"kind": "program"})), "invalid_request /checker/program the kind is program, and there is none"),
        ("/checker", Some(json!({"kind": "lines", "program": checker()["program"]})), "invalid_request /checker/program program is given, and the kind is lines"),
        ("/checker/program", Some(json!({"language": "cpp", "source": ""})), "invalid_request /checker/program/protocol missing field `protocol`"),
        ("/checker", Some(json!({"kind": "program", "program": {"language": "cpp", "protocol": "kattis"}})), "invalid_request /checker/program/source there is no program: neither source nor files is given"),
        ("/checker", Some(json!({"kind": "program", "program": {"language": "cpp", "protocol": "kattis", "source": "", "args": ["\0"]}})), "invalid_request /checker/program/args/0 /checker/program/args/0 has a NUL in it"),
        ("/limits", Some(json!({"cpus": 0})), "limit_too_low /limits/cpus 0 is asked for, the least is 0.1"),
        ("/limits_by_language", Some(json!({"": {}})), "invalid_request /limits_by_language/ \"\" can't be the id of a language: it is empty"),
        ("/limits_by_language", Some(json!({"java": 1})), "invalid_request /limits_by_language/java invalid type: integer `1`, expected an object"),
        ("/limits_by_language", Some(json!({"java": {"cpu": 1}})), "invalid_request /limits_by_language/java/cpu unknown field `cpu`, expected one of `cpu_time_ms`, `wall_time_ms`, `memory_bytes`, `processes`, `cpus`, `output_bytes`, `file_bytes`, `disk_bytes`, `open_files`, `stack_bytes`"),
        ("/stop", Some(json!("always")), "invalid_request /stop unknown value `always`, expected one of `never`, `first_failure`, `group`"),
        ("/repeat", Some(json!(0)), "invalid_request /repeat invalid value: integer `0`, expected a whole number from 1 to 100, without point or exponent"),
        ("/repeat", Some(json!(101)), "invalid_request /repeat invalid value: integer `101`, expected a whole number from 1 to 100, without point or exponent"),
        ("/repeat", Some(json!(u64::MAX)), "invalid_request /repeat invalid value: integer `18446744073709551615`, expected a whole number from 1 to 100, without point or exponent"),
        ("/repeat", Some(json!(-3)), "invalid_request /repeat invalid value: integer `-3`, expected a whole number from 1 to 100, without point or exponent"),
        ("/repeat", Some(json!(1.5)), "invalid_request /repeat invalid type: number `1.5`, expected a whole number from 1 to 100, without point or exponent"),
        ("/feedback", Some(json!("none")), "invalid_request /feedback unknown value `none`, expected `full` or `verdict_only`"),
        ("/labels", Some(json!({"a b": ""})), "invalid_request /labels/a b \"a b\" can't name a label: 1 to 64 of A-Z a-z 0-9 . _ - / can"),
        ("/interactor", Some(json!({"language": "c"})), "invalid_request /interactor there are no interactors yet: they come with a later version"),
        ("/callback", Some(json!({"url": "x"})), "invalid_request /callback there are no callbacks yet: they come with a later version"),
        ("/nonsense", Some(json!(1)), "invalid_request /nonsense unknown field `nonsense`, expected one of `submissions`, `tests`, `groups`, `checker`, `limits`, `compile_limits`, `limits_by_language`, `stop`, `repeat`, `feedback`, `labels`"),
    ]
}

#[test]
fn mistakes_point_at_their_field() {
    for (place, value, expected) in mistakes() {
        let problem = read(&with(place, value.clone())).unwrap_err();
        assert_eq!(told(&problem), expected, "{place} {value:?}");
        assert!(problem.remedy.ends_with('.'), "{}", problem.remedy);
    }
    let body = whole().to_string().replace("10.0", "1e999");
    let problem = BatchRequest::from_json(body.as_bytes(), &Caps::default()).unwrap_err();
    assert_eq!(told(&problem), "invalid_request /tests/0/points number out of range");
    assert_eq!(
        told(&read(&json!([])).unwrap_err()),
        "invalid_request  the body: invalid type: array, expected an object"
    );
}

#[test]
fn bounds_may_be_reached() {
    let fine = [
        ("/repeat", json!(1)),
        ("/repeat", json!(100)),
        ("/tests/0/points", json!(1_000_000_000)),
        ("/tests/0/points", json!(-0.0)),
        ("/submissions/0/id", json!("é".repeat(64))),
        ("/submissions/0/id", json!("Ada Lovelace/1.c")),
        ("/checker/absolute", json!(u64::MAX)),
        ("/checker", json!({"kind": "float", "relative": 0})),
        ("/checker", json!({"kind": "unordered_lines", "absolute": null, "program": null})),
        ("/limits_by_language", json!({})),
    ];
    for (place, value) in fine {
        read(&with(place, Some(value))).unwrap();
    }
    let batch = read(&with("/tests/0/points", Some(json!(-0.0)))).unwrap();
    assert!(batch.tests[0].points.is_sign_positive());
    let mut body = whole();
    body.as_object_mut().unwrap().remove("checker");
    body["tests"][1].as_object_mut().unwrap().remove("expected");
    read(&body).unwrap();
    body["checker"] = checker();
    read(&body).unwrap();
}

/// 20,000 submissions and 10,000 tests, and more tests than there may be, within a time in which no list is searched for each
/// item of another one: that would be 100 times as long.
#[test]
fn large_batches_are_read_at_once() {
    let submissions: Vec<Value> =
        (0..20_000).map(|n| json!({"id": format!("s{n}"), "language": "c", "source": ""})).collect();
    let tests: Vec<Value> =
        (0..10_000).map(|n| json!({"id": format!("{n}"), "group": format!("g{n}"), "stdin": ""})).collect();
    let groups: Vec<Value> = (0..10_000).map(|n| json!({"id": format!("g{n}")})).collect();
    let large = |count: usize| {
        json!({"submissions": submissions[..2 * count], "tests": tests[..count], "groups": groups[..count]}).to_string()
    };
    let time = |body: &str| {
        let begun = Instant::now();
        let batch = BatchRequest::from_json(body.as_bytes(), &Caps::default()).unwrap();
        (begun.elapsed(), batch.results())
    };
    let (small, all) = (large(1_000), large(10_000));
    assert_eq!(time(&all).1, 200_000_000);
    // A busy machine may hold up the large ones alone, but not each time.
    let least = |body: &str| (0..3).map(|_| time(body).0).min().unwrap();
    let mut times = (0..5).map(|_| (least(&small), least(&all)));
    assert!(times.any(|(small, all)| all < small * 60), "ten times as much took sixty times as long each time");

    let many = vec![r#"{"id":"","stdin":""}"#; 200_000].join(",");
    let body = format!(r#"{{"submissions":[],"tests":[{many}]}}"#);
    let problem = BatchRequest::from_json(body.as_bytes(), &Caps::default()).unwrap_err();
    assert_eq!(
        told(&problem),
        "limit_above_ceiling /tests there are 100000 tests and 100000 more, no batch may have more than 100000"
    );
}

#[test]
fn some_are_judged_again() {
    let read = |body: &str| RejudgeRequest::from_json(body.as_bytes()).map_err(|problem| told(&problem));
    assert_eq!(read(""), Ok(RejudgeRequest::default()));
    assert_eq!(read("{}"), Ok(RejudgeRequest::default()));
    assert_eq!(read(r#"{"submissions":null}"#), Ok(RejudgeRequest::default()));
    let some = RejudgeRequest { submissions: Some(vec!["s1".to_owned(), "s2".to_owned()]) };
    assert_eq!(read(r#"{"submissions":["s1","s2"]}"#), Ok(some));
    let wrong = [
        (r#"{"submissions":[]}"#, "invalid_request /submissions submissions is empty: there is nothing to judge again"),
        (r#"{"submissions":["a","a"]}"#, "invalid_request /submissions/1 \"a\" is also the id of submission 0"),
        (r#"{"submissions":[""]}"#, "invalid_request /submissions/0 \"\" can't be the id of a submission: it is empty"),
        (r#"{"tests":[]}"#, "invalid_request /tests unknown field `tests`, expected `submissions`"),
    ];
    for (body, expected) in wrong {
        assert_eq!(read(body).unwrap_err(), expected);
    }
}
