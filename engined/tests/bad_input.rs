//! Bad input: one clear problem each, never a 5xx of ours, never a hang, and the next honest caller notices nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use common::{Reply, Rig, TOKEN, wait_for};
use jail::spec::Layer;
use serde_json::{Value, json};

/// The problem that a body is answered with: status, code and field.
fn refused(rig: &Rig, body: &[u8]) -> (u16, String, Value) {
    let reply = rig.post(body);
    let problem = reply.problem(reply.status, reply.json()["code"].as_str().unwrap());
    (reply.status, problem["code"].as_str().unwrap().to_owned(), problem["field"].clone())
}

#[test]
fn every_mistake_in_a_body_is_named() {
    let rig = Rig::start();
    let python = |field: &str, value: Value| json!({"language": "python", "source": "x", field: value}).to_string();
    let limit = |name: &str, value: Value| python("limits", json!({name: value}));
    let files = |files: Value| json!({"language": "python", "files": files}).to_string();
    let file = |path: &str| files(json!([{"path": path, "content": ""}]));
    let many: Vec<Value> = (0..257).map(|n| json!({"path": format!("{n}"), "content": ""})).collect();
    let table: Vec<(String, u16, &str, &str)> = vec![
        ("".into(), 400, "malformed_json", ""),
        ("{".into(), 400, "malformed_json", ""),
        ("not json".into(), 400, "malformed_json", ""),
        (r#"{"language": "python", "source": "x"} {}"#.into(), 400, "malformed_json", ""),
        ("[".repeat(100_000), 400, "invalid_request", ""),
        ("[]".into(), 400, "invalid_request", ""),
        ("{}".into(), 400, "invalid_request", "/language"),
        (json!({"language": "python"}).to_string(), 400, "invalid_request", "/source"),
        (python("colour", json!(1)), 400, "invalid_request", "/colour"),
        (python("args", json!("x")), 400, "invalid_request", "/args"),
        (python("args", json!(["a", 1])), 400, "invalid_request", "/args/1"),
        (python("args", json!(["\u{0}"])), 400, "invalid_request", "/args/0"),
        (python("env", json!({"1A": "x"})), 400, "invalid_request", "/env/1A"),
        (python("stdin", json!({"base64": "!"})), 400, "invalid_base64", "/stdin/base64"),
        (python("outputs", json!("*")), 400, "invalid_request", "/outputs"),
        (python("outputs", json!(["*", 1])), 400, "invalid_request", "/outputs/1"),
        (python("outputs", json!(vec!["*"; 17])), 400, "invalid_request", "/outputs"),
        (python("outputs", json!(["a", "../*"])), 400, "invalid_path", "/outputs/1"),
        (python("outputs", json!(["/etc/passwd"])), 400, "invalid_path", "/outputs/0"),
        (python("outputs", json!([""])), 400, "invalid_path", "/outputs/0"),
        (python("outputs", json!(["a\u{0}b"])), 400, "invalid_path", "/outputs/0"),
        (python("outputs", json!(["x".repeat(1025)])), 400, "invalid_path", "/outputs/0"),
        (python("outputs", json!(["!a"])), 400, "invalid_request", "/outputs/0"),
        (python("outputs", json!(["a", "b", "{a"])), 400, "invalid_request", "/outputs/2"),
        (python("args", json!(["x".repeat(140_000)])), 400, "invalid_request", "/args"),
        (json!({"language": "cobol", "source": "x"}).to_string(), 422, "unknown_language", "/language"),
        (json!({"language": 5, "source": "x"}).to_string(), 400, "invalid_request", "/language"),
        (python("version", json!("2")), 422, "unknown_version", "/version"),
        (python("entry", json!("nope.py")), 400, "invalid_request", "/entry"),
        (python("compile_flags", json!(["-O2"])), 422, "flag_not_allowed", "/compile_flags/0"),
        (file("../x"), 400, "invalid_path", "/files/0/path"),
        (file("/etc/passwd"), 400, "invalid_path", "/files/0/path"),
        (file("a\u{0}b"), 400, "invalid_path", "/files/0/path"),
        (file(""), 400, "invalid_path", "/files/0/path"),
        (file(&"a/".repeat(2500)), 400, "invalid_path", "/files/0/path"),
        (
            files(json!([{"path": "a", "content": ""}, {"path": "a", "content": ""}])),
            400,
            "invalid_path",
            "/files/1/path",
        ),
        (files(json!([])), 400, "invalid_request", "/files"),
        (files(json!(many)), 413, "too_many_files", "/files"),
        (
            json!({"language": "python", "source": "x".repeat((1 << 20) + 1)}).to_string(),
            413,
            "source_too_large",
            "/source",
        ),
        (limit("cpu_time_ms", json!(0)), 422, "limit_too_low", "/limits/cpu_time_ms"),
        (limit("memory_bytes", json!(-5)), 422, "limit_too_low", "/limits/memory_bytes"),
        (limit("memory_bytes", json!(1000)), 422, "limit_too_low", "/limits/memory_bytes"),
        (limit("memory_bytes", json!(1_u64 << 40)), 422, "limit_above_ceiling", "/limits/memory_bytes"),
        (limit("wall_time_ms", json!(u64::MAX)), 422, "limit_above_ceiling", "/limits/wall_time_ms"),
        (limit("processes", json!(1.5)), 400, "invalid_request", "/limits/processes"),
        (limit("colour", json!(1)), 400, "invalid_request", "/limits/colour"),
        (limit("cpus", json!(0)), 422, "limit_too_low", "/limits/cpus"),
    ];
    for (body, status, code, field) in table {
        let shown = &body[..body.len().min(120)];
        assert_eq!(refused(&rig, body.as_bytes()), (status, code.to_owned(), field_value(code, field)), "{shown}");
    }
    let bytes = [b"{\"language\": \"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    assert_eq!(refused(&rig, &bytes).1, "malformed_json");
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}

/// Where nothing of the body was understood there is no place to point at.
fn field_value(code: &str, field: &str) -> Value {
    if code == "malformed_json" { Value::Null } else { json!(field) }
}

#[test]
fn addresses_methods_and_types_are_checked() {
    let rig = Rig::start();
    rig.get("/v2/executions").problem(404, "not_found");
    rig.get("/v1/executions/").problem(404, "not_found");
    let reply = rig.get("/v1/executions");
    reply.problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = rig.call("DELETE", "/healthz", "", b"");
    reply.problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    rig.call("POST", "/v1/executions", "", b"{}").problem(415, "unsupported_media_type");
    rig.call("POST", "/v1/executions", "Content-Type: text/plain\r\n", b"{}").problem(415, "unsupported_media_type");
    let gzip = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    rig.call("POST", "/v1/executions", gzip, b"{}").problem(415, "unsupported_media_type");
    rig.call("GET", "/v1/version", "Accept: text/html\r\n", b"").problem(406, "not_acceptable");
    assert_eq!(rig.call("GET", "/v1/version", "Accept: text/html, */*;q=0.1\r\n", b"").status, 200);
    let query = "/v1/executions?wait=maybe";
    rig.call("POST", query, "Content-Type: application/json\r\n", b"{}").problem(400, "invalid_request");
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/version",
        "/v1/languages",
        "/v1/isolation",
        "/openapi.json",
        "/openapi.yaml",
    ] {
        assert_eq!(rig.get(path).status, 200, "{path}");
    }
    let reply = rig.call("GET", "/v1/version", "X-Request-Id: mine-1\r\n", b"");
    assert_eq!(reply.header("x-request-id"), Some("mine-1"));
    let reply = rig.call("GET", "/v1/version", "X-Request-Id: a b\r\n", b"");
    assert_ne!(reply.header("x-request-id"), Some("a b"));
}

#[test]
fn the_unknown_are_turned_away_before_their_body() {
    let rig = Rig::with(1, "[http]\nheader_timeout_ms = 120000\n", &[]);
    for authorization in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic eDp5\r\n"] {
        let mut stream = rig.connect();
        let begun = Instant::now();
        // The body is announced and never sent.
        write!(stream, "POST /v1/executions HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n{authorization}\r\n")
            .unwrap();
        let reply = Reply::read(&mut stream).unwrap();
        reply.problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(begun.elapsed() < Duration::from_secs(100), "the body was waited for");
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0, "and the connection ends");
    }
    // Who sends it nevertheless still gets the answer.
    let body = vec![b'x'; 8 << 20];
    rig.raw_call("POST", "/v1/executions", "", &body).problem(401, "unauthenticated");
    let twice = format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\n");
    rig.raw_call("GET", "/v1/version", &twice, b"").problem(401, "unauthenticated");
    rig.raw_call("GET", &format!("/v1/version?token={TOKEN}"), "", b"").problem(401, "unauthenticated");
    assert_eq!(rig.raw_call("GET", "/healthz", "", b"").status, 200);
}

#[test]
fn a_body_over_the_cap_is_not_read() {
    let rig = Rig::with(1, "[http]\nbody_bytes = 100000\n", &[]);
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    );
    let mut stream = rig.connect();
    write!(stream, "{head}Content-Length: 100001\r\n\r\n").unwrap();
    Reply::read(&mut stream).unwrap().problem(413, "body_too_large");
    let mut stream = rig.connect();
    write!(stream, "{head}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..200 {
        if write!(stream, "400\r\n{}\r\n", "x".repeat(1024)).is_err() {
            break;
        }
    }
    Reply::read(&mut stream).unwrap().problem(413, "body_too_large");
    assert_eq!(rig.engine.memory.used(), 0);
}

#[test]
fn memory_that_is_used_up_is_said_so() {
    let rig = Rig::with(1, "[engine]\nengine_memory_bytes = 8000000\n", &[]);
    let large = json!({"language": "python", "source": "say x", "stdin": "x".repeat(5_000_000)});
    rig.execute(&large).problem(503, "memory_budget");
    wait_for(|| rig.engine.memory.used() == 0);
    let small = json!({"language": "python", "source": "say x", "stdin": "x".repeat(1_000_000)});
    assert_eq!(rig.execute(&small).status, 200);
    wait_for(|| rig.engine.memory.used() == 0);
}

#[test]
fn headers_have_bounds_and_a_problem() {
    let rig = Rig::start();
    for headers in [
        "X: y\r\n".repeat(5000),
        (0..150).map(|n| format!("X-{n}: y\r\n")).collect(),
        format!("X: {}\r\n", "y".repeat(100_000)),
    ] {
        let mut stream = rig.connect();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap_or_default();
        let reply = Reply::read(&mut stream).unwrap();
        reply.problem(431, "headers_too_large");
        assert_eq!(reply.header("connection"), Some("close"));
    }
    let mut stream = rig.connect();
    write!(stream, "GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(70_000)).unwrap_or_default();
    Reply::read(&mut stream).unwrap().problem(431, "headers_too_large");
    for garbage in
        ["\x00\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        let mut stream = rig.connect();
        stream.write_all(garbage.as_bytes()).unwrap();
        Reply::read(&mut stream).unwrap().problem(400, "invalid_request");
    }
    assert_eq!(rig.get("/healthz").status, 200);
    // Also those of which no request was made.
    let metrics = rig.get("/metrics").text();
    for (code, count) in [("headers_too_large", 4), ("invalid_request", 4)] {
        let line = format!("\nengined_problems_total{{code=\"{code}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[test]
fn the_slow_are_told_and_sent_away() {
    let rig =
        Rig::with(1, "[http]\nheader_timeout_ms = 300\nidle_timeout_ms = 600000\nbody_bytes_per_second = 10000\n", &[]);
    let mut stream = rig.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHo").unwrap();
    Reply::read(&mut stream).unwrap().problem(408, "request_timeout");
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    assert!(rig.get("/metrics").text().contains("\nengined_problems_total{code=\"request_timeout\"} 1\n"));

    let mut stream = rig.connect();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..20 {
        if stream.write_all(b"x").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Reply::read(&mut stream).unwrap().problem(408, "request_timeout");

    // Between two requests a connection may rest longer than a head may take.
    let mut resting = rig.connect();
    for _ in 0..2 {
        resting.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(Reply::read(&mut resting).unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(450));
    }
    // Half a request, then gone.
    let mut stream = rig.connect();
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}

/// Nothing at all, and nothing more after an answer: the connection ends by itself.
#[test]
fn a_connection_without_a_request_ends() {
    let rig = Rig::with(1, "[http]\nidle_timeout_ms = 600\n", &[]);
    let mut silent = rig.connect();
    let mut done = rig.connect();
    // A busy machine may take that long to say it.
    let asked = |stream: &mut std::net::TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        Reply::read(stream)
    };
    let answer = loop {
        if let Some(answer) = asked(&mut done) {
            break answer;
        }
        done = rig.connect();
    };
    assert_eq!(answer.status, 200);
    for stream in [&mut silent, &mut done] {
        assert!(Reply::read(stream).is_none());
    }
}

#[test]
fn a_thousand_slow_clients_change_nothing() {
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    // Whoever had to wait for them would wait so long.
    let rig = Rig::with(2, "[http]\nheader_timeout_ms = 600000\n", &[]);
    let mut slow = Vec::new();
    for n in 0..1000 {
        let mut stream = rig.connect();
        let head = "POST /v1/executions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let rest = match n % 3 {
            0 => String::new(),
            1 => format!("Authorization: Bearer {TOKEN}\r\nContent-Length: 60000000\r\n\r\n{{"),
            _ => format!("Authorization: Bearer {TOKEN}\r\nX-Slow: "),
        };
        stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
        slow.push(stream);
    }
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(rig.run("say honest")["verdict"], "ok");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
    assert!(rig.engine.memory.used() < 1 << 20, "what was announced takes nothing");
}

#[test]
fn who_does_not_read_the_answer_loses_it() {
    let rig = Rig::with(1, "[http]\nwrite_timeout_ms = 300\n", &[]);
    let mut stream = rig.connect();
    let body =
        json!({"language": "python", "source": "flood 16000000", "limits": {"output_bytes": 16_000_000}}).to_string();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    wait_for(|| rig.fake.seen.played.lock().unwrap().iter().any(|run| run.0.starts_with("flood") && run.2.is_some()));
    // It was held for the caller, and more than a socket takes is gone.
    wait_for(|| rig.engine.memory.used() == 0);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
    let mut came = Vec::new();
    // However it ends: the rest was on its way when the engine closed.
    drop(stream.read_to_end(&mut came));
    assert!(came.starts_with(b"HTTP/1.1 200") && came.len() < 15_000_000, "{}", came.len());
}

#[test]
fn head_has_no_body() {
    let rig = Rig::start();
    let mut stream = rig.connect();
    stream.write_all(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn connections_are_kept_and_may_be_used_again() {
    let rig = Rig::start();
    let mut stream = rig.connect();
    for _ in 0..3 {
        write!(stream, "GET /v1/version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").unwrap();
        assert_eq!(Reply::read(&mut stream).unwrap().status, 200);
    }
}

#[test]
fn http2_resets_end_the_connection_not_the_engine() {
    let rig = Rig::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let resets = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut resets = 0;
        for _ in 0..5000 {
            let Ok(mut client) = client.clone().ready().await else { break };
            let request = hyper::Request::get("http://localhost/healthz").body(()).unwrap();
            let Ok((_, mut stream)) = client.send_request(request, true) else { break };
            stream.send_reset(h2::Reason::CANCEL);
            resets += 1;
            tokio::task::yield_now().await;
        }
        drop(client);
        drop(tokio::time::timeout(common::PATIENCE, connection).await);
        resets
    });
    println!("{resets} resets");
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}

#[test]
fn a_missing_layer_is_not_ready() {
    let rig = Rig::unready(1, "", &[Layer::Landlock]);
    wait_for(|| rig.engine.standing().welcome.is_some());
    let problem = rig.get("/readyz").problem(503, "not_ready");
    assert!(
        problem["detail"].as_str().unwrap().contains("the layer landlock is missing: boot with landlock"),
        "{problem}"
    );
    rig.execute(&json!({"language": "python", "source": "say x"})).problem(503, "not_ready");
    let isolation = rig.get("/v1/isolation").json();
    let landlock = isolation["layers"].as_array().unwrap().iter().find(|l| l["layer"] == "landlock").unwrap();
    assert_eq!((&landlock["wanted"], &landlock["obtained"]), (&json!(true), &json!(false)));
    assert_eq!(rig.get("/healthz").status, 200);
}

#[test]
fn a_link_that_is_down_says_why() {
    let rig = Rig::start();
    rig.fake.crash();
    wait_for(|| rig.engine.ready().is_ok() || rig.get("/readyz").status == 503);
    wait_for(|| rig.get("/readyz").status == 200);
}

#[test]
fn development_is_for_local_programs() {
    let rig = Rig::with(
        1,
        "[listen]\ntcp = \"127.0.0.1:0\"\ndevelopment = true\n[tenants.t]\nallowed_users = [\"0\"]\n",
        &[],
    );
    let call = |headers: &str| {
        let mut stream = rig.connect();
        write!(stream, "GET /v1/version HTTP/1.1\r\n{headers}\r\n").unwrap();
        Reply::read(&mut stream).unwrap()
    };
    assert_eq!(call("Host: 127.0.0.1:7070\r\n").status, 200);
    assert_eq!(call("Host: localhost\r\nOrigin: http://localhost:3000\r\n").status, 200);
    call("Host: evil.example\r\n").problem(403, "forbidden");
    call("Host: localhost\r\nOrigin: https://evil.example\r\n").problem(403, "forbidden");
    call("Host: localhost\r\nOrigin: null\r\n").problem(403, "forbidden");
    call("").problem(403, "forbidden");
}

#[test]
fn languages_say_their_limits() {
    let rig = Rig::start();
    let languages = rig.get("/v1/languages").json();
    let python = languages["languages"].as_array().unwrap().iter().find(|l| l["id"] == "python").unwrap();
    let version = &python["versions"][0];
    assert_eq!(version["version"], "3.11.2");
    assert_eq!(version["compile"], json!(null));
    assert_eq!(version["run"]["limits"]["cpu_time_ms"], 5000);
    assert_eq!(version["run"]["ceilings"]["cpus"], 8.0, "jaild's, where the plan has more");
    assert!(version["run"]["floors"]["memory_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(version["toolchain_digest"].as_str().unwrap().starts_with("sha256:"));
    let metrics = rig.get("/metrics");
    assert!(metrics.text().contains("engined_link_up 1") && metrics.text().contains("engined_slots 2"));
}
