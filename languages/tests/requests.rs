//! From requests to arguments, environments, flags and limits, by the built-in manifests.

use languages::{Catalogue, LimitName, LimitSet, Step, Toolchain, Unsuitable};

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn only_toolchain(language: &languages::Definition) -> &Toolchain {
    assert_eq!(language.toolchains.len(), 1);
    &language.toolchains[0]
}

#[test]
fn c_compiles_every_source_and_runs_the_artifact() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let files = ["util.h", "main.c", "lib/list.c", "notes.txt", "old.cpp", ".c", "lib/.c", "x.C", "main.c.bak"];
    let sources = c.sources(&files).unwrap();
    assert_eq!(sources, ["main.c", "lib/list.c", "old.cpp"]);
    let argv = c.compile_argv(only_toolchain(c), &strings(&["-O3", "-Wall"]), &sources).unwrap();
    assert_eq!(
        argv.join(" "),
        "/usr/bin/gcc -O2 -std=gnu17 -pipe -pthread -iquote . -idirafter . -O3 -Wall -o a.out main.c lib/list.c old.cpp \
         -Wl,--as-needed -lm"
    );
    let argv = c.run_argv(only_toolchain(c), None, &strings(&["a b", "--flag", "$HOME", "{args}", ""]));
    assert_eq!(argv, ["/box/a.out", "a b", "--flag", "$HOME", "{args}", ""], "arguments arrive as they are");
}

#[test]
fn python_runs_the_entry() {
    let catalogue = Catalogue::builtin();
    let python = catalogue.language("python").unwrap();
    let toolchain = only_toolchain(python);
    let argv = python.run_argv(toolchain, Some("app/start.py"), &strings(&["-c", "x"]));
    assert_eq!(argv, ["/usr/bin/python3", "app/start.py", "-c", "x"]);
    assert_eq!(python.run_argv(toolchain, None, &[]), ["/usr/bin/python3", "main.py"]);
    assert_eq!(python.compile_argv(toolchain, &[], &[]), None);
    assert_eq!(python.compile_env(), []);
    assert_eq!(python.sources(&["a.py"]), Ok(vec![]));
    assert_eq!(python.steps().collect::<Vec<_>>(), [Step::Run]);
}

#[test]
fn a_file_is_never_taken_for_an_option() {
    let catalogue = Catalogue::builtin();
    let (c, python) = (catalogue.language("c").unwrap(), catalogue.language("python").unwrap());
    let argv = c.compile_argv(only_toolchain(c), &[], &["-wrapper.c", "@list.c", "a-b@c.c"]).unwrap();
    assert_eq!(argv[11..14], ["./-wrapper.c", "./@list.c", "a-b@c.c"]);
    assert_eq!(python.run_argv(only_toolchain(python), Some("-"), &[])[1], "./-");
    assert_eq!(python.run_argv(only_toolchain(python), Some("-c.py"), &[])[1], "./-c.py");
}

#[test]
fn the_entry_is_what_was_asked_for_else_the_usual_else_the_first() {
    let catalogue = Catalogue::builtin();
    let (c, python) = (catalogue.language("c").unwrap(), catalogue.language("python").unwrap());
    let files = ["helper.py", "main.py", "other.py"];
    assert_eq!(python.entry(Some("other.py"), &files), Ok(Some("other.py")));
    assert_eq!(python.entry(None, &files), Ok(Some("main.py")));
    assert_eq!(python.entry(None, &["helper.py", "x/main.py"]), Ok(Some("helper.py")));
    assert_eq!(c.entry(None, &["main.c"]), Ok(None));
    let told = |result: Result<Option<&str>, Unsuitable>| result.unwrap_err().to_string();
    assert_eq!(
        told(python.entry(Some("nope.py"), &files)),
        "the entry \"nope.py\" is not among the files; name the path of one of them"
    );
    assert_eq!(
        told(c.entry(Some("main.c"), &["main.c"])),
        "C has no entry: all source files make one program; leave `entry` out"
    );
    assert_eq!(told(c.entry(None, &[])), "there are no files; send `source` or at least one file");
    assert_eq!(
        c.sources(&["readme.md"]).unwrap_err().to_string(),
        "none of the files is C source; name at least one of them with one of .c .cc .cpp .cxx"
    );
}

#[test]
fn the_callers_environment_reaches_the_run_and_not_the_compiler() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let shown = |env: Vec<(String, String)>| env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
    assert_eq!(shown(c.compile_env()), "HOME=/home/sandbox LANG=C.UTF-8 PATH=/usr/bin:/bin");
    assert_eq!(
        shown(c.run_env([("SEED", "1=2"), ("LANG", "C"), ("A", "")])),
        "A= ASAN_OPTIONS=detect_leaks=0 HOME=/home/sandbox LANG=C LOGNAME=sandbox PATH=/usr/bin:/bin SEED=1=2 USER=sandbox"
    );
    let python = catalogue.language("python").unwrap();
    assert_eq!(
        shown(python.run_env([])),
        "HOME=/home/sandbox LANG=C.UTF-8 LOGNAME=sandbox PATH=/usr/bin:/bin USER=sandbox"
    );
}

#[test]
fn aliases_name_the_same_language() {
    let catalogue = Catalogue::builtin();
    for (name, id) in [("python", "python"), ("python3", "python"), ("py", "python"), ("c", "c"), ("gcc", "c")] {
        assert_eq!(catalogue.language(name).map(|language| language.id.as_str()), Some(id));
    }
    for unknown in ["", "C", "Python", "python ", "perl"] {
        assert!(catalogue.language(unknown).is_none(), "{unknown:?}");
    }
}

#[test]
fn limits_come_from_the_caller_the_manifest_and_the_contract() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let run = c.limits(Step::Run).resolved(Step::Run);
    assert_eq!((run.cpu_time_ms, run.memory_bytes, run.stack_bytes), (5_000, 256 << 20, 256 << 20));
    let compile = c.limits(Step::Compile).resolved(Step::Compile);
    assert_eq!((compile.wall_time_ms, compile.processes, compile.output_bytes), (60_000, 256, 256 << 10));
    let asked = LimitSet { memory_bytes: Some(8 << 20), ..LimitSet::default() };
    let limits = c.limits(Step::Compile).overlaid(&asked).resolved(Step::Compile);
    let below = limits.first_below(&c.floors(Step::Compile)).unwrap();
    assert_eq!((below.limit, below.value, below.floor), (LimitName::MemoryBytes, 8 << 20, 32 << 20));
    let tiny = LimitSet { cpus_milli: Some(50), ..LimitSet::default() }.resolved(Step::Run);
    assert_eq!(tiny.first_below(&c.floors(Step::Run)).unwrap().limit, LimitName::Cpus, "these hold for every language");
    for language in catalogue.languages() {
        for step in language.steps() {
            let defaults = language.limits(step).resolved(step);
            assert_eq!(defaults.first_below(&language.floors(step)), None);
        }
    }
}
