//! Counters are the sums over lines, whatever the database went through.

use std::io::Write;

use super::*;
use crate::audit::log::files;
use crate::audit::record::today;
use crate::metrics::AuditMetrics;
use count::{Charged, Counts};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("engined-usage-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    fn database(&self) -> PathBuf {
        self.0.join("usage.sqlite")
    }

    fn write(&self, from: u64, to: u64) {
        let mut file = File::options().create(true).append(true).open(self.log()).unwrap();
        for seq in from..=to {
            let day = 10 + seq % 3;
            writeln!(
                file,
                "{{\"seq\":{seq},\"time\":\"2026-11-{day}T00:00:00.000000Z\",\"act\":\"execution\",\"tenant\":\"t{}\",\
                 \"language\":\"c\",\"verdict\":\"ok\",\"charged\":{{\"cpu_time_us\":{seq},\"compile_cpu_time_us\":1,\
                 \"memory_kib_ms\":2,\"output_bytes\":3}}}}",
                seq % 2
            )
            .unwrap();
        }
    }

    /// The thread of the books before may not have ended yet: it writes as long as it has the database.
    fn alone(&self) -> Opened {
        loop {
            let opened = open(Some(self.database()));
            if opened.alone().is_ok() {
                return opened;
            }
            std::thread::yield_now();
        }
    }

    fn books(&self, upto: u64) -> Arc<Books> {
        let metrics = AuditMetrics::new(&prometheus::Registry::new()).unwrap();
        Books::start(self.alone(), files(&self.log()), upto, self.log(), metrics).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn query(tenant: Option<&str>) -> Query {
    Query { from: "2026-11-01".to_owned(), to: "2026-11-30".to_owned(), tenant: tenant.map(str::to_owned) }
}

/// Rows, and since when there are any. Nobody waits for longer than two seconds: a busy disk may take more.
pub(crate) async fn told(books: &Books, query: Query) -> (Vec<UsageRow>, Option<String>) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(150);
    loop {
        match books.query(query.clone()).await {
            Ok(told) => break told,
            Err(why) => assert!(std::time::Instant::now() < deadline, "{why}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Executions and CPU time of all rows together.
async fn total(books: &Books) -> (u64, u64) {
    let (rows, _) = told(books, query(None)).await;
    rows.iter().fold((0, 0), |(count, cpu), row| (count + row.executions, cpu + row.cpu_time_us))
}

fn sum(from: u64, to: u64) -> (u64, u64) {
    (to - from + 1, (from..=to).sum())
}

#[tokio::test]
async fn lines_that_are_not_counted_are_counted_once() {
    let folder = Folder::new("once");
    folder.write(1, 100);
    let books = folder.books(100);
    assert_eq!(total(&books).await, sum(1, 100));
    drop(books);
    // Killed after some more lines, and again without any.
    folder.write(101, 130);
    assert_eq!(total(&folder.books(130)).await, sum(1, 130));
    let books = folder.books(130);
    assert_eq!(total(&books).await, sum(1, 130));
    // What is written now is handed over.
    let mut counts = Counts::default();
    counts.execution(["2026-11-12", "t0", "c", "cancelled"], &Charged { cpu_time_us: 1000, ..Charged::default() });
    books.count(Handed { counts, seq: 131, ..Handed::default() }).unwrap();
    assert_eq!(total(&books).await, (131, sum(1, 130).1 + 1000));
    assert_eq!(books.counted(), 131);
    let (rows, since) = told(&books, query(Some("t0"))).await;
    assert_eq!(since.as_deref(), Some("2026-11-10"));
    assert_eq!(rows.iter().map(|row| row.day.as_str()).collect::<Vec<_>>(), ["2026-11-10", "2026-11-11", "2026-11-12"]);
    assert_eq!(rows[2].verdicts, [("cancelled".to_owned(), 1), ("ok".to_owned(), rows[2].executions - 1)].into());
    assert!(rows.iter().all(|row| row.tenant == "t0"));
    let none = Query { from: "2026-11-13".to_owned(), to: "2026-11-12".to_owned(), tenant: None };
    assert_eq!(told(&books, none).await.0, []);
}

#[tokio::test]
async fn a_damaged_database_is_made_anew_of_the_lines() {
    let folder = Folder::new("damaged");
    folder.write(1, 50);
    assert_eq!(total(&folder.books(50)).await, sum(1, 50));
    drop(folder.alone());
    for damage in ["this is no database at all".repeat(400).into_bytes(), {
        let mut bytes = fs::read(folder.database()).unwrap();
        let end = bytes.len();
        bytes[100..end].fill(0x5a);
        bytes
    }] {
        for part in ["-wal", "-shm"] {
            fs::remove_file(folder.0.join(format!("usage.sqlite{part}"))).unwrap_or_default();
        }
        fs::write(folder.database(), damage).unwrap();
        assert_eq!(total(&folder.books(50)).await, sum(1, 50));
        drop(folder.alone());
    }
    let aside = fs::read_dir(&folder.0)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().into_string().unwrap().contains("usage.sqlite.damaged-"));
    assert!(aside.count() >= 1, "it is kept for whoever wants to look at it");
}

#[tokio::test]
async fn one_that_is_damaged_while_it_serves_is_made_anew() {
    for asked_first in [true, false] {
        // Each its own: the books before end a little later, and SQLite removes its log by name then.
        let folder = Folder::new(&format!("serving-{asked_first}"));
        folder.write(1, 50);
        let books = folder.books(50);
        assert_eq!(total(&books).await, sum(1, 50));
        // What another has changed is read again.
        let other = rusqlite::Connection::open(folder.database()).unwrap();
        let change = "CREATE TABLE IF NOT EXISTS other (x); PRAGMA wal_checkpoint(TRUNCATE);";
        // Beside a connection of the same process it does not get through at once.
        let tries = (0..500).map(|_| other.execute_batch(change)).take_while(Result::is_err);
        tries.for_each(|_| std::thread::sleep(std::time::Duration::from_millis(10)));
        let bytes = fs::metadata(folder.database()).unwrap().len();
        let file = File::options().write(true).open(folder.database()).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x5a; usize::try_from(bytes).unwrap()], 0).unwrap();
        drop(other);
        if asked_first {
            assert_eq!(total(&books).await, sum(1, 50));
        }
        folder.write(51, 60);
        let mut counts = Counts::default();
        for seq in 51..=60 {
            let day = format!("2026-11-{}", 10 + seq % 3);
            counts.execution([&day, "t", "c", "ok"], &Charged { cpu_time_us: seq, ..Charged::default() });
        }
        books.count(Handed { counts, seq: 60, ..Handed::default() }).unwrap();
        assert_eq!(total(&books).await, sum(1, 60));
        assert_eq!(books.counted(), 60);
        let names = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.filter(|name| name.contains("usage.sqlite.damaged-")).count() >= 1);
    }
}

#[tokio::test]
async fn two_engines_do_not_count_in_one() {
    let folder = Folder::new("two");
    let _books = folder.books(0);
    let why = open(Some(folder.database())).alone().unwrap_err().to_string();
    assert!(why.contains("another engined counts in it"), "{why}");
}

#[tokio::test]
async fn a_database_of_a_later_engine_is_left_alone() {
    let folder = Folder::new("newer");
    folder.write(1, 3);
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    connection.execute_batch("CREATE TABLE usage (x); PRAGMA user_version = 2;").unwrap();
    drop(connection);
    let before = fs::read(folder.database()).unwrap();
    let books = folder.books(3);
    let why = books.query(query(None)).await.unwrap_err();
    assert!(why.contains("was written by a later engined (its version is 2"), "{why}");
    assert_eq!(books.counted(), 0, "no audit file may go");
    drop(books);
    assert!(fs::read(folder.database()).unwrap() == before);
}

#[tokio::test]
async fn what_cannot_be_counted_waits_until_it_can() {
    let folder = Folder::new("waits");
    folder.write(1, 10);
    // The folder of the database is not there yet.
    let place = folder.0.join("later/usage.sqlite");
    let metrics = AuditMetrics::new(&prometheus::Registry::new()).unwrap();
    let log = files(&folder.log());
    let books = Books::start(open(Some(place.clone())), log, 10, folder.log(), metrics.clone()).unwrap();
    assert!(books.query(query(None)).await.is_err());
    assert_eq!(metrics.behind(), 10);
    fs::create_dir(place.parent().unwrap()).unwrap();
    books.count(Handed { seq: 10, ..Handed::default() }).unwrap();
    assert_eq!(total(&books).await, sum(1, 10));
}

#[tokio::test]
async fn without_a_folder_usage_is_in_memory() {
    let metrics = AuditMetrics::new(&prometheus::Registry::new()).unwrap();
    let books = Books::start(open(None), Vec::new(), 0, PathBuf::new(), metrics).unwrap();
    let mut counts = Counts::default();
    let charged = Charged { cpu_time_us: 5, compile_cpu_time_us: 7, ..Charged::default() };
    counts.execution([&today(), "t", "c", "ok"], &charged);
    books.count(Handed { counts, seq: 1, ..Handed::default() }).unwrap();
    assert_eq!(books.cpu_today(), [("t".to_owned(), 12)].into());
    assert!(!books.is_durable());
}

#[tokio::test]
async fn lines_come_to_the_disk_before_counters() {
    let folder = Folder::new("first");
    let mut metrics = AuditMetrics::new(&prometheus::Registry::new()).unwrap();
    metrics.syncs = true;
    let books = Books::start(open(None), Vec::new(), 0, folder.log(), metrics.clone()).unwrap();
    let hand = |seq: u64, file: File| {
        let mut counts = Counts::default();
        counts.execution(["2026-11-12", "t", "c", "ok"], &Charged { cpu_time_us: seq, ..Charged::default() });
        books.count(Handed { counts, seq, log: Some((folder.log(), file)), flush: None }).unwrap();
    };
    let (_, writer) = nix::unistd::pipe().unwrap();
    // A pipe can't be brought there.
    hand(1, File::from(writer));
    assert_eq!((total(&books).await, books.counted()), ((0, 0), 0));
    hand(2, File::create(folder.log()).unwrap());
    assert_eq!((total(&books).await, books.counted()), ((2, 3), 2));
}
