//! What a manifest says: one type per table of the file, one field per key.
//!
//! A [`Definition`] exists only once every value in it has been checked, so whoever holds one need not check again.
//! Everything that widens what a program may see or do carries a `reason`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::limits::{LimitName, LimitSet, Step};
use crate::tuning::Tuning;

/// One language: the whole manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `id`: what callers name it, `python`. Lower case letters, digits and `. _ + -`, at most 24.
    pub id: String,
    /// `name`: what people call it, `Python`.
    pub name: String,
    /// `aliases`: other ids that callers may use.
    pub aliases: Vec<String>,
    /// `main_file`: what the one file of a request with `source` is called, and the usual entry.
    pub main_file: String,
    /// `entry`: `"allowed"` or `"class"` where a request may name what is run, else `"refused"`.
    pub entry: Entry,
    /// `hello`: a program that prints `hello`. Whoever offers a version has run it there.
    pub hello: Option<String>,
    /// `strip_bom`: the compiler takes a byte order mark at the beginning of a source for an error, so it goes.
    pub strip_bom: bool,
    /// `sources`: the suffixes of the files that the compiler is given, dot included. Empty without a compile step.
    pub sources: Vec<String>,
    /// `[limits]`: defaults of a run that differ from the contract's.
    pub limits: LimitSet,
    /// `[compile_limits]`: defaults of a compile that differ from the contract's.
    pub compile_limits: LimitSet,
    /// `[floors]`: the least that a run can start under.
    pub floors: LimitSet,
    /// `[compile_floors]`: the least that a compile can start under.
    pub compile_floors: LimitSet,
    /// `[[etc]]`: what of the host's `/etc` the toolchains and programs need to see.
    pub etc: Vec<Etc>,
    /// `[[syscall]]`: system calls allowed beyond the common list.
    pub syscalls: Vec<Syscall>,
    /// `[[toolchain]]`: the versions that may be installed. At least one.
    pub toolchains: Vec<Toolchain>,
    /// `parts`: files and folders that every toolchain consists of beside its programs and `needs`. They are only looked
    /// at, for [`Definition::toolchain_digest`], and need not be there.
    pub parts: Vec<PathBuf>,
    /// `[[tuning]]`: what is made of toolchains ahead of time.
    pub tunings: Vec<Tuning>,
    /// `[[value]]`: what commands and environments take from the limits of their step.
    pub values: Vec<Value>,
    /// `[environment]`: what third-party packages of a toolchain's [`Environment`] mean to this language.
    pub environment: Option<EnvironmentUse>,
    /// `[compile]`: absent where the source itself is run.
    pub compile: Option<Compile>,
    /// `[run]`: how the program is started.
    pub run: Run,
}

impl Definition {
    /// The manifest's own default limits of a step. Lay the caller's over it, then [`LimitSet::resolved`].
    #[must_use]
    pub fn limits(&self, step: Step) -> &LimitSet {
        match step {
            Step::Compile => &self.compile_limits,
            Step::Run => &self.limits,
        }
    }

    /// The least that a step can start under: the manifest's floors over those that hold for every language.
    #[must_use]
    pub fn floors(&self, step: Step) -> LimitSet {
        let own = match step {
            Step::Compile => &self.compile_floors,
            Step::Run => &self.floors,
        };
        LimitSet::least().overlaid(own)
    }

    /// Whether `name` is this language's id or one of its aliases.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The steps that a job of this language has, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<> {
        self.compile.is_some().then_some(Step::Compile).into_iter().chain([Step::Run])
    }

    /// The profile that jaild knows a step by: `c/gcc/compile`.
    #[must_use]
    pub fn profile_name(&self, toolchain: &Toolchain, step: Step) -> String {
        format!("{}/{}/{step}", self.id, toolchain.id)
    }
}

/// Whether a request may name the file that is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// `"allowed"`: a file is run, as in Python and JavaScript.
    Allowed,
    /// `"class"`: a class is run, named by itself or by its file, or found as the one that has a `main`: Java.
    Class,
    /// `"refused"`: C and C++, where all files make one program.
    #[default]
    Refused,
}

/// One toolchain that may be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// `id`: the middle of the profile's name, `gcc`, `openjdk-17`. As plain as a language's id.
    pub id: String,
    /// `program`: absolute, below `/usr` or below `mount`. The toolchain is installed where this can be executed.
    pub program: PathBuf,
    /// `run_program`: what runs the artifact, where that is another program: `java` beside `javac`.
    pub run_program: Option<PathBuf>,
    /// `needs`: other files without which it does not work, absolute. The headers of C are a package of their own.
    pub needs: Vec<PathBuf>,
    /// `parts`: as those of the language, for this one alone.
    pub parts: Vec<PathBuf>,
    /// `package`: the package or packages that bring it, for the remedy when it is missing.
    pub package: String,
    /// `probe`: how its version is asked for.
    pub probe: Probe,
    /// `secondary`: it is of another make than the language's usual one, clang beside gcc, and is taken only when a
    /// request's version names it or matches nothing else.
    pub secondary: bool,
    /// `mount`: the one folder outside `/usr` that it lives in, if it does.
    pub mount: Option<Mount>,
    /// `environment`, or an `[[environment]]` of a file with `add_to`: third-party packages for its programs.
    pub environment: Option<Environment>,
}

impl Toolchain {
    /// What a person does when it is missing: a command.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("apt-get install {}", self.package)
    }

    /// Its make: the id without the version at its end. `clang` for `clang-14`.
    #[must_use]
    pub fn family(&self) -> &str {
        match self.id.rsplit_once('-') {
            Some((family, version)) if version.bytes().all(|b| b.is_ascii_digit() || b == b'.') => family,
            _ => &self.id,
        }
    }

    /// The folders outside `/usr` that its runs see.
    pub fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.mount.iter().chain(self.environment.as_ref().map(|environment| &environment.mount))
    }
}

/// Third-party packages, installed by the operator: a venv, a folder with `node_modules`, a folder of jars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `path` and `reason`: where it is and why it must be seen, read-only.
    pub mount: Mount,
    /// `needs`: what must be there, relative to it. Without it the version is not offered.
    pub needs: Vec<String>,
}

/// What an [`Environment`] means to the programs of a language. Paths are relative to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentUse {
    /// `program`: the program of it that takes the place of the toolchain's, as in a venv.
    pub program: Option<String>,
    /// `needs`: what every environment of this language has.
    pub needs: Vec<String>,
    /// `links`: names in the work directory that lead into it.
    pub links: BTreeMap<String, String>,
    /// `[environment.compile_env]`: laid over the compile step's.
    pub compile_env: BTreeMap<String, Phrase>,
    /// `[environment.run_env]`: laid over the run's.
    pub run_env: BTreeMap<String, Phrase>,
}

/// An amount or a word that follows from a limit: `{heap_mib}`, `{threads}`, `{collector}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// `name`: how it is written between braces. Lower case letters and `_`.
    pub name: String,
    /// `of`: the limit that it follows from.
    pub of: LimitName,
    /// How.
    pub rule: Rule,
}

/// How a [`Value`] follows from its limit. Shares of cores count in thousandths, as [`LimitSet`] has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `percent`, `less`, `unit`, `least`, `most`: so many percent of the limit, less that, in that unit, within these.
    /// A remainder is dropped, but for cores, where half a core still needs a thread.
    Amount {
        /// `percent`: of the limit.
        percent: u64,
        /// `less`: taken away from that.
        less: u64,
        /// `unit`: what it is counted in.
        unit: u64,
        /// `least`: not less than this.
        least: u64,
        /// `most`: not more than this.
        most: u64,
    },
    /// `under`, `then`, `otherwise`: one word for small limits, another for the rest.
    Choice {
        /// `under`: what is small.
        under: u64,
        /// `then`: the word for less than that.
        then: String,
        /// `otherwise`: the word for all else.
        otherwise: String,
    },
}

/// How the version of a toolchain is asked for: `probe = { args = ["-V"], prefix = "Python " }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// `args`: what the program is started with.
    pub args: Vec<String>,
    /// `prefix`: what stands before the version in the first line of the output. It may be empty.
    pub prefix: String,
}

/// A folder outside `/usr`: `mount = { path = "/opt/python3.13", reason = "…" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `path`: absolute, at least two levels deep. Whoever mounts it checks that it is root's.
    pub path: PathBuf,
    /// `reason`: why it must be seen.
    pub reason: String,
}

/// A file or folder of the host's `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Etc {
    /// `path`: relative to `/etc`, `alternatives`. Where the host does not have it, nothing is there.
    pub path: String,
    /// `reason`: why it must be seen.
    pub reason: String,
}

/// A system call beyond the common list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syscall {
    /// `name`: the kernel's name.
    pub name: String,
    /// `reason`: what needs it.
    pub reason: String,
}

/// The step that makes the artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compile {
    /// `args`: the command. It has `{program}` first, `{sources}` and `{artifact}`, and may have `{flags}`.
    pub args: Template,
    /// `artifact`: the file in the work directory that the step makes, or the folder of files.
    pub artifact: String,
    /// `[[compile.flag]]`: what callers may add as `compile_flags`.
    pub flags: Vec<FlagRule>,
    /// `[compile.env]`: the whole environment. The caller's never reaches the compiler.
    pub env: BTreeMap<String, Phrase>,
}

/// The step that runs the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// `args`: the command. It has `{program}` or `{artifact}` first, `{args}`, and may have `{entry}`.
    pub args: Template,
    /// `[run.env]`: the environment that the caller's is laid over.
    pub env: BTreeMap<String, Phrase>,
}

/// A command as an argument vector, never a shell line. A placeholder is a whole element of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub(crate) Vec<Part>);

impl Template {
    /// Its elements.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// One element of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An argument of the manifest's.
    Phrase(Phrase),
    /// What the request fills in.
    Placeholder(Placeholder),
    /// `{tuned:NAME}`: the arguments of a [`crate::tuning::Use`], none where its file is not there.
    Tuned(String),
}

/// A text with [values](Value) in it: `-Xmx{heap_mib}m`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phrase(pub(crate) Vec<Piece>);

/// A part of a [`Phrase`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands.
    Text(String),
    /// A value, by its place in [`Definition::values`].
    Value(usize),
    /// `{environment}`: where the toolchain's environment is.
    Environment,
    /// `{tuning}`: where what was made of the toolchain is.
    Tuning,
}

/// What a request fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The toolchain's program; its `run_program` in the run, where it has one.
    Program,
    /// The caller's `compile_flags`: none or more arguments.
    Flags,
    /// The files with a suffix of `sources`: one or more arguments.
    Sources,
    /// The file or class that is run.
    Entry,
    /// The caller's `args`: none or more arguments.
    Args,
    /// The artifact: its name for the compiler, its absolute path for the run.
    Artifact,
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Placeholder; 6] = [
        Placeholder::Program,
        Placeholder::Flags,
        Placeholder::Sources,
        Placeholder::Entry,
        Placeholder::Args,
        Placeholder::Artifact,
    ];

    /// How it is written in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Placeholder::Program => "{program}",
            Placeholder::Flags => "{flags}",
            Placeholder::Sources => "{sources}",
            Placeholder::Entry => "{entry}",
            Placeholder::Args => "{args}",
            Placeholder::Artifact => "{artifact}",
        }
    }
}

/// One entry of the allow-list for `compile_flags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagRule {
    /// Which flags.
    pub flags: FlagPattern,
    /// `reason`: why a stranger may use them.
    pub reason: String,
}

/// Which flags a [`FlagRule`] allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagPattern {
    /// `exact = ["-O2", …]`: these and no others.
    Exact(Vec<String>),
    /// `prefix = "-D"`, `tail = "macro"`: this beginning, and a rest of that kind.
    Prefixed {
        /// The beginning.
        prefix: String,
        /// The kind of the rest, which is never empty.
        tail: Tail,
    },
}

/// What may follow the prefix of a flag. No kind lets a comma or a control character through but `macro`, whose text
/// reaches nobody but the preprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// `"name"`: a C identifier.
    Name,
    /// `"macro"`: a C identifier, and perhaps `=` and any text without control characters.
    Macro,
    /// `"warning"`: two or more of `a-z 0-9 + - _ =`, a letter first.
    Warning,
    /// `"number"`: one to nine digits.
    Number,
    /// `"folder"`: a relative path without `..`.
    Folder,
}

impl Tail {
    /// Every kind.
    pub const ALL: [Tail; 5] = [Tail::Name, Tail::Macro, Tail::Warning, Tail::Number, Tail::Folder];

    /// How it is written in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Tail::Name => "name",
            Tail::Macro => "macro",
            Tail::Warning => "warning",
            Tail::Number => "number",
            Tail::Folder => "folder",
        }
    }
}

/// Where a program's files are and where it starts.
#[must_use]
pub fn work_directory() -> &'static Path {
    Path::new("/box")
}
