//! `results.csv`: a line per submission, test and repeat, in the order of the request. RFC 4180, and nothing in it is a
//! formula.

use std::io::{self, Write};

use api_spec::BatchRequest;

use super::keep::Kept;
use super::plain;
use super::tally::{why, word};

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

/// Writes it.
///
/// # Errors
/// That of writing, or of reading the results.
pub fn write(to: impl Write, request: &BatchRequest, kept: &Kept) -> io::Result<()> {
    let mut sheet = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
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
