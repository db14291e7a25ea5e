//! The second start: slots, one link at a time, and the loop that waits for all of them.
//!
//! Single-threaded: one `poll` over signals, the socket, the link and whatever each [`Slot`] waits for. No wait anywhere
//! else but in the kernel calls themselves.
//!
//! There are more slots than runs at once: while one is emptied behind an answer, the next order takes another, and the
//! [`Stock`] has those of which the sandbox waits, armed.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use jail::cgroup::{Base, SlotGroup};
use jail::cores::Cores;
use jail::error::{At, JailError, Step};
use jail::inventory::Inventory;
use jail::landlock;
use jail::link::{MESSAGE_BYTES, Order, Refusal, Report, Request, SPARE_SLOTS, VERSION, Welcome};
use jail::mounts::SetuidSearch;
use jail::privileges::SandboxIds;
use jail::records;
use jail::sandbox::Spec;
use jail::spec::{Ended, Layer, Layers, RunId, StopReason};
use jail::stop_point;
use jail::sys;
use jail::talk::now_us;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{SockFlag, accept4, getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;

use crate::config::{Inherited, Options};
use crate::ends::{GONE, KILLED, never_ran};
use crate::policy::Policy;
use crate::prove;
use crate::slot::{Job, News, Readiness, Slot, Wake, log};
use crate::stock::Stock;

/// Everything that jaild knows.
struct Broker<'a> {
    options: &'a Options,
    policy: Policy,
    base: Base,
    slots: Vec<Slot>,
    waiting: VecDeque<Job>,
    stock: Stock,
    /// Counted: a turn of the loop waits for it while it may be given up. A copy of the descriptor would take one more,
    /// and there may be none.
    link: Option<Rc<OwnedFd>>,
    obtained: Layers,
    runs: u64,
    generation: u64,
    /// What comes first of a reload: it takes a while, and there are limits to keep.
    search: Option<SetuidSearch>,
    /// The last count, and from when on another is taken.
    inventory: (Inventory, u64),
    /// The CPUs that runs are pinned to, if they are.
    cores: Option<Cores>,
}

/// A count takes a millisecond or two: no engine shall keep the broker at it.
const COUNT_EVERY_US: u64 = 200_000;

/// So many files are looked at in one turn of the loop: some milliseconds.
const SEARCH_ENTRIES: usize = 500;

/// Network namespaces that the kernel may have yet to take down. Each is some 70 kB of memory that counts for nobody.
const NAMESPACES_BEHIND: u32 = 256;

/// Serves until SIGTERM.
///
/// # Errors
/// When a layer can't be proved, or a mechanism of jaild's own fails for good.
pub fn run(options: &Options, inherited: &Inherited) -> Result<(), JailError> {
    let groups: io::Result<Vec<OwnedFd>> = inherited.groups.iter().map(OwnedFd::try_clone).collect();
    let base = Base::adopt(groups.on(Step::Outer, "inherited groups")?)?;
    base.sweep()?;
    let signals = signals()?;
    let policy = Policy::compile(options, Policy::search().finish()?)?;
    let mut broker = Broker {
        options,
        slots: Vec::new(),
        waiting: VecDeque::new(),
        stock: Stock::new(policy.config.stock, policy.config.slots),
        link: None,
        obtained: Layers::default(),
        runs: 0,
        generation: 0,
        search: None,
        inventory: (Inventory::default(), 0),
        cores: policy.config.cores.as_ref().map(Cores::new),
        policy,
        base,
    };
    let pinning = broker.pin()?;
    broker.make_slots()?;
    broker.obtained = broker.prove()?;
    let lacking = broker.policy.layers.without(broker.obtained);
    if let Some(layer) = lacking.iter().next() {
        let why = format!("these layers did not hold: {lacking:?}; for {layer}: {}", layer.remedy());
        return Err(io::Error::other(why)).on(Step::Probe, "start");
    }
    let (slots, profiles) = (broker.policy.config.slots, broker.policy.profiles());
    // Nobody need be there to read it.
    let (Ok(()) | Err(_)) = writeln!(io::stdout(), "jaild ready: {slots} slots, {profiles} profiles{pinning}");
    while !broker.turn(&signals, &inherited.listener)? {}
    broker.end()
}

fn signals() -> Result<SignalFd, JailError> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
        set.add(signal);
    }
    set.thread_block().on(Step::Outer, "signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).on(Step::Outer, "signals")
}

/// What woke the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signal,
    Supervisor,
    Listener,
    Link,
    Slot(usize, Wake),
}

impl Broker<'_> {
    /// Leaves the CPUs of pinned runs to them: jaild, and whatever it starts, keeps to the others. What to say of it.
    fn pin(&self) -> Result<String, JailError> {
        let Some(plan) = &self.policy.config.cores else { return Ok(String::new()) };
        plan.rest.keep(Pid::from_raw(0))?;
        let sets: Vec<String> = plan.sets.iter().map(ToString::to_string).collect();
        let how = if self.base.has_cpuset() { "cpuset" } else { "affinity" };
        Ok(format!(", runs pinned to CPU {} ({how}), the engine's own on {}", sets.join(" | "), plan.rest))
    }

    fn make_slots(&mut self) -> Result<(), JailError> {
        let slots = self.policy.config.slots + SPARE_SLOTS + self.policy.config.stock;
        cap_namespaces(2 * slots + NAMESPACES_BEHIND)?;
        for number in 0..slots {
            let mut slot = Slot::new(number);
            slot.renew(&self.base, &self.policy.blueprint, self.generation)?;
            self.slots.push(slot);
        }
        Ok(())
    }

    /// Whether something stands before a run that asks for more CPUs: only tests can have neither.
    fn widening_is_refused(&self) -> bool {
        self.base.has_cpuset() || !self.policy.blueprint.off.has(Layer::Seccomp)
    }

    /// Runs the probe in the first slot that is ready; the layers that held.
    fn prove(&mut self) -> Result<Layers, JailError> {
        let (spec, descriptors, mut answer) = prove::order(&self.policy)?;
        let id = spec.id;
        self.waiting.push_back(Job { spec, profile: None, descriptors, aside: false });
        let deadline = now_us() + 20_000_000;
        loop {
            let mut ended = self.hand_out();
            ended.extend(self.wait_once(&[], Some(deadline))?.0);
            if let Some(ended) = ended.into_iter().find(|ended| ended.id == id) {
                let pinned = self.policy.config.cores.as_ref().filter(|_| self.widening_is_refused());
                let first = pinned.and_then(|plan| plan.sets.first());
                return prove::judge(&ended, &mut answer, first);
            }
            if now_us() > deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut)).on(Step::Probe, "no slot became ready");
            }
        }
    }

    /// One turn of the loop. `true` when it is time to end.
    fn turn(&mut self, signals: &SignalFd, listener: &OwnedFd) -> Result<bool, JailError> {
        let mut outside = vec![(Source::Signal, signals.as_fd()), (Source::Listener, listener.as_fd())];
        let link = self.link.clone();
        outside.extend(link.as_ref().map(|fd| (Source::Link, fd.as_fd())));
        // A pipe's writing end is never readable; that its reader is gone is told all the same.
        let stdout = io::stdout();
        outside.extend(self.options.bound.then(|| (Source::Supervisor, stdout.as_fd())));
        let at_once = self.search.as_ref().map(|_| now_us());
        let later = self.refill();
        let (ended, ready) = self.wait_once(&outside, at_once.into_iter().chain(later).min())?;
        for ended in ended {
            stop_point!("broker.reporting");
            self.report(&Report::Ended(ended));
            stop_point!("broker.reported");
        }
        for source in ready {
            match source {
                Source::Signal => {
                    while let Some(signal) = signals.read_signal().on(Step::Talk, "signals")? {
                        match i32::try_from(signal.ssi_signo).unwrap_or(0) {
                            libc::SIGTERM | libc::SIGINT => return Ok(true),
                            // The files are read when the search is over: one for several of these.
                            libc::SIGHUP => drop(self.search.get_or_insert_with(Policy::search)),
                            _ => while matches!(sys::reap_any(false), Ok(Some(_))) {},
                        }
                    }
                }
                Source::Supervisor => return Ok(true),
                Source::Listener => self.accept(listener),
                Source::Link => self.hear_link(),
                Source::Slot(..) => {}
            }
        }
        for ended in self.hand_out() {
            self.report(&Report::Ended(ended));
        }
        let searched = self.search.as_mut().map(|search| search.advance(SEARCH_ENTRIES));
        if let Some(found) = searched.and_then(Result::transpose) {
            self.search = None;
            self.reload(found);
        }
        Ok(false)
    }

    /// Waits for anything, moves the slots on, and gives the runs that ended and the sources outside that are ready.
    fn wait_once(
        &mut self,
        outside: &[(Source, BorrowedFd<'_>)],
        deadline_us: Option<u64>,
    ) -> Result<(Vec<Ended>, Vec<Source>), JailError> {
        let mut sources: Vec<Source> = outside.iter().map(|(source, _)| *source).collect();
        let mut waits: Vec<PollFd<'_>> = outside.iter().map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        for (index, slot) in self.slots.iter().enumerate() {
            for (wake, fd) in slot.waits() {
                sources.push(Source::Slot(index, wake));
                waits.push(PollFd::new(fd, PollFlags::POLLIN));
            }
        }
        let now = now_us();
        let next = self.slots.iter().filter_map(|slot| slot.next_us(now)).chain(deadline_us).min();
        // Rounded up to the millisecond that poll knows: earlier would only wake in vain.
        let timeout = next.map_or(PollTimeout::NONE, |at| {
            let millis = at.saturating_sub(now).div_ceil(1000).min(60_000);
            PollTimeout::try_from(u32::try_from(millis).unwrap_or(60_000)).unwrap_or(PollTimeout::ZERO)
        });
        match poll(&mut waits, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(e) => return Err(e).on(Step::Talk, "poll"),
        }
        let ready: Vec<Source> = sources
            .into_iter()
            .zip(&waits)
            .filter(|(_, wait)| wait.revents().is_some_and(|revents| !revents.is_empty()))
            .map(|(source, _)| source)
            .collect();
        drop(waits);
        let mut ended = Vec::new();
        for source in &ready {
            if let Source::Slot(index, wake) = *source {
                ended.extend(self.slots[index].wake(wake));
                self.note(index);
            }
        }
        let now = now_us();
        for slot in &mut self.slots {
            ended.extend(slot.tick(now));
            if slot.wants_renewal(self.generation, now)
                && let Err(e) = slot.renew(&self.base, &self.policy.blueprint, self.generation)
            {
                log(&format!("a slot can't be made: {e}"));
            }
        }
        Ok((ended, ready))
    }

    /// Keeps the stock's books.
    fn note(&mut self, index: usize) {
        match self.slots[index].take_news() {
            Some(News::Stocked(took_us)) => self.stock.stocked(took_us),
            Some(News::BackedUp(job)) => {
                self.stock.backed_up(now_us());
                if let Some(job) = job {
                    self.waiting.push_front(job);
                }
            }
            None => {}
        }
    }

    /// Gives waiting orders to the slots that are nearest to a run. The ends of those that could not even be begun.
    fn hand_out(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        while !self.waiting.is_empty() {
            let Some((readiness, index)) = nearest(&self.slots, self.generation) else { break };
            if readiness == Readiness::Idle && now_us() < self.stock.not_before_us(true) {
                break;
            }
            let Some(mut job) = next_job(&mut self.waiting, self.cores.as_ref()) else { break };
            // Only now: a reload may have given the profile another filter, or taken it away.
            match job.profile.as_ref().map_or(Some(0), |profile| self.policy.filter(profile)) {
                Some(filter) => job.spec.filter = filter,
                None => {
                    ended.push(never_ran(&job.spec, GONE, None, self.policy.layers));
                    continue;
                }
            }
            self.stock.ordered(job.spec.ordered_us, readiness != Readiness::Idle);
            if readiness == Readiness::Idle {
                ended.extend(self.make(index, Some(job)));
            } else {
                ended.extend(self.slots[index].give(job));
            }
        }
        ended
    }

    /// Begins a sandbox in an idle slot.
    fn make(&mut self, index: usize, job: Option<Job>) -> Option<Ended> {
        self.runs += 1;
        self.slots[index].make(job, self.runs, SandboxIds::of_run(self.runs, self.options.ids))
    }

    /// Begins the next sandbox of the stock, if it is time for one and nobody waits. When to come again, if it is not.
    fn refill(&mut self) -> Option<u64> {
        if !self.waiting.is_empty() {
            // It may wait for namespaces alone. Without a slot it is one that wakes the loop.
            return Some(self.stock.not_before_us(true)).filter(|at| *at > now_us());
        }
        let ready = |slot: &Slot| slot.readiness(self.generation);
        let of = |wanted: Readiness| self.slots.iter().filter(|slot| ready(slot) == Some(wanted)).count();
        let busy = of(Readiness::Making) + of(Readiness::Arming) > 0;
        let now = now_us();
        let short = of(Readiness::Armed) < self.stock.wanted(now) as usize;
        let idle = self.slots.iter().position(|slot| ready(slot) == Some(Readiness::Idle))?;
        if busy || !short {
            return None;
        }
        let not_before = self.stock.not_before_us(false);
        if now < not_before {
            return Some(not_before);
        }
        self.make(idle, None);
        None
    }

    /// One link at a time. The socket's owner and mode let only the engine's user connect; what is checked here keeps
    /// out a sandbox that got hold of the socket all the same.
    fn accept(&mut self, listener: &OwnedFd) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let Ok(number) = accept4(listener.as_raw_fd(), flags) else { return };
        let Ok(socket) = sys::inherit(number) else { return };
        let peer = getsockopt(&socket, PeerCredentials).map(|peer| peer.uid());
        let busy = self.link.is_some() || self.slots.iter().any(|slot| slot.run().is_some());
        if busy || peer != Ok(self.options.client_uid) {
            log(&format!("a connection of uid {peer:?} is refused{}", if busy { ": another link lives" } else { "" }));
            return;
        }
        self.link = Some(Rc::new(socket));
        self.welcome();
    }

    /// Says what there is: first on every link, and again when a reload has changed it.
    fn welcome(&mut self) {
        self.report(&Report::Welcome(Welcome {
            wanted: self.policy.layers,
            obtained: self.obtained,
            cgroup: self.base.version(),
            landlock_abi: landlock::kernel_abi().unwrap_or(0),
            slots: self.policy.config.slots,
            ceiling: self.policy.config.ceiling,
            pinned_cpus: self
                .policy
                .config
                .cores
                .as_ref()
                .map_or(0, |plan| u32::try_from(plan.least()).unwrap_or(u32::MAX)),
        }));
    }

    fn hear_link(&mut self) {
        let Some(link) = &self.link else { return };
        stop_point!("broker.ordered");
        let mut buffer = [0; MESSAGE_BYTES + 1];
        let received = sys::recv_with_descriptors(link.as_fd(), &mut buffer, jail::link::MAX_DESCRIPTORS);
        let (length, descriptors) = match received {
            Ok((0, _)) => return self.link_is_gone("closed"),
            Ok(received) => received,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return self.report(&Report::Refused { id: RunId(0), why: Refusal::Malformed });
            }
            Err(e) if e.raw_os_error() == Some(libc::EMFILE) => {
                return self.refuse_for_want_of_descriptors(&buffer[..MESSAGE_BYTES]);
            }
            Err(e) => return self.link_is_gone(&e.to_string()),
        };
        match Request::decode(&buffer[..length]) {
            Ok(Request::Order(order)) => {
                let id = order.id;
                if let Err(why) = self.take(order, descriptors) {
                    self.report(&Report::Refused { id, why });
                }
            }
            Ok(Request::Stop { id, why }) => self.stop(id, why),
            Ok(Request::Inventory) => self.count(),
            Err(e) => {
                log(&format!("the link sent what is no message (version {VERSION}): {e}"));
                self.report(&Report::Refused { id: RunId(0), why: Refusal::Malformed });
            }
        }
    }

    /// The kernel leaves out those descriptors of a message for which this process has no room. Whoever waits for the run
    /// is told, where the message says which it is.
    fn refuse_for_want_of_descriptors(&mut self, message: &[u8]) {
        log("no descriptors are left for an order: raise the limit of open files (LimitNOFILE)");
        let (id, why) = match Request::decode(message) {
            Ok(Request::Order(order)) => (order.id, Refusal::Broken),
            _ => (RunId(0), Refusal::Malformed),
        };
        self.report(&Report::Refused { id, why });
    }

    /// Checks an order as if its sender were hostile.
    fn take(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> Result<(), Refusal> {
        self.policy.admit(&order)?;
        if !descriptors_fit(&order, &descriptors) {
            return Err(Refusal::BadDescriptors);
        }
        let running = self.slots.iter().filter_map(Slot::run).chain(self.waiting.iter().map(|job| job.spec.id));
        let running: Vec<RunId> = running.collect();
        if running.contains(&order.id) {
            return Err(Refusal::DuplicateId);
        }
        if running.len() >= (self.policy.config.slots + SPARE_SLOTS) as usize {
            return Err(Refusal::NoRoom);
        }
        let spec = Spec {
            id: order.id,
            limits: order.limits,
            filter: 0,
            probe: false,
            has_artifact: order.has_artifact,
            collects: order.collects,
            ordered_us: now_us(),
            cpus: None,
        };
        self.waiting.push_back(Job { spec, profile: Some(order.profile), descriptors, aside: order.aside });
        stop_point!("broker.queued");
        Ok(())
    }

    fn stop(&mut self, id: RunId, why: StopReason) {
        let waiting = self.waiting.iter().position(|job| job.spec.id == id);
        let ended = match waiting.and_then(|at| self.waiting.remove(at)) {
            Some(job) => Some(never_ran(&job.spec, KILLED, Some(why), self.policy.layers)),
            None => self.slots.iter_mut().find(|slot| slot.run() == Some(id)).and_then(|slot| slot.stop(why)),
        };
        if let Some(ended) = ended {
            self.report(&Report::Ended(ended));
        }
    }

    /// Says what there is of everything.
    fn count(&mut self) {
        let now = now_us();
        if now >= self.inventory.1 {
            let spawners: Vec<i32> = self.slots.iter().filter_map(Slot::spawner_pid).collect();
            let armed = self.slots.iter().filter(|slot| slot.readiness(self.generation) == Some(Readiness::Armed));
            let stock = self.stock.count(armed.count());
            self.inventory = (Inventory::take(&self.base, &spawners, stock), now + COUNT_EVERY_US);
        }
        // Poll says so while three quarters of the link are free: inventories that nobody reads must leave room for ends,
        // and one that does not fit is no sign that the engine is gone. It asks again.
        let room = self.link.as_ref().is_some_and(|link| {
            let mut wait = [PollFd::new(link.as_fd(), PollFlags::POLLOUT)];
            poll(&mut wait, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        });
        if room {
            self.report(&Report::Inventory(self.inventory.0));
        }
    }

    fn link_is_gone(&mut self, why: &str) {
        log(&format!("the link is gone ({why}): its runs are ended"));
        self.link = None;
        self.waiting.clear();
        self.slots.iter_mut().for_each(Slot::abandon);
    }

    /// Says it to the engine. One that does not read is treated as gone.
    fn report(&mut self, report: &Report) {
        let Some(link) = &self.link else { return };
        if let Err(e) = sys::send_with_descriptors(link.as_fd(), &report.encode(), &[]) {
            self.link_is_gone(&e.to_string());
        }
    }

    /// After SIGHUP: the new tables, or every mistake and the old ones.
    fn reload(&mut self, setuid: Result<Vec<PathBuf>, JailError>) {
        match setuid.and_then(|setuid| Policy::compile(self.options, setuid)) {
            Ok(policy) if policy.config.cores != self.policy.config.cores => {
                log("not taken: other CPUs to pin runs to need a restart");
            }
            Ok(policy) if policy.config.is_as_large_as(&self.policy.config) => {
                log(&format!("read again: {} profiles", policy.profiles()));
                self.policy = policy;
                self.generation += 1;
                self.welcome();
            }
            Ok(_) => log("not taken: another number of slots, or another stock, needs a restart"),
            Err(e) => log(&format!("not taken, the old settings stay: {e}")),
        }
    }

    /// SIGTERM: every sandbox and every group of ours goes.
    fn end(mut self) -> Result<(), JailError> {
        self.link_is_gone("jaild ends");
        let groups: Vec<SlotGroup> = self.slots.iter_mut().filter_map(Slot::end).collect();
        while matches!(sys::reap_any(true), Ok(Some(_))) {}
        // One that stays is no reason to leave the others.
        groups.into_iter().map(SlotGroup::remove).fold(Ok(()), Result::and)
    }
}

/// The slot that is nearest to a run.
fn nearest(slots: &[Slot], generation: u64) -> Option<(Readiness, usize)> {
    slots.iter().enumerate().filter_map(|(index, slot)| Some((slot.readiness(generation)?, index))).min()
}

/// So many network namespaces may there be: those that the kernel has yet to take down among them. See namespaces(7),
/// `/proc/sys/user`.
fn cap_namespaces(most: u32) -> Result<(), JailError> {
    let file = "/proc/sys/user/max_net_namespaces";
    std::fs::write(file, most.to_string()).on(Step::Outer, file)
}

/// The first order that can be begun. Where runs are pinned those of callers wait until a set of CPUs is free; what the
/// engine asks for itself goes where no run is pinned.
fn next_job(waiting: &mut VecDeque<Job>, cores: Option<&Cores>) -> Option<Job> {
    let Some(cores) = cores else { return waiting.pop_front() };
    if waiting.is_empty() {
        return None;
    }
    let lease = cores.take();
    let at = waiting.iter().position(|job| job.aside || lease.is_some())?;
    let mut job = waiting.remove(at)?;
    job.spec.cpus = if job.aside { Some(cores.aside()) } else { lease }.map(Rc::new);
    Some(job)
}

/// The right number, of the right kinds: what comes from outside is a sealed memfd, the streams are pipes, and what init
/// collects goes into a pipe's writing end.
fn descriptors_fit(order: &Order, descriptors: &[OwnedFd]) -> bool {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::sys::stat::{SFlag, fstat};
    if descriptors.len() != order.descriptors() {
        return false;
    }
    let pipe = |fd: &OwnedFd| fstat(fd).is_ok_and(|stat| stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFIFO.bits());
    let writes = |fd: &OwnedFd| {
        fcntl(fd, FcntlArg::F_GETFL).is_ok_and(|flags| flags & OFlag::O_ACCMODE.bits() == OFlag::O_WRONLY.bits())
    };
    let (fixed, rest) = descriptors.split_at(4);
    let mut rest = rest.iter();
    records::is_sealed(fixed[0].as_fd())
        && fixed[1..].iter().all(pipe)
        && (!order.has_artifact || rest.next().is_some_and(|fd| records::is_sealed(fd.as_fd())))
        && (!order.collects || rest.next().is_some_and(|fd| pipe(fd) && writes(fd)))
}
