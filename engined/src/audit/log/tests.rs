//! A line is there whole or not at all.

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("engined-log-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const SMALL: Rotation = Rotation { bytes: 64, keep: 2, keep_for: None };
const LARGE: Rotation = Rotation { bytes: 1 << 20, keep: 2, keep_for: None };

fn line(seq: u64) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"time\":\"2026-11-26T00:00:00Z\"}}\n").into_bytes()
}

fn numbers(files: &[File], after: u64) -> Vec<u64> {
    let mut found = Vec::new();
    for file in files {
        lines_after(file, after, |seq, _| {
            found.push(seq);
            true
        })
        .unwrap();
    }
    found
}

#[test]
fn a_torn_line_is_cut_and_the_number_goes_on() {
    let folder = Folder::new("torn");
    let (mut log, found) = Log::open(&folder.file(), LARGE).unwrap();
    assert_eq!((found.last, found.cut), (0, 0));
    log.append(&[line(1), line(2)].concat(), 0).unwrap();
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
    let why = Log::open(&folder.file(), LARGE).unwrap_err().to_string();
    assert!(why.contains("another engined writes it"), "{why}");
    drop(log);
    fs::write(folder.file(), [line(1), line(2), b"{\"seq\":3,\"ti".to_vec()].concat()).unwrap();
    let (_, found) = Log::open(&folder.file(), LARGE).unwrap();
    assert_eq!((found.last, found.cut), (2, 12));
    assert_eq!(fs::read(folder.file()).unwrap(), [line(1), line(2)].concat());
    assert_eq!(numbers(&found.files, 1), [2]);
    // Nothing but a torn line.
    fs::write(folder.file(), "{\"seq\":3").unwrap();
    drop(found);
    let (_, found) = Log::open(&folder.file(), LARGE).unwrap();
    assert_eq!((found.last, found.cut), (0, 8));
}

#[test]
fn only_a_plain_file_of_ours_is_written() {
    let folder = Folder::new("plain");
    std::os::unix::fs::symlink("/dev/null", folder.file()).unwrap();
    assert!(Log::open(&folder.file(), LARGE).is_err(), "a link could lead anywhere");
    fs::remove_file(folder.file()).unwrap();
    fs::create_dir(folder.file()).unwrap();
    assert!(Log::open(&folder.file(), LARGE).is_err());
    assert!(Log::open(&folder.0.join("none/audit.jsonl"), LARGE).is_err());
    let why = Log::open(Path::new("/dev/full"), LARGE).unwrap_err().to_string();
    assert!(why.contains("is no plain file"), "{why}");
}

#[test]
fn full_files_are_put_aside_and_stay_until_they_are_counted() {
    let folder = Folder::new("rotate");
    let (mut log, _) = Log::open(&folder.file(), SMALL).unwrap();
    for seq in 1..=6 {
        log.append(&line(seq), 0).unwrap();
    }
    // Nothing is counted, so nothing goes: one line fits into each.
    let all = ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3", "audit.jsonl.4", "audit.jsonl.5"];
    assert_eq!(folder.names(), all);
    drop(log);
    let (mut log, found) = Log::open(&folder.file(), SMALL).unwrap();
    assert_eq!((found.last, numbers(&found.files, 2)), (6, vec![3, 4, 5, 6]));
    log.append(&line(7), 4).unwrap();
    assert_eq!(numbers(&files(&folder.file()), 0), [5, 6, 7], "four were counted, and two are kept aside");
    log.append(&line(8), 7).unwrap();
    assert_eq!(folder.names(), all[..3]);
    assert_eq!(numbers(&files(&folder.file()), 0), [6, 7, 8]);
}

#[test]
fn old_files_go_by_their_age() {
    let folder = Folder::new("age");
    let rotation = Rotation { keep: 9, keep_for: Some(Duration::from_secs(86_400)), ..SMALL };
    let (mut log, _) = Log::open(&folder.file(), rotation).unwrap();
    for seq in 1..=3 {
        log.append(&line(seq), 9).unwrap();
    }
    let old = SystemTime::now() - Duration::from_secs(2 * 86_400);
    File::options().write(true).open(folder.0.join("audit.jsonl.2")).unwrap().set_modified(old).unwrap();
    log.append(&line(4), 9).unwrap();
    assert_eq!(numbers(&files(&folder.file()), 0), [2, 3, 4]);
}

#[test]
fn a_file_that_was_taken_away_is_begun_anew() {
    let folder = Folder::new("taken");
    let (mut log, _) = Log::open(&folder.file(), LARGE).unwrap();
    log.append(&line(1), 0).unwrap();
    fs::rename(folder.file(), folder.0.join("mine")).unwrap();
    log.append(&line(2), 0).unwrap();
    fs::remove_file(folder.file()).unwrap();
    log.append(&line(3), 0).unwrap();
    assert_eq!(numbers(&files(&folder.file()), 0), [3]);
    // Emptied under our hands.
    fs::write(folder.file(), "").unwrap();
    log.append(&line(4), 0).unwrap();
    assert_eq!(fs::read(folder.file()).unwrap(), line(4));
}

#[test]
fn a_long_last_line_is_found() {
    let folder = Folder::new("long");
    let long = format!("{{\"seq\":7,\"source\":\"{}\"}}\n", "x".repeat(200_000));
    fs::write(folder.file(), [line(6), long.clone().into_bytes()].concat()).unwrap();
    let (log, found) = Log::open(&folder.file(), LARGE).unwrap();
    assert_eq!((found.last, found.cut), (7, 0));
    drop((log, found));
    fs::write(folder.file(), [line(6), long.as_bytes()[..150_000].to_vec()].concat()).unwrap();
    let (_, found) = Log::open(&folder.file(), LARGE).unwrap();
    assert_eq!((found.last, found.cut), (6, 150_000));
}
