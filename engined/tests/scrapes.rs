//! Scrapes of `/metrics` by the hundred at once, beside a run: they cost neither the link nor the run.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::Write;
use std::sync::atomic::Ordering;

use common::live::{Up, live};
use common::{Reply, Rig, TOKEN, wait_for};
use serde_json::json;

const SCRAPES: usize = 300;

/// All are sent before the first answer is read.
fn scrape(connect: impl Fn() -> std::net::TcpStream) -> Vec<Reply> {
    let begin = |_| {
        let mut stream = connect();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").unwrap();
        stream
    };
    let mut streams: Vec<_> = (0..SCRAPES).map(begin).collect();
    streams.iter_mut().map(|stream| Reply::read(stream).unwrap()).collect()
}

fn all_told(replies: &[Reply]) {
    for reply in replies {
        let text = reply.text();
        assert_eq!(reply.status, 200, "{text}");
        for line in ["engined_link_up 1", "engined_link_losses_total 0"] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
        assert!(text.contains("\nprocess_open_fds ") && text.contains("\nengined_memfd_bytes "), "{text}");
    }
}

#[test]
fn many_at_once_are_one_question_to_jaild() {
    let rig = Rig::start();
    let before = rig.fake.seen.inventories.load(Ordering::SeqCst);
    let begun = std::time::Instant::now();
    let replies = scrape(|| rig.connect());
    let took = begun.elapsed();
    all_told(&replies);
    let asked = rig.fake.seen.inventories.load(Ordering::SeqCst) - before;
    // One each time that the last has stood its 200 ms.
    let most = 2 + usize::try_from(took.as_millis() / 200).unwrap();
    assert!((1..=most).contains(&asked), "{asked} questions in {took:?}");
}

#[test]
fn many_at_once_cost_no_run() {
    if !live() {
        return;
    }
    let up = Up::start();
    let limits = json!({"wall_time_ms": 30_000});
    let source = "import time\nprint('on', flush=True)\ntime.sleep(3)\nprint('done')";
    let request = json!({"language": "python", "source": source, "limits": limits});
    let state = up.call("POST", "/v1/executions?wait=false", &request).unwrap().json();
    let address = format!("/v1/executions/{}", state["id"].as_str().unwrap());
    wait_for(|| up.call("GET", &address, &json!(null)).unwrap().json()["status"] == "running");
    for _ in 0..3 {
        all_told(&scrape(|| std::net::TcpStream::connect(&up.address).unwrap()));
    }
    let result = up.call("GET", &format!("{address}?wait_ms=30000"), &json!(null)).unwrap().json();
    assert_eq!(
        (&result["verdict"], &result["run"]["stdout"]["text"]),
        (&json!("ok"), &json!("on\ndone\n")),
        "{result}"
    );
    up.stop();
}
