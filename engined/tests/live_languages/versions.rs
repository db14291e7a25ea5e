//! Every version that is installed is offered, told by its own program, and had by each of its names.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::live::{Up, live};
use crate::common::opt::Opt;
use crate::{said, skip};

/// A program that tells the version of what it is run by, or was compiled by.
fn teller(language: &str) -> &'static str {
    const C: &str = "#include <stdio.h>\n#ifdef __clang__\n\
        int main(void) { printf(\"%d.%d.%d\", __clang_major__, __clang_minor__, __clang_patchlevel__); }\n#else\n\
        int main(void) { printf(\"%d.%d.%d\", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__); }\n#endif\n";
    match language {
        "python" => "import platform; print(platform.python_version(), end='')",
        "javascript" => "process.stdout.write(process.versions.node)",
        "java" => {
            "class Tell { public static void main(String[] a) { System.out.print(System.getProperty(\"java.version\")); } }"
        }
        _ => C,
    }
}

/// The id of a toolchain without the version at its end.
fn family(toolchain: &str) -> &str {
    let numeric = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    toolchain.rsplit_once('-').filter(|(_, rest)| numeric(rest)).map_or(toolchain, |(family, _)| family)
}

/// Whether `version` begins with the numbers of `wanted`.
fn begins(version: &str, wanted: &str) -> bool {
    version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn language_of(up: &Up, request: &Value) -> Value {
    let reply = up.call("POST", "/v1/executions?validate=true", request).unwrap();
    assert_eq!(reply.status, 200, "{request}: {}", reply.text());
    reply.json()["language"].clone()
}

#[test]
fn every_version_is_had_by_each_of_its_names() {
    if !live() {
        return;
    }
    let up = Up::start();
    for language in ["c", "cpp", "java", "javascript", "python"] {
        let offered = up.offered(language);
        assert!(!offered.is_empty(), "{language} is not installed");
        // What comes first in the list is what a selector gets that matches several.
        let first = |matches: &dyn Fn(&str, &str) -> bool| {
            let found = offered.iter().find(|[version, toolchain, _]| matches(version, toolchain)).unwrap();
            json!({"id": language, "version": found[0], "toolchain": found[1]})
        };
        let asked = |version: &str| json!({"language": language, "version": version, "source": teller(language)});
        let no_version = json!({"language": language, "source": teller(language)});
        assert_eq!(language_of(&up, &no_version), first(&|_, _| true));
        for [version, toolchain, digest] in &offered {
            assert!(digest.starts_with("sha256:"), "{digest}");
            let major = version.split('.').next().unwrap();
            let make = family(toolchain);
            for (selector, wanted) in [
                (version.clone(), first(&|v, _| v == version)),
                (major.to_owned(), first(&|v, _| begins(v, major))),
                (make.to_owned(), first(&|_, t| family(t) == make)),
                (format!("{make}-{major}"), first(&|v, t| family(t) == make && begins(v, major))),
                (format!("{make}-{version}"), first(&|v, t| family(t) == make && v == version)),
            ] {
                assert_eq!(language_of(&up, &asked(&selector)), wanted, "{language} {selector}");
            }
            let by_id = language_of(&up, &asked(toolchain));
            assert_eq!(family(by_id["toolchain"].as_str().unwrap()), make, "{language} {toolchain}");
            // And it is the very one that runs.
            let result = up.run(&asked(&format!("{make}-{version}")));
            assert_eq!(result["verdict"], "ok", "{result}");
            assert_eq!(result["language"]["version"], *version);
            assert_eq!(result["run"]["stdout"]["text"], *version, "{language} {toolchain}");
        }
        for nothing in ["99", "99.1", "nosuch", "nosuch-17", "latest", "3.", "17 ", "Ä", "1.2.3.4.5.6.7"] {
            let problem = up.call("POST", "/v1/executions", &asked(nothing)).unwrap().problem(422, "unknown_version");
            assert_eq!(problem["field"], "/version", "{problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(nothing), "{detail}");
            assert!(offered.iter().all(|[version, ..]| detail.contains(version.as_str())), "{detail}");
        }
    }
    up.stop();
}

/// A Python that says it is another version.
pub fn python(opt: &Opt, folder: &str, version: &str) {
    let script =
        format!("#!/bin/sh\n[ \"$1\" = -V ] && {{ echo Python {version}; exit; }}\nexec /usr/bin/python3 \"$@\"\n");
    opt.file(&format!("{folder}/bin/python3"), &script, 0o755);
}

/// The manifest of [`python`].
pub fn python_manifest(folder: &str, id: &str) -> String {
    format!(
        "add_to = \"python\"\n[[toolchain]]\nid = \"{id}\"\nprogram = \"OPT/{folder}/bin/python3\"\npackage = \"python3\"\n\
         probe = {{ args = [\"-V\"], prefix = \"Python \" }}\nmount = {{ path = \"OPT/{folder}\", reason = \"a test\" }}\n"
    )
}

#[test]
fn of_several_matches_the_newest_is_taken() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    // Neither by the order of files nor by that of letters: 9.10 is newer than 9.9.
    for (file, folder, id, version) in [
        ("a", "new", "tenth", "9.10.0"),
        ("b", "old", "ninth-9.9", "9.9.7"),
        ("c", "twin", "twin-9.10", "9.10.0"),
        ("d", "beta", "beta", "8.1rc2"),
    ] {
        python(&opt, folder, version);
        opt.manifest(file, &python_manifest(folder, id));
    }
    let up = Up::with(Some(&opt.manifests()));
    let versions: Vec<String> =
        up.offered("python").into_iter().map(|[version, id, _]| format!("{id} {version}")).collect();
    assert_eq!(versions[..4], ["tenth 9.10.0", "twin-9.10 9.10.0", "ninth-9.9 9.9.7", "beta 8.1"], "the newest first");
    assert!(versions[4].starts_with("cpython 3."), "{versions:?}");
    for (selector, wanted) in [
        (None, "tenth"),
        (Some("9"), "tenth"),
        (Some("9.10"), "tenth"),
        (Some("9.9"), "ninth-9.9"),
        (Some("ninth"), "ninth-9.9"),
        (Some("ninth-9"), "ninth-9.9"),
        (Some("twin-9.10"), "twin-9.10"),
        (Some("8"), "beta"),
        (Some("3"), "cpython"),
    ] {
        let mut request = json!({"language": "python", "source": "print(6 * 7)"});
        if let Some(selector) = selector {
            request["version"] = json!(selector);
        }
        let result = up.run(&request);
        assert_eq!(
            (&result["language"]["toolchain"], crate::stdout(&result)),
            (&json!(wanted), "42\n"),
            "{selector:?}"
        );
    }
    let request = json!({"language": "python", "version": "9.1", "source": ""});
    let problem = up.call("POST", "/v1/executions", &request).unwrap().problem(422, "unknown_version");
    assert!(problem["detail"].as_str().unwrap().contains("9.10.0"), "9.1 is not 9.10: {problem}");
    up.stop();
}

#[test]
fn clang_stands_beside_gcc_and_is_taken_by_name() {
    if !live() {
        return;
    }
    if !Path::new("/usr/bin/clang").exists() || !Path::new("/usr/bin/clang++").exists() {
        return skip("clang is not installed", false);
    }
    let up = Up::start();
    for language in ["c", "cpp"] {
        let offered = up.offered(language);
        let [version, ..] = offered.iter().find(|[_, id, _]| family(id) == "clang").unwrap();
        let major = version.split('.').next().unwrap();
        assert_eq!(family(&offered[0][1]), "gcc", "the usual make comes first");
        let source = "#include <stdio.h>\nint main(void) {\n#ifdef __clang__\nputs(\"clang\");\n#else\nputs(\"gcc\");\n#endif\n}\n";
        let request = json!({"language": language, "source": source});
        assert_eq!(said(&up, &request), "gcc\n");
        let gcc_too = offered.iter().any(|[v, id, _]| family(id) == "gcc" && begins(v, major));
        for (selector, wanted) in [
            ("clang".to_owned(), "clang\n"),
            (format!("clang-{major}"), "clang\n"),
            (major.to_owned(), if gcc_too { "gcc\n" } else { "clang\n" }),
            ("gcc".to_owned(), "gcc\n"),
        ] {
            let mut request = request.clone();
            request["version"] = json!(selector);
            assert_eq!(said(&up, &request), wanted, "{language} {selector}");
        }
        let wrong = json!({"language": language, "version": "clang", "source": "int main(void) { return nothing; }"});
        let result = up.run(&wrong);
        assert_eq!(result["verdict"], "compile_error", "{result}");
        let messages = crate::stderr(&result["compile"]);
        assert!(messages.starts_with("main.c") && !messages.contains("/box"), "{messages}");
    }
    up.stop();
}
