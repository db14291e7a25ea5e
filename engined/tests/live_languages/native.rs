//! C and C++: standards, optimisation, threads, libm; and of every compiler that its words are about the caller's files.

use serde_json::{Value, json};

use crate::common::live::{Up, live};
use crate::{files, said, stderr};

#[test]
fn defaults_are_those_that_people_expect() {
    if !live() {
        return;
    }
    let up = Up::start();
    let run = |language: &str, flags: &[&str], source: &str| {
        said(&up, &json!({"language": language, "source": source, "compile_flags": flags}))
    };
    let c = "#include <stdio.h>\nint main(void) {\n#ifdef __STRICT_ANSI__\n#error strict\n#endif\n\
        printf(\"%ld %d\\n\", __STDC_VERSION__, __OPTIMIZE__); typeof(1) x = ({ 0; }); return x; }\n";
    assert_eq!(run("c", &[], c), "201710 1\n", "GNU C17, optimised");
    let plain = "#include <stdio.h>\nint main(void) { printf(\"%ld %d\\n\", __STDC_VERSION__, __STRICT_ANSI__); }\n";
    assert_eq!(run("c", &["-std=c11"], plain), "201112 1\n", "the caller's standard goes last");
    let cpp = "#include <cstdio>\nint main() {\n#ifdef __STRICT_ANSI__\n#error strict\n#endif\n\
        std::printf(\"%ld %d\\n\", __cplusplus, __OPTIMIZE__); }\n";
    assert_eq!(run("cpp", &[], cpp), "201703 1\n", "GNU C++17, optimised");
    assert_eq!(run("cpp", &["-std=gnu++20"], cpp), "202002 1\n");
    let unoptimised = "#include <cstdio>\nint main() {\n#ifndef __OPTIMIZE__\nstd::puts(\"-O0\");\n#endif\n}\n";
    assert_eq!(run("cpp", &["-O0"], unoptimised), "-O0\n");

    let maths = "#include <stdio.h>\n#include <stdlib.h>\n#include <math.h>\n\
        int main(int argc, char **argv) { printf(\"%.3f\\n\", cbrt(argc + 25) + erf(atof(argv[1]))); }\n";
    assert_eq!(said(&up, &json!({"language": "c", "source": maths, "args": ["0"]})), "3.000\n", "-lm");
    let threads = "#include <pthread.h>\n#include <stdio.h>\nstatic long n; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n\
        static void *add(void *x) { for (int i = 0; i < 1000; i++) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); } return x; }\n\
        int main(void) { pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, add, 0);\n\
        for (int i = 0; i < 8; i++) pthread_join(t[i], 0); printf(\"%ld\\n\", n); }\n";
    assert_eq!(run("c", &[], threads), "8000\n");
    let threads = "#include <iostream>\n#include <thread>\n#include <atomic>\n#include <vector>\n\
        int main() { std::atomic<int> n{0}; std::vector<std::thread> all; for (int i = 0; i < 8; i++) all.emplace_back([&] { n += i; });\n\
        for (auto &t : all) t.join(); std::cout << n << '\\n'; }\n";
    assert_eq!(run("cpp", &[], &threads.replace("[&]", "[&, i]")), "28\n");
    let teams = "#include <omp.h>\n#include <stdio.h>\nint main(void) { printf(\"%d\\n\", omp_get_max_threads()); }\n";
    for (cpus, wanted) in [(1.0, "1\n"), (2.0, "2\n")] {
        let request =
            json!({"language": "c", "source": teams, "compile_flags": ["-fopenmp"], "limits": {"cpus": cpus}});
        assert_eq!(said(&up, &request), wanted);
    }
    up.stop();
}

#[test]
fn sources_from_any_editor_and_none_at_all() {
    if !live() {
        return;
    }
    let up = Up::start();
    for (language, source) in [
        (
            "c",
            "#include <stdio.h>\n#define TWICE(x) \\\n  (x) * 2\nint main(void) {\n  // Grüße\n  printf(\"%d\\n\", TWICE(21));\n}\n",
        ),
        (
            "cpp",
            "#include <iostream>\n#define TWICE(x) \\\n  (x) * 2\nint main() {\n  std::cout << TWICE(21) << '\\n';\n}\n",
        ),
        (
            "java",
            "public class Answer {\n  public static void main(String[] args) {\n    System.out.println(6 * 7);\n  }\n}\n",
        ),
        ("javascript", "const text = `4\n2`;\nconsole.log(text.replace(/\\s/, ''));\n"),
        ("python", "text = '''4\n2'''\nif True:\n    print(text.replace('\\n', ''))\n"),
    ] {
        let windows = format!("\u{feff}{}", source.replace('\n', "\r\n"));
        assert_eq!(said(&up, &json!({"language": language, "source": windows})), "42\n", "{language}");
        let old_mac_ending = source.trim_end();
        assert_eq!(
            said(&up, &json!({"language": language, "source": old_mac_ending})),
            "42\n",
            "{language}, no last line"
        );
    }
    // Nothing, a mark of nothing, blank lines: the program's own mistake or a program that does nothing, never ours.
    for (language, verdict) in [
        ("c", "compile_error"),
        ("cpp", "compile_error"),
        ("java", "runtime_error"),
        ("javascript", "ok"),
        ("python", "ok"),
    ] {
        for empty in ["", "\u{feff}", "\r\n\r\n \t\n"] {
            let result = up.run(&json!({"language": language, "source": empty}));
            let got = result["verdict"].as_str().unwrap();
            assert!(got == verdict || (language == "java" && got == "compile_error"), "{language} {empty:?}: {result}");
        }
        let reply = up.call("POST", "/v1/executions", &json!({"language": language, "files": []})).unwrap();
        assert_eq!(reply.status, 400, "{language}: {}", reply.text());
    }
    up.stop();
}

/// What must not stand in a compiler's message: where we put files, and what we call things.
const OURS: [&str; 6] = ["/box", "_classes", "/home/sandbox", "/proc/", "/dev/", "/run/"];

fn messages(up: &Up, request: &Value) -> String {
    let result = up.run(request);
    assert_eq!(result["verdict"], "compile_error", "{result}");
    let messages = stderr(&result["compile"]).to_owned();
    assert!(OURS.iter().all(|ours| !messages.contains(ours)), "{messages}");
    messages
}

#[test]
fn compilers_speak_of_the_callers_files() {
    if !live() {
        return;
    }
    let up = Up::start();
    for (language, source, names) in [
        ("c", "int main(void) {\n  return nothing;\n}\n", "main.c:2:10: error: "),
        ("c", "#include \"absent.h\"\nint main(void) {}\n", "main.c:1:10: fatal error: absent.h"),
        ("cpp", "int main() {\n  return nothing;\n}\n", "main.cpp:2:10: error: "),
        ("java", "public class Ünï {\n  int x = nothing;\n}\n", "Ünï.java:2: error: cannot find symbol"),
        ("java", "class A { int x = \"\"; }\n", "Main.java:1: error: incompatible types"),
    ] {
        let said = messages(&up, &json!({"language": language, "source": source}));
        assert!(said.contains(names), "{language}: {said}");
    }
    let bad_header = "// Of the caller, too.\nstatic int bad(void) { return nothing; }\n";
    for (language, suffix) in [("c", "c"), ("cpp", "cc")] {
        let (app, part) = (format!("src/app.{suffix}"), format!("src/deep er/part.{suffix}"));
        let request = json!({"language": language, "files": files(&[
            (&app, "#include \"include/bad.h\"\nint part(void);\nint main(void) { return part() + bad(); }\n"),
            (&part, "int part(void) {\n  return missing;\n}\n"),
            ("include/bad.h", bad_header),
        ])});
        let said = messages(&up, &request);
        for wanted in [
            "include/bad.h:2:31: error: ",
            &format!("In file included from {app}:1:"),
            &format!("{part}:2:10: error: "),
        ] {
            assert!(said.contains(wanted), "{wanted} in {said}");
        }
        // What the linker lacks is told with the file that wants it.
        let request = json!({"language": language, "files": files(&[
            (&app, "int part(void);\nint main(void) { return part(); }\n"), ("include/bad.h", bad_header),
        ])});
        let said = messages(&up, &request);
        assert!(said.contains(&format!("app.{suffix}:")) && said.contains("undefined reference to `part"), "{said}");
    }
    let request = json!({"language": "java", "files": files(&[
        ("src/com/acme/App.java", "package com.acme;\npublic class App { public static void main(String[] a) { new Part().go(1); } }\n"),
        ("src/com/acme/Part.java", "package com.acme;\nclass Part {\n  void go() { return 1; }\n}\n"),
    ])});
    let said = messages(&up, &request);
    for wanted in ["src/com/acme/App.java:2: error: method go", "src/com/acme/Part.java:3: error: incompatible types"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    // Warnings of what compiles are passed on as well.
    let result = up.run(
        &json!({"language": "c", "source": "int main(void) { int unused; return 0; }", "compile_flags": ["-Wall"]}),
    );
    assert_eq!(result["verdict"], "ok", "{result}");
    assert!(stderr(&result["compile"]).starts_with("main.c: In function"), "{result}");
    up.stop();
}
