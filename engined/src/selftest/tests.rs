use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::client::Address;

/// A result with this verdict and output.
fn result(verdict: &str, stdout: &str, missing: &[&str]) -> Value {
    let stream = |text: &str| json!({"text": text, "bytes": text.len(), "truncated": false});
    let usage = json!({"cpu_time_us": 1, "user_time_us": 1, "system_time_us": 0, "wall_time_us": 1, "memory_peak_bytes": 1,
        "memory_peak_source": "kernel", "processes_peak": 1, "throttled_us": 0, "involuntary_switches": 0});
    json!({"id": "1", "status": "finished", "verdict": verdict, "reason": null,
        "language": {"id": "c", "version": "12", "toolchain": "gcc"}, "compile": null,
        "run": {"start": "cold", "exit_code": 0, "signal": null, "stdout": stream(stdout), "stderr": stream(""), "usage": usage},
        "outputs": [], "outputs_skipped": [], "outputs_omitted": 0,
        "timings": {"queue_us": 0, "compile_us": 0, "setup_us": 0, "run_us": 1, "total_us": 1},
        "isolation": {"layers": [], "missing": missing}, "labels": {}})
}

/// An engine that gives these answers to executions, one after the other, and is gone after the last. A hello (without
/// limits) is always right and costs no answer.
async fn engine(answers: Vec<(u16, Value)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            let body = loop {
                stream.read_buf(&mut asked).await.unwrap();
                let text = String::from_utf8_lossy(&asked).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break body.to_owned();
                }
            };
            let (status, answer) = if body.is_empty() || !body.contains("\"limits\"") {
                (200, result("ok", "hello\n", &[]))
            } else {
                let Some(answer) = answers.next() else { return };
                answer
            };
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nRetry-After: 0\r\n\r\n", answer.len());
            stream.write_all((head + &answer).as_bytes()).await.unwrap();
        }
    });
    address
}

async fn load(address: SocketAddr, names: &[&str], times: u32) -> Done {
    let all = Program::all().unwrap();
    let programs = names.iter().map(|name| all.iter().find(|p| p.name == *name).unwrap().clone()).collect();
    let client = Client { address: Address::Tcp(address.to_string()), token: None, patience: Duration::from_secs(20) };
    let hello = ("python".to_owned(), "print('hello')".to_owned());
    let bench = Bench { client, scale: 1.0, programs: all, back: Duration::from_millis(300), hello };
    let unavailable = serde_json::from_value(json!({"languages": [], "unavailable": []})).unwrap();
    let offered = vec!["c".to_owned(), "python".to_owned()];
    Load { programs, times, jobs: 1, offered, unavailable }.run(Arc::new(bench)).await
}

#[tokio::test]
async fn an_attack_that_works_is_a_failure() {
    let answers =
        vec![(200, result("ok", "ESCAPED: read /etc/shadow\n", &[])), (200, result("cpu_time_limit", "", &[]))];
    let done = load(engine(answers).await, &["read_secrets.py", "spin.c"], 1).await;
    let [read, spin] = &done.outcomes[..] else { panic!("{:?}", done.outcomes) };
    assert_eq!(read.result, Fared::Failed);
    assert_eq!(read.complaints, ["check stdout!~ESCAPED: \"ESCAPED: read /etc/shadow\\n\""]);
    assert_eq!((spin.result, &spin.verdicts[..]), (Fared::Held, &["cpu_time_limit".to_owned()][..]));
    assert_eq!(done.unreached, None);
}

#[tokio::test]
async fn a_wrong_verdict_an_error_and_a_small_plan_are_told_apart() {
    let problem = |code: &str, status: u16| {
        json!({"type": format!("urn:engined:problem:{code}"), "title": "t", "status": status, "code": code,
               "detail": "the detail", "remedy": "The remedy.", "request_id": "1"})
    };
    let answers = vec![
        (200, result("ok", "", &["landlock"])),
        (503, problem("queue_full", 503)),
        (200, result("memory_limit", "", &[])),
        (500, problem("internal", 500)),
        (422, problem("limit_above_ceiling", 422)),
    ];
    let names = ["spin.c", "mem_touch.c", "mem_children.c", "fork_bomb.c", "spin.java"];
    let done = load(engine(answers).await, &names, 1).await;
    let told: Vec<_> = done.outcomes.iter().map(|o| (o.result, o.complaints.join("; "), o.reason.clone())).collect();
    let verdict = "verdict ok (OK), allowed are TLE".to_owned();
    let internal = "HTTP 500 internal: the detail. The remedy.".to_owned();
    let plan = Some("the caller's plan is too small: the detail".to_owned());
    assert_eq!(
        told,
        [
            (Fared::Failed, verdict, None),
            (Fared::Held, String::new(), None),
            (Fared::Failed, internal, None),
            (Fared::Skipped, String::new(), plan),
            (Fared::Skipped, String::new(), Some("java: not offered by this engine".to_owned())),
        ]
    );
    assert_eq!(done.without.into_iter().collect::<Vec<_>>(), ["landlock"]);
}

#[tokio::test]
async fn an_engine_that_goes_away_is_waited_for_and_then_given_up() {
    let answers = vec![(200, result("cpu_time_limit", "", &[]))];
    let done = load(engine(answers).await, &["spin.c", "spin.py", "fork_bomb.c"], 2).await;
    let results: Vec<Fared> = done.outcomes.iter().map(|outcome| outcome.result).collect();
    assert_eq!(results, [Fared::Held, Fared::Failed, Fared::Skipped]);
    assert!(done.outcomes[1].complaints[0].starts_with("the engine closed the connection without an answer: "));
    assert_eq!(done.outcomes[2].reason.as_deref(), Some("it was not reached"));
    assert_eq!(done.unreached, Some((4, "the engine went away and did not come back".to_owned())));
}

fn options(only: &[&str]) -> Options {
    let wish = Wish { server: None, embedded: true, config: "/nowhere".into(), token_file: None };
    let only = only.iter().map(|word| (*word).to_owned()).collect();
    Options { wish, only, quick: false, jobs: None, times: 1, scale: 1.0, json: false, list: false }
}

#[test]
fn words_choose_programs() {
    let names = |only: &[&str]| selected(&options(only)).map(|all| all.into_iter().map(|p| p.name).collect::<Vec<_>>());
    assert_eq!(names(&["spin.c"]).unwrap(), ["spin.c"]);
    assert!(names(&["sig"]).unwrap().contains(&"kill_all.c".to_owned()));
    assert!(names(&["java", "net"]).unwrap().iter().any(|name| name == "net_connect.py"));
    let told = names(&["nets"]).unwrap_err();
    assert!(
        told.starts_with("--only nets is no program (engined selftest --list has them), no mechanism (honest, "),
        "{told}"
    );
    assert!(told.ends_with("and no language (c, cpp, java, javascript, python)"), "{told}");
}

#[test]
fn quick_takes_one_of_each() {
    let all = selected(&options(&[])).unwrap();
    let chosen = quick(all, |language| language != "java");
    let mechanisms: BTreeSet<&str> = chosen.iter().map(Program::mechanism).collect();
    assert_eq!(mechanisms, corpus::MECHANISMS.iter().map(|(id, _)| *id).collect());
    assert_eq!(chosen.iter().filter(|program| program.kind == Kind::Benign).count(), 5);
    assert_eq!(chosen.iter().filter(|program| program.kind == Kind::Hostile).count(), mechanisms.len() - 1);
    // The usual fifteen, but for those that this engine can't run.
    assert!(chosen.iter().all(|program| program.word("quick").is_some()));
    assert!(chosen.iter().all(|program| program.kind == Kind::Benign || program.language != "java"));
}
