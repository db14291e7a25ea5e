//! Results as lines, as events, and how far a batch is, for whoever waits.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::wait_for;
use super::{Grader, complete, echoes};

#[test]
fn a_whole_life() {
    let grader = Grader::start();
    let mut batch = echoes(2, 3);
    batch["tests"][0]["points"] = json!(2.5);
    batch["tests"][2]["expected"] = json!("another");
    batch["labels"] = json!({"course": "x"});
    let id = grader.submit(&batch);
    let over = grader.over(&id);
    assert_eq!(
        (&over["status"], &over["done"], &over["results"]),
        (&json!("finished"), &json!(6), &json!(6)),
        "{over}"
    );
    assert_eq!(over["verdicts"], json!({"accepted": 4, "wrong_answer": 2}));
    assert_eq!(over["labels"], json!({"course": "x"}));
    for (submission, name) in over["submission_results"].as_array().unwrap().iter().zip(["s0", "s1"]) {
        assert_eq!(submission["id"], name);
        assert_eq!((&submission["points"], &submission["max_points"]), (&json!(2.5), &json!(2.5)), "{submission}");
    }
    let results = grader.results(&id, "");
    complete(&results, 2, 3, 1);
    assert_eq!(grader.results(&id, "?from=5"), results[4..]);
    assert_eq!(grader.results(&id, "?from=7&wait_ms=60000"), Vec::<Value>::new(), "nothing will come any more");
    // Over is over.
    let reply = grader.rig.call("DELETE", &format!("/v1/batches/{id}"), "", b"");
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("finished")));
}

#[test]
fn events_tell_all_and_go_on_where_somebody_was_cut_off() {
    let grader = Grader::start();
    let id = grader.submit(&echoes(3, 40));
    let mut events = grader.events(&id, "", "");
    let mut seen: Vec<Value> = Vec::new();
    let mut last = 0;
    while seen.len() < 50 {
        let (number, name, data) = events.next().unwrap();
        if name == "result" {
            assert_eq!(data["seq"], number);
            seen.push(data);
        }
        last = number;
    }
    assert!(events.retry.is_some());
    drop(events);
    let mut rest = grader.events(&id, "?from=1", &format!("Last-Event-ID: {last}\r\n")).all();
    let (number, name, summary) = rest.pop().unwrap();
    assert_eq!((number, name.as_str(), &summary["status"]), (120, "finished", &json!("finished")));
    assert_eq!(summary["id"], id);
    for (_, name, data) in rest {
        match name.as_str() {
            "result" => seen.push(data),
            "progress" => assert_eq!(data["results"], 120),
            other => panic!("{other}"),
        }
    }
    complete(&seen, 3, 40, 1);
    // Whoever comes late gets the same.
    let late: Vec<Value> =
        grader.events(&id, "", "").all().into_iter().filter(|e| e.1 == "result").map(|e| e.2).collect();
    assert_eq!(late, seen);
    assert_eq!(grader.events(&id, "?from=120", "").all().len(), 2);
    grader
        .rig
        .call("GET", &format!("/v1/batches/{id}/events"), "Last-Event-ID: x\r\n", b"")
        .problem(400, "invalid_request");
}

#[test]
fn who_waits_is_woken_by_what_happens() {
    let grader = Grader::slots(1, "");
    let mut batch = echoes(1, 2);
    batch["submissions"][0]["source"] = json!("sleep 400\ncat");
    let (id, begun) = (grader.submit(&batch), Instant::now());
    let results = grader.results(&id, "?wait_ms=60000");
    assert!(!results.is_empty(), "the first wakes");
    let batch = grader.get(&format!("/v1/batches/{id}?wait_ms=60000"));
    assert_eq!(batch["status"], "finished");
    assert!(begun.elapsed() < Duration::from_secs(55), "nobody has slept to the end");
    // And whose patience is at its end hears how far it is.
    let mut batch = echoes(1, 1);
    batch["submissions"][0]["source"] = json!("sleep 60000");
    let id = grader.submit(&batch);
    assert_eq!(grader.results(&id, "?wait_ms=20"), Vec::<Value>::new());
    assert_ne!(grader.get(&format!("/v1/batches/{id}?wait_ms=20"))["status"], "finished");
    // A cancel wakes as well.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| grader.get(&format!("/v1/batches/{id}?wait_ms=60000")));
        let events = scope.spawn(|| grader.events(&id, "", "").all());
        for _ in 0..2 {
            let reply = grader.rig.call("DELETE", &format!("/v1/batches/{id}"), "", b"");
            assert_eq!((reply.status, &reply.json()["status"]), (202, &json!("cancelled")));
        }
        assert_eq!(waits.join().unwrap()["status"], "cancelled");
        assert_eq!(events.join().unwrap().pop().unwrap().1, "finished");
    });
}

#[test]
fn an_engine_that_ends_sends_its_listeners_to_the_next() {
    let grader = Grader::with("[engine]\ndrain_ms = 300\n");
    let mut batch = echoes(1, 4);
    batch["submissions"][0]["source"] = json!("cat\nsleep 60000");
    let id = grader.submit(&batch);
    let mut events = grader.events(&id, "", "");
    assert_eq!(events.next().unwrap().1, "progress");
    grader.rig.engine.drain();
    let engine = grader.rig.engine.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(engine.drained());
        });
        let rest = events.all();
        assert!(rest.iter().all(|(_, name, _)| name != "finished"), "{rest:?}");
    });
    assert!(events.comments.iter().any(|comment| comment.contains("Last-Event-ID")), "{:?}", events.comments);
    grader.post(&echoes(1, 1), "").problem(503, "draining");
}

#[test]
fn who_does_not_read_holds_three_pages_at_the_most() {
    let user = nix::unistd::getuid();
    let grader = Grader::with(&format!("[tenants.t]\nallowed_users = [\"{user}\"]\ntokens = [\"HASH\"]\n"));
    let mut batch = echoes(2, 600);
    batch["submissions"] =
        json!([0, 1].map(|n| json!({"id": format!("s{n}"), "language": "python", "source": "flood 4096"})));
    let id = grader.submit(&batch);
    grader.over(&id);
    let length = grader.rig.get(&format!("/v1/batches/{id}/results")).body.len();
    assert!(length > 4 << 20, "{length}");
    // Far more than the kernel keeps for a Unix socket, and none of it read.
    let mut streams = Vec::new();
    for path in ["results", "events"] {
        let mut stream = UnixStream::connect(&grader.rig.unix).unwrap();
        let head = format!("GET /v1/batches/{id}/{path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
        streams.push(stream);
    }
    // As much as will ever be held: the end of a page with the socket, one behind it, and one that waits.
    let page = length as u64 / 1200 * 64;
    wait_for(|| grader.rig.engine.memory.used() > 4 * (256 << 10));
    for _ in 0..100 {
        let held = grader.rig.engine.memory.used();
        assert!(held <= 2 * 3 * page, "{held} of {length} are held, a page has {page}");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(streams);
    wait_for(|| grader.rig.engine.memory.used() == 0);
}

/// An engine with little memory and much patience, and a batch that is over, with results of many pages.
fn slow() -> (Grader, String) {
    let other: String = engined::tenants::hash(b"other").iter().map(|byte| format!("{byte:02x}")).collect();
    let user = nix::unistd::getuid();
    let grader = Grader::with(&format!(
        "[engine]\nengine_memory_bytes = 16000000\n[http]\nwrite_timeout_ms = 600000\nanswer_bytes_per_second = 1\n\
         [tenants.t]\nallowed_users = [\"{user}\"]\ntokens = [\"HASH\"]\n[tenants.u]\ntokens = [\"{other}\"]\n"
    ));
    let mut batch = echoes(1, 400);
    batch["submissions"] = json!([{"id": "s", "language": "python", "source": "flood 4096"}]);
    let id = grader.submit(&batch);
    grader.over(&id);
    wait_for(|| grader.rig.engine.memory.used() == 0);
    (grader, id)
}

/// Asks over the Unix socket, whose buffer does not grow, and reads no more than the beginning of the status.
fn ask(grader: &Grader, id: &str, path: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(&grader.rig.unix).unwrap();
    let head = format!("GET /v1/batches/{id}/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    (stream, String::from_utf8(status.to_vec()).unwrap())
}

#[test]
fn slow_readers_of_one_tenant_take_nothing_that_another_needs() {
    for path in ["results", "events"] {
        let (grader, id) = slow();
        let mut streams = Vec::new();
        let told = loop {
            let (mut stream, status) = ask(&grader, &id, path);
            // A page is longer than this; who gets none is told why, and that was all.
            let mut first = Vec::new();
            Read::by_ref(&mut stream).take(2048).read_to_end(&mut first).unwrap();
            let first = String::from_utf8(first).unwrap();
            if first.len() < 2048 {
                break format!("{status} {first}");
            }
            streams.push(stream);
            // A page each at the least.
            assert!(streams.len() <= 16_000_000 / (256 << 10), "no bound");
        };
        if path == "results" {
            assert!(told.contains(" 429 ") && told.contains("share of the memory"), "{told}");
            assert!(told.to_lowercase().contains("retry-after: 1\r\n"), "{told}");
        } else {
            // A browser that is refused does not come again.
            assert!(told.contains(" 200 ") && told.contains("come again with Last-Event-ID"), "{told}");
        }
        let run = json!({"language": "python", "source": "say fine"}).to_string();
        let headers = format!("{}Authorization: Bearer other\r\n", super::JSON);
        let reply = grader.rig.raw_call("POST", "/v1/executions", &headers, run.as_bytes());
        assert_eq!((reply.status, &reply.json()["verdict"]), (200, &json!("ok")), "{}", reply.text());
        drop(streams);
        wait_for(|| grader.rig.engine.memory.used() == 0);
        assert_eq!(grader.results(&id, "").len(), 400);
    }
}

#[test]
fn a_reader_for_whom_there_is_no_memory_any_more_goes_on_later() {
    let (grader, id) = slow();
    for path in ["results", "events"] {
        let (mut stream, status) = ask(&grader, &id, path);
        assert_eq!(status, "HTTP/1.1 200");
        let mut all = grader.rig.engine.memory.nothing();
        all.settle(16_000_000);
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains("\"seq\":400,"), "it was cut");
        if path == "events" {
            assert!(
                text.contains("come again with Last-Event-ID") && text.contains("\r\n0\r\n\r\n"),
                "an end in order"
            );
        } else {
            assert!(!text.contains("\r\n0\r\n\r\n"), "as if that were all");
        }
        let refused = grader.rig.get(&format!("/v1/batches/{id}/{path}"));
        if path == "results" {
            refused.problem(503, "memory_budget");
        } else {
            assert!(refused.text().contains("come again with Last-Event-ID"), "{}", refused.text());
        }
        drop(all);
        let last = (1..=400).rev().find(|seq| text.contains(&format!("{{\"seq\":{seq},"))).unwrap_or(0);
        assert_eq!(grader.results(&id, &format!("?from={}", last + 1)).len(), 400 - last);
        wait_for(|| grader.rig.engine.memory.used() == 0);
    }
}

/// Thousands may be woken by one result: those who wait until it is their turn to read it hold nothing of the memory.
#[test]
fn who_waits_to_read_a_page_holds_no_memory_for_it() {
    let grader = Grader::start();
    let id = grader.submit(&echoes(1, 3));
    grader.over(&id);
    let engine = &grader.rig.engine;
    wait_for(|| engine.memory.used() == 0);
    let reading = &engine.batches().unwrap().reading;
    let all = u32::try_from(reading.available_permits()).unwrap();
    let busy = reading.try_acquire_many(all).unwrap();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20).map(|_| scope.spawn(|| grader.results(&id, "").len())).collect();
        for _ in 0..20 {
            assert_eq!(engine.memory.used(), 0);
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(busy);
        assert!(waiting.into_iter().all(|results| results.join().unwrap() == 3));
    });
}

#[test]
fn a_rejudge_is_a_batch_of_the_same_data() {
    let grader = Grader::start();
    let id = grader.submit(&echoes(3, 2));
    grader.over(&id);
    let again =
        |body: &str| grader.rig.call("POST", &format!("/v1/batches/{id}/rejudge"), super::JSON, body.as_bytes());
    let all = again("");
    assert_eq!(all.status, 202, "{}", all.text());
    let some = again(r#"{"submissions": ["s2", "s0"]}"#).json();
    assert_eq!((&some["submissions"], &some["results"], &some["rejudge_of"]), (&json!(2), &json!(4), &json!(id)));
    assert_eq!(
        again(r#"{"submissions": ["s0", "nobody"]}"#).problem(400, "invalid_request")["field"],
        "/submissions/1"
    );
    again(r#"{"submissions": []}"#).problem(400, "invalid_request");
    let (all, some) = (all.json()["id"].as_str().unwrap().to_owned(), some["id"].as_str().unwrap().to_owned());
    assert_eq!(grader.over(&all)["verdicts"], json!({"accepted": 6}));
    assert_eq!(grader.over(&some)["verdicts"], json!({"accepted": 4}));
    let names: Vec<Value> =
        grader.over(&some)["submission_results"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect();
    assert_eq!(names, ["s2", "s0"]);
    complete(&grader.results(&some, ""), 2, 2, 1);
}

#[test]
fn who_wants_verdicts_only_gets_no_words() {
    let grader = Grader::start();
    let mut batch = echoes(1, 2);
    batch["feedback"] = json!("verdict_only");
    batch["tests"][1]["expected"] = json!("another");
    let id = grader.submit(&batch);
    assert_eq!(grader.over(&id)["verdicts"], json!({"accepted": 1, "wrong_answer": 1}));
    for result in grader.results(&id, "") {
        for hidden in ["reason", "checker", "stdout", "stderr"] {
            assert_eq!(result[hidden], Value::Null, "{result}");
        }
        assert!(result["usage"]["cpu_time_us"].is_u64(), "{result}");
    }
}

#[test]
fn a_head_alone_is_an_answer() {
    let grader = Grader::start();
    let id = grader.submit(&echoes(1, 1));
    grader.over(&id);
    for path in ["", "/results", "/events"] {
        let head = format!(
            "HEAD /v1/batches/{id}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            super::TOKEN
        );
        let answer = grader.rig.connect_and(&head);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}
