//! What could not be judged, as the engine has failed or the checker: it says nothing about the program, and is never hidden.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Grader, complete, echoes};
use crate::common::wait_for;

/// What a program does by the arguments of a test.
const PROGRAM: &str = "when ours fail\nwhen gate gate\nsay 7\nwhen wrong say 8";

/// A test of ten points for each of these words.
fn batch(tests: &[&str]) -> Value {
    let test = |(n, word): (usize, &&str)| json!({"id": format!("t{n}"), "points": 10, "args": [word], "stdin": "", "expected": "7"});
    let tests: Vec<Value> = tests.iter().enumerate().map(test).collect();
    json!({"submissions": [{"id": "a", "language": "python", "source": PROGRAM}], "tests": tests})
}

/// Its verdict, points, and how many results say nothing, once it is over.
fn line(grader: &Grader, id: &str) -> (String, f64, u64) {
    let batch = grader.over(id);
    assert_eq!(batch["status"], "finished", "{batch}");
    let line = &batch["submission_results"][0];
    (line["verdict"].as_str().unwrap().to_owned(), line["points"].as_f64().unwrap(), line["unjudged"].as_u64().unwrap())
}

fn verdicts(grader: &Grader, id: &str) -> Vec<String> {
    let mut results = grader.results(id, "");
    results.sort_by_key(|result| (result["test"].to_string(), result["repeat"].as_u64()));
    results.iter().map(|result| result["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn its_submission_is_not_partial_and_no_test_is_skipped_for_it() {
    let grader = Grader::start();
    for stop in ["never", "first_failure", "group"] {
        let mut some = batch(&["right", "ours", "right"]);
        some["stop"] = stop.into();
        some["groups"] = json!([{"id": "g", "rule": "sum"}]);
        some["tests"].as_array_mut().unwrap().iter_mut().for_each(|test| test["group"] = "g".into());
        let id = grader.submit(&some);
        assert_eq!(line(&grader, &id), ("engine_error".to_owned(), 20.0, 1), "{stop}");
        assert_eq!(verdicts(&grader, &id), ["accepted", "engine_error", "accepted"], "{stop}");
    }
    // What has failed by itself stops the rest as ever, and is no more than that.
    let mut wrong = batch(&["right", "ours", "wrong", "right"]);
    wrong["stop"] = "first_failure".into();
    let id = grader.submit(&wrong);
    assert_eq!(line(&grader, &id), ("engine_error".to_owned(), 10.0, 1));
    assert_eq!(verdicts(&grader, &id), ["accepted", "engine_error", "wrong_answer", "skipped"]);
    let id = grader.submit(&batch(&["wrong", "ours"]));
    assert_eq!(line(&grader, &id), ("wrong_answer".to_owned(), 0.0, 1), "without points the first is told");
    let id = grader.submit(&batch(&["right", "wrong"]));
    assert_eq!(line(&grader, &id), ("partial".to_owned(), 10.0, 0));
}

#[test]
fn a_checker_that_fails_says_nothing_of_the_program() {
    let grader = Grader::start();
    let mut some = batch(&["right", "right"]);
    some["checker"] =
        json!({"kind": "program", "program": {"language": "python", "source": "exit 3", "protocol": "kattis"}});
    some["stop"] = "first_failure".into();
    some["repeat"] = 2.into();
    let id = grader.submit(&some);
    assert_eq!(line(&grader, &id), ("checker_error".to_owned(), 0.0, 4));
    assert_eq!(verdicts(&grader, &id), ["checker_error"; 4]);
}

#[test]
fn an_engine_that_goes_on_after_another_knows_it_again() {
    let grader = Grader::start();
    let mut some = batch(&["right", "ours", "gate", "right"]);
    some["stop"] = "first_failure".into();
    let id = grader.submit(&some);
    wait_for(|| grader.get(&format!("/v1/batches/{id}"))["done"] == 2);
    let grader = grader.again();
    grader.rig.fake.seen.open.store(true, Ordering::SeqCst);
    assert_eq!(line(&grader, &id), ("engine_error".to_owned(), 30.0, 1));
    assert_eq!(verdicts(&grader, &id), ["accepted", "engine_error", "accepted", "accepted"]);
    // Both are there, and what comes now has its turn.
    complete(&grader.results(&id, ""), 1, 4, 1);
    let next = grader.submit(&echoes(1, 1));
    assert_eq!(line(&grader, &next).0, "accepted");
}
