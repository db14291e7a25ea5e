//! A batch comes.
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Desk;
use super::{at_most, whole};
use crate::{Datum, Hash, NewBatch, Placed, StoreError, UnixMillis};

/// What the tables and indices take for each row of a batch besides its texts, on the safe side.
const ROW_BYTES: u64 = 160;
/// What the tables and indices take for each result besides its text.
const RESULT_ROW_BYTES: u64 = 128;

pub(crate) fn put(desk: &mut Desk, batch: &NewBatch) -> Result<Placed, StoreError> {
    if let Some(placed) = seen(desk, batch)? {
        return Ok(placed);
    }
    let data = match &batch.rejudge_of {
        Some(first) => again(desk, batch, first)?,
        None => Data::of(batch)?,
    };
    let results = data.results(batch)?;
    if let Some(placed) = over_quota(desk, batch, &data, results)? {
        return Ok(placed);
    }
    let each = each(batch.result_bytes, desk.limits.result_bytes, at_most(data.sources.len()), results);
    if let Some(placed) = room(desk, &data, results.saturating_mul(each))? {
        return Ok(placed);
    }
    let number = keep(desk, batch, data, (results, each))?;
    if let Some(key) = &batch.key {
        let sql = "INSERT INTO idempotency (tenant, key, body, batch, until) VALUES (?1, ?2, ?3, ?4, ?5)";
        desk.db.prepare_cached(sql)?.execute(params![batch.tenant, key.key, key.body, number, key.until])?;
    }
    desk.news.work += 1;
    Ok(Placed::New)
}

/// The room that is kept for each result, and with it its part of what is kept for the lines of submissions, which are no
/// longer.
fn each(text: u64, least: u64, submissions: u64, results: u64) -> u64 {
    if text == 0 {
        return least;
    }
    let row = text.saturating_add(64);
    let one = held(row, PAGE).saturating_add(RESULT_ROW_BYTES).max(least);
    // Of a row in an index only a quarter of a page stands in it, and rows that have grown there fill no more than half of it.
    let line = held(row, PAGE / 4).saturating_add(PAGE / 2).max(least);
    one.saturating_add(line.saturating_mul(submissions).div_ceil(results.max(1)))
}

/// What fits into a page, on the safe side.
const PAGE: u64 = 4_000;
/// So much at least of a row that does not fit stands in its page, and so much of it in each page that it has besides.
const LOCAL: u64 = 489;
const OVERFLOW: u64 = 4_092;

/// What the longest row of so many bytes takes of the file, where no more than `most` of a row stands in its page ("Cell
/// Payload Overflow Pages" in SQLite's description of its files). Rows stand whole in pages: one that is just over half a page
/// takes a whole one. No shorter row takes more.
fn held(row: u64, most: u64) -> u64 {
    let (local, pages) = if row <= most {
        (row, 0)
    } else {
        let beyond = row.saturating_sub(LOCAL);
        match LOCAL + beyond % OVERFLOW {
            local if local <= most => (local, beyond / OVERFLOW),
            _ => (LOCAL, beyond / OVERFLOW + 1),
        }
    };
    4_096_u64.div_ceil((PAGE / local.max(1)).max(1)).saturating_add(pages.saturating_mul(4_096))
}

/// Gives up the key that it comes with where its time is over, and looks what came with it.
fn seen(desk: &Desk, batch: &NewBatch) -> Result<Option<Placed>, StoreError> {
    let Some(key) = &batch.key else { return Ok(None) };
    let old = "DELETE FROM idempotency WHERE tenant = ?1 AND key = ?2 AND until <= ?3";
    desk.db.prepare_cached(old)?.execute(params![batch.tenant, key.key, batch.created])?;
    known(&desk.db, &batch.tenant, (&key.key, &key.body), batch.created)
}

/// What came with a key, compared with the body that comes now. A key whose time is over is nobody's.
pub(crate) fn known(
    db: &Connection,
    tenant: &str,
    (key, body): (&str, &Hash),
    now: UnixMillis,
) -> Result<Option<Placed>, StoreError> {
    let sql = "SELECT body, id FROM idempotency JOIN batch ON batch.number = idempotency.batch
               WHERE idempotency.tenant = ?1 AND key = ?2 AND until > ?3";
    let found: Option<(Vec<u8>, String)> = db
        .prepare_cached(sql)?
        .query_row(params![tenant, key, now], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(came, id)| if came == body { Placed::Before(id) } else { Placed::Conflict }))
}

/// What a batch is made of.
struct Data {
    /// The data of an earlier batch, or none: they come with this one.
    dataset: Option<i64>,
    /// The places of the submissions in the data.
    sources: Vec<u32>,
    tests: u64,
    repeat: u32,
    /// The texts and data that are to be written, with their rows.
    bytes: u64,
}

impl Data {
    fn of(batch: &NewBatch) -> Result<Data, StoreError> {
        let texts = batch.spec.len()
            + batch.submissions.iter().map(|row| row.name.len() + row.spec.len()).sum::<usize>()
            + batch
                .tests
                .iter()
                .map(|row| row.name.len() + row.spec.len() + inline(&row.stdin) + inline(&row.expected))
                .sum::<usize>();
        let rows = at_most(batch.submissions.len().saturating_add(batch.tests.len()));
        Ok(Data {
            dataset: None,
            sources: places(batch.submissions.len())?,
            tests: at_most(batch.tests.len()),
            repeat: batch.repeat.max(1),
            bytes: at_most(texts).saturating_add(rows.saturating_mul(ROW_BYTES)),
        })
    }

    /// What the rows take that every batch has, also one that has the data of another.
    fn rows(&self) -> u64 {
        at_most(self.sources.len()).saturating_add(1).saturating_mul(ROW_BYTES)
    }

    /// All that it takes before there is a result.
    fn wanted(&self) -> u64 {
        self.bytes.saturating_add(self.rows())
    }

    fn results(&self, batch: &NewBatch) -> Result<u64, StoreError> {
        at_most(self.sources.len())
            .checked_mul(self.tests)
            .and_then(|all| all.checked_mul(u64::from(self.repeat)))
            .filter(|all| u32::try_from(*all).is_ok())
            .ok_or_else(|| StoreError::Failed(format!("batch {} has more results than can be counted", batch.id)))
    }
}

fn places(count: usize) -> Result<Vec<u32>, StoreError> {
    let count =
        u32::try_from(count).map_err(|_| StoreError::Failed(format!("{count} submissions can't be counted")))?;
    Ok((0..count).collect())
}

fn inline(datum: &Datum) -> usize {
    match datum {
        Datum::Inline(bytes) => bytes.len(),
        Datum::Blob(hash) => hash.len(),
        Datum::Absent => 0,
    }
}

/// The data of the batch that is judged again.
fn again(desk: &Desk, batch: &NewBatch, first: &str) -> Result<Data, StoreError> {
    let sql = "SELECT number, dataset, tests, repeat FROM batch WHERE id = ?1 AND tenant = ?2 AND state < 4";
    let found: Option<(i64, i64, i64, u32)> = desk
        .db
        .prepare_cached(sql)?
        .query_row((first, &batch.tenant), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let (number, dataset, tests, repeat) = found.ok_or(StoreError::Unknown)?;
    let sql = "SELECT name, source.place FROM submission JOIN source ON source.dataset = ?2 AND source.place = submission.source
               WHERE submission.batch = ?1 ORDER BY submission.place";
    let mut statement = desk.db.prepare_cached(sql)?;
    let there: Vec<(String, u32)> =
        statement.query_map((number, dataset), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let sources = if batch.submissions.is_empty() {
        there.into_iter().map(|(_, place)| place).collect()
    } else {
        let places: HashMap<String, u32> = there.into_iter().collect();
        let place = |name: &String| {
            places
                .get(name)
                .copied()
                .ok_or_else(|| StoreError::Failed(format!("batch {first} has no submission {name:?} to judge again")))
        };
        batch.submissions.iter().map(|row| place(&row.name)).collect::<Result<_, _>>()?
    };
    Ok(Data { dataset: Some(dataset), sources, tests: whole(tests), repeat, bytes: 0 })
}

/// The room that is kept for results of accepted batches.
pub(crate) fn reserved(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT COALESCE(SUM(reserved), 0) FROM tenant";
    Ok(whole(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
}

/// Whether the tenant would keep more than it may.
fn over_quota(desk: &Desk, batch: &NewBatch, data: &Data, results: u64) -> Result<Option<Placed>, StoreError> {
    let sql = "SELECT waiting, batches, bytes FROM tenant WHERE name = ?1";
    let found = desk
        .db
        .prepare_cached(sql)?
        .query_row([&batch.tenant], |row| Ok((whole(row.get(0)?), whole(row.get(1)?), whole(row.get(2)?))));
    let (waiting, batches, bytes) = found.optional()?.unwrap_or_default();
    if waiting.saturating_add(results) > batch.queued_results {
        return Ok(Some(Placed::TooMany(waiting)));
    }
    if batches >= desk.limits.tenant_batches {
        return Ok(Some(Placed::OverQuota { what: "batches", has: batches, most: desk.limits.tenant_batches }));
    }
    let most = desk.limits.tenant_bytes.min(batch.tenant_bytes);
    if bytes.saturating_add(data.wanted()) > most {
        return Ok(Some(Placed::OverQuota { what: "bytes", has: bytes, most }));
    }
    Ok(None)
}

/// Refuses what would take the room that the results of accepted batches need, and says of what would find none in an empty
/// store either that it is too large.
fn room(desk: &Desk, data: &Data, results: u64) -> Result<Option<Placed>, StoreError> {
    let wanted = data.wanted();
    // An eighth is left for what deleting needs, and for pages that are not full.
    let most = desk.limits.bytes - desk.limits.bytes / 8;
    let alone = wanted.saturating_add(results);
    if empty(&desk.db)?.saturating_add(alone) > most {
        return Ok(Some(Placed::TooLarge { wanted: alone, most: desk.limits.bytes }));
    }
    let used = used(&desk.db)?;
    let reserved = reserved(&desk.db)?.saturating_add(results);
    if used.saturating_add(wanted).saturating_add(reserved) > most {
        return Err(StoreError::Full(format!(
            "it holds {used} bytes and may have {} (its setting `store_bytes`, an eighth less for batches); {reserved} are \
             kept for results that are waited for, and {wanted} more were wanted",
            desk.limits.bytes
        )));
    }
    Ok(None)
}

/// What a store takes that has nothing, on the safe side: a page for each table and index, and pages for what they are, which
/// may be half full.
fn empty(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT COUNT(*) + 1 + SUM(LENGTH(COALESCE(sql, '')) + 128) / 2000 FROM sqlite_schema";
    let pages = db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))?;
    Ok(whole(pages).saturating_mul(4_096))
}

/// The bytes that are in use.
pub(crate) fn used(db: &Connection) -> rusqlite::Result<u64> {
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(whole);
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(pages.saturating_mul(number("page_size")?))
}

/// Writes it, and gives its number.
fn keep(desk: &Desk, batch: &NewBatch, data: Data, (results, each): (u64, u64)) -> Result<i64, StoreError> {
    let db = &desk.db;
    let dataset = match data.dataset {
        Some(dataset) => dataset,
        None => dataset(desk, batch, data.bytes)?,
    };
    let bytes = data.rows();
    let submissions = data.sources.len();
    let finished = (results == 0 && submissions == 0).then_some(batch.created);
    let sql = "INSERT INTO batch (id, tenant, dataset, rejudge_of, state, repeat, submissions, tests, results, created,
               finished, bytes, result_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    db.prepare_cached(sql)?.execute(params![
        batch.id,
        batch.tenant,
        dataset,
        batch.rejudge_of,
        if finished.is_some() { 2 } else { 0 },
        data.repeat,
        super::number(at_most(submissions))?,
        super::number(data.tests)?,
        super::number(results)?,
        batch.created,
        finished,
        super::number(bytes)?,
        super::number(each)?,
    ])?;
    let number = db.last_insert_rowid();
    if i32::try_from(number).is_err() {
        return Err(StoreError::Failed("it has counted as many batches as it can".into()));
    }
    let mut label = db.prepare_cached("INSERT INTO label (batch, tenant, name, value) VALUES (?1, ?2, ?3, ?4)")?;
    for (name, value) in &batch.labels {
        label.execute((number, &batch.tenant, name, value))?;
    }
    let mut submission = db.prepare_cached("INSERT INTO submission (batch, place, source) VALUES (?1, ?2, ?3)")?;
    for (place, source) in (0_u32..).zip(data.sources) {
        submission.execute((number, place, source))?;
    }
    Ok(number)
}

/// Writes the data, and gives their number.
fn dataset(desk: &Desk, batch: &NewBatch, bytes: u64) -> Result<i64, StoreError> {
    let db = &desk.db;
    db.prepare_cached("INSERT INTO dataset (spec, bytes, tenant) VALUES (?1, ?2, ?3)")?.execute(params![
        batch.spec,
        super::number(bytes)?,
        batch.tenant
    ])?;
    let dataset = db.last_insert_rowid();
    let mut source = db.prepare_cached("INSERT INTO source (dataset, place, name, spec) VALUES (?1, ?2, ?3, ?4)")?;
    for (place, row) in (0_u32..).zip(&batch.submissions) {
        source.execute(params![dataset, place, row.name, row.spec])?;
    }
    let sql = "INSERT INTO test (dataset, place, name, spec, stdin, stdin_blob, expected, expected_blob)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut test = db.prepare_cached(sql)?;
    let mut reference = db.prepare_cached("INSERT OR IGNORE INTO reference (dataset, hash) VALUES (?1, ?2)")?;
    for (place, row) in (0_u32..).zip(&batch.tests) {
        let (stdin, stdin_blob) = columns(&row.stdin);
        let (expected, expected_blob) = columns(&row.expected);
        test.execute(params![dataset, place, row.name, row.spec, stdin, stdin_blob, expected, expected_blob])?;
        for hash in [stdin_blob, expected_blob].into_iter().flatten() {
            reference.execute((dataset, hash))?;
        }
    }
    Ok(dataset)
}

/// The bytes of a datum, or the hash of its blob.
fn columns(datum: &Datum) -> (Option<&[u8]>, Option<&[u8]>) {
    match datum {
        Datum::Absent => (None, None),
        Datum::Inline(bytes) => (Some(bytes), None),
        Datum::Blob(hash) => (None, Some(hash)),
    }
}
