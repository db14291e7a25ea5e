//! What can be asked for right now: the known languages, and of each the versions that a probe run has proved.

use std::fmt::Write as _;
use std::io::Read;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use api_spec::UnavailableLanguage;
use jail::seccomp::{self, Filter};
use languages::tuning::Tuned;
use languages::{Catalogue, Definition, Presence, Selector, Toolchain, Version, newest};
use sha2::{Digest, Sha256};

use crate::admission::made::Made;
use crate::cache::Basis;
use crate::problem::Error;

/// One toolchain that answered its probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// As the manifest has it.
    pub toolchain: Toolchain,
    /// As it said itself.
    pub version: Version,
    /// Changes when the toolchain or its manifest does.
    pub digest: String,
    /// Of all its files, where it compiles. `None` where they can't be looked at.
    pub whole: Option<languages::Digest>,
    /// What every compile with it follows from. `None` where that can't be told: then nothing it makes is kept.
    pub basis: Option<Basis>,
    /// What was made of it ahead of time.
    pub tuned: Option<Tuned>,
    /// The steps that were asked for last.
    pub made: Made,
}

impl Installed {
    /// As a request may ask for it and a person would say it: `12.2.0`, `clang-14.0.6`.
    #[must_use]
    pub fn named(&self) -> String {
        if self.toolchain.secondary {
            return format!("{}-{}", self.toolchain.family(), self.version);
        }
        self.version.to_string()
    }
}

/// One language that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its manifest.
    pub definition: Definition,
    /// Newest first, at least one.
    pub installed: Vec<Installed>,
}

impl Offer {
    /// All versions as a request may ask for them. Of two that are called alike the latter is told apart by its id.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for one in &self.installed {
            let name = one.named();
            names.push(if names.contains(&name) { format!("{name} ({})", one.toolchain.id) } else { name });
        }
        names
    }
}

/// All languages, those that can be had and those that can't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Can be had.
    pub languages: Vec<Offer>,
    /// Are known and lack a toolchain.
    pub unavailable: Vec<(Definition, UnavailableLanguage)>,
    /// Have yet to be looked at.
    pub awaited: Vec<Definition>,
    /// Can be had, but not in every version that is installed.
    pub broken: Vec<UnavailableLanguage>,
}

/// Why a language can't be had for the moment.
#[must_use]
pub fn being_looked_at(definition: &Definition) -> String {
    format!("{} is still being looked at", definition.name)
}

/// Why a toolchain is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not installed. That is worth a word only where no other of its language is.
    Absent(String),
    /// It is installed and can't be used.
    Broken(String),
}

impl Trouble {
    /// The reason.
    #[must_use]
    pub fn why(&self) -> &str {
        let (Trouble::Absent(why) | Trouble::Broken(why)) = self;
        why
    }
}

/// A toolchain and what its probe said: a version, or why there is none.
pub type Probed = (Toolchain, Result<(Version, Option<Tuned>), Trouble>);

/// The troubles that a person should hear of: of everything that is broken, and where nothing is installed at all, of
/// the first in the manifest.
pub fn notable(probed: &[Probed]) -> impl Iterator<Item = (&Toolchain, &Trouble)> {
    let troubles = probed.iter().filter_map(|(toolchain, version)| Some((toolchain, version.as_ref().err()?)));
    let broken = |trouble: &Trouble| matches!(trouble, Trouble::Broken(_));
    let nothing = troubles.clone().count() == probed.len() && !troubles.clone().any(|(_, trouble)| broken(trouble));
    troubles
        .enumerate()
        .filter(move |(index, (_, trouble))| broken(trouble) || (nothing && *index == 0))
        .map(|(_, it)| it)
}

impl Offers {
    /// Adds a language with what its probes said.
    pub fn add(&mut self, definition: &Definition, probed: Vec<Probed>) {
        let troubles: Vec<(String, String, String)> = notable(&probed)
            .map(|(toolchain, trouble)| (toolchain.id.clone(), trouble.why().to_owned(), toolchain.remedy()))
            .collect();
        let joined = |part: fn(&(String, String, String)) -> &str, by: &str| {
            troubles.iter().map(part).collect::<Vec<_>>().join(by)
        };
        let (reason, remedy) = (joined(|(_, why, _)| why, "; "), joined(|(.., remedy)| remedy, " or "));
        let lacking = UnavailableLanguage { id: definition.id.clone(), reason, remedy };
        let found = probed.into_iter().filter_map(|(toolchain, version)| Some((toolchain, version.ok()?)));
        let mut installed: Vec<Installed> = found
            .map(|(toolchain, (version, tuned))| {
                let digest = digest(definition, &toolchain, &version);
                let whole = whole(definition, &toolchain);
                let basis = whole.and_then(|whole| basis(definition, &digest, &whole));
                Installed { toolchain, version, digest, whole, basis, tuned, made: Made::default() }
            })
            .collect();
        // Stable: of two equal versions the manifest's order decides. The first is what a request without a version gets.
        installed.sort_by(|a, b| a.toolchain.secondary.cmp(&b.toolchain.secondary).then(b.version.cmp(&a.version)));
        if installed.is_empty() {
            self.unavailable.push((definition.clone(), lacking));
            self.unavailable.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        } else {
            // Which of several it is.
            let which =
                troubles.iter().map(|(toolchain, why, _)| format!("{toolchain}: {why}")).collect::<Vec<_>>().join("; ");
            if !which.is_empty() {
                self.broken.push(UnavailableLanguage { reason: which, ..lacking });
            }
            self.languages.push(Offer { definition: definition.clone(), installed });
            self.languages.sort_by(|a, b| a.definition.id.cmp(&b.definition.id));
        }
    }

    /// The language and version that a request asks for.
    ///
    /// # Errors
    /// `unknown_language`, `unknown_version`.
    pub fn find(&self, language: &str, version: Option<&str>) -> Result<(&Definition, &Installed), Error> {
        let Some(offer) = self.languages.iter().find(|offer| offer.definition.answers_to(language)) else {
            return Err(self.missing(language));
        };
        let unknown = || Error::UnknownVersion {
            language: offer.definition.id.clone(),
            asked: version.unwrap_or_default().to_owned(),
            installed: offer.names(),
        };
        let selector = version.map(|text| Selector::parse(text).ok_or_else(unknown)).transpose()?;
        let all = offer.installed.iter().map(|one| (&one.version, &one.toolchain, one));
        let (_, installed) = newest(all, selector.as_ref()).ok_or_else(unknown)?;
        Ok((&offer.definition, installed))
    }

    /// Keeps of the versions only those whose language and toolchain are in `catalogue` and still there, packages
    /// included. Whether any had to go.
    pub fn keep(&mut self, catalogue: &Catalogue) -> bool {
        let known = |definition: &Definition, toolchain: &Toolchain| {
            let language = catalogue.languages().iter().find(|language| language.id == definition.id);
            let now = language
                .and_then(|language| Some((language, language.toolchains.iter().find(|one| one.id == toolchain.id)?)));
            now.is_some_and(|(language, toolchain)| language.installed(toolchain))
        };
        let count = |offers: &Offers| offers.languages.iter().map(|offer| offer.installed.len()).sum::<usize>();
        let before = count(self);
        for Offer { definition, installed } in &mut self.languages {
            installed.retain(|one| known(definition, &one.toolchain));
        }
        let (some, none) =
            std::mem::take(&mut self.languages).into_iter().partition(|offer| !offer.installed.is_empty());
        self.languages = some;
        for Offer { definition: Definition { id, .. }, .. } in none {
            let Some(language) = catalogue.languages().iter().find(|language| language.id == id) else { continue };
            // What is there all the same has yet to be looked at.
            let of = |found: Result<(), Trouble>| {
                Err(found.err().unwrap_or_else(|| Trouble::Broken(being_looked_at(language))))
            };
            let probed = present(language).into_iter().map(|(toolchain, found)| (toolchain.clone(), of(found)));
            self.add(language, probed.collect());
        }
        count(self) < before
    }

    /// Whether the files of a toolchain that compiles are others than when it was looked at.
    #[must_use]
    pub fn outdated(&self) -> bool {
        let other = |offer: &Offer, one: &Installed| {
            one.whole.is_some() && offer.definition.toolchain_digest(&one.toolchain).ok() != one.whole
        };
        self.languages.iter().any(|offer| offer.installed.iter().any(|one| other(offer, one)))
    }

    /// What an operator should hear of, and what it is.
    pub fn lacking(&self) -> impl Iterator<Item = (&'static str, &UnavailableLanguage)> {
        let none = self.unavailable.iter().map(|(_, lacking)| ("language unavailable", lacking));
        none.chain(self.broken.iter().map(|lacking| ("version unavailable", lacking)))
    }

    fn missing(&self, language: &str) -> Error {
        if let Some(awaited) = self.awaited.iter().find(|definition| definition.answers_to(language)) {
            return Error::NotReady(vec![being_looked_at(awaited)]);
        }
        match self.unavailable.iter().find(|(definition, _)| definition.answers_to(language)) {
            Some((_, unavailable)) => Error::LanguageNotInstalled(unavailable.clone()),
            None => Error::UnknownLanguage {
                asked: language.to_owned(),
                known: self.languages.iter().map(|offer| offer.definition.id.clone()).collect(),
            },
        }
    }
}

/// The toolchains of a language that are there to be probed, and why the others are not. Of two names for the same
/// program, `python3` and `python3.11`, the first in the manifest stands for both.
#[must_use]
pub fn present(definition: &Definition) -> Vec<(&Toolchain, Result<(), Trouble>)> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    // Programs whose packages are missing. Another name of such a program must not stand in without them.
    let mut spoiled: Vec<PathBuf> = Vec::new();
    for toolchain in &definition.toolchains {
        let here = match definition.presence(toolchain) {
            Presence::Installed(program) if toolchain.environment.is_none() && spoiled.contains(&program) => {
                Err(Trouble::Broken(format!("{} lacks the packages that it has under another id", program.display())))
            }
            Presence::Installed(program) => {
                let same = (program, &toolchain.run_program, &toolchain.environment);
                if seen.contains(&same) {
                    continue;
                }
                seen.push(same);
                Ok(())
            }
            Presence::Missing(what) => Err(Trouble::Absent(format!("{} is not installed", what.display()))),
            Presence::Unusable(why) => {
                if toolchain.environment.is_some() {
                    spoiled.extend(toolchain.program.canonicalize().ok());
                }
                Err(Trouble::Broken(why))
            }
        };
        found.push((toolchain, here));
    }
    found
}

/// Of all files of a toolchain that compiles.
fn whole(definition: &Definition, toolchain: &Toolchain) -> Option<languages::Digest> {
    definition.compile.as_ref()?;
    let digest = definition.toolchain_digest(toolchain);
    let told = digest.inspect_err(|why| {
        tracing::warn!(language = definition.id, toolchain = toolchain.id, %why, "nothing that it compiles is kept");
    });
    told.ok()
}

/// What the artifacts of a toolchain follow from: its manifest and version, all of its files, the filter of its compiler.
fn basis(definition: &Definition, digest: &str, whole: &languages::Digest) -> Option<Basis> {
    let names: Vec<String> = definition.syscalls.iter().map(|call| call.name.clone()).collect();
    let extra = seccomp::extra(&names).inspect_err(|call| {
        tracing::warn!(language = definition.id, call, "no such system call: nothing that it compiles is kept");
    });
    Some(Basis::new(digest, whole, &Filter::whole(&extra.ok()?).bytes()))
}

/// Of all that makes up the toolchain for us: manifest, version, and the bytes of its program.
fn digest(definition: &Definition, toolchain: &Toolchain, version: &Version) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{definition:?}\0{version}\0"));
    if let Err(error) = hash_file(&mut hash, &toolchain.program) {
        // In a folder that a reload has brought: what may be read was settled at the start.
        let program = toolchain.program.display();
        match std::fs::metadata(&toolchain.program) {
            Ok(file) => {
                let marks = [file.st_dev(), file.st_ino(), file.st_size()];
                let times = [file.st_mtime(), file.st_mtime_nsec(), file.st_ctime(), file.st_ctime_nsec()];
                hash.update(format!("{marks:?} {times:?}"));
                tracing::info!(%error, %program, "until a restart, size and times stand for its bytes in the digest");
            }
            Err(error) => tracing::warn!(%error, %program, "digest without the program"),
        }
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

fn hash_file(hash: &mut Sha256, path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let mut chunk = vec![0; 64 << 10];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            read => hash.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Offers {
        let catalogue = Catalogue::builtin();
        let mut offers = Offers::default();
        let python = catalogue.language("python").unwrap();
        let versions =
            ["3.9.2", "3.11.2"].map(|v| (python.toolchains[0].clone(), Ok((Version::parse(v).unwrap(), None))));
        offers.add(python, versions.into());
        let c = catalogue.language("c").unwrap();
        let absent = |what: &str| Err(Trouble::Absent(format!("{what} is not installed")));
        let [gcc, other] = [c.toolchains[0].clone(), c.toolchains[1].clone()];
        offers.add(c, vec![(gcc, absent("/usr/bin/gcc")), (other, absent("/usr/bin/gcc-15"))]);
        offers
    }

    #[test]
    fn what_is_broken_is_told_and_what_is_merely_not_there_is_not() {
        let catalogue = Catalogue::builtin();
        let cpp = catalogue.language("cpp").unwrap();
        let [gcc, other, clang] = ["gcc", "gcc-15", "clang-14"]
            .map(|id| cpp.toolchains.iter().find(|toolchain| toolchain.id == id).unwrap().clone());
        let here = |version| Ok((Version::parse(version).unwrap(), None));
        let absent = || Err(Trouble::Absent("not here".to_owned()));
        let mut offers = Offers::default();
        offers
            .add(cpp, vec![(clang.clone(), here("14.0.6")), (other.clone(), absent()), (gcc.clone(), here("12.2.0"))]);
        assert_eq!(offers.broken, []);
        let names: Vec<String> = offers.languages[0].installed.iter().map(Installed::named).collect();
        assert_eq!(names, ["12.2.0", "clang-14.0.6"], "the usual make first");
        assert_eq!(offers.find("cpp", None).unwrap().1.toolchain.id, "gcc");
        assert_eq!(offers.find("cpp", Some("14")).unwrap().1.toolchain.id, "clang-14");
        let mut offers = Offers::default();
        offers.add(cpp, vec![(gcc.clone(), here("12.2.0")), (clang, Err(Trouble::Broken("it crashes".to_owned())))]);
        assert_eq!(offers.broken[0].reason, "clang-14: it crashes");
        let mut offers = Offers::default();
        offers.add(cpp, vec![(gcc, absent()), (other, absent())]);
        let unavailable = &offers.unavailable[0].1;
        assert_eq!((unavailable.reason.as_str(), unavailable.remedy.as_str()), ("not here", "apt-get install g++"));
    }

    #[test]
    fn the_newest_match_is_found_by_id_and_alias() {
        let offers = offers();
        let version = |language, version| offers.find(language, version).unwrap().1.version.to_string();
        assert_eq!(version("python", None), "3.11.2");
        assert_eq!(version("py", Some("3.9")), "3.9.2");
        assert!(offers.languages[0].installed[0].digest.starts_with("sha256:"));
        assert_ne!(offers.languages[0].installed[0].digest, offers.languages[0].installed[1].digest);
    }

    #[test]
    fn what_a_reload_has_removed_is_withdrawn_at_once() {
        let catalogue = Catalogue::builtin();
        let mut offers = offers();
        assert!(!offers.keep(&catalogue));
        let mut foreign = offers.languages[0].installed[0].clone();
        foreign.toolchain.id = "foreign".to_owned();
        offers.languages[0].installed.push(foreign.clone());
        let mut lua = Offer { installed: vec![foreign], ..offers.languages[0].clone() };
        lua.definition.id = "lua".to_owned();
        offers.languages.push(lua);
        assert!(offers.keep(&catalogue));
        assert_eq!(offers, self::offers());
    }

    #[test]
    fn versions_that_are_called_alike_are_told_apart() {
        let mut offers = offers();
        let mut twin = offers.languages[0].installed[0].clone();
        twin.toolchain.id = "twin".to_owned();
        offers.languages[0].installed.push(twin);
        let problem = offers.find("python", Some("4")).unwrap_err().problem();
        assert!(problem.detail.contains("3.11.2, 3.9.2, 3.11.2 (twin)"), "{problem}");
    }

    #[test]
    fn what_is_not_there_says_what_to_do() {
        let offers = offers();
        let problem = |language, version| offers.find(language, version).unwrap_err().problem();
        for bad in ["4", "latest", ""] {
            let problem = problem("python", Some(bad));
            assert_eq!(problem.code, api_spec::Code::UnknownVersion);
            assert!(problem.detail.contains("3.11.2, 3.9.2"), "{problem}");
        }
        let c = problem("gcc", None);
        assert_eq!(c.code, api_spec::Code::UnknownLanguage);
        assert!(c.remedy.contains("apt-get install gcc libc6-dev"), "{c}");
        assert_eq!(problem("cobol", None).code, api_spec::Code::UnknownLanguage);
    }
}
