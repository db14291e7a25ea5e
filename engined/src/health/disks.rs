//! The file systems that the engine writes to: how much is free, and whether they answer at all. Each has a task of its
//! own, and at most one question on its way: one that hangs keeps neither the others nor anything else from their turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Check, LOOK_EVERY, Weight};
use crate::config::audit::Place as Target;
use crate::confinement;
use crate::engine::Engine;
use crate::metrics::HealthMetrics;

/// What a file system may take for an answer.
const WITHIN: Duration = Duration::from_secs(5);

/// A place, and who is told of it.
struct Place {
    name: &'static str,
    path: PathBuf,
    least: u64,
    check: Check,
    metrics: HealthMetrics,
}

/// Looks at every place from time to time. Never returns.
pub(super) async fn watch(engine: Arc<Engine>) {
    let mut looks = JoinSet::new();
    for place in places(&engine) {
        looks.spawn(place.watch(WITHIN, free));
    }
    while looks.join_next().await.is_some() {}
    std::future::pending().await
}

/// Those with a file or folder of ours, each folder once.
fn places(engine: &Engine) -> Vec<Place> {
    let folder = |file: PathBuf| file.parent().map(Path::to_owned);
    let audit = match engine.audit.place() {
        Target::File(file) => folder(file.clone()),
        Target::Journald | Target::Nowhere => None,
    };
    let found = [
        ("state", confinement::state_folders().into_iter().next()),
        ("cache", engine.config.cache.place()),
        ("blobs", engine.config.blobs.place()),
        ("audit", audit),
        ("usage", engine.config.usage.place().and_then(folder)),
        ("batches", engine.config.batches.place()),
    ];
    let mut places: Vec<Place> = Vec::new();
    for (name, path) in found {
        let Some(path) = path.filter(|path| places.iter().all(|known| known.path != *path)) else { continue };
        let check = engine.health.register(&format!("disk:{name}"), Weight::Partial);
        let (least, metrics) = (engine.config.health.disk_free, engine.metrics.health.clone());
        places.push(Place { name, path, least, check, metrics });
    }
    places
}

/// Bytes that we may still write there.
fn free(path: &Path) -> nix::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

impl Place {
    async fn watch(self, within: Duration, look: fn(&Path) -> nix::Result<u64>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.look(within, look).await;
        }
    }

    async fn look(&self, within: Duration, look: fn(&Path) -> nix::Result<u64>) {
        let path = self.path.clone();
        let mut asked = tokio::task::spawn_blocking(move || look(&path));
        let shown = self.path.display();
        let answer = match tokio::time::timeout(within, &mut asked).await {
            Ok(answer) => answer,
            Err(_) => {
                let reason = format!("{shown} has not answered for {} s", within.as_secs());
                self.check
                    .ill(reason, format!("find out what it is mounted from, and whether that is there: df {shown}"));
                // Another question would hang in another thread.
                asked.await
            }
        };
        match answer {
            Ok(Ok(free)) => {
                self.metrics.disk(self.name, free);
                let least = self.least;
                if free < least {
                    let reason =
                        format!("{free} bytes are free in {shown}, fewer than {least} (health.disk_free_bytes)");
                    self.check.ill(reason, format!("free some of the disk: df {shown}"));
                } else {
                    self.check.well();
                }
            }
            Ok(Err(error)) => self.check.ill(format!("{shown}: {error}"), format!("look at it: df {shown}")),
            Err(error) => tracing::error!(%error, "the disk was not looked at"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{LazyLock, Mutex};

    use prometheus::Registry;

    use super::*;
    use crate::health::Health;

    /// The file system that hangs until it is told to answer.
    type Gate = (Mutex<Sender<()>>, Mutex<Receiver<()>>);
    static HUNG: LazyLock<Gate> = LazyLock::new(|| {
        let (answer, answers) = channel();
        (Mutex::new(answer), Mutex::new(answers))
    });

    fn hangs(_path: &Path) -> nix::Result<u64> {
        HUNG.1.lock().unwrap().recv().unwrap();
        Ok(1 << 30)
    }

    #[tokio::test]
    async fn a_file_system_that_hangs_is_told_and_asked_once() {
        let metrics = HealthMetrics::new(&Registry::new()).unwrap();
        let health = Health::new(metrics.clone());
        let check = health.register("disk:state", Weight::Partial);
        let place = Place { name: "state", path: "/state".into(), least: 1 << 20, check, metrics };
        let look = tokio::spawn(place.watch(Duration::from_millis(10), hangs));
        while health.degraded().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(health.degraded()[0].reason.contains("/state has not answered"), "{:?}", health.degraded());
        HUNG.0.lock().unwrap().send(()).unwrap();
        while !health.degraded().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        look.abort();
        // One more for a look that has begun meanwhile.
        HUNG.0.lock().unwrap().send(()).unwrap();
    }
}
