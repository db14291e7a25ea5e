//! What the engine says of itself: languages, isolation, version, health.

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// The answer of `GET /v1/languages`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LanguagesResponse {
    /// The languages that can be asked for.
    pub languages: Vec<Language>,
    /// The languages that are known and lack a toolchain on this host.
    pub unavailable: Vec<UnavailableLanguage>,
}

/// One language that can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Language {
    /// What a request says.
    pub id: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// For people.
    pub name: String,
    /// Every installed version, newest first. The first is taken where a request names none.
    pub versions: Vec<LanguageVersion>,
}

/// One installed version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LanguageVersion {
    /// The full version, as the toolchain says it.
    pub version: String,
    /// Which of several toolchains of the language.
    pub toolchain: String,
    /// Changes whenever the toolchain or its manifest does: `sha256:…`.
    pub toolchain_digest: String,
    /// The limits of the run.
    pub run: StepLimits,
    /// The limits of the compile step; null for a language without one.
    pub compile: Option<StepLimits>,
}

/// What a step gets, and what may be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepLimits {
    /// In force where a request says nothing.
    pub limits: Limits,
    /// The least that the language can start under.
    pub floors: Limits,
    /// The most that the plan allows.
    pub ceilings: Limits,
}

/// A language that is known and lacks its toolchain on this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnavailableLanguage {
    /// What a request would say.
    pub id: String,
    /// Why it can't be had.
    pub reason: String,
    /// What the operator does about it: a command.
    pub remedy: String,
}

/// The answer of `GET /v1/isolation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IsolationResponse {
    /// Every layer, in the order in which the README has them.
    pub layers: Vec<LayerState>,
    /// How the engine confines itself, should it be taken over: every layer.
    pub engine_layers: Vec<LayerState>,
    /// Which interface limits the runs.
    pub cgroup: CgroupVersion,
    /// The version of landlock that the kernel has.
    pub landlock_abi: u32,
    /// How many CPUs each run has to itself while it lasts; 0 when runs are not pinned.
    pub pinned_cpus: u32,
}

/// One layer of isolation on this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LayerState {
    /// Its name.
    pub layer: String,
    /// False when the operator waived it.
    pub wanted: bool,
    /// Whether runs, or the engine itself, have it.
    pub obtained: bool,
    /// What to do about it; null when it is obtained.
    pub remedy: Option<String>,
}

/// Which interface limits the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CgroupVersion {
    /// The old one, also in hybrid mode.
    V1,
    /// The unified one.
    V2,
}

/// The answer of `GET /v1/version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionResponse {
    /// The version of the engine, as in `X-Engine-Version`.
    pub engine: String,
    /// The version of this contract.
    pub api: ApiVersion,
}

/// The version of this contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApiVersion {
    /// The paths that begin with `/v1`.
    V1,
}

/// The answer of `GET /healthz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthResponse {
    /// Alive, or there would be no answer.
    pub status: Health,
}

/// The one thing that `/healthz` can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Alive.
    Ok,
}

/// The answer of `GET /readyz` when work can be taken. Otherwise it is a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReadyResponse {
    /// Work can be taken.
    pub status: Ready,
    /// The layers that the operator waived and the host lacks.
    pub missing_layers: Vec<String>,
    /// What does not work while the rest does: empty when all is well.
    pub degraded: Vec<Degraded>,
}

/// A part of the engine that does not work, while work can be taken all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Degraded {
    /// Which: `language:ID`, `disk:PLACE`, `store:NAME`, or the name of another part.
    pub check: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// The one thing that `/readyz` can say with status 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// Work can be taken.
    Ready,
}

/// The answer of `POST /v1/drain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DrainResponse {
    /// Whether work is still under way.
    pub status: DrainStatus,
    /// Runs under way.
    pub running: u64,
    /// Runs that wait for their turn.
    pub waiting: u64,
    /// After so many milliseconds more, what is not over is ended, and answered with 503 `draining`.
    pub deadline_ms: u64,
}

/// How far an engine that takes no more work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DrainStatus {
    /// Work is under way.
    Draining,
    /// There is none left.
    Drained,
}
