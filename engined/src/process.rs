//! Children of the supervisor: a clean environment, their lines on standard output, and one place that waits for
//! signals, lines and ends alike. No thread, no tokio: this is the parent that must not fail.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// What of our environment reaches a child.
const KEPT: &[&str] = &[
    "PATH",
    "LANG",
    "RUST_LOG",
    #[cfg(feature = "test-hooks")]
    jail::stop::ENVIRONMENT,
];
const LINE_BYTES: usize = 64 << 10;

/// A command with nothing of our environment but what is harmless.
#[must_use]
pub fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    // What a large request took goes back to the system when it is done (mallopt(3)); so does systemd/engined.service.
    command
        .env("MALLOC_ARENA_MAX", "2")
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .env("MALLOC_TRIM_THRESHOLD_", "262144");
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// This very program, by the path at which it was when we began. What lies there later is started again: once a build or
/// a package has replaced the file, the kernel calls ours "(deleted)", and that is nothing that could be started.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// To be called early.
    ///
    /// # Errors
    /// That of reading the link in /proc.
    pub fn this() -> io::Result<Self> {
        std::env::current_exe().map(Program)
    }

    /// The command that starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        clean(&self.0)
    }
}

/// Where jaild is: beside this program, or where packages put it.
///
/// # Errors
/// It is in neither place.
pub fn find_jaild() -> io::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("jaild");
    let installed = PathBuf::from("/usr/lib/engined/jaild");
    [beside.clone(), installed].into_iter().find(|path| path.exists()).ok_or_else(|| {
        let why = format!("{} is not there; build it: cargo build --release -p jail", beside.display());
        io::Error::new(io::ErrorKind::NotFound, why)
    })
}

/// A running child.
#[derive(Debug)]
pub struct Kid {
    /// What messages call it.
    pub name: &'static str,
    child: Child,
    stdout: Option<ChildStdout>,
    partial: Vec<u8>,
}

impl Kid {
    /// Starts it in a process group of its own, so that a Ctrl-C at the terminal reaches us alone.
    ///
    /// # Errors
    /// That of `fork` or `exec`.
    pub fn start(name: &'static str, mut command: Command) -> io::Result<Self> {
        command.process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            io::Error::new(error.kind(), format!("{program} did not start: {error}"))
        })?;
        let stdout = child.stdout.take();
        Ok(Kid { name, child, stdout, partial: Vec::new() })
    }

    /// Its end, if it has ended.
    ///
    /// # Errors
    /// That of `waitpid`.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal. One that has ended already needs none.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        if let Ok(pid) = pid
            && let Err(error) = kill(pid, signal)
        {
            complain!("engined: {} got no {signal}: {error}", self.name);
        }
    }

    /// The next whole line that it has printed. What came with it waits: whoever looks for one line must not lose the
    /// next. Reads at most once, and only when there is something to read.
    fn line(&mut self, readable: bool) -> Option<String> {
        if readable
            && !self.has_line()
            && let Some(stdout) = &mut self.stdout
        {
            let mut chunk = [0; 4096];
            match stdout.read(&mut chunk) {
                Ok(0) | Err(_) => self.stdout = None,
                Ok(read) => self.partial.extend_from_slice(&chunk[..read]),
            }
        }
        let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') else {
            if self.partial.len() > LINE_BYTES {
                self.partial.clear();
            }
            return None;
        };
        let line: Vec<u8> = self.partial.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn has_line(&self) -> bool {
        self.partial.contains(&b'\n')
    }

    /// Asks it to end, and makes it end when it has not within `patience`.
    ///
    /// # Errors
    /// That of `waitpid`.
    pub fn stop(&mut self, signals: &Signals, patience: Duration) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                complain!("engined: {} did not end within {patience:?} and is killed", self.name);
                self.signal(Signal::SIGKILL);
                return self.child.wait();
            }
            // A second signal to us means now.
            let events = signals.wait(&mut [self], left.min(Duration::from_millis(200)))?;
            if events.iter().any(|event| matches!(event, Event::End)) {
                self.signal(Signal::SIGKILL);
            }
        }
    }
}

impl Drop for Kid {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            self.child.wait().map_or_else(|error| complain!("engined: {} is lost: {error}", self.name), drop);
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGINT or SIGTERM: we shall end.
    End,
    /// SIGHUP: files shall be read again.
    Reload,
    /// A child of this name printed a line. Its next one comes with the next wait.
    Line(&'static str, String),
}

/// `SI_USER` of sigaction(2).
const SENT_BY_A_PROCESS: i32 = 0;

/// The signals that we wait for instead of being interrupted by them.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD from now on. Children inherit that: engined unblocks what it needs when
    /// it begins, jaild takes them by a descriptor too.
    ///
    /// # Errors
    /// That of `signalfd`.
    pub fn block() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Signals { fd: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)? })
    }

    /// Waits until something happens, at most `patience`. A child's end wakes it without an event: ask the child.
    ///
    /// # Errors
    /// That of `poll`.
    pub fn wait(&self, kids: &mut [&mut Kid], patience: Duration) -> io::Result<Vec<Event>> {
        let ready = {
            let streams = kids.iter().map(|kid| kid.stdout.as_ref().map(AsFd::as_fd));
            let fds: Vec<Option<BorrowedFd<'_>>> = std::iter::once(Some(self.fd.as_fd())).chain(streams).collect();
            let mut polled: Vec<PollFd<'_>> =
                fds.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
            // A line that is here already needs no waiting for.
            let patience = if kids.iter().any(|kid| kid.has_line()) { Duration::ZERO } else { patience };
            let timeout = PollTimeout::try_from(patience.as_millis().min(60_000)).unwrap_or(PollTimeout::MAX);
            match poll(&mut polled, timeout) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut answers = polled.iter().map(|fd| fd.any().unwrap_or(false));
            fds.iter().map(|fd| fd.is_some() && answers.next().unwrap_or(false)).collect::<Vec<bool>>()
        };
        let mut events = Vec::new();
        while let Some(info) = self.fd.read_signal()? {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
            match signal {
                Some(Signal::SIGINT | Signal::SIGTERM) => events.push(Event::End),
                // A person's. The kernel's own says that the terminal is gone, and so shall we.
                Some(Signal::SIGHUP) if info.ssi_code == SENT_BY_A_PROCESS => events.push(Event::Reload),
                Some(Signal::SIGHUP) => events.push(Event::End),
                _ => {}
            }
        }
        for (kid, ready) in kids.iter_mut().zip(&ready[1..]) {
            events.extend(kid.line(*ready).map(|line| Event::Line(kid.name, line)));
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const REPLACED: &str = "ENGINED_TEST_REPLACED";

    /// Whoever looks for the first must find the second later, also when it was held up until both were there.
    #[test]
    fn two_lines_that_are_read_at_once_come_one_by_one() {
        let signals = Signals::block().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "printf 'one\\ntwo\\n'; exec sleep 600"]);
        let mut kid = Kid::start("kid", command).unwrap();
        for line in ["one", "two"] {
            let events = loop {
                let events = signals.wait(&mut [&mut kid], Duration::from_secs(1)).unwrap();
                if !events.is_empty() {
                    break events;
                }
            };
            assert_eq!(events, [Event::Line("kid", line.to_owned())]);
        }
    }

    /// In another process, under another name of this test's file: no file is written that a fork could hold open.
    #[test]
    fn a_program_that_was_replaced_can_be_started_again() {
        let ours = std::env::current_exe().unwrap();
        if std::env::var_os(REPLACED).is_some() {
            let program = Program::this().unwrap();
            fs::remove_file(&ours).unwrap();
            symlink("/bin/true", &ours).unwrap();
            assert!(program.command().status().unwrap().success());
            return;
        }
        let other = ours.with_file_name(format!("replaced-{}", std::process::id()));
        fs::hard_link(&ours, &other).unwrap();
        let name = "process::tests::a_program_that_was_replaced_can_be_started_again";
        let told = Command::new(&other).args(["--exact", name, "--nocapture"]).env(REPLACED, "yes").output().unwrap();
        fs::remove_file(&other).unwrap();
        assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("1 passed"), "{told:?}");
    }
}
