//! A finished compile as it is kept: how it ended, what it wrote, and the program that it made.
//!
//! The file: 8 bytes that say what it is, SHA-256 of all that follows, the length of the replay (32 bits, little-endian),
//! the replay, and to the end the program as the stream of records that the next sandbox unpacks. It is hashed whenever
//! it is read, while it is copied into the memory file of the run that asked: what was hashed is what is used, and no
//! two runs get the same file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use api_spec::{Hint, Reason, Verdict};
use jail::link::{MESSAGE_BYTES, Report};
use jail::records;
use jail::spec::{Collected, Ended, Outcome};
use memchr::memmem;
use sha2::{Digest, Sha256};

use super::Key;
use crate::ahead;
use crate::capture::{Captured, Output};
use crate::link::RunEnd;

const MAGIC: &[u8; 8] = b"engdart1";
const HASH_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + HASH_BYTES + 4;
/// A compiler that says more than this says it again each time.
const REPLAY_MOST: usize = 1 << 20;
const CHUNK: u64 = 256 << 10;
/// What a compiler says when the machine failed it and not the program: the C library's words for errors that pass, and
/// what nearly all programs say of their own. They name no language; one whose program has these words is compiled
/// again, which costs no more than that. In lower case.
const OF_THE_MACHINE: [&str; 9] = [
    "resource temporarily unavailable",
    "cannot allocate memory",
    "out of memory",
    "no space left",
    "too many open files",
    "input/output error",
    "device or resource busy",
    "internal compiler error",
    "killed",
];

/// What a compile says again each time that it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// How it ended, and what it used.
    pub ended: Ended,
    /// What it wrote.
    pub output: Output,
    /// Why it made no program.
    pub failure: Option<Reason>,
}

impl Replay {
    /// A compile that may be told to others later: it ended by itself, with a program or with the compiler's word that
    /// there is none, and what came out of its sandbox is whole. `None` for one that was killed, ran into a limit, was
    /// cancelled, or failed for a reason of ours.
    #[must_use]
    pub fn of(end: &RunEnd, output: &Output, outcome: Result<(), &(Verdict, Option<Reason>)>) -> Option<Replay> {
        let RunEnd::Ended(ended) = end else { return None };
        let usage = &ended.usage;
        let by_itself = matches!(ended.outcome, Outcome::Exited(_)) && ended.stop.is_none() && !ended.filter_killed;
        let untroubled = usage.oom_kills == 0 && !usage.processes_hit && !usage.disk_hit;
        if !by_itself || !untroubled || ended.collected != Collected::Complete {
            return None;
        }
        let failure = match outcome {
            Ok(()) if ended.outcome == Outcome::Exited(0) => None,
            // With a limit as its reason it might end otherwise on a day that is less busy; short of heap, too.
            Err((Verdict::CompileError, Some(reason)))
                if reason.limit.is_none() && reason.hint != Some(Hint::Heap) && !blames_the_machine(output) =>
            {
                Some(reason.clone())
            }
            _ => return None,
        };
        Some(Replay { ended: *ended, output: output.clone(), failure })
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let failure = self.failure.as_ref().map(serde_json::to_vec).transpose().ok()?.unwrap_or_default();
        let mut bytes = Report::Ended(self.ended).encode().to_vec();
        put(&mut bytes, &failure)?;
        for stream in [&self.output.stdout, &self.output.stderr] {
            bytes.extend_from_slice(&stream.bytes.to_le_bytes());
            put(&mut bytes, &stream.kept)?;
        }
        (bytes.len() <= REPLAY_MOST).then_some(bytes)
    }

    fn decode(mut bytes: &[u8]) -> Option<Replay> {
        let (message, rest) = bytes.split_at_checked(MESSAGE_BYTES)?;
        bytes = rest;
        let Ok(Report::Ended(ended)) = Report::decode(message) else { return None };
        let failure = take(&mut bytes)?;
        let failure = if failure.is_empty() { None } else { Some(serde_json::from_slice(failure).ok()?) };
        let mut stream = || {
            let (count, rest) = bytes.split_first_chunk::<8>()?;
            bytes = rest;
            Some(Captured { bytes: u64::from_le_bytes(*count), kept: take(&mut bytes)?.to_vec() })
        };
        let output = Output { stdout: stream()?, stderr: stream()? };
        bytes.is_empty().then_some(Replay { ended, output, failure })
    }
}

fn blames_the_machine(output: &Output) -> bool {
    [&output.stdout, &output.stderr].into_iter().any(|stream| {
        let said = stream.kept.to_ascii_lowercase();
        OF_THE_MACHINE.iter().any(|words| memmem::find(&said, words.as_bytes()).is_some())
    })
}

fn put(into: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    into.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
    into.extend_from_slice(bytes);
    Some(())
}

fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *from = rest;
    Some(bytes)
}

/// What a file of the cache is good for.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Whole(Box<Replay>, Option<OwnedFd>),
    /// Nothing: why.
    Damaged(&'static str),
}

/// Writes the file of an entry. `None`, and nothing written, for one whose replay is too long to keep.
///
/// # Errors
/// That of reading the program or of writing.
pub fn write(mut to: &File, key: &Key, replay: &Replay, program: Option<&File>) -> io::Result<Option<()>> {
    let Some(bytes) = replay.encode() else { return Ok(None) };
    let Ok(length) = u32::try_from(bytes.len()) else { return Ok(None) };
    let mut hash = begin(key);
    to.write_all(&[0; MAGIC.len() + HASH_BYTES])?;
    for part in [&length.to_le_bytes()[..], &bytes] {
        hash.update(part);
        to.write_all(part)?;
    }
    if let Some(program) = program {
        each_chunk(program, |chunk| {
            hash.update(chunk);
            to.write_all(chunk)
        })?;
    }
    // The head comes last: until then it is no entry.
    to.write_all_at(&[MAGIC.as_slice(), &hash.finalize()].concat(), 0)?;
    Ok(Some(()))
}

/// How long the file of an entry becomes.
#[must_use]
pub fn file_bytes(replay: &Replay, program_bytes: u64) -> u64 {
    let failure = replay.failure.as_ref().map_or(0, |reason| reason.message.len() + 128);
    let replay = replay.output.stdout.kept.len() + replay.output.stderr.kept.len() + failure;
    (HEAD_BYTES + MESSAGE_BYTES + 64 + replay) as u64 + program_bytes
}

/// The key is hashed, too: a file is good under its own name alone.
fn begin(key: &Key) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(key.0);
    hash
}

/// Reads a file of `size` bytes, with its program in a sealed memory file of its own.
///
/// # Errors
/// That of reading, or of making a memory file.
pub fn read(from: &File, size: u64, key: &Key) -> io::Result<Content> {
    let buffer = usize::try_from(size.min(CHUNK)).unwrap_or(0);
    let mut reader = BufReader::with_capacity(buffer, from);
    let mut head = [0; HEAD_BYTES];
    let Some(rest) = size.checked_sub(HEAD_BYTES as u64) else { return Ok(Content::Damaged("it is too short")) };
    reader.read_exact(&mut head)?;
    let (magic, sum) = head.split_at(MAGIC.len());
    let (sum, length) = sum.split_at(HASH_BYTES);
    let replay_bytes = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    let known = magic == MAGIC && u64::from(replay_bytes) <= rest && replay_bytes as usize <= REPLAY_MOST;
    if !known {
        return Ok(Content::Damaged("it does not begin as an entry does"));
    }
    let mut hash = begin(key);
    hash.update(length);
    let mut replay = vec![0; replay_bytes as usize];
    reader.read_exact(&mut replay)?;
    hash.update(&replay);
    let mut left = rest - u64::from(replay_bytes);
    let program = if left > 0 { Some(File::from(ahead::memfd()?)) } else { None };
    while left > 0 {
        let chunk = reader.fill_buf()?;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        if most == 0 {
            return Ok(Content::Damaged("it is shorter than it was"));
        }
        hash.update(&chunk[..most]);
        if let Some(mut program) = program.as_ref() {
            program.write_all(&chunk[..most])?;
        }
        reader.consume(most);
        left -= most as u64;
    }
    if hash.finalize().as_slice() != sum {
        return Ok(Content::Damaged("its hash is another"));
    }
    let Some(replay) = Replay::decode(&replay) else { return Ok(Content::Damaged("its replay can't be read")) };
    if replay.failure.is_some() == program.is_some() {
        return Ok(Content::Damaged("it is neither a program nor a failure"));
    }
    let program = program.map(OwnedFd::from);
    if let Some(program) = &program {
        records::seal(program.as_fd())?;
    }
    Ok(Content::Whole(Box::new(replay), program))
}

/// A sealed memory file of the same bytes. What a run holds, no other run holds.
///
/// # Errors
/// That of making, reading or writing one.
pub fn copy(program: &File) -> io::Result<OwnedFd> {
    let mut copy = File::from(records::empty_memfd()?);
    each_chunk(program, |chunk| copy.write_all(chunk))?;
    records::seal(copy.as_fd())?;
    Ok(copy.into())
}

/// By position: the offset of the descriptor is not ours.
fn each_chunk(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut chunk = vec![0; usize::try_from(size.min(CHUNK)).unwrap_or(0)];
    let mut at = 0;
    while at < size {
        let read = file.read_at(&mut chunk, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&chunk[..read])?;
        at += read as u64;
    }
    Ok(())
}
