//! Signs of abuse through the whole engine, with a jaild that plays programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};

use common::{Rig, Scratch, TOKEN, wait_for};
use serde_json::{Value, json};

/// The log of this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Log {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).init();
        log
    }

    fn signs(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Those of the other test have another tenant.
        lines.filter(|line| line["message"] == "sign of abuse" && line["tenant"] == "t").collect()
    }
}

fn run(rig: &Rig, user: Option<&str>, words: &str) -> Value {
    let labels = user.map_or(json!({}), |user| json!({"student": user, "user": "another label"}));
    let reply = rig.execute(&json!({"language": "python", "source": words, "labels": labels}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn series(rig: &Rig) -> Vec<String> {
    let text = rig.get("/metrics").text();
    text.lines().filter(|line| line.starts_with("engined_abuse")).map(str::to_owned).collect()
}

#[test]
fn signs_are_told_and_nobody_is_banned() {
    let log = Log::start();
    let settings = "[abuse]\nlabel = \"student\"\nsockets = 2\nminers = 2\nlimits = 2\nwhole_tenant_times = 20\n";
    let folder = Scratch::new();
    let file = folder.0.join("audit.jsonl");
    let audit = format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n");
    let rig = Rig::with(2, &format!("{settings}{audit}"), &[]);
    assert_eq!(series(&rig), [""; 0], "a tenant is there from its first sign on");
    let eve = "eve \"\u{202e}=x\" sign=\"none\"";
    for (times, words) in [(3, "signal 31"), (2, "socket"), (2, "cpu 5000\nlimit cpu"), (2, "limit memory")] {
        for nth in 1..=times {
            let before = log.signs().len();
            let result = run(&rig, Some(eve), words);
            assert_eq!(log.signs().len() - before, usize::from(nth == times), "{words}, {nth}");
            if nth == times {
                assert_eq!(log.signs()[before]["execution"], result["id"]);
            }
        }
    }
    let signs = log.signs();
    let names: Vec<&str> = signs.iter().map(|sign| sign["sign"].as_str().unwrap()).collect();
    assert_eq!(names, ["security_violation", "socket", "miner", "limit"]);
    for sign in &signs {
        assert_eq!((&sign["tenant"], &sign["level"], &sign["within_s"]), (&json!("t"), &json!("WARN"), &json!(600)));
        assert_eq!(sign["user"], "\"eve \\\"\\u{202e}=x\\\" sign=\\\"none\\\"\"", "quoted, and nothing hidden");
        assert_eq!((&sign["span"]["name"], sign["span"]["id"].is_string()), (&json!("request"), true), "{sign}");
    }
    assert_eq!(run(&rig, Some(eve), "say hello")["verdict"], "ok", "what to do is for people");

    // Many users who do a little each, and runs that name nobody.
    for n in 0..57 {
        run(&rig, (n % 2 == 0).then_some(&format!("user {n}")), "signal 31");
    }
    let whole: Vec<Value> = log.signs().split_off(4);
    assert_eq!(whole.len(), 1);
    assert_eq!((&whole[0]["user"], &whole[0]["runs"]), (&json!(null), &json!(60)));
    let mut found = series(&rig);
    found.sort();
    assert_eq!(
        found,
        [
            "engined_abuse_signs_total{sign=\"limit\",tenant=\"t\"} 1",
            "engined_abuse_signs_total{sign=\"miner\",tenant=\"t\"} 1",
            "engined_abuse_signs_total{sign=\"security_violation\",tenant=\"t\"} 2",
            "engined_abuse_signs_total{sign=\"socket\",tenant=\"t\"} 1",
        ]
    );

    // The record has them as well.
    let audited = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["act"] == "abuse_sign").collect()
    };
    wait_for(|| audited().len() == 5);
    for (line, sign) in audited().iter().zip(log.signs()) {
        for field in ["sign", "tenant", "runs", "within_s", "execution", "request_id"] {
            assert_eq!(line[field], sign[field], "{line}");
        }
        assert!(line["request_id"].is_string(), "{line}");
    }
    assert_eq!((&audited()[0]["user"], &audited()[4]["user"]), (&json!(eve), &json!(null)));
}

/// Lets the words run, and hangs up while they do.
fn leave(rig: &Rig, request: &Value) {
    let body = request.to_string();
    let mut stream = rig.connect();
    let head = "POST /v1/executions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Authorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    // A slot alone is no run yet.
    wait_for(|| rig.fake.seen.running.load(std::sync::atomic::Ordering::SeqCst) == 1);
    stream.shutdown(Shutdown::Both).unwrap();
    wait_for(|| rig.engine.queue.gauges().running == 0);
}

#[test]
fn nobody_hides_a_sign_by_another_verdict_or_by_leaving() {
    let rig = Rig::with(
        2,
        "[abuse]\nsockets = 2\nlimits = 4\nwhole_tenant_times = 1\n[tenants.u]\nadmin = true\ntokens = [\"HASH\"]\n",
        &[],
    );
    let signs = || {
        let mut signs = series(&rig);
        signs.sort();
        signs
    };
    // A fork bomb that its CPU time ends, or that ends by itself.
    for (words, verdict) in
        [("forks", "ok"), ("forks\nlimit cpu", "cpu_time_limit"), ("forks\nlimit wall", "wall_time_limit")]
    {
        assert_eq!(run(&rig, None, words)["verdict"], verdict, "{words}");
    }
    assert_eq!(signs(), [""; 0]);
    leave(&rig, &json!({"language": "python", "source": "forks\nsleep 60000"}));
    let limit = "engined_abuse_signs_total{sign=\"limit\",tenant=\"u\"} 1";
    wait_for(|| signs() == [limit]);
    for _ in 0..2 {
        leave(&rig, &json!({"language": "python", "source": "socket\nsleep 60000"}));
    }
    wait_for(|| signs() == [limit, "engined_abuse_signs_total{sign=\"socket\",tenant=\"u\"} 1"]);
}
