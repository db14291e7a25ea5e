//! Signs of abuse: what a program tries, seen by init through the listener of the payload's filter.
//!
//! The filter answers "ask" to the watched calls (`spec/attempts.rs`): the thread then waits in the kernel until init
//! has answered. Init counts the call by its number and
//!
//! - lets a **network socket** be made. Nothing is decided here: the filter has tested family and protocol, `socket` takes
//!   no pointer, and the arguments of a call that waits lie in registers that nobody can reach. So the call that goes on is
//!   the call that was judged, for which `CONTINUE` is safe (see `seccomp_unotify(2)` on calls for which it is not);
//! - ends the **process** of a forbidden call by SIGKILL, and never answers. The thread waits until it dies.
//!
//! Nothing here can let a call through by failing: without an answer a call is not made. An init that is stopped or busy
//! makes it wait. A listener that is closed fails it with ENOSYS; so does an init that dies, in the moment between the
//! end of its descriptors and that of its pid namespace.
//!
//! Each answer costs init some microseconds, which on cgroup v2 no limit of the run counts. So a run has a stock of
//! answers, and when it has used it up it gets no more than one in a millisecond (a forbidden call counts as five): its
//! threads wait meanwhile.
//!
//! What is not seen: calls that the filter refuses by itself (EPERM, ENOSYS, EAFNOSUPPORT), other architectures and x32
//! (killed by the filter), and everything that is allowed, such as which paths are opened.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::PollTimeout;

use crate::error::{At, JailError, Step};
use crate::seccomp;
use crate::spec::{Attempts, Outcome, WatchedCall};
use crate::stage;
use crate::sys::{self, Waiting};

/// Answers that a run may have at once, before it is slowed down.
const STOCK: u64 = 1_000;
/// What one answer costs of it, in microseconds of waiting.
const COST_US: u64 = 1_000;
/// What a forbidden call costs: its process has to be looked up, killed and reaped.
const FORBIDDEN_COST_US: u64 = 5 * COST_US;
/// Once the stock is empty it is filled up to so many before the next answer, so that init wakes up seldom.
const BATCH: u64 = 10;

/// Init's end of the payload's filter.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` once nobody is left under the filter.
    listener: Option<OwnedFd>,
    payload: i32,
    pace: Pace,
    attempts: Attempts,
    /// The call for which the payload's process was killed, if it was.
    killed_for: Option<WatchedCall>,
}

impl Watch {
    /// Over a program whose first process is `payload`.
    pub(crate) fn new(listener: OwnedFd, payload: i32, now_us: u64) -> Self {
        let pace = Pace::full(now_us);
        Watch { listener: Some(listener), payload, pace, attempts: Attempts::default(), killed_for: None }
    }

    /// What to wait for at this time, unless it is too early for the next answer.
    pub(crate) fn wait_for(&self, now_us: u64) -> Option<BorrowedFd<'_>> {
        if self.pace.wait_us(now_us) > 0 { None } else { self.listener.as_ref().map(AsFd::as_fd) }
    }

    /// How long to wait for anything else before asking again.
    pub(crate) fn patience(&self, now_us: u64) -> PollTimeout {
        match (&self.listener, self.pace.wait_us(now_us)) {
            (None, _) | (_, 0) => PollTimeout::NONE,
            (Some(_), wait) => u16::try_from(wait.div_ceil(1000)).map_or(PollTimeout::MAX, PollTimeout::from),
        }
    }

    /// Nobody is left who could ask: no more of it.
    pub(crate) fn close(&mut self) {
        self.listener = None;
    }

    /// Takes one call that waits, and answers it or ends its process.
    pub(crate) fn answer(&mut self, now_us: u64) -> Result<(), JailError> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let waiting = match sys::seccomp_receive(listener.as_fd()) {
            Ok(waiting) => waiting,
            // Whoever asked has died, or we have a signal to look after.
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => return Ok(()),
            Err(e) => return Err(e).on(Step::Seccomp, "listener"),
        };
        let call = seccomp::watched(waiting.number);
        if let Some(call) = call {
            self.attempts.count(call);
        }
        let made = call.is_some_and(|call| !call.is_forbidden());
        self.pace.take(now_us, if made { COST_US } else { FORBIDDEN_COST_US });
        match call {
            Some(call) if made => match sys::seccomp_continue(listener.as_fd(), waiting.id) {
                // It has died meanwhile; or a signal came first, and it asks again.
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                other => other.on(Step::Seccomp, call.name()),
            },
            // A number that no filter of ours asks about is not let through either.
            call => {
                let killed = kill_process(listener.as_fd(), &waiting).unwrap_or_else(|_| {
                    // Whoever can't be singled out takes all others along.
                    stage::kill_everything();
                    Some(self.payload)
                });
                if killed == Some(self.payload) {
                    self.killed_for = self.killed_for.or(call);
                }
                Ok(())
            }
        }
    }

    /// What was tried in all; and how the program's first process ended, where that was our doing: as one that the filter
    /// itself has killed. One that ended in another way meanwhile has ended in that way.
    pub(crate) fn conclude(&self, outcome: Outcome) -> (Outcome, Attempts) {
        let ours = self.killed_for.filter(|_| outcome == Outcome::Signalled(SIGKILL));
        let mut attempts = self.attempts;
        attempts.fatal = ours;
        (if ours.is_some() { Outcome::Signalled(SIGSYS) } else { outcome }, attempts)
    }
}

const SIGKILL: u8 = 9;
const SIGSYS: u8 = 31;

/// Kills the process of a thread that waits, and says which it was. `None` when the thread is gone: then nothing waits that
/// could be let through, and its number may be another's by now.
fn kill_process(listener: BorrowedFd<'_>, waiting: &Waiting) -> io::Result<Option<i32>> {
    let found = process_of(waiting.thread).and_then(|process| Ok((process, sys::pidfd_open(process)?)));
    // After the look-up: a thread that still waits has had its number all the time, so it was its process that we opened,
    // and the descriptor names that process for ever.
    if !sys::seccomp_is_waiting(listener, waiting.id)? {
        return Ok(None);
    }
    let (process, pidfd) = found?;
    match sys::pidfd_kill(pidfd.as_fd(), libc::SIGKILL) {
        Err(e) if e.raw_os_error() != Some(libc::ESRCH) => Err(e),
        _ => Ok(Some(process)),
    }
}

/// The process that a thread belongs to.
fn process_of(thread: i32) -> io::Result<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    line.and_then(|number| number.trim().parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A stock of answers that time fills up.
#[derive(Debug)]
struct Pace {
    stock_us: u64,
    as_of_us: u64,
    /// It was used up, and is filled by a batch before it gives again.
    empty: bool,
}

impl Pace {
    fn full(now_us: u64) -> Self {
        Pace { stock_us: STOCK * COST_US, as_of_us: now_us, empty: false }
    }

    /// How long until the next answer may be given.
    fn wait_us(&self, now_us: u64) -> u64 {
        let wanted = if self.empty { BATCH * COST_US } else { COST_US };
        wanted.saturating_sub(self.stock_at(now_us))
    }

    fn stock_at(&self, now_us: u64) -> u64 {
        self.stock_us.saturating_add(now_us.saturating_sub(self.as_of_us)).min(STOCK * COST_US)
    }

    fn take(&mut self, now_us: u64, cost_us: u64) {
        self.stock_us = self.stock_at(now_us).saturating_sub(cost_us);
        self.as_of_us = now_us;
        self.empty = self.stock_us < COST_US;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_answered_no_faster_than_agreed() {
        // Asks again as soon as it may, each answer taking 10 µs.
        for (cost, factor) in [(COST_US, 1), (FORBIDDEN_COST_US, 5)] {
            let (mut pace, mut answers, mut now) = (Pace::full(0), 0, 0);
            while now < 5_000_000 {
                let wait = pace.wait_us(now);
                now += wait;
                if wait == 0 {
                    pace.take(now, cost);
                    answers += 1;
                    now += 10;
                }
            }
            let most = (STOCK + 5_000 + BATCH) / factor;
            assert!((most * 9 / 10..=most).contains(&answers), "{answers}, at most {most}");
        }
    }

    #[test]
    fn a_few_are_answered_at_once_and_rest_fills_the_stock() {
        let mut pace = Pace::full(0);
        for _ in 0..STOCK {
            assert_eq!(pace.wait_us(0), 0);
            pace.take(0, COST_US);
        }
        assert_eq!(pace.wait_us(0), BATCH * COST_US);
        assert_eq!(pace.wait_us(BATCH * COST_US - 1), 1, "not before the batch is whole");
        assert_eq!(pace.wait_us(BATCH * COST_US), 0);
        assert_eq!(pace.wait_us(u64::MAX), 0);
        assert_eq!(pace.stock_at(u64::MAX), STOCK * COST_US, "never more than it began with");
    }

    #[test]
    fn only_a_program_that_died_of_our_kill_ended_by_the_filter() {
        let (listener, _) = io::pipe().unwrap();
        let mut watch = Watch::new(listener.into(), 2, 0);
        let call = seccomp::watched(libc::SYS_ptrace);
        assert_eq!(watch.conclude(Outcome::Signalled(9)).0, Outcome::Signalled(9));
        watch.killed_for = call;
        for (outcome, told, fatal) in [
            (Outcome::Signalled(9), Outcome::Signalled(31), call),
            (Outcome::Exited(0), Outcome::Exited(0), None),
            (Outcome::Signalled(11), Outcome::Signalled(11), None),
        ] {
            let (found, attempts) = watch.conclude(outcome);
            assert_eq!((found, attempts.fatal), (told, fatal));
        }
    }
}
