//! What is installed, and in which version. Running a probe is the caller's: here its output is only read.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::check;
use crate::definition::{Probe, Toolchain};

/// The version of a toolchain: numbers, the most significant first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Vec<u32>);

/// What a request says about the version: `"3"`, `"3.11"`, `"12.2.0"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(Vec<u32>);

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
    /// Reads what a request says. `None` when it is no list of numbers with dots between.
    #[must_use]
    pub fn parse(text: &str) -> Option<Selector> {
        numbers(text).map(Selector)
    }

    /// Whether `version` begins with these numbers.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        version.0.starts_with(&self.0)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(&self.0, f)
    }
}

/// The newest of `installed` that the selector matches; without a selector, the newest of all. Of two equal ones the
/// first wins, so that the order in the manifest decides.
pub fn newest<'a, T>(
    installed: impl IntoIterator<Item = (&'a Version, T)>,
    selector: Option<&Selector>,
) -> Option<(&'a Version, T)> {
    installed
        .into_iter()
        .filter(|(version, _)| selector.is_none_or(|selector| selector.matches(version)))
        .reduce(|best, next| if next.0.cmp(best.0) == Ordering::Greater { next } else { best })
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

impl Toolchain {
    /// Looks whether it is installed: its program leads to a regular file that everyone may execute and that programs
    /// in a sandbox see, and all that it needs is there.
    #[must_use]
    pub fn presence(&self) -> Presence {
        let program = self.program.display();
        let (real, metadata) = match fs::canonicalize(&self.program).and_then(|real| Ok((fs::metadata(&real)?, real))) {
            Ok((metadata, real)) => (real, metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => return Presence::Missing(self.program.clone()),
            Err(error) => return Presence::Unusable(format!("{program} can't be reached: {error}; {}", self.remedy())),
        };
        if !metadata.is_file() {
            return Presence::Unusable(format!("{program} is no regular file; {}", self.remedy()));
        }
        // The uid of a sandbox is nobody's owner and in nobody's group.
        if metadata.permissions().mode() & 0o001 == 0 {
            return Presence::Unusable(format!(
                "{program} is not executable for everyone; chmod 755 {}",
                real.display()
            ));
        }
        let mount = self.mount.as_ref().map(|mount| mount.path.as_path());
        if let Err(fault) = check::program(&real.to_string_lossy(), mount) {
            let leads = real.display();
            return Presence::Unusable(format!("{program} leads to {leads}, which {}; {}", fault.why, fault.remedy));
        }
        match self.needs.iter().find(|path| !path.exists()) {
            Some(missing) => Presence::Missing(missing.clone()),
            None => Presence::Installed(real),
        }
    }

    /// Whether [`Toolchain::presence`] is `Installed`.
    #[must_use]
    pub fn installed(&self) -> bool {
        matches!(self.presence(), Presence::Installed(_))
    }
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

    #[test]
    fn a_selector_matches_whole_numbers_from_the_left() {
        let matches = |selector: &str, of: &str| Selector::parse(selector).unwrap().matches(&version(of));
        assert!(matches("3", "3.11.2") && matches("3.11", "3.11.2") && matches("3.11.2", "3.11.2"));
        assert!(!matches("3.1", "3.11.2") && !matches("3.11.2.0", "3.11.2") && !matches("4", "3.11.2"));
        for bad in ["", ".", "3.", ".3", "3.x", "latest", "-3", "+3", "3 ", "９", "3.11.2.4.5.6.7", "99999999999"] {
            assert_eq!(Selector::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_newest_match_wins_and_the_first_of_equals() {
        let (old, new, same) = (version("3.9.2"), version("3.11.2"), version("3.11.2"));
        let all = || [(&old, "old"), (&new, "new"), (&same, "same")];
        let pick = |selector: &str| newest(all(), Selector::parse(selector).as_ref()).map(|(_, name)| name);
        assert_eq!(newest(all(), None).map(|(_, name)| name), Some("new"));
        assert_eq!((pick("3"), pick("3.9"), pick("3.10")), (Some("new"), Some("old"), None));
    }
}
