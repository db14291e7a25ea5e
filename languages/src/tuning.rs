//! What is made of a toolchain ahead of time so that its steps take less: precompiled headers, class archives, a
//! quicker way to link.
//!
//! A `[[tuning]]` of a manifest is a recipe: files and commands that make files, and which arguments a step gets once
//! they are there. jaild runs it, never in a sandbox and never for a request (`jaild --tune yes`), and keeps the files in
//! a folder named by [`Definition::tuning_key`]; only root can write there. Programs see that folder read-only at
//! [`inside`]. engined asks [`Tuned::look`] what is there and expands `{tuned:…}` in a step's arguments accordingly,
//! to nothing where there is nothing. A name that is a digest can't be stale: after an upgrade it names a folder that is
//! not there yet.
//!
//! What a program and its messages are must not depend on any of it. So a recipe also says what a tuned compile must not
//! have said ([`Tuning::repeat_if`]): whoever hears that compiles again, without.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::definition::{Definition, Phrase, Toolchain};
use crate::digest::{Digest, Looks, Unreadable};
use crate::limits::{LimitSet, Limits};

/// Where root's jaild keeps what it makes, unless it is told otherwise.
pub const FOLDER: &str = "/var/cache/engined/tuning";

/// Where programs see what was made, each toolchain's below the name of its key.
const INSIDE: &str = "/opt/engined";

/// One recipe: `[[tuning]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// `toolchains`: for which, by their ids or families. Of several recipes for a toolchain the first counts.
    pub toolchains: Vec<String>,
    /// `[[tuning.input]]`: files for the commands.
    pub inputs: Vec<Input>,
    /// `[[tuning.make]]`: what makes the files, in this order.
    pub makes: Vec<Make>,
    /// `[[tuning.use]]`: what a step's arguments become. Of several with one name the first that fits counts.
    pub uses: Vec<Use>,
    /// `unless_sources`: a compile is not tuned where any of this stands in a file or a flag of the caller's, be it broken by
    /// line splices.
    pub unless_sources: Vec<String>,
    /// `repeat_if`: a tuned compile that says any of this, in either of its streams, is repeated without.
    pub repeat_if: Vec<String>,
}

/// A file that a recipe brings along: `{in}/NAME` in its commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// `name`: a plain file name.
    pub name: String,
    /// `text`, or that of the built-in file that `builtin` names.
    pub text: String,
}

/// A command that makes a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Make {
    /// `args`: `{program}` or `{run_program}` first, or another program of the toolchain's by its path. `{in}` is the
    /// folder of the inputs, `{out}` that of the results; nothing else can be written but the working directory.
    pub args: Vec<String>,
    /// `out`: the file that it makes, relative to `{out}`. Its folder is there already.
    pub out: String,
    /// `when`: nothing is made, and nothing is wrong, where this file is missing.
    pub when: Option<PathBuf>,
}

/// Arguments that a step gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// `name`: `{tuned:NAME}` in the arguments of a step.
    pub name: String,
    /// `args`: what stands there then. `{tuning}` is the folder of the results.
    pub args: Vec<Phrase>,
    /// `needs`: the `out` of a command: without the file these arguments are not used.
    pub needs: String,
    /// `flags`: the caller's flags must be one of these sets, those that do not matter left out. Absent: any flags do.
    pub flags: Option<Vec<BTreeSet<String>>>,
    /// `ignored_flags`: what does not matter, exactly so or, with a `*` at its end, by its beginning.
    pub ignored_flags: Vec<String>,
    /// `unless_flags`: what rules these arguments out, written in the same way.
    pub unless_flags: Vec<String>,
    /// `[tuning.use.least]`: a step with lower limits goes without.
    pub least: LimitSet,
}

impl Use {
    fn fits(&self, flags: &[String], limits: &Limits) -> bool {
        let is = |flag: &str, pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => flag.starts_with(beginning),
            None => flag == pattern,
        };
        let any = |flag: &str, patterns: &[String]| patterns.iter().any(|pattern| is(flag, pattern));
        let matter: BTreeSet<&String> = flags.iter().filter(|flag| !any(flag, &self.ignored_flags)).collect();
        !flags.iter().any(|flag| any(flag, &self.unless_flags))
            && self
                .flags
                .as_ref()
                .is_none_or(|sets| sets.iter().any(|set| set.iter().collect::<BTreeSet<_>>() == matter))
            && limits.first_below(&self.least).is_none()
    }
}

/// Which files of a recipe are there for a toolchain, by looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuned {
    inside: PathBuf,
    have: BTreeSet<String>,
}

impl Tuned {
    /// Looks in the folder `tuned` of the host for what was made of a toolchain. `None`: nothing was, or there is
    /// nothing to make.
    ///
    /// # Errors
    /// When the toolchain can't be looked at.
    pub fn look(definition: &Definition, toolchain: &Toolchain, tuned: &Path) -> Result<Option<Self>, Unreadable> {
        let Some(recipe) = definition.tuning(toolchain) else { return Ok(None) };
        let key = definition.tuning_key(toolchain, recipe, &mut Looks::default())?;
        let folder = tuned.join(&key);
        let outs = recipe.makes.iter().map(|make| &make.out);
        let have: BTreeSet<String> = outs.filter(|out| folder.join(out).is_file()).cloned().collect();
        let inside = inside(&key);
        Ok((!have.is_empty()).then_some(Tuned { inside, have }))
    }

    /// What is there, for people: `gnu++17/iostream.gch`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.have.iter().map(String::as_str)
    }

    /// Where programs see it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inside
    }

    /// The arguments of this name for such a step.
    pub(crate) fn arguments<'a>(
        &self,
        recipe: &'a Tuning,
        name: &str,
        flags: &[String],
        limits: &Limits,
    ) -> &'a [Phrase] {
        let fitting = recipe.uses.iter().filter(|usage| usage.name == name && self.have.contains(&usage.needs));
        fitting.into_iter().find(|usage| usage.fits(flags, limits)).map_or(&[], |usage| &usage.args)
    }
}

/// Where programs see what was made under this key.
#[must_use]
pub fn inside(key: &str) -> PathBuf {
    Path::new(INSIDE).join(key)
}

impl Definition {
    /// The recipe for a toolchain.
    #[must_use]
    pub fn tuning(&self, toolchain: &Toolchain) -> Option<&Tuning> {
        let meant = |name: &String| *name == toolchain.id || *name == toolchain.family();
        self.tunings.iter().find(|tuning| tuning.toolchains.iter().any(meant))
    }

    /// The name of what a recipe makes of a toolchain: 32 hexadecimal digits that follow from both. Third-party packages
    /// do not count.
    ///
    /// # Errors
    /// When the toolchain can't be looked at.
    pub fn tuning_key(&self, toolchain: &Toolchain, recipe: &Tuning, looks: &mut Looks) -> Result<String, Unreadable> {
        let bare = Toolchain { environment: None, ..toolchain.clone() };
        let made_of = self.toolchain_digest_by(&bare, looks)?;
        let text = format!("1 {made_of} {recipe:?}");
        Ok(Digest::of(text.as_bytes()).to_string()[..32].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalogue, Setting, Step};

    /// The arguments of a compile of C++ by a gcc of which all of this was made.
    fn argv(have: &[&str], flags: &[&str]) -> Vec<String> {
        let catalogue = Catalogue::builtin();
        let cpp = catalogue.language("cpp").unwrap();
        let limits = cpp.limits(Step::Compile).resolved(Step::Compile);
        let have = have.iter().map(|&out| out.to_owned()).collect();
        let tuned = Tuned { inside: inside("key"), have };
        let setting = Setting { toolchain: &cpp.toolchains[0], limits: &limits, tuned: Some(&tuned) };
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        cpp.compile_argv(setting, &flags, &["main.cpp".to_owned()]).unwrap()
    }

    fn headers(flags: &[&str]) -> Option<String> {
        let argv = argv(&["gnu++17/iostream.gch/5d1f0c9b7e42", "c++20/iostream.gch/5d1f0c9b7e42"], flags);
        argv.iter().position(|arg| arg == "-isystem").map(|at| argv[at + 1].clone())
    }

    #[test]
    fn headers_are_used_for_the_very_flags_that_they_were_made_with() {
        let default = Some("/opt/engined/key/gnu++17".to_owned());
        for flags in [&[][..], &["-Wall", "-DN=5", "-s"], &["-std=gnu++17", "-O2"]] {
            assert_eq!(headers(flags), default, "{flags:?}");
        }
        assert_eq!(headers(&["-std=c++20"]), Some("/opt/engined/key/c++20".to_owned()));
        for flags in [
            &["-O3"][..],
            &["-O3", "-O2"],
            &["-g"],
            &["-fno-rtti"],
            &["-std=c++17"],
            &["-std=c++20", "-std=gnu++17"],
            &["-Wsystem-headers"],
            &["-Wall", "-Winvalid-pch"],
        ] {
            assert_eq!(headers(flags), None, "{flags:?}");
        }
    }

    #[test]
    fn what_was_not_made_leaves_no_trace_in_the_arguments() {
        let bare = argv(&[], &["-Wall"]);
        assert!(!bare.iter().any(|arg| arg.is_empty() || arg.contains("tun") || arg.contains("/opt/")), "{bare:?}");
        let linked = argv(&["link/collect2"], &["-Wall"]);
        assert_eq!(linked.len(), bare.len() + 1);
        assert!(linked.contains(&"-B/opt/engined/key/link/".to_owned()));
    }

    #[test]
    fn clang_has_no_recipe_of_gcc_s() {
        let catalogue = Catalogue::builtin();
        let cpp = catalogue.language("cpp").unwrap();
        let recipe = |id: &str| {
            let toolchain = cpp.toolchains.iter().find(|toolchain| toolchain.id == id).unwrap();
            cpp.tuning(toolchain).is_some()
        };
        for id in ["gcc", "gcc-15", "gcc-14", "gcc-13", "gcc-12", "gcc-11", "gcc-10"] {
            assert!(recipe(id), "{id}: the family's");
        }
        assert!(!recipe("clang") && !recipe("clang-14"));
    }
}
