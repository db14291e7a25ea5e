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
use jail::talk::{Make, now_us};
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

mod conversation;

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
    /// How many processors there are.
    processors: usize,
    /// The filter of the last order: the next will most likely have the same.
    filter: u32,
    generation: u64,
    /// What comes first of a reload: it takes a while, and there are limits to keep.
    search: Option<SetuidSearch>,
    /// The last count, and from when on another is taken.
    inventory: (Inventory, u64),
    /// The CPUs that runs are pinned to, if they are.
    cores: Option<Cores>,
}

/// Most runs that end soon have ended by then.
const YOUNG_US: u64 = 2_000;

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
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        filter: 0,
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
        self.waiting.push_back(Job { spec, profile: None, descriptors, lost: 0, aside: false });
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
            for (wake, fd, events) in slot.waits() {
                sources.push(Source::Slot(index, wake));
                waits.push(PollFd::new(fd, events));
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
            Some(News::Unused(job)) => {
                self.stock.failed(now_us());
                self.waiting.push_front(job);
            }
            Some(News::Failed) => self.stock.failed(now_us()),
            None => {}
        }
    }

    /// Gives waiting orders to the slots that are nearest to a run. The ends of those that could not even be begun.
    fn hand_out(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        while !self.waiting.is_empty() {
            let Some(mut job) = next_job(&mut self.waiting, self.cores.as_ref()) else { break };
            // Only now: a reload may have given the profile another filter, or taken it away.
            match job.profile.as_ref().map_or(Some(0), |profile| self.policy.filter(profile)) {
                Some(filter) => job.spec.filter = filter,
                None => {
                    ended.push(never_ran(&job.spec, GONE, None, self.policy.layers));
                    continue;
                }
            }
            let Some((readiness, index)) = nearest(&self.slots, self.generation, job.spec.filter) else {
                self.waiting.push_front(job);
                self.make_way();
                break;
            };
            if readiness == Readiness::Idle && now_us() < self.stock.not_before_us(true) {
                self.waiting.push_front(job);
                break;
            }
            self.filter = job.spec.filter;
            self.stock.ordered(job.spec.ordered_us, readiness);
            if readiness == Readiness::Idle {
                ended.extend(self.make(index, Some(job)));
            } else {
                ended.extend(self.slots[index].give(job));
                self.note(index);
            }
        }
        ended
    }

    /// Begins a sandbox in an idle slot.
    fn make(&mut self, index: usize, job: Option<Job>) -> Option<Ended> {
        self.runs += 1;
        let filter = job.as_ref().map_or(self.filter, |job| job.spec.filter);
        let make = Make { ids: SandboxIds::of_run(self.runs, self.options.ids), filter };
        self.slots[index].make(job, self.runs, make)
    }

    /// Throws away one that waits for orders with another filter, if there is one.
    fn make_way(&mut self) {
        let filter = self.waiting.front().map_or(self.filter, |job| job.spec.filter);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is_armed() && !slot.has_filter(filter)) {
            slot.discard();
        }
    }

    /// Begins the next sandbox of the stock, if it is time for one and nobody waits. When to come again, if it is not.
    fn refill(&mut self) -> Option<u64> {
        if !self.waiting.is_empty() && self.cores.is_none() {
            // It may wait for namespaces alone. Without a slot it is one that wakes the loop.
            return Some(self.stock.not_before_us(true)).filter(|at| *at > now_us());
        }
        let ready = |slot: &Slot| slot.readiness(self.generation, self.filter);
        let of = |wanted: Readiness| self.slots.iter().filter(|slot| ready(slot) == Some(wanted)).count();
        let now = now_us();
        // Behind the answers: what has just begun has the cores, and half of them at least.
        let young: Vec<u64> =
            self.slots.iter().filter_map(Slot::begun_us).filter(|begun| now < begun + YOUNG_US).collect();
        let busy = 2 * (of(Readiness::Making) + of(Readiness::Arming)) >= self.processors.max(2);
        let short = of(Readiness::Armed) < self.stock.wanted(now) as usize;
        let idle = self.slots.iter().position(|slot| ready(slot) == Some(Readiness::Idle))?;
        if busy || !short {
            return None;
        }
        let crowd = if 2 * young.len() >= self.processors { young.iter().min() } else { None };
        let not_before = self.stock.not_before_us(false).max(crowd.map_or(0, |begun| begun + YOUNG_US));
        if now < not_before {
            return Some(not_before);
        }
        // Those with another filter make way for it; so does one that waits for so long that its ids will come round.
        let round = u64::from(self.options.ids / 4).max(1);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is_armed() && slot.run_number() + round < self.runs)
        {
            slot.discard();
        }
        if self.slots.iter().filter(|slot| slot.is_armed()).count() >= self.policy.config.stock as usize {
            self.make_way();
        }
        self.make(idle, None);
        None
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
                // Filters have other numbers now.
                self.filter = 0;
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

/// The slot that is nearest to a run; of those the one whose sandbox has waited longest, so that none waits for ever.
fn nearest(slots: &[Slot], generation: u64, filter: u32) -> Option<(Readiness, usize)> {
    let ready = |(index, slot): (usize, &Slot)| Some((slot.readiness(generation, filter)?, slot.run_number(), index));
    slots.iter().enumerate().filter_map(ready).min().map(|(readiness, _, index)| (readiness, index))
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
    // One that was put back has its set still.
    let at = waiting.iter().position(|job| job.aside || job.spec.cpus.is_some() || lease.is_some())?;
    let mut job = waiting.remove(at)?;
    if job.spec.cpus.is_none() {
        job.spec.cpus = if job.aside { Some(cores.aside()) } else { lease }.map(Rc::new);
    }
    Some(job)
}
