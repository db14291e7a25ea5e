//! `wait=false` with real programs: stopped while they run, wait or are compiled, and awaited. Skipped like `live`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::time::{Duration, Instant};

use common::live::{Up, descendants, live};
use common::{PATIENCE, Reply, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Sends it without waiting, and gives its address.
fn begin(up: &Up, request: &Value) -> String {
    let reply = up.call("POST", "/v1/executions?wait=false", request).unwrap();
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.header("location").unwrap().to_owned()
}

fn python(source: &str) -> Value {
    json!({"language": "python", "source": source})
}

fn get(up: &Up, address: &str) -> Value {
    let reply = up.call("GET", address, &Value::Null).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn result(up: &Up, address: &str) -> Value {
    let result = get(up, &format!("{address}?wait_ms=60000"));
    assert_eq!(result["status"], "finished", "{result}");
    result
}

fn delete(up: &Up, address: &str) -> u16 {
    up.call("DELETE", address, &Value::Null).unwrap().status
}

fn programs(up: &Up, name: &str) -> usize {
    descendants(up.child.id()).iter().filter(|(_, _, running)| running.starts_with(name)).count()
}

#[test]
fn a_loop_that_does_not_end_is_cancelled() {
    if !live() {
        return;
    }
    let up = Up::start();
    let source = "import os\nprint('on', flush=True)\nfor _ in range(5): os.fork()\nwhile True: pass";
    let limits = json!({"cpu_time_ms": 600_000, "wall_time_ms": 600_000});
    let address = begin(&up, &json!({"language": "python", "source": source, "limits": limits}));
    wait_for(|| programs(&up, "python") == 32);
    assert_eq!(get(&up, &address)["stage"], "run");
    let begun = Instant::now();
    assert_eq!(delete(&up, &address), 202);
    let ended = result(&up, &address);
    // By itself it would end at a limit, and the answer would come then.
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    assert_eq!((&ended["verdict"], &ended["run"]["signal"]), (&json!("cancelled"), &json!("SIGKILL")), "{ended}");
    assert!(ended["run"]["stdout"]["text"].as_str().unwrap().starts_with("on\n"), "{ended}");
    assert!(ended["run"]["usage"]["cpu_time_us"].as_u64().unwrap() > 0);
    wait_for(|| programs(&up, "python") == 0);
    assert_eq!(delete(&up, &address), 200);
    up.stop();
}

#[test]
fn a_compiler_is_cancelled() {
    if !live() {
        return;
    }
    let up = Up::start();
    // Includes itself twice, 200 levels deep: longer than anybody waits.
    let source = "#include \"main.c\"\n#include \"main.c\"\nint x;";
    let address = begin(&up, &json!({"language": "c", "source": source}));
    wait_for(|| programs(&up, "cc1") == 1);
    assert_eq!(get(&up, &address)["stage"], "compile");
    assert_eq!(delete(&up, &address), 202);
    let ended = result(&up, &address);
    assert_eq!((&ended["verdict"], &ended["run"]), (&json!("cancelled"), &json!(null)), "{ended}");
    assert_eq!(ended["compile"]["signal"], "SIGKILL");
    up.stop();
}

#[test]
fn what_waits_is_dropped_and_the_next_has_its_turn() {
    if !live() {
        return;
    }
    let up = Up::start();
    let metrics = up.call("GET", "/metrics", &Value::Null).unwrap().text();
    let slots = metrics.lines().find_map(|line| line.strip_prefix("engined_slots ")).unwrap().parse().unwrap();
    let limits = json!({"wall_time_ms": 600_000});
    let sleep = json!({"language": "python", "source": "import time\ntime.sleep(600)", "limits": limits});
    let running: Vec<String> = (0..slots).map(|_| begin(&up, &sleep)).collect();
    wait_for(|| programs(&up, "python") == slots);
    let dropped = begin(&up, &python("print('never')"));
    let next = begin(&up, &python("print('next')"));
    assert_eq!((&get(&up, &dropped)["status"], &get(&up, &next)["position"]), (&json!("queued"), &json!(1)));
    assert_eq!(delete(&up, &dropped), 202);
    let ended = result(&up, &dropped);
    assert_eq!((&ended["verdict"], &ended["run"]), (&json!("cancelled"), &json!(null)));
    assert_eq!(get(&up, &next)["position"], 0);
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let waiting = scope.spawn(|| result(&up, &next));
        for address in &running {
            assert_eq!(delete(&up, address), 202);
        }
        assert_eq!(waiting.join().unwrap()["run"]["stdout"]["text"], "next\n");
        assert!(begun.elapsed() < Duration::from_secs(50), "woken by the event: {:?}", begun.elapsed());
    });
    up.stop();
}

#[test]
fn what_runs_ends_and_is_told_before_the_engine_does() {
    if !live() {
        return;
    }
    let up = Up::start();
    let address = begin(&up, &python("import time\nprint('on', flush=True)\ntime.sleep(2)\nprint('done')"));
    wait_for(|| get(&up, &address)["status"] != "queued");
    // By a connection that stays: one of those that were closed may be counted for a while.
    let mut scrapes = std::net::TcpStream::connect(&up.address).unwrap();
    let mut connections = || {
        std::io::Write::write_all(&mut scrapes, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let text = Reply::read(&mut scrapes).unwrap().text();
        let line = text.lines().find_map(|line| line.strip_prefix("engined_connections "));
        line.unwrap().parse::<u32>().unwrap()
    };
    wait_for(|| connections() == 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| result(&up, &address));
        // Or it was over before: a busy machine may take that long to tell.
        wait_for(|| connections() == 2 || waiting.is_finished());
        kill(Pid::from_raw(up.child("engined")), Signal::SIGTERM).unwrap();
        assert_eq!(waiting.join().unwrap()["run"]["stdout"]["text"], "on\ndone\n");
    });
    up.comes_back(PATIENCE);
    let gone = up.call("GET", &address, &Value::Null).unwrap();
    gone.problem(404, "not_found");
    up.stop();
}

fn metrics(up: &Up) -> String {
    up.call("GET", "/metrics", &Value::Null).unwrap().text()
}

/// A number of a scrape; `None` where it is not told.
fn number(metrics: &str, name: &str) -> Option<u64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn told(up: &Up, name: &str) -> Option<u64> {
    number(&metrics(up), name)
}

/// A process that is stopped until this goes.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: u32) -> Stopped {
        let pid = Pid::from_raw(pid.cast_signed());
        kill(pid, Signal::SIGSTOP).unwrap();
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        kill(self.0, Signal::SIGCONT).unwrap();
    }
}

#[test]
fn what_is_held_is_told_by_metrics() {
    if !live() {
        return;
    }
    let up = Up::start();
    let names = ["engined_jaild_open_fds", "process_open_fds", "engined_sandbox_processes", "engined_sandbox_cgroups"];
    for name in names.iter().chain(&["engined_jaild_resident_memory_bytes", "engined_sandbox_mounts"]) {
        // A jaild that is busy is not waited for, and its numbers are left out.
        wait_for(|| told(&up, name).is_some_and(|number| number > 1));
    }
    wait_for(|| told(&up, "engined_memfd_bytes") == Some(0));
    // Rest is a full stock. Probes come and go beside this: what is looked for is more than they can be.
    let rest = |metrics: &str| {
        let armed =
            number(metrics, "engined_stock_armed").filter(|armed| number(metrics, "engined_slots") == Some(*armed));
        armed.map(|_| names.map(|name| number(metrics, name).unwrap()))
    };
    let mut idle = None;
    wait_for(|| {
        idle = rest(&metrics(&up));
        idle.is_some()
    });
    let idle = idle.unwrap();

    // Connections, and a run with children: each is seen while it is there, and is gone after it.
    let connections: Vec<_> = (0..60).map(|_| std::net::TcpStream::connect(&up.address).unwrap()).collect();
    wait_for(|| told(&up, "process_open_fds").is_some_and(|now| now >= idle[1] + 40));
    drop(connections);
    wait_for(|| told(&up, "process_open_fds").is_some_and(|now| now < idle[1] + 40));
    let crowd = "import os, time\nfor _ in range(50):\n    if os.fork() == 0: break\ntime.sleep(600)";
    let limits = json!({"wall_time_ms": 600_000});
    let path = begin(&up, &json!({"language": "python", "source": crowd, "limits": limits}));
    wait_for(|| told(&up, "engined_sandbox_processes").is_some_and(|now| now >= idle[2] + 40));
    assert_eq!(delete(&up, &path), 202);
    wait_for(|| rest(&metrics(&up)).is_some_and(|now| [0, 2, 3].iter().all(|n| now[*n] <= idle[*n])));

    // Without jaild nothing is told of it, rather than what was. Nobody starts another one meanwhile.
    let supervisor = Stopped::new(up.child.id());
    kill(Pid::from_raw(up.child("jaild")), Signal::SIGKILL).unwrap();
    wait_for(|| told(&up, "engined_link_up") == Some(0));
    let without = metrics(&up);
    assert_eq!(number(&without, "engined_jaild_open_fds"), None, "{without}");
    assert!(number(&without, "process_open_fds").is_some());
    drop(supervisor);
    up.comes_back(PATIENCE);
    up.stop();
}
