//! What is conspicuous, when it is a sign, and that users of any number and name cost no more than so much.
use std::collections::BTreeSet;

use jail::spec::{Bytes, Millis};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Host};

const MINUTE: Duration = Duration::from_secs(60);
const VIOLATION: [bool; 4] = [true, false, false, false];

fn settings(text: &str) -> config::Abuse {
    let accounts = crate::accounts::Accounts::parse("root:x:0:0::/:/bin/sh\n", "", 0);
    let text = format!("[abuse]\n{text}");
    Config::parse(&text, &Host { accounts, memory: 1 << 33, cpus: 2 }).unwrap().0.abuse
}

fn abuse(text: &str) -> Abuse {
    Abuse::new(settings(text), AbuseMetrics::new(&prometheus::Registry::new()).unwrap())
}

const LIMITS: Limits = Limits {
    cpu_time: Millis(5_000),
    wall_time: Millis(15_000),
    memory: Bytes(1 << 28),
    processes: 64,
    cpus_milli: 1000,
    file: Bytes(1 << 26),
    disk: Bytes(1 << 27),
    open_files: 256,
    stack: Bytes(1 << 28),
};

fn step(cpu_us: u64, written: u64, calls: &[&str]) -> Value {
    let stream = |bytes: u64| json!({"text": "", "bytes": bytes, "truncated": bytes > 0});
    let calls: BTreeMap<&str, u32> = calls.iter().map(|call| (*call, 1)).collect();
    json!({
        "exit_code": 0, "signal": null, "stdout": stream(written), "stderr": stream(0), "start": "cold", "cached": false,
        "usage": {
            "cpu_time_us": cpu_us, "user_time_us": cpu_us, "system_time_us": 0, "wall_time_us": cpu_us,
            "memory_peak_bytes": 0, "memory_peak_source": "kernel", "processes_peak": 1, "throttled_us": 0,
            "involuntary_switches": 0,
        },
        "watched_calls": calls,
    })
}

fn result(verdict: &str, limit: &Value, compile: &Value, run: &Value) -> ExecutionResult {
    let reason = json!({"limit": limit, "value": null, "observed": null, "message": "", "hint": null});
    let result = json!({
        "id": "01K0ABCDEFGHJKMNPQRSTVWXYZ", "status": "finished", "verdict": verdict, "reason": reason,
        "language": {"id": "c", "version": "1", "toolchain": "c"}, "compile": compile, "run": run,
        "outputs": [], "outputs_skipped": [], "outputs_omitted": 0,
        "timings": {"queue_us": 0, "compile_us": 0, "setup_us": 0, "run_us": 0, "total_us": 0},
        "isolation": {"layers": [], "missing": []}, "labels": {},
    });
    serde_json::from_value(result).unwrap()
}

fn of_result(result: &ExecutionResult) -> Vec<Sign> {
    let found = conspicuous(&settings(""), &LIMITS, Some(&LIMITS), result);
    Sign::ALL.into_iter().zip(found).filter(|(_, found)| *found).map(|(sign, _)| sign).collect()
}

#[test]
fn what_is_conspicuous_in_a_run() {
    let none = json!(null);
    let run = |verdict, cpu_us, written, calls: &[&str]| {
        of_result(&result(verdict, &none, &none, &step(cpu_us, written, calls)))
    };
    assert_eq!(run("ok", 1000, 0, &[]), []);
    assert_eq!(run("security_violation", 0, 0, &["ptrace"]), [Sign::SecurityViolation]);
    assert_eq!(run("security_violation", 0, 0, &[]), [Sign::SecurityViolation]);
    assert_eq!(run("ok", 0, 0, &["bpf"]), [Sign::SecurityViolation], "a child of its made it");
    assert_eq!(run("ok", 0, 0, &["socket"]), [Sign::Socket]);
    assert_eq!(run("runtime_error", 0, 0, &["socket", "mount"]), [Sign::SecurityViolation, Sign::Socket]);
    assert_eq!(run("memory_limit", 0, 0, &[]), [Sign::Limit]);
    assert_eq!(run("process_limit", 0, 0, &[]), [Sign::Limit]);
    assert_eq!(run("disk_limit", 0, 0, &[]), []);
    // 90 of a hundred, and under 1 KiB.
    assert_eq!(run("cpu_time_limit", 5_000_000, 1023, &[]), [Sign::Miner]);
    assert_eq!(run("ok", 4_500_000, 0, &[]), [Sign::Miner], "it stopped a moment before");
    assert_eq!(run("ok", 4_499_999, 0, &[]), []);
    assert_eq!(run("cpu_time_limit", 5_000_000, 1024, &[]), []);
}

#[test]
fn a_clock_that_ends_it_first_counts_as_the_limit_of_the_cpu() {
    let limits = Limits { wall_time: Millis(1_000), cpus_milli: 500, ..LIMITS };
    let none = json!(null);
    let slow = result("wall_time_limit", &none, &none, &step(450_000, 0, &[]));
    assert_eq!(conspicuous(&settings(""), &limits, None, &slow), [false, false, true, false]);
    assert_eq!(of_result(&slow), []);
}

#[test]
fn what_is_conspicuous_in_a_compile_counts_when_it_happens() {
    let none = json!(null);
    let mut compile = step(1000, 0, &["socket"]);
    let told = |compile: &Value, limit: Value| of_result(&result("compile_error", &limit, compile, &none));
    assert_eq!(told(&compile, none.clone()), [Sign::Socket]);
    assert_eq!(told(&step(1000, 0, &[]), json!("memory_bytes")), [Sign::Limit]);
    assert_eq!(told(&step(1000, 0, &[]), json!("wall_time_ms")), []);
    assert_eq!(told(&step(5_000_000, 0, &[]), json!("cpu_time_ms")), [Sign::Miner]);
    compile["cached"] = json!(true);
    assert_eq!(told(&compile, json!("memory_bytes")), []);
}

#[test]
fn a_sign_is_told_once_in_a_window() {
    let abuse = abuse("window_seconds = 60\nwhole_tenant_times = 1000\n");
    let began = Instant::now();
    let at = |seconds, user| abuse.note(began + Duration::from_secs(seconds), TenantIndex(0), Some(user), VIOLATION);
    assert_eq!((at(0, "eve"), at(1, "eve"), at(2, "bob")), (vec![], vec![], vec![]));
    assert_eq!(at(59, "eve"), [(Sign::SecurityViolation, Some("eve"), 3)]);
    assert_eq!(at(59, "eve"), [], "told before");
    // The window of eve is over, that of bob is not.
    assert_eq!((at(60, "eve"), at(61, "bob")), (vec![], vec![]));
    assert_eq!(at(61, "bob"), [(Sign::SecurityViolation, Some("bob"), 3)]);
    assert_eq!(at(62, "eve"), []);
    assert_eq!(at(63, "eve"), [(Sign::SecurityViolation, Some("eve"), 3)]);
    // Another tenant's eve is somebody else.
    assert_eq!(abuse.note(began + MINUTE, TenantIndex(7), Some("eve"), VIOLATION), []);
}

#[test]
fn ten_thousand_users_cost_as_much_as_may_be_counted_and_show_in_the_whole() {
    let abuse = abuse("users = 100\nwhole_tenant_times = 50\n");
    let now = Instant::now();
    let mut signs = Vec::new();
    for n in 0..10_000 {
        let user = format!("user {n} {}", "x".repeat(240));
        signs.extend(
            abuse.note(now, TenantIndex(3), Some(&user), VIOLATION).iter().map(|sign| (sign.0, sign.1.is_some())),
        );
        let state = abuse.state.lock().unwrap();
        assert!(state.users.counts.len() <= 100 && state.users.order.len() == state.users.counts.len());
    }
    assert_eq!(signs, [(Sign::SecurityViolation, false)], "each did a little, and the tenant came to a lot");
    // Somebody who goes on is not forgotten, however many others there are.
    let mut told = 0;
    for n in 0..100 {
        told += abuse.note(now, TenantIndex(3), Some("eve"), [false, true, false, false]).len();
        for other in 0..50 {
            assert_eq!(abuse.note(now, TenantIndex(3), Some(&format!("{n} {other}")), VIOLATION).len(), 0);
        }
    }
    assert_eq!(told, 1);
    assert_eq!(abuse.state.lock().unwrap().tenants.len(), 4);
}

#[test]
fn new_thresholds_count_what_there_is() {
    let abuse = abuse("users = 50\nwhole_tenant_times = 1000\n");
    let now = Instant::now();
    let note = |user: &str| abuse.note(now, TenantIndex(0), Some(user), VIOLATION).len();
    assert_eq!((note("eve"), note("eve")), (0, 0));
    (0..49).for_each(|n| assert_eq!(note(&n.to_string()), 0));
    abuse.set(settings("users = 2\nsecurity_violations = 1\nwhole_tenant_times = 1000\n"));
    assert_eq!((note("eve"), note("eve"), note("new")), (1, 0, 1));
    assert_eq!(abuse.state.lock().unwrap().users.counts.len(), 2);
}

#[test]
fn mistakes_of_the_section_are_told() {
    let accounts = crate::accounts::Accounts::parse("root:x:0:0::/:/bin/sh\n", "", 0);
    let host = Host { accounts, memory: 1 << 33, cpus: 2 };
    let text = "[abuse]\nlabel = \"a b\"\nwindow_seconds = 0\nsockets = -1\nminer_cpu_percent = 101\nusers = \"all\"\n";
    let told: Vec<String> = Config::parse(text, &host).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "abuse.label = \"a b\": is no name of a label; write 1 to 64 of A-Z a-z 0-9 . _ - /",
            "abuse.window_seconds = 0: is zero, which never means unlimited; write a number from 1 to 86400",
            "abuse.sockets = -1: is no whole number from 1 up; write a number from 1 to 1000000000",
            "abuse.miner_cpu_percent = 101: is out of its range; write a number from 1 to 100",
            "abuse.users = \"all\": is no whole number from 1 up; write a number from 1 to 1000000",
        ]
    );
}

proptest! {
    /// Against a model that forgets nobody and keeps every time.
    #[test]
    fn signs_are_those_of_the_model(
        runs in prop::collection::vec((0..3_usize, 0..4_u8, any::<[bool; 4]>(), 0..20_u64), 1..200)
    ) {
        let abuse = abuse("window_seconds = 60\nsockets = 2\nminers = 4\nlimits = 1\nwhole_tenant_times = 3\n");
        let thresholds = [3, 2, 4, 1];
        let mut model: BTreeMap<(usize, Option<u8>, usize), (Duration, u32)> = BTreeMap::new();
        let (began, mut passed) = (Instant::now(), Duration::ZERO);
        for (tenant, user, found, seconds) in runs {
            passed += Duration::from_secs(seconds);
            let name = user.to_string();
            let mut expected = BTreeSet::new();
            for (who, times) in [(Some(user), 1), (None, 3)] {
                for nth in (0..4).filter(|nth| found[*nth]) {
                    let (since, runs) = model.entry((tenant, who, nth)).or_insert((passed, 0));
                    if passed - *since >= MINUTE {
                        (*since, *runs) = (passed, 0);
                    }
                    *runs += 1;
                    if *runs == thresholds[nth] * times {
                        expected.insert((nth, who.is_some()));
                    }
                }
            }
            let told = abuse.note(began + passed, TenantIndex(tenant), Some(&name), found);
            let told: BTreeSet<_> = told.iter().map(|(sign, user, _)| (*sign as usize, user.is_some())).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
