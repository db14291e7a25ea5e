//! Finds out what a language has to offer: which of its toolchains are there, which version each says it is, and that
//! a hello gets through. Everything runs in the sandbox that programs run in, because the engine may execute nothing.

use std::path::Path;
use std::sync::Arc;

use api_spec::{Content, ExecutionRequest, LimitsRequest, Verdict};
use languages::tuning::Tuned;
use languages::{Definition, Limits, Setting, Step as Kind, Toolchain, Version, parse_version};

use crate::admission::{self, Rules};
use crate::control::Control;
use crate::execution;
use crate::link::Link;
use crate::offers::{self, Installed, Offer, Offers, Probed, Trouble};

/// What the program of a manifest's `hello` prints: it proves the whole way, source in, words out.
const HELLO_SAYS: &[u8] = b"hello\n";

/// What a look may take where a program that callers run gets less by default. It asks whether a toolchain works at all,
/// and an answer from a slow or busy host is as good as one from a quick host.
const CPU_TIME_MS: u64 = 300_000;
const WALL_TIME_MS: u64 = 300_000;

/// Every toolchain of a language with its version, or why there is none. `hello`: each must run a program as well.
/// `tuning`: where jaild keeps what was made of toolchains ahead of time, if that shall be used.
pub async fn toolchains(
    link: &Arc<Link>,
    definition: &Definition,
    ceiling: &Limits,
    hello: bool,
    tuning: Option<&Path>,
) -> Vec<Probed> {
    let mut probed = Vec::new();
    for (toolchain, present) in offers::present(definition) {
        let found = match present {
            Ok(()) => {
                let tuned = tuning.and_then(|folder| tuned(definition, toolchain, folder));
                proved(link, definition, toolchain, ceiling, hello, tuned).await.map_err(Trouble::Broken)
            }
            Err(trouble) => Err(trouble),
        };
        probed.push((toolchain.clone(), found));
    }
    probed
}

/// What was made of a toolchain, and a word about it. Whatever hinders that costs time, never a language.
fn tuned(definition: &Definition, toolchain: &Toolchain, folder: &Path) -> Option<Tuned> {
    let id = &toolchain.id;
    match Tuned::look(definition, toolchain, folder) {
        Ok(Some(tuned)) => {
            let files = tuned.files().collect::<Vec<_>>().join(" ");
            tracing::info!(language = definition.id, toolchain = id, files, "toolchain tuned");
            Some(tuned)
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(language = definition.id, toolchain = id, %error, "toolchain not tuned");
            None
        }
    }
}

/// The version of a toolchain that works.
async fn proved(
    link: &Arc<Link>,
    definition: &Definition,
    toolchain: &Toolchain,
    ceiling: &Limits,
    hello: bool,
    tuned: Option<Tuned>,
) -> Result<(Version, Option<Tuned>), String> {
    let version = version(link, definition, toolchain, ceiling).await?;
    // A look compiles, whatever was compiled before.
    let (digest, whole, basis, made) = Default::default();
    let installed = Installed { toolchain: toolchain.clone(), version, digest, whole, basis, tuned, made };
    if hello {
        greet(link, definition, installed.clone(), ceiling).await?;
    }
    Ok((installed.version, installed.tuned))
}

/// Asks a toolchain for its version.
async fn version(
    link: &Arc<Link>,
    definition: &Definition,
    toolchain: &Toolchain,
    ceiling: &Limits,
) -> Result<Version, String> {
    let args = definition.probe_argv(toolchain);
    let program = args.first().cloned().unwrap_or_default();
    let limits = definition.limits(Kind::Run).resolved(Kind::Run);
    let limits = Limits { cpu_time_ms: CPU_TIME_MS, wall_time_ms: WALL_TIME_MS, ..limits };
    let limits = admission::lowered(&limits, ceiling);
    let setting = Setting { toolchain, limits: &limits, tuned: None };
    let step = admission::step(definition, setting, Kind::Run, args, definition.run_env(setting, []));
    let step = step.map_err(|error| error.problem().to_string())?;
    let said = execution::probe(link, &step).await;
    let said = said.map_err(|error| format!("{program} could not be asked for its version: {error}"))?;
    parse_version(&toolchain.probe, &said).ok_or_else(|| {
        let shown: String = String::from_utf8_lossy(&said).chars().take(80).collect();
        format!("{program} does not say its version, but {shown:?}")
    })
}

/// Whether a toolchain that worked still does: a hello, or where its language has none the question for its version.
///
/// # Errors
/// What went wrong.
pub async fn again(
    link: &Arc<Link>,
    definition: &Definition,
    installed: &Installed,
    ceiling: &Limits,
) -> Result<(), String> {
    if definition.hello.is_none() {
        return version(link, definition, &installed.toolchain, ceiling).await.map(drop);
    }
    greet(link, definition, installed.clone(), ceiling).await
}

/// Runs a hello. A language that has none here has been proved by its version.
async fn greet(
    link: &Arc<Link>,
    definition: &Definition,
    installed: Installed,
    ceiling: &Limits,
) -> Result<(), String> {
    let Some(source) = &definition.hello else { return Ok(()) };
    let offer = Offer { definition: definition.clone(), installed: vec![installed] };
    let offers = Offers { languages: vec![offer], ..Offers::default() };
    let source = Some(Content::from(source.as_str()));
    let patient = LimitsRequest {
        cpu_time_ms: Some(CPU_TIME_MS.min(ceiling.cpu_time_ms)),
        wall_time_ms: Some(WALL_TIME_MS.min(ceiling.wall_time_ms)),
        ..LimitsRequest::default()
    };
    let (language, compile_limits) = (definition.id.clone(), patient.clone());
    let request = ExecutionRequest { language, source, limits: patient, compile_limits, ..ExecutionRequest::default() };
    let job = admission::admit(request, &Rules { offers: &offers, ceiling, plan: None });
    let job = job.map_err(|error| error.problem().to_string())?;
    let (room, control) = (execution::room_for_one(), Control::default());
    let result = execution::run_job(link, &room, String::new(), &job, None, None, &control).await;
    let (result, _) = result.map_err(|error| format!("a hello could not be run: {error}"))?;
    let said = result.run.as_ref().map(|run| run.stdout.to_bytes().unwrap_or_default());
    if result.verdict == Verdict::Ok && said.as_deref() == Some(HELLO_SAYS) {
        return Ok(());
    }
    let why = result.reason.map(|reason| reason.message).unwrap_or_default();
    let stderr = result.run.map(|run| run.stderr).or(result.compile.map(|compile| compile.stderr));
    let stderr = stderr.map(|stream| stream.to_bytes().unwrap_or_default()).unwrap_or_default();
    let shown: String = String::from_utf8_lossy(&stderr).chars().take(200).collect();
    Err(format!("a hello ended with {}: {why} {shown}", result.verdict).trim_end().to_owned())
}
