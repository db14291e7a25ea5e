//! The real programs: `engined up`, `run` and `doctor` with a real jaild. Needs root, the accounts `engined` and
//! `jaild`, and a jaild beside the engined under test; skipped aloud otherwise, and a failure with
//! `ENGINED_FORBID_SKIP=1`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use common::live::{ENGINED, Served, Up, control_groups, descendants, live};
use common::{PATIENCE, Reply, Scratch, own_loopback, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Whether a program of a caller runs.
fn runs_python(up: &Up) -> bool {
    descendants(up.child.id()).iter().any(|(_, _, name)| name.starts_with("python"))
}

#[test]
fn up_serves_both_languages_and_leaves_nothing() {
    if !live() {
        return;
    }
    let up = Up::start();
    assert!(!control_groups(&up.state.join("jaild.sock")).is_empty(), "this test looks in the right place");
    let result = up.python("import os, sys\nprint(sys.version_info[0], 'CANARY' in os.environ, os.getcwd())");
    assert_eq!(result["verdict"], "ok", "{result}");
    assert_eq!(result["run"]["stdout"]["text"], "3 False /box\n");
    assert!(result["run"]["usage"]["cpu_time_us"].as_u64().unwrap() > 0);
    let by_name = up.python("print(open('/dev/stdin').read() == '', file=open('/dev/stdout', 'w'))");
    assert_eq!(by_name["run"]["stdout"]["text"], "True\n", "streams can be opened by name: {by_name}");
    let c = json!({"language": "c", "source": "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 7; }"});
    let result = up.call("POST", "/v1/executions", &c).unwrap().json();
    assert_eq!((&result["verdict"], &result["run"]["exit_code"]), (&json!("runtime_error"), &json!(7)), "{result}");
    assert!(result["compile"]["usage"]["memory_peak_bytes"].as_u64().unwrap() > 1 << 20);
    let isolation = up.call("GET", "/v1/isolation", &Value::Null).unwrap().json();
    assert!(isolation["layers"].as_array().unwrap().iter().all(|layer| layer["obtained"] == true), "{isolation}");
    // jaild is asked now and then, and may be too busy to answer.
    wait_for(|| up.call("GET", "/readyz", &Value::Null).unwrap().status == 200);
    up.stop();
}

#[test]
fn the_serving_part_has_no_rights_left() {
    if !live() {
        return;
    }
    let up = Up::start();
    let status = fs::read_to_string(format!("/proc/{}/status", up.child("engined"))).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim_start_matches(':')
            .trim()
            .to_owned()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
    assert!(field("Uid").split('\t').all(|uid| uid != "0"), "{}", field("Uid"));
    assert!(field("Gid").split('\t').all(|gid| gid != "0"), "{}", field("Gid"));
    assert_eq!(field("Groups"), "");
    up.stop();
}

#[test]
fn jaild_killed_in_mid_run_is_an_engine_error_and_comes_back() {
    if !live() {
        return;
    }
    let up = Up::start();
    let jaild = up.child("jaild");
    let result = std::thread::scope(|scope| {
        let run = scope.spawn(|| up.python("import time\nprint('x', flush=True)\ntime.sleep(600)"));
        wait_for(|| runs_python(&up));
        kill(Pid::from_raw(jaild), Signal::SIGKILL).unwrap();
        run.join().unwrap()
    });
    assert_eq!(result["verdict"], "engine_error", "{result}");
    up.comes_back(PATIENCE);
    assert_ne!(up.child("jaild"), jaild);
    up.stop();
}

#[test]
fn engined_killed_ends_its_runs_and_comes_back() {
    if !live() {
        return;
    }
    let up = Up::start();
    let engined = up.child("engined");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let request = json!({"language": "python", "source": "import time\ntime.sleep(600)"});
            up.call("POST", "/v1/executions", &request)
        });
        wait_for(|| runs_python(&up));
        kill(Pid::from_raw(engined), Signal::SIGKILL).unwrap();
        assert!(run.join().unwrap().is_none(), "nobody was left to answer");
    });
    wait_for(|| !runs_python(&up));
    up.comes_back(PATIENCE);
    assert_ne!(up.child("engined"), engined);
    up.stop();
}

#[test]
fn a_client_that_leaves_ends_its_program() {
    if !live() {
        return;
    }
    let up = Up::start();
    let body = json!({"language": "python", "source": "import time\ntime.sleep(60)"}).to_string();
    let mut stream = TcpStream::connect(&up.address).unwrap();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    wait_for(|| runs_python(&up));
    drop(stream);
    wait_for(|| !runs_python(&up));
    up.stop();
}

#[test]
fn a_run_that_goes_on_is_answered_before_the_end() {
    if !live() {
        return;
    }
    let up = Up::start();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| up.python("import time\ntime.sleep(1)\nprint('done')"));
        // Or it was over before: a busy machine may take that long to tell.
        wait_for(|| runs_python(&up) || run.is_finished());
        kill(Pid::from_raw(up.child("engined")), Signal::SIGTERM).unwrap();
        assert_eq!(run.join().unwrap()["run"]["stdout"]["text"], "done\n");
    });
    up.comes_back(PATIENCE);
    up.stop();
}

#[test]
fn what_a_killed_supervisor_leaves_is_swept_by_the_next() {
    if !live() {
        return;
    }
    let start = || {
        let mut child = Command::new(ENGINED)
            .args(["up", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.starts_with("ready ")));
        child
    };
    let mut first = start();
    let state = PathBuf::from(format!("/run/engined-up-{}", first.id()));
    let everybody = descendants(first.id());
    assert!(state.exists());
    first.kill().unwrap();
    first.wait().unwrap();
    let mut second = start();
    // Engines of other tests sweep as well, and one of them may be at it.
    wait_for(|| !state.exists() && control_groups(&state.join("jaild.sock")).is_empty());
    wait_for(|| everybody.iter().all(|(pid, ..)| !Path::new(&format!("/proc/{pid}")).exists()));
    kill(Pid::from_raw(i32::try_from(second.id()).unwrap()), Signal::SIGTERM).unwrap();
    // Nobody reads its lines any more; it must end well all the same.
    assert!(second.wait().unwrap().success());
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    if !live() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = Command::new(ENGINED).args(["up", "--listen", &address]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("--listen {address}")) && said.contains("choose another port"), "{said}");
}

#[test]
fn the_real_server_asks_for_a_token_queues_and_sheds() {
    if !live() {
        return;
    }
    let token = String::from_utf8(Command::new(ENGINED).args(["token", "new"]).output().unwrap().stdout).unwrap();
    let line = token.lines().find(|line| line.starts_with("tokens")).unwrap();
    let token = token.lines().find(|line| line.starts_with("engined_")).unwrap();
    // A free port, that stays free until it is taken: the configuration has to name one.
    let own = own_loopback();
    let port = std::net::TcpListener::bind((own, 0)).unwrap().local_addr().unwrap().port();
    let served = Served::start(&format!(
        "[listen]\ntcp = \"{own}:{port}\"\nunix = \"FOLDER/engined.sock\"\n[tenants.t]\n{line}\nallowed_users = [\"root\"]\n"
    ));
    let tcp = |head: &str, body: &str| {
        let mut stream = TcpStream::connect((own, port)).ok()?;
        let head = format!("{head}Host: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).ok()?;
        Reply::read(&mut stream)
    };
    wait_for(|| tcp("GET /readyz HTTP/1.1\r\n", "").is_some_and(|reply| reply.status == 200));
    let post = "POST /v1/executions HTTP/1.1\r\n";
    tcp(post, "{}").unwrap().problem(401, "unauthenticated");
    let known = format!("{post}Authorization: Bearer {token}\r\n");
    tcp(&known, "{}").unwrap().problem(400, "invalid_request");

    let sleep =
        r#"{"language": "python", "source": "import time; time.sleep(600)", "limits": {"wall_time_ms": 300000}}"#;
    let hello = r#"{"language": "python", "source": "print('hello')"}"#;
    let as_known = |method: &str, path: &str, body: &str| {
        tcp(&format!("{method} {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"), body).unwrap()
    };
    let begin = |body: &str| {
        let reply = as_known("POST", "/v1/executions?wait=false", body);
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.header("location").unwrap().to_owned()
    };
    let first = begin(sleep);
    wait_for(|| as_known("GET", &first, "").json()["status"] == "running");
    let second = begin(hello);
    let waits = Instant::now();
    assert_eq!(as_known("GET", &second, "").json()["position"], 0);
    tcp(&known, hello).unwrap().problem(503, "queue_full");
    let waited = waits.elapsed();
    as_known("DELETE", &first, "");
    let second = as_known("GET", &format!("{second}?wait_ms=60000"), "").json();
    assert_eq!(second["verdict"], "ok", "{second}");
    assert!(u128::from(second["timings"]["queue_us"].as_u64().unwrap()) >= waited.as_micros(), "{second}");

    // The kernel vouches for root here, so no token is asked for.
    let mut stream = std::os::unix::net::UnixStream::connect(served.folder.0.join("engined.sock")).unwrap();
    stream.write_all(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(Reply::read(&mut stream).unwrap().status, 200);
}

fn run(folder: &Scratch, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(ENGINED)
        .arg("run")
        .args(args)
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let mut output = Output { status: Default::default(), stdout: Vec::new(), stderr: Vec::new() };
    child.stdout.take().unwrap().read_to_end(&mut output.stdout).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut output.stderr).unwrap();
    output.status = child.wait().unwrap();
    output
}

#[test]
fn run_behaves_like_running_the_program() {
    if !live() {
        return;
    }
    let folder = Scratch::new();
    let write = |name: &str, text: &str| fs::write(folder.0.join(name), text).unwrap();
    write("main.py", "import sys, helper\nprint(sys.argv[1:], helper.X, sys.stdin.read(), end='')\nsys.exit(4)\n");
    write("helper.py", "X = 42\n");
    let done = run(&folder, &["main.py", "helper.py", "--", "-a", "b c"], "in\nput");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "['-a', 'b c'] 42 in\nput", "{said}");
    assert_eq!(done.status.code(), Some(4));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("engined: runtime_error, CPU "), "{said}");
    assert!(lines[0].contains(" wall ") && lines[0].contains(" peak memory "), "{said}");

    write(
        "main.c",
        "#include <stdio.h>\nint main(void) { int n; while (scanf(\"%d\", &n) == 1) printf(\"%d\\n\", n * 2); return 0; }\n",
    );
    let done = run(&folder, &["main.c"], "1 2 3");
    assert_eq!((done.stdout.as_slice(), done.status.code()), (b"2\n4\n6\n".as_slice(), Some(0)));
    write("crash.c", "int main(void) { *(volatile int *)0 = 1; }\n");
    assert_eq!(run(&folder, &["crash.c"], "").status.code(), Some(128 + 11));
    write("wrong.c", "int main(void) { return nothing; }\n");
    let done = run(&folder, &["wrong.c"], "");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("wrong.c:1:") && said.contains("engined: compile_error"), "{said}");
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(run(&folder, &["missing.py"], "").status.code(), Some(125));
    write("what", "");
    let said = run(&folder, &["what"], "").stderr;
    assert!(String::from_utf8_lossy(&said).contains("add --language, one of c, cpp, java, javascript, python"));
}

#[test]
fn run_takes_limits_brings_files_back_and_shows_the_result() {
    if !live() {
        return;
    }
    let folder = Scratch::new();
    let write = |name: &str, text: &str| fs::write(folder.0.join(name), text).unwrap();
    write(
        "main.py",
        "import os\nos.mkdir('out')\nopen('out/a.txt', 'w').write('one')\nos.mkfifo('out/pipe')\nprint(len(bytearray(48 << 20)))\n",
    );
    let done = run(&folder, &["main.py", "--limit", "memory_bytes=128MiB", "--output", "out/*", "--into", "got"], "");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(0), b"50331648\n".as_slice()), "{said}");
    assert_eq!(fs::read(folder.0.join("got/out/a.txt")).unwrap(), b"one");
    assert!(said.contains("engined: got/out/a.txt, 3 bytes\n"), "{said}");
    assert!(said.contains("engined: out/pipe is not brought back: not a regular file\n"), "{said}");

    let done = run(&folder, &["main.py", "--limit", "memory_bytes=32MiB", "--json", "--output", "out/*.txt"], "");
    let result: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((result["verdict"].as_str(), done.status.code()), (Some("memory_limit"), Some(128 + 9)));
    assert_eq!(result["reason"]["value"], 32 << 20);
    assert_eq!(result["outputs"][0]["path"], "out/a.txt");
    assert_eq!(fs::read(folder.0.join("outputs/out/a.txt")).unwrap(), b"one");

    for (option, wanted) in [
        ("memory_bytes=1KiB", "limit_too_low"),
        ("memory_bytes=999GiB", "limit_above_ceiling"),
        ("memory=1", "there is no limit \"memory\""),
        ("cpus=0", "cpus"),
    ] {
        let done = run(&folder, &["main.py", "--limit", option], "");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(wanted), "{option}: {said}");
    }
    write("Hello.java", "public class Hello { public static void main(String[] a) { System.out.println(a[0]); } }\n");
    let done = run(&folder, &["Hello.java", "--", "-x"], "");
    assert_eq!(done.stdout, b"-x\n", "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn run_that_is_interrupted_says_what_was_used() {
    if !live() {
        return;
    }
    let folder = Scratch::new();
    fs::write(folder.0.join("main.py"), "print('on', flush=True)\nwhile True: pass\n").unwrap();
    let mut child = Command::new(ENGINED)
        .args(["run", "main.py", "--limit", "cpu_time_ms=600s", "--limit", "wall_time_ms=600s"])
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "on\n");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.starts_with("engined: cancelled, CPU "), "{said}");
}

#[test]
fn the_doctor_finds_everything_here() {
    if !live() {
        return;
    }
    let output = Command::new(ENGINED).args(["doctor", "--json"]).output().unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    assert_eq!(
        findings.iter().filter(|finding| finding["kind"] == "layer").count(),
        19 + 5,
        "of runs, and of the engine"
    );
    let toolchain = findings.iter().find(|finding| finding["name"] == "python/cpython").unwrap();
    assert!(toolchain["detail"].as_str().unwrap().starts_with("3."), "{toolchain}");
    let lacking = findings.iter().filter(|f| f["wanted"] == true && f["obtained"] == false).count();
    assert_eq!(output.status.code(), Some(i32::from(lacking > 0)));
    // With a configuration whose audit lines have no folder to go to.
    let folder = Scratch::new();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let config = folder.0.join("engined.toml");
    let file = folder.0.join("none/audit.jsonl");
    fs::write(&config, format!("[listen]\nunix = \"/run/engined.sock\"\n[audit]\nfile = {file:?}\n")).unwrap();
    let output = Command::new(ENGINED).args(["doctor", "--config"]).arg(&config).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.starts_with("kind "));
    let line = table.lines().find(|line| line.starts_with("audit") && line.contains("lines")).unwrap();
    assert!(line.contains("none can't be written: No such file or directory"), "{table}");
    assert_eq!(output.status.code(), Some(1));
}
