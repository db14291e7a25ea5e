use std::fs;

use api_spec::{CheckerKind, Protocol, Stop};

use super::*;

/// A folder that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, files: &[(&str, &str)]) -> Scratch {
        let path = std::env::temp_dir().join(format!("engined-grade-{name}-{}", std::process::id()));
        for (file, content) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        Scratch(path)
    }

    fn read(&self) -> Result<Draft, Vec<String>> {
        let places = Places { problem: self.0.clone(), submissions: None, languages: BTreeMap::new() };
        read(&places, &Catalogue::builtin())
    }

    /// What is wrong, without the name of the folder.
    fn mistakes(&self) -> String {
        let mistakes = self.read().expect_err("it has mistakes");
        mistakes.join("\n").replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

#[test]
fn a_folder_is_a_batch() {
    let folder = Scratch::new(
        "whole",
        &[
            (
                "batch.toml",
                "stop = \"group\"\nrepeat = 2\npoints = 3\n[checker]\nkind = \"program\"\n[checker.program]\n\
                 file = \"checker/check.cpp\"\nprotocol = \"testlib\"\nargs = [\"-x\"]\n[limits]\ncpu_time_ms = 500\n\
                 [limits_by_language.java]\nmemory_bytes = 1073741824\n[labels]\ncourse = \"a\"\n\
                 [languages]\ncc = \"cpp\"\n",
            ),
            ("checker/check.cpp", "int main() {}"),
            ("tests/10.in", "ten"),
            ("tests/2.in", "two"),
            ("tests/2.ans", "zwei"),
            ("tests/2.toml", "points = 0.5\nargs = [\"a\"]\nlimits = { wall_time_ms = 9 }\n"),
            ("tests/generate.py", ""),
            ("tests/.hidden", ""),
            ("tests/big/1.in", ""),
            ("tests/big/group.toml", "rule = \"min\"\npoints = 7\nargs = [\"b\"]\n"),
            ("submissions/accepted/b.py", "print()"),
            ("submissions/accepted/a/main.cpp", "int main() {}"),
            ("submissions/accepted/a/lib/x.h", "x"),
            ("submissions/accepted/a/y.c", "y"),
            ("submissions/partial/c.cc", "c"),
        ],
    );
    let Draft { request, data, expected } = folder.read().unwrap();
    let tests: Vec<_> = request.tests.iter().map(|t| (t.id.as_str(), t.group.as_deref(), t.points)).collect();
    assert_eq!(tests, [("2", None, 0.5), ("10", None, 3.0), ("big/1", Some("big"), 7.0)]);
    assert_eq!(request.tests.iter().map(|test| test.args.concat()).collect::<Vec<_>>(), ["a", "", "b"]);
    assert_eq!(request.tests[0].limits.wall_time_ms, Some(9));
    assert_eq!(data[0].expected, Some(Data::File { path: folder.0.join("tests/2.ans"), bytes: 4 }));
    assert!(data[1].expected.is_none() && data[2].stdin.is_empty());
    assert_eq!(request.groups, [GroupRequest { id: "big".to_owned(), rule: Rule::Min }]);
    let programs: Vec<_> = request.submissions.iter().map(|one| (one.id.as_str(), one.language.as_str())).collect();
    assert_eq!(programs, [("accepted/a", "cpp"), ("accepted/b.py", "python"), ("partial/c.cc", "cpp")]);
    let files = request.submissions[0].files.as_ref().unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["main.cpp", "y.c", "lib/x.h"]);
    assert_eq!(expected.iter().flatten().collect::<Vec<_>>(), ["accepted", "accepted", "partial"]);
    let checker = request.checker.unwrap();
    assert_eq!((checker.kind, request.stop, request.repeat), (CheckerKind::Program, Stop::Group, 2));
    let program = checker.program.unwrap();
    assert_eq!(
        (program.language.as_str(), program.protocol, program.args),
        ("cpp", Protocol::Testlib, vec!["-x".into()])
    );
    assert_eq!(request.limits_by_language["java"].memory_bytes, Some(1 << 30));
}

#[test]
fn every_mistake_is_told_at_once_with_what_to_do() {
    let folder = Scratch::new(
        "wrong",
        &[
            ("batch.toml", "stop = \"never\"\n\n[limits]\ncpu_time_ms = 0\n"),
            ("tests/1.ans", ""),
            ("tests/2.in", ""),
            ("tests/2.out", ""),
            ("tests/3.in", ""),
            ("tests/3.toml", "group = \"h\"\npoint = 1\n"),
            ("tests/g/4.in", ""),
            ("tests/g/4.toml", "group = \"h\""),
            ("tests/g/more/5.in", ""),
            ("submissions/accepted/a.xyz", ""),
            ("submissions/accepted/b.cc", ""),
            ("submissions/acepted/c.py", ""),
            ("submissions/accepted/empty/.keep", ""),
        ],
    );
    let known = "accepted, wrong_answer, partial, checker_error, engine_error, cancelled, output_limit, memory_limit, \
                 cpu_time_limit, wall_time_limit, security_violation, process_limit, disk_limit, signalled, \
                 runtime_error, compile_error";
    let wanted = [
        "batch.toml:4: below_floor",
        "tests/2.out: a test's files are NAME.in, NAME.ans and NAME.toml; rename it, or take it away",
        "tests/1.ans: there is no 1.in beside it: add it, what the test reads; it may be empty",
        "tests/3.toml:2: unknown field `point`, expected one of `group`, `points`, `args`, `env`, `limits`",
        "tests/g/more: a folder of tests holds no folder; move its tests up",
        "tests/g/4.toml: names a group, and its folder \"g\" is one; leave one out",
        "submissions/accepted/a.xyz: its name does not say the language; known here are c, cpp, java, javascript, python: \
         say it by --language .xyz=LANGUAGE, or under [languages] in batch.toml",
        "submissions/accepted/b.cc: may be any of c, cpp: say which by --language .cc=LANGUAGE, or under [languages] in \
         batch.toml",
        "submissions/accepted/empty: holds no file of a program",
        &format!(
            "submissions/acepted: lies beside folders that are named by verdicts and is none; move it into one of {known}"
        ),
    ];
    let told = folder.mistakes();
    for (line, wanted) in told.lines().zip(wanted).skip(1) {
        assert_eq!(line, wanted);
    }
    assert_eq!(told.lines().count(), wanted.len(), "{told}");
    let first = told.lines().next().unwrap();
    assert!(first.starts_with("batch.toml:4: ") && first.contains("0"), "{first}");
}

#[test]
fn what_is_missing_is_told() {
    let told = Scratch::new("empty", &[("x", "")]).mistakes();
    assert_eq!(
        told,
        "tests: is missing; put each test there as NAME.in, with what is expected as NAME.ans\n\
         submissions: is missing; put each program there as a file or a folder, or name another place by --submissions"
    );
    let folder = Scratch::new(
        "bare",
        &[
            (
                "batch.toml",
                "[[groups]]\nid = \"g\"\n[checker]\nkind = \"program\"\n[checker.program]\nprotocol = \"kattis\"",
            ),
            ("tests/README", ""),
            ("submissions/.x", ""),
        ],
    );
    assert_eq!(
        folder.mistakes().replace(folder.0.to_str().unwrap(), "DIR"),
        "tests: holds no test; put one there as NAME.in\n\
         batch.toml: group \"g\" has no test; take it out, or name it in a test\n\
         batch.toml: [checker.program] needs one of file and folder, relative to DIR\n\
         submissions: holds no program; put one there"
    );
    let folder =
        Scratch::new("toml", &[("batch.toml", "a = 1\nb = = 2"), ("tests/1.in", ""), ("submissions/a.py", "")]);
    assert!(folder.mistakes().starts_with("batch.toml:2: "), "{}", folder.mistakes());
}

#[test]
fn our_own_problems_are_such_folders() {
    let problems = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/problems"));
    let mut read_ones = 0;
    for entry in entries(problems, &mut Vec::new()).into_iter().filter(|entry| entry.folder) {
        let places = Places { problem: entry.path, submissions: None, languages: BTreeMap::new() };
        let draft = read(&places, &Catalogue::builtin()).unwrap_or_else(|mistakes| panic!("{}", mistakes.join("\n")));
        super::super::parcel::pack(draft, None).unwrap_or_else(|mistake| panic!("{}: {mistake}", entry.name));
        read_ones += 1;
    }
    assert!(read_ones > 0);
}
