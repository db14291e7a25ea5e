//! A good value for every field and every word, sent to the real programs, and where its effect shows.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::common::Reply;
use crate::common::live::{Up, live};

/// A request, the fields that it is about, and what must stand where in the result.
pub struct Good {
    pub fields: &'static [&'static str],
    pub request: Value,
    result: Vec<(&'static str, Want)>,
}

/// What is expected at one place of a result.
enum Want {
    Is(Value),
    Begins(&'static str),
    Has(&'static str),
    AtLeast(u64),
}

impl Good {
    fn check(&self, up: &Up) {
        let reply = up.call("POST", "/v1/executions", &self.request).unwrap();
        assert_eq!(reply.status, 200, "{:?}: {}", self.fields, reply.text());
        let result = reply.json();
        for (pointer, want) in &self.result {
            let found = result.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in {result}"));
            let fits = match want {
                Want::Is(value) => found == value,
                Want::Begins(text) => found.as_str().is_some_and(|found| found.starts_with(text)),
                Want::Has(text) => found.as_str().is_some_and(|found| found.contains(text)),
                Want::AtLeast(least) => found.as_u64().is_some_and(|found| found >= *least),
            };
            assert!(fits, "{:?}: {pointer} is {found}\n{result}", self.fields);
        }
    }
}

fn good(fields: &'static [&'static str], request: Value, result: Vec<(&'static str, Want)>) -> Good {
    Good { fields, request, result }
}

fn is(value: impl Into<Value>) -> Want {
    Want::Is(value.into())
}

/// A result of `ok` with this on its standard output.
fn says(text: &str) -> Vec<(&'static str, Want)> {
    vec![("/verdict", is("ok")), ("/run/stdout/text", is(text))]
}

/// A result that names the limit that was hit.
fn hits(verdict: &str, limit: &str, value: u64) -> Vec<(&'static str, Want)> {
    vec![("/verdict", is(verdict)), ("/reason/limit", is(limit)), ("/reason/value", is(value))]
}

/// A Python program with one more field.
fn python(source: &str, field: &str, value: Value) -> Value {
    json!({"language": "python", "source": source, field: value})
}

/// All of them.
pub fn rows() -> Vec<Good> {
    [programs(), inputs(), words_of_few(), limits(), compile_limits()].into_iter().flatten().collect()
}

fn programs() -> Vec<Good> {
    let two = |entry: Value| {
        json!({"language": "python", "entry": entry, "files": [
            {"path": "main.py", "content": "print('main')"},
            {"path": "pkg/other.py", "content": {"text": "import sys\nprint('other', len(open('data.bin', 'rb').read()))"}},
            {"path": "data.bin", "content": {"base64": "/wAB"}}]})
    };
    const FILES: &[&str] = &[
        "/files",
        "/files/*",
        "/files/*/path",
        "/files/*/content",
        "/files/*/content/text",
        "/files/*/content/base64",
        "/entry",
    ];
    vec![
        good(&["/language"], json!({"language": "py", "source": ""}), vec![("/language/id", is("python"))]),
        good(
            &["/version"],
            python("import sys\nprint(sys.version_info[0])", "version", json!("3")),
            vec![("/language/version", Want::Begins("3.")), ("/run/stdout/text", is("3\n"))],
        ),
        good(&["/source"], json!({"language": "python", "source": "print('é')"}), says("é\n")),
        good(&["/source/text"], json!({"language": "python", "source": {"text": "print(1)"}}), says("1\n")),
        good(&["/source/base64"], json!({"language": "python", "source": {"base64": "cHJpbnQoMik="}}), says("2\n")),
        good(FILES, two(json!("pkg/other.py")), says("other 3\n")),
        good(&["/entry"], two(json!("main.py")), says("main\n")),
        good(
            &["/compile_flags", "/compile_flags/*"],
            json!({"language": "c", "compile_flags": ["-DN=42", "-O1"],
                "source": "#include <stdio.h>\nint main(void) { printf(\"%d\", N); return 0; }"}),
            says("42"),
        ),
    ]
}

/// Its bytes are [`BLOB_BYTES`].
const BLOB: &str = "4c7bbfcf066603b14d07fcf1ef4b853ba2b0930a49bf381264bbadac9001da68";
const BLOB_BYTES: &str = "from a blob\n";

fn send_blob(up: &Up) {
    let mut stream = TcpStream::connect(&up.address).unwrap();
    let kind = "Content-Type: application/octet-stream";
    let length = BLOB_BYTES.len();
    let words =
        format!("PUT /v1/blobs/{BLOB} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((words + BLOB_BYTES).as_bytes()).unwrap();
    assert_eq!(Reply::read(&mut stream).unwrap().status, 201);
}

fn inputs() -> Vec<Good> {
    const READ: &str = "import sys\nprint(sys.stdin.buffer.read())";
    vec![
        good(&["/stdin"], python(READ, "stdin", json!(" a\r\n")), says("b' a\\r\\n'\n")),
        good(&["/stdin/text"], python(READ, "stdin", json!({"text": "\u{0}"})), says("b'\\x00'\n")),
        good(
            &["/stdin/blob"],
            python(READ, "stdin", json!({"blob": format!("sha256:{BLOB}")})),
            says("b'from a blob\\n'\n"),
        ),
        good(&["/stdin/base64"], python(READ, "stdin", json!({"base64": "/wA="})), says("b'\\xff\\x00'\n")),
        good(
            &["/args", "/args/*"],
            python("import sys\nprint(sys.argv[1:])", "args", json!(["-a", "", "b c", "é\n"])),
            says("['-a', '', 'b c', 'é\\n']\n"),
        ),
        good(
            &["/env", "/env/*"],
            python("import os\nprint(os.environ['_A1'], os.environ['HOME'])", "env", json!({"_A1": "x=y", "HOME": ""})),
            says("x=y \n"),
        ),
        good(
            &["/outputs", "/outputs/*"],
            python("open('a.txt', 'w').write('hi')\nopen('b.txt', 'w')", "outputs", json!(["a.*", "nope"])),
            vec![
                ("/outputs", is(json!([{"path": "a.txt", "base64": "aGk=", "bytes": 2, "truncated": false}]))),
                ("/outputs_skipped/0/path", is("nope")),
            ],
        ),
        good(
            &["/labels", "/labels/*"],
            python("", "labels", json!({"a.b-c/d_9": "é", "empty": ""})),
            vec![("/labels", is(json!({"a.b-c/d_9": "é", "empty": ""})))],
        ),
    ]
}

fn words_of_few() -> Vec<Good> {
    let flood = |word: &str| {
        json!({"language": "python", "source": "while True: print('x' * 99)", "on_output_limit": word,
            "limits": {"output_bytes": 1000, "cpu_time_ms": 300}})
    };
    vec![
        good(
            &["/on_output_limit", "/on_output_limit=truncate"],
            flood("truncate"),
            vec![
                ("/verdict", is("cpu_time_limit")),
                ("/run/stdout/truncated", is(true)),
                ("/run/stdout/bytes", Want::AtLeast(2000)),
            ],
        ),
        good(&["/on_output_limit=kill"], flood("kill"), hits("output_limit", "output_bytes", 1000)),
        good(
            &["/output_encoding", "/output_encoding=base64"],
            python("print('hi')", "output_encoding", json!("base64")),
            vec![("/run/stdout/base64", is("aGkK")), ("/run/stderr/base64", is(""))],
        ),
        good(&["/output_encoding=auto"], python("print('hi')", "output_encoding", json!("auto")), says("hi\n")),
        good(
            &["/priority", "/priority=interactive"],
            python("print(1)", "priority", json!("interactive")),
            says("1\n"),
        ),
        good(&["/priority=batch"], python("print(1)", "priority", json!("batch")), says("1\n")),
    ]
}

fn limits() -> Vec<Good> {
    let limited = |name: &str, value: Value, source: &str| python(source, "limits", json!({name: value}));
    const RLIMIT: &str = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NAME)[0])";
    let full = "f = open('f', 'wb', 0)\nf.write(bytes(1000))\ntry: f.write(b'x')\nexcept OSError as e: print(e.errno)";
    let threads = "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(1,)).start()";
    vec![
        good(&["/limits"], python("print(1)", "limits", json!({})), says("1\n")),
        good(
            &["/limits/cpu_time_ms"],
            limited("cpu_time_ms", json!(300), "while True: pass"),
            hits("cpu_time_limit", "cpu_time_ms", 300),
        ),
        good(
            &["/limits/wall_time_ms"],
            limited("wall_time_ms", json!(300), "import time\ntime.sleep(60)"),
            hits("wall_time_limit", "wall_time_ms", 300),
        ),
        good(
            &["/limits/memory_bytes"],
            limited("memory_bytes", json!(67_108_864), "x = b'x' * (200 << 20)"),
            hits("memory_limit", "memory_bytes", 67_108_864),
        ),
        good(&["/limits/processes"], limited("processes", json!(4), threads), hits("process_limit", "processes", 4)),
        good(
            &["/limits/cpus"],
            limited("cpus", json!(0.25), "import time\nwhile time.process_time() < 0.2: pass\nprint(1)"),
            vec![("/verdict", is("ok")), ("/run/usage/wall_time_us", Want::AtLeast(500_000))],
        ),
        good(
            &["/limits/output_bytes"],
            limited("output_bytes", json!(5), "print('0123456789')"),
            vec![
                ("/verdict", is("ok")),
                ("/run/stdout/text", is("01234")),
                ("/run/stdout/truncated", is(true)),
                ("/run/stdout/bytes", is(11)),
            ],
        ),
        good(&["/limits/file_bytes"], limited("file_bytes", json!(1000), full), says("27\n")),
        good(
            &["/limits/disk_bytes"],
            limited("disk_bytes", json!(1_048_576), "open('f', 'wb').write(bytes(4 << 20))"),
            hits("disk_limit", "disk_bytes", 1_048_576),
        ),
        good(
            &["/limits/open_files"],
            limited("open_files", json!(20), &RLIMIT.replace("NAME", "NOFILE")),
            says("20\n"),
        ),
        good(
            &["/limits/stack_bytes"],
            limited("stack_bytes", json!(1_048_576), &RLIMIT.replace("NAME", "STACK")),
            says("1048576\n"),
        ),
    ]
}

fn compile_limits() -> Vec<Good> {
    const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"1\"); return 0; }";
    let limited = |name: &str, value: Value, source: &str| json!({"language": "c", "source": source, "compile_limits": {name: value}});
    let failed = |limit: &str, value: u64| hits("compile_error", limit, value);
    // A word of 100 MB by 7 macros of ten words each.
    let mut huge = "#define A0 \"xxxxxxxxxx\"\n".to_owned();
    for n in 1..8 {
        huge += &format!("#define A{n} {}\n", format!("A{} ", n - 1).repeat(10));
    }
    huge += "char *x = A7;\nint main(void) { return 0; }";
    let large = "char x[8 << 20] = {1};\nint main(void) { return x[0] - 1; }";
    // It includes itself twice, and so on: a compile of which nobody sees the end, however late the clock is looked at.
    let endless = "#if __INCLUDE_LEVEL__ < 60\n#include __FILE__\n#include __FILE__\n#endif";
    vec![
        good(
            &["/compile_limits"],
            json!({"language": "python", "source": "print(1)", "compile_limits": {"cpu_time_ms": 1}}),
            says("1\n"),
        ),
        good(&["/compile_limits/cpu_time_ms"], limited("cpu_time_ms", json!(1), HELLO), failed("cpu_time_ms", 1)),
        good(&["/compile_limits/wall_time_ms"], limited("wall_time_ms", json!(1), endless), failed("wall_time_ms", 1)),
        good(
            &["/compile_limits/memory_bytes"],
            limited("memory_bytes", json!(33_554_432), &huge),
            failed("memory_bytes", 33_554_432),
        ),
        good(&["/compile_limits/processes"], limited("processes", json!(3), HELLO), says("1\n")),
        good(
            &["/compile_limits/cpus"],
            limited("cpus", json!(0.1), HELLO),
            vec![("/verdict", is("ok")), ("/compile/usage/wall_time_us", Want::AtLeast(150_000))],
        ),
        good(
            &["/compile_limits/output_bytes"],
            limited("output_bytes", json!(9), "#error"),
            vec![("/verdict", is("compile_error")), ("/compile/stderr/truncated", is(true))],
        ),
        good(
            &["/compile_limits/file_bytes"],
            limited("file_bytes", json!(1_048_576), large),
            vec![("/verdict", is("compile_error"))],
        ),
        // The assembler takes its file away before it ends, so that nobody sees the full disk but itself.
        good(
            &["/compile_limits/disk_bytes"],
            limited("disk_bytes", json!(4_194_304), large),
            vec![("/verdict", is("compile_error")), ("/compile/stderr/text", Want::Has("No space left on device"))],
        ),
        good(&["/compile_limits/open_files"], limited("open_files", json!(32), HELLO), says("1\n")),
        good(&["/compile_limits/stack_bytes"], limited("stack_bytes", json!(1_048_576), HELLO), says("1\n")),
    ]
}

#[test]
fn every_good_value_shows_its_effect() {
    if !live() {
        return;
    }
    let up = Up::start();
    send_blob(&up);
    for row in rows() {
        row.check(&up);
    }
    up.stop();
}
