//! What is told of a soak: a line for each sample, a table at the end, and a dated report with a plot.

use std::fs;

use crate::build::{self, Programs};
use crate::problem::{Context, Result};
use crate::prove::{facts, said};
use crate::soak::Outcome;
use crate::soak::sample::{SERIES, Sample, Series};
use crate::svg::Svg;
use crate::tally::Tally;

/// Where the runs are, and what may grow with them.
pub fn progress(sample: &Sample, runs: u32) -> String {
    let of = |name: &str| sample.gauges.get(name).copied();
    let mib = |name: &str| of(name).map_or_else(|| "?".to_owned(), |bytes| format!("{:.1}", bytes / 1_048_576.0));
    let plain = |name: &str| of(name).map_or_else(|| "?".to_owned(), |number| number.to_string());
    format!(
        "xtask: soak: {} of {runs} runs, {:.0} s, {:.1}/s; engined {} MiB, {} descriptors, {} threads; jaild {} MiB, {} \
         descriptors; {} processes, {} cgroups, {} namespaces, slab {} MiB",
        sample.runs,
        sample.seconds,
        f64::from(sample.runs) / sample.seconds.max(0.001),
        mib("process_resident_memory_bytes"),
        plain("process_open_fds"),
        plain("process_threads"),
        mib("engined_jaild_resident_memory_bytes"),
        plain("engined_jaild_open_fds"),
        plain("engined_sandbox_processes"),
        plain("engined_sandbox_cgroups"),
        plain("engined_sandbox_namespaces"),
        mib("engined_sandbox_slab_bytes"),
    )
}

/// Bytes as KiB, all else as it is.
fn shown(series: &Series, number: f64) -> String {
    let bytes = series.name.ends_with("_bytes") || series.name.contains("slab");
    let number = if bytes { number / 1024.0 } else { number };
    format!("{}{}", (number * 10.0).round() / 10.0, if bytes { " KiB" } else { "" })
}

/// Each series, in the columns of a report.
pub fn table(outcome: &Outcome) -> String {
    let mut text = "| what | begin | end | least | most | per 1,000 runs | growth | rise | bound | apart from the host | verdict |\n".to_owned();
    text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
    for series in SERIES.iter().filter(|series| outcome.watches(series.name)) {
        let show = |number: f64| shown(series, number);
        let Some(trend) = outcome.trend(series.name) else {
            text += &format!("| {} | | | | | | | | {} | | too few samples |\n", series.name, show(series.bound));
            continue;
        };
        let apart = match (series.apart, outcome.apart(series.name)) {
            (None, _) => "-".to_owned(),
            (Some(_), None) => "not told".to_owned(),
            (Some(most), Some(apart)) => format!("{} of {}", show(apart), show(most)),
        };
        let cells =
            [trend.begin, trend.end, trend.least, trend.most, trend.slope, trend.growth, trend.rise, series.bound];
        let cells = cells.map(show).join(" | ");
        let verdict = if trend.is_flat(series.bound) { "flat" } else { "**grows**" };
        text += &format!("| {} | {cells} | {apart} | {verdict} |\n", series.name);
    }
    text
}

/// `reports/soak-DATE.md` and the plot beside it.
pub fn write(outcome: &Outcome, programs: &Programs, tally: &Tally) -> Result<()> {
    let folder = build::root().join("reports");
    let date = said("date", &["-u", "+%Y-%m-%d"]);
    for (ending, text) in [("md", text(outcome, programs, tally, &date)), ("svg", plot(outcome))] {
        let file = folder.join(format!("soak-{date}.{ending}"));
        fs::write(&file, text).or_problem(file.display().to_string(), "make reports/ writable")?;
        println!("xtask: written to {}", file.display());
    }
    Ok(())
}

fn text(outcome: &Outcome, programs: &Programs, tally: &Tally, date: &str) -> String {
    let Outcome { soak, runs, took, answers, slow, remade, .. } = outcome;
    let seconds = took.as_secs_f64();
    let mut text = format!("# Soak of {}\n\n{}", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]), facts(programs));
    text += &format!(
        "- command: `cargo xtask soak --runs {} --jobs {} --seed {} --report`\n",
        soak.runs, soak.jobs, soak.seed
    );
    text += &format!(
        "- runs: {runs} in {seconds:.0} s, {:.1} per second, samples in between included\n",
        f64::from(*runs) / seconds
    );
    text += &format!("- CPU time of compilers and programs: {} s\n", answers.cpu_us / 1_000_000);
    text += &format!("- checks: {} passed, {} failed\n", tally.passed(), tally.failures().len());
    text += &format!("- slots that jaild made anew: {remade}\n");
    text += "\nA fifth of the runs are attacks. The first tenth is warm-up and is not judged. *Growth* is the median of the \
             slopes between all pairs of samples, times the runs; *rise* is the median of the last tenth of the samples less \
             that of the first. Both must stay within the bound. *Apart* is how far the gauge ever was from what root reads \
             on the host. Every sample is taken when no run is under way.\n\n";
    text += &table(outcome);
    text += &format!("\n![The series over the runs](soak-{date}.svg)\n\n## Why these bounds\n\n");
    SERIES.iter().for_each(|series| text += &format!("- {}: {}\n", series.name, series.why));
    text += "\n## Answers\n\n| verdict | runs |\n| --- | ---: |\n";
    answers.counts.iter().for_each(|(verdict, count)| text += &format!("| {verdict} | {count} |\n"));
    if !slow.is_empty() {
        text += &format!(
            "\nNot drawn again, because a run used more than 1.5 s of CPU time or took more than 5 s: {}.\n",
            slow.join(", ")
        );
    }
    if !tally.failures().is_empty() {
        text += "\n## What failed\n\n";
        tally.failures().iter().for_each(|failure| text += &format!("- {}\n", failure.replace('\n', " ")));
    }
    text
}

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 60.0;
const ROW: f64 = 100.0;

/// A small chart for each series, from 0 to a bit above its most, so that flat looks flat.
fn plot(outcome: &Outcome) -> String {
    let rows = u32::try_from(SERIES.len().div_ceil(2)).map_or(0.0, f64::from);
    let (wide, high) = (2.0 * (WIDTH + 20.0) + 20.0, rows * ROW + 20.0);
    let mut svg = Svg::new(wide, high);
    let runs = f64::from(outcome.runs.max(1));
    for (n, series) in SERIES.iter().enumerate() {
        let place = |n: usize| u32::try_from(n).map_or(0.0, f64::from);
        let (x, y) = (20.0 + place(n % 2) * (WIDTH + 20.0), 10.0 + place(n / 2) * ROW);
        let points = outcome.samples.iter().filter_map(|s| Some((f64::from(s.runs), *s.gauges.get(series.name)?)));
        let points: Vec<(f64, f64)> = points.collect();
        let top = points.iter().map(|(_, number)| *number).fold(1.0, f64::max) * 1.2;
        let place =
            |(at, number): &(f64, f64)| (x + at / runs * WIDTH, y + 15.0 + HEIGHT - number.max(0.0) / top * HEIGHT);
        let line: Vec<(f64, f64)> = points.iter().map(place).collect();
        let last = points.last().map_or_else(String::new, |(_, number)| shown(series, *number));
        svg.words(x, y + 10.0, &format!("{}: {last}", series.name));
        svg.frame(x, y + 15.0, WIDTH, HEIGHT);
        svg.line(&line, "#06c");
    }
    svg.end()
}
