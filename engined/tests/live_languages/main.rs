//! Languages through the real programs: versions side by side, operators' manifests and their reload, third-party
//! packages, and what each language promises. Skipped like `live`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod environments;
mod java;
mod manifests;
mod native;
mod node;
mod removed;
mod versions;

use common::live::Up;
use serde_json::{Value, json};

/// What a run wrote to standard output.
fn stdout(result: &Value) -> &str {
    result["run"]["stdout"]["text"].as_str().unwrap_or_else(|| panic!("no output: {result}"))
}

/// What a compiler or a run wrote to standard error.
fn stderr(step: &Value) -> &str {
    step["stderr"]["text"].as_str().unwrap_or_else(|| panic!("no messages: {step}"))
}

/// The files of a request: `path` and content.
fn files(files: &[(&str, &str)]) -> Value {
    files.iter().map(|(path, content)| json!({"path": path, "content": content})).collect()
}

/// The output of a program that ends well.
fn said(up: &Up, request: &Value) -> String {
    let result = up.run(request);
    assert_eq!(result["verdict"], "ok", "{request}\n{result}");
    stdout(&result).to_owned()
}

/// Says aloud what is not tested here. `needed` where CI must have it.
fn skip(why: &str, needed: bool) {
    eprintln!("SKIPPED: {why}");
    let forbidden = needed && std::env::var_os("ENGINED_FORBID_SKIP").is_some_and(|value| value == "1");
    assert!(!forbidden, "skipping is forbidden: {why}");
}
