//! From the text of a manifest to a [`Definition`], or to all of its mistakes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value as Toml};

use crate::check;
use crate::check::Names;
use crate::definition::{
    Compile, Definition, Entry, Environment, EnvironmentUse, Etc, FlagPattern, FlagRule, Mount, Part, Phrase,
    Placeholder, Probe, Rule, Run, Syscall, Tail, Template, Toolchain, Value,
};
use crate::limits::{LimitName, LimitSet, Step};
use crate::mistake::{Fault, Mistake, Verdict};
use crate::reader::{Mistakes, Reader, quoted};

mod tuning;
use tuning::{recipes, tuned_is_described};

/// What one file is.
#[derive(Debug)]
pub(crate) enum Manifest {
    /// A language of its own, in place of one of the same id.
    Language(Box<Definition>),
    /// More toolchains, or environments for toolchains, of a language that another file describes.
    Addition(Addition),
}

/// A file with `add_to`.
#[derive(Debug, Default)]
pub(crate) struct Addition {
    /// `add_to`: the language's id.
    pub(crate) language: String,
    /// `[[toolchain]]`.
    pub(crate) toolchains: Vec<Toolchain>,
    /// `[[environment]]`: the id of the toolchain that gets it, and what it is.
    pub(crate) environments: Vec<(String, Environment)>,
}

/// Reads a manifest. `file` is its name in the mistakes.
pub(crate) fn parse(file: &str, text: &str) -> Result<Manifest, Vec<Mistake>> {
    let mut mistakes = Mistakes::of(file);
    let table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            mistakes.add("", None, syntax(text, &error));
            return mistakes.verdict(Manifest::Addition(Addition::default()));
        }
    };
    let mut reader = Reader::new(table, &mut mistakes);
    let manifest = if reader.has("add_to") {
        Manifest::Addition(addition(&mut reader))
    } else {
        Manifest::Language(Box::new(language(&mut reader)))
    };
    reader.finish();
    mistakes.verdict(manifest)
}

fn addition(r: &mut Reader<'_>) -> Addition {
    let language = r.required("add_to", |id: &String| check::id(id));
    let environments = r.tables("environment", |r| {
        let toolchain = r.required("toolchain", |id: &String| check::id(id));
        (toolchain, environment(r))
    });
    let toolchains = if r.has("toolchain") || environments.is_empty() { toolchains(r) } else { Vec::new() };
    Addition { language, toolchains, environments }
}

fn environment(r: &mut Reader<'_>) -> Environment {
    Environment { mount: mount(r), needs: r.list("needs", check::relative) }
}

fn syntax(text: &str, error: &toml::de::Error) -> Fault {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let message = error.message().trim().replace('\n', ", ");
    Fault::new(format!("is not TOML at line {line}, column {column}: {message}"), "correct that line")
}

fn language(r: &mut Reader<'_>) -> Definition {
    let id = r.required("id", |id: &String| check::id(id));
    let name = r.required("name", |name: &String| check::text(name));
    let aliases = r.list("aliases", check::id);
    for (index, alias) in aliases.iter().enumerate() {
        if *alias == id || aliases[..index].contains(alias) {
            r.fault("aliases", Some(quoted(alias)), Fault::new("is there twice", "remove it"));
        }
    }
    let choices = [("allowed", Entry::Allowed), ("class", Entry::Class), ("refused", Entry::Refused)];
    let entry = r.choice("entry", &choices);
    let compiles = r.has("compile");
    let values = values(r);
    let definition = Definition {
        id,
        name,
        aliases,
        main_file: r.required("main_file", |name: &String| check::file_name(name)),
        entry: entry.unwrap_or_default(),
        hello: r.optional("hello", |_: &String| Ok(())),
        strip_bom: r.optional("strip_bom", |_: &bool| Ok(())).unwrap_or_default(),
        sources: sources(r, compiles),
        limits: limits(r, "limits"),
        compile_limits: of_compile(r, "compile_limits", compiles),
        floors: limits(r, "floors"),
        compile_floors: of_compile(r, "compile_floors", compiles),
        etc: r.tables("etc", |r| Etc { path: r.required("path", |path: &String| check::etc(path)), reason: reason(r) }),
        syscalls: r.tables("syscall", |r| Syscall {
            name: r.required("name", |name: &String| check::syscall(name)),
            reason: reason(r),
        }),
        parts: parts(r, None),
        toolchains: toolchains(r),
        compile: r.table("compile", |r| compile(r, &values)),
        run: run(r, compiles, &values),
        environment: r.table("environment", |r| environment_use(r, &values)),
        tunings: recipes(r, &values, compiles),
        values,
    };
    tuned_is_described(r, &definition);
    floors_within_defaults(r, &definition);
    if entry.is_some() {
        entry_fits(r, &definition);
    }
    definition
}

fn reason(r: &mut Reader<'_>) -> String {
    r.required("reason", |reason: &String| check::reason(reason))
}

fn sources(r: &mut Reader<'_>, compiles: bool) -> Vec<String> {
    let given = r.has("sources");
    if compiles && (!given || r.is_empty_list("sources")) {
        r.fault(
            "sources",
            None,
            Fault::new("is missing or empty", "list the suffixes that the compiler takes, as in [\".c\"]"),
        );
    }
    if given && !compiles {
        r.fault("sources", None, Fault::new("has no use without [compile]", "remove it or add [compile]"));
    }
    r.list("sources", check::suffix)
}

fn of_compile(r: &mut Reader<'_>, key: &str, compiles: bool) -> LimitSet {
    if r.has(key) && !compiles {
        r.fault(key, None, Fault::new("has no use without [compile]", "remove it or add [compile]"));
    }
    limits(r, key)
}

/// Beside the limits of the API: how much of the memory the stack is, where nobody says `stack_bytes`.
const STACK_PERCENT: &str = "stack_percent";

fn limits(r: &mut Reader<'_>, key: &str) -> LimitSet {
    r.table(key, |r| {
        let mut set = LimitSet::default();
        for limit in LimitName::ALL {
            let Some(value) = r.raw(limit.as_str()) else { continue };
            match amount(limit, &value) {
                Some(amount) => set.set(limit, amount),
                None => {
                    let remedy = match limit {
                        LimitName::Cpus => "write a share of cores from 0.1 to 1024, as in 1.0",
                        _ => "write a positive integer; nothing means unlimited",
                    };
                    r.fault(limit.as_str(), Some(value.to_string()), Fault::new("is no amount", remedy));
                }
            }
        }
        if let Some(value) = r.raw(STACK_PERCENT) {
            set.stack_percent = value.as_integer().and_then(|percent| u64::try_from(percent).ok());
            let why = match (set.stack_percent, set.stack_bytes) {
                (Some(1..=100), None) => None,
                (Some(1..=100), Some(_)) => Some(Fault::new("contradicts stack_bytes", "remove one of them")),
                _ => Some(Fault::new("is no share of the memory limit", "write a percentage from 1 to 100")),
            };
            why.into_iter().for_each(|fault| r.fault(STACK_PERCENT, Some(value.to_string()), fault));
        }
        set
    })
    .unwrap_or_default()
}

/// The amount in the unit of [`LimitSet`].
fn amount(limit: LimitName, value: &Toml) -> Option<u64> {
    if limit != LimitName::Cpus {
        return u64::try_from(value.as_integer()?).ok().filter(|amount| *amount > 0);
    }
    let whole = value.as_integer().and_then(|cores| u32::try_from(cores).ok()).map(f64::from);
    let thousandths = (value.as_float().or(whole)? * 1_000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and between 100 and 1,024,000: every such value is a u64"
    )]
    (100.0..=1_024_000.0).contains(&thousandths).then_some(thousandths as u64)
}

/// What commands and environments take from limits.
fn values(r: &mut Reader<'_>) -> Vec<Value> {
    let list = r.tables("value", |r| {
        let name = r.required("name", |name: &String| check::value_name(name));
        let limits = LimitName::ALL.map(|limit| (limit.as_str(), limit));
        let of = r.choice("of", &limits)?;
        Some(Value { name, of, rule: if r.has("under") { choice(r, of) } else { scaled(r, of) } })
    });
    let list: Vec<Value> = list.into_iter().flatten().collect();
    for (index, value) in list.iter().enumerate() {
        if !value.name.is_empty() && list[..index].iter().any(|earlier| earlier.name == value.name) {
            let fault = Fault::new("names two values", "give each a name of its own");
            r.fault(&format!("value[{index}].name"), Some(quoted(&value.name)), fault);
        }
    }
    list
}

fn choice(r: &mut Reader<'_>, of: LimitName) -> Rule {
    let under = r.raw("under").map(|value| (amount(of, &value), value));
    if let Some((None, value)) = &under {
        r.fault("under", Some(value.to_string()), Fault::new("is no amount", format!("write one as for {of}")));
    }
    Rule::Choice {
        under: under.and_then(|(amount, _)| amount).unwrap_or_default(),
        then: r.required("then", |word: &String| check::argument(word)),
        otherwise: r.required("otherwise", |word: &String| check::argument(word)),
    }
}

fn scaled(r: &mut Reader<'_>, of: LimitName) -> Rule {
    let mut number = |key: &str, absent: u64, least: u64| {
        let Some(value) = r.raw(key) else { return absent };
        let read = value.as_integer().and_then(|n| u64::try_from(n).ok()).filter(|n| *n >= least);
        if read.is_none() {
            let fault = Fault::new("is no such number", format!("write an integer of at least {least}"));
            r.fault(key, Some(value.to_string()), fault);
        }
        read.unwrap_or(absent)
    };
    let whole = if of == LimitName::Cpus { 1000 } else { 1 };
    let (percent, less, unit) = (number("percent", 100, 1), number("less", 0, 0), number("unit", whole, 1));
    let (least, most) = (number("least", 1, 1), number("most", u64::MAX, 1));
    if least > most {
        r.fault("least", Some(least.to_string()), Fault::new("is above `most`", "swap them, or leave one out"));
    }
    Rule::Amount { percent, less, unit, least, most: most.max(least) }
}

fn mount(r: &mut Reader<'_>) -> Mount {
    Mount { path: PathBuf::from(r.required("path", |path: &String| check::mount(path))), reason: reason(r) }
}

fn toolchains(r: &mut Reader<'_>) -> Vec<Toolchain> {
    let list = r.tables("toolchain", |r| {
        let id = r.required("id", |id: &String| check::id(id));
        // The mounts come first: where the program may be depends on them.
        let mount = r.table("mount", mount);
        let environment = r.table("environment", environment);
        let outside = mount.as_ref().map(|mount| mount.path.as_path());
        let program = PathBuf::from(r.required("program", |path: &String| check::program(path, outside)));
        let run_program = r.optional("run_program", |path: &String| check::program(path, outside)).map(PathBuf::from);
        let needs = r.list("needs", |path| check::program(path, outside)).into_iter().map(PathBuf::from).collect();
        let parts = parts(r, outside);
        let package = r.required("package", |names: &String| check::packages(names));
        let secondary = r.optional("secondary", |_: &bool| Ok(())).unwrap_or_default();
        let probe = probe(r);
        Toolchain { id, program, run_program, needs, parts, package, probe, secondary, mount, environment }
    });
    if list.is_empty() {
        r.fault("toolchain", None, Fault::new("is missing", "describe at least one under [[toolchain]]"));
    }
    for (index, toolchain) in list.iter().enumerate() {
        if !toolchain.id.is_empty() && list[..index].iter().any(|earlier| earlier.id == toolchain.id) {
            let fault = Fault::new("names two toolchains", "give each an id of its own");
            r.fault(&format!("toolchain[{index}].id"), Some(quoted(&toolchain.id)), fault);
        }
    }
    list
}

/// Where programs may be: what no step sees can't be part of what it runs.
fn parts(r: &mut Reader<'_>, outside: Option<&Path>) -> Vec<PathBuf> {
    r.list("parts", |path| check::program(path, outside)).into_iter().map(PathBuf::from).collect()
}

fn probe(r: &mut Reader<'_>) -> Probe {
    let given = r.has("probe");
    let probe = r.table("probe", |r| Probe {
        args: r.list("args", check::argument),
        prefix: r.required("prefix", |prefix: &String| check::argument(prefix)),
    });
    if !given {
        let remedy = "say how its version is asked for: probe = { args = [\"--version\"], prefix = \"\" }";
        r.fault("probe", None, Fault::new("is missing", remedy));
    }
    probe.unwrap_or_default()
}

fn compile(r: &mut Reader<'_>, values: &[Value]) -> Compile {
    let args = template(r, Step::Compile, true, values);
    Compile {
        args,
        artifact: r.required("artifact", |name: &String| check::file_name(name)),
        flags: r.tables("flag", flag_rule).into_iter().flatten().collect(),
        env: env(r, "env", Names::of(values)),
    }
}

fn environment_use(r: &mut Reader<'_>, values: &[Value]) -> EnvironmentUse {
    let links = r.table("links", |r| {
        let mut links = BTreeMap::new();
        for name in r.keys() {
            if let Err(fault) = check::file_name(&name) {
                r.fault(&name, None, fault);
            }
            links.insert(name.clone(), r.required(&name, |path: &String| check::relative(path)));
        }
        links
    });
    let names = Names { environment: true, ..Names::of(values) };
    EnvironmentUse {
        program: r.optional("program", |path: &String| check::relative(path)),
        needs: r.list("needs", check::relative),
        links: links.unwrap_or_default(),
        compile_env: env(r, "compile_env", names),
        run_env: env(r, "run_env", names),
    }
}

fn run(r: &mut Reader<'_>, compiles: bool, values: &[Value]) -> Run {
    if !r.has("run") {
        r.fault(
            "run",
            None,
            Fault::new("is missing", "say how the program is started: [run] args = [\"{program}\", …]"),
        );
    }
    let names = Names::of(values);
    r.table("run", |r| Run { args: template(r, Step::Run, compiles, values), env: env(r, "env", names) })
        .unwrap_or_default()
}

fn env(r: &mut Reader<'_>, key: &str, names: Names<'_>) -> BTreeMap<String, Phrase> {
    r.table(key, |r| {
        let mut env = BTreeMap::new();
        for name in r.keys() {
            if let Err(fault) = check::env_name(&name) {
                r.fault(&name, None, fault);
            }
            let value = r.required(&name, |value: &String| check::phrase(value, names).map(drop));
            env.insert(name, check::phrase(&value, names).unwrap_or_default());
        }
        env
    })
    .unwrap_or_default()
}

fn flag_rule(r: &mut Reader<'_>) -> Option<FlagRule> {
    let reason = reason(r);
    let (exact, prefixed) = (r.has("exact"), r.has("prefix") || r.has("tail"));
    if exact == prefixed {
        let fault = Fault::new(
            "has none or both of `exact` and `prefix`",
            "write exact = [\"-O2\"], or prefix = \"-D\" with tail",
        );
        r.fault("exact", None, fault);
    }
    let flags = r.list("exact", check::flag);
    if !prefixed {
        return Some(FlagRule { flags: FlagPattern::Exact(flags), reason });
    }
    let prefix = r.required("prefix", |prefix: &String| check::flag_prefix(prefix));
    let tail = r.choice("tail", &Tail::ALL.map(|tail| (tail.as_str(), tail)))?;
    Some(FlagRule { flags: FlagPattern::Prefixed { prefix, tail }, reason })
}

/// Reads `args`: which placeholders a step may have, must have, and has first.
fn template(r: &mut Reader<'_>, step: Step, compiles: bool, values: &[Value]) -> Template {
    use Placeholder::{Args, Artifact, Entry, Flags, Program, Sources};
    let elements = r.required("args", |args: &Vec<String>| check::command(args));
    let (known, needed, first): (&[Placeholder], &[Placeholder], &[Placeholder]) = match (step, compiles) {
        (Step::Compile, _) => (&[Program, Flags, Sources, Artifact], &[Sources, Artifact], &[Program]),
        (Step::Run, true) => (&[Program, Artifact, Entry, Args], &[Artifact, Args], &[Program, Artifact]),
        (Step::Run, false) => (&[Program, Entry, Args], &[Entry, Args], &[Program]),
    };
    let mut parts = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        match check::part(element, values).and_then(|part| fits(&part, &parts, step, known).map(|()| part)) {
            Ok(part) => parts.push(part),
            Err(fault) => r.fault(&format!("args[{index}]"), Some(quoted(element)), fault),
        }
    }
    let name_all = |list: &[Placeholder]| list.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(" or ");
    if parts.len() == elements.len() && !elements.is_empty() {
        if !matches!(&parts[0], Part::Placeholder(p) if first.contains(p)) {
            let fault =
                Fault::new("does not start a program of this language", format!("begin with {}", name_all(first)));
            r.fault("args[0]", Some(quoted(&elements[0])), fault);
        }
        // Where a class of the artifact is run, the entry names it.
        let has = |placeholder: Placeholder| parts.contains(&Part::Placeholder(placeholder));
        let instead = step == Step::Run && compiles && has(Entry);
        for missing in needed.iter().filter(|p| !(has(**p) || instead && **p == Artifact)) {
            r.fault("args", None, Fault::new(format!("lacks {}", missing.as_str()), "add it as an element of its own"));
        }
    }
    Template(parts)
}

fn fits(part: &Part, earlier: &[Part], step: Step, known: &[Placeholder]) -> Verdict {
    if matches!(part, Part::Tuned(_)) && earlier.contains(part) {
        return Err(Fault::new("is there twice", "remove one of them"));
    }
    let Part::Placeholder(placeholder) = part else { return Ok(()) };
    if !known.contains(placeholder) {
        return Err(Fault::new(format!("has no meaning in this {step} step"), "remove it"));
    }
    if earlier.contains(part) {
        return Err(Fault::new("is there twice", "remove one of them"));
    }
    Ok(())
}

/// Defaults that are refused as too low would make a language that nobody can use without limits of their own.
fn floors_within_defaults(r: &mut Reader<'_>, definition: &Definition) {
    for (step, defaults_table, floors_table) in
        [(Step::Run, "limits", "floors"), (Step::Compile, "compile_limits", "compile_floors")]
    {
        let own = definition.limits(step);
        let (defaults, floors) = (own.resolved(step), definition.floors(step));
        for limit in LimitName::ALL {
            let Some(floor) = floors.get(limit) else { continue };
            let default = defaults.get(limit);
            if floor <= default {
                continue;
            }
            let (shown_floor, shown_default) = (limit.amount(floor), limit.amount(default));
            if own.get(limit).is_some() {
                let fault = Fault::new(format!("is under its floor of {shown_floor}"), "write at least that");
                r.fault(&format!("{defaults_table}.{limit}"), Some(shown_default), fault);
            } else {
                let why = format!("is above the contract's default of {shown_default}");
                let fault = Fault::new(why, format!("lower it, or set {limit} under [{defaults_table}]"));
                r.fault(&format!("{floors_table}.{limit}"), Some(shown_floor), fault);
            }
        }
    }
}

fn entry_fits(r: &mut Reader<'_>, definition: &Definition) {
    let used = definition.run.args.parts().contains(&Part::Placeholder(Placeholder::Entry));
    if used && definition.entry == Entry::Refused {
        let fault = Fault::new("is \"refused\", but [run] has {entry}", "write entry = \"allowed\"");
        r.fault("entry", None, fault);
    }
}
