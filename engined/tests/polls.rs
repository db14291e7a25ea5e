//! Thousands who wait for a result at once: they cost little, nobody else notices, and each is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::live::{Up, live};
use common::{PATIENCE, Reply, Rig, Scratch, TOKEN, wait_for};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

const POLLS: usize = 10_000;

/// As many descriptors as this process may have.
fn descriptors() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    usize::try_from(hard).unwrap_or(usize::MAX)
}

/// Sends a request over HTTP/2 and gives its answer's body.
async fn ask(client: &mut h2::client::SendRequest<bytes::Bytes>, path: &str) -> h2::client::ResponseFuture {
    *client = client.clone().ready().await.unwrap();
    let request = hyper::Request::get(format!("http://localhost{path}"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(())
        .unwrap();
    client.send_request(request, true).unwrap().0
}

async fn answer(response: h2::client::ResponseFuture) -> Value {
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn ten_thousand_wait_over_http2() {
    descriptors();
    let rig = Rig::with(21, "", &[]);
    let begin = |n: usize| {
        let body = json!({"language": "python", "source": format!("say {n}\nsleep 600000")}).to_string();
        let json = "Content-Type: application/json\r\n";
        let reply = rig.call("POST", "/v1/executions?wait=false", json, body.as_bytes());
        reply.header("location").unwrap().to_owned()
    };
    let addresses: Vec<String> = (0..20).map(begin).collect();
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 20);
    let before = rig.engine.memory.used();
    // Its worker keeps the connections alive while this thread does other things.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let answers = runtime.block_on(async {
        let mut answers = Vec::new();
        while answers.len() < POLLS {
            let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
            let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async move { drop(connection.await) });
            for n in 0..100 {
                let n = n % addresses.len();
                let path = format!("{}?wait_ms=60000", addresses[n]);
                let response = ask(&mut client, &path).await;
                let mut client = client.clone();
                // Read as they come: together they are more than a connection's window. Who has waited for a minute asks
                // again, as callers do: a busy machine may take longer than that to bring all of them here.
                let ended = async move {
                    let mut told = answer(response).await;
                    while told["status"] != "finished" {
                        told = answer(ask(&mut client, &path).await).await;
                    }
                    told
                };
                answers.push((n, tokio::spawn(ended)));
            }
            // One more: when it is answered, those before it wait.
            assert_eq!(answer(ask(&mut client, &addresses[0]).await).await["status"], "running");
        }
        answers
    });
    // Who waits holds nothing; who asks again just then holds its question.
    wait_for(|| rig.engine.memory.used() <= before);
    let begun = Instant::now();
    assert_eq!(rig.run("say hello")["verdict"], "ok");
    // Who had to wait for them would wait for a minute.
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    for address in &addresses {
        assert_eq!(rig.call("DELETE", address, "", b"").status, 202);
    }
    runtime.block_on(async {
        for (n, response) in answers {
            let result = response.await.unwrap();
            assert_eq!(
                (&result["verdict"], &result["run"]["stdout"]["text"]),
                (&json!("cancelled"), &json!(format!("{n}\n")))
            );
        }
    });
}

#[test]
fn so_many_requests_of_a_tenant_wait_for_batches_and_no_more() {
    const MOST: usize = engined::batch::READERS;
    descriptors();
    let folders = Scratch::new();
    engined::cache::folder::make(&folders.0.join("batches")).unwrap();
    let rig = Rig::with(2, &format!("[batches]\nfolder = {:?}\n", folders.0.join("batches")), &[]);
    let batch = json!({
        "submissions": [{"id": "s", "language": "python", "source": "sleep 600000"}],
        "tests": [{"id": "t", "stdin": "", "expected": "x"}],
    });
    let json = "Content-Type: application/json\r\n";
    let reply = rig.call("POST", "/v1/batches", json, batch.to_string().as_bytes());
    let path = reply.header("location").unwrap().to_owned();
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let answers = runtime.block_on(async {
        let mut answers = Vec::new();
        while answers.len() < MOST {
            let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
            let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async move { drop(connection.await) });
            for _ in 0..64 {
                let response = ask(&mut client, &format!("{path}?wait_ms=60000")).await;
                answers.push(tokio::spawn(answer(response)));
            }
            // One more: when it is answered, those before it wait.
            assert_eq!(answer(ask(&mut client, &path).await).await["status"], "running");
        }
        answers
    });
    for waits in ["?wait_ms=1", "/results?wait_ms=1", "/events"] {
        let problem = rig.get(&format!("{path}{waits}")).problem(429, "quota_exceeded");
        assert!(
            problem["detail"].as_str().unwrap().starts_with(&format!("{MOST} requests of the tenant")),
            "{problem}"
        );
    }
    for at_once in ["", "/results"] {
        assert_eq!(rig.get(&format!("{path}{at_once}")).status, 200, "{at_once}");
    }
    assert_eq!(rig.call("DELETE", &path, "", b"").status, 202);
    runtime.block_on(async {
        for response in answers {
            assert_eq!(response.await.unwrap()["status"], "cancelled");
        }
    });
    assert_eq!(rig.get(&format!("{path}/results?wait_ms=1")).status, 200, "their places are free again");
}

/// Memory of a process.
fn resident_kib(pid: i32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn thousands_wait_over_http1_for_a_real_program() {
    if !live() {
        return;
    }
    // The engine keeps some of its descriptors for other things, and so do we.
    let polls = POLLS.min(descriptors().saturating_sub(1000));
    let up = Up::start();
    let engine = up.child("engined");
    let post = |path: &str, source: &str| {
        let limits = json!({"cpu_time_ms": 500_000, "wall_time_ms": 500_000});
        let request = json!({"language": "python", "source": source, "limits": limits});
        up.call("POST", path, &request).unwrap().json()
    };
    let state = post("/v1/executions?wait=false", "print('on', flush=True)\nwhile True: pass");
    let address = format!("/v1/executions/{}", state["id"].as_str().unwrap());
    let before = resident_kib(engine);
    let begun = Instant::now();
    let ask = |stream: &mut TcpStream| {
        write!(stream, "GET {address}?wait_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    };
    let poll = |_| {
        let mut stream = TcpStream::connect(&up.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(&mut stream);
        stream
    };
    let mut waiting: Vec<TcpStream> = (0..polls).map(poll).collect();
    let open = format!("engined_connections {}", polls + 1);
    wait_for(|| up.call("GET", "/metrics", &Value::Null).is_some_and(|reply| reply.text().contains(&open)));
    let each = resident_kib(engine).saturating_sub(before) / polls;
    println!("{polls} polls, {each} KiB each, {:?}", begun.elapsed());
    assert!(each < 40, "{each} KiB for each who waits");

    let hello = post("/v1/executions", "print('hello')");
    assert_eq!(hello["run"]["stdout"]["text"], "hello\n", "{hello}");
    assert!(hello["timings"]["total_us"].as_u64().unwrap() < 50_000_000, "{hello}");
    assert_eq!(up.call("DELETE", &address, &Value::Null).unwrap().status, 202);
    for stream in &mut waiting {
        let mut result = Reply::read(stream).unwrap().json();
        // Who has waited for a minute before all of them were here asks again.
        if result["status"] != "finished" {
            ask(stream);
            result = Reply::read(stream).unwrap().json();
        }
        assert_eq!((&result["verdict"], &result["run"]["stdout"]["text"]), (&json!("cancelled"), &json!("on\n")));
    }
    drop(waiting);
    up.stop();
}
