//! The parts of engined that each run goes through, one by one: `cargo bench -p benches`.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use api_spec::OnOutputLimit;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use engined::admission::{Rules, admit};
use engined::budget::Budget;
use engined::cache::{Basis, Origin};
use engined::capture::Output;
use engined::link::RunEnd;
use engined::metrics::{Kills, Now, Service};
use engined::queue::{Priority, Queue, Share};
use engined::verdict::{Facts, of_run};
use jail::fuzzing::Glob;
use jail::link::{Report, Request};
use jail::records::{Kind, RecordReader, RecordWriter};
use jail::seccomp::Filter;
use languages::Digest;

/// Stops everything: a bench of what does not work would measure nothing.
fn must<T, E: std::fmt::Debug>(outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|cause| panic!("{cause:?}"))
}

fn there<T>(made: Option<T>) -> T {
    made.unwrap_or_else(|| panic!("benches/src/lib.rs makes nothing here"))
}

fn link(c: &mut Criterion) {
    let order = Request::Order(must(benches::order()));
    let report = benches::report();
    let (order_bytes, report_bytes) = (order.encode(), report.encode());
    c.bench_function("link/order/encode", |b| b.iter(|| black_box(&order).encode()));
    c.bench_function("link/order/decode", |b| b.iter(|| must(Request::decode(black_box(&order_bytes)))));
    c.bench_function("link/report/encode", |b| b.iter(|| black_box(&report).encode()));
    c.bench_function("link/report/decode", |b| b.iter(|| must(Report::decode(black_box(&report_bytes)))));
}

fn requests(c: &mut Criterion) {
    let (offers, ceiling) = (benches::offers(), there(benches::ceiling()));
    let rules = Rules { offers: &offers, ceiling: &ceiling, plan: None };
    for (name, body) in [("small", benches::small_body()), ("large", benches::large_body())] {
        c.bench_function(&format!("request/{name}/parse"), |b| b.iter(|| must(benches::request(black_box(&body)))));
        c.bench_function(&format!("request/{name}/admit"), |b| {
            let request = || must(benches::request(&body));
            b.iter_batched(request, |request| must(admit(request, &rules)), BatchSize::SmallInput);
        });
    }
}

fn bundles(c: &mut Criterion) {
    for (name, body) in [("small", benches::small_body()), ("large", benches::large_body())] {
        let job = must(benches::job(&body));
        let compile = there(job.program.compile.as_ref());
        c.bench_function(&format!("bundle/{name}/compile"), |b| b.iter(|| must(job.program.compile_bundles(compile))));
        c.bench_function(&format!("bundle/{name}/run"), |b| {
            b.iter(|| must(job.program.run_bundle(&job.run, &job.outputs)))
        });
        let bundle = File::from(must(job.program.compile_bundles(compile)).first);
        c.bench_function(&format!("bundle/{name}/read"), |b| b.iter(|| must(read(&bundle))));
    }
    c.bench_function("bundle/empty", |b| b.iter(|| must(RecordWriter::new().and_then(RecordWriter::seal))));
}

/// As the payload does it before it becomes the program.
fn read(bundle: &File) -> io::Result<usize> {
    let mut reader = RecordReader::new(bundle)?;
    let mut bytes = 0;
    while let Some(record) = reader.next_record()? {
        if record.kind == Kind::File {
            bytes += reader.data(&record)?.len();
        }
    }
    Ok(bytes)
}

/// What a request is looked up by in the artifact cache.
fn keys(c: &mut Criterion) {
    let basis = Basis::new("a manifest's digest", &Digest::of(b"a toolchain"), b"a filter");
    for (name, body) in [("small", benches::small_body()), ("large", benches::large_body())] {
        let job = must(benches::job(&body));
        let compile = there(job.program.compile.as_ref());
        c.bench_function(&format!("cache/{name}/key"), |b| {
            b.iter(|| {
                Origin::new(&basis, black_box(&job.program.files), None, compile).key("tenant", &compile.step.parts)
            });
        });
    }
}

fn filters(c: &mut Criterion) {
    c.bench_function("seccomp/payload", |b| b.iter(|| Filter::payload(black_box(&[]), black_box(&[]))));
    c.bench_function("seccomp/shared", |b| b.iter(|| Filter::shared(black_box(&[]))));
}

fn globs(c: &mut Criterion) {
    let path = b"results/2026/plots/figure-17.png";
    for (name, text) in [("plain", "results/2026/plots/figure-17.png"), ("stars", "**/figure-*.{png,svg}")] {
        let glob = there(Glob::new(text.as_bytes()));
        c.bench_function(&format!("glob/{name}"), |b| b.iter(|| glob.matches(black_box(path))));
    }
}

fn verdict(c: &mut Criterion) {
    let (end, step) = (RunEnd::Ended(benches::ended()), must(benches::job(&benches::small_body())).run);
    let (output, on_output_limit) = (Output::default(), OnOutputLimit::Truncate);
    let facts = Facts { end: &end, step: &step, output: &output, on_output_limit, gone: None };
    c.bench_function("verdict/ok", |b| b.iter(|| of_run(black_box(&facts))));
}

/// What the end of an execution adds to, and a scrape.
fn metrics(c: &mut Criterion) {
    let (metrics, result) = must(benches::metrics());
    let (priority, waited) = (Priority::Interactive, Duration::from_micros(30));
    c.bench_function("metrics/finished", |b| {
        b.iter(|| {
            metrics.queued("python", black_box(priority), waited);
            metrics.finished("paid", black_box(Service { priority, ..Service::default() }), black_box(&result));
        });
    });
    let queue = Queue::new(1, 1, &[Share { weight: 1, running: 1, queued: 1 }]);
    let (memory, kills) = (Budget::new(1), Kills::default());
    let now = Now { queue: &queue, memory: &memory, kills: &kills, inventory: None };
    c.bench_function("metrics/render", |b| b.iter(|| must(metrics.render(now))));
}

criterion_group!(parts, link, requests, bundles, keys, filters, globs, verdict, metrics);
criterion_main!(parts);
