//! What must hold for every batch, whatever the languages, the plan and the blobs.
//!
//! Names are looked up in maps: 20,000 submissions and 10,000 tests are read in one pass each.

use std::collections::HashMap;

use super::{
    BatchRequest, CheckerKind, CheckerProgram, CheckerRequest, GroupRequest, RejudgeRequest, SubmissionRequest,
    TestRequest,
};
use crate::check::{self, Caps, Checked, Program, invalid};
use crate::parse::escape;
use crate::problem::{Problem, head};

/// The longest id of a submission, a test or a group, in bytes.
pub const ID_BYTES: usize = 128;

pub(super) fn batch(request: &BatchRequest, caps: &Caps) -> Checked {
    let BatchRequest { submissions, tests, groups, checker, limits_by_language, labels, .. } = request;
    if submissions.is_empty() {
        return Err(invalid("/submissions", "submissions is empty: there is nothing to judge")
            .remedy("Send at least one submission."));
    }
    if tests.is_empty() {
        return Err(invalid("/tests", "tests is empty: there is nothing to judge by").remedy("Send at least one test."));
    }
    distinct("/submissions", "submission", submissions.iter().map(|submission| submission.id.as_str()))?;
    distinct("/tests", "test", tests.iter().map(|test| test.id.as_str()))?;
    members(groups, tests)?;
    if let Some(checker) = checker {
        comparison(checker, tests).and_then(|()| checker_program(checker, caps))?;
    }
    for language in limits_by_language.keys() {
        name(language).map_err(|why| {
            let detail = format!("{:?} can't be the id of a language: {why}", head(language, 64));
            invalid(format!("/limits_by_language/{}", escape(language)), detail)
        })?;
    }
    check::labels(labels)?;
    for (index, test) in tests.iter().enumerate() {
        words(test, caps).map_err(|problem| problem.below(&format!("/tests/{index}")))?;
    }
    for (index, submission) in submissions.iter().enumerate() {
        check::program(&program(submission), caps)
            .map_err(|problem| problem.below(&format!("/submissions/{index}")))?;
    }
    Ok(())
}

pub(super) fn rejudge(request: &RejudgeRequest) -> Checked {
    match &request.submissions {
        Some(ids) if ids.is_empty() => {
            Err(invalid("/submissions", "submissions is empty: there is nothing to judge again")
                .remedy("Name some, or leave submissions out for all of them."))
        }
        Some(ids) => named("/submissions", "", "submission", ids.iter().map(String::as_str)),
        None => Ok(()),
    }
}

/// What the contract knows and this version does not offer yet.
pub(super) fn not_yet(problem: Problem) -> Problem {
    // A mistake of JSON itself has no field, so the field being there is the mistake.
    match problem.field.as_deref() {
        Some(field @ "/interactor") => invalid(field, "there are no interactors yet: they come with a later version")
            .remedy("Leave interactor out: each program gets its whole input at once."),
        Some(field @ "/callback") => invalid(field, "there are no callbacks yet: they come with a later version")
            .remedy("Leave callback out, and follow GET /v1/batches/{id}/events."),
        _ => problem,
    }
}

/// The ids of a list: each is one, and no two are the same.
fn distinct<'a>(list: &str, what: &str, ids: impl Iterator<Item = &'a str>) -> Checked {
    named(list, "/id", what, ids)
}

fn named<'a>(list: &str, field: &str, what: &str, ids: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = HashMap::with_capacity(ids.size_hint().0);
    for (index, id) in ids.enumerate() {
        let wrong = |why: String| invalid(format!("{list}/{index}{field}"), why);
        name(id).map_err(|why| {
            wrong(format!("{:?} can't be the id of a {what}: {why}", head(id, 64)))
                .remedy(format!("Use 1 to {ID_BYTES} bytes without control characters, such as s1."))
        })?;
        if let Some(first) = seen.insert(id, index) {
            return Err(wrong(format!("{:?} is also the id of {what} {first}", head(id, 64)))
                .remedy(format!("Give each {what} an id of its own.")));
        }
    }
    Ok(())
}

/// Whether a text can name something: results are told by it, in files and on terminals too.
fn name(id: &str) -> Result<(), String> {
    if id.is_empty() {
        Err("it is empty".to_owned())
    } else if id.len() > ID_BYTES {
        Err(format!("it has {} bytes, at most {ID_BYTES} are allowed", id.len()))
    } else if id.chars().any(char::is_control) {
        Err("it has a control character".to_owned())
    } else if id.bytes().all(|byte| byte == b' ') {
        Err("there is nothing to be seen of it".to_owned())
    } else {
        Ok(())
    }
}

/// Each group has tests, each named group is there.
fn members(groups: &[GroupRequest], tests: &[TestRequest]) -> Checked {
    distinct("/groups", "group", groups.iter().map(|group| group.id.as_str()))?;
    let mut sizes: HashMap<&str, usize> = groups.iter().map(|group| (group.id.as_str(), 0)).collect();
    for (index, test) in tests.iter().enumerate() {
        let Some(group) = &test.group else { continue };
        match sizes.get_mut(group.as_str()) {
            Some(size) => *size += 1,
            None => {
                let detail = format!("there is no group {:?}", head(group, 64));
                return Err(invalid(format!("/tests/{index}/group"), detail)
                    .remedy("Add it to groups, or leave group out: the test then counts by itself."));
            }
        }
    }
    match groups.iter().position(|group| sizes.get(group.id.as_str()) == Some(&0)) {
        Some(index) => {
            let detail = format!("no test belongs to the group {:?}", head(&groups[index].id, 64));
            Err(invalid(format!("/groups/{index}"), detail).remedy("Leave the group out, or name it in its tests."))
        }
        None => Ok(()),
    }
}

/// What belongs to the kind is there, nothing else is, and there is something to compare with.
fn comparison(checker: &CheckerRequest, tests: &[TestRequest]) -> Checked {
    let CheckerRequest { kind, absolute, relative, program } = checker;
    let is_float = *kind == CheckerKind::Float;
    for (field, given) in [("absolute", absolute.is_some()), ("relative", relative.is_some())] {
        if given && !is_float {
            let detail = format!("{field} is given, and the kind is {}: only float allows an error", kind.name());
            return Err(invalid(format!("/checker/{field}"), detail).remedy("Leave it out, or use the kind float."));
        }
    }
    if is_float && absolute.is_none() && relative.is_none() {
        return Err(invalid("/checker/absolute", "neither absolute nor relative is given: no error would be allowed")
            .remedy("Say which error is allowed, as in \"absolute\": 1e-9, or use the kind tokens."));
    }
    match (kind, program) {
        (CheckerKind::Program, Some(_)) => Ok(()),
        (CheckerKind::Program, None) => Err(invalid("/checker/program", "the kind is program, and there is none")
            .remedy("Send the checker's language, source and protocol.")),
        (_, Some(_)) => {
            let detail = format!("program is given, and the kind is {}", kind.name());
            Err(invalid("/checker/program", detail).remedy("Leave it out, or use the kind program."))
        }
        (_, None) => match tests.iter().position(|test| test.expected.is_none()) {
            Some(index) => {
                let detail = format!(
                    "test {:?} has no expected output, and the checker {} compares with it",
                    head(&tests[index].id, 64),
                    kind.name()
                );
                Err(invalid(format!("/tests/{index}/expected"), detail)
                    .remedy("Send expected, or leave checker out: such a test is accepted when its run is ok."))
            }
            None => Ok(()),
        },
    }
}

fn checker_program(checker: &CheckerRequest, caps: &Caps) -> Checked {
    let Some(checker) = &checker.program else { return Ok(()) };
    let CheckerProgram { source, files, entry, compile_flags, args, .. } = checker;
    let parts = Program { source: source.as_ref(), files: files.as_deref(), entry: entry.as_deref(), compile_flags };
    check::program(&parts, caps)
        .and_then(|()| check::words(args, &Default::default(), caps))
        .map_err(|problem| problem.below("/checker/program"))
}

fn program(submission: &SubmissionRequest) -> Program<'_> {
    let SubmissionRequest { source, files, entry, compile_flags, .. } = submission;
    Program { source: source.as_ref(), files: files.as_deref(), entry: entry.as_deref(), compile_flags }
}

fn words(test: &TestRequest, caps: &Caps) -> Checked {
    check::words(&test.args, &test.env, caps).and_then(|()| check::environment(&test.env))
}
