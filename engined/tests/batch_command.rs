//! `engined batch` as a program, against a server of batches that runs nothing: what it sends, follows and writes, and
//! how it goes on after an interruption. In `restart` against the real server, which goes away and comes back.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;
#[allow(dead_code, reason = "shared with the tests of the audit")]
#[path = "audit/place.rs"]
mod place;
#[path = "batch_command/restart.rs"]
mod restart;
#[path = "batch_command/server.rs"]
mod server;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::live::ENGINED;
use common::{Scratch, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use server::{Server, problem};

/// A child that ends with the test, however that ends.
struct Ended(Option<Child>);

impl Ended {
    fn interrupt(&self) {
        let pid = i32::try_from(self.0.as_ref().unwrap().id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    }

    fn told(mut self) -> (i32, String, String) {
        told(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

fn told(output: Output) -> (i32, String, String) {
    let Output { status, stdout, stderr } = output;
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn start(server: &Server, args: &[&str]) -> Ended {
    let mut command = Command::new(ENGINED);
    command
        .arg("batch")
        .args(args)
        .env("ENGINED_URL", format!("http://{}", server.address))
        .env_remove("ENGINED_TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ended(Some(command.spawn().unwrap()))
}

fn batch(server: &Server, args: &[&str]) -> (i32, String, String) {
    start(server, args).told()
}

/// A problem of two tests, the second one large, and programs that say themselves what becomes of them.
fn problem_folder(programs: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new();
    let write = |file: &str, content: &[u8]| {
        let file = scratch.0.join("p").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    write("batch.toml", b"points = 5\n");
    write("tests/2.in", b"2");
    write("tests/2.ans", b"two");
    write("tests/10.in", &vec![b'x'; 70_000]);
    write("tests/10.ans", &vec![b'x'; 70_000]);
    for (name, content) in programs {
        write(&format!("submissions/{name}"), content.as_bytes());
    }
    scratch
}

fn arg(scratch: &Scratch, name: &str) -> String {
    scratch.0.join(name).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Compared with the file of that name. With `UPDATE_SNAPSHOTS=1` the file is written instead.
fn snapshot(name: &str, is: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/batch_command").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&file, is).unwrap();
    }
    assert_eq!(is, read(&file), "{name}");
}

const HOSTILE: &str = "=a \"<&>', \u{202e}b.py";

#[test]
fn a_folder_is_sent_once_followed_and_written_down() {
    let server = Server::start();
    let scratch = problem_folder(&[
        (HOSTILE, "accepted\nwrong_answer"),
        ("compiles_not.c", "skipped\nskipped"),
        ("slow.py", "cpu_time_limit\nchecker_error"),
        ("good.py", ""),
    ]);
    let (problem, out) = (arg(&scratch, "p"), arg(&scratch, "out"));
    let (code, table, err) = batch(&server, &[&problem, "--out", &out]);
    // A checker has failed.
    assert_eq!(code, 2, "{table}{err}");
    let wanted = format!(
        "submission       verdict         points  unjudged  max CPU  max memory  first failing test\n\
         =a \"<&>', \u{fffd}b.py  wrong_answer      5/10         0  0.003 s     3.0 MiB  10 wrong_answer: line 1, column 3: expected \
         \"=1+1\", found \"\\u{{1b}}]0;x\\u{{7}}\"\n\
         compiles_not.c   compile_error     0/10         0        -           -  compile: \u{fffd}[1ma.c:1:2: error: no ]]> & \
         <such> thing\n\
         good.py          accepted         10/10         0  0.003 s     3.0 MiB\n\
         slow.py          cpu_time_limit    0/10         1  0.003 s     3.0 MiB  2 cpu_time_limit: It used more.\n\
         \n\
         1 of 4 submissions is accepted (batch B1); 1 result could not be judged (checker_error).\n\
         Results: {out}: results.jsonl, results.csv, submissions.csv, junit.xml\n"
    );
    assert_eq!(table, wanted);
    assert!(err.starts_with("engined: batch B1: 0 of 8 results\n"), "{err}");
    assert!(err.contains("engined: 8 of 8 results: 3 accepted, 2 skipped, 1 checker_error, 1 cpu_time_limit"), "{err}");
    // The large one is input and answer alike: one blob, and never twice.
    assert_eq!((server.saw("PUT /v1/blobs/"), server.known().blobs.len()), (1, 1));
    let out = scratch.0.join("out");
    let sheet = read(&out.join("results.csv"));
    assert_eq!(sheet.matches('\n').count(), sheet.matches("\r\n").count());
    snapshot("results.csv", &sheet.replace("\r\n", "\n"));
    let grades = read(&out.join("submissions.csv"));
    assert_eq!(grades.matches('\n').count(), grades.matches("\r\n").count());
    snapshot("submissions.csv", &grades.replace("\r\n", "\n"));
    snapshot("junit.xml", &read(&out.join("junit.xml")));
    assert_eq!(read(&out.join("results.jsonl")).lines().collect::<Vec<_>>(), server.known().results);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 5);

    // The same command once more: everything is there.
    let again = batch(&server, &[&problem, "--out", out.to_str().unwrap()]);
    assert_eq!((again.0, again.1), (2, table));
    assert_eq!((server.saw("POST /v1/batches"), server.saw("PUT")), (1, 1));
    assert_eq!(server.saw("GET /v1/batches/B1/results?from=9&"), 1);
    // Without a folder it is found by its key, and the blob by its hash.
    assert_eq!(batch(&server, &[&problem]).0, 2);
    assert_eq!((server.saw("POST /v1/batches"), server.saw("PUT")), (2, 1));
    let key = server.known().key.clone();
    assert_eq!(batch(&server, &[&problem, "--again"]).0, 2);
    assert_ne!(server.known().key, key);
}

#[test]
fn the_grade_is_in_a_file_and_no_sum_of_lines() {
    let server = Server::start();
    let scratch = problem_folder(&[("half.py", "accepted\naccepted\nwrong_answer"), ("all.py", "")]);
    let tests = scratch.0.join("p/tests/=g");
    fs::create_dir_all(&tests).unwrap();
    fs::write(tests.join("group.toml"), "rule = \"all\"\npoints = 7\n").unwrap();
    for test in ["a", "b"] {
        fs::write(tests.join(format!("{test}.in")), "").unwrap();
        fs::write(tests.join(format!("{test}.ans")), "x").unwrap();
    }
    let (problem, out) = (arg(&scratch, "p"), arg(&scratch, "out"));
    let (code, table, err) = batch(&server, &[&problem, "--out", &out]);
    assert_eq!(code, 1, "{table}{err}");
    let out = scratch.0.join("out");
    let grades: Vec<String> = read(&out.join("submissions.csv")).lines().map(str::to_owned).collect();
    let wanted = [
        "submission,language,verdict,points,max_points,done,of,unjudged,cpu_time_us_max,memory_peak_bytes_max,\
         first_failing_test,why,'=g points,'=g max_points",
        "all.py,python,accepted,24,24,4,4,0,6000,3145728,,,14,14",
    ];
    assert_eq!(grades[..2], wanted, "{grades:?}");
    assert!(grades[2].starts_with("half.py,python,wrong_answer,10,24,4,4,0,6000,3145728,"), "{grades:?}");
    assert!(grades[2].ends_with(",0,14"), "{grades:?}");
    // The lines of that submission have seven points more.
    let lines = read(&out.join("results.csv"));
    let points = lines.lines().filter(|line| line.starts_with("half.py,")).map(|line| line.split(',').nth(6).unwrap());
    assert_eq!(points.map(|points| points.parse::<u32>().unwrap()).sum::<u32>(), 17, "{lines}");
}

#[test]
fn ctrl_c_leaves_a_batch_that_the_same_command_goes_on_with() {
    let server = Server::start();
    server.open(3);
    let scratch = problem_folder(&[("a.py", ""), ("b.py", ""), ("c.py", "")]);
    let (problem, out) = (arg(&scratch, "p"), arg(&scratch, "out"));
    let args = [problem.as_str(), "--out", &out];
    let first = start(&server, &args);
    let results = scratch.0.join("out/results.jsonl");
    wait_for(|| fs::read_to_string(&results).is_ok_and(|text| text.lines().count() == 3));
    let (code, _, err) = batch(&server, &args);
    assert!(code == 2 && err.contains("another engined batch writes there; wait for it"), "{err}");
    first.interrupt();
    let (code, table, err) = first.told();
    assert_eq!((code, table.as_str()), (130, ""), "{err}");
    let goes_on = format!(
        "interrupted after 3 results; batch B1 goes on at http://{}; the same command follows it again\n",
        server.address
    );
    assert!(err.ends_with(&goes_on), "{err}");
    assert!(!scratch.0.join("out/results.csv").exists());

    // As a power cut would leave it; and the server's connection breaks once.
    fs::write(&results, format!("{}{{\"seq\": 4, \"sub", read(&results))).unwrap();
    server.known().cut = Some((4, 5));
    server.open(usize::MAX);
    let (code, table, err) = batch(&server, &args);
    assert_eq!(code, 0, "{table}{err}");
    assert!(table.contains("All 3 submissions are accepted (batch B1)."), "{table}");
    assert_eq!(server.saw("POST"), 1);
    assert_eq!(server.saw("GET /v1/batches/B1/results?from=4&"), 1);
    assert_eq!(server.saw("GET /v1/batches/B1/results?from=5&"), 1);
    assert_eq!(read(&results).lines().collect::<Vec<_>>(), server.known().results);

    // Something else does not go into this folder.
    fs::write(scratch.0.join("p/tests/2.in"), "3").unwrap();
    let (code, _, err) = batch(&server, &args);
    assert!(code == 2 && err.contains("holds the results of another batch, B1, or of this one before"), "{err}");
}

#[test]
fn ctrl_c_may_cancel() {
    let server = Server::start();
    server.open(1);
    let scratch = problem_folder(&[("accepted/a.py", ""), ("accepted/b.py", "")]);
    let problem = arg(&scratch, "p");
    let waits = start(&server, &[&problem, "--cancel-on-interrupt"]);
    wait_for(|| server.saw("GET /v1/batches/B1/results") == 1);
    waits.interrupt();
    let (code, _, err) = waits.told();
    assert_eq!(code, 130, "{err}");
    assert!(err.ends_with(" results; batch B1 is cancelled\n"), "{err}");
    assert!(server.known().cancelled);
    // Whoever asks for it now is told, and it is no success.
    let out = arg(&scratch, "out");
    let (code, table, _) = batch(&server, &[&problem, "--out", &out]);
    let sentence = "Batch B1 was cancelled: 1 of 4 results; --again judges it anew.";
    assert!(code == 1 && table.contains(sentence), "{table}");
    // What has no result is no success there either.
    let out = scratch.0.join("out");
    let junit = read(&out.join("junit.xml"));
    assert!(junit.contains("<testsuites name=\"B1\" tests=\"4\" failures=\"0\" errors=\"3\" skipped=\"0\""), "{junit}");
    let none = "<error message=\"no result: the batch was cancelled before\" type=\"no_result\"/>";
    assert_eq!((junit.matches("<testcase ").count(), junit.matches(none).count()), (4, 3), "{junit}");
    let grades = read(&out.join("submissions.csv"));
    assert!(grades.contains("b.py,python,,,10,0,2,0,,,,no verdict: the batch was cancelled before\r\n"), "{grades}");
    assert_eq!(batch(&server, &[&problem, "--labels", "--out", &arg(&scratch, "out")]).0, 1);
    let junit = read(&out.join("junit.xml"));
    assert!(junit.contains("<testsuite name=\"labels\" tests=\"2\" failures=\"0\" errors=\"2\""), "{junit}");
    assert!(
        junit.contains("<error message=\"no verdict: the batch was cancelled before; labelled accepted\""),
        "{junit}"
    );
}

#[test]
fn the_second_ctrl_c_ends_it_at_once() {
    let server = Server::start();
    server.open(0);
    server.known().hang = true;
    let scratch = problem_folder(&[("a.py", "")]);
    let waits = start(&server, &[&arg(&scratch, "p"), "--cancel-on-interrupt"]);
    wait_for(|| server.saw("GET /v1/batches/B1/results") == 1);
    waits.interrupt();
    wait_for(|| server.saw("DELETE") == 1);
    waits.interrupt();
    assert_eq!(waits.told().0, 130);
}

#[test]
fn labels_are_another_question() {
    let server = Server::start();
    let scratch = problem_folder(&[("accepted/a.py", ""), ("wrong_answer/b.py", "wrong_answer")]);
    let (problem, out) = (arg(&scratch, "p"), arg(&scratch, "out"));
    assert_eq!(batch(&server, &[&problem]).0, 1);
    let (code, table, err) = batch(&server, &[&problem, "--labels", "--out", &out]);
    assert_eq!(code, 0, "{table}{err}");
    assert!(table.contains("All 2 submissions are as labelled"), "{table}");
    let junit = read(&scratch.0.join("out/junit.xml"));
    assert!(junit.contains("<testsuite name=\"labels\" tests=\"2\" failures=\"0\""), "{junit}");
    fs::rename(scratch.0.join("p/submissions/accepted"), scratch.0.join("p/submissions/memory_limit")).unwrap();
    let (code, table, _) = batch(&server, &[&problem, "--labels", "--out", &out, "--again"]);
    assert_eq!(code, 1);
    assert!(table.contains("memory_limit/a.py  accepted      memory_limit !"), "{table}");
    let junit = read(&scratch.0.join("out/junit.xml"));
    assert!(junit.contains("<failure message=\"accepted instead of memory_limit\" type=\"accepted\"/>"), "{junit}");
}

#[test]
fn what_could_not_be_judged_is_no_answer() {
    let server = Server::start();
    let scratch = problem_folder(&[("wrong_answer/b.py", "wrong_answer")]);
    let (problem, out) = (arg(&scratch, "p"), arg(&scratch, "out"));
    let (code, table, _) = batch(&server, &[&problem]);
    assert_eq!(code, 1);
    assert!(table.contains("\nThe only submission is not accepted (batch B1).\n"), "{table}");
    let program = scratch.0.join("p/submissions/wrong_answer/b.py");
    fs::write(&program, "checker_error\nengine_error").unwrap();
    let (code, table, _) = batch(&server, &[&problem]);
    assert_eq!(code, 2, "{table}");
    let sentence = "\nThe only submission is not accepted (batch B1); 2 results could not be judged (1 checker_error, 1 \
                    engine_error).\n";
    assert!(table.contains(sentence), "{table}");
    // Whatever it is labelled: the label may be wrong.
    fs::write(&program, "wrong_answer\nchecker_error").unwrap();
    let (code, table, _) = batch(&server, &[&problem, "--labels", "--out", &out]);
    assert_eq!(code, 2, "{table}");
    let sentence = "\nThe only submission is as labelled (batch B1); 1 result could not be judged (checker_error).\n";
    assert!(table.contains(sentence), "{table}");
    let junit = read(&scratch.0.join("out/junit.xml"));
    assert!(junit.contains("<testsuite name=\"labels\" tests=\"1\" failures=\"0\" errors=\"1\""), "{junit}");
    let message = "<error message=\"results that could not be judged: 1; labelled wrong_answer\" type=\"wrong_answer\"";
    assert!(junit.contains(message), "{junit}");
}

#[test]
fn a_file_is_a_batch_and_json_an_answer() {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.0.join("batch.json");
    let tests = r#"[{"id": "1", "stdin": "", "expected": "x"}]"#;
    let text =
        format!(r#"{{"submissions": [{{"id": "a", "language": "x", "source": "accepted"}}], "tests": {tests}}}"#);
    fs::write(&file, &text).unwrap();
    let (code, out, err) = batch(&server, &[file.to_str().unwrap(), "--json"]);
    assert_eq!(code, 0, "{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["submission_results"][0]["verdict"], "accepted");
    assert!(err.ends_with("engined: The only submission is accepted (batch B1).\n"), "{err}");
    fs::write(&file, text.replace("\"tests\"", "\"test\"")).unwrap();
    let (code, _, err) = batch(&server, &[file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("batch.json: invalid_request: ") && err.contains("`test`"), "{err}");
    assert_eq!(server.saw("POST"), 1);
}

#[test]
fn what_is_refused_names_its_place() {
    let server = Server::start();
    let scratch = problem_folder(&[("a.py", "")]);
    let problem_dir = arg(&scratch, "p");
    server.known().refuse = Some((422, problem(422, "limit_above_ceiling", Some("/tests/1/limits/cpu_time_ms"))));
    let (code, out, err) = batch(&server, &[&problem_dir]);
    assert_eq!((code, out.as_str()), (2, ""));
    let wanted = format!(
        "engined: the batch is refused by http://{}: HTTP 422 limit_above_ceiling: It is wrong. Correct it. (at \
         /tests/1/limits/cpu_time_ms: test \"10\")\n",
        server.address
    );
    assert_eq!(err, wanted);
    // Without room it is sent again.
    server.known().refuse = Some((503, problem(503, "store_full", None)));
    let (code, _, err) = batch(&server, &[&problem_dir]);
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("engined: the batch: asking again: HTTP 503 store_full"), "{err}");
    assert_eq!(server.saw("POST"), 3);
    let (code, _, err) = batch(&server, &[&problem_dir, "--labels"]);
    assert!(code == 2 && err.starts_with("engined: --labels: no submission has a label"), "{err}");
    let (code, _, err) = batch(&server, &["/nonexistent"]);
    assert!(code == 2 && err.starts_with("engined: /nonexistent: can't be read: "), "{err}");
    let (code, _, err) = batch(&server, &[&problem_dir, "--server", "http://127.0.0.1:1"]);
    assert!(code == 2 && err.contains("no engine answers"), "{err}");
}
