//! The engine: what all requests share, and the task that finds out what can be offered whenever the link comes up.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jail::link::{SPARE_SLOTS, Welcome};
use jail::spec::Layers;
use languages::Catalogue;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::abuse::Abuse;
use crate::accounts::Accounts;
use crate::audit::{self, Act, Audit};
use crate::batch::{self, Batches};
use crate::blobs::{self, Blobs};
use crate::budget::Budget;
use crate::cache::Cache;
use crate::config::Config;
use crate::confinement::Confinement;
use crate::cpu_days::CpuDays;
use crate::drain::Drain;
use crate::health::{self, Health};
use crate::kept::Store;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::offers::{self, Offers};
use crate::probe;
use crate::problem::Error;
use crate::queue::{Queue, Shed, TenantIndex};
use crate::tenants::Tenants;

pub use bounds::of_jaild;

mod bounds;
mod proving;

/// Runs of our own that jaild has room for beside those of callers.
const SPARE: usize = SPARE_SLOTS as usize;
/// Between two looks at a host that lacks something.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What can be offered at the moment.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What jaild said; `None` while the link is down.
    pub welcome: Option<Welcome>,
    /// The languages, as of the last time that the link came up.
    pub offers: Arc<Offers>,
    /// Why no work can be taken; empty when it can.
    pub obstacles: Vec<String>,
}

/// What all requests share.
pub struct Engine {
    /// What is set.
    pub config: Config,
    /// CPU time of each tenant's day.
    pub cpu_days: Arc<CpuDays>,
    tenants: RwLock<Arc<Tenants>>,
    /// Who runs next.
    pub queue: Arc<Queue>,
    /// The way to the sandboxes.
    pub link: Arc<Link>,
    /// The engine's own memory.
    pub memory: Arc<Budget>,
    /// What was compiled. `None` where it is switched off.
    pub cache: Option<Arc<Cache>>,
    /// Data that is sent once. `None` where there is no folder for it.
    pub blobs: Option<Arc<Blobs>>,
    /// Executions that nobody waits for.
    pub kept: Arc<Store>,
    /// What operators should hear of.
    pub abuse: Arc<Abuse>,
    /// What operators see.
    pub metrics: Metrics,
    /// What is known of its own health.
    pub health: Health,
    /// Whether it is on its way down.
    pub drain: Drain,
    /// The record of what happened, and usage.
    pub audit: Audit,
    batches: OnceLock<Arc<Batches>>,
    no_batches: OnceLock<String>,
    confinement: OnceLock<Confinement>,
    catalogue: RwLock<Arc<Catalogue>>,
    renewed: Notify,
    doubted: Notify,
    standing: RwLock<Arc<Standing>>,
    changed: watch::Sender<()>,
}

impl Engine {
    /// An engine that is not connected yet: [`Engine::keep`] does that.
    ///
    /// # Errors
    /// That of the metrics, and what is wrong with the place of the audit.
    pub fn new(config: Config, catalogue: Catalogue, accounts: &Accounts) -> Result<Arc<Self>, String> {
        let memory = Budget::new(config.engine.memory);
        let tenants = Tenants::new(&config.tenants, accounts, config.listen.development, &memory);
        let known: Vec<String> = catalogue.languages().iter().map(|language| language.id.clone()).collect();
        let starting = Standing { obstacles: vec!["the link to jaild is not up".to_owned()], ..Standing::default() };
        let plans: Vec<&str> = config.tenants.iter().map(|tenant| tenant.plan.name.as_str()).collect();
        let metrics = Metrics::new(&known, &plans, config.slo).map_err(|error| error.to_string())?;
        let audit = Audit::start(&config.audit, &config.usage, metrics.audit.clone())?;
        let names: Vec<&str> = config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        let open = || {
            let (place, bytes) = (config.cache.place(), config.cache.bytes);
            Cache::open(place.as_deref(), bytes, &names, metrics.cache.clone())
        };
        let cache = config.cache.enabled.then(open);
        metrics.cache.failures.inc_by(u64::from(config.cache.enabled && config.cache.refused));
        let blobs = config.blobs.place().map(|place| {
            let set = &config.blobs;
            let free = config.health.disk_free;
            let limits = blobs::Limits { most: set.most, uploads: set.uploads, keep: set.keep, free };
            Blobs::open(&place, limits, metrics.blobs.clone())
        });
        let blobs = blobs.transpose()?;
        let link = Link::new(&config.engine.jaild);
        let cpu_days = CpuDays::new(config.tenants.len());
        if let Some(books) = audit.books() {
            cpu_days.restore(&names, books.cpu_today());
        }
        link.charge(Arc::clone(&cpu_days));
        let kept = Store::new(config.results, config.tenants.len(), config.engine.kept_bytes());
        kept.reshare(&tenants.kept_bytes());
        let queue = Queue::new(config.engine.queue_length, config.engine.sandbox_memory, &[]);
        queue.reshare(&tenants.shares());
        let engine = Engine {
            queue,
            link,
            cpu_days,
            cache,
            blobs,
            memory,
            kept,
            abuse: Arc::new(Abuse::new(config.abuse.clone(), metrics.abuse.clone())),
            health: Health::new(metrics.health.clone()),
            metrics,
            audit,
            batches: OnceLock::new(),
            no_batches: OnceLock::new(),
            confinement: OnceLock::new(),
            standing: RwLock::new(Arc::new(starting)),
            changed: watch::channel(()).0,
            drain: Drain::default(),
            tenants: RwLock::new(Arc::new(tenants)),
            catalogue: RwLock::new(Arc::new(catalogue)),
            renewed: Notify::new(),
            doubted: Notify::new(),
            config,
        };
        match batch::keep::open(&engine.config.batches, &engine.metrics.batches) {
            Ok(batches) => engine.keep_batches(batches),
            Err(why) => {
                // Where there is a place for batches there may be some, which the next engine opens.
                if let Some(blobs) = engine.blobs.as_ref().filter(|_| engine.config.batches.place().is_some()) {
                    blobs.refer_to_unknown(&why);
                }
                engine.no_batches.get_or_init(|| why);
            }
        }
        Ok(Arc::new(engine))
    }

    /// Keeps batches here. What was set first stays; to be set before [`Engine::keep`].
    pub fn keep_batches(&self, batches: Batches) {
        if let Some(blobs) = &self.blobs {
            blobs.refer_to(Arc::clone(&batches.store));
        }
        self.batches.get_or_init(|| Arc::new(batches));
    }

    /// The batches, where they are kept.
    #[must_use]
    pub fn batches(&self) -> Option<&Arc<Batches>> {
        self.batches.get()
    }

    /// Why no batches are kept, where that is so.
    #[must_use]
    pub fn no_batches(&self) -> String {
        self.no_batches.get().cloned().unwrap_or_default()
    }

    /// Notes how the process is confined. What was noted first stays.
    pub fn confined(&self, confinement: Confinement) {
        let confinement = self.confinement.get_or_init(|| confinement);
        for layer in confinement.layers() {
            self.metrics.layer(&layer.layer, layer.obtained);
        }
    }

    /// How the process is confined: not at all before it serves.
    #[must_use]
    pub fn confinement(&self) -> Option<&Confinement> {
        self.confinement.get()
    }

    /// What can be offered at the moment.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Told whenever [`Engine::standing`] has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn stand(&self, standing: Standing) {
        *self.standing.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(standing);
        self.tell();
    }

    /// Who may call, as of now. It changes when the configuration is read again; an index stays what it is.
    #[must_use]
    pub fn tenants(&self) -> Arc<Tenants> {
        Arc::clone(&self.tenants.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these may call. What counts by their index must be ready for those who are new.
    pub(crate) fn set_tenants(&self, tenants: Tenants) {
        *self.tenants.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tenants);
        self.tell();
    }

    /// Returns when nobody may call on this account any more.
    pub async fn closed(&self, tenant: TenantIndex) {
        let mut changes = self.changes();
        while self.tenants().is_open(tenant) && changes.changed().await.is_ok() {}
    }

    /// Keeps the link, and with each new link finds out what it has to offer. Never returns.
    pub async fn keep(self: Arc<Self>) {
        let expiry = tokio::spawn(Arc::clone(&self.kept).expire());
        let tended = tokio::spawn(Arc::clone(&self.queue).tend());
        let mut welcome = self.link.welcome();
        let linked = tokio::spawn(Arc::clone(&self.link).keep());
        let blobs = self.blobs.clone().map(|blobs| tokio::spawn(blobs.keep()));
        let watched = tokio::spawn(health::watch(Arc::clone(&self)));
        let worker = tokio::spawn(batch::work::run(Arc::clone(&self)));
        let store = tokio::spawn(batch::keep::tend(Arc::clone(&self)));
        let mut again = LOOK_AGAIN;
        loop {
            let now = *welcome.borrow_and_update();
            let Some(now) = now else {
                if welcome.changed().await.is_err() {
                    break;
                }
                continue;
            };
            self.metrics.link(true, self.link.losses());
            self.take_up(now, &welcome).await;
            again = if self.health.languages_ill() { (again * 2).min(self.longest()) } else { LOOK_AGAIN };
            if self.until_another_look(&mut welcome, &now, again).await {
                continue;
            }
            if welcome.borrow().is_some() {
                // jaild has read its files anew. What runs goes on.
                continue;
            }
            self.queue.pause();
            self.metrics.link(false, self.link.losses());
            let offers = Arc::clone(&self.standing().offers);
            self.stand(Standing { welcome: None, offers, obstacles: vec!["the link to jaild is down".to_owned()] });
        }
        worker.abort();
        store.abort();
        linked.abort();
        watched.abort();
        expiry.abort();
        if let Some(blobs) = blobs {
            blobs.abort();
        }
        tended.abort();
    }

    /// Probes every toolchain and runs a hello in each language, before anybody's run of that language gets a slot.
    async fn take_up(&self, welcome: Welcome, link: &watch::Receiver<Option<Welcome>>) {
        for layer in Layers::all().iter() {
            self.metrics.layer(layer.name(), welcome.obtained.has(layer));
        }
        let missing = welcome.wanted.without(welcome.obtained);
        let mut obstacles: Vec<String> =
            missing.iter().map(|layer| format!("the layer {layer} is missing: {}", layer.remedy())).collect();
        let mut offers = Offers::default();
        if obstacles.is_empty() {
            let earlier = self.standing();
            let first = earlier.offers.languages.is_empty();
            if !first && earlier.welcome.is_none() {
                // jaild was away for a moment. What it could run before it can run now; whether that still holds is
                // found out behind the first answers.
                self.offer(welcome, Offers::clone(&earlier.offers), Vec::new(), SPARE);
            }
            if !first {
                // What has gone meanwhile is not offered while the rest is looked at.
                self.withdraw(&self.catalogue());
            }
            offers = self.probe(&welcome, first).await;
            if link.has_changed().unwrap_or(true) {
                // What was lost with the link, or looked at with files that are others now, says nothing of a language.
                // What was offered stays so until the next look, which follows at once.
                tracing::info!("the link has changed during the look at the languages: they are looked at anew");
                return;
            }
            if offers.languages.is_empty() {
                let reasons =
                    offers.unavailable.iter().map(|(_, language)| format!("{}: {}", language.id, language.reason));
                obstacles.push(format!("no language can be run ({})", reasons.collect::<Vec<_>>().join("; ")));
            }
        }
        for obstacle in &obstacles {
            tracing::error!(%obstacle, "not ready");
        }
        for (what, lacking) in offers.lacking() {
            tracing::warn!(language = lacking.id, reason = lacking.reason, remedy = lacking.remedy, "{what}");
        }
        self.health.looked_at_all(&offers);
        self.offer(welcome, offers, obstacles, 0);
    }

    /// Stands by what was found out, and lets work in if that is possible, beside as many runs of our own as `busy`.
    fn offer(&self, welcome: Welcome, offers: Offers, obstacles: Vec<String>, busy: usize) {
        let ready = obstacles.is_empty();
        self.stand(Standing { welcome: Some(welcome), offers: Arc::new(offers), obstacles });
        if ready && self.link.welcome().borrow().is_some() {
            let most = slots(&welcome) - busy.saturating_sub(SPARE);
            self.queue.open(self.config.engine.slots.map_or(most, |slots| slots.min(most)));
        }
    }

    /// Looks at all languages, the quick ones first. At the `first` look as many at a time as there are slots, and each is
    /// offered as soon as it is proved: whoever waits for Python need not wait for Java. At a later one, beside the runs of
    /// callers, in the spare slots alone: jaild would refuse a caller's run for want of room.
    async fn probe(&self, welcome: &Welcome, first: bool) -> Offers {
        let catalogue = self.catalogue();
        let mut awaited = catalogue.languages().to_vec();
        awaited.sort_by_key(|definition| definition.compile.is_some());
        let lanes = if first { slots(welcome).min(awaited.len()) } else { SPARE };
        let (ceiling, slots) = (of_jaild(welcome), Arc::new(Semaphore::new(lanes)));
        let mut probes = JoinSet::new();
        for definition in awaited.iter().cloned() {
            let (link, slots) = (Arc::clone(&self.link), Arc::clone(&slots));
            let tuning = self.config.engine.tuning.clone();
            probes.spawn(async move {
                let _slot = slots.acquire_owned().await;
                let probed = probe::toolchains(&link, &definition, &ceiling, true, tuning.as_deref()).await;
                (definition, probed)
            });
        }
        let mut offers = Offers { awaited, ..Offers::default() };
        while let Some(probe) = probes.join_next().await {
            match probe {
                Ok((definition, probed)) => {
                    offers.awaited.retain(|awaited| awaited.id != definition.id);
                    offers.add(&definition, probed);
                    if first && !offers.languages.is_empty() && !offers.awaited.is_empty() {
                        self.offer(*welcome, offers.clone(), Vec::new(), lanes);
                    }
                }
                Err(error) => tracing::error!(%error, "a language could not be looked at"),
            }
        }
        offers.awaited.clear();
        tracing::info!(offered = offers.languages.len(), "every language looked at");
        offers
    }

    /// Reads the manifests again. With a mistake in them the old ones stay, and every mistake is told. jaild, which makes
    /// the sandboxes, takes only such as strangers can't change. We ask the same of them, or we would part company.
    pub fn reload(&self) {
        let us = nix::unistd::geteuid().as_raw();
        match Catalogue::load_trusted(self.config.engine.manifests().as_deref(), us) {
            Ok(catalogue) => {
                tracing::info!(languages = catalogue.languages().len(), "manifests read again");
                audit::administrative(self, Act::Reload { what: "languages", outcome: "taken", mistakes: 0 });
                self.withdraw(&catalogue);
                self.health.renewed();
                *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
                self.renewed.notify_one();
            }
            Err(mistakes) => {
                audit::administrative(
                    self,
                    Act::Reload { what: "languages", outcome: "refused", mistakes: mistakes.len() },
                );
                for mistake in &mistakes {
                    tracing::error!(%mistake, "manifests not taken, the old ones stay; what lies in no folder that was there at the start needs a restart");
                }
            }
        }
    }

    /// The manifests as of the last time that they were read without a mistake.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Offers no longer what `catalogue` has not. What it has more is offered when it has been looked at.
    fn withdraw(&self, catalogue: &Catalogue) {
        let standing = self.standing();
        let mut offers = Offers::clone(&standing.offers);
        if offers.keep(catalogue) {
            self.stand(Standing { offers: Arc::new(offers), ..Standing::clone(&standing) });
        }
    }

    /// Has it found out anew, though not at once, what there is to offer: what was there may be gone.
    pub fn doubt(&self) {
        // A look of our own would take the stop that a test has armed for a caller's run.
        #[cfg(feature = "test-hooks")]
        if jail::stop::attached() {
            return;
        }
        self.doubted.notify_one();
    }

    /// Tells whoever follows that something has changed that is not in [`Engine::standing`].
    pub(crate) fn tell(&self) {
        self.metrics.ready(self.settled().is_ok());
        self.changed.send_replace(());
    }

    /// Whether work can be taken.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the reasons, or that the engine is draining.
    pub fn ready(&self) -> Result<Arc<Standing>, Error> {
        if self.drain.begun() {
            return Err(Error::Shed(Shed::Draining));
        }
        let standing = self.standing();
        if standing.obstacles.is_empty() {
            return Ok(standing);
        }
        Err(Error::NotReady(standing.obstacles.iter().cloned().chain(self.link.trouble()).collect()))
    }

    /// Whether work can be taken in every language that there will be, as of the last look at everything.
    ///
    /// # Errors
    /// As [`Engine::ready`], while languages are still being looked at, and when something is ill that no work can be
    /// done without.
    pub fn settled(&self) -> Result<Arc<Standing>, Error> {
        let standing = self.ready()?;
        let ill = self.health.obstacles();
        if !ill.is_empty() {
            return Err(Error::NotReady(ill));
        }
        match standing.offers.awaited.as_slice() {
            [] => Ok(standing),
            awaited => Err(Error::NotReady(awaited.iter().map(offers::being_looked_at).collect())),
        }
    }
}

/// How many runs jaild has room for.
fn slots(welcome: &Welcome) -> usize {
    usize::try_from(welcome.slots).unwrap_or(usize::MAX)
}
