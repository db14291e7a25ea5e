//! What can be asked of a store, and what it answers.

use std::collections::BTreeMap;

use crate::{Datum, Hash, Placed, Unit, UnixMillis};

/// What somebody wants to know.
#[derive(Clone, Debug)]
pub enum Question {
    /// A batch and its submissions.
    Batch {
        /// Whose.
        tenant: String,
        /// Which.
        batch: String,
    },
    /// A batch without its submissions.
    Summary {
        /// Whose.
        tenant: String,
        /// Which.
        batch: String,
    },
    /// Results.
    Results {
        /// Whose.
        tenant: String,
        /// Which batch.
        batch: String,
        /// The first number.
        from: u64,
        /// At most so many.
        most: usize,
        /// At most so many bytes, but one line always.
        most_bytes: usize,
    },
    /// Batches of a tenant, the newest first.
    List {
        /// Whose.
        tenant: String,
        /// Older than this one.
        before: Option<String>,
        /// Only those that are so far.
        status: Option<Status>,
        /// Only those with this label.
        label: Option<(String, String)>,
        /// At most so many.
        most: usize,
    },
    /// The tests of a batch, without their data.
    Tests {
        /// Which batch.
        batch: String,
    },
    /// The data of one test.
    Data {
        /// Which batch.
        batch: String,
        /// Which test.
        test: u32,
    },
    /// What has a result of a submission, in the order of the tests, a page at a time.
    Done {
        /// Which batch.
        batch: String,
        /// Which submission.
        submission: u32,
        /// Behind this one.
        after: Option<Unit>,
        /// At most so many.
        most: usize,
    },
    /// What came with an idempotency key.
    Key {
        /// Whose.
        tenant: String,
        /// The caller's word.
        key: String,
        /// Of the body that came with it now.
        body: Hash,
        /// The time: a key whose time is over is nobody's.
        now: UnixMillis,
    },
    /// Tenants that have work left.
    Waiting,
    /// All blobs that kept batches of a tenant need.
    Blobs {
        /// Whose.
        tenant: String,
    },
    /// How large everything is.
    Size,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing was leased.
    Queued,
    /// Something was.
    Running,
    /// Everything has its result.
    Finished,
    /// The caller wants no more.
    Cancelled,
}

/// An answer to the question of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The batch and its submissions.
    Batch(Box<(Summary, Details)>),
    /// The batch, and how many bytes the names and lines of its submissions have.
    Summary(Box<Summary>, u64),
    /// Number and line, and whether more may follow: the batch is not over.
    Results {
        /// Number and line.
        results: Vec<(u64, Vec<u8>)>,
        /// Whether the batch is over: what is not here will never be.
        over: bool,
        /// The number of the last result there is.
        last: u64,
    },
    /// Batches.
    List(Vec<Summary>),
    /// Name, text, and the lengths of stdin and expected where they are kept here.
    Tests(Vec<TestRow>),
    /// Standard input and what is expected.
    Data(Datum, Datum),
    /// Units, and the texts that were kept with their results.
    Done(Vec<(Unit, Vec<u8>)>),
    /// [`Placed::Before`] or [`Placed::Conflict`], if anything came with it.
    Key(Option<Placed>),
    /// Tenants.
    Waiting(Vec<String>),
    /// Hashes.
    Blobs(Vec<Hash>),
    /// Bytes.
    Size(Size),
}

/// A batch as a list has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its name.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// How many submissions.
    pub submissions: u64,
    /// How many tests.
    pub tests: u64,
    /// How many results there will be.
    pub results: u64,
    /// How many there are.
    pub done: u64,
    /// When it came.
    pub created: UnixMillis,
    /// When it was over.
    pub finished: Option<UnixMillis>,
    /// The batch whose data it has.
    pub rejudge_of: Option<String>,
    /// To be found by.
    pub labels: BTreeMap<String, String>,
}

/// The rest of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// What is common to all.
    pub spec: Vec<u8>,
    /// How many results of each verdict there are.
    pub verdicts: BTreeMap<String, u64>,
    /// In order: name, how many results, and the line once it is over.
    pub submissions: Vec<(String, u64, Option<Vec<u8>>)>,
}

/// A test without its data.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRow {
    /// The caller's name for it.
    pub name: String,
    /// In the caller's form.
    pub spec: Vec<u8>,
    /// How long its inline data is, both together.
    pub inline_bytes: u64,
}

/// How large everything is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The file.
    pub bytes: u64,
    /// Of it, what can be used again.
    pub free: u64,
    /// The most that it may have.
    pub most: u64,
    /// Batches that are kept.
    pub batches: u64,
    /// Of them, those of which nothing was leased.
    pub queued: u64,
    /// Those that go on.
    pub running: u64,
    /// Those that are over.
    pub finished: u64,
    /// Those that nobody wants any more.
    pub cancelled: u64,
    /// Results that are waited for.
    pub waiting: u64,
}
