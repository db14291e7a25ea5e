//! How a checker program is called, and what its end means.
//!
//! Two protocols: output validators of the Kattis problem package format, and checkers that use testlib. Of neither is any
//! program here; both are told from their documents. What is not said by them is a failure of the checker, never a verdict on
//! the program that it has judged.

use std::collections::BTreeMap;

mod kattis;
mod testlib;

/// How a checker is called, and what its end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// An output validator of the Kattis problem package format: `input answer feedback/ [arguments]`, the output on its
    /// standard input. Exit code 42: right, 43: wrong.
    Kattis,
    /// A checker that uses testlib: `input output answer [arguments]`. Exit code 0: right, 1, 2, 4 and 8: wrong, 7: points.
    Testlib,
}

/// Where a checker finds what it reads, and where it leaves what it writes.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    /// What the program has read.
    pub input: &'a str,
    /// What it has written. Of no use where [`Protocol::output_on_stdin`].
    pub output: &'a str,
    /// What was expected.
    pub answer: &'a str,
    /// A folder, without the slash at its end.
    pub feedback: &'a str,
}

/// How a checker has ended.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// With this code.
    Exited(u8),
    /// By a signal, by a limit, or not at all: in words.
    Otherwise(&'a str),
}

/// What a checker has left.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The start of what it wrote to its standard error.
    pub stderr: &'a [u8],
    /// The files in its feedback folder, by name.
    pub files: &'a BTreeMap<String, Vec<u8>>,
}

/// What a checker says of an output.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckerOpinion {
    /// It is right.
    Accepted,
    /// It is not, or not wholly.
    Wrong {
        /// The share of the test's points that it gets all the same: from 0 up, below 1.
        share: f64,
    },
    /// The checker has failed: why, without a word of its own, which may hold what is to stay secret. Nothing is said about
    /// the output.
    Failed(String),
}

impl Protocol {
    /// The arguments of the checker, without its name.
    #[must_use]
    pub fn arguments(self, paths: &Paths<'_>, more: &[String]) -> Vec<String> {
        let fixed = match self {
            Protocol::Kattis => [paths.input.to_owned(), paths.answer.to_owned(), format!("{}/", paths.feedback)],
            Protocol::Testlib => [paths.input, paths.output, paths.answer].map(str::to_owned),
        };
        fixed.into_iter().chain(more.iter().cloned()).collect()
    }

    /// Whether it reads the output from its standard input, not from a file.
    #[must_use]
    pub fn output_on_stdin(self) -> bool {
        self == Protocol::Kattis
    }

    /// Whether it has a feedback folder.
    #[must_use]
    pub fn has_feedback(self) -> bool {
        self == Protocol::Kattis
    }

    /// What a checker says of an output for a test that is worth so many points.
    #[must_use]
    pub fn opinion(self, end: End<'_>, said: &Said<'_>, points: f64) -> CheckerOpinion {
        match (self, end) {
            (_, End::Otherwise(how)) => CheckerOpinion::Failed(format!("the checker did not end by itself: {how}")),
            (Protocol::Kattis, End::Exited(code)) => kattis::opinion(code, said, points),
            (Protocol::Testlib, End::Exited(code)) => testlib::opinion(code, said, points),
        }
    }

    /// What it says in words, where it does.
    #[must_use]
    pub fn message(self, said: &Said<'_>) -> Option<String> {
        let text = match self {
            Protocol::Kattis => ["judgemessage.txt", "teammessage.txt"]
                .into_iter()
                .filter_map(|name| said.files.get(name))
                .find(|text| !text.trim_ascii().is_empty())?,
            Protocol::Testlib => said.stderr,
        };
        let text = text.trim_ascii();
        let short = String::from_utf8_lossy(&text[..text.len().min(MESSAGE)]).trim_end_matches('\u{fffd}').to_owned();
        (!short.is_empty()).then_some(short)
    }
}

/// So much of its words is told as a message.
const MESSAGE: usize = 1024;

/// An output that gets this share of its test's points. The whole of them is right.
fn partly(share: f64) -> CheckerOpinion {
    if share >= 1.0 { CheckerOpinion::Accepted } else { CheckerOpinion::Wrong { share: crate::score::share(share) } }
}

/// An output that gets so many points, said by `whose`, of the `worth` of its test.
fn points(got: f64, worth: f64, whose: &str) -> CheckerOpinion {
    // They come as decimals with ten digits behind the point. Of a test that is worth less than that, none is still not all.
    let rounding = (1e-9 * worth.max(1.0)).min(worth / 2.0);
    if !(0.0..=worth + rounding).contains(&got) {
        return CheckerOpinion::Failed(format!(
            "the checker's {whose} gives points that the test does not have: it has from 0 to {worth}"
        ));
    }
    if worth > 0.0 && got >= worth - rounding { CheckerOpinion::Accepted } else { partly_of(got, worth) }
}

fn partly_of(got: f64, worth: f64) -> CheckerOpinion {
    CheckerOpinion::Wrong { share: if worth > 0.0 { crate::score::share(got / worth) } else { 0.0 } }
}

/// A decimal number, as doubles are written.
fn decimal(text: &[u8]) -> Option<f64> {
    crate::compare::number(text).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests;
