//! The largest requests that the contract allows, and endings that are unlucky, with the real programs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::live::{Up, live};

fn run(up: &Up, request: &Value) -> Value {
    let reply = up.call("POST", "/v1/executions", request).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn refused(up: &Up, request: &Value, status: u16, code: &str) {
    up.call("POST", "/v1/executions", request).unwrap().problem(status, code);
}

#[test]
fn what_is_as_large_as_allowed_runs_and_one_more_is_refused() {
    if !live() {
        return;
    }
    let up = Up::start();
    // 10 MB in, and out again.
    let source = "import sys\nd = sys.stdin.buffer.read()\nprint(len(d), d == b'0123456789' * 1000000)";
    let result = run(&up, &json!({"language": "python", "source": source, "stdin": "0123456789".repeat(1_000_000)}));
    assert_eq!(result["run"]["stdout"]["text"], "10000000 True\n");
    let echo = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())";
    let text = "é".repeat(5_000_000);
    let limits = json!({"output_bytes": 10_000_000});
    let result = run(&up, &json!({"language": "python", "source": echo, "stdin": &text, "limits": limits}));
    assert_eq!(result["run"]["stdout"]["bytes"], 10_000_000);
    assert!(result["run"]["stdout"]["text"] == text, "what came in goes out");

    // Arguments and environment: 128 KiB with the byte that ends each.
    let source = "import os, sys\nprint(len(sys.argv[1]), len(os.environ['A']))";
    let words = |more: usize| {
        json!({"language": "python", "source": source, "args": ["x".repeat(65_535)],
        "env": {"A": "y".repeat(65_533 + more)}})
    };
    assert_eq!(run(&up, &words(0))["run"]["stdout"]["text"], "65535 65533\n");
    refused(&up, &words(1), 400, "invalid_request");
    let source = "import sys\nprint(len(sys.argv) - 1)";
    let many = json!({"language": "python", "source": source, "args": vec![""; 131_072]});
    assert_eq!(run(&up, &many)["run"]["stdout"]["text"], "131072\n");
    // The kernel takes one word of at most 128 KiB with its end.
    let one = json!({"language": "python", "source": source, "args": ["x".repeat(131_071)]});
    assert_eq!(run(&up, &one)["run"]["stdout"]["text"], "1\n");

    // 256 files, the last of them used.
    let files = |count: usize| {
        let module = |n: usize| json!({"path": format!("m{n}/v.py"), "content": format!("V = {n}")});
        let main = json!({"path": "main.py", "content": "from m255.v import V\nprint(V)"});
        let files: Vec<Value> = std::iter::once(main).chain((1..count).map(module)).collect();
        json!({"language": "python", "files": files})
    };
    assert_eq!(run(&up, &files(256))["run"]["stdout"]["text"], "255\n");
    refused(&up, &files(257), 413, "too_many_files");

    // 1 MiB of source.
    let source = |more: usize| {
        let head = "print('begun')\n#";
        let body = format!("{head}{}\nprint('over')", "x".repeat((1 << 20) - head.len() - 14 + more));
        json!({"language": "python", "source": body})
    };
    assert_eq!(source(0)["source"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(run(&up, &source(0))["run"]["stdout"]["text"], "begun\nover\n");
    refused(&up, &source(1), 413, "source_too_large");
    up.stop();
}

#[test]
fn children_that_hold_the_output_keep_nobody_waiting() {
    if !live() {
        return;
    }
    let up = Up::start();
    // A child with its streams, a grandchild in a session of its own, and a stopped one; they write until the end.
    let source = "import os, signal, sys, time\n\
        print('begun', flush=True)\n\
        r, w = os.pipe()\n\
        for kind in range(3):\n\
        \x20   if os.fork() == 0:\n\
        \x20       signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        \x20       signal.signal(signal.SIGHUP, signal.SIG_IGN)\n\
        \x20       if kind > 0: os.setsid()\n\
        \x20       if kind > 0 and os.fork() > 0: os._exit(0)\n\
        \x20       print('child', kind, flush=True)\n\
        \x20       os.write(w, b'x')\n\
        \x20       if kind == 2: os.kill(os.getpid(), signal.SIGSTOP)\n\
        \x20       time.sleep(600)\n\
        for _ in range(3): os.read(r, 1)\n\
        print('over', flush=True)\n\
        os._exit(0)\n";
    let begun = Instant::now();
    let result = run(&up, &json!({"language": "python", "source": source}));
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    assert_eq!((&result["verdict"], &result["run"]["exit_code"]), (&json!("ok"), &json!(0)), "{result}");
    let mut lines: Vec<&str> = result["run"]["stdout"]["text"].as_str().unwrap().lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"begun"), Some(&"over")));
    lines.sort_unstable();
    assert_eq!(lines, ["begun", "child 0", "child 1", "child 2", "over"], "all that was written is there");
    assert_eq!(result["run"]["stdout"]["truncated"], false);
    up.stop();
}

#[test]
fn too_much_binary_output_is_cut_or_ends_the_program() {
    if !live() {
        return;
    }
    let up = Up::start();
    let flood = |source: &str, word: &str, limit: u64| {
        run(
            &up,
            &json!({"language": "python", "source": source, "on_output_limit": word,
            "limits": {"output_bytes": limit}}),
        )
    };
    let bytes = "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 1000)\nsys.stdout.flush()\nprint('x', file=sys.stderr)";
    let cut = flood(bytes, "truncate", 6);
    assert_eq!(cut["verdict"], "ok");
    let stdout = &cut["run"]["stdout"];
    assert_eq!(
        (&stdout["text"], &stdout["bytes"], &stdout["truncated"]),
        (&json!("\0\u{1}\u{2}\u{3}\u{4}\u{5}"), &json!(256_000), &json!(true))
    );
    assert_eq!(cut["run"]["stderr"]["text"], "x\n", "the other stream goes on");
    let cut = flood(bytes, "truncate", 131);
    let stdout = &cut["run"]["stdout"];
    assert_eq!(stdout["base64"].as_str().unwrap().len(), 131_usize.div_ceil(3) * 4, "no text: the cap to the byte");
    assert!(stdout["base64"].as_str().unwrap().ends_with("fn+AgYI="), "{stdout}");

    // What fits into the pipe is written before anybody looks: only one that goes on is sure to be killed.
    let endless = "import sys\nwhile True: sys.stdout.buffer.write(bytes(range(256)))";
    let killed = flood(endless, "kill", 131);
    assert_eq!(
        (&killed["verdict"], &killed["reason"]["limit"]),
        (&json!("output_limit"), &json!("output_bytes")),
        "{killed}"
    );
    assert_eq!((&killed["run"]["exit_code"], &killed["run"]["signal"]), (&Value::Null, &json!("SIGKILL")));
    assert_eq!(killed["run"]["stdout"]["base64"], cut["run"]["stdout"]["base64"], "the same head");
    assert_eq!(killed["run"]["stdout"]["truncated"], true);

    // A character that the cap splits goes; bytes that are none stay.
    let text = "import sys\nsys.stdout.buffer.write('aé'.encode() * 10)";
    let cut = flood(text, "truncate", 5);
    assert_eq!(cut["run"]["stdout"]["text"], "aéa");
    let exact = flood("import sys\nsys.stdout.buffer.write(b'\\xff' * 6)", "kill", 6);
    assert_eq!((&exact["verdict"], &exact["run"]["stdout"]["base64"]), (&json!("ok"), &json!("////////")));
    assert_eq!(exact["run"]["stdout"]["truncated"], false, "as much as allowed is not too much");
    let over =
        flood("import sys\nsys.stderr.buffer.write(b'\\xff' * 7)\nsys.stderr.flush()\nwhile True: pass", "kill", 6);
    assert_eq!((&over["verdict"], &over["run"]["stderr"]["base64"]), (&json!("output_limit"), &json!("////////")));
    up.stop();
}
