//! -9 to an engine that is writing an entry of its artifact cache.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jail::stop::{ENVIRONMENT, Page};
use serde_json::{Value, json};

use crate::common::Scratch;
use crate::common::live::{Up, live};
use crate::rig::{PATIENCE, end};

fn until(what: &str, up: &Up, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", up.log());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The files of entries, whole and unfinished.
fn files(place: &Path) -> Vec<PathBuf> {
    let paths = |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    paths(place).filter(|path| path.is_dir()).flat_map(|folder| paths(&folder).collect::<Vec<_>>()).collect()
}

fn unfinished(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("new-")
}

/// The caller has its answer by then. What was half written is gone at the next start, and nobody has used it.
#[test]
fn an_engine_that_is_killed_while_it_keeps_leaves_nothing_half() {
    if !live() {
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o755)).unwrap();
    let (stops, place) = (scratch.0.join("stops"), scratch.0.join("artifacts"));
    File::create(&stops).unwrap().set_len(16).unwrap();
    fs::set_permissions(&stops, fs::Permissions::from_mode(0o666)).unwrap();
    let page = Page::open(&stops).unwrap();
    let up = Up::by(&[], |command| {
        command.arg("--cache").arg(&place).env(ENVIRONMENT, &stops);
    });
    let request = json!({"language": "c", "source": "int main(void) { return 7; }"});
    page.arm("engined.keeping");
    let result = up.run(&request);
    assert_eq!((&result["run"]["exit_code"], &result["compile"]["cached"]), (&json!(7), &json!(false)), "{result}");
    until("an entry is being written", &up, || page.taken("engined.keeping"));
    // It has all of its bytes and not its name.
    assert!(matches!(files(&place).as_slice(), [one] if unfinished(one)), "{:?}", files(&place));
    let killed = u32::try_from(up.child("engined")).unwrap();
    end(killed);
    page.release();
    until("its end", &up, || !Path::new(&format!("/proc/{killed}")).exists());
    let answer = || {
        let reply = up.call("POST", "/v1/executions", &request).filter(|reply| reply.status == 200)?;
        Some(reply.json()).filter(|result| result["verdict"] != "engine_error")
    };
    let mut first = None;
    let deadline = Instant::now() + PATIENCE;
    while first.is_none() {
        assert!(Instant::now() < deadline, "no answer\n{}", up.log());
        first = answer();
    }
    let first: Value = first.unwrap();
    assert_eq!((&first["run"]["exit_code"], &first["compile"]["cached"]), (&json!(7), &json!(false)), "{first}");
    until("the entry is there", &up, || matches!(files(&place).as_slice(), [one] if !unfinished(one)));
    until("a hit", &up, || answer().is_some_and(|result| result["compile"]["cached"] == true));
    up.stop();
}
