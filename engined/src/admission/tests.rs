//! What becomes of a request: steps, limits, and each mistake with its field.
use languages::{Catalogue, Version};
use serde_json::{Value, json};

use super::*;

const MIB: u64 = 1 << 20;

fn offers() -> Offers {
    let catalogue = Catalogue::builtin();
    let mut offers = Offers::default();
    for (id, version) in [("python", "3.11.2"), ("c", "12.2.0")] {
        let definition = catalogue.language(id).unwrap();
        offers.add(definition, vec![(definition.toolchains[0].clone(), Ok((Version::parse(version).unwrap(), None)))]);
    }
    offers
}

fn ceiling() -> Limits {
    Limits {
        cpu_time_ms: 20_000,
        wall_time_ms: 600_000,
        memory_bytes: 512 * MIB,
        processes: 1000,
        cpus_milli: 2000,
        output_bytes: 16 * MIB,
        file_bytes: 1024 * MIB,
        disk_bytes: 1024 * MIB,
        open_files: 4096,
        stack_bytes: 512 * MIB,
    }
}

fn admitted(request: &Value) -> Result<Job, Problem> {
    let request = ExecutionRequest::from_json(request.to_string().as_bytes(), &api_spec::Caps::default())?;
    let (offers, ceiling) = (offers(), ceiling());
    admit(request, &Rules { offers: &offers, ceiling: &ceiling, plan: None }).map_err(|error| error.problem())
}

fn stdin(job: &Job) -> &[u8] {
    match &job.stdin {
        Stdin::Bytes(bytes) => bytes,
        Stdin::File(_) => panic!("a file"),
    }
}

fn refused(request: &Value) -> (Code, String, String) {
    let problem = admitted(request).unwrap_err();
    assert!(!problem.remedy.is_empty());
    (problem.code, problem.field.unwrap_or_default(), problem.detail)
}

#[test]
fn what_the_compiler_makes_has_its_name_for_itself() {
    for path in ["a.out", "a.out/x"] {
        let request =
            json!({"language": "c", "files": [{"path": "main.c", "content": ""}, {"path": path, "content": ""}]});
        let (code, field, detail) = refused(&request);
        assert_eq!((code, field.as_str()), (Code::InvalidPath, "/files/1/path"), "{detail}");
    }
    let fine =
        json!({"language": "c", "files": [{"path": "main.c", "content": ""}, {"path": "a.output", "content": ""}]});
    assert!(admitted(&fine).is_ok());
}

#[test]
fn where_nobody_has_blobs_none_is_known() {
    let hash = "ab".repeat(32);
    let request = json!({"language": "python", "source": "", "stdin": {"blob": format!("sha256:{hash}")}});
    let (code, field, detail) = refused(&request);
    assert_eq!((code, field.as_str()), (Code::UnknownBlob, "/stdin/blob"));
    assert!(detail.contains(&hash), "{detail}");
}

#[test]
fn outputs_that_are_asked_for_twice_come_once() {
    let job = admitted(&json!({"language": "python", "source": "", "outputs": ["a", "*.png", "a"]})).unwrap();
    assert_eq!(job.outputs.globs, ["a", "*.png"]);
}

#[test]
fn an_interpreted_program_is_one_step() {
    let job = admitted(&json!({"language": "py", "source": "1", "args": ["-x"], "stdin": "in"})).unwrap();
    assert_eq!(
        job.program.language,
        LanguageUsed { id: "python".into(), version: "3.11.2".into(), toolchain: "cpython".into() }
    );
    assert!(job.program.compile.is_none());
    assert_eq!(job.run.profile.as_str(), "python/cpython/run");
    assert_eq!(job.run.args, ["/usr/bin/python3", "main.py", "-x"]);
    assert_eq!(job.run.limits.cpu_time, Millis(5000));
    assert_eq!(job.run.limits.memory, Bytes(256 * MIB));
    assert_eq!(job.run.limits.stack, Bytes(256 * MIB));
    assert_eq!((job.program.files[0].path.as_str(), stdin(&job)), ("main.py", b"in".as_slice()));
    assert_eq!(job.memory(), 256 * MIB);
}

#[test]
fn a_compiled_program_is_two() {
    let files =
        json!([{"path": "a.c", "content": ""}, {"path": "x.h", "content": ""}, {"path": "b/b.c", "content": ""}]);
    let request = json!({"language": "c", "files": files, "compile_flags": ["-O0"], "env": {"A": "b"}, "args": ["1"]});
    let job = admitted(&request).unwrap();
    let compile = job.program.compile.as_ref().unwrap();
    assert_eq!(compile.artifact, "a.out");
    assert_eq!(compile.step.profile.as_str(), "c/gcc/compile");
    assert!(["-O0", "a.c", "b/b.c"].iter().all(|word| compile.step.args.iter().any(|arg| arg == word)));
    assert!(!compile.step.args.iter().any(|arg| arg == "x.h"));
    assert!(!compile.step.env.contains_key("A"), "the compiler does not see the caller's environment");
    assert_eq!(job.run.args, ["/box/a.out", "1"]);
    assert_eq!(job.run.env.get("A").map(String::as_str), Some("b"));
    // Its default is 1 GiB: lowered to the ceiling, as nobody asked for it.
    assert_eq!(compile.step.limits.memory, Bytes(512 * MIB));
    assert_eq!(job.memory(), 512 * MIB);
}

#[test]
fn limits_are_refused_by_name_never_changed() {
    let limit = |name: &str, value: Value| json!({"language": "python", "source": "1", "limits": {name: value}});
    let (code, field, detail) = refused(&limit("cpu_time_ms", json!(20_001)));
    assert_eq!((code, field.as_str()), (Code::LimitAboveCeiling, "/limits/cpu_time_ms"));
    assert_eq!(detail, "cpu_time_ms is 20001, the ceiling is 20000");
    assert!(admitted(&limit("cpu_time_ms", json!(20_000))).is_ok());
    let (code, field, detail) = refused(&limit("memory_bytes", json!(MIB)));
    assert_eq!((code, field.as_str()), (Code::LimitTooLow, "/limits/memory_bytes"));
    assert!(detail.contains("Python can't start its run step under 16777216"), "{detail}");
    let (code, field, detail) = refused(&limit("cpus", json!(2.5)));
    assert_eq!((code, field.as_str()), (Code::LimitAboveCeiling, "/limits/cpus"));
    assert_eq!(detail, "cpus is 2.5, the ceiling is 2.0");
    assert_eq!(refused(&limit("cpus", json!(1e300))).0, Code::LimitAboveCeiling);
    for (name, value) in
        [("wall_time_ms", json!(0)), ("processes", json!(-1)), ("cpus", json!(0.05)), ("disk_bytes", json!(0))]
    {
        let (code, field, _) = refused(&limit(name, value));
        assert_eq!((code, field), (Code::LimitTooLow, format!("/limits/{name}")));
    }
    for name in ["wall_time_ms", "processes", "output_bytes", "file_bytes", "disk_bytes", "open_files", "stack_bytes"] {
        assert_eq!(refused(&limit(name, json!(1_u64 << 62))).0, Code::LimitAboveCeiling, "{name}");
    }
    let compile = json!({"language": "c", "source": "1", "compile_limits": {"memory_bytes": 1 << 20}});
    assert_eq!(refused(&compile).1, "/compile_limits/memory_bytes");
    let job = admitted(&limit("cpus", json!(0.1))).unwrap();
    assert_eq!(job.run.limits.cpus_milli, 100);
}

#[test]
fn the_entry_must_be_there() {
    let files = json!([{"path": "b.py", "content": ""}, {"path": "main.py", "content": ""}]);
    let request = |entry: Value| json!({"language": "python", "files": files, "entry": entry});
    assert_eq!(admitted(&request(json!(null))).unwrap().run.args[1], "main.py");
    assert_eq!(admitted(&request(json!("b.py"))).unwrap().run.args[1], "b.py");
    let (code, field, _) = refused(&request(json!("c.py")));
    assert_eq!((code, field.as_str()), (Code::InvalidRequest, "/entry"));
    // A client that names the main file for every language alike says nothing wrong.
    assert!(admitted(&json!({"language": "c", "source": "1", "entry": "main.c"})).is_ok());
    assert_eq!(refused(&json!({"language": "c", "source": "1", "entry": "other.c"})).1, "/entry");
    assert_eq!(refused(&json!({"language": "c", "files": [{"path": "a.txt", "content": ""}]})).1, "/files");
}

#[test]
fn what_does_not_exist_is_named() {
    let flag = json!({"language": "c", "source": "1", "compile_flags": ["-O2", "-fplugin=x.so"]});
    let (code, field, detail) = refused(&flag);
    assert_eq!((code, field.as_str()), (Code::FlagNotAllowed, "/compile_flags/1"));
    assert!(detail.contains("-fplugin=x.so"), "{detail}");
    assert_eq!(refused(&json!({"language": "cobol", "source": "1"})).0, Code::UnknownLanguage);
    assert_eq!(refused(&json!({"language": "python", "version": "2", "source": "1"})).0, Code::UnknownVersion);
}
