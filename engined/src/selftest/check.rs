//! What an answer must be by the header of its program. `corpus/over_http.py` asks for the same.

use std::io::{self, Write};
use std::time::Duration;

use api_spec::{CompileResult, ExecutionResult, RunResult, Stream, Verdict};
use regex_lite::RegexBuilder;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::corpus::{Input, Kind, Program};

const MIB: f64 = 1_048_576.0;
/// What the contract lets through of the files that a program leaves: how many, of one, of all.
const MOST_OUTPUTS: usize = 64;
const MOST_OF_ONE: usize = 8 << 20;
const MOST_OF_ALL: usize = 16 << 20;

/// Verdicts as headers name them. Ours to answer for, and what nobody asked for, is in no family.
fn family(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "OK",
        Verdict::RuntimeError
        | Verdict::Signalled
        | Verdict::SecurityViolation
        | Verdict::ProcessLimit
        | Verdict::DiskLimit => "RTE",
        Verdict::CpuTimeLimit | Verdict::WallTimeLimit => "TLE",
        Verdict::MemoryLimit => "MLE",
        Verdict::OutputLimit => "OLE",
        Verdict::CompileError => "CE",
        Verdict::EngineError | Verdict::Cancelled => "none",
    }
}

/// What is wrong with the answer to `input`, which came after `took`; `scale` as for limits.
#[must_use]
pub fn complaints(
    program: &Program,
    input: &Input,
    result: &ExecutionResult,
    took: Duration,
    scale: f64,
) -> Vec<String> {
    match program.kind {
        Kind::Benign => honest(program, input, result),
        Kind::Hostile => hostile(program, result, took, scale),
    }
}

/// It failed as a program does that lacks an optional package.
#[must_use]
pub fn lacks_package(program: &Program, result: &ExecutionResult) -> bool {
    program.kind == Kind::Benign && program.optional() && result.verdict == Verdict::RuntimeError
}

fn bytes(stream: Option<&Stream>) -> Vec<u8> {
    stream.map(|stream| stream.to_bytes().unwrap_or_default()).unwrap_or_default()
}

fn head(text: &str, most: usize) -> String {
    format!("{:?}", text.chars().take(most).collect::<String>())
}

fn honest(program: &Program, input: &Input, result: &ExecutionResult) -> Vec<String> {
    let run = result.run.as_ref();
    let (out, err) = (bytes(run.map(|run| &run.stdout)), bytes(run.map(|run| &run.stderr)));
    let (text, said) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    let mut bad = Vec::new();
    let expect = |name: &str| program.expect.get(name);
    let signal = run.and_then(|run| run.signal.clone()).unwrap_or_else(|| "none".to_owned());
    if let Some(want) = expect("signal").filter(|want| **want != signal) {
        bad.push(format!("signal {signal}, must be {want}"));
    }
    let code = run.and_then(|run| run.exit_code).map_or_else(|| "none".to_owned(), |code| code.to_string());
    if let Some(want) = input.exit.as_ref().or(expect("exit")).filter(|want| **want != code) {
        bad.push(format!("exit code {code}, must be {want}"));
    }
    if expect("out").is_some_and(|want| want.trim_end_matches('\n') != text.trim_end_matches('\n'))
        || expect("out_exact").is_some_and(|want| *want != text)
    {
        bad.push(format!("stdout is {}", head(&text, 120)));
    }
    let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
    if expect("outhex").is_some_and(|want| *want != hex) {
        bad.push(format!("stdout in hexadecimal is {}", head(&hex, 80)));
    }
    if let Some(want) = expect("outlen").filter(|want| **want != out.len().to_string()) {
        bad.push(format!("stdout has {} bytes, must have {want}", out.len()));
    }
    if expect("stderr").is_some_and(|want| !said.contains(want.as_str())) {
        bad.push(format!("stderr is {}", head(&said, 120)));
    }
    let detail = || {
        let why = result.reason.as_ref().map(|reason| reason.message.as_str()).unwrap_or_default();
        let compiler = result.compile.as_ref().map(|compile| bytes(Some(&compile.stderr))).unwrap_or_default();
        let last = if err.is_empty() { compiler } else { err.clone() };
        let last = String::from_utf8_lossy(&last);
        let skip = last.chars().count().saturating_sub(200);
        format!("verdict {}: {why} {}", result.verdict, head(&last.chars().skip(skip).collect::<String>(), 200))
    };
    if let Some(first) = bad.first_mut() {
        *first = format!("{first} ({})", detail());
    }
    bad
}

fn hostile(program: &Program, result: &ExecutionResult, took: Duration, scale: f64) -> Vec<String> {
    let mut bad = Vec::new();
    let family = family(result.verdict);
    if !program.verdicts.iter().any(|allowed| allowed == family) {
        let allowed = program.verdicts.join(", ");
        bad.push(format!("verdict {} ({family}), allowed are {allowed}", result.verdict));
    }
    let (run, compile) = (result.run.as_ref(), result.compile.as_ref());
    let (out, err) = (bytes(run.map(|run| &run.stdout)), bytes(run.map(|run| &run.stderr)));
    let (files, much) = left(result);
    bad.extend(much);
    let skipped = spaced(&result.outputs_skipped);
    let compiler = [bytes(compile.map(|c| &c.stdout)), bytes(compile.map(|c| &c.stderr))].concat();
    let texts: Texts =
        [("stdout", &out), ("stderr", &err), ("cmpout", &compiler), ("output", &files), ("skipped", &skipped)];
    for check in program.word("check").unwrap_or_default().split(" ; ").filter(|check| !check.is_empty()) {
        bad.extend(checked(check, &texts));
    }
    let cap = program.limit("out").unwrap_or(1.0) * MIB;
    let kept = out.len().max(err.len());
    if u32::try_from(kept).map_or(f64::INFINITY, f64::from) > cap {
        bad.push(format!("{kept} bytes of output were kept, the cap is {cap}"));
    }
    if let Some(late) = late(program, compile, took, scale) {
        bad.push(late);
    }
    if run.is_some_and(|RunResult { usage, .. }| usage.wall_time_us == 0) {
        bad.push("no wall time in its usage".to_owned());
    }
    bad
}

/// What checks look at: both streams, those of the compiler, the files that came back and those that did not.
type Texts<'a> = [(&'static str, &'a [u8]); 5];

/// `stdout~RE` must match, `stdout!~RE` must not.
fn checked(check: &str, texts: &Texts<'_>) -> Option<String> {
    let (stream, pattern) = check.split_once('~').unwrap_or_default();
    let (stream, wanted) = stream.strip_suffix('!').map_or((stream, true), |stream| (stream, false));
    let Some((_, text)) = texts.iter().find(|(name, _)| *name == stream) else {
        return Some(format!("check {check:?} is none"));
    };
    let text = String::from_utf8_lossy(text);
    match RegexBuilder::new(pattern).multi_line(true).build() {
        Err(error) => Some(format!("check {check}: {error}")),
        Ok(pattern) if pattern.is_match(&text) == wanted => None,
        Ok(_) => Some(format!("check {check}: {}", head(&text, 200))),
    }
}

/// JSON on one line with a blank after each comma and colon, as headers expect it.
fn spaced(value: &impl Serialize) -> Vec<u8> {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { to.write_all(b", ") }
        }
        fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { to.write_all(b", ") }
        }
        fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
            to.write_all(b": ")
        }
    }
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Spaced));
    written.map(|()| text).unwrap_or_default()
}

/// The files that came back as a text, and what is wrong with their number and size.
fn left(result: &ExecutionResult) -> (Vec<u8>, Option<String>) {
    let (mut text, mut sizes) = (Vec::new(), Vec::new());
    for file in &result.outputs {
        let content = file.to_bytes().unwrap_or_default();
        text.extend(file.path.to_bytes().unwrap_or_default());
        text.extend(format!(" {}\n", file.bytes).into_bytes());
        sizes.push(content.len());
        text.extend(content);
        text.push(b'\n');
    }
    let (sum, largest) = (sizes.iter().sum::<usize>(), sizes.iter().copied().max().unwrap_or(0));
    let much = sizes.len() > MOST_OUTPUTS || largest > MOST_OF_ONE || sum > MOST_OF_ALL;
    (text, much.then(|| format!("{} files of {sum} bytes came back, the largest of {largest}", sizes.len())))
}

/// `return<=N s`, where a compiler may have its own time before.
fn late(program: &Program, compile: Option<&CompileResult>, took: Duration, scale: f64) -> Option<String> {
    let within =
        program.invariants.iter().flatten().find_map(|word| word.strip_prefix("return<=")?.strip_suffix('s'))?;
    let run: f64 = within.parse().ok()?;
    let compiler = if compile.is_some() { program.limit("ccwall").unwrap_or(0.0) } else { 0.0 };
    let most = (run + compiler) * scale;
    (took.as_secs_f64() > most).then(|| format!("answered after {:.1} s, must within {most:.1} s", took.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use api_spec::{OutputSkipped, PathName};

    use super::*;

    #[test]
    fn every_check_is_a_pattern_and_every_return_a_number() {
        for program in Program::all().unwrap().iter().filter(|program| program.kind == Kind::Hostile) {
            for check in program.word("check").unwrap_or_default().split(" ; ").filter(|check| !check.is_empty()) {
                let (stream, pattern) = check.split_once('~').unwrap_or_else(|| panic!("{}: {check}", program.name));
                assert!(
                    ["stdout", "stderr", "cmpout", "output", "skipped"].contains(&stream.trim_end_matches('!')),
                    "{}",
                    program.name
                );
                RegexBuilder::new(pattern).build().unwrap_or_else(|error| panic!("{}: {error}", program.name));
            }
            let returns = program.invariants.iter().flatten().find(|word| word.starts_with("return<="));
            assert!(returns.is_some(), "{} has no time to return in", program.name);
            let age = Duration::from_secs(100_000);
            assert!(late(program, None, age, 1.0).is_some(), "{}: {returns:?}", program.name);
        }
    }

    #[test]
    fn what_was_skipped_is_text_as_headers_expect_it() {
        let skipped = [OutputSkipped { path: PathName::new(b"a".to_vec()), reason: "no".to_owned() }];
        let twice = [skipped.clone(), skipped].concat();
        let text = String::from_utf8(spaced(&twice)).unwrap();
        assert_eq!(text, r#"[{"path": "a", "reason": "no"}, {"path": "a", "reason": "no"}]"#);
    }

    #[test]
    fn checks_look_at_their_stream() {
        let texts: Texts =
            [("stdout", b"a\nESCAPED: x\n"), ("stderr", b"err"), ("cmpout", b""), ("output", b""), ("skipped", b"[]")];
        let told = |check: &str| checked(check, &texts);
        assert_eq!(told("stdout~^ESCAPED"), None);
        assert_eq!(told("stdout!~ESCAPED").unwrap(), "check stdout!~ESCAPED: \"a\\nESCAPED: x\\n\"");
        assert_eq!(told("stderr!~ESCAPED"), None);
        assert_eq!(told("cmpout~.").unwrap(), "check cmpout~.: \"\"");
        assert_eq!(told("sdtout~.").unwrap(), "check \"sdtout~.\" is none");
    }
}
