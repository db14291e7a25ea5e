//! One slot: its groups, its spawner, and where its run has got to.
//!
//! A slot goes round: *starting* (its spawner builds the tree), *idle*, *making* (an init is cloned), *arming* (init and
//! payload confine themselves), *armed* (nothing of a caller is in it), *running*, *finishing* (what is left of the run
//! goes), *idle*. A job joins it at any of these before *running*: a sandbox of the stock differs from one that is made
//! on the spot in nothing but when its job came. Whatever can't go on is *broken*: its spawner is ended, which takes every
//! process of the slot along, and both are made anew.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::cgroup::{Base, RunGroup, SlotGroup, Urgency};
use jail::error::{JailError, Step};
use jail::link::ProfileName;
use jail::sandbox::{Finishing, Heard, Making, Prepared, Running, Spec};
use jail::spawn::{Blueprint, Spawner};
use jail::spec::{Ended, Layers, Outcome, RunId, StopReason};
use jail::stop_point;
use jail::talk::{Event, Make, Spawned, now_us};
use nix::poll::PollFlags;

use crate::ends::{GONE, KILLED, never_ran};

mod moves;

/// How often a slot that is being emptied is looked at.
const FINISH_TICK_US: u64 = 1_000;
/// How long a group may take to empty.
const EMPTY_US: u64 = 5_000_000;
/// A slot that broke is made anew after this, one that could not be made after that: never in a tight loop.
const RENEW_US: (u64, u64) = (100_000, 1_000_000);

/// How long those who were killed may stay in a slot's groups before it is said that they do.
const STAYS_US: u64 = 2_000_000;

/// How long a job waits for the kernel to take namespaces down, before it is given up.
const BACK_UP_US: u64 = 5_000_000;
/// What `clone` says then, see namespaces(7), *max_net_namespaces*.
const NAMESPACES_BACK_UP: Outcome = Outcome::Failed { step: Step::Clone as u8, errno: libc::ENOSPC, index: 0 };

/// So many sandboxes may be gone when a job gets to them: whoever ends them one after the other shall be told of.
const LOST: u8 = 3;

/// How long a tree may take to be built, or a sandbox to be armed. It is milliseconds; whoever takes longer hangs.
const MAKE_US: u64 = 30_000_000;

/// An order with its descriptors.
pub struct Job {
    pub spec: Spec,
    /// Whose filter it gets, when a slot takes it. `None` for jaild's own probe, which has the first.
    pub profile: Option<ProfileName>,
    pub descriptors: Vec<OwnedFd>,
    /// How many sandboxes were gone when they got it.
    pub lost: u8,
    /// Asked by the engine on its own account: it has no claim to CPUs of its own.
    pub aside: bool,
}

/// What a slot is doing.
enum State {
    Starting,
    Idle,
    /// For a job, or for the stock. So is the next.
    Making(Making, Option<Job>),
    Arming(Prepared, Option<Job>),
    Armed(Prepared),
    Running(Box<Running>),
    Finishing(Finishing),
    /// The group of a sandbox that never came to be goes, since that time.
    Emptying(RunGroup, u64),
    Broken,
}

/// How near a slot is to a run, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// Its sandbox waits.
    Armed,
    /// Its sandbox confines itself, for the stock.
    Arming,
    /// Its sandbox is being cloned, for the stock.
    Making,
    /// There is nothing yet.
    Idle,
}

/// What the stock is told of a slot.
pub enum News {
    /// A sandbox was armed for the stock, in so many microseconds.
    Stocked(u64),
    /// One for the stock could not be armed, or died while it waited.
    Failed,
    /// The sandbox was gone when the job came, of which nothing has begun: it waits for another.
    Unused(Job),
    /// There are too many network namespaces that the kernel has yet to take down. A job waits meanwhile.
    BackedUp(Option<Job>),
}

/// Which of a slot's descriptors is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    Spawner,
    Init,
    InitEnd,
    Memory,
}

/// One slot.
pub struct Slot {
    number: u32,
    group: Option<SlotGroup>,
    spawner: Option<Spawner>,
    state: State,
    generation: u64,
    renew_at_us: u64,
    /// Which sandbox of all it is, that it has or makes.
    run_number: u64,
    /// The payload's, of the sandbox that it has or makes.
    filter: u32,
    made_since_us: u64,
    made_by_us: u64,
    /// Its init has spoken, or there is none: what the spawner says of it is waited for.
    spoken: bool,
    news: Option<News>,
    /// The job of a run that may have to be given to another sandbox. Until it is known to have begun.
    unbegun: Option<Job>,
    layers: Layers,
    /// Since when its groups could not be removed, and whether the log says so.
    stays_since_us: Option<u64>,
    told_of_stay: bool,
}

impl Slot {
    /// A slot that is yet to be made.
    pub fn new(number: u32) -> Self {
        Slot {
            number,
            group: None,
            spawner: None,
            state: State::Broken,
            generation: 0,
            renew_at_us: 0,
            run_number: 0,
            filter: 0,
            made_since_us: 0,
            made_by_us: 0,
            spoken: false,
            news: None,
            unbegun: None,
            layers: Layers::default(),
            stays_since_us: None,
            told_of_stay: false,
        }
    }

    /// Makes groups and spawner anew.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn renew(&mut self, base: &Base, blueprint: &Blueprint, generation: u64) -> Result<(), JailError> {
        let now = now_us();
        self.renew_at_us = now + RENEW_US.1;
        self.state = State::Broken;
        self.spawner = None;
        if !self.removed(now)? {
            return Ok(());
        }
        self.told_of_stay = false;
        let group = base.slot(self.number)?;
        stop_point!("broker.renewing");
        self.spawner = Some(Spawner::start(&group, blueprint)?);
        self.group = Some(group);
        self.generation = generation;
        self.layers = Layers::all().without(blueprint.off);
        self.state = State::Starting;
        self.made_by_us = now_us() + MAKE_US;
        Ok(())
    }

    /// Tries to remove its groups, without waiting: other slots have runs. `false`: somebody is still inside. The kernel
    /// needs a moment for those who have just been killed; whoever stays longer is told of once.
    fn removed(&mut self, now: u64) -> Result<bool, JailError> {
        let Some(group) = &self.group else { return Ok(true) };
        if group.try_remove()? {
            (self.group, self.stays_since_us) = (None, None);
            return Ok(true);
        }
        let since = *self.stays_since_us.get_or_insert(now);
        if now < since + STAYS_US {
            self.renew_at_us = now + FINISH_TICK_US;
        } else if !self.told_of_stay {
            self.told_of_stay = true;
            log(&format!(
                "slot {}: its groups can't be removed, a process is inside; it is not used meanwhile",
                self.number
            ));
        }
        Ok(false)
    }

    /// Whether it should be renewed now: it is broken, or idle and of another generation than `wanted`.
    pub fn wants_renewal(&self, wanted: u64, now: u64) -> bool {
        match self.state {
            State::Broken => now >= self.renew_at_us,
            State::Idle | State::Armed(_) => self.generation != wanted,
            _ => false,
        }
    }

    /// Whether its sandbox waits, whatever its filter.
    pub fn is_armed(&self) -> bool {
        matches!(self.state, State::Armed(_))
    }

    /// When its run got its command, if it has one.
    pub fn begun_us(&self) -> Option<u64> {
        match &self.state {
            State::Running(running) => Some(running.begun_us()),
            _ => None,
        }
    }

    /// Which sandbox of all it has, or had last.
    pub fn run_number(&self) -> u64 {
        self.run_number
    }

    /// Whether the sandbox that it has or makes has this filter.
    pub fn has_filter(&self, filter: u32) -> bool {
        self.filter == filter
    }

    /// How near it is to a run of this generation, whose tree and filters are those of the policy. `None`: it can't take
    /// one.
    pub fn readiness(&self, generation: u64, filter: u32) -> Option<Readiness> {
        let readiness = match self.state {
            State::Armed(_) => Readiness::Armed,
            State::Arming(_, None) => Readiness::Arming,
            State::Making(_, None) => Readiness::Making,
            State::Idle => Readiness::Idle,
            _ => return None,
        };
        let fits = readiness == Readiness::Idle || self.has_filter(filter);
        (fits && self.generation == generation).then_some(readiness)
    }

    /// The run that it has.
    pub fn run(&self) -> Option<RunId> {
        match &self.state {
            State::Making(_, job) | State::Arming(_, job) => job.as_ref().map(|job| job.spec.id),
            State::Running(running) => Some(running.id()),
            _ => None,
        }
    }

    /// Begins to make a sandbox, for `job` or for the stock. The end of the job, if that fails.
    pub fn make(&mut self, job: Option<Job>, run: u64, make: Make) -> Option<Ended> {
        let never = |slot: &Self, outcome| job.as_ref().map(|job| slot.never_ran(&job.spec, outcome, None));
        let (Some(group), Some(spawner)) = (&self.group, &self.spawner) else { return never(self, GONE) };
        let urgency = if job.is_some() { Urgency::Waited } else { Urgency::Stock };
        let begun = group.urge(urgency).and_then(|()| Making::begin(group, spawner, run, make));
        match begun {
            Ok(making) => {
                stop_point!("broker.making");
                let now = now_us();
                self.state = State::Making(making, job);
                self.spoken = false;
                (self.filter, self.run_number) = (make.filter, run);
                (self.made_since_us, self.made_by_us) = (now, now + MAKE_US);
                None
            }
            Err(e) => {
                let ended = never(self, e.outcome());
                self.give_up(&e.to_string());
                ended
            }
        }
    }

    /// Gives `job` to the sandbox that it has or is making already. The end of the job, if that fails.
    pub fn give(&mut self, job: Job) -> Option<Ended> {
        if let Some(Err(e)) = self.group.as_ref().map(|group| group.urge(Urgency::Waited)) {
            let ended = self.never_ran(&job.spec, e.outcome(), None);
            self.give_up(&e.to_string());
            return Some(ended);
        }
        match self.leave_state() {
            State::Armed(prepared) => self.start(prepared, job),
            State::Arming(prepared, None) => {
                self.state = State::Arming(prepared, Some(job));
                None
            }
            State::Making(making, None) => {
                self.state = State::Making(making, Some(job));
                None
            }
            other => {
                self.state = other;
                Some(self.never_ran(&job.spec, GONE, None))
            }
        }
    }

    /// Throws the sandbox away that waits in it: its filter is not the one that is asked for.
    pub fn discard(&mut self) {
        self.state = match self.leave_state() {
            State::Armed(prepared) => State::Finishing(prepared.finish()),
            other => other,
        };
    }

    /// What has happened since the last call, for the stock's books.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Whether a job, if there is one, has not waited too long for namespaces.
    fn may_wait(&self, job: Option<&Job>) -> bool {
        job.is_none_or(|job| now_us() < job.spec.ordered_us + BACK_UP_US)
    }

    fn leave_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Broken)
    }

    /// The slot can't go on.
    fn give_up(&mut self, why: &str) {
        log(&format!("slot {} is made anew: {why}", self.number));
        self.spawner = None;
        self.unbegun = None;
        self.state = State::Broken;
        self.renew_at_us = now_us() + RENEW_US.0;
    }

    /// Ends its run. The end, where there is no program yet that could report it: the sandbox goes to the stock then.
    pub fn stop(&mut self, why: StopReason) -> Option<Ended> {
        match self.leave_state() {
            State::Running(mut running) => {
                running.stop(why);
                self.unbegun = None;
                self.state = State::Running(running);
                None
            }
            State::Arming(prepared, job) => {
                self.state = State::Arming(prepared, None);
                job.map(|job| self.never_ran(&job.spec, KILLED, Some(why)))
            }
            State::Making(making, job) => {
                self.state = State::Making(making, None);
                job.map(|job| self.never_ran(&job.spec, KILLED, Some(why)))
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Ends its run without a report: nobody is left who wants one.
    pub fn abandon(&mut self) {
        self.unbegun = None;
        self.state = match self.leave_state() {
            State::Running(running) => State::Finishing(running.abandon()),
            State::Arming(prepared, _) => State::Arming(prepared, None),
            State::Making(making, _) => State::Making(making, None),
            other => other,
        };
    }

    /// Ends its spawner and with it everything in the slot; what is left are the groups.
    pub fn end(&mut self) -> Option<SlotGroup> {
        self.state = State::Broken;
        self.spawner = None;
        self.group.take()
    }

    /// What it waits for. Where nothing is asked for it is told that the other end is gone, all the same.
    pub fn waits(&self) -> Vec<(Wake, BorrowedFd<'_>, PollFlags)> {
        let word = PollFlags::POLLIN;
        let mut waits = Vec::with_capacity(4);
        // That a spawner has made an init is read when there is something to be done about it.
        let making = matches!(self.state, State::Making(..)) && !self.spoken;
        let of_spawner = if making { PollFlags::empty() } else { word };
        waits.extend(self.spawner.as_ref().map(|spawner| (Wake::Spawner, spawner.socket(), of_spawner)));
        match &self.state {
            State::Making(making, _) if !self.spoken => waits.push((Wake::Init, making.control(), word)),
            State::Arming(prepared, _) => {
                waits.push((Wake::Init, prepared.control(), word));
                waits.push((Wake::InitEnd, prepared.pidfd(), word));
            }
            State::Armed(prepared) => waits.push((Wake::InitEnd, prepared.pidfd(), word)),
            State::Running(running) => {
                waits.extend(running.control().map(|fd| (Wake::Init, fd, word)));
                waits.push((Wake::InitEnd, running.pidfd(), word));
                waits.extend(running.oom_event().map(|fd| (Wake::Memory, fd, word)));
            }
            State::Finishing(finishing) if !finishing.init_is_gone() => {
                waits.push((Wake::InitEnd, finishing.pidfd(), word));
            }
            _ => {}
        }
        waits
    }

    /// Its spawner, for counting alone.
    pub fn spawner_pid(&self) -> Option<i32> {
        self.spawner.as_ref().map(Spawner::pid)
    }

    /// When it wants to be looked at.
    pub fn next_us(&self, now: u64) -> Option<u64> {
        match &self.state {
            State::Running(running) => Some(running.next_tick_us()),
            State::Finishing(_) | State::Emptying(..) => Some(now + FINISH_TICK_US),
            State::Broken => Some(self.renew_at_us),
            State::Starting | State::Making(..) | State::Arming(..) => Some(self.made_by_us),
            State::Idle | State::Armed(_) => None,
        }
    }

    fn never_ran(&self, spec: &Spec, outcome: Outcome, stop: Option<StopReason>) -> Ended {
        never_ran(spec, outcome, stop, self.layers)
    }
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { step, errno, index } => {
            let doing = Step::from_number(step).map_or("do something unknown", Step::doing);
            // One of our own has no number.
            let why = if errno == 0 {
                "it is not as it must be".to_owned()
            } else {
                io::Error::from_raw_os_error(errno).to_string()
            };
            format!("could not {doing} ({index}): {why}")
        }
        other => format!("{other:?}"),
    }
}

/// A line on standard error. A log that takes no more (its disk is full, its reader is gone) is no reason to end, which
/// `eprintln!` would make it.
pub fn log(text: &str) {
    let (Ok(()) | Err(_)) = writeln!(io::stderr(), "jaild: {text}");
}
