use std::path::Path;
use std::process::Command;

use jail::spec::Layer;
use serde_json::{Value, json};

use super::*;

/// As `manifest.py` prints it, but for the folder.
fn as_json(program: &Program) -> Value {
    let mut object = json!({
        "name": program.name, "language": program.language, "limits": program.limits, "expect": program.expect,
        "files": program.files, "args": program.args, "kind": program.kind, "stdin": "",
    });
    if program.kind == Kind::Hostile {
        object["verdicts"] = json!(program.verdicts);
    }
    for (name, words) in
        [("invariants", &program.invariants), ("outputs", &program.outputs), ("layers", &program.layers)]
    {
        if let Some(words) = words {
            object[name] = json!(words);
        }
    }
    for (word, value) in &program.words {
        object[word] = json!(value);
    }
    object
}

#[test]
fn every_header_is_read_as_manifest_py_reads_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/manifest.py");
    let printed = Command::new("/usr/bin/python3").arg("-B").arg(script).args(["benign", "hostile"]).output();
    let printed = printed.expect("the tests need /usr/bin/python3: cargo xtask setup");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let mut theirs: Vec<Value> = serde_json::from_slice(&printed.stdout).unwrap();
    for program in &mut theirs {
        program.as_object_mut().unwrap().remove("file");
    }
    let ours: Vec<Value> = Program::all().unwrap().iter().map(as_json).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn every_attack_names_its_mechanism_and_what_holds_it() {
    let all = Program::all().unwrap();
    for program in all.iter().filter(|program| program.kind == Kind::Hostile) {
        let Program { name, .. } = program;
        assert!(title(program.mechanism()).0 < MECHANISMS.len(), "{name}: @group {}", program.mechanism());
        assert!(!program.held_by().is_empty(), "{name} lacks @layer");
        for layer in program.held_by() {
            let known = Layer::from_name(&layer).is_some() || HOLDERS.contains(&layer.as_str());
            assert!(known, "{name}: @layer {layer} is neither a layer nor one of {HOLDERS:?}");
        }
        if let Some(companion) = program.word("with") {
            let companion = companion.split(' ').next().unwrap();
            assert!(all.iter().any(|other| other.name == companion), "{name}: @with {companion}");
        }
    }
}

#[test]
fn words_are_read() {
    let catalogue = Catalogue::builtin();
    let text = b"// @hostile a.java\n// @expect CE,OK RTE   (never 5xx)\n// @file x.txt:\"a\\ b\"\n// @args a|b c\n\
                 // @stdin @each:3,4\n\n// @group no header any more\npublic final class Right {}";
    let program = parse(&catalogue, "a.java", text).unwrap();
    assert_eq!(program.verdicts, ["CE", "OK", "RTE"]);
    assert_eq!(program.files["x.txt"], "a b");
    assert_eq!(program.args, ["a", "b c"]);
    assert_eq!(program.main, "Right.java");
    assert_eq!(program.word("group"), None);
    let exits: Vec<_> = program.inputs().into_iter().map(|input| (input.stdin, input.exit.unwrap())).collect();
    assert_eq!(exits, [(b"3\n".to_vec(), "3".to_owned()), (b"4\n".to_vec(), "4".to_owned())]);

    let program =
        parse(&catalogue, "b.c", b"// @benign b.c\n// @expect out=a\\nb\\\\n\n// @stdin @hex:ff00\n// @crlf yes")
            .unwrap();
    assert_eq!(program.expect["out"], "a\nb\\n");
    assert_eq!(program.inputs()[0].stdin, [255, 0]);
    assert!(program.source.starts_with(b"\xef\xbb\xbf// @benign b.c\r\n"));
    assert_eq!(parse(&catalogue, "b.xyz", b"").unwrap_err(), "no language has files that end with \".xyz\"");
    let told = parse(&catalogue, "b.c", b"// @benign b.c\n// @expect nothing\n").unwrap_err();
    assert_eq!(told, "@expect \"nothing\" has no '='");
}
