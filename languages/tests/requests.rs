//! From requests to arguments, environments, flags and limits, by the built-in manifests.

use std::collections::BTreeMap;

use languages::{
    Catalogue, Definition, Environment, Files, Layout, LimitName, LimitSet, Mount, Setting, Step, Toolchain, Unsuitable,
};

/// The limits of a step as the manifest has them.
fn limits(language: &Definition, step: Step) -> languages::Limits {
    language.limits(step).resolved(step)
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

/// Files without content.
fn several<'a>(paths: &[&'a str]) -> Files<'a> {
    Files::Several(paths.iter().map(|&path| (path, &b""[..])).collect())
}

fn compile_argv(language: &Definition, flags: &[&str], sources: &[&str]) -> Vec<String> {
    let setting = Setting { toolchain: &language.toolchains[0], limits: &limits(language, Step::Compile), tuned: None };
    language.compile_argv(setting, &strings(flags), &strings(sources)).expect("it has a compile step")
}

fn run_argv(language: &Definition, entry: Option<&str>, args: &[&str]) -> Vec<String> {
    let setting = Setting { toolchain: &language.toolchains[0], limits: &limits(language, Step::Run), tuned: None };
    language.run_argv(setting, entry, &strings(args))
}

#[test]
fn c_compiles_every_source_and_runs_the_artifact() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let files = ["util.h", "main.c", "lib/list.c", "notes.txt", "old.cpp", ".c", "lib/.c", "x.C", "main.c.bak"];
    let sources = c.layout(&several(&files), None).unwrap().sources;
    assert_eq!(sources, ["main.c", "lib/list.c", "old.cpp"]);
    let argv = compile_argv(c, &["-O3", "-Wall"], &["main.c", "lib/list.c", "old.cpp"]);
    assert_eq!(
        argv.join(" "),
        "/usr/bin/gcc -O2 -std=gnu17 -pipe -pthread -iquote . -idirafter . -O3 -Wall -o a.out main.c lib/list.c old.cpp \
         -Wl,--as-needed -lm"
    );
    let argv = run_argv(c, None, &["a b", "--flag", "$HOME", "{args}", ""]);
    assert_eq!(argv, ["/box/a.out", "a b", "--flag", "$HOME", "{args}", ""], "arguments arrive as they are");
}

#[test]
fn python_runs_the_entry() {
    let catalogue = Catalogue::builtin();
    let python = catalogue.language("python").unwrap();
    let argv = run_argv(python, Some("app/start.py"), &["-c", "x"]);
    assert_eq!(argv, ["/usr/bin/python3", "app/start.py", "-c", "x"]);
    assert_eq!(run_argv(python, None, &[]), ["/usr/bin/python3", "main.py"]);
    let setting = Setting { toolchain: &python.toolchains[0], limits: &limits(python, Step::Run), tuned: None };
    assert_eq!(python.compile_argv(setting, &[], &[]), None);
    assert_eq!(python.compile_env(setting), BTreeMap::new());
    assert_eq!(python.layout(&several(&["a.py"]), None).unwrap().sources, Vec::<String>::new());
    assert_eq!(python.steps().collect::<Vec<_>>(), [Step::Run]);
}

#[test]
fn a_file_is_never_taken_for_an_option() {
    let catalogue = Catalogue::builtin();
    let (c, python) = (catalogue.language("c").unwrap(), catalogue.language("python").unwrap());
    let argv = compile_argv(c, &[], &["-wrapper.c", "@list.c", "a-b@c.c"]);
    assert_eq!(argv[11..14], ["./-wrapper.c", "./@list.c", "a-b@c.c"]);
    assert_eq!(run_argv(python, Some("-"), &[])[1], "./-");
    assert_eq!(run_argv(python, Some("-c.py"), &[])[1], "./-c.py");
}

#[test]
fn the_entry_is_what_was_asked_for_else_the_usual_else_the_first() {
    let catalogue = Catalogue::builtin();
    let (c, python) = (catalogue.language("c").unwrap(), catalogue.language("python").unwrap());
    let files = ["helper.py", "main.py", "other.py"];
    let entry = |language: &Definition, asked: Option<&str>, files: &[&str]| {
        language.layout(&several(files), asked).map(|layout| layout.entry.unwrap_or_default())
    };
    assert_eq!(entry(python, Some("other.py"), &files).as_deref(), Ok("other.py"));
    assert_eq!(entry(python, None, &files).as_deref(), Ok("main.py"));
    assert_eq!(entry(python, None, &["helper.py", "x/main.py"]).as_deref(), Ok("helper.py"));
    assert_eq!(entry(c, None, &["main.c"]).as_deref(), Ok(""));
    let told = |result: Result<String, Unsuitable>| result.unwrap_err().to_string();
    assert_eq!(
        told(entry(python, Some("nope.py"), &files)),
        "the entry \"nope.py\" is not among the files; name the path of one of them"
    );
    assert_eq!(
        told(entry(c, Some("main.c"), &["main.c"])),
        "C has no entry: all source files make one program; leave `entry` out"
    );
    assert_eq!(told(entry(c, None, &[])), "there are no files; send `source` or at least one file");
    assert_eq!(
        told(entry(c, None, &["readme.md"])),
        "none of the files is C source; name at least one of them with one of .c .cc .cpp .cxx"
    );
}

const MAIN: &str = "{ public static void main(String[] args) { } }";

/// `main file | sources | entry`, or what is wrong.
fn java(files: &Files<'_>, entry: Option<&str>) -> String {
    let catalogue = Catalogue::builtin();
    match catalogue.language("java").expect("built in").layout(files, entry) {
        Ok(Layout { main_file, sources, entry }) => {
            format!("{main_file} | {} | {}", sources.join(" "), entry.unwrap_or_default())
        }
        Err(why) => why.to_string(),
    }
}

#[test]
fn one_java_source_is_named_after_its_public_class() {
    let one = |source: &str, entry: Option<&str>| java(&Files::One(source.as_bytes()), entry);
    assert_eq!(one(&format!("class Main {MAIN}"), None), "Main.java | Main.java | Main");
    assert_eq!(
        one(&format!("class A {{}} public class Solution {MAIN}"), None),
        "Solution.java | Solution.java | Solution"
    );
    assert_eq!(one(&format!("package a.b; public class X {MAIN}"), None), "X.java | X.java | a.b.X");
    assert_eq!(one(&format!("public class A {{}} class Runner {MAIN}"), None), "A.java | A.java | Runner");
    assert_eq!(one(&format!("class B {MAIN} class A {MAIN}"), None), "Main.java | Main.java | B");
    assert_eq!(one(&format!("class B {MAIN} public class A {MAIN}"), None), "A.java | A.java | A");
    assert_eq!(one(&format!("class B {MAIN} class A {MAIN}"), Some("A")), "Main.java | Main.java | A");
    assert_eq!(one("void main() { }", None), "Main.java | Main.java | Main");
    assert_eq!(one("class A { void main() { } }", None), "Main.java | Main.java | A");
    assert_eq!(one("public class A { }", None), "A.java | A.java | A", "the launcher says what is missing");
    assert_eq!(one("", None), "Main.java | Main.java | Main");
}

#[test]
fn of_several_java_files_the_one_with_a_main_is_run() {
    let (app, util) = (format!("package com.acme; public class App {MAIN}"), "package com.acme; class Util { }");
    let other = format!("class Other {MAIN}");
    let files = |list: &[(&'static str, &str)], entry: Option<&str>| {
        java(&Files::Several(list.iter().map(|(path, text)| (*path, text.as_bytes())).collect()), entry)
    };
    let two = [("com/acme/Util.java", util), ("com/acme/App.java", app.as_str()), ("data.txt", "class X")];
    let rest = "Main.java | com/acme/Util.java com/acme/App.java";
    assert_eq!(files(&two, None), format!("{rest} | com.acme.App"));
    assert_eq!(files(&two, Some("com/acme/App.java")), format!("{rest} | com.acme.App"));
    assert_eq!(files(&two, Some("com.acme.Util")), format!("{rest} | com.acme.Util"));
    assert_eq!(files(&two, Some("com/acme/Util.java")), format!("{rest} | com.acme.Util"));
    assert_eq!(files(&two, Some("com.acme.App$Inner")), format!("{rest} | com.acme.App$Inner"));
    for bad in ["-version", "@x", "data.txt", "nope/App.java", "Nope.java", ""] {
        assert!(files(&two, Some(bad)).contains("is neither one of the source files nor the name of a class"), "{bad}");
    }
    let three = [two[1], ("Other.java", other.as_str())];
    assert_eq!(files(&three, None), "several classes have a main: com.acme.App, Other; name one of them in `entry`");
    let main = format!("class Main {MAIN}");
    assert_eq!(files(&[three[1], ("Main.java", &main)], None), "Main.java | Other.java Main.java | Main");
}

#[test]
fn the_callers_environment_reaches_the_run_and_not_the_compiler() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let shown =
        |env: BTreeMap<String, String>| env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
    let (compile, run) = (limits(c, Step::Compile), limits(c, Step::Run));
    let of = |limits| Setting { toolchain: &c.toolchains[0], limits, tuned: None };
    assert_eq!(shown(c.compile_env(of(&compile))), "HOME=/home/sandbox LANG=C.UTF-8 PATH=/usr/bin:/bin");
    assert_eq!(
        shown(c.run_env(of(&run), [("SEED", "1=2"), ("LANG", "C"), ("A", "")])),
        "A= ASAN_OPTIONS=detect_leaks=0 HOME=/home/sandbox LANG=C LOGNAME=sandbox OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
         PATH=/usr/bin:/bin SEED=1=2 USER=sandbox"
    );
    let python = catalogue.language("python").unwrap();
    let wide = LimitSet { cpus_milli: Some(2_500), ..LimitSet::default() }.resolved(Step::Run);
    let env = python
        .run_env(Setting { toolchain: &python.toolchains[0], limits: &wide, tuned: None }, [("OMP_NUM_THREADS", "7")]);
    assert_eq!((env["OPENBLAS_NUM_THREADS"].as_str(), env["OMP_NUM_THREADS"].as_str()), ("3", "7"));
}

fn with_limits(language: &Definition, set: LimitSet) -> String {
    let limits = language.limits(Step::Run).overlaid(&set).resolved(Step::Run);
    let setting = Setting { toolchain: &language.toolchains[0], limits: &limits, tuned: None };
    language.run_argv(setting, None, &[])[1..].join(" ")
}

#[test]
fn heap_stack_and_collector_follow_from_the_limits() {
    let catalogue = Catalogue::builtin();
    let (java, javascript) = (catalogue.language("java").unwrap(), catalogue.language("javascript").unwrap());
    let rest = "-XX:-UsePerfData -XX:+DisplayVMOutputToStderr -Xlog:disable -Xlog:all=warning:stderr Main.java";
    let usual = with_limits(java, LimitSet::default());
    assert_eq!(usual, format!("-Xmx361m -Xss31457k -XX:+UseSerialGC -XX:ActiveProcessorCount=1 {rest}"));
    let large = LimitSet {
        memory_bytes: Some(4 << 30),
        cpus_milli: Some(3_500),
        stack_bytes: Some(4 << 30),
        ..LimitSet::default()
    };
    let large = with_limits(java, large);
    assert_eq!(large, format!("-Xmx3228m -Xss1048576k -XX:+UseParallelGC -XX:ActiveProcessorCount=4 {rest}"));
    let least = LimitSet { memory_bytes: Some(64 << 20), cpus_milli: Some(100), ..LimitSet::default() };
    let least = with_limits(java, least);
    assert_eq!(least, format!("-Xmx16m -Xss3932k -XX:+UseSerialGC -XX:ActiveProcessorCount=1 {rest}"));
    let usual = with_limits(javascript, LimitSet::default());
    assert_eq!(usual, "--max-old-space-size=334 --max-semi-space-size=16 main.js");
    let least = LimitSet { memory_bytes: Some(48 << 20), ..LimitSet::default() };
    assert_eq!(with_limits(javascript, least), "--max-old-space-size=16 --max-semi-space-size=1 main.js");
}

fn equipped(language: &Definition) -> Toolchain {
    let mount = Mount { path: "/opt/packages/one".into(), reason: "a test".to_owned() };
    Toolchain { environment: Some(Environment { mount, needs: Vec::new() }), ..language.toolchains[0].clone() }
}

#[test]
fn packages_are_found_where_the_environment_is() {
    let catalogue = Catalogue::builtin();
    let of = |name: &str| {
        let language = catalogue.language(name).unwrap();
        let (toolchain, limits) = (equipped(language), limits(language, Step::Run));
        let setting = Setting { toolchain: &toolchain, limits: &limits, tuned: None };
        let env = language.run_env(setting, []);
        (language.run_argv(setting, None, &[]), env, language.links(&toolchain), language.compile_env(setting))
    };
    let (argv, env, links, _) = of("python");
    assert_eq!(
        (argv[0].as_str(), env["VIRTUAL_ENV"].as_str(), links.len()),
        ("/opt/packages/one/bin/python3", "/opt/packages/one", 0)
    );
    assert_eq!(env["PATH"], "/opt/packages/one/bin:/usr/bin:/bin");
    let (argv, env, links, _) = of("javascript");
    assert_eq!((argv[0].as_str(), env["NODE_PATH"].as_str()), ("/usr/bin/node", "/opt/packages/one/node_modules"));
    assert_eq!(links, [("node_modules".to_owned(), "/opt/packages/one/node_modules".to_owned())]);
    let (_, env, _, compile) = of("java");
    assert_eq!(
        (env["CLASSPATH"].as_str(), compile["CLASSPATH"].as_str()),
        ("/box/_classes:/box:/opt/packages/one/*", ".:/opt/packages/one/*")
    );
    let plain = catalogue.language("javascript").unwrap();
    assert_eq!(plain.links(&plain.toolchains[0]), []);
}

#[test]
fn aliases_name_the_same_language() {
    let catalogue = Catalogue::builtin();
    for (name, id) in [
        ("python3", "python"),
        ("py", "python"),
        ("gcc", "c"),
        ("c++", "cpp"),
        ("node", "javascript"),
        ("java", "java"),
    ] {
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
    let run = limits(c, Step::Run);
    assert_eq!((run.cpu_time_ms, run.memory_bytes, run.stack_bytes), (5_000, 256 << 20, 256 << 20));
    let compile = limits(c, Step::Compile);
    assert_eq!((compile.wall_time_ms, compile.processes, compile.output_bytes), (60_000, 256, 256 << 10));
    for language in ["java", "javascript"] {
        assert_eq!(limits(catalogue.language(language).unwrap(), Step::Run).memory_bytes, 512 << 20, "{language}");
    }
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
