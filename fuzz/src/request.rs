//! What callers send: bytes to request, request to job.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::OnceLock;

use api_spec::{BatchRequest, Caps, Code, ExecutionRequest, Problem};
use arbitrary::{Arbitrary, Unstructured};
use engined::accounts::Accounts;
use engined::admission::{Rules, admit, lowered};
use engined::config::{Config, Host};
use engined::job::{Job, Step};
use engined::offers::Offers;
use jail::fuzzing::Glob;
use jail::records::{Kind, RecordReader, relative_components};
use jail::spec::{Bytes, Limits as JailLimits, Millis};
use languages::{Catalogue, Limits, Version};
use serde_json::{Value, json};

/// Small enough for a fuzzer to reach.
const CAPS: Caps = Caps { files: 8, file_bytes: 2048, words_bytes: 1024 };

/// The body of `POST /v1/executions`, as it comes.
pub fn bytes(data: &[u8]) {
    match ExecutionRequest::from_json(data, &CAPS) {
        Ok(request) => requested(request),
        Err(problem) => refused(&problem),
    }
}

/// A body that is JSON and has the right fields more often than not.
pub fn fields(data: &[u8]) {
    if let Ok(made) = Fields::arbitrary(&mut Unstructured::new(data)) {
        bytes(made.json().to_string().as_bytes());
    }
}

/// The body of `POST /v1/batches`, as it comes.
pub fn batch(data: &[u8]) {
    let batch = match BatchRequest::from_json(data, &CAPS) {
        Ok(batch) => batch,
        Err(problem) => return refused(&problem),
    };
    assert!(batch.results() >= 1, "something is to be judged");
    let distinct = |ids: Vec<&str>| ids.iter().collect::<BTreeSet<_>>().len() == ids.len();
    assert!(distinct(batch.submissions.iter().map(|one| one.id.as_str()).collect()));
    assert!(distinct(batch.tests.iter().map(|one| one.id.as_str()).collect()));
    for test in &batch.tests {
        assert!((0.0..=1e9).contains(&test.points));
        assert!(test.group.iter().all(|group| batch.groups.iter().any(|other| other.id == *group)));
    }
    let text = serde_json::to_vec(&batch).unwrap_or_else(|error| panic!("{error}"));
    let again = BatchRequest::from_json(&text, &CAPS);
    let again = again.unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&text)));
    assert_eq!((again.results(), again.tests.len()), (batch.results(), batch.tests.len()));
}

/// A request that is right by itself.
fn requested(request: ExecutionRequest) {
    let text = serde_json::to_vec(&request).unwrap_or_else(|error| panic!("{error}"));
    let again = ExecutionRequest::from_json(&text, &CAPS);
    let again = again.unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(plain(again), plain(request.clone()), "written and read, it is the same");
    for glob in &request.outputs {
        assert!(Glob::new(glob.as_bytes()).is_some(), "init would refuse the bundle for {glob:?}");
    }
    let ceiling = ceiling();
    let files = request.files.as_ref().map_or(1, Vec::len);
    match admit(request, &Rules { offers: offers(), ceiling, plan: None }) {
        Ok(job) => admitted(&job, ceiling, files),
        Err(error) => refused(&error.problem()),
    }
}

/// serde_json reads a fraction of many digits to the double beside the nearest: compared to a millionth of a core.
fn plain(mut request: ExecutionRequest) -> ExecutionRequest {
    for limits in [&mut request.limits, &mut request.compile_limits] {
        limits.cpus = limits.cpus.map(|cpus| (cpus.min(1e6) * 1e6).round());
    }
    request
}

/// A refusal is the caller's mistake, says what to do, and points into the body.
fn refused(problem: &Problem) {
    assert!((400..500).contains(&problem.code.status()), "{problem}");
    assert!(problem.code != Code::Internal && !problem.detail.is_empty() && !problem.remedy.is_empty(), "{problem}");
    assert!(problem.field.as_ref().is_none_or(|field| field.is_empty() || field.starts_with('/')), "{problem:?}");
    let answer = serde_json::to_vec(&problem.answer("id")).unwrap_or_else(|error| panic!("{error}"));
    assert!(answer.len() < 16 << 10, "an answer of {} bytes to a mistake", answer.len());
}

/// A job can be sent as it is: within the ceilings, with paths that stay in the work directory, with bundles that a
/// sandbox reads.
fn admitted(job: &Job, ceiling: &Limits, files: usize) {
    let most = enforced(ceiling);
    for step in job.program.compile.iter().map(|compile| &compile.step).chain([&*job.run]) {
        assert_eq!(step.limits.first_outside(&most), None, "{:?}", step.limits);
        assert!((1..=ceiling.output_bytes).contains(&step.output_bytes));
        runnable(step);
    }
    assert!(job.memory() > 0 && job.memory() <= ceiling.memory_bytes);
    assert_eq!(job.program.files.len(), files);
    let mut seen = BTreeSet::new();
    for file in &job.program.files {
        assert!(relative_components(file.path.as_bytes()).is_some(), "{:?}", file.path);
        assert!(seen.insert(&file.path) && file.skip <= file.content.len());
    }
    let globs = job.outputs.globs.iter().collect::<BTreeSet<_>>();
    assert_eq!(globs.len(), job.outputs.globs.len(), "none comes twice");
    let run = job.program.run_bundle(&job.run, &job.outputs).map_or_else(|error| panic!("{error}"), File::from);
    read(&run, &job.run, |kind| kind == Kind::Glob, job.outputs.globs.len());
    if let Some(compile) = &job.program.compile {
        assert!(relative_components(compile.artifact.as_bytes()).is_some());
        let bundle = compile_bundle(job);
        read(&bundle, &compile.step, |kind| kind == Kind::File, files);
    }
}

fn compile_bundle(job: &Job) -> File {
    let compile = job.program.compile.as_ref().unwrap_or_else(|| panic!("no compile step"));
    job.program.compile_bundles(compile).map_or_else(|error| panic!("{error}"), |bundles| File::from(bundles.first))
}

fn runnable(step: &Step) {
    assert!(step.args.first().is_some_and(|program| program.starts_with('/')), "{:?}", step.args);
    let words = step.args.iter().chain(step.env.keys()).chain(step.env.values());
    assert!(words.into_iter().all(|word| !word.contains('\0')), "{step:?}");
    assert!(step.env.keys().all(|name| !name.is_empty() && !name.contains('=')), "{:?}", step.env);
}

/// A bundle is read as it was written, has its arguments and so many records of the other kind.
fn read(bundle: &File, step: &Step, counts: fn(Kind) -> bool, count: usize) {
    let mut reader = RecordReader::new(bundle).unwrap_or_else(|error| panic!("{error}"));
    let (mut args, mut env, mut counted) = (Vec::new(), 0, 0);
    while let Some(record) = reader.next_record().unwrap_or_else(|error| panic!("{error}")) {
        match record.kind {
            Kind::Arg => args.push(record.name),
            Kind::Env => env += 1,
            other => counted += usize::from(counts(other)),
        }
    }
    assert!(args.iter().eq(step.args.iter().map(|arg| arg.as_bytes())));
    assert_eq!((env, counted), (step.env.len(), count));
    assert!(jail::fuzzing::wishes(bundle).is_ok(), "init would refuse the bundle");
}

/// Every built-in language, as if the first of its toolchains were installed.
fn offers() -> &'static Offers {
    static OFFERS: OnceLock<Offers> = OnceLock::new();
    OFFERS.get_or_init(|| {
        let mut offers = Offers::default();
        for language in Catalogue::builtin().languages() {
            let version = Version::parse("12.2.1").unwrap_or_else(|| panic!("12.2.1 is a version"));
            offers.add(language, vec![(language.toolchains[0].clone(), Ok((version, None)))]);
        }
        offers
    })
}

/// That of the usual plan.
fn ceiling() -> &'static Limits {
    static CEILING: OnceLock<Limits> = OnceLock::new();
    CEILING.get_or_init(|| {
        let host = Host { accounts: Accounts::default(), memory: 1 << 33, cpus: 64 };
        let (config, _) = Config::parse("", &host).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let plan = &config.tenants[0].plan.ceiling.all;
        assert_eq!(lowered(plan, plan), *plan);
        *plan
    })
}

fn enforced(limits: &Limits) -> JailLimits {
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    JailLimits {
        cpu_time: Millis(limits.cpu_time_ms),
        wall_time: Millis(limits.wall_time_ms),
        memory: Bytes(limits.memory_bytes),
        processes: narrow(limits.processes),
        cpus_milli: narrow(limits.cpus_milli),
        file: Bytes(limits.file_bytes),
        disk: Bytes(limits.disk_bytes),
        open_files: narrow(limits.open_files),
        stack: Bytes(limits.stack_bytes),
    }
}

/// Most of a request, with values that are right, nearly right, or anything.
#[derive(Debug, Arbitrary)]
struct Fields<'a> {
    language: u8,
    version: Option<&'a str>,
    content: Content<'a>,
    files: Vec<(Name<'a>, Content<'a>)>,
    entry: Option<Name<'a>>,
    stdin: Option<Content<'a>>,
    args: Vec<&'a str>,
    env: BTreeMap<&'a str, &'a str>,
    flags: Vec<Flag<'a>>,
    limits: [Option<Limit>; 10],
    compile_limits: [Option<Limit>; 10],
    outputs: Vec<Name<'a>>,
    words: [bool; 3],
    labels: BTreeMap<&'a str, &'a str>,
    odd: Option<(&'a str, i64)>,
}

#[derive(Debug, Arbitrary)]
enum Content<'a> {
    Plain(&'a str),
    Text(&'a str),
    Base64(&'a str),
    Java(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Free(&'a str),
    Usual(u8),
    In(u8, &'a str),
}

#[derive(Debug, Arbitrary)]
enum Flag<'a> {
    Free(&'a str),
    Begun(u8, &'a str),
}

#[derive(Debug, Arbitrary)]
enum Limit {
    Small(u8),
    Whole(u64),
    Part(f64),
    Signed(i64),
    Power(u8),
}

impl Content<'_> {
    fn json(&self) -> Value {
        match self {
            Content::Plain(text) => json!(text),
            Content::Text(text) => json!({ "text": text }),
            Content::Base64(text) => json!({ "base64": text }),
            Content::Java(name) => json!(format!("public class {name} {{ public static void main(String[] a) {{}} }}")),
        }
    }
}

impl Name<'_> {
    fn text(&self) -> String {
        const USUAL: [&str; 10] =
            ["main.py", "main.c", "Main.java", "a.cpp", "b.js", "**", "*.png", "a.out", "Main", "{a,b}/*.[ch]"];
        match self {
            Name::Free(text) => (*text).to_owned(),
            Name::Usual(n) => USUAL[usize::from(*n) % USUAL.len()].to_owned(),
            Name::In(folder, name) => format!("{}/{name}", folder % 4),
        }
    }
}

impl Flag<'_> {
    fn text(&self) -> String {
        const BEGUN: [&str; 8] = ["-std=", "-O", "-D", "-l", "-W", "-f", "-Xlint:", "--release"];
        match self {
            Flag::Free(text) => (*text).to_owned(),
            Flag::Begun(n, rest) => format!("{}{rest}", BEGUN[usize::from(*n) % BEGUN.len()]),
        }
    }
}

impl Limit {
    fn json(&self) -> Value {
        match self {
            Limit::Small(n) => json!(n),
            Limit::Whole(n) => json!(n),
            Limit::Part(n) => json!(n),
            Limit::Signed(n) => json!(n),
            Limit::Power(n) => json!(1_u64 << (n % 64)),
        }
    }
}

impl Fields<'_> {
    fn json(&self) -> Value {
        const LANGUAGES: [&str; 6] = ["python", "javascript", "c", "cpp", "java", "py"];
        let limits = |limits: &[Option<Limit>; 10]| {
            let named = api_spec::LimitName::ALL.iter().zip(limits);
            let set = named.filter_map(|(name, limit)| Some((name.name().to_owned(), limit.as_ref()?.json())));
            Value::Object(set.collect())
        };
        let names = |names: &[Name<'_>]| names.iter().map(Name::text).collect::<Vec<_>>();
        let flags: Vec<String> = self.flags.iter().map(Flag::text).collect();
        let mut body = json!({
            "language": LANGUAGES[usize::from(self.language) % LANGUAGES.len()],
            "version": self.version,
            "entry": self.entry.as_ref().map(Name::text),
            "stdin": self.stdin.as_ref().map(Content::json),
            "args": self.args,
            "env": self.env,
            "compile_flags": flags,
            "limits": limits(&self.limits),
            "compile_limits": limits(&self.compile_limits),
            "outputs": names(&self.outputs),
            "on_output_limit": if self.words[0] { "kill" } else { "truncate" },
            "output_encoding": if self.words[1] { "base64" } else { "auto" },
            "priority": if self.words[2] { "batch" } else { "interactive" },
            "labels": self.labels,
        });
        if self.files.is_empty() {
            body["source"] = self.content.json();
        } else {
            let file =
                |(path, content): &(Name<'_>, Content<'_>)| json!({"path": path.text(), "content": content.json()});
            body["files"] = self.files.iter().map(file).collect();
        }
        if let Some((name, value)) = self.odd {
            body[name] = json!(value);
        }
        body
    }
}
