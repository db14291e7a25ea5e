//! The engine: what all requests share, and the task that finds out what can be offered whenever the link comes up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jail::link::Welcome;
use jail::spec::Layers;
use languages::{Catalogue, Limits};
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::admission;
use crate::budget::Budget;
use crate::config::Config;
use crate::kept::Store;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::offers::Offers;
use crate::probe;
use crate::problem::Error;
use crate::queue::{Queue, Shed, TenantIndex};
use crate::tenants::Tenants;

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
    /// Who may call.
    pub tenants: Tenants,
    /// Who runs next.
    pub queue: Arc<Queue>,
    /// The way to the sandboxes.
    pub link: Arc<Link>,
    /// The engine's own memory.
    pub memory: Arc<Budget>,
    /// Executions that nobody waits for.
    pub kept: Arc<Store>,
    /// What operators see.
    pub metrics: Metrics,
    catalogue: Catalogue,
    standing: RwLock<Arc<Standing>>,
    changed: watch::Sender<()>,
    draining: AtomicBool,
}

impl Engine {
    /// An engine that is not connected yet: [`Engine::keep`] does that.
    ///
    /// # Errors
    /// That of the metrics.
    pub fn new(config: Config, catalogue: Catalogue, accounts: &Accounts) -> Result<Arc<Self>, prometheus::Error> {
        let tenants = Tenants::new(&config.tenants, accounts, config.listen.development);
        let known: Vec<String> = catalogue.languages().iter().map(|language| language.id.clone()).collect();
        let starting = Standing { obstacles: vec!["the link to jaild is not up".to_owned()], ..Standing::default() };
        Ok(Arc::new(Engine {
            queue: Queue::new(config.engine.queue_length, config.engine.sandbox_memory, &tenants.shares()),
            link: Link::new(&config.engine.jaild),
            memory: Budget::new(config.engine.memory),
            kept: Store::new(config.results, config.tenants.len(), config.engine.kept_bytes()),
            metrics: Metrics::new(&known)?,
            standing: RwLock::new(Arc::new(starting)),
            changed: watch::channel(()).0,
            draining: AtomicBool::new(false),
            tenants,
            catalogue,
            config,
        }))
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
        self.metrics.ready(standing.obstacles.is_empty());
        *self.standing.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(standing);
        self.changed.send_replace(());
    }

    /// The most that a tenant may ask for: its plan, jaild's ceiling and the memory of this host together.
    #[must_use]
    pub fn ceiling(&self, tenant: TenantIndex, welcome: Option<&Welcome>) -> Limits {
        let plan = self.tenants.ceiling(tenant);
        let mut ceiling = welcome.map_or(*plan, |welcome| admission::lowered(plan, &of_jaild(welcome)));
        ceiling.memory_bytes = ceiling.memory_bytes.min(self.config.engine.sandbox_memory);
        ceiling
    }

    /// Keeps the link, and with each new link finds out what it has to offer. Never returns.
    pub async fn keep(self: Arc<Self>) {
        let expiry = tokio::spawn(Arc::clone(&self.kept).expire());
        let mut welcome = self.link.welcome();
        let linked = tokio::spawn(Arc::clone(&self.link).keep());
        loop {
            let now = *welcome.borrow_and_update();
            let Some(now) = now else {
                if welcome.changed().await.is_err() {
                    break;
                }
                continue;
            };
            self.metrics.link(true);
            self.take_up(now).await;
            // While something is missing it may be installed: look again from time to time.
            let lacking = !self.standing().obstacles.is_empty();
            tokio::select! {
                _ = welcome.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN), if lacking => continue,
            }
            self.queue.pause();
            self.metrics.link(false);
            let offers = Arc::clone(&self.standing().offers);
            self.stand(Standing { welcome: None, offers, obstacles: vec!["the link to jaild is down".to_owned()] });
        }
        linked.abort();
        expiry.abort();
    }

    /// Probes every toolchain and runs a hello in each language, before anybody's run gets a slot.
    async fn take_up(&self, welcome: Welcome) {
        let missing = welcome.wanted.without(welcome.obtained);
        for layer in Layers::all().iter() {
            self.metrics.layer(layer.name(), welcome.obtained.has(layer));
        }
        let mut obstacles: Vec<String> =
            missing.iter().map(|layer| format!("the layer {layer} is missing: {}", layer.remedy())).collect();
        let mut offers = Offers::default();
        if obstacles.is_empty() {
            offers = self.probe(&welcome).await;
            if offers.languages.is_empty() {
                let reasons =
                    offers.unavailable.iter().map(|(_, language)| format!("{}: {}", language.id, language.reason));
                obstacles.push(format!("no language can be run ({})", reasons.collect::<Vec<_>>().join("; ")));
            }
        }
        let ready = obstacles.is_empty();
        for obstacle in &obstacles {
            tracing::error!(%obstacle, "not ready");
        }
        for (_, language) in &offers.unavailable {
            tracing::warn!(
                language = language.id,
                reason = language.reason,
                remedy = language.remedy,
                "language unavailable"
            );
        }
        self.stand(Standing { welcome: Some(welcome), offers: Arc::new(offers), obstacles });
        if ready && self.link.welcome().borrow().is_some() {
            let most = usize::try_from(welcome.slots).unwrap_or(usize::MAX);
            self.queue.open(self.config.engine.slots.map_or(most, |slots| slots.min(most)));
        }
    }

    async fn probe(&self, welcome: &Welcome) -> Offers {
        let ceiling = of_jaild(welcome);
        let mut offers = Offers::default();
        for definition in self.catalogue.languages() {
            offers.add(definition, probe::toolchains(&self.link, definition, &ceiling, true).await);
        }
        offers
    }

    /// Refuses new work from now on, for good.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.queue.drain();
        self.metrics.ready(false);
        self.changed.send_replace(());
    }

    /// Whether work can be taken.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the reasons, or that the engine is draining.
    pub fn ready(&self) -> Result<Arc<Standing>, Error> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Error::Shed(Shed::Draining));
        }
        let standing = self.standing();
        if standing.obstacles.is_empty() {
            return Ok(standing);
        }
        Err(Error::NotReady(standing.obstacles.iter().cloned().chain(self.link.trouble()).collect()))
    }
}

/// jaild's ceiling, as admission counts. It knows nothing of output.
#[must_use]
pub fn of_jaild(welcome: &Welcome) -> Limits {
    let most = &welcome.ceiling;
    Limits {
        cpu_time_ms: most.cpu_time.0,
        wall_time_ms: most.wall_time.0,
        memory_bytes: most.memory.0,
        processes: most.processes.into(),
        cpus_milli: most.cpus_milli.into(),
        output_bytes: u64::MAX,
        file_bytes: most.file.0,
        disk_bytes: most.disk.0,
        open_files: most.open_files.into(),
        stack_bytes: most.stack.0,
    }
}
