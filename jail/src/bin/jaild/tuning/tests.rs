//! The store and its maker with a recipe that takes no time, on a toolchain of the test's own.

use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::{Duration, SystemTime};

use super::halt::Halt;
use super::make::tune;
use super::*;

/// Who makes the files where root runs the tests.
const NOBODY: u32 = 65_534;

struct Rig {
    folder: PathBuf,
}

impl Drop for Rig {
    fn drop(&mut self) {
        for folder in [&self.folder, &self.toolchain()] {
            fs::remove_dir_all(folder).unwrap_or_default();
        }
    }
}

impl Rig {
    /// A language whose toolchain lives in a folder of its own, with this command as its recipe. As root, or not at all:
    /// only root can make a folder below /opt.
    fn new(name: &str, command: &str) -> Option<Rig> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: not root");
            assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("jaild-tuning-{}-{name}", std::process::id()));
        let rig = Rig { folder };
        fs::create_dir_all(rig.folder.join("languages")).unwrap();
        fs::create_dir_all(rig.toolchain()).unwrap();
        rig.tool(&format!("#!/bin/sh\n{command}\n"));
        let toolchain = rig.toolchain();
        let manifest = format!(
            r#"
            id = "tiny"
            name = "Tiny"
            main_file = "main.tiny"
            entry = "allowed"
            [[toolchain]]
            id = "tool"
            program = "{0}/tool"
            package = "tool"
            probe = {{ args = [], prefix = "" }}
            mount = {{ path = "{0}", reason = "a test" }}
            [run]
            args = ["{{program}}", "{{tuned:made}}", "{{entry}}", "{{args}}"]
            [[tuning]]
            toolchains = ["tool"]
            [[tuning.input]]
            name = "input"
            text = "words"
            [[tuning.make]]
            args = ["{{program}}", "{{in}}/input", "{{out}}/a/made"]
            out = "a/made"
            [[tuning.use]]
            name = "made"
            args = ["{{tuning}}/a/made"]
            needs = "a/made"
            "#,
            toolchain.display()
        );
        fs::write(rig.folder.join("languages/tiny.toml"), manifest).unwrap();
        Some(rig)
    }

    /// Its program is this script, by a process of its own: who is forked beside this test has its descriptors until it
    /// executes, and nobody executes what somebody may write.
    fn tool(&self, script: &str) {
        let (text, program) = (self.folder.join("tool"), self.toolchain().join("tool"));
        fs::write(&text, script).unwrap();
        let copied = std::process::Command::new("install").args(["-m", "755"]).args([&text, &program]).status();
        assert!(copied.unwrap().success());
    }

    fn toolchain(&self) -> PathBuf {
        Path::new("/opt").join(self.folder.file_name().unwrap())
    }

    fn catalogue(&self) -> Catalogue {
        Catalogue::load(Some(&self.folder.join("languages"))).unwrap()
    }

    fn tune(&self) {
        assert!(self.tune_unless(&Halt::never()));
    }

    /// Whether it was let through.
    fn tune_unless(&self, halt: &Halt) -> bool {
        tune(&self.folder.join("store"), &self.catalogue(), Some("tiny"), Some((NOBODY, NOBODY)), halt).unwrap()
    }

    fn key(&self) -> String {
        let catalogue = self.catalogue();
        let tiny = catalogue.language("tiny").unwrap();
        tiny.tuning_key(&tiny.toolchains[0], &tiny.tunings[0], &mut Looks::default()).unwrap()
    }

    /// Whether it is shown, and what keeps it away.
    fn state(&self) -> Result<bool, String> {
        let shown = Store::at(&self.folder.join("store"), 0).sealed(&self.key());
        let seen = Store::at(&self.folder.join("store"), 0).shown(&self.catalogue());
        assert_eq!(seen.iter().any(|(_, inside)| inside.ends_with(self.key())), shown == Ok(true));
        shown
    }

    fn made(&self) -> PathBuf {
        self.folder.join("store").join(self.key()).join("a/made")
    }
}

#[test]
fn what_is_made_is_root_s_and_made_once() {
    let Some(rig) = Rig::new("once", "cat $1 >$2 && id -u >>$2 && id -G >>$2 && pwd >>$2 && env | sort >>$2") else {
        return;
    };
    assert_eq!(rig.state(), Ok(false));
    rig.tune();
    assert_eq!(rig.state(), Ok(true));
    let meta = fs::metadata(rig.made()).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o444));
    let text = fs::read_to_string(rig.made()).unwrap();
    let home = rig.folder.join(format!("store/.making-{}/home", rig.key()));
    let home = home.display();
    assert_eq!(
        text,
        format!(
            "words{NOBODY}\n{NOBODY}\n{home}\nHOME={home}\nLANG=C.UTF-8\nPATH=/usr/bin:/bin\nPWD={home}\nTMPDIR={home}\n"
        ),
        "nobody's uid, no other group, a clean environment"
    );
    let first = fs::metadata(rig.made()).unwrap().ino();
    rig.tune();
    assert_eq!(fs::metadata(rig.made()).unwrap().ino(), first, "once");
    let left: Vec<_> = fs::read_dir(rig.folder.join("store")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the folder and the lock: {left:?}");
}

#[test]
fn another_toolchain_is_another_folder() {
    let Some(rig) = Rig::new("digest", "cat $1 >$2") else { return };
    rig.tune();
    let before = rig.key();
    fs::write(rig.toolchain().join("library"), "came with an upgrade").unwrap();
    assert_ne!(rig.key(), before);
    assert_eq!(rig.state(), Ok(false), "steps run untuned");
    rig.tune();
    assert_eq!(rig.state(), Ok(true));
    let old = rig.folder.join("store").join(&before);
    assert!(old.exists(), "another jaild may show it");
    let long_ago = SystemTime::now() - Duration::from_secs(60 * 86_400);
    File::open(&old).unwrap().set_modified(long_ago).unwrap();
    rig.tune();
    assert!(!old.exists(), "nobody has asked for it in a long time");
    assert_eq!(rig.state(), Ok(true));
}

type Harm = fn(&Path);

#[test]
fn what_is_not_as_it_was_sealed_is_refused_and_made_anew() {
    let Some(rig) = Rig::new("sealed", "cat $1 >$2") else { return };
    let harms: [(&str, Harm); 8] = [
        ("does not look as it was sealed", |made| fs::write(made, "other").unwrap()),
        ("does not look as it was sealed", |made| {
            // The same bytes, size and time.
            let written = fs::metadata(made).unwrap().modified().unwrap();
            fs::write(made, "words").unwrap();
            File::options().write(true).open(made).unwrap().set_modified(written).unwrap();
        }),
        ("does not look as it was sealed", |made| fs::remove_file(made).unwrap()),
        ("does not look as it was sealed", |made| fs::write(made.with_file_name("more"), "x").unwrap()),
        ("belongs to uid 65534", |made| chown(made, Some(NOBODY), None).unwrap()),
        ("has mode 666", |made| fs::set_permissions(made, fs::Permissions::from_mode(0o666)).unwrap()),
        ("is no plain file of its own", |made| {
            fs::remove_file(made).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", made).unwrap();
        }),
        ("belongs to uid 65534", |made| chown(made.parent().unwrap().parent().unwrap(), Some(NOBODY), None).unwrap()),
    ];
    for (why, harm) in harms {
        rig.tune();
        assert_eq!(rig.state(), Ok(true), "{why}");
        harm(&rig.made());
        let refused = rig.state().unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    fs::remove_dir_all(rig.made().parent().unwrap().parent().unwrap()).unwrap();
    assert_eq!(rig.state(), Ok(false));
    rig.tune();
    assert_eq!(rig.state(), Ok(true));
}

#[test]
fn what_can_t_be_made_is_no_error_and_leaves_nothing() {
    for (name, command) in [
        ("fails", "echo no room; exit 3"),
        ("nothing", "exit 0"),
        ("empty", ": >$2"),
        ("link", "ln -s /etc/shadow $2"),
        ("folders", "rmdir ${2%/made} && ln -s /etc ${2%/made}; exit 0"),
        ("killed", "kill -9 $$"),
    ] {
        let Some(rig) = Rig::new(name, command) else { return };
        rig.tune();
        assert_eq!(rig.state(), Ok(false), "{name}");
        let left = fs::read_dir(rig.folder.join("store")).unwrap().count();
        assert_eq!(left, 1, "the lock alone: {name}");
    }
}

#[test]
fn two_at_once_make_it_once_and_a_killed_one_is_swept_up() {
    let Some(rig) = Rig::new("two", "cat $1 >$2") else { return };
    let left = rig.folder.join("store/.making-0123");
    fs::create_dir_all(&left).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| rig.tune());
        }
    });
    assert!(!left.exists());
    assert_eq!(rig.state(), Ok(true));
}

#[test]
fn a_store_that_others_could_change_is_not_used() {
    let Some(rig) = Rig::new("store", "cat $1 >$2") else { return };
    rig.tune();
    let store = rig.folder.join("store");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(rig.state().unwrap_err().contains("group or others can change it"));
    let error = tune(&store, &rig.catalogue(), None, None, &Halt::never()).unwrap_err().to_string();
    assert!(error.contains("group or others can change it"), "{error}");
}

/// The end that whoever makes something keeps open as long as one of them lives, and what they say first.
fn words(rig: &Rig) -> impl FnOnce() -> (String, File) + use<> {
    let path = rig.folder.join("words");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    chown(&path, Some(NOBODY), None).unwrap();
    move || {
        let mut reader = File::open(&path).unwrap();
        let mut line = String::new();
        while !line.ends_with('\n') {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
        (line, reader)
    }
}

#[test]
fn told_to_end_it_ends_what_it_has_begun() {
    let name = "halt";
    let place = std::env::temp_dir().join(format!("jaild-tuning-{}-{name}/words", std::process::id()));
    let command = format!("exec 3>{}; sleep 30 & echo begun >&3; sleep 30; echo made >$2", place.display());
    let Some(rig) = Rig::new(name, &command) else { return };
    let hear = words(&rig);
    let (told, mut tell) = std::io::pipe().unwrap();
    let halt = Halt::on(told);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (line, mut reader) = hear();
            assert_eq!(line, "begun\n");
            tell.write_all(b"x").unwrap();
            // Nobody holds it any more.
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        });
        assert!(!rig.tune_unless(&halt));
    });
    assert_eq!(rig.state(), Ok(false));
    assert_eq!(fs::read_dir(rig.folder.join("store")).unwrap().count(), 1, "the lock alone");
    // Whoever is told that while another one holds the lock does not wait for it.
    let lock = File::open(rig.folder.join("store/.lock")).unwrap();
    lock.lock().unwrap();
    assert!(!rig.tune_unless(&halt));
    drop(lock);
    rig.tool("#!/bin/sh\ncat $1 >$2\n");
    rig.tune();
    assert_eq!(rig.state(), Ok(true));
}

#[test]
fn a_command_begins_with_no_signal_blocked_and_ends_with_its_maker() {
    let name = "bound";
    let place = std::env::temp_dir().join(format!("jaild-tuning-{}-{name}/words", std::process::id()));
    let Some(rig) = Rig::new(name, "") else { return };
    // Unlike this one, Debian's sh unblocks them by itself.
    rig.tool("#!/bin/bash\ngrep SigBlk /proc/self/status >$2\n");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            nix::sys::signal::SigSet::all().thread_block().unwrap();
            rig.tune();
        });
    });
    assert_eq!(fs::read_to_string(rig.made()).unwrap(), format!("SigBlk:\t{:016x}\n", 0));

    let hear = words(&rig);
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", &format!("exec 3>{}; echo begun >&3; exec sleep 30", place.display())]);
    jail::sys::child::begin_anew_and_end_with_us(&mut command);
    // The thread stands for a jaild that is killed: the kernel looks at threads.
    let child = std::thread::spawn(move || {
        let child = command.spawn().unwrap();
        let (line, reader) = hear();
        assert_eq!(line, "begun\n");
        (child, reader)
    });
    let (mut child, _reader) = child.join().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL), "{status}");
}
