//! The worker: takes up submissions that have work left, of each tenant as many as can begin soon, and lets each be judged by
//! itself. Where all of those are long at it, a batch that has none among them is begun beside them, within a bound. Nothing
//! here asks again and again: it is woken when there is something new, when a submission is over, and when the engine has
//! changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jail::stop_point;
use store::{Answer, Leased, LeasedSubmission, Question, Renewal, Share, StoreError, Wish};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::Batches;
use super::account::{Account, Missed};
use super::common::Common;
use super::lease::Leases;
use super::recorder::Recorder;
use super::spec::{self, BatchSpec};
use super::submission;
use crate::budget::Budget;
use crate::contained::contained;
use crate::engine::Engine;
use crate::queue::TenantIndex;

/// Should a word be missed, it is found out after so long.
const SAFETY: Duration = Duration::from_secs(30);
/// What the store does not do now is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Of each tenant so many submissions may be under way at the least.
const LEAST: usize = 4;
/// And so many more, each of a batch that has no other under way: submissions that take long keep no other batch from its
/// tests.
const IDLE: usize = 4;
/// Of a tenant so many runs wait in the queue. In the whole engine so many, and as many as there are slots, may be leased
/// before they have one.
const WAITING: usize = 2;

/// All sources together may take one part in so many of the engine's memory, beside it: submissions hold them as long as they
/// are judged, and wait for the rest of it meanwhile.
const SOURCES: u64 = 4;
/// The same of what is known of submissions that are taken up again.
const RESTORED: u64 = 8;
/// Of the engine's memory itself, what comparisons may hold of outputs of very many lines.
const COMPARISONS: u64 = 4;

/// What those who judge share.
pub struct Worker {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its batches.
    pub batches: Arc<Batches>,
    /// Writes down results.
    pub recorder: Recorder,
    /// What is leased before it has a slot, and who is suspected.
    pub leases: Leases,
    /// For the sources of all submissions under way, so that they leave the engine's memory to those who come and go.
    pub sources: Arc<Budget>,
    /// For comparisons.
    pub comparisons: Arc<Budget>,
    /// For what has a result already. Not of the sources: who has this waits for those.
    pub restored: Arc<Budget>,
    state: Mutex<State>,
    /// Told when a submission is over.
    freed: Notify,
}

#[derive(Default)]
struct State {
    tenants: HashMap<String, Tenant>,
    commons: HashMap<String, Arc<Place>>,
    /// So many slots the leases know of.
    slots: usize,
    /// Submissions under way.
    active: Vec<(String, u32)>,
}

/// Where what is common to a batch is, as long as somebody has it.
type Place = tokio::sync::Mutex<Weak<Common>>;

struct Tenant {
    active: usize,
    /// Turns of its runs: as many as there are slots, and as many more as may be leased before they have one.
    gate: Arc<Semaphore>,
    /// Those of them that wait in the queue.
    waiting: Arc<Semaphore>,
    slots: usize,
}

/// Works on batches for as long as the engine lives, if it keeps any. Never returns.
pub async fn run(engine: Arc<Engine>) {
    let Some(batches) = engine.batches().map(Arc::clone) else { return std::future::pending().await };
    let recorder = Recorder::start(Arc::clone(&batches.store));
    let memory = &engine.memory;
    let [sources, restored] = [SOURCES, RESTORED].map(|share| Budget::new(memory.limit() / share));
    let comparisons = memory.part(COMPARISONS);
    let worker = Arc::new(Worker {
        engine,
        sources,
        comparisons,
        restored,
        batches,
        recorder,
        leases: Leases::new(WAITING),
        state: Mutex::default(),
        freed: Notify::new(),
    });
    worker.work().await
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: Arc<Self>) {
        let (mut work, mut changes) = (self.batches.store.work(), self.engine.changes());
        loop {
            work.mark_unchanged();
            changes.mark_unchanged();
            let pause = if self.engine.drain.begun() || self.engine.settled().is_err() {
                SAFETY
            } else {
                match self.take_up().await {
                    Ok(until) => until.map_or(SAFETY, |until| until.min(SAFETY)),
                    Err(error) => {
                        tracing::warn!(%error, "batches are not taken up yet");
                        AGAIN
                    }
                }
            };
            tokio::select! {
                _ = work.changed() => {}
                _ = changes.changed() => {}
                () = self.freed.notified() => {}
                () = tokio::time::sleep(pause) => self.renew().await,
            }
        }
    }

    /// Takes up what there is room for. When a tenant may go on that has used up its day is told.
    async fn take_up(self: &Arc<Self>) -> Result<Option<Duration>, StoreError> {
        let Answer::Waiting(waiting) = self.batches.store.read(Question::Waiting).await? else {
            return Err(StoreError::Failed("it has answered something else".to_owned()));
        };
        let tenants = self.engine.tenants();
        let names = tenants.names();
        let (mut most, mut first) = (Vec::new(), None::<Duration>);
        for name in waiting {
            let known = names.iter().position(|known| *known == name).map(TenantIndex);
            let Some(index) = known.filter(|index| tenants.is_open(*index)) else {
                tracing::debug!(tenant = name, "batches wait of a tenant on whose account nobody may call");
                continue;
            };
            if let Err(spent) = self.engine.cpu_days.check(index, tenants.plan(index).cpu_seconds_per_day) {
                first = Some(first.map_or(spent.until, |first| first.min(spent.until)));
                continue;
            }
            let share = self.room(name);
            if share.any + share.idle > 0 {
                most.push(share);
            }
        }
        if most.is_empty() {
            return Ok(first);
        }
        let Leased::Submissions(leased) = self.batches.store.lease(Wish::Submissions { most }).await? else {
            return Err(StoreError::Failed("it has leased something else".to_owned()));
        };
        for submission in leased {
            stop_point!("engined.batch.leased");
            self.begin(submission, &names);
        }
        Ok(first)
    }

    /// How many more submissions of a tenant may be under way.
    fn room(&self, tenant: String) -> Share {
        let slots = self.engine.queue.gauges().slots;
        let mut state = self.lock();
        if slots > state.slots {
            self.leases.more(slots - state.slots);
            state.slots = slots;
        }
        let (most, active) = (LEAST.max(2 * slots), state.tenant(&tenant, slots).active);
        let any = most.saturating_sub(active);
        Share { tenant, any, idle: (most + IDLE).saturating_sub(active + any) }
    }

    fn begin(self: &Arc<Self>, leased: LeasedSubmission, names: &[&str]) {
        let slots = self.engine.queue.gauges().slots;
        let Some(index) = names.iter().position(|known| *known == leased.tenant) else { return };
        let who = (leased.batch.clone(), leased.submission);
        {
            let mut state = self.lock();
            state.tenant(&leased.tenant, slots).active += 1;
            state.active.push(who.clone());
        }
        let sender = spec::read::<BatchSpec>(&leased.spec).ok().and_then(|spec| spec.sender).unwrap_or_default();
        let account = Account {
            tenant: TenantIndex(index),
            caller: sender.caller(),
            labels: leased.labels.clone(),
            batch: leased.batch.as_str().into(),
            cancelled: self.batches.cancelled(&leased.batch),
        };
        let (worker, tenant) = (Arc::clone(self), leased.tenant.clone());
        // Whoever waits for the engine's end waits for what it has begun.
        let under_way = self.engine.drain.under_way();
        tokio::spawn(async move {
            let judged = contained(submission::judge(Arc::clone(&worker), account, leased)).await;
            let judged = match judged {
                Some(judged) => judged,
                None => worker.panicked(&who).await,
            };
            drop(under_way);
            if let Err(missed) = judged {
                tracing::debug!(?missed, batch = who.0, submission = who.1, "a submission is given back");
            }
            worker.over(&tenant, &who);
        });
    }

    /// It is taken up again, with what it was about to run counted as tried.
    async fn panicked(&self, (batch, submission): &(String, u32)) -> Result<(), Missed> {
        self.engine.metrics.panicked();
        let renewal =
            Renewal::Return { batch: batch.clone(), submission: *submission, units: Vec::new(), submission_too: true };
        tokio::time::sleep(AGAIN).await;
        if let Err(error) = self.batches.store.renew(renewal).await {
            tracing::warn!(%error, batch, submission, "a submission could not be given back");
        }
        Err(Missed::Draining)
    }

    fn over(&self, tenant: &str, who: &(String, u32)) {
        let slots = self.engine.queue.gauges().slots;
        {
            let mut state = self.lock();
            let tenant = state.tenant(tenant, slots);
            tenant.active = tenant.active.saturating_sub(1);
            state.active.retain(|active| active != who);
            state.commons.retain(|_, place| {
                Arc::strong_count(place) > 1 || place.try_lock().map_or(true, |common| common.strong_count() > 0)
            });
        }
        self.freed.notify_one();
    }

    /// What is common to a batch, read once for all its submissions that are under way.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn common(&self, account: &Account, leased: &LeasedSubmission) -> Result<Arc<Common>, Missed> {
        let place = Arc::clone(self.lock().commons.entry(leased.batch.clone()).or_default());
        loop {
            {
                // One reads it, and has its checker compiled; the others wait.
                let mut place = account.unless_missed(&self.engine, place.lock()).await?;
                if let Some(common) = place.upgrade() {
                    return Ok(common);
                }
                match Common::load(&self.engine, &self.batches.store, account, leased).await? {
                    Ok(common) => {
                        let common = Arc::new(common);
                        *place = Arc::downgrade(&common);
                        return Ok(common);
                    }
                    Err(error) => tracing::error!(%error, batch = leased.batch, "a batch can't be begun"),
                }
            }
            account.pause(&self.engine, SAFETY).await?;
        }
    }

    /// The turns of a tenant's runs: whoever asks is served in the order of asking, so that submissions which ask for one at a
    /// time have theirs in turn.
    #[must_use]
    pub fn gate(&self, tenant: &str) -> Arc<Semaphore> {
        let slots = self.engine.queue.gauges().slots;
        Arc::clone(&self.lock().tenant(tenant, slots).gate)
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn turn(&self, account: &Account, tenant: &str) -> Result<OwnedSemaphorePermit, Missed> {
        account.permit(&self.engine, self.gate(tenant)).await
    }

    /// The places of a tenant's runs in the queue.
    #[must_use]
    pub fn waiting(&self, tenant: &str) -> Arc<Semaphore> {
        let slots = self.engine.queue.gauges().slots;
        Arc::clone(&self.lock().tenant(tenant, slots).waiting)
    }

    async fn renew(&self) {
        let submissions = self.lock().active.clone();
        if submissions.is_empty() {
            return;
        }
        if let Err(error) = self.batches.store.renew(Renewal::Keep { submissions }).await {
            tracing::warn!(%error, "leases are not renewed");
        }
    }
}

impl State {
    fn tenant(&mut self, name: &str, slots: usize) -> &mut Tenant {
        let tenant = self.tenants.entry(name.to_owned()).or_insert_with(|| Tenant {
            active: 0,
            gate: Arc::new(Semaphore::new(WAITING)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            slots: 0,
        });
        let slots = slots.max(1);
        if slots > tenant.slots {
            tenant.gate.add_permits(2 * (slots - tenant.slots));
            tenant.slots = slots;
        }
        tenant
    }
}
