//! Steps as they were last made for a toolchain. Most requests in a language ask for the same commands under the same
//! limits: what a manifest comes to is worked out for the first of them, and shared by those that follow.

use std::sync::{Arc, Mutex, PoisonError};

use languages::Limits;

use crate::job::{CompileStep, Step};

/// What a compile step follows from, beside its toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The caller's flags.
    pub flags: Vec<String>,
    /// What is compiled.
    pub sources: Vec<String>,
    /// Under which limits.
    pub limits: Limits,
    /// With what was made of the toolchain ahead of time, if there is any.
    pub tunable: bool,
}

/// What a run follows from, beside its toolchain, where the caller adds no arguments and no environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which file is run.
    pub entry: Option<String>,
    /// Under which limits.
    pub limits: Limits,
}

/// The last step, and what it follows from.
#[derive(Debug)]
struct Last<W, S>(Mutex<Option<(W, Arc<S>)>>);

impl<W, S> Default for Last<W, S> {
    fn default() -> Self {
        Last(Mutex::default())
    }
}

impl<W, S> Last<W, S> {
    fn get<E>(&self, is: impl FnOnce(&W) -> bool, make: impl FnOnce() -> Result<(W, S), E>) -> Result<Arc<S>, E> {
        let last = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, step)) = last().as_ref().filter(|(wanted, _)| is(wanted)) {
            return Ok(Arc::clone(step));
        }
        let (wanted, step) = make()?;
        let step = Arc::new(step);
        *last() = Some((wanted, Arc::clone(&step)));
        Ok(step)
    }
}

/// Those of one toolchain of a language. A copy begins with none.
#[derive(Debug, Default)]
pub struct Made {
    compile: Last<Compiled, CompileStep>,
    run: Last<Run, Step>,
}

impl Made {
    /// The compile step for what is wanted.
    ///
    /// # Errors
    /// That of making it.
    pub fn compile<E>(
        &self,
        is: impl FnOnce(&Compiled) -> bool,
        make: impl FnOnce() -> Result<(Compiled, CompileStep), E>,
    ) -> Result<Arc<CompileStep>, E> {
        self.compile.get(is, make)
    }

    /// The run step for what is wanted.
    ///
    /// # Errors
    /// That of making it.
    pub fn run<E>(
        &self,
        is: impl FnOnce(&Run) -> bool,
        make: impl FnOnce() -> Result<(Run, Step), E>,
    ) -> Result<Arc<Step>, E> {
        self.run.get(is, make)
    }
}

impl Clone for Made {
    fn clone(&self) -> Self {
        Made::default()
    }
}

/// It says nothing of the toolchain that it belongs to.
impl PartialEq for Made {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Made {}
