//! `Idempotency-Key`: the same again is the same batch, another body is a conflict, also while the first is being written.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Grader, JSON, echoes};

#[test]
fn the_same_again_is_the_same_batch() {
    let grader = Grader::start();
    let key = "Idempotency-Key: 4f5a\r\n";
    let first = grader.post(&echoes(1, 1), key);
    assert_eq!(first.status, 202, "{}", first.text());
    let again = grader.post(&echoes(1, 1), key);
    assert_eq!((again.status, &again.json()["id"]), (202, &first.json()["id"]));
    let mut same = echoes(1, 1).to_string();
    same.push('\n');
    grader
        .rig
        .call("POST", "/v1/batches", &format!("{JSON}{key}"), same.as_bytes())
        .problem(409, "idempotency_conflict");
    // Another key, another batch; and one without.
    for other in ["Idempotency-Key: 4f5b\r\n", ""] {
        assert_ne!(grader.post(&echoes(1, 1), other).json()["id"], first.json()["id"]);
    }
    assert_eq!(grader.get("/v1/batches")["batches"].as_array().unwrap().len(), 3);
}

#[test]
fn many_at_once_are_one() {
    let grader = Grader::start();
    let replies: Vec<_> = std::thread::scope(|scope| {
        let send = |n: usize| {
            let grader = &grader;
            scope.spawn(move || grader.post(&echoes(1, 1 + n % 2), "Idempotency-Key: k\r\n"))
        };
        let sent: Vec<_> = (0..16).map(send).collect();
        sent.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let taken: BTreeSet<String> =
        replies.iter().filter(|reply| reply.status == 202).map(|reply| reply.json()["id"].to_string()).collect();
    assert_eq!(taken.len(), 1);
    let refused = replies.iter().filter(|reply| reply.status == 409).count();
    assert_eq!(refused, 8, "{replies:?}");
    assert_eq!(grader.get("/v1/batches")["batches"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rejudge_has_keys_as_well() {
    let grader = Grader::start();
    let (one, other) = (grader.submit(&echoes(2, 1)), grader.submit(&echoes(2, 1)));
    let again = |id: &str, body: &str| {
        let headers = format!("{JSON}Idempotency-Key: r\r\n");
        grader.rig.call("POST", &format!("/v1/batches/{id}/rejudge"), &headers, body.as_bytes())
    };
    let first = again(&one, "");
    assert_eq!(first.status, 202, "{}", first.text());
    assert_eq!((&first.json()["rejudge_of"], &first.json()["results"]), (&json!(one), &json!(2)));
    assert_eq!(again(&one, "").json()["id"], first.json()["id"]);
    again(&one, r#"{"submissions": ["s1"]}"#).problem(409, "idempotency_conflict");
    again(&other, "").problem(409, "idempotency_conflict");
}
