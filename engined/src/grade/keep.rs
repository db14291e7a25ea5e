//! The folder of `--out`: which batch it belongs to, the results as they come, and files that are there whole or not at
//! all. What was received is known from `results.jsonl` itself, so that it is right whenever the command was ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use api_spec::TestResult;
use serde::{Deserialize, Serialize};

use super::tally::Place;

const STATE: &str = "batch.json";
const RESULTS: &str = "results.jsonl";
/// A line per result.
pub const SHEET: &str = "results.csv";
/// A line per submission: the grades.
pub const GRADES: &str = "submissions.csv";
/// For CI.
pub const REPORT: &str = "junit.xml";

/// Which batch the folder belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub batch: String,
    /// The key by which it was sent.
    pub key: String,
    /// Where it is.
    pub server: String,
}

/// Where a result stands in the file.
#[derive(Clone, Copy, Debug)]
struct Row {
    place: Place,
    offset: u64,
    bytes: usize,
}

/// The folder.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    results: File,
    state: Option<State>,
    end: u64,
    rows: Vec<Row>,
}

impl Kept {
    /// Opens the folder, which is made where it does not exist. Nobody else may write to it meanwhile.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn open(folder: &Path) -> Result<Kept, String> {
        let shown = folder.display();
        let told = |error: io::Error| format!("--out {shown}: {error}");
        std::fs::create_dir_all(folder).map_err(told)?;
        let results = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join(RESULTS));
        let results = results.map_err(told)?;
        match results.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("--out {shown}: another engined batch writes there; wait for it, or name another"));
            }
            Err(TryLockError::Error(error)) => return Err(told(error)),
        }
        let state = match std::fs::read(folder.join(STATE)) {
            Ok(text) => Some(serde_json::from_slice(&text).map_err(|error| {
                format!("{shown}/{STATE}: {error}; take it away, with {RESULTS} beside it, to begin anew")
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(told(error)),
        };
        Ok(Kept { folder: folder.to_owned(), results, state, end: 0, rows: Vec::new() })
    }

    /// The batch that it belongs to.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Begins with a batch: what was there is gone.
    ///
    /// # Errors
    /// It can't be written.
    pub fn begin(&mut self, state: State) -> Result<(), String> {
        self.results.set_len(0).map_err(|error| self.told(RESULTS, &error))?;
        (self.end, self.rows) = (0, Vec::new());
        // They are of what was judged before, and this may be interrupted.
        for name in [SHEET, GRADES, REPORT] {
            match std::fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.told(name, &error)),
                _ => {}
            }
        }
        let text = serde_json::to_vec_pretty(&state).map_err(|error| error.to_string())?;
        self.write(STATE, |file| file.write_all(&text))?;
        self.state = Some(state);
        Ok(())
    }

    /// Reads what was received before, and drops a line that was cut.
    ///
    /// # Errors
    /// It can't be read, or is not what we have written.
    pub fn recall(&mut self, mut each: impl FnMut(&TestResult) -> Result<Place, String>) -> Result<u64, String> {
        let told = |error: io::Error| format!("{}/{RESULTS}: {error}", self.folder.display());
        self.results.rewind().map_err(told)?;
        let mut reader = BufReader::new(&self.results);
        let (mut line, mut rows, mut end, mut last) = (Vec::new(), Vec::new(), 0_u64, 0_u64);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(told)?;
            let Some(text) = line.strip_suffix(b"\n") else { break };
            let result: TestResult = serde_json::from_slice(text).map_err(|error| told(io::Error::other(error)))?;
            if result.seq != last + 1 {
                let why = format!("result {} stands after {last}; begin anew in another folder", result.seq);
                return Err(told(io::Error::other(why)));
            }
            rows.push(Row { place: each(&result)?, offset: end, bytes: text.len() });
            last = result.seq;
            end = end.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        self.results.set_len(end).map_err(told)?;
        (self.end, self.rows) = (end, rows);
        Ok(last)
    }

    /// One more result, as it came.
    ///
    /// # Errors
    /// It can't be written.
    pub fn append(&mut self, place: Place, line: &[u8]) -> Result<(), String> {
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        self.results.write_all_at(&whole, self.end).map_err(|error| self.told(RESULTS, &error))?;
        self.rows.push(Row { place, offset: self.end, bytes: line.len() });
        self.end = self.end.saturating_add(u64::try_from(whole.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes what was received last.
    ///
    /// # Errors
    /// The disk says that it does not.
    pub fn sync(&self) -> Result<(), String> {
        self.results.sync_all().map_err(|error| self.told(RESULTS, &error))
    }

    /// Puts the results into the order of the request: submission by submission, test by test.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.place);
    }

    /// The results in their order, read one at a time.
    pub fn results(&self) -> impl Iterator<Item = io::Result<(Place, TestResult)>> + '_ {
        self.rows.iter().map(|row| {
            let mut line = vec![0; row.bytes];
            self.results.read_exact_at(&mut line, row.offset)?;
            Ok((row.place, serde_json::from_slice(&line)?))
        })
    }

    /// Writes a file of the folder. It is there whole, or as it was before.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), String> {
        let unfinished = self.folder.join(format!(".{name}.new"));
        let write = || {
            let mut file = BufWriter::new(File::create(&unfinished)?);
            content(&mut file)?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&unfinished, self.folder.join(name))?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| self.told(name, &error))
    }

    fn told(&self, name: &str, error: &io::Error) -> String {
        format!("{}/{name}: can't be written: {error}", self.folder.display())
    }
}
