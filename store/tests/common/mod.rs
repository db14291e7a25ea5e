//! What the tests of the store have in common.
#![allow(dead_code, reason = "each test uses some of it")]
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use store::*;

/// A folder that is gone after the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(&self) -> Arc<SqliteStore> {
        SqliteStore::open(Options::new(&self.0)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a promise without a runtime: the store must not need one.
pub fn wait<T>(promise: impl Future<Output = T>) -> T {
    let mut promise = std::pin::pin!(promise);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = promise.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

/// A batch with so many submissions, tests and repeats.
pub fn batch(id: &str, submissions: u32, tests: u32, repeat: u32) -> NewBatch {
    let submission = |n| NewSubmission { name: format!("s{n}"), spec: format!("source of s{n}").into_bytes() };
    let test = |n| NewTest {
        name: format!("t{n}"),
        spec: format!("spec of t{n}").into_bytes(),
        stdin: Datum::Inline(format!("input {n}").into_bytes()),
        expected: Datum::Inline(format!("answer {n}").into_bytes()),
    };
    NewBatch {
        id: id.into(),
        tenant: "ann".into(),
        key: None,
        spec: b"spec".to_vec(),
        labels: [("course".to_owned(), "c1".to_owned())].into(),
        submissions: (0..submissions).map(submission).collect(),
        tests: (0..tests).map(test).collect(),
        repeat,
        rejudge_of: None,
        created: 1_000,
        queued_results: 1_000_000,
        tenant_bytes: 1 << 40,
        result_bytes: 0,
    }
}

pub fn unit(test: u32) -> Unit {
    Unit { test: Some(test), repeat: 1 }
}

pub const COMPILE: Unit = Unit { test: None, repeat: 0 };

/// The result of a unit.
pub fn result(batch: &str, submission: u32, unit: Unit, attempt: u32) -> Record {
    Record::Result {
        batch: batch.into(),
        submission,
        unit,
        attempt,
        verdict: "accepted".into(),
        body: format!("{submission} {unit:?}").into_bytes(),
        note: b"note".to_vec(),
        at: 2_000,
    }
}

pub fn over(batch: &str, submission: u32) -> Record {
    Record::Submission {
        batch: batch.into(),
        submission,
        body: format!("line of {submission}").into_bytes(),
        at: 3_000,
    }
}

pub fn put(store: &SqliteStore, batch: NewBatch) -> Placed {
    wait(store.put(batch)).unwrap()
}

/// Leases so many of Ann's submissions.
pub fn lease(store: &SqliteStore, most: usize) -> Vec<LeasedSubmission> {
    lease_of(store, "ann", most)
}

pub fn lease_of(store: &SqliteStore, tenant: &str, most: usize) -> Vec<LeasedSubmission> {
    lease_share(store, Share::any(tenant, most))
}

pub fn lease_share(store: &SqliteStore, share: Share) -> Vec<LeasedSubmission> {
    match wait(store.lease(Wish::Submissions { most: vec![share] })).unwrap() {
        Leased::Submissions(leased) => leased,
        Leased::Units(_) => panic!("wished for submissions"),
    }
}

/// What has a result of a leased submission, read in pages of two.
pub fn done(store: &SqliteStore, leased: &LeasedSubmission) -> Vec<(Unit, Vec<u8>)> {
    let mut all: Vec<(Unit, Vec<u8>)> = Vec::new();
    loop {
        let after = all.last().map(|(unit, _)| *unit);
        let question = Question::Done { batch: leased.batch.clone(), submission: leased.submission, after, most: 2 };
        match wait(store.read(question)).unwrap() {
            Answer::Done(page) if page.is_empty() => break,
            Answer::Done(page) => {
                assert!(page.len() <= 2);
                all.extend(page);
            }
            _ => panic!("asked what is done"),
        }
    }
    assert_eq!(leased.done, all.len() as u64);
    all
}

pub fn lease_units(store: &SqliteStore, batch: &str, submission: u32, units: &[Unit]) -> Vec<(Unit, u32)> {
    let wish = Wish::Units { batch: batch.into(), submission, units: units.to_vec() };
    match wait(store.lease(wish)).unwrap() {
        Leased::Units(leased) => leased,
        Leased::Submissions(_) => panic!("wished for units"),
    }
}

pub fn record(store: &SqliteStore, records: Vec<Record>) -> Vec<Recorded> {
    wait(store.record(records)).unwrap()
}

pub fn look(store: &SqliteStore, batch: &str) -> (Summary, Details) {
    match wait(store.read(Question::Batch { tenant: "ann".into(), batch: batch.into() })).unwrap() {
        Answer::Batch(found) => *found,
        _ => panic!("asked for a batch"),
    }
}

pub fn results(store: &SqliteStore, batch: &str, from: u64, most: usize) -> (Vec<(u64, Vec<u8>)>, bool, u64) {
    let question = Question::Results { tenant: "ann".into(), batch: batch.into(), from, most, most_bytes: usize::MAX };
    match wait(store.read(question)).unwrap() {
        Answer::Results { results, over, last } => (results, over, last),
        _ => panic!("asked for results"),
    }
}

pub fn size(store: &SqliteStore) -> Size {
    match wait(store.read(Question::Size)).unwrap() {
        Answer::Size(size) => size,
        _ => panic!("asked for the size"),
    }
}

pub fn list(store: &SqliteStore, question: Question) -> Vec<String> {
    match wait(store.read(question)).unwrap() {
        Answer::List(found) => found.into_iter().map(|batch| batch.id).collect(),
        _ => panic!("asked for a list"),
    }
}

pub fn give_back(store: &SqliteStore, batch: &str, submission: u32, units: &[Unit], submission_too: bool) {
    let batch = batch.to_owned();
    wait(store.renew(Renewal::Return { batch, submission, units: units.to_vec(), submission_too })).unwrap();
}

pub fn blobs(store: &SqliteStore, tenant: &str) -> Vec<Hash> {
    match wait(store.read(Question::Blobs { tenant: tenant.into() })).unwrap() {
        Answer::Blobs(hashes) => hashes,
        _ => panic!("asked for blobs"),
    }
}
