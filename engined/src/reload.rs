//! SIGHUP: manifests and configuration are read again while the engine serves.
//!
//! What tenants, plans and tokens say, and the thresholds of abuse, holds from the next request on. Everything else
//! (addresses, memory, folders) was settled when the process was confined; a change of it is told and waits for a
//! restart. A configuration with a mistake changes nothing: every mistake stands in the log, and what was in force
//! stays. However many signals come, one reading follows another, and those that come meanwhile are one.
//!
//! A serving engine reads none of the host's accounts: users and groups are those that there were at its start.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use languages::Catalogue;
use tokio::sync::Notify;
use toml::{Table, Value};

use crate::audit::{self, Act};
use crate::clock;
use crate::config::{self, Config, Host, Mistake};
use crate::engine::Engine;
use crate::manager::Manager;

/// Sections, and single settings, of which a change is taken up.
const LIVE: [&str; 4] = ["plans", "tenants", "abuse", "results.bytes_per_tenant"];

/// What became of a configuration that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force, but for what needs a restart: setting, value in force, value read.
    Taken(Vec<(String, String, String)>),
    /// It has mistakes, and the old one is in force.
    Refused(Vec<String>),
}

/// Reads the configuration again.
#[derive(Debug)]
pub struct Reloader {
    path: PathBuf,
    /// As it was at the start: it can't be looked at from within the confinement.
    host: Host,
    /// What was in force at the start, by setting.
    started: Vec<(String, String)>,
}

impl Reloader {
    /// For the file at `path`. `printed` is what was in force at the start.
    #[must_use]
    pub fn new(path: PathBuf, host: Host, printed: &str) -> Self {
        Reloader { path, host, started: settings(printed) }
    }

    /// Reads manifests and configuration whenever that is `wanted`. Never returns.
    pub async fn keep(self, engine: Arc<Engine>, manager: Arc<Manager>, wanted: Arc<Notify>) {
        let this = Arc::new(self);
        loop {
            wanted.notified().await;
            let (reloader, engine) = (Arc::clone(&this), Arc::clone(&engine));
            manager.reloading();
            // Files of any size, and a thousand tenants.
            let read = tokio::task::spawn_blocking(move || {
                engine.reload();
                reloader.reload(&engine);
            });
            if let Err(error) = read.await {
                tracing::error!(%error, "the configuration could not be read again");
            }
            manager.reloaded();
        }
    }

    /// Reads the configuration and takes it up, or says why not.
    pub fn reload(&self, engine: &Engine) -> Outcome {
        let outcome = self.attempt(engine);
        match &outcome {
            Outcome::Taken(waiting) => {
                for (setting, was, now) in waiting {
                    tracing::warn!(setting, was, now, "needs a restart: systemctl restart engined");
                }
                tracing::info!(waiting = waiting.len(), "configuration read again");
            }
            Outcome::Refused(mistakes) => {
                for mistake in mistakes {
                    tracing::error!(?mistake, "configuration not taken, the old one stays");
                }
            }
        }
        engine.metrics.reloads.reloaded(matches!(outcome, Outcome::Taken(_)));
        let (outcome_name, mistakes) = match &outcome {
            Outcome::Taken(_) => ("taken", 0),
            Outcome::Refused(mistakes) => ("refused", mistakes.len()),
        };
        audit::administrative(engine, Act::Reload { what: "configuration", outcome: outcome_name, mistakes });
        outcome
    }

    fn attempt(&self, engine: &Engine) -> Outcome {
        let refused = |mistakes: Vec<Mistake>| {
            let line = |mistake: &Mistake| format!("{}: {mistake}", self.path.display());
            Outcome::Refused(mistakes.iter().map(line).collect())
        };
        let catalogue = engine.catalogue();
        let read = Config::load_with(&self.path, &self.host, |config| unknown_languages(config, &catalogue));
        let (config, printed) = match read {
            Ok(read) => read,
            Err(mistakes) => return refused(mistakes),
        };
        tell_of_doubts(&config);
        let tenants = engine.tenants().renewed(&config.tenants, &self.host.accounts);
        // Whatever counts by a tenant's index has a place for it before anybody calls on its account.
        engine.cpu_days.grow(&tenants.names());
        engine.kept.reshare(&tenants.kept_bytes());
        if let Some(cache) = &engine.cache {
            cache.grow(&tenants.names());
        }
        let closed = engine.queue.reshare(&tenants.shares());
        engine.metrics.plans(&tenants.plan_names());
        engine.set_tenants(tenants);
        let tenants = engine.tenants();
        for (tenant, waiting) in closed {
            let tenant = tenants.name(tenant);
            tracing::warn!(
                tenant,
                waiting,
                "nobody may call on this account any more: what waited is dropped, what runs may end"
            );
            audit::administrative(engine, Act::TenantClosed { tenant: tenant.to_owned(), waiting });
        }
        engine.abuse.set(config.abuse);
        Outcome::Taken(waiting(&self.started, &settings(&printed)))
    }
}

/// Languages that plans name and no manifest describes.
#[must_use]
pub fn unknown_languages(config: &Config, catalogue: &Catalogue) -> Vec<Mistake> {
    let known: Vec<&str> = catalogue.languages().iter().map(|language| language.id.as_str()).collect();
    let plans = config.plans.iter().flat_map(|plan| plan.named().map(move |id| (plan, id)));
    let unknown = plans.filter(|(_, id)| !known.contains(id)).map(|(plan, id)| Mistake {
        field: format!("plans.{}", plan.name),
        value: id.to_owned(),
        why: "is no language".to_owned(),
        remedy: format!("write one of {}, or add its manifest", known.join(", ")),
    });
    let mut unknown: Vec<Mistake> = unknown.collect();
    unknown.dedup();
    unknown
}

/// Says in the log what is hardly meant, and which tokens are of no use any more.
pub fn tell_of_doubts(config: &Config) {
    let now = clock::seconds();
    for doubt in config::doubts(config, now) {
        tracing::warn!("{doubt}");
    }
    for tenant in &config.tenants {
        for token in tenant.tokens.iter().filter(|token| token.expires.is_some_and(|end| end <= now)) {
            let name = token.name.as_deref().unwrap_or("without a name");
            tracing::warn!(tenant = tenant.name, token = name, "a token has ended; remove it from the configuration");
        }
    }
}

/// What must be readable for the configuration to be read again: its folder, as editors put a new file in the place of the
/// old one; the file alone where its folder is one of the whole host's.
#[must_use]
pub fn readable(path: &Path) -> Vec<PathBuf> {
    let own = |path: &Path| path.components().filter(|part| matches!(part, Component::Normal(_))).count() >= 2;
    let place = |path: PathBuf| path.parent().filter(|folder| own(folder)).map(Path::to_owned).unwrap_or(path);
    let mut places: Vec<PathBuf> = [std::path::absolute(path), path.canonicalize()]
        .into_iter()
        .filter_map(Result::ok)
        .map(place)
        .filter(|place| place.exists())
        .collect();
    places.dedup();
    places
}

/// Every setting of a printed configuration, but for those of which a change is taken up.
fn settings(printed: &str) -> Vec<(String, String)> {
    fn add(found: &mut Vec<(String, String)>, name: &str, value: &Value) {
        if LIVE.contains(&name) {
            return;
        }
        match value {
            Value::Table(table) => table.iter().for_each(|(key, value)| add(found, &format!("{name}.{key}"), value)),
            value => found.push((name.to_owned(), value.to_string())),
        }
    }
    let mut found = Vec::new();
    let table = printed.parse::<Table>().unwrap_or_default();
    table.iter().for_each(|(key, value)| add(&mut found, key, value));
    found
}

/// What differs: setting, value then, value now.
fn waiting(then: &[(String, String)], now: &[(String, String)]) -> Vec<(String, String, String)> {
    const UNSET: &str = "not set";
    let of = |list: &[(String, String)], name: &str| {
        list.iter().find(|(known, _)| known == name).map_or(UNSET.to_owned(), |(_, value)| value.clone())
    };
    let gone = then.iter().filter(|(name, _)| of(now, name) == UNSET);
    let differ = now.iter().filter(|(name, value)| of(then, name) != *value);
    let names = differ.chain(gone).map(|(name, _)| name);
    names.map(|name| (name.clone(), of(then, name), of(now, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_told() {
        let then = settings(
            "[listen]\ntcp = \"a\"\n[plans.x]\nweight = 1\n[engine]\nslots = 1\n[results]\nbytes_per_tenant = 1\n",
        );
        let now = settings(
            "[listen]\ntcp = \"b\"\n[plans.x]\nweight = 2\n[log]\nlevel = \"info\"\n[results]\nbytes_per_tenant = 2\n",
        );
        let told = waiting(&then, &now);
        let line = |(setting, then, now): &(String, String, String)| format!("{setting}: {then} {now}");
        assert_eq!(
            told.iter().map(line).collect::<Vec<_>>(),
            ["listen.tcp: \"a\" \"b\"", "log.level: not set \"info\"", "engine.slots: 1 not set"]
        );
        assert_eq!(waiting(&then, &then), []);
    }

    #[test]
    fn a_folder_of_the_whole_host_is_not_opened() {
        assert_eq!(readable(Path::new("/etc/passwd")), [Path::new("/etc/passwd")]);
        assert_eq!(readable(Path::new("/nowhere/at/all/engined.toml")), [] as [PathBuf; 0]);
        assert_eq!(readable(Path::new("/usr/bin/env"))[0], Path::new("/usr/bin"));
    }
}
