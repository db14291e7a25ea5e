//! The files of a store, and connections to it.
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::Unusable;

/// The database below the folder.
const FILE: &str = "batches.sqlite";
/// Held by the engine that has the store.
const LOCK: &str = "lock";
/// Pages that the log may have before they go into the file.
const LOG_PAGES: i64 = 1_000;
/// The log's file is cut back to this.
const LOG_BYTES: i64 = 16 << 20;
/// How long one connection waits for another's short hold of the log.
pub(crate) const BUSY: Duration = Duration::from_secs(30);
/// The bytes of a page, of which the cap is a number.
const PAGE: u64 = 4_096;

pub(crate) fn unusable(path: &Path) -> impl Fn(io::Error) -> Unusable {
    let path = path.to_owned();
    move |source| Unusable::Folder { path: path.clone(), source }
}

/// Makes the folder, and takes the lock. It is free again when the file is closed, however the process ends.
pub(crate) fn lock(folder: &Path) -> Result<File, Unusable> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable(folder))?;
    let path = folder.join(LOCK);
    let file = ours(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Unusable::Held { path }),
        Err(TryLockError::Error(source)) => Err(Unusable::Folder { path, source }),
    }
}

/// A file that nobody else reads; SQLite gives its log the same mode.
pub(crate) fn ours(path: &Path) -> Result<File, Unusable> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(unusable(path))?;
    let mode = file.metadata().map_err(unusable(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(unusable(path))?;
    }
    Ok(file)
}

/// Where the database of a folder is.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The database, made if it wasn't there.
pub(crate) fn file(folder: &Path) -> Result<PathBuf, Unusable> {
    let path = path(folder);
    ours(&path)?;
    Ok(path)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Unusable> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable(folder))
}

/// A connection that may write.
pub(crate) fn connect(path: &Path, durable: bool) -> Result<Connection, Unusable> {
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(fail)?;
    db.busy_timeout(BUSY).map_err(fail)?;
    // Both only take effect in a file that has nothing in it yet.
    let page = i64::try_from(PAGE).unwrap_or(i64::MAX);
    db.pragma_update(None, "page_size", page).map_err(fail)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(fail)?;
    super::schema::version(&db, path)?;
    set(&db, "journal_mode", "wal", path)?;
    // 2: FULL, which waits for the disk at each transaction.
    set(&db, "synchronous", if durable { 2 } else { 0 }, path)?;
    set(&db, "foreign_keys", 1, path)?;
    set(&db, "wal_autocheckpoint", LOG_PAGES, path)?;
    set(&db, "journal_size_limit", LOG_BYTES, path)?;
    set(&db, "temp_store", 2, path)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// A connection that only reads.
pub(crate) fn connect_to_read(path: &Path) -> Result<Connection, Unusable> {
    let db = connect_to_copy(path)?;
    set(&db, "query_only", 1, path)?;
    Ok(db)
}

/// A connection that reads, and writes a copy.
pub(crate) fn connect_to_copy(path: &Path) -> Result<Connection, Unusable> {
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    // Who reads a log writes into its index.
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(fail)?;
    db.busy_timeout(BUSY).map_err(fail)?;
    set(&db, "temp_store", 2, path)?;
    // Its files are opened now: what a first question would open later, beside everything else, is no surprise then.
    super::schema::version(&db, path)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Each connection has one thread, so SQLite needs no lock of its own for it.
fn flags(mode: OpenFlags) -> OpenFlags {
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Sets, and reads back: a setting that was not taken would cost what was promised.
fn set<V>(db: &Connection, name: &str, value: V, path: &Path) -> Result<(), Unusable>
where
    V: rusqlite::ToSql + ToString,
{
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    let wanted = value.to_string();
    db.pragma_update(None, name, value).map_err(fail)?;
    let got = db
        .pragma_query_value(None, name, |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str().map(str::to_owned).unwrap_or_default(),
            })
        })
        .map_err(fail)?;
    if got == wanted {
        return Ok(());
    }
    let text = format!("SQLite's setting `{name}` should be {wanted} and is {got}");
    Err(Unusable::Failed { path: path.to_owned(), text })
}

/// Lets the file have at most so many bytes.
pub(crate) fn bound(db: &Connection, path: &Path, bytes: u64) -> Result<(), Unusable> {
    let pages = i64::try_from(bytes / PAGE).unwrap_or(i64::MAX);
    let sql = format!("PRAGMA max_page_count = {pages}");
    db.query_row(&sql, [], |_| Ok(())).map_err(|error| Unusable::of(path, &error))
}
