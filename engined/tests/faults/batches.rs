//! -9 to an engine that judges batches, at every point and at any moment: every batch that was accepted ends with exactly one
//! result for each run of each test.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::live::live;
use crate::common::opt::Opt;
use crate::rig::{PATIENCE, Rig, end};

/// Beside Python a language that compiles: C by another name, so that no other of its look takes time.
fn rig() -> Rig {
    let opt = Opt::new();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../languages/manifests/c.toml");
    let text = std::fs::read_to_string(manifests).unwrap();
    let text = text.replacen("id = \"c\"", "id = \"compiled\"", 1).replacen("aliases = [\"gcc\"]\n", "", 1);
    // As it is: `OPT` in it is no folder.
    let path = opt.manifest("compiled", "");
    std::fs::write(path, text).unwrap();
    Rig::by(&[], opt)
}

const C: &str = "#include <stdio.h>\nint main(void) { int n; if (scanf(\"%d\", &n) == 1) printf(\"%d\\n\", 2 * n); }";
const PYTHON: &str = "print(2 * int(input()))";

fn batch(tests: &[String]) -> Value {
    let tests: Vec<Value> = tests
        .iter()
        .enumerate()
        .map(|(n, id)| json!({"id": id, "points": 1, "stdin": format!("{n}\n"), "expected": format!("{}\n", 2 * n)}))
        .collect();
    let submissions = json!([
        {"id": "c", "language": "compiled", "source": C},
        {"id": "python", "language": "python", "source": PYTHON},
        {"id": "wrong", "language": "compiled", "source": "int main(void) { return"},
    ]);
    json!({"submissions": submissions, "tests": tests})
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("t{n}")).collect()
}

/// Puts a batch, however often the engine goes down meanwhile.
fn put(rig: &Rig, batch: &Value) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(reply) = rig.up.call("POST", "/v1/batches", batch).filter(|reply| reply.status == 202) {
            return reply.json()["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "not taken\n{}", rig.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn asked(rig: &Rig, path: &str) -> Option<String> {
    rig.up.call("GET", path, &Value::Null).filter(|reply| reply.status == 200).map(|reply| reply.text())
}

/// What became of a batch, once it is over.
fn finished(rig: &Rig, id: &str, within: Duration) -> Value {
    let deadline = Instant::now() + within;
    loop {
        let batch = asked(rig, &format!("/v1/batches/{id}")).map(|text| serde_json::from_str::<Value>(&text).unwrap());
        if let Some(batch) = batch.filter(|batch| batch["status"] == "finished") {
            return batch;
        }
        assert!(Instant::now() < deadline, "{id} is not over\n{}", rig.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All results: numbered without gaps, one for each submission and test.
fn results(rig: &Rig, id: &str, wanted: usize) -> Vec<Value> {
    let text = asked(rig, &format!("/v1/batches/{id}/results")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=wanted as u64).collect::<Vec<_>>(), "{id}");
    let units: BTreeSet<String> =
        lines.iter().map(|line| format!("{} {} {}", line["submission"], line["test"], line["repeat"])).collect();
    assert_eq!(units.len(), wanted, "{id}: a run has two results");
    lines
}

/// Whether a result is what it should be: one that was on its way three times when the engine was killed may say so.
fn right(line: &Value) -> bool {
    let worn_out = line["verdict"] == "engine_error" && line["attempt"] == 3;
    let wanted = if line["submission"] == "wrong" { "skipped" } else { "accepted" };
    line["attempt"].as_u64().is_some_and(|attempt| attempt <= 3) && (worn_out || line["verdict"] == wanted)
}

#[test]
fn engined_is_killed_at_every_point_of_a_batch() {
    if !live() {
        return;
    }
    let rig = rig();
    let points = jail::stop::POINTS.into_iter().filter(|point| point.starts_with("engined.batch."));
    for point in points {
        rig.page.arm(point);
        let id = put(&rig, &batch(&names(3)));
        rig.until(&format!("{id} comes to {point}"), || rig.page.taken(point));
        let killed = rig.program("engined");
        end(killed);
        rig.until(&format!("the end of {killed}"), || !Path::new(&format!("/proc/{killed}")).exists());
        rig.page.release();
        let batch = finished(&rig, &id, PATIENCE);
        let results = results(&rig, &id, 9);
        // Killed once, nothing is tried more than twice, and all comes out as if nothing had been.
        let fine =
            |line: &Value| right(line) && line["verdict"] != "engine_error" && line["attempt"].as_u64() <= Some(2);
        assert!(results.iter().all(fine), "-9 at {point}: {results:#?}");
        let of: Vec<&str> = batch["submission_results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["verdict"].as_str().unwrap())
            .collect();
        assert_eq!(of, ["accepted", "accepted", "compile_error"], "-9 at {point}");
    }
    rig.stop();
}

/// Whatever is run beside it is judged, and it is not tried a fourth time.
#[test]
fn a_test_that_takes_the_engine_down_is_given_up() {
    if !live() {
        return;
    }
    let rig = rig();
    let mut tests = names(6);
    tests[3] = "takes the engine down".to_owned();
    let mut batch = batch(&tests);
    batch["submissions"].as_array_mut().unwrap().remove(0);
    let id = put(&rig, &batch);
    let over = finished(&rig, &id, 2 * PATIENCE);
    for line in results(&rig, &id, 12) {
        let wanted = match (line["submission"].as_str(), line["test"].as_str()) {
            (Some("wrong"), _) => ("skipped", 0),
            (_, Some("takes the engine down")) => ("engine_error", 3),
            _ => ("accepted", line["attempt"].as_u64().unwrap()),
        };
        assert_eq!((line["verdict"].as_str().unwrap(), line["attempt"].as_u64().unwrap()), wanted, "{line}");
        if wanted.0 == "engine_error" {
            assert!(line["reason"]["message"].as_str().unwrap().contains("3 times"), "{line}");
        }
        assert!(line["attempt"].as_u64().unwrap() <= 3, "{line}");
    }
    let graded = &over["submission_results"][0];
    assert_eq!((&graded["verdict"], &graded["unjudged"]), (&json!("engine_error"), &json!(1)), "{over}");
    rig.stop();
}

/// So often, `ENGINED_TEST_KILLS`; `cargo xtask prove` does it 200 times.
#[test]
fn engined_is_killed_at_any_moment_of_a_batch() {
    if !live() {
        return;
    }
    let rig = rig();
    let kills: usize = std::env::var("ENGINED_TEST_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let (mut ids, mut chance) = (Vec::new(), std::process::id());
    for _ in 0..kills {
        let under_way =
            |id: &String| asked(&rig, &format!("/v1/batches/{id}")).is_some_and(|text| text.contains("\"running\""));
        if !ids.last().is_some_and(under_way) {
            ids.push(put(&rig, &batch(&names(40))));
        }
        // Spread over what it takes to start, to compile and to run.
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(chance >> 16) % 1500));
        let killed = rig.program("engined");
        end(killed);
        rig.until(&format!("the end of {killed}"), || !Path::new(&format!("/proc/{killed}")).exists());
        rig.until("a hello", || rig.hello());
    }
    let mut worn_out = 0;
    for id in &ids {
        finished(&rig, id, 4 * PATIENCE);
        let results = results(&rig, id, 120);
        assert!(results.iter().all(right), "{results:#?}");
        worn_out += results.iter().filter(|line| line["verdict"] == "engine_error").count();
    }
    eprintln!("killed {kills} times: {} batches, {worn_out} runs given up", ids.len());
    rig.stop();
}
