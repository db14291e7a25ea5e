//! Copies of a store, taken while it serves, and how they become a store again. A copy is a folder like any store's.
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::Unusable;
use super::files::{self, ours, sync_folder, unusable};
use super::schema;
use crate::Hash;

/// Copies the store in `folder` to the folder `to`, which may not have one. It does not matter whether an engine has it open:
/// the copy has all that was accepted and recorded when it was begun.
pub fn backup(folder: &Path, to: &Path) -> Result<(), Unusable> {
    let from = files::path(folder);
    fs::metadata(&from).map_err(unusable(&from))?;
    let db = files::connect_to_copy(&from)?;
    schema::version(&db, &from)?;
    place(to, |partial| {
        let fail = |error: rusqlite::Error| Unusable::of(&from, &error);
        let name = partial.to_str().ok_or_else(|| not_text(partial))?;
        db.execute("VACUUM INTO ?1", [name]).map_err(fail)?;
        Ok(())
    })
}

/// Makes the copy in `from` the store in `folder`, which may not have one and which no engine may have open.
pub fn restore(from: &Path, folder: &Path) -> Result<(), Unusable> {
    let lock = files::lock(folder)?;
    // Read by SQLite as well, not copied as a file: a copy that was opened since may have a log beside it.
    let done = backup(from, folder);
    drop(lock);
    done
}

/// The blobs that the batches of a store in `folder` need, and whose they are. Like [`backup()`] it does not matter whether an
/// engine has it open.
pub fn needed_blobs(folder: &Path) -> Result<Vec<(String, Hash)>, Unusable> {
    let path = files::path(folder);
    let fail = |error: rusqlite::Error| Unusable::of(&path, &error);
    fs::metadata(&path).map_err(unusable(&path))?;
    let db = files::connect_to_copy(&path)?;
    schema::known_version(&db, &path)?;
    let sql = "SELECT DISTINCT tenant, hash FROM batch JOIN reference ON reference.dataset = batch.dataset
               WHERE state < 4 ORDER BY tenant, hash";
    let mut statement = db.prepare(sql).map_err(fail)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fail)?;
    rows.collect::<Result<_, _>>().map_err(fail)
}

/// Writes a database below another name, looks whether it is sound, and only then gives it its own.
fn place(folder: &Path, write: impl FnOnce(&Path) -> Result<(), Unusable>) -> Result<(), Unusable> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable(folder))?;
    let path = files::path(folder);
    // A log that an earlier file has left would be taken for the new one's.
    for there in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
        if there.try_exists().map_err(unusable(&there))? {
            return Err(Unusable::Taken { path: there });
        }
    }
    let partial = beside(&path, ".partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(&partial)(error)),
        _ => {}
    }
    ours(&partial)?;
    write(&partial)?;
    check(&partial)?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(unusable(&partial))?;
    fs::rename(&partial, &path).map_err(unusable(&path))?;
    sync_folder(folder)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn not_text(path: &Path) -> Unusable {
    let text = "its name is not UTF-8, as SQLite needs it".into();
    Unusable::Failed { path: path.to_owned(), text }
}

/// Reads all of a database, and says what is wrong with it.
fn check(path: &Path) -> Result<(), Unusable> {
    let fail = |error: rusqlite::Error| Unusable::of(path, &error);
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    schema::known_version(&db, path)?;
    let said: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fail)?;
    if said != "ok" {
        return Err(Unusable::Damaged { path: path.to_owned(), text: said });
    }
    Ok(())
}
