//! From a request to a [`Job`]: language, version and limits are resolved here and only here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_spec::{Code, Content, ExecutionRequest, Input, LanguageUsed, LimitsRequest, Problem, Sha256, SourceFile};
use jail::link::ProfileName;
use jail::spec::{Bytes, Limits as JailLimits, Millis};
use languages::{Definition, Files, Layout, LimitName, LimitSet, Limits, Setting, Step as Kind, Unsuitable};

use crate::cache::Origin;
use crate::config::Plan;
use crate::job::{ARTIFACT_BYTES, CompileStep, Job, JobFile, Outputs, Program, Stdin, Step};
use crate::offers::{Installed, Offers};
use crate::problem::Error;
use crate::queue::Priority;
use crate::tuning;

/// What admission depends on beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The languages that can be had.
    pub offers: &'a Offers,
    /// The most that jaild and the machine allow together.
    pub ceiling: &'a Limits,
    /// What the caller may have of that, where it has a plan.
    pub plan: Option<&'a Plan>,
}

impl Rules<'_> {
    /// The most that a step in a language may ask for.
    #[must_use]
    pub fn ceiling_of(&self, language: &str, step: Kind) -> Limits {
        self.plan.map_or(*self.ceiling, |plan| lowered(plan.ceiling_of(language, step), self.ceiling))
    }

    /// Whether the plan has room for what is asked for at all.
    fn allowed(&self, language: &str, priority: Priority) -> Result<(), Problem> {
        let Some(plan) = self.plan else { return Ok(()) };
        let refused = |what: String, allowed: String, field| {
            let detail = format!("the plan {} does not allow {what}", plan.name);
            let remedy = format!("Ask for {allowed}, or have the operator raise the plan.");
            Err(Problem::new(Code::Forbidden, detail).remedy(remedy).at(field))
        };
        if !plan.allows(language) {
            let allowed = plan.languages.iter().flatten().cloned().collect::<Vec<_>>().join(" or ");
            return refused(format!("the language {language}"), allowed, "/language");
        }
        if !plan.priorities.contains(&priority) {
            let allowed = plan.priorities.iter().map(|priority| priority.name()).collect::<Vec<_>>().join(" or ");
            return refused(format!("the priority {}", priority.name()), allowed, "/priority");
        }
        Ok(())
    }
}

/// Makes a job of a request that `api-spec` has checked by itself. Where its input is a blob, whoever has blobs puts the file in
/// the request's place: here nobody knows any.
///
/// # Errors
/// The caller's first mistake.
pub fn admit(mut request: ExecutionRequest, rules: &Rules<'_>) -> Result<Job, Error> {
    let (definition, installed) = rules.offers.find(&request.language, request.version.as_deref())?;
    let priority = match request.priority {
        api_spec::Priority::Interactive => Priority::Interactive,
        api_spec::Priority::Batch => Priority::Batch,
    };
    rules.allowed(&definition.id, priority)?;
    let stdin = match request.stdin {
        Input::Content(ref mut content) => Stdin::Bytes(std::mem::take(content).into_bytes()),
        Input::Blob(hash) => return Err(unknown_blob(&hash, "/stdin/blob").into()),
    };
    let toolchain = &installed.toolchain;
    definition.check_flags(&request.compile_flags).map_err(|refused| {
        let field = format!("/compile_flags/{}", refused.index);
        Problem::new(Code::FlagNotAllowed, refused.to_string()).at(field)
    })?;

    let layout = layout(&request, definition)?;
    let ExecutionRequest {
        source,
        files,
        entry,
        args,
        env,
        limits,
        compile_limits,
        compile_flags,
        outputs,
        labels,
        ..
    } = request;

    let compile = match &definition.compile {
        Some(compile) => {
            not_in_the_way(files.as_deref().unwrap_or_default(), &compile.artifact)?;
            let limits = limits_of(
                definition,
                Kind::Compile,
                &compile_limits,
                &rules.ceiling_of(&definition.id, Kind::Compile),
            )?;
            let one = source.iter().map(Content::as_bytes);
            let all = one.chain(files.iter().flatten().map(|file| file.content.as_bytes()));
            let all = all.chain(compile_flags.iter().map(|flag| flag.as_bytes()));
            let tunable = definition.tuning(toolchain).is_some_and(|tuning| tuning::may_be_used(tuning, all));
            let of = |tuned| {
                let setting = Setting { toolchain, limits: &limits, tuned };
                let argv = definition.compile_argv(setting, &compile_flags, &layout.sources).unwrap_or_default();
                step(definition, setting, Kind::Compile, argv, definition.compile_env(setting))
            };
            let made = || {
                let (step, untuned) = (of(installed.tuned.as_ref().filter(|_| tunable))?, of(None)?);
                let untuned = (step.args != untuned.args).then_some(untuned);
                let repeat_if = definition.tuning(toolchain).map(|tuning| tuning.repeat_if.clone()).unwrap_or_default();
                let (artifact, artifact_bytes) = (compile.artifact.clone(), ARTIFACT_BYTES);
                let (flags, sources) = (compile_flags.clone(), layout.sources.clone());
                let wanted = made::Compiled { flags, sources, limits, tunable };
                Ok::<_, Error>((wanted, CompileStep { step, artifact, artifact_bytes, untuned, repeat_if }))
            };
            let is = |one: &made::Compiled| {
                let same = one.flags == compile_flags && one.sources == layout.sources;
                same && one.limits == limits && one.tunable == tunable
            };
            Some(installed.made.compile(is, made)?)
        }
        None => None,
    };
    let asked = RunRequest { args: &args, env: &env, limits: &limits, output_most: None };
    let run = run_step((definition, installed), layout.entry.as_deref(), &asked, rules)?;

    let one = source.map(|content| SourceFile { path: layout.main_file.clone(), content });
    let files = one.into_iter().chain(files.into_iter().flatten());
    let strips = |path: &str| definition.strip_bom && layout.sources.iter().any(|source| source == path);
    let files: Vec<JobFile> = files
        .map(|SourceFile { path, content }| JobFile { skip: skipped(strips(&path), content.as_bytes()), path, content })
        .collect();
    let named = entry.as_deref();
    let origin = compile.as_ref().zip(installed.basis);
    let origin = origin.map(|(compile, basis)| Origin::new(&basis, &files, named, compile));
    let program = Program {
        language: LanguageUsed {
            id: definition.id.clone(),
            version: installed.version.to_string(),
            toolchain: toolchain.id.clone(),
        },
        files,
        compile,
        origin,
        entry: layout.entry,
        links: definition.links(toolchain),
    };
    Ok(Job {
        program: Arc::new(program),
        run,
        stdin,
        outputs: Outputs { globs: once(outputs), ..Outputs::default() },
        on_output_limit: request.on_output_limit,
        output_encoding: request.output_encoding,
        priority,
        labels,
    })
}

/// What one run of a program is asked for.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest<'a> {
    /// Its arguments.
    pub args: &'a [String],
    /// Its environment.
    pub env: &'a BTreeMap<String, String>,
    /// Its limits, as the caller gave them.
    pub limits: &'a LimitsRequest,
    /// The ceiling of its output, where that is another than the one of executions.
    pub output_most: Option<u64>,
}

/// Another run of a program that was admitted by these rules.
///
/// # Errors
/// The caller's first mistake, or that its toolchain is not offered any more.
pub fn another_run(program: &Program, asked: &RunRequest<'_>, rules: &Rules<'_>) -> Result<Arc<Step>, Error> {
    let LanguageUsed { id, toolchain, .. } = &program.language;
    let offer = rules.offers.languages.iter().find(|offer| offer.definition.id == *id);
    let found = offer.and_then(|offer| {
        let installed = offer.installed.iter().find(|installed| installed.toolchain.id == *toolchain)?;
        Some((&offer.definition, installed))
    });
    let found = found.ok_or_else(|| Error::internal(format!("the toolchain {toolchain} of {id} has gone")))?;
    run_step(found, program.entry.as_deref(), asked, rules)
}

fn run_step(
    (definition, installed): (&Definition, &Installed),
    entry: Option<&str>,
    asked: &RunRequest<'_>,
    rules: &Rules<'_>,
) -> Result<Arc<Step>, Error> {
    let mut ceiling = rules.ceiling_of(&definition.id, Kind::Run);
    ceiling.output_bytes = asked.output_most.unwrap_or(ceiling.output_bytes);
    let limits = limits_of(definition, Kind::Run, asked.limits, &ceiling)?;
    let setting = Setting { toolchain: &installed.toolchain, limits: &limits, tuned: installed.tuned.as_ref() };
    let step = || {
        let argv = definition.run_argv(setting, entry, asked.args);
        let caller = asked.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        step(definition, setting, Kind::Run, argv, definition.run_env(setting, caller))
    };
    if !asked.args.is_empty() || !asked.env.is_empty() {
        return Ok(Arc::new(step()?));
    }
    let is = |one: &made::Run| one.entry.as_deref() == entry && one.limits == limits;
    installed.made.run(is, || Ok((made::Run { entry: entry.map(str::to_owned), limits }, step()?)))
}

/// There is no such blob of this tenant.
pub fn unknown_blob(hash: &Sha256, field: &str) -> Problem {
    let problem = Problem::new(Code::UnknownBlob, format!("there is no blob {hash}"));
    problem.remedy(format!("Send it by PUT /v1/blobs/{}; one that is not used expires.", hash.hex())).at(field)
}

/// What is asked for twice comes once.
fn once(globs: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    globs.into_iter().filter(|glob| seen.insert(glob.clone())).collect()
}

/// A file of the caller's where the compiler puts the program would be lost, or be in its way.
fn not_in_the_way(files: &[SourceFile], artifact: &str) -> Result<(), Problem> {
    let within = |path: &str| path.strip_prefix(artifact).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let Some(index) = files.iter().position(|file| within(&file.path)) else { return Ok(()) };
    let detail = format!("{:?} is where the compiler puts what it makes ({artifact})", files[index].path);
    let problem = Problem::new(Code::InvalidPath, detail).remedy("Give the file another name.");
    Err(problem.at(format!("/files/{index}/path")))
}

/// How many bytes at the beginning of a file are left out: the byte order mark, where the compiler trips over it.
fn skipped(strips: bool, content: &[u8]) -> usize {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    if strips && content.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// A step as jaild and we take it.
///
/// # Errors
/// An id or a limit that the link can't carry, which manifests and ceilings rule out.
pub fn step(
    definition: &Definition,
    setting: Setting<'_>,
    kind: Kind,
    args: Vec<String>,
    env: BTreeMap<String, String>,
) -> Result<Step, Error> {
    let Setting { toolchain, limits, .. } = setting;
    let profile = definition.profile_name(toolchain, kind);
    let profile = ProfileName::new(&profile).ok_or_else(|| Error::internal(format!("profile name {profile:?}")))?;
    let parts = definition.parts(toolchain, kind);
    Ok(Step { profile, args, env, limits: enforced(limits)?, output_bytes: limits.output_bytes, parts })
}

/// What the files are to the language: what is compiled, how the one source is called, what is run.
fn layout(request: &ExecutionRequest, definition: &Definition) -> Result<Layout, Problem> {
    let files = match (&request.files, &request.source) {
        (Some(files), _) => {
            Files::Several(files.iter().map(|file| (file.path.as_str(), file.content.as_bytes())).collect())
        }
        (None, source) => Files::One(source.as_ref().map(Content::as_bytes).unwrap_or_default()),
    };
    let asked = request.entry.as_deref();
    let layout = definition.layout(&files, asked);
    // Clients name the main file for every language alike. Where all sources make one program, one of them by name is
    // no contradiction; anything else would be.
    let layout = match layout {
        Err(Unsuitable::EntryRefused { .. }) => definition.layout(&files, None).and_then(|without| {
            let needless = asked.is_some_and(|entry| without.sources.iter().any(|source| source == entry));
            if needless { Ok(without) } else { layout }
        }),
        other => other,
    };
    layout.map_err(|why| unsuitable(&why))
}

fn unsuitable(why: &Unsuitable) -> Problem {
    let field = match why {
        Unsuitable::EntryRefused { .. }
        | Unsuitable::EntryUnknown { .. }
        | Unsuitable::EntryNoClass { .. }
        | Unsuitable::EntryOpen { .. } => "/entry",
        Unsuitable::NoSources { .. } | Unsuitable::NoFiles => "/files",
    };
    Problem::new(Code::InvalidRequest, why.to_string()).at(field)
}

/// The limits of a step: the caller's over the language's own over the contract's, all under the ceiling. A default
/// above the ceiling is lowered to it; what a caller asks for is refused instead.
fn limits_of(definition: &Definition, kind: Kind, asked: &LimitsRequest, ceiling: &Limits) -> Result<Limits, Problem> {
    let field = match kind {
        Kind::Compile => "/compile_limits",
        Kind::Run => "/limits",
    };
    let asked = limit_set(asked);
    for limit in LimitName::ALL {
        let Some(value) = asked.get(limit) else { continue };
        let most = ceiling.get(limit);
        if value > most {
            let detail = format!("{limit} is {}, the ceiling is {}", limit.amount(value), limit.amount(most));
            let remedy =
                format!("Ask for at most {}, or leave {limit} out for the language's own.", limit.amount(most));
            let problem = Problem::new(Code::LimitAboveCeiling, detail).remedy(remedy);
            return Err(problem.at(format!("{field}/{limit}")));
        }
    }
    let limits = lowered(&definition.limits(kind).overlaid(&asked).resolved(kind), ceiling);
    if let Some(below) = limits.first_below(&definition.floors(kind)) {
        let (limit, name) = (below.limit, &definition.name);
        let (value, floor) = (limit.amount(below.value), limit.amount(below.floor));
        let detail = format!("{limit} is {value}, {name} can't start its {kind} step under {floor}");
        let remedy = format!("Raise {limit} to {floor} or more, or leave it out for the language's own.");
        return Err(Problem::new(Code::LimitTooLow, detail).remedy(remedy).at(format!("{field}/{limit}")));
    }
    Ok(limits)
}

/// Whether a step in a language may be asked for these limits. `output_most`: the ceiling of its output, where that is another
/// than that of executions.
///
/// # Errors
/// The first that it may not.
pub fn check_limits(
    definition: &Definition,
    kind: Kind,
    asked: &LimitsRequest,
    rules: &Rules<'_>,
    output_most: Option<u64>,
) -> Result<(), Problem> {
    let mut ceiling = rules.ceiling_of(&definition.id, kind);
    ceiling.output_bytes = output_most.unwrap_or(ceiling.output_bytes);
    limits_of(definition, kind, asked, &ceiling).map(drop)
}

/// Whether a limit of this name is asked for.
#[must_use]
pub fn asks(limits: &LimitsRequest, name: &str) -> bool {
    let set = limit_set(limits);
    LimitName::ALL.into_iter().any(|limit| limit.as_str() == name && set.get(limit).is_some())
}

/// `limits`, none of them above `ceiling`.
#[must_use]
pub fn lowered(limits: &Limits, ceiling: &Limits) -> Limits {
    let least = |limit: LimitName| limits.get(limit).min(ceiling.get(limit));
    Limits {
        cpu_time_ms: least(LimitName::CpuTimeMs),
        wall_time_ms: least(LimitName::WallTimeMs),
        memory_bytes: least(LimitName::MemoryBytes),
        processes: least(LimitName::Processes),
        cpus_milli: least(LimitName::Cpus),
        output_bytes: least(LimitName::OutputBytes),
        file_bytes: least(LimitName::FileBytes),
        disk_bytes: least(LimitName::DiskBytes),
        open_files: least(LimitName::OpenFiles),
        stack_bytes: least(LimitName::StackBytes),
    }
}

fn limit_set(asked: &LimitsRequest) -> LimitSet {
    LimitSet {
        cpu_time_ms: asked.cpu_time_ms,
        wall_time_ms: asked.wall_time_ms,
        memory_bytes: asked.memory_bytes,
        processes: asked.processes,
        cpus_milli: asked.cpus.map(milli),
        output_bytes: asked.output_bytes,
        file_bytes: asked.file_bytes,
        disk_bytes: asked.disk_bytes,
        open_files: asked.open_files,
        stack_bytes: asked.stack_bytes,
        stack_percent: None,
    }
}

/// Thousandths of a core.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and what saturates is above every ceiling"
)]
fn milli(cpus: f64) -> u64 {
    (cpus * 1000.0).round() as u64
}

/// As jaild takes them.
///
/// # Errors
/// A count of more than 32 bits, which no ceiling lets through.
fn enforced(limits: &Limits) -> Result<JailLimits, Error> {
    let narrow = |value: u64| u32::try_from(value).map_err(|_| Error::internal(format!("limit {value} is too large")));
    Ok(JailLimits {
        cpu_time: Millis(limits.cpu_time_ms),
        wall_time: Millis(limits.wall_time_ms),
        memory: Bytes(limits.memory_bytes),
        processes: narrow(limits.processes)?,
        cpus_milli: narrow(limits.cpus_milli)?,
        file: Bytes(limits.file_bytes),
        disk: Bytes(limits.disk_bytes),
        open_files: narrow(limits.open_files)?,
        stack: Bytes(limits.stack_bytes),
    })
}

pub mod made;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
