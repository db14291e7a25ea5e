//! Whose batches they are, and what a plan has to say of them.

use engined::accounts::Accounts;
use engined::config::Host;
use engined::reload::{Outcome, Reloader};
use serde_json::{Value, json};

use super::common::{TOKEN, wait_for};
use super::{Grader, JSON, echoes};

const OTHER: &str = "engined_other-token";

fn hash(token: &str) -> String {
    engined::tenants::hash(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn two_tenants() -> Grader {
    let hash = hash(OTHER);
    Grader::with(&format!(
        "[plans.asks]\npriorities = [\"interactive\"]\n[tenants.t]\ntokens = [\"HASH\"]\n\
         [tenants.other]\nplan = \"asks\"\ntokens = [\"{hash}\"]\n"
    ))
}

#[test]
fn nobody_finds_the_batches_of_others() {
    let grader = two_tenants();
    let id = grader.submit(&echoes(1, 1));
    let as_other = |method: &str, path: &str, body: &str| {
        let headers = format!("Authorization: Bearer {OTHER}\r\n{JSON}");
        grader.rig.raw_call(method, path, &headers, body.as_bytes())
    };
    for path in ["", "?wait_ms=50", "/results", "/results?wait_ms=50", "/events"] {
        as_other("GET", &format!("/v1/batches/{id}{path}"), "").problem(404, "not_found");
    }
    as_other("DELETE", &format!("/v1/batches/{id}"), "").problem(404, "not_found");
    as_other("POST", &format!("/v1/batches/{id}/rejudge"), "").problem(404, "not_found");
    assert_eq!(as_other("GET", "/v1/batches", "").json()["batches"], json!([]));
    let problem = as_other("GET", &format!("/v1/batches?cursor={id}"), "").problem(400, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("cursor"), "{problem}");
    // And the plan of that one has no room for any.
    as_other("POST", "/v1/batches", &echoes(1, 1).to_string()).problem(403, "forbidden");
    assert_eq!(grader.over(&id)["status"], "finished");
}

#[test]
fn a_list_is_read_page_by_page() {
    let grader = Grader::start();
    let labelled = |exercise: &str| {
        let mut batch = echoes(1, 1);
        batch["labels"] = json!({"exercise": exercise});
        grader.submit(&batch)
    };
    let ids: Vec<String> = (0..5).map(|n| labelled(if n == 2 { "b c" } else { "a" })).collect();
    let page = |query: &str| {
        let answer = grader.get(&format!("/v1/batches?{query}"));
        let found: Vec<String> =
            answer["batches"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap().to_owned()).collect();
        (found, answer["next"].clone())
    };
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    let (first, next) = page("limit=2");
    assert_eq!(first, newest[..2]);
    let (second, next) = page(&format!("limit=2&cursor={}", next.as_str().unwrap()));
    assert_eq!(second, newest[2..4]);
    assert_eq!(page(&format!("limit=2&cursor={}", next.as_str().unwrap())), (newest[4..].to_vec(), Value::Null));
    assert_eq!(page("label=exercise:b%20c").0, [ids[2].clone()]);
    assert_eq!(page("label=exercise:b+c").0, [ids[2].clone()]);
    assert_eq!(page("label=exercise:z").0, Vec::<String>::new());
    ids.iter().for_each(|id| drop(grader.over(id)));
    assert_eq!(page("status=finished").0.len(), 5);
    assert_eq!(page("status=queued").0.len(), 0);
    for bad in ["status=done", "limit=0", "limit=501", "cursor=nobody", "label=x", "page=2"] {
        grader.rig.get(&format!("/v1/batches?{bad}")).problem(400, "invalid_request");
    }
}

#[test]
fn reads_are_counted_by_themselves_and_take_nothing_from_work() {
    let grader = Grader::with("[plans.default]\nrequests_per_minute = 2\nburst = 2\n");
    let id = grader.submit(&echoes(1, 1));
    let mut reads = 0;
    let refused = loop {
        let path = ["", "/results", "/events"][reads % 3];
        let reply = grader.rig.get(&format!("/v1/batches/{id}{path}"));
        if reply.status == 429 {
            break reply;
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("ratelimit-policy"), Some("20;w=60;burst=20"));
        reads += 1;
        assert!(reads < 100, "reads are not counted");
    };
    // What has flowed in meanwhile is a read every three seconds.
    assert!(reads >= 20, "{reads}");
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(problem["detail"], "the tenant's plan has 20 reads of batches a minute, 20 at once");
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds != "0"), "{refused:?}");
    // One may have flowed in since.
    let list = (0..100).map(|_| grader.rig.get("/v1/batches")).find(|reply| reply.status != 200).unwrap();
    list.problem(429, "rate_limited");
    list.conforms("GET", "/v1/batches");
    let more = grader.post(&echoes(1, 1), "");
    assert_eq!(more.status, 202, "work has a bucket of its own");
    // Of that one flows in every thirty seconds.
    let none = (0..10).map(|_| grader.post(&echoes(1, 1), "")).find(|reply| reply.status != 202).unwrap();
    none.problem(429, "rate_limited");
    // Whoever floods a tenant's reads keeps nobody from ending its work.
    let more = format!("/v1/batches/{}", more.json()["id"].as_str().unwrap());
    for _ in 0..100 {
        let ended = grader.rig.call("DELETE", &more, "", b"");
        assert!(matches!(ended.status, 200 | 202), "{}", ended.text());
        assert_eq!(ended.header("ratelimit-policy"), None);
        ended.conforms("DELETE", &more);
    }
}

#[test]
fn without_a_folder_there_are_none_and_it_is_said_why() {
    let rig = crate::common::Rig::start();
    for (method, path) in [("POST", "/v1/batches"), ("GET", "/v1/batches"), ("GET", "/v1/batches/x/events")] {
        let problem = rig.call(method, path, JSON, b"{}").problem(503, "not_ready");
        assert!(problem["detail"].as_str().unwrap().contains("[batches]"), "{problem}");
    }
}

#[test]
fn a_tenant_has_a_quarter_of_the_store() {
    let grader = Grader::with("[batches]\nstore_bytes = 16777216\n");
    let text = "x".repeat(60_000);
    let mut batch = echoes(1, 1);
    batch["tests"] = (0..100).map(|n| json!({"id": format!("t{n}"), "stdin": text, "expected": text})).collect();
    let problem = grader.post(&batch, "").problem(429, "quota_exceeded");
    assert!(problem["detail"].as_str().unwrap().contains("may have 4194304 (batch_bytes)"), "{problem}");
}

#[test]
fn a_full_store_takes_no_more() {
    let grader = Grader::with("[batches]\nstore_bytes = 16777216\n[plans.default]\nbatch_bytes = 1000000000\n");
    let text = "x".repeat(60_000);
    let mut batch = echoes(1, 1);
    batch["tests"] = (0..100).map(|n| json!({"id": format!("t{n}"), "stdin": text, "expected": text})).collect();
    let mut taken = 0;
    let refused = loop {
        let reply = grader.post(&batch, "");
        if reply.status != 202 {
            break reply;
        }
        taken += 1;
        assert!(taken < 10, "it has no end");
    };
    let problem = refused.problem(503, "store_full");
    assert!(problem["detail"].as_str().unwrap().contains("store_bytes"), "{problem}");
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(grader.get("/v1/batches")["batches"].as_array().unwrap().len(), taken);
}

#[test]
fn what_finds_no_room_in_an_empty_store_is_too_large() {
    let grader = Grader::with("[batches]\nstore_bytes = 16777216\n");
    let refused = grader.post(&echoes(100, 100), "");
    let problem = refused.problem(422, "limit_above_ceiling");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("store has 14680064 ") && detail.contains("store_bytes"), "{problem}");
    assert_eq!((&problem["field"], refused.header("retry-after")), (&json!("/tests"), None));
    grader.submit(&echoes(1, 100));
}

#[test]
fn a_store_that_does_not_open_takes_no_blobs_with_it() {
    let folders = crate::common::Scratch::new();
    let [batches, blobs] = ["batches", "blobs"].map(|name| folders.0.join(name));
    for folder in [&batches, &blobs] {
        engined::cache::folder::make(folder).unwrap();
    }
    std::fs::write(batches.join("batches.sqlite"), "no database ".repeat(1000)).unwrap();
    let more = format!("[batches]\nfolder = {batches:?}\n[blobs]\nfolder = {blobs:?}\n");
    let rig = crate::common::Rig::with(2, &more, &[]);
    // Of "hello\n". Batches in that store may refer to it.
    let path = "/v1/blobs/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(rig.call("PUT", path, "Content-Type: application/octet-stream\r\n", b"hello\n").status, 201);
    assert_eq!(rig.call("DELETE", path, "", b"").status, 202);
    rig.call("POST", "/v1/batches", JSON, b"{}").problem(503, "not_ready");
}

#[test]
fn more_than_a_checker_can_be_given_is_refused_with_its_field() {
    let grader = Grader::with("[engine]\nengine_memory_bytes = 8000000\n");
    let mut batch = echoes(1, 2);
    batch["tests"][1]["expected"] = "x".repeat(1_000_000).into();
    batch["checker"] =
        json!({"kind": "program", "program": {"language": "python", "source": "x", "protocol": "testlib"}});
    let mut large = batch.clone();
    large["tests"][1]["stdin"] = "x".repeat(1_300_000).into();
    let problem = grader.post(&large, "").problem(422, "limit_above_ceiling");
    assert_eq!(problem["field"], "/tests/1/stdin", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("engine_memory_bytes"), "{problem}");
    // Without a program it is compared as it comes.
    large["checker"] = json!({"kind": "lines"});
    grader.submit(&large);
    grader.submit(&batch);
}

#[test]
fn nothing_of_the_batches_of_a_tenant_that_is_removed_is_begun_until_it_is_back() {
    let other = format!("[tenants.other]\nadmin = true\ntokens = [\"{}\"]\n", hash(OTHER));
    let both = format!("[tenants.t]\ntokens = [\"{}\"]\n{other}", hash(TOKEN));
    let grader = Grader::with(&both);
    let engine = &grader.rig.engine;
    let path = grader.folders.0.join("engined.toml");
    let host = Host { accounts: Accounts::parse("root:x:0:0::/:\n", "", 0), memory: 8 << 30, cpus: 4 };
    let reloader = Reloader::new(path.clone(), host, "");
    let reload = |tenants: &str| {
        std::fs::write(&path, format!("[listen]\ntcp = \"127.0.0.1:1\"\n{tenants}")).unwrap();
        assert!(matches!(reloader.reload(engine), Outcome::Taken(_)));
    };
    let as_other = |method: &str, path: &str, words: &str| {
        let body = json!({"language": "python", "source": words}).to_string();
        let headers = format!("Authorization: Bearer {OTHER}\r\n{JSON}");
        grader.rig.raw_call(method, path, &headers, if words.is_empty() { b"" } else { body.as_bytes() })
    };
    let runs = [0, 1].map(|_| as_other("POST", "/v1/executions?wait=false", "gate"));
    wait_for(|| engine.queue.gauges().running == 2);
    let id = grader.submit(&echoes(3, 4));
    wait_for(|| engine.queue.gauges().waiting[1] > 0);
    reload(&other);
    assert_eq!(engine.queue.gauges().waiting, [0, 0]);
    // What was taken up is given back.
    wait_for(|| engine.drain.executions() == 2);
    for run in runs {
        assert!([200, 202].contains(&as_other("DELETE", run.header("location").unwrap(), "").status));
    }
    for _ in 0..5 {
        assert_eq!(as_other("POST", "/v1/executions", "say other").status, 200);
    }
    let begun = || grader.rig.fake.seen.played.lock().unwrap().iter().filter(|run| run.0 == "cat").count();
    // Those that were stopped are over a little later.
    wait_for(|| engine.drain.executions() == 0);
    assert_eq!(begun(), 0);
    grader.rig.get(&format!("/v1/batches/{id}")).problem(401, "unauthenticated");
    reload(&both);
    assert_eq!(grader.over(&id)["status"], "finished");
    assert_eq!((grader.results(&id, "").len(), begun()), (12, 12));
}
