//! Init while a program runs, and at its end.

use super::*;

/// Waits for the program's end, reaping whatever dies meanwhile, answers what the payload's filter asks, and kills when the
/// broker says so or is gone.
///
/// `None` when there is nobody left to report to, or the payload reported for itself that it could not start.
pub(super) fn watch(armed: &mut Armed, control: &OwnedFd, mut asked: Option<Watch>) -> Result<Option<End>, JailError> {
    let mut end = End::default();
    let mut start = Start::Young(now_us() + YOUNG_US);
    loop {
        let (starting, most) = match start {
            Start::Young(until) => (false, until_then(until)),
            Start::Awaited => (true, PollTimeout::NONE),
            Start::Told => (false, PollTimeout::NONE),
        };
        let ready = wait(armed, control, starting, asked.as_ref(), most)?;
        if let Start::Young(until) = start
            && now_us() >= until
        {
            start = Start::Awaited;
        }
        // Closed: the program runs, or died in the attempt, which its status tells.
        if !ready.command.is_empty() {
            if let Some(outcome) = last_words(armed, &mut end)? {
                return failed(control, outcome);
            }
            tell(control, Event::Starting(end.started_us, 0))?;
            start = Start::Told;
            stop_point!("init.started");
        }
        if let Some(asked) = &mut asked {
            if ready.asked.contains(PollFlags::POLLIN) {
                asked.answer(now_us())?;
            } else if !ready.asked.is_empty() {
                asked.close();
            }
        }
        if !ready.control.is_empty() {
            // Whatever comes now, a word or the end of the connection, means: end it.
            kill_everything();
            if Command::recv(control.as_fd())?.is_none() && !peer_is_there(control.as_fd()) {
                sys::exit_now(0);
            }
        }
        if !ready.children.is_empty() {
            while armed.children.read_signal().at(Step::Talk)?.is_some() {}
            if let Some(outcome) = reap(armed.payload)? {
                end.ended_us = now_us();
                if start != Start::Told
                    && let Some(failure) = last_words(armed, &mut end)?
                {
                    return failed(control, failure);
                }
                (end.outcome, end.attempts) = match &asked {
                    Some(asked) => asked.conclude(outcome),
                    None => (outcome, end.attempts),
                };
                if end.started_us == 0 {
                    end.started_us = end.ended_us;
                }
                return Ok(Some(end));
            }
        }
    }
}

/// How far a program is, as the broker knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Until then nobody asks: most programs that end at once have ended by then, and are not worth the wakes that it takes.
    Young(u64),
    /// It may be executed at any moment.
    Awaited,
    /// It was executed.
    Told,
}

/// For so long. With the feature `test-hooks`, whose tests stop a run at each point, every run goes by all of them. What
/// ships, the 3 ms, is under test where `jail/tests` and `engined/tests` run without the feature.
const YOUNG_US: u64 = if cfg!(feature = "test-hooks") { 0 } else { 3_000 };

fn until_then(until_us: u64) -> PollTimeout {
    u16::try_from(until_us.saturating_sub(now_us()).div_ceil(1000)).map_or(PollTimeout::MAX, PollTimeout::from)
}

/// What the payload has said before it became the program or died: when that was, or the step that failed. Its end of the
/// socket is closed.
fn last_words(armed: &Armed, end: &mut End) -> Result<Option<Outcome>, JailError> {
    loop {
        match Event::recv(armed.command.as_fd())? {
            // Until all is reaped: what is not to be counted.
            Some(Event::Starting(at, interrupted)) => (end.started_us, end.involuntary_switches) = (at, interrupted),
            Some(Event::Failed(outcome)) => return Ok(Some(outcome)),
            None => return Ok(None),
            _ => return Err(io::Error::from(io::ErrorKind::InvalidData)).on(Step::Talk, "payload"),
        }
    }
}

/// There was no program, as its payload itself has reported.
fn failed(control: &OwnedFd, outcome: Outcome) -> Result<Option<End>, JailError> {
    alone()?;
    tell(control, Event::Failed(outcome))?;
    Ok(None)
}

/// What has happened to each of the descriptors that [`watch()`] waits for.
pub(super) struct Ready {
    pub(super) children: PollFlags,
    pub(super) control: PollFlags,
    command: PollFlags,
    asked: PollFlags,
}

/// Waits until something has happened, an answer may be given again, or for `most`.
pub(super) fn wait(
    armed: &Armed,
    control: &OwnedFd,
    starting: bool,
    asked: Option<&Watch>,
    most: PollTimeout,
) -> Result<Ready, JailError> {
    let now = asked.map_or(0, |_| now_us());
    let listener = asked.and_then(|asked| asked.wait_for(now));
    let mut waits =
        vec![PollFd::new(armed.children.as_fd(), PollFlags::POLLIN), PollFd::new(control.as_fd(), PollFlags::POLLIN)];
    // That it is closed is told without being asked for, and the words before that can wait.
    waits.extend(starting.then(|| PollFd::new(armed.command.as_fd(), PollFlags::empty())));
    waits.extend(listener.map(|listener| PollFd::new(listener, PollFlags::POLLIN)));
    let patience = asked.map_or(PollTimeout::NONE, |asked| asked.patience(now));
    // NONE is the longest.
    let timeout = [patience, most].into_iter().filter(PollTimeout::is_some).min().unwrap_or(PollTimeout::NONE);
    match poll(&mut waits, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(e) => return Err(e).at(Step::Talk),
    }
    let mut happened = waits.iter().map(|wait| wait.revents().unwrap_or(PollFlags::empty()));
    let mut next = |there: bool| if there { happened.next().unwrap_or(PollFlags::empty()) } else { PollFlags::empty() };
    Ok(Ready { children: next(true), control: next(true), command: next(starting), asked: next(listener.is_some()) })
}

/// Whether the other end of a socket is still open.
fn peer_is_there(socket: BorrowedFd<'_>) -> bool {
    let mut waits = [PollFd::new(socket, PollFlags::empty())];
    poll(&mut waits, PollTimeout::ZERO).is_ok() && !waits[0].revents().is_some_and(|r| r.contains(PollFlags::POLLHUP))
}

/// Reaps all that has ended. The payload's outcome once it is among them.
pub(super) fn reap(payload: Pid) -> Result<Option<Outcome>, JailError> {
    let mut outcome = None;
    loop {
        match sys::reap_any(false) {
            Ok(Some((pid, status))) if pid == payload.as_raw() => outcome = Some(sys::outcome_of(status)),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(outcome),
            Err(e) if e.raw_os_error() == Some(libc::ECHILD) => return Ok(outcome),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).on(Step::Talk, "waitpid"),
        }
    }
}

/// Everything in the pid namespace but init. One call: no fork can slip through, because the kernel holds the list of
/// tasks and a fork of a process with a fatal signal pending fails.
pub(crate) fn kill_everything() {
    // ESRCH: nobody was left.
    let (Ok(()) | Err(_)) = kill(Pid::from_raw(-1), Signal::SIGKILL);
}

/// Ends whoever is left, and waits until init is alone.
///
/// Every process of a pid namespace is a descendant of init, and whose parent ends is init's child from that moment on. So
/// that init has no child is the proof; a kill, which looks at every process of the host, is made only where it has one.
pub(super) fn alone() -> Result<(), JailError> {
    if matches!(sys::reap_any(false), Err(e) if e.raw_os_error() == Some(libc::ECHILD)) {
        return Ok(());
    }
    for _ in 0..2 {
        match kill(Pid::from_raw(-1), Signal::SIGKILL) {
            Err(nix::Error::ESRCH) => return Ok(()),
            Ok(()) => {}
            Err(e) => return Err(e).on(Step::Talk, "alone"),
        }
        loop {
            match sys::reap_any(true) {
                Ok(_) => {}
                Err(e) if e.raw_os_error() == Some(libc::ECHILD) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e).on(Step::Talk, "waitpid"),
            }
        }
    }
    match kill(Pid::from_raw(-1), None) {
        Err(nix::Error::ESRCH) => Ok(()),
        _ => Err(io::Error::other("a process outlived its kill")).on(Step::Talk, "alone"),
    }
}
