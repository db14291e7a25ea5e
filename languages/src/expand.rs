//! From a definition and a request to the arguments and the environment of a step.

use std::collections::BTreeMap;

use crate::definition::{
    Definition, EnvironmentUse, Part, Phrase, Piece, Placeholder, Rule, Template, Toolchain, Value, work_directory,
};
use crate::layout::as_path;
use crate::limits::{LimitName, Limits};
use crate::tuning::Tuned;

/// One step of a toolchain and what it is allowed: all that a command depends on besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Whose command it is.
    pub toolchain: &'a Toolchain,
    /// The limits of the step.
    pub limits: &'a Limits,
    /// What was made of the toolchain ahead of time, where it shall be used.
    pub tuned: Option<&'a Tuned>,
}

/// What a template is filled with.
#[derive(Default)]
struct Filling<'a> {
    program: String,
    flags: &'a [String],
    sources: &'a [String],
    entry: String,
    args: &'a [String],
    artifact: String,
}

impl Value {
    /// What it comes to under these limits.
    #[must_use]
    pub fn under(&self, limits: &Limits) -> String {
        let limit = limits.get(self.of);
        match &self.rule {
            Rule::Choice { under, then, otherwise } => (if limit < *under { then } else { otherwise }).clone(),
            Rule::Amount { percent, less, unit, least, most } => {
                let amount = (u128::from(limit) * u128::from(*percent) / 100).saturating_sub(u128::from(*less));
                let unit = u128::from(*unit).max(1);
                let counted = if self.of == LimitName::Cpus { amount.div_ceil(unit) } else { amount / unit };
                counted.clamp(u128::from(*least), u128::from(*most)).to_string()
            }
        }
    }
}

impl Definition {
    /// The arguments of the compile step, the program's absolute path first. `None` for a language without one.
    /// Check the flags first: [`Definition::check_flags`].
    #[must_use]
    pub fn compile_argv(&self, setting: Setting<'_>, flags: &[String], sources: &[String]) -> Option<Vec<String>> {
        let compile = self.compile.as_ref()?;
        let program = setting.toolchain.program.to_string_lossy().into_owned();
        let artifact = compile.artifact.clone();
        let filling = Filling { program, flags, sources, artifact, ..Filling::default() };
        Some(self.expand(&compile.args, &filling, setting))
    }

    /// The arguments of the run step, the program's absolute path first. `entry` is that of the [`crate::Layout`].
    #[must_use]
    pub fn run_argv(&self, setting: Setting<'_>, entry: Option<&str>, args: &[String]) -> Vec<String> {
        let artifact = self.compile.as_ref().map(|compile| work_directory().join(&compile.artifact));
        let artifact = artifact.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let entry = as_path(entry.unwrap_or(&self.main_file));
        let program = self.run_program(setting.toolchain);
        self.expand(&self.run.args, &Filling { program, entry, args, artifact, ..Filling::default() }, setting)
    }

    /// What is asked for its version: what the runs are run by, where there is no compiler.
    #[must_use]
    pub fn probe_argv(&self, toolchain: &Toolchain) -> Vec<String> {
        let compiler = toolchain.program.to_string_lossy().into_owned();
        let program = if self.compile.is_some() { compiler } else { self.run_program(toolchain) };
        std::iter::once(program).chain(toolchain.probe.args.iter().cloned()).collect()
    }

    fn run_program(&self, toolchain: &Toolchain) -> String {
        let own = equipment(self, toolchain)
            .and_then(|(folder, usage)| Some(format!("{folder}/{}", usage.program.as_ref()?)));
        let usual = || toolchain.run_program.as_ref().unwrap_or(&toolchain.program).to_string_lossy().into_owned();
        own.unwrap_or_else(usual)
    }

    /// The whole environment of the compile step: nothing of the caller's.
    #[must_use]
    pub fn compile_env(&self, setting: Setting<'_>) -> BTreeMap<String, String> {
        let own = self.compile.iter().flat_map(|compile| &compile.env);
        let more = equipment(self, setting.toolchain).map(|(_, usage)| &usage.compile_env);
        self.fill_env(own.chain(more.into_iter().flatten()), setting)
    }

    /// The environment of the run step: the language's own, that of the packages, the caller's, each laid over the last.
    #[must_use]
    pub fn run_env<'a>(
        &self,
        setting: Setting<'_>,
        caller: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        let more = equipment(self, setting.toolchain).map(|(_, usage)| &usage.run_env);
        let mut env = self.fill_env(self.run.env.iter().chain(more.into_iter().flatten()), setting);
        env.extend(caller.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        env
    }

    /// Links in the work directory that lead into the toolchain's environment: name and target.
    #[must_use]
    pub fn links(&self, toolchain: &Toolchain) -> Vec<(String, String)> {
        let link = |folder: &str, (name, target): (&String, &String)| (name.clone(), format!("{folder}/{target}"));
        let equipment = equipment(self, toolchain);
        equipment.iter().flat_map(|(folder, usage)| usage.links.iter().map(|pair| link(folder, pair))).collect()
    }

    fn fill_env<'a>(
        &self,
        env: impl Iterator<Item = (&'a String, &'a Phrase)>,
        setting: Setting<'_>,
    ) -> BTreeMap<String, String> {
        env.map(|(name, phrase)| (name.clone(), self.fill(phrase, setting))).collect()
    }

    fn fill(&self, phrase: &Phrase, setting: Setting<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(index) => self.values.get(*index).map(|value| value.under(setting.limits)).unwrap_or_default(),
            Piece::Tuning => {
                setting.tuned.map(|tuned| tuned.folder().to_string_lossy().into_owned()).unwrap_or_default()
            }
            Piece::Environment => equipment(self, setting.toolchain).map(|(folder, _)| folder).unwrap_or_default(),
        };
        phrase.0.iter().map(piece).collect()
    }

    fn expand(&self, template: &Template, filling: &Filling<'_>, setting: Setting<'_>) -> Vec<String> {
        let mut argv = Vec::new();
        for part in template.parts() {
            match part {
                Part::Phrase(phrase) => argv.push(self.fill(phrase, setting)),
                Part::Tuned(name) => {
                    let recipe = self.tuning(setting.toolchain);
                    let known = setting.tuned.zip(recipe);
                    let args =
                        known.map(|(tuned, recipe)| tuned.arguments(recipe, name, filling.flags, setting.limits));
                    argv.extend(args.into_iter().flatten().map(|phrase| self.fill(phrase, setting)));
                }
                Part::Placeholder(Placeholder::Program) => argv.push(filling.program.clone()),
                Part::Placeholder(Placeholder::Artifact) => argv.push(filling.artifact.clone()),
                Part::Placeholder(Placeholder::Entry) => argv.push(filling.entry.clone()),
                Part::Placeholder(Placeholder::Flags) => argv.extend_from_slice(filling.flags),
                Part::Placeholder(Placeholder::Args) => argv.extend_from_slice(filling.args),
                Part::Placeholder(Placeholder::Sources) => {
                    argv.extend(filling.sources.iter().map(|file| as_path(file)))
                }
            }
        }
        argv
    }
}

/// The environment that a toolchain has, and what this language does with it.
fn equipment<'a>(definition: &'a Definition, toolchain: &Toolchain) -> Option<(String, &'a EnvironmentUse)> {
    let folder = toolchain.environment.as_ref()?.mount.path.to_string_lossy().into_owned();
    Some((folder, definition.environment.as_ref()?))
}
