//! What lies in the folder, whole and damaged, and what is done about it.
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};

use api_spec::{Hint, LimitName, Reason, Verdict};
use jail::records::{self, Kind, RecordWriter};
use jail::spec::{
    Attempts, Bytes, Collected, Ended, Layers, Micros, Outcome, PeakSource, RunId, StopReason, Usage, WatchedCall,
};
use nix::sys::stat::Mode;

use super::*;
use crate::cache::entry::copy;
use crate::capture::{Captured, Output};
use crate::link::RunEnd;

/// A folder that goes when its owner does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("engined-artifacts-{name}-{}", std::process::id()));
        make(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

const KEY: Key = Key([7; 32]);

fn ended() -> Ended {
    let usage = Usage {
        cpu: Micros(1),
        user: Micros(2),
        system: Micros(3),
        wall: Micros(4),
        memory_peak: Bytes(5),
        memory_peak_source: PeakSource::Sampled,
        processes_peak: 6,
        throttled: Micros(7),
        involuntary_switches: 8,
        oom_kills: 0,
        processes_hit: false,
        disk_hit: false,
    };
    let mut attempts = Attempts::default();
    attempts.count(WatchedCall::all().find(|call| call.name() == "socket").unwrap());
    Ended {
        id: RunId(9),
        outcome: Outcome::Exited(0),
        stop: None,
        filter_killed: false,
        attempts,
        usage,
        setup: Micros(10),
        collected: Collected::Complete,
        layers: Layers::all(),
    }
}

fn output() -> Output {
    let captured = |kept: &[u8], bytes| Captured { kept: kept.to_vec(), bytes };
    Output { stdout: captured(b"\xff\xfe out", 900), stderr: captured(b"a.c:1: warning", 14) }
}

fn replay() -> Replay {
    Replay { ended: ended(), output: output(), failure: None }
}

fn program(bytes: usize) -> File {
    let mut writer = RecordWriter::new().unwrap();
    let data: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
    writer.put(Kind::File, true, b"a.out", &data).unwrap();
    writer.seal().unwrap().into()
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, 0).unwrap();
    bytes
}

fn whole(content: Content) -> (Replay, Option<File>) {
    match content {
        Content::Whole(replay, program) => (*replay, program.map(File::from)),
        Content::Damaged(why) => panic!("{why}"),
    }
}

#[test]
fn what_is_written_is_read() {
    let scratch = Scratch::new("written");
    let (folder, found) = Folder::open(&scratch.0, &["a", "b"]).unwrap();
    assert!(found.entries.is_empty() && found.troubles.is_empty());
    for (number, size) in [(1, 0), (2, 16_000), (3, 3 << 20)] {
        let (key, program) = (Key([number; 32]), program(size));
        let held = folder.write(&key, 1, 5, &replay(), Some(&program)).unwrap().unwrap();
        let least = entry::file_bytes(&replay(), program.metadata().unwrap().len());
        assert!(held.program && held.bytes <= least && held.bytes + 4096 > least);
        let (again, memfd) = whole(folder.read(&key, &held).unwrap());
        let memfd = memfd.unwrap();
        assert_eq!(again, replay());
        assert!(records::is_sealed(memfd.as_fd()) && bytes(&memfd) == bytes(&program));
        let other = File::from(copy(&memfd).unwrap());
        assert!(records::is_sealed(other.as_fd()) && bytes(&other) == bytes(&program));
    }
    let failure = Reason { limit: None, value: None, observed: None, message: "errors".to_owned(), hint: None };
    let failed = Replay { failure: Some(failure), ..replay() };
    let held = folder.write(&KEY, 0, 6, &failed, None).unwrap().unwrap();
    let (again, none) = whole(folder.read(&KEY, &held).unwrap());
    assert!(again == failed && none.is_none() && !held.program);
    let wordy = Output { stdout: Captured { kept: vec![b'x'; 2 << 20], bytes: 2 << 20 }, ..output() };
    let wordy = Replay { output: wordy, ..replay() };
    assert_eq!(folder.write(&Key([9; 32]), 0, 7, &wordy, None).unwrap(), None);

    // Another engine has to wait, and then finds everything.
    assert!(Folder::open(&scratch.0, &["a"]).unwrap_err().to_string().contains("another engine"));
    drop(folder);
    fs::write(scratch.0.join(key::folder("b")).join("new-7"), "unfinished").unwrap();
    let (folder, found) = Folder::open(&scratch.0, &["a", "b"]).unwrap();
    assert_eq!(found.entries.len(), 3, "not the failure, whose age nobody knows");
    assert!(found.entries.iter().all(|(_, held)| !held.seen));
    assert!(!scratch.0.join(key::folder("b")).join("new-7").exists());
    drop(folder);
    // What a tenant that is gone had goes with it.
    let (_folder, found) = Folder::open(&scratch.0, &["a"]).unwrap();
    assert!(found.entries.is_empty());
    assert!(!scratch.0.join(key::folder("b")).exists() && found.troubles.is_empty());
}

/// Every byte counts, and so do the name, the length and the kind of what lies there.
#[test]
fn whatever_is_damaged_is_not_used() {
    let scratch = Scratch::new("damaged");
    let (folder, _) = Folder::open(&scratch.0, &["a"]).unwrap();
    let program = program(64);
    let held = folder.write(&KEY, 0, 5, &replay(), Some(&program)).unwrap().unwrap();
    let path = folder.file(&KEY, &held);
    let good = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let used = |held: &Held| matches!(folder.read(&KEY, held), Ok(Content::Whole(..)));
    assert!(used(&held));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        assert!(!used(&held), "byte {at}");
    }
    for length in [0, 1, 40, 44, 100, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(!used(&held), "cut to {length}");
        // Also where its length was not known before.
        assert!(!used(&Held { bytes: length as u64, ..held }), "as long as {length}");
    }
    fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
    assert!(!used(&held) && !used(&Held { bytes: held.bytes + 1, ..held }));
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(!used(&held), "a terabyte");

    fs::remove_file(&path).unwrap();
    assert_eq!(folder.read(&KEY, &held).unwrap_err().kind(), io::ErrorKind::NotFound);
    let elsewhere = scratch.0.join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(!used(&held), "a symbolic link to what would be right");
    folder.remove(&KEY, &held).unwrap();
    assert!(elsewhere.exists(), "it is the link that goes");
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    assert!(!used(&held), "a pipe, which nobody waits for");
    folder.remove(&KEY, &held).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(!used(&held), "a folder");
    fs::remove_dir(&path).unwrap();

    // The right bytes under another's name.
    let other = Key([8; 32]);
    let named = Held { used: 6, written: 6, ..held };
    fs::write(folder.file(&other, &named), &good).unwrap();
    assert!(!matches!(folder.read(&other, &named), Ok(Content::Whole(..))));
    assert!(!matches!(folder.read(&KEY, &named), Ok(Content::Whole(..))));
    fs::write(&path, &good).unwrap();
    assert!(used(&held));
}

#[test]
fn the_name_says_when_it_was_used() {
    let scratch = Scratch::new("named");
    let (folder, _) = Folder::open(&scratch.0, &["a"]).unwrap();
    let held = folder.write(&KEY, 0, 5, &replay(), Some(&program(1))).unwrap().unwrap();
    let later = Held { used: 0x1f, ..held };
    folder.rename(&KEY, &later).unwrap();
    let renamed = Held { written: 0x1f, ..later };
    assert!(folder.read(&KEY, &held).is_err());
    whole(folder.read(&KEY, &renamed).unwrap());
    drop(folder);
    let (_folder, found) = Folder::open(&scratch.0, &["a"]).unwrap();
    assert_eq!(found.entries, [(KEY, Held { seen: false, ..renamed })]);
    for odd in ["", "x", "lock", "new-1", &format!("{KEY}"), &format!("{KEY}-5.program"), &format!("{KEY}-00.errors")] {
        assert_eq!(parse(odd), None, "{odd}");
    }
    assert_eq!(parse(&name(&KEY, false, 17)), Some((KEY, false, 17)));
    assert_eq!(parse(&name(&KEY, true, u64::MAX)), None);
}

#[test]
fn kept_is_what_ended_by_itself() {
    let end = |change: fn(&mut Ended)| {
        let mut ended = ended();
        change(&mut ended);
        RunEnd::Ended(ended)
    };
    let kept =
        |end: &RunEnd, outcome: Result<(), &(Verdict, Option<Reason>)>| Replay::of(end, &output(), outcome).is_some();
    let word = |limit, hint| Reason { limit, value: None, observed: None, message: "errors".to_owned(), hint };
    let errors = (Verdict::CompileError, Some(word(None, None)));
    assert!(kept(&end(|_| {}), Ok(())));
    assert!(kept(&end(|ended| ended.outcome = Outcome::Exited(1)), Err(&errors)));
    assert!(kept(&end(|_| {}), Err(&errors)), "it ended well and made nothing");
    let spoilt: [fn(&mut Ended); 9] = [
        |ended| ended.stop = Some(StopReason::CpuTime),
        |ended| ended.stop = Some(StopReason::WallTime),
        |ended| ended.stop = Some(StopReason::Cancelled),
        |ended| ended.outcome = Outcome::Signalled(11),
        |ended| ended.outcome = Outcome::Failed { step: 1, errno: 2, index: 3 },
        |ended| ended.filter_killed = true,
        |ended| ended.collected = Collected::Cut,
        |ended| ended.usage.oom_kills = 1,
        |ended| ended.usage.disk_hit = true,
    ];
    for change in spoilt {
        assert!(!kept(&end(change), Ok(())) && !kept(&end(change), Err(&errors)));
    }
    assert!(!kept(&end(|ended| ended.outcome = Outcome::Exited(1)), Ok(())));
    assert!(!kept(&RunEnd::Lost, Err(&errors)));
    let blamed =
        Output { stderr: Captured { kept: b"as: a.o: No space left on device".to_vec(), bytes: 32 }, ..output() };
    let failed = end(|ended| ended.outcome = Outcome::Exited(1));
    assert!(Replay::of(&failed, &blamed, Err(&errors)).is_none(), "the machine failed, not the program");
    assert!(Replay::of(&end(|_| {}), &blamed, Ok(())).is_some(), "a program is one whatever was said");
    let limit = (Verdict::CompileError, Some(word(Some(LimitName::DiskBytes), None)));
    let heap = (Verdict::CompileError, Some(word(None, Some(Hint::Heap))));
    for not in [limit, heap, (Verdict::EngineError, errors.1.clone()), (Verdict::CompileError, None)] {
        assert!(!kept(&end(|ended| ended.outcome = Outcome::Exited(1)), Err(&not)), "{not:?}");
    }
}

#[test]
fn a_folder_that_others_have_a_way_into_is_not_used() {
    let scratch = Scratch::new("others");
    let open = || Folder::open(&scratch.0, &["a"]).map(drop).map_err(|error| error.to_string());
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let tenant = scratch.0.join(key::folder("a"));
    open().unwrap();
    for path in [&scratch.0, &tenant] {
        for bad in [0o777, 0o750, 0o701] {
            mode(path, bad);
            assert!(open().unwrap_err().contains("others may enter"), "{bad:o}");
        }
        mode(path, 0o700);
        open().unwrap();
    }
    let elsewhere = scratch.0.join("elsewhere");
    fs::rename(&tenant, &elsewhere).unwrap();
    symlink(&elsewhere, &tenant).unwrap();
    assert!(open().unwrap_err().contains("symbolic link"));
    fs::remove_file(&tenant).unwrap();
    fs::rename(&elsewhere, &tenant).unwrap();
    if geteuid().is_root() {
        nix::unistd::chown(&tenant, Some(12345.into()), None).unwrap();
        assert!(open().unwrap_err().contains("belongs to user 12345"));
        nix::unistd::chown(&tenant, Some(geteuid()), None).unwrap();
    }
    open().unwrap();
}
