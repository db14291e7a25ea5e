//! Why a `--tune` ends before it is through: a signal, or its supervisor is gone.
//!
//! Neither may just end it. A compiler would go on with nobody to hold its deadline, and its folder would stay. So the
//! signals are blocked, and whatever waits here waits for them too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use jail::error::{At, JailError, Step};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What tells us to end. It is never read, so whoever asks later is told so too.
pub struct Halt(Vec<(Box<dyn AsFd>, PollFlags)>);

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// We shall end.
    Halt,
    /// There is something to read.
    Ready,
    /// It took too long.
    Late,
}

impl Halt {
    /// On SIGTERM, SIGINT and SIGHUP; with `bound` also when nobody reads our standard output any more.
    ///
    /// # Errors
    /// That of `signalfd(2)`.
    pub fn on_signals(bound: bool) -> Result<Self, JailError> {
        let set: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
        set.thread_block().on(Step::Outer, "signals")?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).on(Step::Outer, "signals")?;
        let mut halt = Halt(vec![(Box::new(signals), PollFlags::POLLIN)]);
        if bound {
            // A pipe's writing end has nothing to ask for; that its reader is gone is told all the same.
            halt.0.push((Box::new(io::stdout()), PollFlags::empty()));
        }
        Ok(halt)
    }

    /// When there is something to read, or nobody left who could write it.
    #[cfg(test)]
    pub fn on(fd: impl AsFd + 'static) -> Self {
        Halt(vec![(Box::new(fd), PollFlags::POLLIN)])
    }

    /// Never.
    #[cfg(test)]
    pub fn never() -> Self {
        Halt(Vec::new())
    }

    /// Whether we shall end.
    ///
    /// # Errors
    /// That of `poll(2)`.
    pub fn is_asked(&self) -> io::Result<bool> {
        Ok(self.wait(None, Instant::now())? == Woken::Halt)
    }

    /// Waits until there is something to read, if there is somebody to read from, or we shall end, or it is `until`.
    ///
    /// # Errors
    /// That of `poll(2)`.
    pub fn wait(&self, from: Option<BorrowedFd<'_>>, until: Instant) -> io::Result<Woken> {
        loop {
            let of_halt = self.0.iter().map(|(fd, events)| PollFd::new(fd.as_fd(), *events));
            let of_other = from.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let mut waits: Vec<PollFd<'_>> = of_halt.chain(of_other).collect();
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up: a millisecond begun would be spent in turns of this loop.
            let millis = left.as_micros().div_ceil(1000);
            match poll(&mut waits, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)) {
                Err(nix::Error::EINTR) => continue,
                other => other?,
            };
            let is_told = |wait: &PollFd<'_>| wait.revents().is_some_and(|told| !told.is_empty());
            if waits.iter().take(self.0.len()).any(is_told) {
                return Ok(Woken::Halt);
            }
            if waits.iter().skip(self.0.len()).any(is_told) {
                return Ok(Woken::Ready);
            }
            if left.is_zero() {
                return Ok(Woken::Late);
            }
        }
    }
}
