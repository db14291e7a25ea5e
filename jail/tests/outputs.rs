//! Files brought out of real sandboxes: what comes back, what is passed over, and that nothing can hold it up.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{CAPS, Done, Jaild, Link, Wish, can_run, limits};
use jail::records::collection::{Collection, MOST_SKIPPED, Most};
use jail::records::{Caps, RecordReader, empty_memfd, seal};
use jail::spec::{Bytes, Collected, Limits, Millis, Outcome, StopReason};

/// A run of Python with files to bring back.
fn wish<'a>(source: &str, globs: &[&'a str]) -> Wish<'a> {
    Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, source.as_bytes().to_vec())],
        globs: globs.to_vec(),
        ..Wish::default()
    }
}

/// What came back: paths with their bytes and lengths, what was passed over with the reasons, how many more.
struct Found {
    files: Vec<(String, Vec<u8>, u64)>,
    skipped: Vec<(String, String)>,
    more: u64,
}

fn found(done: &Done) -> Found {
    let most = Most { files: 30_000, bytes: 1 << 30 };
    let read = Collection::read(RecordReader::of(&done.collection), &most);
    assert!(read.broken.is_none(), "{:?} {}", read.broken, done.stderr);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bytes = |offset: u64, kept: u64| {
        let at = usize::try_from(offset).unwrap();
        done.collection[at..at + usize::try_from(kept).unwrap()].to_vec()
    };
    Found {
        files: read.files.iter().map(|f| (text(&f.path), bytes(f.offset, f.kept), f.length)).collect(),
        skipped: read.skipped.iter().map(|s| (text(&s.path), s.reason.clone())).collect(),
        more: read.more,
    }
}

impl Found {
    fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|(path, ..)| path.as_str()).collect()
    }

    fn why(&self, path: &str) -> &str {
        &self.skipped.iter().find(|(skipped, _)| skipped == path).unwrap_or_else(|| panic!("{path}")).1
    }
}

#[test]
fn globs_bring_back_what_they_match_in_order() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\n\
        os.makedirs('out/deep/er'); os.mkdir('empty')\n\
        for path in ['b.png', 'a.png', 'out/x.png', 'out/deep/er/y.png', 'out/z.txt', '--option', '-x.png', '.png', 'Z.png']:\n  \
          open(path, 'w').write(path)\n";
    let run = |link: &mut Link, globs: &[&str]| {
        let done = link.run(wish(source, globs));
        assert_eq!(done.ended.collected, Collected::Complete, "{}", done.stderr);
        found(&done)
    };
    let all = run(&mut link, &["**/*.png"]);
    assert_eq!(all.paths(), ["-x.png", ".png", "Z.png", "a.png", "b.png", "out/deep/er/y.png", "out/x.png"]);
    assert!(all.files.iter().all(|(path, bytes, length)| path.as_bytes() == bytes && bytes.len() as u64 == *length));
    assert!(all.skipped.is_empty() && all.more == 0);
    assert_eq!(run(&mut link, &["*.png"]).paths(), ["-x.png", ".png", "Z.png", "a.png", "b.png"]);
    assert_eq!(run(&mut link, &["out/**"]).paths(), ["out/deep/er/y.png", "out/x.png", "out/z.txt"]);
    let named =
        run(&mut link, &["out/z.txt", "--option", "nope", "out", "out/none/x", "a.png/x", "*.txt", "o*", "out/*"]);
    assert_eq!(named.paths(), ["out/z.txt", "--option", "out/x.png"], "each once");
    let whys = [("nope", "not found"), ("out/none/x", "not found"), ("a.png/x", "not found")];
    for (path, why) in whys.into_iter().chain([("out", "a folder; ask for out/**")]) {
        assert_eq!(named.why(path), why);
    }
    assert_eq!(named.skipped.len(), 4, "a wildcard that matches nothing, or a folder, is no mistake");
    assert_eq!(run(&mut link, &["{a,b}.png", "[Z]*", "\\-x.png"]).paths(), ["-x.png", "Z.png", "a.png", "b.png"]);
    let main = run(&mut link, &["**/*.py", "*.py"]);
    assert_eq!(main.paths(), ["main.py"], "the caller's own files are files like others");
}

#[test]
fn only_regular_files_with_one_name_come_back() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os, socket, stat\n\
        open('good', 'w').write('good'); os.chmod('good', 0)\n\
        os.mkdir('shut'); open('shut/in', 'w').write('in'); os.chmod('shut', 0)\n\
        os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')\n\
        os.symlink('/etc/passwd', 'out'); os.symlink('good', 'in'); os.symlink('/', 'root'); os.symlink('loop', 'loop')\n\
        open('one', 'w').write('x'); os.link('one', 'two'); os.symlink('nowhere', 'dangling')\n\
        os.mkdir('other'); os.link('main.py', 'other/main.py')\n\
        for name, kind in [('char', stat.S_IFCHR), ('block', stat.S_IFBLK)]:\n  \
          try: os.mknod(name, 0o666 | kind, os.makedev(1, 3)); print('DEVICE')\n  \
          except PermissionError: pass\n\
        os.mknod('plain', 0o666 | stat.S_IFREG)\n";
    let done = link.run(wish(source, &["**", "root/etc/passwd", "in/x", "fifo/x", "fifo", "out"]));
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    let found = found(&done);
    assert_eq!(found.paths(), ["good", "plain", "shut/in"], "{:?}", found.skipped);
    assert_eq!(found.files[0].1, b"good");
    let link = "a symbolic link";
    for path in ["out", "in", "root", "loop", "dangling", "root/etc/passwd", "in/x"] {
        assert_eq!(found.why(path), link, "{path}");
    }
    for path in ["fifo", "socket"] {
        assert_eq!(found.why(path), "not a regular file", "{path}");
    }
    for path in ["one", "two", "main.py", "other/main.py"] {
        assert_eq!(found.why(path), "more than one hard link", "{path}");
    }
    assert_eq!(found.why("fifo/x"), "not found");
    assert_eq!(done.ended.collected, Collected::Complete);
}

#[test]
fn names_are_bytes() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\n\
        for name in [b'new\\nline', b'\\xff\\xfe', 'ü'.encode(), b'x' * 255, b' ', b'*', b'a\\\\b']:\n  \
          open(name, 'wb').write(name)\n\
        os.mkdir(b'\\x80'); open(b'\\x80/f', 'wb').write(b'\\x80/f')\n\
        os.mkdir('long'); os.chdir('long')\n\
        for _ in range(20): os.mkdir('d' * 250); os.chdir('d' * 250)\n\
        open('lost', 'w').write('x')\n";
    let done = link.run(wish(source, &["**"]));
    assert_eq!(done.stderr, "");
    let read = Collection::read(RecordReader::of(&done.collection), &Most { files: 64, bytes: 1 << 20 });
    assert!(read.broken.is_none());
    let paths: Vec<&[u8]> = read.files.iter().map(|file| file.path.as_slice()).collect();
    let x = [b'x'; 255];
    let expected: [&[u8]; 9] =
        [b" ", b"*", b"a\\b", b"main.py", b"new\nline", &x, b"\x80/f", "ü".as_bytes(), b"\xff\xfe"];
    let sorted = |mut list: Vec<&[u8]>| {
        list.sort_unstable();
        list.iter().map(|path| path.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(paths, sorted(expected.to_vec()), "in bytewise order");
    assert_eq!(read.skipped.len(), 1);
    assert!(read.skipped[0].reason.contains("too long a path") && read.skipped[0].path.starts_with(b"long/ddd"));
}

#[test]
fn trees_are_bounded() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let deep = "import os\nfor n in range(1000): os.mkdir('d'); os.chdir('d'); open(f'f', 'w').write('x')\n";
    let caps = Caps { files: 1000, ..CAPS };
    let done = link.run(Wish { caps, ..wish(deep, &["**/f"]) });
    let bounded = found(&done);
    assert_eq!(bounded.files.len(), 127, "{:?}", bounded.skipped);
    assert_eq!(bounded.skipped.len(), 1);
    assert_eq!(bounded.skipped[0].1, "too many folders in each other");

    // As many as the work directory takes; each is a match.
    let many = "import os\nos.mkdir('many')\n\
        try:\n  \
          for n in range(100_000): os.close(os.open(f'many/{n:06}', os.O_CREAT))\n\
        except OSError: pass\n\
        print(len(os.listdir('many')))\n";
    let patient = Limits { cpu_time: Millis(60_000), wall_time: Millis(150_000), ..limits() };
    let large = Limits { disk: Bytes(1 << 30), memory: Bytes(512 << 20), ..patient };
    for globs in [["**"], ["many/*"]] {
        let done = link.run(Wish { limits: large, ..wish(many, &globs) });
        let made: u64 = done.stdout.trim().parse().unwrap_or_else(|_| panic!("{:?} {}", done.ended, done.stderr));
        assert!(made > 50_000, "{made}");
        let found = found(&done);
        let main = u64::from(globs == ["**"]);
        assert_eq!((found.files.len(), found.skipped.len()), (64, MOST_SKIPPED));
        assert_eq!(found.files.len() as u64 + found.skipped.len() as u64 + found.more, made + main);
        assert_eq!(done.ended.collected, Collected::Complete);
        assert_eq!(found.files.last().unwrap().0, format!("many/{:06}", 63 - main), "the first by name");
        assert!(found.skipped.iter().all(|(_, why)| why == "more files than may be brought back"));
    }
}

#[test]
fn what_is_too_large_comes_back_as_its_head() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\n\
        open('a', 'wb').write(b'a' * 50); open('b', 'wb').write(b'b' * 200); open('c', 'wb').write(b'c' * 100)\n\
        open('d', 'wb').write(b'd' * 100); open('e', 'wb'); open('f', 'wb').write(b'f')\n";
    let caps = Caps { files: 64, file_bytes: 100, total_bytes: 260 };
    let run = link.run(Wish { caps, ..wish(source, &["?"]) });
    let some = found(&run);
    let sizes: Vec<_> = some.files.iter().map(|(path, kept, length)| (path.as_str(), kept.len(), *length)).collect();
    assert_eq!(sizes, [("a", 50, 50), ("b", 100, 200), ("c", 100, 100), ("d", 10, 100), ("e", 0, 0)]);
    assert_eq!(some.skipped, [("f".to_owned(), "no room left".to_owned())]);

    let few = link.run(Wish { caps: Caps { files: 2, ..CAPS }, ..wish(source, &["?"]) });
    assert_eq!(found(&few).paths(), ["a", "b"]);
    assert_eq!(found(&few).skipped.len(), 4);

    // As large as jaild lets any file be, and a hole all of it.
    let most = link.welcome.ceiling;
    let sparse = format!("f = open('sparse', 'wb'); f.truncate({}); f.close()\n", most.file.0);
    let done = link.run(Wish { limits: Limits { file: most.file, ..limits() }, ..wish(&sparse, &["sparse"]) });
    let hole = found(&done);
    assert_eq!((hole.files[0].1.len(), hole.files[0].2), (8 << 20, most.file.0), "{}", done.stderr);
    assert!(hole.files[0].1.iter().all(|byte| *byte == 0));
    // jaild's own bound, whatever the bundle says.
    let unbounded = Caps { files: u64::MAX, file_bytes: u64::MAX, total_bytes: u64::MAX };
    let lower = Limits { disk: Bytes(1 << 20), file: most.file, ..limits() };
    let done = link.run(Wish { limits: lower, caps: unbounded, ..wish(&sparse, &["sparse"]) });
    assert_eq!(found(&done).files[0].1.len(), 1 << 20, "{}", done.stderr);
}

#[test]
fn failed_runs_bring_their_files_back_too() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let first = "open('log', 'w').write('so far')\nprint('written', flush=True)\n";
    let small = Limits { memory: Bytes(64 << 20), disk: Bytes(512 << 20), file: Bytes(512 << 20), ..limits() };
    let short = Limits { wall_time: Millis(2000), ..limits() };
    let busy = Limits { cpu_time: Millis(600), wall_time: Millis(60_000), ..limits() };
    // The last but one fills its memory with files, which are there still when it is over.
    let full = "f = open('full', 'wb', 0)\nwhile True: f.write(bytes(1 << 16))";
    let tight = "f = open('full', 'wb', 0)\nimport os\nf.write(bytes(40 << 20))\nb = bytearray(1 << 30)";
    let cases: Vec<(&str, Limits, Option<StopReason>, Outcome)> = vec![
        ("raise SystemExit(3)", limits(), None, Outcome::Exited(3)),
        ("import os; os.abort()", limits(), None, Outcome::Signalled(6)),
        ("import time; time.sleep(60)", short, Some(StopReason::WallTime), Outcome::Signalled(9)),
        ("while True: pass", busy, Some(StopReason::CpuTime), Outcome::Signalled(9)),
        ("b = bytearray(1 << 30)", small, Some(StopReason::Memory), Outcome::Signalled(9)),
        (full, small, Some(StopReason::Memory), Outcome::Signalled(9)),
        (tight, small, Some(StopReason::Memory), Outcome::Signalled(9)),
    ];
    for (rest, limits, stop, outcome) in cases {
        let again = |wall_time| {
            let limits = Limits { wall_time, ..limits };
            link.run(Wish { limits, ..wish(&format!("{first}{rest}"), &["log", "full"]) })
        };
        // A busy machine may not have come to the program before its time is over.
        let early = |done: &Done| done.ended.stop == Some(StopReason::WallTime) && done.stdout.is_empty();
        let mut tries = [limits.wall_time, Millis(10_000), Millis(60_000)].into_iter().map(again);
        let done = tries.find(|done| !early(done)).unwrap_or_else(|| panic!("{rest}: it has not begun"));
        assert_eq!((done.ended.stop, done.ended.outcome), (stop, outcome), "{rest} {}", done.stderr);
        assert_eq!(done.ended.collected, Collected::Complete, "{rest}");
        let found = found(&done);
        assert_eq!((found.files[0].0.as_str(), found.files[0].1.as_slice()), ("log", b"so far".as_slice()), "{rest}");
        if rest == full || rest == tight {
            assert_eq!(found.files[1].1.len(), 8 << 20, "{rest}");
            assert!(found.files[1].2 > 30 << 20, "{rest}: {}", found.files[1].2);
        }
        assert!(done.ended.usage.memory_peak.0 <= limits.memory.0, "{rest}: {:?}", done.ended.usage);
    }
}

#[test]
fn collecting_counts_neither_as_time_nor_as_memory() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\nos.mkdir('many')\nfor n in range(20_000): os.close(os.open(f'many/{n}', os.O_CREAT))\n";
    let large = Limits { disk: Bytes(512 << 20), cpus_milli: 1000, ..limits() };
    let caps = Caps { files: 20_000, ..CAPS };
    // The same program takes more of the CPU now and then, on a busy machine much more.
    let mut told = None;
    let as_cheap = (0..5).any(|_| {
        let plain = link.run(Wish { limits: large, ..wish(source, &["nothing"]) }).ended;
        let collected = link.run(Wish { limits: large, caps, ..wish(source, &["many/*"]) });
        assert_eq!(found(&collected).files.len(), 20_000);
        let (plain, ended) = (plain.usage, collected.ended.usage);
        told = Some((plain, ended));
        ended.cpu.0 < plain.cpu.0 * 2 && ended.memory_peak.0 < plain.memory_peak.0 + (4 << 20)
    });
    assert!(as_cheap, "{told:?}");
}

#[test]
fn a_collection_that_nobody_reads_is_cut_and_the_verdict_stays() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let (reading, filling) = std::io::pipe().unwrap();
    let large = "open('large', 'wb').write(bytes(4 << 20)); raise SystemExit(5)";
    let begun = Instant::now();
    let run = link.begin_into(wish(large, &["large"]), Some(filling));
    let other = link.run(Wish::default());
    assert_eq!(other.ended.outcome, Outcome::Exited(0), "others go on meanwhile");
    let done = link.finish(run);
    assert_eq!((done.ended.outcome, done.ended.stop), (Outcome::Exited(5), None));
    assert_eq!(done.ended.collected, Collected::Cut);
    assert!((5..100).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drop(reading);

    // A reader that goes away, and one that wants no more.
    let (reading, filling) = std::io::pipe().unwrap();
    drop(reading);
    let run = link.begin_into(wish(large, &["large"]), Some(filling));
    let done = link.finish(run);
    assert_eq!((done.ended.outcome, done.ended.collected), (Outcome::Exited(5), Collected::Cut));
    // Init waits for five seconds at most that the rest is taken: a stop ends that at once, on a busy machine not each time.
    let at_once = (0..20).any(|_| {
        let (mut reading, filling) = std::io::pipe().unwrap();
        let run = link.begin_into(wish(&format!("{large}\n"), &["large"]), Some(filling));
        // The first byte comes when the program is over.
        std::io::Read::read_exact(&mut reading, &mut [0]).unwrap();
        link.stop(run.id, StopReason::Cancelled);
        let begun = Instant::now();
        let done = link.finish(run);
        assert_eq!((done.ended.outcome, done.ended.stop), (Outcome::Exited(5), None), "it was over before");
        begun.elapsed() < Duration::from_secs(2)
    });
    assert!(at_once, "a stop did not end a collection");
}

#[test]
fn nobody_is_left_who_could_swap_what_is_collected() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os, time\n\
        open('a', 'w').write('a')\n\
        for _ in range(4):\n  \
          if os.fork() == 0:\n    \
            os.setsid()\n    \
            while True:\n      \
              try: os.symlink('/etc/passwd', 'x'); os.rename('x', 'a'); open('y', 'w').write('a' * 1000); os.rename('y', 'a')\n      \
              except OSError: pass\n\
        time.sleep(0.3)\n";
    for _ in 0..20 {
        let done = link.run(wish(source, &["a"]));
        assert_eq!(done.ended.collected, Collected::Complete);
        let found = found(&done);
        let link = found.skipped == [("a".to_owned(), "a symbolic link".to_owned())];
        assert!(link || found.files.iter().all(|(_, bytes, _)| bytes.iter().all(|b| *b == b'a')), "{:?}", found.files);
    }
}

#[test]
fn the_artifact_is_not_matched() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\nos.makedirs('classes/p'); open('classes/p/A.class', 'w'); open('a.out', 'w'); open('a.out2', 'w')\n";
    let except = vec!["a.out", "classes"];
    let done = link.run(Wish { except, ..wish(source, &["**", "a.out", "classes/p/A.class"]) });
    let found = found(&done);
    assert_eq!(found.paths(), ["a.out2", "main.py"]);
    assert_eq!(found.why("a.out"), "it is what the compiler made");
    assert_eq!(found.why("classes/p/A.class"), "it is what the compiler made");
}

#[test]
fn a_folder_is_collected_whole() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let collect = |link: &mut Link, source: &str| {
        let done = link.run(Wish { collect: vec!["classes"], ..wish(source, &[]) });
        (found(&done), done.ended.collected)
    };
    let make = "import os\nos.makedirs('classes/p/q')\nfor f in ['B', 'A', 'p/q/C']: open(f'classes/{f}.class', 'w').write(f)\n";
    let (whole, collected) = collect(&mut link, make);
    assert_eq!(whole.paths(), ["classes/A.class", "classes/B.class", "classes/p/q/C.class"]);
    assert_eq!((whole.files[2].1.as_slice(), collected), (b"p/q/C".as_slice(), Collected::Complete));
    assert!(whole.skipped.is_empty());
    // The next sandbox unpacks it as it is.
    let made = link.run(Wish { collect: vec!["classes"], ..wish(make, &[]) });
    let mut artifact = std::fs::File::from(empty_memfd().unwrap());
    artifact.write_all(&made.collection).unwrap();
    seal(artifact.as_fd()).unwrap();
    let look = "import glob\nprint(sorted(glob.glob('classes/**/*.class', recursive=True)), open('classes/p/q/C.class').read())";
    let done = link.run(Wish { artifact: Some(artifact.into()), ..wish(look, &[]) });
    assert_eq!(done.stdout, "['classes/A.class', 'classes/B.class', 'classes/p/q/C.class'] p/q/C\n");
    let (odd, _) = collect(&mut link, &format!("{make}os.symlink('/etc', 'classes/etc'); os.mkfifo('classes/fifo')"));
    assert_eq!((odd.why("classes/etc"), odd.why("classes/fifo")), ("a symbolic link", "not a regular file"));
    let (link_itself, _) = collect(&mut link, "import os\nos.symlink('/etc', 'classes')");
    assert_eq!(link_itself.why("classes"), "a symbolic link");
    let (many, _) = collect(&mut link, &format!("{make}for n in range(5000): open(f'classes/{{n}}', 'w')"));
    assert_eq!((many.files.len(), many.skipped.len()), (4096, MOST_SKIPPED));
    assert_eq!(many.more, 5003 - 4096 - MOST_SKIPPED as u64);
}

#[test]
fn links_are_made_and_replace_nothing() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os\nprint(os.readlink('deep/modules'), os.listdir('deep/modules')[:0], open('mine').read())";
    let done = link.run(Wish {
        files: vec![("main.py", false, source.as_bytes().to_vec()), ("mine", false, b"mine".to_vec())],
        links: vec![("deep/modules", "/usr/lib"), ("mine", "/usr/lib")],
        ..wish("", &["**"])
    });
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("/usr/lib [] mine\n", ""));
    let found = found(&done);
    assert_eq!((found.paths(), found.skipped.len()), (vec!["main.py", "mine"], 0), "ours are not the program's");
    for (path, target) in [("../x", "y"), ("/x", "y"), ("x", ""), ("main.py/x", "y"), ("x", &"y".repeat(5000))] {
        let done = link.run(Wish { links: vec![(path, target)], ..wish("", &[]) });
        assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "{path} {:?}", done.ended);
    }
}

#[test]
fn a_bundle_that_asks_for_nonsense_gets_nothing() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let many: Vec<String> = (0..17).map(|n| format!("{n}*")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for globs in [vec!["../*", "/etc/passwd"], vec!["!a"], vec!["[a"], many, vec!["a/../../etc/passwd"]] {
        let done = link.run(wish("", &globs));
        assert_eq!(done.ended.outcome, Outcome::Exited(0), "{globs:?}");
        let read = Collection::read(RecordReader::of(&done.collection), &Most { files: 64, bytes: 1 << 20 });
        assert!(read.files.is_empty(), "{globs:?}");
    }
    // Braces can be made to take for ever; the run's own files wait for it, nobody else does.
    let slow = "{a,a,a,a,a,a,a,a,a,a,a,a}".repeat(10) + "b";
    let name = "a".repeat(10);
    let begun = Instant::now();
    let done = link.run(wish(&format!("open('{name}', 'w')"), &[&slow]));
    assert_eq!((done.ended.outcome, done.ended.collected), (Outcome::Exited(0), Collected::Cut));
    assert!(begun.elapsed() < Duration::from_secs(100));
}
