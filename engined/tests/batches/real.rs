//! With the real programs: `engined up`, the serving part killed in the midst of a batch, and a hundred thousand results that
//! wait.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::common::live::{Up, live};
use super::common::{PATIENCE, Reply, wait_for};
use super::{Events, JSON, complete};

fn batch(submissions: usize, tests: usize, source: &str) -> Value {
    let submission = |n: usize| json!({"id": format!("s{n}"), "language": "python", "source": source});
    let test = |n: usize| json!({"id": format!("t{n}"), "stdin": format!("{n}\n"), "expected": format!("{n}")});
    json!({
        "submissions": (0..submissions).map(submission).collect::<Vec<_>>(),
        "tests": (0..tests).map(test).collect::<Vec<_>>(),
    })
}

fn submit(up: &Up, body: &Value) -> String {
    submit_with(up, body, "")
}

fn submit_with(up: &Up, body: &Value, headers: &str) -> String {
    let mut stream = TcpStream::connect(&up.address).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nHost: localhost\r\n{JSON}{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let reply = Reply::read(&mut stream).unwrap();
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["id"].as_str().unwrap().to_owned()
}

fn over(up: &Up, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let reply = up.call("GET", &format!("/v1/batches/{id}?wait_ms=5000"), &Value::Null);
        match reply.filter(|reply| reply.status == 200).map(|reply| reply.json()) {
            Some(batch) if batch["status"] == "finished" => return batch,
            _ => assert!(begun.elapsed() < 2 * PATIENCE, "not over:\n{}", up.log()),
        }
    }
}

fn results(up: &Up, id: &str) -> Vec<Value> {
    let reply = up.call("GET", &format!("/v1/batches/{id}/results"), &Value::Null).unwrap();
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn killed_in_the_midst_every_result_is_there_once() {
    if !live() {
        return;
    }
    let up = Up::start();
    let checker = json!({"kind": "program", "program": {
        "language": "python", "protocol": "kattis",
        "source": "import sys\nsys.exit(42 if sys.stdin.read() == open(sys.argv[1]).read() else 43)",
    }});
    let mut with_checker = batch(2, 3, "print(input())");
    with_checker["checker"] = checker;
    let (body, key) = (batch(4, 15, "print(input())"), "Idempotency-Key: k\r\n");
    let (id, checked) = (submit_with(&up, &body, key), submit(&up, &with_checker));
    // Each time something has happened since.
    let mut last = 0;
    for _ in 0..2 {
        let path = format!("/v1/batches/{id}/events?from={}", last + 1);
        let stream = TcpStream::connect(&up.address).unwrap();
        let mut events = Events::open(stream, &path, "");
        last = std::iter::from_fn(|| events.next()).find(|(_, name, _)| name == "result").unwrap().0;
        kill(Pid::from_raw(up.child("engined")), Signal::SIGKILL).unwrap();
        up.comes_back(PATIENCE);
    }
    assert_eq!(submit_with(&up, &body, key), id, "the next engine knows the key");
    let batch = over(&up, &id);
    assert_eq!(batch["verdicts"], json!({"accepted": 60}), "{batch}");
    complete(&results(&up, &id), 4, 15, 1);
    over(&up, &checked);
    let results = results(&up, &checked);
    complete(&results, 2, 3, 1);
    assert!(results.iter().all(|result| result["verdict"] == "accepted"), "{results:?}");
    up.stop();
}

/// What the serving part has of memory that is its own, in KiB.
fn private(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_thousand_results_wait_on_the_disk() {
    if !live() {
        return;
    }
    let up = Up::start();
    let engined = up.child("engined");
    // It has all slots to the end of the test.
    let metrics = up.call("GET", "/metrics", &Value::Null).unwrap().text();
    let slots = metrics.lines().find_map(|line| line.strip_prefix("engined_slots ")).unwrap().parse().unwrap();
    let mut long = batch(slots, 1, "import time\ntime.sleep(600)");
    long["limits"] = json!({"wall_time_ms": 600_000});
    let first = submit(&up, &long);
    wait_for(|| {
        let metrics = up.call("GET", "/metrics", &Value::Null).unwrap().text();
        metrics.lines().any(|line| line == format!("engined_slots_in_use {slots}"))
    });
    let before = private(engined);
    let many = submit(&up, &batch(1000, 100, "print(input())"));
    let grown = private(engined).saturating_sub(before);
    // A build without optimisation holds more; of rows for each result it would be hundreds.
    assert!(grown < 100 << 10, "{grown} KiB more");
    // The next is small, and need not look at them: as long as one of many, at the most.
    let next = |_| {
        let begun = Instant::now();
        submit(&up, &batch(1, 1, "print(input())"));
        begun.elapsed()
    };
    // What is held up by a busy machine is not held up each time.
    let took = (0..10).map(next).find(|took| *took < Duration::from_secs(5)).unwrap_or(PATIENCE);
    eprintln!("{grown} KiB more with 100,000 results waiting; the next batch took {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let queued = up.call("GET", "/v1/batches?status=queued", &Value::Null).unwrap().json();
    assert!(!queued["batches"].as_array().unwrap().is_empty());
    for id in [&first, &many] {
        assert_eq!(up.call("DELETE", &format!("/v1/batches/{id}"), &Value::Null).unwrap().status, 202);
    }
    up.stop();
}
