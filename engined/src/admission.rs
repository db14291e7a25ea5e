//! From a request to a [`Job`]: language, version and limits are resolved here and only here.

use api_spec::{Code, ExecutionRequest, LanguageUsed, LimitsRequest, Problem, SourceFile};
use jail::link::ProfileName;
use jail::spec::{Bytes, Limits as JailLimits, Millis};
use languages::{Definition, Entry, LimitName, LimitSet, Limits, Step as Kind, Toolchain, Unsuitable};

use crate::job::{CompileStep, Job, JobFile, Outputs, Step};
use crate::offers::Offers;
use crate::problem::Error;
use crate::queue::Priority;

/// What admission depends on beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The languages that can be had.
    pub offers: &'a Offers,
    /// The most that the plan, jaild and the machine allow together.
    pub ceiling: &'a Limits,
}

/// Makes a job of a request that `api-spec` has checked by itself.
///
/// # Errors
/// The caller's first mistake.
pub fn admit(request: ExecutionRequest, rules: &Rules<'_>) -> Result<Job, Error> {
    let (definition, installed) = rules.offers.find(&request.language, request.version.as_deref())?;
    let toolchain = &installed.toolchain;
    definition.check_flags(&request.compile_flags).map_err(|refused| {
        let field = format!("/compile_flags/{}", refused.index);
        Problem::new(Code::FlagNotAllowed, refused.to_string()).at(field)
    })?;

    let (compile_argv, run_argv) = commands(&request, definition, toolchain)?;
    let ExecutionRequest { source, files, stdin, env, limits, compile_limits, outputs, labels, .. } = request;
    let caller = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let run_env = definition.run_env(caller);

    let compile = match (compile_argv, &definition.compile) {
        (Some(argv), Some(compile)) => {
            let limits = limits_of(definition, Kind::Compile, &compile_limits, rules.ceiling)?;
            let step = step(definition, toolchain, Kind::Compile, argv, definition.compile_env(), &limits)?;
            Some(CompileStep { step, artifact: compile.artifact.clone() })
        }
        _ => None,
    };
    let limits = limits_of(definition, Kind::Run, &limits, rules.ceiling)?;
    let run = step(definition, toolchain, Kind::Run, run_argv, run_env, &limits)?;

    let one = source.map(|content| SourceFile { path: definition.main_file.clone(), content });
    let files = one.into_iter().chain(files.into_iter().flatten());
    Ok(Job {
        language: LanguageUsed { id: definition.id.clone(), version: installed.version.to_string() },
        files: files.map(|SourceFile { path, content }| JobFile { path, content }).collect(),
        compile,
        run,
        stdin: stdin.into_bytes(),
        outputs: Outputs { globs: outputs, ..Outputs::default() },
        on_output_limit: request.on_output_limit,
        output_encoding: request.output_encoding,
        priority: match request.priority {
            api_spec::Priority::Interactive => Priority::Interactive,
            api_spec::Priority::Batch => Priority::Batch,
        },
        labels,
    })
}

/// A step as jaild and we take it.
///
/// # Errors
/// An id or a limit that the link can't carry, which manifests and ceilings rule out.
pub fn step(
    definition: &Definition,
    toolchain: &Toolchain,
    kind: Kind,
    args: Vec<String>,
    env: Vec<(String, String)>,
    limits: &Limits,
) -> Result<Step, Error> {
    let profile = definition.profile_name(toolchain, kind);
    let profile = ProfileName::new(&profile).ok_or_else(|| Error::internal(format!("profile name {profile:?}")))?;
    let env = env.into_iter().collect();
    Ok(Step { profile, args, env, limits: enforced(limits)?, output_bytes: limits.output_bytes })
}

type Argv = Vec<String>;

/// The commands of both steps, the compiler's where there is one.
fn commands(
    request: &ExecutionRequest,
    definition: &Definition,
    toolchain: &Toolchain,
) -> Result<(Option<Argv>, Argv), Problem> {
    let paths: Vec<&str> = match &request.files {
        Some(files) => files.iter().map(|file| file.path.as_str()).collect(),
        None => vec![definition.main_file.as_str()],
    };
    let sources = definition.sources(&paths).map_err(|why| unsuitable(&why))?;
    // Clients name the main file for every language alike. Where all sources make one program, one of them by name is
    // no contradiction; anything else would be.
    let needless = |entry: &&str| definition.entry == Entry::Refused && sources.contains(entry);
    let asked = request.entry.as_deref().filter(|entry| !needless(entry));
    let entry = definition.entry(asked, &paths).map_err(|why| unsuitable(&why))?;
    let compile = definition.compile_argv(toolchain, &request.compile_flags, &sources);
    Ok((compile, definition.run_argv(toolchain, entry, &request.args)))
}

fn unsuitable(why: &Unsuitable) -> Problem {
    let field = match why {
        Unsuitable::EntryRefused { .. } | Unsuitable::EntryUnknown { .. } => "/entry",
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
            let detail = format!("{limit} is {}, the ceiling is {}", shown(limit, value), shown(limit, most));
            let remedy =
                format!("Ask for at most {}, or leave {limit} out for the language's own.", shown(limit, most));
            let problem = Problem::new(Code::LimitAboveCeiling, detail).remedy(remedy);
            return Err(problem.at(format!("{field}/{limit}")));
        }
    }
    let limits = lowered(&definition.limits(kind).overlaid(&asked).resolved(kind), ceiling);
    if let Some(below) = limits.first_below(&definition.floors(kind)) {
        let (limit, name) = (below.limit, &definition.name);
        let (value, floor) = (shown(limit, below.value), shown(limit, below.floor));
        let detail = format!("{limit} is {value}, {name} can't start its {kind} step under {floor}");
        let remedy = format!("Raise {limit} to {floor} or more, or leave it out for the language's own.");
        return Err(Problem::new(Code::LimitTooLow, detail).remedy(remedy).at(format!("{field}/{limit}")));
    }
    Ok(limits)
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

fn shown(limit: LimitName, value: u64) -> String {
    if limit == LimitName::Cpus { format!("{}.{:03}", value / 1000, value % 1000) } else { value.to_string() }
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

#[cfg(test)]
mod tests;
