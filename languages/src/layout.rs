//! What the caller's files are to a language: which of them the compiler gets, how the one `source` is called, what is run.

use std::fmt;

use crate::definition::{Definition, Entry};
use crate::java::{Main, Outline, is_class_name};

/// The files of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files<'a> {
    /// `source`: one file without a name.
    One(&'a [u8]),
    /// `files`: path and content.
    Several(Vec<(&'a str, &'a [u8])>),
}

/// What becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the one file of `source` is called.
    pub main_file: String,
    /// The files that the compiler is given, in the request's order. Empty for a language without compile step.
    pub sources: Vec<String>,
    /// The file or class that is run. `None` for a language without entry.
    pub entry: Option<String>,
}

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
    /// The entry is neither one of the files nor the name of a class.
    EntryNoClass {
        /// What was asked for.
        entry: String,
    },
    /// Several classes could be run.
    EntryOpen {
        /// Their names.
        classes: Vec<String>,
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
            Unsuitable::EntryNoClass { entry } => {
                write!(
                    f,
                    "the entry {entry:?} is neither one of the source files nor the name of a class; name one of them, as in com.acme.App"
                )
            }
            Unsuitable::EntryOpen { classes } => {
                write!(f, "several classes have a main: {}; name one of them in `entry`", classes.join(", "))
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

impl Definition {
    /// Decides what is compiled and what is run.
    ///
    /// # Errors
    /// Files or an entry that this language can't do anything with.
    pub fn layout(&self, files: &Files<'_>, entry: Option<&str>) -> Result<Layout, Unsuitable> {
        let (named, single) = match files {
            Files::One(content) => (vec![(self.name_of(content), *content)], true),
            Files::Several(files) => {
                (files.iter().map(|(path, content)| ((*path).to_owned(), *content)).collect(), false)
            }
        };
        let main_file = if single { named[0].0.clone() } else { self.main_file.clone() };
        let paths: Vec<&str> = named.iter().map(|(path, _)| path.as_str()).collect();
        let sources = self.sources(&paths)?;
        let entry = match self.entry {
            Entry::Refused if entry.is_some() => {
                return Err(Unsuitable::EntryRefused { language: self.name.clone() });
            }
            Entry::Refused => None,
            Entry::Allowed => Some(self.file_entry(entry, &paths)?),
            Entry::Class => Some(class_entry(&self.main_file, entry, &named, &sources, single)?),
        };
        Ok(Layout { main_file, sources, entry })
    }

    /// How the one file of a request is called: a public class must be in a file of its name.
    fn name_of(&self, content: &[u8]) -> String {
        if self.entry != Entry::Class {
            return self.main_file.clone();
        }
        let outline = Outline::of(content);
        let public = outline.types.iter().find(|class| class.is_public);
        let named = public.map(|class| format!("{}{}", class.name, suffix(&self.main_file)));
        // A class of the longest name that Java allows could not be a file.
        named.filter(|name| name.len() <= 255).unwrap_or_else(|| self.main_file.clone())
    }

    /// The one asked for, else the usual one, else the first.
    fn file_entry(&self, asked: Option<&str>, files: &[&str]) -> Result<String, Unsuitable> {
        let usual = || files.iter().copied().find(|file| *file == self.main_file).unwrap_or(files[0]);
        match asked {
            Some(entry) if !files.contains(&entry) => Err(Unsuitable::EntryUnknown { entry: entry.to_owned() }),
            other => Ok(other.unwrap_or_else(usual).to_owned()),
        }
    }

    /// The files that the compiler is given.
    fn sources(&self, files: &[&str]) -> Result<Vec<String>, Unsuitable> {
        if files.is_empty() {
            return Err(Unsuitable::NoFiles);
        }
        let named = |file: &str, suffix: &str| {
            // A file that is called ".c" has a name and no suffix.
            file.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
        };
        let is_source = |file: &str| self.sources.iter().any(|suffix| named(file, suffix));
        let sources: Vec<String> = files.iter().filter(|file| is_source(file)).map(|file| (*file).to_owned()).collect();
        if sources.is_empty() && self.compile.is_some() {
            return Err(Unsuitable::NoSources { language: self.name.clone(), suffixes: self.sources.clone() });
        }
        Ok(sources)
    }
}

/// `.java` of `Main.java`.
fn suffix(file: &str) -> &str {
    file.rfind('.').map_or("", |at| &file[at..])
}

/// `Main` of `src/Main.java`.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(suffix(name)).unwrap_or(name)
}

/// So much source is looked through for a `main`. Whoever sends more than this names the class.
const MOST_OUTLINED: usize = 8 << 20;

/// The class that is run: the one asked for, by its name or its file; else the only one that has a `main`. A program
/// without any is not the caller's mistake but its author's: the launcher says so better than we could.
fn class_entry(
    main_file: &str,
    asked: Option<&str>,
    files: &[(String, &[u8])],
    sources: &[String],
    single: bool,
) -> Result<String, Unsuitable> {
    let mut left = MOST_OUTLINED;
    let outlines: Vec<(&str, Outline)> = files
        .iter()
        .filter(|(path, _)| sources.contains(path))
        .take_while(|(_, content)| {
            let fits = content.len() <= left;
            left = left.saturating_sub(content.len());
            fits
        })
        .map(|(path, content)| (path.as_str(), Outline::of(content)))
        .collect();
    // `Nope.java` and `data.txt` could be classes by their form, and never are.
    let names_a_file = |entry: &str| files.iter().any(|(path, _)| path == entry) || entry.ends_with(suffix(main_file));
    if let Some(entry) = asked {
        let file = outlines.iter().find(|(path, _)| *path == entry);
        return match file {
            Some((path, outline)) => {
                let first = || outline.types.first().map(|class| outline.full_name(&class.name));
                let of_file = || Some(stem(path).to_owned()).filter(|_| outline.bare_main);
                let class = best(outline).or_else(of_file).or_else(first);
                Ok(class.unwrap_or_else(|| stem(path).to_owned()))
            }
            None if !names_a_file(entry) && is_class_name(entry) => Ok(entry.to_owned()),
            None => Err(Unsuitable::EntryNoClass { entry: entry.to_owned() }),
        };
    }
    for wanted in [Main::Static, Main::Instance] {
        let found: Vec<(String, &str)> = outlines.iter().flat_map(|(_, outline)| with_main(outline, wanted)).collect();
        match found.as_slice() {
            [] => {}
            [(class, _)] => return Ok(class.clone()),
            // One file is a student's: what its author means is the public class, or whatever stands first.
            _ if single => return Ok(best(&outlines[0].1).unwrap_or_else(|| found[0].0.clone())),
            several => {
                let usual: Vec<_> = several.iter().filter(|(_, name)| *name == stem(main_file)).collect();
                return match usual.as_slice() {
                    [(class, _)] => Ok(class.clone()),
                    _ => {
                        Err(Unsuitable::EntryOpen { classes: several.iter().map(|(class, _)| class.clone()).collect() })
                    }
                };
            }
        }
    }
    let bare = outlines.iter().find(|(_, outline)| outline.bare_main).map(|(path, _)| stem(path).to_owned());
    let first = || {
        let classes =
            outlines.iter().flat_map(|(_, o)| o.types.iter().map(|class| (class.is_public, o.full_name(&class.name))));
        let all: Vec<(bool, String)> = classes.collect();
        all.iter().find(|(is_public, _)| *is_public).or(all.first()).map(|(_, name)| name.clone())
    };
    Ok(bare.or_else(first).unwrap_or_else(|| stem(main_file).to_owned()))
}

/// Classes of a file with this kind of `main`: full name and name.
fn with_main(outline: &Outline, wanted: Main) -> impl Iterator<Item = (String, &str)> {
    let found = outline.types.iter().filter(move |class| class.main == wanted);
    found.map(|class| (outline.full_name(&class.name), class.name.as_str()))
}

/// The class of a file that its author would run.
fn best(outline: &Outline) -> Option<String> {
    let runnable = |class: &&crate::java::Type| class.main != Main::None;
    // Of equals the first: `max_by_key` gives the last.
    let found = outline.types.iter().rev().filter(runnable).max_by_key(|class| (class.main, class.is_public));
    found.map(|class| outline.full_name(&class.name))
}

/// A caller's file as an argument: one that is called `-o` or `@list` must not be taken for an option or a list of
/// more options. All others keep their name, because it comes back in diagnostics and tracebacks.
pub(crate) fn as_path(file: &str) -> String {
    if file.starts_with(['-', '@']) { format!("./{file}") } else { file.to_owned() }
}
