//! The counters on the disk: SQLite in WAL mode. With them stands the number of the last line that is in them, in the
//! same transaction: whatever kills the engine, what is not in them yet is found in the lines after that number.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api_spec::UsageRow;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::count::{Counts, Sums};

/// Of the tables below.
const VERSION: i64 = 1;
/// Somebody may be looking into the file with a program of their own.
const PATIENCE: Duration = Duration::from_secs(2);

const TABLES: &str = "
    CREATE TABLE usage (
        day TEXT NOT NULL, tenant TEXT NOT NULL, language TEXT NOT NULL, verdict TEXT NOT NULL,
        executions INTEGER NOT NULL, cpu_time_us INTEGER NOT NULL, compile_cpu_time_us INTEGER NOT NULL,
        memory_kib_ms INTEGER NOT NULL, output_bytes INTEGER NOT NULL,
        PRIMARY KEY (day, tenant, language, verdict)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counted (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, log TEXT NOT NULL,
        since TEXT NOT NULL) STRICT;
    PRAGMA user_version = 1;";

const ADD: &str = "
    INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT DO UPDATE SET executions = executions + ?5, cpu_time_us = cpu_time_us + ?6,
        compile_cpu_time_us = compile_cpu_time_us + ?7, memory_kib_ms = memory_kib_ms + ?8,
        output_bytes = output_bytes + ?9";

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It was written by a later engine.
    #[error(
        "{} was written by a later engined (its version is {version}, this one knows {VERSION}); install that engined \
         again, or move the file away", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        version: i64,
    },
    /// What stands in it is no database, or one that is damaged.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: rusqlite::Error,
    },
    /// Another engine counts in it.
    #[error("{}: another engined counts in it; stop that one, or name another file in [usage]", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged and can't be moved away.
    #[error("{} is damaged and can't be moved aside: {why}; move it away", path.display())]
    Moving {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// It can't be opened or made.
    #[error("{}: {why}; look at the folder's owner and room", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// Anything else.
    #[error("{}: {why}; look at the folder's owner and room", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: rusqlite::Error,
    },
}

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// For one engine alone. It goes after the connection: whoever closes a descriptor of the file takes SQLite's locks away.
    _alone: Option<File>,
}

impl Store {
    /// Opens it, and makes it where it is not there. `None`: in memory.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn open(path: Option<&Path>) -> Result<Store, Unusable> {
        let told = |why: rusqlite::Error| {
            let path = path.unwrap_or(Path::new(":memory:")).to_owned();
            if is_damage(&why) { Unusable::Damaged { path, why } } else { Unusable::Other { path, why } }
        };
        // What SQLite makes beside it gets the mode of this one.
        let alone = path.map(alone).transpose()?;
        let connection = match path {
            Some(path) => Connection::open(path),
            None => Connection::open_in_memory(),
        };
        let connection = connection.map_err(told)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(told)?;
        if version != 0 && version != VERSION {
            return Err(Unusable::Newer { path: path.unwrap_or(Path::new(":memory:")).to_owned(), version });
        }
        prepare(&connection).map_err(told)?;
        match version {
            0 => {
                let tables = format!("BEGIN IMMEDIATE;{TABLES}COMMIT;");
                connection.execute_batch(&tables).map_err(told)?;
            }
            _ => {
                let check = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
                let check = check.map_err(told)?;
                if check != "ok" {
                    let why = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), Some(check));
                    return Err(told(why));
                }
            }
        }
        Ok(Store { connection, _alone: alone })
    }

    /// The file whose lines were counted last, of a database that nobody has opened.
    #[must_use]
    pub fn log(path: &Path) -> Option<PathBuf> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Store { connection: Connection::open_with_flags(path, flags).ok()?, _alone: None };
        Some(store.counted().ok()??.1)
    }

    /// The number of the last line that is counted, and the file that it was in.
    ///
    /// # Errors
    /// That of SQLite.
    pub fn counted(&self) -> rusqlite::Result<Option<(u64, PathBuf)>> {
        let row = self.connection.query_row("SELECT seq, log FROM counted", [], |row| {
            Ok((row.get::<_, i64>(0)?, PathBuf::from(row.get::<_, String>(1)?)))
        });
        Ok(row.optional()?.map(|(seq, log)| (unsigned(seq), log)))
    }

    /// The day from which on all is counted that there was; none before the first.
    ///
    /// # Errors
    /// That of SQLite.
    pub fn since(&self) -> rusqlite::Result<Option<String>> {
        self.connection.query_row("SELECT since FROM counted", [], |row| row.get(0)).optional()
    }

    /// Adds counters that come of the lines up to `seq`, which stand in `log`.
    ///
    /// # Errors
    /// That of SQLite; then nothing was added.
    pub fn add(&mut self, counts: &Counts, seq: u64, log: &Path, today: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut add = transaction.prepare(ADD)?;
            for (key, Sums { executions, charged }) in counts.iter() {
                add.execute(params![
                    key.day,
                    key.tenant,
                    key.language,
                    key.verdict,
                    signed(*executions),
                    signed(charged.cpu_time_us),
                    signed(charged.compile_cpu_time_us),
                    signed(charged.memory_kib_ms),
                    signed(charged.output_bytes),
                ])?;
            }
            let first = counts.iter().map(|(key, _)| key.day.as_str()).min().unwrap_or(today).min(today);
            transaction
                .prepare("INSERT INTO counted VALUES (1, ?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = ?1, log = ?2")?
                .execute(params![signed(seq), log.to_string_lossy(), first])?;
        }
        transaction.commit()
    }

    /// The counters of days, both ends included, by tenant, day and language.
    ///
    /// # Errors
    /// That of SQLite.
    pub fn rows(&self, from: &str, to: &str, tenant: Option<&str>) -> rusqlite::Result<Vec<UsageRow>> {
        let mut query = self.connection.prepare(
            "SELECT tenant, day, language, verdict, executions, cpu_time_us, compile_cpu_time_us, memory_kib_ms,
                output_bytes FROM usage WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR tenant = ?3)
             ORDER BY tenant, day, language, verdict",
        )?;
        let mut found = query.query(params![from, to, tenant])?;
        let mut rows: Vec<UsageRow> = Vec::new();
        while let Some(row) = found.next()? {
            let [tenant, day, language]: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            let verdict: String = row.get(3)?;
            let number = |at: usize| row.get::<_, i64>(at).map(unsigned);
            let executions = number(4)?;
            let same = |last: &&mut UsageRow| last.tenant == tenant && last.day == day && last.language == language;
            if rows.last_mut().filter(same).is_none() {
                rows.push(UsageRow { tenant, day, language, ..UsageRow::default() });
            }
            let Some(last) = rows.last_mut() else { continue };
            last.verdicts.insert(verdict, executions);
            last.executions += executions;
            last.cpu_time_us += number(5)?;
            last.compile_cpu_time_us += number(6)?;
            last.memory_kib_ms += number(7)?;
            last.output_bytes += number(8)?;
        }
        Ok(rows)
    }

    /// CPU time of a day, by tenant: of runs and compiles.
    ///
    /// # Errors
    /// That of SQLite.
    pub fn cpu_time_us(&self, day: &str) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut query = self.connection.prepare(
            "SELECT tenant, SUM(cpu_time_us + compile_cpu_time_us) FROM usage WHERE day = ?1 GROUP BY tenant",
        )?;
        let rows = query.query_map([day], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
        rows.collect()
    }
}

/// Makes the file where it is not there, and locks it.
fn alone(path: &Path) -> Result<File, Unusable> {
    let told = |why| Unusable::File { path: path.to_owned(), why };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Unusable::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(why)) => Err(told(why)),
    }
}

/// Whether SQLite has found no database, or a damaged one.
#[must_use]
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // In memory there is no such mode, and the answer is another.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A checkpoint syncs, a commit does not: what a power failure undoes is counted again from the lines.
    connection.pragma_update(None, "synchronous", "NORMAL")
}

/// A database has signed numbers alone. Sums of centuries fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
