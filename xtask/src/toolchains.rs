//! The toolchains of this machine, as the built-in manifests know them: what the engine runs, asked without the engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use languages::{Catalogue, Presence, Selector, Toolchain, Version};

use crate::problem::{Problem, Result};

/// One toolchain that is installed.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The language's id.
    pub language: String,
    /// What it says itself.
    pub version: Version,
    toolchain: Toolchain,
}

impl Installed {
    /// What compiles, or runs a program where nothing is compiled.
    pub fn program(&self) -> &Path {
        &self.toolchain.program
    }

    /// What runs what was compiled, where that is a program of the toolchain.
    pub fn run_program(&self) -> &Path {
        self.toolchain.run_program.as_deref().unwrap_or(&self.toolchain.program)
    }
}

/// All that are installed, in the order of the manifests; a program that has two names counts once.
///
/// # Errors
/// When the built-in manifests have a mistake.
pub fn installed() -> Result<Vec<Installed>> {
    let catalogue = Catalogue::load(None).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Problem::new(told.join("\n"), "mend languages/manifests")
    })?;
    let mut found = Vec::new();
    for definition in catalogue.languages() {
        let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
        for toolchain in &definition.toolchains {
            let Presence::Installed(real) = definition.presence(toolchain) else { continue };
            let new = seen.insert(real);
            if let Some(version) = new.then(|| version(toolchain)).flatten() {
                let language = definition.id.clone();
                found.push(Installed { language, version, toolchain: toolchain.clone() });
            }
        }
    }
    Ok(found)
}

/// The one that a request with this version gets.
pub fn newest<'a>(all: &'a [Installed], language: &str, version: Option<&str>) -> Option<&'a Installed> {
    let selector = version.and_then(Selector::parse);
    let these = all.iter().filter(|one| one.language == language);
    languages::newest(these.map(|one| (&one.version, &one.toolchain, one)), selector.as_ref()).map(|(_, one)| one)
}

/// What a toolchain says of itself.
fn version(toolchain: &Toolchain) -> Option<Version> {
    let mut command = Command::new(&toolchain.program);
    command.args(&toolchain.probe.args).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    let output = command.output().ok()?;
    languages::parse_version(&toolchain.probe, &[output.stdout, output.stderr].concat())
}

/// A line per language: `java: openjdk-17 17.0.19, temurin-25 25.0.1`.
pub fn told(all: &[Installed]) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for one in all {
        let this = format!("{} {}", one.toolchain.id, one.version);
        match lines.last_mut() {
            Some((language, line)) if *language == one.language => *line += &format!(", {this}"),
            _ => lines.push((one.language.clone(), this)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_can_build_this_has_a_compiler() {
        let all = installed().unwrap();
        let c = newest(&all, "c", None).unwrap();
        assert!(c.program().starts_with("/usr/bin"), "{c:?}");
        assert!(newest(&all, "c", Some("0.1")).is_none());
        assert!(told(&all).iter().any(|(language, line)| language == "c" && line.starts_with("gcc")), "{all:?}");
    }
}
