//! The tables, and how older ones become today's.
use std::path::Path;

use rusqlite::Connection;

use super::error::Unusable;

/// Says that a file is ours: "engd".
const APPLICATION: i64 = 0x656e_6764;

/// What makes version n + 1 of version n. What stands here is never changed, only added to.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Brings the file to today's version, or says why not.
pub(crate) fn prepare(db: &mut Connection, path: &Path) -> Result<(), Unusable> {
    migrate(db, path, MIGRATIONS)
}

fn migrate(db: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), Unusable> {
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    let found = not_newer(version(db, path)?, path, migrations)?;
    let done = usize::try_from(found).map_err(|_| Unusable::Foreign { path: path.to_owned() })?;
    for (step, sql) in migrations.iter().enumerate().skip(done) {
        // Each in a transaction of its own, together with its number: a crash between two of them goes on at the next start.
        let change = db.transaction().map_err(fail)?;
        change.execute_batch(sql).map_err(fail)?;
        change.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
        change.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX)).map_err(fail)?;
        change.commit().map_err(fail)?;
        tracing::info!(version = step + 1, "the store has a new version");
    }
    Ok(())
}

/// The version of a file that is to have one we know.
pub(crate) fn known_version(db: &Connection, path: &Path) -> Result<i64, Unusable> {
    match not_newer(version(db, path)?, path, MIGRATIONS)? {
        0 => Err(Unusable::Foreign { path: path.to_owned() }),
        version => Ok(version),
    }
}

fn not_newer(found: i64, path: &Path, migrations: &[&str]) -> Result<i64, Unusable> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Unusable::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// The file's version; 0 of an empty one.
pub(crate) fn version(db: &Connection, path: &Path) -> Result<i64, Unusable> {
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(fail);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    let empty = tables == 0 && application == 0 && version == 0;
    if !empty && application != APPLICATION {
        return Err(Unusable::Foreign { path: path.to_owned() });
    }
    Ok(version)
}
