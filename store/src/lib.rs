//! Where batches are kept: what is accepted is durable, and each result is recorded once.
//!
//! Everything about a batch goes through one trait, [`Store`], because beyond one machine the same work will be spread by a
//! clustered store; nothing else may know which of the two it is. What a submission or a test *means* the store does not
//! know: it keeps the texts that its user has made of them.
//!
//! **No row for what waits.** A batch of 1,000 submissions and 100 tests is 1,100 rows until it is run. What is to be done is
//! what has no result yet.
//!
//! **Leases.** A submission is leased to one worker, so that it is compiled once. Before a test of it is run its [`Unit`] is
//! leased as well, and that is durable: whoever finds such a lease after a crash knows that it was tried, and how often. The
//! transaction that records a result takes the lease away.
#![forbid(unsafe_code)]

mod question;
mod sqlite;

use std::{collections::BTreeMap, future::Future, pin::Pin};

use tokio::sync::watch;

pub use question::{Answer, Details, Question, Size, Status, Summary, TestRow};
pub use sqlite::{OnCommit, Options, SqliteStore, Stats, Unusable, backup, needed_blobs, restore};

/// What a call to the store comes to. It does not block, and dropping it does not undo what it has asked for.
pub type Promise<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Milliseconds since 1970, by the caller's clock: the store has none.
pub type UnixMillis = i64;

/// The SHA-256 of a blob.
pub type Hash = [u8; 32];

/// Keeps batches.
pub trait Store: Send + Sync + 'static {
    /// Keeps a batch. When this returns it is durable.
    fn put(&self, batch: NewBatch) -> Promise<Placed>;

    /// Leases submissions, or units of a leased submission.
    fn lease(&self, wish: Wish) -> Promise<Leased>;

    /// Keeps leases, or gives them back as if they had not been taken: what was about to be run and was not.
    fn renew(&self, renewal: Renewal) -> Promise<()>;

    /// Records what has happened, all of it or nothing. When this returns it is durable.
    fn record(&self, records: Vec<Record>) -> Promise<Vec<Recorded>>;

    /// Answers a question.
    fn read(&self, question: Question) -> Promise<Answer>;

    /// Forgets what is old, and gives room back.
    fn expire(&self, now: UnixMillis) -> Promise<Expired>;

    /// Told whenever something of this batch was recorded: the number of its last result. What was recorded before one watched
    /// is not told: watch first, then read.
    fn watch(&self, batch: &str) -> watch::Receiver<u64>;

    /// Told whenever there may be something new to lease.
    fn work(&self) -> watch::Receiver<u64>;
}

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room, on the disk or by the store's cap. What was there is there.
    #[error("the store is full: {0}")]
    Full(String),
    /// It has no such batch, or not of this tenant.
    #[error("there is no such batch")]
    Unknown,
    /// Anything else.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// A batch that comes.
#[derive(Clone, Debug, Default)]
pub struct NewBatch {
    /// Its name for ever.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// By which the caller may send it again.
    pub key: Option<IdempotencyKey>,
    /// What is common to all submissions and tests, in the caller's form.
    pub spec: Vec<u8>,
    /// To be found by.
    pub labels: BTreeMap<String, String>,
    /// In order.
    pub submissions: Vec<NewSubmission>,
    /// In order.
    pub tests: Vec<NewTest>,
    /// How often each test is run.
    pub repeat: u32,
    /// The batch whose data this one has: tests, sources, `spec` and `repeat`. Then `tests` is empty, and of `submissions` only
    /// names are given: those of it that are judged again; none means all.
    pub rejudge_of: Option<String>,
    /// When.
    pub created: UnixMillis,
    /// The most results that may be waited for, of all batches of the tenant; this one's included.
    pub queued_results: u64,
    /// The most bytes that batches of the tenant may have; this one's included.
    pub tenant_bytes: u64,
    /// The most that line and note of one result have: kept free for each. 0: [`Options::result_bytes`].
    pub result_bytes: u64,
}

/// By which a caller may send a batch again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's word.
    pub key: String,
    /// Of the body that came with it.
    pub body: Hash,
    /// Until when it is known.
    pub until: UnixMillis,
}

/// A submission of a batch that comes.
#[derive(Clone, Debug, Default)]
pub struct NewSubmission {
    /// The caller's name for it.
    pub name: String,
    /// In the caller's form.
    pub spec: Vec<u8>,
}

/// A test of a batch that comes.
#[derive(Clone, Debug, Default)]
pub struct NewTest {
    /// The caller's name for it.
    pub name: String,
    /// All but its data, in the caller's form.
    pub spec: Vec<u8>,
    /// What a program reads.
    pub stdin: Datum,
    /// What it should write.
    pub expected: Datum,
}

/// Data of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Datum {
    /// There is none.
    #[default]
    Absent,
    /// Kept here.
    Inline(Vec<u8>),
    /// A blob, which is not given up as long as the batch is kept.
    Blob(Hash),
}

/// What became of a batch that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is kept.
    New,
    /// It came before, with the same key and body: under this id.
    Before(String),
    /// Something else came with this key.
    Conflict,
    /// The tenant would have more results to wait for than it may. So many it has now.
    TooMany(u64),
    /// It would find no room in an empty store either.
    TooLarge {
        /// What its data take, and its results at their longest.
        wanted: u64,
        /// What the store may have, of which an eighth is for no batch.
        most: u64,
    },
    /// The tenant would keep more than it may.
    OverQuota {
        /// Of what: `batches` or `bytes`.
        what: &'static str,
        /// How much it has.
        has: u64,
        /// How much it may have.
        most: u64,
    },
}

/// One run of one test of one submission, or the compile of a submission: its place in the lists of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Which test. `None`: the compile.
    pub test: Option<u32>,
    /// Which of the repeated runs, from 1 up. 0 for the compile.
    pub repeat: u32,
}

/// What somebody wants to lease.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Submissions that have work left and are nobody's, of each of these tenants.
    Submissions {
        /// How many of each.
        most: Vec<Share>,
    },
    /// Units of a submission that one has leased. It comes back with the number of the attempt, durably.
    Units {
        /// The batch.
        batch: String,
        /// The submission's place.
        submission: u32,
        /// Which.
        units: Vec<Unit>,
    },
}

/// How many submissions of a tenant somebody wants to lease: of its batches in turn, the oldest first.
#[derive(Clone, Debug)]
pub struct Share {
    /// Whose.
    pub tenant: String,
    /// At most so many of any of its batches.
    pub any: usize,
    /// After these, of so many batches one each: of those of which nobody has a submission then. So a batch whose submissions
    /// take long keeps no other from being begun.
    pub idle: usize,
}

impl Share {
    /// Of any batches of a tenant.
    #[must_use]
    pub fn any(tenant: &str, any: usize) -> Share {
        Share { tenant: tenant.to_owned(), any, idle: 0 }
    }
}

/// What was leased.
#[derive(Clone, Debug)]
pub enum Leased {
    /// As wished.
    Submissions(Vec<LeasedSubmission>),
    /// Of each unit the number of the attempt, from 1 up. Units that have a result meanwhile, or whose batch was cancelled, are
    /// left out.
    Units(Vec<(Unit, u32)>),
}

/// A submission with all that is known of it.
#[derive(Clone, Debug)]
pub struct LeasedSubmission {
    /// The batch.
    pub batch: String,
    /// Whose.
    pub tenant: String,
    /// What is common to all its submissions and tests.
    pub spec: Vec<u8>,
    /// The labels of the batch.
    pub labels: BTreeMap<String, String>,
    /// How often each test is run.
    pub repeat: u32,
    /// The submission's place.
    pub submission: u32,
    /// Its name.
    pub name: String,
    /// In the caller's form.
    pub submission_spec: Vec<u8>,
    /// How many results there are already: [`Question::Done`] tells which.
    pub done: u64,
    /// The text that was kept with its compile, if that was recorded.
    pub compiled: Option<Vec<u8>>,
    /// What was tried and has no result: how often.
    pub tried: Vec<(Unit, u32)>,
}

/// What becomes of leases.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// They go on.
    Keep {
        /// Batch and submission.
        submissions: Vec<(String, u32)>,
    },
    /// They end, and the attempts that were counted for these units are not counted.
    Return {
        /// The batch.
        batch: String,
        /// The submission.
        submission: u32,
        /// What was leased of it and not begun.
        units: Vec<Unit>,
        /// Whether the submission goes back as well.
        submission_too: bool,
    },
}

/// Something to record.
#[derive(Clone, Debug)]
pub enum Record {
    /// The result of a unit.
    Result {
        /// The batch.
        batch: String,
        /// The submission.
        submission: u32,
        /// Which. A compile has no line of its own among the results; recording it ends its lease, and keeps the last `note`.
        /// It may be leased again: who takes the submission up after a crash may have to compile it once more.
        unit: Unit,
        /// How often it was tried.
        attempt: u32,
        /// Its name, counted by the batch.
        verdict: String,
        /// The line, without its number, in the caller's form.
        body: Vec<u8>,
        /// What the worker needs to know of it when it takes the submission up again.
        note: Vec<u8>,
        /// When.
        at: UnixMillis,
    },
    /// A submission is over: it is leased no more. All its results must be there, or be recorded before it in the same call.
    Submission {
        /// The batch.
        batch: String,
        /// The submission.
        submission: u32,
        /// Its line, in the caller's form.
        body: Vec<u8>,
        /// When.
        at: UnixMillis,
    },
    /// The caller wants no more of it. What was recorded stays.
    Cancel {
        /// The batch.
        batch: String,
        /// Whose it must be.
        tenant: String,
        /// When.
        at: UnixMillis,
    },
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is there, and for a result under this number.
    New(u64),
    /// There was one before.
    Before,
    /// The batch was cancelled, or is no longer kept.
    Over,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Batches.
    pub batches: u64,
    /// Idempotency keys.
    pub keys: u64,
}
