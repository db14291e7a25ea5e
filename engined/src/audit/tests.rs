//! What is begun where another has ended.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::audit::inbox::Flushed;
use crate::audit::record::tests::execution;
use crate::audit::record::today;
use crate::config::audit::Target;
use crate::usage::Query;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("engined-audit-{name}-{}", std::process::id()));
        for part in ["a", "b"] {
            fs::create_dir_all(path.join(part)).unwrap();
        }
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn audit(&self, name: &str) -> Audit {
        let audit = settings::Audit {
            target: Target::File,
            file: Some(self.path(name)),
            rotate_bytes: 1 << 20,
            keep: 2,
            keep_for: None,
            sync: true,
            source: false,
            source_bytes: 0,
            before_answer: false,
        };
        let usage = settings::Usage { enabled: true, file: Some(self.path("usage.sqlite")) };
        Audit::start(&audit, &usage, AuditMetrics::new(&prometheus::Registry::new()).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn run(audit: &Audit, times: usize) -> u64 {
    for _ in 0..times {
        let ended = Ended::Verdict(Verdict::Ok);
        let Receipt(number) = audit.push(|| Record::execution(execution(&[], ended, Used::default())));
        assert!(number.is_some());
    }
    assert_eq!(audit.flush(Duration::from_secs(60)).await, Flushed::Whole);
    let query = Query { from: "2000-01-01".to_owned(), to: today(), tenant: None };
    let (rows, _) = crate::usage::tests::told(audit.books().unwrap(), query).await;
    rows.iter().map(|row| row.executions).sum()
}

/// Lines that an engine has written which was killed before it counted them.
fn uncounted(path: &Path, numbers: std::ops::RangeInclusive<u64>) {
    let text = fs::read_to_string(path).unwrap();
    let (last, mut lines) = (text.lines().last().unwrap(), text.clone());
    for seq in numbers {
        let (_, rest) = last.split_once(',').unwrap();
        lines.push_str(&format!("{{\"seq\":{seq},{rest}\n"));
    }
    fs::write(path, lines).unwrap();
}

fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| crate::usage::count::seq_of(line.as_bytes()).unwrap()).collect()
}

/// The threads of one that has ended let go of its files.
async fn end(audit: Audit, path: &Path) {
    drop(audit);
    let database = path.parent().unwrap().with_file_name("usage.sqlite");
    while crate::usage::open(Some(database.clone())).alone().is_err() {
        tokio::task::yield_now().await;
    }
    while fs::File::open(path).unwrap().try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn lines_that_move_elsewhere_are_counted_and_no_number_comes_twice() {
    let folder = Folder::new("moves");
    let [a, b] = ["a/audit.jsonl", "b/audit.jsonl"];
    let audit = folder.audit(a);
    assert_eq!(run(&audit, 2).await, 2);
    end(audit, &folder.path(a)).await;
    uncounted(&folder.path(a), 3..=5);
    let audit = folder.audit(b);
    assert_eq!(run(&audit, 1).await, 6);
    end(audit, &folder.path(b)).await;
    assert_eq!(numbers(&folder.path(b)), [6]);
    // And back again.
    uncounted(&folder.path(b), 7..=8);
    let audit = folder.audit(a);
    assert_eq!(run(&audit, 1).await, 9);
    end(audit, &folder.path(a)).await;
    assert_eq!(numbers(&folder.path(a)), [1, 2, 3, 4, 5, 9]);
}

#[tokio::test]
async fn an_old_file_that_cannot_be_read_stops_no_start() {
    let folder = Folder::new("unreadable");
    let name = "a/audit.jsonl";
    let audit = folder.audit(name);
    run(&audit, 2).await;
    end(audit, &folder.path(name)).await;
    fs::create_dir(folder.path("a/audit.jsonl.1")).unwrap();
    nix::unistd::mkfifo(&folder.path("a/audit.jsonl.2"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let audit = folder.audit(name);
    assert_eq!(run(&audit, 1).await, 3);
    end(audit, &folder.path(name)).await;
    // Nor does a folder of the old ones that may not be read.
    fs::remove_dir_all(folder.path("a")).unwrap();
    fs::write(folder.path("a"), "no folder").unwrap();
    let audit = folder.audit("b/audit.jsonl");
    assert_eq!(run(&audit, 1).await, 4);
    end(audit, &folder.path("b/audit.jsonl")).await;
}
