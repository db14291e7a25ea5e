//! From the text of a manifest to a [`Definition`], or to all of its mistakes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use crate::check;
use crate::definition::{
    Compile, Definition, Entry, Etc, FlagPattern, FlagRule, Mount, Part, Placeholder, Probe, Run, Syscall, Tail,
    Template, Toolchain,
};
use crate::limits::{LimitName, LimitSet, Step};
use crate::mistake::{Fault, Mistake, Verdict};
use crate::reader::{Mistakes, Reader, quoted};

/// What one file is.
#[derive(Debug)]
pub(crate) enum Manifest {
    /// A language of its own, in place of one of the same id.
    Language(Box<Definition>),
    /// More toolchains for a language that another file describes.
    Addition {
        /// `add_to`: its id.
        language: String,
        /// `[[toolchain]]`.
        toolchains: Vec<Toolchain>,
    },
}

/// Reads a manifest. `file` is its name in the mistakes.
pub(crate) fn parse(file: &str, text: &str) -> Result<Manifest, Vec<Mistake>> {
    let mut mistakes = Mistakes::of(file);
    let table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            mistakes.add("", None, syntax(text, &error));
            return mistakes.verdict(Manifest::Addition { language: String::new(), toolchains: Vec::new() });
        }
    };
    let mut reader = Reader::new(table, &mut mistakes);
    let manifest = if reader.has("add_to") {
        Manifest::Addition {
            language: reader.required("add_to", |id: &String| check::id(id)),
            toolchains: toolchains(&mut reader),
        }
    } else {
        Manifest::Language(Box::new(language(&mut reader)))
    };
    reader.finish();
    mistakes.verdict(manifest)
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
    let entry = r.choice("entry", &[("allowed", Entry::Allowed), ("refused", Entry::Refused)]);
    let compiles = r.has("compile");
    let definition = Definition {
        id,
        name,
        aliases,
        main_file: r.required("main_file", |name: &String| check::file_name(name)),
        entry: entry.unwrap_or_default(),
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
        toolchains: toolchains(r),
        compile: r.table("compile", compile),
        run: run(r, compiles),
    };
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
        set
    })
    .unwrap_or_default()
}

/// The amount in the unit of [`LimitSet`].
fn amount(limit: LimitName, value: &Value) -> Option<u64> {
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

fn toolchains(r: &mut Reader<'_>) -> Vec<Toolchain> {
    let list = r.tables("toolchain", |r| {
        let id = r.required("id", |id: &String| check::id(id));
        // The mount comes first: where the program may be depends on it.
        let mount = r.table("mount", |r| Mount {
            path: PathBuf::from(r.required("path", |path: &String| check::mount(path))),
            reason: reason(r),
        });
        let outside = mount.as_ref().map(|mount| mount.path.as_path());
        let program = PathBuf::from(r.required("program", |path: &String| check::program(path, outside)));
        let needs = r.list("needs", |path| check::program(path, outside)).into_iter().map(PathBuf::from).collect();
        let package = r.required("package", |names: &String| check::packages(names));
        let probe = probe(r);
        Toolchain { id, program, needs, package, probe, mount }
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

fn compile(r: &mut Reader<'_>) -> Compile {
    let args = template(r, Step::Compile, true);
    Compile {
        args,
        artifact: r.required("artifact", |name: &String| check::file_name(name)),
        flags: r.tables("flag", flag_rule).into_iter().flatten().collect(),
        env: env(r),
    }
}

fn run(r: &mut Reader<'_>, compiles: bool) -> Run {
    if !r.has("run") {
        r.fault(
            "run",
            None,
            Fault::new("is missing", "say how the program is started: [run] args = [\"{program}\", …]"),
        );
    }
    r.table("run", |r| Run { args: template(r, Step::Run, compiles), env: env(r) }).unwrap_or_default()
}

fn env(r: &mut Reader<'_>) -> BTreeMap<String, String> {
    r.table("env", |r| {
        let mut env = BTreeMap::new();
        for name in r.keys() {
            if let Err(fault) = check::env_name(&name) {
                r.fault(&name, None, fault);
            }
            let value = r.required(&name, |value: &String| check::argument(value));
            env.insert(name, value);
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
fn template(r: &mut Reader<'_>, step: Step, compiles: bool) -> Template {
    use Placeholder::{Args, Artifact, Entry, Flags, Program, Sources};
    let elements = r.required("args", |args: &Vec<String>| check::command(args));
    let (known, needed, first): (&[Placeholder], &[Placeholder], &[Placeholder]) = match (step, compiles) {
        (Step::Compile, _) => (&[Program, Flags, Sources, Artifact], &[Sources, Artifact], &[Program]),
        (Step::Run, true) => (&[Program, Artifact, Entry, Args], &[Artifact, Args], &[Program, Artifact]),
        (Step::Run, false) => (&[Program, Entry, Args], &[Entry, Args], &[Program]),
    };
    let mut parts = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        match check::part(element).and_then(|part| fits(&part, &parts, step, known).map(|()| part)) {
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
        for missing in needed.iter().filter(|p| !parts.contains(&Part::Placeholder(**p))) {
            r.fault("args", None, Fault::new(format!("lacks {}", missing.as_str()), "add it as an element of its own"));
        }
    }
    Template(parts)
}

fn fits(part: &Part, earlier: &[Part], step: Step, known: &[Placeholder]) -> Verdict {
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
