use std::collections::BTreeMap;

use super::{Caps, GLOB_BYTES, OUTPUTS, check_path, environment, labels};
use crate::problem::{Code, Problem};
use crate::request::{ExecutionRequest, SourceFile};

fn refused(request: &ExecutionRequest) -> Problem {
    request.check(&Caps::default()).unwrap_err()
}

fn files(paths: &[&str]) -> ExecutionRequest {
    let file = |path: &&str| SourceFile { path: (*path).to_owned(), content: "x".into() };
    ExecutionRequest { language: "c".into(), files: Some(paths.iter().map(file).collect()), ..Default::default() }
}

fn source(text: &str) -> ExecutionRequest {
    ExecutionRequest { language: "c".into(), source: Some(text.into()), ..Default::default() }
}

#[test]
fn good_paths() {
    for path in ["a", "a/b/c.h", ".hidden", "...", "a b", "ü/ö.c", "-x", "a\\b", &"x".repeat(255)] {
        check_path(path).unwrap();
    }
}

#[test]
fn bad_paths_say_why() {
    let long = "x/".repeat(2500);
    let said: Vec<String> = ["", "/a", "a/../b", "..", "./a", "a//b", "a/", "a\0b", &long, &"n".repeat(256)]
        .iter()
        .map(|path| check_path(path).unwrap_err())
        .collect();
    assert_eq!(
        said.join("\n"),
        format!(
            r#"the path is empty
"/a" is absolute: paths are relative to the work directory
"a/../b" has a .. in it
".." has a .. in it
"./a" has a . in it: leave it out
"a//b" has an empty part: two slashes in a row, or one at the end
"a/" has an empty part: two slashes in a row, or one at the end
"a\0b" has a NUL in it
the path is 5000 bytes long, at most 1024 are allowed
"{}"… is 256 bytes long, a name may have 255"#,
            "n".repeat(64)
        )
    );
}

#[test]
fn paths_must_get_on_with_each_other() {
    files(&["a/b", "a/c", "ab", "a.b"]).check(&Caps::default()).unwrap();
    let twice = refused(&files(&["main.c", "x.c", "main.c"]));
    assert_eq!(
        (twice.code, twice.field.as_deref(), twice.detail.as_str()),
        (Code::InvalidPath, Some("/files/2/path"), r#""main.c" is also the path of file 0"#)
    );
    let folder = refused(&files(&["a/b/c", "a"]));
    assert_eq!(
        (folder.code, folder.field.as_deref(), folder.detail.as_str()),
        (Code::InvalidPath, Some("/files/0/path"), r#""a/b/c" needs the folder "a", which is file 1"#)
    );
}

#[test]
fn there_is_exactly_one_program() {
    let neither = ExecutionRequest { language: "c".into(), ..Default::default() };
    assert_eq!(refused(&neither).field.as_deref(), Some("/source"));
    let both = ExecutionRequest { source: Some("x".into()), ..files(&["a"]) };
    assert_eq!(refused(&both).field.as_deref(), Some("/files"));
    assert_eq!(refused(&files(&[])).field.as_deref(), Some("/files"));
}

#[test]
fn caps_are_named() {
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    let many = refused(&files(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!((many.code, many.detail.as_str()), (Code::TooManyFiles, "there are 257 files, at most 256 are allowed"));
    let large = refused(&source(&"x".repeat((1 << 20) + 1)));
    assert_eq!(
        (large.code, large.detail.as_str()),
        (Code::SourceTooLarge, "/source is 1048577 bytes long, a source file may have 1048576")
    );
    let small = Caps { file_bytes: 0, ..Caps::default() };
    assert_eq!(files(&["a"]).check(&small).unwrap_err().field.as_deref(), Some("/files/0/content"));
    let args = ExecutionRequest { args: vec!["x".repeat(1000); 132], ..source("") };
    assert_eq!(refused(&args).field.as_deref(), Some("/args"));
    let flags = ExecutionRequest { compile_flags: vec!["x".repeat(1000); 132], ..source("") };
    assert_eq!(refused(&flags).field.as_deref(), Some("/compile_flags"));
    let env = BTreeMap::from([("A".to_owned(), "x".repeat(130 << 10))]);
    assert_eq!(refused(&ExecutionRequest { env, ..source("") }).field.as_deref(), Some("/env"));
}

#[test]
fn words_of_the_kernel_have_no_nul() {
    let args = ExecutionRequest { args: vec!["a".into(), "b\0".into()], ..source("") };
    assert_eq!(refused(&args).field.as_deref(), Some("/args/1"));
    let entry = ExecutionRequest { entry: Some(String::new()), ..source("") };
    assert_eq!(refused(&entry).field.as_deref(), Some("/entry"));
}

#[test]
fn names_are_checked() {
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    environment(&one("_a9", "")).unwrap();
    for name in ["", "9", "a=b", "a-b", "ü", "a\0"] {
        assert!(environment(&one(name, "")).is_err(), "{name}");
    }
    let odd = environment(&one("a/b~c", "")).unwrap_err();
    assert_eq!(odd.field.as_deref(), Some("/env/a~1b~0c"));
    labels(&one("team/x", "ü b")).unwrap();
    for (name, value) in [("", ""), ("ü", ""), ("a b", ""), ("a", "line\nbreak"), ("a", &"x".repeat(257))] {
        assert!(labels(&one(name, value)).is_err(), "{name}: {value}");
    }
}

#[test]
fn globs_stay_in_the_work_directory() {
    let with = |globs: &[&str]| ExecutionRequest {
        outputs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
        ..source("")
    };
    let good =
        ["*", "**", "**/*.png", "a.txt", "--option", ".hidden", "out/[a-z]?/{x,y}.c", "\\!x", "a}b]", "a..b", "ü"];
    with(&good).check(&Caps::default()).unwrap();
    let long = "x".repeat(GLOB_BYTES + 1);
    let bad =
        ["", "/a", "../a", "a/..", "./a", "a//b", "a/", "a\0b", &long, "!a", "[a", "{a", "a\\", &"{a,b}".repeat(7)];
    let said: Vec<String> = bad
        .iter()
        .map(|glob| {
            let problem = refused(&with(&["*", glob]));
            assert_eq!(problem.field.as_deref(), Some("/outputs/1"), "{glob}");
            assert!(!problem.remedy.is_empty() && problem.remedy != problem.code.facts().remedy, "{glob}");
            format!("{} {}", problem.code, problem.detail)
        })
        .collect();
    assert_eq!(
        said.join("\n"),
        r#"invalid_path the glob is empty
invalid_path "/a" is absolute: globs are relative to the work directory
invalid_path "../a" has a .. in it
invalid_path "a/.." has a .. in it
invalid_path "./a" has a . in it
invalid_path "a//b" has an empty part: two slashes in a row, or one at the end
invalid_path "a/" has an empty part: two slashes in a row, or one at the end
invalid_path "a\0b" has a NUL in it
invalid_path the glob is 1025 bytes long, at most 1024 are allowed
invalid_request "!a" begins with !: no glob says what not to bring
invalid_request "[a" is no glob: unclosed character class at byte 0; missing ']' (to match a literal '[', escape it as '\[' or '[[]')
invalid_request "{a" is no glob: unclosed brace expansion at byte 0; missing '}' (to match a literal '{', escape it as '\{' or '[{]')
invalid_request "a\\" is no glob: trailing backslash at byte 1 has no character to escape (to match a literal '\', use '\\')
invalid_request the braces of "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}" make more than 64 globs"#
    );
    let many = refused(&with(&["*"; OUTPUTS + 1]));
    assert_eq!(
        (many.code, many.field.as_deref(), many.detail.as_str()),
        (Code::InvalidRequest, Some("/outputs"), "there are 17 outputs, at most 16 are allowed")
    );
}
