//! Forgets what is old, in steps that hold up nobody else for long, and gives room back to the disk.
use rusqlite::OptionalExtension;

use super::writer::Desk;
use super::{number, whole};
use crate::{Expired, StoreError, UnixMillis};

/// Results that one step deletes.
const RESULTS: i64 = 5_000;
/// Pages that one step gives back.
const PAGES: i64 = 2_000;
/// Free pages that the file keeps: it will need them again.
const SPARE: i64 = 64;

/// One step. Says whether there is more to do.
pub(crate) fn step(desk: &mut Desk, now: UnixMillis) -> Result<(Expired, bool), StoreError> {
    let keys = desk.db.prepare_cached("DELETE FROM idempotency WHERE until <= ?1")?.execute([now])?;
    let mut expired = Expired { batches: 0, keys: super::at_most(keys) };
    let old = now.saturating_sub(number(desk.limits.keep_millis)?);
    // From here on nobody sees them; what follows may take several steps, and a crash between them is made up for.
    let sql =
        "DELETE FROM idempotency WHERE batch IN (SELECT number FROM batch WHERE state IN (2, 3) AND finished <= ?1)";
    expired.keys += super::at_most(desk.db.prepare_cached(sql)?.execute([old])?);
    let sql = "UPDATE batch SET state = 4 WHERE state IN (2, 3) AND finished <= ?1";
    expired.batches = super::at_most(desk.db.prepare_cached(sql)?.execute([old])?);
    Ok((expired, clear(desk)? || shrink(desk)?))
}

/// Deletes some of what nobody sees any more. Says whether there was any.
fn clear(desk: &Desk) -> Result<bool, StoreError> {
    let db = &desk.db;
    let sql = "SELECT number, dataset FROM batch WHERE state = 4 LIMIT 1";
    let found: Option<(i64, i64)> =
        db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((batch, dataset)) = found else { return Ok(false) };
    let sql = "DELETE FROM result WHERE place IN
               (SELECT place FROM result WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3)";
    let (first, end) = (super::record::place_of(batch, 0), super::record::place_of(batch + 1, 0));
    if db.prepare_cached(sql)?.execute((first, end, RESULTS))? > 0 {
        return Ok(true);
    }
    db.prepare_cached("DELETE FROM batch WHERE number = ?1")?.execute([batch])?;
    // Its data go with the last batch that has them.
    let sql = "DELETE FROM dataset WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM batch WHERE dataset = ?1)";
    db.prepare_cached(sql)?.execute([dataset])?;
    Ok(true)
}

/// Gives free pages back. Says whether there may be more to give.
fn shrink(desk: &Desk) -> Result<bool, StoreError> {
    let free: i64 = desk.db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let pages: i64 = desk.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let spare = free.saturating_sub(SPARE.max(pages / 16)).min(PAGES);
    if spare <= 0 {
        return Ok(false);
    }
    desk.db.execute_batch(&format!("PRAGMA incremental_vacuum({spare})"))?;
    let left: i64 = desk.db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    Ok(whole(left) < whole(free))
}
