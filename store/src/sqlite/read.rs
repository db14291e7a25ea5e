//! Answers. Each is read in one transaction, so that its parts belong together.
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lease::{labels, unit};
use super::put::known;
use super::record::place_of;
use super::{number, whole};
use crate::{Answer, Datum, Details, Hash, Question, Size, Status, StoreError, Summary, TestRow, Unit};

/// The columns that [`summary`] reads.
const SUMMARY: &str = "number, id, state, submissions, tests, results, done, created, finished, rejudge_of";

pub(crate) fn answer(db: &mut Connection, question: &Question, most_bytes: u64) -> Result<Answer, StoreError> {
    let db = &*db.transaction()?;
    match question {
        Question::Batch { tenant, batch } => self::batch(db, tenant, batch),
        Question::Summary { tenant, batch } => alone(db, tenant, batch),
        Question::Results { tenant, batch, from, most, most_bytes } => {
            results(db, (tenant, batch), *from, (*most, *most_bytes))
        }
        Question::List { tenant, before, status, label, most } => {
            list(db, tenant, before.as_deref(), *status, label.as_ref(), *most)
        }
        Question::Tests { batch } => tests(db, batch),
        Question::Data { batch, test } => data(db, batch, *test),
        Question::Done { batch, submission, after, most } => done(db, batch, *submission, *after, *most),
        Question::Key { tenant, key, body, now } => Ok(Answer::Key(known(db, tenant, (key, body), *now)?)),
        Question::Waiting => {
            let mut statement = db.prepare_cached("SELECT name FROM tenant WHERE open > 0")?;
            Ok(Answer::Waiting(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?))
        }
        Question::Blobs { tenant } => blobs(db, tenant),
        Question::Size => size(db, most_bytes),
    }
}

/// A batch of a list, all but its labels.
fn summary(row: &Row<'_>) -> rusqlite::Result<(i64, Summary)> {
    let summary = Summary {
        id: row.get(1)?,
        status: match row.get::<_, i64>(2)? {
            0 => Status::Queued,
            1 => Status::Running,
            2 => Status::Finished,
            _ => Status::Cancelled,
        },
        submissions: whole(row.get(3)?),
        tests: whole(row.get(4)?),
        results: whole(row.get(5)?),
        done: whole(row.get(6)?),
        created: row.get(7)?,
        finished: row.get(8)?,
        rejudge_of: row.get(9)?,
        labels: BTreeMap::new(),
    };
    Ok((row.get(0)?, summary))
}

/// The number of a batch that a tenant has.
fn find(db: &Connection, tenant: &str, batch: &str) -> Result<i64, StoreError> {
    let sql = "SELECT number FROM batch WHERE id = ?1 AND tenant = ?2 AND state < 4";
    db.prepare_cached(sql)?.query_row((batch, tenant), |row| row.get(0)).optional()?.ok_or(StoreError::Unknown)
}

/// One by its name, and its number.
fn one(db: &Connection, tenant: &str, batch: &str) -> Result<(i64, Summary), StoreError> {
    let number = find(db, tenant, batch)?;
    let sql = format!("SELECT {SUMMARY} FROM batch WHERE number = ?1");
    let (_, mut summary) = db.prepare_cached(&sql)?.query_row([number], summary)?;
    summary.labels = labels(db, number)?;
    Ok((number, summary))
}

fn alone(db: &Connection, tenant: &str, batch: &str) -> Result<Answer, StoreError> {
    let (number, summary) = one(db, tenant, batch)?;
    let sql = "SELECT COALESCE(SUM(COALESCE(length(line), 0)), 0) FROM submission WHERE batch = ?1";
    let bytes = whole(db.prepare_cached(sql)?.query_row([number], |row| row.get(0))?);
    Ok(Answer::Summary(Box::new(summary), bytes))
}

fn batch(db: &Connection, tenant: &str, batch: &str) -> Result<Answer, StoreError> {
    let (number, summary) = one(db, tenant, batch)?;
    let sql =
        "SELECT spec, dataset.number FROM batch JOIN dataset ON dataset.number = batch.dataset WHERE batch.number = ?1";
    let (spec, dataset): (Vec<u8>, i64) =
        db.prepare_cached(sql)?.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut tally = db.prepare_cached("SELECT verdict, count FROM tally WHERE batch = ?1")?;
    let verdicts = tally.query_map([number], |row| Ok((row.get(0)?, whole(row.get(1)?))))?.collect::<Result<_, _>>()?;
    let sql = "SELECT name, done, line FROM submission
               JOIN source ON source.dataset = ?2 AND source.place = submission.source
               WHERE batch = ?1 ORDER BY submission.place";
    let mut rows = db.prepare_cached(sql)?;
    let submissions = rows
        .query_map((number, dataset), |row| Ok((row.get(0)?, whole(row.get(1)?), row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    Ok(Answer::Batch(Box::new((summary, Details { spec, verdicts, submissions }))))
}

fn results(
    db: &Connection,
    (tenant, batch): (&str, &str),
    from: u64,
    (most, most_bytes): (usize, usize),
) -> Result<Answer, StoreError> {
    let batch = find(db, tenant, batch)?;
    let sql = "SELECT done, state >= 2 FROM batch WHERE number = ?1";
    let (last, over): (i64, bool) = db.prepare_cached(sql)?.query_row([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement =
        db.prepare_cached("SELECT place, body FROM result WHERE place >= ?1 AND place <= ?2 ORDER BY place LIMIT ?3")?;
    let first = place_of(batch, number(from.min(u64::from(u32::MAX)))?);
    let rows = statement.query_map((first, place_of(batch, last), limit(most)), |row| {
        Ok((whole(row.get::<_, i64>(0)? - place_of(batch, 0)), row.get::<_, Vec<u8>>(1)?))
    })?;
    let (mut results, mut bytes) = (Vec::new(), 0_usize);
    for row in rows {
        let (seq, line) = row?;
        bytes = bytes.saturating_add(line.len());
        if bytes > most_bytes && !results.is_empty() {
            break;
        }
        results.push((seq, line));
    }
    Ok(Answer::Results { results, over, last: whole(last) })
}

/// A number of rows as SQL has it.
fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// Lists batches by the index that fits: of a label that few have, or of a state that few are in, the others are not looked at.
fn list_sql(by_state: bool, by_label: bool) -> String {
    // The unary plus keeps the planner from an index of the states where that of a label leads to fewer.
    let (from, number, state) = if by_label {
        ("label JOIN batch ON batch.number = label.batch", "label.batch", "+batch.state")
    } else {
        ("batch", "number", "state")
    };
    let state = if by_state { format!("{state} = ?4") } else { format!("?4 IS NULL AND {state} < 4") };
    let whose = if by_label {
        "label.tenant = ?1 AND label.name = ?5 AND label.value = ?6"
    } else {
        "tenant = ?1 AND ?5 IS NULL AND ?6 IS NULL"
    };
    format!("SELECT {SUMMARY} FROM {from} WHERE {whose} AND {number} < ?2 AND {state} ORDER BY {number} DESC LIMIT ?3")
}

fn list(
    db: &Connection,
    tenant: &str,
    before: Option<&str>,
    status: Option<Status>,
    label: Option<&(String, String)>,
    most: usize,
) -> Result<Answer, StoreError> {
    let before = before.map(|batch| find(db, tenant, batch)).transpose()?.unwrap_or(i64::MAX);
    let state = status.map(|status| match status {
        Status::Queued => 0,
        Status::Running => 1,
        Status::Finished => 2,
        Status::Cancelled => 3,
    });
    let mut statement = db.prepare_cached(&list_sql(state.is_some(), label.is_some()))?;
    let (name, value) = (label.map(|label| &label.0), label.map(|label| &label.1));
    // Each parameter has its place also where the question does not have it.
    let rows = statement.query_map(params![tenant, before, limit(most), state, name, value], summary)?;
    let mut found = Vec::new();
    for row in rows {
        let (number, mut summary) = row?;
        summary.labels = labels(db, number)?;
        found.push(summary);
    }
    Ok(Answer::List(found))
}

/// The data of a batch of whomever.
fn dataset(db: &Connection, batch: &str) -> Result<i64, StoreError> {
    let sql = "SELECT dataset FROM batch WHERE id = ?1 AND state < 4";
    db.prepare_cached(sql)?.query_row([batch], |row| row.get(0)).optional()?.ok_or(StoreError::Unknown)
}

fn tests(db: &Connection, batch: &str) -> Result<Answer, StoreError> {
    let sql = "SELECT name, spec, COALESCE(length(stdin), 0) + COALESCE(length(expected), 0)
               FROM test WHERE dataset = ?1 ORDER BY place";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([dataset(db, batch)?], |row| {
        Ok(TestRow { name: row.get(0)?, spec: row.get(1)?, inline_bytes: whole(row.get(2)?) })
    })?;
    Ok(Answer::Tests(rows.collect::<Result<_, _>>()?))
}

fn data(db: &Connection, batch: &str, test: u32) -> Result<Answer, StoreError> {
    let sql = "SELECT stdin, stdin_blob, expected, expected_blob FROM test WHERE dataset = ?1 AND place = ?2";
    let found = db.prepare_cached(sql)?.query_row((dataset(db, batch)?, test), |row| {
        let datum = |bytes: Option<Vec<u8>>, hash: Option<Hash>| {
            hash.map(Datum::Blob).or(bytes.map(Datum::Inline)).unwrap_or_default()
        };
        Ok(Answer::Data(datum(row.get(0)?, row.get(1)?), datum(row.get(2)?, row.get(3)?)))
    });
    found.optional()?.ok_or(StoreError::Unknown)
}

fn done(db: &Connection, batch: &str, submission: u32, after: Option<Unit>, most: usize) -> Result<Answer, StoreError> {
    let sql = "SELECT number FROM batch WHERE id = ?1 AND state < 4";
    let found: Option<i64> = db.prepare_cached(sql)?.query_row([batch], |row| row.get(0)).optional()?;
    let batch = found.ok_or(StoreError::Unknown)?;
    let (test, repeat) = after.map_or((-1, 0), |after| (after.test.map_or(-1, i64::from), after.repeat));
    let sql = "SELECT test, repeat, note FROM result
               WHERE batch = ?1 AND submission = ?2 AND (test, repeat) > (?3, ?4) ORDER BY test, repeat LIMIT ?5";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![batch, submission, test, repeat, limit(most)], |row| {
        Ok((unit(row.get(0)?, row.get(1)?), row.get(2)?))
    })?;
    Ok(Answer::Done(rows.collect::<Result<_, _>>()?))
}

fn blobs(db: &Connection, tenant: &str) -> Result<Answer, StoreError> {
    let sql = "SELECT DISTINCT hash FROM reference
               WHERE dataset IN (SELECT dataset FROM batch WHERE tenant = ?1 AND state < 4)";
    let mut statement = db.prepare_cached(sql)?;
    Ok(Answer::Blobs(statement.query_map([tenant], |row| row.get(0))?.collect::<Result<_, _>>()?))
}

fn size(db: &Connection, most: u64) -> Result<Answer, StoreError> {
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(whole);
    let page = number("page_size")?;
    let mut size = Size {
        bytes: number("page_count")?.saturating_mul(page),
        free: number("freelist_count")?.saturating_mul(page),
        most,
        ..Size::default()
    };
    let mut statement = db.prepare_cached("SELECT state, COUNT(*) FROM batch WHERE state < 4 GROUP BY state")?;
    for row in statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, whole(row.get(1)?))))? {
        let (state, count) = row?;
        size.batches += count;
        match state {
            0 => size.queued = count,
            1 => size.running = count,
            2 => size.finished = count,
            _ => size.cancelled = count,
        }
    }
    let sql = "SELECT COALESCE(SUM(waiting), 0) FROM tenant";
    size.waiting = whole(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?);
    Ok(Answer::Size(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_by_the_index_that_fits() {
        let mut db = Connection::open_in_memory().unwrap();
        super::super::schema::prepare(&mut db, std::path::Path::new("batches.sqlite")).unwrap();
        let label = "label_value (tenant=? AND name=? AND value=? AND batch<?)";
        for (by_state, by_label, index) in [
            (false, false, "batch_tenant (tenant=? AND number<?)"),
            (true, false, "batch_tenant_state (tenant=? AND state=? AND number<?)"),
            (false, true, label),
            (true, true, label),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {}", list_sql(by_state, by_label));
            let mut statement = db.prepare(&sql).unwrap();
            let steps = statement.query_map(params!["ann", 9, 9, 1, "x", "y"], |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(steps[0].ends_with(index), "{steps:?}");
            let by_key = "SEARCH batch USING INTEGER PRIMARY KEY (rowid=?)";
            assert!(steps[1..].iter().all(|step| step == by_key), "nothing is sorted or read whole: {steps:?}");
        }
    }
}
