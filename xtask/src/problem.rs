//! Errors of xtask: what went wrong, and what to do about it.

use std::fmt;

/// A failure of ours, told with its remedy.
#[derive(Debug)]
pub struct Problem {
    what: String,
    remedy: String,
}

/// What most functions here give.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// `what` says which thing, with which value, failed why; `remedy` is a command or a setting.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Problem { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  remedy: {}", self.what, self.remedy)
    }
}

/// Gives an error of the system its context.
pub trait Context<T> {
    /// As [`Problem::new`], with the cause put behind `what`.
    fn or_problem(self, what: impl Into<String>, remedy: &str) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn or_problem(self, what: impl Into<String>, remedy: &str) -> Result<T> {
        self.map_err(|cause| Problem::new(format!("{}: {cause}", what.into()), remedy))
    }
}
