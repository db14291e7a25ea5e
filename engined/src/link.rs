//! Our end of the link to jaild: connects and reconnects, sends orders, brings each report to the run that waits for it.
//!
//! When the link closes, all runs of it are over ([`RunEnd::Lost`]). A run whose waiter is dropped is stopped
//! (`Stop{Gone}`), but its slot stays taken until jaild has reported its end: until then the sandbox is still there.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jail::inventory::Inventory;
use jail::link::{Client, Order, ProfileName, Refusal, Report, Request, Welcome};
use jail::spec::{Ended, Limits, RunId, StopReason};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{oneshot, watch};

use crate::audit::orphan::Watch;
use crate::cpu_days::CpuDays;
use crate::metrics::Kills;
use crate::queue::Slot;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// A jaild that starts anew is there in about a second, and a look at its socket costs nothing.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
const WELCOME_WITHIN: Duration = Duration::from_secs(5);
/// jaild counts between two turns of its loop. It may be making a sandbox just then.
const INVENTORY_WITHIN: Duration = Duration::from_secs(2);
/// For so long it stands for the next one: who asks more often costs jaild nothing.
const INVENTORY_STANDS: Duration = Duration::from_millis(200);

/// How a run ended, as far as the link can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// jaild made it and it is over.
    Ended(Ended),
    /// jaild refused the order.
    Refused(Refusal),
    /// The link closed meanwhile; jaild has killed the run.
    Lost,
}

/// An order without the number that the link gives it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which tree, filter and ceilings.
    pub profile: ProfileName,
    /// What it may use.
    pub limits: Limits,
    /// A descriptor bears the artifact of an earlier step.
    pub has_artifact: bool,
    /// The last descriptor takes the collected files.
    pub collects: bool,
}

/// What the link tells of a run: its end, and with it the watch, which whoever hears of the end holds until it is told.
type Told = (RunEnd, Option<Watch>);

struct Waiting {
    end: oneshot::Sender<Told>,
    /// Given back when jaild has reported the end, also when nobody waits for it any more.
    slot: Option<Arc<Slot>>,
    watch: Option<Watch>,
}

impl Waiting {
    fn over(self, end: RunEnd) {
        let Waiting { end: told, slot, watch } = self;
        // Before anybody hears of the end: whoever has the answer may count on what it held.
        drop(slot);
        if let Err((end, watch)) = told.send((end, watch)) {
            tracing::debug!("a run is over that nobody waited for any more");
            watch.iter().for_each(|watch| watch.unheard(&end));
        }
    }
}

#[derive(Default)]
struct State {
    client: Option<Arc<AsyncFd<Client>>>,
    runs: HashMap<RunId, Waiting>,
    /// What could not be sent at once because the link was full.
    unsent: VecDeque<Request>,
    /// Since when an inventory is asked for that has not come yet.
    asked: Option<Instant>,
    /// Why the last attempt to connect failed.
    trouble: Option<String>,
}

/// The link, shared by all who run something.
pub struct Link {
    path: PathBuf,
    state: Mutex<State>,
    ids: AtomicU64,
    welcome: watch::Sender<Option<Welcome>>,
    /// Counted here: who watches [`Link::welcome`] may miss one that is up again at once.
    losses: AtomicU64,
    /// The last that jaild told, and when.
    inventory: watch::Sender<Option<(Instant, Inventory)>>,
    /// Who was ended before its time.
    pub kills: Kills,
    charged: OnceLock<Arc<CpuDays>>,
}

impl Link {
    /// A link to the socket at `path`, not connected yet: [`Link::keep`] does that.
    #[must_use]
    pub fn new(path: &Path) -> Arc<Self> {
        let (welcome, inventory) = (watch::channel(None).0, watch::channel(None).0);
        let (state, ids, kills) = (Mutex::default(), AtomicU64::new(1), Kills::default());
        let losses = AtomicU64::new(0);
        Arc::new(Link {
            path: path.to_owned(),
            state,
            ids,
            welcome,
            losses,
            inventory,
            kills,
            charged: OnceLock::new(),
        })
    }

    /// What each step that has a slot uses is charged to its tenant from now on, also when nobody waits for its end any
    /// more. The first who asks for that gets it.
    pub fn charge(&self, days: Arc<CpuDays>) {
        self.charged.get_or_init(|| days);
    }

    /// What jaild said when the link came up; `None` while it is down. Watch it to follow.
    #[must_use]
    pub fn welcome(&self) -> watch::Receiver<Option<Welcome>> {
        self.welcome.subscribe()
    }

    /// How often it has gone down.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// What jaild holds now; `None` while the link is down, or when jaild does not answer in time. However many ask, there
    /// is one question on its way, and its answer is for all of them.
    pub async fn inventory(&self) -> Option<Inventory> {
        let mut told = self.inventory.subscribe();
        if let Some((at, inventory)) = *told.borrow()
            && at.elapsed() < INVENTORY_STANDS
        {
            return Some(inventory);
        }
        self.ask().ok()?;
        // Also when the link closes: then there is none.
        tokio::time::timeout(INVENTORY_WITHIN, told.changed()).await.ok()?.ok()?;
        let answer = *told.borrow();
        answer.map(|(_, inventory)| inventory)
    }

    /// Asks for an inventory, unless one that can still come was asked for.
    fn ask(&self) -> io::Result<()> {
        let mut state = self.lock();
        let client = state.client.clone().ok_or(io::ErrorKind::NotConnected)?;
        if state.asked.is_some_and(|at| at.elapsed() < INVENTORY_WITHIN) {
            return Ok(());
        }
        // Where it finds no room it does not wait for any, which is for runs.
        client.get_ref().send(&Request::Inventory, &[])?;
        state.asked = Some(Instant::now());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, serves the link until it closes, and starts over. Never returns.
    pub async fn keep(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok((client, welcome)) => {
                    pause = FIRST_PAUSE;
                    tracing::info!(slots = welcome.slots, missing = ?welcome.wanted.without(welcome.obtained), "link up");
                    self.taken_up(Arc::clone(&client));
                    self.welcome.send_replace(Some(welcome));
                    let why = self.serve(&client).await;
                    tracing::warn!(%why, "link down, its runs are over");
                    self.losses.fetch_add(1, Ordering::Relaxed);
                    self.close();
                }
                Err(error) => {
                    tracing::debug!(%error, path = %self.path.display(), "no link to jaild yet");
                    self.lock().trouble = Some(format!("{}: {error}", self.path.display()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn taken_up(&self, client: Arc<AsyncFd<Client>>) {
        let mut state = self.lock();
        state.client = Some(client);
        state.trouble = None;
    }

    /// Why there is no link, as far as that is known.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    async fn connect(&self) -> io::Result<(Arc<AsyncFd<Client>>, Welcome)> {
        let client = Arc::new(watched(Client::connect(&self.path)?)?);
        let first = tokio::time::timeout(WELCOME_WITHIN, receive(&client)).await;
        match first.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "jaild accepted but did not say welcome"))?? {
            Some(Report::Welcome(welcome)) => Ok((client, welcome)),
            Some(other) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected a welcome, got {other:?}")))
            }
            None => Err(io::Error::new(io::ErrorKind::ConnectionRefused, "jaild serves another link")),
        }
    }

    /// Takes reports until the link closes, and says why it did.
    async fn serve(&self, client: &Arc<AsyncFd<Client>>) -> io::Error {
        loop {
            let full = !self.lock().unsent.is_empty();
            let readable = tokio::select! {
                biased;
                readable = client.readable() => readable,
                // A stop that had to wait is tried again when the link has room, at the latest with the next report.
                room = room(client), if full => {
                    if let Err(error) = room.and_then(|()| self.send_unsent(client)) {
                        tracing::trace!(%error, "no room in the link for a stop");
                    }
                    continue;
                }
            };
            let mut guard = match readable {
                Ok(guard) => guard,
                Err(error) => return error,
            };
            match guard.try_io(|client| client.get_ref().recv()) {
                Ok(Ok(Some(report))) => self.deliver(report),
                Ok(Ok(None)) => return io::Error::new(io::ErrorKind::UnexpectedEof, "jaild closed the link"),
                Ok(Err(error)) => return error,
                Err(_would_block) => {}
            }
        }
    }

    fn send_unsent(&self, client: &AsyncFd<Client>) -> io::Result<()> {
        let mut state = self.lock();
        while let Some(request) = state.unsent.front() {
            client.get_ref().send(request, &[])?;
            state.unsent.pop_front();
        }
        Ok(())
    }

    fn deliver(&self, report: Report) {
        let (id, end) = match report {
            Report::Welcome(welcome) => {
                tracing::info!("jaild has read its files anew");
                self.welcome.send_replace(Some(welcome));
                return;
            }
            Report::Inventory(inventory) => {
                self.lock().asked = None;
                self.inventory.send_replace(Some((Instant::now(), inventory)));
                return;
            }
            Report::Refused { id, why } => (id, RunEnd::Refused(why)),
            Report::Ended(ended) => {
                self.kills.count(&ended);
                (ended.id, RunEnd::Ended(ended))
            }
        };
        let waiting = self.lock().runs.remove(&id);
        match waiting {
            // The slot goes back after the lock is free: the next run may be ordered from there.
            Some(waiting) => {
                if let (RunEnd::Ended(ended), Some(slot), Some(charged)) = (&end, &waiting.slot, self.charged.get()) {
                    charged.charge(slot.tenant(), ended.usage.cpu.0);
                }
                waiting.over(end);
            }
            None => tracing::warn!(?id, ?end, "a report for a run that nobody ordered"),
        }
    }

    fn close(&self) {
        self.welcome.send_replace(None);
        self.inventory.send_replace(None);
        let lost = {
            let mut state = self.lock();
            state.client = None;
            state.asked = None;
            state.unsent.clear();
            std::mem::take(&mut state.runs)
        };
        for waiting in lost.into_values() {
            waiting.over(RunEnd::Lost);
        }
    }

    /// Waits no longer for the ends of callers' runs, as if the link had closed.
    pub fn give_up(&self) {
        let lost: Vec<Waiting> = {
            let mut state = self.lock();
            state.runs.extract_if(|_, waiting| waiting.slot.is_some()).map(|(_, waiting)| waiting).collect()
        };
        for waiting in lost {
            waiting.over(RunEnd::Lost);
        }
    }

    /// Orders a run. `slot` is held until jaild has reported its end, and so is `watch`, which is told of an end that nobody
    /// waits for.
    ///
    /// # Errors
    /// `NotConnected` while the link is down, else that of `sendmsg`.
    pub async fn order(
        self: &Arc<Self>,
        draft: Draft,
        descriptors: &[BorrowedFd<'_>],
        slot: Option<Arc<Slot>>,
        watch: Option<Watch>,
    ) -> io::Result<Run> {
        let id = RunId(self.ids.fetch_add(1, Ordering::Relaxed));
        let (end, report) = oneshot::channel();
        // What we ask on our own account has no slot of the queue.
        let aside = slot.is_none();
        let client = {
            let mut state = self.lock();
            let client = state.client.clone().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
            state.runs.insert(id, Waiting { end, slot, watch });
            client
        };
        let Draft { profile, limits, has_artifact, collects } = draft;
        let request = Request::Order(Order { id, profile, limits, has_artifact, collects, aside });
        // From here on dropping this future forgets the run: nothing was sent yet.
        let unsent = Unsent { link: self, id };
        while let Err(error) = client.get_ref().send(&request, descriptors) {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            room(&client).await?;
        }
        std::mem::forget(unsent);
        Ok(Run { link: Arc::clone(self), id, report, over: false, _watch: None })
    }

    fn stop(&self, id: RunId, why: StopReason) {
        let mut state = self.lock();
        if !state.runs.contains_key(&id) {
            return;
        }
        let Some(client) = state.client.clone() else { return };
        let request = Request::Stop { id, why };
        match client.get_ref().send(&request, &[]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => state.unsent.push_back(request),
            Err(error) => tracing::debug!(%error, "stop not sent: the link is closing, which ends the run as well"),
        }
    }
}

/// Takes a run off the books again when its order could not be sent.
struct Unsent<'a> {
    link: &'a Link,
    id: RunId,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        let waiting = self.link.lock().runs.remove(&self.id);
        drop(waiting);
    }
}

/// Lets tokio watch the link's descriptor for reports. Not for room, which is there nearly always: the kernel would wake us
/// with each order that jaild takes.
#[expect(
    deprecated,
    reason = "its successor is an unsafe function for types that may give away their descriptor; a Client keeps the one \
              that it owns for as long as it lives"
)]
fn watched(client: Client) -> io::Result<AsyncFd<Client>> {
    AsyncFd::with_interest(client, Interest::READABLE)
}

/// Waits until the link has room, or is closed.
#[expect(deprecated, reason = "as for `watched`: the descriptor is one of its own")]
async fn room(client: &AsyncFd<Client>) -> io::Result<()> {
    let link = client.get_ref().as_fd().try_clone_to_owned()?;
    let link = AsyncFd::with_interest(link, Interest::WRITABLE)?;
    link.writable().await.map(drop)
}

async fn receive(client: &AsyncFd<Client>) -> io::Result<Option<Report>> {
    client.async_io(Interest::READABLE, Client::recv).await
}

/// A run under way. Dropping it stops it.
#[must_use = "dropping it stops the run"]
pub struct Run {
    link: Arc<Link>,
    id: RunId,
    report: oneshot::Receiver<Told>,
    over: bool,
    /// Of one that is over: whoever took its end has told it before this goes.
    _watch: Option<Watch>,
}

impl Run {
    /// Waits for its end.
    pub async fn end(&mut self) -> RunEnd {
        let (end, watch) = (&mut self.report).await.unwrap_or((RunEnd::Lost, None));
        (self.over, self._watch) = (true, watch);
        end
    }

    /// Asks jaild to end it.
    pub fn stop(&self, why: StopReason) {
        self.link.stop(self.id, why);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.over {
            // An end that is there already, or comes from now on, is heard by nobody.
            self.report.close();
            match self.report.try_recv() {
                Ok((end, watch)) => watch.iter().for_each(|watch| watch.unheard(&end)),
                Err(_) => self.stop(StopReason::Gone),
            }
        }
    }
}
