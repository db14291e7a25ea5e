//! The part of the configuration about what is kept of what happened: `[audit]` and `[usage]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Table;

use super::reader::Reader;
use super::{GIB, KIB, MIB, absolute, count};
use crate::confinement::state_folders;

const FILE: &str = "audit.jsonl";
const SPOOL: &str = "usage.spool";
const DATABASE: &str = "usage.sqlite";
const DAY: Duration = Duration::from_secs(86_400);

/// Where audit lines go, as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the file where there is a folder for it, else nowhere.
    Auto,
    /// To the file; without a folder for it there is no start.
    File,
    /// To journald.
    Journald,
    /// Nowhere.
    Off,
}

/// Audit lines.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Where they go.
    pub target: Target,
    /// The file, if it was said.
    pub file: Option<PathBuf>,
    /// A file of this size is put aside.
    pub rotate_bytes: u64,
    /// How many that were put aside are kept.
    pub keep: usize,
    /// How old one that was put aside may become, if that is bounded.
    pub keep_for: Option<Duration>,
    /// Whether lines are brought to the disk, at the latest with the counters of usage, or whenever the kernel likes.
    pub sync: bool,
    /// Whether the line has the source.
    pub source: bool,
    /// The most of it.
    pub source_bytes: usize,
    /// Whether an answer waits until its line is written.
    pub before_answer: bool,
}

/// What tenants have used.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Whether it is counted.
    pub enabled: bool,
    /// The database, if it was said.
    pub file: Option<PathBuf>,
}

/// Where audit lines go, as it comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To this file.
    File(PathBuf),
    /// To journald.
    Journald,
    /// Nowhere.
    Nowhere,
}

impl Audit {
    /// Where lines go. `None`: a file was asked for, and nothing says where.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.place_in(state_folders().first().map(PathBuf::as_path))
    }

    /// The same with this state folder.
    #[must_use]
    pub fn place_in(&self, state: Option<&Path>) -> Option<Place> {
        let file = self.file.clone().or_else(|| state.map(|state| state.join(FILE)));
        match (self.target, file) {
            (Target::Auto | Target::File, Some(file)) => Some(Place::File(file)),
            (Target::File, None) => None,
            (Target::Journald, _) => Some(Place::Journald),
            (Target::Auto, None) | (Target::Off, _) => Some(Place::Nowhere),
        }
    }
}

impl Usage {
    /// The database. `None` where it is in memory, or switched off.
    #[must_use]
    pub fn place(&self) -> Option<PathBuf> {
        self.place_in(state_folders().first().map(PathBuf::as_path))
    }

    /// The same with this state folder.
    #[must_use]
    pub fn place_in(&self, state: Option<&Path>) -> Option<PathBuf> {
        self.file.clone().or_else(|| state.map(|state| state.join(DATABASE))).filter(|_| self.enabled)
    }

    /// Where lines wait to be counted that are kept nowhere else: beside the database.
    #[must_use]
    pub fn spool(&self) -> Option<PathBuf> {
        self.place().map(|database| database.with_file_name(SPOOL))
    }
}

/// Where lines go and usage is counted, in words: one line each.
#[must_use]
pub fn in_words(audit: &Audit, usage: &Usage) -> [String; 2] {
    let without = "started without a state folder (systemd's StateDirectory)";
    let lines = match (audit.place(), audit.target) {
        (Some(Place::File(file)), _) => format!("audit lines go to {}", file.display()),
        (Some(Place::Journald), _) => {
            "audit lines go to journald (journalctl SYSLOG_IDENTIFIER=engined-audit)".to_owned()
        }
        (Some(Place::Nowhere), Target::Off) => {
            "audit lines are switched off; the log has a line of each execution".to_owned()
        }
        (Some(Place::Nowhere), _) => {
            format!("audit lines are kept nowhere where engined is {without}; the log has a line of each execution")
        }
        (None, _) => format!("audit lines have no file: engined does not start where it is {without}"),
    };
    let counters = match usage.place() {
        Some(file) => format!("usage is counted in {}", file.display()),
        None if usage.enabled => format!("usage is counted in memory, and gone with engined, where it is {without}"),
        None => "usage is not counted".to_owned(),
    };
    [lines, counters]
}

/// The folders that both write in.
#[must_use]
pub fn folders(audit: &Audit, usage: &Usage) -> Vec<PathBuf> {
    let file = match audit.place() {
        Some(Place::File(file)) => Some(file),
        _ => None,
    };
    file.into_iter().chain(usage.place()).filter_map(|file| file.parent().map(Path::to_owned)).collect()
}

pub(super) fn audit(reader: &mut Reader, root: &mut Table) -> Audit {
    let mut s = reader.section(root, "audit", "One line per execution and per act of the operator.");
    let doc = "file, journald or off; auto is file where there is a folder for it, else off.";
    let target = s.parsed("target", Some("auto"), doc, |text| match text {
        "auto" => Ok(Target::Auto),
        "file" => Ok(Target::File),
        "journald" => Ok(Target::Journald),
        "off" => Ok(Target::Off),
        _ => Err(("is no target".to_owned(), "write auto, file, journald or off".to_owned())),
    });
    let doc = "The file, in a folder for the engine's user alone. By default audit.jsonl in $STATE_DIRECTORY.";
    let file = s.parsed("file", None, doc, absolute);
    let doc = "At this size the file becomes FILE.1, and a new one is begun.";
    let rotate_bytes = s.number("rotate_bytes", 64 * MIB, 64 * KIB..=64 * GIB, doc);
    let keep = count(s.number("keep", 8, 1..=10_000, "How many of those are kept."));
    let doc = "How many days they are kept at most; without it their number alone decides.";
    let keep_for = s.optional("keep_days", 1..=36_500, doc).and_then(|days| u32::try_from(days).ok()).map(|d| DAY * d);
    let doc =
        "batch: on the disk within about five seconds; never: when the kernel likes, which matters when power fails.";
    let sync = s.parsed("sync", Some("batch"), doc, |text| match text {
        "batch" => Ok(true),
        "never" => Ok(false),
        _ => Err(("is no policy".to_owned(), "write batch or never".to_owned())),
    });
    let source = s.flag("source", false, "Whether lines have the program's source. Its hash they always have.");
    let doc = "The most of it in one line; the rest is left out, and the line says so.";
    let source_bytes = count(s.number("source_bytes", 64 * KIB, 1..=MIB, doc));
    let doc = "Whether an answer waits, for 100 ms at most, until its line is written: kill -9 then loses no line of an answer.";
    let before_answer = s.flag("before_answer", false, doc);
    s.end(&[]);
    let (target, sync) = (target.unwrap_or(Target::Auto), sync.unwrap_or(true));
    Audit { target, file, rotate_bytes, keep, keep_for, sync, source, source_bytes, before_answer }
}

pub(super) fn usage(reader: &mut Reader, root: &mut Table) -> Usage {
    let mut s = reader.section(root, "usage", "What tenants have used, by day and language: GET /v1/usage.");
    let enabled = s.flag("enabled", true, "Whether it is counted.");
    let doc = "The database (SQLite). By default usage.sqlite in $STATE_DIRECTORY; without one it is in memory.";
    let file = s.parsed("file", None, doc, absolute);
    s.end(&[]);
    Usage { enabled, file }
}
