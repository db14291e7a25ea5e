//! Our ends of a run's pipes: standard input is fed while output is read, each stream is kept up to its cap, the rest
//! is read, counted and dropped, so that no program ever blocks on us for good. Output never passes jaild.
//!
//! Most programs are over before anybody has to read them: they end within some milliseconds, and what they wrote is in the
//! pipes then. So nobody watches the streams at first, but looks at them twice; what a run costs us that is over sooner is
//! one read of each stream. A program that writes more than a pipe holds waits for such a look, once.
//!
//! What reading costs is our CPU time, which no limit of the run counts. So a program that writes single bytes, or more
//! than is kept, is read at a pace: it waits for us, in a pipe that is full, and not its neighbours for a core.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::BufMut;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::pipe2;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::Notify;

use crate::job::Stdin;

pub use tap::{Take, Tap};

mod tap;

/// Large pipes save wake-ups. An ordinary user gets 64 of them, then the small ones, which work as well.
const PIPE_BYTES: i32 = 1 << 20;
/// What a pipe holds, where its user has not too many of them already: else two pages, and what is more waits for us.
const PIPE_HOLDS: usize = 64 << 10;
/// At first nobody watches the streams: they are looked at after these pauses, and watched from then on when something is in
/// them, after the last one in any case.
const LOOKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(3)];
const FIRST_READ: usize = 8 << 10;
const DROP_READ: usize = 256 << 10;
/// What a read costs at the least, in bytes that might have been copied meanwhile.
const LEAST_COST: usize = 4 << 10;
/// After reads of this cost there is a rest.
const COST_BETWEEN_RESTS: usize = 256 << 10;
/// So much of a file is in memory while it is fed.
pub const PIECE: usize = 64 << 10;
const REST: Duration = Duration::from_millis(1);

/// The ends that the program gets. They go to jaild and are closed here as soon as it has them.
#[derive(Debug)]
pub struct Theirs {
    /// Its standard input.
    pub stdin: OwnedFd,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

/// The ends that we keep. Non-blocking, and not watched yet.
#[derive(Debug)]
pub struct Ours {
    stdin: File,
    stdout: File,
    stderr: File,
}

/// Says that everybody is dead who could still write: what there is can be read at once.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// The run is over. Whoever polls [`Ours::pump`] polls it again.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came out of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The head.
    pub kept: Vec<u8>,
    /// How many bytes were produced.
    pub bytes: u64,
}

/// Both output streams. They fill while [`Ours::pump`] runs, and stay readable when it is dropped midway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

/// Makes the three pipes of a run.
///
/// # Errors
/// That of `pipe2`, for want of descriptors.
pub fn pipes() -> io::Result<(Ours, Theirs)> {
    let pipe = || pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK);
    let (stdin, our_stdin) = pipe()?;
    let (our_stdout, stdout) = pipe()?;
    let (our_stderr, stderr) = pipe()?;
    widen(&stdout);
    // A program opens /dev/stdin and /dev/stdout by name, as another uid than ours, which owns the pipes: it may read the
    // one and write the others, no more than the descriptors that it has allow.
    for (end, mode) in [(&stdin, 0o604), (&stdout, 0o602), (&stderr, 0o602)] {
        // Each end has its own flags: the program's block.
        fcntl(end.as_fd(), FcntlArg::F_SETFL(OFlag::empty()))?;
        fchmod(end, Mode::from_bits_truncate(mode))?;
    }
    let ours = Ours { stdin: our_stdin.into(), stdout: our_stdout.into(), stderr: our_stderr.into() };
    Ok((ours, Theirs { stdin, stdout, stderr }))
}

fn widen(pipe: &impl AsFd) {
    if let Err(error) = fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE_BYTES)) {
        tracing::trace!(%error, "a pipe stays small");
    }
}

/// What is kept of a stream, and when it was too much.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// So many of its first bytes are kept.
    pub head: usize,
    /// More than so many are too much.
    pub most: u64,
}

impl Keep {
    /// All that is allowed.
    #[must_use]
    pub fn all(most: u64) -> Keep {
        Keep { head: usize::try_from(most).unwrap_or(usize::MAX), most }
    }
}

impl Ours {
    /// The three ends, for somebody who passes everything on. Writing into the first blocks.
    ///
    /// # Errors
    /// That of watching them.
    pub fn into_parts(self) -> io::Result<(OwnedFd, Receiver, Receiver)> {
        fcntl(self.stdin.as_fd(), FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok((self.stdin.into(), watched(self.stdout)?, watched(self.stderr)?))
    }

    /// Feeds `stdin` and reads both streams to their ends. `over` is told when a stream has produced more than it may. What
    /// standard output brings until then goes through `tap` as well. `ended`: by then the run is over, so that nothing more
    /// comes.
    ///
    /// # Errors
    /// That of reading; a program that does not read its input is none.
    pub async fn pump(
        self,
        stdin: &Stdin,
        [out, err]: [Keep; 2],
        tap: Option<&mut Tap>,
        output: &mut Output,
        over: &Notify,
        ended: &Over,
    ) -> io::Result<()> {
        let Output { stdout, stderr } = output;
        let read = async {
            for pause in LOOKS {
                let mut pause = pin!(tokio::time::sleep(pause));
                poll_fn(|cx| if ended.is_set() { Poll::Ready(()) } else { pause.as_mut().poll(cx) }).await;
                if ended.is_set() || fills(&self.stdout, &self.stderr)? {
                    break;
                }
            }
            let whole = ended.is_set();
            let through = async {
                match tap {
                    Some(tap) => tap::drain(watched(self.stdout)?, out, tap, stdout, over).await,
                    None => drain(self.stdout, whole, out, stdout, over).await,
                }
            };
            let (out, err) = tokio::join!(through, drain(self.stderr, whole, err, stderr, over));
            out.and(err)
        };
        // Nobody reads it once everybody is dead, and where it comes from may be slow.
        let mut feed = pin!(feed(self.stdin, stdin));
        let feed = poll_fn(|cx| if ended.is_set() { Poll::Ready(Ok(())) } else { feed.as_mut().poll(cx) });
        let (fed, read) = tokio::join!(feed, read);
        fed.and(read)
    }
}

/// Whether something is in one of two streams.
fn fills(one: &File, other: &File) -> io::Result<bool> {
    let mut both = [one, other].map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
    poll(&mut both, PollTimeout::ZERO)?;
    Ok(both.iter().any(|end| end.revents().is_some_and(|seen| seen.contains(PollFlags::POLLIN))))
}

/// Has tokio watch an end that is read. It is a pipe of ours and non-blocking, so nobody needs to look.
fn watched(end: File) -> io::Result<Receiver> {
    Receiver::from_owned_fd_unchecked(end.into())
}

/// Writes everything, then closes: the end of the input is the end of the pipe, nothing is added.
async fn feed(mut pipe: File, stdin: &Stdin) -> io::Result<()> {
    if stdin.length()? > PIPE_HOLDS as u64 {
        widen(&pipe);
    }
    let watch = |pipe: File| Sender::from_owned_fd_unchecked(pipe.into());
    let file = match stdin {
        Stdin::Bytes(bytes) if bytes.is_empty() => return Ok(()),
        Stdin::Bytes(bytes) => {
            // Most fits into the pipe, and then nobody has to watch it.
            let written = match pipe.write(bytes) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                // It closed its input, or is over: its right.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(error),
            };
            let left = &bytes[written..];
            return if left.is_empty() { Ok(()) } else { write(&watch(pipe)?, left).await.map(drop) };
        }
        Stdin::File(file) => file,
    };
    let pipe = watch(pipe)?;
    let (mut piece, mut at) = (Vec::new(), 0);
    loop {
        // A disk can be slow without end, and others wait for this thread.
        let (file, mut buffer) = (Arc::clone(file), std::mem::take(&mut piece));
        let read = move || read_piece(&file, &mut buffer, at).map(|()| buffer);
        piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        // What is short of a piece is the last one.
        if !write(&pipe, &piece).await? || piece.len() < PIECE {
            return Ok(());
        }
        at += piece.len() as u64;
    }
}

/// The next piece of a file: shorter than others at its end alone.
fn read_piece(file: &File, piece: &mut Vec<u8>, at: u64) -> io::Result<()> {
    piece.resize(PIECE, 0);
    let mut length = 0;
    while length < PIECE {
        match file.read_at(&mut piece[length..], at + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(length);
    Ok(())
}

/// Writes everything. False: nobody reads it any more.
async fn write(pipe: &Sender, mut input: &[u8]) -> io::Result<bool> {
    while !input.is_empty() {
        pipe.writable().await?;
        match pipe.try_write(input) {
            Ok(written) => input = &input[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It closed its input, or is over: its right.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// `whole`: what there is, is there already.
async fn drain(mut pipe: File, whole: bool, keep: Keep, into: &mut Captured, over: &Notify) -> io::Result<()> {
    if whole {
        let read = Read::by_ref(&mut pipe).take(keep.head as u64).read_to_end(&mut into.kept);
        into.bytes = into.kept.len() as u64;
        match read {
            Ok(_) if into.kept.len() < keep.head => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let pipe = watched(pipe)?;
    let mut scrap = Vec::new();
    let mut cost = 0;
    loop {
        if cost >= COST_BETWEEN_RESTS {
            cost = 0;
            tokio::time::sleep(REST).await;
        }
        pipe.readable().await?;
        let room = keep.head - into.kept.len();
        let read = if room > 0 {
            // Doubling like any vector, but never beyond the cap.
            let step = into.kept.len().max(FIRST_READ).min(room);
            into.kept.reserve(step);
            pipe.try_read_buf(&mut (&mut into.kept).limit(step))
        } else {
            scrap.resize(DROP_READ, 0);
            pipe.try_read(&mut scrap)
        };
        match read {
            Ok(0) => return Ok(()),
            Ok(read) => {
                into.bytes += read as u64;
                // What is kept has a cap: only reads that bring next to nothing could go on for long.
                cost += if room == 0 || read < LEAST_COST { read.max(LEAST_COST) } else { 0 };
                if into.bytes > keep.most {
                    over.notify_one();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Plays the program in a thread of its own: a pipe's end blocks there, as it does for a program.
    async fn run(cap: usize, stdin: &[u8], program: impl FnOnce(File, File, File) + Send + 'static) -> (Output, bool) {
        run_fed(cap, &Stdin::Bytes(stdin.to_vec()), program).await
    }

    async fn run_fed(
        cap: usize,
        stdin: &Stdin,
        program: impl FnOnce(File, File, File) + Send + 'static,
    ) -> (Output, bool) {
        let (ours, theirs) = pipes().unwrap();
        let play = move || program(theirs.stdin.into(), theirs.stdout.into(), theirs.stderr.into());
        let program = tokio::task::spawn_blocking(play);
        let (mut output, over) = (Output::default(), Notify::new());
        ours.pump(stdin, [Keep::all(cap as u64); 2], None, &mut output, &over, &Over::default()).await.unwrap();
        program.await.unwrap();
        let told = tokio::time::timeout(std::time::Duration::ZERO, over.notified()).await.is_ok();
        (output, told)
    }

    #[tokio::test]
    async fn input_and_output_flow_at_the_same_time() {
        let input: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let cat = |mut stdin: File, mut stdout: File, _stderr: File| {
            io::copy(&mut stdin, &mut stdout).unwrap();
        };
        let (output, told) = run(1 << 24, &input, cat).await;
        assert!(output.stdout.kept == input && output.stdout.bytes == 5_000_000);
        assert!(!told && output.stderr == Captured::default());
    }

    /// A file without a name.
    fn file(bytes: &[u8]) -> Arc<File> {
        let path = std::env::temp_dir().join(format!("engined-capture-{}-{}", std::process::id(), bytes.len()));
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        Arc::new(file)
    }

    #[tokio::test]
    async fn one_file_is_fed_whole_to_several_at_a_time() {
        for length in [0, 1, PIECE, PIECE + 1, 40 * PIECE + 7] {
            let input: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[n % 3]).collect();
            let file = file(&input);
            let cat = |mut stdin: File, mut stdout: File, _stderr: File| {
                io::copy(&mut stdin, &mut stdout).unwrap();
            };
            let stdin = Stdin::File(Arc::clone(&file));
            let (one, other) = tokio::join!(run_fed(1 << 24, &stdin, cat), run_fed(1 << 24, &stdin, cat));
            assert!(one.0.stdout.kept == input && other.0.stdout.kept == input, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn nobody_is_fed_after_the_end() {
        let (ours, theirs) = pipes().unwrap();
        // More than the pipe holds, and its other end stays open.
        let (input, ended) = (Stdin::Bytes(vec![0; 4 << 20]), Over::default());
        drop((theirs.stdout, theirs.stderr));
        let (mut output, over) = (Output::default(), Notify::new());
        let mut pump = pin!(ours.pump(&input, [Keep::all(1); 2], None, &mut output, &over, &ended));
        assert!(poll_fn(|cx| Poll::Ready(pump.as_mut().poll(cx))).await.is_pending());
        ended.set();
        pump.await.unwrap();
        drop(theirs.stdin);
    }

    #[tokio::test]
    async fn nobody_has_to_read_a_file_either() {
        let deaf = |stdin: File, mut stdout: File, _stderr: File| {
            drop(stdin);
            stdout.write_all(b"deaf").unwrap();
        };
        let (output, _) = run_fed(100, &Stdin::File(file(&vec![0; 4 << 20])), deaf).await;
        assert_eq!(output.stdout.kept, b"deaf");
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_read_is_an_error() {
        let (ours, theirs) = pipes().unwrap();
        drop((theirs.stdout, theirs.stderr));
        let folder = Stdin::File(Arc::new(File::open("/").unwrap()));
        let (over, ended) = (Notify::new(), Over::default());
        let pumped = ours.pump(&folder, [Keep::all(1); 2], None, &mut Output::default(), &over, &ended).await;
        assert_eq!(pumped.unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[tokio::test]
    async fn the_head_is_kept_and_the_rest_counted() {
        let flood = |_stdin: File, mut stdout: File, mut stderr: File| {
            for _ in 0..3000 {
                stdout.write_all(&[b'x'; 1000]).unwrap();
            }
            stderr.write_all(b"12345").unwrap();
        };
        let (output, told) = run(5, b"", flood).await;
        assert_eq!((output.stdout.kept.as_slice(), output.stdout.bytes), (b"xxxxx".as_slice(), 3_000_000));
        assert_eq!((output.stderr.kept.as_slice(), output.stderr.bytes), (b"12345".as_slice(), 5));
        assert!(told);
        let exactly = |_stdin: File, mut stdout: File, _stderr: File| stdout.write_all(b"12345").unwrap();
        let (output, told) = run(5, b"", exactly).await;
        assert!(!told && output.stdout.kept == b"12345", "the cap itself is allowed");
    }

    #[tokio::test]
    async fn what_is_there_when_a_run_is_over_is_read_at_once() {
        for (cap, written) in [(10, 0), (10, 9), (10, 10), (10, 11), (0, 3), (1 << 20, 60_000)] {
            let (ours, theirs) = pipes().unwrap();
            File::from(theirs.stdout).write_all(&vec![b'x'; written]).unwrap();
            drop((theirs.stdin, theirs.stderr));
            let (mut output, over, ended) = (Output::default(), Notify::new(), Over::default());
            ended.set();
            ours.pump(&Stdin::default(), [Keep::all(cap); 2], None, &mut output, &over, &ended).await.unwrap();
            let kept = written.min(usize::try_from(cap).unwrap());
            assert_eq!(output.stdout, Captured { kept: vec![b'x'; kept], bytes: written as u64 });
            let told = tokio::time::timeout(Duration::ZERO, over.notified()).await.is_ok();
            assert_eq!(told, written as u64 > cap);
        }
    }

    #[tokio::test]
    async fn who_still_holds_a_stream_is_waited_for() {
        let (ours, theirs) = pipes().unwrap();
        let mut stdout = File::from(theirs.stdout);
        stdout.write_all(b"first ").unwrap();
        let (mut output, over, ended) = (Output::default(), Notify::new(), Over::default());
        ended.set();
        let nothing = Stdin::default();
        {
            let mut pump = pin!(ours.pump(&nothing, [Keep::all(100); 2], None, &mut output, &over, &ended));
            assert!(tokio::time::timeout(Duration::from_millis(1), &mut pump).await.is_err());
            stdout.write_all(b"last").unwrap();
            drop((stdout, theirs.stdin, theirs.stderr));
            pump.await.unwrap();
        }
        assert_eq!(output.stdout.kept, b"first last");
    }

    #[tokio::test]
    async fn what_is_dropped_is_read_at_a_pace() {
        let much = |_stdin: File, mut stdout: File, _stderr: File| {
            (0..64).for_each(|_| stdout.write_all(&vec![b'x'; 1 << 20]).unwrap());
        };
        let begun = std::time::Instant::now();
        let (output, _) = run(5, b"", much).await;
        assert_eq!(output.stdout.bytes, 64 << 20);
        assert!(begun.elapsed() >= REST * 200, "256 rests");
    }

    #[tokio::test]
    async fn nobody_has_to_read_the_input() {
        let deaf = |stdin: File, mut stdout: File, _stderr: File| {
            drop(stdin);
            stdout.write_all(b"deaf").unwrap();
        };
        let (output, _) = run(100, &vec![0; 4 << 20], deaf).await;
        assert_eq!(output.stdout.kept, b"deaf");
        let picky = |mut stdin: File, mut stdout: File, _stderr: File| {
            let mut all = Vec::new();
            stdin.read_to_end(&mut all).unwrap();
            stdout.write_all(&all).unwrap();
        };
        let (output, _) = run(100, b"no newline", picky).await;
        assert_eq!(output.stdout.kept, b"no newline");
    }
}
