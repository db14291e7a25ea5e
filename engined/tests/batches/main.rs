//! `/v1/batches`: with an engine in this process and a jaild that runs nothing, and with the real programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod bad;
mod follow;
mod judging;
mod keys;
mod leases;
mod places;
mod plans;
mod real;
mod unjudged;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use common::{PATIENCE, Reply, Rig, Scratch, TOKEN};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

/// An engine that keeps batches.
struct Grader {
    rig: Rig,
    folders: Scratch,
}

impl Grader {
    fn start() -> Grader {
        Grader::with("")
    }

    /// `more` is added to the configuration.
    fn with(more: &str) -> Grader {
        Grader::slots(2, more)
    }

    fn slots(slots: u32, more: &str) -> Grader {
        Grader::on(Scratch::new(), slots, more)
    }

    /// The engine ends with what it has under way, and the next one has its folders.
    fn again(self) -> Grader {
        let Grader { rig, folders } = self;
        let seen = std::sync::Arc::clone(&rig.fake.seen);
        drop(rig);
        // Nobody hears any more of what still runs.
        seen.open.store(true, std::sync::atomic::Ordering::SeqCst);
        Grader::on(folders, 2, "")
    }

    fn on(folders: Scratch, slots: u32, more: &str) -> Grader {
        let [batches, blobs] = ["batches", "blobs"].map(|name| folders.0.join(name));
        for folder in [&batches, &blobs] {
            engined::cache::folder::make(folder).unwrap();
        }
        let kept = if more.contains("[batches]") { "" } else { "[batches]\n" };
        let more = format!("{kept}{more}\n[blobs]\nfolder = {blobs:?}\n");
        let more = more.replace("[batches]\n", &format!("[batches]\nfolder = {batches:?}\n"));
        Grader { rig: Rig::with(slots, &more, &[]), folders }
    }

    fn post(&self, body: &Value, headers: &str) -> Reply {
        self.rig.call("POST", "/v1/batches", &format!("{JSON}{headers}"), body.to_string().as_bytes())
    }

    /// One that is taken.
    fn submit(&self, body: &Value) -> String {
        let reply = self.post(body, "");
        assert_eq!(reply.status, 202, "{}", reply.text());
        let summary = reply.json();
        assert_eq!(reply.header("location").unwrap(), format!("/v1/batches/{}", summary["id"].as_str().unwrap()));
        summary["id"].as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        let reply = self.rig.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// How it stands when it is over.
    fn over(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let batch = self.get(&format!("/v1/batches/{id}?wait_ms=20000"));
            assert!(begun.elapsed() < PATIENCE, "{batch}");
            if matches!(batch["status"].as_str().unwrap(), "finished" | "cancelled") {
                return batch;
            }
        }
    }

    /// The results from a number on.
    fn results(&self, id: &str, query: &str) -> Vec<Value> {
        let reply = self.rig.get(&format!("/v1/batches/{id}/results{query}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Listens to the events of a batch.
    fn events(&self, id: &str, query: &str, headers: &str) -> Events {
        let stream = self.rig.connect();
        let headers = format!("Authorization: Bearer {TOKEN}\r\n{headers}");
        Events::open(stream, &format!("/v1/batches/{id}/events{query}"), &headers)
    }
}

/// So many submissions of one test each, that say what they should.
fn echoes(submissions: usize, tests: usize) -> Value {
    let submission = |n: usize| json!({"id": format!("s{n}"), "language": "python", "source": "cat"});
    let test = |n: usize| json!({"id": format!("t{n}"), "stdin": format!("{n}\n"), "expected": format!("{n}")});
    json!({
        "submissions": (0..submissions).map(submission).collect::<Vec<_>>(),
        "tests": (0..tests).map(test).collect::<Vec<_>>(),
    })
}

/// An event: its id, its name, its data.
type Event = (u64, String, Value);

/// A stream of events, read as it comes.
struct Events {
    lines: BufReader<TcpStream>,
    comments: Vec<String>,
    retry: Option<String>,
}

impl Events {
    fn open(mut stream: TcpStream, path: &str, headers: &str) -> Events {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Without chunks.
        let head = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Events { lines, comments: Vec::new(), retry: None }
    }

    /// The next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, None, None);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some(("id", number)) => id = Some(number.trim().parse().unwrap()),
                Some(("event", word)) => name = Some(word.trim().to_owned()),
                Some(("data", json)) => data = Some(serde_json::from_str(json.trim()).unwrap()),
                Some(("retry", time)) => self.retry = Some(time.trim().to_owned()),
                Some(("", comment)) => self.comments.push(comment.trim().to_owned()),
                Some(_) => panic!("{line:?}"),
                None if data.is_some() => return Some((id.unwrap(), name.unwrap(), data.unwrap())),
                None => {}
            }
        }
    }

    /// All to the end.
    fn all(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// Results by submission, test and repeat: each exactly once, numbered without gaps.
fn complete(results: &[Value], submissions: usize, tests: usize, repeat: usize) {
    let numbers: Vec<u64> = results.iter().map(|result| result["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let mut units: Vec<String> = results
        .iter()
        .map(|result| format!("{} {} {}", result["submission"], result["test"], result["repeat"]))
        .collect();
    units.sort();
    units.dedup();
    assert_eq!((units.len(), results.len()), (submissions * tests * repeat, submissions * tests * repeat));
}
