//! Random steps on a store and on a simple model of it, with the store opened again at any point: both say the same.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use proptest::prelude::*;
use store::*;

/// A step. The numbers choose among what there is at the moment.
#[derive(Clone, Debug)]
enum Step {
    Put { submissions: u32, tests: u32, repeat: u32, key: Option<(u8, u8)> },
    Again { batch: usize, some: bool },
    Lease { any: usize, idle: usize },
    Units { mine: usize, units: Vec<usize> },
    Return { mine: usize, units: Vec<usize>, submission_too: bool },
    Result { mine: usize, unit: usize, verdict: bool },
    Over { mine: usize },
    Cancel { batch: usize },
    Expire { after: i64 },
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let units = || prop::collection::vec(0..20_usize, 0..5);
    let key = prop::option::of((0..3_u8, 0..2_u8));
    let step = prop_oneof![
        3 => (0..3_u32, 1..4_u32, 1..3_u32, key)
            .prop_map(|(submissions, tests, repeat, key)| Step::Put { submissions, tests, repeat, key }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(batch, some)| Step::Again { batch, some }),
        4 => (0..4_usize, 0..3_usize).prop_map(|(any, idle)| Step::Lease { any, idle }),
        5 => (any::<usize>(), units()).prop_map(|(mine, units)| Step::Units { mine, units }),
        2 => (any::<usize>(), units(), any::<bool>())
            .prop_map(|(mine, units, submission_too)| Step::Return { mine, units, submission_too }),
        12 => (any::<usize>(), any::<usize>(), any::<bool>())
            .prop_map(|(mine, unit, verdict)| Step::Result { mine, unit, verdict }),
        3 => any::<usize>().prop_map(|mine| Step::Over { mine }),
        1 => any::<usize>().prop_map(|batch| Step::Cancel { batch }),
        1 => (0..6_i64).prop_map(|after| Step::Expire { after }),
        2 => Just(Step::Open),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Debug, Default)]
struct Submission {
    name: String,
    note: bool,
    attempts: BTreeMap<Unit, u32>,
    done: BTreeSet<Unit>,
    over: bool,
}

#[derive(Clone, Debug, Default)]
struct Batch {
    id: String,
    tests: u32,
    repeat: u32,
    submissions: Vec<Submission>,
    lines: Vec<Vec<u8>>,
    verdicts: BTreeMap<String, u64>,
    leased_once: bool,
    finished: Option<i64>,
    cancelled: bool,
    rejudge_of: Option<String>,
}

impl Batch {
    fn units(&self) -> Vec<Unit> {
        let repeats = |test| (1..=self.repeat).map(move |repeat| Unit { test: Some(test), repeat });
        std::iter::once(COMPILE).chain((0..self.tests).flat_map(repeats)).collect()
    }

    fn open(&self) -> bool {
        self.finished.is_none()
    }

    fn status(&self) -> Status {
        match (self.cancelled, self.finished, self.leased_once) {
            (true, ..) => Status::Cancelled,
            (_, Some(_), _) => Status::Finished,
            (.., true) => Status::Running,
            _ => Status::Queued,
        }
    }
}

/// The model and the store.
struct Both {
    folder: Folder,
    store: Option<Arc<SqliteStore>>,
    batches: Vec<Batch>,
    keys: BTreeMap<u8, (u8, String, i64)>,
    mine: BTreeSet<(String, u32)>,
    now: i64,
    next: u32,
}

impl Both {
    fn new() -> Both {
        let folder = Folder::new();
        let mut both = Both {
            folder,
            store: None,
            batches: Vec::new(),
            keys: BTreeMap::new(),
            mine: BTreeSet::new(),
            now: 0,
            next: 0,
        };
        both.open();
        both
    }

    fn open(&mut self) {
        drop(self.store.take());
        let options = Options { keep: Duration::from_millis(20), ..Options::new(self.folder.path()) };
        self.store = Some(SqliteStore::open(options).unwrap());
        self.mine.clear();
    }

    fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    fn batch(&mut self, id: &str) -> &mut Batch {
        self.batches.iter_mut().find(|batch| batch.id == id).unwrap()
    }

    /// One of those that are leased, with the model of it.
    fn one_of_mine(&self, choice: usize) -> Option<(String, u32, Batch)> {
        let (id, place) = self.mine.iter().nth(choice % self.mine.len().max(1))?.clone();
        Some((id.clone(), place, self.batches.iter().find(|batch| batch.id == id)?.clone()))
    }

    fn step(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Put { submissions, tests, repeat, key } => self.put(submissions, tests, repeat, key),
            Step::Again { batch, some } => self.again(batch, some),
            Step::Lease { any, idle } => self.lease(any, idle),
            Step::Units { mine, units } => self.units(mine, &units),
            Step::Return { mine, units, submission_too } => self.give_back(mine, &units, submission_too),
            Step::Result { mine, unit, verdict } => self.result(mine, unit, verdict),
            Step::Over { mine } => self.over(mine),
            Step::Cancel { batch } => self.cancel(batch),
            Step::Expire { after } => self.expire(after),
            Step::Open => self.open(),
        }
        self.compare();
    }

    fn put(&mut self, submissions: u32, tests: u32, repeat: u32, key: Option<(u8, u8)>) {
        self.next += 1;
        let id = format!("b{}", self.next);
        let until = self.now + 10;
        let mut new = batch(&id, submissions, tests, repeat);
        new.created = self.now;
        new.key = key.map(|(key, body)| IdempotencyKey { key: key.to_string(), body: [body; 32], until });
        let now = self.now;
        self.keys.retain(|known, (_, _, until)| key.is_none_or(|(key, _)| key != *known) || *until > now);
        let expected = match key.and_then(|(key, body)| Some((body, self.keys.get(&key)?))) {
            Some((body, (before, id, _))) if body == *before => Placed::Before(id.clone()),
            Some(_) => Placed::Conflict,
            None => Placed::New,
        };
        assert_eq!(put(self.store(), new), expected);
        if expected == Placed::New {
            let submission = |n| Submission { name: format!("s{n}"), ..Submission::default() };
            let finished = (submissions == 0).then_some(self.now);
            let submissions = (0..submissions).map(submission).collect();
            if let Some((key, body)) = key {
                self.keys.insert(key, (body, id.clone(), until));
            }
            self.batches.push(Batch { id, tests, repeat, submissions, finished, ..Batch::default() });
        }
    }

    fn again(&mut self, choice: usize, some: bool) {
        let Some(first) = self.batches.get(choice % self.batches.len().max(1)).cloned() else { return };
        let names = first.submissions.iter().map(|one| one.name.clone());
        let names: Vec<String> = if some { names.rev().take(1).collect() } else { names.collect() };
        self.next += 1;
        let id = format!("b{}", self.next);
        let given = names.iter().filter(|_| some);
        let new = NewBatch {
            submissions: given.map(|name| NewSubmission { name: name.clone(), spec: Vec::new() }).collect(),
            tests: Vec::new(),
            rejudge_of: Some(first.id.clone()),
            created: self.now,
            ..batch(&id, 0, 0, 1)
        };
        assert_eq!(put(self.store(), new), Placed::New);
        let finished = names.is_empty().then_some(self.now);
        let submissions = names.into_iter().map(|name| Submission { name, ..Submission::default() }).collect();
        let (tests, repeat, rejudge_of) = (first.tests, first.repeat, Some(first.id));
        self.batches.push(Batch { id, tests, repeat, submissions, finished, rejudge_of, ..Batch::default() });
    }

    fn lease(&mut self, any: usize, idle: usize) {
        let free = |batch: &Batch| -> Vec<(String, u32)> {
            let places = (0..).zip(&batch.submissions).filter(|(_, one)| !one.over);
            places.map(|(place, _)| (batch.id.clone(), place)).filter(|one| !self.mine.contains(one)).collect()
        };
        let free: BTreeSet<_> = self.batches.iter().filter(|batch| batch.open()).flat_map(free).collect();
        let leased = lease_share(self.store(), Share { tenant: "ann".into(), any, idle });
        let of_any = any.min(free.len());
        let whose = |one: &(String, u32)| one.0.clone();
        let mut busy: BTreeSet<String> = self.mine.iter().map(whose).collect();
        busy.extend(leased.iter().take(of_any).map(|one| one.batch.clone()));
        let nobodys: BTreeSet<String> = free.iter().map(whose).filter(|batch| !busy.contains(batch)).collect();
        assert_eq!(leased.len(), of_any + idle.min(nobodys.len()));
        for (at, one) in leased.into_iter().enumerate() {
            let place = (one.batch.clone(), one.submission);
            assert!(at < of_any || busy.insert(one.batch.clone()), "another of a batch that has one");
            assert!(free.contains(&place), "{place:?}");
            assert!(self.mine.insert(place), "twice");
            let done: Vec<Unit> = done(self.store(), &one).iter().map(|done| done.0).collect();
            let batch = self.batch(&one.batch);
            batch.leased_once = true;
            let model = &batch.submissions[usize::try_from(one.submission).unwrap()];
            assert_eq!((one.repeat, &one.name), (batch.repeat, &model.name));
            assert_eq!(one.submission_spec, format!("source of {}", model.name).into_bytes());
            assert_eq!(one.compiled.is_some(), model.note);
            assert_eq!(done, model.done.iter().copied().collect::<Vec<_>>());
            assert_eq!(one.tried.into_iter().collect::<BTreeMap<_, _>>(), model.attempts);
        }
    }

    fn units(&mut self, mine: usize, choices: &[usize]) {
        let Some((id, place, batch)) = self.one_of_mine(mine) else { return };
        let all = batch.units();
        let wanted: BTreeSet<Unit> = choices.iter().map(|choice| all[choice % all.len()]).collect();
        let wanted: Vec<Unit> = wanted.into_iter().collect();
        let leased = lease_units(self.store(), &id, place, &wanted);
        let model = &mut self.batch(&id).submissions[usize::try_from(place).unwrap()];
        let mut expected = Vec::new();
        for unit in wanted.into_iter().filter(|unit| batch.open() && !model.done.contains(unit)) {
            let times = model.attempts.entry(unit).or_insert(0);
            *times += 1;
            expected.push((unit, *times));
        }
        assert_eq!(leased, expected);
    }

    fn give_back(&mut self, mine: usize, choices: &[usize], submission_too: bool) {
        let Some((id, place, batch)) = self.one_of_mine(mine) else { return };
        let all = batch.units();
        let units: BTreeSet<Unit> = choices.iter().map(|choice| all[choice % all.len()]).collect();
        let units: Vec<Unit> = units.into_iter().collect();
        give_back(self.store(), &id, place, &units, submission_too);
        let model = &mut self.batch(&id).submissions[usize::try_from(place).unwrap()];
        for unit in units {
            match model.attempts.get_mut(&unit) {
                Some(times) if *times > 1 => *times -= 1,
                Some(_) => drop(model.attempts.remove(&unit)),
                None => {}
            }
        }
        if submission_too {
            self.mine.remove(&(id, place));
        }
    }

    fn result(&mut self, mine: usize, choice: usize, right: bool) {
        let Some((id, place, batch)) = self.one_of_mine(mine) else { return };
        let all = batch.units();
        let unit = all[choice % all.len()];
        let verdict = if right { "accepted" } else { "wrong_answer" };
        let mut new = result(&id, place, unit, 1);
        if let Record::Result { verdict: text, .. } = &mut new {
            *text = verdict.into();
        }
        let recorded = record(self.store(), vec![new]);
        let batch = self.batch(&id);
        let model = &mut batch.submissions[usize::try_from(place).unwrap()];
        model.attempts.remove(&unit);
        let expected = if unit == COMPILE {
            model.note = true;
            Recorded::New(0)
        } else if model.done.insert(unit) {
            batch.lines.push(format!("{place} {unit:?}").into_bytes());
            *batch.verdicts.entry(verdict.into()).or_default() += 1;
            Recorded::New(u64::try_from(batch.lines.len()).unwrap())
        } else {
            Recorded::Before
        };
        assert_eq!(recorded, [expected]);
    }

    fn over(&mut self, mine: usize) {
        let Some((id, place, batch)) = self.one_of_mine(mine) else { return };
        let at = self.now;
        let recorded = wait(self.store().record(vec![Record::Submission {
            batch: id.clone(),
            submission: place,
            body: b"line".to_vec(),
            at,
        }]));
        let all = batch.units().len() - 1;
        let batch = self.batch(&id);
        let model = &mut batch.submissions[usize::try_from(place).unwrap()];
        if model.done.len() < all {
            assert!(matches!(recorded, Err(StoreError::Failed(_))), "{recorded:?}");
            return;
        }
        assert_eq!(recorded.unwrap(), [Recorded::New(0)]);
        model.over = true;
        model.attempts.clear();
        batch.finished = batch.submissions.iter().all(|one| one.over).then_some(at);
        self.mine.remove(&(id, place));
    }

    fn cancel(&mut self, choice: usize) {
        let Some(batch) = self.batches.get(choice % self.batches.len().max(1)).cloned() else { return };
        let at = self.now;
        let new = Record::Cancel { batch: batch.id.clone(), tenant: "ann".into(), at };
        let expected = match batch.status() {
            Status::Cancelled => Recorded::Before,
            Status::Finished => Recorded::Over,
            _ => Recorded::New(0),
        };
        assert_eq!(record(self.store(), vec![new]), [expected]);
        if batch.open() {
            self.mine.retain(|(id, _)| *id != batch.id);
            let batch = self.batch(&batch.id);
            (batch.cancelled, batch.finished) = (true, Some(at));
            batch.submissions.iter_mut().for_each(|one| one.attempts.clear());
        }
    }

    fn expire(&mut self, after: i64) {
        self.now += after * 10;
        let now = self.now;
        let before = (self.batches.len(), self.keys.len());
        self.batches.retain(|batch| batch.finished.is_none_or(|at| at > now - 20));
        let ids: BTreeSet<&String> = self.batches.iter().map(|batch| &batch.id).collect();
        self.keys.retain(|_, (_, id, until)| *until > now && ids.contains(id));
        let expired = wait(self.store().expire(now)).unwrap();
        let count = |count| u64::try_from(count).unwrap();
        let expected = (count(before.0 - self.batches.len()), count(before.1 - self.keys.len()));
        assert_eq!((expired.batches, expired.keys), expected);
    }

    fn compare(&self) {
        let store = self.store();
        let question = Question::List { tenant: "ann".into(), before: None, status: None, label: None, most: 1_000 };
        let ids: Vec<&str> = self.batches.iter().rev().map(|batch| batch.id.as_str()).collect();
        assert_eq!(list(store, question), ids);
        let mut waiting = 0;
        for batch in &self.batches {
            let (summary, details) = look(store, &batch.id);
            let done = u64::try_from(batch.lines.len()).unwrap();
            assert_eq!((summary.status, summary.finished, summary.done), (batch.status(), batch.finished, done));
            assert_eq!(summary.rejudge_of, batch.rejudge_of);
            assert_eq!(details.verdicts, batch.verdicts);
            let submissions = batch.submissions.iter().map(|one| {
                (one.name.clone(), u64::try_from(one.done.len()).unwrap(), one.over.then(|| b"line".to_vec()))
            });
            assert_eq!(details.submissions, submissions.collect::<Vec<_>>());
            let (lines, over, last) = results(store, &batch.id, 0, 1_000);
            assert_eq!((over, last), (!batch.open(), done));
            assert_eq!(lines, (1..).zip(batch.lines.iter().cloned()).collect::<Vec<_>>());
            if batch.open() {
                waiting += summary.results - done;
            }
        }
        assert_eq!(size(store).waiting, waiting);
    }
}

/// 12, which `.ci/run` has; more by `ENGINED_TEST_CASES`.
fn cases() -> u32 {
    std::env::var("ENGINED_TEST_CASES").map_or(12, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_and_its_model_say_the_same(steps in steps()) {
        let mut both = Both::new();
        for step in steps {
            both.step(step);
        }
    }
}
