//! `results.csv`: a line per submission, test and repeat, and `submissions.csv`: a line per submission, the grade. Both in the
//! order of the request, both RFC 4180, and nothing in them is a formula.

use std::io::{self, Write};

use api_spec::{BatchRequest, BatchResponse, SubmissionResult};

use super::junit::compile_failed;
use super::keep::Kept;
use super::plain;
use super::table::of_compile;
use super::tally::{Tally, of_submission, why, word};

const COLUMNS: [&str; 12] = [
    "submission",
    "language",
    "test",
    "group",
    "repeat",
    "verdict",
    "points",
    "attempt",
    "cpu_time_us",
    "wall_time_us",
    "memory_peak_bytes",
    "reason",
];

/// Of `submissions.csv`, before those of the groups.
const OF_SUBMISSIONS: [&str; 12] = [
    "submission",
    "language",
    "verdict",
    "points",
    "max_points",
    "done",
    "of",
    "unjudged",
    "cpu_time_us_max",
    "memory_peak_bytes_max",
    "first_failing_test",
    "why",
];

fn sheet<W: Write>(to: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to)
}

/// Writes `results.csv`.
///
/// # Errors
/// That of writing, or of reading the results.
pub fn write(to: impl Write, request: &BatchRequest, kept: &Kept) -> io::Result<()> {
    let mut sheet = sheet(to);
    sheet.write_record(COLUMNS)?;
    for result in kept.results() {
        let (place, result) = result?;
        let submission = request.submissions.get(place.submission);
        let group = request.tests.get(place.test).and_then(|test| test.group.as_deref());
        let used =
            |of: fn(&api_spec::Usage) -> u64| result.usage.as_ref().map(of).map_or(String::new(), |n| n.to_string());
        sheet.write_record([
            plain::cell(&result.submission),
            plain::cell(submission.map_or("", |submission| &submission.language)),
            plain::cell(&result.test),
            plain::cell(group.unwrap_or_default()),
            result.repeat.to_string(),
            word(result.verdict).to_owned(),
            plain::points(result.points),
            result.attempt.to_string(),
            used(|usage| usage.cpu_time_us),
            used(|usage| usage.wall_time_us),
            used(|usage| usage.memory_peak_bytes),
            plain::cell(&why(&result)),
        ])?;
    }
    sheet.flush()
}

/// Writes `submissions.csv`. After the columns that every batch has come two for each group: its points and the most. Where
/// there is no verdict there are no points either.
///
/// # Errors
/// That of writing.
pub fn grades(to: impl Write, request: &BatchRequest, batch: &BatchResponse, tally: &Tally) -> io::Result<()> {
    let mut sheet = sheet(to);
    let groups = request.groups.iter().map(|group| &group.id);
    let groups = groups.flat_map(|id| ["points", "max_points"].map(|what| plain::cell(&format!("{id} {what}"))));
    sheet.write_record(OF_SUBMISSIONS.map(str::to_owned).into_iter().chain(groups))?;
    let of = request.tests.len().saturating_mul(usize::try_from(request.repeat).unwrap_or(usize::MAX));
    for (at, one) in batch.submission_results.iter().enumerate() {
        let language = request.submissions.get(at).map_or("", |submission| &submission.language);
        let (test, why) = reason(request, one, at, tally);
        let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
        let points = |points: Option<f64>| points.map_or(String::new(), plain::points);
        let mut row = vec![
            plain::cell(&one.id),
            plain::cell(language),
            one.verdict.map_or("", of_submission).to_owned(),
            points(one.points),
            plain::points(one.max_points),
            one.done.to_string(),
            of.to_string(),
            one.unjudged.to_string(),
            number(one.cpu_time_us_max),
            number(one.memory_peak_bytes_max),
            plain::cell(&test),
            plain::cell(&why),
        ];
        for group in &request.groups {
            // An engine from before they were told has none.
            let told = one.groups.iter().find(|told| told.id == group.id);
            row.push(points(told.and_then(|told| told.points)));
            row.push(points(told.map(|told| told.max_points)));
        }
        sheet.write_record(row)?;
    }
    sheet.flush()
}

/// The first test that a submission does not pass, and why it has the verdict that it has.
fn reason(request: &BatchRequest, one: &SubmissionResult, at: usize, tally: &Tally) -> (String, String) {
    if let Some(why) = one.compile.as_ref().and_then(of_compile) {
        return (String::new(), format!("compile: {why}"));
    }
    if compile_failed(one) {
        return (String::new(), "the program does not compile".to_owned());
    }
    let first = tally.first(at, one.verdict);
    let test = first.map_or(String::new(), |first| {
        let id = request.tests.get(first.test).map_or("", |test| &test.id);
        if request.repeat > 1 { format!("{id} #{}", first.repeat) } else { id.to_owned() }
    });
    let why = match (one.verdict, first) {
        (None, _) => "no verdict: the batch was cancelled before".to_owned(),
        (Some(_), None) => String::new(),
        (Some(_), Some(first)) if first.why.is_empty() => word(first.verdict).to_owned(),
        (Some(_), Some(first)) => format!("{}: {}", word(first.verdict), first.why),
    };
    (test, why)
}
