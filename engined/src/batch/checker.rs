//! What an output is worth: it is compared as it comes ([`comparing`]), or kept on the disk ([`spool`]) for a program of the
//! caller's that looks at it. Of neither is anything in memory as a whole.

use std::fs::File;
use std::sync::Arc;

use api_spec::{CheckerTold, Reason};

use crate::job::Stdin;

pub use asking::{Checker, in_the_way, most_given};

mod asking;
pub mod comparing;
pub mod spool;

/// What a checker is given of one run.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What the submission has read.
    pub input: Stdin,
    /// What is expected; empty where the test has nothing of it.
    pub answer: Stdin,
    /// What the submission has written, from the file's beginning to its end. Nobody has a name for it.
    pub output: Arc<File>,
}

/// What it says.
#[derive(Clone, Debug)]
pub struct Checked {
    /// In short.
    pub finding: Finding,
    /// At length, as the result tells it.
    pub told: CheckerTold,
}

/// What a checker finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The output is right.
    Right,
    /// It is not.
    Wrong,
    /// It is worth this share of the test's points, from 0 to 1. All of it is right.
    Part(f64),
    /// The checker has failed: it says nothing of the submission.
    Failed(Reason),
    /// We have failed, or its sandbox was lost: it may be asked again.
    Ours(Reason),
    /// It was stopped, as nobody wants to know any more.
    Stopped,
}
