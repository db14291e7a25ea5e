//! `engined store backup` and `restore`: batches with the blobs that they need, while an engine has the store open.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;
#[allow(dead_code, reason = "shared with the tests of the audit")]
#[path = "audit/place.rs"]
mod place;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use store::{
    Answer, Datum, Leased, NewBatch, NewSubmission, NewTest, Options, Placed, Question, Share, SqliteStore, Status,
    Store, Wish,
};

const TENANT: &str = "ann";

/// State folders of this user, of which the store is open here or in no engine.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("engined-store-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("engined.toml"), "").unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn open(&self, state: &str) -> Arc<SqliteStore> {
        SqliteStore::open(Options::new(self.path(state).join("batches"))).unwrap()
    }

    /// A blob of the tenant in a state folder.
    fn blob(&self, state: &str, content: &[u8]) -> PathBuf {
        let hex = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
        let (name, tenant) = (hex(content), hex(TENANT.as_bytes()));
        self.path(state).join("blobs").join(tenant).join(&name[..2]).join(name)
    }

    fn keep_blob(&self, state: &str, content: &[u8]) -> Datum {
        let path = self.blob(state, content);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        Datum::Blob(Sha256::digest(content).into())
    }

    fn engined(&self, verb: &str, folder: &Path, state: &str) -> Output {
        command(verb, folder, &self.path(state), &self.path("engined.toml")).output().unwrap()
    }

    fn done(&self, verb: &str, folder: &Path, state: &str) -> String {
        let output = self.engined(verb, folder, state);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, verb: &str, folder: &Path, state: &str) -> String {
        let output = self.engined(verb, folder, state);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn command(verb: &str, folder: &Path, state: &Path, config: &Path) -> Command {
    let mut command = Command::new(common::live::ENGINED);
    command.args(["store", verb]).arg(folder).arg("--state").arg(state).arg("--config").arg(config);
    command
}

async fn put(store: &SqliteStore, id: &str, stdin: Datum) {
    let test = NewTest { name: "1".into(), stdin, expected: Datum::Inline(b"yes".to_vec()), ..NewTest::default() };
    let batch = NewBatch {
        id: id.into(),
        tenant: TENANT.into(),
        submissions: vec![NewSubmission { name: "s".into(), spec: b"source".to_vec() }],
        tests: vec![test],
        repeat: 1,
        queued_results: 10,
        tenant_bytes: 1 << 40,
        result_bytes: 0,
        ..NewBatch::default()
    };
    assert_eq!(store.put(batch).await.unwrap(), Placed::New);
}

#[tokio::test(flavor = "current_thread")]
async fn a_backup_while_the_store_serves_is_restored_with_its_blobs() {
    let place = Folder::new("both");
    let store = place.open("old");
    let blob = place.keep_blob("old", b"input");
    place.keep_blob("old", b"of no batch");
    put(&store, "b", blob).await;
    let backup = place.path("backup");
    let said = place.done("backup", &backup, "old");
    assert_eq!(said, format!("{}: batches, and 1 blobs with 5 bytes\n", backup.display()));
    assert!(place.refused("backup", &backup, "old").contains("already"));
    drop(store);
    place.done("restore", &backup, "new");
    assert!(place.refused("restore", &backup, "new").contains("already"));
    let restored = place.blob("new", b"input");
    assert_eq!(fs::read(&restored).unwrap(), b"input");
    assert_eq!(fs::metadata(&restored).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!place.blob("new", b"of no batch").exists());
    let times = |state| fs::metadata(place.blob(state, b"input")).unwrap().modified().unwrap();
    assert_eq!(times("new"), times("old"), "when it was used last");
    let tenant = restored.parent().unwrap().parent().unwrap().join("tenant");
    assert_eq!(fs::read_to_string(tenant).unwrap(), TENANT);
    // What was not finished goes on.
    let store = place.open("new");
    let wish = Wish::Submissions { most: vec![Share::any(TENANT, 9)] };
    let Leased::Submissions(leased) = store.lease(wish).await.unwrap() else { panic!("wished for submissions") };
    assert_eq!(leased[0].submission_spec, b"source");
    let question = Question::Batch { tenant: TENANT.into(), batch: "b".into() };
    let Answer::Batch(found) = store.read(question).await.unwrap() else { panic!("asked for a batch") };
    assert_eq!(found.0.status, Status::Running);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_missing_damaged_or_in_use_is_told() {
    let place = Folder::new("told");
    assert!(place.refused("backup", &place.path("x"), "none").contains("batches.sqlite"));
    let store = place.open("old");
    let blob = place.keep_blob("old", b"input");
    put(&store, "b", blob).await;
    let backup = place.path("backup");
    place.done("backup", &backup, "old");
    assert!(place.refused("restore", &backup, "old").contains("another engined"));
    fs::write(place.blob("backup", b"input"), b"inpux").unwrap();
    let told = place.refused("restore", &backup, "new");
    assert!(told.contains("damaged") && told.contains(place.blob("backup", b"input").to_str().unwrap()), "{told}");
    assert!(!place.path("new/batches/batches.sqlite").exists(), "no batch without its data");
    fs::remove_file(place.blob("old", b"input")).unwrap();
    let told = place.refused("backup", &place.path("second"), "old");
    assert!(told.contains("a blob that a batch needs can't be read"), "{told}");
}

/// Runs it as the user whose files they are.
fn as_the_engine(place: &place::Place, verb: &str, folder: &str) {
    let mut command = command(verb, &place.path(folder), &place.path("state"), &place.path("engined.toml"));
    if let Some((uid, gid)) = place::account() {
        let refused = command.output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("runuser -u engined"), "{told}");
        command.uid(uid).gid(gid);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn batches_of_an_engine_that_serves_go_on_in_another() {
    let place = place::Place::new("");
    let engine = place.start();
    let call = |engine: &place::Engine, method: &str, path: &str, kind: &str, body: &str| {
        let headers = format!("Authorization: Bearer {}\r\n{kind}", place::TENANTS[0]);
        place::call(&engine.address, method, path, &headers, body).unwrap()
    };
    let hash: String = Sha256::digest(b"input").iter().map(|byte| format!("{byte:02x}")).collect();
    let blob = format!("/v1/blobs/{hash}");
    let mut stream = std::net::TcpStream::connect(&engine.address).unwrap();
    let head = format!("PUT {blob} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n", place::TENANTS[0]);
    let rest = "Content-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\ninput";
    std::io::Write::write_all(&mut stream, (head + rest).as_bytes()).unwrap();
    assert_eq!(common::Reply::read(&mut stream).unwrap().status, 201);
    let batch = json!({
        "submissions": [{"id": "s", "language": "python", "source": "cat"}],
        "tests": [{"id": "1", "stdin": {"blob": format!("sha256:{hash}")}, "expected": "input"}],
    });
    let reply = call(&engine, "POST", "/v1/batches", "", &batch.to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    let path = format!("/v1/batches/{}", reply.json()["id"].as_str().unwrap());
    place.folder_for_all("copies");
    as_the_engine(&place, "backup", "copies/today");
    engine.stop();
    for kept in ["batches", "blobs"] {
        fs::rename(place.path("state").join(kept), place.path(&format!("lost-{kept}"))).unwrap();
    }
    as_the_engine(&place, "restore", "copies/today");
    let engine = place.start();
    let found = call(&engine, "GET", &path, "", "");
    assert_eq!(found.status, 200, "{}", found.text());
    assert_eq!(found.json()["submission_results"][0]["id"], "s", "{}", found.text());
    assert_eq!(call(&engine, "GET", &blob, "", "").status, 200);
    engine.stop();
}
