//! Works on a store, and says each step once it is durable, for tests that end it at any moment, by a signal or by the power.
//!
//! `store_torture --folder F --seed N [--sync off] [--finish]`
//!
//! At the start it says all that the store has: `have batch ID STATUS SUBMISSIONS TESTS REPEAT DONE`, `have result ID
//! SUBMISSION TEST REPEAT SEQ`, `have over ID SUBMISSION`, `have attempt ID SUBMISSION TEST REPEAT TIMES`, then `ready`. Then,
//! for each step that was acknowledged: `put ID SUBMISSIONS TESTS REPEAT`, `attempt ID SUBMISSION TEST REPEAT TIMES`, `result ID
//! SUBMISSION TEST REPEAT SEQ`, `over ID SUBMISSION`, `cancel ID`. A compile is the test `-`. With `--finish` it takes nothing
//! new, brings everything to its end, says again what it has and then `done`; else it goes on for ever. `--sync off` does not
//! wait for the disk: with it, a test of power cuts has to fail.
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use store::{
    Answer, Datum, Leased, LeasedSubmission, NewBatch, NewSubmission, NewTest, Options, Question, Record, Recorded,
    Renewal, SqliteStore, Status, Store, StoreError, Summary, Unit, Wish,
};

const TENANT: &str = "torture";
const COMPILE: Unit = Unit { test: None, repeat: 0 };
/// A unit that was tried so often and has no result is given up.
const MOST_ATTEMPTS: u32 = 3;
/// Batches that may be open at once.
const OPEN: usize = 6;

/// What is wrong, in words.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    match Wishes::from(std::env::args().skip(1)).and_then(|wishes| work(&wishes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("store_torture: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the caller wants.
pub struct Wishes {
    /// Where the store is.
    pub folder: PathBuf,
    /// Of the random numbers.
    pub seed: u64,
    /// Whether to wait for the disk.
    pub durable: bool,
    /// Whether to bring everything to its end.
    pub finish: bool,
}

impl Wishes {
    /// Of the arguments of the command.
    pub fn from(mut arguments: impl Iterator<Item = String>) -> Outcome<Wishes> {
        let mut wishes = Wishes { folder: PathBuf::new(), seed: 1, durable: true, finish: false };
        while let Some(name) = arguments.next() {
            if name == "--finish" {
                wishes.finish = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--folder" => wishes.folder = value.into(),
                "--seed" => wishes.seed = value.parse().map_err(|error| format!("--seed {value}: {error}"))?,
                "--sync" if value == "off" => wishes.durable = false,
                "--sync" if value == "on" => {}
                _ => return Err(format!("{name} {value} is unknown")),
            }
        }
        if wishes.folder.as_os_str().is_empty() {
            return Err("--folder is missing".into());
        }
        Ok(wishes)
    }
}

/// Works until it is ended, or with `finish` until everything is at its end.
pub fn work(wishes: &Wishes) -> Outcome<()> {
    let options = Options { durable: wishes.durable, ..Options::new(&wishes.folder) };
    let store = SqliteStore::open(options).map_err(|error| error.to_string())?;
    let mut work = Work {
        store,
        chance: Chance(wishes.seed),
        next: 0,
        open: BTreeMap::new(),
        mine: VecDeque::new(),
        finish: wishes.finish,
    };
    work.say_all()?;
    say("ready")?;
    while work.step()? {}
    work.say_all()?;
    say("done")
}

/// Who reads this is gone when it can't be written: then there is nothing more to do.
fn say(line: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("nobody listens: {error}"))
}

struct Work {
    store: Arc<SqliteStore>,
    chance: Chance,
    /// The number of the next batch.
    next: usize,
    /// Batches that are not over, and how many submissions of each.
    open: BTreeMap<String, u64>,
    mine: VecDeque<Mine>,
    finish: bool,
}

/// A submission that is leased.
struct Mine {
    batch: String,
    submission: u32,
    left: Vec<Unit>,
}

impl Work {
    fn step(&mut self) -> Outcome<bool> {
        match self.chance.below(10) {
            _ if self.open.is_empty() && self.finish => return Ok(false),
            0..3 if self.open.len() < OPEN && !self.finish => self.put()?,
            3 if !self.finish && self.chance.below(9) == 0 => self.cancel()?,
            4 if !self.finish => self.give_back()?,
            5 | 6 => self.lease()?,
            _ => self.judge()?,
        }
        Ok(true)
    }

    /// Puts one to three at the same time.
    fn put(&mut self) -> Outcome<()> {
        let mut asked = Vec::new();
        for _ in 0..=self.chance.below(3) {
            let (submissions, tests, repeat) =
                (1 + self.chance.below(4), 1 + self.chance.below(6), 1 + self.chance.below(2));
            let id = format!("b{}", self.next);
            self.next += 1;
            let line = format!("put {id} {submissions} {tests} {repeat}");
            asked.push((line, self.store.put(new(&id, submissions, tests, repeat))));
            self.open.insert(id, u64::from(submissions));
        }
        for (line, promise) in asked {
            wait(promise)?;
            say(&line)?;
        }
        Ok(())
    }

    fn cancel(&mut self) -> Outcome<()> {
        let Some((id, _)) = self.open.pop_first() else { return Ok(()) };
        wait(self.store.record(vec![Record::Cancel { batch: id.clone(), tenant: TENANT.into(), at: 3 }]))?;
        self.mine.retain(|mine| mine.batch != id);
        say(&format!("cancel {id}"))
    }

    fn lease(&mut self) -> Outcome<()> {
        let most = usize::try_from(self.chance.below(4) + 1).unwrap_or(1);
        for leased in lease(&self.store, most)? {
            let (tests, repeat) = shape(&leased)?;
            let units = (0..tests).flat_map(|test| (1..=repeat).map(move |repeat| Unit { test: Some(test), repeat }));
            let done = self.done(&leased)?;
            let left = units.filter(|unit| !done.contains(unit)).collect();
            self.attempt(&leased.batch, leased.submission, vec![COMPILE])?;
            let compiled = result(&leased.batch, leased.submission, COMPILE, 1);
            wait(self.store.record(vec![compiled]))?;
            self.mine.push_back(Mine { batch: leased.batch, submission: leased.submission, left });
        }
        Ok(())
    }

    /// What has a result of it.
    fn done(&self, leased: &LeasedSubmission) -> Outcome<Vec<Unit>> {
        let (batch, submission) = (leased.batch.clone(), leased.submission);
        let question = Question::Done { batch, submission, after: None, most: usize::MAX };
        match wait(self.store.read(question))? {
            Answer::Done(done) => Ok(done.into_iter().map(|(unit, _)| unit).collect()),
            _ => Err("asked what is done".into()),
        }
    }

    /// Leases these units, and says how often they were tried.
    fn attempt(&self, batch: &str, submission: u32, units: Vec<Unit>) -> Outcome<Vec<(Unit, u32)>> {
        match wait(self.store.lease(Wish::Units { batch: batch.into(), submission, units }))? {
            Leased::Units(leased) => {
                for (unit, times) in &leased {
                    say(&format!("attempt {batch} {submission} {} {times}", name(*unit)))?;
                }
                Ok(leased)
            }
            Leased::Submissions(_) => Err("wished for units".into()),
        }
    }

    fn give_back(&mut self) -> Outcome<()> {
        let Some(Mine { batch, submission, .. }) = self.mine.pop_back() else { return Ok(()) };
        wait(self.store.renew(Renewal::Return { batch, submission, units: Vec::new(), submission_too: true }))
    }

    /// Tries some of what is left of up to three submissions, all results on their way at the same time.
    fn judge(&mut self) -> Outcome<()> {
        let mut asked = Vec::new();
        for _ in 0..self.mine.len().min(3) {
            let Some(mut mine) = self.mine.pop_front() else { break };
            let some = usize::try_from(self.chance.below(4)).unwrap_or(0).min(mine.left.len());
            let now: Vec<Unit> = mine.left.drain(..some).collect();
            for (unit, times) in self.attempt(&mine.batch, mine.submission, now)? {
                let record = result(&mine.batch, mine.submission, unit, times);
                let line = format!("result {} {} {}", mine.batch, mine.submission, name(unit));
                asked.push((line, self.store.record(vec![record])));
            }
            if mine.left.is_empty() {
                asked.push(self.over(mine.batch, mine.submission));
            } else {
                self.mine.push_back(mine);
            }
        }
        for (line, promise) in asked {
            match wait(promise)?[..] {
                [Recorded::New(0)] => say(&line)?,
                [Recorded::New(seq)] => say(&format!("{line} {seq}"))?,
                ref other => return Err(format!("{line}: {other:?}")),
            }
        }
        Ok(())
    }

    /// Records the end of a submission.
    fn over(&mut self, batch: String, submission: u32) -> (String, store::Promise<Vec<Recorded>>) {
        if let Some(left) = self.open.get_mut(&batch) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.open.remove(&batch);
            }
        }
        let line = format!("over {batch} {submission}");
        let body = format!("{submission}").into_bytes();
        (line, self.store.record(vec![Record::Submission { batch, submission, body, at: 2 }]))
    }

    fn say_all(&mut self) -> Outcome<()> {
        let tenant = TENANT.to_owned();
        let question = Question::List { tenant, before: None, status: None, label: None, most: usize::MAX };
        let Answer::List(batches) = wait(self.store.read(question))? else { return Err("asked for a list".into()) };
        for batch in batches {
            let number: usize = batch.id.trim_start_matches('b').parse().map_err(|error| format!("{error}"))?;
            self.next = self.next.max(number + 1);
            self.say_batch(&batch)?;
        }
        // What was tried and has no result is told to who leases it, and to nobody else.
        let leased = lease(&self.store, usize::MAX)?;
        for LeasedSubmission { batch, submission, tried, .. } in leased {
            for (unit, times) in tried {
                say(&format!("have attempt {batch} {submission} {} {times}", name(unit)))?;
            }
            wait(self.store.renew(Renewal::Return { batch, submission, units: Vec::new(), submission_too: true }))?;
        }
        Ok(())
    }

    fn say_batch(&mut self, batch: &Summary) -> Outcome<()> {
        let id = &batch.id;
        let repeat = batch.results / (batch.submissions * batch.tests).max(1);
        let counts = format!("{} {} {repeat} {}", batch.submissions, batch.tests, batch.done);
        say(&format!("have batch {id} {:?} {counts}", batch.status))?;
        let question = Question::Batch { tenant: TENANT.into(), batch: id.clone() };
        let Answer::Batch(found) = wait(self.store.read(question))? else { return Err("asked for a batch".into()) };
        let mut left = 0;
        for (place, (_, _, line)) in found.1.submissions.iter().enumerate() {
            match line {
                Some(_) => say(&format!("have over {id} {place}"))?,
                None => left += 1,
            }
        }
        if batch.status < Status::Finished {
            self.open.insert(id.clone(), left);
        }
        let question = Question::Results {
            tenant: TENANT.into(),
            batch: id.clone(),
            from: 1,
            most: usize::MAX,
            most_bytes: usize::MAX,
        };
        let Answer::Results { results, .. } = wait(self.store.read(question))? else {
            return Err("asked for results".into());
        };
        for (seq, body) in results {
            say(&format!("have result {id} {} {seq}", String::from_utf8_lossy(&body)))?;
        }
        Ok(())
    }
}

fn lease(store: &SqliteStore, most: usize) -> Outcome<Vec<LeasedSubmission>> {
    match wait(store.lease(Wish::Submissions { most: vec![store::Share::any(TENANT, most)] }))? {
        Leased::Submissions(leased) => Ok(leased),
        Leased::Units(_) => Err("wished for submissions".into()),
    }
}

/// How many tests and repeats a batch has: its spec says so.
fn shape(leased: &LeasedSubmission) -> Outcome<(u32, u32)> {
    let text = String::from_utf8_lossy(&leased.spec);
    let (tests, repeat) = text.trim_end_matches('x').split_once(' ').ok_or("a spec of something else")?;
    let number = |text: &str| text.parse().map_err(|error| format!("the spec has {text:?}: {error}"));
    Ok((number(tests)?, number(repeat)?))
}

fn new(id: &str, submissions: u32, tests: u32, repeat: u32) -> NewBatch {
    let test = |n| NewTest {
        name: format!("t{n}"),
        stdin: Datum::Inline(vec![b'i'; 700]),
        expected: Datum::Blob([3; 32]),
        ..NewTest::default()
    };
    NewBatch {
        id: id.into(),
        tenant: TENANT.into(),
        spec: format!("{tests} {repeat}{}", "x".repeat(3_000)).into_bytes(),
        submissions: (0..submissions).map(|n| NewSubmission { name: format!("s{n}"), spec: vec![b's'; 900] }).collect(),
        tests: (0..tests).map(test).collect(),
        repeat,
        queued_results: u64::MAX,
        tenant_bytes: 1 << 40,
        result_bytes: 0,
        ..NewBatch::default()
    }
}

fn result(batch: &str, submission: u32, unit: Unit, attempt: u32) -> Record {
    Record::Result {
        batch: batch.into(),
        submission,
        unit,
        attempt,
        verdict: if attempt > MOST_ATTEMPTS { "engine_error" } else { "accepted" }.into(),
        body: format!("{submission} {}", name(unit)).into_bytes(),
        note: b"n".to_vec(),
        at: 1,
    }
}

/// Test and repeat.
fn name(unit: Unit) -> String {
    match unit.test {
        Some(test) => format!("{test} {}", unit.repeat),
        None => "- 0".into(),
    }
}

/// Random numbers, the same of the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(end.max(1))).unwrap_or(0)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a promise, without a runtime.
fn wait<T>(promise: impl Future<Output = Result<T, StoreError>>) -> Outcome<T> {
    let mut promise = std::pin::pin!(promise);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(done) = promise.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done.map_err(|error| error.to_string());
        }
        std::thread::park();
    }
}
