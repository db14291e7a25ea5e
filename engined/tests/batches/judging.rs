//! How batches are judged, by a jaild that plays programs.

use std::sync::atomic::Ordering;

use jail::spec::StopReason;
use serde_json::{Value, json};

use super::Grader;
use crate::common::wait_for;

fn submission(id: &str, language: &str, source: &str) -> Value {
    json!({"id": id, "language": language, "source": source})
}

fn tests(count: usize, expected: &str) -> Vec<Value> {
    (0..count).map(|n| json!({"id": format!("t{n}"), "points": 1, "stdin": "", "expected": expected})).collect()
}

impl Grader {
    /// The results of a batch that is over: submission and test, in the order of these.
    fn results_of(&self, id: &str) -> Vec<Value> {
        let batch = self.over(id);
        assert_eq!(batch["status"], "finished", "{batch}");
        let text = self.rig.get(&format!("/v1/batches/{id}/results")).text();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| (line["submission"].to_string(), line["test"].to_string(), line["repeat"].as_u64()));
        lines
    }

    fn verdicts(&self, id: &str) -> Vec<String> {
        self.results_of(id).iter().map(|line| line["verdict"].as_str().unwrap().to_owned()).collect()
    }

    fn profiles(&self) -> Vec<String> {
        self.rig.fake.seen.profiles.lock().unwrap().clone()
    }
}

#[test]
fn a_submission_is_compiled_once_and_each_of_its_tests_is_run() {
    for cache in ["", "[cache]\nenabled = false\n"] {
        let grader = Grader::with(cache);
        let before = grader.profiles().len();
        let mut batch = json!({"submissions": [submission("c", "c", "say 7"), submission("bad", "c", "#error")], "tests": tests(5, "7\n")});
        batch["repeat"] = 2.into();
        let id = grader.submit(&batch);
        let (bad, good) = (vec!["skipped"; 10], vec!["accepted"; 10]);
        assert_eq!(grader.verdicts(&id), [bad, good].concat());
        let profiles = grader.profiles().split_off(before);
        let of = |step: &str| profiles.iter().filter(|profile| profile.ends_with(step)).count();
        assert_eq!((of("/compile"), of("/run")), (2, 10), "{profiles:?}");
        let batch = grader.get(&format!("/v1/batches/{id}"));
        let told: Vec<(&Value, &Value)> = batch["submission_results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (&one["verdict"], &one["points"]))
            .collect();
        assert_eq!(told, [(&json!("accepted"), &json!(5.0)), (&json!("compile_error"), &json!(0.0))]);
        assert!(batch.to_string().contains("main.c:1:2: error"), "{batch}");
    }
}

#[test]
fn nobody_waits_for_the_beginning_of_a_part() {
    let grader = Grader::slots(1, "[slo]\nbatch_start_ms = 1\n");
    let stays = json!({"language": "python", "source": "gate", "priority": "batch"}).to_string();
    let json = "Content-Type: application/json\r\n";
    let stays = grader.rig.call("POST", "/v1/executions?wait=false", json, stays.as_bytes());
    assert_eq!(stays.status, 202, "{}", stays.text());
    wait_for(|| grader.rig.engine.queue.gauges().running == 1);
    let submissions = [submission("a", "python", "say 7"), submission("b", "c", "say 7")];
    let id = grader.submit(&json!({"submissions": submissions, "tests": tests(2, "7")}));
    // At least a run of the one and the compile of the other.
    wait_for(|| grader.rig.engine.queue.gauges().waiting[1] >= 2);
    assert!(grader.rig.engine.queue.oldest()[1].is_zero());
    assert_eq!(grader.rig.call("DELETE", stays.header("location").unwrap(), "", b"").status / 100, 2);
    assert_eq!(grader.verdicts(&id), ["accepted"; 4]);
    let metrics = grader.rig.get("/metrics").text();
    let count = |series: &str| {
        let value =
            metrics.lines().find_map(|line| line.strip_prefix(&format!("engined_slo_requests_total{{{series}}} ")));
        value.unwrap().parse::<u64>().unwrap()
    };
    assert!(count("outcome=\"good\",slo=\"availability\"") >= 5, "{metrics}");
    let began = ["good", "bad"].map(|outcome| count(&format!("outcome=\"{outcome}\",slo=\"latency\"")));
    assert_eq!(began, [0, 0], "{metrics}");
}

#[test]
fn what_comes_after_a_failure_is_not_run() {
    let grader = Grader::start();
    let mut all = tests(4, "7\n");
    all[1]["expected"] = "8\n".into();
    let batch = |stop: &str| json!({"submissions": [submission("a", "python", "say 7")], "tests": all, "stop": stop});
    let never = grader.submit(&batch("never"));
    assert_eq!(grader.verdicts(&never), ["accepted", "wrong_answer", "accepted", "accepted"]);
    let first = grader.submit(&batch("first_failure"));
    assert_eq!(grader.verdicts(&first), ["accepted", "wrong_answer", "skipped", "skipped"]);
    let skipped = &grader.results_of(&first)[2];
    assert_eq!((&skipped["attempt"], &skipped["usage"]), (&json!(0), &Value::Null));
    assert_eq!(grader.get(&format!("/v1/batches/{first}"))["submission_results"][0]["verdict"], "partial");
}

#[test]
fn a_group_tells_what_its_rule_has_made_of_its_points() {
    let grader = Grader::slots(16, "");
    let group = |id: &str, rule: &str| json!({"id": id, "rule": rule});
    let mut all = tests(7, "7\n");
    for (n, test) in all.iter_mut().enumerate() {
        test["points"] = (10 * (n + 1)).into();
        if n < 6 {
            test["group"] = ["all", "sum", "min"][n / 2].into();
        }
    }
    for wrong in [1, 3, 5] {
        all[wrong]["expected"] = "8\n".into();
    }
    let groups = [group("all", "all"), group("sum", "sum"), group("min", "min")];
    let submissions =
        [submission("a", "python", "say 7"), submission("c", "c", "#error"), submission("w", "python", "gate")];
    let id = grader.submit(&json!({"submissions": submissions, "tests": all, "groups": groups}));
    let at = format!("/v1/batches/{id}");
    wait_for(|| grader.get(&at)["done"] == 14);
    // Their own lines come behind those of their results.
    let over = |of: &Value| !of["verdict"].is_null();
    wait_for(|| grader.get(&at)["submission_results"].as_array().unwrap()[..2].iter().all(over));
    let told = |batch: &Value, of: usize| -> Vec<(String, Value, f64)> {
        let groups = batch["submission_results"][of]["groups"].as_array().unwrap();
        let of = |group: &Value| {
            (group["id"].as_str().unwrap().to_owned(), group["points"].clone(), group["max_points"].as_f64().unwrap())
        };
        groups.iter().map(of).collect()
    };
    let wanted = |points: [Value; 3]| -> Vec<(String, Value, f64)> {
        let [all, sum, min] = points;
        vec![("all".into(), all, 30.0), ("sum".into(), sum, 70.0), ("min".into(), min, 110.0)]
    };
    let batch = grader.get(&at);
    assert_eq!(told(&batch, 0), wanted([json!(0.0), json!(30.0), json!(0.0)]), "{batch}");
    // The grade is what they make together with the test that is in none; the lines have more.
    assert_eq!(batch["submission_results"][0]["points"], 100.0, "{batch}");
    assert_eq!(told(&batch, 1), wanted([json!(0.0), json!(0.0), json!(0.0)]), "it does not compile: {batch}");
    assert_eq!(told(&batch, 2), wanted([Value::Null, Value::Null, Value::Null]), "nobody knows yet: {batch}");
    grader.rig.fake.seen.open.store(true, Ordering::SeqCst);
    grader.over(&id);
}

#[test]
fn who_writes_too_much_is_stopped_and_who_fails_is_told_why() {
    let grader = Grader::start();
    let source = |id: &str, words: &str| submission(id, "python", words);
    let submissions = [
        source("a", "flood 1000000000"),
        source("b", "limit cpu"),
        source("c", "exit 3"),
        source("d", "say 7\nsignal 11"),
    ];
    let id = grader.submit(&json!({"submissions": submissions, "tests": tests(1, "7\n")}));
    assert_eq!(grader.verdicts(&id), ["output_limit", "cpu_time_limit", "runtime_error", "signalled"]);
    let results = grader.results_of(&id);
    assert!(results.iter().all(|line| line["reason"]["message"].is_string() && line["checker"].is_null()));
    // No more than a head is kept.
    assert!(results[0]["stdout"]["text"].as_str().unwrap().len() <= 4096 && results[0]["stdout"]["truncated"] == true);
}

#[test]
fn what_is_cancelled_is_stopped() {
    let grader = Grader::start();
    let before = grader.profiles().len();
    let id = grader.submit(&json!({"submissions": [submission("a", "python", "sleep 600000")], "tests": tests(9, "")}));
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 2);
    assert_eq!(grader.rig.call("DELETE", &format!("/v1/batches/{id}"), "", b"").status, 202);
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 0);
    assert_eq!(*grader.rig.fake.seen.stopped.lock().unwrap(), [StopReason::Cancelled; 2]);
    wait_for(|| grader.rig.engine.is_idle());
    assert_eq!(grader.profiles().len() - before, 2, "nothing more of it was begun");
    let batch = grader.get(&format!("/v1/batches/{id}"));
    assert_eq!((&batch["status"], &batch["done"]), (&json!("cancelled"), &json!(0)));
    // The next is judged.
    let next = grader.submit(&json!({"submissions": [submission("a", "python", "say 7")], "tests": tests(2, "7")}));
    assert_eq!(grader.verdicts(&next), ["accepted"; 2]);
}

#[test]
fn what_is_lost_with_jaild_is_run_again() {
    let grader = Grader::start();
    let id = grader.submit(&json!({"submissions": [submission("a", "python", "gate\nsay 7")], "tests": tests(5, "7")}));
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 2);
    grader.rig.fake.crash();
    grader.rig.fake.seen.open.store(true, Ordering::SeqCst);
    let results = grader.results_of(&id);
    assert!(results.iter().all(|line| line["verdict"] == "accepted"), "{results:?}");
    let attempts: u64 = results.iter().map(|line| line["attempt"].as_u64().unwrap()).sum();
    assert_eq!(attempts, 7, "two were under way");
}

#[test]
fn what_fails_by_our_fault_is_tried_three_times() {
    let grader = Grader::start();
    let submissions = [submission("a", "python", "fail"), submission("b", "python", "say 7")];
    let id = grader.submit(&json!({"submissions": submissions, "tests": tests(2, "7"), "feedback": "verdict_only"}));
    let results = grader.results_of(&id);
    let told: Vec<(&str, u64)> =
        results.iter().map(|line| (line["verdict"].as_str().unwrap(), line["attempt"].as_u64().unwrap())).collect();
    assert_eq!(told, [("engine_error", 3), ("engine_error", 3), ("accepted", 1), ("accepted", 1)]);
    assert!(results[0]["reason"]["message"].as_str().unwrap().contains("sandbox failed"), "{}", results[0]);
}

#[test]
fn a_slow_submission_stops_no_other() {
    let grader = Grader::start();
    let slow = grader
        .submit(&json!({"submissions": [submission("a", "python", "sleep 200\nsay 7")], "tests": tests(1000, "7")}));
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 2);
    let quick = grader.submit(&json!({"submissions": [submission("a", "python", "say 7")], "tests": tests(10, "7")}));
    assert_eq!(grader.verdicts(&quick), ["accepted"; 10]);
    assert_eq!(grader.get(&format!("/v1/batches/{slow}"))["status"], "running");
    grader.rig.call("DELETE", &format!("/v1/batches/{slow}"), "", b"");
}

/// Of a drain nothing is left but what is durable, and nothing that was not begun counts as tried.
#[test]
fn a_drain_lets_runs_end_and_gives_the_rest_back() {
    use store::{Leased, Wish};
    let grader = Grader::start();
    let id = grader.submit(&json!({"submissions": [submission("a", "python", "gate\nsay 7")], "tests": tests(9, "7")}));
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 2);
    grader.rig.engine.drain();
    grader.rig.fake.seen.open.store(true, Ordering::SeqCst);
    wait_for(|| grader.rig.engine.is_idle());
    let batch = grader.get(&format!("/v1/batches/{id}"));
    // Whoever had its slot when the drain began may begin; the others wait for the next engine.
    let done = batch["done"].as_u64().unwrap();
    assert!(batch["status"] == "running" && (2..=4).contains(&done), "{batch}");
    let tenant = "development".to_owned();
    let store = std::sync::Arc::clone(&grader.rig.engine.batches().unwrap().store);
    let waiting = store.read(store::Question::Waiting);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let waiting = match runtime.block_on(waiting).unwrap() {
        store::Answer::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    let most = waiting.first().cloned().unwrap_or(tenant);
    let leased = runtime.block_on(store.lease(Wish::Submissions { most: vec![store::Share::any(&most, 1)] })).unwrap();
    let Leased::Submissions(leased) = leased else { panic!("{leased:?}") };
    assert_eq!((leased[0].done, &leased[0].tried), (done, &Vec::new()));
}
