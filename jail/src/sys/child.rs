//! What must hold of a program that is executed by std's `Command`, and that only its own process can see to.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

use super::default_signals;

/// The program begins with no signal blocked or ignored (std leaves it what this process has blocked), and the kernel
/// kills it when the calling thread ends, of whatever.
pub fn begin_anew_and_end_with_us(command: &mut Command) {
    let us = Pid::this();
    let ready = move || -> io::Result<()> {
        default_signals()?;
        // std has changed the uid by now, which would undo this.
        set_pdeathsig(Signal::SIGKILL)?;
        // We may be gone already: then nobody would be told.
        if getppid() == us { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called, and no memory allocated. These are
    // signal(2), sigprocmask(2), prctl(2) and getppid(2); an errno becomes an `io::Error` without an allocation.
    unsafe { command.pre_exec(ready) };
}
