//! What the engine says of itself: languages with their limits, layers of isolation, the contract.

use api_spec::{
    CgroupVersion, IsolationResponse, Language, LanguageVersion, LanguagesResponse, LayerState, Limits as ApiLimits,
    StepLimits,
};
use jail::link::{self, Welcome};
use jail::spec::Layers;
use languages::{Definition, LimitName, LimitSet, Limits, Step};

use crate::admission::{Rules, lowered};
use crate::confinement::Confinement;
use crate::engine::Engine;
use crate::offers::{Installed, Offer};
use crate::problem::Error;
use crate::queue::TenantIndex;

/// The names of the layers that the operator waived and the host lacks.
#[must_use]
pub fn missing(welcome: &Welcome) -> Vec<String> {
    Layers::all().without(welcome.obtained).iter().map(|layer| layer.name().to_owned()).collect()
}

/// `GET /v1/languages`, as of the last time that jaild was connected. Languages and ceilings are those of the
/// caller's plan.
#[must_use]
pub fn languages(engine: &Engine, tenant: TenantIndex) -> LanguagesResponse {
    let (standing, tenants) = (engine.standing(), engine.tenants());
    let (ceiling, plan) = (engine.ceiling(standing.welcome.as_ref()), tenants.plan(tenant));
    let rules = Rules { offers: &standing.offers, ceiling: &ceiling, plan: Some(plan) };
    let language = |offer: &Offer| Language {
        id: offer.definition.id.clone(),
        aliases: offer.definition.aliases.clone(),
        name: offer.definition.name.clone(),
        versions: offer.installed.iter().map(|installed| version(&offer.definition, installed, &rules)).collect(),
    };
    let allowed = standing.offers.languages.iter().filter(|offer| plan.allows(&offer.definition.id));
    let unavailable = standing.offers.unavailable.iter().map(|(_, language)| language);
    LanguagesResponse {
        languages: allowed.map(language).collect(),
        unavailable: unavailable.filter(|language| plan.allows(&language.id)).cloned().collect(),
    }
}

fn version(definition: &Definition, installed: &Installed, rules: &Rules<'_>) -> LanguageVersion {
    let step = |kind: Step| {
        let ceiling = rules.ceiling_of(&definition.id, kind);
        StepLimits {
            limits: api(&lowered(&definition.limits(kind).resolved(kind), &ceiling)),
            floors: api(&floors(&definition.floors(kind))),
            ceilings: api(&ceiling),
        }
    };
    LanguageVersion {
        version: installed.version.to_string(),
        toolchain: installed.toolchain.id.clone(),
        toolchain_digest: installed.digest.clone(),
        run: step(Step::Run),
        compile: definition.compile.is_some().then(|| step(Step::Compile)),
    }
}

/// A floor that no manifest sets is that of the sandbox.
fn floors(set: &LimitSet) -> Limits {
    let least = |limit: LimitName, sandbox: u64| set.get(limit).unwrap_or(sandbox).max(sandbox);
    Limits {
        cpu_time_ms: least(LimitName::CpuTimeMs, 1),
        wall_time_ms: least(LimitName::WallTimeMs, 1),
        memory_bytes: least(LimitName::MemoryBytes, 1 << 20),
        processes: least(LimitName::Processes, 1),
        cpus_milli: least(LimitName::Cpus, 100),
        output_bytes: least(LimitName::OutputBytes, 1),
        file_bytes: least(LimitName::FileBytes, 1),
        disk_bytes: least(LimitName::DiskBytes, 4096),
        open_files: least(LimitName::OpenFiles, 8),
        stack_bytes: least(LimitName::StackBytes, 64 << 10),
    }
}

fn api(limits: &Limits) -> ApiLimits {
    ApiLimits {
        cpu_time_ms: limits.cpu_time_ms,
        wall_time_ms: limits.wall_time_ms,
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        cpus: f64::from(u32::try_from(limits.cpus_milli).unwrap_or(u32::MAX)) / 1000.0,
        output_bytes: limits.output_bytes,
        file_bytes: limits.file_bytes,
        disk_bytes: limits.disk_bytes,
        open_files: limits.open_files,
        stack_bytes: limits.stack_bytes,
    }
}

/// `GET /v1/isolation`.
///
/// # Errors
/// Not while jaild is not connected: only it knows.
pub fn isolation(engine: &Engine) -> Result<IsolationResponse, Error> {
    let standing = engine.standing();
    let welcome = standing.welcome.ok_or_else(|| Error::NotReady(standing.obstacles.clone()))?;
    let engine_layers = engine.confinement().map(Confinement::layers).unwrap_or_default();
    Ok(IsolationResponse { engine_layers, ..of_welcome(&welcome) })
}

/// What a welcome says of the layers: all but the engine's own.
#[must_use]
pub fn of_welcome(welcome: &Welcome) -> IsolationResponse {
    let layer = |layer: jail::spec::Layer| {
        let obtained = welcome.obtained.has(layer);
        LayerState {
            layer: layer.name().to_owned(),
            wanted: welcome.wanted.has(layer),
            obtained,
            remedy: (!obtained).then(|| layer.remedy().to_owned()),
        }
    };
    IsolationResponse {
        layers: Layers::all().iter().map(layer).collect(),
        engine_layers: Vec::new(),
        cgroup: match welcome.cgroup {
            link::CgroupVersion::V1 => CgroupVersion::V1,
            link::CgroupVersion::V2 => CgroupVersion::V2,
        },
        landlock_abi: welcome.landlock_abi,
        pinned_cpus: welcome.pinned_cpus,
    }
}
