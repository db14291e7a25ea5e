//! Between two looks at every language: proves that those that there are still run, and finds out when to look anew.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jail::link::Welcome;
use tokio::sync::watch;

use super::{Engine, LOOK_AGAIN, of_jaild};
use crate::health::Complaint;
use crate::probe;

/// From our reading of the manifests to jaild's.
const JAILD_FOLLOWS: Duration = Duration::from_secs(5);
/// Between two looks at the files of toolchains: for so long after an upgrade something may be used that was compiled
/// before it.
const LOOK_AT_FILES: Duration = Duration::from_secs(if cfg!(feature = "test-hooks") { 2 } else { 60 });

impl Engine {
    /// The most between two looks at a host where something is ill.
    pub(super) fn longest(&self) -> Duration {
        self.config.health.probe_every.max(LOOK_AGAIN)
    }

    /// Returns when every language is to be looked at anew: true, or when the link has changed: false. Meanwhile it has
    /// those that there are prove from time to time that they still run. `again`: when to look where something is ill.
    pub(super) async fn until_another_look(
        &self,
        welcome: &mut watch::Receiver<Option<Welcome>>,
        now: &Welcome,
        again: Duration,
    ) -> bool {
        // While something is missing it may be installed: look again from time to time.
        let lacking = !self.standing().obstacles.is_empty();
        let ill = self.health.languages_ill();
        let seen = tokio::time::Instant::now();
        let patience = if lacking { LOOK_AGAIN } else { again };
        let mut outdated = pin!(self.outdated());
        let mut proved = seen;
        loop {
            tokio::select! {
                _ = welcome.changed() => return false,
                () = self.renewed.notified() => {
                    // jaild reads the same files, and only then knows what is new. It may have been first, or have
                    // found a mistake that we did not: it says nothing then.
                    let followed = tokio::time::timeout(JAILD_FOLLOWS, welcome.changed()).await;
                    return followed.is_err() || welcome.borrow().is_some();
                }
                // Each look costs a hello in each language.
                () = async { self.doubted.notified().await; tokio::time::sleep_until(seen + LOOK_AGAIN).await } => return true,
                () = &mut outdated, if self.cache.is_some() => return true,
                () = tokio::time::sleep_until(seen + patience), if lacking || ill => return true,
                () = tokio::time::sleep_until(proved + self.config.health.probe_every) => {
                    if !self.still_run(now, welcome).await {
                        return true;
                    }
                    proved = tokio::time::Instant::now();
                }
            }
        }
    }

    /// Runs a hello in every version that is offered, one at a time beside the runs of callers. Whether all got through;
    /// what did not is looked at once more before it is withdrawn.
    async fn still_run(&self, now: &Welcome, link: &watch::Receiver<Option<Welcome>>) -> bool {
        // It would take the stop that a test has armed for a caller's run.
        #[cfg(feature = "test-hooks")]
        if jail::stop::attached() {
            return true;
        }
        let (offers, ceiling) = (Arc::clone(&self.standing().offers), of_jaild(now));
        let mut all = true;
        for offer in &offers.languages {
            let language = &offer.definition.id;
            let mut broken: Option<Complaint> = None;
            for installed in &offer.installed {
                let proof = probe::again(&self.link, &offer.definition, installed, &ceiling).await;
                if link.has_changed().unwrap_or(true) {
                    // That was no fault of the language.
                    return true;
                }
                if let Err(reason) = proof {
                    let toolchain = &installed.toolchain;
                    tracing::warn!(language, toolchain = toolchain.id, reason, "no longer works");
                    let reason = format!("{}: {reason}", toolchain.id);
                    broken.get_or_insert_with(|| Complaint { reason, remedy: toolchain.remedy() });
                }
            }
            all &= broken.is_none();
            self.health.looked(language, broken.map_or(Ok(()), Err));
        }
        all
    }

    /// Returns when the files of a toolchain that compiles are others than when it was looked at.
    async fn outdated(&self) {
        loop {
            tokio::time::sleep(LOOK_AT_FILES).await;
            let offers = Arc::clone(&self.standing().offers);
            // Some thousand files.
            let outdated = tokio::task::spawn_blocking(move || offers.outdated()).await;
            if outdated.is_ok_and(|outdated| outdated) {
                tracing::info!("the files of a toolchain have changed: every language is looked at");
                return;
            }
        }
    }
}
