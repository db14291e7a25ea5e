//! `engined store backup` and `restore`: batches with the blobs that they need, while an engine has the store open.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use store::{
    Answer, Datum, Leased, NewBatch, NewSubmission, NewTest, Options, Placed, Question, SqliteStore, Status, Store,
    Wish,
};

const TENANT: &str = "ann";

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("engined-store-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("engined.toml"), "").unwrap();
        Place(path)
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_engined"));
        command.args(["store", verb]).arg(folder).arg("--state").arg(self.path(state));
        command.arg("--config").arg(self.path("engined.toml")).output().unwrap()
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

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
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
        ..NewBatch::default()
    };
    assert_eq!(store.put(batch).await.unwrap(), Placed::New);
}

#[tokio::test(flavor = "current_thread")]
async fn a_backup_while_the_store_serves_is_restored_with_its_blobs() {
    let place = Place::new("both");
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
    let wish = Wish::Submissions { most: vec![(TENANT.into(), 9)] };
    let Leased::Submissions(leased) = store.lease(wish).await.unwrap() else { panic!("wished for submissions") };
    assert_eq!(leased[0].submission_spec, b"source");
    let question = Question::Batch { tenant: TENANT.into(), batch: "b".into() };
    let Answer::Batch(found) = store.read(question).await.unwrap() else { panic!("asked for a batch") };
    assert_eq!(found.0.status, Status::Running);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_missing_damaged_or_in_use_is_told() {
    let place = Place::new("told");
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
