//! The built-in manifests against the toolchains of this machine, without a sandbox: honest programs only. A toolchain
//! that is not installed is skipped aloud.

mod common;

use std::fs;
use std::process::{Command, Output};

use common::Folder;
use languages::{Catalogue, Definition, Presence, Selector, Toolchain, newest, parse_version};

fn with(language: &str, test: impl FnOnce(&Definition, &Toolchain)) {
    let catalogue = Catalogue::builtin();
    let language = catalogue.language(language).expect("it is built in");
    for toolchain in &language.toolchains {
        if toolchain.installed() {
            return test(language, toolchain);
        }
        eprintln!("SKIPPED: {} is not installed ({})", toolchain.program.display(), toolchain.remedy());
    }
}

/// Runs a command of the manifest in `folder`, which takes the place of the work directory.
fn run(folder: &Folder, argv: &[String], env: Vec<(String, String)>) -> Output {
    let program = argv[0].replace("/box", &folder.path().to_string_lossy());
    Command::new(program)
        .args(&argv[1..])
        .env_clear()
        .envs(env)
        .current_dir(folder.path())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
}

#[test]
fn the_probes_find_a_version() {
    for language in ["c", "python"] {
        with(language, |_, toolchain| {
            let output = Command::new(&toolchain.program).args(&toolchain.probe.args).env_clear().output().unwrap();
            let version = parse_version(&toolchain.probe, &[output.stdout, output.stderr].concat()).unwrap();
            let major = Selector::parse(version.to_string().split('.').next().unwrap()).unwrap();
            assert_eq!(newest([(&version, ())], Some(&major)), Some((&version, ())));
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
        let sources = c.sources(&["main.c", "lib/sum.c", "lib/sum.h", "config.h"]).unwrap();
        let argv = c.compile_argv(gcc, &[], &sources).unwrap();
        let made = run(&folder, &argv, c.compile_env());
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(text(&made.stderr), "");
        let ran = run(&folder, &c.run_argv(gcc, None, &[]), c.run_env([]));
        assert_eq!(text(&ran.stdout), "103 3 4\n");
    });
}

#[test]
fn diagnostics_name_the_callers_files() {
    with("c", |c, gcc| {
        let folder = Folder::new();
        folder.write("src/main.c", "int main(void) { return x; }\n");
        let argv = c.compile_argv(gcc, &[], &["src/main.c"]).unwrap();
        let made = run(&folder, &argv, c.compile_env());
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
        let argv = c.compile_argv(gcc, &["-Wall".to_owned()], &["-o.c", "@list.c"]).unwrap();
        let made = run(&folder, &argv, c.compile_env());
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(run(&folder, &c.run_argv(gcc, None, &[]), c.run_env([])).status.code(), Some(7));
    });
}

#[test]
fn every_exact_flag_is_known_to_the_compiler() {
    with("c", |c, gcc| {
        let folder = Folder::new();
        folder.write("main.c", "int main(void) { return 0; }\n");
        for rule in &c.compile.as_ref().unwrap().flags {
            let languages::FlagPattern::Exact(flags) = &rule.flags else { continue };
            for flag in flags.iter().filter(|flag| !newer_than_gcc_12(flag)) {
                let mut argv = c.compile_argv(gcc, std::slice::from_ref(flag), &["main.c"]).unwrap();
                argv.push("-fsyntax-only".to_owned());
                let made = run(&folder, &argv, c.compile_env());
                assert!(made.status.success(), "{flag}: {}", text(&made.stderr));
            }
        }
    });
}

fn newer_than_gcc_12(flag: &str) -> bool {
    ["-std=c23", "-std=gnu23"].contains(&flag)
}

#[test]
fn a_python_program_sees_what_a_plain_call_shows() {
    with("python", |python, cpython| {
        let folder = Folder::new();
        folder.write("helper.py", "def fail():\n    raise ValueError('x')\n");
        folder.write("main.py", "import sys, helper\nprint(sys.argv, sys.path[0] == sys.argv[1], __name__, sys.stdout.encoding, sys.flags.utf8_mode)\nhelper.fail()\n");
        let root = fs::canonicalize(folder.path()).unwrap().to_string_lossy().into_owned();
        let argv = python.run_argv(cpython, Some("main.py"), std::slice::from_ref(&root));
        let ran = run(&folder, &argv, python.run_env([]));
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
    let mut gcc = catalogue.language("c").unwrap().toolchains[0].clone();
    gcc.program = "/usr/bin/gcc-of-another-machine".into();
    assert_eq!(gcc.presence(), Presence::Missing(gcc.program.clone()));
    assert_eq!(gcc.remedy(), "apt-get install gcc libc6-dev");
    gcc.program = "/usr/bin/env".into();
    gcc.needs = vec!["/usr/include/of-another-machine.h".into()];
    assert_eq!(gcc.presence(), Presence::Missing(gcc.needs[0].clone()));
    gcc.program = "/usr/bin".into();
    assert!(matches!(gcc.presence(), Presence::Unusable(why) if why.starts_with("/usr/bin is no regular file; ")));
    gcc.program = "/usr/share/doc".into();
    assert!(!gcc.installed());
}
