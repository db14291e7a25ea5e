//! `wait=false` and what belongs to it, through the whole engine, with a jaild that plays programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Reply, Rig, TOKEN, wait_for};
use jail::spec::StopReason;
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

fn python(words: &str) -> Value {
    json!({"language": "python", "source": words})
}

/// Sends it without waiting.
fn post(rig: &Rig, request: &Value) -> Reply {
    rig.call("POST", "/v1/executions?wait=false", JSON, request.to_string().as_bytes())
}

/// Begins the words as Python and gives their address.
fn begin(rig: &Rig, words: &str) -> String {
    let reply = post(rig, &python(words));
    assert_eq!(reply.status, 202, "{}", reply.text());
    let state = reply.json();
    assert_eq!((&state["status"], &state["stage"]), (&json!("queued"), &json!(null)));
    let address = reply.header("location").unwrap().to_owned();
    assert_eq!(address, format!("/v1/executions/{}", state["id"].as_str().unwrap()));
    address
}

fn get(rig: &Rig, address: &str) -> Value {
    let reply = rig.get(address);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn delete(rig: &Rig, address: &str) -> Reply {
    rig.call("DELETE", address, "", b"")
}

/// The result, however long it takes.
fn result(rig: &Rig, address: &str) -> Value {
    let result = get(rig, &format!("{address}?wait_ms=60000"));
    assert_eq!(result["status"], "finished", "{result}");
    result
}

fn running(rig: &Rig) -> usize {
    rig.fake.seen.running.load(Ordering::SeqCst)
}

fn rig_with_two_tenants(more: &str) -> Rig {
    let hash: String = engined::tenants::hash(b"other").iter().map(|byte| format!("{byte:02x}")).collect();
    Rig::with(
        1,
        &format!("{more}[tenants.t]\nadmin = true\ntokens = [\"HASH\"]\n[tenants.u]\ntokens = [\"{hash}\"]\n"),
        &[],
    )
}

#[test]
fn a_result_is_fetched_later_as_often_as_one_likes() {
    let rig = Rig::start();
    let address = begin(&rig, "say hello\nwarn careful");
    let fetched = result(&rig, &address);
    assert_eq!((&fetched["verdict"], &fetched["run"]["stdout"]["text"]), (&json!("ok"), &json!("hello\n")));
    assert!(address.ends_with(fetched["id"].as_str().unwrap()));
    let again = rig.get(&address);
    assert_eq!((again.json(), again.header("content-type")), (fetched, Some("application/json")));
    let kept = rig.engine.memory.used();
    assert!((500..10_000).contains(&kept), "its bytes count: {kept}");
    let metrics = rig.get("/metrics").text();
    assert!(
        metrics.contains("engined_executions_total{language=\"python\",plan=\"default\",verdict=\"ok\"} 1"),
        "{metrics}"
    );
    let failed = post(&rig, &json!({"language": "c", "source": "#error"}));
    let failed = result(&rig, failed.header("location").unwrap());
    assert_eq!((&failed["verdict"], &failed["run"]), (&json!("compile_error"), &json!(null)));
}

#[test]
fn the_state_says_how_far_it_is() {
    let rig = Rig::with(1, "", &[]);
    let first = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let id = first.rsplit('/').next().unwrap();
    let state = json!({"id": id, "status": "running", "position": null, "stage": "run"});
    assert_eq!(get(&rig, &first), state);
    assert_eq!(get(&rig, &format!("{first}?wait_ms=0")), state);
    let begun = Instant::now();
    assert_eq!(get(&rig, &format!("{first}?wait_ms=300")), state);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let waiting: Vec<String> = (0..3).map(|n| begin(&rig, &format!("say {n}"))).collect();
    for (position, address) in waiting.iter().enumerate() {
        let state = get(&rig, address);
        assert_eq!((&state["status"], &state["position"]), (&json!("queued"), &json!(position)), "{state}");
        assert_eq!(state["stage"], json!(null));
    }
    assert_eq!(post(&rig, &python("say last")).json()["position"], 3);
    delete(&rig, &waiting[0]);
    wait_for(|| get(&rig, &waiting[2])["position"] == 1);
    delete(&rig, &first);
    assert_eq!(result(&rig, &waiting[2])["run"]["stdout"]["text"], "2\n");
}

#[test]
fn a_long_poll_is_woken_by_the_end() {
    let rig = Rig::with(1, "[http]\nidle_timeout_ms = 200\nheader_timeout_ms = 200\n", &[]);
    // An engine with so little patience may have had enough of a connection before its request comes.
    let ask = |method: &str, path: &str, body: &str| loop {
        let mut stream = rig.connect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{JSON}Content-Length: \
             {length}\r\n\r\n{body}"
        );
        let sent = std::io::Write::write_all(&mut stream, request.as_bytes());
        if let Some(reply) = sent.ok().and_then(|()| Reply::read(&mut stream)).filter(|reply| reply.status != 408) {
            break reply;
        }
    };
    let begun = Instant::now();
    let accepted = ask("POST", "/v1/executions?wait=false", &python("sleep 1000\nsay done").to_string());
    let address = accepted.header("location").unwrap();
    // Longer than a connection may be idle: it is not, it waits.
    let fetched = ask("GET", &format!("{address}?wait_ms=60000"), "").json();
    assert_eq!(fetched["run"]["stdout"]["text"], "done\n");
    assert!(begun.elapsed() < Duration::from_secs(55), "{:?}", begun.elapsed());
    let timings = &fetched["timings"];
    assert!(timings["total_us"].as_u64().unwrap() >= 1_000_000, "{timings}");
}

#[test]
fn what_runs_is_killed_and_says_cancelled() {
    let rig = Rig::with(1, "", &[]);
    let address = begin(&rig, "say before\nsleep 60000");
    wait_for(|| running(&rig) == 1);
    let state = delete(&rig, &address);
    // It may be over by the time of the answer.
    let told = (state.status, state.json()["status"].clone());
    assert!([(202, json!("running")), (200, json!("finished"))].contains(&told), "{told:?}");
    let again = delete(&rig, &address);
    assert!(matches!(again.status, 200 | 202), "{}", again.text());
    let ended = result(&rig, &address);
    assert_eq!(ended["verdict"], "cancelled");
    assert_eq!(ended["reason"]["message"], "The caller cancelled the run.");
    assert_eq!((&ended["run"]["stdout"]["text"], &ended["run"]["signal"]), (&json!("before\n"), &json!("SIGKILL")));
    assert_eq!(*rig.fake.seen.stopped.lock().unwrap(), [StopReason::Cancelled]);
    let over = delete(&rig, &address);
    assert_eq!((over.status, over.json()), (200, ended));
    assert_eq!(rig.run("say next")["verdict"], "ok", "the slot came back");
    let metrics = rig.get("/metrics").text();
    assert!(metrics.contains("engined_executions_total{language=\"python\",plan=\"default\",verdict=\"cancelled\"} 1"));
}

#[test]
fn what_waits_is_dropped_and_says_cancelled() {
    let rig = Rig::with(1, "", &[]);
    let first = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let second = begin(&rig, "say never");
    let state = delete(&rig, &second);
    assert_eq!((state.status, &state.json()["status"]), (202, &json!("queued")));
    let ended = result(&rig, &second);
    assert_eq!(
        (&ended["verdict"], &ended["compile"], &ended["run"]),
        (&json!("cancelled"), &json!(null), &json!(null))
    );
    assert_eq!(ended["reason"]["message"], "The caller cancelled the run before it began.");
    assert_eq!(ended["isolation"], json!({"layers": [], "missing": []}));
    assert_eq!(rig.engine.queue.gauges().waiting, [0, 0]);
    assert_eq!(running(&rig), 1, "the other one goes on");
    delete(&rig, &first);
    assert_eq!(result(&rig, &first)["verdict"], "cancelled");
}

#[test]
fn an_address_is_known_to_its_tenant_alone() {
    let rig = rig_with_two_tenants("");
    let address = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let never = "/v1/executions/01K0ABCDEFGHJKMNPQRSTVWXYZ";
    let told = |method: &str, path: &str| {
        let mut problem = rig.raw_call(method, path, "Authorization: Bearer other\r\n", b"").problem(404, "not_found");
        problem["request_id"] = json!(null);
        problem.to_string().replace(path, "PATH")
    };
    let nothing = told("GET", never);
    assert!(nothing.contains("there is no \\\"PATH\\\""), "{nothing}");
    for (method, path) in [("GET", &*address), ("DELETE", &*address), ("DELETE", never), ("GET", "/v1/executions/x")] {
        assert_eq!(told(method, path), nothing, "{method} {path}");
    }
    rig.raw_call("GET", &address, "", b"").problem(401, "unauthenticated");
    assert_eq!(get(&rig, &address)["status"], "running", "it goes on");
    delete(&rig, &address);
    result(&rig, &address);
    assert_eq!(told("GET", &address), nothing);
}

#[test]
fn results_expire_and_are_said_to_have() {
    let rig = rig_with_two_tenants("[results]\nkeep_seconds = 1\n");
    let address = begin(&rig, "say x");
    wait_for(|| rig.get(&address).status == 404);
    let problem = rig.get(&address).problem(404, "result_expired");
    assert!(problem["detail"].as_str().unwrap().contains("more than 1 s ago (results.keep_seconds)"), "{problem}");
    delete(&rig, &address).problem(404, "result_expired");
    wait_for(|| rig.engine.memory.used() == 0);
    let other = rig.raw_call("GET", &address, "Authorization: Bearer other\r\n", b"");
    other.problem(404, "not_found");
}

#[test]
fn the_oldest_results_make_room() {
    let rig = Rig::with(1, "[results]\nbytes_per_tenant = 20000\n", &[]);
    let say = |count: usize| begin(&rig, &format!("say {}", "x".repeat(count)));
    let first = say(8_000);
    result(&rig, &first);
    let second = say(8_000);
    result(&rig, &second);
    let third = say(8_000);
    result(&rig, &third);
    rig.get(&first).problem(404, "result_expired");
    assert_eq!(result(&rig, &second)["verdict"], "ok");
    // It can't end before somebody waits for it: the only slot is taken.
    let before = begin(&rig, "sleep 60000");
    let huge = say(30_000);
    let fetched = std::thread::scope(|scope| {
        let waits = scope.spawn(|| get(&rig, &format!("{huge}?wait_ms=60000")));
        wait_for(|| rig.engine.kept.followers() == 1);
        delete(&rig, &before);
        waits.join().unwrap()
    });
    assert_eq!(fetched["status"], "finished", "who waits already gets it");
    let problem = rig.get(&huge).problem(404, "result_expired");
    assert!(problem["detail"].as_str().unwrap().contains("larger than what may be kept"), "{problem}");
    assert_eq!(result(&rig, &third)["verdict"], "ok", "it took nobody's room");
}

#[test]
fn a_shed_request_is_a_problem() {
    let rig = Rig::with(1, "[engine]\nqueue_length = 2\n[results]\nper_tenant = 2\n", &[]);
    for (body, status, code) in [
        ("{".to_owned(), 400, "malformed_json"),
        (json!({"language": "cobol", "source": "x"}).to_string(), 422, "unknown_language"),
        (
            json!({"language": "python", "source": "x", "limits": {"cpus": 1000}}).to_string(),
            422,
            "limit_above_ceiling",
        ),
    ] {
        rig.call("POST", "/v1/executions?wait=false", JSON, body.as_bytes()).problem(status, code);
        rig.call("POST", "/v1/executions?validate=true", JSON, body.as_bytes()).problem(status, code);
    }
    rig.call("POST", "/v1/executions?wait=false", "", b"{}").problem(415, "unsupported_media_type");
    let first = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let second = begin(&rig, "gate\nsay second");
    let problem = post(&rig, &python("say third")).problem(429, "quota_exceeded");
    assert!(problem["detail"].as_str().unwrap().contains("results.per_tenant"), "{problem}");
    assert_eq!(rig.engine.queue.gauges().waiting, [1, 0], "it left the queue");
    std::thread::scope(|scope| {
        let third = scope.spawn(|| rig.run("say third"));
        wait_for(|| rig.engine.queue.gauges().waiting == [2, 0]);
        post(&rig, &python("say fourth")).problem(503, "queue_full");
        delete(&rig, &first);
        // The second goes on when the first's result is kept: the older of the two has to make room below.
        result(&rig, &first);
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(third.join().unwrap()["verdict"], "ok");
    });
    result(&rig, &second);
    let third = begin(&rig, "say third");
    rig.get(&first).problem(404, "result_expired");
    result(&rig, &third);
}

#[test]
fn who_waits_too_long_gets_a_result_that_says_so() {
    let rig = Rig::with(1, "[engine]\nqueue_wait_ms = 200\n", &[]);
    let first = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let second = result(&rig, &begin(&rig, "say second"));
    assert_eq!((&second["verdict"], &second["run"]), (&json!("cancelled"), &json!(null)));
    assert_eq!(second["reason"]["hint"], "queue_wait");
    let message = second["reason"]["message"].as_str().unwrap();
    assert!(message.starts_with("It waited longer than the engine lets a run wait (0.200 s, engine.queue_wait_ms)"));
    assert!(second["timings"]["queue_us"].as_u64().unwrap() >= 200_000, "{second}");
    let metrics = rig.get("/metrics").text();
    for line in [
        "engined_problems_total{code=\"queue_full\"} 1",
        "engined_slo_requests_total{outcome=\"bad\",slo=\"availability\"} 1",
        "engined_slo_requests_total{outcome=\"good\",slo=\"availability\"} 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "as for one who waits: {line}\n{metrics}");
    }
    delete(&rig, &first);
}

#[test]
fn a_lost_link_ends_as_an_engine_error() {
    let rig = Rig::with(1, "", &[]);
    let address = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    rig.fake.crash();
    assert_eq!(result(&rig, &address)["verdict"], "engine_error");
    let metrics = rig.get("/metrics").text();
    assert!(
        metrics.contains("engined_executions_total{language=\"python\",plan=\"default\",verdict=\"engine_error\"} 1")
    );
}

#[test]
fn memory_that_is_used_up_is_a_result_too() {
    let rig = Rig::with(2, "[engine]\nengine_memory_bytes = 8000000\n", &[]);
    let request = json!({"language": "python", "source": "sleep 60000", "limits": {"output_bytes": 3_000_000}});
    let first = post(&rig, &request);
    wait_for(|| running(&rig) == 1);
    let second = post(&rig, &request);
    let second = result(&rig, second.header("location").unwrap());
    assert_eq!(second["verdict"], "engine_error");
    assert!(second["reason"]["message"].as_str().unwrap().contains("memory budget"), "{second}");
    delete(&rig, first.header("location").unwrap());
}

#[test]
fn draining_lets_it_end_and_be_fetched() {
    let rig = Rig::start();
    let address = begin(&rig, "gate\nsay done");
    wait_for(|| running(&rig) == 1);
    rig.engine.drain();
    post(&rig, &python("say no")).problem(503, "draining");
    assert_eq!(rig.engine.kept.pending(), 1);
    rig.fake.seen.open.store(true, Ordering::SeqCst);
    assert_eq!(result(&rig, &address)["run"]["stdout"]["text"], "done\n");
    assert_eq!(rig.engine.kept.pending(), 0);
    assert_eq!(get(&rig, &address)["status"], "finished");
}

#[test]
fn validate_checks_and_runs_nothing() {
    let rig = Rig::with(1, "[engine]\nqueue_length = 1\n", &[]);
    // Neither a slot nor a place in the queue is needed.
    let first = begin(&rig, "sleep 60000");
    let second = begin(&rig, "sleep 60000");
    wait_for(|| running(&rig) == 1);
    let orders = || rig.fake.seen.profiles.lock().unwrap().len();
    let before = orders();
    let validate = |query: &str, request: Value| {
        let reply = rig.call("POST", &format!("/v1/executions?{query}"), JSON, request.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let python = json!({"language": "py", "source": "say x", "limits": {"cpu_time_ms": 1234, "cpus": 0.5}});
    let valid = validate("validate=true&wait=false", python);
    assert_eq!(valid["valid"], true);
    assert_eq!(valid["language"], json!({"id": "python", "version": "3.11.2", "toolchain": "cpython"}));
    assert_eq!((&valid["limits"]["cpu_time_ms"], &valid["limits"]["cpus"]), (&json!(1234), &json!(0.5)));
    assert_eq!(valid["limits"].as_object().unwrap().len(), 10);
    assert_eq!(valid["compile_limits"], json!(null));
    let c = json!({"language": "c", "source": "#error", "compile_limits": {"output_bytes": 77}});
    let valid = validate("validate=true", c);
    assert_eq!(valid["compile_limits"]["output_bytes"], 77);
    assert_eq!(rig.engine.queue.gauges().waiting, [1, 0]);
    assert_eq!(orders(), before, "nothing else was run");
    delete(&rig, &second);
    delete(&rig, &first);
}

#[test]
fn every_other_word_is_refused() {
    let rig = Rig::start();
    let address = begin(&rig, "say x");
    result(&rig, &address);
    let body = python("say x").to_string();
    for query in ["wait=no", "wait", "validate=1", "wait=false&wait=false", "wait_ms=1", "colour=red"] {
        let reply = rig.call("POST", &format!("/v1/executions?{query}"), JSON, body.as_bytes());
        let problem = reply.problem(400, "invalid_request");
        let name = query.split('=').next().unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(name), "{query}: {problem}");
    }
    for query in ["wait_ms=60001", "wait_ms=-1", "wait_ms=", "wait_ms=x", "wait_ms=1&wait_ms=1", "wait=true", "x"] {
        let problem = rig.get(&format!("{address}?{query}")).problem(400, "invalid_request");
        let name = query.split('=').next().unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(name), "{query}: {problem}");
    }
    rig.call("DELETE", &format!("{address}?wait_ms=1"), "", b"").problem(400, "invalid_request");
    for method in ["POST", "PUT", "PATCH", "OPTIONS"] {
        let reply = rig.call(method, &address, "", b"");
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("GET, HEAD, DELETE"));
    }
    let reply = rig.call("GET", "/v1/executions?wait=false", "", b"");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    rig.call("GET", &address, "Accept: text/html\r\n", b"").problem(406, "not_acceptable");
    for path in ["/v1/executions/", "/v1/executions/a/b", &format!("{address}/"), "/v1/executions/%20"] {
        rig.get(path).problem(404, "not_found");
    }
    let fetched = result(&rig, &address);
    let head =
        format!("HEAD {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    let head = rig.connect_and(&head);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(get(&rig, &address), fetched);
}

#[test]
fn who_said_wait_false_may_go() {
    let rig = Rig::with(1, "", &[]);
    let address = begin(&rig, "gate\nsay done");
    wait_for(|| running(&rig) == 1);
    // Its connection is closed since then; and one that waited for it goes as well.
    let mut stream = rig.connect();
    let head = format!("GET {address}?wait_ms=60000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    wait_for(|| rig.engine.kept.followers() == 1);
    drop(stream);
    wait_for(|| rig.engine.kept.followers() == 0);
    rig.fake.seen.open.store(true, Ordering::SeqCst);
    assert_eq!(result(&rig, &address)["run"]["stdout"]["text"], "done\n");
    assert!(rig.fake.seen.stopped.lock().unwrap().is_empty());
}
