//! What the engine knows of its own health: of each language, of the broker, of the disks, and what components say of
//! themselves. `/readyz` answers from the last look at once; looking is done here and in [`Engine::keep`], by tasks of
//! their own.
//!
//! A component registers a [`Check`] by its name and tells it when it is ill, with the reason and what to do. One that is
//! [`Weight::Vital`] takes the engine out (503): there is no work without it. All others are [`Weight::Partial`]: the
//! engine goes on and `/readyz` says `degraded`, so that one broken language, or a full disk, does not take away what
//! still works.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api_spec::Degraded;

use crate::audit::inbox::Flushed;
use crate::audit::record::today;
use crate::engine::Engine;
use crate::metrics::HealthMetrics;
use crate::offers::{self, Offers, Trouble};
use crate::refusals;
use crate::usage::Query;

mod disks;

/// Between two looks at the broker and at the disks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(if cfg!(feature = "test-hooks") { 1 } else { 5 });
/// What a store may take to write down or to give what it has been told.
const STORE_WITHIN: Duration = Duration::from_secs(5);
/// One that did not is waited for, so long at a time.
const STORE_PATIENCE: Duration = Duration::from_secs(3600);
/// So often in a row the broker may leave a question unanswered: it may be making sandboxes just then.
const UNANSWERED: u32 = 2;

/// What follows when something is ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The engine can't take work.
    Vital,
    /// It can, and says what is wrong.
    Partial,
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The reason.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

struct Entry {
    weight: Weight,
    complaint: Option<Complaint>,
}

type Entries = Arc<Mutex<BTreeMap<String, Entry>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last look at a language.
#[derive(Clone, Copy, Debug)]
struct Look {
    ok: bool,
    at: Instant,
}

/// All that is known.
pub struct Health {
    entries: Entries,
    looks: Mutex<BTreeMap<String, Look>>,
    metrics: HealthMetrics,
}

/// What one component says of itself. Cheap: it may be told at any time, and tells the log of changes alone.
#[derive(Clone)]
pub struct Check {
    name: String,
    entries: Entries,
    metrics: HealthMetrics,
}

impl Check {
    /// All is well.
    pub fn well(&self) {
        self.say(None);
    }

    /// Something is wrong.
    pub fn ill(&self, reason: impl Into<String>, remedy: impl Into<String>) {
        self.say(Some(Complaint { reason: reason.into(), remedy: remedy.into() }));
    }

    fn say(&self, complaint: Option<Complaint>) {
        let (before, now) = {
            let mut entries = lock(&self.entries);
            let Some(entry) = entries.get_mut(&self.name) else { return };
            let now = complaint.is_none();
            (std::mem::replace(&mut entry.complaint, complaint.clone()).is_none(), now)
        };
        self.metrics.check(&self.name, now);
        match complaint {
            Some(Complaint { reason, remedy }) if before => {
                tracing::warn!(check = self.name, reason, remedy, "ill");
            }
            None if !before => tracing::info!(check = self.name, "well again"),
            _ => {}
        }
    }
}

impl Health {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(metrics: HealthMetrics) -> Self {
        Health { entries: Arc::default(), looks: Mutex::default(), metrics }
    }

    /// A check of this name, well until it says otherwise. Registered twice, both handles are about the same.
    pub fn register(&self, name: &str, weight: Weight) -> Check {
        let fresh = || Entry { weight, complaint: None };
        lock(&self.entries).entry(name.to_owned()).or_insert_with(fresh).weight = weight;
        let check = Check { name: name.to_owned(), entries: Arc::clone(&self.entries), metrics: self.metrics.clone() };
        self.metrics.check(name, lock(&self.entries).get(name).is_none_or(|entry| entry.complaint.is_none()));
        check
    }

    fn of(&self, weight: Weight) -> Vec<(String, Complaint)> {
        let entries = lock(&self.entries);
        let of = entries.iter().filter(|(_, entry)| entry.weight == weight);
        of.filter_map(|(name, entry)| Some((name.clone(), entry.complaint.clone()?))).collect()
    }

    /// Why no work can be taken, though languages and link may be there.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        self.of(Weight::Vital)
            .into_iter()
            .map(|(name, ill)| format!("{name}: {}; {}", ill.reason, ill.remedy))
            .collect()
    }

    /// What does not work while the rest does.
    #[must_use]
    pub fn degraded(&self) -> Vec<Degraded> {
        let told = |(check, Complaint { reason, remedy })| Degraded { check, reason, remedy };
        self.of(Weight::Partial).into_iter().map(told).collect()
    }

    /// A hello was run in every version of a language, or could not be in one.
    pub fn looked(&self, language: &str, found: Result<(), Complaint>) {
        lock(&self.looks).insert(language.to_owned(), Look { ok: found.is_ok(), at: Instant::now() });
        let check = self.register(&of_language(language), Weight::Partial);
        match found {
            Ok(()) => check.well(),
            Err(Complaint { reason, remedy }) => check.ill(reason, remedy),
        }
    }

    /// Every language was looked at. One that is not installed is no complaint, unless it was there before; one of which a
    /// version is broken is one, though the others are offered.
    pub fn looked_at_all(&self, offers: &Offers) {
        for offer in &offers.languages {
            let id = &offer.definition.id;
            let broken = offers.broken.iter().find(|broken| broken.id == *id);
            let complaint =
                broken.map(|broken| Complaint { reason: broken.reason.clone(), remedy: broken.remedy.clone() });
            self.looked(id, complaint.map_or(Ok(()), Err));
        }
        for (definition, lacking) in &offers.unavailable {
            let installed =
                offers::present(definition).iter().any(|(_, found)| !matches!(found, Err(Trouble::Absent(_))));
            let before = lock(&self.looks).contains_key(&definition.id);
            if installed || before {
                let complaint = Complaint { reason: lacking.reason.clone(), remedy: lacking.remedy.clone() };
                self.looked(&definition.id, Err(complaint));
            }
        }
        let known = |id: &String| {
            offers.languages.iter().any(|offer| offer.definition.id == *id)
                || offers.unavailable.iter().any(|(definition, _)| definition.id == *id)
        };
        let gone: Vec<String> = lock(&self.looks).keys().filter(|id| !known(id)).cloned().collect();
        gone.iter().for_each(|id| self.forget(id));
    }

    /// The operator has changed what there is: what is missing from now on is missed by nobody.
    pub fn renewed(&self) {
        let ill: Vec<String> =
            lock(&self.looks).iter().filter(|(_, look)| !look.ok).map(|(id, _)| id.clone()).collect();
        ill.iter().for_each(|id| self.forget(id));
    }

    fn forget(&self, language: &str) {
        lock(&self.looks).remove(language);
        lock(&self.entries).remove(&of_language(language));
        self.metrics.forget(language, &of_language(language));
    }

    /// Whether a language that is installed does not work. A host that is too busy for a hello is not for ever.
    #[must_use]
    pub fn languages_ill(&self) -> bool {
        lock(&self.looks).values().any(|look| !look.ok)
    }

    /// Brings what changes by itself up to date, for the metrics.
    pub fn measure(&self) {
        for (language, look) in lock(&self.looks).iter() {
            self.metrics.probe(language, look.ok, look.at.elapsed());
        }
    }
}

const LANGUAGE: &str = "language:";

fn of_language(id: &str) -> String {
    format!("{LANGUAGE}{id}")
}

/// Looks at the broker, at the disks and at the stores from time to time. Never returns.
pub async fn watch(engine: Arc<Engine>) {
    // By itself: one that hangs must not keep us from the rest.
    tokio::join!(watch_broker(Arc::clone(&engine)), disks::watch(Arc::clone(&engine)), watch_stores(engine));
}

async fn watch_broker(engine: Arc<Engine>) {
    let broker = engine.health.register("broker", Weight::Vital);
    let mut unanswered = 0;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        unanswered = if alive(&engine).await { 0 } else { unanswered + 1 };
        if unanswered >= UNANSWERED {
            let remedy = "see the journal of jaild; systemctl restart jaild ends what runs and begins anew";
            broker.ill("jaild is connected and does not answer", remedy);
        } else {
            broker.well();
        }
        engine.tell();
        let tenants = engine.tenants();
        tenants.tidy();
        refusals::tell_left_out(&tenants);
    }
}

/// Asks the stores of audit and usage from time to time whether they take and give. Never returns.
async fn watch_stores(engine: Arc<Engine>) {
    let lines = engine.health.register("store:audit", Weight::Partial);
    let counters = engine.health.register("store:usage", Weight::Partial);
    loop {
        let flushed = engine.audit.flush(STORE_WITHIN).await;
        if flushed == Flushed::Late {
            let within = STORE_WITHIN.as_secs();
            let reason = format!("the last audit lines could not be written within {within} s");
            lines.ill(reason, "see the journal of engined for the error; look at owner and room of its state folder");
            // A late answer never comes before its patience is at its end.
            while engine.audit.flush(STORE_PATIENCE).await == Flushed::Late {}
            continue;
        }
        lines.well();
        if flushed == Flushed::Uncounted {
            counters.ill(
                "the last audit lines could not be counted",
                "see the journal of engined for the error of the database",
            );
        } else if let Some(books) = engine.audit.books() {
            let today = today();
            let nobody = Query { from: today.clone(), to: today, tenant: Some(String::new()) };
            match books.query(nobody).await {
                Ok(_) => counters.well(),
                Err(why) => counters.ill(why, "see the journal of engined for the error of the database"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the link and the broker behind it turn: a question has come back. Without a broker there is nothing to ask.
async fn alive(engine: &Engine) -> bool {
    engine.link.welcome().borrow().is_none() || engine.link.inventory().await.is_some() || {
        // It may have gone just then.
        engine.link.welcome().borrow().is_none()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    fn health() -> Health {
        Health::new(HealthMetrics::new(&Registry::new()).unwrap())
    }

    #[test]
    fn what_is_vital_is_an_obstacle_and_the_rest_is_told() {
        let health = health();
        let (store, broker) = (health.register("store", Weight::Partial), health.register("broker", Weight::Vital));
        assert!(health.obstacles().is_empty() && health.degraded().is_empty());
        store.ill("the disk is full", "df");
        broker.ill("silent", "restart it");
        let degraded = Degraded { check: "store".into(), reason: "the disk is full".into(), remedy: "df".into() };
        assert_eq!(health.degraded(), [degraded]);
        assert_eq!(health.obstacles(), ["broker: silent; restart it"]);
        // Another handle of the same name.
        health.register("store", Weight::Partial).well();
        broker.well();
        assert!(health.obstacles().is_empty() && health.degraded().is_empty());
    }

    #[test]
    fn one_broken_version_is_a_complaint_until_it_is_well() {
        let registry = Registry::new();
        let health = Health::new(HealthMetrics::new(&registry).unwrap());
        let definition = languages::Catalogue::builtin().languages()[0].clone();
        let lacking = api_spec::UnavailableLanguage {
            id: definition.id.clone(),
            reason: "new-2: it crashes".into(),
            remedy: "apt-get".into(),
        };
        let offer = offers::Offer { definition: definition.clone(), installed: Vec::new() };
        let whole = Offers { languages: vec![offer], ..Offers::default() };
        let broken = Offers { broken: vec![lacking], ..whole.clone() };
        let ok = || {
            health.measure();
            let told = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            told.contains(&format!("engined_probe_ok{{language=\"{}\"}} 1\n", definition.id))
        };
        health.looked_at_all(&whole);
        assert!(ok() && health.degraded().is_empty());
        health.looked_at_all(&broken);
        assert_eq!(health.degraded()[0].reason, "new-2: it crashes");
        assert!(!ok() && health.languages_ill(), "it is looked at again");
        health.looked_at_all(&whole);
        assert!(ok() && health.degraded().is_empty());
    }

    #[test]
    fn a_language_that_was_never_there_is_no_complaint() {
        let health = health();
        let catalogue = languages::Catalogue::builtin();
        let mut absent = catalogue.languages()[0].clone();
        absent.toolchains.iter_mut().for_each(|one| one.program = "/usr/bin/no-such-program".into());
        let lacking = api_spec::UnavailableLanguage {
            id: absent.id.clone(),
            reason: "it is not installed".into(),
            remedy: "apt-get".into(),
        };
        let none = Offers { unavailable: vec![(absent.clone(), lacking)], ..Offers::default() };
        health.looked_at_all(&none);
        assert!(health.degraded().is_empty() && !health.languages_ill());
        // It was there, and is gone: somebody will miss it, unless the operator says that it is meant so.
        health.looked(&absent.id, Ok(()));
        health.looked_at_all(&none);
        assert_eq!(health.degraded()[0].check, format!("language:{}", absent.id));
        assert!(health.languages_ill());
        health.renewed();
        health.looked_at_all(&none);
        assert!(health.degraded().is_empty());
        // What the catalogue no longer has is forgotten.
        health.looked(&absent.id, Err(Complaint { reason: "broken".into(), remedy: "mend it".into() }));
        health.looked_at_all(&Offers::default());
        assert!(health.degraded().is_empty());
    }
}
