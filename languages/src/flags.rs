//! The allow-list for a caller's `compile_flags`.

use std::fmt;

use crate::definition::{Definition, FlagPattern, FlagRule, Tail};

/// A flag that no rule allows. The text names what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagRefused {
    /// Its place in `compile_flags`.
    pub index: usize,
    /// The flag.
    pub flag: String,
    /// What people call the language.
    pub language: String,
    /// What would be allowed, for people.
    pub allowed: String,
}

impl fmt::Display for FlagRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlagRefused { flag, language, allowed, .. } = self;
        if allowed.is_empty() {
            return write!(f, "{language} takes no compile flags; leave {flag:?} out");
        }
        write!(f, "{flag:?} is not on the allow-list of {language}; use one of {allowed}")
    }
}

impl std::error::Error for FlagRefused {}

/// The longest flag. Macros are the only ones that come near.
const FLAG_BYTES: usize = 1024;

impl Definition {
    /// Whether a caller may add these flags.
    ///
    /// # Errors
    /// The first one that no rule of the manifest allows.
    pub fn check_flags(&self, flags: &[String]) -> Result<(), FlagRefused> {
        let rules = self.compile.as_ref().map_or(&[][..], |compile| &compile.flags);
        let refused = flags.iter().position(|flag| !rules.iter().any(|rule| rule.allows(flag)));
        refused.map_or(Ok(()), |index| {
            Err(FlagRefused {
                index,
                flag: flags[index].clone(),
                language: self.name.clone(),
                allowed: rules.iter().map(FlagRule::summary).collect::<Vec<_>>().join(" "),
            })
        })
    }
}

impl FlagRule {
    /// Whether this rule allows `flag`.
    #[must_use]
    pub fn allows(&self, flag: &str) -> bool {
        match &self.flags {
            FlagPattern::Exact(flags) => flags.iter().any(|exact| exact == flag),
            FlagPattern::Prefixed { prefix, tail } => {
                flag.len() <= FLAG_BYTES && flag.strip_prefix(prefix.as_str()).is_some_and(|rest| tail.admits(rest))
            }
        }
    }

    fn summary(&self) -> String {
        match &self.flags {
            FlagPattern::Exact(flags) => flags.join(" "),
            FlagPattern::Prefixed { prefix, tail } => format!("{prefix}<{}>", tail.as_str()),
        }
    }
}

impl Tail {
    /// Whether `rest` is of this kind.
    #[must_use]
    pub fn admits(self, rest: &str) -> bool {
        let identifier = |name: &str| {
            name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        match self {
            Tail::Name => identifier(rest),
            Tail::Macro => {
                let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
                identifier(name) && !value.chars().any(char::is_control)
            }
            Tail::Warning => {
                let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-_=".contains(&b);
                rest.len() >= 2 && rest.as_bytes()[0].is_ascii_lowercase() && rest.bytes().all(legal)
            }
            Tail::Number => (1..=9).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit()),
            Tail::Folder => {
                let legal = |b: u8| b.is_ascii_alphanumeric() || b"._+-/".contains(&b);
                rest.bytes().next().is_some_and(|b| b != b'/' && b != b'-')
                    && rest.bytes().all(legal)
                    && rest.split('/').all(|part| part != "..")
            }
        }
    }
}
