//! Which submissions of a tenant are under way beside each other.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Grader, complete, echoes};
use crate::common::wait_for;

/// All places of a tenant are with submissions of one batch that do not get on: others of its batches are begun all the same,
/// a few, one submission of each.
#[test]
fn submissions_that_take_long_keep_no_other_batch_from_being_begun() {
    let grader = Grader::start();
    let slow = |n: usize| json!({"id": format!("s{n}"), "language": "python", "source": "gate\nsay 7"});
    let test = |n: usize| json!({"id": format!("t{n}"), "stdin": "", "expected": "7"});
    let (submissions, tests): (Vec<Value>, Vec<Value>) = ((0..9).map(slow).collect(), (0..3).map(test).collect());
    let first = grader.submit(&json!({"submissions": submissions, "tests": tests}));
    let begun = |ids: &[String]| -> usize {
        let status = |id: &String| grader.get(&format!("/v1/batches/{id}"))["status"].as_str().unwrap().to_owned();
        ids.iter().map(status).filter(|status| status == "running").count()
    };
    wait_for(|| grader.rig.fake.seen.running.load(Ordering::SeqCst) == 2);
    let others: Vec<String> = (0..6).map(|_| grader.submit(&echoes(2, 3))).collect();
    wait_for(|| begun(&others) == 4);
    // Each has one of the places beside the others, of which there are no more.
    for _ in 0..10 {
        assert_eq!(begun(&others), 4);
    }
    grader.rig.fake.seen.open.store(true, Ordering::SeqCst);
    assert_eq!(grader.over(&first)["status"], "finished");
    complete(&grader.results(&first, ""), 9, 3, 1);
    for id in &others {
        assert_eq!(grader.over(id)["status"], "finished");
        complete(&grader.results(id, ""), 2, 3, 1);
    }
}
