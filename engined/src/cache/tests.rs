//! The key changes with everything that it is made of.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jail::link::ProfileName;
use jail::spec::{Bytes, Limits, Millis};
use languages::Digest;

use super::*;
use crate::job::{CompileStep, JobFile, Step};

struct All {
    tenant: &'static str,
    manifest: &'static str,
    toolchain: Digest,
    filter: Vec<u8>,
    files: Vec<(&'static str, &'static str, usize)>,
    entry: Option<&'static str>,
    args: Vec<&'static str>,
    env: Vec<(&'static str, &'static str)>,
    profile: &'static str,
    artifact: &'static str,
    limits: Limits,
    output: u64,
    parts: Vec<PathBuf>,
}

fn all() -> All {
    let limits = Limits {
        cpu_time: Millis(1),
        wall_time: Millis(2),
        memory: Bytes(3),
        processes: 4,
        cpus_milli: 5,
        file: Bytes(6),
        disk: Bytes(7),
        open_files: 8,
        stack: Bytes(9),
    };
    All {
        tenant: "t",
        manifest: "sha256:1",
        toolchain: Digest::of(b"1"),
        filter: vec![1, 2],
        files: vec![("main.c", "int main;", 0), ("a.h", "", 0)],
        entry: None,
        args: vec!["/usr/bin/gcc", "-O2"],
        env: vec![("PATH", "/usr/bin")],
        profile: "c/gcc/compile",
        artifact: "a.out",
        limits,
        output: 10,
        parts: vec!["/usr".into()],
    }
}

fn key(all: All) -> Key {
    let step = Step {
        profile: ProfileName::new(all.profile).unwrap(),
        args: all.args.iter().map(ToString::to_string).collect(),
        env: all.env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<BTreeMap<_, _>>(),
        limits: all.limits,
        output_bytes: all.output,
        parts: Vec::new(),
    };
    let file = |(path, text, skip): &(&str, &str, usize)| JobFile {
        path: path.to_string(),
        content: text.to_string().into_bytes().into(),
        skip: *skip,
    };
    let files: Vec<JobFile> = all.files.iter().map(file).collect();
    let compile = CompileStep {
        step,
        artifact: all.artifact.to_owned(),
        artifact_bytes: 1,
        untuned: None,
        repeat_if: Vec::new(),
    };
    let basis = Basis::new(all.manifest, &all.toolchain, &all.filter);
    Origin::new(&basis, &files, all.entry, &compile).key(all.tenant, &all.parts)
}

fn changed(change: impl FnOnce(&mut All)) -> Key {
    let mut all = all();
    change(&mut all);
    key(all)
}

#[test]
fn each_ingredient_changes_the_key() {
    assert_eq!(key(all()), key(all()));
    assert_eq!(Key::parse(&key(all()).to_string()), Some(key(all())));
    let keys = [
        key(all()),
        changed(|all| all.tenant = "u"),
        changed(|all| all.manifest = "sha256:2"),
        changed(|all| all.toolchain = Digest::of(b"2")),
        changed(|all| all.filter = vec![1]),
        changed(|all| all.files[0].0 = "main2.c"),
        changed(|all| all.files[0].1 = "int main; "),
        changed(|all| all.files[0].2 = 1),
        changed(|all| all.files.swap(0, 1)),
        changed(|all| all.files.push(("b.h", "", 0))),
        // The same bytes, divided otherwise.
        changed(|all| all.files = vec![("main.ci", "nt main;", 0), ("a.h", "", 0)]),
        changed(|all| all.entry = Some("")),
        changed(|all| all.entry = Some("Main")),
        changed(|all| all.args.push("-g")),
        changed(|all| all.args = vec!["/usr/bin/gcc-", "O2"]),
        changed(|all| all.env = vec![("PAT", "H/usr/bin")]),
        changed(|all| all.env = Vec::new()),
        changed(|all| all.profile = "c/clang/compile"),
        changed(|all| all.artifact = "b.out"),
        changed(|all| all.limits.cpu_time = Millis(100)),
        changed(|all| all.limits.wall_time = Millis(100)),
        changed(|all| all.limits.memory = Bytes(100)),
        changed(|all| all.limits.processes = 100),
        changed(|all| all.limits.cpus_milli = 100),
        changed(|all| all.limits.file = Bytes(100)),
        changed(|all| all.limits.disk = Bytes(100)),
        changed(|all| all.limits.open_files = 100),
        changed(|all| all.limits.stack = Bytes(100)),
        changed(|all| all.output = 100),
        changed(|all| all.parts.push("/bin".into())),
        changed(|all| all.parts = vec!["/nowhere/at/all".into()]),
    ];
    let different: BTreeSet<Key> = keys.into_iter().collect();
    assert_eq!(different.len(), keys.len());
    assert_ne!(key::folder("t"), key::folder("u"));
}

#[test]
fn a_part_of_the_toolchain_that_is_replaced_changes_the_key() {
    let part = std::env::temp_dir().join(format!("engined-part-{}", std::process::id()));
    let of_part = || changed(|all| all.parts = vec![part.clone()]);
    let mut keys = vec![of_part()];
    for text in ["one", "two"] {
        std::fs::write(&part, text).unwrap();
        keys.push(of_part());
        assert_eq!(keys.last(), Some(&of_part()));
    }
    std::fs::remove_file(&part).unwrap();
    assert_eq!(keys[0], of_part());
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn only_a_key_reads_as_one() {
    let text = key(all()).to_string();
    for odd in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace(&text[..1], "+")] {
        assert_eq!(Key::parse(odd), None, "{odd}");
    }
}

#[test]
fn an_engine_that_is_at_its_end_forgets_nothing() {
    for ours in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM] {
        assert!(is_ours(&ours.into()), "{ours}");
    }
    for of_the_entry in [Errno::ENOENT, Errno::EIO, Errno::EACCES, Errno::ESTALE] {
        assert!(!is_ours(&of_the_entry.into()), "{of_the_entry}");
    }
    assert!(!is_ours(&io::ErrorKind::NotFound.into()) && !is_ours(&io::ErrorKind::UnexpectedEof.into()));
}
