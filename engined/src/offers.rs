//! What can be asked for right now: the known languages, and of each the versions that a probe run has proved.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use api_spec::UnavailableLanguage;
use languages::{Definition, Presence, Selector, Toolchain, Version, newest};
use sha2::{Digest, Sha256};

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
}

/// One language that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its manifest.
    pub definition: Definition,
    /// Newest first, at least one.
    pub installed: Vec<Installed>,
}

/// All languages, those that can be had and those that can't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Can be had.
    pub languages: Vec<Offer>,
    /// Are known and lack a toolchain.
    pub unavailable: Vec<(Definition, UnavailableLanguage)>,
}

impl Offers {
    /// Adds a language with what its probes said: a version, or why there is none.
    pub fn add(&mut self, definition: &Definition, probed: Vec<(Toolchain, Result<Version, String>)>) {
        let mut installed = Vec::new();
        let mut reasons = Vec::new();
        for (toolchain, version) in probed {
            match version {
                Ok(version) => {
                    let digest = digest(definition, &toolchain, &version);
                    installed.push(Installed { toolchain, version, digest });
                }
                Err(why) => reasons.push((why, toolchain.remedy())),
            }
        }
        // Stable: of two equal versions the manifest's order decides.
        installed.sort_by(|a, b| b.version.cmp(&a.version));
        if !installed.is_empty() {
            return self.languages.push(Offer { definition: definition.clone(), installed });
        }
        let (why, remedies): (Vec<_>, Vec<_>) = reasons.into_iter().unzip();
        let unavailable =
            UnavailableLanguage { id: definition.id.clone(), reason: why.join("; "), remedy: remedies.join(" or ") };
        self.unavailable.push((definition.clone(), unavailable));
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
            installed: offer.installed.iter().map(|installed| installed.version.to_string()).collect(),
        };
        let selector = version.map(|text| Selector::parse(text).ok_or_else(unknown)).transpose()?;
        let all = offer.installed.iter().map(|installed| (&installed.version, installed));
        let (_, installed) = newest(all, selector.as_ref()).ok_or_else(unknown)?;
        Ok((&offer.definition, installed))
    }

    fn missing(&self, language: &str) -> Error {
        match self.unavailable.iter().find(|(definition, _)| definition.answers_to(language)) {
            Some((_, unavailable)) => Error::LanguageNotInstalled(unavailable.clone()),
            None => Error::UnknownLanguage {
                asked: language.to_owned(),
                known: self.languages.iter().map(|offer| offer.definition.id.clone()).collect(),
            },
        }
    }
}

/// The toolchains of a language that are there to be probed, and why the others are not.
pub fn present(definition: &Definition) -> impl Iterator<Item = (&Toolchain, Result<(), String>)> {
    definition.toolchains.iter().map(|toolchain| {
        let found = match toolchain.presence() {
            Presence::Installed(_) => Ok(()),
            Presence::Missing(what) => Err(format!("{} is not installed", what.display())),
            Presence::Unusable(why) => Err(why),
        };
        (toolchain, found)
    })
}

/// Of all that makes up the toolchain for us: manifest, version, and the bytes of its program.
fn digest(definition: &Definition, toolchain: &Toolchain, version: &Version) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{definition:?}\0{version}\0"));
    if let Err(error) = hash_file(&mut hash, &toolchain.program) {
        tracing::warn!(%error, program = %toolchain.program.display(), "digest without the program's bytes");
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
    use languages::Catalogue;

    use super::*;

    fn offers() -> Offers {
        let catalogue = Catalogue::builtin();
        let mut offers = Offers::default();
        let python = catalogue.language("python").unwrap();
        let versions = ["3.9.2", "3.11.2"].map(|v| (python.toolchains[0].clone(), Ok(Version::parse(v).unwrap())));
        offers.add(python, versions.into());
        let c = catalogue.language("c").unwrap();
        offers.add(c, vec![(c.toolchains[0].clone(), Err("/usr/bin/gcc is not installed".to_owned()))]);
        offers
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
