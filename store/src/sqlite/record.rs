//! What has happened.
use rusqlite::{OptionalExtension, params};

use super::lease::Open;
use super::writer::Desk;
use super::{at_most, number, whole};
use crate::{Record, Recorded, StoreError, UnixMillis};

pub(crate) fn record(desk: &mut Desk, records: &[Record]) -> Result<Vec<Recorded>, StoreError> {
    records.iter().map(|record| one(desk, record)).collect()
}

fn one(desk: &mut Desk, record: &Record) -> Result<Recorded, StoreError> {
    match record {
        Record::Result { batch, .. } => match Open::find(&desk.db, batch)? {
            Some(open) => result(desk, &open, record),
            None => Ok(Recorded::Over),
        },
        Record::Submission { batch, submission, body, at } => match Open::find(&desk.db, batch)? {
            Some(open) => over(desk, &open, (batch, *submission), body, *at),
            None => Ok(Recorded::Over),
        },
        Record::Cancel { batch, tenant, at } => cancel(desk, batch, tenant, *at),
    }
}

fn result(desk: &mut Desk, open: &Open, record: &Record) -> Result<Recorded, StoreError> {
    let Record::Result { batch, submission, unit, attempt, verdict, body, note, at } = record else {
        return Err(StoreError::Failed("this is not a result".into()));
    };
    let (test, repeat) = open.columns(batch, *submission, *unit)?;
    let place = (open.number, submission, test, repeat);
    let db = &desk.db;
    let lease = "DELETE FROM attempt WHERE batch = ?1 AND submission = ?2 AND test = ?3 AND repeat = ?4";
    db.prepare_cached(lease)?.execute(place)?;
    if unit.test.is_none() {
        let sql = "UPDATE submission SET note = ?3 WHERE batch = ?1 AND place = ?2 AND line IS NULL";
        let there = db.prepare_cached(sql)?.execute((open.number, submission, note))?;
        return Ok(if there == 0 { Recorded::Before } else { Recorded::New(0) });
    }
    let sql = "SELECT 1 FROM result WHERE batch = ?1 AND submission = ?2 AND test = ?3 AND repeat = ?4";
    if db.prepare_cached(sql)?.exists(place)? {
        return Ok(Recorded::Before);
    }
    let bytes = number(at_most(body.len() + note.len()))?;
    let sql = "UPDATE batch SET done = done + 1, bytes = bytes + ?2 WHERE number = ?1 RETURNING done";
    let seq: i64 = db.prepare_cached(sql)?.query_row((open.number, bytes), |row| row.get(0))?;
    let sql = "INSERT INTO result (place, batch, submission, test, repeat, attempt, at, note, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let key = place_of(open.number, seq);
    db.prepare_cached(sql)?.execute(params![key, open.number, submission, test, repeat, attempt, at, note, body])?;
    let sql = "UPDATE submission SET done = done + 1 WHERE batch = ?1 AND place = ?2";
    db.prepare_cached(sql)?.execute((open.number, submission))?;
    let sql =
        "INSERT INTO tally (batch, verdict, count) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET count = count + 1";
    db.prepare_cached(sql)?.execute((open.number, verdict))?;
    desk.news.batches.push((batch.clone(), whole(seq)));
    Ok(Recorded::New(whole(seq)))
}

/// The key of a result: its batch and its number in it.
pub(crate) fn place_of(batch: i64, seq: i64) -> i64 {
    (batch << 32) | seq
}

/// A submission is over.
fn over(
    desk: &mut Desk,
    open: &Open,
    (batch, submission): (&str, u32),
    body: &[u8],
    at: UnixMillis,
) -> Result<Recorded, StoreError> {
    let db = &desk.db;
    let sql = "SELECT done, line IS NOT NULL FROM submission WHERE batch = ?1 AND place = ?2";
    let found: Option<(u64, bool)> = db
        .prepare_cached(sql)?
        .query_row((open.number, submission), |row| Ok((whole(row.get(0)?), row.get(1)?)))
        .optional()?;
    let Some((done, over)) = found else {
        return Err(StoreError::Failed(format!("batch {batch} has no submission {submission}")));
    };
    if over {
        return Ok(Recorded::Before);
    }
    let all = u64::from(open.tests) * u64::from(open.repeat);
    if done != all {
        // A batch that ended without all its results would never have them.
        return Err(StoreError::Failed(format!(
            "submission {submission} of batch {batch} can't be over: it has {done} of {all} results"
        )));
    }
    let sql = "UPDATE submission SET line = ?3 WHERE batch = ?1 AND place = ?2";
    db.prepare_cached(sql)?.execute((open.number, submission, body))?;
    let left = "DELETE FROM attempt WHERE batch = ?1 AND submission = ?2";
    db.prepare_cached(left)?.execute((open.number, submission))?;
    let sql = "UPDATE batch SET over = over + 1, bytes = bytes + ?2,
               state = CASE WHEN over + 1 = submissions THEN 2 ELSE 1 END,
               finished = CASE WHEN over + 1 = submissions THEN ?3 END
               WHERE number = ?1 RETURNING done, state";
    let bytes = number(at_most(body.len()))?;
    let (seq, state): (i64, i64) =
        db.prepare_cached(sql)?.query_row((open.number, bytes, at), |row| Ok((row.get(0)?, row.get(1)?)))?;
    desk.hands.over(open.number, submission);
    if state == 2 {
        desk.hands.forget(open.number);
    }
    desk.news.batches.push((batch.to_owned(), whole(seq)));
    Ok(Recorded::New(0))
}

fn cancel(desk: &mut Desk, batch: &str, tenant: &str, at: UnixMillis) -> Result<Recorded, StoreError> {
    let sql = "SELECT number, state, done FROM batch WHERE id = ?1 AND tenant = ?2 AND state < 4";
    let found: Option<(i64, i64, i64)> = desk
        .db
        .prepare_cached(sql)?
        .query_row((batch, tenant), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (number, state, seq) = found.ok_or(StoreError::Unknown)?;
    match state {
        3 => return Ok(Recorded::Before),
        2 => return Ok(Recorded::Over),
        _ => {}
    }
    let sql = "UPDATE batch SET state = 3, finished = ?2 WHERE number = ?1";
    desk.db.prepare_cached(sql)?.execute((number, at))?;
    desk.db.prepare_cached("DELETE FROM attempt WHERE batch = ?1")?.execute([number])?;
    desk.hands.forget(number);
    desk.news.batches.push((batch.to_owned(), whole(seq)));
    Ok(Recorded::New(0))
}
