//! The artifact cache through the whole engine, with a jaild that plays compilers and programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use common::{Rig, Scratch, TOKEN, wait_for};
use jail::spec::StopReason;
use serde_json::{Value, json};

/// An engine that keeps in this folder.
fn rig(slots: u32, folder: &Path, more: &str) -> Rig {
    if folder.exists() {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    Rig::with(slots, &format!("[cache]\nfolder = {:?}\n{more}", folder.to_str().unwrap()), &[])
}

fn c(source: &str) -> Value {
    json!({"language": "c", "source": source})
}

fn run(rig: &Rig, request: &Value) -> Value {
    let reply = rig.execute(request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// How many compiles there were, those of hellos included.
fn compiles(rig: &Rig) -> usize {
    let profiles = rig.fake.seen.profiles.lock().unwrap();
    profiles.iter().filter(|profile| profile.as_str() == "c/gcc/compile").count()
}

fn told(rig: &Rig, series: &str) -> u64 {
    let text = rig.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

fn lookups(rig: &Rig) -> [u64; 3] {
    ["hit", "miss", "joined"].map(|outcome| told(rig, &format!("engined_cache_lookups_total{{outcome=\"{outcome}\"}}")))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let all = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    all.filter(|path| !path.to_string_lossy().contains("new-")).collect()
}

/// Runs it and waits until what it has made is written.
fn keep(rig: &Rig, request: &Value) -> Value {
    let before = told(rig, "engined_cache_entries");
    let result = run(rig, request);
    assert_eq!(result["compile"]["cached"], false, "{result}");
    wait_for(|| told(rig, "engined_cache_entries") == before + 1);
    result
}

/// Lets those go on who wait at the gate.
fn open(rig: &Rig) {
    rig.fake.seen.open.store(true, Ordering::SeqCst);
}

/// Waits until the engine knows that one of two callers has left: the other is connected, and who asks for metrics.
fn has_left(rig: &Rig) {
    wait_for(|| told(rig, "engined_connections") == 2);
}

/// Begins a request and leaves it when dropped.
fn begin(rig: &Rig, request: &Value) -> TcpStream {
    let mut stream = rig.connect();
    let body = request.to_string();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_hit_says_the_same_again_and_compiles_nothing() {
    let folder = Scratch::new();
    let rig = rig(2, &folder.0, "");
    let request = c("#warn careful\n#socket\nsay made\n");
    let first = keep(&rig, &request);
    let (before, seen) = (compiles(&rig), told(&rig, "engined_filter_notifications_total{call=\"socket\"}"));
    let second = run(&rig, &request);
    assert_eq!(compiles(&rig), before);
    assert_eq!(second["compile"]["cached"], true);
    let mut again = second.clone();
    again["compile"]["cached"] = false.into();
    for same in ["verdict", "reason", "language", "compile", "isolation"] {
        assert_eq!(again[same], first[same], "{same}");
    }
    assert_eq!(second["compile"]["stderr"]["text"], "careful\n");
    assert_eq!(second["compile"]["watched_calls"], json!({"socket": 1}));
    assert_eq!(second["compile"]["usage"]["cpu_time_us"], 1000);
    assert_eq!(second["run"]["stdout"]["text"], "made\n");
    assert_eq!(
        told(&rig, "engined_filter_notifications_total{call=\"socket\"}"),
        seen,
        "it was counted when it happened"
    );
    // Another argument, input or limit of the run is the same compile; another flag or limit of the compiler is not.
    for (same, name, value) in [
        (true, "args", json!(["x"])),
        (true, "stdin", json!("x")),
        (true, "limits", json!({"cpu_time_ms": 100})),
        (true, "env", json!({"A": "b"})),
        (true, "output_encoding", json!("base64")),
        (false, "compile_flags", json!(["-O1"])),
        (false, "compile_limits", json!({"cpu_time_ms": 100})),
    ] {
        let mut other = request.clone();
        other[name] = value;
        assert_eq!(run(&rig, &other)["compile"]["cached"], same, "{name}");
    }
    assert_eq!(lookups(&rig)[..2], [6, 3]);
}

#[test]
fn a_compilers_no_is_kept_and_takes_no_slot() {
    let folder = Scratch::new();
    let rig = rig(1, &folder.0, "");
    let request = c("#error\n");
    let first = keep(&rig, &request);
    assert_eq!(first["verdict"], "compile_error");
    std::thread::scope(|scope| {
        // The one slot is taken.
        let busy = scope.spawn(|| rig.run("gate"));
        wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        let second = run(&rig, &request);
        assert_eq!(rig.fake.seen.running.load(Ordering::SeqCst), 1, "{second}");
        assert_eq!((&second["compile"]["cached"], &second["run"]), (&json!(true), &json!(null)));
        assert_eq!(second["isolation"], json!({"layers": [], "missing": []}), "nothing ran");
        assert_eq!((&second["reason"], &second["compile"]["stderr"]), (&first["reason"], &first["compile"]["stderr"]));
        open(&rig);
        assert_eq!(busy.join().unwrap()["verdict"], "ok");
    });
}

#[test]
fn what_did_not_end_by_itself_is_done_again() {
    let folder = Scratch::new();
    let rig = rig(1, &folder.0, "bytes = 1048576\n");
    for (source, verdict) in [("#limit\n", "compile_error"), ("#cut\n", "compile_error"), ("#large 300000\n", "ok")] {
        let before = compiles(&rig);
        for _ in 0..2 {
            let result = run(&rig, &c(source));
            assert_eq!(
                (&result["verdict"], &result["compile"]["cached"]),
                (&json!(verdict), &json!(false)),
                "{source}"
            );
        }
        assert_eq!(compiles(&rig), before + 2, "{source}");
    }
    assert_eq!(told(&rig, "engined_cache_entries"), 0);
    assert!(entries(&folder.0).is_empty());
}

#[test]
fn another_tenant_has_to_compile_for_itself() {
    let folder = Scratch::new();
    let tenants = "[tenants.t]\nadmin = true\ntokens = [\"HASH\"]\n[tenants.other]\nallowed_users = [\"root\"]\n";
    let rig = rig(2, &folder.0, tenants);
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: not root");
        return;
    }
    let request = c("say secret\n");
    keep(&rig, &request);
    assert_eq!(run(&rig, &request)["compile"]["cached"], true);
    let other = || {
        let mut stream = std::os::unix::net::UnixStream::connect(&rig.unix).unwrap();
        let body = request.to_string();
        let head = "POST /v1/executions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        common::Reply::read(&mut stream).unwrap().json()
    };
    assert_eq!(other()["compile"]["cached"], false);
    wait_for(|| told(&rig, "engined_cache_entries") == 2);
    assert_eq!(other()["compile"]["cached"], true);
    let folders: std::collections::BTreeSet<_> =
        entries(&folder.0).iter().map(|path| path.parent().unwrap().to_owned()).collect();
    assert_eq!(folders.len(), 2);
}

#[test]
fn many_who_ask_at_once_are_one_compile() {
    let folder = Scratch::new();
    let rig = rig(2, &folder.0, "");
    let (request, before) = (c("#gate\nsay once\n"), compiles(&rig));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| run(&rig, &request))).collect();
        // They wait without a slot: somebody else gets the second one meanwhile.
        wait_for(|| rig.engine.queue.gauges().waiting == [15, 0] && compiles(&rig) == before + 1);
        let beside = rig.run("say beside");
        assert_eq!(beside["verdict"], "ok");
        // Only the one that compiles has a slot. Who has its place may still be on its way to the compile.
        wait_for(|| rig.engine.queue.gauges().running == 1 && lookups(&rig) == [0, 1, 15]);
        open(&rig);
        let results: Vec<Value> = all.into_iter().map(|one| one.join().unwrap()).collect();
        let fresh = results.iter().filter(|result| result["compile"]["cached"] == false).count();
        assert!(results.iter().all(|result| result["run"]["stdout"]["text"] == "once\n"), "{results:?}");
        assert_eq!(fresh, 1);
    });
    assert_eq!(compiles(&rig), before + 1);
    assert_eq!(lookups(&rig), [0, 1, 15]);
    assert_eq!(rig.fake.seen.no_room.load(Ordering::SeqCst), 0);
    assert_eq!(rig.engine.queue.gauges().memory, 0);
}

#[test]
fn whoever_began_it_may_leave_and_the_last_one_ends_it() {
    let folder = Scratch::new();
    let rig = rig(4, &folder.0, "");
    let (request, before) = (c("#gate\nsay mine\n"), compiles(&rig));
    let first = begin(&rig, &request);
    wait_for(|| compiles(&rig) == before + 1);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| run(&rig, &request));
        wait_for(|| lookups(&rig)[2] == 1);
        drop(first);
        has_left(&rig);
        open(&rig);
        let second = second.join().unwrap();
        assert_eq!((&second["verdict"], &second["compile"]["cached"]), (&json!("ok"), &json!(true)));
    });
    assert_eq!(compiles(&rig), before + 1);
    assert!(rig.fake.seen.stopped.lock().unwrap().is_empty());

    let request = c("#sleep 60000\nsay nobodys\n");
    let all: Vec<TcpStream> = (0..3).map(|_| begin(&rig, &request)).collect();
    wait_for(|| lookups(&rig)[2] == 3 && compiles(&rig) == before + 2);
    let mut all = all.into_iter();
    drop(all.next());
    drop(all.next());
    // Nothing tells that they have gone but that the rest is as it was.
    wait_for(|| rig.engine.queue.gauges().waiting.iter().sum::<usize>() <= 1);
    assert!(rig.fake.seen.stopped.lock().unwrap().is_empty());
    drop(all.next());
    wait_for(|| !rig.fake.seen.stopped.lock().unwrap().is_empty());
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 0);
    assert_eq!(*rig.fake.seen.stopped.lock().unwrap(), [StopReason::Gone]);
    wait_for(|| rig.engine.queue.gauges().running == 0);
    // Nobody is told of the one that was stopped.
    let after = begin(&rig, &request);
    wait_for(|| compiles(&rig) == before + 3);
    drop(after);
    wait_for(|| rig.fake.seen.running.load(Ordering::SeqCst) == 0);
    wait_for(|| rig.engine.memory.used() < 64 << 10);
}

#[test]
fn who_begins_a_compile_and_leaves_has_used_it() {
    let folder = Scratch::new();
    let file = folder.0.join("audit.jsonl");
    let rig = rig(4, &folder.0.join("artifacts"), &format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n"));
    let before = compiles(&rig);
    for (nth, source) in ["#gate\nsay one\n", "#gate\nsay two\n"].into_iter().enumerate() {
        let request = c(source);
        let (gone, id) =
            if nth == 0 { (Some(begin(&rig, &request)), None) } else { (None, Some(later(&rig, &request))) };
        wait_for(|| compiles(&rig) == before + 1 + nth);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| run(&rig, &request));
            wait_for(|| lookups(&rig)[2] == 1 + nth as u64);
            drop(gone);
            if let Some(path) = &id {
                rig.call("DELETE", path, "", b"");
                assert_eq!(rig.get(&format!("{path}?wait_ms=60000")).json()["verdict"], "cancelled");
            }
            has_left(&rig);
            open(&rig);
            assert_eq!(other.join().unwrap()["compile"]["cached"], true);
        });
        rig.fake.seen.open.store(false, Ordering::SeqCst);
    }
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["act"] == "execution").collect()
    };
    wait_for(|| lines().len() == 4);
    let cpu = |line: &Value| (line["charged"]["compile_cpu_time_us"].clone(), line["charged"]["cpu_time_us"].clone());
    for cancelled in [false, true] {
        let left = lines().into_iter().filter(|line| line["verdict"] == "cancelled");
        let left: Vec<Value> = left.filter(|line| line["caller_gone"].is_null() == cancelled).collect();
        assert_eq!(left.len(), 1, "{:#?}", lines());
        assert_eq!(left[0]["compile"]["cpu_time_us"], 1000, "{:#}", left[0]);
        assert_eq!(cpu(&left[0]).0, 1000, "{:#}", left[0]);
    }
    let all: u64 = lines().iter().filter_map(|line| line["charged"]["compile_cpu_time_us"].as_u64()).sum();
    assert_eq!(all, 2000, "each compile is somebody's, once: {:#?}", lines());
}

/// Begins it without waiting.
fn later(rig: &Rig, request: &Value) -> String {
    let body = request.to_string();
    let reply = rig.call("POST", "/v1/executions?wait=false", "Content-Type: application/json\r\n", body.as_bytes());
    assert_eq!(reply.status, 202, "{}", reply.text());
    format!("/v1/executions/{}", reply.json()["id"].as_str().unwrap())
}

#[test]
fn who_cancels_ends_only_what_is_its_own() {
    let folder = Scratch::new();
    let rig = rig(4, &folder.0, "");
    let before = compiles(&rig);
    let later = |request: &Value| later(&rig, request);
    let ended = |path: &str| rig.get(&format!("{path}?wait_ms=60000")).json();
    let request = c("#gate\nsay on\n");
    let first = later(&request);
    wait_for(|| compiles(&rig) == before + 1);
    let [second, third] = [later(&request), later(&request)];
    wait_for(|| lookups(&rig)[2] == 2);
    for path in [&first, &second] {
        rig.call("DELETE", path, "", b"");
        let result = ended(path);
        assert_eq!((&result["verdict"], &result["run"]), (&json!("cancelled"), &json!(null)), "{result}");
    }
    open(&rig);
    assert_eq!(ended(&third)["run"]["stdout"]["text"], "on\n");
    assert_eq!(compiles(&rig), before + 1);

    let alone = later(&c("#sleep 60000\n"));
    wait_for(|| compiles(&rig) == before + 2);
    rig.call("DELETE", &alone, "", b"");
    let result = ended(&alone);
    assert_eq!(
        (&result["verdict"], &result["compile"]["signal"]),
        (&json!("cancelled"), &json!("SIGKILL")),
        "{result}"
    );
    assert_eq!(*rig.fake.seen.stopped.lock().unwrap(), [StopReason::Cancelled]);
}

#[test]
fn what_is_damaged_is_built_anew() {
    let folder = Scratch::new();
    let rig = rig(2, &folder.0, "");
    let request = c("say whole\n");
    keep(&rig, &request);
    let damage: [fn(&Path); 5] = [
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let last = bytes.len() - 30;
            bytes[last] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap(),
        |path| fs::File::options().write(true).open(path).unwrap().set_len(1 << 40).unwrap(),
        |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        },
        |path| {
            fs::remove_file(path).unwrap();
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        },
    ];
    for (number, damage) in damage.into_iter().enumerate() {
        let [path] = entries(&folder.0).try_into().unwrap();
        damage(&path);
        let result = run(&rig, &request);
        assert_eq!((&result["compile"]["cached"], &result["verdict"]), (&json!(false), &json!("ok")), "{number}");
        assert_eq!(told(&rig, "engined_cache_damaged_total"), number as u64 + 1);
        wait_for(|| entries(&folder.0).len() == 1 && told(&rig, "engined_cache_entries") == 1);
        assert_eq!(run(&rig, &request)["compile"]["cached"], true, "{number}");
    }
    // One that is gone is no damage.
    fs::remove_file(&entries(&folder.0)[0]).unwrap();
    assert_eq!(run(&rig, &request)["compile"]["cached"], false);
    assert_eq!(told(&rig, "engined_cache_damaged_total"), 5);
}

#[test]
fn a_restart_keeps_entries_and_their_order() {
    let folder = Scratch::new();
    // Each takes two pages: there is room for 128.
    let config = "bytes = 1048576\n";
    let source = |number: u32| c(&format!("say {number}\n"));
    // One after the other: what comes while four are still being written is not kept.
    let keep = |engine: &Rig, number: u32| {
        drop(run(engine, &source(number)));
        wait_for(|| {
            told(engine, "engined_cache_entries") + told(engine, "engined_cache_evicted_total") > number.into()
        });
    };
    let one = rig(2, &folder.0, config);
    (0..100).for_each(|number| keep(&one, number));
    wait_for(|| told(&one, "engined_cache_entries") == 100);
    assert_eq!(run(&one, &source(0))["compile"]["cached"], true);
    one.engine.cache.as_ref().unwrap().settle();
    drop(one);
    let two = rig(2, &folder.0, config);
    assert_eq!(told(&two, "engined_cache_entries"), 100);
    // Those used longest ago go.
    (100..140).for_each(|number| keep(&two, number));
    wait_for(|| told(&two, "engined_cache_evicted_total") == 12);
    wait_for(|| told(&two, "engined_cache_bytes") == 1_048_576);
    wait_for(|| entries(&folder.0).len() == 128);
    for (number, cached) in [(0, true), (13, true), (12, false), (1, false)] {
        assert_eq!(run(&two, &source(number))["compile"]["cached"], cached, "{number}");
    }
}

#[test]
fn trouble_with_the_folder_costs_no_answer() {
    let nowhere = Rig::with(1, "[cache]\nfolder = \"/dev/null/artifacts\"\n", &[]);
    for _ in 0..2 {
        assert_eq!(run(&nowhere, &c("say x\n"))["compile"]["cached"], false);
    }
    assert_eq!(told(&nowhere, "engined_cache_failures_total"), 1);
    let off = Rig::with(1, "[cache]\nenabled = false\n", &[]);
    for _ in 0..2 {
        assert_eq!(run(&off, &c("say x\n"))["compile"]["cached"], false);
    }
    assert_eq!(lookups(&off), [0, 0, 0]);

    // Its own folder disappears while it is in use.
    let folder = Scratch::new();
    let place = folder.0.join("artifacts");
    let rig = rig(1, &place, "");
    keep(&rig, &c("say one\n"));
    fs::remove_dir_all(&place).unwrap();
    for turn in 0..2 {
        let result = run(&rig, &c("say one\n"));
        assert_eq!((&result["verdict"], &result["compile"]["cached"]), (&json!("ok"), &json!(false)));
        // One that could not be read, and one each that could not be written: until then it may be joined.
        wait_for(|| told(&rig, "engined_cache_failures_total") >= 2 + turn);
    }
    assert_eq!(told(&rig, "engined_cache_entries"), 0);
}

#[test]
fn a_program_that_is_too_large_is_a_compile_error_with_both_numbers() {
    let folder = Scratch::new();
    let rig = rig(1, &folder.0, "[engine]\nartifact_bytes = 100000\n");
    assert_eq!(run(&rig, &c("#large 90000\n"))["verdict"], "ok");
    let result = run(&rig, &c("#large 200000\n"));
    assert_eq!((&result["verdict"], &result["run"]), (&json!("compile_error"), &json!(null)), "{result}");
    let message = result["reason"]["message"].as_str().unwrap();
    assert!(message.contains("too large: 2000") && message.contains("at most 100000 "), "{message}");
}

#[test]
fn a_program_for_which_there_is_no_memory_is_one_callers_503() {
    let few = json!({"output_bytes": 1000});
    let quiet = |source: &str| json!({"language": "c", "source": source, "limits": few, "compile_limits": few});
    let folder = Scratch::new();
    let rig = rig(1, &folder.0, "[engine]\nengine_memory_bytes = 8388608\n");
    let taken = rig.engine.memory.reserve((8 << 20) - (1 << 20)).unwrap();
    let reply = rig.execute(&quiet("#large 1500000\n"));
    assert_eq!((reply.status, &reply.json()["code"]), (503, &json!("memory_budget")), "{}", reply.text());
    // It is kept a moment after its answer, and counted where the next one is.
    assert_eq!(keep(&rig, &quiet("say small\n"))["verdict"], "ok");
    drop(taken);
    // Nor is one taken from the folder that does not fit.
    let request = quiet("#large 200000\n");
    keep(&rig, &request);
    wait_for(|| rig.engine.memory.used() < 64 << 10);
    let taken = rig.engine.memory.reserve((8 << 20) - (150 << 10)).unwrap();
    assert_eq!(rig.execute(&request).status, 503);
    drop(taken);
    assert_eq!(run(&rig, &request)["compile"]["cached"], true);
    wait_for(|| rig.engine.memory.used() < 64 << 10);
}

/// What is large is in memory once, however many wait for their slots; where it is not kept, each makes it for itself.
#[test]
fn nobody_holds_a_large_program_while_it_waits() {
    for (bytes, more) in [("bytes = 67108864\n", 0), ("bytes = 1048576\n", 3)] {
        let folder = Scratch::new();
        let rig = rig(1, &folder.0, bytes);
        let (request, before) = (c("#gate\n#large 600000\n"), compiles(&rig));
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&rig, &request))).collect();
            wait_for(|| rig.engine.queue.gauges().waiting == [3, 0] && compiles(&rig) == before + 1);
            open(&rig);
            for one in all {
                assert_eq!(one.join().unwrap()["verdict"], "ok");
            }
        });
        assert_eq!(compiles(&rig), before + 1 + more);
        assert_eq!(lookups(&rig)[1], 1 + more as u64, "whoever compiled for itself has missed");
        wait_for(|| rig.engine.memory.used() < 64 << 10);
    }
}
