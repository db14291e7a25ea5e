//! What a batch came to, for people: a line per submission, fitted to the terminal, and one sentence.

use api_spec::{BatchRequest, BatchResponse, BatchStatus, BatchSummary, CompileTold, SubmissionResult};

use super::plain::{cut, line, points, width};
use super::tally::{Tally, of_submission, word};

/// The last column is not made narrower than this: then the line is longer than the terminal.
const LEAST: usize = 24;
/// Where there is no verdict yet.
const NONE: &str = "-";
/// No name takes more, so that the other columns stay beside each other.
const MOST: usize = 40;

/// What a submission came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Its name.
    pub id: String,
    /// The verdict, `-` where there is none yet.
    pub verdict: String,
    /// What it should have been.
    pub expected: Option<String>,
    /// The first test that it does not pass, and why.
    pub why: String,
    /// How many of its results say nothing about it.
    pub unjudged: u64,
    points: String,
    cpu: String,
    memory: String,
}

impl Judged {
    /// Whether it has a verdict: one of a batch that was cancelled may have none.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.verdict != NONE
    }

    /// Whether it is what its folder is named by.
    #[must_use]
    pub fn as_labelled(&self) -> bool {
        self.expected.as_ref().is_none_or(|expected| *expected == self.verdict)
    }
}

/// What each submission came to.
#[must_use]
pub fn judged(
    request: &BatchRequest,
    batch: &BatchResponse,
    tally: &Tally,
    expected: &[Option<String>],
) -> Vec<Judged> {
    let of = |(at, one): (usize, &SubmissionResult)| {
        let failed = one.compile.as_ref().and_then(of_compile);
        let first = tally.first(at, one.verdict).map(|first| {
            let id = request.tests.get(first.test).map_or("", |test| &test.id);
            let repeat = if request.repeat > 1 { format!(" #{}", first.repeat) } else { String::new() };
            let why = if first.why.is_empty() { String::new() } else { format!(": {}", first.why) };
            line(&format!("{id}{repeat} {}{why}", word(first.verdict)))
        });
        let why = match failed {
            Some(why) => format!("compile: {why}"),
            None => first.unwrap_or_default(),
        };
        let got = one.points.map_or("-".to_owned(), points);
        Judged {
            id: one.id.clone(),
            verdict: one.verdict.map_or(NONE, of_submission).to_owned(),
            expected: expected.get(at).cloned().flatten(),
            why,
            unjudged: one.unjudged,
            points: if one.max_points > 0.0 { format!("{got}/{}", points(one.max_points)) } else { "-".to_owned() },
            cpu: one.cpu_time_us_max.map_or("-".to_owned(), seconds),
            memory: one.memory_peak_bytes_max.map_or("-".to_owned(), mebibytes),
        }
    };
    batch.submission_results.iter().enumerate().map(of).collect()
}

/// The first line that says what is wrong, of a compile that failed.
#[must_use]
pub fn of_compile(told: &CompileTold) -> Option<String> {
    let reason = told.reason.as_ref()?;
    let said = [&told.stderr, &told.stdout].map(|stream| stream.to_bytes().unwrap_or_default());
    let said = said.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let lines = || said.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
    let first = lines().find(|line| line.contains("error")).or_else(|| lines().next());
    Some(line(first.unwrap_or(&reason.message)))
}

fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000)
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// The table. `labels`: with the verdicts that were expected. Where something could not be judged a column says how much. `columns`: of the terminal, where there is one.
#[must_use]
pub fn table(judged: &[Judged], labels: bool, columns: Option<usize>) -> String {
    let mut head = vec!["submission", "verdict", "points", "max CPU", "max memory", "first failing test"];
    let unjudged = judged.iter().any(|one| one.unjudged > 0);
    if unjudged {
        head.insert(3, "unjudged");
    }
    if labels {
        head.insert(2, "labelled");
    }
    let mut rows = vec![head.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()];
    for one in judged {
        let mut row = vec![
            cut(&line(&one.id), MOST),
            one.verdict.clone(),
            one.points.clone(),
            one.cpu.clone(),
            one.memory.clone(),
            one.why.clone(),
        ];
        if unjudged {
            row.insert(3, one.unjudged.to_string());
        }
        if labels {
            let sign = if one.as_labelled() { "" } else { " !" };
            row.insert(2, format!("{}{sign}", one.expected.as_deref().unwrap_or("-")));
        }
        rows.push(row);
    }
    let last = head.len() - 1;
    let widths: Vec<usize> = (0..last).map(|at| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    let before: usize = widths.iter().map(|width| width + 2).sum();
    let room = columns.map(|columns| columns.saturating_sub(before).max(LEAST));
    let numbers = head.iter().position(|title| *title == "points").unwrap_or(last)..last;
    let mut text = String::new();
    for row in &rows {
        let mut shown = String::new();
        for (at, wide) in widths.iter().enumerate() {
            let space = " ".repeat(wide.saturating_sub(width(&row[at])));
            shown +=
                &if numbers.contains(&at) { format!("{space}{}  ", row[at]) } else { format!("{}{space}  ", row[at]) };
        }
        shown += &room.map_or_else(|| row[last].clone(), |room| cut(&row[last], room));
        text += shown.trim_end();
        text.push('\n');
    }
    text
}

/// Whether all is as it should be, and a sentence that says so.
#[must_use]
pub fn sentence(judged: &[Judged], batch: &BatchResponse, tally: &Tally, labels: bool) -> (bool, String) {
    let unjudged = tally.unjudged().map_or(String::new(), |words| format!("; {words}"));
    let BatchSummary { id, status, done, results, .. } = &batch.batch;
    if *status == BatchStatus::Cancelled {
        return (
            false,
            format!("Batch {id} was cancelled: {done} of {results} results{unjudged}; --again judges it anew."),
        );
    }
    let (good, word) = if labels {
        (judged.iter().filter(|one| one.as_labelled()).count(), "as labelled")
    } else {
        (judged.iter().filter(|one| one.verdict == "accepted").count(), "accepted")
    };
    let start = match (good, judged.len()) {
        (1, 1) => "The only submission is".to_owned(),
        (0, 1) => "The only submission is not".to_owned(),
        (_, all) if good == all => format!("All {all} submissions are"),
        (1, all) => format!("1 of {all} submissions is"),
        (_, all) => format!("{good} of {all} submissions are"),
    };
    (good == judged.len(), format!("{start} {word} (batch {id}){unjudged}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(id: &str, why: &str) -> Judged {
        Judged {
            id: id.to_owned(),
            verdict: "wrong_answer".to_owned(),
            expected: Some("accepted".to_owned()),
            why: why.to_owned(),
            unjudged: 0,
            points: "0/10".to_owned(),
            cpu: "0.010 s".to_owned(),
            memory: "3.0 MiB".to_owned(),
        }
    }

    #[test]
    fn the_last_column_takes_what_the_terminal_has_left() {
        let long = "2 wrong_answer: line 1, column 1: expected \"42\", found \"41\"";
        let rows = [judged("漢字.py", long), judged(&"n".repeat(60), ""), judged("a\u{1b}[2J\nb", "短い")];
        for (columns, most) in [(Some(120), 120), (Some(20), 40 + 2 + 14 + 8 + 9 + 12 + LEAST), (None, usize::MAX)] {
            let table = table(&rows, false, columns);
            assert_eq!(table.lines().count(), 4);
            assert!(table.lines().all(|line| width(line) <= most), "{table}");
            // Whatever stands in it, the columns are below each other.
            let verdicts: Vec<usize> =
                table.lines().skip(1).map(|line| width(line.split_once("wrong_answer").unwrap().0)).collect();
            assert_eq!(verdicts, [42, 42, 42], "{table}");
            assert_eq!(table.contains("found \"41\""), columns.is_none(), "{table}");
            assert!(!table.contains('\u{1b}'));
        }
    }

    #[test]
    fn labels_stand_beside_the_verdicts() {
        let table = table(&[judged("a", "x")], true, None);
        assert_eq!(
            table,
            "submission  verdict       labelled    points  max CPU  max memory  first failing test\n\
             a           wrong_answer  accepted !    0/10  0.010 s     3.0 MiB  x\n"
        );
    }
}
