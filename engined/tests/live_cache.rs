//! The artifact cache with real compilers in real sandboxes. Skipped like `live`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs;
use std::path::Path;

use common::live::{Up, live};
use common::opt::Opt;
use common::{Scratch, wait_for};
use serde_json::{Value, json};

/// An engine that keeps what it compiles in a folder of the test.
fn up(place: &Path) -> Up {
    Up::by(&[], |command| {
        command.arg("--cache").arg(place);
    })
}

/// A folder that the serving part can reach.
fn reachable() -> Scratch {
    let scratch = Scratch::new();
    fs::set_permissions(&scratch.0, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    scratch
}

fn told(up: &Up, series: &str) -> u64 {
    let text = up.call("GET", "/metrics", &Value::Null).unwrap().text();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

/// Runs it, and waits until what was made is written.
fn keep(up: &Up, request: &Value) -> Value {
    let before = told(up, "engined_cache_entries");
    let result = up.run(request);
    assert_eq!(result["compile"]["cached"], false, "{result}");
    wait_for(|| told(up, "engined_cache_entries") == before + 1);
    result
}

fn again(up: &Up, request: &Value, first: &Value) {
    let second = up.run(request);
    assert_eq!(second["compile"]["cached"], true, "{second}");
    let mut told = second.clone();
    told["compile"]["cached"] = false.into();
    for same in ["verdict", "reason", "language", "compile"] {
        assert_eq!(told[same], first[same], "{same}");
    }
    let nothing = json!({"layers": [], "missing": []});
    let layers = if second["run"].is_null() { &nothing } else { &first["isolation"] };
    assert_eq!(&second["isolation"], layers, "of this very request");
    for same in ["stdout", "stderr", "exit_code", "signal"] {
        assert_eq!(second["run"][same], first["run"][same], "{same}");
    }
}

#[test]
fn every_compiler_is_told_again_word_for_word_also_after_a_restart() {
    if !live() {
        return;
    }
    let place = reachable();
    let place = place.0.join("artifacts");
    let requests = [
        // A warning, an argument, a file beside it, and an exit code of its own.
        json!({"language": "c", "files": [
            {"path": "main.c", "content": "#include <stdio.h>\n#include \"a.h\"\nint main(int c, char **v) { int unused; puts(v[1]); return A; }"},
            {"path": "a.h", "content": "#define A 3\n"}], "compile_flags": ["-Wall"], "args": ["x y"]}),
        json!({"language": "c", "source": "int main(void) { return x; }"}),
        json!({"language": "cpp", "source": "#include <vector>\nint main() { std::vector<int> v; v.at(7); }"}),
        json!({"language": "java", "files": [
            {"path": "p/Main.java", "content": "package p; public class Main { public static void main(String[] a) { System.out.println(new B()); } }"},
            {"path": "p/B.java", "content": "package p; class B { public String toString() { return \"b\"; } }"}]}),
    ];
    let first = up(&place);
    let results: Vec<Value> = requests.iter().map(|request| keep(&first, request)).collect();
    assert!(results[0]["compile"]["stderr"]["text"].as_str().unwrap().contains("unused variable"), "{}", results[0]);
    assert_eq!((&results[0]["run"]["exit_code"], &results[1]["verdict"]), (&json!(3), &json!("compile_error")));
    for (request, result) in requests.iter().zip(&results) {
        again(&first, request, result);
    }
    let hits = || told(&first, "engined_cache_lookups_total{outcome=\"hit\"}");
    assert_eq!(hits(), requests.len() as u64);
    first.stop();
    let second = up(&place);
    // All but the compile error, which is not believed beyond a restart.
    let (programs, errors): (Vec<_>, Vec<_>) =
        requests.iter().zip(&results).partition(|(_, result)| result["verdict"] != "compile_error");
    assert_eq!((told(&second, "engined_cache_entries"), errors.len()), (programs.len() as u64, 1));
    assert_eq!(second.run(errors[0].0)["compile"]["cached"], false);
    for (request, result) in programs {
        again(&second, request, result);
    }
    let isolation = second.call("GET", "/v1/isolation", &Value::Null).unwrap().json();
    let layers = isolation["layers"].as_array().unwrap();
    assert!(layers.iter().all(|layer| layer["obtained"] == true), "{isolation}");
    second.stop();
    assert!(place.is_dir(), "it stays");
}

#[test]
fn off_is_off() {
    if !live() {
        return;
    }
    let up = up(Path::new("off"));
    let request = json!({"language": "c", "source": "int main(void) { return 0; }"});
    for _ in 0..2 {
        assert_eq!(up.run(&request)["compile"]["cached"], false);
    }
    assert_eq!(told(&up, "engined_cache_lookups_total{outcome=\"miss\"}"), 0);
    up.stop();
}

/// A compiler of a test's own: gcc by another name, and a header that belongs to it.
fn compiler(opt: &Opt, id: &str, answer: u32) {
    opt.file(
        &format!("{id}/bin/cc"),
        "#!/bin/sh\nexec /usr/bin/gcc -idirafter OPT/ID/include \"$@\"\n".replace("ID", id).as_str(),
        0o755,
    );
    opt.file(&format!("{id}/include/answer.h"), &format!("#define ANSWER {answer}\n"), 0o644);
}

#[test]
fn a_toolchain_that_changes_compiles_anew() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    compiler(&opt, "mine", 1);
    opt.manifest(
        "mine",
        "id = \"mine\"\nname = \"Mine\"\nmain_file = \"main.c\"\nentry = \"refused\"\nsources = [\".c\"]\n\
         [[toolchain]]\nid = \"mine\"\nprogram = \"OPT/mine/bin/cc\"\npackage = \"gcc\"\n\
         probe = { args = [\"-dumpfullversion\"], prefix = \"\" }\nmount = { path = \"OPT/mine\", reason = \"a test\" }\n\
         [compile]\nargs = [\"{program}\", \"-o\", \"{artifact}\", \"{sources}\"]\nartifact = \"a.out\"\n\
         env = { PATH = \"/usr/bin:/bin\" }\n\
         [run]\nargs = [\"{artifact}\", \"{args}\"]\nenv = { PATH = \"/usr/bin:/bin\" }\n",
    );
    let up = Up::with(Some(&opt.manifests()));
    let request = json!({"language": "mine", "source": "#include <answer.h>\nint main(void) { return ANSWER; }"});
    let answer = |up: &Up| {
        let result = up.run(&request);
        (result["run"]["exit_code"].clone(), result["compile"]["cached"].clone())
    };
    let code = |number: u32, cached: bool| assert_eq!(answer(&up), (json!(number), json!(cached)));
    keep(&up, &request);
    code(1, true);
    // Its program is looked at each time, whatever else it has when languages are looked at.
    compiler(&opt, "mine", 1);
    code(1, false);
    wait_for(|| told(&up, "engined_cache_entries") == 2);
    code(1, true);
    let before = up.offered("mine");
    opt.file("mine/include/answer.h", "#define ANSWER 2\n", 0o644);
    // A look that its program has brought about may be under way, and tells nothing of this one.
    up.reload(|up| {
        let answer = answer(up);
        let anew = answer == (json!(2), json!(false));
        assert!(anew || answer == (json!(1), json!(true)), "{answer:?}");
        anew
    });
    wait_for(|| told(&up, "engined_cache_entries") == 3);
    code(2, true);
    assert_eq!(up.offered("mine"), before);
    up.stop();
}

/// The folder of the cache lies on a file system that is soon full: every answer is right, and it is told.
#[test]
fn a_full_disk_costs_time_and_no_answer() {
    if !live() {
        return;
    }
    let place = reachable();
    let mount = format!(
        "mount -t tmpfs -o size=48k,mode=700,uid=$(id -u engined) none {0} && exec \"$0\" \"$@\"",
        place.0.display()
    );
    // In a mount namespace of its own: it goes with the engine.
    let up = Up::by(&["unshare", "--mount", "--propagation", "private", "sh", "-c", &mount], |command| {
        command.arg("--cache").arg(&place.0);
    });
    let request = |code: u32| json!({"language": "c", "source": format!("int main(void) {{ return {code}; }}")});
    for code in 0..12 {
        let result = up.run(&request(code));
        assert_eq!(
            (&result["run"]["exit_code"], &result["compile"]["cached"]),
            (&json!(code), &json!(false)),
            "{result}"
        );
    }
    wait_for(|| told(&up, "engined_cache_failures_total") >= 6);
    assert!((1..=6).contains(&told(&up, "engined_cache_entries")));
    assert!(up.log().contains("an entry of the artifact cache can't be written"), "{}", up.log());
    assert_eq!(up.run(&request(0))["compile"]["cached"], true, "what was kept before");
    up.stop();
}
