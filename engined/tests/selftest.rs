//! `engined selftest` as a program: against an engine with a jaild that runs nothing, so that attacks seem to work or
//! layers are missing, and once against the real thing.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::process::{Command, Output, Stdio};

use common::live::{ENGINED, live};
use common::{Rig, Scratch, TOKEN, wait_for};
use jail::spec::Layer;
use serde_json::Value;

fn selftest(args: &[&str]) -> Command {
    let mut command = Command::new(ENGINED);
    command.arg("selftest").args(args).env_remove("ENGINED_URL").env_remove("ENGINED_TOKEN").stdin(Stdio::null());
    command
}

/// Exit code, standard output and standard error.
fn told(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn against(rig: &Rig, args: &[&str]) -> (i32, String, String) {
    let mut command = selftest(args);
    command.env("ENGINED_URL", format!("http://{}", rig.address)).env("ENGINED_TOKEN", TOKEN);
    told(command)
}

#[test]
fn an_engine_that_holds_is_told_from_one_that_does_not() {
    let rig = Rig::start();
    // Nothing runs here: whoever may end well has held, a loop that is not ended has not.
    let (code, out, err) = against(&rig, &["--only", "caps_status.c", "mount_try.c", "spin.java"]);
    assert!(out.contains("kernel surface      2     2       0      0        0  capabilities, seccomp, "), "{out}");
    assert!(out.contains("\nSkipped: spin.java: java: "), "{out}");
    assert!(out.ends_with("\nEverything held: 2 programs, 19 layers in force; 1 program skipped.\n"), "{out}");
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(err.lines().filter(|line| line.contains(": held (")).count(), 2, "{err}");

    let (code, out, err) = against(&rig, &["--only", "spin.c", "caps_status.c", "--json"]);
    assert_eq!(code, 1, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["result"], "not_held");
    assert_eq!(report["sentence"], "Not everything held: 1 of 2 programs did not hold (spin.c).");
    assert_eq!(report["engine"]["chosen"], "named");
    assert_eq!(report["programs"][0]["complaints"][0], "verdict ok (OK), allowed are TLE");
    assert_eq!(report["layers"].as_array().unwrap().len(), 19);
}

#[test]
fn an_engine_that_lacks_a_layer_is_not_tested_but_told_what_to_do() {
    let rig = Rig::unready(2, "", &[Layer::Landlock]);
    wait_for(|| rig.engine.standing().obstacles.iter().any(|obstacle| obstacle.contains("landlock")));
    let (code, out, err) = against(&rig, &["--only", "caps_status.c"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("is not ready (HTTP 503 not_ready: "), "{err}");
    assert!(err.contains("boot with landlock in the lsm= list"), "{err}");
}

#[test]
fn what_can_not_be_tried_is_said_with_what_to_do() {
    let rig = Rig::start();
    let (code, out, err) = against(&rig, &["--only", "spin.java"]);
    assert_eq!(code, 2, "{out}{err}");
    assert!(out.contains("\nNothing could be tried: java: "), "{out}");

    let url = format!("http://{}", rig.address);
    let (code, out, err) = told(selftest(&["--server", &url, "--only", "spin.c"]));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("does not know us (HTTP 401"), "{err}");
    assert!(err.ends_with("; set ENGINED_TOKEN, or name a file that holds the token with --token-file\n"), "{err}");
    let scratch = Scratch::new();
    let file = scratch.0.join("token");
    std::fs::write(&file, format!("# The token\n{TOKEN}\n\n# The line\ntokens = [\"sha256:…\"]\n")).unwrap();
    let args = ["--server", &url, "--only", "caps_status.c", "--token-file", file.to_str().unwrap()];
    assert_eq!(told(selftest(&args)).0, 0);

    let socket = scratch.0.join("none.sock");
    let (code, out, err) = told(selftest(&["--server", &format!("unix:{}", socket.display()), "--json"]));
    assert_eq!(code, 2);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["result"], "not_tried");
    let remedy = "; start it (systemctl start jaild engined), or take one of your own with --embedded";
    assert!(json["sentence"].as_str().is_some_and(|text| text.ends_with(remedy)), "{out}");
    assert!(err.starts_with("engined: unix:"), "{err}");

    let (code, _, err) = told(selftest(&["--server", "http://127.0.0.1:1", "--only", "nothing.c"]));
    assert_eq!(code, 2);
    assert!(err.starts_with("engined: --only nothing.c is no program"), "{err}");
}

#[test]
fn the_list_needs_no_engine() {
    let (code, out, _) = told(selftest(&["--list", "--only", "net"]));
    assert_eq!(code, 0);
    assert!(out.lines().any(|line| line.starts_with("net_connect.py ")), "{out}");
    let (code, out, _) = told(selftest(&["--list", "--only", "spin.c", "--json"]));
    assert_eq!(code, 0);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list[0]["layers"], serde_json::json!(["meter"]));
}

#[test]
fn the_real_thing_holds_and_leaves_nothing() {
    if !live() {
        return;
    }
    // None is installed at such a place, so that one is started.
    let scratch = Scratch::new();
    let config = scratch.0.join("engined.toml");
    std::fs::write(&config, format!("[listen]\nunix = {:?}\n", scratch.0.join("none.sock"))).unwrap();
    let args = [
        "--config",
        config.to_str().unwrap(),
        "--only",
        "exit_codes.py",
        "env_leak.py",
        "net_connect.py",
        "fork_count.c",
        "--json",
    ];
    let (code, out, err) = told(selftest(&args));
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.starts_with("engined: no engine serves at unix:"), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["engine"]["chosen"], "embedded");
    assert_eq!(report["sentence"], "Everything held: 4 programs, 24 layers in force.");
    assert_eq!(report["host"]["not_looked_at"], serde_json::json!([]), "{out}");
    let port = report["engine"]["address"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    // The engine of the test has ended; another one may have been given its port meanwhile.
    wait_for(|| std::net::TcpStream::connect(&port).is_err());
}
