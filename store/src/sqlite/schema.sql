-- Version 1. What is here is never changed: a later version is a file of its own that is run after this one.

-- What a batch and those that judge it again have in common.
CREATE TABLE dataset (
    number INTEGER PRIMARY KEY,
    spec BLOB NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE source (
    dataset INTEGER NOT NULL REFERENCES dataset (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    spec BLOB NOT NULL,
    PRIMARY KEY (dataset, place)
) STRICT;

-- Of a datum: both NULL is absent, either bytes or the hash of a blob.
CREATE TABLE test (
    dataset INTEGER NOT NULL REFERENCES dataset (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    spec BLOB NOT NULL,
    stdin_blob BLOB,
    expected_blob BLOB,
    stdin BLOB,
    expected BLOB,
    PRIMARY KEY (dataset, place),
    CHECK (stdin IS NULL OR stdin_blob IS NULL),
    CHECK (expected IS NULL OR expected_blob IS NULL)
) STRICT;

-- The blobs that its tests need.
CREATE TABLE reference (
    dataset INTEGER NOT NULL REFERENCES dataset (number) ON DELETE CASCADE,
    hash BLOB NOT NULL,
    PRIMARY KEY (dataset, hash)
) STRICT, WITHOUT ROWID;

-- bytes: of its results and lines, without its data. state: 0 queued, 1 running, 2 finished, 3 cancelled, 4 being forgotten.
CREATE TABLE batch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    dataset INTEGER NOT NULL REFERENCES dataset (number),
    rejudge_of TEXT,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    repeat INTEGER NOT NULL,
    submissions INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    results INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    over INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    finished INTEGER,
    CHECK (done <= results),
    CHECK (over <= submissions)
) STRICT;
CREATE INDEX batch_tenant ON batch (tenant, number);
CREATE INDEX batch_state ON batch (state, finished);
CREATE INDEX batch_open ON batch (tenant, number) WHERE state < 2;
CREATE INDEX batch_dataset ON batch (dataset);

CREATE TABLE label (
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (batch, name)
) STRICT, WITHOUT ROWID;

-- line: once it is over. note: what is known of its compile.
CREATE TABLE submission (
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    source INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    note BLOB,
    line BLOB,
    PRIMARY KEY (batch, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_open ON submission (batch, place) WHERE line IS NULL;

-- What was tried and has no result yet. test: -1 is the compile.
CREATE TABLE attempt (
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    submission INTEGER NOT NULL,
    test INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    times INTEGER NOT NULL CHECK (times > 0),
    PRIMARY KEY (batch, submission, test, repeat)
) STRICT, WITHOUT ROWID;

-- place: the batch's number in the upper 32 bits, the result's number in the lower.
CREATE TABLE result (
    place INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    submission INTEGER NOT NULL,
    test INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    note BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (batch, submission, test, repeat),
    CHECK (place >> 32 = batch)
) STRICT;

-- How many results of each verdict, so that nobody needs to count a million of them.
CREATE TABLE tally (
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    verdict TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (batch, verdict)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    batch INTEGER NOT NULL REFERENCES batch (number) ON DELETE CASCADE,
    until INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_batch ON idempotency (batch);
CREATE INDEX idempotency_until ON idempotency (until);
