//! What `selftest` says in the end: a table by mechanism, or JSON, and one sentence that the exit code follows.

use std::collections::BTreeMap;

use api_spec::{CgroupVersion, LayerState};
use serde::Serialize;

use super::corpus::{self, Kind};
use super::host::Findings;
use super::target::How;

/// How one program fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fared {
    /// The attack failed, or the honest program worked.
    Held,
    /// It did not.
    Failed,
    /// It did not, but its header (`@waived`) says why that is known and not mended; `SECURITY.md` names it.
    Apart,
    /// It could not be tried here: `reason` says why.
    Skipped,
}

/// One program, all its repetitions together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its name in the corpus.
    pub name: String,
    /// Honest or hostile.
    pub kind: Kind,
    /// Its mechanism, `honest` for every honest one.
    pub mechanism: String,
    /// Its language.
    pub language: String,
    /// What it tries, or that it is honest.
    pub tries: String,
    /// How it fared.
    pub result: Fared,
    /// How often it was tried.
    pub times: u32,
    /// The layers that hold it.
    pub layers: Vec<String>,
    /// What was wrong.
    pub complaints: Vec<String>,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// Every verdict that the engine gave.
    pub verdicts: Vec<String>,
    /// How long it took in all.
    pub duration_ms: u64,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mechanism {
    /// As in the headers of the corpus.
    pub mechanism: String,
    /// As people call it.
    pub title: String,
    /// Programs that were run.
    pub tried: usize,
    /// Of these, those that held.
    pub held: usize,
    /// Of these, those that did not.
    pub failed: usize,
    /// Of these, those that did not and are counted apart.
    pub apart: usize,
    /// Programs that could not be run.
    pub skipped: usize,
    /// Layers by the number of programs that they hold, most first.
    pub held_by: Vec<String>,
}

/// The engine that was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// Where it listens.
    pub address: String,
    /// How it was chosen.
    pub chosen: How,
    /// Its version.
    pub version: String,
    /// Which cgroup interface it uses.
    pub cgroup: CgroupVersion,
    /// The version of landlock that the kernel has.
    pub landlock_abi: u32,
}

/// What it all comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Everything that was tried held, and every layer is in force. Exit code 0.
    Held,
    /// Something did not hold, or a layer is missing. Exit code 1.
    NotHeld,
    /// Nothing could be tried. Exit code 2.
    NotTried,
}

impl Conclusion {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Conclusion::Held => 0,
            Conclusion::NotHeld => 1,
            Conclusion::NotTried => 2,
        }
    }
}

/// The whole report, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it comes to.
    pub result: Conclusion,
    /// The same in a sentence.
    pub sentence: String,
    /// What was tested.
    pub engine: Tested,
    /// Every layer, as `GET /v1/isolation` has it.
    pub layers: Vec<LayerState>,
    /// The table.
    pub mechanisms: Vec<Mechanism>,
    /// The host before and after.
    pub host: Findings,
    /// Every program.
    pub programs: Vec<Outcome>,
}

/// What a report is made of.
pub struct Facts {
    /// What was tested.
    pub engine: Tested,
    /// Every layer.
    pub layers: Vec<LayerState>,
    /// The host before and after.
    pub host: Findings,
    /// Every program.
    pub programs: Vec<Outcome>,
    /// How many programs were not reached, and why.
    pub unreached: Option<(usize, String)>,
}

impl Outcome {
    /// What to do about a program that did not hold.
    fn remedy(&self) -> &'static str {
        // What a slow or busy host does to an honest program and to the time of an answer.
        let slow =
            |bad: &String| ["_time_limit", "answered after", "compile_error"].iter().any(|word| bad.contains(word));
        match (self.result, self.kind) {
            (Fared::Apart, _) => "a known limit: SECURITY.md says what it is worth",
            (_, kind) if self.complaints.iter().all(slow) => match kind {
                Kind::Hostile => {
                    "try again when the host is idle, or with --scale 4; if it stays so, SECURITY.md says how to report it"
                }
                Kind::Benign => {
                    "try again when the host is idle, or with --scale 4; if it stays so, see `engined doctor`"
                }
            },
            (_, Kind::Hostile) => {
                "take this engine out of service until it is mended; SECURITY.md says how to report it"
            }
            (_, Kind::Benign) => "`engined doctor` tells whether its toolchain works here",
        }
    }
}

impl Report {
    /// Draws the conclusion.
    #[must_use]
    pub fn new(facts: Facts) -> Report {
        let Facts { engine, layers, host, programs, unreached } = facts;
        let count = |result: Fared| programs.iter().filter(|program| program.result == result).count();
        let (held, failed, apart) = (count(Fared::Held), count(Fared::Failed), count(Fared::Apart));
        let missing: Vec<&str> = layers.iter().filter(|l| !l.obtained).map(|layer| layer.layer.as_str()).collect();
        let mut wrong = Vec::new();
        if failed > 0 {
            wrong.push(format!(
                "{failed} of {} did not hold ({})",
                programs_of(held + failed + apart),
                names(&programs, Fared::Failed)
            ));
        }
        if !missing.is_empty() {
            let is = if missing.len() == 1 { "is" } else { "are" };
            wrong.push(format!("{} {is} missing", missing.join(", ")));
        }
        match host.found.len() {
            0 => {}
            1 => wrong.push("something was left on the host".to_owned()),
            found => wrong.push(format!("{found} things were left on the host")),
        }
        if let Some((left, why)) = &unreached {
            wrong.push(format!("{} not reached: {why}", programs_of(*left)));
        }
        let (result, sentence) = if !wrong.is_empty() {
            (Conclusion::NotHeld, format!("Not everything held: {}.", wrong.join("; ")))
        } else if held + apart == 0 {
            let why = programs.iter().find_map(|program| program.reason.clone());
            let why = why.unwrap_or_else(|| "there is no such program".to_owned());
            (Conclusion::NotTried, format!("Nothing could be tried: {why}."))
        } else {
            let mut sentence = format!("Everything held: {}, {} layers in force", programs_of(held), layers.len());
            if apart > 0 {
                let names = names(&programs, Fared::Apart);
                sentence += &format!("; counted apart: {names}, see SECURITY.md");
            }
            match count(Fared::Skipped) {
                0 => {}
                skipped => sentence += &format!("; {} skipped", programs_of(skipped)),
            }
            (Conclusion::Held, sentence + ".")
        };
        let mechanisms = mechanisms(&programs, &missing);
        Report { result, sentence, engine, layers, mechanisms, host, programs }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.table();
        for program in &self.programs {
            let Outcome { name, mechanism, tries, .. } = program;
            let how = match program.result {
                Fared::Failed => "Did not hold",
                Fared::Apart => "Counted apart",
                Fared::Held | Fared::Skipped => continue,
            };
            text += &format!("\n{how}: {name} ({}): {tries}\n", corpus::title(mechanism).1);
            for complaint in &program.complaints {
                text += &format!("  {}\n", plain(complaint));
            }
            text += &format!("  → {}\n", program.remedy());
        }
        text.push('\n');
        let missing: Vec<&LayerState> = self.layers.iter().filter(|layer| !layer.obtained).collect();
        let Tested { cgroup, landlock_abi, .. } = &self.engine;
        let cgroup = if *cgroup == CgroupVersion::V1 { "v1" } else { "v2" };
        let kernel = format!("cgroup {cgroup}, landlock ABI {landlock_abi}");
        match missing.len() {
            0 => text += &format!("Layers: all {} are in force ({kernel}).\n", self.layers.len()),
            lack => text += &format!("Layers: {lack} of {} missing ({kernel}).\n", self.layers.len()),
        }
        for LayerState { layer, wanted, remedy, .. } in missing {
            let waived = if *wanted { "" } else { ", waived by name in the configuration" };
            text += &format!("  {layer}{waived}\n  → {}\n", remedy.as_deref().unwrap_or("see engined doctor"));
        }
        text += &self.of_host();
        let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for program in &self.programs {
            if let (Fared::Skipped, Some(reason)) = (program.result, &program.reason) {
                skipped.entry(reason).or_default().push(&program.name);
            }
        }
        for (reason, names) in skipped {
            let shown = if names.len() > 5 { programs_of(names.len()) } else { names.join(", ") };
            text += &format!("Skipped: {shown}: {reason}.\n");
        }
        text += &format!("\n{}\n", self.sentence);
        text
    }

    fn of_host(&self) -> String {
        let Findings { looked_at, not_looked_at, found } = &self.host;
        let mut text = String::new();
        if !looked_at.is_empty() {
            let what = looked_at.join(", ");
            let left = if found.is_empty() { "nothing was left behind" } else { "something was left behind" };
            text += &format!("Host: {left} (looked at {what}).\n");
        }
        found.iter().for_each(|found| text += &format!("  {}\n", plain(found)));
        for unseen in not_looked_at {
            text += &format!("Not looked at: {}: {}.\n", unseen.what, unseen.why);
        }
        text
    }

    fn table(&self) -> String {
        let width = self.mechanisms.iter().map(|row| row.title.len()).max().unwrap_or(0).max("mechanism".len());
        let mut text = format!("{:<width$}  tried  held  failed  apart  skipped  held by\n", "mechanism");
        for row in &self.mechanisms {
            let Mechanism { title, tried, held, failed, apart, skipped, held_by, .. } = row;
            let line = format!(
                "{title:<width$}  {tried:>5}  {held:>4}  {failed:>6}  {apart:>5}  {skipped:>7}  {}",
                held_by.join(", ")
            );
            text += line.trim_end();
            text.push('\n');
        }
        let sum = |of: fn(&Mechanism) -> usize| self.mechanisms.iter().map(of).sum::<usize>();
        let (tried, held) = (sum(|row| row.tried), sum(|row| row.held));
        let (failed, apart, skipped) = (sum(|row| row.failed), sum(|row| row.apart), sum(|row| row.skipped));
        text + &format!("{:<width$}  {tried:>5}  {held:>4}  {failed:>6}  {apart:>5}  {skipped:>7}\n", "all")
    }
}

fn programs_of(count: usize) -> String {
    if count == 1 { "1 program".to_owned() } else { format!("{count} programs") }
}

/// The first few that fared so.
fn names(programs: &[Outcome], result: Fared) -> String {
    let failed: Vec<&str> =
        programs.iter().filter(|p| p.result == result).map(|program| program.name.as_str()).collect();
    match failed.len() {
        0..=5 => failed.join(", "),
        more => format!("{} and {} more", failed[..4].join(", "), more - 4),
    }
}

/// What a hostile program printed must not move the cursor of whoever reads.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn mechanisms(programs: &[Outcome], missing: &[&str]) -> Vec<Mechanism> {
    let mut rows: BTreeMap<(usize, &str), Vec<&Outcome>> = BTreeMap::new();
    for program in programs {
        let at = corpus::title(&program.mechanism).0;
        rows.entry((at, program.mechanism.as_str())).or_default().push(program);
    }
    let row = |((_, mechanism), programs): ((usize, &str), Vec<&Outcome>)| {
        let count = |result: Fared| programs.iter().filter(|program| program.result == result).count();
        let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
        for program in programs.iter().filter(|program| program.result == Fared::Held) {
            program.layers.iter().for_each(|layer| *holders.entry(layer).or_default() += 1);
        }
        let mut holders: Vec<(&str, usize)> = holders.into_iter().collect();
        holders.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let told = |(name, _): (&str, usize)| {
            if missing.contains(&name) { format!("{name} (missing)") } else { name.to_owned() }
        };
        let (held, failed, apart) = (count(Fared::Held), count(Fared::Failed), count(Fared::Apart));
        Mechanism {
            mechanism: mechanism.to_owned(),
            title: corpus::title(mechanism).1.to_owned(),
            tried: held + failed + apart,
            held,
            failed,
            apart,
            skipped: count(Fared::Skipped),
            held_by: holders.into_iter().map(told).collect(),
        }
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests;
