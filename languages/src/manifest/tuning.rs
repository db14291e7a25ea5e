//! The recipes of a manifest: `[[tuning]]`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::limits;
use crate::check::{self, Names};
use crate::definition::{Definition, Part, Template, Value};
use crate::mistake::{Fault, Verdict};
use crate::reader::{Reader, quoted};
use crate::tuning::{Input, Make, Tuning, Use};

/// What the built-in recipes bring along, for every manifest.
const BUILTIN: [(&str, &str); 6] = [
    ("Compiles.java", include_str!("../../tuning/java/Compiles.java")),
    ("Doubtful.java", include_str!("../../tuning/java/Doubtful.java")),
    ("Syntax.java", include_str!("../../tuning/java/Syntax.java")),
    ("Usual.java", include_str!("../../tuning/java/Usual.java")),
    ("Wrong.java", include_str!("../../tuning/java/Wrong.java")),
    ("quick-link.c", include_str!("../../tuning/quick-link.c")),
];

pub(super) fn recipes(r: &mut Reader<'_>, values: &[Value], compiles: bool) -> Vec<Tuning> {
    r.tables("tuning", |r| {
        let toolchains = r.list("toolchains", check::id);
        if toolchains.is_empty() {
            r.fault("toolchains", None, Fault::new("is missing or empty", "list ids of toolchains, or their makes"));
        }
        for key in ["repeat_if", "unless_sources"].into_iter().filter(|_| !compiles) {
            if r.has(key) {
                r.fault(key, None, Fault::new("has no use without [compile]", "remove it or add [compile]"));
            }
        }
        let tuning = Tuning {
            toolchains,
            inputs: r.tables("input", input),
            makes: r.tables("make", make),
            uses: r.tables("use", |r| usage(r, values)),
            unless_sources: r.list("unless_sources", check::text),
            repeat_if: r.list("repeat_if", check::text),
        };
        for (index, usage) in tuning.uses.iter().enumerate() {
            if !usage.needs.is_empty() && !tuning.makes.iter().any(|make| make.out == usage.needs) {
                let fault = Fault::new("is made by no command", "name the `out` of a [[tuning.make]]");
                r.fault(&format!("use[{index}].needs"), Some(quoted(&usage.needs)), fault);
            }
        }
        tuning
    })
}

fn input(r: &mut Reader<'_>) -> Input {
    let name = r.required("name", |name: &String| check::file_name(name));
    let (text, builtin) =
        (r.optional("text", check_text), r.optional("builtin", |name: &String| found(name).map(drop)));
    let text = match (text, builtin) {
        (Some(text), None) => text,
        (None, Some(name)) => found(&name).unwrap_or_default(),
        _ => {
            r.fault("text", None, Fault::new("is missing, or `builtin` is there too", "write one of them"));
            String::new()
        }
    };
    Input { name, text }
}

fn check_text(_: &String) -> Verdict {
    Ok(())
}

fn found(name: &str) -> Result<String, Fault> {
    let text = BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    text.ok_or_else(|| {
        let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
        Fault::new("is no built-in file", format!("write {}, or the file itself as `text`", names.join(" or ")))
    })
}

fn make(r: &mut Reader<'_>) -> Make {
    Make {
        args: r.required("args", |args: &Vec<String>| check::command(args)),
        out: r.required("out", |path: &String| check::relative(path)),
        when: r.optional("when", |path: &String| check::program(path, None)).map(PathBuf::from),
    }
}

fn usage(r: &mut Reader<'_>, values: &[Value]) -> Use {
    let name = r.required("name", |name: &String| check::value_name(name));
    let names = Names { tuning: true, ..Names::of(values) };
    let given = r.has("flags");
    let sets = r.list("flags", |set| set.split_whitespace().try_for_each(check::flag));
    let sets = sets.iter().map(|set| set.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>());
    Use {
        name,
        args: r
            .list("args", |arg| check::phrase(arg, names).map(drop))
            .iter()
            .map(|arg| check::phrase(arg, names).unwrap_or_default())
            .collect(),
        needs: r.required("needs", |path: &String| check::relative(path)),
        flags: given.then(|| sets.collect()),
        ignored_flags: r.list("ignored_flags", check::flag),
        unless_flags: r.list("unless_flags", check::flag),
        least: limits(r, "least"),
    }
}

/// A `{tuned:NAME}` that no recipe describes is a slip.
pub(super) fn tuned_is_described(r: &mut Reader<'_>, definition: &Definition) {
    let known = |name: &str| definition.tunings.iter().flat_map(|tuning| &tuning.uses).any(|usage| usage.name == name);
    let empty = Template::default();
    let compile = definition.compile.as_ref().map_or(&empty, |compile| &compile.args);
    for (field, template) in [("compile.args", compile), ("run.args", &definition.run.args)] {
        for (index, part) in template.parts().iter().enumerate() {
            if let Part::Tuned(name) = part
                && !known(name)
            {
                let fault = Fault::new("is described by no [[tuning.use]]", "describe it there, or remove it");
                r.fault(&format!("{field}[{index}]"), Some(quoted(&format!("{{tuned:{name}}}"))), fault);
            }
        }
    }
}
