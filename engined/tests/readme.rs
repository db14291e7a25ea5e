//! What README.md shows is tried as it stands there: a request in each language, and the backend in Node.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use common::live::{Up, live};
use common::{Scratch, wait_for};
use serde_json::{Value, json};

const README: &str = include_str!("../../README.md");

/// A child that ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// The requests of the lines that begin with `ask`.
fn asked() -> Vec<Value> {
    let lines = README.lines().filter_map(|line| line.strip_prefix("ask '")?.strip_suffix('\''));
    lines.map(|body| serde_json::from_str(body).unwrap()).collect()
}

#[test]
fn the_readme_gets_an_answer_in_each_language() {
    if !live() {
        return;
    }
    let up = Up::start();
    let asked = asked();
    let languages: Vec<&str> = asked.iter().filter_map(|request| request["language"].as_str()).collect();
    assert_eq!(languages, ["python", "javascript", "c", "cpp", "java"]);
    for request in asked {
        let result = up.call("POST", "/v1/executions", &request).unwrap().json();
        assert_eq!(
            (result["verdict"].as_str(), result["run"]["stdout"]["text"].as_str()),
            (Some("ok"), Some("42\n")),
            "{result}"
        );
    }
}

/// A port for whoever must be told one before it listens. Not one of those that the kernel gives by itself: another test
/// may have ten thousand of them by then, and each is taken for a listener.
fn port() -> u16 {
    let of_this_process = usize::try_from(std::process::id()).unwrap() * 16;
    let mut ports = (0..16).map(|nth| u16::try_from(20_000 + (of_this_process + nth) % 10_000).unwrap());
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[test]
fn the_backend_of_the_readme_answers_a_page() {
    if !live() {
        return;
    }
    let up = Up::start();
    let folder = Scratch::new();
    let source = README.split_once("```js\n// backend.mjs\n").unwrap().1.split_once("```").unwrap().0;
    std::fs::write(folder.0.join("backend.mjs"), source).unwrap();
    let port = port().to_string();
    let backend = Command::new("/usr/bin/node")
        .arg(folder.0.join("backend.mjs"))
        .env("ENGINED_URL", format!("http://{}", up.address))
        .env("PORT", &port)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ended = Ended(backend);
    let say = |body: &str| {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
        // Of version 1.0, so that the answer comes in one piece and ends with the connection.
        let head = format!("POST /run HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str::<Value>(answer.split_once("\r\n\r\n")?.1).ok()
    };
    // The page gives its programs five seconds, which a busy machine may take for itself.
    let ask = |body: &Value| {
        let mut told = say(&body.to_string());
        wait_for(|| {
            let late = told.as_ref().is_some_and(|told| told["verdict"] == "wall_time_limit");
            if late {
                told = say(&body.to_string());
            }
            !late
        });
        told
    };
    let doubled = json!({"source": "print(input() * 2)", "stdin": "ab"});
    wait_for(|| ask(&doubled).is_some());
    // What a page sends is nobody's promise.
    for (odd, wanted) in
        [("not json", json!({"message": "This is not JSON."})), ("null", json!({"verdict": "ok", "output": ""}))]
    {
        assert_eq!(say(odd), Some(wanted), "{odd}");
    }
    let bytes = ask(&json!({"source": "import sys; sys.stdout.buffer.write(bytes([255]))"})).unwrap();
    assert_eq!(bytes["output"], "(not text)");
    let (answer, failed) = (ask(&doubled), ask(&json!({"source": "1 / 0"})));
    assert_eq!(answer.unwrap(), json!({"verdict": "ok", "output": "abab\n"}));
    let failed = failed.unwrap();
    assert_eq!(
        (&failed["verdict"], &failed["message"]),
        (&json!("runtime_error"), &json!("The program ended with exit code 1."))
    );
}

#[test]
fn the_folder_of_the_readme_is_graded() {
    if !live() {
        return;
    }
    let folder = Scratch::new();
    let section = README.split_once("### Grade a folder\n").unwrap().1;
    let script = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let script = script.replace("target/release/engined", common::live::ENGINED);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-ec", &script]).current_dir(&folder.0).stdin(Stdio::null());
    let output = shell.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said:?}");
    // Figures and the id are of the moment; the words are those of the page.
    let words = |table: &str| -> Vec<String> {
        let plain = |word: &&str| !(word.contains('.') || word.len() == 26 && word.starts_with("01"));
        table.lines().map(|line| line.split_whitespace().filter(plain).collect::<Vec<_>>().join(" ")).collect()
    };
    let shown = section.split_once("```\nsubmission").unwrap().1.split_once("```").unwrap().0;
    let shown = words(&format!("submission{shown}"));
    assert_eq!(words(&said[0])[..shown.len()], shown, "{said:?}");
    assert!(folder.0.join("sum/results/junit.xml").exists());
}
