//! Java's archives through the real engine: they are used, for a program's own classes they are not, and what a program
//! draws at random is not drawn from them.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod common;

use std::collections::BTreeSet;

use common::live::{Up, live};
use serde_json::{Value, json};

/// Which archives the process has mapped.
const MAPPED: &str = r#"
import java.nio.file.*;
class Main {
    public static void main(String[] args) throws Exception {
        Files.lines(Path.of("/proc/self/maps")).filter(line -> line.contains(".jsa"))
            .map(line -> line.substring(line.indexOf('/'))).distinct().sorted().forEach(System.out::println);
    }
}
"#;

const HELLO: &str = "class Main { public static void main(String[] args) { System.out.println(5); } }";

/// One word a line, each of which must be another one in another run.
const RANDOM: &str = r#"
import java.util.*;
import java.util.concurrent.ThreadLocalRandom;
class Main {
    public static void main(String[] args) {
        System.out.println(new Random().nextLong());
        System.out.println(Math.random());
        System.out.println(ThreadLocalRandom.current().nextLong());
        System.out.println(new SplittableRandom().nextLong());
        System.out.println(UUID.randomUUID());
        System.out.println(new java.security.SecureRandom().nextLong());
    }
}
"#;

fn versions(up: &Up) -> Vec<String> {
    up.offered("java").into_iter().map(|[version, ..]| version).collect()
}

fn run(up: &Up, version: &str, source: &str) -> Value {
    let limits = json!({"wall_time_ms": 60000});
    let answer = up.run(&json!({
        "language": "java", "version": version, "source": source, "limits": limits, "compile_limits": limits,
    }));
    assert_eq!(answer["verdict"], "ok", "{answer}");
    answer
}

fn said(answer: &Value) -> Vec<String> {
    answer["run"]["stdout"]["text"].as_str().unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn compiler_and_program_start_from_their_archives() {
    if !live() {
        return;
    }
    let bare = Up::by(&[], |command| {
        command.args(["--tuning", "off"]);
    });
    let tuned = Up::start();
    // Processor time, of which an archive saves the most.
    let compile = |up: &Up, version: &str, round: u32| {
        // Another source each time, so that no cache has it.
        let answer = run(up, version, &format!("{HELLO} // {round}"));
        answer["compile"]["usage"]["cpu_time_us"].as_u64().unwrap()
    };
    for version in versions(&tuned).iter().filter(|version| !version.starts_with("11")) {
        let [with, without] = [&tuned, &bare].map(|up| said(&run(up, version, MAPPED)));
        let ours = |path: &String| path.starts_with("/opt/engined/") && path.ends_with("/java.jsa");
        assert!(with.iter().any(ours), "{version}: {with:?}");
        assert!(!without.iter().any(ours), "{version}: {without:?}");
        // The least of three each, in turn: others use this machine too, and whoever shares a core with them takes longer.
        let (mut with, mut without) = (u64::MAX, u64::MAX);
        for round in 0..20 {
            with = with.min(compile(&tuned, version, round));
            without = without.min(compile(&bare, version, round));
            if round >= 2 && with * 10 < without * 8 {
                break;
            }
        }
        println!("java {version}: javac takes {with} us of processor time with its archive, {without} without");
        assert!(with * 10 < without * 8, "{version}: {with} and {without} us");
    }
    tuned.stop();
    bare.stop();
}

#[test]
fn nothing_random_comes_from_an_archive() {
    if !live() {
        return;
    }
    let up = Up::start();
    for version in versions(&up) {
        let runs: Vec<Vec<String>> = (0..3).map(|_| said(&run(&up, &version, RANDOM))).collect();
        for word in 0..6 {
            let seen: BTreeSet<&String> = runs.iter().map(|run| &run[word]).collect();
            assert_eq!(seen.len(), runs.len(), "{version}: {seen:?}");
        }
    }
    up.stop();
}

/// The least memory that a request may ask for.
#[test]
fn an_archive_fits_into_the_least_memory() {
    if !live() {
        return;
    }
    let up = Up::start();
    for version in versions(&up) {
        for (run, compile) in [(64 << 20, 128 << 20), (128 << 20, 256 << 20)] {
            let patient = |bytes: u64| json!({"memory_bytes": bytes, "wall_time_ms": 60000, "cpu_time_ms": 30000});
            let answer = up.run(&json!({
                "language": "java", "version": version, "source": HELLO, "limits": patient(run),
                "compile_limits": patient(compile),
            }));
            assert_eq!(answer["verdict"], "ok", "{answer}");
            for step in ["compile", "run"] {
                assert_eq!(answer[step]["stderr"]["text"], "", "{answer}");
            }
            assert_eq!((said(&answer), &answer["compile"]["stdout"]["text"]), (vec!["5".to_owned()], &json!("")));
        }
    }
    up.stop();
}
