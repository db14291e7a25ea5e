//! What SQLite says, in the store's words.
use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::StoreError;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The folder or a file in it.
    #[error("{} can't be used: {source}; it must be a folder that this user may write", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another engine has it.
    #[error("the store {} is in use by another engined; stop that one, or give this one a folder of its own", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// There is one where one should be made.
    #[error("there is a store already: {}; move its folder away, or name another one", path.display())]
    Taken {
        /// What is there.
        path: PathBuf,
    },
    /// A later engined has written it.
    #[error(
        "the store {} has version {found} and this engined knows up to {known}; start the engined that wrote it or a later \
         one, or restore a backup from before the upgrade", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last version this code knows.
        known: i64,
    },
    /// It is something else's.
    #[error("{} is a database, and not a store of engined; move it away, or give engined a folder of its own", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It can't be read.
    #[error(
        "the store {} is damaged ({text}); restore a backup with `engined store restore`, or move the file away to start \
         with an empty store", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        text: String,
    },
    /// Anything else.
    #[error("the store {} can't be opened: {text}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        text: String,
    },
}

impl Unusable {
    /// What `error` means for the file at `path`.
    pub(crate) fn of(path: &std::path::Path, error: &rusqlite::Error) -> Unusable {
        let (path, text) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Unusable::Damaged { path, text },
            _ => Unusable::Failed { path, text },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(format!("{error}: no room on its disk, or by its cap")),
            // A disk without room is told in this way as well: by fsync, or where the index of the log should grow.
            Some(ErrorCode::SystemIoFailure) if !of_reading(&error) => {
                StoreError::Full(format!("its disk takes nothing at the moment: {error}"))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Failed(format!(
                "its file is damaged ({error}); stop engined and restore a backup with `engined store restore`"
            )),
            _ => StoreError::Failed(error.to_string()),
        }
    }
}

/// Whether the disk did not give what it should have.
fn of_reading(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_extended_error_code();
    matches!(code, Some(ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ))
}
