//! What admission makes of a request: an ordered list of steps in which nothing is a string that should be a type.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_spec::{Content, LanguageUsed, OnOutputLimit, OutputEncoding};
use jail::link::ProfileName;
use jail::records::collection::Most;
use jail::records::{Caps, Kind, RecordWriter};
use jail::spec::Limits;

use crate::ahead;
use crate::cache::Origin;
use crate::queue::Priority;

/// One program: what every run of it has in common.
#[derive(Debug)]
pub struct Program {
    /// Which language and version.
    pub language: LanguageUsed,
    /// Its files, by path in the work directory.
    pub files: Vec<JobFile>,
    /// From source to artifact. Others may have the same step.
    pub compile: Option<Arc<CompileStep>>,
    /// What the compile follows from, where the toolchain is known well enough to keep what it makes.
    pub origin: Option<Origin>,
    /// Which of the files is run, in languages that run a file.
    pub entry: Option<String>,
    /// Links into the packages of its toolchain: name in the work directory, target.
    pub links: Vec<(String, String)>,
}

/// One program to compile, if its language does that, and to run once.
#[derive(Debug)]
pub struct Job {
    /// The program, which other jobs may have as well.
    pub program: Arc<Program>,
    /// The run itself. Others may have the same step.
    pub run: Arc<Step>,
    /// What the run reads.
    pub stdin: Stdin,
    /// The files that come back.
    pub outputs: Outputs,
    /// What happens when the run writes too much.
    pub on_output_limit: OnOutputLimit,
    /// How output comes back.
    pub output_encoding: OutputEncoding,
    /// How urgent.
    pub priority: Priority,
    /// The caller's words.
    pub labels: BTreeMap<String, String>,
}

/// What a run reads from its standard input.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// At hand.
    Bytes(Vec<u8>),
    /// A file from its beginning to its end, wherever it is read by others meanwhile. It never is in memory as a whole.
    File(Arc<File>),
}

impl Default for Stdin {
    fn default() -> Self {
        Stdin::Bytes(Vec::new())
    }
}

impl Stdin {
    /// How long it is.
    ///
    /// # Errors
    /// That of asking for a file's length.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Stdin::Bytes(bytes) => Ok(bytes.len() as u64),
            Stdin::File(file) => Ok(file.metadata()?.len()),
        }
    }

    fn put(&self, bundle: &mut RecordWriter, path: &str) -> io::Result<()> {
        let file = match self {
            Stdin::Bytes(bytes) => return bundle.put(Kind::File, false, path.as_bytes(), bytes),
            Stdin::File(file) => file,
        };
        let length = self.length()?;
        bundle.begin(Kind::File, false, path.as_bytes(), length)?;
        let (mut piece, mut at) = (vec![0; 64 << 10], 0);
        while at < length {
            let most = usize::try_from(length - at).unwrap_or(usize::MAX).min(piece.len());
            let read = file.read_at(&mut piece[..most], at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bundle.data(&piece[..read])?;
            at += read as u64;
        }
        Ok(())
    }
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

/// The files that come back from a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// What matches them, checked by `api-spec`. None: nothing comes back.
    pub globs: Vec<String>,
    /// The most that comes back.
    pub caps: Caps,
}

/// The most that a compiled program may have, unless the configuration says otherwise.
pub const ARTIFACT_BYTES: u64 = 64 << 20;
/// The values of the contract.
pub const OUTPUT_CAPS: Caps = Caps { files: 64, file_bytes: 8 << 20, total_bytes: 16 << 20 };

impl Default for Outputs {
    fn default() -> Self {
        Outputs { globs: Vec::new(), caps: OUTPUT_CAPS }
    }
}

impl Outputs {
    /// The most that they take of the engine's memory: as they come, and in base64 in result and answer.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let files = usize::try_from(self.caps.files).unwrap_or(usize::MAX);
        let stream = Most { files, bytes: self.caps.total_bytes }.stream_bytes();
        if self.globs.is_empty() { 0 } else { stream.saturating_mul(3) }
    }
}

/// One run in a sandbox.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub struct CompileStep {
    /// How.
    pub step: Step,
    /// The file that it makes, or the folder.
    pub artifact: String,
    /// The most that it may have.
    pub artifact_bytes: u64,
    /// The same without what was made of the toolchain ahead of time, where the step uses any of that.
    pub untuned: Option<Step>,
    /// What the compiler says only because of that, or what might have come out otherwise without.
    pub repeat_if: Vec<String>,
}

/// What the compiler gets, in sealed memfds.
#[derive(Debug)]
pub struct CompileBundles {
    /// For [`CompileStep::step`].
    pub first: OwnedFd,
    /// For [`CompileStep::untuned`].
    pub untuned: Option<OwnedFd>,
}

impl Program {
    /// What the compiler gets.
    ///
    /// # Errors
    /// That of writing memfds.
    pub fn compile_bundles(&self, compile: &CompileStep) -> io::Result<CompileBundles> {
        let bundle = |step: &Step| self.compile_bundle(step, &compile.artifact);
        let untuned = compile.untuned.as_ref().map(bundle).transpose()?;
        Ok(CompileBundles { first: bundle(&compile.step)?, untuned })
    }

    fn compile_bundle(&self, step: &Step, artifact: &str) -> io::Result<OwnedFd> {
        let mut bundle = head(step)?;
        bundle.put(Kind::Collect, false, artifact.as_bytes(), b"")?;
        self.put_files(&mut bundle, None)?;
        bundle.seal()
    }

    /// What a run of it gets, the artifact aside: that travels in a memfd of its own and takes the place of files of
    /// the caller's of the same name, as the compiler's output would have. It does not come back with the outputs. Runs with
    /// the same arguments, environment and outputs may share one: it is read by position, and nobody can change it.
    ///
    /// # Errors
    /// That of writing a memfd.
    pub fn run_bundle(&self, run: &Step, outputs: &Outputs) -> io::Result<OwnedFd> {
        self.run_bundle_with(run, outputs, &[])
    }

    /// The same with more files, by path. Their names must not be in the way of the program's own.
    ///
    /// # Errors
    /// That of reading a file or writing a memfd.
    pub fn run_bundle_with(&self, run: &Step, outputs: &Outputs, more: &[(&str, &Stdin)]) -> io::Result<OwnedFd> {
        let mut bundle = head(run)?;
        let artifact = self.compile.as_ref().map(|compile| compile.artifact.as_str());
        if !outputs.globs.is_empty() {
            bundle.put(Kind::Caps, false, b"", &outputs.caps.encode())?;
            if let Some(artifact) = artifact {
                bundle.put(Kind::Except, false, artifact.as_bytes(), b"")?;
            }
            for glob in &outputs.globs {
                bundle.put(Kind::Glob, false, glob.as_bytes(), b"")?;
            }
        }
        self.put_files(&mut bundle, artifact)?;
        for (path, data) in more {
            data.put(&mut bundle, path)?;
        }
        // After the files: a name of the caller's stays the caller's.
        for (name, target) in &self.links {
            bundle.put(Kind::Link, false, name.as_bytes(), target.as_bytes())?;
        }
        bundle.seal()
    }

    fn put_files(&self, bundle: &mut RecordWriter, but: Option<&str>) -> io::Result<()> {
        let is_artifact = |path: &str| {
            but.and_then(|but| path.strip_prefix(but)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for file in self.files.iter().filter(|file| !is_artifact(&file.path)) {
            bundle.put(Kind::File, false, file.path.as_bytes(), &file.content.as_bytes()[file.skip..])?;
        }
        Ok(())
    }
}

impl Job {
    /// Sets what may come back at the most, as the engine is configured: to be done before anybody else has its program.
    pub fn cap(&mut self, outputs: Caps, artifact_bytes: u64) {
        self.outputs.caps = outputs;
        if let Some(compile) = Arc::get_mut(&mut self.program).and_then(|program| program.compile.as_mut())
            && compile.artifact_bytes != artifact_bytes
        {
            Arc::make_mut(compile).artifact_bytes = artifact_bytes;
        }
    }

    /// The largest memory limit of its steps: what a slot must have room for.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let compile = self.program.compile.as_ref().map_or(0, |compile| compile.step.limits.memory.0);
        compile.max(self.run.limits.memory.0)
    }
}

/// The beginning of a bundle: arguments and environment.
fn head(step: &Step) -> io::Result<RecordWriter> {
    let mut bundle = RecordWriter::of(ahead::memfd()?);
    for arg in &step.args {
        bundle.put(Kind::Arg, false, arg.as_bytes(), b"")?;
    }
    for (name, value) in &step.env {
        bundle.put(Kind::Env, false, [name, "=", value].concat().as_bytes(), b"")?;
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
