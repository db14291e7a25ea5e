//! A folder as a batch: `batch.toml`, `tests/`, `submissions/`. Everything is looked at before anything is said, so that
//! all mistakes can be mended at once; each says where it is, what is wrong, and what to do.
//!
//! `help` has the format for people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use api_spec::{BatchRequest, CheckerRequest, GroupRequest, Input, LimitsRequest, Rule, TestRequest};
use languages::Catalogue;

use super::draft::{Data, Draft, TestData};
use super::order::natural;
use super::programs::{self, Programs};
use super::settings::{self, Checker, Group, Settings, Test};

/// The file of settings.
const SETTINGS: &str = "batch.toml";
const GROUP: &str = "group.toml";
/// What may lie beside tests and is none: how they were made, and words about them.
const ASIDE: [&str; 3] = ["generate", "README", "LICENSE"];

/// Where a batch lies.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder with `batch.toml` and `tests/`.
    pub problem: PathBuf,
    /// The programs, where they do not lie in `submissions/` below it.
    pub submissions: Option<PathBuf>,
    /// Languages by suffix, over those of `batch.toml`.
    pub languages: BTreeMap<String, String>,
}

/// One entry of a folder.
pub(super) struct Entry {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// It is a folder, or a link to one.
    pub folder: bool,
    /// How long it is.
    pub bytes: u64,
}

/// What is in a folder, in natural order, hidden entries left out. What can't be used is a mistake.
pub(super) fn entries(folder: &Path, mistakes: &mut Vec<String>) -> Vec<Entry> {
    let mut found = Vec::new();
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) => {
            mistakes.push(format!("{}: can't be read: {error}", folder.display()));
            return found;
        }
    };
    for entry in listing {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                mistakes.push(format!("{}: can't be read: {error}", folder.display()));
                continue;
            }
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            mistakes.push(format!("{}: its name is not UTF-8; rename it", path.display()));
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        match std::fs::metadata(&path) {
            Ok(about) if about.is_dir() || about.is_file() => {
                found.push(Entry { name, path, folder: about.is_dir(), bytes: about.len() });
            }
            Ok(_) => mistakes.push(format!("{}: is neither a file nor a folder; take it away", path.display())),
            Err(error) => mistakes.push(format!("{}: can't be read: {error}", path.display())),
        }
    }
    found.sort_by(|one, other| natural(&one.name, &other.name));
    found
}

/// Reads the folder.
///
/// # Errors
/// Every mistake, a line each.
pub fn read(places: &Places, catalogue: &Catalogue) -> Result<Draft, Vec<String>> {
    let mut mistakes = Vec::new();
    let file = places.problem.join(SETTINGS);
    let mut settings: Settings = settings::read(&file).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        Settings::default()
    });
    for (suffix, language) in std::mem::take(&mut settings.languages).into_iter().chain(places.languages.clone()) {
        settings.languages.insert(programs::with_dot(&suffix), language);
    }
    let mut programs = Programs { catalogue, languages: &settings.languages, mistakes: Vec::new() };
    let checker =
        settings.checker.take().and_then(|checker| of_checker(checker, &file, &places.problem, &mut programs));
    let submissions = places.submissions.clone().unwrap_or_else(|| places.problem.join("submissions"));
    let (submissions, expected) = programs.submissions(&submissions).into_iter().unzip();
    let of_programs = std::mem::take(&mut programs.mistakes);
    let tests = tests(&places.problem.join("tests"), &mut settings, &mut mistakes);
    for group in &settings.groups {
        if !tests.iter().any(|(test, _)| test.group.as_ref() == Some(&group.id)) {
            mistakes.push(format!(
                "{}: group {:?} has no test; take it out, or name it in a test",
                file.display(),
                group.id
            ));
        }
    }
    mistakes.extend(of_programs);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let (tests, data) = tests.into_iter().unzip();
    let Settings { limits, compile_limits, limits_by_language, groups, stop, repeat, feedback, labels, .. } = settings;
    let repeat = repeat.unwrap_or(1);
    let request = BatchRequest {
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
    };
    Ok(Draft { request, data, expected })
}

fn of_checker(checker: Checker, file: &Path, problem: &Path, programs: &mut Programs<'_>) -> Option<CheckerRequest> {
    let Checker { kind, absolute, relative, program } = checker;
    let program = match program {
        None => None,
        Some(program) => Some(programs.checker(program, file, problem)?),
    };
    Some(CheckerRequest { kind, absolute, relative, program })
}

type Tests = Vec<(TestRequest, TestData)>;

/// Reads `tests/`: first those of no folder, then folder by folder.
fn tests(folder: &Path, settings: &mut Settings, mistakes: &mut Vec<String>) -> Tests {
    if !folder.is_dir() {
        let why = "is missing; put each test there as NAME.in, with what is expected as NAME.ans";
        mistakes.push(format!("{}: {why}", folder.display()));
        return Vec::new();
    }
    let before = mistakes.len();
    let (folders, files): (Vec<Entry>, Vec<Entry>) =
        entries(folder, mistakes).into_iter().partition(|entry| entry.folder);
    let defaults = Defaults { points: settings.points, ..Defaults::default() };
    let mut tests = of_folder(files, None, &defaults, mistakes);
    for folder in folders {
        let file = folder.path.join(GROUP);
        let group: Group = settings::read(&file).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            Group::default()
        });
        let mut files = entries(&folder.path, mistakes);
        files.retain(|entry| entry.name != GROUP);
        let Group { rule, points, args, env, limits } = group;
        let defaults = Defaults { points: points.or(settings.points), args, env, limits };
        tests.extend(of_folder(files, Some(&folder.name), &defaults, mistakes));
        add_group(&folder.name, rule, &file, &mut settings.groups, mistakes);
    }
    // A group that a test names by itself and nobody describes.
    let known: BTreeSet<&str> = settings.groups.iter().map(|group| group.id.as_str()).collect();
    let new: BTreeSet<String> = tests
        .iter()
        .filter_map(|(test, _)| test.group.clone())
        .filter(|group| !known.contains(group.as_str()))
        .collect();
    settings.groups.extend(new.into_iter().map(|id| GroupRequest { id, rule: Rule::default() }));
    if tests.is_empty() && mistakes.len() == before {
        mistakes.push(format!("{}: holds no test; put one there as NAME.in", folder.display()));
    }
    tests
}

fn add_group(id: &str, rule: Option<Rule>, file: &Path, groups: &mut Vec<GroupRequest>, mistakes: &mut Vec<String>) {
    match (groups.iter_mut().find(|group| group.id == id), rule) {
        (None, rule) => groups.push(GroupRequest { id: id.to_owned(), rule: rule.unwrap_or_default() }),
        (Some(group), Some(rule)) if group.rule != rule => mistakes.push(format!(
            "{}: says another rule for group {id:?} than {SETTINGS}; say it in one of them",
            file.display()
        )),
        (Some(_), _) => {}
    }
}

/// What a test has that says nothing itself.
#[derive(Default)]
struct Defaults {
    points: Option<f64>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    limits: LimitsRequest,
}

/// The files of one test.
#[derive(Default)]
struct Files {
    stdin: Option<Entry>,
    expected: Option<Entry>,
    settings: Option<Entry>,
}

fn of_folder(files: Vec<Entry>, group: Option<&str>, defaults: &Defaults, mistakes: &mut Vec<String>) -> Tests {
    let mut named: BTreeMap<String, Files> = BTreeMap::new();
    for entry in files {
        let shown = entry.path.display();
        if entry.folder {
            mistakes.push(format!("{shown}: a folder of tests holds no folder; move its tests up"));
            continue;
        }
        let (stem, suffix) = entry.name.rsplit_once('.').unwrap_or((&entry.name, ""));
        let stem = stem.to_owned();
        match suffix {
            "in" => named.entry(stem).or_default().stdin = Some(entry),
            "ans" => named.entry(stem).or_default().expected = Some(entry),
            "toml" => named.entry(stem).or_default().settings = Some(entry),
            _ if ASIDE.iter().any(|aside| entry.name.starts_with(aside)) => {}
            _ => {
                let remedy = "rename it, or take it away";
                mistakes.push(format!("{shown}: a test's files are NAME.in, NAME.ans and NAME.toml; {remedy}"));
            }
        }
    }
    let mut named: Vec<(String, Files)> = named.into_iter().collect();
    named.sort_by(|(one, _), (other, _)| natural(one, other));
    named.into_iter().filter_map(|(name, files)| test(&name, files, group, defaults, mistakes)).collect()
}

fn test(
    name: &str,
    files: Files,
    group: Option<&str>,
    defaults: &Defaults,
    mistakes: &mut Vec<String>,
) -> Option<(TestRequest, TestData)> {
    let Files { stdin, expected, settings: own } = files;
    let Some(stdin) = stdin else {
        if let Some(there) = expected.or(own) {
            let remedy = "what the test reads; it may be empty";
            mistakes.push(format!("{}: there is no {name}.in beside it: add it, {remedy}", there.path.display()));
        }
        return None;
    };
    let Test { group: named, points, args, env, limits } = match &own {
        None => Test::default(),
        Some(file) => settings::read(&file.path).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            Test::default()
        }),
    };
    if let (Some(own), Some(_), Some(folder)) = (&own, &named, group) {
        mistakes
            .push(format!("{}: names a group, and its folder {folder:?} is one; leave one out", own.path.display()));
    }
    let data = |entry: Entry| Data::File { path: entry.path, bytes: entry.bytes };
    let request = TestRequest {
        id: group.map_or_else(|| name.to_owned(), |group| format!("{group}/{name}")),
        group: group.map(str::to_owned).or(named),
        points: points.or(defaults.points).unwrap_or(0.0),
        stdin: Input::default(),
        expected: None,
        args: args.unwrap_or_else(|| defaults.args.clone()),
        env: env.unwrap_or_else(|| defaults.env.clone()),
        limits: limits.unwrap_or_else(|| defaults.limits.clone()),
    };
    Some((request, TestData { stdin: data(stdin), expected: expected.map(data) }))
}

#[cfg(test)]
mod tests;
