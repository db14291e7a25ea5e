//! What admission makes of a request: an ordered list of steps in which nothing is a string that should be a type.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use api_spec::{Content, LanguageUsed, OnOutputLimit, OutputEncoding};
use jail::link::ProfileName;
use jail::records::{Kind, RecordWriter};
use jail::spec::Limits;
use languages::Artifact;

use crate::queue::Priority;

/// One program to compile, if its language does that, and to run.
#[derive(Debug)]
pub struct Job {
    /// Which language and version.
    pub language: LanguageUsed,
    /// Its files, by path in the work directory.
    pub files: Vec<JobFile>,
    /// From source to artifact.
    pub compile: Option<CompileStep>,
    /// The program itself.
    pub run: Step,
    /// What the run reads.
    pub stdin: Vec<u8>,
    /// What happens when the run writes too much.
    pub on_output_limit: OnOutputLimit,
    /// How output comes back.
    pub output_encoding: OutputEncoding,
    /// How urgent.
    pub priority: Priority,
    /// The caller's words.
    pub labels: BTreeMap<String, String>,
}

/// One file.
#[derive(Debug)]
pub struct JobFile {
    /// Relative, checked by `api-spec`.
    pub path: String,
    /// Its bytes.
    pub content: Content,
    /// How many of the first are left out.
    pub skip: usize,
}

/// One run in a sandbox.
#[derive(Debug)]
pub struct Step {
    /// Which tree, filter and ceilings.
    pub profile: ProfileName,
    /// The program's absolute path, then its arguments.
    pub args: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// What jaild enforces.
    pub limits: Limits,
    /// What we keep of each output stream.
    pub output_bytes: u64,
    /// Files of the toolchain without which it does not work: looked at when the step fails.
    pub parts: Vec<PathBuf>,
}

impl Step {
    /// A part of the toolchain that is not there any more.
    #[must_use]
    pub fn gone(&self) -> Option<&Path> {
        self.parts.iter().map(PathBuf::as_path).find(|part| !part.exists())
    }
}

/// The step that makes the artifact.
#[derive(Debug)]
pub struct CompileStep {
    /// How.
    pub step: Step,
    /// What it makes.
    pub artifact: Artifact,
}

impl Job {
    /// The largest memory limit of its steps: what a slot must have room for.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let compile = self.compile.as_ref().map_or(0, |compile| compile.step.limits.memory.0);
        compile.max(self.run.limits.memory.0)
    }

    /// What the compiler gets.
    ///
    /// # Errors
    /// That of writing a memfd.
    pub fn compile_bundle(&self, compile: &CompileStep) -> io::Result<OwnedFd> {
        let mut bundle = head(&compile.step)?;
        bundle.put(Kind::Collect, false, compile.artifact.name.as_bytes(), b"")?;
        self.files(&mut bundle, None)?;
        bundle.seal()
    }

    /// What the program gets, the artifact aside: that travels in a memfd of its own and takes the place of a file of
    /// the caller's of the same name, as the compiler's output would have.
    ///
    /// # Errors
    /// That of writing a memfd.
    pub fn run_bundle(&self) -> io::Result<OwnedFd> {
        let mut bundle = head(&self.run)?;
        self.files(&mut bundle, self.compile.as_ref().map(|compile| compile.artifact.name.as_str()))?;
        bundle.seal()
    }

    fn files(&self, bundle: &mut RecordWriter, but: Option<&str>) -> io::Result<()> {
        for file in self.files.iter().filter(|file| Some(file.path.as_str()) != but) {
            bundle.put(Kind::File, false, file.path.as_bytes(), &file.content.as_bytes()[file.skip..])?;
        }
        Ok(())
    }
}

/// The beginning of a bundle: arguments and environment.
fn head(step: &Step) -> io::Result<RecordWriter> {
    let mut bundle = RecordWriter::new()?;
    for arg in &step.args {
        bundle.put(Kind::Arg, false, arg.as_bytes(), b"")?;
    }
    for (name, value) in &step.env {
        bundle.put(Kind::Env, false, format!("{name}={value}").as_bytes(), b"")?;
    }
    Ok(bundle)
}

/// The bundle of a step without files: a version probe.
///
/// # Errors
/// That of writing a memfd.
pub fn bare_bundle(step: &Step) -> io::Result<OwnedFd> {
    head(step)?.seal()
}
