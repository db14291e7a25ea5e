//! The picture as SVG: 900 wide, on light and on dark ground.

use super::panels::{BOUND, Kind, Line, Panel, Picture, Points};
use crate::svg::Svg;

const WIDE: f64 = 900.0;
const EDGE: f64 = 14.0;
const HIGH: f64 = 190.0;
const BETWEEN: f64 = 18.0;
/// Where the numbers of a scale stand.
const SCALE: f64 = 42.0;
const LEGEND: f64 = 14.0;
/// About what a character takes.
const CHARACTER: f64 = 5.6;
/// Lines and faces, legible on both grounds; the last is for whatever is rare.
const COLOURS: [&str; 8] = ["#3ca951", "#4269d0", "#efb118", "#ff725c", "#a463f2", "#38b2ac", "#9c6b4e", "#9498a0"];
/// Half, most, nearly all.
const QUANTILES: [&str; 3] = ["#6c9cf5", "#efb118", "#e5534b"];

fn style() -> String {
    let mut style = ".ground{fill:#ffffff}text{fill:#57606a}.title{fill:#1f2328;font-weight:bold;font-size:12px}\
                     .grid{stroke:#d8dee4;fill:none}.restart{stroke:#8c959f;stroke-dasharray:2 3;fill:none}\n\
                     @media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#9198a1}.title{fill:#f0f6fc}\
                     .grid{stroke:#30363d}.restart{stroke:#656c76}}\n"
        .to_owned();
    for (prefix, colours) in [("c", &COLOURS[..]), ("q", &QUANTILES[..])] {
        for (at, colour) in colours.iter().enumerate() {
            style += &format!(
                ".{prefix}{at}{{stroke:{colour};stroke-width:1.5;fill:none}}.{prefix}{at}f{{fill:{colour};fill-opacity:.85}}\n"
            );
        }
    }
    style
}

/// The file.
pub fn draw(picture: &Picture) -> String {
    let rows = u32::try_from(picture.rows.len()).map_or(0.0, f64::from);
    let head = 40.0;
    let high = head + rows * (HIGH + BETWEEN);
    let mut svg = Svg::styled(WIDE, high, &style());
    svg.block((0.0, 0.0), (WIDE, high), "ground");
    svg.classed((EDGE, 22.0), "start", "title", &picture.title);
    let dotted = match picture.restarts.len() {
        0 => String::new(),
        _ => "dotted: engined was started anew · ".to_owned(),
    };
    svg.classed((WIDE - EDGE, 22.0), "end", "", &format!("{dotted}across: minutes · seconds are logarithmic"));
    for (at, row) in (0_u32..).zip(&picture.rows) {
        draw_row(&mut svg, picture, row, head + f64::from(at) * (HIGH + BETWEEN));
    }
    svg.end()
}

/// Panels side by side. Those with seconds share one scale, told once.
fn draw_row(svg: &mut Svg, picture: &Picture, row: &[Panel], y: f64) {
    let shared = row.iter().all(|panel| panel.kind == Kind::Seconds);
    let panels = u32::try_from(row.len()).map_or(1.0, f64::from);
    let scales = if shared { SCALE + (panels - 1.0) * EDGE } else { panels * SCALE };
    let wide = (WIDE - 2.0 * EDGE - scales - (panels - 1.0) * EDGE * 0.5) / panels;
    let legend =
        row.iter().map(|panel| legend(panel, wide).last().map_or(0.0, |(_, y)| y + LEGEND)).fold(0.0, f64::max);
    let scale = if shared { Scale::decades(row) } else { None };
    let mut x = EDGE;
    for (at, panel) in row.iter().enumerate() {
        x += if shared && at > 0 { EDGE } else { SCALE };
        let scale = scale.clone().unwrap_or_else(|| Scale::from_zero(panel));
        let place =
            Place { x, top: y + 24.0 + legend, wide, bottom: y + HIGH - 18.0, minutes: picture.minutes.max(0.01) };
        draw_legend(svg, panel, (x, y), wide);
        draw_axes(svg, &place, &scale, !shared || at == 0);
        for minute in &picture.restarts {
            svg.path(&[(place.x(*minute), place.top), (place.x(*minute), place.bottom)], false, "restart");
        }
        draw_lines(svg, panel, &place, &scale);
        x += wide + EDGE * 0.5;
    }
}

/// Where a chart stands.
#[derive(Debug)]
struct Place {
    x: f64,
    top: f64,
    wide: f64,
    bottom: f64,
    minutes: f64,
}

impl Place {
    fn x(&self, minute: f64) -> f64 {
        self.x + minute / self.minutes * self.wide
    }

    /// 0 is below, 1 is above.
    fn y(&self, part: f64) -> f64 {
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// What stands how high.
#[derive(Clone, Debug)]
struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Scale {
    /// The decades in which all numbers of these panels are.
    fn decades(row: &[Panel]) -> Option<Self> {
        let numbers = || row.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).filter_map(|p| p.1);
        let positive = || numbers().filter(|number| *number > 0.0);
        let least = positive().fold(f64::INFINITY, f64::min).clamp(1e-4, 1.0).log10().floor();
        let most = positive().fold(0.0, f64::max).max(1e-3).log10().ceil().max(least + 1.0);
        let mut ticks = Vec::new();
        let mut decade = least;
        while decade <= most {
            let seconds = 10_f64.powf(decade);
            let words = if decade < -3.0 {
                format!("{:.0} µs", seconds * 1e6)
            } else if decade < 0.0 {
                format!("{:.0} ms", seconds * 1e3)
            } else {
                format!("{seconds:.0} s")
            };
            ticks.push((seconds, words));
            decade += 1.0;
        }
        positive().next().map(|_| Scale { from: least, to: most, logarithmic: true, ticks })
    }

    fn from_zero(panel: &Panel) -> Self {
        let most = match panel.kind {
            Kind::Stack => tops(&panel.lines).last().map_or(0.0, most),
            Kind::Lines | Kind::Seconds => panel.lines.iter().map(|line| most(&line.points)).fold(0.0, f64::max),
        };
        let step = nice(most.max(1e-3) / 4.0);
        let steps = (most / step).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut at = 0.0;
        while at <= steps {
            ticks.push((at * step, told(at * step)));
            at += 1.0;
        }
        Scale { from: 0.0, to: steps * step, logarithmic: false, ticks }
    }

    fn part(&self, number: f64) -> f64 {
        let number = if self.logarithmic { number.max(1e-9).log10() } else { number };
        (number - self.from) / (self.to - self.from)
    }
}

fn most(points: &Points) -> f64 {
    points.iter().filter_map(|(_, number)| *number).fold(0.0, f64::max)
}

/// The next of 1, 2, 5, 10 and so on that is no less.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * decade).find(|nice| *nice >= step * 0.999).unwrap_or(10.0 * decade)
}

fn told(number: f64) -> String {
    format!("{}", (number * 1000.0).round() / 1000.0)
}

/// Each line of a stack with those before it below.
fn tops(lines: &[Line]) -> Vec<Points> {
    let mut tops: Vec<Points> = Vec::new();
    for line in lines {
        let below = tops.last();
        let sum = |at: usize, number: f64| number + below.and_then(|points| points[at].1).unwrap_or_default();
        let top = line.points.iter().enumerate().map(|(at, (time, number))| (*time, number.map(|n| sum(at, n))));
        let top = top.collect();
        tops.push(top);
    }
    tops
}

/// Where each name of the legend stands, from the left and from the first line.
fn legend(panel: &Panel, wide: f64) -> Vec<(f64, f64)> {
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for line in &panel.lines {
        let takes = 14.0 + CHARACTER * u32::try_from(line.name.chars().count()).map_or(0.0, f64::from) + 10.0;
        if x > 0.0 && x + takes > wide + 10.0 {
            (x, y) = (0.0, y + LEGEND);
        }
        places.push((x, y));
        x += takes;
    }
    places
}

fn class(panel: &Panel, at: usize) -> String {
    match panel.kind {
        Kind::Seconds => format!("q{}", at.min(QUANTILES.len() - 1)),
        // Green is for what is ok, grey for a bound.
        Kind::Lines if panel.lines[at].name == BOUND => format!("c{}", COLOURS.len() - 1),
        Kind::Lines => format!("c{}", (at + 1).min(COLOURS.len() - 1)),
        Kind::Stack => format!("c{}", at.min(COLOURS.len() - 1)),
    }
}

fn draw_legend(svg: &mut Svg, panel: &Panel, (x, y): (f64, f64), wide: f64) {
    svg.classed((x, y + 12.0), "start", "title", &panel.title);
    for (at, ((right, down), line)) in legend(panel, wide).into_iter().zip(&panel.lines).enumerate() {
        let (x, y) = (x + right, y + 27.0 + down);
        svg.block((x, y - 8.0), (9.0, 9.0), &format!("{}f", class(panel, at)));
        svg.classed((x + 13.0, y), "start", "", &line.name);
    }
}

fn draw_axes(svg: &mut Svg, place: &Place, scale: &Scale, numbers: bool) {
    for (number, words) in &scale.ticks {
        let y = place.y(scale.part(*number));
        svg.path(&[(place.x, y), (place.x + place.wide, y)], false, "grid");
        if numbers {
            svg.classed((place.x - 6.0, y + 3.5), "end", "", words);
        }
    }
    let most = (place.wide / 60.0).floor().max(2.0);
    let steps = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 240.0];
    let step = steps.into_iter().find(|step| place.minutes / step <= most).unwrap_or(480.0);
    let mut minute = 0.0;
    while minute <= place.minutes {
        svg.classed((place.x(minute), place.bottom + 14.0), "middle", "", &told(minute));
        minute += step;
    }
}

fn draw_lines(svg: &mut Svg, panel: &Panel, place: &Place, scale: &Scale) {
    let at = |(minute, number): (f64, f64)| (place.x(minute), place.y(scale.part(number)));
    if panel.kind == Kind::Stack {
        let tops = tops(&panel.lines);
        for (n, top) in tops.iter().enumerate() {
            for piece in pieces(top) {
                let below = |index: usize| n.checked_sub(1).and_then(|n| tops[n][index].1).unwrap_or_default();
                let upper = piece.iter().map(|(_, minute, number)| at((*minute, *number)));
                let lower = piece.iter().rev().map(|(index, minute, _)| at((*minute, below(*index))));
                svg.path(&upper.chain(lower).collect::<Vec<_>>(), true, &format!("{}f", class(panel, n)));
            }
        }
        return;
    }
    // The first on top: the bound is the last.
    for (n, line) in panel.lines.iter().enumerate().rev() {
        for piece in pieces(&line.points) {
            let mut points: Vec<(f64, f64)> = piece.iter().map(|(_, minute, number)| at((*minute, *number))).collect();
            // One point by itself would be invisible.
            if let [(x, y)] = points[..] {
                points = vec![(x - 1.0, y), (x + 1.0, y)];
            }
            svg.path(&points, false, &class(panel, n));
        }
    }
}

/// What hangs together, each point with its index.
fn pieces(points: &Points) -> Vec<Vec<(usize, f64, f64)>> {
    let mut pieces = vec![Vec::new()];
    for (at, (minute, number)) in points.iter().enumerate() {
        match (number, pieces.last_mut()) {
            (Some(number), Some(piece)) => piece.push((at, *minute, *number)),
            _ => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, numbers: &[Option<f64>]) -> Line {
        let points = (0_u32..).zip(numbers).map(|(minute, number)| (f64::from(minute), *number)).collect();
        Line { name: name.to_owned(), points }
    }

    #[test]
    fn scales_have_round_numbers() {
        for (step, wanted) in [(0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (24.0, 50.0), (51.0, 100.0)] {
            assert!((nice(step) - wanted).abs() < 1e-9, "{step}: {}", nice(step));
        }
        let panel = |kind| Panel { title: String::new(), kind, lines: vec![line("a", &[Some(3.0), Some(7.0)])] };
        let scale = Scale::from_zero(&panel(Kind::Lines));
        assert_eq!(scale.ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(), ["0", "2", "4", "6", "8"]);
        let scale = Scale::decades(&[panel(Kind::Seconds)]).unwrap();
        assert_eq!(scale.ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(), ["1 s", "10 s"]);
    }

    #[test]
    fn what_is_empty_is_drawn_too() {
        let none = || Panel { title: "a <b>".to_owned(), kind: Kind::Seconds, lines: vec![line("x", &[None, None])] };
        let nothing = || Panel { title: String::new(), kind: Kind::Stack, lines: Vec::new() };
        let rows = vec![vec![none(), none()], vec![nothing()]];
        let picture = Picture { title: "t".to_owned(), minutes: 0.0, restarts: vec![0.0], rows };
        let text = draw(&picture);
        assert!(text.contains("a &lt;b&gt;") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn a_stack_is_as_high_as_its_sum_and_gaps_part_it() {
        let lines =
            [line("a", &[Some(1.0), None, Some(2.0), Some(2.0)]), line("b", &[Some(2.0), None, Some(1.0), Some(5.0)])];
        let tops = tops(&lines);
        assert_eq!(tops[1].iter().map(|point| point.1).collect::<Vec<_>>(), [Some(3.0), None, Some(3.0), Some(7.0)]);
        let pieces = pieces(&tops[1]);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(pieces[1][0].0, 2);
    }
}
