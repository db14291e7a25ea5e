//! `/readyz` stands on what was really looked at: a language that stops working, a broker that falls silent, a disk that
//! is full.

#![allow(clippy::unwrap_used, reason = "tests: a panic is a failed test")]

mod common;

use std::sync::atomic::Ordering;

use common::{Rig, Scratch, wait_for};
use serde_json::{Value, json};

/// What is ill, but for the languages of this host that the fake jaild can't play.
fn degraded(rig: &Rig) -> Vec<Value> {
    let reply = rig.get("/readyz");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let played = |told: &&Value| {
        let check = told["check"].as_str().unwrap();
        !check.starts_with("language:") || ["language:c", "language:python"].contains(&check)
    };
    reply.json()["degraded"].as_array().unwrap().iter().filter(played).cloned().collect()
}

fn metric(rig: &Rig, line: &str) -> bool {
    rig.get("/metrics").text().lines().any(|found| found == line)
}

#[test]
fn a_language_that_stops_working_is_told_and_the_others_go_on() {
    let rig = Rig::with(2, "[health]\nprobe_every_seconds = 1\n", &[]);
    assert_eq!(degraded(&rig), Vec::<Value>::new());
    assert!(metric(&rig, "engined_probe_ok{language=\"python\"} 1"));
    *rig.fake.seen.broken.lock().unwrap() = Some("python".to_owned());
    // Without a caller: a probe finds it out.
    wait_for(|| !degraded(&rig).is_empty());
    let told = degraded(&rig);
    assert_eq!((told.len(), &told[0]["check"]), (1, &json!("language:python")), "{told:?}");
    assert!(told[0]["reason"].as_str().unwrap().contains("a hello ended with"), "{told:?}");
    assert!(!told[0]["remedy"].as_str().unwrap().is_empty(), "{told:?}");
    wait_for(|| metric(&rig, "engined_probe_ok{language=\"python\"} 0"));
    assert!(metric(&rig, "engined_ready 1"), "one language is not the engine");
    // It is offered no longer, and another is.
    wait_for(|| rig.execute(&json!({"language": "python", "source": "say x"})).status == 422);
    let other = rig.execute(&json!({"language": "c", "source": "say x"}));
    assert_eq!(other.json()["verdict"], "ok", "{}", other.text());
    *rig.fake.seen.broken.lock().unwrap() = None;
    // It is looked for again after ten seconds; a caller's trouble would do it as well.
    rig.engine.reload();
    wait_for(|| degraded(&rig).is_empty());
    wait_for(|| rig.execute(&json!({"language": "python", "source": "say x"})).status == 200);
    wait_for(|| metric(&rig, "engined_probe_ok{language=\"python\"} 1"));
}

#[test]
fn probes_take_no_slot_of_callers() {
    let rig = Rig::with(1, "[health]\nprobe_every_seconds = 1\n", &[]);
    let age = || {
        let text = rig.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with("engined_probe_age_seconds{language=\"c\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    std::thread::scope(|scope| {
        let run = scope.spawn(|| rig.run("gate\nsay done"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) >= 1);
        // The only slot is taken, and a probe got through beside it.
        let mut last = age();
        wait_for(|| {
            let now = age();
            std::mem::replace(&mut last, now) > now
        });
        rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(run.join().unwrap()["run"]["stdout"]["text"], "done\n");
    });
}

#[test]
fn a_silent_broker_is_not_ready() {
    let rig = Rig::start();
    assert_eq!(rig.get("/readyz").status, 200);
    rig.fake.seen.silent.store(true, Ordering::SeqCst);
    wait_for(|| rig.get("/readyz").status == 503);
    let problem = rig.get("/readyz").problem(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("does not answer"), "{problem}");
    rig.fake.seen.silent.store(false, Ordering::SeqCst);
    wait_for(|| rig.get("/readyz").status == 200);
}

#[test]
fn a_disk_that_is_nearly_full_is_told() {
    let scratch = Scratch::new();
    let cache = format!("[cache]\nfolder = {:?}\n\n[health]\ndisk_free_bytes = 1099511627776\n", scratch.0);
    let rig = Rig::with(2, &cache, &[]);
    wait_for(|| !degraded(&rig).is_empty());
    let told = degraded(&rig);
    assert_eq!((told.len(), &told[0]["check"]), (1, &json!("disk:cache")), "{told:?}");
    assert!(told[0]["reason"].as_str().unwrap().contains("health.disk_free_bytes"), "{told:?}");
    let text = rig.get("/metrics").text();
    let free = text.lines().find_map(|line| line.strip_prefix("engined_disk_free_bytes{place=\"cache\"} ")).unwrap();
    assert!(free.parse::<u64>().unwrap() > 0);
    // The metric comes right behind.
    wait_for(|| metric(&rig, "engined_check_ok{check=\"disk:cache\"} 0"));
    assert_eq!(rig.run("say x")["verdict"], "ok");
}

#[test]
fn a_store_that_takes_nothing_is_told_and_runs_go_on() {
    let scratch = Scratch::new();
    let (folder, away) = (scratch.0.join("audit"), scratch.0.join("away"));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("audit.jsonl");
    let rig = Rig::with(2, &format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n"), &[]);
    assert_eq!(degraded(&rig), Vec::<Value>::new());
    std::fs::rename(&folder, &away).unwrap();
    assert_eq!(rig.run("say x")["verdict"], "ok");
    let told = |check: &str| degraded(&rig).iter().any(|told| told["check"] == check);
    // So is its folder, which is looked at by itself.
    wait_for(|| told("store:audit") && told("disk:audit"));
    wait_for(|| metric(&rig, "engined_check_ok{check=\"store:audit\"} 0"));
    assert_eq!(rig.run("say x")["verdict"], "ok");
    std::fs::rename(&away, &folder).unwrap();
    wait_for(|| degraded(&rig).is_empty());
}

#[test]
fn a_link_that_is_lost_during_a_look_says_nothing_of_languages() {
    let rig = Rig::start();
    let seen = &rig.fake.seen;
    let offered = || rig.engine.standing().offers.languages.len();
    let before = offered();
    seen.held.store(true, Ordering::SeqCst);
    rig.engine.reload();
    wait_for(|| seen.aside.load(Ordering::SeqCst) > 0);
    seen.away.store(true, Ordering::SeqCst);
    rig.fake.crash();
    wait_for(|| rig.engine.standing().obstacles == ["the link to jaild is down"]);
    assert_eq!(offered(), before, "what was offered is offered again when the link is back");
    let ill = rig.engine.health.degraded();
    assert!(!ill.iter().any(|ill| ["language:c", "language:python"].contains(&ill.check.as_str())), "{ill:?}");
    seen.held.store(false, Ordering::SeqCst);
    seen.away.store(false, Ordering::SeqCst);
    wait_for(|| rig.get("/readyz").status == 200);
    assert_eq!(rig.run("say x")["verdict"], "ok");
}
