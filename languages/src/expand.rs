//! From a definition and a request to the arguments and the environment of a step.

use std::collections::BTreeMap;
use std::fmt;

use crate::definition::{Definition, Entry, Part, Placeholder, Template, Toolchain, work_directory};

/// A request whose files and this language don't go together. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// The language has no entry.
    EntryRefused {
        /// What people call the language.
        language: String,
    },
    /// The entry is not among the files.
    EntryUnknown {
        /// What was asked for.
        entry: String,
    },
    /// No file has a suffix that the compiler takes.
    NoSources {
        /// What people call the language.
        language: String,
        /// The suffixes.
        suffixes: Vec<String>,
    },
    /// There is no file at all.
    NoFiles,
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsuitable::EntryRefused { language } => {
                write!(f, "{language} has no entry: all source files make one program; leave `entry` out")
            }
            Unsuitable::EntryUnknown { entry } => {
                write!(f, "the entry {entry:?} is not among the files; name the path of one of them")
            }
            Unsuitable::NoSources { language, suffixes } => {
                let list = suffixes.join(" ");
                write!(f, "none of the files is {language} source; name at least one of them with one of {list}")
            }
            Unsuitable::NoFiles => f.write_str("there are no files; send `source` or at least one file"),
        }
    }
}

impl std::error::Error for Unsuitable {}

/// What a template is filled with.
#[derive(Default)]
struct Filling<'a> {
    program: &'a str,
    flags: &'a [String],
    sources: &'a [&'a str],
    entry: &'a str,
    args: &'a [String],
    artifact: &'a str,
}

impl Definition {
    /// The file that is run: the one asked for, else the usual one, else the first. `None` for a language without entry.
    ///
    /// # Errors
    /// An entry where none may be, or one that is not among the files.
    pub fn entry<'a>(&self, asked: Option<&'a str>, files: &[&'a str]) -> Result<Option<&'a str>, Unsuitable> {
        let first = *files.first().ok_or(Unsuitable::NoFiles)?;
        match (self.entry, asked) {
            (Entry::Refused, Some(_)) => Err(Unsuitable::EntryRefused { language: self.name.clone() }),
            (Entry::Refused, None) => Ok(None),
            (Entry::Allowed, Some(entry)) if files.contains(&entry) => Ok(Some(entry)),
            (Entry::Allowed, Some(entry)) => Err(Unsuitable::EntryUnknown { entry: entry.to_owned() }),
            (Entry::Allowed, None) => {
                Ok(Some(files.iter().copied().find(|file| *file == self.main_file).unwrap_or(first)))
            }
        }
    }

    /// The files that the compiler is given, in the request's order. Empty for a language without compile step.
    ///
    /// # Errors
    /// There is a compile step, and none of the files is for it.
    pub fn sources<'a>(&self, files: &[&'a str]) -> Result<Vec<&'a str>, Unsuitable> {
        if files.is_empty() {
            return Err(Unsuitable::NoFiles);
        }
        let named = |file: &str, suffix: &str| {
            // A file that is called ".c" has a name and no suffix.
            file.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
        };
        let sources: Vec<&str> =
            files.iter().copied().filter(|file| self.sources.iter().any(|suffix| named(file, suffix))).collect();
        if sources.is_empty() && self.compile.is_some() {
            return Err(Unsuitable::NoSources { language: self.name.clone(), suffixes: self.sources.clone() });
        }
        Ok(sources)
    }

    /// The arguments of the compile step, the program's absolute path first. `None` for a language without one.
    /// Check the flags first: [`Definition::check_flags`].
    #[must_use]
    pub fn compile_argv(&self, toolchain: &Toolchain, flags: &[String], sources: &[&str]) -> Option<Vec<String>> {
        let compile = self.compile.as_ref()?;
        let program = toolchain.program.to_string_lossy();
        let filling = Filling { program: &program, flags, sources, artifact: &compile.artifact, ..Filling::default() };
        Some(expand(&compile.args, &filling))
    }

    /// The arguments of the run step, the program's absolute path first. `entry` is what [`Definition::entry`] gave.
    #[must_use]
    pub fn run_argv(&self, toolchain: &Toolchain, entry: Option<&str>, args: &[String]) -> Vec<String> {
        let program = toolchain.program.to_string_lossy();
        let artifact = self.compile.as_ref().map(|compile| work_directory().join(&compile.artifact));
        let artifact = artifact.as_deref().map(|path| path.to_string_lossy()).unwrap_or_default();
        let entry = entry.unwrap_or(&self.main_file);
        expand(&self.run.args, &Filling { program: &program, entry, args, artifact: &artifact, ..Filling::default() })
    }

    /// The whole environment of the compile step: nothing of the caller's.
    #[must_use]
    pub fn compile_env(&self) -> Vec<(String, String)> {
        self.compile.iter().flat_map(|compile| compile.env.clone()).collect()
    }

    /// The environment of the run step: the language's own, the caller's laid over it, ordered by name.
    #[must_use]
    pub fn run_env<'a>(&self, caller: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
        let mut env: BTreeMap<String, String> = self.run.env.clone();
        env.extend(caller.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.into_iter().collect()
    }
}

fn expand(template: &Template, filling: &Filling<'_>) -> Vec<String> {
    let mut argv = Vec::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => argv.push(text.clone()),
            Part::Placeholder(Placeholder::Program) => argv.push(filling.program.to_owned()),
            Part::Placeholder(Placeholder::Artifact) => argv.push(filling.artifact.to_owned()),
            Part::Placeholder(Placeholder::Entry) => argv.push(as_path(filling.entry)),
            Part::Placeholder(Placeholder::Flags) => argv.extend_from_slice(filling.flags),
            Part::Placeholder(Placeholder::Args) => argv.extend_from_slice(filling.args),
            Part::Placeholder(Placeholder::Sources) => argv.extend(filling.sources.iter().map(|file| as_path(file))),
        }
    }
    argv
}

/// A caller's file as an argument: one that is called `-o` or `@list` must not be taken for an option or a list of
/// more options. All others keep their name, because it comes back in diagnostics and tracebacks.
fn as_path(file: &str) -> String {
    if file.starts_with(['-', '@']) { format!("./{file}") } else { file.to_owned() }
}
