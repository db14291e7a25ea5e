//! A run as the broker holds it: `Making → Prepared → Running → Finishing`, each made of the one before, by value.
//!
//! Whichever of them is dropped, its init is killed, and with init the whole pid namespace.
//!
//! A run that is *collecting* is over: what it used is read, how it ended is fixed, its clocks have stopped. What is
//! left has a deadline of its own, and whatever goes wrong with it costs files, never another verdict.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cgroup::{Counted, RunGroup, SlotGroup};
use crate::cores::Lease;
use crate::error::{At, JailError, Step};
use crate::meter::Meter;
use crate::privileges::Rlimits;
use crate::spawn::Spawner;
use crate::spec::{Bytes, Collected, Ended, Layers, Limits, Micros, Outcome, RunId, StopReason, Usage};
use crate::stop_point;
use crate::sys;
use crate::talk::{Command, End, Event, Make, now_us, pair};

/// What a run is to be: checked wishes, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The engine's name for it.
    pub id: RunId,
    /// What it may use.
    pub limits: Limits,
    /// Which of the blueprint's filters.
    pub filter: u32,
    /// Prove the layers instead of running a program.
    pub probe: bool,
    /// There is an artifact.
    pub has_artifact: bool,
    /// Something is to be collected.
    pub collects: bool,
    /// When the order came, by [`now_us`].
    pub ordered_us: u64,
    /// The CPUs that it is kept to. They are its own until its last process is dead.
    pub cpus: Option<Rc<Lease>>,
}

/// A sandbox under way. Its init is killed when this is dropped.
#[derive(Debug)]
pub struct Making {
    group: RunGroup,
    control: OwnedFd,
}

/// A sandbox that waits for its command: every layer is in force, nothing of a caller is in it.
#[derive(Debug)]
#[must_use]
pub struct Prepared {
    group: RunGroup,
    control: OwnedFd,
    init: Init,
}

/// A sandbox with a program.
#[derive(Debug)]
#[must_use]
pub struct Running {
    spec: Spec,
    group: RunGroup,
    /// `None` once init has closed it.
    control: Option<OwnedFd>,
    init: Init,
    meter: Meter,
    layers: Layers,
    collecting: Option<Collecting>,
}

/// The program is over, init brings files out.
#[derive(Debug)]
struct Collecting {
    ended: Ended,
    trouble: Option<JailError>,
    until_us: u64,
}

/// A sandbox that is over, until nothing of it is left.
#[derive(Debug)]
#[must_use]
pub struct Finishing {
    group: RunGroup,
    init: Init,
    since_us: u64,
    /// Init was seen to have ended.
    gone: Cell<bool>,
}

/// Init's pidfd: kills on drop.
#[derive(Debug)]
struct Init(OwnedFd);

impl Drop for Init {
    fn drop(&mut self) {
        // ESRCH: it has ended already, as it should have.
        drop(sys::pidfd_kill(self.0.as_fd(), libc::SIGKILL));
    }
}

impl Making {
    /// Makes the run's group and asks the slot's spawner for an init.
    ///
    /// # Errors
    /// When the group can't be made or the spawner is gone.
    pub fn begin(slot: &SlotGroup, spawner: &Spawner, number: u64, make: Make) -> Result<Self, JailError> {
        let group = slot.run(number, make.ids.init)?;
        let (control, theirs) = pair()?;
        // The broker waits for nobody: a word that init has no room for is as one to an init that is gone.
        sys::never_block(control.as_fd()).on(Step::Talk, "control")?;
        let mut descriptors = vec![theirs.as_fd()];
        descriptors.extend(slot.init_leaf().into_iter().chain(group.leaf()));
        spawner.make(make, &descriptors)?;
        Ok(Making { group, control })
    }

    /// Where init says that it is armed: by then the spawner has as good as said that it has made it. Closed when there is
    /// no init, nor will be.
    #[must_use]
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// The spawner has cloned this init.
    pub fn born(self, init: OwnedFd) -> Prepared {
        Prepared { group: self.group, control: self.control, init: Init(init) }
    }

    /// There is no init; the group is left to be cleaned.
    #[must_use]
    pub fn failed(self) -> RunGroup {
        self.group
    }
}

impl Prepared {
    /// Where init says that it is armed.
    #[must_use]
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Readable once init has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.init.0.as_fd()
    }

    /// Sets the limits and gives the command.
    ///
    /// # Errors
    /// What failed, and the sandbox to be cleaned away.
    pub fn start(
        mut self,
        spec: Spec,
        descriptors: &[BorrowedFd<'_>],
        layers: Layers,
    ) -> Result<Box<Running>, Box<(JailError, Finishing)>> {
        let command = Command {
            disk: spec.limits.disk,
            rlimits: Rlimits::of(&spec.limits),
            probe: spec.probe,
            has_artifact: spec.has_artifact,
            collects: spec.collects,
            collect_bytes: Bytes(spec.limits.disk.0),
        };
        let limited = self.group.limit(&spec.limits, layers).and_then(|()| match &spec.cpus {
            Some(lease) => self.group.place(lease.cpus()),
            None => Ok(()),
        });
        stop_point!("broker.limited");
        let begun = limited.and_then(|()| command.send(self.control.as_fd(), descriptors));
        stop_point!("broker.commanded");
        match begun {
            Ok(()) => {
                let meter = Meter::new(spec.limits, now_us());
                let Prepared { group, control, init } = self;
                Ok(Box::new(Running { spec, group, control: Some(control), init, meter, layers, collecting: None }))
            }
            Err(e) => Err(Box::new((e, self.finish()))),
        }
    }

    /// Throws it away.
    pub fn finish(self) -> Finishing {
        finish(self.group, self.init)
    }
}

fn finish(group: RunGroup, init: Init) -> Finishing {
    Finishing { group, init, since_us: now_us(), gone: Cell::new(false) }
}

/// What [`Running::hear`] came to.
#[derive(Debug)]
pub enum Heard {
    /// It goes on.
    Running(Box<Running>),
    /// It is over.
    Over(Box<Over>),
}

/// The end of a run, and what is left to be done about it.
#[derive(Debug)]
pub struct Over {
    /// What the engine is told.
    pub ended: Ended,
    /// The sandbox, to be looked after until nothing of it is left.
    pub finishing: Finishing,
    /// Its usage could not be read.
    pub trouble: Option<JailError>,
    /// Nothing of the run has begun: its payload was gone before it had the command. Another sandbox can have the order.
    pub unused: bool,
}

impl Running {
    /// The engine's name for it.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.spec.id
    }

    /// When it was given its command, by [`now_us`].
    #[must_use]
    pub fn begun_us(&self) -> u64 {
        self.meter.begun_us()
    }

    /// Where init speaks, until it has closed it.
    #[must_use]
    pub fn control(&self) -> Option<BorrowedFd<'_>> {
        self.control.as_ref().map(AsFd::as_fd)
    }

    /// Readable once init has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.init.0.as_fd()
    }

    /// Readable when the kernel kills for memory (cgroup v1).
    #[must_use]
    pub fn oom_event(&self) -> Option<BorrowedFd<'_>> {
        self.group.oom_event()
    }

    /// Whether it is known to have begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.meter.started_at().is_some()
    }

    /// When [`Running::tick`] wants to be called, by [`now_us`].
    #[must_use]
    pub fn next_tick_us(&self) -> u64 {
        self.collecting.as_ref().map_or_else(|| self.meter.next_us(), |collecting| collecting.until_us)
    }

    /// Ends it if a limit is reached.
    ///
    /// # Errors
    /// When its usage can't be read: it is killed then.
    pub fn tick(&mut self) -> Result<(), JailError> {
        if let Some(collecting) = &mut self.collecting {
            let now = now_us();
            if now >= collecting.until_us {
                // Asked again later, should the kernel need longer.
                collecting.until_us = now + KILL_AGAIN_US;
                self.kill_init();
            }
            return Ok(());
        }
        self.group.sample();
        let used = self.group.cpu();
        let now = now_us();
        match &used {
            Ok(cpu) => match self.meter.check(now, *cpu) {
                Some(why) => self.stop(why),
                None if self.meter.overdue(now) => self.kill_init(),
                None => {}
            },
            Err(_) => self.kill_init(),
        }
        used.map(drop)
    }

    /// Ends it. The first reason counts, and is acted upon once.
    pub fn stop(&mut self, why: StopReason) {
        if self.collecting.is_some() {
            // Nothing but us is alive. Files that nobody waits for any more are left.
            if matches!(why, StopReason::Cancelled | StopReason::Gone) {
                self.kill_init();
            }
            return;
        }
        if self.meter.stopped().is_some() {
            return;
        }
        self.meter.stop(why, now_us());
        // On v2 this kills the payload at once; init does the same, and alone on v1, when it hears a second word. If
        // neither is possible, the meter has init itself killed a moment later.
        let by_group = self.group.kill();
        let by_init = self.control.as_ref().is_some_and(|control| Event::Armed.send(control.as_fd()).is_ok());
        if by_group.is_err() && !by_init {
            self.kill_init();
        }
    }

    /// The kernel has killed for memory (v1, where it kills one process at a time), or the event was stale.
    pub fn out_of_memory(&mut self) {
        if self.group.oom_happened() {
            self.stop(StopReason::Memory);
        }
    }

    fn kill_init(&self) {
        // ESRCH: it has just ended.
        drop(sys::pidfd_kill(self.init.0.as_fd(), libc::SIGKILL));
    }

    /// Takes what init says.
    #[must_use]
    pub fn hear(mut self: Box<Self>) -> Heard {
        let Some(control) = &self.control else { return Heard::Running(self) };
        match Event::recv(control.as_fd()) {
            Ok(Some(Event::Starting(at, _))) => {
                self.meter.started(at, now_us());
                stop_point!("broker.started");
                Heard::Running(self)
            }
            Ok(Some(Event::Over(end))) if self.spec.collects && self.collecting.is_none() => {
                self.collect(&end);
                Heard::Running(self)
            }
            Ok(Some(Event::Ended(end))) => Heard::Over(self.over(&end)),
            Ok(Some(Event::Failed(outcome))) => Heard::Over(self.over(&End { outcome, ..End::default() })),
            Ok(Some(Event::Unused)) if !self.has_begun() && self.collecting.is_none() => {
                let outcome = Outcome::Failed { step: Step::Talk as u8, errno: libc::EPIPE, index: 0 };
                let mut over = self.over(&End { outcome, ..End::default() });
                over.unused = true;
                Heard::Over(over)
            }
            Err(e) if e.source.kind() == std::io::ErrorKind::WouldBlock => Heard::Running(self),
            // Init is gone or talks nonsense: what is left of it must go too, then `died` tells.
            Ok(Some(Event::Armed | Event::Over(_) | Event::Collect | Event::Unused) | None) | Err(_) => {
                self.kill_init();
                self.control = None;
                Heard::Running(self)
            }
        }
    }

    /// Init has ended without a word: killed by the meter, by the kernel for memory (v1), or broken.
    #[must_use]
    pub fn died(self: Box<Self>) -> Box<Over> {
        let oom = self.group.counted().is_ok_and(|counted| counted.oom_kills > 0);
        let outcome = if self.meter.stopped().is_some() || oom {
            Outcome::Signalled(9)
        } else {
            Outcome::Failed { step: Step::Talk as u8, errno: libc::EPIPE, index: 0 }
        };
        let now = now_us();
        let end = End { outcome, started_us: self.meter.started_at().unwrap_or(now), ended_us: now, ..End::default() };
        self.over(&end)
    }

    /// The program is over. What it used is read before init adds to it, then init has the room to collect.
    fn collect(&mut self, end: &End) {
        stop_point!("broker.over");
        let (ended, trouble) = self.stock(end);
        let until_us = now_us() + COLLECT_US;
        self.collecting = Some(Collecting { ended, trouble, until_us });
        let room = self.group.make_room().is_ok();
        let told = self.control.as_ref().is_some_and(|control| Event::Collect.send(control.as_fd()).is_ok());
        if !room || !told {
            self.kill_init();
        }
    }

    fn over(mut self: Box<Self>, end: &End) -> Box<Over> {
        let (ended, trouble) = match self.collecting.take() {
            // What is missing of a collection whose init is dead or broken is not known.
            Some(Collecting { ended, trouble, .. }) => {
                let collected = if end.collected == Collected::Complete { end.collected } else { Collected::Cut };
                (Ended { collected, ..ended }, trouble)
            }
            None => self.stock(end),
        };
        Box::new(Over { ended, finishing: finish(self.group, self.init), trouble, unused: false })
    }

    /// How it ended, with what it used.
    fn stock(&self, end: &End) -> (Ended, Option<JailError>) {
        match self.group.counted() {
            Ok(counted) => (self.ended(end, counted), None),
            Err(e) => (Ended { outcome: e.outcome(), ..self.ended(end, Counted::default()) }, Some(e)),
        }
    }

    fn ended(&self, end: &End, counted: Counted) -> Ended {
        let stop = self.meter.stopped().or((counted.oom_kills > 0).then_some(StopReason::Memory));
        Ended {
            id: self.spec.id,
            outcome: end.outcome,
            stop,
            filter_killed: end.outcome == Outcome::Signalled(SIGSYS) && stop.is_none(),
            attempts: end.attempts,
            usage: Usage {
                cpu: counted.cpu,
                user: counted.user,
                system: counted.system,
                wall: Micros(end.ended_us.saturating_sub(end.started_us)),
                memory_peak: counted.memory_peak,
                memory_peak_source: counted.memory_peak_source,
                // Whoever was refused one more had as many as the limit.
                processes_peak: if counted.processes_hit {
                    counted.processes_peak.max(self.spec.limits.processes)
                } else {
                    counted.processes_peak
                },
                throttled: counted.throttled,
                involuntary_switches: end.involuntary_switches,
                oom_kills: counted.oom_kills,
                processes_hit: counted.processes_hit,
                disk_hit: end.disk_hit || end.outcome == Outcome::Signalled(SIGXFSZ),
            },
            setup: Micros(end.started_us.saturating_sub(self.spec.ordered_us)),
            collected: if self.spec.collects { end.collected } else { Collected::None },
            layers: self.layers,
        }
    }

    /// Kills it without a report: the link that wanted one is gone.
    pub fn abandon(self: Box<Self>) -> Finishing {
        finish(self.group, self.init)
    }
}

/// The filter's signal, and the one for a file that grew over its limit; see signal(7).
const SIGSYS: u8 = 31;
const SIGXFSZ: u8 = 25;
/// How long init may collect: it ends by itself before, unless it hangs on a pipe that nobody reads.
const COLLECT_US: u64 = 10_000_000;
/// How long the kernel may take to end it then.
const KILL_AGAIN_US: u64 = 1_000_000;
/// How long a sandbox may take to go. Longer, and its slot is thrown away.
const FINISH_US: u64 = 5_000_000;

impl Finishing {
    /// Readable once init has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.init.0.as_fd()
    }

    /// Whether init was seen to have ended, and with it every process of the run.
    #[must_use]
    pub fn init_is_gone(&self) -> bool {
        self.gone.get()
    }

    fn look_for_init(&self) -> bool {
        if !self.gone.get() {
            let mut wait = [PollFd::new(self.init.0.as_fd(), PollFlags::POLLIN)];
            self.gone.set(poll(&mut wait, PollTimeout::ZERO).is_ok_and(|ready| ready > 0));
        }
        self.gone.get()
    }

    /// Whether nothing is left. To be asked again while it says `false`.
    ///
    /// # Errors
    /// When the group can't be looked at, or does not empty.
    pub fn is_done(&self) -> Result<bool, JailError> {
        if now_us() > self.since_us + FINISH_US {
            return Err(std::io::Error::from(std::io::ErrorKind::TimedOut)).on(Step::Cgroup, "sandbox at rest");
        }
        Ok(self.look_for_init() && self.group.try_finish()?)
    }
}
