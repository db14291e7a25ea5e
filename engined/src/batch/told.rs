//! What a result says: made once, when it is known, with no more in it than the batch's `feedback` allows. What is hidden is
//! never kept.

use api_spec::{
    CheckerTold, CompileTold, ExecutionResult, Feedback, OutputEncoding, Reason, Stream, SubmissionResult,
    SubmissionVerdict, TestVerdict, Usage, Verdict,
};
use serde::{Deserialize, Serialize};
use store::Unit;

use super::room::Room;

/// So much is kept of what a program wrote; how much of it is told, [`super::room`] says.
pub const HEAD: usize = 4 << 10;

/// What became of one run of a test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In one word.
    pub verdict: TestVerdict,
    /// The share of the test's points that it has got, from 0 to 1.
    pub share: f64,
    /// Why.
    pub reason: Option<Reason>,
    /// What the run used.
    pub usage: Option<Usage>,
    /// What the checker says.
    pub checker: Option<CheckerTold>,
    /// The heads of its streams.
    pub streams: Option<[Stream; 2]>,
}

impl Outcome {
    /// One that was not run.
    #[must_use]
    pub fn skipped() -> Outcome {
        Outcome::without_run(TestVerdict::Skipped, None)
    }

    /// One that we could not run.
    #[must_use]
    pub fn ours(reason: Reason) -> Outcome {
        Outcome::without_run(TestVerdict::Run(Verdict::EngineError), Some(reason))
    }

    fn without_run(verdict: TestVerdict, reason: Option<Reason>) -> Outcome {
        Outcome { verdict, share: 0.0, reason, usage: None, checker: None, streams: None }
    }

    /// Whether it is.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.verdict == TestVerdict::Accepted
    }
}

/// As results have it.
#[must_use]
pub fn name(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::Accepted => "accepted",
        TestVerdict::WrongAnswer => "wrong_answer",
        TestVerdict::CheckerError => "checker_error",
        TestVerdict::Skipped => "skipped",
        TestVerdict::Run(verdict) => verdict.name(),
    }
}

/// A line of the results: [`api_spec::TestResult`] without its number, which the store gives.
#[derive(Serialize)]
struct Line<'a> {
    submission: &'a str,
    test: &'a str,
    repeat: u32,
    attempt: u32,
    verdict: TestVerdict,
    points: f64,
    reason: Option<&'a Reason>,
    usage: Option<&'a Usage>,
    checker: Option<&'a CheckerTold>,
    stdout: Option<&'a Stream>,
    stderr: Option<&'a Stream>,
    finished_at: &'a str,
}

/// Of whom a line is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The submission's name.
    pub submission: &'a str,
    /// The test's name.
    pub test: &'a str,
    /// Which run of it.
    pub unit: Unit,
    /// How often it was tried.
    pub attempt: u32,
    /// What it has got.
    pub points: f64,
    /// When.
    pub finished_at: &'a str,
}

/// The line of a run, with `room` bytes for what programs wrote.
///
/// # Errors
/// That of serialising.
pub fn line(whose: &Whose<'_>, outcome: &Outcome, feedback: Feedback, room: u64) -> serde_json::Result<Vec<u8>> {
    let mut room = Room::of(room);
    let full = feedback == Feedback::Full;
    // That something of ours is broken must be said, and says nothing of the test.
    let reason =
        outcome.reason.as_ref().filter(|_| full || outcome.verdict.is_unjudged()).map(|reason| room.reason(reason));
    let streams = outcome.streams.as_ref().filter(|_| full);
    let (checker, streams) = room.said(outcome.checker.as_ref().filter(|_| full), streams);
    let [stdout, stderr] = streams.as_ref().map_or([None; 2], |[stdout, stderr]| [Some(stdout), Some(stderr)]);
    serde_json::to_vec(&Line {
        submission: whose.submission,
        test: whose.test,
        repeat: whose.unit.repeat,
        attempt: whose.attempt,
        verdict: outcome.verdict,
        points: whose.points,
        reason: reason.as_ref(),
        usage: outcome.usage.as_ref(),
        checker: checker.as_ref(),
        stdout,
        stderr,
        finished_at: whose.finished_at,
    })
}

/// What is needed of a result when its submission is taken up again: it is kept beside the line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// In one word.
    #[serde(rename = "v")]
    pub verdict: TestVerdict,
    /// The share of the points.
    #[serde(rename = "s")]
    pub share: f64,
    /// CPU time.
    #[serde(rename = "c")]
    pub cpu_us: Option<u64>,
    /// Memory peak.
    #[serde(rename = "m")]
    pub memory: Option<u64>,
}

impl Note {
    /// Of a result.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Note {
        let usage = outcome.usage.as_ref();
        Note {
            verdict: outcome.verdict,
            share: outcome.share,
            cpu_us: usage.map(|usage| usage.cpu_time_us),
            memory: usage.map(|usage| usage.memory_peak_bytes),
        }
    }

    /// Whether the tests after it are run, whatever the batch's `stop`: what says nothing about the program has not failed.
    #[must_use]
    pub fn stops_nothing(&self) -> bool {
        self.verdict == TestVerdict::Accepted || self.verdict.is_unjudged()
    }
}

/// The line of a submission.
///
/// # Errors
/// That of serialising.
pub fn submission(
    id: &str,
    verdict: SubmissionVerdict,
    (points, max_points, group_points): (f64, f64, Vec<f64>),
    (done, unjudged): (u64, u64),
    [cpu, memory]: [Option<u64>; 2],
    compile: Option<CompileTold>,
    (feedback, room): (Feedback, u64),
) -> serde_json::Result<Vec<u8>> {
    let result = SubmissionResult {
        id: id.to_owned(),
        verdict: Some(verdict),
        points: Some(points),
        max_points,
        groups: Vec::new(),
        done,
        unjudged,
        cpu_time_us_max: cpu,
        memory_peak_bytes_max: memory,
        compile: compile.filter(|_| feedback == Feedback::Full).map(|told| Room::of(room).compile(&told)),
    };
    serde_json::to_vec(&OfSubmission { result, by_group: ByGroup { group_points } })
}

/// The line of a submission as it is kept: groups have their names and the most they bring in the spec of the batch.
#[derive(Serialize)]
struct OfSubmission {
    #[serde(flatten)]
    result: SubmissionResult,
    #[serde(flatten)]
    by_group: ByGroup,
}

/// What of a submission's line is about groups, in the order of the batch's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ByGroup {
    /// What it has got in each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_points: Vec<f64>,
}

/// The start of a stream, as much as is kept of it.
#[must_use]
pub fn head(stream: &Stream) -> Stream {
    let mut kept = stream.to_bytes().unwrap_or_default();
    kept.truncate(HEAD);
    Stream::new(kept, stream.bytes, OutputEncoding::default())
}

/// What is told of a compile.
#[must_use]
pub fn compile(result: &ExecutionResult) -> Option<CompileTold> {
    let compile = result.compile.as_ref()?;
    let [stdout, stderr] = [head(&compile.stdout), head(&compile.stderr)];
    Some(CompileTold { cached: compile.cached, reason: result.reason.clone(), stdout, stderr })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::verdict::plain;

    fn told(outcome: &Outcome, feedback: Feedback) -> Value {
        let unit = Unit { test: Some(0), repeat: 2 };
        let whose = Whose {
            submission: "s",
            test: "t",
            unit,
            attempt: 1,
            points: 2.5,
            finished_at: "2026-11-26T12:00:00.000Z",
        };
        let line: Value = serde_json::from_slice(&line(&whose, outcome, feedback, 4_096).unwrap()).unwrap();
        let mut numbered = line.clone();
        numbered["seq"] = 7.into();
        let result: api_spec::TestResult = serde_json::from_value(numbered).unwrap();
        assert_eq!((result.repeat, result.points), (2, 2.5));
        line
    }

    #[test]
    fn what_is_hidden_is_not_there() {
        let stream = Stream::new(b"secret".to_vec(), 6, api_spec::OutputEncoding::default());
        let outcome = Outcome {
            verdict: TestVerdict::WrongAnswer,
            share: 0.5,
            reason: Some(plain("secret")),
            usage: None,
            checker: Some(CheckerTold { message: Some("secret".to_owned()), ..CheckerTold::default() }),
            streams: Some([stream.clone(), stream]),
        };
        let full = told(&outcome, Feedback::Full);
        assert_eq!((&full["stdout"]["text"], &full["checker"]["message"]), (&"secret".into(), &"secret".into()));
        let hidden = told(&outcome, Feedback::VerdictOnly);
        assert!(!hidden.to_string().contains("secret"), "{hidden}");
        let ours = told(&Outcome::ours(plain("a disk is broken")), Feedback::VerdictOnly);
        assert_eq!(ours["reason"]["message"], "a disk is broken");
    }

    #[test]
    fn no_line_is_longer_than_what_the_store_keeps_for_it() {
        let zeros = |count: usize| Stream::new(vec![0; count], u64::MAX, api_spec::OutputEncoding::default());
        let usage = Usage {
            cpu_time_us: u64::MAX,
            user_time_us: u64::MAX,
            system_time_us: u64::MAX,
            wall_time_us: u64::MAX,
            memory_peak_bytes: u64::MAX,
            memory_peak_source: api_spec::MemoryPeakSource::Kernel,
            processes_peak: u64::MAX,
            throttled_us: u64::MAX,
            involuntary_switches: u64::MAX,
        };
        let difference = api_spec::Difference {
            line: u64::MAX,
            column: u64::MAX,
            expected: Some("\0".repeat(80)),
            found: Some("\0".repeat(80)),
        };
        let checker = CheckerTold {
            message: Some("\0".repeat(1_024)),
            difference: Some(difference),
            exit_code: Some(255),
            stderr: Some(zeros(16 << 10)),
            files: (0..16).map(|n| ("\u{1}".repeat(200) + &n.to_string(), zeros(64 << 10))).collect(),
            files_omitted: u64::MAX - 16,
        };
        let name = "\"".repeat(128);
        let unit = Unit { test: Some(0), repeat: u32::MAX };
        let whose = Whose {
            submission: &name,
            test: &name,
            unit,
            attempt: u32::MAX,
            points: 123_456_789.123_456_78,
            finished_at: "2026-11-26T12:00:00.000Z",
        };
        let reason = Reason {
            limit: Some(api_spec::LimitName::CpuTimeMs),
            value: Some(u64::MAX),
            observed: Some(u64::MAX),
            message: "\u{1}".repeat(1_000),
            hint: None,
        };
        for (reason, checker, kept) in [
            (Some(reason), None, 4_096),
            (None, Some(checker.clone()), 4_096),
            (None, Some(CheckerTold { message: None, difference: None, ..checker }), 300),
            (None, None, 4_096),
        ] {
            let streams = Some([zeros(kept), zeros(kept)]);
            let outcome = Outcome {
                verdict: TestVerdict::CheckerError,
                share: 0.123_456_789,
                reason,
                usage: Some(usage),
                checker,
                streams,
            };
            for told in [256, 4_096] {
                let line = line(&whose, &outcome, Feedback::Full, told).unwrap();
                let note = serde_json::to_vec(&Note::of(&outcome)).unwrap();
                let most = super::super::room::line(told, super::super::room::IDS, 0);
                assert!(((line.len() + note.len()) as u64) <= most, "{} of {most}", line.len() + note.len());
            }
        }
    }

    #[test]
    fn a_note_is_short_and_read_again() {
        let note =
            Note { verdict: TestVerdict::Run(Verdict::CpuTimeLimit), share: 0.25, cpu_us: Some(7), memory: None };
        let text = serde_json::to_vec(&note).unwrap();
        assert_eq!(serde_json::from_slice::<Note>(&text).unwrap(), note);
        assert!(text.len() < 60, "{}", text.len());
    }

    #[test]
    fn the_line_of_a_submission_finds_room_with_the_points_of_its_groups() {
        use super::super::room;
        let name = "\"".repeat(128);
        let compile = CompileTold {
            cached: false,
            reason: Some(Reason { limit: None, value: None, observed: None, message: "\0".repeat(4_096), hint: None }),
            stdout: Stream::new(vec![0; HEAD], u64::MAX, OutputEncoding::default()),
            stderr: Stream::new(vec![0; HEAD], u64::MAX, OutputEncoding::default()),
        };
        for (groups, told) in [(0, 4_096), (32, 4_096), (32, 256), (33, 256), (10_000, 4_096)] {
            let got = vec![123_456.789_012_345_67; groups];
            let verdict = SubmissionVerdict::Test(TestVerdict::Run(Verdict::SecurityViolation));
            let points = (123_456_789.123_456_78, 123_456_789.123_456_78, got.clone());
            let counts = ((u64::MAX, u64::MAX), [Some(u64::MAX); 2]);
            let line =
                submission(&name, verdict, points, counts.0, counts.1, Some(compile.clone()), (Feedback::Full, told));
            let line = line.unwrap();
            assert_eq!(serde_json::from_slice::<ByGroup>(&line).unwrap().group_points, got);
            assert_eq!(serde_json::from_slice::<SubmissionResult>(&line).unwrap().groups, []);
            // With one test in each group, and what is counted to these over what a line always has.
            let [one, more] = [0, groups].map(|groups| room::line(told, room::IDS, groups));
            let room = one + (more - one) * groups as u64;
            assert!(line.len() as u64 <= room, "{groups} groups, {told}: {} of {room}", line.len());
        }
    }
}
