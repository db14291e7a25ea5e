//! `POST /v1/drain`: for operators alone, begun once, told how far it is as often as it is asked; what does not end by
//! the deadline is answered.

#![allow(clippy::unwrap_used, reason = "tests: a panic is a failed test")]

mod common;

use std::sync::atomic::Ordering;

use common::{Reply, Rig, Scratch, wait_for};
use serde_json::{Value, json};

const TENANTS: &str = "[tenants.operator]\nadmin = true\ntokens = [\"HASH\"]\n\n[tenants.user]\ntokens = [\"OTHER\"]\n";
const USER: &str = "engined_a-user";

fn rig(drain_ms: u32) -> Rig {
    let other: String = engined::tenants::hash(USER.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let tenants = TENANTS.replace("OTHER", &other);
    Rig::with(1, &format!("[engine]\ndrain_ms = {drain_ms}\n\n{tenants}"), &[])
}

fn drain(rig: &Rig) -> Reply {
    rig.call("POST", "/v1/drain", "", b"")
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn it_takes_no_new_work_and_lets_the_old_end() {
    let rig = rig(600_000);
    let user = format!("Authorization: Bearer {USER}\r\n");
    let refused = rig.raw_call("POST", "/v1/drain", &user, b"").problem(403, "forbidden");
    assert!(refused["remedy"].as_str().unwrap().contains("admin = true"), "{refused}");
    rig.raw_call("POST", "/v1/drain", "", b"").problem(401, "unauthenticated");
    rig.call("POST", "/v1/drain", JSON, b"{\"now\":true}").problem(400, "invalid_request");
    assert_eq!(rig.get("/readyz").status, 200, "nothing was begun by any of these");
    let body = json!({"language": "python", "source": "say kept"}).to_string();
    let kept = rig.call("POST", "/v1/executions?wait=false", JSON, body.as_bytes());
    let kept = kept.header("location").unwrap().to_owned();
    assert_eq!(rig.get(&format!("{kept}?wait_ms=60000")).json()["status"], "finished");

    std::thread::scope(|scope| {
        let runs = scope.spawn(|| rig.run("gate\nsay one"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        let waits = scope.spawn(|| rig.run("say two"));
        wait_for(|| rig.engine.queue.gauges().waiting == [1, 0]);
        let first = drain(&rig);
        assert_eq!(first.status, 202);
        assert_eq!(first.header("connection"), Some("close"));
        let first = first.json();
        assert_eq!(
            (&first["status"], &first["running"], &first["waiting"]),
            (&json!("draining"), &json!(1), &json!(1))
        );
        rig.get("/readyz").problem(503, "draining");
        rig.execute(&json!({"language": "python", "source": "say no"})).problem(503, "draining");
        let second = drain(&rig).json();
        assert!(second["deadline_ms"].as_u64().unwrap() <= first["deadline_ms"].as_u64().unwrap(), "it began once");
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(runs.join().unwrap()["run"]["stdout"]["text"], "one\n");
        assert_eq!(waits.join().unwrap()["run"]["stdout"]["text"], "two\n");
    });
    wait_for(|| drain(&rig).json()["status"] == "drained");
    // It stays, and is of use to those who have something here.
    assert_eq!(rig.get(&kept).json()["run"]["stdout"]["text"], "kept\n");
    assert_eq!(rig.get("/healthz").status, 200);
    assert!(rig.get("/metrics").text().contains("\nengined_draining 1\n"));
}

#[test]
fn what_does_not_end_is_answered_and_not_cut_off() {
    let rig = rig(300);
    let body = json!({"language": "python", "source": "say later"}).to_string();
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| rig.execute(&json!({"language": "python", "source": "sleep 600000"})));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        let waits = scope.spawn(|| rig.execute(&json!({"language": "python", "source": "say x"})));
        let kept = rig.call("POST", "/v1/executions?wait=false", JSON, body.as_bytes());
        let kept = kept.header("location").unwrap().to_owned();
        let follows = scope.spawn({
            let kept = format!("{kept}?wait_ms=60000");
            let rig = &rig;
            move || rig.get(&kept)
        });
        wait_for(|| rig.engine.queue.gauges().waiting == [2, 0] && rig.engine.kept.followers() == 1);
        assert_eq!(drain(&rig).status, 202);
        runs.join().unwrap().problem(503, "draining");
        waits.join().unwrap().problem(503, "draining");
        // Whoever follows hears of the end: the next engine would not know of it.
        let followed = follows.join().unwrap();
        assert_eq!(followed.json()["verdict"], "engine_error", "{}", followed.text());
        wait_for(|| drain(&rig).json()["status"] == "drained");
        let result = rig.get(&kept).json();
        assert_eq!(result["verdict"], "engine_error", "{result}");
        assert!(result["reason"]["message"].as_str().unwrap().contains("Run it again"), "{result}");
    });
    // jaild was told to end what ran.
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 0);
}

/// All lines of an audit.
fn lines(file: &std::path::Path) -> Vec<Value> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_ended_at_the_deadline_has_its_line_and_is_charged() {
    let scratch = Scratch::new();
    let file = scratch.0.join("audit.jsonl");
    let tenants = "[tenants.operator]\nadmin = true\ntokens = [\"HASH\"]\n";
    let audit = format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n[usage]\nfile = {:?}\n", scratch.0.join("usage"));
    let rig = Rig::with(3, &format!("[engine]\ndrain_ms = 300\n\n{audit}{tenants}"), &[]);
    // Each takes a moment to die when it is told to.
    let source = json!({"language": "python", "source": "lingers 300"});
    let body = source.to_string();
    let compiles = json!({"language": "c", "source": "#lingers 300"});
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| rig.execute(&source));
        let compiles = scope.spawn(|| rig.execute(&compiles));
        let kept = rig.call("POST", "/v1/executions?wait=false", JSON, body.as_bytes());
        let kept = kept.header("location").unwrap().to_owned();
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 3);
        let waits = scope.spawn(|| rig.execute(&json!({"language": "python", "source": "say x"})));
        wait_for(|| rig.engine.queue.gauges().waiting == [1, 0]);
        assert_eq!(drain(&rig).status, 202);
        for answer in [runs, compiles, waits] {
            answer.join().unwrap().problem(503, "draining");
        }
        let result = rig.get(&format!("{kept}?wait_ms=60000")).json();
        assert_eq!(result["verdict"], "engine_error", "{result}");
        assert!(result["reason"]["message"].as_str().unwrap().contains("drain_ms"), "{result}");
        // Drained means that nothing is left to be written down.
        wait_for(|| drain(&rig).json()["status"] == "drained");
    });
    assert_eq!(rig.fake.seen.running.load(Ordering::SeqCst), 0);
    wait_for(|| rig.engine.audit.behind() == 0);
    let lines = lines(&file);
    let of = |act: &str| lines.iter().filter(|line| line["act"] == act).cloned().collect::<Vec<_>>();
    let ended = of("execution");
    assert_eq!(ended.len(), 3, "{lines:?}");
    for line in &ended {
        assert_eq!((&line["cut"], &line["verdict"]), (&json!(true), &json!("engine_error")), "{line}");
        // What the fake says of each step.
        let charged = &line["charged"];
        let compile = line["language"] == "c";
        let (step, other) =
            if compile { ("compile_cpu_time_us", "cpu_time_us") } else { ("cpu_time_us", "compile_cpu_time_us") };
        assert_eq!((&charged[step], &charged[other]), (&json!(1000), &json!(0)), "{line}");
    }
    let refused = of("refused");
    assert_eq!((refused.len(), &refused[0]["problem"]), (1, &json!("draining")), "{lines:?}");
    let usage = rig.get("/v1/usage").json();
    let executions: u64 =
        usage["usage"].as_array().unwrap().iter().map(|row| row["executions"].as_u64().unwrap()).sum();
    assert_eq!(executions, 3, "{usage}");
}

#[test]
fn a_broker_that_does_not_say_that_runs_have_ended_holds_up_no_line() {
    let scratch = Scratch::new();
    let file = scratch.0.join("audit.jsonl");
    let tenants = "[tenants.operator]\nadmin = true\ntokens = [\"HASH\"]\n";
    let audit = format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n");
    let rig = Rig::with(1, &format!("[engine]\ndrain_ms = 300\n\n{audit}{tenants}"), &[]);
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| rig.execute(&json!({"language": "python", "source": "lingers 600000"})));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        assert_eq!(drain(&rig).status, 202);
        runs.join().unwrap().problem(503, "draining");
        wait_for(|| drain(&rig).json()["status"] == "drained");
    });
    wait_for(|| lines(&file).iter().any(|line| line["cut"] == true));
}
