//! `junit.xml`, for CI: a suite per submission, a case per run of a test, and one for a compile that failed. With labels
//! it asks another question, whether each submission gets what its folder is named by: then it has one suite, and a case
//! per submission. Whatever a program is called or has written, the file is XML.

use std::collections::BTreeMap;
use std::io::{self, Write};

use api_spec::{BatchRequest, BatchResponse, SubmissionResult, SubmissionVerdict, TestResult, TestVerdict, Verdict};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::keep::Kept;
use super::plain;
use super::table::Judged;
use super::tally::{Place, why, word};

/// What is said of a run without a result.
const NO_RESULT: &str = "no result: the batch was cancelled before";
/// What is said of a submission without a verdict.
const NO_VERDICT: &str = "no verdict: the batch was cancelled before";

/// What a run of a test is to CI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// A failure is the program's, an error the checker's or ours.
fn kind(verdict: TestVerdict) -> Kind {
    match verdict {
        TestVerdict::Accepted => Kind::Passed,
        TestVerdict::Skipped | TestVerdict::Run(Verdict::Cancelled) => Kind::Skipped,
        unjudged if unjudged.is_unjudged() => Kind::Error,
        TestVerdict::WrongAnswer | TestVerdict::CheckerError | TestVerdict::Run(_) => Kind::Failure,
    }
}

/// How many cases of each kind a suite has.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    time_us: u64,
}

impl Count {
    fn add(&mut self, kind: Kind, time_us: u64) {
        self.tests += 1;
        self.time_us = self.time_us.saturating_add(time_us);
        match kind {
            Kind::Passed => {}
            Kind::Failure => self.failures += 1,
            Kind::Error => self.errors += 1,
            Kind::Skipped => self.skipped += 1,
        }
    }

    fn sum(self, other: Count) -> Count {
        Count {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
            time_us: self.time_us.saturating_add(other.time_us),
        }
    }

    fn attributes(self) -> Vec<(&'static str, String)> {
        vec![
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
            ("time", seconds(self.time_us)),
        ]
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn wall(result: &TestResult) -> u64 {
    result.usage.map_or(0, |usage| usage.wall_time_us)
}

/// With labels: one that could not be judged is none, whatever its label.
fn kind_of(one: &Judged) -> Kind {
    if !one.is_over() {
        return Kind::Error;
    }
    match (one.unjudged, one.as_labelled()) {
        (1.., _) => Kind::Error,
        (0, true) => Kind::Passed,
        (0, false) => Kind::Failure,
    }
}

/// A compile that failed has a case of its own: the tests are only skipped.
#[must_use]
pub fn compile_failed(submission: &SubmissionResult) -> bool {
    submission.verdict == Some(SubmissionVerdict::Test(TestVerdict::Run(Verdict::CompileError)))
}

/// Writes it.
///
/// # Errors
/// That of writing, or of reading the results.
pub fn write(to: impl Write, request: &BatchRequest, batch: &BatchResponse, kept: &Kept) -> io::Result<()> {
    let mut counts: BTreeMap<usize, Count> = BTreeMap::new();
    for result in kept.results() {
        let (place, result) = result?;
        counts.entry(place.submission).or_default().add(kind(result.verdict), wall(&result));
    }
    let runs: Vec<(usize, u32)> =
        (0..request.tests.len()).flat_map(|test| (1..=request.repeat).map(move |repeat| (test, repeat))).collect();
    for (at, submission) in batch.submission_results.iter().enumerate() {
        let count = counts.entry(at).or_default();
        for _ in count.tests..u64::try_from(runs.len()).unwrap_or(u64::MAX) {
            count.add(Kind::Error, 0);
        }
        if compile_failed(submission) {
            count.add(Kind::Failure, 0);
        }
    }
    let mut xml = begin(to, &batch.batch.id, counts.values().copied().fold(Count::default(), Count::sum))?;
    let mut results = kept.results().peekable();
    for (at, submission) in batch.submission_results.iter().enumerate() {
        let count = counts.get(&at).copied().unwrap_or_default();
        start(&mut xml, "testsuite", [vec![("name", submission.id.clone())], count.attributes()].concat())?;
        if compile_failed(submission) {
            compile(&mut xml, submission)?;
        }
        for &(test, repeat) in &runs {
            let here = Place { submission: at, test, repeat };
            match results.next_if(|next| next.as_ref().map_or(true, |(place, _)| *place == here)) {
                Some(next) => case(&mut xml, request, &next?.1)?,
                None => none(&mut xml, request, here)?,
            }
        }
        end(&mut xml, "testsuite")?;
    }
    finish(xml)
}

/// Writes the one of labels.
///
/// # Errors
/// That of writing.
pub fn write_labels(to: impl Write, batch: &BatchResponse, judged: &[Judged]) -> io::Result<()> {
    let mut count = Count::default();
    for one in judged {
        count.add(kind_of(one), 0);
    }
    let mut xml = begin(to, &batch.batch.id, count)?;
    start(&mut xml, "testsuite", [vec![("name", "labels".to_owned())], count.attributes()].concat())?;
    for one in judged {
        let names = vec![("classname", "labels".to_owned()), ("name", one.id.clone())];
        let wanted = one.expected.as_deref().unwrap_or("accepted");
        let (name, message) = match kind_of(one) {
            Kind::Passed | Kind::Skipped => {
                empty(&mut xml, "testcase", names)?;
                continue;
            }
            Kind::Failure => ("failure", format!("{} instead of {wanted}", one.verdict)),
            Kind::Error if !one.is_over() => ("error", format!("{NO_VERDICT}; labelled {wanted}")),
            Kind::Error => ("error", format!("results that could not be judged: {}; labelled {wanted}", one.unjudged)),
        };
        start(&mut xml, "testcase", names)?;
        element(&mut xml, name, vec![("message", message), ("type", one.verdict.clone())], &one.why)?;
        end(&mut xml, "testcase")?;
    }
    end(&mut xml, "testsuite")?;
    finish(xml)
}

fn compile<W: Write>(xml: &mut Writer<W>, submission: &SubmissionResult) -> io::Result<()> {
    start(xml, "testcase", vec![("classname", submission.id.clone()), ("name", "compile".to_owned())])?;
    let told = submission.compile.as_ref();
    let message = told.and_then(|told| told.reason.as_ref()).map(|reason| reason.message.clone());
    let words = told.map_or(String::new(), |told| [text(&told.stderr), text(&told.stdout)].concat());
    let message = message.unwrap_or_else(|| "it does not compile".to_owned());
    element(xml, "failure", vec![("message", message), ("type", "compile_error".to_owned())], &words)?;
    end(xml, "testcase")
}

/// A run that has no result: the batch was cancelled before. A report without it would be green.
fn none<W: Write>(xml: &mut Writer<W>, request: &BatchRequest, place: Place) -> io::Result<()> {
    let submission = request.submissions.get(place.submission).map_or("", |submission| &submission.id);
    let test = request.tests.get(place.test).map_or("", |test| &test.id);
    let names = vec![("classname", submission.to_owned()), ("name", name(request, test, place.repeat))];
    start(xml, "testcase", names)?;
    empty(xml, "error", vec![("message", NO_RESULT.to_owned()), ("type", "no_result".to_owned())])?;
    end(xml, "testcase")
}

fn name(request: &BatchRequest, test: &str, repeat: u32) -> String {
    if request.repeat > 1 { format!("{test} #{repeat}") } else { test.to_owned() }
}

fn case<W: Write>(xml: &mut Writer<W>, request: &BatchRequest, result: &TestResult) -> io::Result<()> {
    let name = name(request, &result.test, result.repeat);
    let names = vec![("classname", result.submission.clone()), ("name", name), ("time", seconds(wall(result)))];
    let kind = kind(result.verdict);
    let element_name = match kind {
        Kind::Passed => return empty(xml, "testcase", names),
        Kind::Failure => "failure",
        Kind::Error => "error",
        Kind::Skipped => "skipped",
    };
    start(xml, "testcase", names)?;
    let verdict = word(result.verdict).to_owned();
    let message = match why(result) {
        none if none.is_empty() => verdict.clone(),
        why => why,
    };
    if kind == Kind::Skipped {
        empty(xml, element_name, vec![("message", message)])?;
    } else {
        let checker = result.checker.as_ref().and_then(|checker| checker.stderr.as_ref()).map_or(String::new(), text);
        element(xml, element_name, vec![("message", message), ("type", verdict)], &checker)?;
        for (name, stream) in [("system-out", &result.stdout), ("system-err", &result.stderr)] {
            if let Some(written) = stream.as_ref().map(text).filter(|written| !written.is_empty()) {
                element(xml, name, Vec::new(), &written)?;
            }
        }
    }
    end(xml, "testcase")
}

fn text(stream: &api_spec::Stream) -> String {
    String::from_utf8_lossy(&stream.to_bytes().unwrap_or_default()).into_owned()
}

fn begin<W: Write>(to: W, batch: &str, count: Count) -> io::Result<Writer<W>> {
    let mut xml = Writer::new_with_indent(to, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    start(&mut xml, "testsuites", [vec![("name", batch.to_owned())], count.attributes()].concat())?;
    Ok(xml)
}

fn finish<W: Write>(mut xml: Writer<W>) -> io::Result<()> {
    end(&mut xml, "testsuites")?;
    xml.get_mut().write_all(b"\n")
}

type Attributes = Vec<(&'static str, String)>;

fn tag(name: &'static str, attributes: Attributes) -> BytesStart<'static> {
    let mut tag = BytesStart::new(name);
    for (name, value) in attributes {
        tag.push_attribute((name, plain::xml(&plain::line(&value)).as_str()));
    }
    tag
}

fn start<W: Write>(xml: &mut Writer<W>, name: &'static str, attributes: Attributes) -> io::Result<()> {
    xml.write_event(Event::Start(tag(name, attributes)))
}

fn empty<W: Write>(xml: &mut Writer<W>, name: &'static str, attributes: Attributes) -> io::Result<()> {
    xml.write_event(Event::Empty(tag(name, attributes)))
}

fn end<W: Write>(xml: &mut Writer<W>, name: &'static str) -> io::Result<()> {
    xml.write_event(Event::End(BytesEnd::new(name)))
}

fn element<W: Write>(xml: &mut Writer<W>, name: &'static str, attributes: Attributes, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return empty(xml, name, attributes);
    }
    start(xml, name, attributes)?;
    xml.write_event(Event::Text(BytesText::new(&plain::xml(text))))?;
    end(xml, name)
}
