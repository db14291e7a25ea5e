//! What programs try is told by the real programs: in the reason, in the result, in the audit line and in the metrics.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use common::live::{Up, live};
use serde_json::{Value, json};

#[test]
fn what_was_tried_is_told_everywhere() {
    if !live() {
        return;
    }
    let up = Up::start();
    let honest = up.python(
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname())",
    );
    assert_eq!((&honest["verdict"], &honest["reason"]), (&json!("ok"), &Value::Null), "{honest}");
    assert_eq!(honest["run"]["watched_calls"], json!({"socket": 2}));
    let quiet = up.python("print('nothing')");
    assert_eq!(quiet["run"].get("watched_calls"), None, "{quiet}");

    let hostile = up.python("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('alive')");
    assert_eq!((&hostile["verdict"], &hostile["run"]["signal"]), (&json!("security_violation"), &json!("SIGSYS")));
    assert_eq!((&hostile["run"]["exit_code"], &hostile["run"]["stdout"]["text"]), (&Value::Null, &json!("")));
    let message = "The program made the system call ptrace, which ends whoever makes it here.";
    assert_eq!(hostile["reason"]["message"], message);
    assert_eq!(hostile["run"]["watched_calls"], json!({"ptrace": 1}));

    let child = up.python(
        "import ctypes, os, socket, sys\nif os.fork() == 0: ctypes.CDLL(None).setns(0, 0)\nos.wait()\n\
         try: socket.create_connection(('192.0.2.1', 80))\nexcept OSError: sys.exit(3)",
    );
    assert_eq!((&child["verdict"], &child["run"]["exit_code"]), (&json!("runtime_error"), &json!(3)), "{child}");
    assert_eq!(child["run"]["watched_calls"], json!({"setns": 1, "socket": 1}));
    assert_eq!(
        child["reason"]["message"],
        "The program ended with exit code 3. Processes of it were ended for system calls that nobody may make here: setns \
         (1). It opened a network socket: no network is here but its own loopback."
    );

    let metrics = up.call("GET", "/metrics", &Value::Null).unwrap().text();
    for (call, count) in [("socket", 3), ("ptrace", 1), ("setns", 1), ("mount", 0)] {
        let line = format!("engined_filter_notifications_total{{call=\"{call}\"}} {count}");
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    // Asking for usage has every line written.
    // It waits for two seconds at most: a busy disk may take longer.
    common::wait_for(|| {
        let usage = up.call("GET", "/v1/usage", &Value::Null).unwrap();
        usage.status == 200 && usage.json()["behind_records"] == 0
    });
    let audit = std::fs::read_to_string(up.state.join("records/audit.jsonl")).unwrap();
    let mut lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.find(|line| line["id"] == hostile["id"]).unwrap_or_else(|| panic!("{audit}"));
    assert_eq!(line["watched_calls"], json!({"ptrace": 1}));
    up.stop();
}
