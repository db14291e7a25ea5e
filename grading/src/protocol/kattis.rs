//! The Kattis problem package format: versions `legacy`, `legacy-icpc`, `2023-07-draft` and `2025-09`, *Output Validators*.
//!
//! Exit code 42 is right, 43 is wrong, any other means that the validator did not work. A validator that gives part of the
//! points says how much in `score_multiplier.txt` (a factor from 0 to 1) or `score.txt` (points of the test), and exits with
//! 42. Without either it gives all of them.
//!
//! Why a checker has failed is told to everybody, so none of its words are in that.

use super::{CheckerOpinion, Said, decimal, partly, points};

const ACCEPTED: u8 = 42;
const WRONG: u8 = 43;

pub(super) fn opinion(code: u8, said: &Said<'_>, worth: f64) -> CheckerOpinion {
    match code {
        ACCEPTED => accepted(said, worth),
        WRONG => CheckerOpinion::Wrong { share: 0.0 },
        _ => CheckerOpinion::Failed(format!(
            "the checker ended with exit code {code}; a Kattis output validator says 42 (right) or 43 (wrong)"
        )),
    }
}

fn accepted(said: &Said<'_>, worth: f64) -> CheckerOpinion {
    let file = |name: &str| said.files.get(name).map(|text| decimal(text.trim_ascii()));
    match (file("score_multiplier.txt"), file("score.txt")) {
        (None, None) => CheckerOpinion::Accepted,
        (Some(Some(factor)), None) if (0.0..=1.0).contains(&factor) => partly(factor),
        (None, Some(Some(got))) => points(got, worth, "score.txt"),
        (Some(_), None) => failed("score_multiplier.txt says no number from 0 to 1"),
        (None, Some(_)) => failed("score.txt says no number"),
        (Some(_), Some(_)) => CheckerOpinion::Failed(
            "the checker has left both score.txt and score_multiplier.txt; it can't be told which counts".to_owned(),
        ),
    }
}

/// The words of the file are not told here: whoever may see them finds them with the files.
fn failed(what: &str) -> CheckerOpinion {
    CheckerOpinion::Failed(format!("the checker's {what}"))
}
