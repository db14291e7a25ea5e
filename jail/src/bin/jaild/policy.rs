//! What orders may name: the profiles, compiled from the manifests and the configuration that only root can write.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jail::error::{At, JailError, Step};
use jail::landlock;
use jail::link::{Order, ProfileName, Refusal};
use jail::mounts::{SetuidSearch, TreePlan};
use jail::seccomp::{self, Filter};
use jail::spawn::Blueprint;
use jail::spec::{Layer, Layers};
use languages::Catalogue;

use crate::config::{Config, Options};
use crate::tuning::Store;

/// Seen from the outer namespace all of the host's users, root among them, are nobody. That root alone could write the
/// files of the start was checked before that; of those that a reload finds, the modes are checked here, and that they
/// stand in a folder that was checked.
const NOBODY: u32 = 65_534;

/// The tables that every order is checked against.
#[derive(Debug)]
pub struct Policy {
    /// Slots, ceilings.
    pub config: Config,
    /// What spawners build and install.
    pub blueprint: Blueprint,
    /// Layers that every run has.
    pub layers: Layers,
    filters: BTreeMap<ProfileName, u32>,
}

impl Policy {
    /// Where a [`SetuidSearch`] for [`Policy::compile`] looks.
    #[must_use]
    pub fn search() -> SetuidSearch {
        // A test that ends jaild a hundred times has no time for all of it, which other tests look at.
        #[cfg(feature = "test-hooks")]
        if jail::stop::attached() {
            return SetuidSearch::below(Path::new("/usr/bin"));
        }
        SetuidSearch::below(Path::new("/usr"))
    }

    /// Reads manifests and configuration and compiles them. `setuid` is what [`Policy::search`] has found.
    ///
    /// # Errors
    /// Every mistake, in one text; or a layer that this host lacks and the operator did not waive.
    pub fn compile(options: &Options, setuid: Vec<PathBuf>) -> Result<Self, JailError> {
        let mut mistakes = Vec::new();
        let mut config = Config::load(options.config.as_deref()).unwrap_or_else(|found| {
            mistakes.extend(found);
            Config::default()
        });
        config.stock = options.stock.unwrap_or(config.stock);
        let catalogue = Catalogue::load_trusted(options.manifests().as_deref(), NOBODY).unwrap_or_else(|found| {
            mistakes.extend(found.iter().map(ToString::to_string));
            Catalogue::builtin()
        });
        if !mistakes.is_empty() {
            return Err(io::Error::other(mistakes.join("; "))).on(Step::Settings, "");
        }
        let missing = missing_layers();
        if let Some(layer) = missing.without(config.waived).iter().next() {
            let why = format!("this host lacks {layer}: {}", layer.remedy());
            return Err(io::Error::other(why)).on(Step::Probe, layer.name());
        }
        let off = off(options, missing);
        let mut tree = TreePlan { setuid, ..TreePlan::default() };
        let mut extra_sets: Vec<Vec<libc::c_long>> = Vec::new();
        let mut filters = BTreeMap::new();
        for profile in catalogue.profiles() {
            let unknown = |name: String| io::Error::other(format!("{name} is no system call that can be allowed"));
            let mut extra =
                seccomp::extra(&profile.syscalls).map_err(unknown).on(Step::Seccomp, profile.name.as_str())?;
            extra.sort_unstable();
            let index = extra_sets.iter().position(|set| *set == extra).unwrap_or_else(|| {
                extra_sets.push(extra);
                extra_sets.len() - 1
            });
            let name = ProfileName::new(&profile.name)
                .ok_or_else(|| io::Error::other("not a name of a profile"))
                .on(Step::Seccomp, profile.name.as_str())?;
            filters.insert(name, u32::try_from(index).unwrap_or(u32::MAX));
            tree.toolchains.extend(profile.mounts);
            tree.etc.extend(profile.etc);
        }
        if let Some(folder) = options.tuning(&config) {
            tree.tuned = Store::at(&folder, NOBODY).shown(&catalogue);
        }
        tree.toolchains.sort();
        tree.toolchains.dedup();
        tree.etc.sort();
        tree.etc.dedup();
        if extra_sets.is_empty() {
            extra_sets.push(Vec::new());
        }
        let every_extra = extra_sets.concat();
        #[cfg(feature = "test-hooks")]
        if off.has(Layer::Tree) {
            tree.toolchains.push("/var".into());
        }
        let payload = if config.cores.is_some() { Filter::pinned_payload } else { Filter::payload };
        let blueprint = Blueprint {
            tree,
            shared_filter: Filter::shared(&every_extra),
            init_filter: Filter::init_alone(),
            filters: extra_sets.iter().map(|extra| payload(extra, &every_extra)).collect(),
            off,
        };
        Ok(Policy { config, blueprint, layers: Layers::all().without(off), filters })
    }

    /// Checks an order against the tables.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&self, order: &Order) -> Result<(), Refusal> {
        if self.filter(&order.profile).is_none() {
            return Err(Refusal::UnknownProfile);
        }
        order.limits.first_outside(&self.config.ceiling).map_or(Ok(()), |_| Err(Refusal::LimitOutside))
    }

    /// The filter of a profile, among those of the blueprint.
    pub fn filter(&self, profile: &ProfileName) -> Option<u32> {
        self.filters.get(profile).copied()
    }

    /// How many profiles there are.
    pub fn profiles(&self) -> usize {
        self.filters.len()
    }
}

/// What this kernel does not have. Everything else is proved by a sandbox.
fn missing_layers() -> Layers {
    let landlock = landlock::kernel_abi().map_or(true, |abi| abi == 0);
    let time = !Path::new("/proc/self/ns/time").exists();
    [(Layer::Landlock, landlock), (Layer::TimeNs, time)]
        .into_iter()
        .filter(|(_, missing)| *missing)
        .map(|(layer, _)| layer)
        .collect()
}

#[cfg(feature = "test-hooks")]
fn off(options: &Options, missing: Layers) -> Layers {
    missing.iter().chain(options.test_off.iter()).collect()
}

#[cfg(not(feature = "test-hooks"))]
fn off(_options: &Options, missing: Layers) -> Layers {
    missing
}
