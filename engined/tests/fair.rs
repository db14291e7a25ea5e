//! Tenants that share an engine, through HTTP, with a jaild that plays programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{BufReader, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Reply, Rig, wait_for};
use serde_json::{Value, json};

const SLOTS: usize = 2;
const MANY: usize = 10_000;

/// `a`, `b` and `c` by their tokens, on two slots; with more lines in the section `engine`.
fn rig(engine: &str) -> Rig {
    let mut config = format!(
        "[engine]\n{engine}queue_length = {}\nqueue_wait_ms = 3600000\n[results]\nper_tenant = 20000\n[plans.many]\nqueued = {MANY}\n",
        2 * MANY
    );
    for name in ["a", "b", "c"] {
        let hash: String = engined::tenants::hash(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        config += &format!("[tenants.{name}]\nplan = \"many\"\ntokens = [\"{hash}\"]\n");
    }
    Rig::with(u32::try_from(SLOTS).unwrap(), &config, &[])
}

/// Sends the words as Python so often without waiting for results, on one connection, and gives the answers.
fn begin(rig: &Rig, tenant: &str, words: &str, times: usize) -> Vec<Reply> {
    begin_with(rig, tenant, &json!({"language": "python", "source": words}), times)
}

/// The same of any request.
fn begin_with(rig: &Rig, tenant: &str, body: &Value, times: usize) -> Vec<Reply> {
    let body = body.to_string();
    let request = format!(
        "POST /v1/executions?wait=false HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tenant}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let stream = rig.connect();
    let (mut sender, mut reader) = (stream.try_clone().unwrap(), BufReader::new(stream));
    let once = |_| {
        sender.write_all(request.as_bytes()).unwrap();
        Reply::read(&mut reader).unwrap()
    };
    (0..times).map(once).collect()
}

/// Several connections at once.
fn begin_many(rig: &Rig, tenant: &str, words: &str, times: usize) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let replies = begin(rig, tenant, words, times / 4);
                assert!(replies.iter().all(|reply| reply.status == 202), "{:?}", replies.last());
            });
        }
    });
}

#[test]
fn ten_to_one_load_gets_equal_service() {
    let rig = rig("");
    // Both wait for somebody who has the slots first.
    begin_many(&rig, "c", "say first\ngate", 4);
    begin_many(&rig, "a", "say a\nsleep 20", 800);
    begin_many(&rig, "b", "say b\nsleep 20", 80);
    rig.fake.seen.open.store(true, Ordering::SeqCst);
    let played = &rig.fake.seen.played;
    let of_b = || played.lock().unwrap().iter().filter(|run| run.0.starts_with("say b") && run.2.is_some()).count();
    let deadline = Instant::now() + common::PATIENCE;
    while of_b() < 80 {
        assert!(Instant::now() < deadline, "{} of b's runs are over", of_b());
        std::thread::sleep(Duration::from_millis(5));
    }
    let played = played.lock().unwrap();
    let runs = |words: &'static str| played.iter().filter(move |run| run.0.starts_with(words));
    let (from, to) = (runs("say b").next().unwrap().1, runs("say b").filter_map(|run| run.2).max().unwrap());
    // What each had of the slots while both waited.
    let had = |words| -> f64 {
        runs(words)
            .map(|run| run.2.unwrap_or(to).min(to).saturating_duration_since(run.1.max(from)).as_secs_f64())
            .sum()
    };
    let (a, b) = (had("say a"), had("say b"));
    // How long a run takes nobody knows beforehand: a busy machine holds some of them up, the last ones in each slot too.
    let each = |words| runs(words).filter_map(|run| Some((run.2? - run.1).as_secs_f64()));
    let longest = each("say a").chain(each("say b")).fold(0.0, f64::max);
    let held_up = SLOTS as f64 * (longest - 0.025).max(0.0);
    let unseen = unseen(&played, from, to);
    println!("{a:.3} s and {b:.3} s of slot time, {longest:.3} s at most for one run, {unseen:.3} s unseen");
    let apart = (a - b).abs();
    assert!(apart <= 0.1 * b + held_up + unseen, "{a:.3} s to {b:.3} s of slot time, {longest:.3} s for one run");
}

/// What runs have of their slots before their programs begin and after they are over is seen by the engine alone, and
/// charged. It is as much for each, but where a busy machine holds one up: so long those were held up together.
fn unseen(played: &[(String, Instant, Option<Instant>)], from: Instant, to: Instant) -> f64 {
    let mut begins: Vec<Instant> = played.iter().map(|run| run.1).collect();
    let mut ends: Vec<Instant> = played.iter().filter_map(|run| run.2).collect();
    begins.sort_unstable();
    ends.sort_unstable();
    // Each begins in the slot of one that is over.
    let after = begins.iter().skip(SLOTS).zip(&ends).filter(|(begin, _)| (from..=to).contains(*begin));
    let mut gaps: Vec<f64> = after.map(|(begin, end)| begin.saturating_duration_since(*end).as_secs_f64()).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps[gaps.len() / 2];
    gaps.iter().map(|gap| (gap - usual).max(0.0)).sum()
}

#[test]
fn ten_thousand_queued_runs_do_not_delay_anothers_first() {
    let rig = rig("");
    let holding = begin(&rig, "a", "say first\nsleep 600000", SLOTS);
    wait_for(|| rig.engine.queue.gauges().running == SLOTS);
    begin_many(&rig, "a", "say a\nsleep 1000", MANY);
    // Its share is used up, that of the other is not, nor is the engine full.
    begin(&rig, "a", "say more", 1).remove(0).problem(429, "quota_exceeded");
    assert_eq!(rig.engine.queue.gauges().waiting, [MANY, 0]);
    let begun = Instant::now();
    let accepted = begin(&rig, "b", "say b", 1).remove(0);
    let so_far = rig.fake.seen.played.lock().unwrap().len();
    assert_eq!((accepted.status, &accepted.json()["position"]), (202, &json!(0)), "{}", accepted.text());
    let stopped = rig.raw_call("DELETE", holding[0].header("location").unwrap(), "Authorization: Bearer a\r\n", b"");
    assert!([200, 202].contains(&stopped.status), "{}", stopped.text());
    let address = format!("{}?wait_ms=60000", accepted.header("location").unwrap());
    let result = rig.raw_call("GET", &address, "Authorization: Bearer b\r\n", b"").json();
    assert_eq!(result["run"]["stdout"]["text"], "b\n", "{result}");
    println!("waited {:?} behind {MANY}", begun.elapsed());
    let played = rig.fake.seen.played.lock().unwrap();
    let nth = played.iter().position(|run| run.0 == "say b").unwrap();
    assert!(nth <= so_far + SLOTS, "{} of the other's began before", nth - so_far);
    assert!(rig.engine.queue.oldest()[0] > begun.elapsed(), "those of a have waited for longer");
}

#[test]
fn one_tenant_leaves_others_memory() {
    let rig = rig("engine_memory_bytes = 16777216\n");
    let memory = &rig.engine.memory;
    // Both slots are taken, and what waits holds its input.
    let mut runs = begin(&rig, "a", "gate\nsay first", SLOTS);
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == SLOTS);
    // Little output: what is accepted is to have room to run, whoever runs beside it.
    let (stdin, limits) = ("x".repeat(500_000), json!({"output_bytes": 65_536}));
    let large = json!({"language": "python", "source": "say x", "stdin": stdin, "limits": limits});
    let refused = loop {
        let reply = begin_with(&rig, "a", &large, 1).remove(0);
        if reply.status != 202 {
            break reply;
        }
        runs.push(reply);
        assert!(memory.used() <= memory.limit() / 2, "{} bytes are held", memory.used());
    };
    let problem = refused.problem(429, "quota_exceeded");
    assert!(problem["detail"].as_str().unwrap().contains("share of the memory budget"), "{problem}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(runs.len() > SLOTS + 5, "{}", runs.len());
    // Others send as much as they did, and what was accepted has room to run.
    let others = ["b", "c"].map(|tenant| begin_with(&rig, tenant, &large, 3));
    rig.fake.seen.open.store(true, Ordering::SeqCst);
    let ends_well = |tenant: &str, reply: &Reply| {
        assert_eq!(reply.status, 202, "{tenant}: {}", reply.text());
        let address = format!("{}?wait_ms=60000", reply.header("location").unwrap());
        let result = rig.raw_call("GET", &address, &format!("Authorization: Bearer {tenant}\r\n"), b"").json();
        assert_eq!(result["verdict"], "ok", "{tenant}: {result}");
    };
    runs.iter().for_each(|reply| ends_well("a", reply));
    for (tenant, replies) in ["b", "c"].iter().zip(&others) {
        replies.iter().for_each(|reply| ends_well(tenant, reply));
    }
    // What they held has come back.
    let again = begin_with(&rig, "a", &large, 1).remove(0);
    ends_well("a", &again);
}
