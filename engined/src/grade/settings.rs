//! The TOML files of a problem's folder: `batch.toml`, `tests/GROUP/group.toml` and `tests/NAME.toml`. The keys are
//! those of the API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api_spec::{CheckerKind, Feedback, GroupRequest, LimitsRequest, Protocol, Rule, Stop};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `batch.toml`. Every key may be left out, and so may the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How an output is compared.
    pub checker: Option<Checker>,
    /// Limits of each run.
    pub limits: LimitsRequest,
    /// Limits of each compile.
    pub compile_limits: LimitsRequest,
    /// Limits of runs in one language.
    pub limits_by_language: BTreeMap<String, LimitsRequest>,
    /// Groups. One that a folder of tests makes need not stand here.
    pub groups: Vec<GroupRequest>,
    /// Whether other tests are run when one has failed.
    pub stop: Stop,
    /// How often each test is run.
    pub repeat: Option<u32>,
    /// How much is told of a run.
    pub feedback: Feedback,
    /// The caller's own words.
    pub labels: BTreeMap<String, String>,
    /// What a test is worth that says nothing else.
    pub points: Option<f64>,
    /// Languages by suffix, where the suffix does not say it: `".cc" = "…"`.
    pub languages: BTreeMap<String, String>,
}

/// `[checker]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checker {
    /// By which rule.
    pub kind: CheckerKind,
    /// `float`: the absolute error that is allowed.
    #[serde(default)]
    pub absolute: Option<f64>,
    /// `float`: the relative error that is allowed.
    #[serde(default)]
    pub relative: Option<f64>,
    /// `program`: the checker.
    #[serde(default)]
    pub program: Option<Program>,
}

/// `[checker.program]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its only file. Either this or `folder`.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The folder of its files. Either this or `file`.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Its language, where the suffix does not say it.
    #[serde(default)]
    pub language: Option<String>,
    /// Selects a version.
    #[serde(default)]
    pub version: Option<String>,
    /// Which of the files is run.
    #[serde(default)]
    pub entry: Option<String>,
    /// Added after the language's own flags.
    #[serde(default)]
    pub compile_flags: Vec<String>,
    /// How it is called.
    pub protocol: Protocol,
    /// Added to its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Limits of each of its runs.
    #[serde(default)]
    pub limits: LimitsRequest,
    /// Limits of its compile.
    #[serde(default)]
    pub compile_limits: LimitsRequest,
}

/// `tests/GROUP/group.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// How its points are put together.
    pub rule: Option<Rule>,
    /// What a test of it is worth that says nothing else.
    pub points: Option<f64>,
    /// Arguments of a test of it that names none.
    pub args: Vec<String>,
    /// Environment of a test of it that names none.
    pub env: BTreeMap<String, String>,
    /// Limits of a test of it that names none.
    pub limits: LimitsRequest,
}

/// `tests/NAME.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Test {
    /// Its group, where no folder says it.
    pub group: Option<String>,
    /// What it is worth.
    pub points: Option<f64>,
    /// The program's arguments.
    pub args: Option<Vec<String>>,
    /// Environment of the run.
    pub env: Option<BTreeMap<String, String>>,
    /// Limits of this test.
    pub limits: Option<LimitsRequest>,
}

/// Reads a file; one that is not there says nothing.
///
/// # Errors
/// The file, the line, what is wrong there.
pub fn read<T: DeserializeOwned + Default>(file: &Path) -> Result<T, String> {
    let shown = file.display();
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(format!("{shown}: can't be read: {error}")),
    };
    let text = String::from_utf8(text).map_err(|_| format!("{shown}: is not UTF-8; save it as UTF-8"))?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        // The types of the API put a code before their words, with this between them.
        let told = error.message().rsplit('\u{1}').next().unwrap_or_default();
        format!("{shown}:{line}: {}", told.replace('\n', ", "))
    })
}
