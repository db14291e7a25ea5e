//! The files of a run in its result: through the engine with a jaild that plays programs, and with the real one.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use common::live::{Up, live};
use common::{Reply, Rig};
use serde_json::{Value, json};

fn python(rig: &Rig, words: &str, globs: &[&str]) -> Reply {
    rig.execute(&json!({"language": "python", "source": words, "outputs": globs}))
}

#[test]
fn files_stand_in_the_result() {
    let rig = Rig::start();
    let words = "globs\nfile out/a.txt hello\nodd\nhead long\nskip fifo\nmore 7\nexit 3\n";
    let result = python(&rig, words, &["out/**", "--x", "*"]).json();
    assert_eq!(result["run"]["stdout"]["text"], "[\"out/**\", \"--x\", \"*\"]\n");
    assert_eq!(result["verdict"], "runtime_error");
    assert_eq!(
        result["outputs"],
        json!([
            {"path": "out/a.txt", "base64": "aGVsbG8=", "bytes": 5, "truncated": false},
            {"path_base64": "/3g=", "base64": "/g==", "bytes": 1, "truncated": false},
            {"path": "long", "base64": "YWJj", "bytes": 9, "truncated": true},
        ])
    );
    assert_eq!(result["outputs_skipped"], json!([{"path": "fifo", "reason": "not a regular file"}]));
    assert_eq!(result["outputs_omitted"], 7);
    let none = rig.run("file a hello\n");
    assert_eq!((&none["outputs"], &none["outputs_omitted"]), (&json!([]), &json!(0)));
    let empty = python(&rig, "say x\n", &[]).json();
    assert_eq!(empty["outputs"], json!([]));
}

#[test]
fn a_collection_that_is_cut_or_lies_costs_files_and_nothing_else() {
    let rig = Rig::start();
    let cut = python(&rig, "file a 1\nfile b 2\ncut\n", &["*", "x"]).json();
    assert_eq!((&cut["verdict"], &cut["outputs"].as_array().unwrap().len()), (&json!("ok"), &2));
    let skipped = cut["outputs_skipped"].as_array().unwrap();
    assert_eq!((&skipped[0]["path"], &skipped[1]["path"]), (&json!("*"), &json!("x")));
    assert!(skipped[0]["reason"].as_str().unwrap().starts_with("cut short"));
    for lie in ["file ../a 1", "file /a 1", "file a 1\nfile a 2", "more 0", "file  1"] {
        let result = python(&rig, &format!("file good 1\n{lie}\n"), &["*"]).json();
        assert_eq!(result["verdict"], "ok", "{lie}");
        assert_eq!(result["outputs"][0]["path"], "good", "{lie}");
        assert!(result["outputs_skipped"][0]["reason"].as_str().unwrap().starts_with("cut short"), "{lie}");
    }
}

#[test]
fn settings_bound_what_comes_back() {
    let rig = Rig::with(2, "[outputs]\nfiles = 2\ntotal_bytes = 10\n", &[]);
    let many = python(&rig, "file a 1\nfile b 2\nfile c 3\n", &["*"]).json();
    assert_eq!(many["outputs"].as_array().unwrap().len(), 2, "more is a lie: {many}");
    let much = python(&rig, "file a 1234567890\nfile b 2\n", &["*"]).json();
    assert_eq!(much["outputs"].as_array().unwrap().len(), 1, "more is a lie: {much}");
}

#[test]
fn files_count_in_the_engines_memory() {
    let settings = "[outputs]\nfiles = 4\ntotal_bytes = 1000000\n[engine]\nengine_memory_bytes = 8000000\n";
    let rig = Rig::with(2, settings, &[]);
    let free = rig.engine.memory.used();
    std::thread::scope(|scope| {
        let two = scope.spawn(|| python(&rig, "gate\nfile a 1\n", &["*"]).json());
        common::wait_for(|| rig.engine.memory.used() >= free + 3_000_000);
        let too_much = rig.execute(&json!({"language": "python", "source": "say x\n", "outputs": ["*"]}));
        too_much.problem(503, "memory_budget");
        rig.fake.seen.open.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(two.join().unwrap()["outputs"][0]["path"], "a");
    });
    common::wait_for(|| rig.engine.memory.used() == free);
}

#[test]
fn an_artifact_with_something_odd_in_it_is_none() {
    let rig = Rig::start();
    let result = rig.execute(&json!({"language": "c", "source": "#folder\n", "outputs": ["*"]})).json();
    assert_eq!((&result["verdict"], &result["run"]), (&json!("compile_error"), &json!(null)));
    assert_eq!(
        result["reason"]["message"],
        "The compiled program can't be taken: a.out/link is passed over (a symbolic link)."
    );
    assert_eq!(result["outputs"], json!([]));
}

type Files = Vec<(String, Vec<u8>)>;
type Skipped = Vec<(String, String)>;

/// A run of the real thing: paths with contents, and the skipped ones with their reasons.
fn run(up: &Up, request: &Value) -> (Value, Files, Skipped) {
    let reply = up.call("POST", "/v1/executions", request).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let result = reply.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |item: &Value| if item["path"].is_null() { text(&item["path_base64"]) } else { text(&item["path"]) };
    let decode = |item: &Value| {
        let content: api_spec::Content = serde_json::from_value(json!({"base64": item["base64"]})).unwrap();
        content.into_bytes()
    };
    let files = result["outputs"].as_array().unwrap().iter().map(|item| (name(item), decode(item))).collect();
    let skipped = result["outputs_skipped"].as_array().unwrap().iter().map(|i| (name(i), text(&i["reason"]))).collect();
    (result, files, skipped)
}

#[test]
fn real_programs_bring_their_files_back() {
    if !live() {
        return;
    }
    let up = Up::start();
    let source = "import os, socket\n\
        os.makedirs('out/a'); open('out/a/plot.png', 'wb').write(bytes(range(256)))\n\
        open('out/long', 'wb').write(b'x' * (9 << 20)); os.mkfifo('out/fifo'); os.symlink('/etc/passwd', 'out/link')\n\
        socket.socket(socket.AF_UNIX).bind('out/socket'); open('out/x', 'w'); os.link('out/x', 'out/y')\n\
        open(b'out/\\xff', 'w').write('odd'); open('out/line\\nfeed', 'w').write('odd'); open('out/shut', 'w'); os.chmod('out/shut', 0)\n\
        raise SystemExit(2)\n";
    let request = json!({"language": "python", "source": source, "outputs": ["out/**", "missing"],
        "limits": {"memory_bytes": 268_435_456}});
    let (result, files, skipped) = run(&up, &request);
    assert_eq!(result["run"]["exit_code"], 2, "{}", result["run"]["stderr"]);
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["out/a/plot.png", "out/line\nfeed", "out/long", "out/shut", "b3V0L/8="]);
    assert_eq!(files[0].1, (0..=255).collect::<Vec<u8>>());
    assert_eq!((files[2].1.len(), &result["outputs"][2]["bytes"]), (8 << 20, &json!(9 << 20)));
    assert_eq!(result["outputs"][2]["truncated"], true);
    let expected = [
        ("missing", "not found"),
        ("out/fifo", "not a regular file"),
        ("out/link", "a symbolic link"),
        ("out/socket", "not a regular file"),
        ("out/x", "more than one hard link"),
        ("out/y", "more than one hard link"),
    ];
    assert_eq!(skipped, expected.map(|(path, why)| (path.to_owned(), why.to_owned())));

    // What the compiler made stays, also where everything is asked for.
    let c = "#include <stdio.h>\nint main(void) { FILE *f = fopen(\"made\", \"w\"); fputs(\"by c\", f); fclose(f); }";
    let (result, files, skipped) = run(&up, &json!({"language": "c", "source": c, "outputs": ["**", "a.out"]}));
    assert_eq!(result["verdict"], "ok");
    assert_eq!(files.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["made", "main.c"]);
    assert_eq!(skipped, [("a.out".to_owned(), "it is what the compiler made".to_owned())]);
    up.stop();
}

#[test]
fn real_failures_bring_their_files_back() {
    if !live() {
        return;
    }
    let up = Up::start();
    for (rest, limits, verdict) in [
        ("b = bytearray(1 << 30)", json!({"memory_bytes": 67_108_864}), "memory_limit"),
        (
            "f = open('full', 'wb', 0)\nwhile True: f.write(bytes(65536))",
            json!({"memory_bytes": 67_108_864, "disk_bytes": 134_217_728}),
            "memory_limit",
        ),
        // So much that a busy machine has come to the program by then.
        ("import time; time.sleep(600)", json!({"wall_time_ms": 3000}), "wall_time_limit"),
        ("while True: pass", json!({"cpu_time_ms": 600, "wall_time_ms": 60_000}), "cpu_time_limit"),
        ("import os; os.abort()", json!({}), "signalled"),
    ] {
        let source = format!("open('log', 'w').write('so far')\n{rest}\n");
        let request = json!({"language": "python", "source": source, "outputs": ["log"], "limits": limits});
        let (mut result, mut files, _) = run(&up, &request);
        // A busy machine may not have come to the program before its time was over.
        common::wait_for(|| {
            let early = result["verdict"] == "wall_time_limit" && files.is_empty();
            if early {
                (result, files, _) = run(&up, &request);
            }
            !early
        });
        assert_eq!(result["verdict"], verdict, "{rest}: {result}");
        assert_eq!(files, [("log".to_owned(), b"so far".to_vec())], "{rest}");
    }
    // A great many files, of which as many come back as may, and the others are counted.
    let many = "import os\nos.mkdir('d')\nfor n in range(15_000): os.close(os.open(f'd/{n:05}', os.O_CREAT))\n";
    let (result, files, skipped) = run(&up, &json!({"language": "python", "source": many, "outputs": ["d/*"]}));
    assert_eq!((files.len(), skipped.len()), (64, 64), "{}", result["run"]["stderr"]);
    assert_eq!(result["outputs_omitted"], 15_000 - 128);
    up.stop();
}
