//! Whatever becomes of the disk: lines are written or their loss is told, and usage is right.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::audit::inbox::{Flushed, MOST};
use crate::audit::log::{Log, Rotation, files};
use crate::audit::record::tests::execution;
use crate::audit::record::{Ended, Used, today};
use crate::usage::count::{Counted, seq_of};
use crate::usage::{Books, Query};

const DAY: Duration = Duration::from_secs(86_400);

const LARGE: Rotation = Rotation { bytes: 1 << 30, keep: 2, keep_for: Some(DAY), sync: true };

struct Rig {
    folder: PathBuf,
    inbox: Arc<Inbox>,
    metrics: AuditMetrics,
    books: Option<Arc<Books>>,
    thread: std::thread::JoinHandle<()>,
}

impl Rig {
    fn start(name: &str, spool: bool) -> Rig {
        Rig::with(name, spool, true)
    }

    fn without_books(name: &str) -> Rig {
        Rig::with(name, false, false)
    }

    fn with(name: &str, spool: bool, counts: bool) -> Rig {
        let folder = std::env::temp_dir().join(format!("engined-writer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("audit.jsonl");
        let mut metrics = AuditMetrics::new(&prometheus::Registry::new()).unwrap();
        metrics.syncs = true;
        let (log, found) = Log::open(&path, LARGE).unwrap();
        let start = || Books::start(crate::usage::open(None), found.files, found.last, path, metrics.clone()).unwrap();
        let books = counts.then(start);
        let sinks = Sinks { log: Some(log), spool, journal: None, books: books.clone() };
        let inbox = Arc::new(Inbox::new(metrics.lost.clone()));
        let writer = Writer::new(Arc::clone(&inbox), sinks, metrics.clone(), found.last, false);
        let thread = std::thread::spawn(move || writer.run());
        Rig { folder, inbox, metrics, books, thread }
    }

    fn push(&self) -> Option<u64> {
        let ended = Ended::Verdict(api_spec::Verdict::Ok);
        let used = Used { output_bytes: 1, ..Used::default() };
        self.inbox.push(Record::execution(execution(&[], ended, used)))
    }

    async fn executions(&self) -> u64 {
        let (from, to) = ("2000-01-01".to_owned(), "9999-12-31".to_owned());
        let books = self.books.as_ref().unwrap();
        let (rows, _) = crate::usage::tests::told(books, Query { from, to, tenant: None }).await;
        rows.iter().map(|row| row.executions).sum()
    }

    /// Every line, after the end of the thread.
    fn end(self) -> Vec<String> {
        self.inbox.close();
        self.thread.join().unwrap();
        let files = files(&self.folder.join("audit.jsonl"));
        let lines = files.into_iter().flat_map(|file| {
            let text = io::read_to_string(file).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        let lines = lines.collect();
        fs::remove_dir_all(&self.folder).unwrap();
        lines
    }
}

fn summed(lines: &[String]) -> Counts {
    let mut counts = Counts::default();
    lines.iter().for_each(|line| counts.line(&serde_json::from_str::<Counted<'_>>(line).unwrap()));
    counts
}

#[tokio::test]
async fn a_disk_in_trouble_costs_details_and_no_usage() {
    let rig = Rig::start("trouble", false);
    rig.push();
    assert_eq!(rig.inbox.flush().await, Flushed::Whole);
    // The file can be neither found nor made.
    let away = rig.folder.with_extension("away");
    fs::rename(&rig.folder, &away).unwrap();
    rig.push();
    while rig.metrics.failures.get() == 0 {
        tokio::task::yield_now().await;
    }
    let mut taken = 2;
    while rig.push().is_some() {
        taken += 1;
    }
    assert!(taken >= MOST as u64);
    assert!((0..9).all(|_| rig.push().is_none()));
    assert_eq!(rig.executions().await, 1);
    assert_eq!((rig.metrics.lost.get(), rig.inbox.waiting()), (10, taken - 1), "told while it is stuck");
    fs::rename(&away, &rig.folder).unwrap();
    assert_eq!(rig.inbox.flush().await, Flushed::Whole);
    assert_eq!(rig.executions().await, taken + 10, "what was lost is counted all the same");
    assert_eq!((rig.metrics.lost.get(), rig.metrics.written.get()), (10, taken + 1));
    rig.push();
    let lines = rig.end();
    assert_eq!(summed(&lines).rows().iter().map(|row| row.sums.executions).sum::<u64>(), taken + 11);
    let numbers: Vec<u64> = lines.iter().map(|line| seq_of(line.as_bytes()).unwrap()).collect();
    assert_eq!(numbers, (1..=taken + 2).collect::<Vec<_>>(), "no number twice, and none left out");
    let told: Vec<&String> = lines.iter().filter(|line| line.contains("\"act\":\"lost\",\"records\":10")).collect();
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn a_spool_has_what_is_counted_and_nothing_else() {
    let rig = Rig::start("spool", true);
    for _ in 0..100 {
        rig.push();
    }
    assert_eq!(rig.inbox.flush().await, Flushed::Whole);
    assert_eq!(rig.executions().await, 100);
    let lines = rig.end();
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|line| !line.contains("request_id") && line.contains(&today())), "{}", lines[0]);
}

/// Nobody counts: usage is switched off.
#[tokio::test]
async fn lines_come_to_the_disk_and_nobody_waits_in_vain_where_usage_is_not_counted() {
    let rig = Rig::without_books("uncounted");
    for _ in 0..3 {
        rig.push();
        let flushed = tokio::time::timeout(Duration::from_secs(60), rig.inbox.flush()).await;
        assert_eq!(flushed.unwrap(), Flushed::Whole);
    }
    assert_eq!(rig.end().len(), 3);
}

#[tokio::test]
async fn counters_that_have_ended_stop_no_line() {
    let rig = Rig::start("ended", false);
    rig.push();
    assert_eq!(rig.inbox.flush().await, Flushed::Whole);
    let books = rig.books.clone().unwrap();
    books.end();
    for _ in 0..3 {
        rig.push();
        assert_eq!(rig.inbox.flush().await, Flushed::Uncounted);
    }
    let query = Query { from: today(), to: today(), tenant: None };
    assert!(books.query(query).await.unwrap_err().contains("have ended"));
    assert_eq!(rig.end().len(), 4);
}

#[tokio::test]
async fn nothing_is_counted_before_it_is_on_the_disk() {
    let rig = Rig::start("unsynced", false);
    // The file's name can't be brought there.
    let away = rig.folder.with_extension("away");
    fs::rename(&rig.folder, &away).unwrap();
    let mut flush = std::pin::pin!(rig.inbox.flush());
    while rig.metrics.failures.get() < 2 {
        assert!(tokio::time::timeout(Duration::from_millis(10), &mut flush).await.is_err());
    }
    fs::rename(&away, &rig.folder).unwrap();
    assert_eq!(flush.await, Flushed::Whole);
    rig.end();
}
