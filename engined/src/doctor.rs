//! `engined doctor`: what this host has of what is wanted, layer by layer and toolchain by toolchain, and what to do
//! about the rest; and whether what the configuration wants to keep of it all can be written. Exit code 0 when all is there.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api_spec::LayerState;
use jail::landlock::ServicePaths;
use languages::{Catalogue, Toolchain};
use serde::Serialize;

use crate::confinement::Confinement;
use crate::embed::{self, Embedded, Talker};
use crate::engine::of_jaild;
use crate::http::catalogue::of_welcome;
use crate::offers::notable;
use crate::{privileges, probe, serve, state};

mod audit;

/// What `doctor` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// For programs.
    pub json: bool,
    /// The configuration, if another than the usual one.
    pub config: Option<PathBuf>,
    /// jaild had to be started without some layers: say that they are wanted all the same.
    pub all_wanted: bool,
    /// The talking part.
    pub talker: Talker,
}

/// One thing that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// `account`, `layer`, `toolchain`, `audit` or `jaild`.
    kind: &'static str,
    name: String,
    wanted: bool,
    obtained: bool,
    /// A version, or why it is not there.
    detail: String,
    /// A command or a setting.
    remedy: Option<String>,
}

/// `engined doctor`.
#[must_use]
pub fn doctor(options: &Options) -> ExitCode {
    let done = match &options.talker.link {
        Some(link) => talk(options, link),
        None => start(options),
    };
    done.unwrap_or_else(|trouble| {
        let finding = Finding {
            kind: "jaild",
            name: "start".to_owned(),
            wanted: true,
            obtained: false,
            detail: trouble,
            remedy: Some("do what jaild says above".to_owned()),
        };
        report(&[finding], options.json)
    })
}

fn start(options: &Options) -> Result<ExitCode, String> {
    let missing: Vec<Finding> = state::user().iter().filter_map(|user| account(user)).collect();
    if !missing.is_empty() {
        return Ok(report(&missing, options.json));
    }
    let mut args = Vec::new();
    if options.json {
        args.push("--json".into());
    }
    if let Some(config) = &options.config {
        args.extend(["--config".into(), config.into()]);
    }
    let embedded = match Embedded::start(None) {
        Ok(embedded) => embedded,
        Err(trouble) => {
            // Without the layers that this host lacks, so that the others and the toolchains can be looked at too.
            complain!("engined: {trouble}");
            let names: Vec<String> = jail::spec::Layer::ALL.iter().map(|layer| format!("\"{layer}\"")).collect();
            args.push("--all-wanted".into());
            Embedded::start(Some(&format!("waive_layers = [{}]\n", names.join(", "))))?
        }
    };
    let Some(embedded) = embedded else { return Ok(ExitCode::FAILURE) };
    embedded.run("doctor", &args)
}

fn account(name: &str) -> Option<Finding> {
    let failed = privileges::account(name).err()?;
    Some(Finding {
        kind: "account",
        name: name.to_owned(),
        wanted: true,
        obtained: false,
        detail: failed.to_string(),
        remedy: Some(format!("useradd --system --no-create-home --shell /usr/sbin/nologin {name}")),
    })
}

fn talk(options: &Options, link: &Path) -> Result<ExitCode, String> {
    let catalogue = Catalogue::load(state::manifests().as_deref())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let tuning = state::tuning();
    serve::confine(options.talker.user.as_deref(), options.talker.parent).map_err(|why| why.join("; "))?;
    let (runtime, link, welcome) = embed::connect(link)?;
    let isolation = of_welcome(&welcome);
    let mut findings: Vec<Finding> =
        isolation.layers.into_iter().map(|layer| of_layer(layer, options.all_wanted)).collect();
    let ceiling = of_jaild(&welcome);
    runtime.block_on(async {
        for definition in catalogue.languages() {
            let probed = probe::toolchains(&link, definition, &ceiling, true, tuning.as_deref()).await;
            let of = |toolchain: &Toolchain, obtained, detail: String, remedy| {
                let name = format!("{}/{}", definition.id, toolchain.id);
                Finding { kind: "toolchain", name, wanted: true, obtained, detail, remedy }
            };
            let here = probed.iter().filter_map(|(toolchain, version)| Some((toolchain, version.as_ref().ok()?)));
            findings.extend(here.map(|(toolchain, (version, tuned))| {
                let files = tuned.as_ref().map(|tuned| tuned.files().collect::<Vec<_>>().join(" "));
                let tuned = match files {
                    Some(files) => format!(", tuned: {files}"),
                    None if definition.tuning(toolchain).is_some() => ", not tuned: jaild --tune yes".to_owned(),
                    None => String::new(),
                };
                of(toolchain, true, format!("{version}{tuned}"), None)
            }));
            findings.extend(
                notable(&probed).map(|(toolchain, trouble)| {
                    of(toolchain, false, trouble.why().to_owned(), Some(toolchain.remedy()))
                }),
            );
        }
    });
    runtime.shutdown_background();
    findings.extend(audit::findings(options.config.as_deref()));
    // Last of all: nothing can be opened after it.
    let paths = ServicePaths { list: vec!["/proc/self".into()], ..ServicePaths::default() };
    let (confinement, _) = Confinement::attempt(&paths, &[]);
    let after = findings.iter().take_while(|finding| finding.kind == "layer").count();
    let own: Vec<Finding> = confinement.layers().into_iter().map(|layer| of_layer(layer, options.all_wanted)).collect();
    findings.splice(after..after, own);
    Ok(report(&findings, options.json))
}

fn of_layer(layer: LayerState, all_wanted: bool) -> Finding {
    let wanted = layer.wanted || all_wanted;
    let detail = if wanted { String::new() } else { "waived in jaild.toml".to_owned() };
    Finding { kind: "layer", name: layer.layer, wanted, obtained: layer.obtained, detail, remedy: layer.remedy }
}

/// Prints the findings; the exit code says whether all that is wanted is there.
fn report(findings: &[Finding], json: bool) -> ExitCode {
    if json {
        match serde_json::to_string_pretty(findings) {
            Ok(text) => say!("{text}"),
            Err(error) => complain!("engined: {error}"),
        }
    } else {
        say!("{}", table(findings).trim_end());
    }
    let lacking = findings.iter().any(|finding| finding.wanted && !finding.obtained);
    ExitCode::from(u8::from(lacking))
}

fn table(findings: &[Finding]) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = format!("{:<9}  {:<width$}  {:<6}  {:<8}  detail\n", "kind", "name", "wanted", "obtained");
    for finding in findings {
        let Finding { kind, name, wanted, obtained, detail, remedy } = finding;
        let line = format!("{kind:<9}  {name:<width$}  {:<6}  {:<8}  {detail}", yes(*wanted), yes(*obtained));
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:<9}  {:<width$}  → {remedy}\n", "", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_to_do() {
        let finding = |name: &str, wanted, obtained, detail: &str, remedy: Option<&str>| Finding {
            kind: "layer",
            name: name.to_owned(),
            wanted,
            obtained,
            detail: detail.to_owned(),
            remedy: remedy.map(str::to_owned),
        };
        let findings = [
            finding("user_ns", true, true, "", None),
            finding("landlock", true, false, "", Some("boot with it")),
            finding("time_ns", false, false, "waived in jaild.toml", Some("use a newer kernel")),
        ];
        assert_eq!(
            table(&findings),
            "kind       name      wanted  obtained  detail\n\
             layer      user_ns   yes     yes\n\
             layer      landlock  yes     no\n\
             \u{20}                    → boot with it\n\
             layer      time_ns   no      no        waived in jaild.toml\n\
             \u{20}                    → use a newer kernel\n"
        );
        assert_eq!(report(&findings[..1], false), ExitCode::SUCCESS);
        assert_eq!(report(&findings, false), ExitCode::FAILURE);
        assert_eq!(report(&findings[2..], true), ExitCode::SUCCESS, "what is waived is not lacking");
    }
}
