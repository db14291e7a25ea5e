//! The record of what was run, and the counters of usage: a real engine that is killed, stopped and short of disk, with a
//! fake jaild behind it.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "../common/mod.rs"]
mod common;
mod place;
mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use place::{Engine, Place, TENANTS, account, call, run};

type Sums = BTreeMap<(String, String, String), BTreeMap<String, u64>>;

/// What lines come to, by tenant, day and language.
fn of_lines(lines: &[Value]) -> Sums {
    let mut sums = Sums::new();
    for line in lines.iter().filter(|line| line["act"] == "execution") {
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let row = sums.entry((text("tenant"), text("time")[..10].to_owned(), text("language"))).or_default();
        *row.entry("executions".to_owned()).or_default() += 1;
        *row.entry(text("verdict")).or_default() += 1;
        for (name, value) in line["charged"].as_object().unwrap() {
            *row.entry(name.clone()).or_default() += value.as_u64().unwrap();
        }
    }
    sums
}

fn of_usage(engine: &Engine) -> Sums {
    let mut sums = Sums::new();
    for tenant in TENANTS {
        // It is asked for two seconds at most whether all is counted: a busy disk may take longer.
        let mut usage = Value::Null;
        common::wait_for(|| {
            usage = engine.usage(tenant);
            (&usage["behind_records"], &usage["durable"]) == (&json!(0), &json!(true))
        });
        for row in usage["usage"].as_array().unwrap() {
            assert_eq!(row["tenant"], tenant, "its own alone");
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let numbers = row.as_object().unwrap().iter().chain(row["verdicts"].as_object().unwrap());
            let numbers = numbers.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
            sums.insert((text("tenant"), text("day"), text("language")), numbers.collect());
        }
    }
    sums
}

/// A number below `most`.
fn chance(most: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % most
}

/// Killed again and again under load. Gives what callers have seen of results, and all lines.
fn killed(place: &Place, kills: u64) -> (Sums, Sums) {
    let seen = Mutex::new(Sums::new());
    for kill in 0..kills {
        let mut engine = place.start();
        let (over, address) = (AtomicBool::new(false), engine.address.clone());
        std::thread::scope(|scope| {
            for caller in 0..4 {
                let (address, over, seen) = (address.clone(), &over, &seen);
                scope.spawn(move || {
                    let tenant = TENANTS[caller % 2];
                    for turn in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let (language, words) = [("python", "say x"), ("c", "say y"), ("python", "exit 3")][turn % 3];
                        let Some(reply) = run(&address, tenant, language, words) else { continue };
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        let result = reply.json();
                        let mut seen = seen.lock().unwrap();
                        let row = seen.entry((tenant.to_owned(), String::new(), language.to_owned())).or_default();
                        *row.entry(result["verdict"].as_str().unwrap().to_owned()).or_default() += 1;
                    }
                });
            }
            // What kills comes at any time, and so it does here; but once there was an answer before.
            if kill + 1 == kills {
                common::wait_for(|| !seen.lock().unwrap().is_empty());
            }
            std::thread::sleep(Duration::from_millis(20 + chance(400)));
            engine.child.kill().unwrap();
            engine.child.wait().unwrap();
            over.store(true, Ordering::Relaxed);
        });
    }
    let engine = place.start();
    let usage = of_usage(&engine);
    engine.stop();
    let lines = place.lines(&place.path("state"));
    assert_eq!(lines.iter().filter(|line| line["act"] == "start").count() as u64, kills + 1);
    let sums = of_lines(&lines);
    assert_eq!(usage, sums, "{}", place.log());
    (seen.into_inner().unwrap(), sums)
}

/// How often: a long form has more.
fn kills(usual: u64) -> u64 {
    std::env::var("ENGINED_TEST_KILLS").map_or(usual, |number| number.parse().unwrap())
}

#[test]
fn usage_is_the_sum_of_the_lines_wherever_the_engine_is_killed() {
    killed(&Place::new("[audit]\nrotate_bytes = 65536\nkeep = 1000\n"), kills(3));
}

#[test]
fn no_answer_is_without_its_line_where_answers_wait() {
    let place = Place::new("[audit]\nbefore_answer = true\n[log]\nlevel = \"debug\"\n");
    let (seen, lines) = killed(&place, kills(3));
    assert!(!seen.is_empty(), "nothing was run");
    // None waits for ever. A disk that takes too long is told of each.
    let early = place.log().matches("an answer goes before its audit line").count() as u64;
    for ((tenant, _, language), verdicts) in seen {
        for (verdict, count) in verdicts {
            let rows = lines.iter().filter(|((t, _, l), _)| *t == tenant && *l == language);
            let written: u64 = rows.filter_map(|(_, row)| row.get(&verdict)).sum();
            assert!(
                count <= written + early,
                "{tenant} {language} {verdict}: {count} answers, {early} of all early, {written} lines"
            );
        }
    }
}

/// Holds what is told of the disk of a process in a mount namespace of its own.
struct Ballast(PathBuf);

impl Ballast {
    /// Leaves no room below `folder`, as `engine` sees it.
    fn fill(engine: &Engine, folder: &Path) -> Ballast {
        let path = PathBuf::from(format!("/proc/{}/root{}/ballast", engine.child.id(), folder.display()));
        let mut file = fs::File::create(&path).unwrap();
        let mut piece = vec![b'x'; 4096];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        Ballast(path)
    }

    fn drop_it(self) {
        fs::remove_file(self.0).unwrap();
    }
}

/// An engine that sees a small disk at `full`.
fn on_a_small_disk(place: &Place, full: &Path) -> Option<Engine> {
    let Some((uid, gid)) = account() else {
        eprintln!("SKIPPED: not root");
        assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden");
        return None;
    };
    let mount =
        format!("mount -t tmpfs -o size=1m,mode=700,uid={uid},gid={gid} none {} && exec \"$@\"", full.display());
    Some(place.started_by(&["unshare", "--mount", "sh", "-c", &mount, "sh"]))
}

#[test]
fn a_full_disk_under_the_audit_holds_nobody_up_and_loses_nothing() {
    let place = Place::new("[audit]\nfile = \"FULL/audit.jsonl\"\nbefore_answer = true\n");
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    let config = fs::read_to_string(place.path("engined.toml")).unwrap();
    fs::write(place.path("engined.toml"), config.replace("FULL", full.to_str().unwrap())).unwrap();
    let Some(engine) = on_a_small_disk(&place, &full) else { return };
    engine.run("say x");
    let ballast = Ballast::fill(&engine, &full);
    // An answer waits for its line, and not for ever.
    for _ in 0..12 {
        engine.run("say x");
    }
    common::wait_for(|| engine.metric("engined_audit_failures_total") > 0);
    assert!(engine.usage(TENANTS[0])["behind_records"].as_u64().unwrap() > 0);
    ballast.drop_it();
    common::wait_for(|| engine.metric("engined_audit_waiting") == 0 && engine.usage(TENANTS[0])["behind_records"] == 0);
    engine.run("say x");
    let usage = of_usage(&engine);
    let seen = PathBuf::from(format!("/proc/{}/root{}", engine.child.id(), full.display()));
    let lines = place.lines(&seen);
    assert_eq!(usage, of_lines(&lines));
    assert_eq!(lines.iter().filter(|line| line["act"] == "execution").count(), 14);
    assert_eq!(engine.metric("engined_audit_records_total{outcome=\"lost\"}"), 0);
    engine.stop();
}

#[test]
fn a_full_disk_under_usage_holds_no_line_up() {
    let place = Place::new("[usage]\nfile = \"FULL/usage.sqlite\"\n");
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    let config = fs::read_to_string(place.path("engined.toml")).unwrap();
    fs::write(place.path("engined.toml"), config.replace("FULL", full.to_str().unwrap())).unwrap();
    let Some(engine) = on_a_small_disk(&place, &full) else { return };
    engine.run("say x");
    of_usage(&engine);
    let ballast = Ballast::fill(&engine, &full);
    // What SQLite has of room in its own file is used up first.
    let runs = std::cell::Cell::new(1);
    common::wait_for(|| {
        engine.run("say x");
        runs.set(runs.get() + 1);
        engine.metric("engined_usage_up") == 0
    });
    // Sums that lack something say so, and it is the counters that are ill.
    assert!(engine.usage(TENANTS[0])["behind_records"].as_u64().unwrap() > 0);
    common::wait_for(|| engine.metric("engined_check_ok{check=\"store:usage\"}") == 0);
    common::wait_for(|| engine.metric("engined_check_ok{check=\"store:audit\"}") == 1);
    let written = || fs::read_to_string(place.path("state/audit.jsonl")).unwrap();
    common::wait_for(|| written().matches("\"act\":\"execution\"").count() == runs.get());
    ballast.drop_it();
    common::wait_for(|| engine.metric("engined_usage_up") == 1);
    let usage = of_usage(&engine);
    engine.stop();
    assert_eq!(usage, of_lines(&place.lines(&place.path("state"))));
}

#[test]
fn lines_without_counters_are_no_trouble() {
    // Without a sync, of which nobody knows how long it takes on a busy disk.
    let place = Place::new("[audit]\nsync = \"never\"\n[usage]\nenabled = false\n");
    let engine = place.start();
    engine.run("say x");
    common::wait_for(|| {
        engine.get("/metrics", "operator").text().contains("engined_check_ok{check=\"store:audit\"} 1")
    });
    engine.stop();
    let log = place.log();
    assert!(!log.contains("may be lost") && !log.contains("could not be written"), "{log}");
    assert_eq!(place.lines(&place.path("state")).len(), 4);
}

#[test]
fn an_engine_that_ends_in_good_order_says_so() {
    let place = Place::new("");
    let written = || fs::read_to_string(place.path("state/audit.jsonl")).unwrap();
    for round in 1..=2 {
        let engine = place.start();
        engine.run("say x");
        engine.signal(Signal::SIGHUP);
        // Of the configuration and of the languages.
        common::wait_for(|| written().matches("\"act\":\"reload\"").count() == 2 * round);
        engine.stop();
    }
    let lines = place.lines(&place.path("state"));
    let acts: Vec<&str> = lines.iter().map(|line| line["act"].as_str().unwrap()).collect();
    let once = ["start", "execution", "reload", "reload", "drain", "stop"];
    assert_eq!(acts, [once, once].concat());
    let mode = fs::metadata(place.path("state/usage.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!lines.iter().any(|line| TENANTS.iter().any(|token| line["caller"].to_string().contains(token))));
}

/// What has no line of its own, because it was refused before it had a place, stands in the log with its tenant.
#[test]
fn a_refusal_and_a_drain_say_who_asked() {
    let place = Place::new("[audit]\ntarget = \"auto\"\n[log]\nformat = \"json\"\n");
    let engine = place.start();
    let by = |tenant: &str| format!("Authorization: Bearer {tenant}\r\nX-Request-Id: of-{tenant}\r\n");
    assert_eq!(call(&engine.address, "POST", "/v1/drain", &by(TENANTS[0]), "").unwrap().status, 403);
    assert_eq!(call(&engine.address, "POST", "/v1/drain", &by("operator"), "").unwrap().status, 202);
    engine.stop();
    let log: Vec<Value> = place.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let problem = log.iter().find(|line| line["fields"]["message"] == "problem" || line["message"] == "problem");
    let problem = problem.unwrap_or_else(|| panic!("{}", place.log()));
    assert!(problem.to_string().contains(&format!("\"tenant\":\"{}\"", TENANTS[0])), "{problem}");
    assert!(problem.to_string().contains(&format!("\"of-{}\"", TENANTS[0])), "{problem}");
    let lines = place.lines(&place.path("state"));
    let drain = lines.iter().find(|line| line["act"] == "drain").unwrap();
    let [by, tenant, request, address] =
        [&drain["by"], &drain["tenant"], &drain["request_id"], &drain["caller"]["address"]].map(|word| word.as_str());
    assert_eq!([by, tenant, request, address].map(Option::unwrap), ["request", "operator", "of-operator", "127.0.0.1"]);
}

#[test]
fn a_place_that_was_asked_for_must_be_there() {
    let place = Place::new("[audit]\nfile = \"/proc/audit.jsonl\"\n");
    let started = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| place.start()));
    assert!(started.is_err());
    assert!(place.log().contains("audit: /proc/audit.jsonl: "), "{}", place.log());
}

/// Nothing is run that nobody would hear of: where the state folder can't be written at the start there is none.
#[test]
fn without_a_state_folder_that_it_can_write_there_is_no_start() {
    let place = Place::new("");
    let (state, own) = (place.path("state"), account());
    // The folder and the files in it; the folders below it stay the engine's. Where we are not root, the modes say so.
    let writable = |yes: bool| {
        let within = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
        for path in within.filter(|path| path.is_file()).chain([state.clone()]) {
            let mode = if path == state { 0o555 } else { 0o400 };
            fs::set_permissions(&path, fs::Permissions::from_mode(if yes { mode | 0o200 } else { mode })).unwrap();
            if let Some((uid, gid)) = own {
                let (uid, gid) = if yes { (uid, gid) } else { (0, 0) };
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
    };
    let refused = || {
        let before = place.log().len();
        let started = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| place.start()));
        assert!(started.is_err(), "it serves without its audit");
        place.log()[before..].to_owned()
    };
    fs::write(place.path("log"), "").unwrap();
    writable(false);
    let said = refused();
    assert!(said.contains("Permission denied"), "{said}");
    // The same where all is there from before, and it is the audit alone that it can't go on with.
    writable(true);
    let engine = place.start();
    assert_eq!(run(&engine.address, TENANTS[0], "python", "say x").unwrap().status, 200);
    engine.stop();
    writable(false);
    let said = refused();
    assert!(said.contains("audit.jsonl: Permission denied"), "{said}");
    assert!(said.contains("look at the folder's owner and room"), "{said}");
    // With its folder back it goes on where it was.
    writable(true);
    place.start().stop();
    let acts: Vec<Value> = place.lines(&state).into_iter().map(|mut line| line["act"].take()).collect();
    assert_eq!(acts, ["start", "execution", "drain", "stop", "start", "drain", "stop"]);
}

/// Whatever callers send, a line of the log is one line, and none that they have written.
#[test]
fn nobody_forges_a_line_of_the_log() {
    const FORGED: &str = "2026-01-01T00:00:00Z  INFO engined: forged";
    for format in ["human", "json"] {
        let place =
            Place::new(&format!("[audit]\ntarget = \"off\"\n[log]\nformat = \"{format}\"\nlevel = \"debug\"\n"));
        let engine = place.start();
        let auth = format!("Authorization: Bearer {}\r\n", TENANTS[0]);
        let odd = format!("\u{2028}{FORGED}\u{85}\u{9b}31m");
        for (path, headers, body) in [
            ("/v1/executions", "X-Request-Id: a%0a\r\n".to_owned(), json!({"language": format!("\n{FORGED}")})),
            (
                "/v1/executions",
                format!(
                    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Request-Id: \u{9b}{FORGED}\r\n"
                ),
                json!({"language": "python", "source": format!("say \n{FORGED}"), "labels": {"k": odd}}),
            ),
            (
                "/v1/executions?wait=\u{1b}",
                String::new(),
                json!({"language": "python", "source": odd, "args": [format!("\n{FORGED}")]}),
            ),
            ("/v1/%0a2026-01-01T00:00:00Z", format!("Accept: {FORGED}\r\n"), json!({format!("\r\n{FORGED}"): 1})),
            ("/v1/executions", format!("Content-Encoding: \t{FORGED}\r\n"), json!(FORGED)),
        ] {
            call(&engine.address, "POST", path, &format!("{auth}{headers}"), &body.to_string());
        }
        engine.stop();
        let log = place.log();
        assert!(log.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "the trace stands in the log\n{log}");
        for line in log.lines() {
            if format == "json" {
                assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string()), "{line}");
            } else {
                let (time, rest) = line.split_once("Z ").unwrap_or_else(|| panic!("{line:?}"));
                assert!(
                    time.starts_with("20") && rest.trim_start().starts_with(|c: char| c.is_ascii_uppercase()),
                    "{line:?}"
                );
            }
            assert!(!line.starts_with("2026-01-01"), "{line:?}");
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
        }
    }
}

/// Begins a run and leaves its connection open.
fn begin(engine: &Engine, words: &str) -> TcpStream {
    let body = json!({"language": "c", "source": words}).to_string();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        TENANTS[0],
        body.len()
    );
    let mut stream = TcpStream::connect(&engine.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// How many compiles, and how many runs, of the language c were ordered.
fn ordered(place: &Place) -> [usize; 2] {
    let profiles = place.fake.seen.profiles.lock().unwrap();
    let of =
        |compile: bool| profiles.iter().filter(|p| p.starts_with("c/") && p.ends_with("/compile") == compile).count();
    [of(true), of(false)]
}

const OFF: &str = "[cache]\nenabled = false\n";
const ON: &str = "[cache]\nenabled = true\n";

#[test]
fn who_hangs_up_pays_for_what_was_used() {
    // What the fake says of each step is 1000.
    for (cache, words, [compiles, runs], run) in [
        (OFF, "sleep 60000", [1, 1], 1000),
        (ON, "sleep 60000", [1, 1], 1000),
        (OFF, "#sleep 60000\n", [1, 0], 0),
        (ON, "#sleep 60000\n", [1, 0], 0),
    ] {
        let place = Place::new(cache);
        let engine = place.start();
        let [c, r] = ordered(&place);
        let stopped = || place.fake.seen.stopped.lock().unwrap().len();
        let before = stopped();
        let stream = begin(&engine, words);
        common::wait_for(|| ordered(&place) == [c + compiles, r + runs]);
        drop(stream);
        common::wait_for(|| stopped() > before);
        common::wait_for(|| !of_usage(&engine).is_empty());
        let usage = engine.usage(TENANTS[0]);
        let row = &usage["usage"][0];
        assert_eq!((&row["executions"], &row["verdicts"]), (&json!(1), &json!({"cancelled": 1})));
        assert_eq!((&row["cpu_time_us"], &row["compile_cpu_time_us"]), (&json!(run), &json!(1000)), "{cache} {words}");
        let name = "engined_executions_total{language=\"c\",plan=\"default\",verdict=\"cancelled\"}";
        assert_eq!(engine.metric(name), 1, "as the audit has it");
        engine.stop();
        let lines = place.lines(&place.path("state"));
        let line = lines.iter().find(|line| line["act"] == "execution").unwrap();
        assert_eq!(line["caller_gone"], true);
        assert_eq!(of_lines(&lines).len(), 1);
    }
}

#[test]
fn a_compile_for_others_is_paid_by_who_began_it() {
    let place = Place::new(ON);
    let engine = place.start();
    for (round, cancels) in [(1, false), (2, true)] {
        let words = format!("#gate\nsay {round}\n");
        let gate = |open: bool| place.fake.seen.open.store(open, Ordering::SeqCst);
        gate(false);
        let [c, _] = ordered(&place);
        let body = json!({"language": "c", "source": words}).to_string();
        let auth = format!("Authorization: Bearer {}\r\n", TENANTS[0]);
        let path = "/v1/executions?wait=false";
        let first = (!cancels).then(|| begin(&engine, &words));
        let asked = cancels.then(|| call(&engine.address, "POST", path, &auth, &body).unwrap().json());
        common::wait_for(|| ordered(&place)[0] == c + 1);
        let joined = "engined_cache_lookups_total{outcome=\"joined\"}";
        let before = engine.metric(joined);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| run(&engine.address, TENANTS[0], "c", &words).unwrap().json());
            common::wait_for(|| engine.metric(joined) > before);
            drop(first);
            if let Some(asked) = &asked {
                let path = format!("/v1/executions/{}", asked["id"].as_str().unwrap());
                call(&engine.address, "DELETE", &path, &auth, "").unwrap();
                let result = call(&engine.address, "GET", &format!("{path}?wait_ms=60000"), &auth, "").unwrap();
                assert_eq!(result.json()["verdict"], "cancelled");
            }
            // The one that waits, and who asks.
            common::wait_for(|| engine.metric("engined_connections") == 2);
            gate(true);
            assert_eq!(second.join().unwrap()["verdict"], "ok");
        });
        // On a busy disk the line of the one may be counted before that of the other.
        let mut usage = Value::Null;
        common::wait_for(|| {
            usage = engine.usage(TENANTS[0]);
            usage["behind_records"] == 0 && usage["usage"][0]["verdicts"]["cancelled"] == round
        });
        let row = &usage["usage"][0];
        assert_eq!((&row["cpu_time_us"], &row["compile_cpu_time_us"]), (&json!(1000 * round), &json!(1000 * round)));
    }
    engine.stop();
}

#[test]
fn lines_that_go_elsewhere_are_counted_where_they_were() {
    let place = Place::new("[audit]\nfile = \"WHERE/audit.jsonl\"\n");
    let config = fs::read_to_string(place.path("engined.toml")).unwrap();
    let start = |name: &str| {
        place.folder_for_all(name);
        let text = config.replace("WHERE", place.path(name).to_str().unwrap());
        fs::write(place.path("engined.toml"), text).unwrap();
        place.start()
    };
    let engine = start("old");
    engine.run("say x");
    engine.stop();
    // The last that another has written, and not counted.
    let old = place.path("old/audit.jsonl");
    let mut lines = place.lines(&place.path("old"));
    let mut line = lines.iter().find(|line| line["act"] == "execution").unwrap().clone();
    line["seq"] = json!(lines.len() + 1);
    let seq = lines.len() + 1;
    let rest = line.to_string();
    let rest = rest.replacen(&format!("\"seq\":{seq},"), "", 1).replacen(&format!(",\"seq\":{seq}"), "", 1);
    fs::File::options()
        .append(true)
        .open(old)
        .unwrap()
        .write_all(format!("{{\"seq\":{seq},{}\n", &rest[1..]).as_bytes())
        .unwrap();
    lines.push(line);
    let engine = start("new");
    engine.run("say x");
    let usage = of_usage(&engine);
    engine.stop();
    let new = fs::read_to_string(place.path("new/audit.jsonl")).unwrap();
    lines.extend(new.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>(), "no number twice, and none left out");
    assert_eq!(usage, of_lines(&lines));
}
