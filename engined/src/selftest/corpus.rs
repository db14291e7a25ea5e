//! The programs that `selftest` runs, as they stand in the binary, and the words of their headers. They mean what
//! they mean to `corpus/over_http.py`; a test compares each header with what `corpus/manifest.py` reads in it.

use std::collections::BTreeMap;

use languages::{Catalogue, Entry};
use regex_lite::Regex;
use serde::Serialize;

/// Folder, name and content of every program.
static FILES: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// Digits enough to see a pipe that is not fed.
const TEN_MEBIBYTES: usize = 1 << 20;

/// What a program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Tricky but honest: it must work.
    #[default]
    Benign,
    /// An attack: it must not.
    Hostile,
}

/// One program with what its header says.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its file name, which nothing else in its folder has.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The id of its language.
    pub language: String,
    /// What the engine calls its file.
    pub main: String,
    /// `@limits`.
    pub limits: BTreeMap<String, String>,
    /// `@expect` of an honest program, which is exact.
    pub expect: BTreeMap<String, String>,
    /// `@expect` of an attack: the families of verdicts that are allowed.
    pub verdicts: Vec<String>,
    /// `@file`: files beside it.
    pub files: BTreeMap<String, String>,
    /// `@args`.
    pub args: Vec<String>,
    /// `@invariants`.
    pub invariants: Option<Vec<String>>,
    /// `@outputs`: globs of what it leaves.
    pub outputs: Option<Vec<String>>,
    /// `@layer`: what holds it, most important first, as in `cgroup memory`.
    pub layers: Option<Vec<String>>,
    /// Every other word.
    pub words: BTreeMap<String, String>,
    /// As it is sent.
    pub source: Vec<u8>,
}

/// One input with what only this one must bring.
pub struct Input {
    /// What the program reads.
    pub stdin: Vec<u8>,
    /// The exit code, where it depends on the input.
    pub exit: Option<String>,
}

impl Program {
    /// Every program of the corpus, in the order of their folders and names.
    ///
    /// # Errors
    /// Which one has a header that can't be read: the tests of this crate let no such program pass.
    pub fn all() -> Result<Vec<Program>, String> {
        let catalogue = Catalogue::builtin();
        let read = |(folder, name, bytes): &(&str, &str, &[u8])| {
            parse(&catalogue, name, bytes).map_err(|why| format!("{folder}/{name} in this program: {why}"))
        };
        FILES.iter().map(read).collect()
    }

    /// A word of its header.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name).map(String::as_str)
    }

    /// The mechanism that it tries: `@group`.
    #[must_use]
    pub fn mechanism(&self) -> &str {
        match self.kind {
            Kind::Benign => HONEST,
            Kind::Hostile => self.word("group").unwrap_or("other"),
        }
    }

    /// What holds it, in the names of `/v1/isolation`, or one of [`HOLDERS`].
    #[must_use]
    pub fn held_by(&self) -> Vec<String> {
        self.layers.iter().flatten().map(|layer| layer.replace(' ', "_")).collect()
    }

    /// A limit of its header in numbers.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<f64> {
        self.limits.get(name)?.parse().ok()
    }

    /// It needs an optional package, and may fail without it.
    #[must_use]
    pub fn optional(&self) -> bool {
        self.limits.contains_key("opt")
    }

    /// What it is given to read, one run each.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let one = |stdin: Vec<u8>| vec![Input { stdin, exit: None }];
        let word = self.word("stdin").unwrap_or_default();
        if word == "@10MB-digits" {
            one(b"0123456789".repeat(TEN_MEBIBYTES))
        } else if let Some(raw) = word.strip_prefix("@raw:") {
            one(raw.into())
        } else if let Some(hex) = word.strip_prefix("@hex:") {
            one(from_hex(hex))
        } else if let Some(each) = word.strip_prefix("@each:") {
            let input = |word: &str| Input { stdin: format!("{word}\n").into(), exit: Some(word.to_owned()) };
            each.split(',').map(input).collect()
        } else if word.is_empty() {
            one(Vec::new())
        } else {
            one(format!("{word}\n").into())
        }
    }
}

/// The mechanism of all honest programs.
pub const HONEST: &str = "honest";

/// Mechanisms as people call them, in the order of the table.
pub const MECHANISMS: [(&str, &str); 11] = [
    (HONEST, "honest programs"),
    ("time", "time"),
    ("mem", "memory"),
    ("proc", "processes and threads"),
    ("sig", "signals"),
    ("out", "output"),
    ("fs", "files"),
    ("net", "network"),
    ("snoop", "snooping"),
    ("kern", "kernel surface"),
    ("compile", "compile time"),
];

/// Where a mechanism stands in the table, and what people call it.
#[must_use]
pub fn title(mechanism: &str) -> (usize, &str) {
    let known = MECHANISMS.iter().enumerate().find(|(_, (id, _))| *id == mechanism);
    known.map_or((MECHANISMS.len(), mechanism), |(at, (_, title))| (at, title))
}

/// What holds an attack and is no layer of isolation: the cap on output, the meter of CPU and wall time, the collector of
/// files, the verdict, init (a clean process: environment, descriptors), the API.
pub const HOLDERS: [&str; 6] = ["output_cap", "meter", "collector", "verdict", "init", "api"];

fn parse(catalogue: &Catalogue, name: &str, bytes: &[u8]) -> Result<Program, String> {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| format!(".{suffix}")).unwrap_or_default();
    let definition = catalogue.languages().iter().find(|definition| {
        !suffix.is_empty() && definition.main_file.strip_suffix(&suffix).is_some_and(|stem| !stem.contains('.'))
    });
    let definition = definition.ok_or_else(|| format!("no language has files that end with {suffix:?}"))?;
    let mut program = Program {
        name: name.to_owned(),
        language: definition.id.clone(),
        main: definition.main_file.clone(),
        source: bytes.to_vec(),
        ..Program::default()
    };
    let head = regex(r"^(?:#|//) @(\w+) (.*)$")?;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some(found) = head.captures(&line) else { break };
        let (_, [key, value]) = found.extract();
        program.put(key, value)?;
    }
    program.adorn();
    if definition.entry == Entry::Class {
        let class = regex(r"public\s+(?:final\s+)?class\s+(\w+)")?;
        if let Some(found) = class.captures(&String::from_utf8_lossy(&program.source)) {
            program.main = format!("{}{suffix}", &found[1]);
        }
    }
    Ok(program)
}

impl Program {
    fn put(&mut self, key: &str, value: &str) -> Result<(), String> {
        let pair = |at: char| value.split_once(at).ok_or_else(|| format!("@{key} {value:?} has no {at:?}"));
        match key {
            "benign" => self.kind = Kind::Benign,
            "hostile" => self.kind = Kind::Hostile,
            "limits" => {
                let limit = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
                let limits: Option<_> = value.split_whitespace().map(limit).collect();
                self.limits = limits.ok_or_else(|| format!("@limits {value:?} is no list of NAME=VALUE"))?;
            }
            "expect" if self.kind == Kind::Hostile => {
                let families = value.split("  ").next().unwrap_or_default().trim();
                self.verdicts = families.split([',', ' ']).filter(|f| !f.is_empty()).map(str::to_owned).collect();
            }
            "expect" => {
                let (name, value) = pair('=')?;
                let value = if name == "out" { unescaped(value) } else { value.to_owned() };
                self.expect.insert(name.to_owned(), value);
            }
            "file" => {
                let (name, content) = pair(':')?;
                self.files.insert(name.to_owned(), content.trim_matches('"').replace("\\ ", " "));
            }
            "args" => self.args = value.split('|').map(str::to_owned).collect(),
            "invariants" => self.invariants = Some(value.split_whitespace().map(str::to_owned).collect()),
            "outputs" => self.outputs = Some(value.split_whitespace().map(str::to_owned).collect()),
            "layer" => self.layers = Some(value.trim().split(',').map(|layer| layer.trim_start().to_owned()).collect()),
            _ => drop(self.words.insert(key.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// What would be tedious to keep in a repository: length, line ends.
    fn adorn(&mut self) {
        if let Some(length) = self.word("pad").and_then(|pad| pad.parse::<usize>().ok()) {
            self.source.extend_from_slice(b"\n//");
            self.source.resize(self.source.len().saturating_add(length), b'x');
            self.source.push(b'\n');
        }
        if self.words.contains_key("crlf") {
            let mut text = b"\xef\xbb\xbf".to_vec();
            for byte in &self.source {
                if *byte == b'\n' {
                    text.push(b'\r');
                }
                text.push(*byte);
            }
            self.source = text;
        }
    }
}

/// A pattern, with its error in words.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("{pattern:?} is no pattern: {error}"))
}

fn unescaped(text: &str) -> String {
    text.split("\\\\").map(|part| part.replace("\\n", "\n")).collect::<Vec<_>>().join("\\")
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

#[cfg(test)]
mod tests;
