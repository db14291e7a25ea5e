//! The tables, and how older ones become today's.
use std::path::Path;

use rusqlite::Connection;

use super::error::Unusable;

/// Says that a file is ours: "engd".
const APPLICATION: i64 = 0x656e_6764;

/// What makes version n + 1 of version n. What stands here is never changed, only added to.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE word (text TEXT NOT NULL);";
    const TWO: &str = "ALTER TABLE word ADD COLUMN length INTEGER; UPDATE word SET length = length(text);";

    fn path() -> &'static Path {
        Path::new("batches.sqlite")
    }

    fn versions(db: &Connection) -> i64 {
        version(db, path()).unwrap()
    }

    #[test]
    fn an_empty_file_becomes_todays() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(versions(&db), 0);
        prepare(&mut db, path()).unwrap();
        assert_eq!(versions(&db), i64::try_from(MIGRATIONS.len()).unwrap());
        prepare(&mut db, path()).unwrap();
    }

    #[test]
    fn an_older_file_keeps_its_rows_and_gets_what_is_new() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, path(), &[ONE]).unwrap();
        db.execute("INSERT INTO word VALUES ('word')", []).unwrap();
        migrate(&mut db, path(), &[ONE, TWO]).unwrap();
        assert_eq!(versions(&db), 2);
        let length: i64 = db.query_row("SELECT length FROM word", [], |row| row.get(0)).unwrap();
        assert_eq!(length, 4);
    }

    #[test]
    fn a_store_of_version_1_is_added_up() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, path(), &MIGRATIONS[..1]).unwrap();
        db.execute_batch(
            "INSERT INTO dataset (number, spec, bytes) VALUES (1, x'', 100);
             INSERT INTO batch (id, tenant, dataset, state, repeat, submissions, tests, results, done, bytes, created)
             VALUES ('a', 'ann', 1, 1, 1, 2, 2, 4, 1, 7, 0), ('b', 'ann', 1, 2, 1, 1, 1, 1, 1, 5, 0);",
        )
        .unwrap();
        migrate(&mut db, path(), &MIGRATIONS[..2]).unwrap();
        let ann = |db: &Connection| -> [i64; 5] {
            let sql = "SELECT batches, open, bytes, waiting, reserved FROM tenant WHERE name = 'ann'";
            db.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])).unwrap()
        };
        assert_eq!(ann(&db), [2, 1, 112, 3, 3 * 1_024]);
        db.execute_batch("UPDATE batch SET done = 2, bytes = 17 WHERE id = 'a'").unwrap();
        assert_eq!(ann(&db), [2, 1, 122, 2, 2 * 1_024]);
        db.execute_batch("UPDATE batch SET state = 3 WHERE id = 'a'").unwrap();
        assert_eq!(ann(&db), [2, 0, 122, 0, 0]);
        db.execute_batch("DELETE FROM batch; DELETE FROM dataset").unwrap();
        assert_eq!(ann(&db), [0; 5]);
    }

    #[test]
    fn labels_of_a_store_of_version_2_are_their_tenants() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, path(), &MIGRATIONS[..2]).unwrap();
        db.execute_batch(
            "INSERT INTO dataset (number, spec, bytes) VALUES (1, x'', 100);
             INSERT INTO batch (number, id, tenant, dataset, state, repeat, submissions, tests, results, created)
             VALUES (1, 'a', 'ann', 1, 1, 1, 1, 1, 1, 0), (2, 'b', 'bob', 1, 1, 1, 1, 1, 1, 0);
             INSERT INTO label (batch, name, value) VALUES (1, 'course', 'x'), (1, 'week', '3'), (2, 'course', 'x');",
        )
        .unwrap();
        migrate(&mut db, path(), MIGRATIONS).unwrap();
        assert_eq!(versions(&db), 3);
        let sql = "SELECT batch FROM label WHERE tenant = ?1 AND name = ?2 AND value = ?3";
        let found = |tenant: &str, name: &str, value: &str| -> Vec<i64> {
            let mut statement = db.prepare(sql).unwrap();
            statement.query_map([tenant, name, value], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!((found("ann", "course", "x"), found("bob", "course", "x")), (vec![1], vec![2]));
        assert_eq!((found("ann", "week", "3"), found("bob", "week", "3")), (vec![1], vec![]));
        let sum: i64 = db.query_row("SELECT batches FROM tenant WHERE name = 'ann'", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 1, "what version 2 has added up stays");
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut db = Connection::open_in_memory().unwrap();
        let wrong = "CREATE TABLE more (text TEXT); INSERT INTO nowhere VALUES (1);";
        let error = migrate(&mut db, path(), &[ONE, wrong]).unwrap_err();
        assert!(matches!(error, Unusable::Failed { .. }), "{error}");
        assert_eq!(versions(&db), 1);
        assert!(!db.table_exists(None, "more").unwrap());
        migrate(&mut db, path(), &[ONE, TWO]).unwrap();
    }

    #[test]
    fn a_newer_file_is_refused_by_its_version() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, path(), &[ONE, TWO]).unwrap();
        let error = migrate(&mut db, path(), &[ONE]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store batches.sqlite has version 2 and this engined knows up to 1; start the engined that wrote it or a \
             later one, or restore a backup from before the upgrade"
        );
    }

    #[test]
    fn a_database_of_something_else_is_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE address (name TEXT)").unwrap();
        assert!(matches!(prepare(&mut db, path()), Err(Unusable::Foreign { .. })));
    }
}
