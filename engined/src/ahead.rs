//! What every run needs and none has for itself from the start: three pipes and empty memory files. They are made while the
//! run before them is under way, when nobody waits for us, and each is used once. Who finds none makes its own.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jail::records;

use crate::capture::{self, Ours, Theirs};

/// Memory files that one run takes: its command, and its program.
const MEMFDS: usize = 2;

/// What is there for the next.
#[derive(Debug)]
struct Ready {
    pipes: Option<(Ours, Theirs)>,
    memfds: Vec<OwnedFd>,
}

static READY: Mutex<Ready> = Mutex::new(Ready { pipes: None, memfds: Vec::new() });

fn ready() -> MutexGuard<'static, Ready> {
    READY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The three pipes of a run.
///
/// # Errors
/// That of making them.
pub fn pipes() -> io::Result<(Ours, Theirs)> {
    let pipes = ready().pipes.take();
    pipes.map_or_else(capture::pipes, Ok)
}

/// An empty memory file that can be sealed.
///
/// # Errors
/// That of making it.
pub fn memfd() -> io::Result<OwnedFd> {
    let memfd = ready().memfds.pop();
    memfd.map_or_else(records::empty_memfd, Ok)
}

/// Makes what the next run takes. Where that fails, the next run is told.
pub fn prepare() {
    if let Err(error) = try_prepare() {
        tracing::debug!(%error, "nothing is made ahead");
    }
}

fn try_prepare() -> io::Result<()> {
    // The lock is not held meanwhile: what is one too many is closed.
    if ready().pipes.is_none() {
        let pipes = capture::pipes()?;
        ready().pipes.get_or_insert(pipes);
    }
    while ready().memfds.len() < MEMFDS {
        let memfd = records::empty_memfd()?;
        ready().memfds.push(memfd);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;

    use nix::sys::stat::fstat;

    use super::*;

    #[test]
    fn nothing_is_given_twice() {
        let (mut held, mut seen) = (Vec::new(), HashSet::new());
        for round in 0..10 {
            if round % 2 == 0 {
                prepare();
            }
            for _ in 0..3 {
                let mut file = File::from(memfd().unwrap());
                assert_eq!(file.metadata().unwrap().len(), 0);
                file.write_all(b"x").unwrap();
                held.push(OwnedFd::from(file));
            }
            let (ours, Theirs { stdin, stdout, stderr }) = pipes().unwrap();
            held.extend([stdin, stdout, stderr]);
            drop(ours);
        }
        for fd in &held {
            let file = fstat(fd.as_fd()).unwrap();
            assert!(seen.insert((file.st_dev, file.st_ino)));
        }
    }
}
