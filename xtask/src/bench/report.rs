//! What is told of a bench: tables in Markdown, all figures as JSON, and a plot; kept in `benches/results/`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::contest::CACHED;
use super::load::Level;
use super::peers::Told;
use super::plan::Plan;
use super::row::{BARE, Row};
use super::{MEMORY_LIMIT_KB, plot, write};
use crate::build::{self, Programs};
use crate::problem::{Context, Result};
use crate::prove::{processors, said};
use crate::tally::Tally;
use crate::toolchains;

/// All that one measurement gives.
#[derive(Debug)]
pub struct Figures {
    /// How often each thing was measured.
    pub(super) plan: Plan,
    /// How long one run takes.
    pub(super) rows: Vec<Row>,
    /// How many there are per second.
    pub(super) levels: Vec<Level>,
    /// The same of a request that asks for next to nothing.
    pub(super) ceiling: Level,
    /// PSS of all processes of the engine, after its start and after all rows.
    pub(super) fresh_kb: u64,
    pub(super) used_kb: u64,
    /// How busy the machine was when it began, as `/proc/loadavg` has it.
    pub(super) load: String,
    /// Every sandbox that is known, measured or not.
    pub(super) peers: Vec<Told>,
    /// What other measurements add: a heading, Markdown, and the same for programs.
    pub(super) sections: Vec<(String, String, Value)>,
    /// All of it.
    pub(super) took: Duration,
}

impl Figures {
    /// Each promise as a check.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (name, held) in self.promises() {
            tally.check(&name, held.map(drop));
        }
        tally
    }

    /// What is promised, and whether it holds.
    fn promises(&self) -> Vec<(String, std::result::Result<(), String>)> {
        let slack = self.plan.slack;
        let rows = self.rows.iter().filter_map(|row| Some((row.name.clone(), row.holds(slack)?)));
        let levels = self.levels.iter().filter_map(|level| {
            Some((format!("{}, {} clients, runs per second", level.name, level.clients), level.holds(CACHED, slack)?))
        });
        let most = self.fresh_kb.max(self.used_kb);
        let light =
            (most <= MEMORY_LIMIT_KB).then_some(()).ok_or_else(|| format!("{most} kB, promised {MEMORY_LIMIT_KB}"));
        rows.chain(levels).chain([("memory at rest".to_owned(), light)]).collect()
    }

    /// The promises alone, in Markdown.
    pub fn table(&self) -> String {
        let mut text = "| what | ours over bare | promised | |\n| --- | ---: | ---: | --- |\n".to_owned();
        let verdict = |held: &std::result::Result<(), String>| match held {
            Ok(()) => "held".to_owned(),
            Err(why) => format!("**not held**: {why}"),
        };
        let promises = self.promises();
        let held = |name: &str| promises.iter().find(|(one, _)| one == name).map(|(_, held)| verdict(held));
        for row in &self.rows {
            let Some((bar, told)) = row.bar.as_ref().zip(held(&row.name)) else { continue };
            let ratio = row.ratio(bar.way).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            text += &format!("| {} ({}) | {ratio} | ≤ {:.2} | {told} |\n", row.name, bar.way, bar.most);
        }
        for level in &self.levels {
            let name = format!("{}, {} clients, runs per second", level.name, level.clients);
            let Some((bar, told)) = level.bar.zip(held(&name)) else { continue };
            let ratio = level.ratio(CACHED).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
            text += &format!("| {name} ({CACHED}) | {ratio} | ≥ {bar:.2} | {told} |\n");
        }
        let told = held("memory at rest").unwrap_or_default();
        text += &format!(
            "| memory at rest, PSS of all processes: {} kB after the start, {} kB after all rows | | ≤ {MEMORY_LIMIT_KB} kB | {told} |\n",
            self.fresh_kb, self.used_kb
        );
        text
    }

    /// The report.
    pub fn text(&self, programs: &Programs) -> String {
        let mut text = format!("# Bench of {}\n\n", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]));
        for (name, value) in self.facts(programs) {
            text += &format!("- {name}: {value}\n");
        }
        text += "\nHow it is measured and how to read it: [README](../README.md).\n\n## What is promised\n\n";
        text += &self.table();
        text += "\n## One run\n\nMicroseconds. CPU is that of one run on average, whoever spent it, what was made ahead of time for the next \
                 one included. Percentiles need 20 and 100 runs.\n";
        for row in &self.rows {
            text += &format!("\n### {}\n\n{}", row.name, row_table(row));
        }
        text += "\n## Runs per second\n\nMedian of the windows. *Generator* is what this program itself used of one core.\n\n";
        text += &levels_table(&self.levels);
        let most = self.ceiling.rates.first().and_then(|rate| Some((rate.per_second()?, rate.own_cores)));
        if let Some((per_second, cores)) = most {
            text += &format!(
                "\nThe load generator gets {per_second:.0} answers per second with {} clients where next to nothing is asked for \
                 (`GET /healthz`), and uses {cores:.2} cores for it.\n",
                self.ceiling.clients
            );
        }
        for (heading, words, _) in &self.sections {
            text += &format!("\n## {heading}\n\n{words}");
        }
        text + &peers_table(&self.peers)
    }

    /// Which engine, on which machine.
    fn facts(&self, programs: &Programs) -> Vec<(String, String)> {
        let root = build::root().display().to_string();
        let named = |name: &str, value: String| (name.to_owned(), value);
        let mut facts = vec![
            named("commit", said("git", &["-C", &root, "describe", "--always", "--dirty"])),
            named("engined", said(&programs.engined.display().to_string(), &["--version"])),
            named("kernel", said("uname", &["-srm"])),
            named("processors", processors()),
            named("cgroup", cgroup().to_owned()),
            named("load before it", self.load.clone()),
            named("took", format!("{} s", self.took.as_secs())),
            named(
                "rounds",
                format!(
                    "{} of what is fast, {} of what is slow, {} after a pause",
                    self.plan.fast, self.plan.slow, self.plan.idle
                ),
            ),
        ];
        match toolchains::installed() {
            Ok(all) => facts.extend(toolchains::told(&all)),
            Err(problem) => facts.push(named("toolchains", problem.to_string())),
        }
        facts
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "rates": self.levels.iter().map(Level::json).collect::<Vec<_>>(),
            "generator_ceiling": self.ceiling.json(),
            "pss_kb": {"after_start": self.fresh_kb, "after_all": self.used_kb, "limit": MEMORY_LIMIT_KB},
            "load": self.load,
            "peers": self.peers.iter().map(Told::json).collect::<Vec<_>>(),
            "sections": self.sections.iter().map(|(heading, _, value)| json!({"heading": heading, "figures": value})).collect::<Vec<_>>(),
            "seconds": self.took.as_secs(),
        })
    }

    /// Keeps all of it in `benches/results/`, under the date and the machine.
    ///
    /// # Errors
    /// That of the disk.
    pub fn save(&self, programs: &Programs) -> Result<()> {
        let folder = build::root().join("benches/results");
        fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "make it writable")?;
        let name = format!("{}-{}", said("date", &["-u", "+%Y-%m-%d"]), slug(&processors()));
        let mut all = self.json();
        all["machine"] = self.facts(programs).into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        write(&file("md"), &(self.text(programs) + &format!("\n![The same as a plot]({name}.svg)\n")))?;
        write(&file("json"), &format!("{all:#}\n"))?;
        write(&file("svg"), &plot::draw(&self.rows, &self.levels))
    }
}

fn cgroup() -> &'static str {
    let hybrid = Path::new("/sys/fs/cgroup/unified").exists();
    match said("stat", &["-fc", "%T", "/sys/fs/cgroup"]).as_str() {
        "cgroup2fs" => "v2",
        _ if hybrid => "v1, with v2 beside it without controllers (hybrid)",
        _ => "v1",
    }
}

/// Fit for a file's name.
fn slug(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn row_table(row: &Row) -> String {
    let mut text =
        "| who | runs | median | p95 | p99 | times bare | CPU |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for way in &row.ways {
        let ratio = row.ratio(&way.name).map(|ratio| format!("{ratio:.2}"));
        let cells = [way.times.median(), way.times.percentile(95), way.times.percentile(99)].map(or_dash).join(" | ");
        let cpu = way.cpu_us.map(|us| format!("{us:.0}"));
        text +=
            &format!("| {} | {} | {cells} | {} | {} |\n", way.name, way.times.count(), or_dash(ratio), or_dash(cpu));
    }
    for way in &row.ways {
        if let Some(note) = &way.note {
            text += &format!("\n{}: {note}\n", way.name);
        }
    }
    text
}

fn levels_table(levels: &[Level]) -> String {
    let mut text = "| what | at once | who | per second | of bare | median, µs | p95 | p99 | generator |\n\
                    | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for level in levels {
        for rate in &level.rates {
            let per_second = rate.per_second().map(|rate| format!("{rate:.1}"));
            let ratio =
                (rate.name != BARE).then(|| level.ratio(&rate.name)).flatten().map(|ratio| format!("{ratio:.3}"));
            let times =
                [rate.times.median(), rate.times.percentile(95), rate.times.percentile(99)].map(or_dash).join(" | ");
            text += &format!(
                "| {} | {} | {} | {} | {} | {times} | {:.2} |\n",
                level.name,
                level.clients,
                rate.name,
                or_dash(per_second),
                or_dash(ratio),
                rate.own_cores
            );
        }
    }
    for (level, rate) in levels.iter().flat_map(|level| level.rates.iter().map(move |rate| (level, rate))) {
        if let Some(note) = &rate.note {
            text += &format!("\n{}, {} at once, {}: {note}\n", level.name, level.clients, rate.name);
        }
    }
    text
}

fn peers_table(peers: &[Told]) -> String {
    if peers.is_empty() {
        return String::new();
    }
    let mut text = "\n## Other sandboxes\n\nMeasured from the spawn of their command to its end: no HTTP, no queue, no output collected.\n\n".to_owned();
    for peer in peers {
        let skipped = peer.skipped.as_ref().map(|why| format!(" **Not measured**: {why}.")).unwrap_or_default();
        text += &format!("- **{}** {}: {}.{skipped}\n", peer.name, peer.version, peer.settings);
        if !peer.command.is_empty() {
            text += &format!("  `{}`\n", peer.command);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_for_files() {
        assert_eq!(slug("2 of AMD EPYC (Milan) 7B13 @ 2.4GHz"), "2-of-amd-epyc-milan-7b13-2-4ghz");
    }
}
