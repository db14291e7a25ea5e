//! The second start: slots, one link at a time, and the loop that waits for all of them.
//!
//! Single-threaded: one `poll` over signals, the socket, the link and, per slot, its spawner, its init's word, its init's
//! end and (v1) its memory events. No wait anywhere else but in the kernel calls themselves. Each event belongs to one
//! slot and moves its state on; a slot whose state can't move on is thrown away and made anew.
//!
//! There are more slots than runs at once: while one is emptied behind an answer, the next order takes another.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use jail::cgroup::{Base, RunGroup, SlotGroup};
use jail::error::{At, JailError, Step};
use jail::landlock;
use jail::link::{MESSAGE_BYTES, Order, Refusal, Report, Request, VERSION, Welcome};
use jail::privileges::SandboxIds;
use jail::records;
use jail::sandbox::{Finishing, Heard, Making, Prepared, Running, Spec};
use jail::spawn::Spawner;
use jail::spec::{Bytes, Collected, Ended, Layers, Micros, Outcome, PeakSource, RunId, StopReason, Usage};
use jail::sys;
use jail::talk::{Event, Spawned, now_us};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{SockFlag, accept4, getsockopt, sockopt::PeerCredentials};

use crate::config::Options;
use crate::policy::Policy;
use crate::prove;

/// Slots beyond the runs that there may be at once.
const SPARE_SLOTS: u32 = 2;
/// How often a slot that is being emptied is looked at, once its init has ended.
const FINISH_TICK_US: u64 = 1_000;

/// An order with its descriptors.
struct Job {
    spec: Spec,
    descriptors: Vec<OwnedFd>,
}

/// What a slot is doing.
enum State {
    /// Its spawner builds the tree.
    Starting,
    /// Its spawner waits.
    Idle,
    /// Its spawner clones an init.
    Making(Making, Job),
    /// Its init arms the sandbox.
    Arming(Prepared, Job),
    /// A program runs.
    Running(Box<Running>),
    /// What is left of a run goes.
    Finishing(Finishing),
    /// The group of a sandbox that never came to be goes.
    Emptying(RunGroup, u64),
    /// It could not be made or did not come to rest.
    Broken,
}

struct Slot {
    group: Option<SlotGroup>,
    spawner: Option<Spawner>,
    state: State,
    generation: u64,
}

/// Everything that jaild knows.
struct Broker<'a> {
    options: &'a Options,
    policy: Policy,
    base: Base,
    slots: Vec<Slot>,
    waiting: VecDeque<Job>,
    link: Option<OwnedFd>,
    obtained: Layers,
    runs: u64,
    generation: u64,
    broken_until_us: u64,
}

/// Serves until SIGTERM.
///
/// # Errors
/// When a layer can't be proved, or a mechanism of jaild's own fails for good.
pub fn run(options: &Options) -> Result<(), JailError> {
    let mut inherited = options.inner.iter().map(|number| sys::inherit(*number));
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let listener = inherited.next().ok_or_else(missing).and_then(|fd| fd).on(Step::Outer, "inherited socket")?;
    let folders: io::Result<Vec<OwnedFd>> = inherited.collect();
    let base = Base::adopt(folders.on(Step::Outer, "inherited groups")?)?;
    base.sweep()?;
    let signals = signals()?;
    let policy = Policy::compile(options)?;
    let mut broker = Broker {
        options,
        slots: Vec::new(),
        waiting: VecDeque::new(),
        link: None,
        obtained: Layers::default(),
        runs: 0,
        generation: 0,
        broken_until_us: 0,
        policy,
        base,
    };
    broker.make_slots()?;
    broker.obtained = broker.prove()?;
    let lacking = broker.policy.layers.without(broker.obtained);
    if let Some(layer) = lacking.iter().next() {
        let why = format!("these layers did not hold: {lacking:?}; for {layer}: {}", layer.remedy());
        return Err(io::Error::other(why)).on(Step::Probe, "start");
    }
    println!("jaild ready: {} slots, {} profiles", broker.policy.config.slots, broker.policy.profiles());
    while !broker.turn(&signals, &listener)? {}
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
    Listener,
    Link,
    Spawner(usize),
    Init(usize),
    InitEnd(usize),
    Memory(usize),
}

impl Broker<'_> {
    fn make_slots(&mut self) -> Result<(), JailError> {
        for number in 0..self.policy.config.slots + SPARE_SLOTS {
            self.slots.push(Slot { group: None, spawner: None, state: State::Broken, generation: 0 });
            self.renew(number as usize)?;
        }
        Ok(())
    }

    /// Makes a slot anew: groups and spawner.
    fn renew(&mut self, index: usize) -> Result<(), JailError> {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let slot = &mut self.slots[index];
        slot.spawner = None;
        slot.state = State::Broken;
        if let Some(group) = slot.group.take() {
            group.remove()?;
        }
        let group = self.base.slot(number)?;
        slot.spawner = Some(Spawner::start(&group, &self.policy.blueprint)?);
        slot.group = Some(group);
        slot.generation = self.generation;
        slot.state = State::Starting;
        Ok(())
    }

    /// Runs the probe in the first slot that is ready; the layers that held.
    fn prove(&mut self) -> Result<Layers, JailError> {
        let (spec, descriptors, mut answer) = prove::order(&self.policy)?;
        let id = spec.id;
        self.waiting.push_back(Job { spec, descriptors });
        let deadline = now_us() + 20_000_000;
        loop {
            self.hand_out();
            let (ended, _) = self.wait_once(&[], Some(deadline))?;
            if let Some(ended) = ended.into_iter().find(|ended| ended.id == id) {
                return prove::judge(&ended, &mut answer);
            }
            if now_us() > deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut)).on(Step::Probe, "no slot became ready");
            }
        }
    }

    /// One turn of the loop. `true` when it is time to end.
    fn turn(&mut self, signals: &SignalFd, listener: &OwnedFd) -> Result<bool, JailError> {
        let mut outside = vec![(Source::Signal, signals.as_fd()), (Source::Listener, listener.as_fd())];
        let link = self.link.as_ref().map(|fd| fd.try_clone()).transpose().on(Step::Talk, "link")?;
        outside.extend(link.as_ref().map(|fd| (Source::Link, fd.as_fd())));
        let (ended, ready) = self.wait_once(&outside, None)?;
        for ended in ended {
            self.report(&Report::Ended(ended));
        }
        for source in ready {
            match source {
                Source::Signal => {
                    while let Some(signal) = signals.read_signal().on(Step::Talk, "signals")? {
                        match i32::try_from(signal.ssi_signo).unwrap_or(0) {
                            libc::SIGTERM | libc::SIGINT => return Ok(true),
                            libc::SIGHUP => self.reload(),
                            _ => while matches!(sys::reap_any(false), Ok(Some(_))) {},
                        }
                    }
                }
                Source::Listener => self.accept(listener),
                Source::Link => self.hear_link(),
                _ => {}
            }
        }
        self.hand_out();
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
            for (source, fd) in slot.waits(index) {
                sources.push(source);
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
            match *source {
                Source::Spawner(index) => ended.extend(self.spawner_spoke(index)),
                Source::Init(index) => ended.extend(self.init_spoke(index)),
                Source::InitEnd(index) => ended.extend(self.init_ended(index)),
                Source::Memory(index) => self.memory_event(index),
                Source::Signal | Source::Listener | Source::Link => {}
            }
        }
        self.tick();
        Ok((ended, ready))
    }

    /// A spawner is ready, has made an init, or is gone.
    fn spawner_spoke(&mut self, index: usize) -> Option<Ended> {
        let slot = &mut self.slots[index];
        let said = slot.spawner.as_ref().map(|spawner| Spawned::recv(spawner.socket()));
        let state = std::mem::replace(&mut slot.state, State::Broken);
        match (said, state) {
            (Some(Ok(Some(Spawned::Ready))), State::Starting) => {
                slot.state = State::Idle;
                None
            }
            (Some(Ok(Some(Spawned::Init(pidfd)))), State::Making(making, job)) => {
                slot.state = State::Arming(making.born(pidfd), job);
                None
            }
            (Some(Ok(Some(Spawned::Failed(outcome)))), State::Making(making, job)) => {
                log(&format!("slot {index}: no init: {}", describe(outcome)));
                slot.state = State::Emptying(making.failed(), now_us());
                Some(never_ran(&job.spec, outcome, None, self.policy.layers))
            }
            (said, state) => {
                let why = match said {
                    Some(Ok(Some(Spawned::Failed(outcome)))) => describe(outcome),
                    _ => "its spawner is gone".to_owned(),
                };
                log(&format!("slot {index} is lost: {why}"));
                slot.spawner = None;
                self.lost(state)
            }
        }
    }

    /// The slot can't go on; whatever run it had is over.
    fn lost(&mut self, state: State) -> Option<Ended> {
        let gone = Outcome::Failed { step: Step::Clone as u8, errno: libc::ECHILD, index: 0 };
        self.broken_until_us = now_us() + 100_000;
        match state {
            State::Making(_, job) | State::Arming(_, job) => Some(never_ran(&job.spec, gone, None, self.policy.layers)),
            State::Running(running) => Some(running.died().ended),
            _ => None,
        }
    }

    fn init_spoke(&mut self, index: usize) -> Option<Ended> {
        let layers = self.policy.layers;
        let slot = &mut self.slots[index];
        match std::mem::replace(&mut slot.state, State::Broken) {
            State::Arming(prepared, job) => match Event::recv(prepared.control()) {
                Ok(Some(Event::Armed)) if job.spec.limits.wall_time.0 > 0 => self.start(index, prepared, job),
                Ok(Some(Event::Failed(outcome))) => {
                    log(&format!("slot {index}: sandbox not armed: {}", describe(outcome)));
                    slot.state = State::Finishing(prepared.finish());
                    Some(never_ran(&job.spec, outcome, None, layers))
                }
                // Init is gone: its end is heard by its pidfd.
                _ => {
                    let outcome = Outcome::Failed { step: Step::Talk as u8, errno: libc::EPIPE, index: 0 };
                    slot.state = State::Finishing(prepared.finish());
                    Some(never_ran(&job.spec, outcome, None, layers))
                }
            },
            State::Running(running) => self.heard(index, running.hear()),
            other => {
                slot.state = other;
                None
            }
        }
    }

    fn start(&mut self, index: usize, prepared: Prepared, job: Job) -> Option<Ended> {
        let Job { spec, descriptors } = job;
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        match prepared.start(spec.clone(), &borrowed, self.policy.layers) {
            Ok(running) => {
                self.slots[index].state = State::Running(running);
                None
            }
            Err(failure) => {
                let (e, finishing) = *failure;
                log(&format!("slot {index}: {e}"));
                self.slots[index].state = State::Finishing(finishing);
                Some(never_ran(&spec, e.outcome(), None, self.policy.layers))
            }
        }
    }

    fn heard(&mut self, index: usize, heard: Heard) -> Option<Ended> {
        let slot = &mut self.slots[index];
        match heard {
            Heard::Running(running) => {
                slot.state = State::Running(running);
                None
            }
            Heard::Over(over) => {
                if let Some(e) = over.trouble {
                    log(&format!("slot {index}: {e}"));
                }
                slot.state = State::Finishing(over.finishing);
                Some(over.ended)
            }
        }
    }

    fn init_ended(&mut self, index: usize) -> Option<Ended> {
        let slot = &mut self.slots[index];
        match std::mem::replace(&mut slot.state, State::Broken) {
            // A last word may still be in the socket; it comes first.
            State::Running(running) => match running.hear() {
                Heard::Running(running) => self.heard(index, Heard::Over(running.died())),
                other => self.heard(index, other),
            },
            State::Finishing(finishing) => {
                self.finish(index, finishing);
                None
            }
            State::Arming(prepared, job) => {
                let outcome = match Event::recv(prepared.control()) {
                    Ok(Some(Event::Failed(outcome))) => outcome,
                    _ => Outcome::Failed { step: Step::Talk as u8, errno: libc::EPIPE, index: 0 },
                };
                log(&format!("slot {index}: init ended before it was armed: {}", describe(outcome)));
                slot.state = State::Finishing(prepared.finish());
                Some(never_ran(&job.spec, outcome, None, self.policy.layers))
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    fn finish(&mut self, index: usize, finishing: Finishing) {
        let slot = &mut self.slots[index];
        slot.state = match finishing.is_done() {
            Ok(true) => State::Idle,
            Ok(false) => State::Finishing(finishing),
            Err(e) => {
                log(&format!("slot {index} is thrown away: {e}"));
                State::Broken
            }
        };
    }

    fn memory_event(&mut self, index: usize) {
        if let State::Running(running) = &mut self.slots[index].state {
            running.out_of_memory();
        }
    }

    /// Clocks, slots that are being emptied, slots to be made anew.
    fn tick(&mut self) {
        let now = now_us();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let old = slot.generation != self.generation;
            match std::mem::replace(&mut slot.state, State::Broken) {
                State::Running(mut running) => {
                    if running.next_tick_us() <= now
                        && let Err(e) = running.tick()
                    {
                        log(&format!("slot {index}: {e}"));
                    }
                    slot.state = State::Running(running);
                }
                State::Finishing(finishing) => self.finish(index, finishing),
                State::Emptying(group, since) => match Finishing::empty(&group) {
                    Ok(true) => slot.state = State::Idle,
                    Ok(false) if now < since + 5_000_000 => slot.state = State::Emptying(group, since),
                    Ok(false) => log(&format!("slot {index} is thrown away: its group does not empty")),
                    Err(e) => log(&format!("slot {index} is thrown away: {e}")),
                },
                State::Idle if old => {}
                State::Broken if now < self.broken_until_us => {}
                State::Broken => {
                    if let Err(e) = self.renew(index) {
                        // A host that refuses now may not later; not in a tight loop.
                        log(&format!("slot {index} can't be made: {e}"));
                        self.broken_until_us = now + 1_000_000;
                    }
                }
                other => slot.state = other,
            }
        }
    }

    /// Gives waiting orders to idle slots.
    fn hand_out(&mut self) {
        while !self.waiting.is_empty() {
            let idle = self.slots.iter().position(|slot| matches!(slot.state, State::Idle));
            let (Some(index), Some(job)) = (idle, idle.and_then(|_| self.waiting.pop_front())) else { return };
            self.runs += 1;
            let ids = SandboxIds::of_run(self.runs, self.options.ids);
            let slot = &mut self.slots[index];
            let (Some(group), Some(spawner)) = (&slot.group, &slot.spawner) else { return };
            match Making::begin(group, spawner, self.runs, ids) {
                Ok(making) => slot.state = State::Making(making, job),
                Err(e) => {
                    log(&format!("slot {index} is thrown away: {e}"));
                    slot.state = State::Broken;
                    let ended = never_ran(&job.spec, e.outcome(), None, self.policy.layers);
                    self.report(&Report::Ended(ended));
                }
            }
        }
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
        self.link = Some(socket);
        self.report(&Report::Welcome(Welcome {
            wanted: self.policy.layers,
            obtained: self.obtained,
            cgroup: self.base.version(),
            landlock_abi: landlock::kernel_abi().unwrap_or(0),
            slots: self.policy.config.slots,
            ceiling: self.policy.config.ceiling,
        }));
    }

    fn hear_link(&mut self) {
        let Some(link) = &self.link else { return };
        let mut buffer = [0; MESSAGE_BYTES + 1];
        let received = sys::recv_with_descriptors(link.as_fd(), &mut buffer, jail::link::MAX_DESCRIPTORS);
        let (length, descriptors) = match received {
            Ok((0, _)) => return self.link_is_gone("closed"),
            Ok(received) => received,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return self.report(&Report::Refused { id: RunId(0), why: Refusal::Malformed });
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
            Err(e) => {
                log(&format!("the link sent what is no message (version {VERSION}): {e}"));
                self.report(&Report::Refused { id: RunId(0), why: Refusal::Malformed });
            }
        }
    }

    /// Checks an order as if its sender were hostile.
    fn take(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> Result<(), Refusal> {
        let filter = self.policy.admit(&order)?;
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
            filter,
            probe: false,
            has_artifact: order.has_artifact,
            collects: order.collects,
            ordered_us: now_us(),
        };
        self.waiting.push_back(Job { spec, descriptors });
        Ok(())
    }

    fn stop(&mut self, id: RunId, why: StopReason) {
        let layers = self.policy.layers;
        if let Some(at) = self.waiting.iter().position(|job| job.spec.id == id)
            && let Some(job) = self.waiting.remove(at)
        {
            let ended = never_ran(&job.spec, Outcome::Signalled(9), Some(why), layers);
            return self.report(&Report::Ended(ended));
        }
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.run() == Some(id)) else { return };
        match std::mem::replace(&mut slot.state, State::Broken) {
            State::Running(mut running) => {
                running.stop(why);
                slot.state = State::Running(running);
            }
            State::Arming(prepared, job) => {
                slot.state = State::Finishing(prepared.finish());
                let ended = never_ran(&job.spec, Outcome::Signalled(9), Some(why), layers);
                self.report(&Report::Ended(ended));
            }
            // Its init is being cloned: the spawner's word comes first, and the sandbox, without a program, then goes.
            State::Making(making, mut job) => {
                job.descriptors.clear();
                job.spec.limits.wall_time.0 = 0;
                let ended = never_ran(&job.spec, Outcome::Signalled(9), Some(why), layers);
                slot.state = State::Making(making, job);
                self.report(&Report::Ended(ended));
            }
            other => slot.state = other,
        }
    }

    fn link_is_gone(&mut self, why: &str) {
        log(&format!("the link is gone ({why}): its runs are ended"));
        self.link = None;
        self.waiting.clear();
        for slot in &mut self.slots {
            slot.state = match std::mem::replace(&mut slot.state, State::Broken) {
                State::Running(running) => State::Finishing(running.abandon()),
                State::Arming(prepared, _) => State::Finishing(prepared.finish()),
                other => other,
            };
        }
    }

    /// Says it to the engine. One that does not read is treated as gone.
    fn report(&mut self, report: &Report) {
        let Some(link) = &self.link else { return };
        if let Err(e) = sys::send_with_descriptors(link.as_fd(), &report.encode(), &[]) {
            self.link_is_gone(&e.to_string());
        }
    }

    /// SIGHUP: the new tables, or every mistake and the old ones.
    fn reload(&mut self) {
        match Policy::compile(self.options) {
            Ok(policy) if policy.config.slots == self.policy.config.slots => {
                log(&format!("read again: {} profiles", policy.profiles()));
                self.policy = policy;
                self.generation += 1;
            }
            Ok(_) => log("not taken: another number of slots needs a restart"),
            Err(e) => log(&format!("not taken, the old settings stay: {e}")),
        }
    }

    /// SIGTERM: every sandbox and every group of ours goes.
    fn end(mut self) -> Result<(), JailError> {
        self.link_is_gone("jaild ends");
        for slot in &mut self.slots {
            slot.state = State::Broken;
            slot.spawner = None;
        }
        while matches!(sys::reap_any(true), Ok(Some(_))) {}
        self.slots.into_iter().filter_map(|slot| slot.group).try_for_each(SlotGroup::remove)
    }
}

impl Slot {
    /// What this slot waits for.
    fn waits(&self, index: usize) -> Vec<(Source, BorrowedFd<'_>)> {
        let mut waits = Vec::new();
        waits.extend(self.spawner.as_ref().map(|spawner| (Source::Spawner(index), spawner.socket())));
        match &self.state {
            State::Arming(prepared, _) => {
                waits.push((Source::Init(index), prepared.control()));
                waits.push((Source::InitEnd(index), prepared.pidfd()));
            }
            State::Running(running) => {
                waits.extend(running.control().map(|fd| (Source::Init(index), fd)));
                waits.push((Source::InitEnd(index), running.pidfd()));
                waits.extend(running.oom_event().map(|fd| (Source::Memory(index), fd)));
            }
            State::Finishing(finishing) if !finishing.init_is_gone() => {
                waits.push((Source::InitEnd(index), finishing.pidfd()));
            }
            _ => {}
        }
        waits
    }

    /// When this slot wants to be looked at.
    fn next_us(&self, now: u64) -> Option<u64> {
        match &self.state {
            State::Running(running) => Some(running.next_tick_us()),
            State::Finishing(_) | State::Emptying(..) => Some(now + FINISH_TICK_US),
            State::Broken => Some(now + 100_000),
            _ => None,
        }
    }

    /// The run that this slot has.
    fn run(&self) -> Option<RunId> {
        match &self.state {
            State::Making(_, job) | State::Arming(_, job) => (job.spec.limits.wall_time.0 > 0).then_some(job.spec.id),
            State::Running(running) => Some(running.id()),
            _ => None,
        }
    }
}

/// The right number, of the right kinds: what comes from outside is a sealed memfd, the streams are pipes, and what init
/// fills is an empty memfd.
fn descriptors_fit(order: &Order, descriptors: &[OwnedFd]) -> bool {
    use nix::sys::stat::{SFlag, fstat};
    if descriptors.len() != order.descriptors() {
        return false;
    }
    let pipe = |fd: &OwnedFd| fstat(fd).is_ok_and(|stat| stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFIFO.bits());
    let empty = |fd: &OwnedFd| fstat(fd).is_ok_and(|stat| stat.st_size == 0);
    let (fixed, rest) = descriptors.split_at(4);
    let mut rest = rest.iter();
    records::is_sealed(fixed[0].as_fd())
        && fixed[1..].iter().all(pipe)
        && (!order.has_artifact || rest.next().is_some_and(|fd| records::is_sealed(fd.as_fd())))
        && (!order.collects || rest.next().is_some_and(|fd| records::is_writable_memfd(fd.as_fd()) && empty(fd)))
}

/// The end of a run whose program never was.
fn never_ran(spec: &Spec, outcome: Outcome, stop: Option<StopReason>, layers: Layers) -> Ended {
    Ended {
        id: spec.id,
        outcome,
        stop,
        filter_killed: false,
        usage: Usage {
            cpu: Micros(0),
            user: Micros(0),
            system: Micros(0),
            wall: Micros(0),
            memory_peak: Bytes(0),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: 0,
            throttled: Micros(0),
            involuntary_switches: 0,
            oom_kills: 0,
            processes_hit: false,
            disk_hit: false,
        },
        setup: Micros(now_us().saturating_sub(spec.ordered_us)),
        collected: Collected::None,
        layers,
    }
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { step, errno, index } => {
            let doing = Step::from_number(step).map_or("do something unknown", Step::doing);
            format!("could not {doing} ({index}): {}", io::Error::from_raw_os_error(errno))
        }
        other => format!("{other:?}"),
    }
}

fn log(text: &str) {
    eprintln!("jaild: {text}");
}
