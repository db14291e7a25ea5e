//! Scrapes of `/metrics` by the hundred at once, beside a run: they cost neither the link nor the run. And what they tell
//! has an end, and on a listener of its own nothing else is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;

use api_spec::Code;
use common::live::{Up, live};
use common::{Reply, Rig, TOKEN, wait_for};
use engined::http::Listener;
use serde_json::json;

const SCRAPES: usize = 300;

/// All are sent before the first answer is read.
fn scrape(connect: impl Fn() -> TcpStream) -> Vec<Reply> {
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
fn one_after_the_other_they_ask_jaild_five_times_a_second() {
    let rig = Rig::start();
    let before = rig.fake.seen.inventories.load(Ordering::SeqCst);
    let begun = std::time::Instant::now();
    let ran = std::thread::scope(|scope| {
        let runs = scope.spawn(|| (0..20).filter(|_| rig.run("say hello")["verdict"] == "ok").count());
        for _ in 0..100 {
            all_told(&[rig.get("/metrics")]);
        }
        runs.join().unwrap()
    });
    let took = begun.elapsed();
    let asked = rig.fake.seen.inventories.load(Ordering::SeqCst) - before;
    let most = 2 + usize::try_from(took.as_millis() / 200).unwrap();
    assert!((1..=most).contains(&asked), "{asked} questions in {took:?}");
    assert_eq!(ran, 20, "runs beside it");
}

#[test]
fn many_at_once_cost_no_run() {
    if !live() {
        return;
    }
    let up = Up::start();
    let limits = json!({"wall_time_ms": 600_000});
    let source = "import time\nprint('on', flush=True)\ntime.sleep(3)\nprint('done')";
    let request = json!({"language": "python", "source": source, "limits": limits});
    let state = up.call("POST", "/v1/executions?wait=false", &request).unwrap().json();
    let address = format!("/v1/executions/{}", state["id"].as_str().unwrap());
    // Or it was over before: a busy machine may take that long to tell.
    wait_for(|| up.call("GET", &address, &json!(null)).unwrap().json()["status"] != "queued");
    for _ in 0..3 {
        all_told(&scrape(|| TcpStream::connect(&up.address).unwrap()));
    }
    let result = up.call("GET", &format!("{address}?wait_ms=60000"), &json!(null)).unwrap().json();
    assert_eq!(
        (&result["verdict"], &result["run"]["stdout"]["text"]),
        (&json!("ok"), &json!("on\ndone\n")),
        "{result}"
    );
    up.stop();
}

/// A connection for each: the engine closes some of them.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    stream.write_all((head + body).as_bytes()).unwrap();
    Reply::read(&mut stream).unwrap()
}

#[test]
fn its_own_listener_tells_nothing_else() {
    let rig = Rig::start();
    let metrics = rig.listen(Listener::Metrics);
    let told = ask(metrics, "GET", "/metrics", "", "");
    assert_eq!((told.status, told.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    all_told(&[told]);
    let ran = rig.fake.seen.profiles.lock().unwrap().len();
    let token = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
    let run = json!({"language": "python", "source": "say hello"}).to_string();
    for (method, path, status) in [
        ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405),
        ("POST", "/v1/executions", 404),
        ("GET", "/v1/executions/01K", 404),
        ("GET", "/v1/languages", 404),
        ("GET", "/healthz", 404),
        ("GET", "/readyz", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/", 404),
    ] {
        assert_eq!(ask(metrics, method, path, &token, &run).status, status, "{method} {path}");
    }
    assert_eq!(rig.fake.seen.profiles.lock().unwrap().len(), ran, "nothing runs");
}

#[test]
fn no_caller_can_make_a_series() {
    let tenants: String = (0..1000)
        .map(|number| {
            let hash: String = engined::tenants::hash(format!("engined_{number}").as_bytes())
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            format!("[tenants.t{number}]\ntokens = [\"{hash}\"]\n")
        })
        .collect();
    let rig = Rig::with(2, &format!("{tenants}[tenants.t]\nadmin = true\ntokens = [\"HASH\"]\n"), &[]);
    let series = || {
        // What the engine asks itself and jaild from time to time is there when it was asked, if jaild was not too busy.
        let mut text = String::new();
        wait_for(|| {
            text = rig.get("/metrics").text();
            ["engined_check_ok{check=\"broker\"}", "engined_check_ok{check=\"store:usage\"}", "engined_stock_armed "]
                .iter()
                .all(|name| text.lines().any(|line| line.starts_with(name)))
        });
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    let before = series();
    for number in 0..1000 {
        let token = format!("Authorization: Bearer engined_{number}\r\nContent-Type: application/json\r\n");
        let body = |language: &str| {
            let labels = json!({format!("key-{number}"): format!("value {number}")});
            json!({"language": language, "source": "say hello", "labels": labels}).to_string()
        };
        assert_eq!(ask(rig.address, "POST", "/v1/executions", &token, &body("python")).status, 200);
        let unknown = body(&format!("language-{number}"));
        assert_eq!(ask(rig.address, "POST", "/v1/executions", &token, &unknown).status, 422);
        assert_eq!(ask(rig.address, "GET", &format!("/v1/odd/{number}?{number}=%22"), &token, "").status, 404);
    }
    assert_eq!(series(), before);
    let text = rig.get("/metrics").text();
    for line in [
        "engined_executions_total{language=\"python\",plan=\"default\",verdict=\"ok\"} 1000".to_owned(),
        format!("engined_problems_total{{code=\"{}\"}} 1000", Code::UnknownLanguage.name()),
        format!("engined_problems_total{{code=\"{}\"}} 1000", Code::NotFound.name()),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}
