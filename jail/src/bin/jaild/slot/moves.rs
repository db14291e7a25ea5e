//! How a slot goes from one state to the next: when something that it waits for happens, and when it is time.

use super::*;

impl Slot {
    /// Moves on. The end of its run, if that is what it came to.
    pub fn wake(&mut self, wake: Wake) -> Option<Ended> {
        match wake {
            Wake::Spawner => self.spawner_spoke(),
            Wake::Init if matches!(self.state, State::Making(..)) => {
                self.spoken = true;
                self.spawner_spoke().or_else(|| match self.state {
                    State::Arming(..) => self.init_spoke(),
                    _ => None,
                })
            }
            Wake::Init => self.init_spoke(),
            Wake::InitEnd => self.init_ended(),
            Wake::Memory => {
                if let State::Running(running) = &mut self.state {
                    running.out_of_memory();
                }
                None
            }
        }
    }

    /// A spawner is ready, has made an init, or is gone.
    fn spawner_spoke(&mut self) -> Option<Ended> {
        let said = self.spawner.as_ref().map(|spawner| Spawned::recv(spawner.socket()))?;
        if matches!(&said, Err(e) if e.source.kind() == io::ErrorKind::WouldBlock) {
            return None;
        }
        match (said, self.leave_state()) {
            (Ok(Some(Spawned::Ready)), State::Starting) => {
                self.state = State::Idle;
                None
            }
            (Ok(Some(Spawned::Init(pidfd))), State::Making(making, job)) => {
                stop_point!("broker.born");
                self.state = State::Arming(making.born(pidfd), job);
                None
            }
            (Ok(Some(Spawned::Failed(outcome))), State::Making(making, job)) => {
                self.state = State::Emptying(making.failed(), now_us());
                if outcome == NAMESPACES_BACK_UP && self.may_wait(job.as_ref()) {
                    self.news = Some(News::BackedUp(job));
                    return None;
                }
                log(&format!("slot {}: no init: {}", self.number, describe(outcome)));
                self.news = job.is_none().then_some(News::Failed);
                job.map(|job| self.never_ran(&job.spec, outcome, None))
            }
            (said, state) => {
                self.give_up(&match said {
                    Ok(Some(Spawned::Failed(outcome))) => describe(outcome),
                    _ => "its spawner is gone".to_owned(),
                });
                self.lost(state)
            }
        }
    }

    /// The end of whatever run this slot had.
    fn lost(&self, state: State) -> Option<Ended> {
        match state {
            State::Making(_, job) | State::Arming(_, job) => job.map(|job| self.never_ran(&job.spec, GONE, None)),
            State::Running(running) => Some(running.died().ended),
            _ => None,
        }
    }

    fn init_spoke(&mut self) -> Option<Ended> {
        match self.leave_state() {
            State::Arming(prepared, job) => match Event::recv(prepared.control()) {
                Ok(Some(Event::Armed)) => self.armed(prepared, job),
                Ok(Some(Event::Failed(outcome))) => self.not_armed(prepared, job.as_ref(), outcome),
                Err(e) if e.source.kind() == io::ErrorKind::WouldBlock => {
                    self.state = State::Arming(prepared, job);
                    None
                }
                _ => self.not_armed(prepared, job.as_ref(), GONE),
            },
            State::Running(running) => self.heard(running.hear()),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn armed(&mut self, prepared: Prepared, job: Option<Job>) -> Option<Ended> {
        match job {
            Some(job) => self.start(prepared, job),
            None => {
                stop_point!("broker.stocked");
                self.state = State::Armed(prepared);
                self.news = Some(News::Stocked(now_us().saturating_sub(self.made_since_us)));
                None
            }
        }
    }

    fn not_armed(&mut self, prepared: Prepared, job: Option<&Job>, outcome: Outcome) -> Option<Ended> {
        log(&format!("slot {}: the sandbox was not armed: {}", self.number, describe(outcome)));
        self.state = State::Finishing(prepared.finish());
        self.news = job.is_none().then_some(News::Failed);
        job.map(|job| self.never_ran(&job.spec, outcome, None))
    }

    pub(super) fn start(&mut self, prepared: Prepared, job: Job) -> Option<Ended> {
        let borrowed: Vec<BorrowedFd<'_>> = job.descriptors.iter().map(AsFd::as_fd).collect();
        match prepared.start(job.spec.clone(), &borrowed, self.layers) {
            Ok(running) => {
                self.state = State::Running(running);
                self.unbegun = Some(job);
                None
            }
            Err(failure) => {
                let (e, finishing) = *failure;
                self.state = State::Finishing(finishing);
                // Its init is dead, and never saw the command.
                let unseen = e.step == Step::Talk && e.source.kind() == io::ErrorKind::BrokenPipe;
                if unseen && job.lost < LOST {
                    self.put_back(job);
                    return None;
                }
                log(&format!("slot {}: {e}", self.number));
                Some(self.never_ran(&job.spec, e.outcome(), None))
            }
        }
    }

    /// What waited, armed, was dead when the job came. Nothing of it has begun, so another sandbox can have it.
    fn put_back(&mut self, mut job: Job) {
        log(&format!("slot {}: its sandbox had ended before it had the run, which goes to another", self.number));
        job.lost += 1;
        self.news = Some(News::Unused(job));
    }

    fn heard(&mut self, heard: Heard) -> Option<Ended> {
        match heard {
            Heard::Running(running) => {
                if running.has_begun() {
                    self.unbegun = None;
                }
                self.state = State::Running(running);
                None
            }
            Heard::Over(over) => {
                let job = self.unbegun.take().filter(|job| over.unused && job.lost < LOST);
                if let Some(job) = job.filter(|_| over.ended.stop.is_none()) {
                    self.state = State::Finishing(over.finishing);
                    self.put_back(job);
                    return None;
                }
                if let Some(e) = over.trouble {
                    log(&format!("slot {}: {e}", self.number));
                } else if matches!(over.ended.outcome, Outcome::Failed { .. }) {
                    // The engine has three numbers, and sends whoever reads them here.
                    log(&format!("slot {}: the program was not begun: {}", self.number, describe(over.ended.outcome)));
                }
                self.state = State::Finishing(over.finishing);
                Some(over.ended)
            }
        }
    }

    fn init_ended(&mut self) -> Option<Ended> {
        match self.leave_state() {
            // A last word may still be in the socket; it comes first.
            State::Running(running) => match running.hear() {
                Heard::Running(running) => self.heard(Heard::Over(running.died())),
                over @ Heard::Over(_) => self.heard(over),
            },
            State::Arming(prepared, job) => {
                let outcome = match Event::recv(prepared.control()) {
                    Ok(Some(Event::Failed(outcome))) => outcome,
                    _ => GONE,
                };
                self.not_armed(prepared, job.as_ref(), outcome)
            }
            State::Armed(prepared) => self.not_armed(prepared, None, GONE),
            State::Finishing(finishing) => {
                self.finish(finishing);
                None
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    fn finish(&mut self, finishing: Finishing) {
        match finishing.is_done() {
            Ok(true) => {
                stop_point!("broker.emptied");
                self.state = State::Idle;
            }
            Ok(false) => self.state = State::Finishing(finishing),
            Err(e) => self.give_up(&e.to_string()),
        }
    }

    /// Clocks, and whether what was left has gone. The end of a run whose sandbox hangs.
    pub fn tick(&mut self, now: u64) -> Option<Ended> {
        match self.leave_state() {
            state @ (State::Starting | State::Making(..) | State::Arming(..)) if now >= self.made_by_us => {
                self.give_up("a sandbox or its tree hangs");
                return self.lost(state);
            }
            State::Running(mut running) => {
                if running.next_tick_us() <= now
                    && let Err(e) = running.tick()
                {
                    log(&format!("slot {}: {e}", self.number));
                }
                self.state = State::Running(running);
            }
            State::Finishing(finishing) => self.finish(finishing),
            State::Emptying(group, since) => match group.try_finish() {
                Ok(true) => self.state = State::Idle,
                Ok(false) if now < since + EMPTY_US => self.state = State::Emptying(group, since),
                Ok(false) => self.give_up("its group does not empty"),
                Err(e) => self.give_up(&e.to_string()),
            },
            other => self.state = other,
        }
        None
    }
}
