//! Every series there is has a place in the table, and there is an end to them.

use super::*;
use crate::queue::Share;
use api_spec::Verdict;
use jail::inventory::Held;
use serde_json::json;
use std::collections::BTreeSet;

const SLO: Slo = Slo { interactive_start: Duration::from_millis(250), batch_start: Duration::from_secs(60) };

fn of(priority: Priority) -> Service {
    Service { priority, ..Service::default() }
}

fn text(metrics: &Metrics) -> String {
    let queue = Queue::new(1, 1, &[Share { weight: 1, running: 1, queued: 1 }]);
    // All that any jaild can tell.
    let inventory = Held::ALL.into_iter().fold(Inventory::default(), |all, held| all.with(held, Some(1)));
    let now = Now { queue: &queue, memory: &Budget::new(1), kills: &Kills::default(), inventory: Some(&inventory) };
    metrics.layer("filter", true);
    metrics.health.probe("c", true, Duration::ZERO);
    metrics.health.check("broker", true);
    metrics.health.disk("state", 1);
    metrics.abuse.sign("socket", "t");
    metrics.render(now).unwrap()
}

/// Name, kind and labels of each family, as in a row of the table.
fn families(text: &str) -> BTreeSet<String> {
    let family = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        let beginning = if kind == "histogram" { format!("{name}_sum") } else { name.to_owned() };
        let series = text.lines().find_map(|line| line.strip_prefix(&beginning)).unwrap();
        let labels = series.split('"').step_by(2).filter_map(|part| part.strip_suffix('='));
        let labels: Vec<_> = labels.map(|label| label.trim_start_matches(['{', ','])).collect();
        Some(format!("| `{name}` | {kind} | {}", labels.join(", ")).trim_end().to_owned())
    };
    text.lines().filter_map(family).collect()
}

#[test]
fn the_table_says_what_there_is() {
    let table = include_str!("../../../systemd/METRICS.md");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.splitn(5, '|').collect();
            assert!(cells[4].len() > 10, "no meaning: {row}");
            cells[..4].join("|").trim_end().to_owned()
        })
        .collect();
    let there = families(&text(&Metrics::new(&["c".into()], &["free"], SLO).unwrap()));
    let (gone, new) = (told.difference(&there), there.difference(&told));
    let (gone, new): (Vec<_>, Vec<_>) = (gone.collect(), new.collect());
    assert!(gone.is_empty() && new.is_empty(), "systemd/METRICS.md: remove {gone:#?}, describe {new:#?}");
}

/// Whatever callers and operators do, there is an end to the series.
#[test]
fn a_hostile_load_makes_no_series() {
    let metrics = Metrics::new(&["c".into(), "python".into()], &["free", "paid"], SLO).unwrap();
    let series = |metrics: &Metrics| text(metrics).lines().filter(|line| !line.starts_with('#')).count();
    let before = series(&metrics);
    for number in 0..10_000 {
        let mut result = result();
        result.labels.insert(format!("key {number}"), format!("value {number}"));
        metrics.finished("free", of(Priority::Batch), &result);
        metrics.watched_calls(&BTreeMap::from([(format!("call_{number}"), 1)]));
        metrics.problem(Code::ALL[number % Code::ALL.len()], number % 2 == 0);
    }
    assert_eq!(series(&metrics), before);
    // A thousand plans and as many languages are an operator's mistake; it costs 33 of each.
    for number in 0..1000 {
        let mut result = result();
        result.language.id = format!("language {number}");
        for plan in [number, (number + 7) % 1000] {
            metrics.finished(&format!("plan {plan}"), of(Priority::Interactive), &result);
        }
        metrics.queued(&result.language.id, Priority::Batch, Duration::ZERO);
    }
    let (most, languages) = (series(&metrics), runs::LANGUAGES + 1);
    let of_language = (runs::PLANS + 1) * Verdict::ALL.len() + 5 * PRIORITIES.len() * 21;
    assert!(most <= before + languages * of_language, "{before}, then {most}");
    assert!(text(&metrics).contains("language=\"other\",plan=\"other\",verdict=\"ok\"}"));
    for number in 0..10_000 {
        let mut result = result();
        result.language.id = format!("another {number}");
        metrics.finished(&format!("another {number}"), of(Priority::Interactive), &result);
    }
    assert_eq!(series(&metrics), most);
}

fn result() -> ExecutionResult {
    let usage = json!({"cpu_time_us": 1, "user_time_us": 1, "system_time_us": 0, "wall_time_us": 1,
        "memory_peak_bytes": 1, "memory_peak_source": "kernel", "processes_peak": 1, "throttled_us": 0,
        "involuntary_switches": 0});
    let stream = json!({"text": "", "bytes": 0, "truncated": false});
    let run = json!({"start": "cold", "exit_code": 0, "signal": null, "stdout": stream, "stderr": stream,
        "usage": usage, "watched_calls": {}});
    let value = json!({"id": "1", "status": "finished", "verdict": "ok", "reason": null,
        "language": {"id": "python", "version": "3", "toolchain": "t"}, "compile": null, "run": run, "outputs": [],
        "outputs_skipped": [], "outputs_omitted": 0, "labels": {}, "isolation": {"layers": [], "missing": []},
        "timings": {"queue_us": 30, "compile_us": 0, "setup_us": 1200, "run_us": 15_000, "total_us": 17_000}});
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_new_plan_begins_at_zero() {
    let metrics = Metrics::new(&["c".into()], &["free"], SLO).unwrap();
    metrics.plans(&["paid", "free"]);
    let line = "engined_executions_total{language=\"c\",plan=\"paid\",verdict=\"ok\"} 0";
    assert!(text(&metrics).lines().any(|l| l == line));
}

#[test]
fn promises_are_counted_once_each() {
    let metrics = Metrics::new(&["python".into()], &["free"], SLO).unwrap();
    let mut slow = result();
    slow.timings.queue_us = 249_000;
    let [mut ours, mut left] = [result(), result()];
    (ours.verdict, left.verdict) = (Verdict::EngineError, Verdict::Cancelled);
    for (priority, result) in [
        (Priority::Interactive, &result()),
        (Priority::Interactive, &slow),
        (Priority::Batch, &slow),
        (Priority::Batch, &ours),
        (Priority::Interactive, &left),
    ] {
        metrics.finished("free", of(priority), result);
    }
    metrics.problem(Code::QueueFull, true);
    metrics.problem(Code::NotReady, false);
    metrics.problem(Code::UnknownLanguage, true);
    let text = text(&metrics);
    for line in [
        "engined_slo_requests_total{outcome=\"good\",slo=\"availability\"} 4",
        "engined_slo_requests_total{outcome=\"bad\",slo=\"availability\"} 2",
        "engined_slo_requests_total{outcome=\"good\",slo=\"latency\"} 2",
        "engined_slo_requests_total{outcome=\"bad\",slo=\"latency\"} 1",
        "engined_stage_duration_seconds_bucket{language=\"python\",priority=\"interactive\",stage=\"setup\",le=\"0.001\"} 0",
        "engined_stage_duration_seconds_bucket{language=\"python\",priority=\"interactive\",stage=\"setup\",le=\"0.002\"} 3",
        "engined_stage_duration_seconds_count{language=\"python\",priority=\"batch\",stage=\"total\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

/// How many were good and bad, by availability and by latency.
fn promises(metrics: &Metrics) -> [[u64; 2]; 2] {
    let text = text(metrics);
    let value = |slo: &str, outcome: &str| {
        let series = format!("engined_slo_requests_total{{outcome=\"{outcome}\",slo=\"{slo}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    };
    ["availability", "latency"].map(|slo| ["good", "bad"].map(|outcome| value(slo, outcome)))
}

#[test]
fn waiting_for_ones_own_runs_is_no_late_start() {
    let metrics = Metrics::new(&["python".into()], &["free"], SLO).unwrap();
    let mut waited = result();
    waited.timings.queue_us = 10_000_000;
    let own = |millis| Service { own_wait: Duration::from_millis(millis), ..Service::default() };
    metrics.finished("free", own(9_800), &waited);
    assert_eq!(promises(&metrics), [[1, 0], [1, 0]], "201 ms of it were the engine's");
    metrics.finished("free", own(9_700), &waited);
    assert_eq!(promises(&metrics), [[2, 0], [1, 1]], "301 ms");
}

#[test]
fn when_a_part_of_a_batch_begins_nobody_was_promised() {
    let metrics = Metrics::new(&["python".into()], &["free"], SLO).unwrap();
    let part = Service { part: true, ..of(Priority::Batch) };
    let mut late = result();
    late.timings.queue_us = 600_000_000;
    metrics.finished("free", part, &late);
    late.verdict = Verdict::EngineError;
    metrics.finished("free", part, &late);
    assert_eq!(promises(&metrics), [[1, 1], [0, 0]]);
}

#[test]
fn every_series_is_there_from_the_start() {
    let text = text(&Metrics::new(&["c".into(), "python".into()], &["free"], SLO).unwrap());
    for line in [
        "engined_executions_total{language=\"c\",plan=\"free\",verdict=\"ok\"} 0",
        "engined_stage_duration_seconds_count{language=\"python\",priority=\"batch\",stage=\"compile\"} 0",
        "engined_kills_total{cause=\"filter\"} 0",
        "engined_problems_total{code=\"queue_full\"} 0",
        "engined_filter_notifications_total{call=\"ptrace\"} 0",
        "engined_queue_depth{priority=\"batch\"} 0",
        "engined_queue_oldest_seconds{priority=\"interactive\"} 0",
        "engined_slots 0",
        "engined_memory_budget_bytes 1",
        "engined_sandbox_memory_budget_bytes 1",
        "engined_slo_requests_total{outcome=\"bad\",slo=\"availability\"} 0",
        "engined_slo_start_seconds{priority=\"interactive\"} 0.25",
        "engined_draining 0",
        "engined_cache_lookups_total{outcome=\"joined\"} 0",
        "engined_cache_entries 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    for of_process in ["open_fds", "resident_memory_bytes", "threads", "max_fds", "start_time_seconds"] {
        assert!(text.contains(&format!("\nprocess_{of_process} ")), "{of_process}\n{text}");
    }
}

#[test]
fn places_are_those_of_the_lists() {
    for (at, code) in Code::ALL.iter().enumerate() {
        assert_eq!(*code as usize, at);
    }
    for (at, verdict) in Verdict::ALL.iter().enumerate() {
        assert_eq!(*verdict as usize, at);
    }
    assert_eq!((Priority::Interactive as usize, Priority::Batch as usize), (0, 1));
}
