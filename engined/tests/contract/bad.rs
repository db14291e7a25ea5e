//! A bad value, or several, for every field but the limits.

use serde_json::{Value, json};

use crate::{Bad, document};

const INVALID: &str = "invalid_request";
const PATH: &str = "invalid_path";
/// Of the remedy of a value that has the wrong form.
const FORM: &str = "Correct the named field; /openapi.json has every field";

fn bad(field: &'static str, body: Value, code: &'static str, pointer: &str, says: &[&str], remedy: &str) -> Bad {
    let says = says.iter().map(|word| (*word).to_owned()).collect();
    Bad { field, body, code, pointer: pointer.to_owned(), says, remedy: remedy.to_owned() }
}

fn python(field: &str, value: Value) -> Value {
    json!({"language": "python", "source": "say never", field: value})
}

fn c(field: &str, value: Value) -> Value {
    json!({"language": "c", "source": "say never", field: value})
}

fn files(files: Value) -> Value {
    json!({"language": "python", "files": files})
}

fn path(path: &str) -> Value {
    files(json!([{"path": "main.py", "content": ""}, {"path": path, "content": ""}]))
}

/// All of them.
pub fn rows() -> Vec<Bad> {
    let parts = [languages(), programs(), paths(), contents(), words(), words_of_few(), outputs(), labels()];
    parts.into_iter().flatten().collect()
}

fn languages() -> Vec<Bad> {
    let (f, v) = ("/language", "/version");
    let list = "/v1/languages lists";
    vec![
        bad(f, json!({"source": "x"}), INVALID, f, &["/language", "missing field"], FORM),
        bad(f, json!({"language": null, "source": "x"}), INVALID, f, &["null", "expected a string"], FORM),
        bad(f, json!({"language": "cobol", "source": "x"}), "unknown_language", f, &["\"cobol\"", "python"], list),
        bad(f, json!({"language": "", "source": "x"}), "unknown_language", f, &["\"\"", "python"], list),
        bad(f, json!({"language": "Python", "source": "x"}), "unknown_language", f, &["\"Python\"", "python"], list),
        bad(f, json!({"language": "x".repeat(5000), "source": "x"}), "unknown_language", f, &["xxxx", "python"], list),
        bad(v, python("version", json!("2")), "unknown_version", v, &["\"2\"", "3.11.2"], "leading numbers"),
        bad(v, python("version", json!("3.1")), "unknown_version", v, &["\"3.1\"", "3.11.2"], "leading numbers"),
        bad(v, python("version", json!("")), "unknown_version", v, &["\"\"", "3.11.2"], "leading numbers"),
        bad(v, python("version", json!(3.11)), INVALID, v, &["3.11", "expected a string"], FORM),
    ]
}

fn programs() -> Vec<Bad> {
    let (s, f, e) = ("/source", "/files", "/entry");
    let main = || json!([{"path": "main.py", "content": ""}, {"path": "b.py", "content": ""}]);
    let with_entry = |entry: Value| json!({"language": "python", "files": main(), "entry": entry});
    let many: Vec<Value> = (0..257).map(|n| json!({"path": format!("{n}"), "content": ""})).collect();
    let long = "x".repeat((1 << 20) + 1);
    let large = [(1_u64 << 20) + 1, 1 << 20].map(|size| size.to_string());
    let large = [large[0].as_str(), large[1].as_str()];
    let both = json!({"language": "python", "source": "", "files": main()});
    vec![
        bad(s, json!({"language": "python"}), INVALID, s, &["neither source nor files"], "Send source for one file"),
        bad(s, python("source", json!(null)), INVALID, s, &["neither source nor files"], "Send source for one file"),
        bad(f, both, INVALID, f, &["source and files are both given"], "Leave one of them out"),
        bad(s, python("source", json!(long)), "source_too_large", s, &large, "Shorten the file"),
        bad(s, python("source", json!({"text": long})), "source_too_large", s, &large, "Shorten the file"),
        bad(f, files(json!([])), INVALID, f, &["files is empty"], FORM),
        bad(f, files(json!(many)), "too_many_files", f, &["257", "256"], "Send fewer files"),
        bad(f, json!({"language": "c", "files": main()}), INVALID, f, &["none of the files is C", ".c"], FORM),
        bad("/files/*", files(json!(["main.py"])), INVALID, "/files/0", &["\"main.py\"", "expected an object"], FORM),
        bad("/files/*", files(json!([["a", "b"]])), INVALID, "/files/0", &["array", "expected an object"], FORM),
        bad(
            "/files/*",
            files(json!([{"path": "a", "content": "", "mode": 7}])),
            INVALID,
            "/files/0/mode",
            &["`mode`", "`path`"],
            FORM,
        ),
        bad(e, with_entry(json!("nope.py")), INVALID, e, &["\"nope.py\"", "name the path of one"], FORM),
        bad(e, with_entry(json!("")), INVALID, e, &["\"\"", "1 to 1024 bytes"], "Name one of the files"),
        bad(e, with_entry(json!("b\u{0}.py")), INVALID, e, &["b\\0.py", "no NUL"], "Name one of the files"),
        bad(e, with_entry(json!("x".repeat(1025))), INVALID, e, &["xxxx", "1 to 1024 bytes"], "Name one of the files"),
        bad(e, with_entry(json!(["main.py"])), INVALID, e, &["array", "expected a string"], FORM),
        bad(e, c("entry", json!("main.py")), INVALID, e, &["C has no entry", "leave `entry` out"], FORM),
    ]
}

fn paths() -> Vec<Bad> {
    let row = |value: &str, says: &[&str]| {
        bad("/files/*/path", path(value), PATH, "/files/1/path", says, "Use a relative path such as src/main.c")
    };
    let wrong = |value: Value| files(json!([{"path": value, "content": ""}]));
    vec![
        row("", &["the path is empty"]),
        row("../x", &["\"../x\"", ".."]),
        row("a/../b", &["\"a/../b\"", ".."]),
        row("./x", &["\"./x\"", "leave it out"]),
        row("a//b", &["\"a//b\"", "empty part"]),
        row("a/", &["\"a/\"", "empty part"]),
        row("/etc/passwd", &["\"/etc/passwd\"", "relative to the work directory"]),
        row("a\u{0}b", &["NUL"]),
        row(&"a/".repeat(600), &["1200 bytes", "at most 1024"]),
        row(&"x".repeat(256), &["256 bytes", "255"]),
        row("main.py", &["\"main.py\"", "file 0"]),
        row("main.py/x", &["\"main.py/x\"", "folder \"main.py\""]),
        bad("/files/*/path", wrong(json!(7)), INVALID, "/files/0/path", &["7", "expected a string"], FORM),
        bad("/files/*/path", wrong(json!(null)), INVALID, "/files/0/path", &["null", "expected a string"], FORM),
    ]
}

/// The three places where bytes are sent, as text and as base64.
fn contents() -> Vec<Bad> {
    type Place = (&'static str, &'static str, &'static str, &'static str, fn(Value) -> Value);
    let places: [Place; 3] = [
        ("/source", "/source/text", "/source/base64", "/source", |value| python("source", value)),
        ("/stdin", "/stdin/text", "/stdin/base64", "/stdin", |value| python("stdin", value)),
        ("/files/*/content", "/files/*/content/text", "/files/*/content/base64", "/files/0/content", |value| {
            files(json!([{"path": "main.py", "content": value}]))
        }),
    ];
    let mut rows = Vec::new();
    for (whole, text, base64, at, body) in places {
        let forms = "a string, {\"text\"";
        let inner = |name: &str| format!("{at}/{name}");
        for (value, said) in [(json!(7), "7"), (json!(true), "true"), (json!(["x"]), "array")] {
            rows.push(bad(whole, body(value), INVALID, at, &[said, forms], FORM));
        }
        rows.push(bad(whole, body(json!({})), INVALID, at, &["exactly one of \"text\"", "\"base64\""], FORM));
        let both = json!({"text": "", "base64": ""});
        rows.push(bad(whole, body(both), INVALID, at, &["exactly one"], FORM));
        let blob = json!({"blob": "sha256:00"});
        if whole == "/stdin" {
            rows.push(bad("/stdin/blob", body(blob), INVALID, "/stdin/blob", &["\"00\"", "64 hexadecimal"], FORM));
            let number = json!({"blob": 7});
            rows.push(bad("/stdin/blob", body(number), INVALID, "/stdin/blob", &["7", "a string"], FORM));
        } else {
            rows.push(bad(whole, body(blob), INVALID, at, &["blob", "can't stand here"], FORM));
        }
        rows.push(bad(whole, body(json!({"url": "x"})), INVALID, &inner("url"), &["`url`", "`text`"], FORM));
        rows.push(bad(text, body(json!({"text": 7})), INVALID, &inner("text"), &["7", "a string"], FORM));
        rows.push(bad(base64, body(json!({"base64": 7})), INVALID, &inner("base64"), &["7", "a string"], FORM));
        for (value, says) in [
            ("!", "'!'"),
            ("QUJD\nQUJD", "'\\n'"),
            ("_-8=", "'_'"),
            ("QUJ", "padding"),
            ("QQ", "padding"),
            ("QR==", "bits that mean nothing"),
        ] {
            let sent = body(json!({"base64": value}));
            rows.push(bad(base64, sent, "invalid_base64", &inner("base64"), &[says], "standard alphabet with padding"));
        }
    }
    let nothing = files(json!([{"path": "main.py"}]));
    rows.push(bad("/files/*/content", nothing, INVALID, "/files/0/content", &["missing field"], FORM));
    rows
}

/// Arguments, environment and flags.
fn words() -> Vec<Bad> {
    let (a, e, f) = ("/args", "/env", "/compile_flags");
    let long = "x".repeat(131_072);
    let sum = ["131073 bytes", "at most 131072"];
    let together =
        json!({"language": "python", "source": "", "args": ["x".repeat(40_000)], "env": {"A": "x".repeat(100_000)}});
    let allowed = "choose one of the language's allow-list";
    vec![
        bad(a, python("args", json!("x")), INVALID, a, &["\"x\"", "expected an array"], FORM),
        bad(a, python("args", json!([long])), INVALID, a, &sum, "by stdin or as a file"),
        bad("/args/*", python("args", json!(["a", 1])), INVALID, "/args/1", &["1", "expected a string"], FORM),
        bad("/args/*", python("args", json!([null])), INVALID, "/args/0", &["null", "expected a string"], FORM),
        bad("/args/*", python("args", json!(["a\u{0}b"])), INVALID, "/args/0", &["NUL"], FORM),
        bad(e, python("env", json!(["A=1"])), INVALID, e, &["array", "an object of strings"], FORM),
        bad(e, python("env", json!({"1A": "x"})), INVALID, "/env/1A", &["\"1A\"", "[A-Za-z_][A-Za-z0-9_]*"], FORM),
        bad(e, python("env", json!({"": "x"})), INVALID, "/env/", &["\"\"", "[A-Za-z_]"], FORM),
        bad(e, python("env", json!({"A=B": "x"})), INVALID, "/env/A=B", &["\"A=B\"", "[A-Za-z_]"], FORM),
        bad(e, python("env", json!({"a/~": "x"})), INVALID, "/env/a~1~0", &["\"a/~\"", "[A-Za-z_]"], FORM),
        bad(e, together, INVALID, e, &["140004 bytes", "at most 131072"], "by stdin or as a file"),
        bad("/env/*", python("env", json!({"A": 1})), INVALID, "/env/A", &["1", "expected a string"], FORM),
        bad("/env/*", python("env", json!({"A": null})), INVALID, "/env/A", &["null", "expected a string"], FORM),
        bad("/env/*", python("env", json!({"A": "\u{0}"})), INVALID, "/env/A", &["A has a NUL"], FORM),
        bad(f, c("compile_flags", json!("-O2")), INVALID, f, &["\"-O2\"", "expected an array"], FORM),
        bad(f, c("compile_flags", json!([long])), INVALID, f, &sum, "Leave some of them out"),
        bad(
            "/compile_flags/*",
            c("compile_flags", json!(["-O2", "-fplugin=x"])),
            "flag_not_allowed",
            "/compile_flags/1",
            &["\"-fplugin=x\"", "-O2"],
            allowed,
        ),
        bad(
            "/compile_flags/*",
            python("compile_flags", json!(["-O2"])),
            "flag_not_allowed",
            "/compile_flags/0",
            &["\"-O2\"", "Python takes no compile flags"],
            allowed,
        ),
        bad("/compile_flags/*", c("compile_flags", json!(["-D\u{0}"])), INVALID, "/compile_flags/0", &["NUL"], FORM),
        bad(
            "/compile_flags/*",
            c("compile_flags", json!([5])),
            INVALID,
            "/compile_flags/0",
            &["5", "expected a string"],
            FORM,
        ),
    ]
}

fn words_of_few() -> Vec<Bad> {
    let mut rows = Vec::new();
    let sets = ["/limits", "/compile_limits"];
    for set in sets {
        let name = &set[1..];
        rows.push(bad(set, c(name, json!(5)), INVALID, set, &["5", "expected an object"], FORM));
        rows.push(bad(set, c(name, json!([1000])), INVALID, set, &["array", "expected an object"], FORM));
        let unknown = c(name, json!({"cpu_ms": 5}));
        rows.push(bad(set, unknown, INVALID, &format!("{set}/cpu_ms"), &["`cpu_ms`", "`cpu_time_ms`"], FORM));
    }
    for (field, one, other) in [
        ("/on_output_limit", "truncate", "kill"),
        ("/output_encoding", "auto", "base64"),
        ("/priority", "interactive", "batch"),
    ] {
        let name = &field[1..];
        let (one, other) = (format!("`{one}`"), format!("`{other}`"));
        for word in ["never", "Kill", ""] {
            let says = [&format!("`{word}`"), &*one, &*other];
            rows.push(bad(field, python(name, json!(word)), INVALID, field, &says, FORM));
        }
        for (value, said) in [(json!(1), "1"), (json!({"kill": null}), "object"), (json!(["kill"]), "array")] {
            rows.push(bad(field, python(name, value), INVALID, field, &[said, "a string"], FORM));
        }
    }
    rows
}

fn outputs() -> Vec<Bad> {
    let row = |glob: Value, code, says: &[&str], remedy| {
        bad("/outputs/*", python("outputs", json!(["a", glob])), code, "/outputs/1", says, remedy)
    };
    let relative = "relative to the work directory";
    let many = python("outputs", json!(vec!["*"; 17]));
    vec![
        bad("/outputs", python("outputs", json!("*")), INVALID, "/outputs", &["\"*\"", "expected an array"], FORM),
        bad("/outputs", many, INVALID, "/outputs", &["17", "16"], "Write fewer globs"),
        row(json!(1), INVALID, &["1", "expected a string"], FORM),
        row(json!(""), PATH, &["the glob is empty"], relative),
        row(json!("../*"), PATH, &["\"../*\"", ".."], relative),
        row(json!("a/./b"), PATH, &["\"a/./b\"", "a . in it"], relative),
        row(json!("a//b"), PATH, &["\"a//b\"", "empty part"], relative),
        row(json!("/etc/*"), PATH, &["\"/etc/*\"", "absolute"], relative),
        row(json!("a\u{0}"), PATH, &["NUL"], relative),
        row(json!("x".repeat(1025)), PATH, &["1025 bytes", "at most 1024"], relative),
        row(json!("!a"), INVALID, &["\"!a\"", "begins with !"], "\\!"),
        row(json!("[a"), INVALID, &["\"[a\"", "no glob"], "Close the bracket"),
        row(json!("{a"), INVALID, &["\"{a\"", "no glob"], "Close the bracket"),
        row(json!("{a,b}".repeat(7)), INVALID, &["{a,b}", "64"], "Write several globs"),
    ]
}

fn labels() -> Vec<Bad> {
    let l = "/labels";
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("l{n}"), json!(""))).collect();
    let value = |text: &str| python("labels", json!({"user": text}));
    let bound = "at most 256 bytes";
    vec![
        bad(l, python("labels", json!(["x"])), INVALID, l, &["array", "an object of strings"], FORM),
        bad(l, python("labels", Value::Object(many)), INVALID, l, &["17", "16"], FORM),
        bad(l, python("labels", json!({"": "x"})), INVALID, "/labels/", &["\"\"", "1 to 64"], FORM),
        bad(l, python("labels", json!({"a b": "x"})), INVALID, "/labels/a b", &["\"a b\"", "A-Z a-z 0-9"], FORM),
        bad(
            l,
            python("labels", json!({("n".repeat(65)): "x"})),
            INVALID,
            &format!("/labels/{}", "n".repeat(65)),
            &["nnnn", "1 to 64"],
            FORM,
        ),
        bad("/labels/*", value(&"x".repeat(257)), INVALID, "/labels/user", &["user", "257", bound], FORM),
        bad("/labels/*", value("a\nb"), INVALID, "/labels/user", &["user", "control characters"], FORM),
        bad("/labels/*", value(&"é".repeat(129)), INVALID, "/labels/user", &["258", bound], FORM),
        bad("/labels/*", python("labels", json!({"user": 1})), INVALID, "/labels/user", &["1", "a string"], FORM),
    ]
}

/// For each field of the top, a value of every JSON type that it does not take.
pub fn of_other_types() -> Vec<Bad> {
    let values = [
        ("boolean", json!(true), "true"),
        ("number", json!(7), "7"),
        ("string", json!("no such word"), "no such word"),
        ("array", json!([]), "array"),
        ("object", json!({}), ""),
    ];
    let mut rows = Vec::new();
    for name in document::top() {
        let field: &'static str = Box::leak(format!("/{name}").into_boxed_str());
        let types = document::types(field);
        for (_, value, said) in values.iter().filter(|(kind, ..)| !types.contains(kind)) {
            let mut body = json!({"language": "python", "source": "say never"});
            if name == "files" {
                body = json!({"language": "python"});
            }
            body[name] = value.clone();
            rows.push(bad(field, body, INVALID, field, &[said, "expected"], FORM));
        }
    }
    let unknown = python("colour", json!("red"));
    rows.push(bad("", unknown, INVALID, "/colour", &["`colour`", "`language`"], FORM));
    rows
}
