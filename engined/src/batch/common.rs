//! What all submissions of a batch have in common: read once, and held for as long as one of them is being judged.

use std::collections::HashMap;
use std::sync::Arc;

use api_spec::CheckerKind;
use grading::score;
use store::{Answer, LeasedSubmission, Question, Store};

use super::account::{Account, Missed};
use super::checker::{Checker, Finding};
use super::spec::{self, BatchSpec, TestSpec};
use crate::budget::Reservation;
use crate::engine::Engine;

/// What is common to a batch.
#[derive(Debug)]
pub struct Common {
    /// As it came.
    pub spec: BatchSpec,
    /// In order.
    pub tests: Vec<Test>,
    /// How often each is run.
    pub repeat: u32,
    /// The tests as points are counted.
    pub worth: Vec<score::Test>,
    /// The rules of the groups.
    pub rules: Vec<score::Rule>,
    /// The checker, where it is a program, or why there is none.
    pub checker: Option<Result<Checker, Finding>>,
    _memory: Reservation,
}

/// A test, without its data.
#[derive(Debug)]
pub struct Test {
    /// The caller's name for it.
    pub name: Arc<str>,
    /// The rest.
    pub spec: TestSpec,
}

impl Common {
    /// Reads it. The inner error: what is kept can't be read.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn load(
        engine: &Engine,
        store: &Arc<dyn Store>,
        account: &Account,
        leased: &LeasedSubmission,
    ) -> Result<Result<Common, String>, Missed> {
        let answer = store.read(Question::Tests { batch: leased.batch.clone() }).await;
        let rows = match answer {
            Ok(Answer::Tests(rows)) => rows,
            Ok(_) => return Ok(Err("the store has answered something else".to_owned())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let bytes: usize = rows.iter().map(|row| 2 * (row.name.len() + row.spec.len()) + size_of::<Test>()).sum();
        let memory = account.memory(engine, (bytes + 2 * leased.spec.len()) as u64).await?;
        let read = || -> serde_json::Result<Common> {
            let spec: BatchSpec = spec::read(&leased.spec)?;
            let tests = rows.into_iter().map(|row| Ok(Test { name: row.name.into(), spec: spec::read(&row.spec)? }));
            let tests = tests.collect::<serde_json::Result<Vec<_>>>()?;
            let places: HashMap<&str, usize> =
                spec.groups.iter().enumerate().map(|(place, group)| (group.id.as_str(), place)).collect();
            let place = |test: &Test| test.spec.group.as_deref().and_then(|group| places.get(group).copied());
            let worth = tests.iter().map(|test| score::Test { points: test.spec.points, group: place(test) }).collect();
            let rules = spec.groups.iter().map(|group| rule(group.rule)).collect();
            Ok(Common { tests, worth, rules, checker: None, repeat: leased.repeat, spec, _memory: memory })
        };
        let mut common = match read() {
            Ok(common) => common,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let checker = common.spec.checker.as_ref().filter(|checker| checker.kind == CheckerKind::Program);
        if let Some(program) = checker.and_then(|checker| checker.program.clone()) {
            let built = Checker::build(engine, account.clone(), program).await?;
            if let Err(Finding::Ours(reason)) = built {
                return Ok(Err(reason.message));
            }
            common.checker = Some(built);
        }
        Ok(Ok(common))
    }

    /// A test by its place.
    #[must_use]
    pub fn test(&self, place: u32) -> Option<&Test> {
        self.tests.get(usize::try_from(place).ok()?)
    }

    /// The points of a run.
    #[must_use]
    pub fn points(&self, place: u32, accepted: bool, share: f64) -> f64 {
        let test = usize::try_from(place).ok().and_then(|place| self.worth.get(place));
        test.map_or(0.0, |test| score::points(test, accepted, share))
    }
}

fn rule(rule: api_spec::Rule) -> score::Rule {
    match rule {
        api_spec::Rule::All => score::Rule::All,
        api_spec::Rule::Sum => score::Rule::Sum,
        api_spec::Rule::Min => score::Rule::Min,
    }
}
