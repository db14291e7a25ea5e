//! `Idempotency-Key`: the same again is the same batch, another body is a conflict, also while the first is being written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use engined::accounts::Accounts;
use engined::config::Host;
use engined::reload::{Outcome, Reloader};
use serde_json::json;

use super::common::TOKEN;
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

/// Empties a folder and what is below it of files.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { empty(&path) } else { fs::remove_file(path).unwrap() }
    }
}

#[test]
fn what_was_taken_before_is_found_whatever_has_changed_since() {
    let grader = Grader::start();
    let hex = |hash: [u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let blob = hex(engined::tenants::hash(b"0\n"));
    let bytes = "Content-Type: application/octet-stream\r\n";
    assert_eq!(grader.rig.call("PUT", &format!("/v1/blobs/{blob}"), bytes, b"0\n").status, 201);
    let mut body = echoes(2, 2);
    body["tests"][0]["stdin"] = json!({"blob": format!("sha256:{blob}")});
    let (known, new) = ("Idempotency-Key: known\r\n", "Idempotency-Key: new\r\n");
    let first = grader.post(&body, known).json()["id"].clone();
    let path = format!("/v1/batches/{}/rejudge", first.as_str().unwrap());
    let rejudge = || grader.rig.call("POST", &path, &format!("{JSON}Idempotency-Key: rejudge\r\n"), b"");
    let second = rejudge().json()["id"].clone();
    grader.over(first.as_str().unwrap());
    grader.over(second.as_str().unwrap());
    let same = || {
        let again = grader.post(&body, known);
        assert_eq!((again.status, &again.json()["id"]), (202, &first), "{}", again.text());
        assert_eq!(again.header("location").unwrap(), format!("/v1/batches/{}", first.as_str().unwrap()));
        assert_eq!(rejudge().json()["id"], second);
        let mut other = body.clone();
        other["repeat"] = json!(2);
        grader.post(&other, known).problem(409, "idempotency_conflict");
    };
    // A blob that is gone.
    empty(&grader.folders.0.join("blobs"));
    assert_eq!(grader.post(&body, new).json()["code"], "unknown_blob");
    same();
    // A smaller plan.
    let token = hex(engined::tenants::hash(TOKEN.as_bytes()));
    let config = format!(
        "[listen]\ntcp = \"127.0.0.1:1\"\n[plans.default]\nbatch_tests = 1\nbatch_results = 1\n[tenants.t]\ntokens = [\"{token}\"]\n"
    );
    let file = grader.folders.0.join("engined.toml");
    fs::write(&file, config).unwrap();
    let host = Host { accounts: Accounts::of_host(), memory: 16 << 30, cpus: 64 };
    let outcome = Reloader::new(file, host, "").reload(&grader.rig.engine);
    assert!(matches!(outcome, Outcome::Taken(_)), "{outcome:?}");
    grader.post(&echoes(2, 2), new).problem(422, "limit_above_ceiling");
    same();
    assert_eq!(grader.get("/v1/batches")["batches"].as_array().unwrap().len(), 2);
}
