//! Tuned toolchains through the real engine: the answers are those of the bare ones, byte for byte, and no program can
//! touch what was made.
//!
//! A program of `corpus/tuning/LANGUAGE` is a file, or a folder of files; a first line `// flags: …` of its main file
//! gives its flags. One in eight is tried, or each where `ENGINED_TUNING_ALL` is 1, as `cargo xtask prove` has it.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::live::{ENGINED, Up, live};
use common::{Scratch, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const LANGUAGES: [&str; 3] = ["c", "cpp", "java"];
const FLAGS: &str = "// flags:";
/// Of the sample, one in so many.
const ONE_IN: usize = 8;

/// An engine whose toolchains are tuned as on this machine, and one whose are not.
fn pair() -> (Up, Up) {
    let with = |tuning: &'static [&str]| {
        Up::by(&[], |command| {
            command.args(tuning);
        })
    };
    (with(&[]), with(&["--tuning", "off"]))
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/tuning")
}

/// The programs of a language, in the order of their names.
fn programs(language: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(corpus().join(language)) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The files below a folder with their paths in it.
fn files(folder: &Path, at: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = format!("{at}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            found.extend(files(&path, &format!("{name}/")));
        } else {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn request(language: &str, version: &str, program: &Path) -> Value {
    let files = if program.is_dir() {
        files(program, "")
    } else {
        vec![(program.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(program).unwrap())]
    };
    let flags = files.iter().find_map(|(_, text)| text.lines().next()?.strip_prefix(FLAGS)).unwrap_or_default();
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let files: Vec<Value> = files.iter().map(|(path, text)| json!({"path": path, "content": text})).collect();
    let patient = json!({"cpu_time_ms": 60000, "wall_time_ms": 300000});
    json!({
        "language": language, "version": version, "files": files, "compile_flags": flags, "stdin": "3 4\n",
        "compile_limits": patient, "limits": {"wall_time_ms": 60000},
    })
}

/// What a caller sees of an answer, but for what differs from run to run: names of temporary files, addresses, pids.
fn essence(answer: &Value) -> String {
    let step = |step: &Value| {
        let of = |key: &str| step[key].clone();
        json!([of("exit_code"), of("signal"), of("stdout"), of("stderr")])
    };
    let text = json!([answer["verdict"], answer["reason"], step(&answer["compile"]), step(&answer["run"])]).to_string();
    let text = masked(&text, "/tmp/cc", 6, |c| c.is_ascii_alphanumeric());
    let text = masked(&text, "0x", 16, |c| c.is_ascii_hexdigit());
    masked(&text, "==", 7, |c| c.is_ascii_digit())
}

/// The text with up to so many characters behind each `mark` left out.
fn masked(text: &str, mark: &str, most: usize, of: fn(char) -> bool) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let cut = part.chars().take(most).take_while(|c| of(*c)).count();
        out.push_str(mark);
        out.push_str(&part[cut..]);
    }
    out
}

#[test]
fn tuned_and_bare_toolchains_answer_alike() {
    if !live() {
        return;
    }
    let (tuned, bare) = pair();
    let all = std::env::var_os("ENGINED_TUNING_ALL").is_some_and(|value| value == "1");
    let mut different = Vec::new();
    let versions = |language| tuned.offered(language).into_iter().map(move |[version, ..]| (language, version));
    for (language, version) in LANGUAGES.into_iter().flat_map(versions) {
        let programs = programs(language);
        let sample = programs.iter().enumerate().filter(|(index, _)| all || index % ONE_IN == 0);
        let mut tried = 0;
        for (_, program) in sample {
            let request = request(language, &version, program);
            let [with, without] = [&tuned, &bare].map(|up| essence(&up.run(&request)));
            tried += 1;
            if with != without {
                different.push(format!("{} {version}\n  tuned {with}\n  bare  {without}", program.display()));
            }
        }
        println!("{language} {version}: {tried} of {} programs", programs.len());
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(tuned.log().contains("toolchain tuned"), "nothing is tuned here:\n{}", tuned.log());
    assert!(!bare.log().contains("toolchain tuned"), "switched off:\n{}", bare.log());
    tuned.stop();
    bare.stop();
}

#[test]
fn every_compiled_language_has_programs_enough() {
    for language in LANGUAGES {
        assert!(programs(language).len() >= 30, "{language}");
    }
}

/// Tries to change what lies below /opt/engined, and a file of its own in the same ways.
const WRITER: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
static int seen, done;
static void tried(const char *what, const char *path, long result) {
    if (result < 0) return;
    done++;
    printf("%s %s\n", what, path);
}
static int attack(const char *path, const struct stat *meta, int kind, struct FTW *at) {
    char beside[4096];
    (void)at;
    seen++;
    snprintf(beside, sizeof beside, "%s.new", path);
    tried("write", path, open(path, O_WRONLY));
    tried("read and write", path, open(path, O_RDWR));
    tried("truncate", path, truncate(path, 0));
    tried("chmod", path, chmod(path, 0777));
    tried("chown", path, chown(path, getuid(), getgid()));
    tried("touch", path, utimensat(AT_FDCWD, path, NULL, 0));
    tried("link", path, link(path, beside));
    tried("make beside", path, open(beside, O_CREAT | O_WRONLY, 0600));
    tried("rename", path, rename(path, beside));
    tried("remove", path, kind == FTW_D ? rmdir(path) : unlink(path));
    if (S_ISREG(meta->st_mode)) {
        int file = open(path, O_RDONLY);
        void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        tried("map", path, map == MAP_FAILED ? -1 : 0);
        close(file);
    }
    return 0;
}
int main(int argc, char **argv) {
    nftw(argv[argc - 1], attack, 8, FTW_PHYS);
    printf("%d %s\n", done, seen > 4 ? "seen" : "not seen");
    return 0;
}
"#;

#[test]
fn a_program_can_change_nothing_of_what_was_made() {
    if !live() {
        return;
    }
    let up = Up::start();
    let attack = |folder: &str| {
        let answer = up.run(&json!({"language": "c", "source": WRITER, "args": [folder]}));
        answer["run"]["stdout"]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(attack("/opt/engined"), "0 seen\n");
    // The same attempts on a folder of its own work: they are what they seem to be.
    let both = format!(
        "{}\n",
        WRITER
            .replace("nftw(argv", "system(\"mkdir -p /tmp/x/y; touch /tmp/x/f /tmp/x/y/f\"); nftw(argv")
            .replace("#include <stdio.h>", "#include <stdio.h>\n#include <stdlib.h>")
    );
    let answer = up.run(&json!({"language": "c", "source": both, "args": ["/tmp/x"]}));
    let said = answer["run"]["stdout"]["text"].as_str().unwrap();
    for what in ["write", "truncate", "chmod", "touch", "link", "make beside", "rename"] {
        assert!(said.contains(&format!("{what} /tmp/x/")), "{what}: {said}");
    }
    let made = up.run(&json!({"language": "cpp", "source": "#include <iostream>\nint main() { std::cout << 5; }"}));
    assert_eq!(made["run"]["stdout"]["text"], "5", "and it works all the same");
    up.stop();
}

/// Ends what a failed test has started.
struct Guard(Child);

impl Guard {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::SIGTERM);
            self.0.wait().unwrap();
        }
    }
}

/// Whether a process works in a folder or below it.
fn is_worked_in(folder: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok()).any(|at| at.starts_with(folder))
}

#[test]
fn a_start_that_is_ended_while_it_tunes_leaves_nothing() {
    if !live() {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let scratch = Scratch::new();
        let (tuning, log) = (scratch.0.join("tuning"), scratch.0.join("log"));
        let mut command = Command::new(ENGINED);
        command.args(["up", "--listen", "127.0.0.1:0", "--state"]).arg(scratch.0.join("state"));
        command.arg("--tuning").arg(&tuning).stdin(Stdio::null()).stdout(Stdio::null());
        let mut up = Guard(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
        // A compiler is at work.
        wait_for(|| is_worked_in(&tuning));
        up.signal(signal);
        let status = up.0.wait().unwrap();
        let half_made = || {
            let names = fs::read_dir(&tuning).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).find(|name| name.starts_with(".making"))
        };
        if signal == Signal::SIGTERM {
            let log = fs::read_to_string(&log).unwrap();
            assert!(status.success() && !log.contains("is killed"), "{status}\n{log}");
            assert_eq!(half_made(), None, "{log}");
        }
        wait_for(|| half_made().is_none() && !is_worked_in(&tuning));
    }
}
