//! A process that works on a store is ended by SIGKILL at random moments: what it had acknowledged is there, once.
//!
//! `ENGINED_TEST_KILLS` says how often; `.ci/run` has the 10 of its default.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;
#[allow(dead_code, reason = "its `main` is the example's")]
#[path = "../examples/store_torture.rs"]
mod torture;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::Folder;

/// Set for the process that is ended: its arguments.
const ARGUMENTS: &str = "ENGINED_TEST_TORTURE";

/// Not a test by itself: what the tests below run in a process of its own.
#[test]
fn the_process_that_is_ended() {
    let Ok(arguments) = env::var(ARGUMENTS) else { return };
    let wishes = torture::Wishes::from(arguments.split('\n').map(str::to_owned)).unwrap();
    // Ends what the test harness may have begun to say on this line.
    println!();
    // Once the test is gone nobody reads, and it ends with this error.
    torture::work(&wishes).unwrap();
}

/// Ends it, whatever becomes of the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // An error here says that it has ended by itself.
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}

/// What the process has said, or the store has: all by `BATCH …` and in words.
#[derive(Debug, Default)]
struct Said {
    /// Submissions, tests, repeats, and how many results there are as the store counts them.
    batches: BTreeMap<String, (u32, u32, u32, u32)>,
    /// Result, and its number.
    results: BTreeMap<String, u32>,
    over: BTreeMap<String, ()>,
    /// Unit, and how often it was tried.
    attempts: BTreeMap<String, u32>,
    status: BTreeMap<String, String>,
}

impl Said {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| -> u32 { word.parse().unwrap_or_else(|_| panic!("{line:?}")) };
        match words[..] {
            ["put", id, submissions, tests, repeat] => {
                let new = (number(submissions), number(tests), number(repeat), 0);
                assert!(self.batches.insert(id.into(), new).is_none(), "{line}: it was there");
            }
            ["batch", id, status, submissions, tests, repeat, done] => {
                let new = (number(submissions), number(tests), number(repeat), number(done));
                assert!(self.batches.insert(id.into(), new).is_none(), "{line}: twice");
                self.status.insert(id.into(), status.into());
            }
            ["result", id, submission, test, repeat, seq] => {
                let unit = format!("{id} {submission} {test} {repeat}");
                self.attempts.remove(&unit);
                assert!(self.results.insert(unit, number(seq)).is_none(), "{line}: twice");
            }
            ["result", id, submission, "-", "0"] => drop(self.attempts.remove(&format!("{id} {submission} - 0"))),
            ["attempt", id, submission, test, repeat, times] => {
                self.attempts.insert(format!("{id} {submission} {test} {repeat}"), number(times));
            }
            ["over", id, submission] => {
                assert!(self.over.insert(format!("{id} {submission}"), ()).is_none(), "{line}: twice");
            }
            ["cancel", id] => drop(self.status.insert(id.into(), "Cancelled".into())),
            _ => panic!("{line:?}"),
        }
    }

    /// All that this has is in what the store has now, and that is whole.
    fn is_in(&self, now: &Said) {
        for (id, (submissions, tests, repeat, _)) in &self.batches {
            let there = now.batches.get(id).unwrap_or_else(|| panic!("batch {id} is gone"));
            assert_eq!((&there.0, &there.1, &there.2), (submissions, tests, repeat), "{id}");
        }
        for (unit, seq) in &self.results {
            assert_eq!(now.results.get(unit), Some(seq), "the result {unit} is gone, or has another number");
        }
        for submission in self.over.keys() {
            assert!(now.over.contains_key(submission), "submission {submission} was over");
        }
        for (id, status) in self.status.iter().filter(|(_, status)| *status == "Cancelled") {
            assert_eq!(now.status.get(id), Some(status), "{id}");
        }
        for (unit, times) in &self.attempts {
            let id = unit.split(' ').next().unwrap();
            let open = matches!(now.status[id].as_str(), "Queued" | "Running");
            // A compile's result is durable a moment before it is said; a test's then has a line.
            if open && !now.results.contains_key(unit) && !unit.ends_with(" - 0") {
                assert!(now.attempts.get(unit).is_some_and(|now| now >= times), "{unit} was tried {times} times");
            }
        }
        now.has_no_gaps();
    }

    fn has_no_gaps(&self) {
        let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (unit, seq) in &self.results {
            numbers.entry(unit.split(' ').next().unwrap()).or_default().push(*seq);
        }
        for (id, (.., done)) in &self.batches {
            let mut numbers = numbers.remove(id.as_str()).unwrap_or_default();
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=*done).collect::<Vec<_>>(), "the results of {id}");
        }
        assert!(numbers.is_empty(), "results of no batch: {numbers:?}");
    }

    /// Every batch has come to its end, with a result for each unit.
    fn is_finished(&self) {
        for (id, (submissions, tests, repeat, done)) in &self.batches {
            match self.status[id].as_str() {
                "Cancelled" => {}
                "Finished" => assert_eq!(submissions * tests * repeat, *done, "{id}"),
                other => panic!("{id} is {other}"),
            }
        }
    }
}

/// When it is ended.
#[derive(Clone, Copy)]
enum End {
    /// So long after its start.
    OfStart(Duration),
    /// So long after it was ready.
    OfReady(Duration),
    /// By itself, when all is done.
    Done,
}

/// What came of it.
struct Ran {
    /// What was there, and whether it could say it to the end.
    there: Said,
    ready: bool,
    did: Said,
    /// What is there at its end, if it came to that.
    end: Option<Said>,
}

/// Runs it on a store.
fn run(folder: &Path, seed: u64, until: End) -> Ran {
    let mut arguments = format!("--folder\n{}\n--seed\n{seed}", folder.display());
    if matches!(until, End::Done) {
        arguments.push_str("\n--finish");
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_process_that_is_ended", "--nocapture"]).env(ARGUMENTS, arguments);
    let mut process = Ended(command.stdout(Stdio::piped()).spawn().unwrap());
    let output = BufReader::new(process.0.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in output.lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let (mut there, mut did, mut end) = (Said::default(), Said::default(), None);
    let most = Duration::from_secs(300);
    let mut deadline = Instant::now() + if let End::OfStart(after) = until { after } else { most };
    let mut ready = false;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line == "ready" => {
                ready = true;
                if let End::OfReady(after) = until {
                    deadline = Instant::now() + after;
                }
            }
            Ok(line) if line == "done" => break,
            Ok(line) => match (line.strip_prefix("have "), ready) {
                (Some(line), false) => there.take(line),
                (Some(line), true) => end.get_or_insert_with(Said::default).take(line),
                (None, true) => did.take(&line),
                // What the test harness says.
                (None, false) => {}
            },
            Err(mpsc::RecvTimeoutError::Timeout) => break,
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it ended by itself"),
        }
    }
    assert!(ready || matches!(until, End::OfStart(_)), "it did not get ready");
    drop(process);
    // What it said before it was ended counts as well. A line is one write, so none is cut off.
    for line in lines.iter().filter(|_| ready && !matches!(until, End::Done)) {
        did.take(&line);
    }
    reader.join().unwrap();
    Ran { there, ready, did, end }
}

#[test]
fn what_was_acknowledged_survives_sigkill_once() {
    let folder = Folder::new();
    let kills: u64 = env::var("ENGINED_TEST_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let mut before: Option<Ran> = None;
    let (mut results, mut most, mut early) = (0, 0, 0);
    // More often where a busy disk has acknowledged nothing so far, and each time later then.
    for kill in 0..20 * kills {
        if kill >= kills && results > 0 {
            break;
        }
        // Some are ended while they open the store, some in their first steps, others after hundreds.
        let after = Duration::from_micros((kill * 7_919) % 131 * 1_000 + kill % 17 * 61);
        let after = after * u32::try_from(kill / kills + 1).unwrap();
        let until = if kill % 5 == 4 { End::OfStart(after / 4) } else { End::OfReady(after) };
        let ran = run(folder.path(), kill, until);
        if !ran.ready {
            // It has done nothing, and had not said all that is there.
            early += 1;
            continue;
        }
        if let Some(before) = &before {
            before.there.is_in(&ran.there);
            before.did.is_in(&ran.there);
        }
        results += ran.did.results.len();
        most = most.max(ran.there.attempts.values().copied().max().unwrap_or(0));
        before = Some(ran);
    }
    let Ran { there, did, end, .. } = run(folder.path(), 20 * kills, End::Done);
    let last = before.unwrap();
    last.there.is_in(&there);
    last.did.is_in(&there);
    let end = end.unwrap();
    there.is_in(&end);
    did.is_in(&end);
    end.is_finished();
    eprintln!(
        "{kills} kills, {early} before it was ready; {results} results acknowledged, at most {most} attempts in vain"
    );
    assert!(results > 0);
}
