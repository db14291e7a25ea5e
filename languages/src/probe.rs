//! What is installed, and in which version. Running a probe is the caller's: here its output is only read.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::check;
use crate::definition::{Definition, Part, Placeholder, Probe, Toolchain};
use crate::limits::Step;

/// The version of a toolchain: numbers, the most significant first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Vec<u32>);

/// What a request says about the version: `"3.11"`, or with the make before it, `"clang"`, `"clang-14"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    family: Option<String>,
    numbers: Vec<u32>,
}

/// As many numbers as a version may have.
const PARTS: usize = 6;

fn numbers(text: &str) -> Option<Vec<u32>> {
    let part = |digits: &str| {
        let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    let parts: Vec<u32> = text.split('.').map(part).collect::<Option<_>>()?;
    (parts.len() <= PARTS).then_some(parts)
}

fn dotted(parts: &[u32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let words: Vec<String> = parts.iter().map(u32::to_string).collect();
    f.write_str(&words.join("."))
}

impl Version {
    /// Reads `12.2.0`. Nothing may stand before or after it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        numbers(text).map(Version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(&self.0, f)
    }
}

impl Selector {
    /// Reads what a request says. `None` when it is neither numbers with dots between nor a name, nor both with a `-`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Selector> {
        if let Some(numbers) = numbers(text) {
            return Some(Selector { family: None, numbers });
        }
        let (name, numbers) = match text.rsplit_once('-') {
            Some((name, rest)) if rest.starts_with(|c: char| c.is_ascii_digit()) => (name, numbers(rest)?),
            _ => (text, Vec::new()),
        };
        let named = check::id(name).is_ok() && name.starts_with(|c: char| c.is_ascii_lowercase());
        named.then(|| Selector { family: Some(name.to_owned()), numbers })
    }

    /// Whether the version begins with these numbers, and its toolchain is of the make that is asked for.
    #[must_use]
    pub fn matches(&self, version: &Version, toolchain: &Toolchain) -> bool {
        version.0.starts_with(&self.numbers)
            && self.family.as_ref().is_none_or(|family| toolchain.family() == family || toolchain.id == *family)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selector { family, numbers } = self;
        match family {
            None => dotted(numbers, f),
            Some(family) if numbers.is_empty() => f.write_str(family),
            Some(family) => {
                write!(f, "{family}-")?;
                dotted(numbers, f)
            }
        }
    }
}

/// The newest of `installed` that the selector matches; without a selector, the newest of all. Secondary toolchains
/// come after all others, unless the selector names their make. Of two equal ones the one whose id was asked for wins,
/// else the first, so that the order in the manifest decides.
pub fn newest<'a, T>(
    installed: impl IntoIterator<Item = (&'a Version, &'a Toolchain, T)>,
    selector: Option<&Selector>,
) -> Option<(&'a Version, T)> {
    let named = selector.is_some_and(|selector| selector.family.is_some());
    let asked = selector.map(ToString::to_string).unwrap_or_default();
    let rank =
        |version: &'a Version, toolchain: &Toolchain| (named || !toolchain.secondary, version, toolchain.id == asked);
    installed
        .into_iter()
        .filter(|(version, toolchain, _)| selector.is_none_or(|selector| selector.matches(version, toolchain)))
        .reduce(|best, next| if rank(next.0, next.1) > rank(best.0, best.1) { next } else { best })
        .map(|(version, _, rest)| (version, rest))
}

/// Reads the version from what the probe printed (standard output and error together, as some write to the one and
/// some to the other): the digits and dots after the prefix in the first line.
#[must_use]
pub fn parse_version(probe: &Probe, output: &[u8]) -> Option<Version> {
    let line = output.split(|b| *b == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.trim().strip_prefix(probe.prefix.as_str())?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    // `3.13.0rc1` is 3.13.0, and a full stop may end a sentence.
    Version::parse(rest[..end].trim_end_matches('.'))
}

/// Whether a toolchain is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is, and this is the file that its program's path leads to.
    Installed(PathBuf),
    /// This file of it does not exist.
    Missing(PathBuf),
    /// Something is there that can't be used. The text says what, why and what to do.
    Unusable(String),
}

impl Definition {
    /// Looks whether a toolchain is installed: its programs lead to regular files that everyone may execute and that
    /// programs in a sandbox see, and all that it and its environment need is there.
    #[must_use]
    pub fn presence(&self, toolchain: &Toolchain) -> Presence {
        let real = match executable(toolchain, &toolchain.program) {
            Ok(real) => real,
            Err(presence) => return presence,
        };
        if let Some(Err(presence)) = toolchain.run_program.as_ref().map(|program| executable(toolchain, program)) {
            return presence;
        }
        if let Some(missing) = toolchain.needs.iter().find(|path| !path.exists()) {
            return Presence::Missing(missing.clone());
        }
        match self.equipped(toolchain) {
            Ok(()) => Presence::Installed(real),
            Err(why) => Presence::Unusable(why),
        }
    }

    /// Whether [`Definition::presence`] is `Installed`.
    #[must_use]
    pub fn installed(&self, toolchain: &Toolchain) -> bool {
        matches!(self.presence(toolchain), Presence::Installed(_))
    }

    /// The files of a toolchain without which one of its steps does not work. None where the artifact runs by itself.
    #[must_use]
    pub fn parts(&self, toolchain: &Toolchain, step: Step) -> Vec<PathBuf> {
        let compiles = self.compile.is_some();
        let alone =
            step == Step::Run && self.run.args.parts().first() == Some(&Part::Placeholder(Placeholder::Artifact));
        let run_program = toolchain.run_program.iter();
        let own: Vec<PathBuf> = match step {
            Step::Run if alone => Vec::new(),
            Step::Run if compiles => run_program.cloned().collect(),
            _ => std::iter::once(&toolchain.program).chain(run_program).chain(&toolchain.needs).cloned().collect(),
        };
        own.into_iter().chain(self.equipment(toolchain)).collect()
    }

    /// What must be there of a toolchain's environment: all that the operator and the language ask of it.
    fn equipment(&self, toolchain: &Toolchain) -> Vec<PathBuf> {
        let (Some(environment), Some(usage)) = (&toolchain.environment, &self.environment) else { return Vec::new() };
        let wanted = usage.program.iter().chain(&usage.needs).chain(&environment.needs);
        wanted.map(|path| environment.mount.path.join(path)).collect()
    }

    /// Whether a toolchain's environment is whole.
    fn equipped(&self, toolchain: &Toolchain) -> Result<(), String> {
        let missing = self.equipment(toolchain).into_iter().find(|path| !path.exists());
        missing.map_or(Ok(()), |path| {
            let (path, id) = (path.display(), &toolchain.id);
            Err(format!("the environment of {id} lacks {path}; install it there, or correct `needs` in its manifest"))
        })
    }
}

/// What a toolchain's program leads to.
fn executable(toolchain: &Toolchain, path: &Path) -> Result<PathBuf, Presence> {
    let (program, remedy) = (path.display(), toolchain.remedy());
    let (real, metadata) = match fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real))) {
        Ok((metadata, real)) => (real, metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Presence::Missing(path.to_owned())),
        Err(error) => return Err(Presence::Unusable(format!("{program} can't be reached: {error}; {remedy}"))),
    };
    if !metadata.is_file() {
        return Err(Presence::Unusable(format!("{program} is no regular file; {remedy}")));
    }
    // The uid of a sandbox is nobody's owner and in nobody's group.
    if metadata.permissions().mode() & 0o001 == 0 {
        let why = format!("{program} is not executable for everyone; chmod 755 {}", real.display());
        return Err(Presence::Unusable(why));
    }
    let mount = toolchain.mount.as_ref().map(|mount| mount.path.as_path());
    if let Err(fault) = check::program(&real.to_string_lossy(), mount) {
        let leads = real.display();
        let why = format!("{program} leads to {leads}, which {}; {}", fault.why, fault.remedy);
        return Err(Presence::Unusable(why));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(prefix: &str) -> Probe {
        Probe { args: vec!["-V".into()], prefix: prefix.into() }
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn the_first_line_after_the_prefix_is_the_version() {
        for (prefix, output, wanted) in [
            ("Python ", "Python 3.11.2\n", Some("3.11.2")),
            ("Python ", "Python 3.13.0rc1\n", Some("3.13.0")),
            ("Python ", "Python 3.13.\nPython 4\n", Some("3.13")),
            ("", "12.2.0\n", Some("12.2.0")),
            ("v", "v20.11.1", Some("20.11.1")),
            ("javac ", "javac 17\r\n", Some("17")),
            ("Python ", "Pyston 3.11.2\n", None),
            ("Python ", "", None),
            ("", "\n12.2.0\n", None),
            ("", "12..2\n", None),
            ("", "1234567890.1\n", None),
            ("", "1.2.3.4.5.6.7\n", None),
        ] {
            assert_eq!(parse_version(&probe(prefix), output.as_bytes()), wanted.map(version), "{output:?}");
        }
        assert_eq!(parse_version(&probe(""), b"\xff12\n"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("3.9.1") < version("3.11"));
        assert!(version("3.11") < version("3.11.2"));
        assert!(version("12.2.0") < version("13"));
        assert_eq!(version("12.2.0").to_string(), "12.2.0");
    }

    fn toolchain(id: &str, secondary: bool) -> Toolchain {
        Toolchain { id: id.to_owned(), secondary, ..Toolchain::default() }
    }

    #[test]
    fn a_selector_matches_whole_numbers_from_the_left() {
        let any = toolchain("cpython", false);
        let matches = |selector: &str, of: &str| Selector::parse(selector).unwrap().matches(&version(of), &any);
        assert!(matches("3", "3.11.2") && matches("3.11", "3.11.2") && matches("3.11.2", "3.11.2"));
        assert!(!matches("3.1", "3.11.2") && !matches("3.11.2.0", "3.11.2") && !matches("4", "3.11.2"));
        for bad in [
            "",
            ".",
            "3.",
            ".3",
            "3.x",
            "-3",
            "+3",
            "3 ",
            "９",
            "3.11.2.4.5.6.7",
            "99999999999",
            "clang-1x",
            "Clang",
            "a b",
        ] {
            assert_eq!(Selector::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_make_is_chosen_by_its_name() {
        let (gcc, clang) = (toolchain("gcc", false), toolchain("clang-14", true));
        let (twelve, fourteen) = (version("12.2.0"), version("14.0.6"));
        let all = || [(&fourteen, &clang, "clang"), (&twelve, &gcc, "gcc")];
        let pick = |selector: &str| newest(all(), Selector::parse(selector).as_ref()).map(|(_, name)| name);
        assert_eq!(newest(all(), None).map(|(_, name)| name), Some("gcc"), "the usual make comes first");
        assert_eq!(
            (pick("12"), pick("14"), pick("gcc"), pick("gcc-12.2")),
            (Some("gcc"), Some("clang"), Some("gcc"), Some("gcc"))
        );
        assert_eq!(
            (pick("clang"), pick("clang-14"), pick("clang-15"), pick("icc")),
            (Some("clang"), Some("clang"), None, None)
        );
        assert_eq!(Selector::parse("clang-14").unwrap().to_string(), "clang-14");
        let both = [(&fourteen, &clang, "clang"), (&fourteen, &gcc, "gcc")];
        assert_eq!(newest(both, Selector::parse("14").as_ref()).map(|(_, name)| name), Some("gcc"));
    }

    #[test]
    fn the_newest_match_wins_and_the_first_of_equals() {
        let (old, new, same) = (version("3.9.2"), version("3.11.2"), version("3.11.2"));
        let any = toolchain("cpython", false);
        let all = || [(&old, &any, "old"), (&new, &any, "new"), (&same, &any, "same")];
        let pick = |selector: &str| newest(all(), Selector::parse(selector).as_ref()).map(|(_, name)| name);
        assert_eq!(newest(all(), None).map(|(_, name)| name), Some("new"));
        assert_eq!((pick("3"), pick("3.9"), pick("3.10")), (Some("new"), Some("old"), None));
        let twin = toolchain("cpython-3.11", false);
        let twins = || [(&new, &any, "first"), (&new, &twin, "twin")];
        let pick = |selector: &str| newest(twins(), Selector::parse(selector).as_ref()).map(|(_, name)| name);
        assert_eq!((pick("3.11"), pick("cpython"), pick("cpython-3.11")), (Some("first"), Some("first"), Some("twin")));
    }
}
