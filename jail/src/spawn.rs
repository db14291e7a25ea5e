//! The spawner of a slot: a small process that sits where sandboxes are born and clones their inits.
//!
//! It is a child of jaild, pid 1 of a pid namespace of its own, so that nothing of the slot outlives it, and it dies with
//! jaild. On cgroup v1 it sits in the slot's groups. It builds the tree, keeps two capabilities of the outer
//! namespace (to write id maps) and then only waits: it never sees a bundle, a pipe of a run, or a byte of a caller.
//!
//! It executes jaild anew ([`main`]): so it has nothing of the broker's memory, and is small. That pays, because its
//! memory is copied twice for every run; `build.rs` and [`sys::arena`] are about the same. It is told its tables by a memfd,
//! see [`Blueprint`].
//!
//! An init is forked, not vforked: it has a copy of the spawner's small memory and shares nothing that it could spoil.

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caps::Capability;
use nix::sys::signal::Signal;

use crate::cgroup::SlotGroup;
use crate::error::{At, JailError, Step};
use crate::mounts;
use crate::privileges;
use crate::records;
use crate::spec::{Layer, Layers};
use crate::stage::{self, InitGear};
use crate::stop_point;
use crate::sys::{self, Child};
use crate::talk::{Make, Spawned, pair};

mod blueprint;

pub use blueprint::Blueprint;

/// The word on the command line that makes a jaild a spawner. Its standard input is the broker's socket, its standard output
/// the [`Blueprint`].
pub const SPAWNER: &str = "--spawner";

/// glibc shares a page with the kernel for restartable sequences, see rseq(2). Nobody here uses them, and after each fork
/// the kernel would write there, once for each process: a page to copy.
const NO_RSEQ: &CStr = c"GLIBC_TUNABLES=glibc.pthread.rseq=0";

/// The broker's hold of a spawner. Dropping it ends the spawner and all that it made.
#[derive(Debug)]
pub struct Spawner {
    child: Child,
    socket: OwnedFd,
}

// See clone(2). CLONE_NEWTIME is for clone3 alone.
const NEW_TIME: u64 = 0x80;
const NEW_NS: u64 = 0x0002_0000;
const NEW_UTS: u64 = 0x0400_0000;
const NEW_IPC: u64 = 0x0800_0000;
const NEW_USER: u64 = 0x1000_0000;
const NEW_PID: u64 = 0x2000_0000;
const NEW_NET: u64 = 0x4000_0000;

/// The namespaces of a sandbox. The cgroup namespace comes later, by `unshare`: it must be rooted in the leaf, and with
/// `nsdelegate` nobody inside one may clone into a leaf beside its root.
fn sandbox_flags(off: Layers) -> u64 {
    [(Layer::NetNs, NEW_NET), (Layer::IpcNs, NEW_IPC), (Layer::UtsNs, NEW_UTS), (Layer::TimeNs, NEW_TIME)]
        .into_iter()
        .filter(|(layer, _)| !off.has(*layer))
        .fold(NEW_USER | NEW_PID | NEW_NS, |flags, (_, flag)| flags | flag)
}

impl Spawner {
    /// Clones the spawner of a slot. It says [`Spawned::Ready`] once its tree stands.
    ///
    /// # Errors
    /// When it can't be cloned.
    pub fn start(group: &SlotGroup, blueprint: &Blueprint) -> Result<Self, JailError> {
        let (socket, theirs) = pair()?;
        // The broker waits for nobody.
        sys::never_block(socket.as_fd()).on(Step::Talk, "spawner")?;
        let told = blueprint.seal().on(Step::Clone, "blueprint")?;
        // As the sandboxes, so that a layer that a test switches off is off for good.
        let flags = sandbox_flags(blueprint.off) & !(NEW_USER | NEW_TIME);
        let child = sys::clone_child(flags, None, || {
            let Err(e) = become_spawner(&theirs, &told, group);
            report(&theirs, &e);
            sys::exit_now(0)
        })
        .on(Step::Clone, "spawner")?;
        Ok(Spawner { child, socket })
    }

    /// Where [`Spawned`] comes from.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Its pid, for looking at it alone: signals go by the descriptor.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Readable once it has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// Asks for a sandbox.
    ///
    /// # Errors
    /// When the spawner is gone.
    pub fn make(&self, make: Make, descriptors: &[BorrowedFd<'_>]) -> Result<(), JailError> {
        make.send(self.socket.as_fd(), descriptors)
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        // ESRCH: it has ended already. Its pid namespace, and so every sandbox of the slot, ends with it.
        drop(sys::pidfd_kill(self.child.pidfd.as_fd(), libc::SIGKILL));
    }
}

/// From the clone, which is a copy of the broker, to the program.
fn become_spawner(socket: &OwnedFd, told: &OwnedFd, group: &SlotGroup) -> Result<Infallible, JailError> {
    die_with_broker()?;
    group.enter()?;
    sys::default_signals().at(Step::Clone)?;
    nix::unistd::dup2_stdin(socket).on(Step::Streams, "socket")?;
    nix::unistd::dup2_stdout(told).on(Step::Streams, "blueprint")?;
    // Whatever else the broker had open, other runs' pipes and the link, is closed by the execution. What remains for it are
    // descriptors 0 to 2.
    let environment = [NO_RSEQ.to_owned()];
    #[cfg(feature = "test-hooks")]
    let environment = [&environment[..], &crate::stop::environment()].concat();
    nix::unistd::execve(c"/proc/self/exe", &[c"jaild", c"--spawner"], &environment).on(Step::Exec, "spawner")
}

fn die_with_broker() -> Result<(), JailError> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).at(Step::Clone)
}

/// Without a broker there is nobody to tell.
fn report(socket: &OwnedFd, error: &JailError) {
    drop(Spawned::Failed(error.outcome()).send(socket.as_fd()));
}

/// All that a spawner does, from its execution to the end of its broker.
///
/// # Errors
/// When it was not started by a broker: it has nobody to tell it then.
pub fn main() -> Result<(), JailError> {
    let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
    let socket = own(io::stdin().as_fd()).on(Step::Streams, "socket")?;
    let told = own(io::stdout().as_fd()).on(Step::Streams, "blueprint")?;
    if !records::is_sealed(told.as_fd()) {
        return Err(io::Error::other("only jaild starts a spawner")).on(Step::Settings, SPAWNER);
    }
    if let Err(e) = serve(&socket, told) {
        report(&socket, &e);
    }
    Ok(())
}

fn serve(socket: &OwnedFd, told: OwnedFd) -> Result<(), JailError> {
    // Again: an execution may take it away. A broker that has gone meanwhile is missed by the first word.
    die_with_broker()?;
    sys::default_signals().at(Step::Clone)?;
    sys::ignore_children();
    quiet_streams()?;
    sys::close_all_but(&[socket.as_fd(), told.as_fd()]).at(Step::Clone)?;
    let blueprint = Blueprint::unseal(told).on(Step::Clone, "blueprint")?;
    stop_point!("spawner.entered");
    mounts::build_and_enter(&blueprint.tree)?;
    stop_point!("spawner.built");
    privileges::keep_only(&[Capability::CAP_SETUID, Capability::CAP_SETGID], false)?;
    // Everything that is born here has them from its first instruction, and none needs to pay for them.
    privileges::no_new_privs()?;
    if !blueprint.off.has(Layer::Seccomp) {
        blueprint.shared_filter.install().at(Step::Seccomp)?;
    }
    Spawned::Ready.send(socket.as_fd())?;
    sys::arena::begin();
    while let Some((make, descriptors)) = Make::recv(socket.as_fd())? {
        let said = match spawn(make, descriptors, &blueprint) {
            Ok(child) => Spawned::Init(child.pidfd),
            Err(e) => Spawned::Failed(e.outcome()),
        };
        said.send(socket.as_fd())?;
    }
    Ok(())
}

/// Descriptors 0 to 2 stay taken, by nothing: else a run's pipe could get such a number and be overwritten.
fn quiet_streams() -> Result<(), JailError> {
    let null = File::options().read(true).write(true).open("/dev/null").on(Step::Streams, "/dev/null")?;
    nix::unistd::dup2_stdin(&null).on(Step::Streams, "stdin")?;
    nix::unistd::dup2_stdout(&null).on(Step::Streams, "stdout")?;
    nix::unistd::dup2_stderr(&null).on(Step::Streams, "stderr")
}

fn spawn(make: Make, descriptors: Vec<OwnedFd>, blueprint: &Blueprint) -> Result<Child, JailError> {
    stop_point!("spawner.asked");
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let mut descriptors = descriptors.into_iter();
    let control = descriptors.next().ok_or_else(missing).on(Step::Talk, "control socket")?;
    let (init_leaf, leaf) = (descriptors.next(), descriptors.next());
    let filter = usize::try_from(make.filter).ok().and_then(|index| blueprint.filters.get(index));
    let filter = filter.ok_or_else(missing).on(Step::Seccomp, "profile")?;
    let (mapped, tell_mapped) = io::pipe().at(Step::Talk)?;
    let child =
        sys::clone_child(sandbox_flags(blueprint.off), init_leaf.as_ref().map(AsFd::as_fd), || -> Infallible {
            stage::init(InitGear {
                control,
                mapped: mapped.into(),
                leaf,
                init_filter: &blueprint.init_filter,
                filter,
                off: blueprint.off,
            })
        })
        .on(Step::Clone, "init")?;
    stop_point!("spawner.cloned");
    privileges::deny_groups(child.pid)?;
    privileges::write_maps(child.pid, &make.ids.run_map())?;
    File::from(OwnedFd::from(tell_mapped)).write_all(b"m").at(Step::IdMap)?;
    stop_point!("spawner.mapped");
    Ok(child)
}
