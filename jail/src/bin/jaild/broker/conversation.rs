//! What the engine says, checked as if it were hostile, and what it is told.

use super::*;

impl Broker<'_> {
    /// One link at a time. The socket's owner and mode let only the engine's user connect; what is checked here keeps
    /// out a sandbox that got hold of the socket all the same.
    pub(super) fn accept(&mut self, listener: &OwnedFd) {
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
    pub(super) fn welcome(&mut self) {
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

    pub(super) fn hear_link(&mut self) {
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
        self.waiting.push_back(Job { spec, profile: Some(order.profile), descriptors, lost: 0, aside: order.aside });
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
            let stock = self.stock.count(self.slots.iter().filter(|slot| slot.is_armed()).count());
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

    pub(super) fn link_is_gone(&mut self, why: &str) {
        log(&format!("the link is gone ({why}): its runs are ended"));
        self.link = None;
        self.waiting.clear();
        self.slots.iter_mut().for_each(Slot::abandon);
    }

    /// Says it to the engine. One that does not read is treated as gone.
    pub(super) fn report(&mut self, report: &Report) {
        let Some(link) = &self.link else { return };
        if let Err(e) = sys::send_with_descriptors(link.as_fd(), &report.encode(), &[]) {
            self.link_is_gone(&e.to_string());
        }
    }
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
