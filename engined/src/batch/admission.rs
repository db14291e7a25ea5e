//! From a request to what the store keeps: every mistake in it is told when it comes, with its field, and nothing is half
//! accepted. What a submission and a test come to is found out here by the same rules as for executions, and again when they
//! are run; here it is thrown away.

use std::collections::{BTreeMap, HashMap, HashSet};

use api_spec::parse::escape;
use api_spec::{
    BatchRequest, CheckerProgram, Code, ExecutionRequest, GroupRequest, Input, LimitsRequest, Priority, Problem,
    SubmissionRequest, TestRequest,
};
use languages::{Definition, Step as Kind};
use store::NewSubmission;

use super::checker::in_the_way;
use super::room;
use super::spec::{self, BatchSpec, Sender, TestSpec};
use crate::admission::{self, Rules};
use crate::config::BatchShare;
use crate::problem::Error;

/// A batch without a mistake, but for the data of its tests.
#[derive(Debug)]
pub struct Admitted {
    /// What is common to all.
    pub spec: BatchSpec,
    /// In order.
    pub submissions: Vec<NewSubmission>,
    /// In order.
    pub tests: Vec<Test>,
    /// To be found by.
    pub labels: BTreeMap<String, String>,
    /// The checker to compile, where there is one.
    pub checker: Option<CheckerProgram>,
}

/// A test, and its data as they came.
#[derive(Debug)]
pub struct Test {
    /// The caller's name for it.
    pub name: String,
    /// All but its data.
    pub spec: TestSpec,
    /// What a program reads.
    pub stdin: Input,
    /// What it should write.
    pub expected: Option<Input>,
}

/// Admits a batch that `api-spec` has checked by itself.
///
/// # Errors
/// The caller's first mistake.
pub fn admit(request: BatchRequest, rules: &Rules<'_>, share: &BatchShare, sender: Sender) -> Result<Admitted, Error> {
    size(&request, share)?;
    let BatchRequest {
        submissions,
        tests,
        groups,
        checker,
        limits,
        compile_limits,
        limits_by_language,
        stop,
        repeat,
        feedback,
        labels,
    } = request;
    let layers = Layers::new(&limits, &limits_by_language, rules, share)?;
    let languages = programs(&submissions, &compile_limits, &layers, rules)?;
    let mut seen = HashSet::new();
    for (index, test) in tests.iter().enumerate() {
        // The same limits once.
        if !test.limits.is_default() && seen.insert(format!("{:?}", test.limits)) {
            for definition in &languages {
                layers.check(definition, Some((index, &test.limits)), rules)?;
            }
        }
    }
    let program = checker.as_ref().and_then(|checker| checker.program.clone());
    if let Some(program) = &program {
        self::checker(program.clone(), rules)?;
    }
    let results = (submissions.len() as u64).saturating_mul(tests.len() as u64).saturating_mul(repeat.into());
    let max_points = tests.iter().map(|test| test.points).sum();
    let group_points = by_group(&groups, &tests);
    let spec = BatchSpec {
        checker,
        limits_by_language: layers.by_id(),
        limits,
        compile_limits,
        stop,
        repeat,
        feedback,
        groups,
        sender: Some(sender),
        max_points,
        group_points,
        told: room::told(results),
    };
    Ok(Admitted {
        spec,
        checker: program,
        submissions: submissions.into_iter().map(kept).collect::<Result<_, _>>()?,
        tests: tests.into_iter().map(test).collect(),
        labels,
    })
}

/// The points of the tests of each group.
fn by_group(groups: &[GroupRequest], tests: &[TestRequest]) -> Vec<f64> {
    let places: HashMap<&str, usize> =
        groups.iter().enumerate().map(|(place, group)| (group.id.as_str(), place)).collect();
    let mut points = vec![0.0; groups.len()];
    for test in tests {
        if let Some(place) = test.group.as_deref().and_then(|group| places.get(group)) {
            points[*place] += test.points;
        }
    }
    points
}

/// A batch that is too large in itself.
fn size(request: &BatchRequest, share: &BatchShare) -> Result<(), Problem> {
    let [submissions, tests] = [request.submissions.len(), request.tests.len()].map(|count| count as u64);
    too_many("submissions", submissions, share.submissions, "/submissions")?;
    too_many("tests", tests, share.tests, "/tests")?;
    let results = submissions.saturating_mul(tests).saturating_mul(request.repeat.into());
    let field = if request.repeat > 1 { "/repeat" } else { "/tests" };
    too_many("results (submissions x tests x repeat)", results, share.results, field)
}

/// Whether there are more than the plan allows in one batch.
///
/// # Errors
/// There are.
pub fn too_many(what: &str, count: u64, most: u64, field: &str) -> Result<(), Problem> {
    if count <= most {
        return Ok(());
    }
    let detail = format!("the batch has {count} {what}, the plan allows {most}");
    let problem = Problem::new(Code::LimitAboveCeiling, detail);
    Err(problem.remedy("Send several batches, or have the operator raise the plan.").at(field))
}

/// Limits of runs, one over the other: of the batch, of a language, of a test.
struct Layers<'a> {
    all: &'a LimitsRequest,
    /// By the language's id: the caller's name for it as well.
    by_language: BTreeMap<String, (&'a str, &'a LimitsRequest)>,
    share: &'a BatchShare,
}

impl<'a> Layers<'a> {
    fn new(
        all: &'a LimitsRequest,
        named: &'a BTreeMap<String, LimitsRequest>,
        rules: &Rules<'_>,
        share: &'a BatchShare,
    ) -> Result<Self, Error> {
        let mut by_language = BTreeMap::new();
        for (name, limits) in named {
            let field = format!("/limits_by_language/{}", escape(name));
            let found = rules.offers.find(name, None);
            let (definition, _) = found.map_err(|error| moved(error, |_| Some(field.clone())))?;
            if let Some((other, _)) = by_language.insert(definition.id.clone(), (name.as_str(), limits)) {
                let detail = format!("{name:?} and {other:?} are both the language {}", definition.id);
                return Err(Problem::new(Code::InvalidRequest, detail)
                    .remedy("Leave one of them out.")
                    .at(field)
                    .into());
            }
            // Whether or not a submission is in it.
            let checked = admission::check_limits(definition, Kind::Run, limits, rules, Some(share.output_bytes));
            checked.map_err(|problem| {
                let limit = problem.field.as_deref().and_then(|field| field.rsplit('/').next()).unwrap_or_default();
                let field = format!("{field}/{limit}");
                problem.at(field)
            })?;
        }
        Ok(Layers { all, by_language, share })
    }

    /// As the store keeps them.
    fn by_id(&self) -> BTreeMap<String, LimitsRequest> {
        self.by_language.iter().map(|(id, (_, limits))| (id.clone(), (*limits).clone())).collect()
    }

    /// What a run in a language is asked for.
    fn of(&self, language: &str, test: Option<&LimitsRequest>) -> LimitsRequest {
        let own = self.by_language.get(language).map(|(_, limits)| *limits);
        let limits = own.map_or_else(|| self.all.clone(), |own| over(self.all, own));
        test.map(|test| over(&limits, test)).unwrap_or(limits)
    }

    /// Where a limit was said.
    fn field(&self, language: &str, test: Option<(usize, &LimitsRequest)>, limit: &str) -> String {
        if let Some((index, _)) = test.filter(|(_, limits)| admission::asks(limits, limit)) {
            return format!("/tests/{index}/limits/{limit}");
        }
        let own = self.by_language.get(language).filter(|(_, limits)| admission::asks(limits, limit));
        own.map_or_else(
            || format!("/limits/{limit}"),
            |(name, _)| format!("/limits_by_language/{}/{limit}", escape(name)),
        )
    }

    /// Whether runs in a language may be asked for them.
    fn check(
        &self,
        definition: &Definition,
        test: Option<(usize, &LimitsRequest)>,
        rules: &Rules<'_>,
    ) -> Result<(), Problem> {
        let asked = self.of(&definition.id, test.map(|(_, limits)| limits));
        let output = Some(self.share.output_bytes);
        admission::check_limits(definition, Kind::Run, &asked, rules, output).map_err(|problem| {
            let limit = problem.field.as_deref().and_then(|field| field.rsplit('/').next()).unwrap_or_default();
            let field = self.field(&definition.id, test, limit);
            problem.at(field)
        })
    }
}

/// The limits of `top` where it says them, else of `base`.
#[must_use]
pub fn over(base: &LimitsRequest, top: &LimitsRequest) -> LimitsRequest {
    LimitsRequest {
        cpu_time_ms: top.cpu_time_ms.or(base.cpu_time_ms),
        wall_time_ms: top.wall_time_ms.or(base.wall_time_ms),
        memory_bytes: top.memory_bytes.or(base.memory_bytes),
        processes: top.processes.or(base.processes),
        cpus: top.cpus.or(base.cpus),
        output_bytes: top.output_bytes.or(base.output_bytes),
        file_bytes: top.file_bytes.or(base.file_bytes),
        disk_bytes: top.disk_bytes.or(base.disk_bytes),
        open_files: top.open_files.or(base.open_files),
        stack_bytes: top.stack_bytes.or(base.stack_bytes),
    }
}

/// Admits every submission, and finds the languages that they are in.
fn programs<'r>(
    submissions: &[SubmissionRequest],
    compile_limits: &LimitsRequest,
    layers: &Layers<'_>,
    rules: &Rules<'r>,
) -> Result<Vec<&'r Definition>, Error> {
    let mut languages: Vec<&Definition> = Vec::new();
    for (index, submission) in submissions.iter().enumerate() {
        let request = ExecutionRequest {
            language: submission.language.clone(),
            version: submission.version.clone(),
            source: submission.source.clone(),
            files: submission.files.clone(),
            entry: submission.entry.clone(),
            compile_flags: submission.compile_flags.clone(),
            compile_limits: compile_limits.clone(),
            priority: Priority::Batch,
            ..ExecutionRequest::default()
        };
        let place = |field: &str| match field {
            // What is the batch's own, or nobody's.
            _ if field.starts_with("/compile_limits") => Some(field.to_owned()),
            "/priority" => None,
            _ => Some(format!("/submissions/{index}{field}")),
        };
        admission::admit(request, rules).map_err(|error| moved(error, place))?;
        let found = rules.offers.find(&submission.language, submission.version.as_deref());
        let (definition, _) = found.map_err(|error| moved(error, place))?;
        if !languages.iter().any(|known| known.id == definition.id) {
            layers.check(definition, None, rules)?;
            languages.push(definition);
        }
    }
    Ok(languages)
}

/// A checker as a program to compile and run.
#[must_use]
pub fn checker_request(program: CheckerProgram) -> ExecutionRequest {
    let CheckerProgram { language, version, source, files, entry, compile_flags, args, limits, compile_limits, .. } =
        program;
    ExecutionRequest {
        language,
        version,
        source,
        files,
        entry,
        compile_flags,
        args,
        limits,
        compile_limits,
        priority: Priority::Batch,
        ..ExecutionRequest::default()
    }
}

fn checker(program: CheckerProgram, rules: &Rules<'_>) -> Result<(), Error> {
    if let Some(index) = in_the_way(&program) {
        let detail = "a file of the checker is where it finds what it is given (judge)";
        let problem = Problem::new(Code::InvalidPath, detail).remedy("Give the file another name.");
        return Err(problem.at(format!("/checker/program/files/{index}/path")).into());
    }
    let place = |field: &str| (field != "/priority").then(|| format!("/checker/program{field}"));
    admission::admit(checker_request(program), rules).map(drop).map_err(|error| moved(error, place))
}

/// The same mistake, where it stands in the body of a batch.
fn moved(error: Error, place: impl Fn(&str) -> Option<String>) -> Error {
    let mut problem = error.problem();
    match (&error, problem.field.take()) {
        (Error::NotReady(_) | Error::Internal(_), _) | (_, None) => error,
        (_, Some(field)) => match place(&field) {
            Some(field) => problem.at(field).into(),
            None => problem.into(),
        },
    }
}

fn kept(submission: SubmissionRequest) -> Result<NewSubmission, Error> {
    let spec = spec::write(&submission).map_err(|error| Error::internal(format!("submission not written: {error}")))?;
    Ok(NewSubmission { name: submission.id, spec })
}

fn test(test: TestRequest) -> Test {
    let TestRequest { id, group, points, stdin, expected, args, env, limits } = test;
    let spec = TestSpec { group, points, args, env, limits, expected_bytes: None };
    Test { name: id, spec, stdin, expected }
}
