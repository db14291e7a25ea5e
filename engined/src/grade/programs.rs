//! Programs in a folder: submissions with the verdicts that they should get, and the checker. Which language one is in
//! stands in its name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use api_spec::{Caps, CheckerProgram, Content, SourceFile, SubmissionRequest, Verdict};
use languages::Catalogue;

use super::folder::{Entry, entries};
use super::settings::Program;

/// Verdicts of a submission that no run has.
const OF_SUBMISSIONS: [&str; 4] = ["accepted", "wrong_answer", "partial", "checker_error"];

/// Whether a folder of this name says what its programs should get.
fn is_label(name: &str) -> bool {
    OF_SUBMISSIONS.contains(&name)
        || Verdict::ALL.iter().any(|verdict| verdict.name() == name && *verdict != Verdict::Ok)
}

/// A suffix, with its dot.
#[must_use]
pub fn with_dot(suffix: &str) -> String {
    if suffix.starts_with('.') { suffix.to_owned() } else { format!(".{suffix}") }
}

/// Whoever reads programs, and what was wrong with them.
pub(super) struct Programs<'a> {
    /// The languages that are known here.
    pub catalogue: &'a Catalogue,
    /// Languages by suffix that were named.
    pub languages: &'a BTreeMap<String, String>,
    /// What is wrong.
    pub mistakes: Vec<String>,
}

/// The sources of one program.
struct Sources {
    language: Option<String>,
    source: Option<Content>,
    files: Option<Vec<SourceFile>>,
}

type Labelled = (SubmissionRequest, Option<String>);

impl Programs<'_> {
    /// Every program of `submissions/`, with the verdict that its folder is named by.
    pub fn submissions(&mut self, folder: &Path) -> Vec<Labelled> {
        if !folder.is_dir() {
            let why =
                "is missing; put each program there as a file or a folder, or name another place by --submissions";
            self.mistakes.push(format!("{}: {why}", folder.display()));
            return Vec::new();
        }
        let before = self.mistakes.len();
        let all = entries(folder, &mut self.mistakes);
        let labelled = all.iter().any(|entry| entry.folder && is_label(&entry.name));
        let mut programs = Vec::new();
        for entry in all {
            if !labelled {
                programs.extend(self.submission(entry, None));
            } else if entry.folder && is_label(&entry.name) {
                for program in entries(&entry.path, &mut self.mistakes) {
                    programs.extend(self.submission(program, Some(&entry.name)));
                }
            } else {
                let known: Vec<&str> = Verdict::ALL.iter().filter(|v| **v != Verdict::Ok).map(|v| v.name()).collect();
                self.mistakes.push(format!(
                    "{}: lies beside folders that are named by verdicts and is none; move it into one of {}, {}",
                    entry.path.display(),
                    OF_SUBMISSIONS.join(", "),
                    known.join(", ")
                ));
            }
        }
        if programs.is_empty() && self.mistakes.len() == before {
            self.mistakes.push(format!("{}: holds no program; put one there", folder.display()));
        }
        programs
    }

    fn submission(&mut self, entry: Entry, label: Option<&str>) -> Option<Labelled> {
        let id = label.map_or_else(|| entry.name.clone(), |label| format!("{label}/{}", entry.name));
        let Sources { language, source, files } =
            if entry.folder { self.several(&entry.path, None)? } else { self.one(&entry.path, None)? };
        let language = language?;
        Some((SubmissionRequest { id, language, source, files, ..Default::default() }, label.map(str::to_owned)))
    }

    /// The checker that `batch.toml` names.
    pub fn checker(&mut self, program: Program, file: &Path, problem: &Path) -> Option<CheckerProgram> {
        let Program {
            file: one,
            folder,
            language,
            version,
            entry,
            compile_flags,
            protocol,
            args,
            limits,
            compile_limits,
        } = program;
        let sources = match (one, folder) {
            (Some(one), None) => self.one(&problem.join(one), language.as_deref()),
            (None, Some(folder)) => self.several(&problem.join(folder), language.as_deref()),
            _ => {
                let why = "[checker.program] needs one of file and folder";
                self.mistakes.push(format!("{}: {why}, relative to {}", file.display(), problem.display()));
                None
            }
        };
        let Sources { language, source, files } = sources?;
        let language = language?;
        Some(CheckerProgram {
            language,
            version,
            source,
            files,
            entry,
            compile_flags,
            protocol,
            args,
            limits,
            compile_limits,
        })
    }

    fn one(&mut self, file: &Path, language: Option<&str>) -> Option<Sources> {
        let content = self.content(file)?;
        let language = match language {
            Some(language) => Some(language.to_owned()),
            None => self.language_of(file, &[file.file_name()?.to_str()?]),
        };
        Some(Sources { language, source: Some(content), files: None })
    }

    fn several(&mut self, folder: &Path, language: Option<&str>) -> Option<Sources> {
        let before = self.mistakes.len();
        let mut found = Vec::new();
        self.gather(folder, "", &mut found);
        if found.is_empty() && self.mistakes.len() == before {
            self.mistakes.push(format!("{}: holds no file of a program", folder.display()));
        }
        let files: Vec<SourceFile> = found
            .into_iter()
            .filter_map(|(path, file)| Some(SourceFile { path, content: self.content(&file)? }))
            .collect();
        if self.mistakes.len() > before {
            return None;
        }
        let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let language = match language {
            Some(language) => Some(language.to_owned()),
            None => self.language_of(folder, &names),
        };
        Some(Sources { language, source: None, files: Some(files) })
    }

    /// Files and folders below `folder`, files of a folder before its folders.
    fn gather(&mut self, folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) {
        let most = Caps::default().files;
        let (folders, files): (Vec<Entry>, Vec<Entry>) =
            entries(folder, &mut self.mistakes).into_iter().partition(|entry| entry.folder);
        found.extend(files.into_iter().map(|file| (format!("{prefix}{}", file.name), file.path)));
        for below in folders {
            // A link to a folder above it would never end.
            if found.len() > most {
                break;
            }
            self.gather(&below.path, &format!("{prefix}{}/", below.name), found);
        }
        if found.len() > most && prefix.is_empty() {
            self.mistakes.push(format!("{}: holds more than {most} files; take some away", folder.display()));
            found.clear();
        }
    }

    fn content(&mut self, file: &Path) -> Option<Content> {
        let most = u64::try_from(Caps::default().file_bytes).unwrap_or(u64::MAX);
        let read = std::fs::metadata(file).and_then(|about| {
            if about.len() > most {
                let why = format!("has {} bytes, a source may have {most}; make it smaller", about.len());
                return Err(std::io::Error::other(why));
            }
            std::fs::read(file)
        });
        match read {
            Ok(bytes) => Some(bytes.into()),
            Err(error) if error.kind() == std::io::ErrorKind::Other => {
                self.mistakes.push(format!("{}: {error}", file.display()));
                None
            }
            Err(error) => {
                self.mistakes.push(format!("{}: can't be read: {error}", file.display()));
                None
            }
        }
    }

    /// The language of a program: that which its names agree on, or whose usual main file is among them.
    fn language_of(&mut self, program: &Path, names: &[&str]) -> Option<String> {
        let of = |name: &str| -> BTreeSet<String> {
            let named = self.languages.iter().filter(|(suffix, _)| name.ends_with(suffix.as_str()));
            if let Some((_, language)) = named.max_by_key(|(suffix, _)| suffix.len()) {
                return BTreeSet::from([language.clone()]);
            }
            self.catalogue.languages_of_file(name).into_iter().map(|language| language.id.clone()).collect()
        };
        let each: Vec<BTreeSet<String>> = names.iter().map(|name| of(name)).filter(|found| !found.is_empty()).collect();
        let common = each.iter().cloned().reduce(|one, other| one.intersection(&other).cloned().collect());
        let by_main = || -> BTreeSet<String> {
            let languages = self.catalogue.languages().iter();
            languages.filter(|l| names.contains(&l.main_file.as_str())).map(|language| language.id.clone()).collect()
        };
        let mut found = common.unwrap_or_default();
        if found.len() != 1 {
            let main = by_main();
            found = if main.len() == 1 { main } else { each.into_iter().flatten().collect() };
        }
        if found.len() == 1 {
            return found.pop_first();
        }
        let suffix = names.iter().find_map(|name| Some(format!(".{}", name.rsplit_once('.')?.1)));
        let how = match suffix {
            Some(suffix) => format!("--language {suffix}=LANGUAGE, or under [languages] in batch.toml"),
            None => "give it the suffix of one".to_owned(),
        };
        let list = |ids: &mut dyn Iterator<Item = &str>| ids.collect::<Vec<_>>().join(", ");
        let why = if found.is_empty() {
            let known = list(&mut self.catalogue.languages().iter().map(|language| language.id.as_str()));
            format!("its name does not say the language; known here are {known}: say it by {how}")
        } else {
            format!("may be any of {}: say which by {how}", list(&mut found.iter().map(String::as_str)))
        };
        self.mistakes.push(format!("{}: {why}", program.display()));
        None
    }
}
