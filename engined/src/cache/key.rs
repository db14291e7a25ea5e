//! The name of what a compile makes: everything that it follows from, in one hash.
//!
//! The tenant comes first: what one tenant has compiled is not there for another. Every text goes in with its length
//! before it, and every list with its count, so that no two different requests give the same bytes.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use languages::Digest;
use sha2::{Digest as _, Sha256};

use crate::job::{CompileStep, JobFile};
use crate::trace::Digits;

/// Names an artifact: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub(super) [u8; 32]);

impl Key {
    /// Reads what [`Key`] is displayed as.
    #[must_use]
    pub fn parse(text: &str) -> Option<Key> {
        let digits = text.as_bytes();
        let lower = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let mut key = [0; 32];
        if pairs.len() != key.len() || !lower {
            return None;
        }
        for (byte, pair) in key.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Key(key))
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Digits::<64>::of(&self.0).as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Writes what is hashed.
struct Text(Sha256);

impl Text {
    fn new(what: &str) -> Self {
        let mut text = Text(Sha256::new());
        text.put(what);
        text
    }

    fn put(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// What every compile of one toolchain follows from, whoever asks: taken when the toolchain is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis([u8; 32]);

impl Basis {
    /// Of the digests of manifest and version, of the toolchain's files with what tunes it, and of the filter.
    #[must_use]
    pub fn new(manifest: &str, toolchain: &Digest, filter: &[u8]) -> Basis {
        let mut text = Text::new("engined basis 1");
        text.put(manifest);
        text.put(toolchain.as_bytes());
        text.put(filter);
        Basis(text.end())
    }
}

/// What one request's compile follows from, but for the tenant and this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin([u8; 32]);

impl Origin {
    /// Of the files as the compiler gets them, what the caller names as the entry, the whole command with the caller's
    /// flags, its environment and its limits.
    #[must_use]
    pub fn new(basis: &Basis, files: &[JobFile], entry: Option<&str>, compile: &CompileStep) -> Origin {
        // The tuned files are named in the arguments, by their key; the untuned step is the same but for them.
        let CompileStep { step, artifact, artifact_bytes: _, untuned: _, repeat_if: _ } = compile;
        let mut text = Text::new("engined origin 1");
        text.put(basis.0);
        text.number(files.len() as u64);
        for file in files {
            text.put(&file.path);
            text.put(&file.content.as_bytes()[file.skip..]);
        }
        text.number(entry.is_some().into());
        text.put(entry.unwrap_or_default());
        text.put(step.profile.as_str());
        text.put(artifact);
        text.number(step.args.len() as u64);
        step.args.iter().for_each(|arg| text.put(arg));
        text.number(step.env.len() as u64);
        for (name, value) in &step.env {
            text.put(name);
            text.put(value);
        }
        let limits = &step.limits;
        for number in [
            limits.cpu_time.0,
            limits.wall_time.0,
            limits.memory.0,
            limits.processes.into(),
            limits.cpus_milli.into(),
            limits.file.0,
            limits.disk.0,
            limits.open_files.into(),
            limits.stack.0,
            step.output_bytes,
        ] {
            text.number(number);
        }
        Origin(text.end())
    }

    /// The key for a tenant, with the toolchain's own files as they are now: whoever replaces one of them is noticed at
    /// once, a change of its other files when the toolchain is looked at again.
    #[must_use]
    pub fn key(&self, tenant: &str, parts: &[PathBuf]) -> Key {
        let mut text = Text::new("engined artifact 1");
        text.put(tenant);
        text.put(self.0);
        text.put(build());
        text.number(parts.len() as u64);
        for part in parts {
            let stamp = std::fs::metadata(part).map(|file| {
                let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()].map(i64::cast_unsigned);
                [file.dev(), file.ino(), file.size(), times[0], times[1], times[2], times[3]]
            });
            // One that is gone is not this one.
            for number in stamp.unwrap_or_default() {
                text.number(number);
            }
        }
        Key(text.end())
    }
}

/// A number for a tenant's folder.
#[must_use]
pub fn folder(tenant: &str) -> String {
    let mut text = Text::new("engined tenant 1");
    text.put(tenant);
    Key(text.end()).to_string()
}

/// This very program: its version and a hash of its bytes. To be asked for first while the program can still be read;
/// where it can't be, what it leaves behind is no other run's.
pub fn build() -> &'static [u8; 32] {
    static BUILD: OnceLock<[u8; 32]> = OnceLock::new();
    BUILD.get_or_init(|| {
        let mut text = Text::new("engined build 1");
        text.put(env!("CARGO_PKG_VERSION"));
        let copied = std::fs::File::open("/proc/self/exe").and_then(|mut file| std::io::copy(&mut file, &mut text.0));
        if let Err(error) = copied {
            tracing::warn!(%error, "the engine can't read its own program: compiled programs are kept until it ends");
            let mut chance = [0; 32];
            let filled = getrandom::fill(&mut chance);
            text.put(chance);
            text.put(filled.map_or_else(|error| error.to_string(), |()| String::new()));
            text.number(std::process::id().into());
        }
        text.end()
    })
}
