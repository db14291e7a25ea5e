//! Leases: which submissions are with a worker, and how often a unit was tried.
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::writer::Desk;
use crate::{Leased, LeasedSubmission, Renewal, Share, StoreError, Unit, Wish};

/// A batch that is not over.
pub(crate) struct Open {
    pub(crate) number: i64,
    pub(crate) tests: u32,
    pub(crate) repeat: u32,
    pub(crate) submissions: u32,
}

impl Open {
    /// Finds it. None: it is over, or there is no such batch.
    pub(crate) fn find(db: &Connection, id: &str) -> Result<Option<Open>, StoreError> {
        let sql = "SELECT number, tests, repeat, submissions FROM batch WHERE id = ?1 AND state < 2";
        let found = db.prepare_cached(sql)?.query_row([id], |row| {
            Ok(Open { number: row.get(0)?, tests: row.get(1)?, repeat: row.get(2)?, submissions: row.get(3)? })
        });
        Ok(found.optional()?)
    }

    /// Its unit as the columns `test` and `repeat` have it.
    pub(crate) fn columns(&self, id: &str, submission: u32, unit: Unit) -> Result<(i64, u32), StoreError> {
        let known = match unit.test {
            None => unit.repeat == 0,
            Some(test) => test < self.tests && (1..=self.repeat).contains(&unit.repeat),
        };
        if known && submission < self.submissions {
            return Ok((unit.test.map_or(-1, i64::from), unit.repeat));
        }
        Err(StoreError::Failed(format!("batch {id} has no unit {unit:?} of a submission {submission}")))
    }
}

/// The unit of two columns.
pub(crate) fn unit(test: i64, repeat: u32) -> Unit {
    Unit { test: u32::try_from(test).ok(), repeat }
}

pub(crate) fn lease(desk: &mut Desk, wish: &Wish) -> Result<Leased, StoreError> {
    match wish {
        Wish::Submissions { most } => {
            let mut all = Vec::new();
            for Share { tenant, any, idle } in most {
                submissions(desk, tenant, (*any, false), &mut all)?;
                submissions(desk, tenant, (*idle, true), &mut all)?;
            }
            Ok(Leased::Submissions(all))
        }
        Wish::Units { batch, submission, units } => self::units(desk, batch, *submission, units).map(Leased::Units),
    }
}

/// Of the tenant's batches in turn, or of those alone that are `idle`, until there are as many as wished or each was asked in
/// vain.
fn submissions(
    desk: &mut Desk,
    tenant: &str,
    (most, idle): (usize, bool),
    all: &mut Vec<LeasedSubmission>,
) -> Result<(), StoreError> {
    // One after another: there may be 100,000, and few are wanted. Those that have nothing to give are among those under way,
    // which are few, too.
    let sql = "SELECT number FROM batch WHERE tenant = ?1 AND state < 2 AND number > ?2 ORDER BY number LIMIT 1";
    let mut at = desk.hands.last(tenant);
    let (mut given, mut ends) = (0, 0);
    while given < most {
        let next: Option<i64> = desk.db.prepare_cached(sql)?.query_row((tenant, at), |row| row.get(0)).optional()?;
        let Some(batch) = next else {
            (at, ends) = (0, ends + 1);
            if ends == 2 {
                break;
            }
            continue;
        };
        at = batch;
        if idle && desk.hands.has_any(batch) {
            continue;
        }
        let Some(place) = desk.hands.take(&desk.db, batch)? else { continue };
        (given, ends) = (given + 1, 0);
        desk.hands.served(tenant, batch);
        desk.db.prepare_cached("UPDATE batch SET state = 1 WHERE number = ?1 AND state = 0")?.execute([batch])?;
        all.push(whole(&desk.db, batch, place)?);
    }
    Ok(())
}

/// All that is known of a submission.
fn whole(db: &Connection, batch: i64, place: u32) -> Result<LeasedSubmission, StoreError> {
    let sql = "SELECT id, batch.tenant, dataset.spec, repeat, name, source.spec, submission.done, note
               FROM batch JOIN dataset ON dataset.number = batch.dataset
               JOIN submission ON submission.batch = batch.number AND submission.place = ?2
               JOIN source ON source.dataset = batch.dataset AND source.place = submission.source
               WHERE batch.number = ?1";
    let mut leased = db.prepare_cached(sql)?.query_row((batch, place), |row| {
        Ok(LeasedSubmission {
            batch: row.get(0)?,
            tenant: row.get(1)?,
            spec: row.get(2)?,
            labels: BTreeMap::new(),
            repeat: row.get(3)?,
            submission: place,
            name: row.get(4)?,
            submission_spec: row.get(5)?,
            done: super::whole(row.get(6)?),
            compiled: row.get(7)?,
            tried: Vec::new(),
        })
    })?;
    leased.labels = labels(db, batch)?;
    let mut tried =
        db.prepare_cached("SELECT test, repeat, times FROM attempt WHERE batch = ?1 AND submission = ?2")?;
    for row in tried.query_map((batch, place), |row| Ok((unit(row.get(0)?, row.get(1)?), row.get(2)?)))? {
        leased.tried.push(row?);
    }
    Ok(leased)
}

/// The labels of a batch.
pub(crate) fn labels(db: &Connection, batch: i64) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = db.prepare_cached("SELECT name, value FROM label WHERE batch = ?1")?;
    statement.query_map([batch], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Counts an attempt for each.
fn units(desk: &Desk, id: &str, submission: u32, units: &[Unit]) -> Result<Vec<(Unit, u32)>, StoreError> {
    let Some(open) = Open::find(&desk.db, id)? else { return Ok(Vec::new()) };
    if !desk.hands.has(open.number, submission) {
        return Err(StoreError::Failed(format!("submission {submission} of batch {id} is not leased")));
    }
    let sql = "SELECT 1 FROM result WHERE batch = ?1 AND submission = ?2 AND test = ?3 AND repeat = ?4";
    let mut recorded = desk.db.prepare_cached(sql)?;
    let sql = "INSERT INTO attempt (batch, submission, test, repeat, times) VALUES (?1, ?2, ?3, ?4, 1)
               ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times";
    let mut count = desk.db.prepare_cached(sql)?;
    let mut leased = Vec::new();
    for unit in units {
        let (test, repeat) = open.columns(id, submission, *unit)?;
        let place = (open.number, submission, test, repeat);
        if !recorded.exists(place)? {
            leased.push((*unit, count.query_row(place, |row| row.get(0))?));
        }
    }
    Ok(leased)
}

pub(crate) fn renew(desk: &mut Desk, renewal: &Renewal) -> Result<(), StoreError> {
    let Renewal::Return { batch, submission, units, submission_too } = renewal else {
        // There is one engine, which has what it was given until it gives it back or ends.
        return Ok(());
    };
    let Some(open) = Open::find(&desk.db, batch)? else { return Ok(()) };
    let place = "batch = ?1 AND submission = ?2 AND test = ?3 AND repeat = ?4";
    let mut last = desk.db.prepare_cached(&format!("DELETE FROM attempt WHERE {place} AND times = 1"))?;
    let mut one = desk.db.prepare_cached(&format!("UPDATE attempt SET times = times - 1 WHERE {place}"))?;
    for unit in units {
        let (test, repeat) = open.columns(batch, *submission, *unit)?;
        let place = (open.number, submission, test, repeat);
        if last.execute(place)? == 0 {
            one.execute(place)?;
        }
    }
    if *submission_too && desk.hands.give_back(open.number, *submission) {
        desk.news.work += 1;
    }
    Ok(())
}
