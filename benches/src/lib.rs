//! What the benches in `benches/` measure, made once: a message, a bundle's job, a request, the facts of a verdict.
//!
//! `cargo bench -p benches` runs them. `results/` holds what `cargo xtask bench` measured of the whole (`README.md`).
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use api_spec::{Caps, ExecutionRequest, ExecutionResult};
use engined::accounts::Accounts;
use engined::admission::{Rules, admit, lowered};
use engined::config::{Config, Host, Slo};
use engined::job::{Job, Step};
use engined::metrics::Metrics;
use engined::offers::Offers;
use jail::link::{Order, Report};
use jail::spec::{Attempts, Bytes, Collected, Ended, Layer, Layers, Micros, Outcome, PeakSource, RunId, Usage};
use languages::{Catalogue, Version};
use serde_json::json;

/// What the engine lets a request have.
pub const CAPS: Caps = Caps { files: 256, file_bytes: 1 << 20, words_bytes: 128 << 10 };

/// Every language of the manifests, as if installed.
#[must_use]
pub fn offers() -> Offers {
    let mut offers = Offers::default();
    let version = Version::parse("12.2.1");
    for language in Catalogue::builtin().languages() {
        offers.add(
            language,
            language
                .toolchains
                .first()
                .cloned()
                .zip(version.clone().map(|version| Ok((version, None))))
                .into_iter()
                .collect(),
        );
    }
    offers
}

/// The ceiling of the usual plan; `None` when an empty configuration has a mistake.
#[must_use]
pub fn ceiling() -> Option<languages::Limits> {
    let host = Host { accounts: Accounts::default(), memory: 1 << 33, cpus: 64 };
    let (config, _) = Config::parse("", &host).ok()?;
    let plan = &config.tenants.first()?.plan.ceiling.all;
    Some(lowered(plan, plan))
}

/// A body as callers send it: one file, some standard input, a limit.
#[must_use]
pub fn small_body() -> Vec<u8> {
    let source =
        "#include <stdio.h>\nint main(void) { int n; while (scanf(\"%d\", &n) == 1) printf(\"%d\\n\", n * n); }\n";
    let body = json!({
        "language": "c", "source": source, "stdin": "1\n2\n3\n", "limits": {"cpu_time_ms": 1000}, "labels": {"task": "7"},
    });
    body.to_string().into_bytes()
}

/// A body of 64 files and some 500 KiB.
#[must_use]
pub fn large_body() -> Vec<u8> {
    let line = "int f(int x) { return x * \u{e9}; } /* \"quoted\" */\n";
    let files: Vec<_> =
        (0..64).map(|n| json!({"path": format!("part{n}/file{n}.c"), "content": line.repeat(160)})).collect();
    json!({"language": "c", "files": files, "stdin": "1 2 3\n".repeat(1000)}).to_string().into_bytes()
}

/// The request of a body.
///
/// # Errors
/// What is wrong with it.
pub fn request(body: &[u8]) -> Result<ExecutionRequest, String> {
    ExecutionRequest::from_json(body, &CAPS).map_err(|problem| problem.to_string())
}

/// The job of a body.
///
/// # Errors
/// What is wrong with it.
pub fn job(body: &[u8]) -> Result<Job, String> {
    let ceiling = ceiling().ok_or("an empty configuration has a mistake")?;
    admit(request(body)?, &Rules { offers: &offers(), ceiling: &ceiling, plan: None })
        .map_err(|error| error.problem().to_string())
}

/// What engined asks jaild for.
///
/// # Errors
/// When [`small_body`] is no request.
pub fn order() -> Result<Order, String> {
    let Step { profile, limits, .. } = Arc::unwrap_or_clone(job(&small_body())?.run);
    Ok(Order { id: RunId(7), profile, limits, has_artifact: true, collects: false, aside: false })
}

/// How an honest run ends.
#[must_use]
pub fn ended() -> Ended {
    Ended {
        id: RunId(7),
        outcome: Outcome::Exited(0),
        stop: None,
        filter_killed: false,
        attempts: Attempts::default(),
        usage: Usage {
            cpu: Micros(700),
            user: Micros(300),
            system: Micros(400),
            wall: Micros(900),
            memory_peak: Bytes(1 << 20),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: 1,
            throttled: Micros(0),
            involuntary_switches: 1,
            oom_kills: 0,
            processes_hit: false,
            disk_hit: false,
        },
        setup: Micros(300),
        collected: Collected::None,
        layers: Layer::ALL.into_iter().collect::<Layers>(),
    }
}

/// The same as jaild reports it.
#[must_use]
pub fn report() -> Report {
    Report::Ended(ended())
}

/// The metrics of an engine with two plans, and a result to count.
///
/// # Errors
/// That of the registry, or of a result that is none.
pub fn metrics() -> Result<(Metrics, ExecutionResult), String> {
    let languages: Vec<String> = Catalogue::builtin().languages().iter().map(|language| language.id.clone()).collect();
    let slo = Slo { interactive_start: Duration::from_millis(500), batch_start: Duration::from_secs(60) };
    let metrics = Metrics::new(&languages, &["free", "paid"], slo).map_err(|error| error.to_string())?;
    let usage = json!({"cpu_time_us": 1, "user_time_us": 1, "system_time_us": 0, "wall_time_us": 1, "memory_peak_bytes": 1,
        "memory_peak_source": "kernel", "processes_peak": 1, "throttled_us": 0, "involuntary_switches": 0});
    let stream = json!({"text": "", "bytes": 0, "truncated": false});
    let run = json!({"start": "cold", "exit_code": 0, "signal": null, "stdout": stream, "stderr": stream, "usage": usage,
        "watched_calls": {}});
    let result = json!({"id": "1", "status": "finished", "verdict": "ok", "reason": null, "compile": null, "run": run,
        "language": {"id": "python", "version": "3", "toolchain": "t"}, "outputs": [], "outputs_skipped": [],
        "outputs_omitted": 0, "labels": {}, "isolation": {"layers": [], "missing": []},
        "timings": {"queue_us": 30, "compile_us": 0, "setup_us": 1200, "run_us": 15_000, "total_us": 17_000}});
    Ok((metrics, serde_json::from_value(result).map_err(|error| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use jail::link::Request;

    use super::*;

    #[test]
    fn what_is_measured_is_right() {
        for body in [small_body(), large_body()] {
            let job = job(&body).unwrap();
            assert!(job.program.compile.is_some() && job.program.run_bundle(&job.run, &job.outputs).is_ok());
        }
        assert_eq!(metrics().map(|_| ()), Ok(()));
        let order = Request::Order(order().unwrap());
        assert_eq!(Request::decode(&order.encode()), Ok(order));
        assert_eq!(Report::decode(&report().encode()), Ok(report()));
    }
}
