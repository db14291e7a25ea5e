//! `POST /v1/executions` through the whole engine, with a jaild that plays programs.

mod common;

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Instant;

use common::{Reply, Rig, wait_for};
use serde_json::json;

#[test]
fn a_program_runs_and_comes_back_whole() {
    let rig = Rig::start();
    let result = rig.run("say hello\nwarn careful\n");
    assert_eq!(result["verdict"], "ok");
    assert_eq!(result["status"], "finished");
    assert_eq!(result["reason"], json!(null));
    assert_eq!(result["language"], json!({"id": "python", "version": "3.11.2", "toolchain": "cpython"}));
    assert_eq!(result["compile"], json!(null));
    assert_eq!(result["run"]["stdout"], json!({"text": "hello\n", "bytes": 6, "truncated": false}));
    assert_eq!(result["run"]["stderr"]["text"], "careful\n");
    assert_eq!(result["run"]["exit_code"], 0);
    assert_eq!(result["run"]["usage"]["cpu_time_us"], 1000);
    assert_eq!(result["timings"]["setup_us"], 500);
    assert_eq!(result["timings"]["run_us"], 1500);
    assert!(result["timings"]["total_us"].as_u64().unwrap() > 0);
    assert_eq!(result["isolation"]["layers"].as_array().unwrap().len(), 19);
    assert_eq!(result["id"].as_str().unwrap().len(), 26);
}

#[test]
fn c_is_compiled_and_its_artifact_run() {
    let rig = Rig::start();
    let reply = rig.execute(&json!({
        "language": "c", "files": [{"path": "main.c", "content": "say from c\nargs\nfiles\n"}, {"path": "data/x", "content": "\n"}],
        "args": ["a b", ""], "compile_flags": ["-O0"],
    }));
    let result = reply.json();
    assert_eq!(result["verdict"], "ok", "{result}");
    assert_eq!(result["compile"]["exit_code"], 0);
    assert_eq!(result["compile"]["cached"], false);
    let said = result["run"]["stdout"]["text"].as_str().unwrap();
    assert!(said.starts_with("from c\n[\"/box/a.out\", \"a b\", \"\"]\n"), "{said}");
    assert!(said.contains("a.out") && said.contains("data/x"));
    let profiles = rig.fake.seen.profiles.lock().unwrap().clone();
    assert!(profiles.ends_with(&["c/gcc/compile".into(), "c/gcc/run".into()]), "{profiles:?}");

    let failed = rig.execute(&json!({"language": "c", "source": "#error"})).json();
    assert_eq!(failed["verdict"], "compile_error");
    assert_eq!(failed["run"], json!(null));
    assert_eq!(failed["compile"]["stderr"]["text"], "main.c:1:2: error: #error\n");
    let nothing = rig.execute(&json!({"language": "c", "source": "#nothing"})).json();
    assert_eq!(nothing["verdict"], "compile_error");
}

#[test]
fn input_arguments_and_environment_arrive_unchanged() {
    let rig = Rig::start();
    let stdin = "äö\n".repeat(700_000);
    let reply = rig.execute(&json!({
        "language": "py", "version": "3", "source": "cat", "stdin": stdin, "limits": {"output_bytes": 4_000_000},
    }));
    assert_eq!(reply.json()["run"]["stdout"]["text"].as_str().unwrap(), stdin);
    let reply = rig.execute(&json!({"language": "python", "source": "raw", "output_encoding": "auto"})).json();
    assert_eq!(reply["run"]["stdout"], json!({"base64": "//54", "bytes": 3, "truncated": false}));
    let reply = rig.execute(&json!({"language": "python", "source": "say x", "output_encoding": "base64"})).json();
    assert_eq!(reply["run"]["stdout"]["base64"], "eAo=");
    let reply =
        rig.execute(&json!({"language": "python", "source": "env", "env": {"LANG": "C", "A_1": "x=y z"}})).json();
    let said = reply["run"]["stdout"]["text"].as_str().unwrap();
    assert!(said.contains("A_1=x=y z") && said.contains("LANG=C ") && said.contains("PATH="), "{said}");
    let files = json!([{"path": "a.py", "content": "say a"}, {"path": "sub/b.py", "content": {"base64": "c2F5IGI="}}]);
    let reply =
        rig.execute(&json!({"language": "python", "files": files, "entry": "sub/b.py", "labels": {"k": "v"}})).json();
    assert_eq!(reply["run"]["stdout"]["text"], "b\n");
    assert_eq!(reply["labels"], json!({"k": "v"}));
}

#[test]
fn every_ending_has_its_verdict_and_reason() {
    let rig = Rig::start();
    for (words, verdict, limit) in [
        ("exit 3", "runtime_error", json!(null)),
        ("signal 11", "signalled", json!(null)),
        ("signal 31", "security_violation", json!(null)),
        ("limit cpu", "cpu_time_limit", json!("cpu_time_ms")),
        ("limit wall", "wall_time_limit", json!("wall_time_ms")),
        ("limit memory", "memory_limit", json!("memory_bytes")),
        ("fail", "engine_error", json!(null)),
        ("broken", "engine_error", json!(null)),
    ] {
        let result = rig.run(words);
        assert_eq!(result["verdict"], verdict, "{words}");
        assert_eq!(result["reason"]["limit"], limit, "{words}");
        assert!(result["reason"]["message"].as_str().is_some_and(|m| m.len() > 10), "{result}");
    }
    let heap = rig.run("warn MemoryError\nexit 1");
    assert_eq!(heap["reason"]["hint"], "heap");
}

#[test]
fn too_much_output_is_cut_or_ends_the_program() {
    let rig = Rig::start();
    let request = |how| json!({"language": "python", "source": "flood 8192000\nsay end", "on_output_limit": how, "limits": {"output_bytes": 1000}});
    let cut = rig.execute(&request("truncate")).json();
    assert_eq!(cut["verdict"], "ok");
    assert_eq!(cut["run"]["stdout"]["text"].as_str().unwrap().len(), 1000);
    assert_eq!(cut["run"]["stdout"]["bytes"], 8_192_004);
    assert_eq!(cut["run"]["stdout"]["truncated"], true);
    let killed = rig.execute(&request("kill")).json();
    assert_eq!(killed["verdict"], "output_limit");
    assert_eq!(killed["reason"]["limit"], "output_bytes");
    assert_eq!(killed["reason"]["value"], 1000);
}

#[test]
fn who_goes_away_ends_the_program() {
    let rig = Rig::with(1, "", &[]);
    let mut stream = rig.connect();
    let body = json!({"language": "python", "source": "sleep 60000"}).to_string();
    write!(
        stream,
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        common::TOKEN,
        body.len()
    )
    .unwrap();
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
    drop(stream);
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 0);
    assert_eq!(*rig.fake.seen.stopped.lock().unwrap(), [jail::spec::StopReason::Gone]);
    assert_eq!(rig.run("say next")["verdict"], "ok", "the slot came back");
    assert_eq!(rig.fake.seen.no_room.load(Ordering::SeqCst), 0, "but not before the sandbox was gone");
}

#[test]
fn a_lost_link_is_an_engine_error_and_comes_back() {
    let rig = Rig::start();
    let during = std::thread::scope(|scope| {
        let run = scope.spawn(|| rig.run("sleep 60000"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        rig.fake.crash();
        run.join().unwrap()
    });
    assert_eq!(during["verdict"], "engine_error");
    assert!(during["run"].is_null());
    wait_for(|| rig.engine.ready().is_ok());
    wait_for(|| rig.execute(&json!({"language": "python", "source": "say back"})).status == 200);
    // A link that came up on a busy host may have been lost again.
    let losses = || -> u32 {
        let text = rig.get("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix("engined_link_losses_total ")?.parse().ok()).unwrap()
    };
    // Told a little after the runs were lost.
    wait_for(|| losses() > 0);
    assert!(losses() < 5, "{}", losses());
}

#[test]
fn a_later_look_at_the_languages_leaves_callers_their_slots() {
    let rig = Rig::with(4, "", &[]);
    let orders = || rig.fake.seen.asides.load(Ordering::SeqCst);
    let first = orders();
    rig.fake.seen.most_aside.store(0, Ordering::SeqCst);
    rig.fake.crash();
    // A link that came up on a busy host may have been lost again, and then there is one look more.
    wait_for(|| orders() >= 2 * first && rig.engine.settled().is_ok());
    // More at a time, beside four of callers, would be more than jaild has room for.
    let most = rig.fake.seen.most_aside.load(Ordering::SeqCst);
    assert!((1..=2).contains(&most), "{most}");
}

#[test]
fn the_next_one_waits_and_a_full_queue_sheds() {
    let rig = Rig::with(1, "[engine]\nqueue_length = 1\n", &[]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| rig.run("gate"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        let second = scope.spawn(|| rig.run("say second"));
        wait_for(|| rig.engine.queue.gauges().waiting == [1, 0]);
        let waits = Instant::now();
        let third = rig.execute(&json!({"language": "python", "source": "say third"}));
        third.problem(503, "queue_full");
        let waited = waits.elapsed();
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(first.join().unwrap()["verdict"], "ok");
        let second = second.join().unwrap();
        assert_eq!(second["verdict"], "ok");
        assert!(u128::from(second["timings"]["queue_us"].as_u64().unwrap()) >= waited.as_micros(), "{second}");
    });
    assert_eq!(rig.fake.seen.most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_tenants_share_is_its_own() {
    let plan = "[plans.small]\nrunning = 1\nqueued = 1\n[tenants.t]\nplan = \"small\"\ntokens = [\"HASH\"]\n";
    let rig = Rig::with(2, plan, &[]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = [0, 1].map(|_| scope.spawn(|| rig.run("gate"))).into();
        wait_for(|| rig.engine.queue.gauges().waiting == [1, 0]);
        rig.execute(&json!({"language": "python", "source": "say no"})).problem(429, "quota_exceeded");
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        for run in runs {
            assert_eq!(run.join().unwrap()["verdict"], "ok");
        }
    });
    assert_eq!(rig.fake.seen.most.load(Ordering::SeqCst), 1);
}

#[test]
fn draining_refuses_new_work_and_lets_the_old_end() {
    let rig = Rig::start();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| rig.run("gate"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        rig.engine.drain();
        rig.execute(&json!({"language": "python", "source": "say no"})).problem(503, "draining");
        rig.get("/readyz").problem(503, "draining");
        assert_eq!(rig.get("/healthz").status, 200);
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(run.join().unwrap()["verdict"], "ok");
    });
}

#[test]
fn http2_serves_many_at_once() {
    let rig = Rig::with(2, "", &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let mut answers = Vec::new();
        for n in 0..20 {
            client = client.ready().await.unwrap();
            let request = hyper::Request::post("http://localhost/v1/executions")
                .header("authorization", format!("Bearer {}", common::TOKEN))
                .header("content-type", "application/json")
                .body(())
                .unwrap();
            let (answer, mut body) = client.send_request(request, false).unwrap();
            let text = json!({"language": "python", "source": format!("say {n}")}).to_string();
            body.send_data(text.into(), true).unwrap();
            answers.push(answer);
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    });
}

#[test]
fn the_unix_socket_knows_its_callers() {
    let rig = Rig::start();
    let mut stream = std::os::unix::net::UnixStream::connect(&rig.unix).unwrap();
    stream.write_all(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // This tenant has tokens alone.
    Reply::read(&mut stream).unwrap().problem(401, "unauthenticated");
    let own = nix::unistd::geteuid();
    let rig = Rig::with(1, &format!("[listen]\nunix = \"/x\"\n[tenants.t]\nallowed_users = [\"{own}\"]\n"), &[]);
    let mut stream = std::os::unix::net::UnixStream::connect(&rig.unix).unwrap();
    stream.write_all(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(Reply::read(&mut stream).unwrap().status, 200);
}
