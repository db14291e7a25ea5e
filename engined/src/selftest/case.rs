//! One program through the engine: as often and beside whom its header says, and a hello after every attack.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use api_spec::{Code, Content, ExecutionRequest, ExecutionResult, LimitsRequest, SourceFile, Verdict};
use languages::{Catalogue, Entry};

use super::check;
use super::corpus::{Input, Kind, Program};
use crate::client::{Client, Reply, Silence};

/// What the run beside an attacker must keep to itself.
const SECRET: &str = "VICTIM-SECRET-5511";
/// The contract's defaults for a compiler, which a slow host gets more of, up to the usual ceiling.
const COMPILE_CPU: f64 = 30_000.0;
const COMPILE_WALL: f64 = 60_000.0;
const COMPILE_MOST: f64 = 600_000.0;
/// Seconds of wall time, at least, for a program that ends without them: a busy host may hold it up.
const PATIENCE: f64 = 20.0;
/// What a hello says.
const HELLO: &str = "hello";

/// What came of one program.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// What it did that it must not, or did not that it must.
    pub complaints: Vec<String>,
    /// Every verdict, in order.
    pub verdicts: Vec<Verdict>,
    /// Why this engine could not try it.
    pub skipped: Option<String>,
    /// Layers that some run of it was without, in the engine's own words.
    pub without: BTreeSet<String>,
    /// No answer came.
    pub silence: Option<Silence>,
    /// How long it all took.
    pub took: Duration,
}

impl Tried {
    /// The engine itself gave way: no severity excuses that.
    #[must_use]
    pub fn broke(&self) -> bool {
        self.silence.is_some() || self.verdicts.contains(&Verdict::EngineError)
    }

    fn add(&mut self, other: Tried) {
        self.complaints.extend(other.complaints);
        self.verdicts.extend(other.verdicts);
        self.without.extend(other.without);
        self.skipped = self.skipped.take().or(other.skipped);
        self.silence = self.silence.take().or(other.silence);
    }
}

/// What every case needs.
pub struct Bench {
    /// The way to the engine.
    pub client: Client,
    /// Multiplies time limits and allowed return times.
    pub scale: f64,
    /// Every program there is, for those that run beside another.
    pub programs: Vec<Program>,
    /// A supervisor starts an engine anew within this, or it is gone.
    pub back: Duration,
    /// A program that says hello, by the id of its language.
    pub hello: (String, String),
}

impl Bench {
    /// The hello of the first language that is offered.
    #[must_use]
    pub fn hello_of(offered: &[String]) -> Option<(String, String)> {
        let catalogue = Catalogue::builtin();
        let mut known = catalogue.languages().iter().filter(|definition| offered.contains(&definition.id));
        known.find_map(|definition| Some((definition.id.clone(), definition.hello.clone()?)))
    }

    /// Tries one program.
    pub async fn case(&self, program: &Program) -> Tried {
        let began = Instant::now();
        let runs = program.word("runs").and_then(|runs| runs.split(' ').next()).unwrap_or("1");
        let beside = program.word("with").and_then(|name| name.split(' ').next());
        let mut tried = Tried::default();
        if let Some(name) = beside {
            let Some(victim) = self.programs.iter().find(|other| other.name == name) else {
                tried.complaints.push(format!("@with names {name}, which is not there"));
                return tried;
            };
            let mut victim = victim.clone();
            victim.words.insert("stdin".to_owned(), SECRET.to_owned());
            let (theirs, own) = tokio::join!(self.inputs(&victim), self.inputs(program));
            tried.add(own);
            tried.add(Tried {
                complaints: theirs.complaints.iter().map(|bad| format!("{name} beside it: {bad}")).collect(),
                ..theirs
            });
        } else if runs == "2par" {
            let (one, other) = tokio::join!(self.inputs(program), self.inputs(program));
            tried.add(one);
            tried.add(other);
        } else {
            for _ in 0..runs.parse::<u32>().unwrap_or(1) {
                tried.add(self.inputs(program).await);
            }
        }
        if program.kind == Kind::Hostile && tried.skipped.is_none() && tried.silence.is_none() {
            let mut hello = self.greet().await;
            hello.complaints.iter_mut().for_each(|bad| *bad = format!("the hello after it: {bad}"));
            tried.add(hello);
        }
        tried.took = began.elapsed();
        tried
    }

    /// Each of its inputs, one after the other.
    async fn inputs(&self, program: &Program) -> Tried {
        let mut tried = Tried::default();
        for input in program.inputs() {
            let request = match request(program, &input, self.scale) {
                Ok(request) => request,
                Err(why) => {
                    tried.complaints.push(why);
                    return tried;
                }
            };
            match self.client.execute(&request).await {
                Ok(reply) => self.answered(program, &input, &reply, &mut tried),
                Err(silence) => {
                    tried.complaints.push(silence.to_string());
                    tried.silence = Some(silence);
                    return tried;
                }
            }
        }
        tried
    }

    fn answered(&self, program: &Program, input: &Input, reply: &Reply, tried: &mut Tried) {
        if reply.status != 200 {
            // The plan of this caller is smaller than what the program wants: nothing to hold against the engine.
            match reply.problem().filter(|problem| problem.code == Code::LimitAboveCeiling) {
                Some(problem) => tried.skipped = Some(format!("the caller's plan is too small: {}", problem.detail)),
                None => tried.complaints.push(reply.told()),
            }
            return;
        }
        match serde_json::from_slice::<ExecutionResult>(&reply.body) {
            Ok(result) => {
                tried.verdicts.push(result.verdict);
                tried.without.extend(result.isolation.missing.iter().map(ToString::to_string));
                // Its place in the queue is no matter of the sandbox.
                let took = reply.took.saturating_sub(Duration::from_micros(result.timings.queue_us));
                let complaints = check::complaints(program, input, &result, took, self.scale);
                if !complaints.is_empty() && check::lacks_package(program, &result) {
                    tried.skipped = Some("an optional package is not installed".to_owned());
                } else {
                    tried.complaints.extend(complaints);
                }
            }
            Err(error) => tried.complaints.push(format!("the answer is no result: {error}")),
        }
    }

    /// The engine lives, and whoever comes next gets what is his.
    pub async fn greet(&self) -> Tried {
        let mut tried = Tried::default();
        let (language, source) = self.hello.clone();
        let request = ExecutionRequest { language, source: Some(Content::from(source)), ..ExecutionRequest::default() };
        let body = serde_json::to_vec(&request).unwrap_or_default();
        match self.client.execute(&body).await {
            Ok(reply) => {
                let result = serde_json::from_slice::<ExecutionResult>(&reply.body).ok();
                let result = result.filter(|_| reply.status == 200);
                let said = result.as_ref().and_then(|result| result.run.as_ref()?.stdout.to_bytes().ok());
                let right = said.is_some_and(|said| said.trim_ascii() == HELLO.as_bytes());
                if !right {
                    tried.complaints.push(reply.told());
                }
            }
            Err(silence) => {
                tried.complaints.push(silence.to_string());
                tried.silence = Some(silence);
            }
        }
        tried
    }
}

/// The body of the request.
fn request(program: &Program, input: &Input, scale: f64) -> Result<Vec<u8>, String> {
    let limit = |name: &str, unit: f64| program.limit(name).and_then(|value| whole(value * unit));
    const MIB: f64 = 1_048_576.0;
    let least = if program.verdicts.iter().any(|family| family == "TLE") { 0.0 } else { PATIENCE };
    let limits = LimitsRequest {
        cpu_time_ms: limit("cpu", 1000.0 * scale),
        wall_time_ms: program.limit("wall").and_then(|wall| whole(wall.max(least) * 1000.0 * scale)),
        memory_bytes: limit("mem", MIB),
        processes: limit("procs", 1.0),
        output_bytes: limit("out", MIB),
        disk_bytes: limit("disk", MIB),
        ..LimitsRequest::default()
    };
    let mut compile_limits = LimitsRequest::default();
    if scale > 1.0 && !program.verdicts.iter().any(|family| family == "CE") {
        compile_limits.cpu_time_ms = whole((COMPILE_CPU * scale).min(COMPILE_MOST));
        compile_limits.wall_time_ms = whole((COMPILE_WALL * scale).min(COMPILE_MOST));
    }
    compile_limits.wall_time_ms = limit("ccwall", 1000.0 * scale).or(compile_limits.wall_time_ms);
    let catalogue = Catalogue::builtin();
    let definition = catalogue.language(&program.language);
    let names_entry = definition.is_some_and(|definition| definition.entry != Entry::Refused);
    let compiles = definition.is_some_and(|definition| definition.compile.is_some());
    let source = if compiles { unlike_any(&program.source)? } else { program.source.clone() };
    let main = SourceFile { path: program.main.clone(), content: Content::from(source) };
    let beside = program.files.iter();
    let beside = beside.map(|(path, text)| SourceFile { path: path.clone(), content: Content::from(text.as_str()) });
    let request = ExecutionRequest {
        language: program.language.clone(),
        files: Some(std::iter::once(main).chain(beside).collect()),
        entry: names_entry.then(|| program.main.clone()),
        stdin: Content::from(input.stdin.clone()).into(),
        args: program.args.clone(),
        outputs: program.outputs.clone().unwrap_or_default(),
        limits,
        compile_limits,
        ..ExecutionRequest::default()
    };
    serde_json::to_vec(&request).map_err(|error| format!("the request can't be written: {error}"))
}

/// The source with a last line of blanks that no other request has: it is compiled, whatever the engine has kept.
///
/// # Errors
/// There is no chance to be had.
fn unlike_any(source: &[u8]) -> Result<Vec<u8>, String> {
    let mut chance = [0_u8; 16];
    getrandom::fill(&mut chance).map_err(|error| format!("no entropy: {error}"))?;
    let bits = chance.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
    let blanks = bits.map(|bit| if bit == 0 { b' ' } else { b'\t' });
    Ok(source.iter().copied().chain([b'\n']).chain(blanks).chain([b'\n']).collect())
}

/// A limit as the API takes it.
fn whole(value: f64) -> Option<u64> {
    // Through text: there is no conversion that keeps to what the number means.
    format!("{:.0}", value.floor()).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(name: &str, scale: f64) -> Value {
        let all = Program::all().unwrap();
        let program = all.iter().find(|program| program.name == name).unwrap();
        let mut asked: Value = serde_json::from_slice(&request(program, &program.inputs()[0], scale).unwrap()).unwrap();
        for file in asked["files"].as_array_mut().unwrap() {
            file["content"].take();
        }
        asked
    }

    #[test]
    fn a_compiler_is_attacked_each_time() {
        let all = Program::all().unwrap();
        let content = |name: &str| {
            let program = all.iter().find(|program| program.name == name).unwrap();
            let body = request(program, &program.inputs()[0], 1.0).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            (program.source.clone(), body["files"][0]["content"].as_str().unwrap().as_bytes().to_vec())
        };
        let ((source, first), (_, second)) = (content("spin.c"), content("spin.c"));
        assert_ne!(first, second);
        let rest = first.strip_prefix(source.as_slice()).unwrap();
        assert!(rest.len() == 130 && rest.iter().all(u8::is_ascii_whitespace));
        let (source, sent) = content("spin.py");
        assert_eq!(source, sent, "there is no compiler");
    }

    #[test]
    fn a_request_is_what_over_http_py_sends() {
        let spin = asked("spin.c", 1.0);
        assert_eq!(spin["language"], "c");
        assert_eq!(spin["entry"], Value::Null);
        assert_eq!(
            spin["limits"],
            json!({"cpu_time_ms": 1000, "wall_time_ms": 4000, "memory_bytes": 256 << 20, "processes": 64,
                   "output_bytes": 1 << 20, "disk_bytes": 64 << 20})
        );
        assert_eq!(spin["compile_limits"], json!({"wall_time_ms": 10_000}));
        let slow = asked("spin.c", 20.0);
        assert_eq!(slow["limits"]["cpu_time_ms"], 20_000);
        assert_eq!(slow["compile_limits"], json!({"cpu_time_ms": 600_000, "wall_time_ms": 200_000}));
        // A compiler that must be stopped gets no more time than it shall be stopped after.
        assert_eq!(asked("cc_include_self.c", 2.0)["compile_limits"], json!({"wall_time_ms": 20_000}));
        assert_eq!(asked("exit_codes.py", 1.0)["entry"], "main.py");
        // Three seconds in its header, and nothing that would take them.
        assert_eq!(asked("env_leak.py", 1.0)["limits"]["wall_time_ms"], 20_000);
    }
}
