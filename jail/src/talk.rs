//! What broker, spawner, init and payload say to each other inside jaild: short messages of 64-bit words.
//!
//! All four are our own code. Still, an init that a payload has taken over speaks to the broker, so the broker reads
//! [`Event`]s as it reads the link: a length or tag that does not fit is an error, never a panic.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::error::{At, JailError, Step};
use crate::link::MAX_DESCRIPTORS;
use crate::privileges::{Rlimits, SandboxIds};
use crate::spec::{Attempts, Bytes, Collected, Millis, Outcome, WatchedCall};
use crate::sys;

const WORDS: usize = 6 + WatchedCall::COUNT / 2;
const MESSAGE: usize = WORDS * 8;
type Words = [u64; WORDS];

/// Microseconds of `CLOCK_MONOTONIC`, which is the same in every sandbox: time namespaces are made with no offset.
#[must_use]
pub fn now_us() -> u64 {
    sys::monotonic_us()
}

/// Two connected ends.
///
/// # Errors
/// That of `socketpair(2)`.
pub fn pair() -> Result<(OwnedFd, OwnedFd), JailError> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).at(Step::Talk)
}

/// The words of a message, with zeroes after them.
fn padded(words: &[u64]) -> Words {
    let mut all = [0; WORDS];
    for (place, word) in all.iter_mut().zip(words) {
        *place = *word;
    }
    all
}

fn send(socket: BorrowedFd<'_>, words: Words, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut bytes = [0; MESSAGE];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    sys::send_with_descriptors(socket, &bytes, descriptors)
}

/// `None` once the other end is closed.
fn recv(socket: BorrowedFd<'_>, most: usize) -> io::Result<Option<(Words, Vec<OwnedFd>)>> {
    let mut bytes = [0; MESSAGE + 1];
    let is_reset = |e: &io::Error| e.raw_os_error() == Some(libc::ECONNRESET);
    let mut heard = sys::recv_with_descriptors(socket, &mut bytes, most);
    if heard.as_ref().is_err_and(is_reset) {
        // It left unread what we said. The kernel tells that once, before what it said last itself.
        heard = sys::recv_with_descriptors(socket, &mut bytes, most);
    }
    let (length, descriptors) = match heard {
        Err(e) if is_reset(&e) => return Ok(None),
        other => other?,
    };
    if length == 0 {
        return Ok(None);
    }
    if length != MESSAGE {
        return Err(invalid());
    }
    let mut words = [0; WORDS];
    for (word, place) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = place.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    }
    Ok(Some((words, descriptors)))
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that nobody sends")
}

/// Broker to init, init to payload: begin. A second message to init, of whatever content, means: end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The size of the scratch.
    pub disk: Bytes,
    /// What the payload may use of its own process.
    pub rlimits: Rlimits,
    /// Prove the layers from inside instead of executing a program.
    pub probe: bool,
    /// A fifth descriptor bears files to unpack after the bundle's.
    pub has_artifact: bool,
    /// The last descriptor is a pipe for what init collects.
    pub collects: bool,
    /// How much init may collect.
    pub collect_bytes: Bytes,
}

impl Command {
    /// Says it.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn send(&self, socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> Result<(), JailError> {
        let flags = u64::from(self.probe) | u64::from(self.has_artifact) << 1 | u64::from(self.collects) << 2;
        let r = &self.rlimits;
        let words = [self.disk.0, r.cpu_time.0, r.file.0, r.open_files.into(), r.stack.0, flags, self.collect_bytes.0];
        send(socket, padded(&words), descriptors).on(Step::Talk, "command")
    }

    /// Waits for it; `None` when there will be none.
    ///
    /// # Errors
    /// When it is not one.
    pub fn recv(socket: BorrowedFd<'_>) -> Result<Option<(Self, Vec<OwnedFd>)>, JailError> {
        let Some((words, descriptors)) = recv(socket, MAX_DESCRIPTORS).on(Step::Talk, "command")? else {
            return Ok(None);
        };
        let narrow = |word: u64| u32::try_from(word).map_err(|_| invalid()).on(Step::Talk, "command");
        let [disk, cpu_time, file, open_files, stack, flags, collect_bytes, ..] = words;
        let command = Command {
            disk: Bytes(disk),
            rlimits: Rlimits {
                cpu_time: Millis(cpu_time),
                file: Bytes(file),
                open_files: narrow(open_files)?,
                stack: Bytes(stack),
            },
            probe: flags & 1 != 0,
            has_artifact: flags & 2 != 0,
            collects: flags & 4 != 0,
            collect_bytes: Bytes(collect_bytes),
        };
        Ok(Some((command, descriptors)))
    }

    /// Takes the collection's descriptor, if there is one, from those of the payload.
    ///
    /// # Errors
    /// When there are more or fewer than the command says.
    pub fn split(&self, mut descriptors: Vec<OwnedFd>) -> Result<(Option<OwnedFd>, Vec<OwnedFd>), JailError> {
        let collection = if self.collects { descriptors.pop() } else { None };
        if descriptors.len() == 4 + usize::from(self.has_artifact) {
            Ok((collection, descriptors))
        } else {
            Err(invalid()).on(Step::Talk, format!("{} descriptors", descriptors.len()))
        }
    }
}

/// How a program ended, as init saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Of the program's first process.
    pub outcome: Outcome,
    /// When it was executed, by [`now_us`].
    pub started_us: u64,
    /// When it ended.
    pub ended_us: u64,
    /// Of all that was reaped, from the command on.
    pub involuntary_switches: u64,
    /// The scratch was full at the end.
    pub disk_hit: bool,
    /// What became of the collection.
    pub collected: Collected,
    /// What was tried.
    pub attempts: Attempts,
}

/// Payload to init, init to broker; and from there back to init, `Armed` for "end it" and `Collect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Waiting for the command. A payload is confined by then, the filter last, and its listener comes along.
    Armed,
    /// About to execute, at this time; to the broker: it runs, since then. To init also how often the payload was interrupted
    /// before it had its command, which was no part of the run.
    Starting(u64, u64),
    /// A step failed: there is no program.
    Failed(Outcome),
    /// The program is over and nothing of it is left. Where something is to be collected it was [`Event::Over`] before.
    Ended(End),
    /// The same, with files to collect: init waits for [`Event::Collect`] before it does so.
    Over(End),
    /// Broker to init: what was used is read, there is room. Collect now.
    Collect,
    /// Init to broker: the payload was gone before it had the command, so nothing of the run has begun.
    Unused,
}

impl Event {
    /// Says it.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn send(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send_with(socket, &[])
    }

    /// Says it, with a descriptor where it has one.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn send_with(self, socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let words = match self {
            Event::Armed => padded(&[1]),
            Event::Starting(at, interrupted) => padded(&[2, at, interrupted]),
            Event::Failed(outcome) => {
                let [kind, a, b, c] = outcome_words(outcome);
                padded(&[3, kind, a, b, c])
            }
            Event::Collect => padded(&[6]),
            Event::Unused => padded(&[7]),
            Event::Ended(end) | Event::Over(end) => {
                let tag = if matches!(self, Event::Over(_)) { 5 } else { 4 };
                let [kind, a, b, c] = outcome_words(end.outcome);
                let collected = match end.collected {
                    Collected::None => 0,
                    Collected::Complete => 1,
                    Collected::Cut => 2,
                };
                let fatal = u64::from(WatchedCall::to_wire(end.attempts.fatal));
                let flags = u64::from(end.disk_hit) | collected << 1 | fatal << 3 | kind << 8 | a << 16 | b << 32;
                let mut words = padded(&[tag, flags, c, end.started_us, end.ended_us, end.involuntary_switches]);
                for (word, pair) in words[6..].iter_mut().zip(end.attempts.counts().chunks(2)) {
                    *word = pair.iter().rev().fold(0, |all, count| all << 32 | u64::from(*count));
                }
                words
            }
        };
        send(socket, words, descriptors)
    }

    /// The next one, `None` once the other end is closed.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn recv(socket: BorrowedFd<'_>) -> Result<Option<Self>, JailError> {
        Ok(Self::recv_with(socket, 0)?.map(|(event, _)| event))
    }

    /// The same, with at most `most` descriptors.
    ///
    /// # Errors
    /// When it is none of these, or brings more.
    pub fn recv_with(socket: BorrowedFd<'_>, most: usize) -> Result<Option<(Self, Vec<OwnedFd>)>, JailError> {
        let Some((words, descriptors)) = recv(socket, most).on(Step::Talk, "event")? else { return Ok(None) };
        let event = Self::from_words(words).ok_or_else(invalid).on(Step::Talk, "event")?;
        Ok(Some((event, descriptors)))
    }

    fn from_words(words: Words) -> Option<Self> {
        match words {
            [1, ..] => Some(Event::Armed),
            [2, at, interrupted, ..] => Some(Event::Starting(at, interrupted)),
            [3, kind, a, b, c, ..] => Some(Event::Failed(outcome_of([kind, a, b, c])?)),
            [tag @ (4 | 5), flags, index, started_us, ended_us, involuntary_switches, ref counted @ ..] => {
                let mut counts = [0; WatchedCall::COUNT];
                for (pair, word) in counts.chunks_mut(2).zip(counted) {
                    pair.iter_mut().zip([word & 0xffff_ffff, word >> 32]).try_for_each(|(count, half)| {
                        *count = u32::try_from(half).ok()?;
                        Some(())
                    })?;
                }
                let fatal = u8::try_from(flags >> 3 & 31).ok().and_then(WatchedCall::from_wire)?;
                let end = End {
                    outcome: outcome_of([flags >> 8 & 0xff, flags >> 16 & 0xffff, flags >> 32, index])?,
                    started_us,
                    ended_us,
                    involuntary_switches,
                    disk_hit: flags & 1 != 0,
                    collected: match flags >> 1 & 3 {
                        0 => Collected::None,
                        1 => Collected::Complete,
                        2 => Collected::Cut,
                        _ => return None,
                    },
                    attempts: Attempts::from_parts(counts, fatal),
                };
                Some(if tag == 5 { Event::Over(end) } else { Event::Ended(end) })
            }
            [6, ..] => Some(Event::Collect),
            [7, ..] => Some(Event::Unused),
            _ => None,
        }
    }
}

fn outcome_words(outcome: Outcome) -> [u64; 4] {
    match outcome {
        Outcome::Exited(code) => [0, code.into(), 0, 0],
        Outcome::Signalled(signal) => [1, signal.into(), 0, 0],
        Outcome::Failed { step, errno, index } => [2, step.into(), errno.cast_unsigned().into(), index.into()],
    }
}

fn outcome_of([kind, a, b, c]: [u64; 4]) -> Option<Outcome> {
    let byte = u8::try_from(a).ok()?;
    match kind {
        0 => Some(Outcome::Exited(byte)),
        1 => Some(Outcome::Signalled(byte)),
        2 => {
            let errno = u32::try_from(b).ok()?.cast_signed();
            Some(Outcome::Failed { step: byte, errno, index: u32::try_from(c).ok()? })
        }
        _ => None,
    }
}

/// Broker to spawner: make a sandbox. Its descriptors: init's end of the control socket, on v2 init's leaf and the
/// run's leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Make {
    /// Who init and payload are.
    pub ids: SandboxIds,
    /// Which of the spawner's filters the payload gets.
    pub filter: u32,
}

impl Make {
    /// Says it.
    ///
    /// # Errors
    /// When the spawner is gone.
    pub fn send(self, socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> Result<(), JailError> {
        let words = [self.ids.init.into(), self.ids.payload.into(), self.filter.into()];
        send(socket, padded(&words), descriptors).on(Step::Talk, "spawner")
    }

    /// Waits for it, `None` when the broker is gone.
    ///
    /// # Errors
    /// When it is not one.
    pub fn recv(socket: BorrowedFd<'_>) -> Result<Option<(Self, Vec<OwnedFd>)>, JailError> {
        let Some(([init, payload, filter, ..], descriptors)) = recv(socket, 3).on(Step::Talk, "spawner")? else {
            return Ok(None);
        };
        let narrow = |word: u64| u32::try_from(word).map_err(|_| invalid()).on(Step::Talk, "ids");
        let ids = SandboxIds { init: narrow(init)?, payload: narrow(payload)? };
        Ok(Some((Make { ids, filter: narrow(filter)? }, descriptors)))
    }
}

/// Spawner to broker.
#[derive(Debug)]
pub enum Spawned {
    /// The tree stands, the spawner waits.
    Ready,
    /// An init was cloned; readable once it has ended.
    Init(OwnedFd),
    /// It could not be.
    Failed(Outcome),
}

impl Spawned {
    /// Says it.
    ///
    /// # Errors
    /// When the broker is gone.
    pub fn send(&self, socket: BorrowedFd<'_>) -> Result<(), JailError> {
        match self {
            Spawned::Ready => send(socket, padded(&[1]), &[]),
            Spawned::Init(pidfd) => send(socket, padded(&[2]), &[pidfd.as_fd()]),
            Spawned::Failed(outcome) => {
                let [kind, a, b, c] = outcome_words(*outcome);
                send(socket, padded(&[3, kind, a, b, c]), &[])
            }
        }
        .on(Step::Talk, "broker")
    }

    /// The next one, `None` when the spawner is gone.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn recv(socket: BorrowedFd<'_>) -> Result<Option<Self>, JailError> {
        let Some((words, mut descriptors)) = recv(socket, 1).on(Step::Talk, "spawner")? else { return Ok(None) };
        let said = match (words, descriptors.pop()) {
            ([1, ..], None) => Some(Spawned::Ready),
            ([2, ..], Some(pidfd)) => Some(Spawned::Init(pidfd)),
            ([3, kind, a, b, c, ..], None) => outcome_of([kind, a, b, c]).map(Spawned::Failed),
            _ => None,
        };
        said.ok_or_else(invalid).on(Step::Talk, "spawner").map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_survives_the_way() {
        let (a, b) = pair().unwrap();
        let failed = Outcome::Failed { step: 200, errno: -1, index: u32::MAX };
        let end = End {
            outcome: failed,
            started_us: u64::MAX,
            ended_us: 2,
            involuntary_switches: 3,
            disk_hit: true,
            collected: Collected::Cut,
            attempts: Attempts::all_different(),
        };
        let others = [Event::Starting(9, 10), Event::Failed(Outcome::Exited(255)), Event::Collect, Event::Unused];
        for event in [Event::Armed, Event::Ended(end), Event::Over(end)].into_iter().chain(others) {
            event.send(a.as_fd()).unwrap();
            assert_eq!(Event::recv(b.as_fd()).unwrap(), Some(event));
        }
        drop(a);
        assert_eq!(Event::recv(b.as_fd()).unwrap(), None);
    }

    #[test]
    fn a_lie_is_an_error() {
        let (a, b) = pair().unwrap();
        for words in
            [[0; WORDS], [9; WORDS], [u64::MAX; WORDS], padded(&[3, 7]), padded(&[4, 6]), padded(&[4, 23 << 3])]
        {
            send(a.as_fd(), words, &[]).unwrap();
            assert!(Event::recv(b.as_fd()).is_err(), "{words:?}");
        }
        sys::send_with_descriptors(a.as_fd(), b"short", &[]).unwrap();
        assert!(Event::recv(b.as_fd()).is_err());
        send(a.as_fd(), [1; WORDS], &[a.as_fd()]).unwrap();
        assert!(Event::recv(b.as_fd()).is_err(), "an event carries no descriptor");
    }
}
