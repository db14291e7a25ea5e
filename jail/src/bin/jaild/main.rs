//! `jaild`, the broker: it holds the sandboxes, and believes nothing of what it is told.
//!
//! It starts twice. First as root (or as an ordinary user, *rootless*): [`enter`] makes the control groups and the
//! socket, becomes the root of an outer user namespace that is an ordinary user outside, and executes the program again,
//! because only then does its memory belong to that namespace. The second start, told by `--inner`, has no privilege
//! left on the host; it compiles the [`policy`], proves every layer with a sandbox, and serves one link at a time
//! ([`broker`]). Its slots' spawners are this program too, told by [`SPAWNER`].

mod account;
mod broker;
mod config;
mod ends;
mod enter;
mod pin;
mod policy;
mod prove;
mod slot;
mod stock;
mod tuning;

use std::process::ExitCode;

use config::Options;
use jail::spawn::{self, SPAWNER};

#[global_allocator]
static ALLOCATOR: jail::sys::arena::Allocator = jail::sys::arena::Allocator;

fn main() -> ExitCode {
    #[cfg(feature = "test-hooks")]
    jail::stop::attach();
    if std::env::args_os().nth(1).is_some_and(|word| word == SPAWNER) {
        name();
        return ended(spawn::main());
    }
    #[cfg(feature = "test-hooks")]
    slot::log(jail::TEST_HOOKS_MARKER);
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(mistakes) => {
            for mistake in mistakes {
                slot::log(&mistake);
            }
            return ExitCode::from(2);
        }
    };
    // The modes of the tree are given as they are meant; a service manager's umask must not take them away.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let result = match &options.inner {
        None if options.tune.is_some() => match enter::tune(&options) {
            Ok(false) => return ExitCode::FAILURE,
            tuned => tuned.map(drop),
        },
        None => enter::enter(&options),
        Some(inner) => {
            name();
            broker::run(&options, inner)
        }
    };
    ended(result)
}

/// Executed by /proc/self/exe, it would be "exe" to every tool.
fn name() {
    if let Err(e) = nix::sys::prctl::set_name(c"jaild") {
        slot::log(&format!("it has no name: {e}"));
    }
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            slot::log(&e.to_string());
            ExitCode::FAILURE
        }
    }
}
