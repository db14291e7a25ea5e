//! What happens inside a sandbox: init (pid 1) makes it, the payload (pid 2) confines itself and becomes the program.
//!
//! [`ORDER`] tells every step once; a test compares it with the README. Each process works its part of the list from
//! the top, and the first step that fails ends the sandbox: it is reported as `{step, errno, index}` and nothing runs.
//!
//! Who talks to whom: the broker holds one end of init's *control* socket, init one end of the payload's *command*
//! socket. The payload says `Armed` and hands over its filter's listener, waits for the command, says `Starting` with the
//! time, and executes; the socket closes itself then, which is how init learns that the program runs. The broker is told so
//! of programs alone that do not end at once. Both are in the same pid namespace and different user namespaces; init's
//! descriptors are close-on-exec and in the payload's table only until it executes.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caps::Capability;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::error::{At, JailError, Step};
use crate::landlock;
use crate::mounts::{self, Quota};
use crate::notify::Watch;
use crate::privileges::{self, PAYLOAD_ID};
use crate::seccomp::Filter;
use crate::spec::{Attempts, Collected, Layer, Layers, Outcome};
use crate::stop_point;
use crate::sys;
use crate::talk::{Command, End, Event, now_us};

use crate::{collect, payload};
pub(crate) use watch::kill_everything;
use watch::{alone, reap, wait, watch};

/// The way of a sandbox, step by step: who does it and what. The README shows this table.
pub const ORDER: [(&str, &str); 16] = [
    ("spawner", "once, before its first sandbox: no_new_privs, install the filter that all in it share"),
    ("spawner", "clone init with user, pid, mount, net, ipc, uts and time namespaces, on cgroup v2 into init's leaf"),
    ("spawner", "write init's id maps: two ids of the range"),
    ("init", "become root of the run's user namespace, die with the spawner"),
    ("init", "name the host, mount /proc and the scratch, bring lo up without IPv6"),
    ("init", "make the landlock ruleset"),
    ("init", "clone the payload with a user namespace, on cgroup v2 into the run's leaf; write its id map"),
    (
        "init",
        "leave the spawner's cgroup namespace, give up capabilities but three, become undumpable, install a filter of its own",
    ),
    ("payload", "mark itself first to be killed for memory, take its uid, forbid user namespaces below"),
    ("payload", "leave the cgroup namespace, a session of its own, no_new_privs, landlock, no capability at all"),
    ("payload", "install its filter, hand its listener to init; wait for the command"),
    ("broker", "set the cgroup's limits and read them back"),
    ("init", "size the scratch, give up mounting, pass the command on"),
    ("payload", "unpack the files, set resource limits, put the streams in place, execute"),
    (
        "init",
        "answer what the filter asks; reap; when the program is over, kill(-1) and reap if a child is left; prove to be alone",
    ),
    ("init", "collect what was asked for, report, end"),
];

/// What init keeps while it waits: to end the payload's processes, to read files whose modes forbid it when it
/// collects, and to size the scratch; the last goes before anything foreign runs.
const INIT_CAPABILITIES: [Capability; 3] =
    [Capability::CAP_KILL, Capability::CAP_DAC_READ_SEARCH, Capability::CAP_SYS_ADMIN];

/// What a spawner gives an init.
#[derive(Debug)]
pub struct InitGear<'a> {
    /// To the broker.
    pub control: OwnedFd,
    /// Says one byte once the id maps are written.
    pub mapped: OwnedFd,
    /// The run's leaf, on cgroup v2.
    pub leaf: Option<OwnedFd>,
    /// Init's own.
    pub init_filter: &'a Filter,
    /// The payload's.
    pub filter: &'a Filter,
    /// Layers that this host lacks and the operator waived, or that a test has switched off.
    pub off: Layers,
}

/// Pid 1 of a sandbox, from the moment after its clone.
pub fn init(gear: InitGear<'_>) -> Infallible {
    let mut keep = vec![gear.control.as_fd(), gear.mapped.as_fd()];
    keep.extend(gear.leaf.as_ref().map(AsFd::as_fd));
    if sys::close_all_but(&keep).is_err() {
        sys::exit_now(71);
    }
    stop_point!("init.born");
    let filters = Filters { init: gear.init_filter, payload: gear.filter };
    let end = match arm(gear.mapped, gear.leaf, filters, gear.off) {
        Ok(armed) => serve(armed, &gear.control, gear.off),
        Err(e) => Err(e),
    };
    if let Err(e) = end {
        // When the broker is gone too there is nobody left to tell; the sandbox ends all the same.
        drop(Event::Failed(e.outcome()).send(gear.control.as_fd()));
    }
    sys::exit_now(0)
}

/// A payload that waits for its command.
struct Armed {
    payload: Pid,
    command: OwnedFd,
    children: SignalFd,
}

/// See [`InitGear`].
#[derive(Clone, Copy)]
struct Filters<'a> {
    init: &'a Filter,
    payload: &'a Filter,
}

fn arm(mapped: OwnedFd, leaf: Option<OwnedFd>, filters: Filters<'_>, off: Layers) -> Result<Armed, JailError> {
    die_with_parent()?;
    // Every other signal has its default action, and none is blocked: the spawner has seen to that.
    sys::heed_children();
    let mut byte = [0];
    File::from(mapped).read_exact(&mut byte).at(Step::IdMap)?;
    privileges::take_ids(0)?;
    // The change of ids has cleared it. A spawner that died in between left the pipe's end closed, which the read saw,
    // or dies with its pid namespace, which takes this one along.
    die_with_parent()?;
    // It has also made this process undumpable, and its child would be born so: then its id map would be root's.
    nix::sys::prctl::set_dumpable(true).at(Step::Ids)?;
    stop_point!("init.ids");
    if !off.has(Layer::UtsNs) {
        nix::unistd::sethostname("sandbox").at(Step::HostName)?;
    }
    stop_point!("init.named");
    mounts::mount_run(Quota { bytes: 64 << 20 })?;
    stop_point!("init.mounted");
    if !off.has(Layer::NetNs) {
        // In this order, so that the kernel never makes the address and the routes of IPv6.
        one_loopback()?;
        sys::loopback_up().at(Step::Loopback)?;
    }
    let rules = if off.has(Layer::Landlock) { None } else { Some(landlock::ruleset()?) };
    stop_point!("init.ruled");

    let (ours, theirs) = crate::talk::pair()?;
    let (mapped_read, mapped_write) = io::pipe().at(Step::Talk)?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block().at(Step::Talk)?;
    let children = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).at(Step::Talk)?;

    stop_point!("init.confined");

    let namespace = CloneFlags::CLONE_NEWUSER.bits().cast_unsigned().into();
    let child = sys::clone_child(namespace, leaf.as_ref().map(AsFd::as_fd), || {
        payload::run(theirs, mapped_read.into(), rules, filters.payload, off)
    })
    .on(Step::Clone, "payload")?;
    drop(leaf);
    stop_point!("init.cloned");
    // That setgroups is denied it has from init.
    privileges::write_maps(child.pid, &privileges::payload_map())?;
    if !off.has(Layer::CgroupNs) {
        unshare(CloneFlags::CLONE_NEWCGROUP).on(Step::Clone, "init's cgroup namespace")?;
    }
    privileges::keep_only(&INIT_CAPABILITIES, false)?;
    nix::sys::prctl::set_dumpable(false).at(Step::Capabilities)?;
    if !off.has(Layer::Seccomp) {
        filters.init.install().on(Step::Seccomp, "init alone")?;
    }
    stop_point!("init.hidden");
    io::Write::write_all(&mut File::from(OwnedFd::from(mapped_write)), b"m").at(Step::Talk)?;
    Ok(Armed { payload: Pid::from_raw(child.pid), command: ours, children })
}

/// IPv6 has but one address for the loopback, so it goes: see [`sys::loopback_up`] for what two are good for.
fn one_loopback() -> Result<(), JailError> {
    match std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") {
        // A kernel without IPv6.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.on(Step::Loopback, "no IPv6"),
    }
}

/// When the spawner dies, so does init, and with it the whole pid namespace.
fn die_with_parent() -> Result<(), JailError> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).at(Step::Ids)
}

/// From armed to the end.
fn serve(mut armed: Armed, control: &OwnedFd, off: Layers) -> Result<(), JailError> {
    let (event, descriptors) = Event::recv_with(armed.command.as_fd(), 1)?.unzip();
    let asked = match (event, descriptors.and_then(|mut passed| passed.pop())) {
        (Some(Event::Armed), Some(listener)) => Some(Watch::new(listener, armed.payload.as_raw(), now_us())),
        (Some(Event::Armed), None) if off.has(Layer::Seccomp) => None,
        (Some(Event::Failed(outcome)), None) => return tell(control, Event::Failed(outcome)),
        _ => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).on(Step::Talk, "payload"),
    };
    tell(control, Event::Armed)?;
    stop_point!("init.armed");
    if !wait_for_command(&armed, control)? {
        return tell(control, Event::Unused);
    }
    let Some((command, descriptors)) = Command::recv(control.as_fd())? else { return Ok(()) };
    Quota { bytes: command.disk.0 }.apply()?;
    privileges::keep_only(&[Capability::CAP_KILL, Capability::CAP_DAC_READ_SEARCH], false)?;
    stop_point!("init.commanded");
    let (collection, for_payload) = command.split(descriptors)?;
    match command.send(armed.command.as_fd(), &for_payload.iter().map(AsFd::as_fd).collect::<Vec<_>>()) {
        // The payload has just died, and never saw it.
        Err(e) if e.source.kind() == io::ErrorKind::BrokenPipe => return tell(control, Event::Unused),
        other => other?,
    }
    stop_point!("init.passed");
    // The program's streams must end with the program: no copy may stay here.
    let bundle = for_payload.into_iter().next();
    let collection = collection.zip(bundle);

    let Some(mut end) = watch(&mut armed, control, asked)? else { return Ok(()) };
    stop_point!("init.reaped");
    alone()?;
    stop_point!("init.alone");
    end.disk_hit = mounts::scratch_is_full();
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).at(Step::Talk)?;
    let in_all = u64::try_from(usage.involuntary_context_switches()).unwrap_or(0);
    end.involuntary_switches = in_all.saturating_sub(end.involuntary_switches);
    if let Some((stream, bundle)) = collection {
        tell(control, Event::Over(end))?;
        stop_point!("init.over");
        if !may_collect(control)? {
            return Ok(());
        }
        end.collected = collect::collect(stream, bundle, command.collect_bytes.0);
        stop_point!("init.collected");
    }
    tell(control, Event::Ended(end))?;
    stop_point!("init.ended");
    Ok(())
}

/// Waits, for a day if need be. `false`: the payload died meanwhile, which takes the sandbox along: nobody shall be given
/// it.
fn wait_for_command(armed: &Armed, control: &OwnedFd) -> Result<bool, JailError> {
    loop {
        let ready = wait(armed, control, false, None, PollTimeout::NONE)?;
        if !ready.control.is_empty() {
            return Ok(true);
        }
        while armed.children.read_signal().at(Step::Talk)?.is_some() {}
        if reap(armed.payload)?.is_some() {
            return Ok(false);
        }
    }
}

fn tell(control: &OwnedFd, event: Event) -> Result<(), JailError> {
    event.send(control.as_fd()).on(Step::Talk, "broker")
}

/// Waits for the broker's word. `false` when it is gone. A word to end the program may have come too late and be there
/// still; it has been overtaken.
fn may_collect(control: &OwnedFd) -> Result<bool, JailError> {
    loop {
        match Event::recv(control.as_fd())? {
            Some(Event::Collect) => return Ok(true),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}

/// What the kernel counts per user and namespace, all the way up to the host's root, who owns the outer namespace: without
/// a cap of its own one run could use up everybody's. See namespaces(7), `/proc/sys/user`.
const OF_ONE_NAMESPACE: [(&str, &str); 4] = [
    ("max_inotify_instances", "16"),
    ("max_inotify_watches", "1024"),
    ("max_fanotify_groups", "0"),
    ("max_fanotify_marks", "0"),
];

/// The payload's part before it waits: see [`ORDER`].
pub(crate) fn confine(
    mapped: OwnedFd,
    rules: Option<::landlock::RulesetCreated>,
    off: Layers,
) -> Result<(), JailError> {
    // Before the ids change: after it the kernel calls the process undumpable and /proc/self root's.
    std::fs::write("/proc/self/oom_score_adj", "1000").at(Step::OomScore)?;
    let mut byte = [0];
    File::from(mapped).read_exact(&mut byte).at(Step::IdMap)?;
    privileges::take_ids(PAYLOAD_ID)?;
    stop_point!("payload.ids");
    if !off.has(Layer::UserNs) {
        std::fs::write("/proc/sys/user/max_user_namespaces", "0").at(Step::NestedNamespaces)?;
        for (file, most) in OF_ONE_NAMESPACE {
            // Kernels before 5.13 have no counts for fanotify by namespace.
            match std::fs::write(format!("/proc/sys/user/{file}"), most) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other.on(Step::NestedNamespaces, file)?,
            }
        }
    }
    if !off.has(Layer::CgroupNs) {
        unshare(CloneFlags::CLONE_NEWCGROUP).on(Step::Clone, "cgroup namespace")?;
    }
    nix::unistd::setsid().at(Step::Ids)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    nix::unistd::chdir("/box").on(Step::RunMounts, "/box")?;
    // What init has blocked. The actions are the default ones, as they are in init.
    SigSet::all().thread_unblock().at(Step::Ids)?;
    privileges::no_new_privs()?;
    if let Some(rules) = rules {
        landlock::enforce(rules)?;
    }
    #[cfg(feature = "test-hooks")]
    if off.has(Layer::Capabilities) {
        return privileges::keep_across_exec();
    }
    privileges::keep_only(&[], true)
}

/// What a collector that never ran reports.
impl Default for End {
    fn default() -> Self {
        End {
            outcome: Outcome::Exited(0),
            started_us: 0,
            ended_us: 0,
            involuntary_switches: 0,
            disk_hit: false,
            collected: Collected::None,
            attempts: Attempts::default(),
        }
    }
}

mod watch;
