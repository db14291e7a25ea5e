//! Checker programs in real sandboxes, by both protocols: what they say, and what becomes of those that fail. Skipped like
//! `live`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_spec::{CheckerProgram, LimitName, LimitsRequest, Protocol, SourceFile};
use common::Scratch;
use common::live::{ENGINED, live};
use engined::accounts::Accounts;
use engined::audit::{Caller, Part};
use engined::batch::account::Account;
use engined::batch::checker::spool::Spool;
use engined::batch::checker::{Checked, Checker, Evidence, Finding};
use engined::config::{Config, Host};
use engined::engine::Engine;
use engined::job::Stdin;
use engined::queue::TenantIndex;
use engined::tenants::Peer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

/// Does what the answer tells it. How it is called it hears from its last argument.
const CPP: &str = r#"
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>
int main(int argc, char **argv) {
    if (argc != 5) return 99;
    bool kattis = std::string(argv[4]) == "kattis";
    std::ifstream input(argv[1]), answer(argv[kattis ? 2 : 3]);
    std::string said, word, value;
    std::getline(input, said);
    answer >> word;
    std::getline(answer >> std::ws, value);
    std::ifstream file(kattis ? "/dev/null" : argv[2]);
    std::istream &stream = kattis ? std::cin : file;
    std::string output((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    int right = kattis ? 42 : 0, wrong = kattis ? 43 : 1;
    if (word == "same") {
        if (kattis) std::ofstream(std::string(argv[3]) + "judgemessage.txt") << "it was " << output;
        bool good = output == value && said == "the input";
        if (!kattis) std::cerr << (good ? "ok it was " : "wrong answer it was ") << output;
        return good ? right : wrong;
    }
    if (word == "count") return std::to_string(output.size()) == value ? right : wrong;
    if (word == "code") return std::stoi(value);
    if (word == "points") { std::cerr << "points " << value << " well"; return 7; }
    if (word == "partly") { std::cerr << "partially correct (" << value << ")"; return std::stoi(value); }
    if (word == "score") { std::ofstream(std::string(argv[3]) + "score.txt") << value; return 42; }
    if (word == "files") {
        for (int n = 0; n < 40; n++) std::ofstream(std::string(argv[3]) + "a" + std::to_string(n)) << output;
        std::ofstream(std::string(argv[3]) + "score.txt") << value;
        return 42;
    }
    if (word == "long") {
        std::ofstream(std::string(argv[3]) + "score.txt") << value << std::string(70000, ' ');
        return 42;
    }
    if (word == "crash") { std::cerr << "about to crash\n"; std::abort(); }
    if (word == "loop") { std::cerr << "about to loop\n"; for (volatile int i = 0;; i = i + 1) {} }
    if (word == "eat") {
        std::cerr << "about to eat\n";
        std::vector<std::string> all;
        for (;;) all.push_back(std::string(1 << 20, 'x'));
    }
    if (word == "chat") for (;;) std::cerr << "chatting without an end\n";
    return 98;
}
"#;

const PYTHON: &str = r#"
import sys
kattis = sys.argv[4] == "kattis"
word, _, value = open(sys.argv[2 if kattis else 3]).read().partition(" ")
output = sys.stdin.read() if kattis else open(sys.argv[2]).read()
if word == "same":
    if kattis:
        open(sys.argv[3] + "teammessage.txt", "w").write("you said " + output)
        open(sys.argv[3] + "more.bin", "wb").write(b"\xff\xfe")
    sys.exit((42 if kattis else 0) if output == value else (43 if kattis else 1))
if word == "half":
    open(sys.argv[3] + "score_multiplier.txt", "w").write("0.5\n")
    sys.exit(42)
raise ValueError("what is " + word)
"#;

/// A jaild of our own.
struct Jaild(Child, Scratch);

impl Jaild {
    fn start() -> Jaild {
        let scratch = Scratch::new();
        let mut child = Command::new(Path::new(ENGINED).with_file_name("jaild"))
            .arg("--socket")
            .arg(scratch.0.join("jaild.sock"))
            .args(["--client-user", "root"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // What it says when it is ready.
        let mut first = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        Jaild(child, scratch)
    }
}

impl Drop for Jaild {
    fn drop(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap();
        let jaild = Path::new(ENGINED).with_file_name("jaild");
        let leave =
            Command::new(jaild).arg("--socket").arg(self.1.0.join("jaild.sock")).args(["--leave", "yes"]).status();
        assert!(leave.unwrap().success());
    }
}

struct Rig {
    engine: Arc<Engine>,
    account: Account,
    folder: Scratch,
    _cancel: watch::Sender<bool>,
    _jaild: Jaild,
}

impl Rig {
    async fn start() -> Rig {
        let jaild = Jaild::start();
        let socket = jaild.1.0.join("jaild.sock");
        let text = format!("[tenants.t]\ntokens = [\"{}\"]\n[engine]\njaild_socket = {socket:?}\n", "0".repeat(64));
        let host = Host { accounts: Accounts::of_host(), memory: 16 << 30, cpus: 64 };
        let (config, _) = Config::parse(&text, &host).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let engine = Engine::new(config, languages::Catalogue::builtin(), &host.accounts).unwrap();
        tokio::spawn(Arc::clone(&engine).keep());
        let deadline = Instant::now() + common::PATIENCE;
        while engine.settled().is_err() {
            assert!(Instant::now() < deadline, "not ready: {:?}", engine.standing().obstacles);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (cancel, cancelled) = watch::channel(false);
        let caller =
            Caller { request: "req".to_owned(), peer: Peer::Unix { uid: 0, gid: 0 }, token: None, trace: None };
        let labels = std::collections::BTreeMap::new();
        let account = Account { tenant: TenantIndex(0), caller, labels, batch: "batch".into(), cancelled };
        Rig { engine, account, folder: Scratch::new(), _cancel: cancel, _jaild: jaild }
    }

    async fn build(&self, program: CheckerProgram) -> Result<Checker, Finding> {
        Checker::build(&self.engine, self.account.clone(), program).await.unwrap()
    }

    async fn ask(&self, checker: &Checker, answer: &str, output: &[u8], points: f64) -> Checked {
        // As a run leaves it.
        let (spool, tap) = Spool::begin(self.folder.0.clone(), 0, 0).await.unwrap();
        let output_file = spool.end(tap).await.unwrap();
        (&*output_file as &File).write_all(output).unwrap();
        let evidence = Evidence {
            input: Stdin::Bytes(b"the input\n".to_vec()),
            answer: Stdin::Bytes(answer.as_bytes().to_vec()),
            output: output_file,
        };
        let part =
            Part { batch: "batch".into(), submission: Some("s".into()), test: Some(("t".into(), 1)), checker: true };
        checker.check(&self.engine, evidence, points, part).await.unwrap()
    }
}

fn program(language: &str, source: &str, protocol: Protocol) -> CheckerProgram {
    let word = if protocol == Protocol::Kattis { "kattis" } else { "testlib" };
    CheckerProgram {
        language: language.to_owned(),
        version: None,
        source: Some(source.into()),
        files: None,
        entry: None,
        compile_flags: Vec::new(),
        protocol,
        args: vec![word.to_owned()],
        limits: LimitsRequest {
            cpu_time_ms: Some(1000),
            // A busy machine may keep it from the CPU.
            wall_time_ms: Some(60_000),
            memory_bytes: Some(128 << 20),
            ..LimitsRequest::default()
        },
        compile_limits: LimitsRequest::default(),
    }
}

fn stderr(checked: &Checked) -> String {
    let bytes = checked.told.stderr.as_ref().map(|stream| stream.to_bytes().unwrap()).unwrap_or_default();
    String::from_utf8(bytes).unwrap()
}

fn failed(checked: &Checked) -> (Option<LimitName>, String) {
    match &checked.finding {
        Finding::Failed(reason) => (reason.limit, reason.message.clone()),
        other => panic!("{other:?}: {:?}", checked.told),
    }
}

#[test]
fn checkers_are_asked_and_say_what_an_output_is_worth() {
    if !live() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::start().await;
        let kattis = rig.build(program("cpp", CPP, Protocol::Kattis)).await.unwrap();
        let testlib = rig.build(program("cpp", CPP, Protocol::Testlib)).await.unwrap();
        both_protocols(&rig, &kattis, &testlib).await;
        shares(&rig, &kattis, &testlib).await;
        failures(&rig, &kattis, &testlib).await;
        drop((kattis, testlib));
        in_python(&rig).await;
        unbuilt(&rig).await;
        // What the compiler said may still be on its way to the disk.
        common::wait_for(|| rig.engine.memory.used() == 0);
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
}

/// Ends in every way that testlib has, as the answer tells it.
const WITH_TESTLIB: &str = r#"
#include "testlib.h"
int main(int argc, char **argv) {
    registerTestlibCmd(argc, argv);
    if (inf.readLine() != "the input") quitf(_fail, "another input");
    std::string word = ans.readToken();
    if (word == "sum") {
        long long sum = 0, wanted = ans.readLong();
        while (!ouf.seekEof()) sum += ouf.readInt();
        if (sum != wanted) quitf(_wa, "it is %lld", sum);
        quitf(_ok, "it is %lld", sum);
    }
    if (word == "one") {
        int wanted = ans.readInt(), found = ouf.readInt();
        if (found != wanted) quitf(_wa, "%d instead of %d", found, wanted);
        quitf(_ok, "%d", found);
    }
    if (word == "points") quitp(ans.readDouble(), "so many");
    if (word == "partly") quitf(_pc(ans.readInt()), "so much");
    if (word == "pe") quitf(_pe, "no number");
    quitf(_fail, "unknown word %s", word.c_str());
}
"#;

/// With the header itself, where `ENGINED_TESTLIB` says where it is.
#[test]
fn testlib_itself_is_understood() {
    let Some(header) = std::env::var_os("ENGINED_TESTLIB") else {
        eprintln!("skipped: ENGINED_TESTLIB names no testlib.h");
        return;
    };
    if !live() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::start().await;
        let file = |path: &str, content: String| SourceFile { path: path.to_owned(), content: content.as_str().into() };
        let header = std::fs::read_to_string(header).unwrap();
        let files = vec![file("checker.cpp", WITH_TESTLIB.to_owned()), file("testlib.h", header)];
        let alone = CheckerProgram {
            source: None,
            files: Some(files),
            args: Vec::new(),
            ..program("cpp", "", Protocol::Testlib)
        };
        let checker = rig.build(alone).await.unwrap();
        for (answer, output, code, finding, said) in [
            ("one 7", "7\n", 0, Finding::Right, "ok 7"),
            ("one 7", "8", 1, Finding::Wrong, "wrong answer 8 instead of 7"),
            ("one 7", "7 8", 2, Finding::Wrong, "wrong output format Extra information in the output file"),
            ("one 7", "", 2, Finding::Wrong, "wrong output format Unexpected end of file"),
            ("one 7", "seven", 2, Finding::Wrong, "wrong output format Expected integer, but \"seven\" found"),
            ("pe", "", 2, Finding::Wrong, "wrong output format no number"),
            ("points 2.5", "", 7, Finding::Part(0.25), "points 2.5 so many"),
            ("points 10", "", 7, Finding::Right, "points 10.0 so many"),
            ("points 0", "", 7, Finding::Wrong, "points 0.0 so many"),
            ("partly 50", "", 50, Finding::Part(0.25), "partially correct (50) so much"),
            ("partly 200", "", 200, Finding::Right, "partially correct (200) so much"),
            // The exit code of a wrong answer.
            ("partly 1", "", 1, Finding::Part(0.005), "partially correct (1) so much"),
        ] {
            let checked = rig.ask(&checker, answer, output.as_bytes(), 10.0).await;
            assert!(stderr(&checked).starts_with(said), "{answer}: {:?}", checked.told);
            assert_eq!((checked.finding, checked.told.exit_code), (finding, Some(code)), "{answer}");
        }
        for (answer, said) in
            [("huh", "FAIL unknown word huh"), ("", "FAIL Unexpected end of file"), ("points 11", "points 11.0")]
        {
            let checked = rig.ask(&checker, answer, b"", 10.0).await;
            failed(&checked);
            assert!(stderr(&checked).starts_with(said), "{answer}: {:?}", checked.told);
        }
        // Too large for a file: it comes by a pipe.
        let ones = "1 ".repeat(10 << 20);
        let checked = rig.ask(&checker, &format!("sum {}", 10 << 20), ones.as_bytes(), 10.0).await;
        assert_eq!(checked.finding, Finding::Right, "{:?}", checked.told);
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
}

async fn both_protocols(rig: &Rig, kattis: &Checker, testlib: &Checker) {
    for (checker, right, wrong, words) in [(kattis, 42, 43, ""), (testlib, 0, 1, "ok ")] {
        let words = format!("{words}it was ab c");
        let checked = rig.ask(checker, "same ab c", b"ab c", 10.0).await;
        assert_eq!(checked.finding, Finding::Right, "{:?}", checked.told);
        assert_eq!((checked.told.exit_code, checked.told.message.as_ref()), (Some(right), Some(&words)));
        let checked = rig.ask(checker, "same ab c", b"abc", 10.0).await;
        assert_eq!((checked.finding, checked.told.exit_code), (Finding::Wrong, Some(wrong)));
        // An answer that is not there is an empty file, and so is an output.
        let checked = rig.ask(checker, "", b"", 10.0).await;
        assert!(failed(&checked).1.contains("exit code 98"), "{:?}", failed(&checked));
    }
    let checked = rig.ask(kattis, "same x", b"x", 1.0).await;
    assert_eq!(checked.told.files.keys().collect::<Vec<_>>(), ["judgemessage.txt"]);
    let checked = rig.ask(testlib, "same x", b"x", 1.0).await;
    assert!(checked.told.files.is_empty() && stderr(&checked) == "ok it was x");
    // One that is no file to a checker any more.
    let large = vec![b'x'; 20 << 20];
    for checker in [kattis, testlib] {
        let checked = rig.ask(checker, &format!("count {}", large.len()), &large, 1.0).await;
        assert_eq!(checked.finding, Finding::Right, "{:?}", checked.told);
    }
}

async fn shares(rig: &Rig, kattis: &Checker, testlib: &Checker) {
    for (checker, answer, finding) in [
        (testlib, "points 2.5", Finding::Part(0.25)),
        (testlib, "points 10", Finding::Right),
        (testlib, "points 0", Finding::Wrong),
        (testlib, "partly 50", Finding::Part(0.25)),
        (testlib, "partly 1", Finding::Part(0.005)),
        (testlib, "code 2", Finding::Wrong),
        (kattis, "score 7.5", Finding::Part(0.75)),
        (kattis, "score 10", Finding::Right),
        // More files than come back: those that count are among them.
        (kattis, "files 1", Finding::Part(0.1)),
    ] {
        let checked = rig.ask(checker, answer, b"", 10.0).await;
        assert_eq!(checked.finding, finding, "{answer}: {:?}", checked.told);
    }
}

async fn failures(rig: &Rig, kattis: &Checker, testlib: &Checker) {
    for checker in [kattis, testlib] {
        for (answer, limit, words) in [
            ("crash", None, "SIGABRT"),
            ("loop", Some(LimitName::CpuTimeMs), "CPU time"),
            ("eat", Some(LimitName::MemoryBytes), "memory"),
            ("chat", Some(LimitName::OutputBytes), "output streams"),
        ] {
            let checked = rig.ask(checker, answer, b"", 10.0).await;
            let (hit, message) = failed(&checked);
            assert_eq!(hit, limit, "{answer}: {message}");
            assert!(message.contains(words), "{answer}: {message}");
            let about = if answer == "chat" { "chatting without an end" } else { &format!("about to {answer}") };
            assert!(stderr(&checked).starts_with(about), "{answer}: {:?}", checked.told);
            assert!(stderr(&checked).len() <= 16 << 10);
        }
        for answer in ["code 9", "score 11", "points 11", "code 3"] {
            failed(&rig.ask(checker, answer, b"", 10.0).await);
        }
    }
    let (_, message) = failed(&rig.ask(kattis, "code 0", b"", 10.0).await);
    assert!(message.contains("exit code 0") && message.contains("42"), "{message}");
    let (_, message) = failed(&rig.ask(kattis, "long 1", b"", 10.0).await);
    assert!(message.contains("at most 65536"), "{message}");
    let large = Stdin::Bytes(vec![b'x'; 129 << 20]);
    let (spool, tap) = Spool::begin(rig.folder.0.clone(), 0, 0).await.unwrap();
    let output = spool.end(tap).await.unwrap();
    let part = Part { batch: "batch".into(), submission: None, test: None, checker: true };
    let evidence = Evidence { input: large, answer: Stdin::default(), output };
    let checked = kattis.check(&rig.engine, evidence, 1.0, part).await.unwrap();
    assert!(failed(&checked).0.is_some(), "{checked:?}");
}

async fn in_python(rig: &Rig) {
    let kattis = rig.build(program("python", PYTHON, Protocol::Kattis)).await.unwrap();
    let checked = rig.ask(&kattis, "same x", b"x", 1.0).await;
    assert_eq!(checked.finding, Finding::Right, "{:?}", checked.told);
    assert_eq!(checked.told.message.as_deref(), Some("you said x"));
    assert_eq!(checked.told.files["more.bin"].to_bytes().unwrap(), b"\xff\xfe");
    assert_eq!(rig.ask(&kattis, "half ", b"", 1.0).await.finding, Finding::Part(0.5));
    let checked = rig.ask(&kattis, "nonsense ", b"", 1.0).await;
    assert!(failed(&checked).1.contains("exit code 1"), "{:?}", failed(&checked));
    assert!(stderr(&checked).contains("ValueError: what is nonsense"), "{:?}", checked.told);
    let testlib = rig.build(program("python", PYTHON, Protocol::Testlib)).await.unwrap();
    assert_eq!(rig.ask(&testlib, "same x", b"x", 1.0).await.finding, Finding::Right);
    // Its own exit code for an exception is that of a wrong answer.
    let checked = rig.ask(&testlib, "nonsense ", b"", 1.0).await;
    assert!(failed(&checked).1.contains("may have crashed"), "{:?}", failed(&checked));
    assert!(stderr(&checked).contains("ValueError: what is nonsense"), "{:?}", checked.told);
    assert_eq!(rig.ask(&testlib, "same x", b"y", 1.0).await.finding, Finding::Wrong);
}

async fn unbuilt(rig: &Rig) {
    let Err(Finding::Failed(reason)) = rig.build(program("cpp", "int main( {", Protocol::Kattis)).await else {
        panic!()
    };
    assert!(reason.message.starts_with("The checker could not be compiled"), "{reason:?}");
    let file = |path: &str| SourceFile { path: path.to_owned(), content: "x".into() };
    let files = Some(vec![file("main.py"), file("judge/input")]);
    let in_the_way = CheckerProgram { source: None, files, ..program("python", "", Protocol::Kattis) };
    let Err(Finding::Failed(reason)) = rig.build(in_the_way).await else { panic!() };
    assert!(reason.message.contains("file 1 "), "{reason:?}");
}
