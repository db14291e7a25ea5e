//! The plot of a bench: each row's times over bare, and the runs per second by the number of clients.

use super::load::Level;
use super::row::{BARE, Row};
use crate::svg::Svg;

/// Who has which colour, in every panel.
const COLOURS: [(&str, &str); 10] = [
    (BARE, "#888"),
    ("engined, cold", "#9bd"),
    ("engined, armed", "#37b"),
    ("engined, cached", "#036"),
    ("bubblewrap", "#e8a33d"),
    ("crun", "#c0582a"),
    ("runc", "#8a2f1d"),
    ("firejail", "#7a9a3a"),
    ("hakoniwa", "#9a5aa8"),
    ("systemd-run", "#3a9a8a"),
];
const LEFT: f64 = 320.0;
const WIDE: f64 = 560.0;
const LINE: f64 = 14.0;
/// From a quarter of bare to 256 times bare, each step twice the one before.
const STEPS: (f64, f64) = (-2.0, 8.0);
const PANEL: f64 = 220.0;

fn colour(name: &str) -> &'static str {
    COLOURS.iter().find(|(known, _)| *known == name).map_or("#000", |(_, colour)| colour)
}

fn at(ratio: f64) -> f64 {
    let step = ratio.max(1e-9).log2().clamp(STEPS.0, STEPS.1);
    LEFT + (step - STEPS.0) / (STEPS.1 - STEPS.0) * WIDE
}

/// The file.
pub fn draw(rows: &[Row], levels: &[Level]) -> String {
    let lines: usize = rows.iter().map(|row| row.ways.iter().filter(|way| way.name != BARE).count() + 1).sum();
    let names: Vec<&str> = names(levels);
    let bars = 40.0 + count(lines) * LINE + count(rows.len()) * 6.0;
    let high = bars + count(names.len()) * (PANEL + 50.0) + 20.0;
    let mut svg = Svg::new(LEFT + WIDE + 60.0, high);
    svg.words(10.0, 16.0, "Median over bare, logarithmic; the red mark is what is promised");
    for step in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0] {
        let stroke = if step == 1.0 { "#666" } else { "#ddd" };
        svg.line(&[(at(step), 30.0), (at(step), bars)], stroke);
        svg.words(at(step) - 6.0, 28.0, &format!("{step}"));
    }
    let mut y = 40.0;
    for row in rows {
        y = draw_row(&mut svg, row, y);
    }
    for (n, name) in names.iter().enumerate() {
        let these: Vec<&Level> = levels.iter().filter(|level| level.name == *name).collect();
        draw_levels(&mut svg, name, &these, bars + 40.0 + count(n) * (PANEL + 50.0));
    }
    svg.end()
}

fn names(levels: &[Level]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for level in levels {
        if !names.contains(&level.name.as_str()) {
            names.push(&level.name);
        }
    }
    names
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(0.0, f64::from)
}

fn draw_row(svg: &mut Svg, row: &Row, mut y: f64) -> f64 {
    svg.words(10.0, y + 10.0, &row.name);
    y += LINE;
    let top = y;
    for way in row.ways.iter().filter(|way| way.name != BARE) {
        svg.words_before(LEFT - 8.0, y + 10.0, &way.name);
        if let Some(ratio) = row.ratio(&way.name) {
            let (from, to) = (at(1.0).min(at(ratio)), at(1.0).max(at(ratio)));
            svg.area(from, y + 1.0, (to - from).max(1.0), LINE - 3.0, colour(&way.name));
            svg.words(to + 4.0, y + 10.0, &format!("{ratio:.2}"));
        }
        y += LINE;
    }
    if let Some(bar) = &row.bar {
        svg.line(&[(at(bar.most), top), (at(bar.most), y)], "#c00");
    }
    y + 6.0
}

/// Runs per second over the number of clients, both logarithmic.
fn draw_levels(svg: &mut Svg, name: &str, levels: &[&Level], y: f64) {
    let rates = || levels.iter().flat_map(|level| level.rates.iter()).filter_map(|rate| rate.per_second());
    let least = rates().fold(f64::MAX, f64::min).max(0.1).log10().floor();
    let most = rates().fold(0.0, f64::max).max(1.0).log10().ceil();
    let high = |rate: f64| y + PANEL - (rate.max(0.1).log10() - least) / (most - least).max(1.0) * PANEL;
    let most_clients = levels.iter().map(|level| level.clients).max().unwrap_or(1).max(2);
    let across = |clients: usize| LEFT + count(clients).log2() / count(most_clients).log2() * (WIDE - 100.0);
    svg.words(10.0, y - 6.0, &format!("{name}: runs per second by clients at once, logarithmic"));
    svg.frame(LEFT, y, WIDE - 100.0, PANEL);
    let mut decade = least;
    while decade <= most {
        svg.words_before(LEFT - 8.0, high(10_f64.powf(decade)) + 4.0, &format!("{}", 10_f64.powf(decade)));
        decade += 1.0;
    }
    for level in levels {
        svg.words(across(level.clients) - 4.0, y + PANEL + 14.0, &level.clients.to_string());
    }
    let Some(first) = levels.first() else { return };
    let mut ends: Vec<(f64, f64, &str)> = Vec::new();
    for (n, rate) in first.rates.iter().enumerate() {
        let of = |level: &&Level| Some((across(level.clients), high(level.rates.get(n)?.per_second()?)));
        let points: Vec<(f64, f64)> = levels.iter().filter_map(of).collect();
        ends.extend(points.last().map(|(x, last)| (*x, *last, rate.name.as_str())));
        svg.line(&points, colour(&rate.name));
    }
    // Names from above, each at its line or just below the one before.
    ends.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut free = y - 20.0;
    for (x, last, name) in ends {
        free = (last + 4.0).max(free + 11.0);
        svg.words(x + 6.0, free, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::{Bar, Times, Way};

    #[test]
    fn a_row_without_figures_is_drawn_too() {
        let mut times = Times::default();
        times.push(100);
        let ways = vec![Way { times, ..Way::new(BARE) }, Way::new("crun")];
        let row = Row { name: "C++ <iostream>".to_owned(), ways, bar: Some(Bar { way: "crun", most: 2.0 }) };
        let text = draw(&[row], &[]);
        assert!(text.contains("C++ &lt;iostream&gt;") && text.contains("crun"), "{text}");
        assert!(at(1.0) < at(2.0) && at(1e9) <= LEFT + WIDE && at(0.0) >= LEFT);
    }
}
