//! All languages together: the built-in manifests and an operator's folder of more.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::definition::{Definition, Environment, Toolchain};
use crate::limits::Step;
use crate::manifest::{self, Addition, Manifest};
use crate::mistake::{Fault, Mistake};
use crate::reader::{Mistakes, quoted};

const BUILTIN: [(&str, &str); 5] = [
    ("built-in c.toml", include_str!("../manifests/c.toml")),
    ("built-in cpp.toml", include_str!("../manifests/cpp.toml")),
    ("built-in java.toml", include_str!("../manifests/java.toml")),
    ("built-in javascript.toml", include_str!("../manifests/javascript.toml")),
    ("built-in python.toml", include_str!("../manifests/python.toml")),
];

/// A manifest of this size is no manifest.
const FILE_BYTES: u64 = 1 << 20;

/// Every language that is known, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    languages: Vec<Definition>,
}

/// What jaild must know of one step of one installed toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `<language>/<toolchain>/<step>`, at most 64 bytes of `a-z 0-9 . _ + - /`.
    pub name: String,
    /// Which step.
    pub step: Step,
    /// The toolchain's program.
    pub program: PathBuf,
    /// Folders outside `/usr` to be seen at their own path, read-only: the toolchain's own and that of its environment.
    /// [`Catalogue::load_trusted`] has looked at their owners.
    pub mounts: Vec<PathBuf>,
    /// Files and folders below `/etc` to be seen where the host has them, relative to `/etc`.
    pub etc: Vec<String>,
    /// System calls beyond the common list, by name.
    pub syscalls: Vec<String>,
}

/// Whether something stands before the suffix.
fn has_suffix(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty())
}

impl Catalogue {
    /// The languages that come with the program.
    ///
    /// # Panics
    /// Never: a test loads them.
    #[must_use]
    pub fn builtin() -> Self {
        match Self::load(None) {
            Ok(catalogue) => catalogue,
            Err(mistakes) => unreachable!("the built-in manifests are tested: {mistakes:?}"),
        }
    }

    /// The built-in languages and those of the `*.toml` files in `folder`. A file with the id of a built-in language
    /// replaces it; a file with `add_to` adds toolchains to one.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn load(folder: Option<&Path>) -> Result<Self, Vec<Mistake>> {
        Self::assemble(folder, None)
    }

    /// As [`Catalogue::load`], and the folder, its files, whatever is mounted of installed toolchains, and all folders
    /// above them must be such that nobody but root and `uid` can change them: they decide what strangers may see.
    ///
    /// # Errors
    /// Every mistake of every file, wrong owners and modes among them.
    pub fn load_trusted(folder: Option<&Path>, uid: u32) -> Result<Self, Vec<Mistake>> {
        let catalogue = Self::assemble(folder, Some(uid))?;
        let mut mounts: Vec<PathBuf> = catalogue.profiles().flat_map(|profile| profile.mounts).collect();
        mounts.sort();
        mounts.dedup();
        let mistakes: Vec<Mistake> = mounts.iter().filter_map(|path| untrusted(path, uid)).collect();
        if mistakes.is_empty() { Ok(catalogue) } else { Err(mistakes) }
    }

    fn assemble(folder: Option<&Path>, owner: Option<u32>) -> Result<Self, Vec<Mistake>> {
        let mut assembly = Assembly::default();
        for (name, text) in BUILTIN {
            assembly.read(name, text);
        }
        assembly.of_operator = true;
        if let Some(folder) = folder {
            match manifests_in(folder, owner) {
                Ok(files) => files.iter().for_each(|(name, text)| assembly.read(name, text)),
                Err(mistakes) => assembly.mistakes.extend(mistakes),
            }
        }
        assembly.finish()
    }

    /// As [`Catalogue::load`] with a folder of this one file.
    ///
    /// # Errors
    /// Every mistake.
    #[cfg(feature = "fuzzing")]
    pub fn with(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        static BUILTIN: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();
        let builtin = BUILTIN.get_or_init(Catalogue::builtin).languages.iter();
        let languages = builtin.map(|language| (format!("built-in {}.toml", language.id), language.clone())).collect();
        let mut assembly = Assembly { languages, of_operator: true, ..Assembly::default() };
        assembly.read(file, text);
        assembly.finish()
    }

    /// Every language, in the order of their ids.
    #[must_use]
    pub fn languages(&self) -> &[Definition] {
        &self.languages
    }

    /// The language of this id or alias.
    #[must_use]
    pub fn language(&self, name: &str) -> Option<&Definition> {
        self.languages.iter().find(|language| language.answers_to(name))
    }

    /// The languages that a file of this name is a program of: those whose own suffix it has (that of their main file),
    /// else those whose compiler takes it. More than one where suffixes are shared.
    #[must_use]
    pub fn languages_of_file(&self, name: &str) -> Vec<&Definition> {
        let own = |language: &Definition| {
            language.main_file.rsplit_once('.').is_some_and(|(_, suffix)| has_suffix(name, &format!(".{suffix}")))
        };
        let taken = |language: &Definition| language.sources.iter().any(|suffix| has_suffix(name, suffix));
        let first: Vec<&Definition> = self.languages.iter().filter(|language| own(language)).collect();
        if first.is_empty() { self.languages.iter().filter(|language| taken(language)).collect() } else { first }
    }

    /// What jaild needs for every step of every toolchain that is installed now.
    pub fn profiles(&self) -> impl Iterator<Item = Profile> + '_ {
        self.languages.iter().flat_map(|language| {
            let installed = language.toolchains.iter().filter(|toolchain| language.installed(toolchain));
            installed.flat_map(|toolchain| language.steps().map(|step| profile(language, toolchain, step)))
        })
    }
}

fn profile(language: &Definition, toolchain: &Toolchain, step: Step) -> Profile {
    Profile {
        name: language.profile_name(toolchain, step),
        step,
        program: toolchain.program.clone(),
        mounts: toolchain.mounts().map(|mount| mount.path.clone()).collect(),
        etc: language.etc.iter().map(|etc| etc.path.clone()).collect(),
        syscalls: language.syscalls.iter().map(|syscall| syscall.name.clone()).collect(),
    }
}

/// The catalogue while it grows: each language with the file that it came from.
#[derive(Default)]
struct Assembly {
    languages: Vec<(String, Definition)>,
    additions: Vec<(String, Addition)>,
    mistakes: Vec<Mistake>,
    of_operator: bool,
    replaced: Vec<String>,
}

impl Assembly {
    fn read(&mut self, file: &str, text: &str) {
        match manifest::parse(file, text) {
            Err(mistakes) => self.mistakes.extend(mistakes),
            Ok(Manifest::Addition(addition)) => self.additions.push((file.to_owned(), addition)),
            Ok(Manifest::Language(definition)) => {
                let replaceable = self.of_operator && !self.replaced.contains(&definition.id);
                if replaceable {
                    self.languages.retain(|(_, earlier)| earlier.id != definition.id);
                    self.replaced.push(definition.id.clone());
                }
                self.languages.push((file.to_owned(), *definition));
            }
        }
    }

    fn finish(mut self) -> Result<Catalogue, Vec<Mistake>> {
        let mut environments = Vec::new();
        for (file, Addition { language: id, toolchains, environments: more }) in std::mem::take(&mut self.additions) {
            let mut mistakes = Mistakes::of(&file);
            match self.languages.iter_mut().find(|(_, language)| language.id == id) {
                None => mistakes.add(
                    "add_to",
                    Some(quoted(&id)),
                    Fault::new("is no language of a sound manifest", "name the id of a language"),
                ),
                Some((_, language)) => add(language, toolchains, &mut mistakes),
            }
            self.mistakes.extend(mistakes.verdict(()).err().unwrap_or_default());
            environments.push((file, id, more));
        }
        // After every toolchain is known, whichever file it came from.
        for (file, id, more) in environments {
            let Some((_, language)) = self.languages.iter_mut().find(|(_, language)| language.id == id) else {
                continue;
            };
            let mut mistakes = Mistakes::of(&file);
            equip(language, more, &mut mistakes);
            self.mistakes.extend(mistakes.verdict(()).err().unwrap_or_default());
        }
        self.languages.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        self.names_are_unique();
        if self.mistakes.is_empty() {
            return Ok(Catalogue { languages: self.languages.into_iter().map(|(_, language)| language).collect() });
        }
        Err(self.mistakes)
    }

    fn names_are_unique(&mut self) {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (file, language) in &self.languages {
            let names = std::iter::once(("id".to_owned(), &language.id))
                .chain(language.aliases.iter().enumerate().map(|(index, alias)| (format!("aliases[{index}]"), alias)));
            for (field, name) in names {
                if let Some((_, other)) = seen.iter().find(|(earlier, _)| earlier == name) {
                    let mut mistakes = Mistakes::of(file);
                    let fault = Fault::new(format!("is taken by {other}"), "choose another");
                    mistakes.add(field, Some(quoted(name)), fault);
                    self.mistakes.extend(mistakes.verdict(()).err().unwrap_or_default());
                }
                seen.push((name, file));
            }
        }
    }
}

fn add(language: &mut Definition, toolchains: Vec<Toolchain>, mistakes: &mut Mistakes) {
    for (index, toolchain) in toolchains.into_iter().enumerate() {
        if language.toolchains.iter().any(|earlier| earlier.id == toolchain.id) {
            let fault = Fault::new(format!("is a toolchain of {} already", language.id), "choose another id");
            mistakes.add(format!("toolchain[{index}].id"), Some(quoted(&toolchain.id)), fault);
        }
        language.toolchains.push(toolchain);
    }
}

/// Gives toolchains their environments.
fn equip(language: &mut Definition, environments: Vec<(String, Environment)>, mistakes: &mut Mistakes) {
    if !environments.is_empty() && language.environment.is_none() {
        let why = format!("has no use: {} has no [environment] that says what it does with one", language.id);
        mistakes.add("environment", None, Fault::new(why, "remove it, or describe the language in a file of your own"));
        return;
    }
    for (index, (id, environment)) in environments.into_iter().enumerate() {
        let field = format!("environment[{index}].toolchain");
        match language.toolchains.iter_mut().find(|toolchain| toolchain.id == id) {
            None => {
                let fault = Fault::new(format!("is no toolchain of {}", language.id), "name the id of one");
                mistakes.add(field, Some(quoted(&id)), fault);
            }
            Some(toolchain) if toolchain.environment.is_some() => {
                mistakes.add(field, Some(quoted(&id)), Fault::new("has an environment already", "remove one of them"));
            }
            Some(toolchain) => toolchain.environment = Some(environment),
        }
    }
}

/// Name and text of every manifest in an operator's folder, in the order of their names.
fn manifests_in(folder: &Path, owner: Option<u32>) -> Result<Vec<(String, String)>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let of_folder = |error: std::io::Error| {
        let fault =
            Fault::new(format!("the folder of manifests can't be read: {error}"), "create it or correct the setting");
        vec![whole(folder, fault)]
    };
    if let Some(uid) = owner {
        mistakes.extend(untrusted(folder, uid));
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(of_folder)? {
        let path = entry.map_err(of_folder)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let fault = owner.and_then(|uid| untrusted(&path, uid));
        match (fault, read(&path)) {
            (None, Ok(text)) => files.push((path.display().to_string(), text)),
            (fault, text) => {
                mistakes.extend(fault);
                mistakes.extend(text.err().map(|fault| whole(&path, fault)));
            }
        }
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

fn read(path: &Path) -> Result<String, Fault> {
    let failed = |error: std::io::Error| Fault::new(format!("can't be read: {error}"), "correct or remove the file");
    // Looked at before it is opened, as opening a FIFO would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Fault::new("is no regular file", "remove it"));
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_string(&mut text)).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(Fault::new("is larger than 1 MiB", "remove it: this is no manifest"));
    }
    Ok(text)
}

fn whole(path: &Path, fault: Fault) -> Mistake {
    Mistake { file: path.display().to_string(), field: String::new(), value: None, fault }
}

/// The first thing on the way to `path` that somebody besides root and `uid` could change: a wrong owner, or a mode
/// that lets group or others write. A folder with the sticky bit may be writable: what is root's in it stays.
#[must_use]
pub fn untrusted(path: &Path, uid: u32) -> Option<Mistake> {
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return Some(whole(path, Fault::new(format!("can't be resolved: {error}"), "correct the path"))),
    };
    real.ancestors().find_map(|step| {
        let metadata = match fs::symlink_metadata(step) {
            Ok(metadata) => metadata,
            Err(error) => {
                return Some(whole(step, Fault::new(format!("can't be looked at: {error}"), "correct its mode")));
            }
        };
        let shown = step.display();
        if metadata.uid() != 0 && metadata.uid() != uid {
            let why = format!("belongs to uid {}, who could change what strangers' programs may see", metadata.uid());
            return Some(whole(step, Fault::new(why, format!("chown root: {shown}"))));
        }
        let shared = metadata.is_dir() && step != real && metadata.mode() & 0o1000 != 0;
        if metadata.mode() & 0o022 != 0 && !shared {
            let why = format!("has mode {:o}: group or others can change it", metadata.mode() & 0o7777);
            return Some(whole(step, Fault::new(why, format!("chmod go-w {shown}"))));
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_loads() {
        let catalogue = Catalogue::load(None).unwrap_or_else(|mistakes| {
            panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let ids: Vec<&str> = catalogue.languages().iter().map(|language| language.id.as_str()).collect();
        assert_eq!(ids, ["c", "cpp", "java", "javascript", "python"]);
    }
}
