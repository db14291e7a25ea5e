//! The built-in manifests against the toolchains of this machine, without a sandbox: honest programs only. A toolchain
//! that is not installed is skipped aloud.

mod common;

use std::fs;
use std::process::{Command, Output};

use common::Folder;
use std::collections::BTreeMap;

use languages::{Catalogue, Definition, Files, Presence, Selector, Setting, Step, Toolchain, newest, parse_version};

fn with(language: &str, test: impl FnOnce(&Definition, &Toolchain)) {
    let catalogue = Catalogue::builtin();
    let language = catalogue.language(language).expect("it is built in");
    for toolchain in &language.toolchains {
        if language.installed(toolchain) {
            return test(language, toolchain);
        }
        eprintln!("SKIPPED: {} is not installed ({})", toolchain.program.display(), toolchain.remedy());
    }
}

/// Runs a command of the manifest in `folder`, which takes the place of the work directory.
fn run(folder: &Folder, argv: &[String], env: BTreeMap<String, String>) -> Output {
    let program = argv[0].replace("/box", &folder.path().to_string_lossy());
    Command::new(program)
        .args(&argv[1..])
        .env_clear()
        .envs(env)
        .current_dir(folder.path())
        .output()
        .expect("the program starts")
}

/// The limits of a step as the manifest has them.
fn limits(language: &Definition, step: Step) -> languages::Limits {
    language.limits(step).resolved(step)
}

/// Compiles in `folder` with the manifest's own limits.
fn compile(
    folder: &Folder,
    language: &Definition,
    toolchain: &Toolchain,
    flags: &[String],
    sources: &[&str],
) -> Output {
    let limits = limits(language, Step::Compile);
    let setting = Setting { toolchain, limits: &limits, tuned: None };
    let sources: Vec<String> = sources.iter().map(|&file| file.to_owned()).collect();
    let argv = language.compile_argv(setting, flags, &sources).expect("it has a compile step");
    run(folder, &argv, language.compile_env(setting))
}

/// Runs what was compiled, or `entry`.
fn start(
    folder: &Folder,
    language: &Definition,
    toolchain: &Toolchain,
    entry: Option<&str>,
    args: &[String],
) -> Output {
    let limits = limits(language, Step::Run);
    let setting = Setting { toolchain, limits: &limits, tuned: None };
    let env = language.run_env(setting, []).into_iter();
    let root = folder.path().to_string_lossy().into_owned();
    let env = env.map(|(name, value)| (name, value.replace("/box", &root))).collect();
    run(folder, &language.run_argv(setting, entry, args), env)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
}

#[test]
fn the_probes_find_a_version() {
    for language in ["c", "cpp", "java", "javascript", "python"] {
        with(language, |language, toolchain| {
            let argv = language.probe_argv(toolchain);
            let output = Command::new(&argv[0]).args(&argv[1..]).env_clear().output().unwrap();
            let version = parse_version(&toolchain.probe, &[output.stdout, output.stderr].concat()).unwrap();
            let major = Selector::parse(version.to_string().split('.').next().unwrap()).unwrap();
            assert_eq!(newest([(&version, toolchain, ())], Some(&major)), Some((&version, ())));
        });
    }
}

#[test]
fn what_is_installed_has_its_profiles() {
    let catalogue = Catalogue::builtin();
    let names: Vec<String> = catalogue.profiles().map(|profile| profile.name).collect();
    with("c", |_, _| assert!(names.contains(&"c/gcc/compile".to_owned()) && names.contains(&"c/gcc/run".to_owned())));
    with("python", |_, _| assert!(names.contains(&"python/cpython/run".to_owned())));
    assert!(!names.contains(&"python/cpython/compile".to_owned()));
    for profile in catalogue.profiles() {
        assert!(profile.name.len() <= 64 && profile.syscalls.is_empty() && profile.mounts.is_empty());
        assert!(profile.etc.contains(&"alternatives".to_owned()));
    }
}

#[test]
fn headers_are_found_from_the_root_and_never_shadow_the_systems() {
    with("c", |c, gcc| {
        let folder = Folder::new();
        folder.write("main.c", "#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n#include <stdio.h>\n#include \"lib/sum.h\"\nint main(int n, char **v) { printf(\"%d %zu %.0f\\n\", sum(n, 2), strlen(v[0] ? \"abc\" : \"\"), sqrt(n + 15)); }\n");
        folder.write(
            "lib/sum.c",
            "#include \"lib/sum.h\"\n#include <config.h>\nint sum(int a, int b) { return a + b + OFFSET; }\n",
        );
        folder.write("lib/sum.h", "int sum(int a, int b);\n");
        folder.write("config.h", "#define OFFSET 100\n");
        // A caller may call a header of its own like one of the system's.
        folder.write("string.h", "int of_mine;\n");
        folder.write("features.h", "#error not meant for the system's own headers\n");
        let files = ["main.c", "lib/sum.c", "lib/sum.h", "config.h"].map(|path| (path, &b""[..]));
        let layout = c.layout(&Files::Several(files.into()), None).unwrap();
        let sources: Vec<&str> = layout.sources.iter().map(String::as_str).collect();
        let made = compile(&folder, c, gcc, &[], &sources);
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(text(&made.stderr), "");
        let ran = start(&folder, c, gcc, None, &[]);
        assert_eq!(text(&ran.stdout), "103 3 4\n");
    });
}

#[test]
fn diagnostics_name_the_callers_files() {
    with("c", |c, gcc| {
        let folder = Folder::new();
        folder.write("src/main.c", "int main(void) { return x; }\n");
        let made = compile(&folder, c, gcc, &[], &["src/main.c"]);
        assert_eq!(made.status.code(), Some(1));
        assert!(text(&made.stderr).contains("src/main.c:1:25: error: ‘x’ undeclared"), "{}", text(&made.stderr));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the sources");
    });
}

#[test]
fn file_names_that_look_like_options_are_compiled() {
    with("c", |c, gcc| {
        let folder = Folder::new();
        folder.write("-o.c", "int f(void);\nint main(void) { return f(); }\n");
        folder.write("@list.c", "int f(void) { return 7; }\n");
        let made = compile(&folder, c, gcc, &["-Wall".to_owned()], &["-o.c", "@list.c"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(start(&folder, c, gcc, None, &[]).status.code(), Some(7));
    });
}

#[test]
fn every_exact_flag_is_known_to_the_compiler() {
    let programs = [
        ("c", "main.c", "int main(void) { return 0; }\n"),
        ("cpp", "main.cpp", "int main() { return 0; }\n"),
        ("java", "Main.java", "class Main { }\n"),
    ];
    for (language, file, source) in programs {
        with(language, |language, toolchain| {
            let folder = Folder::new();
            folder.write(file, source);
            for rule in &language.compile.as_ref().unwrap().flags {
                let languages::FlagPattern::Exact(flags) = &rule.flags else { continue };
                for flag in flags.iter().filter(|flag| !of_newer_compilers(flag)) {
                    let made = compile(&folder, language, toolchain, std::slice::from_ref(flag), &[file]);
                    assert!(made.status.success(), "{flag}: {}", text(&made.stderr));
                }
            }
        });
    }
}

/// Of gcc after 12, of javac after 17.
fn of_newer_compilers(flag: &str) -> bool {
    let newer = ["-std=c23", "-std=gnu23", "-std=c++26", "-std=c++2c", "-std=gnu++26", "-std=gnu++2c"];
    newer.contains(&flag) || ["--release=21", "--release=25"].contains(&flag)
}

#[test]
fn java_finds_its_class_its_resources_and_its_packages() {
    let catalogue = Catalogue::builtin();
    let java = catalogue.language("java").unwrap();
    for toolchain in java.toolchains.iter().filter(|toolchain| java.installed(toolchain)) {
        let folder = Folder::new();
        let app = "package com.acme;\nimport lib.Greeter;\npublic class App { public static void main(String[] a) throws Exception {\n  System.out.print(Greeter.hello() + new String(App.class.getResourceAsStream(\"/data/x.txt\").readAllBytes()) + a[0]);\n  throw new IllegalStateException(\"über\"); } }\n";
        let greeter = "package lib;\npublic class Greeter { public static String hello() { return \"grüß \"; } }\n";
        for (path, content) in [("src/App.java", app), ("lib/Greeter.java", greeter), ("data/x.txt", "gott ")] {
            folder.write(path, content);
        }
        let files = Files::Several(vec![
            ("src/App.java", app.as_bytes()),
            ("lib/Greeter.java", greeter.as_bytes()),
            ("data/x.txt", b""),
        ]);
        let layout = java.layout(&files, None).unwrap();
        let sources: Vec<&str> = layout.sources.iter().map(String::as_str).collect();
        let made = compile(&folder, java, toolchain, &[], &sources);
        assert!(made.status.success() && made.stderr.is_empty(), "{}: {}", toolchain.id, text(&made.stderr));
        let ran = start(&folder, java, toolchain, layout.entry.as_deref(), &["!".to_owned()]);
        assert_eq!((text(&ran.stdout).as_str(), ran.status.code()), ("grüß gott !", Some(1)), "{}", toolchain.id);
        let told = text(&ran.stderr);
        assert!(
            told.contains("IllegalStateException: über") && told.contains("at com.acme.App.main(App.java:5)"),
            "{told}"
        );
    }
}

#[test]
fn a_python_program_sees_what_a_plain_call_shows() {
    with("python", |python, cpython| {
        let folder = Folder::new();
        folder.write("helper.py", "def fail():\n    raise ValueError('x')\n");
        folder.write("main.py", "import sys, helper\nprint(sys.argv, sys.path[0] == sys.argv[1], __name__, sys.stdout.encoding, sys.flags.utf8_mode)\nhelper.fail()\n");
        let root = fs::canonicalize(folder.path()).unwrap().to_string_lossy().into_owned();
        let ran = start(&folder, python, cpython, Some("main.py"), std::slice::from_ref(&root));
        assert_eq!(text(&ran.stdout), format!("['main.py', '{root}'] True __main__ utf-8 0\n"));
        let told = text(&ran.stderr);
        assert!(told.contains(&format!("File \"{root}/main.py\", line 3, in <module>")), "{told}");
        assert!(told.contains(&format!("File \"{root}/helper.py\", line 2, in fail")), "{told}");
        let mut plain = Command::new("/usr/bin/python3");
        plain.args(["main.py", &root]).env_clear().env("LANG", "C.UTF-8");
        assert_eq!(plain.current_dir(folder.path()).output().unwrap(), ran);
    });
}

#[test]
fn a_missing_toolchain_is_named_with_its_package() {
    let catalogue = Catalogue::builtin();
    let c = catalogue.language("c").unwrap();
    let mut gcc = c.toolchains[0].clone();
    gcc.program = "/usr/bin/gcc-of-another-machine".into();
    assert_eq!(c.presence(&gcc), Presence::Missing(gcc.program.clone()));
    assert_eq!(gcc.remedy(), "apt-get install gcc libc6-dev");
    gcc.program = "/usr/bin/env".into();
    gcc.run_program = Some("/usr/bin/java-of-another-machine".into());
    assert_eq!(c.presence(&gcc), Presence::Missing("/usr/bin/java-of-another-machine".into()));
    gcc.run_program = None;
    gcc.needs = vec!["/usr/include/of-another-machine.h".into()];
    assert_eq!(c.presence(&gcc), Presence::Missing(gcc.needs[0].clone()));
    gcc.program = "/usr/bin".into();
    assert!(matches!(c.presence(&gcc), Presence::Unusable(why) if why.starts_with("/usr/bin is no regular file; ")));
    gcc.program = "/usr/share/doc".into();
    assert!(!c.installed(&gcc));
}

#[test]
fn an_environment_that_lacks_something_says_what() {
    let catalogue = Catalogue::builtin();
    let javascript = catalogue.language("javascript").unwrap();
    let folder = Folder::new();
    let mut node = javascript.toolchains[0].clone();
    (node.program, node.needs) = ("/usr/bin/env".into(), Vec::new());
    let mount = languages::Mount { path: folder.path().to_owned(), reason: "a test".to_owned() };
    node.environment = Some(languages::Environment { mount, needs: vec!["node_modules/left-pad".to_owned()] });
    let told = |presence: Presence| match presence {
        Presence::Unusable(why) => why.replace(&*folder.path().to_string_lossy(), "…"),
        other => format!("{other:?}"),
    };
    let rest = "install it there, or correct `needs` in its manifest";
    assert_eq!(told(javascript.presence(&node)), format!("the environment of node lacks …/node_modules; {rest}"));
    folder.write("node_modules/x.js", "");
    assert_eq!(
        told(javascript.presence(&node)),
        format!("the environment of node lacks …/node_modules/left-pad; {rest}")
    );
    folder.write("node_modules/left-pad/index.js", "");
    assert!(javascript.installed(&node));
}
